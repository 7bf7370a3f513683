// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRevenueLedger} from "marketplace/src/IRevenueLedger.sol";
import {RevenueLedger} from "marketplace/src/RevenueLedger.sol";
import {
    LedgerWorld,
    LyingShares,
    OpenManager,
    ShareBorrower,
    ShareLender,
    SharesDouble
} from "tests/contracts/support/LedgerWorld.sol";

/// @dev Each call of a test is a transaction of its own.
/// forge-config: default.isolate = true
contract RevenueLedgerSharesTest is LedgerWorld {
    address private ann = address(0xA77);
    address private ben = address(0xBE7);
    OpenManager private door = new OpenManager();

    function setUp() external {
        deployLedger(address(door));
        door.serve(ledger);
        proven(1);
        proven(2);
        lineage.add(2, 1, 100_000);
    }

    function test_startShares__past_income_is_the_owner_s_and_later_income_the_shares() external {
        earn(1, 100);
        SharesDouble shares = share(1, ann, 60, ben, 40);
        vm.assertEq(ledger.credits(owner), 100, "owner");
        vm.assertEq(ledger.sharesOf(1), address(shares), "shares");
        earn(1, 10);
        vm.assertEq(ledger.sharesDue(1, ann), 6, "due");
        vm.prank(stranger);
        vm.assertEq(ledger.claimShares(1, ann), 6, "ann");
        vm.assertEq(ledger.claimShares(1, ben), 4, "ben");
        vm.assertEq(ledger.credits(ann), 6, "credited to the holder, whoever asked");
        vm.expectRevert(abi.encodeWithSelector(IRevenueLedger.NothingToClaim.selector, 1));
        ledger.claimShares(1, ann);
        vm.expectRevert(abi.encodeWithSelector(IRevenueLedger.WrongHolders.selector, 1, address(shares)));
        ledger.claimOwner(1);
        registry.sell(1, buyer);
        vm.assertEq(ledger.credits(owner), 100, "a sale moves no income of shares");
    }

    function test_startShares__twice_or_of_nothing__refused() external {
        vm.expectRevert(abi.encodeWithSelector(IRevenueLedger.NoShares.selector, 1));
        vm.prank(offerings);
        ledger.startShares(1, address(token), 0);
        vm.expectRevert(abi.encodeWithSelector(IRevenueLedger.NotAContract.selector, stranger));
        vm.prank(offerings);
        ledger.startShares(1, stranger, 100);
        vm.expectRevert(abi.encodeWithSelector(IRevenueLedger.WrongHolders.selector, 1, address(0)));
        ledger.claimShares(1, ann);
        SharesDouble shares = share(1, ann, 60, ben, 40);
        vm.expectRevert(abi.encodeWithSelector(IRevenueLedger.WrongHolders.selector, 1, address(shares)));
        vm.prank(offerings);
        ledger.startShares(1, address(token), 100);
    }

    function testFuzz_I9_transfer__moves_no_past_income(
        uint80 first,
        uint80 second,
        uint128 a,
        uint128 b,
        uint256 moved
    ) external {
        uint256 annShares = within(a, 1, type(uint128).max / 2);
        uint256 benShares = within(b, 1, type(uint128).max / 2);
        uint256 total = annShares + benShares;
        moved = within(moved, 0, annShares);
        SharesDouble shares = share(1, ann, annShares, ben, benShares);
        earn(1, first);
        uint256 annBefore = ledger.sharesDue(1, ann);
        uint256 benBefore = ledger.sharesDue(1, ben);
        vm.prank(ann);
        shares.transfer(ben, moved);
        vm.assertEq(ledger.sharesDue(1, ann), annBefore, "the sender keeps");
        vm.assertEq(ledger.sharesDue(1, ben), benBefore, "the receiver gains nothing");
        earn(1, second);
        uint256 annEarned = annShares * first + (annShares - moved) * second;
        uint256 benEarned = benShares * first + (benShares + moved) * second;
        vm.assertEq(ledger.sharesDue(1, ann), annEarned / total, "exact, whatever was transferred");
        vm.assertEq(ledger.sharesDue(1, ben), benEarned / total, "exact, whatever was transferred");
        take(abi.encodeCall(ledger.claimShares, (1, ann)));
        take(abi.encodeCall(ledger.claimShares, (1, ben)));
        vm.assertLe(ledger.holdersDue(1), 1, "less than a unit waits for each of two");
    }

    function test_I9_transfers_back_and_forth__round_nothing_away() external {
        SharesDouble shares = share(1, ann, 1, ben, 2);
        for (uint256 i; i < 30; ++i) {
            earn(1, 1);
            vm.prank(ann);
            shares.transfer(ann, 0);
            vm.prank(ann);
            shares.transfer(ben, 0);
        }
        vm.assertEq(ledger.claimShares(1, ann), 10, "a third of thirty units that came one by one");
        vm.assertEq(ledger.claimShares(1, ben), 20, "two thirds");
    }

    function test_I9_flash_loan__settles_and_claims_lineage_in_between__gains_nothing() external {
        (SharesDouble shares, ShareLender lender, ShareBorrower borrower) = loan();
        earn(2, 1_000);
        fund(requester, 1_000);
        door.pull(requester, 1_000);

        address[] memory targets = new address[](5);
        bytes[] memory calls = new bytes[](5);
        for (uint256 i; i < 5; ++i) {
            targets[i] = address(ledger);
            calls[i] = abi.encodeCall(ledger.claimShares, (1, address(borrower)));
        }
        (targets[1], calls[1]) = (address(door), abi.encodeCall(door.settle, (1, prover, 0, 1_000, 0)));
        calls[3] = abi.encodeCall(ledger.claimLineage, (2, 1));
        lender.lend(shares, 90, address(borrower), abi.encodeCall(borrower.run, (targets, calls)));

        vm.assertEq(ledger.incomeOf(1).revenue, 1_000, "it did settle");
        vm.assertEq(ledger.incomeOf(1).inherited, 100, "and claimed lineage");
        vm.assertEq(ledger.credits(address(borrower)), 0, "nothing at once");
        vm.assertEq(ledger.sharesDue(1, address(borrower)), 0, "nor later");
        vm.assertEq(ledger.sharesDue(1, address(lender)), 990, "all of it is the lender's");
        vm.assertEq(ledger.sharesDue(1, ben), 110, "and the others'");
    }

    function test_I9_startShares__in_the_transaction_of_a_settlement__shares_have_no_part_in_it() external {
        earn(1, 100);
        Starter starter = new Starter();
        SharesDouble shares = new SharesDouble(ledger, 1);
        shares.mint(ann, 10);
        fund(requester, 50);
        door.pull(requester, 50);
        vm.etch(offerings, address(starter).code);
        Starter(offerings).start(door, ledger, address(shares));
        vm.assertEq(ledger.credits(owner), 120, "the owner has what came before");
        vm.assertEq(ledger.sharesDue(1, ann), 30, "the shares what came after");
        vm.assertEq(ledger.holdersDue(1), 30, "together");
    }

    function test_I1_share_token_that_lies__reaches_its_own_model_s_income_alone() external {
        earn(2, 1_000);
        LyingShares shares = new LyingShares();
        vm.prank(offerings);
        ledger.startShares(1, address(shares), 100);
        earn(1, 50);
        shares.lie(1_000_000);
        vm.assertEq(ledger.claimShares(1, ann), 50, "what the model has");
        vm.expectRevert(abi.encodeWithSelector(IRevenueLedger.NothingToClaim.selector, 1));
        ledger.claimShares(1, ben);
        shares.lie(0);
        vm.expectRevert(abi.encodeWithSelector(IRevenueLedger.NothingToClaim.selector, 1));
        ledger.claimShares(1, ann);
        vm.assertEq(ledger.holdersDue(2), 900, "another model's is untouched");
    }

    function loan() private returns (SharesDouble shares, ShareLender lender, ShareBorrower borrower) {
        lender = new ShareLender();
        shares = share(1, address(lender), 90, ben, 10);
        borrower = new ShareBorrower(shares, address(lender));
    }
}

/// @notice Starts shares, and moves some, between two settlements of one transaction.
contract Starter {
    function start(OpenManager door, RevenueLedger ledger, address shares) external {
        door.settle(1, address(1), 0, 20, 0);
        ledger.startShares(1, shares, 10);
        require(SharesDouble(shares).transfer(address(1), 0));
        door.settle(1, address(1), 0, 30, 0);
    }
}

/// @dev One transaction, so that warm is warm.
contract RevenueLedgerGasTest is LedgerWorld {
    uint256 private constant DEPTHS = 3;

    function setUp() external {
        deployLedger(address(0x3A6));
        for (uint256 model = 100; model < 100 + DEPTHS; ++model) {
            uint256 depth = model == 100 ? 1 : model == 101 ? 8 : 16;
            for (uint256 i; i < depth; ++i) {
                proven(i + 1);
                lineage.add(model, i + 1, uint32(500_000 / depth));
            }
            proven(model);
            earn(model, 10, 10, 10);
        }
        proven(99);
        earn(99, 10, 10, 10);
    }

    function test_I8_settle__costs_the_same_at_any_lineage_depth() external {
        uint256[3] memory spent;
        settleGas(99);
        for (uint256 i; i < DEPTHS; ++i) {
            spent[i] = settleGas(100 + i);
        }
        vm.assertLt(apart(spent[0], spent[1]), 100, "depth 1 and 8");
        vm.assertLt(apart(spent[0], spent[2]), 100, "depth 1 and 16");
    }

    function test_I8_settle__costs_the_same_for_any_number_of_holders() external {
        SharesDouble shares = new SharesDouble(ledger, 101);
        for (uint160 i = 1; i <= 64; ++i) {
            shares.mint(address(i + 0xFFFF), 1);
        }
        vm.prank(offerings);
        ledger.startShares(101, address(shares), 64);
        settleGas(99);
        settleGas(101);
        settleGas(100);
        vm.assertLt(apart(settleGas(100), settleGas(101)), 100, "an owner and 64 holders");
    }

    function settleGas(uint256 modelId) private returns (uint256 spent) {
        vm.prank(manager);
        uint256 before = gasleft();
        ledger.settle(modelId, prover, 10, 10, 10);
        return before - gasleft();
    }

    function apart(uint256 a, uint256 b) private pure returns (uint256) {
        return a > b ? a - b : b - a;
    }
}
