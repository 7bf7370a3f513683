// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IModelRegistry, ModelCommitment, ModelStatus} from "registry/src/IModelRegistry.sol";
import {ModelRegistry} from "registry/src/ModelRegistry.sol";
import {Forwarder} from "tests/contracts/support/Forwarder.sol";
import {Market} from "tests/contracts/support/Market.sol";
import {OneKeyRouter, TripleVerifier} from "tests/contracts/support/VerifierDoubles.sol";
import {IVerifierRouter, VerifierClass} from "verifier_contracts/src/IVerifierRouter.sol";

contract ModelRegistryTest is Market {
    TripleVerifier private verifier = new TripleVerifier();
    bytes32 private constant KEY = keccak256("key");
    bytes32 private circuitId;
    uint256 private modelId;

    function setUp() external {
        deployMarket();
        circuitId = router.add(specOf(address(verifier), KEY));
        vm.prank(publisher);
        modelId = registry.register(commitmentFor(circuitId, "digits"));
    }

    function test_register__new_model__event_id_token_and_commitment() external {
        ModelCommitment memory commitment = commitmentFor(circuitId, "letters");
        uint256 expected = idOf(address(registry), stranger, commitment);
        vm.expectEmit(address(registry));
        emit IModelRegistry.ModelRegistered(
            expected, stranger, circuitId, commitment.manifestDigest, commitment.manifestCid, "letters"
        );
        vm.prank(stranger);
        vm.assertEq(registry.register(commitment), expected, "id");
        vm.assertEq(registry.ownerOf(expected), stranger, "owner");
        vm.assertTrue(registry.statusOf(expected) == ModelStatus.REGISTERED, "status");
        vm.assertEq(abi.encode(registry.commitmentOf(expected)), abi.encode(commitment), "commitment");
        vm.assertEq(registry.circuitOf(expected), circuitId, "circuit");
        vm.assertEq(registry.tokenURI(expected), string.concat("ipfs://", commitment.manifestCid), "uri");
        vm.assertEq(address(registry.router()), address(router), "router");
        vm.assertEq(registry.name(), "zkML Model", "name");
        vm.assertEq(registry.symbol(), "ZKMODEL", "symbol");
    }

    function test_I4_modelId__any_field_publisher_registry_or_chain_changed__is_another_id() external {
        ModelCommitment memory commitment = commitmentFor(circuitId, "digits");
        vm.assertEq(idOf(address(registry), publisher, commitment), modelId, "the id is the formula");
        uint256[] memory ids = new uint256[](9);
        ids[0] = modelId;
        vm.prank(stranger);
        ids[1] = registry.register(commitment);
        ModelRegistry another = new ModelRegistry(router);
        vm.prank(publisher);
        ids[2] = another.register(commitment);
        for (uint256 field; field < 5; ++field) {
            commitment = commitmentFor(circuitId, "digits");
            if (field == 0) commitment.onnxDigest = KEY;
            if (field == 1) commitment.settingsDigest = KEY;
            if (field == 2) commitment.manifestDigest = KEY;
            if (field == 3) commitment.manifestCid = "bafy";
            if (field == 4) commitment.name = "digits2";
            vm.prank(publisher);
            ids[3 + field] = registry.register(commitment);
        }
        vm.chainId(1337);
        vm.prank(publisher);
        ids[8] = registry.register(commitmentFor(circuitId, "digits"));
        for (uint256 i; i < ids.length; ++i) {
            for (uint256 j; j < i; ++j) {
                vm.assertTrue(ids[i] != ids[j], "two commitments share an id");
            }
        }
    }

    function test_register__again__refused() external {
        ModelCommitment memory commitment = commitmentFor(circuitId, "digits");
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelExists.selector, modelId));
        vm.prank(publisher);
        registry.register(commitment);
    }

    function test_register__unknown_circuit_empty_digest_or_text__refused() external {
        ModelCommitment memory commitment = commitmentFor(KEY, "digits");
        refuse(commitment, abi.encodeWithSelector(IModelRegistry.UnknownCircuitOfModel.selector, KEY));
        for (uint256 field; field < 3; ++field) {
            commitment = commitmentFor(circuitId, "empty");
            if (field == 0) commitment.onnxDigest = 0;
            if (field == 1) commitment.settingsDigest = 0;
            if (field == 2) commitment.manifestDigest = 0;
            refuse(commitment, abi.encodeWithSelector(IModelRegistry.EmptyDigest.selector));
        }
        commitment = commitmentFor(circuitId, "");
        refuse(commitment, abi.encodeWithSelector(IModelRegistry.TextLengthOutOfRange.selector, 0, 128));
        commitment = commitmentFor(circuitId, string(new bytes(129)));
        refuse(commitment, abi.encodeWithSelector(IModelRegistry.TextLengthOutOfRange.selector, 129, 128));
        commitment = commitmentFor(circuitId, "digits");
        commitment.manifestCid = "";
        refuse(commitment, abi.encodeWithSelector(IModelRegistry.TextLengthOutOfRange.selector, 0, 128));
        commitment.manifestCid = string(new bytes(129));
        refuse(commitment, abi.encodeWithSelector(IModelRegistry.TextLengthOutOfRange.selector, 129, 128));
    }

    function test_activate__accepted_genesis_proof__model_is_proven() external {
        bytes memory input = acceptGenesis();
        vm.expectCall(
            address(verifier), abi.encodeCall(verifier.verify, (registry.genesisSeed(modelId), input, OUTPUT, PROOF)), 1
        );
        vm.expectEmit(address(registry));
        emit IModelRegistry.ModelProven(modelId, circuitId, keccak256(OUTPUT), keccak256(PROOF));
        vm.prank(stranger);
        registry.activate(modelId, OUTPUT, PROOF);
        vm.assertTrue(registry.statusOf(modelId) == ModelStatus.PROVEN, "status");
        vm.assertEq(registry.provenModelOf(circuitId), modelId, "proven model of the circuit");
        vm.assertEq(registry.ownerOf(modelId), publisher, "owner");
    }

    function test_genesis__seed_and_input__are_the_formula() external view {
        bytes32 seed =
            keccak256(abi.encode(keccak256("zkml.genesis.v1"), uint256(31337), address(registry), modelId, publisher));
        vm.assertEq(registry.genesisSeed(modelId), seed, "seed");
        vm.assertEq(registry.genesisInput(modelId), router.expandInput(circuitId, seed), "input");
    }

    function test_I4_activate__another_output_proof_owner_or_chain__rejected() external {
        acceptGenesis();
        vm.expectPartialRevert(IVerifierRouter.ProofRejected.selector);
        registry.activate(modelId, flipped(OUTPUT, 0), PROOF);
        vm.expectPartialRevert(IVerifierRouter.ProofRejected.selector);
        registry.activate(modelId, OUTPUT, flipped(PROOF, 0));
        vm.chainId(1337);
        vm.expectPartialRevert(IVerifierRouter.ProofRejected.selector);
        registry.activate(modelId, OUTPUT, PROOF);
        vm.chainId(31337);
        bytes32 seed = registry.genesisSeed(modelId);
        vm.prank(publisher);
        registry.transferFrom(publisher, stranger, modelId);
        vm.assertTrue(registry.genesisSeed(modelId) != seed, "a transfer draws another input");
        vm.expectPartialRevert(IVerifierRouter.ProofRejected.selector);
        registry.activate(modelId, OUTPUT, PROOF);
        vm.assertTrue(registry.statusOf(modelId) == ModelStatus.REGISTERED, "nothing moved");
    }

    function test_I5_activate__proof_of_another_model__rejected() external {
        acceptGenesis();
        vm.prank(stranger);
        uint256 copy = registry.register(commitmentFor(circuitId, "digits"));
        vm.expectPartialRevert(IVerifierRouter.ProofRejected.selector);
        registry.activate(copy, OUTPUT, PROOF);
    }

    function test_I3_activate__twice_or_never_registered__refused() external {
        acceptGenesis();
        registry.activate(modelId, OUTPUT, PROOF);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.WrongModelStatus.selector, modelId, ModelStatus.PROVEN));
        registry.activate(modelId, OUTPUT, PROOF);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.WrongModelStatus.selector, 1, ModelStatus.NONE));
        registry.activate(1, OUTPUT, PROOF);
    }

    function test_activate__call_of_an_account_without_code__publishes_no_proof() external {
        acceptGenesis();
        vm.recordLogs();
        vm.prank(stranger, stranger);
        registry.activate(modelId, OUTPUT, PROOF);
        vm.assertEq(publications(), 0, "calldata has it");
    }

    function test_activate__through_a_contract__publishes_the_proof() external {
        Forwarder relay = new Forwarder();
        bytes memory input = acceptGenesis();
        expectPublication(input);
        vm.prank(stranger, stranger);
        relay.forward(address(registry), abi.encodeCall(registry.activate, (modelId, OUTPUT, PROOF)));
        vm.assertTrue(registry.statusOf(modelId) == ModelStatus.PROVEN, "status");
    }

    function test_activate__from_an_account_with_delegated_code__publishes_the_proof() external {
        bytes memory input = acceptGenesis();
        vm.etch(stranger, hex"00");
        expectPublication(input);
        vm.prank(stranger, stranger);
        registry.activate(modelId, OUTPUT, PROOF);
    }

    function test_activate__squatter_with_the_key_of_another__blocks_nobody() external {
        TripleVerifier evil = new TripleVerifier();
        evil.turn(TripleVerifier.Mood.ACCEPTS_ALL);
        bytes32 squatted = router.add(specOf(address(evil), KEY));
        vm.prank(stranger);
        uint256 squatter = registry.register(commitmentFor(squatted, "digits"));
        registry.activate(squatter, OUTPUT, "no proof at all");
        acceptGenesis();
        registry.activate(modelId, OUTPUT, PROOF);
        vm.assertTrue(registry.statusOf(modelId) == ModelStatus.PROVEN, "the publisher is not locked out");
        vm.assertEq(registry.provenModelOf(circuitId), modelId, "its circuit is its own");
        vm.assertEq(registry.provenModelOf(squatted), squatter, "and the squatter has what it added");
    }

    function test_activate__second_circuit_of_one_ceremony_key__refused() external {
        ModelRegistry other = registryOf(VerifierClass.CEREMONY);
        (uint256 first, uint256 second) = twoModels(other);
        other.activate(first, OUTPUT, PROOF);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.CircuitTaken.selector, bytes32("second"), first));
        other.activate(second, OUTPUT, PROOF);
        vm.assertEq(other.provenModelOf("second"), first, "whoever holds the key");
    }

    function test_activate__second_circuit_of_one_unvouched_key__allowed() external {
        ModelRegistry other = registryOf(VerifierClass.UNVOUCHED);
        (uint256 first, uint256 second) = twoModels(other);
        other.activate(first, OUTPUT, PROOF);
        other.activate(second, OUTPUT, PROOF);
        vm.assertEq(other.provenModelOf("first"), first, "first");
        vm.assertEq(other.provenModelOf("second"), second, "second");
    }

    function test_activate__second_model_of_one_circuit__refused() external {
        acceptGenesis();
        registry.activate(modelId, OUTPUT, PROOF);
        vm.prank(stranger);
        uint256 copy = registry.register(commitmentFor(circuitId, "copy"));
        verifier.accept(registry.genesisSeed(copy), registry.genesisInput(copy), OUTPUT, PROOF);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.CircuitTaken.selector, circuitId, modelId));
        registry.activate(copy, OUTPUT, PROOF);
    }

    function test_I12_commitment__after_activation_and_transfer__unchanged() external {
        acceptGenesis();
        registry.activate(modelId, OUTPUT, PROOF);
        vm.prank(publisher);
        registry.transferFrom(publisher, stranger, modelId);
        vm.assertEq(
            abi.encode(registry.commitmentOf(modelId)), abi.encode(commitmentFor(circuitId, "digits")), "commitment"
        );
        vm.assertTrue(registry.statusOf(modelId) == ModelStatus.PROVEN, "a transfer keeps the status");
    }

    function test_views__unknown_model__refused() external {
        bytes memory unknown = abi.encodeWithSelector(IModelRegistry.UnknownModel.selector, 7);
        vm.expectRevert(unknown);
        registry.commitmentOf(7);
        vm.expectRevert(unknown);
        registry.circuitOf(7);
        vm.expectRevert(unknown);
        registry.genesisSeed(7);
        vm.expectRevert(unknown);
        registry.genesisInput(7);
        vm.expectRevert(unknown);
        registry.tokenURI(7);
        vm.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721NonexistentToken.selector, 7));
        registry.ownerOf(7);
        vm.assertTrue(registry.statusOf(7) == ModelStatus.NONE, "status");
        vm.assertEq(registry.provenModelOf(circuitId), 0, "no model is proven");
        vm.expectRevert(abi.encodeWithSelector(IVerifierRouter.UnknownCircuit.selector, KEY));
        registry.provenModelOf(KEY);
    }

    function test_constructor__router_without_code__refused() external {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.NotARouter.selector, stranger));
        new ModelRegistry(IVerifierRouter(stranger));
    }

    function acceptGenesis() private returns (bytes memory input) {
        input = registry.genesisInput(modelId);
        verifier.accept(registry.genesisSeed(modelId), input, OUTPUT, PROOF);
    }

    function expectPublication(bytes memory input) private {
        vm.expectEmit(address(registry));
        emit IModelRegistry.ProofPublished(bytes32(modelId), input, OUTPUT, PROOF);
    }

    function registryOf(VerifierClass class_) private returns (ModelRegistry) {
        return new ModelRegistry(IVerifierRouter(address(new OneKeyRouter(class_, KEY))));
    }

    function twoModels(ModelRegistry other) private returns (uint256 first, uint256 second) {
        first = other.register(commitmentFor("first", "digits"));
        second = other.register(commitmentFor("second", "digits"));
    }

    function idOf(address registry_, address publisher_, ModelCommitment memory commitment)
        private
        view
        returns (uint256)
    {
        return uint256(
            keccak256(
                abi.encode(
                    keccak256("zkml.model.v1"), block.chainid, registry_, publisher_, keccak256(abi.encode(commitment))
                )
            )
        );
    }

    function refuse(ModelCommitment memory commitment, bytes memory error_) private {
        vm.expectRevert(error_);
        registry.register(commitment);
    }
}
