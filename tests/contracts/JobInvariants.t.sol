// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Job, JobStatus} from "marketplace/src/IJobManager.sol";
import {JobManager} from "marketplace/src/JobManager.sol";
import {LocalPaymentToken} from "marketplace/src/LocalPaymentToken.sol";
import {JobHandler} from "tests/contracts/support/JobHandler.sol";
import {Specification} from "tests/contracts/support/Specification.sol";

/// @notice What holds after any sequence of moves; the numbers are those of INVARIANTS.md.
contract JobInvariantsTest is Specification {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    address private constant BURN_ADDRESS = 0x000000000000000000000000000000000000dEaD;

    JobHandler private handler;
    JobManager private manager;
    LocalPaymentToken private token;

    function setUp() external {
        handler = new JobHandler();
        (manager, token,,) = handler.contracts();
    }

    /// @dev Forge reads these two: the handler's moves are the only calls.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[] memory selectors = new bytes4[](8);
        selectors[0] = handler.open.selector;
        selectors[1] = handler.claim.selector;
        selectors[2] = handler.settle.selector;
        selectors[3] = handler.cancel.selector;
        selectors[4] = handler.refund.selector;
        selectors[5] = handler.takeOut.selector;
        selectors[6] = handler.passTime.selector;
        selectors[7] = handler.disturb.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(handler), selectors);
    }

    function invariant_I1_conservation() external view {
        uint256 owed = handler.locked() + manager.forfeits();
        for (uint256 i; i < handler.ACTORS(); ++i) {
            owed += manager.credits(handler.actors(i));
        }
        vm.assertEq(token.balanceOf(address(manager)), owed + handler.donated(), "every token held is owed or donated");
    }

    function invariant_I2_no_credit_without_accepted_proof() external view {
        for (uint256 i; i < handler.ACTORS(); ++i) {
            address actor = handler.actors(i);
            vm.assertEq(
                manager.credits(actor) + handler.withdrawn(actor),
                handler.earned(actor),
                "credited: accepted proofs and money given back, and nothing else"
            );
        }
    }

    function invariant_I3_one_terminal_status() external view {
        for (uint256 i; i < handler.jobCount(); ++i) {
            bytes32 jobId = handler.jobIds(i);
            JobHandler.Book memory book = handler.bookOf(jobId);
            vm.assertLe(book.endings, 1, "endings of one job");
            vm.assertEq(uint256(manager.job(jobId).outcome), uint256(book.outcome), "outcome");
            vm.assertEq(uint256(manager.statusOf(jobId)), uint256(expectedStatus(book)), "status");
        }
    }

    function invariant_I5_no_forbidden_move_went_through() external view {
        vm.assertEq(handler.broken(), "", "move");
    }

    function invariant_I11_forfeits_only_of_claimed_and_expired_jobs() external view {
        vm.assertEq(manager.forfeits() + token.balanceOf(BURN_ADDRESS), handler.forfeited(), "forfeits");
        vm.assertEq(token.balanceOf(BURN_ADDRESS), handler.burned(), "burned");
    }

    function invariant_I12_terms_of_a_job_never_change() external view {
        for (uint256 i; i < handler.jobCount(); ++i) {
            vm.assertTrue(handler.termsStand(handler.jobIds(i)), "terms");
        }
    }

    /// @dev Forge throws away what an invariant writes, so the world may be ruined here.
    function invariant_I13_liveness() external {
        handler.ruin();
        vm.warp(block.timestamp + 31 days);
        for (uint256 i; i < handler.jobCount(); ++i) {
            bytes32 jobId = handler.jobIds(i);
            if (manager.statusOf(jobId) == JobStatus.EXPIRED) manager.refund(jobId);
        }
        for (uint256 i; i < handler.ACTORS(); ++i) {
            address actor = handler.actors(i);
            if (manager.credits(actor) == 0) continue;
            vm.prank(actor);
            manager.withdraw();
        }
        if (manager.forfeits() != 0) manager.burnForfeits();
        vm.assertEq(token.balanceOf(address(manager)), handler.donated(), "all escrow is out");
    }

    function invariant_I14_entries_never_change() external view {
        vm.assertTrue(handler.entriesStand(), "entries");
    }

    function invariant_I18_copies_fit_their_widths() external view {
        for (uint256 i; i < handler.jobCount(); ++i) {
            bytes32 jobId = handler.jobIds(i);
            Job memory facts = manager.job(jobId);
            JobHandler.Book memory book = handler.bookOf(jobId);
            vm.assertEq(facts.fee, book.fee, "fee");
            vm.assertEq(facts.collateral, book.collateral, "collateral");
            vm.assertEq(facts.deadline, book.deadline, "deadline");
        }
    }

    /// @dev The handler would prove nothing if its honest moves never came through.
    function test_handler__honest_moves__reach_every_outcome() external {
        for (uint256 i; i < 4; ++i) {
            handler.open(i, i, 100, 1 hours, i == 0);
        }
        handler.claim(4, 0, 0);
        handler.settle(4, 0, 0, 0, true);
        handler.cancel(1, 1, true);
        handler.claim(4, 0, 2);
        vm.warp(block.timestamp + 31 days);
        handler.refund(0, 2);
        JobStatus[4] memory expected = [JobStatus.SETTLED, JobStatus.CANCELLED, JobStatus.REFUNDED, JobStatus.EXPIRED];
        for (uint256 i; i < 4; ++i) {
            vm.assertEq(uint256(manager.statusOf(handler.jobIds(i))), uint256(expected[i]), "status");
        }
        vm.assertEq(handler.broken(), "", "move");
        vm.assertTrue(manager.forfeits() != 0 && manager.credits(handler.actors(4)) != 0, "money moved");
    }

    function expectedStatus(JobHandler.Book memory book) private view returns (JobStatus) {
        if (book.outcome != JobStatus.NONE) return book.outcome;
        if (block.timestamp > book.deadline) return JobStatus.EXPIRED;
        return book.prover == address(0) ? JobStatus.OPEN : JobStatus.CLAIMED;
    }
}
