// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IJobManager, JobSpec, JobStatus, JobTerms} from "marketplace/src/IJobManager.sol";
import {IProverRegistry} from "registry/src/IProverRegistry.sol";
import {JobTest} from "tests/contracts/support/JobTest.sol";
import {TripleVerifier} from "tests/contracts/support/VerifierDoubles.sol";
import {IVerifierRouter} from "verifier_contracts/src/IVerifierRouter.sol";

/// @notice What gives back: expiry, tombstones, and taking money out when everything else has failed.
contract JobRefundTest is JobTest {
    function test_I11_refund__claimed_and_expired__price_back_and_collateral_forfeited() external {
        bytes32 jobId = claimedJob();
        vm.warp(START + 1 hours + 1);
        assertStatus(jobId, JobStatus.EXPIRED);
        vm.expectEmit(address(manager));
        emit IJobManager.JobRefunded(jobId, requester, PRICE, COLLATERAL);
        vm.prank(stranger);
        manager.refund(jobId);
        assertStatus(jobId, JobStatus.REFUNDED);
        vm.assertEq(ledger.credits(requester), ESCROW, "price and left-over, and nothing of the forfeit");
        assertNothingEarned();
        assertStake(prover, STAKE - COLLATERAL, 0);
        assertForfeits(600_500, 600_500);
    }

    function test_I11_refund__never_claimed__whole_escrow_and_nothing_forfeited() external {
        bytes32 jobId = openJob();
        vm.warp(START + 1 hours + 1);
        vm.expectEmit(address(manager));
        emit IJobManager.JobRefunded(jobId, requester, ESCROW, 0);
        manager.refund(jobId);
        vm.assertEq(ledger.credits(requester), ESCROW, "escrow");
        assertForfeits(0, 0);
    }

    function test_I3_refund__any_status_but_expired__refused() external {
        bytes32 jobId = openJob();
        refuseRefund(jobId, JobStatus.OPEN);
        claimAs(prover, jobId);
        refuseRefund(jobId, JobStatus.CLAIMED);
        vm.warp(START + 601);
        refuseRefund(jobId, JobStatus.LATE);
        reclaimAs(rival, jobId);
        refuseRefund(jobId, JobStatus.GRACE);
        vm.warp(START + 1 hours);
        refuseRefund(jobId, JobStatus.LATE);
        settleBy(rival, jobId);
        vm.warp(START + 2 hours);
        refuseRefund(jobId, JobStatus.SETTLED);
        jobId = openJob();
        vm.prank(requester);
        manager.cancel(jobId);
        vm.warp(START + 4 hours);
        refuseRefund(jobId, JobStatus.CANCELLED);
        jobId = openJob();
        vm.warp(START + 6 hours);
        manager.refund(jobId);
        refuseRefund(jobId, JobStatus.REFUNDED);
        refuseRefund(0, JobStatus.NONE);
    }

    // --- tombstones -----------------------------------------------------------------------------

    function test_I11_tombstone__claimed_job__cannot_settle_and_gives_all_back_at_once() external {
        bytes32 jobId = claimedJob();
        tombstone(circuitId);
        vm.expectRevert(abi.encodeWithSelector(IVerifierRouter.CircuitIsTombstoned.selector, circuitId));
        settleAs(prover, jobId);
        vm.expectEmit(address(manager));
        emit IJobManager.JobRefunded(jobId, requester, PRICE, 0);
        manager.refund(jobId);
        vm.assertEq(ledger.credits(requester), ESCROW, "price");
        assertStake(prover, STAKE, 0);
        assertForfeits(0, 0);
    }

    function test_I11_tombstone__contested_job__gives_both_claimers_their_collateral() external {
        bytes32 inGrace = contestedJob();
        tombstone(circuitId);
        vm.expectRevert(abi.encodeWithSelector(IVerifierRouter.CircuitIsTombstoned.selector, circuitId));
        settleAs(prover, inGrace);
        manager.refund(inGrace);
        assertStake(prover, STAKE, 0);
        assertStake(rival, STAKE, 0);
        assertForfeits(0, 0);
        vm.assertEq(ledger.credits(requester), ESCROW, "price");
    }

    function test_I11_tombstone__open_late_and_expired_jobs__whole_and_without_forfeit() external {
        bytes32 late = claimedJob();
        bytes32 expired = claimedJob();
        bytes32 open = openJob();
        tombstone(circuitId);
        manager.refund(open);
        vm.warp(START + 601);
        manager.refund(late);
        vm.warp(START + 2 hours);
        manager.refund(expired);
        assertStake(prover, STAKE, 0);
        assertForfeits(0, 0);
        vm.assertEq(ledger.credits(requester), 3 * uint256(ESCROW), "all of it");
    }

    function test_tombstone__late_job__cannot_be_taken_over() external {
        bytes32 jobId = lateJob();
        tombstone(circuitId);
        vm.expectRevert(abi.encodeWithSelector(IJobManager.CircuitRefused.selector, circuitId));
        reclaimAs(rival, jobId);
    }

    function test_I12_tombstone__of_another_circuit__changes_nothing() external {
        bytes32 jobId = claimedJob();
        uint256 other = provenModel(new TripleVerifier(), "letters");
        tombstone(registry.circuitOf(other));
        refuseRefund(jobId, JobStatus.CLAIMED);
        settleAs(prover, jobId);
        assertPaid(prover);
    }

    function test_I3_tombstone__after_the_ending__ends_nothing_again() external {
        bytes32 settled = claimedJob();
        settleAs(prover, settled);
        tombstone(circuitId);
        refuseRefund(settled, JobStatus.SETTLED);
        assertPaid(prover);
    }

    // --- when everything else has failed --------------------------------------------------------

    function test_I13_refund_and_cancel__verifier_registry_lineage_and_token_gone__all_comes_out() external {
        bytes32 contested = contestedJob();
        bytes32 open = openJob();
        // The router stays: it has no owner and no way to end, and says that a circuit is tombstoned.
        vm.etch(address(verifier), hex"fe");
        vm.etch(address(registry), hex"fe");
        vm.etch(address(lineage), hex"fe");
        bytes memory tokenCode = address(token).code;
        vm.etch(address(token), hex"fe");
        vm.prank(requester);
        manager.cancel(open);
        vm.warp(START + 1 hours + 1);
        manager.refund(contested);
        vm.etch(address(token), tokenCode);
        vm.prank(requester);
        ledger.withdraw(requester);
        provers.burnForfeits();
        provers.collectForfeits();
        vm.assertEq(token.balanceOf(address(ledger)), 0, "the bank is empty");
        vm.assertEq(token.balanceOf(BURN_ADDRESS), 1_201_000, "half of both collaterals burned");
        vm.assertEq(token.balanceOf(treasury), 1_201_000, "half collected");
        vm.assertEq(token.balanceOf(address(provers)), 3 * uint256(STAKE) - 2 * COLLATERAL, "stakes that are left");
    }

    /// @dev Terms allow collateral up to the whole price, and prices up to the width of an amount.
    function test_I13_refund__contested_at_the_greatest_collateral__not_locked_in() external {
        JobTerms memory terms = defaultTerms();
        terms.collateralPpm = 1_000_000;
        deployOn(address(token), terms);
        modelId = provenModel(new TripleVerifier(), "dear");
        JobSpec memory spec = jobSpec(modelId);
        spec.maxTotal = type(uint80).max;
        spec.minProverFee = spec.maxProverFee = type(uint80).max / 100 * 85;
        fund(requester, spec.maxTotal);
        equip(prover, type(uint80).max);
        equip(rival, type(uint80).max);
        bytes32 jobId = openAs(requester, spec);
        claimAs(prover, jobId);
        vm.warp(START + 601);
        reclaimAs(rival, jobId);
        vm.warp(START + 2 hours);
        manager.refund(jobId);
        assertStatus(jobId, JobStatus.REFUNDED);
    }

    function test_I13_stake__of_a_prover_with_no_claim_left__comes_out_after_the_delay() external {
        bytes32 jobId = claimedJob();
        settleAs(prover, jobId);
        vm.prank(prover);
        provers.requestUnstake(STAKE);
        vm.expectPartialRevert(IProverRegistry.NothingToUnstake.selector);
        vm.prank(prover);
        provers.unstake(prover);
        vm.warp(block.timestamp + UNSTAKE_SECONDS);
        vm.prank(prover);
        provers.unstake(prover);
        vm.assertEq(token.balanceOf(prover), STAKE, "stake");
    }

    function refuseRefund(bytes32 jobId, JobStatus status) private {
        vm.expectRevert(wrongStatus(jobId, status));
        manager.refund(jobId);
    }
}
