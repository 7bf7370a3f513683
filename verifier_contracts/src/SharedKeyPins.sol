// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {StoredKey} from "verifier_contracts/src/StoredKeys.sol";
import {TensorLayout} from "verifier_contracts/src/TensorLayout.sol";

/// @notice All that a clone of a {SharedVerifier} differs in, written behind its code.
/// @param keyDigest keccak256 of the key's words.
/// @param weightCommitment keccak256 of the commitment to the weights, or zero where the key binds them.
/// @param tensors the circuit's public tensors.
/// @param key where the key lies.
struct SharedKeyPins {
    bytes32 keyDigest;
    bytes32 weightCommitment;
    TensorLayout tensors;
    StoredKey key;
}

/// @title The immutable arguments of a clone, packed
/// @dev Anybody may clone with any arguments, so whoever decodes them trusts nothing in them.
library SharedKeyArguments {
    uint256 private constant ARGUMENT_BYTES = 136;
    /// @dev Length of the code of EIP-1167, behind which OpenZeppelin's Clones writes the arguments.
    uint256 private constant CLONE_BYTES = 45;

    /// @notice The arguments of a clone with these pins.
    function encode(SharedKeyPins memory pins) internal pure returns (bytes memory) {
        return abi.encodePacked(
            pins.keyDigest,
            pins.weightCommitment,
            pins.tensors.inputCount,
            pins.tensors.inputBytes,
            pins.tensors.outputCount,
            pins.tensors.outputBytes,
            pins.key.words,
            pins.key.first,
            pins.key.second,
            pins.key.third
        );
    }

    /// @notice The pins of the clone that runs.
    function ofThisClone() internal view returns (SharedKeyPins memory pins) {
        bytes32 keyDigest;
        bytes32 weightCommitment;
        uint256 packed;
        uint256 second;
        uint256 third;
        assembly ("memory-safe") {
            let at := mload(0x40)
            // Words beyond the end of the code are zeros.
            extcodecopy(address(), at, CLONE_BYTES, ARGUMENT_BYTES)
            keyDigest := mload(at)
            weightCommitment := mload(add(at, 0x20))
            packed := mload(add(at, 0x40))
            second := shr(96, mload(add(at, 0x60)))
            third := shr(96, mload(add(at, 0x74)))
        }
        pins.keyDigest = keyDigest;
        pins.weightCommitment = weightCommitment;
        pins.tensors =
            TensorLayout(uint32(packed >> 224), uint8(packed >> 216), uint32(packed >> 184), uint8(packed >> 176));
        pins.key = StoredKey(
            uint16(packed >> 160), address(uint160(packed)), address(uint160(second)), address(uint160(third))
        );
    }
}
