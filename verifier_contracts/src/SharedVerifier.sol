// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {ISharedKeyVerifier} from "verifier_contracts/src/ISharedKeyVerifier.sol";
import {SharedKeyArguments, SharedKeyPins} from "verifier_contracts/src/SharedKeyPins.sol";
import {StoredKeys} from "verifier_contracts/src/StoredKeys.sol";
import {TensorLayout} from "verifier_contracts/src/TensorLayout.sol";

/// @title What all circuits of one proof system share: one code behind clones, and a key for each
/// @notice Runs behind clones (EIP-1167), one a circuit, whose immutable arguments pin the circuit's key, weights and
///         tensors. Called directly it has no pins and accepts nothing.
/// @dev A clone's arguments may come from anybody: the key is what its digest says, or the call reverts. What the words
///      of a key mean, and how a proof is verified, is each system's own.
abstract contract SharedVerifier is ISharedKeyVerifier {
    /// @notice Another key lies where the clone points, or the verifier answered for another.
    error KeyMismatch(bytes32 expected, bytes32 found);
    /// @notice The proof is longer or shorter than the key says.
    error ProofLengthMismatch(uint256 expected, uint256 found);
    /// @notice The clone was not made by the factory that made this implementation.
    error ForeignClone(address expected, address found);

    /// @dev What made this implementation, and where it stands: both are part of the code that is audited.
    address private immutable FACTORY;
    address private immutable IMPLEMENTATION;

    constructor() {
        FACTORY = msg.sender;
        IMPLEMENTATION = address(this);
    }

    /// @inheritdoc ISharedKeyVerifier
    function verifyingKeyDigest() external view returns (bytes32) {
        return SharedKeyArguments.ofThisClone().keyDigest;
    }

    /// @inheritdoc ISharedKeyVerifier
    function weightCommitment() external view returns (bytes32) {
        return SharedKeyArguments.ofThisClone().weightCommitment;
    }

    /// @inheritdoc ISharedKeyVerifier
    function tensorLayout() external view returns (TensorLayout memory) {
        return SharedKeyArguments.ofThisClone().tensors;
    }

    /// @inheritdoc ISharedKeyVerifier
    function ceremonyConstants() external view returns (bytes32[10] memory constants) {
        constants = _ceremonyConstants(verifyingKey());
        _checkOrigin();
    }

    /// @notice The words of the pinned key; reverts if others lie where the clone points.
    function verifyingKey() public view returns (bytes32[] memory key) {
        SharedKeyPins memory pins = SharedKeyArguments.ofThisClone();
        _checkKeySize(pins.key.words);
        key = new bytes32[](pins.key.words);
        uint256 start;
        assembly ("memory-safe") {
            start := add(key, 0x20)
        }
        StoredKeys.load(pins.key, start);
        bytes32 found = keccak256(abi.encodePacked(key));
        if (found != pins.keyDigest) revert KeyMismatch(pins.keyDigest, found);
    }

    /// @dev Reverts unless a key of this system can have so many words.
    function _checkKeySize(uint256 words) internal pure virtual;

    /// @dev G1 (x, y), G2 and -[tau]G2 (x.c1, x.c0, y.c1, y.c0 each) of a key whose digest was compared.
    function _ceremonyConstants(bytes32[] memory key) internal pure virtual returns (bytes32[10] memory);

    /// @dev Code alone says nothing of tomorrow: what creation code makes it can destroy it in the same transaction (EIP-6780)
    ///      and make it anew whenever it likes. An adapter or key like that would let its author alone settle, and take
    ///      the bonus of everybody else's collateral. Only the factory has made what has this address, its key's contracts
    ///      and this implementation, and it destroys nothing.
    function _checkOrigin() private view {
        bytes memory arguments = SharedKeyArguments.encode(SharedKeyArguments.ofThisClone());
        address expected = Clones.predictDeterministicAddressWithImmutableArgs(IMPLEMENTATION, arguments, 0, FACTORY);
        if (address(this) != expected) revert ForeignClone(expected, address(this));
    }
}
