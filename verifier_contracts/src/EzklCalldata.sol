// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The calls of EZKL's verifiers, written straight to memory
/// @notice The bytes equal those of abi.encodeCall, which fuzz tests check; it matters, because EZKL's verifiers read
///         their calldata at fixed places.
library EzklCalldata {
    /// @notice Writes selector, offsets, proof and the number of instances, and takes the memory for all the rest.
    /// @param selector of verifyProof(bytes,uint256[]) or verifyProof(bytes,uint256[],bytes32[]).
    /// @param arguments 2 or 3: how many there are.
    /// @param proof the first argument.
    /// @param count how many instances the caller will write.
    /// @param tailBytes bytes that the caller will write behind the instances: all of a third argument, its length word
    ///        included.
    /// @return start where the call begins.
    /// @return instances where the first instance goes.
    function begin(bytes4 selector, uint256 arguments, bytes calldata proof, uint256 count, uint256 tailBytes)
        internal
        pure
        returns (uint256 start, uint256 instances)
    {
        assembly ("memory-safe") {
            start := mload(0x40)
            let head := shl(5, arguments)
            let padded := and(add(proof.length, 0x1f), not(0x1f))
            mstore(start, selector)
            mstore(add(start, 0x04), head)
            mstore(add(start, 0x24), add(add(head, 0x20), padded))
            // Where there are two arguments this word is the proof's length, written next.
            mstore(add(start, 0x44), add(add(add(head, 0x40), padded), shl(5, count)))
            let at := add(add(start, 0x04), head)
            mstore(at, proof.length)
            at := add(at, 0x20)
            instances := add(at, padded)
            // The padding is cleared before the copy; where there is none this word is the count's, written below.
            mstore(sub(instances, mul(0x20, gt(padded, 0))), 0)
            calldatacopy(at, proof.offset, proof.length)
            mstore(instances, count)
            instances := add(instances, 0x20)
            mstore(0x40, and(add(add(add(instances, shl(5, count)), tailBytes), 0x1f), not(0x1f)))
        }
    }
}
