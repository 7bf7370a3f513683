// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OctetKey} from "verifier_contracts/src/OctetKey.sol";
import {OctetSharedVerifier} from "verifier_contracts/src/OctetSharedVerifier.sol";
import {SharedVerifierFactory} from "verifier_contracts/src/SharedVerifierFactory.sol";
import {StoredKey, StoredKeys} from "verifier_contracts/src/StoredKeys.sol";
import {TensorLayout} from "verifier_contracts/src/TensorLayout.sol";

/// @title Circuits of OCTET's verifier, see {SharedVerifierFactory}
contract OctetSharedVerifierFactory is SharedVerifierFactory {
    /// @notice OCTET's keys bind the weights; a commitment to them would name one circuit twice.
    error WeightsAreBound(bytes32 weightCommitment);
    /// @notice The key is one of a circuit with other public tensors.
    error TensorsMismatch(TensorLayout expected, TensorLayout found);

    constructor() SharedVerifierFactory(address(new OctetSharedVerifier())) {}

    function _checkKey(bytes32[] calldata key) internal pure override {
        OctetKey.checkSize(key.length);
    }

    function _checkPins(StoredKey memory key, TensorLayout memory tensors, bytes32 weightCommitment)
        internal
        view
        override
    {
        if (weightCommitment != 0) revert WeightsAreBound(weightCommitment);
        uint256 packed = uint256(StoredKeys.wordAt(key, OctetKey.LAYOUT_WORD));
        TensorLayout memory expected =
            TensorLayout(uint32(packed >> 224), uint8(packed >> 216), uint32(packed >> 184), uint8(packed >> 176));
        if (keccak256(abi.encode(expected)) != keccak256(abi.encode(tensors))) {
            revert TensorsMismatch(expected, tensors);
        }
    }
}
