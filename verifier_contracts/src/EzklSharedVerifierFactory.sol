// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EzklKey} from "verifier_contracts/src/EzklKey.sol";
import {EzklSharedVerifier} from "verifier_contracts/src/EzklSharedVerifier.sol";
import {IHalo2ReusableVerifier} from "verifier_contracts/src/IHalo2ReusableVerifier.sol";
import {PinnedVerifier} from "verifier_contracts/src/PinnedVerifier.sol";
import {SharedVerifierFactory} from "verifier_contracts/src/SharedVerifierFactory.sol";
import {StoredKey, StoredKeys} from "verifier_contracts/src/StoredKeys.sol";
import {TensorLayout} from "verifier_contracts/src/TensorLayout.sol";

/// @title Circuits of EZKL's reusable verifier, see {SharedVerifierFactory}
contract EzklSharedVerifierFactory is SharedVerifierFactory, PinnedVerifier {
    /// @notice The reusable verifier took the key for another.
    error KeyRegisteredAs(bytes32 expected, bytes32 found);
    /// @notice The key is one of a circuit with another number of instances.
    error InstanceCountMismatch(uint256 expected, uint256 found);

    /// @param verifier_ EZKL's reusable verifier, deployed before.
    constructor(address verifier_)
        PinnedVerifier(verifier_)
        SharedVerifierFactory(address(new EzklSharedVerifier(verifier_)))
    {}

    function _checkKey(bytes32[] calldata key) internal view override {
        EzklKey.checkSize(key.length);
        _checkVerifierCode();
    }

    function _register(bytes32 keyDigest, bytes32[] calldata key) internal override {
        bytes32 found = IHalo2ReusableVerifier(VERIFIER).registerVka(key);
        if (found != keyDigest) revert KeyRegisteredAs(keyDigest, found);
    }

    function _checkPins(StoredKey memory key, TensorLayout memory tensors, bytes32) internal view override {
        uint256 instances = uint256(StoredKeys.wordAt(key, EzklKey.INSTANCES_WORD));
        uint256 elements = uint256(tensors.inputCount) + tensors.outputCount;
        if (instances != elements) revert InstanceCountMismatch(instances, elements);
    }
}
