// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DerivativeTerms, FeeTerms, IModelRegistry, ModelCommitment, ModelStatus} from "registry/src/IModelRegistry.sol";
import {ModelRegistry} from "registry/src/ModelRegistry.sol";
import {ModelTest} from "tests/contracts/support/ModelTest.sol";
import {CircuitSpec, IVerifierRouter} from "verifier_contracts/src/IVerifierRouter.sol";

/// @notice Registering: commit, reveal, and what is refused.
contract ModelRegistrationTest is ModelTest {
    // --- commit and reveal ---------------------------------------------------------------------

    function test_register__revealed_in_time__event_id_token_and_commitment() external {
        ModelCommitment memory commitment = commitmentFor(circuitId, "letters");
        commitment.predecessor = modelId;
        uint256 expected = idOf(address(models), publisher, commitment);
        models.commit(hashOf(publisher, commitment));
        chain.roll(chain.getBlockNumber() + MIN_BLOCKS);
        vm.expectEmit(address(models));
        emit IModelRegistry.ModelRegistered(expected, publisher, circuitId, commitment, models.accountOf(expected));
        vm.expectEmit(address(models));
        emit IModelRegistry.FeeTermsSet(expected, 1_000_000, 0, 0);
        vm.expectEmit(address(models));
        emit IModelRegistry.DerivativeTermsSet(expected, defaultDerivatives());
        vm.prank(publisher);
        models.register(commitment, defaultFees(), defaultDerivatives(), SALT);
        vm.assertEq(models.ownerOf(expected), publisher, "owner");
        vm.assertEq(models.publisherOf(expected), publisher, "publisher");
        vm.assertTrue(models.statusOf(expected) == ModelStatus.REGISTERED, "status");
        vm.assertEq(abi.encode(models.commitmentOf(expected)), abi.encode(commitment), "commitment");
        vm.assertEq(models.circuitOf(expected), circuitId, "circuit");
        vm.assertEq(models.batchOf(expected, circuitId), 1, "one input at once");
        vm.assertEq(abi.encode(models.feeTermsOf(expected)), abi.encode(defaultFees()), "fees");
        vm.assertEq(abi.encode(models.derivativeTermsOf(expected)), abi.encode(defaultDerivatives()), "derivatives");
        vm.assertEq(models.tokenURI(expected), string.concat("ipfs://", commitment.manifestCid), "uri");
        vm.assertEq(address(models.router()), address(router), "router");
        vm.assertEq(models.name(), "zkML Model", "name");
        vm.assertEq(models.symbol(), "ZKMODEL", "symbol");
    }

    function test_I15_register__in_the_block_of_the_commitment__refused() external {
        bytes32 hash = commitLetters(publisher);
        refuseReveal(hash, 0);
    }

    function test_I5_register__too_young_or_lapsed__refused_and_both_ends_allowed() external {
        bytes32 hash = commitLetters(publisher);
        uint256 madeAt = models.committedAt(hash);
        vm.assertEq(madeAt, chain.getBlockNumber(), "filed in this block");
        chain.roll(madeAt + MIN_BLOCKS - 1);
        refuseReveal(hash, MIN_BLOCKS - 1);
        chain.roll(madeAt + MAX_BLOCKS + 1);
        refuseReveal(hash, MAX_BLOCKS + 1);
        chain.roll(madeAt + MAX_BLOCKS);
        vm.prank(publisher);
        models.register(letters(), defaultFees(), defaultDerivatives(), SALT);
    }

    function test_I5_commitment__used__is_gone() external {
        bytes32 hash = commitLetters(publisher);
        chain.roll(chain.getBlockNumber() + MIN_BLOCKS);
        vm.prank(publisher);
        uint256 id = models.register(letters(), defaultFees(), defaultDerivatives(), SALT);
        vm.assertEq(models.committedAt(hash), 0, "consumed");
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelExists.selector, id));
        vm.prank(publisher);
        models.register(letters(), defaultFees(), defaultDerivatives(), SALT);
    }

    function test_commit__again__refused_until_it_has_lapsed() external {
        bytes32 hash = commitLetters(publisher);
        uint256 madeAt = chain.getBlockNumber();
        chain.roll(madeAt + MAX_BLOCKS);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.CommitmentExists.selector, hash));
        models.commit(hash);
        chain.roll(madeAt + MAX_BLOCKS + 1);
        vm.expectEmit(address(models));
        emit IModelRegistry.RegistrationCommitted(stranger, hash);
        vm.prank(stranger);
        models.commit(hash);
        vm.assertEq(models.committedAt(hash), chain.getBlockNumber(), "anew");
        (uint256 minimum, uint256 maximum) = models.commitmentAges();
        vm.assertEq(minimum, MIN_BLOCKS, "least age");
        vm.assertEq(maximum, MAX_BLOCKS, "greatest age");
    }

    function test_commit__filed_by_somebody_else__serves_the_publisher_alone() external {
        vm.prank(stranger);
        models.commit(hashOf(publisher, letters()));
        chain.roll(chain.getBlockNumber() + MIN_BLOCKS);
        vm.expectPartialRevert(IModelRegistry.CommitmentAge.selector);
        vm.prank(stranger);
        models.register(letters(), defaultFees(), defaultDerivatives(), SALT);
        vm.prank(publisher);
        models.register(letters(), defaultFees(), defaultDerivatives(), SALT);
    }

    function test_register__copycat_who_sees_the_reveal__is_too_late_and_takes_nothing() external {
        bytes32 copied = addCircuit("letters", 1);
        ModelCommitment memory commitment = commitmentFor(copied, "letters");
        models.commit(hashOf(publisher, commitment));
        chain.roll(chain.getBlockNumber() + MIN_BLOCKS);
        // The reveal is in the mempool: the copycat cannot register before it, for it has committed to nothing.
        models.commit(hashOf(stranger, commitment));
        vm.expectPartialRevert(IModelRegistry.CommitmentAge.selector);
        vm.prank(stranger);
        models.register(commitment, defaultFees(), defaultDerivatives(), SALT);
        vm.prank(publisher);
        uint256 original = models.register(commitment, defaultFees(), defaultDerivatives(), SALT);
        chain.roll(chain.getBlockNumber() + MIN_BLOCKS);
        vm.prank(stranger);
        uint256 copy = models.register(commitment, defaultFees(), defaultDerivatives(), SALT);
        vm.assertTrue(copy != original, "another model");
        // It sees the genesis proof too, and sends it first, for its own model.
        acceptGenesis(original, copied);
        vm.expectPartialRevert(IVerifierRouter.ProofRejected.selector);
        models.activate(copy, copied, OUTPUT, PROOF);
        models.activate(original, copied, OUTPUT, PROOF);
        acceptGenesis(copy, copied);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.CircuitTaken.selector, copied, original));
        models.activate(copy, copied, OUTPUT, PROOF);
    }

    function test_I4_modelId__any_field_publisher_registry_or_chain_changed__is_another_id() external {
        vm.assertEq(idOf(address(models), publisher, mutated(99)), modelId, "the id is the formula");
        uint256[] memory ids = new uint256[](14);
        ids[0] = modelId;
        for (uint256 field; field < 10; ++field) {
            ids[1 + field] = registerAs(publisher, mutated(field));
        }
        ids[11] = registerAs(stranger, mutated(99));
        ModelRegistry first = models;
        models = newRegistry();
        ids[12] = registerAs(publisher, mutated(99));
        models = first;
        vm.chainId(1337);
        ids[13] = registerAs(publisher, mutated(99));
        for (uint256 i; i < ids.length; ++i) {
            for (uint256 j; j < i; ++j) {
                vm.assertTrue(ids[i] != ids[j], "two commitments share an id");
            }
        }
    }

    function test_I4_commitmentHash__formula() external view {
        ModelCommitment memory commitment = mutated(99);
        bytes32 content = keccak256(abi.encode(commitment, defaultFees(), defaultDerivatives()));
        bytes32 expected = keccak256(
            abi.encode(keccak256("zkml.registration.v1"), uint256(31337), address(models), publisher, content, SALT)
        );
        vm.assertEq(hashOf(publisher, commitment), expected, "hash");
    }

    function test_I4_register__anything_else_than_was_committed__refused() external {
        models.commit(hashOf(publisher, letters()));
        chain.roll(chain.getBlockNumber() + MIN_BLOCKS);
        for (uint256 field; field < 10; ++field) {
            ModelCommitment memory commitment = change(letters(), field);
            refuseAs(publisher, commitment, defaultFees(), defaultDerivatives(), SALT);
        }
        for (uint256 field; field < 3; ++field) {
            FeeTerms memory fees = defaultFees();
            if (field == 0) fees.modelFee += 1;
            if (field == 1) fees.minModelFee += 1;
            if (field == 2) fees.minModelFeePpm += 1;
            refuseAs(publisher, letters(), fees, defaultDerivatives(), SALT);
        }
        for (uint256 field; field < 4; ++field) {
            DerivativeTerms memory derivatives = defaultDerivatives();
            if (field == 0) derivatives.derivativesAllowed = false;
            if (field == 1) derivatives.minRatePpm += 1;
            if (field == 2) derivatives.minModelFee += 1;
            if (field == 3) derivatives.minModelFeePpm += 1;
            refuseAs(publisher, letters(), defaultFees(), derivatives, SALT);
        }
        refuseAs(publisher, letters(), defaultFees(), defaultDerivatives(), ANOTHER);
        refuseAs(stranger, letters(), defaultFees(), defaultDerivatives(), SALT);
        vm.prank(publisher);
        models.register(letters(), defaultFees(), defaultDerivatives(), SALT);
    }

    // --- what is refused -----------------------------------------------------------------------

    function test_register__empty_digest_or_text_out_of_range__refused() external {
        for (uint256 field; field < 3; ++field) {
            ModelCommitment memory commitment = letters();
            if (field == 0) commitment.onnxDigest = 0;
            if (field == 1) commitment.settingsDigest = 0;
            if (field == 2) commitment.manifestDigest = 0;
            refuse(commitment, abi.encodeWithSelector(IModelRegistry.EmptyDigest.selector));
        }
        for (uint256 field; field < 3; ++field) {
            for (uint256 length; length < 130; length += 129) {
                ModelCommitment memory commitment = letters();
                if (field == 0) commitment.manifestCid = string(new bytes(length));
                if (field == 1) commitment.name = string(new bytes(length));
                if (field == 2) commitment.licence = string(new bytes(length));
                refuse(commitment, abi.encodeWithSelector(IModelRegistry.TextLengthOutOfRange.selector, length, 128));
            }
        }
    }

    function test_register__no_dataset_and_no_key__allowed() external {
        ModelCommitment memory commitment = letters();
        commitment.datasetDigest = 0;
        vm.assertFalse(models.isClosed(registerAs(publisher, commitment)), "open");
    }

    function test_register__circuits_none_five_twice_unknown_or_tombstoned__refused() external {
        refuse(
            commitmentFor(new bytes32[](0), "none"),
            abi.encodeWithSelector(IModelRegistry.CircuitSetRefused.selector, 0, 0)
        );
        refuse(
            commitmentFor(new bytes32[](5), "five"),
            abi.encodeWithSelector(IModelRegistry.CircuitSetRefused.selector, 5, 5)
        );
        refuse(
            commitmentFor(setOf(circuitId, circuitId), "twice"),
            abi.encodeWithSelector(IModelRegistry.CircuitSetRefused.selector, 1, 2)
        );
        refuse(
            commitmentFor(setOf(circuitId, ANOTHER), "unknown"),
            abi.encodeWithSelector(IModelRegistry.UnknownCircuitOfModel.selector, ANOTHER)
        );
        bytes32 dead = addCircuit("dead", 1);
        router.tombstone(dead, "unsound");
        refuse(
            commitmentFor(setOf(circuitId, dead), "dead"),
            abi.encodeWithSelector(IVerifierRouter.CircuitIsTombstoned.selector, dead)
        );
    }

    function test_register__circuits_of_other_widths_domain_or_no_multiple__refused() external {
        for (uint256 field; field < 7; ++field) {
            CircuitSpec memory spec = specOf("batch", 3);
            if (field == 0) ++spec.tensors.inputCount;
            if (field == 1) ++spec.tensors.outputCount;
            if (field == 2) spec.tensors.outputCount = 4;
            if (field == 3) spec.tensors.inputBytes = 2;
            if (field == 4) spec.tensors.outputBytes = 8;
            if (field == 5) --spec.domain.min;
            if (field == 6) ++spec.domain.max;
            bytes32 other = router.add(spec);
            refuse(
                commitmentFor(setOf(circuitId, other), "set"),
                abi.encodeWithSelector(IModelRegistry.CircuitMismatch.selector, other)
            );
        }
        bytes32 batch = addCircuit("batch", 3);
        // The first is for one input: a batch cannot lead.
        refuse(
            commitmentFor(setOf(batch, circuitId), "set"),
            abi.encodeWithSelector(IModelRegistry.CircuitMismatch.selector, circuitId)
        );
    }

    function testFuzz_register__batch_circuit__of_exactly_that_many_inputs(uint16 inputs, uint16 outputs) external {
        CircuitSpec memory spec = specOf("batch", 1);
        spec.tensors.inputCount = uint32(within(inputs, 1, 4_096));
        spec.tensors.outputCount = uint32(within(outputs, 1, 4_096));
        if (outputs % 2 == 0) spec.tensors.outputCount = (spec.tensors.inputCount + 3) / 4 * 2;
        bytes32 batch = router.add(spec);
        uint256 times;
        for (uint256 k = 1; k <= 4_096; ++k) {
            if (4 * k == spec.tensors.inputCount && 2 * k == spec.tensors.outputCount) times = k;
        }
        ModelCommitment memory commitment = commitmentFor(setOf(circuitId, batch), "batch");
        if (times == 0) {
            refuse(commitment, abi.encodeWithSelector(IModelRegistry.CircuitMismatch.selector, batch));
        } else {
            vm.assertEq(models.batchOf(registerAs(publisher, commitment), batch), times, "inputs at once");
        }
    }

    function test_register__predecessor_of_somebody_else_or_nobody__refused() external {
        ModelCommitment memory commitment = letters();
        commitment.predecessor = modelId;
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.NotModelOwner.selector, modelId, stranger, publisher));
        vm.prank(stranger);
        models.register(commitment, defaultFees(), defaultDerivatives(), SALT);
        commitment.predecessor = 7;
        refuse(commitment, abi.encodeWithSelector(IModelRegistry.UnknownModel.selector, 7));
    }

    function test_register__terms_out_of_range__refused() external {
        FeeTerms memory fees = FeeTerms({modelFee: 4, minModelFee: 5, minModelFeePpm: 0});
        FeeTerms memory none;
        refuse(letters(), fees, defaultDerivatives(), termsRefused(fees, none));
        fees = FeeTerms({modelFee: 5, minModelFee: 5, minModelFeePpm: HALF_PPM + 1});
        bytes memory tooHigh = abi.encodeWithSelector(IModelRegistry.RateOutOfRange.selector, HALF_PPM + 1, HALF_PPM);
        refuse(letters(), fees, defaultDerivatives(), tooHigh);
        DerivativeTerms memory derivatives = defaultDerivatives();
        derivatives.minRatePpm = HALF_PPM + 1;
        refuse(letters(), defaultFees(), derivatives, tooHigh);
        derivatives = defaultDerivatives();
        derivatives.minModelFeePpm = HALF_PPM + 1;
        refuse(letters(), defaultFees(), derivatives, tooHigh);
    }

    // --- words ----------------------------------------------------------------------------------

    function hashOf(address account, ModelCommitment memory commitment) private view returns (bytes32) {
        return models.commitmentHash(account, commitment, defaultFees(), defaultDerivatives(), SALT);
    }

    function commitLetters(address account) private returns (bytes32 hash) {
        hash = hashOf(account, letters());
        models.commit(hash);
    }

    function refuseReveal(bytes32 hash, uint256 age) private {
        refuse(
            letters(), abi.encodeWithSelector(IModelRegistry.CommitmentAge.selector, hash, age, MIN_BLOCKS, MAX_BLOCKS)
        );
    }

    function refuseAs(
        address account,
        ModelCommitment memory commitment,
        FeeTerms memory fees,
        DerivativeTerms memory derivatives,
        bytes32 salt
    ) private {
        vm.expectPartialRevert(IModelRegistry.CommitmentAge.selector);
        vm.prank(account);
        models.register(commitment, fees, derivatives, salt);
    }

    function mutated(uint256 field) private view returns (ModelCommitment memory) {
        return change(commitmentFor(circuitId, "digits"), field);
    }

    function change(ModelCommitment memory commitment, uint256 field) private view returns (ModelCommitment memory) {
        if (field == 0) commitment.circuitIds = setOf(anotherCircuit);
        if (field == 1) commitment.onnxDigest = ANOTHER;
        if (field == 2) commitment.settingsDigest = ANOTHER;
        if (field == 3) commitment.manifestDigest = ANOTHER;
        if (field == 4) commitment.datasetDigest = ANOTHER;
        if (field == 5) commitment.keyCommitment = ANOTHER;
        if (field == 6) commitment.predecessor = modelId;
        if (field == 7) commitment.manifestCid = "bafy";
        if (field == 8) commitment.name = "changed";
        if (field == 9) commitment.licence = "MIT";
        return commitment;
    }

    function idOf(address registry_, address publisher_, ModelCommitment memory commitment)
        private
        view
        returns (uint256)
    {
        bytes32 content = keccak256(abi.encode(commitment));
        return uint256(keccak256(abi.encode(keccak256("zkml.model.v2"), block.chainid, registry_, publisher_, content)));
    }
}
