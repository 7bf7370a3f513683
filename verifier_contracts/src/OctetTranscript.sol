// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @dev The order of BN254's G1, and of the field that OCTET's scalars are in. A function that uses it more than once in
///      straight-line code takes it as an argument `r`: solc 0.8.37 otherwise copies the constant from the code each time,
///      for 35 gas instead of 3.
uint256 constant SCALAR_ORDER = 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001;

/// @title OCTET's Fiat-Shamir transcript, and the sumchecks that draw from it
/// @notice The state is 32 bytes. A message is absorbed by hashing the state and the message, a further challenge is
///         drawn by hashing the state alone. The challenge is the new state modulo the order of the field.
/// @dev Twin of `circuits/octet/spec/transcript.py` and of `verify_rounds` in `sumchecks.py`. Messages are hashed where
///      they lie: the word of memory in front of a message belongs to the state.
library OctetTranscript {
    /// @notice A scalar of the proof is not below the order of the field.
    error ScalarNotCanonical();

    uint256 internal constant FIRST_ROUND_BYTES = 192;
    uint256 internal constant SECOND_ROUND_BYTES = 64;

    /// @notice Copies a message from calldata to memory and absorbs it.
    /// @param state the state before.
    /// @param from where the message lies in calldata.
    /// @param length its bytes.
    /// @param to where it goes in memory; the word in front is overwritten.
    /// @return next the state behind it.
    function absorb(uint256 state, uint256 from, uint256 length, uint256 to) internal pure returns (uint256 next) {
        assembly ("memory-safe") {
            let start := sub(to, 0x20)
            mstore(start, state)
            calldatacopy(to, from, length)
            next := keccak256(start, add(length, 0x20))
        }
    }

    /// @notice Draws `count` further challenges and writes them to memory.
    /// @return next the state after the last.
    function squeeze(uint256 state, uint256 to, uint256 count) internal pure returns (uint256 next) {
        assembly ("memory-safe") {
            let r := SCALAR_ORDER
            mstore(0x00, state)
            for { let end := add(to, shl(5, count)) } lt(to, end) { to := add(to, 0x20) } {
                mstore(0x00, keccak256(0x00, 0x20))
                mstore(to, mod(mload(0x00), r))
            }
            next := mload(0x00)
        }
    }

    /// @notice Follows the first sumcheck, whose rounds are polynomials of degree 6 without their linear coefficient.
    /// @param buffer seven words of memory; the first holds the transcript's state, before and after.
    /// @param from where the rounds begin in calldata.
    /// @param end where they end.
    /// @param to where the challenges go in memory.
    /// @param claim what the sum is said to be.
    /// @return value what the polynomial is said to be at the challenges.
    function firstRounds(uint256 buffer, uint256 from, uint256 end, uint256 to, uint256 claim)
        internal
        pure
        returns (uint256 value)
    {
        bool canonical = true;
        assembly ("memory-safe") {
            let r := SCALAR_ORDER
            for {} lt(from, end) { from := add(from, FIRST_ROUND_BYTES) } {
                calldatacopy(add(buffer, 0x20), from, FIRST_ROUND_BYTES)
                mstore(buffer, keccak256(buffer, 0xe0))
                let x := mod(mload(buffer), r)
                mstore(to, x)
                to := add(to, 0x20)
                let c6 := calldataload(add(from, 0xa0))
                let c5 := calldataload(add(from, 0x80))
                let c4 := calldataload(add(from, 0x60))
                let c3 := calldataload(add(from, 0x40))
                let c2 := calldataload(add(from, 0x20))
                let c0 := calldataload(from)
                canonical := and(canonical, and(and(lt(c6, r), lt(c5, r)), and(lt(c4, r), lt(c3, r))))
                canonical := and(canonical, and(lt(c2, r), lt(c0, r)))
                // The claim is s(0) + s(1), which gives the linear coefficient. Five canonical words and their sum stay
                // below 2^256.
                claim := addmod(claim, sub(r, addmod(add(add(add(add(c6, c5), c4), c3), c2), add(c0, c0), r)), r)
                c4 := mulmod(x, add(c4, mulmod(x, add(c5, mulmod(x, c6, r)), r)), r)
                claim := mulmod(x, add(claim, mulmod(x, add(c2, mulmod(x, add(c3, c4), r)), r)), r)
                claim := addmod(claim, c0, r)
            }
        }
        if (!canonical) revert ScalarNotCanonical(); // check: canonical_scalars
        return claim;
    }

    /// @notice Follows the second sumcheck, of degree 2. As {firstRounds}, with three words of buffer.
    function secondRounds(uint256 buffer, uint256 from, uint256 end, uint256 to, uint256 claim)
        internal
        pure
        returns (uint256 value)
    {
        bool canonical = true;
        assembly ("memory-safe") {
            let r := SCALAR_ORDER
            for {} lt(from, end) { from := add(from, SECOND_ROUND_BYTES) } {
                calldatacopy(add(buffer, 0x20), from, SECOND_ROUND_BYTES)
                mstore(buffer, keccak256(buffer, 0x60))
                let x := mod(mload(buffer), r)
                mstore(to, x)
                to := add(to, 0x20)
                let c2 := calldataload(add(from, 0x20))
                let c0 := calldataload(from)
                canonical := and(canonical, and(lt(c0, r), lt(c2, r)))
                claim := addmod(claim, sub(r, addmod(add(c0, c0), c2, r)), r)
                claim := addmod(mulmod(x, add(claim, mulmod(x, c2, r)), r), c0, r)
            }
        }
        if (!canonical) revert ScalarNotCanonical(); // check: canonical_scalars
        return claim;
    }

    /// @notice Combines `count` scalars in memory by the powers of a challenge.
    /// @param x the challenge.
    /// @param from where the scalars lie; they must be canonical.
    /// @param to where 1, x, x^2 .. go.
    /// @return total the sum of the products.
    function combine(uint256 x, uint256 from, uint256 to, uint256 count) internal pure returns (uint256 total) {
        bool canonical = true;
        assembly ("memory-safe") {
            let r := SCALAR_ORDER
            let power := 1
            let end := add(from, shl(5, count))
            for { let few := add(from, shl(5, and(count, 3))) } lt(from, few) { from := add(from, 0x20) } {
                mstore(to, power)
                to := add(to, 0x20)
                let word := mload(from)
                canonical := and(canonical, lt(word, r))
                total := addmod(total, mulmod(power, word, r), r)
                power := mulmod(power, x, r)
            }
            // Four a turn: their products and the total stay below 2^256.
            for {} lt(from, end) { from := add(from, 0x80) } {
                mstore(to, power)
                let word := mload(from)
                canonical := and(canonical, lt(word, r))
                let part := mulmod(power, word, r)
                power := mulmod(power, x, r)
                mstore(add(to, 0x20), power)
                word := mload(add(from, 0x20))
                canonical := and(canonical, lt(word, r))
                part := add(part, mulmod(power, word, r))
                power := mulmod(power, x, r)
                mstore(add(to, 0x40), power)
                word := mload(add(from, 0x40))
                canonical := and(canonical, lt(word, r))
                part := add(part, mulmod(power, word, r))
                power := mulmod(power, x, r)
                mstore(add(to, 0x60), power)
                word := mload(add(from, 0x60))
                canonical := and(canonical, lt(word, r))
                part := add(part, mulmod(power, word, r))
                power := mulmod(power, x, r)
                total := addmod(total, part, r)
                to := add(to, 0x80)
            }
        }
        if (!canonical) revert ScalarNotCanonical(); // check: canonical_scalars
    }

    /// @notice Writes 1, x, x^2 .. (`count` powers) to memory.
    function powers(uint256 x, uint256 to, uint256 count) internal pure {
        assembly ("memory-safe") {
            let r := SCALAR_ORDER
            let power := 1
            for { let end := add(to, shl(5, count)) } lt(to, end) { to := add(to, 0x20) } {
                mstore(to, power)
                power := mulmod(power, x, r)
            }
        }
    }
}
