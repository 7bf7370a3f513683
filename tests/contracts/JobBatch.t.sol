// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IJobManager, JobSpec, JobStatus, Settlement} from "marketplace/src/IJobManager.sol";
import {JobTest} from "tests/contracts/support/JobTest.sol";
import {TripleVerifier} from "tests/contracts/support/VerifierDoubles.sol";
import {CircuitSpec, IVerifierRouter, VerifierClass} from "verifier_contracts/src/IVerifierRouter.sol";

/// @notice Several jobs in one transaction: each by its own proof, and all by one proof of a batch circuit.
contract JobBatchTest is JobTest {
    bytes private constant OTHER_INPUT = hex"ff010001";
    bytes private constant OTHER_OUTPUT = hex"0000000700000008";

    TripleVerifier private batch;
    bytes32 private batchId;

    function setUp() public override {
        super.setUp();
        batch = new TripleVerifier();
        verifier = new TripleVerifier();
        (modelId, batchId) = provenModel(verifier, batch, 2, "batched");
        circuitId = registry.circuitOf(modelId);
    }

    // --- settleMany -----------------------------------------------------------------------------

    function test_settleMany__two_jobs__each_paid_by_its_own_proof() external {
        (bytes32 first, bytes32 second) = claimedPair();
        acceptFor(verifier, first, prover);
        verifier.accept(manager.contextOf(second, prover), OTHER_INPUT, OTHER_OUTPUT, "other");
        vm.prank(prover, prover);
        manager.settleMany(settlements(first, second));
        assertStatus(first, JobStatus.SETTLED);
        assertStatus(second, JobStatus.SETTLED);
        assertPaidTwice();
    }

    function test_settleMany__one_refused__none_is_settled() external {
        (bytes32 first, bytes32 second) = claimedPair();
        acceptFor(verifier, first, prover);
        vm.expectPartialRevert(IVerifierRouter.ProofRejected.selector);
        vm.prank(prover, prover);
        manager.settleMany(settlements(first, second));
        assertStatus(first, JobStatus.CLAIMED);
        assertNothingEarned();
    }

    function test_I5_settleMany__one_job_twice__refused() external {
        (bytes32 first,) = claimedPair();
        acceptFor(verifier, first, prover);
        Settlement[] memory twice = settlements(first, first);
        twice[1] = twice[0];
        vm.expectRevert(wrongStatus(first, JobStatus.SETTLED));
        vm.prank(prover, prover);
        manager.settleMany(twice);
    }

    function test_settleMany__job_of_another_prover__refused() external {
        (bytes32 first,) = claimedPair();
        bytes32 foreign = openJob();
        claimAs(rival, foreign);
        acceptFor(verifier, first, prover);
        acceptFor(verifier, foreign, prover);
        vm.expectRevert(notClaimant(foreign, prover, rival));
        vm.prank(prover, prover);
        manager.settleMany(settlements(first, foreign));
    }

    function test_settleMany__nothing__refused() external {
        vm.expectRevert(abi.encodeWithSelector(IJobManager.BatchRefused.selector, bytes32(0)));
        manager.settleMany(new Settlement[](0));
    }

    function test_settleMany__through_another_transaction__publishes_each_proof() external {
        (bytes32 first, bytes32 second) = claimedPair();
        acceptFor(verifier, first, prover);
        verifier.accept(manager.contextOf(second, prover), OTHER_INPUT, OTHER_OUTPUT, "other");
        vm.recordLogs();
        vm.prank(prover, stranger);
        manager.settleMany(settlements(first, second));
        vm.assertEq(publications(), 2, "proofs");
    }

    // --- settleBatch ----------------------------------------------------------------------------

    function test_I2_settleBatch__one_accepted_proof__pays_every_job_with_its_own_slice() external {
        bytes32[] memory jobIds = claimedBatch();
        bytes memory proof = "one proof";
        vm.expectCall(
            address(batch), abi.encodeCall(batch.verify, (contextOf(jobIds, prover), inputs(), outputs(), proof)), 1
        );
        vm.expectEmit(address(manager));
        emit IJobManager.JobSettled(jobIds[0], prover, PROVER_FEE, OUTPUT, keccak256(proof));
        settleBatch(prover, jobIds, batchId, inputs(), outputs(), proof);
        assertStatus(jobIds[0], JobStatus.SETTLED);
        assertStatus(jobIds[1], JobStatus.SETTLED);
        assertPaidTwice();
    }

    function test_settleBatch__second_job__its_output_is_its_own() external {
        bytes32[] memory jobIds = claimedBatch();
        vm.expectEmit(address(manager));
        emit IJobManager.JobSettled(jobIds[1], prover, PROVER_FEE, OTHER_OUTPUT, keccak256("one proof"));
        settleBatch(prover, jobIds, batchId, inputs(), outputs(), "one proof");
    }

    function test_settleBatch__wrong_order__refused() external {
        bytes32[] memory jobIds = claimedBatch();
        (jobIds[0], jobIds[1]) = (jobIds[1], jobIds[0]);
        vm.expectRevert(
            abi.encodeWithSelector(IJobManager.InputMismatch.selector, keccak256(OTHER_INPUT), keccak256(INPUT))
        );
        settleBatch(prover, jobIds, batchId, inputs(), outputs(), "one proof");
        // With inputs in that order the proof is bound to another one.
        vm.expectPartialRevert(IVerifierRouter.ProofRejected.selector);
        settleBatch(prover, jobIds, batchId, bytes.concat(OTHER_INPUT, INPUT), outputs(), "one proof");
    }

    function test_settleBatch__wrong_count__refused() external {
        bytes32[] memory jobIds = claimedBatch();
        bytes32[] memory one = new bytes32[](1);
        one[0] = jobIds[0];
        refuseBatch(
            one, batchId, INPUT, abi.encodeWithSelector(IJobManager.CircuitNotOfModel.selector, modelId, batchId, 1)
        );
        bytes32[] memory three = new bytes32[](3);
        (three[0], three[1], three[2]) = (jobIds[0], jobIds[1], jobIds[0]);
        refuseBatch(
            three,
            batchId,
            bytes.concat(inputs(), INPUT),
            abi.encodeWithSelector(IJobManager.CircuitNotOfModel.selector, modelId, batchId, 3)
        );
        refuseBatch(
            new bytes32[](0), batchId, "", abi.encodeWithSelector(IJobManager.BatchRefused.selector, bytes32(0))
        );
        refuseBatch(
            jobIds,
            circuitId,
            inputs(),
            abi.encodeWithSelector(IJobManager.CircuitNotOfModel.selector, modelId, circuitId, 2)
        );
    }

    function test_I5_settleBatch__one_job_twice__refused() external {
        bytes32[] memory jobIds = claimedBatch();
        jobIds[1] = jobIds[0];
        batch.turn(TripleVerifier.Mood.ACCEPTS_ALL);
        refuseBatch(jobIds, batchId, bytes.concat(INPUT, INPUT), wrongStatus(jobIds[0], JobStatus.SETTLED));
    }

    function test_settleBatch__foreign_unknown_or_open_job__refused() external {
        bytes32[] memory jobIds = claimedBatch();
        bytes32 second = jobIds[1];
        jobIds[1] = keccak256("no such job");
        refuseBatch(jobIds, batchId, inputs(), abi.encodeWithSelector(IJobManager.BatchRefused.selector, jobIds[1]));
        jobIds[1] = openFor(OTHER_INPUT);
        refuseBatch(jobIds, batchId, inputs(), wrongStatus(jobIds[1], JobStatus.OPEN));
        claimAs(rival, jobIds[1]);
        refuseBatch(jobIds, batchId, inputs(), notClaimant(jobIds[1], prover, rival));
        jobIds[1] = second;
        settleBatch(prover, jobIds, batchId, inputs(), outputs(), "one proof");
    }

    function test_settleBatch__jobs_of_two_models__refused() external {
        bytes32[] memory jobIds = claimedBatch();
        uint256 other = provenModel(new TripleVerifier(), "letters");
        JobSpec memory spec = jobSpec(other);
        spec.inputCommitment = keccak256(OTHER_INPUT);
        vm.prank(requester);
        jobIds[1] = manager.open(spec, OTHER_INPUT);
        claimAs(prover, jobIds[1]);
        refuseBatch(jobIds, batchId, inputs(), abi.encodeWithSelector(IJobManager.BatchRefused.selector, jobIds[1]));
    }

    function test_settleBatch__copied_by_another_payee__refused() external {
        bytes32[] memory jobIds = claimedBatch();
        vm.expectRevert(notClaimant(jobIds[0], rival, prover));
        settleBatch(rival, jobIds, batchId, inputs(), outputs(), "one proof");
    }

    function test_settleBatch__batch_circuit_tombstoned__refused_and_each_settles_alone() external {
        bytes32[] memory jobIds = claimedBatch();
        tombstone(batchId);
        refuseBatch(
            jobIds, batchId, inputs(), abi.encodeWithSelector(IVerifierRouter.CircuitIsTombstoned.selector, batchId)
        );
        settleBy(prover, jobIds[0]);
        assertPaid(prover);
    }

    function test_settleBatch__own_circuit_tombstoned__refused_and_refunded() external {
        bytes32[] memory jobIds = claimedBatch();
        tombstone(circuitId);
        refuseBatch(jobIds, batchId, inputs(), abi.encodeWithSelector(IJobManager.CircuitRefused.selector, circuitId));
        manager.refund(jobIds[0]);
        assertStake(prover, STAKE - COLLATERAL, COLLATERAL);
        assertForfeits(0, 0);
    }

    /// @dev A requester who chose a circuit of one class is not given the answer of another.
    function test_settleBatch__batch_circuit_of_another_class__refused() external {
        TripleVerifier double = new TripleVerifier();
        CircuitSpec memory weaker = specOf(address(double), "weaker", 2);
        weaker.class_ = VerifierClass.UNVOUCHED;
        bytes32[] memory circuitIds = new bytes32[](2);
        circuitIds[0] = router.add(specOf(address(new TripleVerifier()), "of the class LOCAL"));
        circuitIds[1] = router.add(weaker);
        modelId = registerModel(commitmentFor(circuitIds, "two classes"));
        prove(modelId);
        bytes32[] memory jobIds = claimedBatch();
        double.turn(TripleVerifier.Mood.ACCEPTS_ALL);
        vm.expectPartialRevert(IJobManager.BatchRefused.selector);
        settleBatch(prover, jobIds, circuitIds[1], inputs(), outputs(), "one proof");
    }

    function test_settleBatch__contested_jobs__grace_and_bonus_as_for_one() external {
        bytes32[] memory jobIds = claimedBatch();
        vm.warp(START + 601);
        reclaimAs(rival, jobIds[0]);
        // In its grace the prover still settles both.
        settleBatch(prover, jobIds, batchId, inputs(), outputs(), "one proof");
        assertPaidTwice();
        assertStake(rival, STAKE, 0);
        assertStake(prover, STAKE, 0);
    }

    function test_settleBatch__taken_over_jobs__every_bonus_and_forfeit() external {
        bytes32[] memory jobIds = claimedBatch();
        vm.warp(START + 601);
        reclaimAs(rival, jobIds[0]);
        reclaimAs(rival, jobIds[1]);
        vm.warp(START + 601 + 37);
        batch.accept(contextOf(jobIds, rival), inputs(), outputs(), "one proof");
        settleBatch(rival, jobIds, batchId, inputs(), outputs(), "one proof");
        vm.assertEq(ledger.credits(rival), 2 * PROVER_FEE, "both fees");
        assertStake(rival, STAKE + 2 * BONUS, 0);
        assertStake(prover, STAKE - 2 * COLLATERAL, 0);
    }

    function test_settleBatch__through_another_transaction__publishes_the_proof_once() external {
        bytes32[] memory jobIds = claimedBatch();
        vm.expectEmit(address(manager));
        emit IJobManager.ProofPublished(jobIds[0], inputs(), outputs(), "one proof");
        vm.prank(prover, stranger);
        manager.settleBatch(jobIds, batchId, inputs(), outputs(), "one proof");
    }

    // --- words ----------------------------------------------------------------------------------

    function openFor(bytes memory input) private returns (bytes32) {
        JobSpec memory spec = jobSpec(modelId);
        spec.inputCommitment = keccak256(input);
        vm.prank(requester);
        return manager.open(spec, input);
    }

    function claimedPair() private returns (bytes32 first, bytes32 second) {
        (first, second) = (openFor(INPUT), openFor(OTHER_INPUT));
        claimAs(prover, first);
        claimAs(prover, second);
    }

    /// @dev Two jobs of the prover's and an acceptable proof of both.
    function claimedBatch() private returns (bytes32[] memory jobIds) {
        jobIds = new bytes32[](2);
        (jobIds[0], jobIds[1]) = claimedPair();
        batch.accept(contextOf(jobIds, prover), inputs(), outputs(), "one proof");
    }

    function contextOf(bytes32[] memory jobIds, address payee) private view returns (bytes32) {
        return keccak256(bytes.concat(manager.contextOf(jobIds[0], payee), manager.contextOf(jobIds[1], payee)));
    }

    function inputs() private pure returns (bytes memory) {
        return bytes.concat(INPUT, OTHER_INPUT);
    }

    function outputs() private pure returns (bytes memory) {
        return bytes.concat(OUTPUT, OTHER_OUTPUT);
    }

    function settlements(bytes32 first, bytes32 second) private pure returns (Settlement[] memory both) {
        both = new Settlement[](2);
        both[0] = Settlement(first, INPUT, OUTPUT, PROOF);
        both[1] = Settlement(second, OTHER_INPUT, OTHER_OUTPUT, "other");
    }

    function settleBatch(
        address account,
        bytes32[] memory jobIds,
        bytes32 circuit,
        bytes memory input,
        bytes memory output,
        bytes memory proof
    ) private {
        vm.prank(account, account);
        manager.settleBatch(jobIds, circuit, input, output, proof);
    }

    function refuseBatch(bytes32[] memory jobIds, bytes32 circuit, bytes memory input, bytes memory error_) private {
        vm.expectRevert(error_);
        settleBatch(prover, jobIds, circuit, input, outputs(), "one proof");
    }

    function assertPaidTwice() private view {
        vm.assertEq(ledger.credits(prover), 2 * PROVER_FEE, "prover");
        vm.assertEq(ledger.incomeOf(modelId).revenue, 2 * REVENUE, "model");
        vm.assertEq(ledger.incomeOf(modelId).platform, 2 * PLATFORM, "platform");
        assertStake(prover, STAKE, 0);
    }
}
