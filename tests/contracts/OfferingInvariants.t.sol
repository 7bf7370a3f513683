// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Offering, OfferingStatus} from "marketplace/src/IInitialModelOffering.sol";
import {InitialModelOffering} from "marketplace/src/InitialModelOffering.sol";
import {RevenueLedger} from "marketplace/src/RevenueLedger.sol";
import {OfferingHandler} from "tests/contracts/support/OfferingHandler.sol";
import {Specification} from "tests/contracts/support/Specification.sol";

/// @notice What holds of offerings after any sequence of moves; the numbers are those of INVARIANTS.md.
/// @dev Each call is a transaction of its own.
/// forge-config: default.isolate = true
contract OfferingInvariantsTest is Specification {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    uint256 private constant TOTAL = 1_001;
    uint256 private constant PUBLIC = 511;
    uint256 private constant SHARE = 1e18;

    OfferingHandler private handler;
    InitialModelOffering private offerings;
    RevenueLedger private ledger;
    IERC20 private token;

    function setUp() external {
        handler = new OfferingHandler();
        offerings = InitialModelOffering(handler.offeringAddress());
        ledger = RevenueLedger(handler.ledgerAddress());
        token = IERC20(handler.tokenAddress());
    }

    /// @dev Forge reads these two: the handler's moves are the only calls.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[] memory selectors = new bytes4[](22);
        selectors[0] = handler.reserve.selector;
        selectors[1] = handler.resell.selector;
        selectors[2] = handler.reveal.selector;
        selectors[3] = handler.challenge.selector;
        selectors[4] = handler.guard.selector;
        selectors[5] = handler.finalize.selector;
        selectors[6] = handler.declareDefault.selector;
        selectors[7] = handler.close.selector;
        selectors[8] = handler.repay.selector;
        selectors[9] = handler.withdraw.selector;
        selectors[10] = handler.tombstoneOne.selector;
        selectors[11] = handler.jump.selector;
        selectors[12] = handler.donateMoney.selector;
        selectors[13] = handler.settle.selector;
        selectors[14] = handler.moveShares.selector;
        selectors[15] = handler.collect.selector;
        // The moves without which nothing comes of an offering, more often.
        selectors[16] = handler.reserve.selector;
        selectors[17] = handler.jump.selector;
        selectors[18] = handler.advance.selector;
        selectors[19] = handler.advance.selector;
        selectors[20] = handler.advance.selector;
        selectors[21] = handler.flashLoan.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(handler), selectors);
    }

    function invariant_I3_I5_moves_succeed_exactly_when_the_rules_allow_them() external view {
        vm.assertEq(handler.broken(), "", "a move that went otherwise");
    }

    function invariant_I1_the_till_holds_what_is_owed_and_donations() external view {
        vm.assertEq(token.balanceOf(address(offerings)), handler.liabilities() + handler.donated(), "till");
    }

    function invariant_I1_every_account_has_the_credits_of_the_books() external view {
        for (uint256 i; i < handler.ACTORS(); ++i) {
            address actor = handler.actors(i);
            vm.assertEq(offerings.credits(actor), handler.owed(actor), "credits");
        }
    }

    function invariant_I3_one_ending_and_the_status_of_the_books() external view {
        for (uint256 id = 1; id <= handler.OFFERINGS(); ++id) {
            vm.assertEq(
                uint256(offerings.statusOf(id)), uint256(statusFor(handler.stateOf(id))), "derived from facts and time"
            );
            vm.assertEq(offerings.offeringOf(id).unlockAt, handler.ghostOf(id).unlockAt, "written once");
        }
    }

    function invariant_I10_tranches_sum_to_the_supply_and_locked_shares_are_reservations() external view {
        for (uint256 id = 1; id <= handler.OFFERINGS(); ++id) {
            Offering memory offering = offerings.offeringOf(id);
            OfferingStatus status = offerings.statusOf(id);
            bool free = status == OfferingStatus.TRADING || status == OfferingStatus.DEFAULTED;
            uint256 held;
            for (uint256 i; i < handler.ACTORS(); ++i) {
                address actor = handler.actors(i);
                uint256 count = offerings.reservationOf(id, actor);
                vm.assertEq(count, handler.reserved(id, actor), "reservations");
                held += count;
                if (!free) vm.assertEq(offering.shares.balanceOf(actor), count * SHARE, "locked shares");
            }
            if (status == OfferingStatus.FAILED || free) continue;
            vm.assertEq(held, offering.reserved, "no path returns a reservation");
            uint256 vaults = offering.softLockedAt == 0 ? 0 : TOTAL - PUBLIC;
            vm.assertEq(offering.shares.totalSupply(), (held + vaults) * SHARE, "supply");
        }
    }

    function invariant_I9_shares_are_due_no_more_than_they_earned() external view {
        for (uint256 id = 1; id <= handler.OFFERINGS(); ++id) {
            Offering memory offering = offerings.offeringOf(id);
            if (ledger.sharesOf(offering.modelId) == address(0)) continue;
            uint256 due = ledger.sharesDue(offering.modelId, address(offering.vault))
                + ledger.sharesDue(offering.modelId, offering.vault.pool());
            // Burned shares are the zero address's.
            due += ledger.sharesDue(offering.modelId, address(0));
            for (uint256 i; i < handler.ACTORS(); ++i) {
                due += ledger.sharesDue(offering.modelId, handler.actors(i));
            }
            vm.assertLe(due, ledger.holdersDue(offering.modelId), "due");
            // What waits is less than a unit for each of them.
            vm.assertLt(ledger.holdersDue(offering.modelId) - due, handler.ACTORS() + 3, "nothing is lost");
        }
    }

    function invariant_I1_the_ledger_holds_credits_and_income() external view {
        uint256 owed = ledger.credits(address(0));
        for (uint256 i; i < handler.ACTORS(); ++i) {
            owed += ledger.credits(handler.actors(i));
        }
        for (uint256 id = 1; id <= handler.OFFERINGS(); ++id) {
            Offering memory offering = offerings.offeringOf(id);
            owed += ledger.holdersDue(offering.modelId) + ledger.credits(address(offering.vault))
            + ledger.credits(address(offering.steward));
            if (offering.vault.pool() != address(0)) owed += ledger.credits(offering.vault.pool());
        }
        vm.assertEq(token.balanceOf(address(ledger)), owed, "bank");
    }

    /// @dev Tries it on a copy of the chain.
    function invariant_I13_after_all_deadlines_anyone_frees_all_money() external {
        uint256 state = vm.snapshotState();
        vm.warp(block.timestamp + 200 days);
        for (uint256 id = 1; id <= handler.OFFERINGS(); ++id) {
            OfferingStatus status = offerings.statusOf(id);
            if (status == OfferingStatus.OVERDUE) offerings.declareDefault(id);
            bool isOpen = status == OfferingStatus.FAILED && !handler.ghostOf(id).closed;
            if (isOpen) offerings.close(id);
            if (offerings.statusOf(id) == OfferingStatus.TRADING) continue;
            for (uint256 i; i < handler.ACTORS(); ++i) {
                address actor = handler.actors(i);
                if (offerings.reservationOf(id, actor) != 0) offerings.repay(id, actor);
            }
        }
        for (uint256 i; i < handler.ACTORS(); ++i) {
            address actor = handler.actors(i);
            if (offerings.credits(actor) == 0) continue;
            vm.prank(actor);
            offerings.withdraw(actor);
        }
        vm.assertEq(token.balanceOf(address(offerings)), handler.donated(), "nothing but donations is left");
        vm.revertToState(state);
    }

    function statusFor(OfferingHandler.State state) private pure returns (OfferingStatus) {
        if (state == OfferingHandler.State.OPEN) return OfferingStatus.OPEN;
        if (state == OfferingHandler.State.FAILED) return OfferingStatus.FAILED;
        if (state == OfferingHandler.State.LOCKED) return OfferingStatus.SOFT_LOCKED;
        if (state == OfferingHandler.State.REVEALED) return OfferingStatus.REVEALED;
        if (state == OfferingHandler.State.RELEASABLE) return OfferingStatus.RELEASABLE;
        if (state == OfferingHandler.State.OVERDUE) return OfferingStatus.OVERDUE;
        return state == OfferingHandler.State.TRADING ? OfferingStatus.TRADING : OfferingStatus.DEFAULTED;
    }
}
