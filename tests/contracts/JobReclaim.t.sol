// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IJobManager, Job, JobSpec, JobStatus} from "marketplace/src/IJobManager.sol";
import {IProverRegistry} from "registry/src/IProverRegistry.sol";
import {JobTest} from "tests/contracts/support/JobTest.sol";

/// @notice Late claims: who may take them over, who may settle when, and who forfeits what.
contract JobReclaimTest is JobTest {
    uint256 private constant REST_TREASURY = 300_250;
    uint256 private constant REST_BURN = 300_250;
    /// @dev A forfeit without bonus halves whole.
    uint256 private constant HALF = 600_500;

    function test_reclaim__late_job__price_kept_and_both_stakes_locked() external {
        bytes32 jobId = lateJob();
        Job memory before = manager.job(jobId);
        vm.expectEmit(address(manager));
        emit IJobManager.JobReclaimed(jobId, rival, prover, START + 601 + 600, START + 601 + 36);
        reclaimAs(rival, jobId);
        Job memory facts = manager.job(jobId);
        vm.assertEq(abi.encode(facts.payment), abi.encode(before.payment), "the price stays");
        vm.assertEq(facts.prover, rival, "prover");
        vm.assertEq(facts.previousProver, prover, "previous prover");
        vm.assertEq(facts.claimDeadline, START + 601 + 600, "a full claim period");
        vm.assertEq(facts.graceEndsAt, START + 601 + 36, "grace");
        assertStatus(jobId, JobStatus.GRACE);
        assertStake(prover, STAKE - COLLATERAL, COLLATERAL);
        assertStake(rival, STAKE - COLLATERAL, COLLATERAL);
        assertForfeits(0, 0);
        vm.assertEq(ledger.credits(requester), ESCROW - PRICE, "nothing new is left over");
        assertNothingEarned();
    }

    function test_reclaim__any_status_but_late__refused() external {
        bytes32 jobId = openJob();
        refuseReclaim(rival, jobId, JobStatus.OPEN);
        claimAs(prover, jobId);
        vm.warp(manager.job(jobId).claimDeadline);
        refuseReclaim(rival, jobId, JobStatus.CLAIMED);
        vm.warp(block.timestamp + 1);
        reclaimAs(rival, jobId);
        refuseReclaim(stranger, jobId, JobStatus.GRACE);
        vm.warp(block.timestamp + 37);
        refuseReclaim(stranger, jobId, JobStatus.CLAIMED);
        settleBy(rival, jobId);
        refuseReclaim(stranger, jobId, JobStatus.SETTLED);
        jobId = openJob();
        vm.warp(block.timestamp + 2 hours);
        refuseReclaim(stranger, jobId, JobStatus.EXPIRED);
        refuseReclaim(stranger, 0, JobStatus.NONE);
    }

    function test_reclaim__by_the_late_claimer_itself__refused() external {
        bytes32 jobId = lateJob();
        vm.expectRevert(abi.encodeWithSelector(IJobManager.AlreadyClaimant.selector, jobId, prover));
        reclaimAs(prover, jobId);
    }

    function test_reclaim__less_than_a_full_claim_period_left__refused() external {
        bytes32 jobId = claimedJob();
        vm.warp(START + 3001);
        vm.expectRevert(
            abi.encodeWithSelector(IJobManager.TooLateToReclaim.selector, jobId, uint256(START) + 3601, START + 1 hours)
        );
        reclaimAs(rival, jobId);
        vm.warp(START + 3000);
        reclaimAs(rival, jobId);
        vm.assertEq(manager.job(jobId).claimDeadline, START + 1 hours, "to the second");
    }

    function test_reclaim__without_stake__refused_and_nothing_changes() external {
        bytes32 jobId = lateJob();
        bytes memory before = abi.encode(manager.job(jobId));
        equip(address(0xF00D), COLLATERAL - 1);
        vm.expectRevert(
            abi.encodeWithSelector(IProverRegistry.StakeTooLow.selector, address(0xF00D), COLLATERAL, COLLATERAL - 1)
        );
        reclaimAs(address(0xF00D), jobId);
        vm.assertEq(abi.encode(manager.job(jobId)), before, "facts");
    }

    function test_reclaim__model_retired_or_circuit_tombstoned__refused_and_the_claimer_settles_all_the_same()
        external
    {
        bytes32 jobId = lateJob();
        vm.prank(publisher);
        registry.retire(modelId);
        vm.expectPartialRevert(IJobManager.ModelNotProven.selector);
        reclaimAs(rival, jobId);
        settleAs(prover, jobId);
        assertPaid(prover);
    }

    // --- grace ----------------------------------------------------------------------------------

    function test_I15_settle__in_grace__previous_claimer_alone_and_nobody_forfeits() external {
        bytes32 jobId = contestedJob();
        acceptFor(verifier, jobId, rival);
        vm.warp(manager.job(jobId).graceEndsAt);
        vm.expectRevert(notClaimant(jobId, rival, prover));
        settleAs(rival, jobId);
        settleAs(prover, jobId);
        assertStatus(jobId, JobStatus.SETTLED);
        assertPaid(prover);
        assertStake(prover, STAKE, 0);
        assertStake(rival, STAKE, 0);
        assertForfeits(0, 0);
    }

    function test_I15_settle__after_the_grace__new_claimer_alone_and_the_previous_forfeits() external {
        bytes32 jobId = contestedJob();
        vm.warp(manager.job(jobId).graceEndsAt + 1);
        assertStatus(jobId, JobStatus.CLAIMED);
        vm.expectRevert(notClaimant(jobId, prover, rival));
        settleAs(prover, jobId);
        acceptFor(verifier, jobId, rival);
        vm.expectEmit(address(provers));
        emit IProverRegistry.CollateralForfeited(prover, COLLATERAL, rival, BONUS, uint80(REST_TREASURY));
        settleAs(rival, jobId);
        assertPaid(rival);
        assertStake(prover, STAKE - COLLATERAL, 0);
        assertStake(rival, STAKE + BONUS, 0);
        assertForfeits(REST_BURN, REST_TREASURY);
        vm.assertEq(ledger.credits(requester), ESCROW - PRICE, "nothing of the forfeit is the requester's");
        vm.assertLe(uint256(BONUS) * 2, COLLATERAL, "at most half");
    }

    function test_settle__new_claimer_late_and_not_replaced__paid_with_the_bonus() external {
        bytes32 jobId = contestedJob();
        vm.warp(manager.job(jobId).claimDeadline + 1);
        assertStatus(jobId, JobStatus.LATE);
        settleBy(rival, jobId);
        assertPaid(rival);
        assertStake(rival, STAKE + BONUS, 0);
        assertStake(prover, STAKE - COLLATERAL, 0);
    }

    function test_reclaim__second_time__finalises_the_first_forfeit_without_bonus() external {
        bytes32 jobId = contestedJob();
        vm.warp(manager.job(jobId).claimDeadline + 1);
        reclaimAs(stranger, jobId);
        assertStake(prover, STAKE - COLLATERAL, 0);
        assertStake(rival, STAKE - COLLATERAL, COLLATERAL);
        assertStake(stranger, STAKE - COLLATERAL, COLLATERAL);
        assertForfeits(COLLATERAL - HALF, HALF);
        vm.assertEq(manager.job(jobId).previousProver, rival, "one previous claimer");
        // The second one is in its grace now.
        settleBy(rival, jobId);
        assertPaid(rival);
        assertStake(rival, STAKE, 0);
        assertStake(stranger, STAKE, 0);
        assertForfeits(COLLATERAL - HALF, HALF);
    }

    function test_reclaim__by_the_one_who_was_replaced__may_after_the_next_is_late() external {
        bytes32 jobId = contestedJob();
        vm.warp(manager.job(jobId).claimDeadline + 1);
        reclaimAs(prover, jobId);
        // Its first collateral is gone, its second is locked.
        assertStake(prover, STAKE - 2 * COLLATERAL, COLLATERAL);
        assertForfeits(COLLATERAL - HALF, HALF);
        vm.warp(block.timestamp + 37);
        settleBy(prover, jobId);
        assertPaid(prover);
        assertStake(prover, STAKE - COLLATERAL + BONUS, 0);
        assertStake(rival, STAKE - COLLATERAL, 0);
    }

    function test_I11_refund__contested_and_expired__both_forfeit_without_bonus() external {
        bytes32 jobId = contestedJob();
        vm.warp(START + 1 hours + 1);
        vm.expectEmit(address(manager));
        emit IJobManager.JobRefunded(jobId, requester, PRICE, 2 * COLLATERAL);
        manager.refund(jobId);
        assertStake(prover, STAKE - COLLATERAL, 0);
        assertStake(rival, STAKE - COLLATERAL, 0);
        assertForfeits(2 * (COLLATERAL - HALF), 2 * HALF);
        vm.assertEq(ledger.credits(requester), ESCROW, "price and left-over, no forfeit");
    }

    function testFuzz_I11_reclaim__any_time__one_payee_at_any_moment(uint256 wait, uint256 later) external {
        bytes32 jobId = lateJob();
        vm.warp(block.timestamp + within(wait, 0, 2399));
        reclaimAs(rival, jobId);
        Job memory facts = manager.job(jobId);
        vm.warp(block.timestamp + within(later, 0, 3000));
        acceptFor(verifier, jobId, rival);
        uint256 paid = 0;
        if (trySettle(prover, jobId)) {
            ++paid;
            vm.assertLe(block.timestamp, facts.graceEndsAt, "the previous claimer in its grace");
        }
        if (trySettle(rival, jobId)) {
            ++paid;
            vm.assertLt(facts.graceEndsAt, block.timestamp, "the new one after it");
        }
        vm.assertEq(paid, block.timestamp <= facts.deadline ? 1 : 0, "exactly one, until the deadline");
    }

    function testFuzz_I11_forfeit__any_price__never_more_than_locked_and_bonus_at_most_half(uint80 fee) external {
        fee = uint80(within(fee, 1, 500_000_000));
        JobSpec memory spec = jobSpec(modelId);
        (spec.minProverFee, spec.maxProverFee, spec.maxTotal) = (fee, fee, 2 * fee + 10_000_000);
        fund(requester, spec.maxTotal);
        bytes32 jobId = openAs(requester, spec);
        claimAs(prover, jobId);
        uint256 locked = provers.stakeOf(prover).locked;
        vm.warp(manager.job(jobId).claimDeadline + 1);
        reclaimAs(rival, jobId);
        vm.warp(block.timestamp + 37);
        settleBy(rival, jobId);
        uint256 bonus = provers.stakeOf(rival).free - STAKE;
        (uint256 burning, uint256 collectable) = provers.forfeits();
        vm.assertEq(bonus + burning + collectable, locked, "all of it, and no more");
        vm.assertLe(2 * bonus, locked, "bonus");
        assertStake(prover, STAKE - locked, 0);
    }

    function trySettle(address payee, bytes32 jobId) private returns (bool) {
        vm.prank(payee, payee);
        try manager.settle(jobId, INPUT, OUTPUT, PROOF) {
            return true;
        } catch {
            return false;
        }
    }

    function refuseReclaim(address account, bytes32 jobId, JobStatus status) private {
        vm.expectRevert(wrongStatus(jobId, status));
        reclaimAs(account, jobId);
    }
}
