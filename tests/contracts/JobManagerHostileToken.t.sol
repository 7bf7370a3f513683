// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IJobManager} from "marketplace/src/IJobManager.sol";
import {JobManager} from "marketplace/src/JobManager.sol";
import {Market} from "tests/contracts/support/Market.sol";
import {FeeToken, LyingToken, ReentrantToken} from "tests/contracts/support/TokenDoubles.sol";
import {TripleVerifier} from "tests/contracts/support/VerifierDoubles.sol";

contract JobManagerHostileTokenTest is Market {
    uint256 private constant FEE = 50_000_000;

    TripleVerifier private verifier = new TripleVerifier();
    uint256 private modelId;

    function setUp() external {
        deployMarket();
        modelId = provenModel(verifier, "digits");
    }

    function test_I1_open__fee_on_transfer_token__refused() external {
        FeeToken taxed = new FeeToken();
        useToken(address(taxed));
        taxed.mint(requester, FEE);
        approve(requester);
        vm.expectRevert(abi.encodeWithSelector(IJobManager.ReceivedAmountMismatch.selector, FEE, FEE - FEE / 100));
        openAs(requester, jobSpec(modelId));
    }

    function test_I1_open__token_that_says_it_paid__refused() external {
        useToken(address(new LyingToken()));
        vm.expectRevert(abi.encodeWithSelector(IJobManager.ReceivedAmountMismatch.selector, FEE, 0));
        openAs(requester, jobSpec(modelId));
    }

    function test_I1_open__token_without_code_any_more__refused() external {
        vm.etch(address(token), "");
        vm.expectRevert();
        openAs(requester, jobSpec(modelId));
    }

    function test_I1_withdraw__token_refuses__credit_stays() external {
        fund(requester, FEE);
        bytes32 jobId = openAs(requester, jobSpec(modelId));
        vm.prank(requester);
        manager.cancel(jobId);
        bytes memory code = address(token).code;
        vm.etch(address(token), hex"60006000fd");
        vm.expectRevert();
        vm.prank(requester);
        manager.withdraw();
        vm.etch(address(token), code);
        vm.assertEq(manager.credits(requester), FEE, "credit");
        vm.prank(requester);
        manager.withdraw();
    }

    function test_I1_every_move__reentered_from_the_token__refused() external {
        ReentrantToken reentrant = new ReentrantToken();
        useToken(address(reentrant));
        reentrant.mint(requester, 10 * FEE);
        reentrant.mint(prover, FEE);
        approve(requester);
        approve(prover);
        bytes32 open = openAs(requester, jobSpec(modelId));
        bytes[7] memory moves = [
            abi.encodeCall(manager.open, (jobSpec(modelId), INPUT)),
            abi.encodeCall(manager.claim, (open)),
            abi.encodeCall(manager.settle, (open, INPUT, OUTPUT, PROOF)),
            abi.encodeCall(manager.cancel, (open)),
            abi.encodeCall(manager.refund, (open)),
            abi.encodeCall(manager.withdraw, ()),
            abi.encodeCall(manager.burnForfeits, ())
        ];
        for (uint256 i; i < moves.length; ++i) {
            reentrant.arm(address(manager), moves[i]);
            openAs(requester, jobSpec(modelId));
            vm.assertEq(
                reentrant.lastRevert(),
                abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector),
                "the guard stopped it"
            );
        }
        // The same from a claim, a withdrawal and a burn.
        reentrant.arm(address(manager), abi.encodeCall(manager.cancel, (open)));
        claimAs(prover, open);
        vm.warp(block.timestamp + 2 hours);
        manager.refund(open);
        reentrant.arm(address(manager), abi.encodeCall(manager.withdraw, ()));
        vm.prank(requester);
        manager.withdraw();
        manager.burnForfeits();
        vm.assertEq(reentrant.succeeded(), 0, "no call came through");
        vm.assertEq(reentrant.balanceOf(address(manager)), 7 * FEE, "seven open jobs are still covered");
    }

    function test_I1_donation__is_never_counted_nor_paid_out() external {
        fund(requester, FEE);
        token.mint(address(manager), 12345);
        bytes32 jobId = openAs(requester, jobSpec(modelId));
        vm.prank(requester);
        manager.cancel(jobId);
        vm.prank(requester);
        manager.withdraw();
        vm.assertEq(token.balanceOf(requester), FEE, "the fee and no more");
        vm.assertEq(token.balanceOf(address(manager)), 12345, "the donation is nobody's");
        vm.expectRevert(abi.encodeWithSelector(IJobManager.NothingToBurn.selector));
        manager.burnForfeits();
    }

    function useToken(address hostile) private {
        manager = new JobManager(registry, IERC20(hostile), defaultTerms());
    }

    function approve(address account) private {
        IERC20 money = manager.token();
        vm.prank(account);
        money.approve(address(manager), type(uint256).max);
    }
}
