// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IModelRegistry, ModelStatus} from "registry/src/IModelRegistry.sol";
import {Forwarder} from "tests/contracts/support/Forwarder.sol";
import {ModelTest} from "tests/contracts/support/ModelTest.sol";
import {Vm} from "tests/contracts/support/Vm.sol";
import {CircuitSpec, IVerifierRouter, VerifierClass} from "verifier_contracts/src/IVerifierRouter.sol";

/// @notice Genesis proofs: what makes a model PROVEN.
contract ModelGenesisTest is ModelTest {
    function test_activate__accepted_genesis_proof__model_is_proven() external {
        bytes memory input = acceptGenesis(modelId, circuitId);
        bytes32 seed = models.genesisSeed(modelId);
        vm.expectCall(address(router), abi.encodeCall(router.verify, (circuitId, seed, input, OUTPUT, PROOF)), 1);
        vm.expectEmit(address(models));
        emit IModelRegistry.GenesisAccepted(modelId, circuitId, keccak256(OUTPUT), keccak256(PROOF));
        vm.expectEmit(address(models));
        emit IModelRegistry.ModelProven(modelId);
        vm.prank(stranger);
        models.activate(modelId, circuitId, OUTPUT, PROOF);
        vm.assertTrue(models.statusOf(modelId) == ModelStatus.PROVEN, "status");
        vm.assertEq(models.provenModelOf(circuitId), modelId, "proven model of the circuit");
        vm.assertEq(models.missingGenesis(modelId).length, 0, "nothing missing");
    }

    function test_activate__set_of_four__proven_with_the_last_and_each_once() external {
        (uint256 id, bytes32[] memory circuitIds) = modelOfFour();
        for (uint256 i = 4; i > 0; --i) {
            vm.assertEq(models.missingGenesis(id).length, i, "missing");
            vm.assertTrue(models.statusOf(id) == ModelStatus.REGISTERED, "status");
            vm.assertEq(models.batchOf(id, circuitIds[i - 1]), i, "inputs at once");
            activateWith(id, circuitIds[i - 1]);
            if (i == 1) break;
            vm.assertEq(models.provenModelOf(circuitIds[i - 1]), 0, "taken with the last proof only");
            vm.expectRevert(abi.encodeWithSelector(IModelRegistry.NoGenesisWanted.selector, id, circuitIds[i - 1]));
            models.activate(id, circuitIds[i - 1], OUTPUT, PROOF);
        }
        vm.assertTrue(models.statusOf(id) == ModelStatus.PROVEN, "status");
        for (uint256 i; i < 4; ++i) {
            vm.assertEq(models.provenModelOf(circuitIds[i]), id, "taken");
        }
    }

    function test_activate__circuit_of_another_model__refused() external {
        bytes32 foreign = addCircuit("foreign", 1);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.NoGenesisWanted.selector, modelId, foreign));
        models.activate(modelId, foreign, OUTPUT, PROOF);
        vm.assertEq(models.batchOf(modelId, foreign), 0, "not the model's");
    }

    function test_genesis__seed_and_input__are_the_formula() external view {
        bytes32 seed =
            keccak256(abi.encode(keccak256("zkml.genesis.v1"), uint256(31337), address(models), modelId, publisher));
        vm.assertEq(models.genesisSeed(modelId), seed, "seed");
        vm.assertEq(models.genesisInput(modelId, circuitId), router.expandInput(circuitId, seed), "input");
    }

    function test_I4_activate__another_output_proof_owner_or_chain__rejected() external {
        acceptGenesis(modelId, circuitId);
        bytes32 seed = models.genesisSeed(modelId);
        expectRejected();
        models.activate(modelId, circuitId, flipped(OUTPUT, 0), PROOF);
        expectRejected();
        models.activate(modelId, circuitId, OUTPUT, flipped(PROOF, 0));
        vm.chainId(1337);
        expectRejected();
        models.activate(modelId, circuitId, OUTPUT, PROOF);
        vm.chainId(31337);
        vm.prank(publisher);
        models.transferFrom(publisher, stranger, modelId);
        vm.assertTrue(models.genesisSeed(modelId) != seed, "a transfer draws another input");
        expectRejected();
        models.activate(modelId, circuitId, OUTPUT, PROOF);
        vm.assertTrue(models.statusOf(modelId) == ModelStatus.REGISTERED, "nothing moved");
    }

    function test_I5_activate__genesis_proof_of_another_model_owner_or_registry__rejected() external {
        acceptGenesis(modelId, circuitId);
        uint256 ofOther = registerAs(stranger, commitmentFor(circuitId, "digits"));
        uint256 ofSame = registerAs(publisher, commitmentFor(circuitId, "digits2"));
        expectRejected();
        models.activate(ofOther, circuitId, OUTPUT, PROOF);
        expectRejected();
        models.activate(ofSame, circuitId, OUTPUT, PROOF);
        models = newRegistry();
        uint256 elsewhere = registerAs(publisher, commitmentFor(circuitId, "digits"));
        expectRejected();
        models.activate(elsewhere, circuitId, OUTPUT, PROOF);
    }

    function test_I5_activate__proof_of_another_circuit_of_the_set__rejected() external {
        (uint256 id, bytes32[] memory circuitIds) = modelOfFour();
        acceptGenesis(id, circuitIds[0]);
        expectRejected();
        models.activate(id, circuitIds[1], OUTPUT, PROOF);
    }

    function test_I3_activate__twice_or_never_registered__refused() external {
        proveModel(modelId);
        expectWrongStatus(modelId, ModelStatus.PROVEN);
        models.activate(modelId, circuitId, OUTPUT, PROOF);
        expectWrongStatus(1, ModelStatus.NONE);
        models.activate(1, circuitId, OUTPUT, PROOF);
    }

    function test_activate__circuit_taken_between_the_proofs__refused_again_at_the_last() external {
        bytes32 second = addCircuit("second", 1);
        uint256 slow = registerAs(publisher, commitmentFor(setOf(circuitId, second), "slow"));
        activateWith(slow, circuitId);
        proveModel(modelId);
        acceptGenesis(slow, second);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.CircuitTaken.selector, circuitId, modelId));
        models.activate(slow, second, OUTPUT, PROOF);
        vm.assertEq(models.provenModelOf(second), 0, "nothing taken");
    }

    function test_activate__circuit_tombstoned_between_the_proofs__refused() external {
        bytes32 second = addCircuit("second", 1);
        uint256 slow = registerAs(publisher, commitmentFor(setOf(circuitId, second), "slow"));
        activateWith(slow, circuitId);
        router.tombstone(circuitId, "unsound");
        acceptGenesis(slow, second);
        vm.expectRevert(abi.encodeWithSelector(IVerifierRouter.CircuitIsTombstoned.selector, circuitId));
        models.activate(slow, second, OUTPUT, PROOF);
    }

    function test_activate__second_model_of_any_circuit_of_a_set__refused() external {
        (uint256 id, bytes32[] memory circuitIds) = modelOfFour();
        proveModel(id);
        uint256 thief = registerAs(stranger, commitmentFor(setOf(circuitId, circuitIds[0]), "thief"));
        acceptGenesis(thief, circuitIds[0]);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.CircuitTaken.selector, circuitIds[0], id));
        models.activate(thief, circuitIds[0], OUTPUT, PROOF);
    }

    function test_activate__squatter_with_the_key_of_another__blocks_nobody() external {
        CircuitSpec memory spec = specOf("digits", 1);
        spec.adapter = address(0xBAD);
        bytes32 squatted = router.add(spec);
        uint256 squatter = registerAs(stranger, commitmentFor(squatted, "digits"));
        proveModel(squatter);
        proveModel(modelId);
        vm.assertEq(models.provenModelOf(circuitId), modelId, "its circuit is its own");
        vm.assertEq(models.provenModelOf(squatted), squatter, "and the squatter has what it added");
    }

    function test_activate__second_circuit_of_one_ceremony_key_and_weights__refused() external {
        (bytes32 first, bytes32 second, bytes32 otherWeights) = ceremonyCircuits();
        uint256 owner = registerAs(publisher, commitmentFor(first, "first"));
        proveModel(owner);
        uint256 copy = registerAs(stranger, commitmentFor(second, "copy"));
        acceptGenesis(copy, second);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.CircuitTaken.selector, second, owner));
        models.activate(copy, second, OUTPUT, PROOF);
        vm.assertEq(models.provenModelOf(second), owner, "whoever holds key and weights");
        uint256 sibling = registerAs(stranger, commitmentFor(otherWeights, "sibling"));
        proveModel(sibling);
        vm.assertEq(models.provenModelOf(otherWeights), sibling, "other weights of one architecture");
    }

    function test_activate__two_circuits_of_one_ceremony_key_in_one_set__allowed() external {
        (bytes32 first, bytes32 second,) = ceremonyCircuits();
        uint256 id = registerAs(publisher, commitmentFor(setOf(first, second), "both"));
        proveModel(id);
        vm.assertTrue(models.statusOf(id) == ModelStatus.PROVEN, "its own key does not stop it");
    }

    function test_activate__call_of_an_account_without_code__publishes_no_proof() external {
        acceptGenesis(modelId, circuitId);
        vm.recordLogs();
        vm.prank(stranger, stranger);
        models.activate(modelId, circuitId, OUTPUT, PROOF);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 2, "calldata has the proof");
    }

    function test_activate__through_a_contract__publishes_the_proof() external {
        Forwarder relay = new Forwarder();
        expectPublication(acceptGenesis(modelId, circuitId));
        vm.prank(stranger, stranger);
        relay.forward(address(models), abi.encodeCall(models.activate, (modelId, circuitId, OUTPUT, PROOF)));
    }

    function test_activate__from_an_account_with_delegated_code__publishes_the_proof() external {
        bytes memory input = acceptGenesis(modelId, circuitId);
        vm.etch(stranger, hex"00");
        expectPublication(input);
        vm.prank(stranger, stranger);
        models.activate(modelId, circuitId, OUTPUT, PROOF);
    }

    // --- words ----------------------------------------------------------------------------------

    function expectRejected() private {
        vm.expectPartialRevert(IVerifierRouter.ProofRejected.selector);
    }

    function expectPublication(bytes memory input) private {
        vm.expectEmit(address(models));
        emit IModelRegistry.ProofPublished(bytes32(modelId), input, OUTPUT, PROOF);
    }

    function modelOfFour() private returns (uint256 id, bytes32[] memory circuitIds) {
        circuitIds = new bytes32[](4);
        for (uint32 i; i < 4; ++i) {
            circuitIds[i] = addCircuit("four", i + 1);
        }
        id = registerAs(publisher, commitmentFor(circuitIds, "four"));
    }

    /// @dev Two circuits of one key and weights, and one of the same key with other weights.
    function ceremonyCircuits() private returns (bytes32 first, bytes32 second, bytes32 otherWeights) {
        CircuitSpec memory spec = specOf("ceremony", 1);
        spec.class_ = VerifierClass.CEREMONY;
        spec.weightCommitment = keccak256("weights");
        first = router.add(spec);
        spec.gasLimit += 1;
        second = router.add(spec);
        spec.weightCommitment = keccak256("other weights");
        otherWeights = router.add(spec);
    }
}
