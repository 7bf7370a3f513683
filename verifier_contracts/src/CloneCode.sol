// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Reads what a clone delegates to
/// @notice A clone is code of EIP-1167, with immutable arguments behind it (OpenZeppelin's Clones) or without.
/// @dev What a clone does is decided by two codes, its own and its implementation's. The second can be replaced even
///      where it cannot destroy itself: an account that is created and destroyed in one transaction can be created
///      again with other code. So whoever pins a clone pins both.
library CloneCode {
    uint256 private constant PREFIX = 0x363d3d373d3d3d363d73;
    uint256 private constant SUFFIX = 0x5af43d82803e903d91602b57fd5bf3;

    /// @notice The address that an account delegates to, or zero if its code is not exactly a clone's.
    function implementationOf(address account) internal view returns (address implementation) {
        uint256 prefix;
        uint256 suffix;
        assembly ("memory-safe") {
            mstore(0x20, 0)
            extcodecopy(account, 0x00, 0, 45)
            prefix := shr(176, mload(0x00))
            suffix := shr(136, mload(0x1e))
            implementation := shr(96, mload(0x0a))
        }
        if (prefix != PREFIX || suffix != SUFFIX) return address(0);
    }

    /// @notice One pin of both codes.
    /// @param clone an account whose own code was or will be compared through the result.
    /// @param cloneHash its code hash.
    /// @return pin keccak256(code hash of the clone || code hash of what it delegates to).
    function pinOf(address clone, bytes32 cloneHash) internal view returns (bytes32 pin) {
        assembly ("memory-safe") {
            extcodecopy(clone, 0x00, 10, 32)
            let implementation := shr(96, mload(0x00))
            mstore(0x00, cloneHash)
            mstore(0x20, extcodehash(implementation))
            pin := keccak256(0x00, 0x40)
        }
    }
}
