// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IHalo2Verifier} from "verifier_contracts/src/IHalo2Verifier.sol";
import {IProofVerifier} from "verifier_contracts/src/IProofVerifier.sol";
import {PackedTensors, TensorLayout} from "verifier_contracts/src/TensorLayout.sol";

/// @title Adapter to one verifier that EZKL generated
/// @notice Builds the instances itself from the packed tensors and calls the pinned verifier with calldata of its own,
///         so neither an aliased instance nor a disjoint encoding can reach it.
/// @dev EZKL's proofs carry no context: whoever calls binds the payee before the proof is public.
contract EzklVerifier is IProofVerifier {
    /// @notice The verifier has no code, or is an account that only delegates to code.
    error NotAVerifier(address verifier);
    /// @notice The code at the verifier's address is not the code that was pinned.
    error VerifierCodeChanged(bytes32 expected, bytes32 found);
    /// @notice The verifier reverted: the proof is not one of these instances.
    error VerifierReverted();
    /// @notice The verifier answered something else than one word that is 1.
    error UnexpectedAnswer(uint256 lengthBytes, uint256 word);

    address private immutable VERIFIER;
    bytes32 private immutable CODE_HASH;
    uint256 private immutable INPUT_COUNT;
    uint256 private immutable INPUT_BYTES;
    uint256 private immutable OUTPUT_COUNT;
    uint256 private immutable OUTPUT_BYTES;

    /// @param verifier_ the generated verifier, deployed before.
    /// @param tensors the circuit's public tensors.
    constructor(address verifier_, TensorLayout memory tensors) {
        PackedTensors.checkLayout(tensors);
        // Code cannot start with 0xef (EIP-3541) unless the account delegates (EIP-7702), and then its owner may
        // change what it runs.
        if (verifier_.code.length == 0 || verifier_.code[0] == 0xef) revert NotAVerifier(verifier_);
        VERIFIER = verifier_;
        CODE_HASH = verifier_.codehash;
        INPUT_COUNT = tensors.inputCount;
        INPUT_BYTES = tensors.inputBytes;
        OUTPUT_COUNT = tensors.outputCount;
        OUTPUT_BYTES = tensors.outputBytes;
    }

    /// @inheritdoc IProofVerifier
    function verify(bytes32, bytes calldata input, bytes calldata output, bytes calldata proof) external view {
        PackedTensors.checkInputLength(INPUT_COUNT, INPUT_BYTES, input.length);
        PackedTensors.checkOutputLength(OUTPUT_COUNT, OUTPUT_BYTES, output.length);
        if (VERIFIER.codehash != CODE_HASH) revert VerifierCodeChanged(CODE_HASH, VERIFIER.codehash);

        (uint256 start, uint256 length) = _encodeCall(input, output, proof);
        (bool success, uint256 answerLength, uint256 answer) = _staticCall(start, length);
        if (!success) revert VerifierReverted();
        if (answerLength != 32 || answer != 1) revert UnexpectedAnswer(answerLength, answer);
    }

    /// @notice The generated verifier.
    function verifier() external view returns (address) {
        return VERIFIER;
    }

    /// @notice The hash of the generated verifier's code when this adapter was made.
    function verifierCodeHash() external view returns (bytes32) {
        return CODE_HASH;
    }

    /// @notice The circuit's public tensors.
    function tensorLayout() external view returns (TensorLayout memory) {
        return TensorLayout(uint32(INPUT_COUNT), uint8(INPUT_BYTES), uint32(OUTPUT_COUNT), uint8(OUTPUT_BYTES));
    }

    /// @dev Equal, byte for byte, to abi.encodeCall(verifyProof, (proof, instances)), which a fuzz test checks. Written
    ///      in place, which saves copying every instance from an array of its own.
    function _encodeCall(bytes calldata input, bytes calldata output, bytes calldata proof)
        private
        view
        returns (uint256 start, uint256 length)
    {
        bytes4 selector = IHalo2Verifier.verifyProof.selector;
        uint256 count = INPUT_COUNT + OUTPUT_COUNT;
        uint256 destination;
        assembly ("memory-safe") {
            start := mload(0x40)
            let padded := and(add(proof.length, 0x1f), not(0x1f))
            mstore(start, selector)
            mstore(add(start, 0x04), 0x40)
            mstore(add(start, 0x24), add(0x60, padded))
            mstore(add(start, 0x44), proof.length)
            destination := add(add(start, 0x64), padded)
            // The padding is cleared before the copy; where there is none this word is the count's, written below.
            mstore(sub(destination, mul(0x20, gt(padded, 0))), 0)
            calldatacopy(add(start, 0x64), proof.offset, proof.length)
            mstore(destination, count)
            destination := add(destination, 0x20)
            length := sub(add(destination, shl(5, count)), start)
            mstore(0x40, and(add(add(start, length), 0x1f), not(0x1f)))
        }
        destination = PackedTensors.writeInstances(input, INPUT_BYTES, destination);
        PackedTensors.writeInstances(output, OUTPUT_BYTES, destination);
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
