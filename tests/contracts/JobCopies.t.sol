// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IJobManager, Job, JobSpec, Tab, TabSpec} from "marketplace/src/IJobManager.sol";
import {FeeTerms, ModelCommitment} from "registry/src/IModelRegistry.sol";
import {JobTest} from "tests/contracts/support/JobTest.sol";
import {TripleVerifier} from "tests/contracts/support/VerifierDoubles.sol";
import {PlatformTerms} from "verifier_contracts/src/IProtocolAdmin.sol";

/// @notice What is copied when a job or tab opens, and what is asked again when it is claimed.
contract JobCopiesTest is JobTest {
    function test_I12_admin__every_act_in_flight__alters_no_job_and_no_tab() external {
        bytes32 claimed = claimedJob();
        bytes32 open = openJob();
        bytes32 tabId = openTab();
        bytes memory before = facts(claimed, open, tabId);
        vm.startPrank(timelock);
        admin.setPlatformTerms(PlatformTerms(100_000, 1_000_000));
        admin.setTreasury(stranger);
        admin.setGuardian(stranger);
        admin.addAuditedVerifier(keccak256("code"));
        admin.transferOwnership(stranger);
        vm.stopPrank();
        vm.assertEq(facts(claimed, open, tabId), before, "facts");
        settleAs(prover, claimed);
        assertPaid(prover);
        claimAs(rival, open);
        vm.assertEq(manager.job(open).payment.platformAmount, PLATFORM, "the fee of the day it opened");
    }

    function test_I12_owner__every_act_in_flight__alters_no_job_and_no_tab() external {
        bytes32 claimed = claimedJob();
        bytes32 open = openJob();
        bytes32 tabId = openTab();
        bytes memory before = facts(claimed, open, tabId);
        vm.startPrank(publisher);
        registry.setFeeTerms(modelId, FeeTerms(90_000_000, 80_000_000, 500_000));
        registry.transferFrom(publisher, stranger, modelId);
        vm.stopPrank();
        vm.assertEq(facts(claimed, open, tabId), before, "facts");
        claimAs(rival, open);
        vm.assertEq(manager.job(open).payment.revenue, REVENUE, "the fee of the day it opened");
        vm.prank(stranger);
        registry.retire(modelId);
        settleAs(prover, claimed);
        settleBy(rival, open);
        vm.assertEq(ledger.incomeOf(modelId).revenue, 2 * uint256(REVENUE), "revenue");
        vm.assertEq(ledger.credits(publisher), 0, "nothing was earned before the sale");
    }

    function test_I12_sale__between_two_settlements__past_income_is_the_sellers() external {
        bytes32 first = claimedJob();
        bytes32 second = claimedJob();
        acceptFor(verifier, first, prover);
        settleAs(prover, first);
        vm.prank(publisher);
        registry.transferFrom(publisher, stranger, modelId);
        vm.assertEq(ledger.credits(publisher), REVENUE, "credited with the sale");
        acceptFor(verifier, second, prover);
        settleAs(prover, second);
        ledger.claimOwner(modelId);
        vm.assertEq(ledger.credits(stranger), REVENUE, "the buyer's from then on");
        vm.assertEq(ledger.credits(publisher), REVENUE, "the seller's stays");
    }

    // --- asked at the claim ---------------------------------------------------------------------

    function test_claim__closed_model__needs_a_grant_at_the_claim_and_not_after() external {
        (uint256 closed, TripleVerifier double) = closedModel();
        bytes32 jobId = openAs(requester, jobSpec(closed));
        vm.expectRevert(abi.encodeWithSelector(IJobManager.AccessRefused.selector, closed, prover));
        claimAs(prover, jobId);
        vm.prank(publisher);
        registry.setAccess(closed, prover, true);
        claimAs(prover, jobId);
        vm.prank(publisher);
        registry.setAccess(closed, prover, false);
        acceptFor(double, jobId, prover);
        settleAs(prover, jobId);
        vm.assertEq(ledger.credits(prover), PROVER_FEE, "paid: it was asked at the claim");
        jobId = openAs(requester, jobSpec(closed));
        vm.expectRevert(abi.encodeWithSelector(IJobManager.AccessRefused.selector, closed, prover));
        claimAs(prover, jobId);
        vm.prank(publisher);
        registry.openModel(closed);
        claimAs(prover, jobId);
    }

    function test_reclaim__closed_model__needs_a_grant() external {
        (uint256 closed,) = closedModel();
        vm.prank(publisher);
        registry.setAccess(closed, prover, true);
        bytes32 jobId = openAs(requester, jobSpec(closed));
        claimAs(prover, jobId);
        vm.warp(START + 601);
        vm.expectRevert(abi.encodeWithSelector(IJobManager.AccessRefused.selector, closed, rival));
        reclaimAs(rival, jobId);
    }

    function test_openTab__closed_model__needs_a_grant_when_it_opens_and_not_after() external {
        (uint256 closed,) = closedModel();
        TabSpec memory spec = TabSpec(closed, prover, requester, 100_000_000, START + 1 days);
        vm.expectRevert(abi.encodeWithSelector(IJobManager.AccessRefused.selector, closed, prover));
        vm.prank(requester);
        manager.openTab(spec);
        vm.prank(publisher);
        registry.setAccess(closed, prover, true);
        vm.prank(requester);
        manager.openTab(spec);
    }

    // --- words ----------------------------------------------------------------------------------

    function closedModel() private returns (uint256 closed, TripleVerifier double) {
        double = new TripleVerifier();
        bytes32 circuit = router.add(specOf(address(double), "closed"));
        ModelCommitment memory commitment = commitmentFor(circuit, "closed");
        commitment.keyCommitment = keccak256("key");
        closed = registerModel(commitment);
        prove(closed);
    }

    function openTab() private returns (bytes32) {
        vm.prank(requester);
        return manager.openTab(TabSpec(modelId, prover, requester, 100_000_000, START + 1 days));
    }

    function facts(bytes32 claimed, bytes32 open, bytes32 tabId) private view returns (bytes memory) {
        return abi.encode(manager.job(claimed), manager.job(open), manager.tab(tabId));
    }
}
