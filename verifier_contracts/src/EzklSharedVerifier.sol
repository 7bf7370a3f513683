// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CommittedWeights} from "verifier_contracts/src/CommittedWeights.sol";
import {EzklCalldata} from "verifier_contracts/src/EzklCalldata.sol";
import {EzklKey} from "verifier_contracts/src/EzklKey.sol";
import {IHalo2ReusableVerifier} from "verifier_contracts/src/IHalo2ReusableVerifier.sol";
import {IProofVerifier} from "verifier_contracts/src/IProofVerifier.sol";
import {ISharedKeyVerifier} from "verifier_contracts/src/ISharedKeyVerifier.sol";
import {PinnedVerifier} from "verifier_contracts/src/PinnedVerifier.sol";
import {SharedKeyArguments, SharedKeyPins} from "verifier_contracts/src/SharedKeyPins.sol";
import {SharedVerifier} from "verifier_contracts/src/SharedVerifier.sol";
import {StoredKeys} from "verifier_contracts/src/StoredKeys.sol";
import {InputDomain, PackedTensors} from "verifier_contracts/src/TensorLayout.sol";

/// @title Adapter to EZKL's reusable verifier, shared by all circuits
/// @dev Its code hash covers the address and code hash of the reusable verifier, so one audited code hash vouches for
///      both. EZKL's proofs carry no context: whoever calls binds the payee before the proof is public.
contract EzklSharedVerifier is SharedVerifier, PinnedVerifier {
    /// @dev The two points of the opening, which end every proof.
    uint256 private constant OPENING_BYTES = 128;

    /// @param verifier_ EZKL's reusable verifier, deployed before.
    constructor(address verifier_) PinnedVerifier(verifier_) {}

    /// @inheritdoc IProofVerifier
    function verify(bytes32, bytes calldata input, bytes calldata output, bytes calldata proof) external view {
        SharedKeyPins memory pins = SharedKeyArguments.ofThisClone();
        PackedTensors.checkLayout(pins.tensors);
        PackedTensors.checkInputLength(pins.tensors.inputCount, pins.tensors.inputBytes, input.length);
        PackedTensors.checkOutputLength(pins.tensors.outputCount, pins.tensors.outputBytes, output.length);
        CommittedWeights.check(pins.weightCommitment, proof);
        _checkKeySize(pins.key.words);
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
    /// @dev EZKL's circuits take any field element as an instance: the domain is the router's alone.
    function checkDomain(InputDomain calldata) external pure {}

    function _checkKeySize(uint256 words) internal pure override {
        EzklKey.checkSize(words);
    }

    function _ceremonyConstants(bytes32[] memory key) internal pure override returns (bytes32[10] memory constants) {
        for (uint256 i; i < constants.length; ++i) {
            constants[i] = key[EzklKey.CEREMONY_WORD + i];
        }
    }

    /// @dev Writes the key behind the instances, calls, and reads the two words of the answer that decode.
    function _verifyWithKey(SharedKeyPins memory pins, uint256 start, uint256 end, uint256 proofBytes) private view {
        uint256 words = pins.key.words;
        assembly ("memory-safe") {
            mstore(end, words)
        }
        uint256 length = StoredKeys.load(pins.key, end + 32) - start;
        // EZKL's reusable verifier would not mind words that trail behind a true proof.
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
        uint256 evaluationsAt = 32 * EzklKey.EVALUATIONS_WORD;
        uint256 planAt = 32 * EzklKey.PLAN_WORD;
        assembly ("memory-safe") {
            length := add(OPENING_BYTES, shl(5, mload(add(key, evaluationsAt))))
            let at := add(key, planAt)
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
