// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {JobSpec, Settlement, SignedRequest, TabSpec} from "marketplace/src/IJobManager.sol";
import {IRevenueLedger} from "marketplace/src/IRevenueLedger.sol";
import {IProverRegistry} from "registry/src/IProverRegistry.sol";
import {JobTest} from "tests/contracts/support/JobTest.sol";
import {FeeToken, LyingToken, ReentrantToken} from "tests/contracts/support/TokenDoubles.sol";
import {TripleVerifier} from "tests/contracts/support/VerifierDoubles.sol";

/// @notice Tokens that deliver less, lie, refuse or call back, and what they reach: nothing.
contract JobManagerHostileTokenTest is JobTest {
    function test_I1_open__fee_on_transfer_token__refused() external {
        FeeToken taxed = new FeeToken();
        useToken(address(taxed));
        taxed.mint(requester, ESCROW);
        uint256 received = ESCROW - ESCROW / 100;
        approveLedger(requester);
        refuseOpen(
            jobSpec(modelId),
            INPUT,
            abi.encodeWithSelector(IRevenueLedger.ReceivedAmountMismatch.selector, uint256(ESCROW), received)
        );
    }

    function test_I1_open__token_that_says_it_paid__refused() external {
        useToken(address(new LyingToken()));
        refuseOpen(
            jobSpec(modelId),
            INPUT,
            abi.encodeWithSelector(IRevenueLedger.ReceivedAmountMismatch.selector, uint256(ESCROW), 0)
        );
    }

    function test_I1_stake__fee_on_transfer_or_lying_token__refused() external {
        FeeToken taxed = new FeeToken();
        useToken(address(taxed));
        taxed.mint(prover, 1000);
        vm.startPrank(prover);
        taxed.approve(address(provers), 1000);
        provers.register("", new bytes4[](1));
        vm.expectRevert(abi.encodeWithSelector(IProverRegistry.ReceivedAmountMismatch.selector, 1000, 990));
        provers.stake(prover, 1000);
        vm.stopPrank();
        useToken(address(new LyingToken()));
        vm.startPrank(prover);
        provers.register("", new bytes4[](1));
        vm.expectRevert(abi.encodeWithSelector(IProverRegistry.ReceivedAmountMismatch.selector, 1000, 0));
        provers.stake(prover, 1000);
        vm.stopPrank();
    }

    function test_I1_open__token_without_code_any_more__refused() external {
        JobSpec memory spec = jobSpec(modelId);
        vm.etch(address(token), "");
        vm.expectRevert();
        openAs(requester, spec);
    }

    function test_I1_withdraw__token_refuses__credit_stays() external {
        bytes32 jobId = openJob();
        vm.prank(requester);
        manager.cancel(jobId);
        bytes memory code = address(token).code;
        vm.etch(address(token), hex"60006000fd");
        vm.expectRevert();
        vm.prank(requester);
        ledger.withdraw(requester);
        vm.etch(address(token), code);
        vm.assertEq(ledger.credits(requester), ESCROW, "credit");
        vm.prank(requester);
        ledger.withdraw(requester);
    }

    /// @dev Settling and refunding touch no token at all, so a hostile one cannot stop them.
    function test_I13_settle_and_refund__token_that_refuses_everything__go_through() external {
        bytes32 settled = claimedJob();
        bytes32 refunded = claimedJob();
        vm.etch(address(token), hex"60006000fd");
        acceptFor(verifier, settled, prover);
        settleAs(prover, settled);
        vm.warp(START + 2 hours);
        manager.refund(refunded);
        assertPaid(prover);
    }

    function test_I1_every_move__reentered_from_the_token__refused() external {
        ReentrantToken reentrant = new ReentrantToken();
        useToken(address(reentrant));
        reentrant.mint(requester, 100 * uint256(ESCROW));
        reentrant.mint(prover, 2 * uint256(STAKE));
        approveLedger(requester);
        enlist(prover, STAKE);
        bytes32 jobId = openJob();
        (address[] memory targets, bytes[] memory moves) = guardedMoves(jobId);
        for (uint256 i; i < moves.length; ++i) {
            reentrant.arm(targets[i], moves[i]);
            openJob();
            vm.assertEq(
                reentrant.lastRevert(),
                abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector),
                "the guard stopped it"
            );
        }
        // From a withdrawal the bank itself is shut; whatever else is called finds its books in order.
        vm.prank(requester);
        manager.cancel(jobId);
        reentrant.arm(address(ledger), abi.encodeCall(ledger.withdraw, (stranger)));
        vm.prank(requester);
        ledger.withdraw(requester);
        vm.assertEq(reentrant.succeeded(), 0, "no call came through");
        vm.assertEq(
            reentrant.balanceOf(address(ledger)), moves.length * uint256(ESCROW), "the open jobs are still covered"
        );
    }

    function test_I1_withdraw_and_unstake__reentered_by_their_receiver__paid_once() external {
        ReentrantToken reentrant = new ReentrantToken();
        useToken(address(reentrant));
        // The token itself is prover and requester, so that what it calls back is in its own name.
        address self = address(reentrant);
        reentrant.mint(self, 2 * uint256(STAKE));
        approveLedger(self);
        enlist(self, STAKE);
        bytes32 jobId = openAs(self, jobSpec(modelId));
        vm.startPrank(self);
        manager.cancel(jobId);
        provers.requestUnstake(STAKE);
        vm.warp(block.timestamp + UNSTAKE_SECONDS);
        reentrant.arm(address(ledger), abi.encodeCall(ledger.withdraw, (self)));
        ledger.withdraw(self);
        reentrant.arm(address(provers), abi.encodeCall(provers.unstake, (self)));
        provers.unstake(self);
        vm.stopPrank();
        vm.assertEq(reentrant.succeeded(), 0, "once each");
        vm.assertEq(reentrant.balanceOf(self), 2 * uint256(STAKE), "what it had, and no more");
    }

    function test_I1_donation__is_never_counted_nor_paid_out() external {
        token.mint(address(ledger), 12345);
        token.mint(address(provers), 54321);
        token.mint(address(manager), 1);
        uint256 before = token.balanceOf(requester);
        bytes32 jobId = openJob();
        vm.prank(requester);
        manager.cancel(jobId);
        vm.prank(requester);
        ledger.withdraw(requester);
        vm.assertEq(token.balanceOf(requester), before, "the escrow and no more");
        vm.assertEq(token.balanceOf(address(ledger)), 12345, "the donation is nobody's");
        vm.expectRevert(abi.encodeWithSelector(IProverRegistry.NothingForfeited.selector));
        provers.burnForfeits();
    }

    function test_I1_bank_and_stakes__moved_by_another_than_the_manager__refused() external {
        bytes32 jobId = claimedJob();
        address[3] memory callers = [prover, requester, timelock];
        for (uint256 i; i < callers.length; ++i) {
            vm.startPrank(callers[i]);
            vm.expectPartialRevert(IRevenueLedger.NotAllowed.selector);
            ledger.credit(callers[i], 1);
            vm.expectPartialRevert(IRevenueLedger.NotAllowed.selector);
            ledger.settle(modelId, callers[i], 1, 1, 1);
            vm.expectPartialRevert(IRevenueLedger.NotAllowed.selector);
            ledger.pull(requester, 1);
            vm.expectPartialRevert(IProverRegistry.NotJobManager.selector);
            provers.lock(prover, 1);
            vm.expectPartialRevert(IProverRegistry.NotJobManager.selector);
            provers.release(prover, COLLATERAL);
            vm.expectPartialRevert(IProverRegistry.NotJobManager.selector);
            provers.forfeit(prover, COLLATERAL, callers[i], COLLATERAL / 2, 0);
            vm.stopPrank();
        }
        acceptFor(verifier, jobId, prover);
        settleAs(prover, jobId);
    }

    // --- words ----------------------------------------------------------------------------------

    function guardedMoves(bytes32 jobId) private view returns (address[] memory targets, bytes[] memory moves) {
        moves = new bytes[](11);
        SignedRequest memory request;
        moves[0] = abi.encodeCall(manager.open, (jobSpec(modelId), INPUT));
        moves[1] = abi.encodeCall(manager.claim, (jobId));
        moves[2] = abi.encodeCall(manager.reclaim, (jobId));
        moves[3] = abi.encodeCall(manager.settle, (jobId, INPUT, OUTPUT, PROOF));
        moves[4] = abi.encodeCall(manager.settleMany, (new Settlement[](1)));
        moves[5] = abi.encodeCall(manager.settleBatch, (new bytes32[](1), circuitId, INPUT, OUTPUT, PROOF));
        moves[6] = abi.encodeCall(manager.cancel, (jobId));
        moves[7] = abi.encodeCall(manager.refund, (jobId));
        moves[8] = abi.encodeCall(manager.openTab, (TabSpec(modelId, prover, requester, 1, START + 1 days)));
        moves[9] = abi.encodeCall(manager.settleSigned, (request, "", INPUT, OUTPUT, PROOF));
        moves[10] = abi.encodeCall(manager.closeTab, (jobId));
        targets = new address[](11);
        for (uint256 i; i < 11; ++i) {
            targets[i] = address(manager);
        }
    }

    /// @dev The same market on another token, with a model of its own.
    function useToken(address hostile) private {
        deployOn(hostile, defaultTerms());
        verifier = new TripleVerifier();
        modelId = provenModel(verifier, "digits");
        circuitId = registry.circuitOf(modelId);
        IERC20 money = ledger.token();
        vm.assertEq(address(money), hostile, "the market is on it");
    }
}
