// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CommittedWeights} from "verifier_contracts/src/CommittedWeights.sol";
import {EzklCalldata} from "verifier_contracts/src/EzklCalldata.sol";
import {IHalo2Verifier} from "verifier_contracts/src/IHalo2Verifier.sol";
import {IProofVerifier} from "verifier_contracts/src/IProofVerifier.sol";
import {PinnedVerifier} from "verifier_contracts/src/PinnedVerifier.sol";
import {PackedTensors, TensorLayout} from "verifier_contracts/src/TensorLayout.sol";

/// @title Adapter to one verifier that EZKL generated for one circuit
/// @notice Builds the instances itself from the packed tensors and calls the pinned verifier with calldata of its own,
///         so neither an aliased instance nor a disjoint encoding can reach it.
/// @dev EZKL's proofs carry no context: whoever calls binds the payee before the proof is public.
contract EzklVerifier is IProofVerifier, PinnedVerifier {
    bytes32 private immutable WEIGHT_COMMITMENT;
    uint256 private immutable INPUT_COUNT;
    uint256 private immutable INPUT_BYTES;
    uint256 private immutable OUTPUT_COUNT;
    uint256 private immutable OUTPUT_BYTES;

    /// @param verifier_ the generated verifier, deployed before.
    /// @param tensors the circuit's public tensors.
    /// @param weightCommitment_ keccak256 of the commitment to the weights, or zero where the key binds them.
    constructor(address verifier_, TensorLayout memory tensors, bytes32 weightCommitment_) PinnedVerifier(verifier_) {
        PackedTensors.checkLayout(tensors);
        WEIGHT_COMMITMENT = weightCommitment_;
        INPUT_COUNT = tensors.inputCount;
        INPUT_BYTES = tensors.inputBytes;
        OUTPUT_COUNT = tensors.outputCount;
        OUTPUT_BYTES = tensors.outputBytes;
    }

    /// @inheritdoc IProofVerifier
    function verify(bytes32, bytes calldata input, bytes calldata output, bytes calldata proof) external view {
        PackedTensors.checkInputLength(INPUT_COUNT, INPUT_BYTES, input.length);
        PackedTensors.checkOutputLength(OUTPUT_COUNT, OUTPUT_BYTES, output.length);
        CommittedWeights.check(WEIGHT_COMMITMENT, proof);
        _checkVerifierCode();

        (uint256 start, uint256 end) =
            EzklCalldata.begin(IHalo2Verifier.verifyProof.selector, 2, proof, INPUT_COUNT + OUTPUT_COUNT, 0);
        end = PackedTensors.writeInstances(input, INPUT_BYTES, end);
        end = PackedTensors.writeInstances(output, OUTPUT_BYTES, end);
        (bool success, uint256 answerLength, uint256 answer) = _staticCall(start, end - start);
        if (!success) revert VerifierReverted();
        if (answerLength != 32 || answer != 1) revert UnexpectedAnswer(answerLength, answer);
    }

    /// @notice keccak256 of the pinned commitment to the weights, or zero where the key binds them.
    function weightCommitment() external view returns (bytes32) {
        return WEIGHT_COMMITMENT;
    }

    /// @notice The circuit's public tensors.
    function tensorLayout() external view returns (TensorLayout memory) {
        return TensorLayout(uint32(INPUT_COUNT), uint8(INPUT_BYTES), uint32(OUTPUT_COUNT), uint8(OUTPUT_BYTES));
    }

    /// @dev Copies one word of the answer at most, so a long answer costs its author and not the caller.
    function _staticCall(uint256 start, uint256 length)
        private
        view
        returns (bool success, uint256 answerLength, uint256 answer)
    {
        address target = VERIFIER;
        assembly ("memory-safe") {
            mstore(0x00, 0)
            success := staticcall(gas(), target, start, length, 0x00, 0x20)
            answerLength := returndatasize()
            answer := mload(0x00)
        }
    }
}
