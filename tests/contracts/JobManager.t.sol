// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IJobManager, Job, JobSpec, JobStatus, JobTerms} from "marketplace/src/IJobManager.sol";
import {IRevenueLedger} from "marketplace/src/IRevenueLedger.sol";
import {JobManager} from "marketplace/src/JobManager.sol";
import {ModelStatus} from "registry/src/IModelRegistry.sol";
import {ProverRegistry} from "registry/src/ProverRegistry.sol";
import {JobTest} from "tests/contracts/support/JobTest.sol";
import {TripleVerifier} from "tests/contracts/support/VerifierDoubles.sol";
import {CircuitSpec, VerifierClass} from "verifier_contracts/src/IVerifierRouter.sol";
import {PackedTensors} from "verifier_contracts/src/TensorLayout.sol";

/// @notice Opening a job, and what the deployment itself refuses.
contract JobManagerTest is JobTest {
    // --- open -----------------------------------------------------------------------------------

    function test_open__with_input__event_id_facts_and_escrow() external {
        JobSpec memory spec = jobSpec(modelId);
        bytes32 expected = idOf(requester, 0, spec);
        vm.expectEmit(address(manager));
        emit IJobManager.JobOpened(expected, modelId, requester, spec, manager.quoteFor(modelId), ESCROW, INPUT);
        vm.assertEq(openAs(requester, spec), expected, "id");
        Job memory facts = manager.job(expected);
        Job memory wanted;
        wanted.requester = requester;
        wanted.openedAt = START;
        wanted.rampSeconds = 600;
        wanted.claimSeconds = 600;
        wanted.deadline = START + 1 hours;
        wanted.minProverFee = 10_000_000;
        wanted.maxProverFee = 50_000_000;
        wanted.quote = manager.quoteFor(modelId);
        wanted.modelId = modelId;
        wanted.circuitId = circuitId;
        wanted.inputCommitment = keccak256(INPUT);
        vm.assertEq(abi.encode(facts), abi.encode(wanted), "facts");
        assertStatus(expected, JobStatus.OPEN);
        vm.assertEq(token.balanceOf(address(ledger)), ESCROW, "the ledger holds the escrow");
        vm.assertEq(token.balanceOf(address(manager)), 0, "the manager holds nothing");
        vm.assertEq(manager.nonces(requester), 1, "nonce");
    }

    function test_open__by_address_of_the_input__needs_no_input() external {
        JobSpec memory spec = jobSpec(modelId);
        spec.inputUri = "ipfs://bafy";
        vm.prank(requester);
        assertStatus(manager.open(spec, ""), JobStatus.OPEN);
    }

    function test_I5_open__same_spec_twice__two_jobs() external {
        JobSpec memory spec = jobSpec(modelId);
        vm.assertTrue(openAs(requester, spec) != openAs(requester, spec), "the nonce tells them apart");
        vm.assertEq(token.balanceOf(address(ledger)), 2 * uint256(ESCROW), "both are in escrow");
    }

    function test_open__model_not_proven__refused() external {
        JobSpec memory spec = jobSpec(modelId);
        spec.modelId = 12345;
        refuseOpen(spec, INPUT, notProven(12345, ModelStatus.NONE));
        spec.modelId = registerModel(commitmentFor(circuitId, "young"));
        refuseOpen(spec, INPUT, notProven(spec.modelId, ModelStatus.REGISTERED));
        vm.prank(publisher);
        registry.retire(modelId);
        spec.modelId = modelId;
        refuseOpen(spec, INPUT, notProven(modelId, ModelStatus.DEPRECATED));
    }

    function test_open__circuit_of_another_model_or_for_many_inputs__refused() external {
        uint256 other = provenModel(new TripleVerifier(), "letters");
        JobSpec memory spec = jobSpec(modelId);
        spec.circuitId = registry.circuitOf(other);
        refuseOpen(spec, INPUT, foreignCircuit(modelId, spec.circuitId));
        (uint256 batched, bytes32 batchId) =
            provenModel(new TripleVerifier(), new TripleVerifier(), 2, "batched digits");
        spec = jobSpec(batched);
        spec.circuitId = batchId;
        refuseOpen(spec, INPUT, foreignCircuit(batched, batchId));
    }

    function test_open__class_that_the_deployment_refuses__refused() external {
        CircuitSpec memory unvouched = specOf(address(new TripleVerifier()), "unvouched");
        unvouched.class_ = VerifierClass.UNVOUCHED;
        JobTerms memory terms = defaultTerms();
        terms.acceptedClasses = 2 | 4;
        deployOn(address(token), terms);
        bytes32 refused = router.add(unvouched);
        uint256 model = registerModel(commitmentFor(refused, "unvouched"));
        prove(model);
        refuseOpen(
            jobSpec(model),
            INPUT,
            abi.encodeWithSelector(IJobManager.ClassRefused.selector, refused, VerifierClass.UNVOUCHED)
        );
    }

    function test_open__tombstoned_circuit__refused() external {
        tombstone(circuitId);
        refuseOpen(jobSpec(modelId), INPUT, abi.encodeWithSelector(IJobManager.CircuitRefused.selector, circuitId));
    }

    function test_open__bad_input__refused() external {
        JobSpec memory spec = jobSpec(modelId);
        refuseOpen(spec, "", abi.encodeWithSelector(IJobManager.InputMissing.selector));
        refuseOpen(
            spec,
            hex"00000000",
            abi.encodeWithSelector(IJobManager.InputMismatch.selector, spec.inputCommitment, keccak256(hex"00000000"))
        );
        spec.inputCommitment = keccak256(hex"00000002");
        refuseOpen(
            spec, hex"00000002", abi.encodeWithSelector(PackedTensors.ElementOutOfDomain.selector, 3, int256(2), -2, 1)
        );
        spec.inputCommitment = keccak256(hex"000000");
        refuseOpen(spec, hex"000000", abi.encodeWithSelector(PackedTensors.InputLengthMismatch.selector, 4, 3));
    }

    function test_open__uri_longer_than_256_bytes__refused() external {
        JobSpec memory spec = jobSpec(modelId);
        spec.inputUri = string(noise(1, 257));
        bytes memory refusal = abi.encodeWithSelector(IJobManager.InputUriTooLong.selector, 257, 256);
        refuseOpen(spec, "", refusal);
        refuseOpen(spec, INPUT, refusal);
        spec.inputUri = string(noise(1, 256));
        openAs(requester, spec);
    }

    function test_open__offer_that_is_zero_falls_or_outlasts_the_job__refused() external {
        JobSpec memory spec = jobSpec(modelId);
        spec.minProverFee = 0;
        refuseOpen(spec, INPUT, badOffer(spec));
        spec.minProverFee = spec.maxProverFee + 1;
        refuseOpen(spec, INPUT, badOffer(spec));
        spec = jobSpec(modelId);
        spec.rampSeconds = 3601;
        refuseOpen(spec, INPUT, badOffer(spec));
        spec.rampSeconds = 3600;
        openAs(requester, spec);
        spec.rampSeconds = 0;
        spec.minProverFee = spec.maxProverFee;
        openAs(requester, spec);
    }

    function test_open__claim_period_at_the_edges() external {
        JobSpec memory spec = jobSpec(modelId);
        spec.claimSeconds = 59;
        refuseOpen(spec, INPUT, abi.encodeWithSelector(IJobManager.ClaimPeriodOutOfRange.selector, 59, 60, 3600));
        spec.claimSeconds = 3601;
        refuseOpen(spec, INPUT, abi.encodeWithSelector(IJobManager.ClaimPeriodOutOfRange.selector, 3601, 60, 3600));
        spec.claimSeconds = 60;
        openAs(requester, spec);
        spec.claimSeconds = 3600;
        openAs(requester, spec);
    }

    function test_open__total_above_what_the_requester_allows__refused() external {
        JobSpec memory spec = jobSpec(modelId);
        spec.maxTotal = ESCROW - 1;
        refuseOpen(spec, INPUT, abi.encodeWithSelector(IJobManager.TotalTooHigh.selector, ESCROW, ESCROW - 1));
        spec.maxTotal = ESCROW;
        openAs(requester, spec);
    }

    function test_open__more_than_eight_named_provers__refused() external {
        JobSpec memory spec = jobSpec(modelId);
        spec.provers = new address[](9);
        refuseOpen(spec, INPUT, abi.encodeWithSelector(IJobManager.TooManyProvers.selector, 9, 8));
        spec.provers = new address[](8);
        openAs(requester, spec);
    }

    function test_open__deadline_at_the_edges() external {
        JobSpec memory spec = jobSpec(modelId);
        spec.deadline = START + 29;
        refuseOpen(spec, INPUT, deadlineError(spec.deadline));
        spec.deadline = START + 30 days + 1;
        refuseOpen(spec, INPUT, deadlineError(spec.deadline));
        spec.deadline = type(uint40).max;
        refuseOpen(spec, INPUT, deadlineError(spec.deadline));
        spec.deadline = START + 30 days;
        openAs(requester, spec);
        spec.deadline = START + 60;
        (spec.claimSeconds, spec.rampSeconds) = (60, 60);
        openAs(requester, spec);
    }

    function test_open__without_allowance_or_funds__refused_and_nonce_unspent() external {
        JobSpec memory spec = jobSpec(modelId);
        vm.prank(requester);
        token.approve(address(ledger), ESCROW - 1);
        vm.expectRevert();
        openAs(requester, spec);
        vm.expectRevert();
        openAs(address(0xF00D), spec);
        vm.assertEq(manager.nonces(requester), 0, "nonce");
        vm.assertEq(token.balanceOf(address(ledger)), 0, "escrow");
    }

    // --- the deployment -------------------------------------------------------------------------

    function test_views__say_what_was_deployed() external view {
        vm.assertEq(address(manager.registry()), address(registry), "registry");
        vm.assertEq(address(manager.router()), address(router), "router");
        vm.assertEq(address(manager.ledger()), address(ledger), "ledger");
        vm.assertEq(address(manager.provers()), address(provers), "provers");
        vm.assertEq(address(manager.admin()), address(admin), "admin");
        vm.assertEq(abi.encode(manager.terms()), abi.encode(defaultTerms()), "terms");
        assertStatus(keccak256("no such job"), JobStatus.NONE);
    }

    function test_constructor__bank_or_provers_of_another_market__refused() external {
        address next = vm.computeCreateAddress(address(this), vm.getNonce(address(this)));
        vm.expectRevert(abi.encodeWithSelector(IJobManager.NotAContract.selector, address(ledger)));
        new JobManager(ledger, provers, defaultTerms());
        vm.expectRevert(abi.encodeWithSelector(IJobManager.NotAContract.selector, stranger));
        new JobManager(IRevenueLedger(stranger), provers, defaultTerms());
        vm.assertTrue(next != address(manager), "another manager than the one they name");
        // A right bank beside provers that name somebody else.
        ProverRegistry foreign = new ProverRegistry(IERC20(address(token)), stranger, admin, 1);
        uint256 nonce = vm.getNonce(address(this));
        vm.mockCall(
            address(ledger),
            abi.encodeWithSignature("jobManager()"),
            abi.encode(vm.computeCreateAddress(address(this), nonce))
        );
        vm.expectRevert(abi.encodeWithSelector(IJobManager.NotAContract.selector, address(foreign)));
        new JobManager(ledger, foreign, defaultTerms());
    }

    function test_constructor__contradicting_terms__refused() external {
        JobTerms memory terms = defaultTerms();
        (terms.minCollateral, terms.collateralPpm) = (0, 0);
        refuseTerms(terms, "a claim must cost something");
        terms = defaultTerms();
        terms.collateralPpm = 1_000_001;
        refuseTerms(terms, "collateral above the price");
        terms = defaultTerms();
        terms.minDurationSeconds = 0;
        refuseTerms(terms, "no time at all");
        terms = defaultTerms();
        terms.minDurationSeconds = terms.maxDurationSeconds + 1;
        refuseTerms(terms, "an empty range");
        terms = defaultTerms();
        terms.minClaimSeconds = terms.graceSeconds;
        refuseTerms(terms, "a claim no longer than the grace");
        terms = defaultTerms();
        terms.bonusPpm = 500_001;
        refuseTerms(terms, "a bonus above half");
        terms = defaultTerms();
        terms.treasuryPpm = 1_000_001;
        refuseTerms(terms, "more than all to the treasury");
        terms = defaultTerms();
        terms.acceptedClasses = 0;
        refuseTerms(terms, "no class at all");
        terms.acceptedClasses = 1;
        refuseTerms(terms, "the class of what is not there");
        terms.acceptedClasses = 16;
        refuseTerms(terms, "a class that does not exist");
    }

    // --- words ----------------------------------------------------------------------------------

    function idOf(address account, uint256 nonce, JobSpec memory spec) private view returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("zkml.job.v2"), block.chainid, address(manager), account, nonce, keccak256(abi.encode(spec))
            )
        );
    }

    function notProven(uint256 model, ModelStatus status) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IJobManager.ModelNotProven.selector, model, status);
    }

    function foreignCircuit(uint256 model, bytes32 circuit) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IJobManager.CircuitNotOfModel.selector, model, circuit, 1);
    }

    function badOffer(JobSpec memory spec) private pure returns (bytes memory) {
        return abi.encodeWithSelector(
            IJobManager.InvalidOffer.selector, spec.minProverFee, spec.maxProverFee, spec.rampSeconds
        );
    }

    function deadlineError(uint40 deadline) private pure returns (bytes memory) {
        return abi.encodeWithSelector(
            IJobManager.DeadlineOutOfRange.selector, deadline, uint256(START) + 30, uint256(START) + 30 days
        );
    }

    function refuseTerms(JobTerms memory terms, string memory why) private {
        try new JobManager(ledger, provers, terms) {
            vm.assertTrue(false, why);
        } catch (bytes memory reason) {
            vm.assertEq(reason, abi.encodeWithSelector(IJobManager.InvalidTerms.selector, terms), why);
        }
    }
}
