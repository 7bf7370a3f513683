// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OctetKey} from "verifier_contracts/src/OctetKey.sol";

/// @title The words of a public input: pieces of packed calldata, whole
/// @notice A word holds up to 16 bytes of elements that follow each other on one line of the tensor, the first one
///         highest. The statement speaks of X = v + z for a packed element v, so all lanes of 32 bytes are lifted at once.
/// @dev Twin of `circuits/octet/input_words.py`. With the sign bit turned over a lane holds v + half; adding z - half to
///      every lane is one addition of integers, and exact because every X is within 0..255: whoever calls has checked
///      the domain. Otherwise lanes run into each other, and the words are those of another input, of no input at all.
library OctetInputWords {
    /// @notice Writes the words of all inputs, one input after the other.
    /// @param base where the key begins in memory.
    /// @param input the packed input, of the length that the key says.
    /// @param to where the first word goes.
    function write(uint256 base, bytes calldata input, uint256 to) internal pure {
        unchecked {
            uint256 places = OctetKey.word(base, OctetKey.PLACES_WORD);
            uint256 descriptor = OctetKey.place(base, places, OctetKey.INPUT_DESCRIPTORS);
            uint256 last = descriptor + 32 * OctetKey.field(places, OctetKey.INPUT_COUNT);
            uint256 from;
            assembly ("memory-safe") {
                from := input.offset
            }
            for (; descriptor < last; descriptor += 32) {
                uint256 packed;
                assembly ("memory-safe") {
                    packed := mload(descriptor)
                }
                (from, to) = _writeTensor(packed, OctetKey.field(places, OctetKey.ZERO_POINT), from, to);
            }
        }
    }

    /// @dev Writes the words of one input, by the shape of its lines.
    /// @param packed its descriptor: width (80), lines (48), whole words of a line (32), elements of a shorter word behind
    ///        them (16), lanes (0).
    /// @return the addresses behind what was read and written.
    function _writeTensor(uint256 packed, uint256 zero, uint256 from, uint256 to)
        private
        pure
        returns (uint256, uint256)
    {
        uint256 width = packed >> 80;
        uint256 lines = packed >> 48 & 0xffffffff;
        uint256 wordBytes = width * (packed & 0xffff);
        uint256 lineBytes = wordBytes * (packed >> 32 & 0xffff) + width * (packed >> 16 & 0xffff);
        (uint256 signs, uint256 lift) = _lanes(width, zero);
        if (lineBytes <= wordBytes) return _writeSingles(lines, lineBytes, wordBytes, signs, lift, from, to);
        if (lineBytes <= 2 * wordBytes) return _writePairs(lines, lineBytes, signs, lift, from, to);
        return _writeLines(lines, lineBytes, signs, lift, from, to);
    }

    /// @dev The sign bits of 32 bytes of elements, and z - half in every lane.
    function _lanes(uint256 width, uint256 zero) private pure returns (uint256 signs, uint256 lift) {
        unchecked {
            uint256 half = 1 << (8 * width - 1);
            uint256 ones = type(uint256).max / (2 * half - 1);
            signs = ones * half;
            lift = ones * (zero - half);
        }
    }

    /// @dev One word a line. Lanes behind the line are taken as elements of 0, which borrow from no other, and cleared.
    function _writeSingles(
        uint256 lines,
        uint256 lineBytes,
        uint256 wordBytes,
        uint256 signs,
        uint256 lift,
        uint256 from,
        uint256 to
    ) private pure returns (uint256, uint256) {
        assembly ("memory-safe") {
            let kept := not(shr(shl(3, lineBytes), not(0)))
            let shift := sub(256, shl(3, wordBytes))
            for {} lines { lines := sub(lines, 1) } {
                let lanes := add(xor(and(calldataload(from), kept), signs), lift)
                mstore(to, shr(shift, and(lanes, kept)))
                from := add(from, lineBytes)
                to := add(to, 0x20)
            }
        }
        return (from, to);
    }

    /// @dev Two words of 16 bytes a line, the second of which may be shorter: one load a line, four lines a turn behind
    ///      what does not make four.
    function _writePairs(uint256 lines, uint256 lineBytes, uint256 signs, uint256 lift, uint256 from, uint256 to)
        private
        pure
        returns (uint256, uint256)
    {
        assembly ("memory-safe") {
            let kept := not(shr(shl(3, lineBytes), not(0)))
            let second := shr(128, shl(128, kept))
            let end := add(to, shl(6, lines))
            for { let few := add(to, shl(6, and(lines, 3))) } lt(to, few) { to := add(to, 0x40) } {
                let lanes := add(xor(and(calldataload(from), kept), signs), lift)
                mstore(to, shr(128, lanes))
                mstore(add(to, 0x20), and(lanes, second))
                from := add(from, lineBytes)
            }
            for {} lt(to, end) { to := add(to, 0x100) } {
                let lanes := add(xor(and(calldataload(from), kept), signs), lift)
                mstore(to, shr(128, lanes))
                mstore(add(to, 0x20), and(lanes, second))
                from := add(from, lineBytes)
                lanes := add(xor(and(calldataload(from), kept), signs), lift)
                mstore(add(to, 0x40), shr(128, lanes))
                mstore(add(to, 0x60), and(lanes, second))
                from := add(from, lineBytes)
                lanes := add(xor(and(calldataload(from), kept), signs), lift)
                mstore(add(to, 0x80), shr(128, lanes))
                mstore(add(to, 0xa0), and(lanes, second))
                from := add(from, lineBytes)
                lanes := add(xor(and(calldataload(from), kept), signs), lift)
                mstore(add(to, 0xc0), shr(128, lanes))
                mstore(add(to, 0xe0), and(lanes, second))
                from := add(from, lineBytes)
            }
        }
        return (from, to);
    }

    /// @dev Words of 16 bytes, by twos, and what is left of the line.
    function _writeLines(uint256 lines, uint256 lineBytes, uint256 signs, uint256 lift, uint256 from, uint256 to)
        private
        pure
        returns (uint256, uint256)
    {
        assembly ("memory-safe") {
            let second := shr(128, not(0))
            for {} lines { lines := sub(lines, 1) } {
                for { let end := add(to, shl(6, shr(5, lineBytes))) } lt(to, end) { to := add(to, 0x40) } {
                    let lanes := add(xor(calldataload(from), signs), lift)
                    mstore(to, shr(128, lanes))
                    mstore(add(to, 0x20), and(lanes, second))
                    from := add(from, 0x20)
                }
                let rest := and(lineBytes, 0x1f)
                if rest {
                    let kept := not(shr(shl(3, rest), not(0)))
                    let lanes := add(xor(and(calldataload(from), kept), signs), lift)
                    lanes := and(lanes, kept)
                    mstore(to, shr(128, lanes))
                    to := add(to, 0x20)
                    if gt(rest, 0x10) {
                        mstore(to, and(lanes, second))
                        to := add(to, 0x20)
                    }
                    from := add(from, rest)
                }
            }
        }
        return (from, to);
    }
}
