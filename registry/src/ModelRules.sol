// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DerivativeTerms, FeeTerms, IModelRegistry, ModelCommitment} from "registry/src/IModelRegistry.sol";
import {CircuitSpec, IVerifierRouter, VerifierClass} from "verifier_contracts/src/IVerifierRouter.sol";
import {InputDomain, TensorLayout} from "verifier_contracts/src/TensorLayout.sol";

/// @title What a model may say of itself
/// @dev Reads the router and nothing else; every check reverts or returns.
library ModelRules {
    uint256 internal constant MAX_CIRCUITS = 4;
    uint256 internal constant MAX_TEXT_BYTES = 128;
    /// @dev Half: what is left for the prover, and for the child of a licensed parent.
    uint32 internal constant MAX_RATE_PPM = 500_000;

    /// @notice Reverts unless digests are there and texts have their lengths.
    function checkWords(ModelCommitment calldata commitment) internal pure {
        if (commitment.onnxDigest == 0 || commitment.settingsDigest == 0 || commitment.manifestDigest == 0) {
            revert IModelRegistry.EmptyDigest();
        }
        _checkText(commitment.manifestCid);
        _checkText(commitment.name);
        _checkText(commitment.licence);
    }

    /// @notice Reverts unless the fee is at least its minimum and no minimum falls below `floor`.
    function checkFees(FeeTerms calldata terms, FeeTerms memory floor) internal pure {
        _checkRate(terms.minModelFeePpm);
        bool valid = terms.modelFee >= terms.minModelFee && terms.minModelFee >= floor.minModelFee
            && terms.minModelFeePpm >= floor.minModelFeePpm;
        if (!valid) revert IModelRegistry.TermsRefused(terms, floor);
    }

    /// @notice Reverts unless a derivative could keep to the terms.
    function checkDerivatives(DerivativeTerms calldata terms) internal pure {
        _checkRate(terms.minRatePpm);
        _checkRate(terms.minModelFeePpm);
    }

    /// @notice Reverts unless the circuits can prove one model between them.
    /// @param circuitIds 1 to {MAX_CIRCUITS}, none twice.
    /// @return inputs how many inputs each proves at once; the first is for one.
    function batchesOf(IVerifierRouter router, bytes32[] calldata circuitIds)
        internal
        view
        returns (uint32[] memory inputs)
    {
        uint256 count = circuitIds.length;
        if (count == 0 || count > MAX_CIRCUITS) revert IModelRegistry.CircuitSetRefused(count, count);
        inputs = new uint32[](count);
        CircuitSpec memory first;
        for (uint256 i; i < count; ++i) {
            bytes32 circuitId = circuitIds[i];
            if (!router.exists(circuitId)) revert IModelRegistry.UnknownCircuitOfModel(circuitId);
            checkAlive(router, circuitId);
            for (uint256 j; j < i; ++j) {
                if (circuitIds[j] == circuitId) revert IModelRegistry.CircuitSetRefused(i, count);
            }
            CircuitSpec memory spec = router.circuit(circuitId);
            if (i == 0) first = spec;
            inputs[i] = _multiple(first, spec);
            if (inputs[i] == 0) revert IModelRegistry.CircuitMismatch(circuitId);
        }
    }

    /// @notice Reverts if the circuit is tombstoned.
    function checkAlive(IVerifierRouter router, bytes32 circuitId) internal view {
        if (router.isTombstoned(circuitId)) revert IVerifierRouter.CircuitIsTombstoned(circuitId);
    }

    /// @notice What at most one model is PROVEN for. Hashed with its class, a key's digest is no circuit's id.
    function uniquenessKey(IVerifierRouter router, bytes32 circuitId) internal view returns (bytes32 key) {
        CircuitSpec memory spec = router.circuit(circuitId);
        if (spec.class_ != VerifierClass.CEREMONY) return circuitId;
        return keccak256(abi.encode(VerifierClass.CEREMONY, spec.verifyingKeyDigest, spec.weightCommitment));
    }

    /// @dev How many of `one` go into `many` exactly, in input and output alike; zero if that is no whole number.
    function _multiple(CircuitSpec memory one, CircuitSpec memory many) private pure returns (uint32) {
        TensorLayout memory unit = one.tensors;
        TensorLayout memory whole = many.tensors;
        // Compared crosswise, in 256 bits, so that no product wraps into a match.
        bool exact = whole.inputCount % unit.inputCount == 0
            && uint256(whole.inputCount) * unit.outputCount == uint256(whole.outputCount) * unit.inputCount;
        bool alike = unit.inputBytes == whole.inputBytes && unit.outputBytes == whole.outputBytes
            && _same(one.domain, many.domain);
        return exact && alike ? whole.inputCount / unit.inputCount : 0;
    }

    function _same(InputDomain memory one, InputDomain memory other) private pure returns (bool) {
        return one.min == other.min && one.max == other.max;
    }

    function _checkRate(uint32 ppm) private pure {
        if (ppm > MAX_RATE_PPM) revert IModelRegistry.RateOutOfRange(ppm, MAX_RATE_PPM);
    }

    function _checkText(string calldata text) private pure {
        uint256 lengthBytes = bytes(text).length;
        if (lengthBytes == 0 || lengthBytes > MAX_TEXT_BYTES) {
            revert IModelRegistry.TextLengthOutOfRange(lengthBytes, MAX_TEXT_BYTES);
        }
    }
}
