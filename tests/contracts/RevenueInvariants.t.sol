// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {PayeeKind} from "marketplace/src/IRevenueLedger.sol";
import {RevenueLedger} from "marketplace/src/RevenueLedger.sol";
import {LedgerHandler} from "tests/contracts/support/LedgerHandler.sol";
import {Specification} from "tests/contracts/support/Specification.sol";
import {ReentrantToken} from "tests/contracts/support/TokenDoubles.sol";

/// @notice What holds of the ledger after any sequence of moves; the numbers are those of INVARIANTS.md.
/// @dev Each call is a transaction of its own: shares earn what a transaction brings when it is over.
/// forge-config: default.isolate = true
contract RevenueInvariantsTest is Specification {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    LedgerHandler private handler;
    RevenueLedger private ledger;
    ReentrantToken private money;

    function setUp() external {
        handler = new LedgerHandler();
        money = handler.money();
        ledger = RevenueLedger(handler.ledgerAddress());
    }

    /// @dev Forge reads these two: the handler's moves are the only calls.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[] memory selectors = new bytes4[](16);
        selectors[0] = handler.settle.selector;
        selectors[1] = handler.giveBack.selector;
        selectors[2] = handler.keepEscrow.selector;
        selectors[3] = handler.claimLineage.selector;
        selectors[4] = handler.claimOwner.selector;
        selectors[5] = handler.claimPart.selector;
        selectors[6] = handler.claimShares.selector;
        selectors[7] = handler.collectPlatform.selector;
        selectors[8] = handler.sell.selector;
        selectors[9] = handler.startShares.selector;
        selectors[10] = handler.transferShares.selector;
        selectors[11] = handler.flashLoan.selector;
        selectors[12] = handler.withdraw.selector;
        selectors[13] = handler.arm.selector;
        selectors[14] = handler.disturb.selector;
        selectors[15] = handler.donate.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(handler), selectors);
    }

    function invariant_I1_every_token_is_owed_or_donated() external view {
        uint256 owed = handler.escrow();
        for (uint256 i; i < handler.ACTORS() + 4; ++i) {
            owed += ledger.credits(handler.accountIn(i));
        }
        for (uint256 id = 1; id <= handler.MODELS(); ++id) {
            owed += undistributed(id);
        }
        uint256 tracked = handler.pulled() - handler.withdrawn();
        vm.assertEq(owed, tracked, "escrow, credits and what nobody took");
        vm.assertEq(money.balanceOf(address(ledger)), tracked + handler.donated(), "what it holds");
    }

    function invariant_I2_everybody_has_what_they_earned_and_no_more() external view {
        for (uint256 i; i <= handler.ACTORS(); ++i) {
            address account = handler.holderIn(i);
            uint256 has = ledger.credits(account) + handler.paidOut(account);
            uint256 earned = handler.owed(account);
            for (uint256 id = 1; id <= handler.MODELS(); ++id) {
                uint256 supply = handler.sharesSupply(id);
                if (supply != 0) {
                    has += ledger.sharesDue(id, account);
                    earned += handler.shareUnits(id, account) / supply;
                } else if (handler.ownerOf(id) == account) {
                    has += ledger.holdersDue(id);
                }
            }
            vm.assertEq(has, earned, "to the unit");
        }
    }

    function invariant_I2_treasury_and_parts_have_theirs() external view {
        uint256 platform = ledger.credits(handler.accountIn(7)) + handler.paidOut(handler.accountIn(7));
        for (uint256 id = 1; id <= handler.MODELS(); ++id) {
            platform += ledger.incomeOf(id).platform;
        }
        vm.assertEq(platform, handler.platformEarned(), "treasury");
        uint256 revenue = handler.revenueOf(4);
        vm.assertEq(partTotal(8, PayeeKind.CONTRIBUTORS), revenue * 99_999 / 1e6, "contributors");
        vm.assertEq(partTotal(9, PayeeKind.STAKERS), revenue * 33_333 / 1e6, "stakers");
    }

    function invariant_I5_no_forbidden_move_went_through() external view {
        vm.assertEq(handler.broken(), "", "move");
        vm.assertEq(money.balanceOf(address(0xBAD)), 0, "nothing by calling back");
    }

    function invariant_I7_royalties_never_pass_their_share() external view {
        for (uint256 ancestor = 1; ancestor <= handler.MODELS(); ++ancestor) {
            uint256 inherited;
            for (uint256 id = ancestor + 1; id <= handler.MODELS(); ++id) {
                uint256 royalty = handler.royalties(id, ancestor);
                vm.assertLe(royalty * 1e6, handler.revenueOf(id) * handler.rateOf(id, ancestor), "one edge");
                inherited += royalty;
            }
            vm.assertEq(ledger.incomeOf(ancestor).inherited, inherited, "all of them");
        }
    }

    function invariant_I9_claims_of_shares_never_pass_their_income() external view {
        for (uint256 id = 1; id <= handler.MODELS(); ++id) {
            if (handler.sharesSupply(id) == 0) continue;
            uint256 due;
            for (uint256 i; i <= handler.ACTORS(); ++i) {
                due += ledger.sharesDue(id, handler.holderIn(i));
            }
            vm.assertLe(due, ledger.holdersDue(id), "all holders together");
            vm.assertLe(ledger.holdersDue(id) - due, handler.ACTORS(), "less than a unit waits for each");
        }
    }

    /// @dev Forge throws away what an invariant writes.
    function invariant_I13_everything_can_be_taken_out() external {
        handler.takeEverything();
        handler.takeHolders();
        uint256 left = money.balanceOf(address(ledger)) - handler.donated() - handler.escrow();
        // Of four models with seven ancestors' shares, two parts and seven holders each, less than a unit each.
        vm.assertLe(left, 7 + 2 + 4 * 7, "only what rounding holds back is left");
    }

    /// @dev The handler would prove nothing if its honest moves never moved money.
    function test_handler__honest_moves__reach_every_payee() external {
        handler.settle(3, 4, 1000, 1_000_000, 500, false);
        handler.claimLineage(3, 0);
        handler.startShares(0, 3, 1, 1);
        handler.settle(0, 4, 1000, 1_000_000, 500, false);
        handler.transferShares(0, 3, 4, 0);
        handler.flashLoan(0, 3, 500);
        handler.claimShares(0, 3);
        handler.claimPart(true);
        handler.claimOwner(3);
        handler.collectPlatform(0);
        handler.arm(0, 0);
        handler.settle(1, 5, 77, 0, 0, false);
        handler.withdraw(3);
        vm.assertTrue(handler.paidOut(handler.actors(3)) >= 500_250, "half of the shares' income");
        vm.assertTrue(ledger.credits(handler.accountIn(7)) == 500, "treasury");
        vm.assertTrue(ledger.credits(handler.accountIn(9)) == 33_333, "stakers");
        vm.assertEq(money.succeeded(), 0, "nothing by calling back");
        vm.assertTrue(money.lastRevert().length != 0, "it did call back");
        vm.assertEq(handler.broken(), "", "move");
    }

    /// @dev What a model has earned that nobody was credited with, rounding included.
    function undistributed(uint256 id) private view returns (uint256 amount) {
        uint256 revenue = handler.revenueOf(id);
        amount = ledger.incomeOf(id).platform + ledger.holdersDue(id) + revenue * handler.sharedPpmOf(id) / 1e6;
        for (uint256 ancestor = 1; ancestor < id; ++ancestor) {
            amount -= handler.royalties(id, ancestor);
        }
        if (id != 4) return amount;
        amount -= revenue * 33_333 / 1e6 - ledger.partDue(4, PayeeKind.STAKERS);
        amount -= revenue * 99_999 / 1e6 - ledger.partDue(4, PayeeKind.CONTRIBUTORS);
    }

    function partTotal(uint256 account, PayeeKind kind) private view returns (uint256) {
        address receiver = handler.accountIn(account);
        return ledger.credits(receiver) + handler.paidOut(receiver) + ledger.partDue(4, kind);
    }
}
