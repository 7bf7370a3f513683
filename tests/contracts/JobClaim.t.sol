// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IJobManager, Job, JobSpec, JobStatus, Payment} from "marketplace/src/IJobManager.sol";
import {ModelStatus} from "registry/src/IModelRegistry.sol";
import {IProverRegistry} from "registry/src/IProverRegistry.sol";
import {JobTest} from "tests/contracts/support/JobTest.sol";
import {TripleVerifier} from "tests/contracts/support/VerifierDoubles.sol";

/// @notice What becomes of an open job: it is claimed, or its requester takes it back.
contract JobClaimTest is JobTest {
    // --- claim ----------------------------------------------------------------------------------

    function test_claim__open_job__price_fixed_stake_locked_and_the_rest_credited() external {
        bytes32 jobId = openJob();
        Payment memory payment = Payment(PROVER_FEE, REVENUE, PLATFORM);
        vm.expectEmit(address(manager));
        emit IJobManager.JobClaimed(jobId, prover, payment, COLLATERAL, ESCROW - PRICE, START + 600);
        claimAs(prover, jobId);
        assertStatus(jobId, JobStatus.CLAIMED);
        Job memory facts = manager.job(jobId);
        vm.assertEq(facts.prover, prover, "prover");
        vm.assertEq(facts.claimDeadline, START + 600, "claim deadline");
        vm.assertEq(abi.encode(facts.payment), abi.encode(payment), "payment");
        assertStake(prover, STAKE - COLLATERAL, COLLATERAL);
        vm.assertEq(ledger.credits(requester), ESCROW - PRICE, "left over");
        assertNothingEarned();
    }

    function test_claim__at_the_deadline_passes__after_it_is_refused() external {
        bytes32 first = openJob();
        bytes32 second = openJob();
        vm.warp(START + 1 hours);
        claimAs(prover, first);
        vm.assertEq(manager.job(first).claimDeadline, START + 1 hours, "not beyond the job's deadline");
        vm.warp(START + 1 hours + 1);
        vm.expectRevert(wrongStatus(second, JobStatus.EXPIRED));
        claimAs(prover, second);
    }

    function test_claim__claimed_late_or_unknown__refused() external {
        bytes32 jobId = claimedJob();
        vm.expectRevert(wrongStatus(jobId, JobStatus.CLAIMED));
        claimAs(rival, jobId);
        vm.expectRevert(wrongStatus(jobId, JobStatus.CLAIMED));
        claimAs(prover, jobId);
        vm.warp(START + 601);
        vm.expectRevert(wrongStatus(jobId, JobStatus.LATE));
        claimAs(rival, jobId);
        vm.expectRevert(wrongStatus(0, JobStatus.NONE));
        claimAs(prover, 0);
    }

    function test_claim__job_that_names_its_provers__only_they_may() external {
        JobSpec memory spec = jobSpec(modelId);
        spec.provers = new address[](2);
        (spec.provers[0], spec.provers[1]) = (rival, stranger);
        bytes32 jobId = openAs(requester, spec);
        vm.assertTrue(manager.job(jobId).restricted, "restricted");
        vm.assertFalse(manager.isNamed(jobId, prover), "prover");
        vm.assertTrue(manager.isNamed(jobId, rival) && manager.isNamed(jobId, stranger), "named");
        vm.expectRevert(abi.encodeWithSelector(IJobManager.ProverNotNamed.selector, jobId, prover));
        claimAs(prover, jobId);
        claimAs(rival, jobId);
        vm.warp(START + 601);
        vm.expectRevert(abi.encodeWithSelector(IJobManager.ProverNotNamed.selector, jobId, prover));
        reclaimAs(prover, jobId);
        reclaimAs(stranger, jobId);
    }

    function test_claim__stake_too_low_unregistered_or_leaving__refused() external {
        bytes32 jobId = openJob();
        vm.expectRevert();
        claimAs(address(0xF00D), jobId);
        equip(address(0xF00D), COLLATERAL - 1);
        vm.expectRevert(
            abi.encodeWithSelector(IProverRegistry.StakeTooLow.selector, address(0xF00D), COLLATERAL, COLLATERAL - 1)
        );
        claimAs(address(0xF00D), jobId);
        vm.prank(prover);
        provers.requestUnstake(STAKE - COLLATERAL + 1);
        vm.expectRevert(
            abi.encodeWithSelector(IProverRegistry.StakeTooLow.selector, prover, COLLATERAL, COLLATERAL - 1)
        );
        claimAs(prover, jobId);
        assertStatus(jobId, JobStatus.OPEN);
    }

    function test_claim__model_retired_or_circuit_tombstoned_meanwhile__refused() external {
        bytes32 jobId = openJob();
        vm.prank(publisher);
        registry.retire(modelId);
        vm.expectRevert(notProven(modelId, ModelStatus.DEPRECATED));
        claimAs(prover, jobId);
        uint256 other = provenModel(new TripleVerifier(), "letters");
        jobId = openAs(requester, jobSpec(other));
        tombstone(registry.circuitOf(other));
        vm.expectRevert(abi.encodeWithSelector(IJobManager.CircuitRefused.selector, registry.circuitOf(other)));
        claimAs(prover, jobId);
    }

    // --- cancel ---------------------------------------------------------------------------------

    function test_cancel__open_job__event_and_whole_escrow() external {
        bytes32 jobId = openJob();
        vm.expectEmit(address(manager));
        emit IJobManager.JobCancelled(jobId);
        vm.prank(requester);
        manager.cancel(jobId);
        assertStatus(jobId, JobStatus.CANCELLED);
        vm.assertEq(ledger.credits(requester), ESCROW, "credit");
    }

    function test_cancel__by_another__refused() external {
        bytes32 jobId = openJob();
        vm.expectRevert(abi.encodeWithSelector(IJobManager.NotRequester.selector, jobId, stranger, requester));
        vm.prank(stranger);
        manager.cancel(jobId);
    }

    function test_I3_cancel__any_status_but_open__refused() external {
        bytes32 jobId = claimedJob();
        refuseCancel(jobId, JobStatus.CLAIMED);
        settleAs(prover, jobId);
        refuseCancel(jobId, JobStatus.SETTLED);
        jobId = contestedJob();
        refuseCancel(jobId, JobStatus.GRACE);
        vm.warp(manager.job(jobId).claimDeadline + 1);
        refuseCancel(jobId, JobStatus.LATE);
        jobId = openJob();
        vm.prank(requester);
        manager.cancel(jobId);
        refuseCancel(jobId, JobStatus.CANCELLED);
        jobId = openJob();
        vm.warp(block.timestamp + 2 hours);
        refuseCancel(jobId, JobStatus.EXPIRED);
        manager.refund(jobId);
        refuseCancel(jobId, JobStatus.REFUNDED);
        refuseCancel(0, JobStatus.NONE);
    }

    // --- words ----------------------------------------------------------------------------------

    function notProven(uint256 model, ModelStatus status) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IJobManager.ModelNotProven.selector, model, status);
    }

    function refuseCancel(bytes32 jobId, JobStatus status) private {
        vm.expectRevert(wrongStatus(jobId, status));
        vm.prank(requester);
        manager.cancel(jobId);
    }
}
