// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Job, JobStatus, Tab} from "marketplace/src/IJobManager.sol";
import {JobManager} from "marketplace/src/JobManager.sol";
import {LocalPaymentToken} from "marketplace/src/LocalPaymentToken.sol";
import {RevenueLedger} from "marketplace/src/RevenueLedger.sol";
import {Stake} from "registry/src/IProverRegistry.sol";
import {ProverRegistry} from "registry/src/ProverRegistry.sol";
import {GhostBooks} from "tests/contracts/support/GhostBooks.sol";
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
    RevenueLedger private ledger;
    ProverRegistry private provers;

    function setUp() external {
        handler = new JobHandler();
        (manager, token, ledger, provers) = handler.contracts();
    }

    /// @dev Forge reads these two: the handler's moves are the only calls.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev Jobs are opened, claimed and settled more often than anything else happens.
    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[] memory selectors = new bytes4[](24);
        selectors[0] = selectors[1] = handler.open.selector;
        selectors[2] = selectors[3] = handler.claim.selector;
        selectors[4] = selectors[5] = handler.settle.selector;
        selectors[6] = handler.reclaim.selector;
        selectors[7] = handler.reclaim.selector;
        selectors[8] = handler.settleMany.selector;
        selectors[9] = handler.settleBatch.selector;
        selectors[10] = handler.cancel.selector;
        selectors[11] = handler.refund.selector;
        selectors[12] = handler.openTab.selector;
        selectors[13] = selectors[14] = handler.settleSigned.selector;
        selectors[15] = handler.closeTab.selector;
        selectors[16] = handler.takeOut.selector;
        selectors[17] = handler.moveStake.selector;
        selectors[18] = handler.passTime.selector;
        selectors[19] = handler.disturb.selector;
        selectors[20] = handler.passTime.selector;
        selectors[21] = handler.settle.selector;
        selectors[22] = handler.tombstone.selector;
        selectors[23] = handler.refund.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(handler), selectors);
    }

    // --- money ----------------------------------------------------------------------------------

    function invariant_I1_conservation_in_the_bank() external view {
        uint256 owed = handler.escrowed() + handler.platformEver() - handler.takenByPlatform();
        for (uint256 i; i < handler.MODELS(); ++i) {
            owed += handler.revenue(i);
        }
        owed -= handler.takenByOwners();
        for (uint256 i; i < handler.accountCount(); ++i) {
            owed += ledger.credits(handler.accounts(i));
        }
        vm.assertEq(token.balanceOf(address(ledger)), owed + handler.donated(0), "every token is owed or donated");
        vm.assertEq(token.balanceOf(address(manager)), 0, "the manager holds none");
    }

    function invariant_I1_conservation_of_stakes() external view {
        uint256 owed = handler.toBurn() + handler.toTreasury() + handler.donated(1);
        for (uint256 i; i < handler.ACTORS(); ++i) {
            address actor = handler.accounts(i);
            Stake memory stake = provers.stakeOf(actor);
            vm.assertEq(stake.free, handler.free(actor), "free");
            vm.assertEq(stake.locked, handler.lockedStake(actor), "locked");
            vm.assertEq(stake.locked, handler.lockedByJobs(actor), "locked by live jobs and nothing else");
            vm.assertEq(stake.leaving, handler.leaving(actor), "leaving");
            owed += uint256(stake.free) + stake.locked + stake.leaving;
        }
        vm.assertEq(token.balanceOf(address(provers)), owed, "every token is a stake, a forfeit or donated");
    }

    function invariant_I2_no_credit_without_accepted_proof() external view {
        for (uint256 i; i < handler.accountCount(); ++i) {
            address account = handler.accounts(i);
            vm.assertEq(
                ledger.credits(account) + handler.withdrawn(account),
                handler.earned(account) + handler.returned(account) + handler.taken(account),
                "credited: accepted proofs, money given back, income of proofs, and nothing else"
            );
        }
    }

    function invariant_I2_no_income_without_accepted_proof() external view {
        for (uint256 i; i < handler.MODELS(); ++i) {
            uint256 modelId = handler.modelAt(i);
            vm.assertEq(ledger.incomeOf(modelId).revenue, handler.revenue(i), "revenue");
            vm.assertEq(ledger.incomeOf(modelId).platform, handler.platform(i), "platform");
        }
    }

    function invariant_I6_holders_and_ancestors_never_take_more_than_came_in() external view {
        uint256 income;
        uint256 due = ledger.lineageDue(handler.modelAt(1), handler.modelAt(0));
        for (uint256 i; i < handler.MODELS(); ++i) {
            income += handler.revenue(i);
            due += ledger.holdersDue(handler.modelAt(i));
        }
        vm.assertLe(handler.takenByOwners() + due, income, "parts of it");
        // Less than a unit waits for each ancestor, and there is one.
        vm.assertLe(income, handler.takenByOwners() + due + 1, "all of it but dust");
    }

    // --- jobs and tabs --------------------------------------------------------------------------

    function invariant_I3_one_terminal_status() external view {
        for (uint256 i; i < handler.jobCount(); ++i) {
            bytes32 jobId = handler.jobIds(i);
            GhostBooks.Book memory book = handler.bookOf(jobId);
            vm.assertLe(book.endings, 1, "endings of one job");
            vm.assertEq(uint256(manager.job(jobId).outcome), uint256(book.outcome), "outcome");
            vm.assertEq(uint256(manager.statusOf(jobId)), uint256(handler.ghostStatus(jobId)), "status");
        }
    }

    function invariant_I5_I15_no_forbidden_move_went_through() external view {
        vm.assertEq(handler.broken(), "", "move");
    }

    function invariant_I11_forfeits_only_of_broken_claims() external view {
        (uint256 toBurn, uint256 toTreasury) = provers.forfeits();
        vm.assertEq(toBurn, handler.toBurn(), "to burn");
        vm.assertEq(toTreasury, handler.toTreasury(), "to the treasury");
        vm.assertEq(token.balanceOf(BURN_ADDRESS), handler.burned(), "burned");
        uint256 gone = toBurn + toTreasury + handler.burned() + handler.forfeitsCollected();
        vm.assertLe(gone, handler.forfeitedEver(), "what is forfeited, less bonuses");
        vm.assertLe(handler.forfeitedEver(), 2 * gone, "bonuses are at most half");
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
        for (uint256 i; i < handler.tabCount(); ++i) {
            bytes32 tabId = handler.tabIds(i);
            if (!manager.tab(tabId).closed) manager.closeTab(tabId);
        }
        for (uint256 i; i < handler.accountCount(); ++i) {
            address account = handler.accounts(i);
            if (ledger.credits(account) == 0) continue;
            vm.prank(account);
            ledger.withdraw(account);
        }
        uint256 income = handler.platformEver() - handler.takenByPlatform();
        for (uint256 i; i < handler.MODELS(); ++i) {
            income += handler.revenue(i);
        }
        income -= handler.takenByOwners();
        vm.assertEq(token.balanceOf(address(ledger)), income + handler.donated(0), "all escrow and credits are out");
        takeStakes();
    }

    function invariant_I14_entries_never_change() external view {
        vm.assertTrue(handler.entriesStand(), "entries");
    }

    function invariant_I18_copies_fit_their_widths() external view {
        for (uint256 i; i < handler.jobCount(); ++i) {
            Job memory facts = manager.job(handler.jobIds(i));
            GhostBooks.Book memory book = handler.bookOf(handler.jobIds(i));
            vm.assertEq(abi.encode(facts.payment), abi.encode(book.payment), "payment");
            vm.assertEq(facts.prover, book.prover, "prover");
            vm.assertEq(facts.claimDeadline, book.claimDeadline, "claim deadline");
            vm.assertEq(facts.deadline, book.deadline, "deadline");
            // Whoever forfeited when the job ended is struck from the record.
            if (book.outcome != JobStatus.NONE && facts.previousProver == address(0)) continue;
            vm.assertEq(facts.previousProver, book.previous, "previous prover");
            vm.assertEq(facts.graceEndsAt, book.graceEndsAt, "grace");
        }
        for (uint256 i; i < handler.tabCount(); ++i) {
            Tab memory facts = manager.tab(handler.tabIds(i));
            vm.assertEq(facts.balance, handler.tabOf(handler.tabIds(i)).balance, "tab");
        }
    }

    // --- the handler itself ---------------------------------------------------------------------

    /// @dev It would prove nothing if its honest moves never came through.
    function test_handler__honest_moves__reach_every_outcome() external {
        for (uint256 i; i < 6; ++i) {
            handler.open(i, 0, 1_000_000, 7140, 1);
        }
        handler.claim(4, 0, 0);
        handler.settle(4, 0, 0, 0, true);
        handler.cancel(1, 1, true);
        handler.claim(4, 0, 2);
        handler.claim(3, 0, 3);
        vm.warp(block.timestamp + 601);
        handler.reclaim(2, 0, 2);
        handler.settle(0, 0, 2, 0, true);
        handler.reclaim(2, 0, 3);
        vm.warp(block.timestamp + 37);
        handler.settle(0, 0, 3, 0, true);
        handler.claim(1, 0, 4);
        handler.openTab(0, 1, 0, 1 << 50, 1 days);
        handler.settleSigned(3, 0, 1, 1 << 20, 0);
        vm.warp(block.timestamp + 31 days);
        handler.refund(0, 2, 4);
        handler.closeTab(3, 0);
        JobStatus[6] memory expected = [
            JobStatus.SETTLED,
            JobStatus.CANCELLED,
            JobStatus.SETTLED,
            JobStatus.SETTLED,
            JobStatus.REFUNDED,
            JobStatus.EXPIRED
        ];
        for (uint256 i; i < 6; ++i) {
            vm.assertEq(uint256(manager.statusOf(handler.jobIds(i))), uint256(expected[i]), "status");
        }
        vm.assertEq(handler.broken(), "", "move");
        vm.assertEq(handler.settlements(), 4, "settlements, one of them of a tab");
        vm.assertEq(manager.job(handler.jobIds(2)).prover, handler.accounts(2), "settled in the grace of another");
        (uint256 toBurn, uint256 toTreasury) = provers.forfeits();
        vm.assertTrue(toBurn != 0 && toTreasury != 0 && ledger.credits(handler.accounts(4)) != 0, "money moved");
    }

    function test_handler__honest_pairs__settle_together() external {
        for (uint256 i; i < 4; ++i) {
            handler.open(i, 0, 1_000_000, 7140, 1);
            handler.claim(4, 0, i);
        }
        handler.settleMany(1, 0, 0);
        handler.settleBatch(1, 0, 0);
        vm.assertEq(handler.broken(), "", "move");
        vm.assertEq(handler.settlements(), 4, "settlements");
    }

    function takeStakes() private {
        for (uint256 i; i < handler.ACTORS(); ++i) {
            address actor = handler.accounts(i);
            Stake memory stake = provers.stakeOf(actor);
            vm.assertEq(stake.locked, 0, "no stake is locked any more");
            vm.startPrank(actor);
            if (stake.free != 0) provers.requestUnstake(stake.free);
            vm.warp(block.timestamp + 8 days);
            if (stake.free + stake.leaving != 0) provers.unstake(actor);
            vm.stopPrank();
        }
        (uint256 toBurn, uint256 toTreasury) = provers.forfeits();
        if (toBurn != 0) provers.burnForfeits();
        if (toTreasury != 0) provers.collectForfeits();
        vm.assertEq(token.balanceOf(address(provers)), handler.donated(1), "all stakes are out");
    }
}
