// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {CommittedWeights} from "verifier_contracts/src/CommittedWeights.sol";
import {EzklCalldata} from "verifier_contracts/src/EzklCalldata.sol";
import {IHalo2ReusableVerifier} from "verifier_contracts/src/IHalo2ReusableVerifier.sol";
import {IProofVerifier} from "verifier_contracts/src/IProofVerifier.sol";
import {ISharedKeyVerifier} from "verifier_contracts/src/ISharedKeyVerifier.sol";
import {PinnedVerifier} from "verifier_contracts/src/PinnedVerifier.sol";
import {SharedKeyArguments, SharedKeyPins} from "verifier_contracts/src/SharedKeyPins.sol";
import {StoredKeys} from "verifier_contracts/src/StoredKeys.sol";
import {PackedTensors, TensorLayout} from "verifier_contracts/src/TensorLayout.sol";

/// @title Adapter to EZKL's reusable verifier, shared by all circuits
/// @notice Runs behind clones (EIP-1167), one a circuit, whose immutable arguments pin the circuit's key, weights and
///         tensors. Called directly it has no pins and accepts nothing.
/// @dev Its code hash covers the address and code hash of the reusable verifier, so one audited code hash vouches for
///      both. A clone's arguments may come from anybody: the key is what its digest says, or the call reverts. EZKL's
///      proofs carry no context: whoever calls binds the payee before the proof is public.
contract EzklSharedVerifier is ISharedKeyVerifier, PinnedVerifier {
    /// @notice Another key lies where the clone points, or the verifier answered for another.
    error KeyMismatch(bytes32 expected, bytes32 found);

    /// @notice The proof is longer or shorter than the key says. EZKL's reusable verifier would not mind words that
    ///         trail behind a true proof.
    error ProofLengthMismatch(uint256 expected, uint256 found);

    /// @notice The clone was not made by the factory that made this implementation.
    error ForeignClone(address expected, address found);

    /// @dev Word of a key that holds the number of evaluations in a proof.
    uint256 private constant EVALUATIONS_WORD = 3;
    /// @dev Word of a key where the plan of a proof's points begins.
    uint256 private constant PLAN_WORD = 33;
    /// @dev The two points of the opening, which end every proof.
    uint256 private constant OPENING_BYTES = 128;
    /// @dev Word of a key where G1, G2 and -[tau]G2 begin.
    uint256 private constant CEREMONY_WORD = 14;

    /// @dev What made this implementation, and where it stands: both are part of the code that is audited.
    address private immutable FACTORY;
    address private immutable IMPLEMENTATION;

    /// @param verifier_ EZKL's reusable verifier, deployed before.
    constructor(address verifier_) PinnedVerifier(verifier_) {
        FACTORY = msg.sender;
        IMPLEMENTATION = address(this);
    }

    /// @inheritdoc IProofVerifier
    function verify(bytes32, bytes calldata input, bytes calldata output, bytes calldata proof) external view {
        SharedKeyPins memory pins = SharedKeyArguments.ofThisClone();
        PackedTensors.checkLayout(pins.tensors);
        PackedTensors.checkInputLength(pins.tensors.inputCount, pins.tensors.inputBytes, input.length);
        PackedTensors.checkOutputLength(pins.tensors.outputCount, pins.tensors.outputBytes, output.length);
        CommittedWeights.check(pins.weightCommitment, proof);
        StoredKeys.checkSize(pins.key.words);
        _checkVerifierCode();

        (uint256 start, uint256 end) = EzklCalldata.begin(
            IHalo2ReusableVerifier.verifyProof.selector,
            3,
            proof,
            uint256(pins.tensors.inputCount) + pins.tensors.outputCount,
            32 + 32 * uint256(pins.key.words)
        );
        end = PackedTensors.writeInstances(input, pins.tensors.inputBytes, end);
        end = PackedTensors.writeInstances(output, pins.tensors.outputBytes, end);
        _verifyWithKey(pins, start, end, proof.length);
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
        bytes32[] memory key = verifyingKey();
        for (uint256 i; i < constants.length; ++i) {
            constants[i] = key[CEREMONY_WORD + i];
        }
        _checkOrigin();
    }

    /// @notice The words of the pinned key; reverts if others lie where the clone points.
    function verifyingKey() public view returns (bytes32[] memory key) {
        SharedKeyPins memory pins = SharedKeyArguments.ofThisClone();
        StoredKeys.checkSize(pins.key.words);
        key = new bytes32[](pins.key.words);
        uint256 start;
        assembly ("memory-safe") {
            start := add(key, 0x20)
        }
        StoredKeys.load(pins.key, start);
        bytes32 found = keccak256(abi.encodePacked(key));
        if (found != pins.keyDigest) revert KeyMismatch(pins.keyDigest, found);
    }

    /// @dev Code alone says nothing of tomorrow: what creation code makes it can destroy it in the same transaction (EIP-6780)
    ///      and make it anew whenever it likes. An adapter or key like that would let its author alone settle, and take
    ///      the bonus of everybody else's collateral. Only the factory has made what has this address, its key's contracts
    ///      and this implementation, and it destroys nothing.
    function _checkOrigin() private view {
        bytes memory arguments = SharedKeyArguments.encode(SharedKeyArguments.ofThisClone());
        address expected = Clones.predictDeterministicAddressWithImmutableArgs(IMPLEMENTATION, arguments, 0, FACTORY);
        if (address(this) != expected) revert ForeignClone(expected, address(this));
    }

    /// @dev Writes the key behind the instances, calls, and reads the two words of the answer that decode.
    function _verifyWithKey(SharedKeyPins memory pins, uint256 start, uint256 end, uint256 proofBytes) private view {
        uint256 words = pins.key.words;
        assembly ("memory-safe") {
            mstore(end, words)
        }
        uint256 length = StoredKeys.load(pins.key, end + 32) - start;
        uint256 expectedBytes = _proofBytes(end + 32);
        if (proofBytes != expectedBytes) revert ProofLengthMismatch(expectedBytes, proofBytes);
        address target = VERIFIER;
        bool success;
        uint256 answerLength;
        uint256 answer;
        bytes32 digest;
        assembly ("memory-safe") {
            mstore(0x00, 0)
            mstore(0x20, 0)
            success := staticcall(gas(), target, start, length, 0x00, 0x40)
            answerLength := returndatasize()
            answer := mload(0x00)
            digest := mload(0x20)
        }
        if (!success) revert VerifierReverted();
        if (answerLength < 64 || answer != 1) revert UnexpectedAnswer(answerLength, answer);
        if (digest != pins.keyDigest) revert KeyMismatch(pins.keyDigest, digest);
    }

    /// @dev The length of a proof under the key at a memory address. The plan is a number of words in its lowest byte,
    ///      then records of 24 bits, lowest first: bytes of points to read (16), challenges to draw (8); a zero ends a
    ///      word.
    function _proofBytes(uint256 key) private pure returns (uint256 length) {
        assembly ("memory-safe") {
            length := add(OPENING_BYTES, shl(5, mload(add(key, shl(5, EVALUATIONS_WORD)))))
            let at := add(key, shl(5, PLAN_WORD))
            let plan := mload(at)
            let end := add(at, shl(5, and(plan, 0xff)))
            plan := shr(8, plan)
            for {} lt(at, end) {} {
                for {} plan { plan := shr(24, plan) } { length := add(length, and(plan, 0xffff)) }
                at := add(at, 0x20)
                plan := mload(at)
            }
        }
    }
}
