// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRevenueLedger, ModelIncome, Part, PayeeKind} from "marketplace/src/IRevenueLedger.sol";
import {ModelStatus} from "registry/src/IModelRegistry.sol";
import {LedgerWorld} from "tests/contracts/support/LedgerWorld.sol";

/// @dev A cheatcode that no other test needs.
interface StorageVm {
    function store(address target, bytes32 slot, bytes32 value) external;
}

/// @dev Each call of a test is a transaction of its own.
/// forge-config: default.isolate = true
contract RevenueLedgerSplitTest is LedgerWorld {
    function setUp() external {
        deployLedger(address(0x3A6));
        for (uint256 id = 1; id <= 4; ++id) {
            registry.set(id, owner, ModelStatus.REGISTERED);
        }
    }

    function test_settle__splits_among_prover_model_and_platform() external {
        proven(1);
        fund(requester, 100);
        vm.prank(manager);
        ledger.pull(requester, 100);
        vm.expectEmit(address(ledger));
        emit IRevenueLedger.RevenueSettled(1, prover, 50, 40, 10);
        vm.prank(manager);
        ledger.settle(1, prover, 50, 40, 10);
        ModelIncome memory income = ledger.incomeOf(1);
        vm.assertEq(ledger.credits(prover), 50, "prover");
        vm.assertEq(income.revenue, 40, "revenue");
        vm.assertEq(income.platform, 10, "platform");
        vm.assertEq(ledger.holdersDue(1), 40, "holders");
    }

    function test_splitOf__lineage_parts_and_holders__sum_to_everything() external {
        lineage.add(2, 1, 100_000);
        fix(2, 30_000, 20_000);
        Part[] memory split = ledger.splitOf(2);
        vm.assertEq(split[0].ppm, 0, "declared lineage is not effective yet");
        proven(2);
        split = ledger.splitOf(2);
        vm.assertEq(split.length, 4, "count");
        vm.assertTrue(split[0].kind == PayeeKind.LINEAGE && split[0].ppm == 100_000, "lineage");
        vm.assertTrue(split[1].kind == PayeeKind.CONTRIBUTORS && split[1].ppm == 30_000, "contributors");
        vm.assertTrue(split[2].kind == PayeeKind.STAKERS && split[2].ppm == 20_000, "stakers");
        vm.assertTrue(split[3].kind == PayeeKind.HOLDERS && split[3].ppm == 850_000, "holders");
        vm.assertEq(ledger.splitOf(1).length, 2, "a root without parts");
    }

    function test_fixParts__refuses_all_that_is_not_the_owner_s_once() external {
        Part[] memory good = partsOf(1, 1);
        vm.expectRevert(abi.encodeWithSelector(IRevenueLedger.NotAllowed.selector, stranger, owner));
        vm.prank(stranger);
        ledger.fixParts(1, good);
        vm.startPrank(owner);
        for (uint256 fault; fault < 9; ++fault) {
            Part[] memory bad = partsOf(1, 1);
            if (fault == 0) bad[0].kind = PayeeKind.NONE;
            if (fault == 1) bad[0].kind = PayeeKind.LINEAGE;
            if (fault == 2) bad[0].kind = PayeeKind.HOLDERS;
            if (fault == 3) bad[0].kind = bad[1].kind;
            if (fault == 4) bad[0].ppm = 0;
            if (fault == 5) bad[0].ppm = 500_000;
            if (fault == 6) bad[0].receiver = address(0);
            if (fault == 7) bad[0].receiver = address(ledger);
            if (fault == 8) bad = new Part[](0);
            vm.expectRevert(abi.encodeWithSelector(IRevenueLedger.PartsRefused.selector, 1));
            ledger.fixParts(1, bad);
        }
        vm.expectRevert(abi.encodeWithSelector(IRevenueLedger.PartsRefused.selector, 99));
        ledger.fixParts(99, good);
        ledger.fixParts(1, good);
        vm.expectRevert(abi.encodeWithSelector(IRevenueLedger.PartsRefused.selector, 1));
        ledger.fixParts(1, good);
        vm.stopPrank();
    }

    function test_I12_fixParts__once_proven__the_split_is_fixed_for_ever() external {
        for (uint256 i; i < 2; ++i) {
            registry.set(1, owner, i == 0 ? ModelStatus.PROVEN : ModelStatus.DEPRECATED);
            vm.expectRevert(abi.encodeWithSelector(IRevenueLedger.PartsRefused.selector, 1));
            vm.prank(owner);
            ledger.fixParts(1, partsOf(1, 1));
        }
    }

    function test_claimPart__pays_the_receiver_its_part_and_unknown_parts_nothing() external {
        fix(1, 300_000, 200_000);
        proven(1);
        earn(1, 11);
        vm.prank(stranger);
        vm.assertEq(ledger.claimPart(1, PayeeKind.CONTRIBUTORS), 3, "floor(11 * 0.3)");
        vm.assertEq(ledger.credits(address(0xC0)), 3, "receiver");
        vm.expectRevert(abi.encodeWithSelector(IRevenueLedger.NothingToClaim.selector, 1));
        ledger.claimPart(1, PayeeKind.CONTRIBUTORS);
        vm.assertEq(ledger.claimPart(1, PayeeKind.STAKERS), 2, "stakers");
        vm.expectRevert(abi.encodeWithSelector(IRevenueLedger.UnknownPart.selector, 1, PayeeKind.LINEAGE));
        ledger.claimPart(1, PayeeKind.LINEAGE);
        vm.expectRevert(abi.encodeWithSelector(IRevenueLedger.UnknownPart.selector, 2, PayeeKind.STAKERS));
        ledger.claimPart(2, PayeeKind.STAKERS);
        vm.assertEq(ledger.holdersDue(1), 6, "holders keep what rounding leaves");
    }

    function test_claimLineage__goes_to_the_ancestor_s_holders_and_is_not_split_again() external {
        lineage.add(3, 2, 90_000);
        lineage.add(3, 1, 10_000);
        lineage.add(2, 1, 100_000);
        fix(2, 100_000, 100_000);
        for (uint256 id = 1; id <= 3; ++id) {
            proven(id);
        }
        earn(3, 1_000);
        vm.prank(stranger);
        vm.assertEq(ledger.claimLineage(3, 2), 90, "nine percent");
        vm.assertEq(ledger.holdersDue(2), 90, "all of it is the holders'");
        vm.assertEq(ledger.lineageDue(2, 1), 0, "no second split");
        vm.assertEq(ledger.partDue(2, PayeeKind.STAKERS), 0, "nor for parts");
        vm.assertEq(ledger.incomeOf(2).inherited, 90, "inherited");
        vm.expectRevert(abi.encodeWithSelector(IRevenueLedger.NothingToClaim.selector, 3));
        ledger.claimLineage(3, 2);
        vm.expectRevert(abi.encodeWithSelector(IRevenueLedger.NothingToClaim.selector, 3));
        ledger.claimLineage(3, 4);
        vm.assertEq(ledger.claimLineage(3, 1), 10, "the root's");
        vm.assertEq(ledger.holdersDue(3), 900, "the child's");
    }

    function test_claimLineage__declared_but_not_proven__nothing() external {
        lineage.add(2, 1, 100_000);
        earn(2, 100);
        vm.expectRevert(abi.encodeWithSelector(IRevenueLedger.NothingToClaim.selector, 2));
        ledger.claimLineage(2, 1);
        registry.set(2, owner, ModelStatus.DEPRECATED);
        vm.assertEq(ledger.claimLineage(2, 1), 10, "a retired model's jobs still pay");
    }

    function test_collectPlatform__credits_the_treasury_of_the_day() external {
        earn(1, 0, 0, 5);
        earn(2, 0, 0, 7);
        uint256[] memory ids = new uint256[](3);
        (ids[0], ids[1], ids[2]) = (1, 2, 1);
        admin.setTreasury(stranger);
        vm.assertEq(ledger.collectPlatform(ids), 12, "a model named twice pays once");
        vm.assertEq(ledger.credits(stranger), 12, "treasury");
        vm.expectRevert(abi.encodeWithSelector(IRevenueLedger.NothingToClaim.selector, 1));
        ledger.collectPlatform(ids);
        vm.expectRevert(abi.encodeWithSelector(IRevenueLedger.NothingToClaim.selector, 0));
        ledger.collectPlatform(new uint256[](0));
    }

    function test_beforeModelTransfer__past_income_stays_with_the_seller() external {
        lineage.add(1, 4, 100_000);
        proven(1);
        earn(1, 100);
        ledger.claimOwner(1);
        earn(1, 100);
        vm.expectEmit(address(ledger));
        emit IRevenueLedger.OwnerIncomeClaimed(1, owner, 90);
        registry.sell(1, buyer);
        earn(1, 100);
        ledger.claimOwner(1);
        vm.assertEq(ledger.credits(owner), 180, "seller");
        vm.assertEq(ledger.credits(buyer), 90, "buyer");
        vm.expectRevert(abi.encodeWithSelector(IRevenueLedger.NothingToClaim.selector, 1));
        ledger.claimOwner(1);
    }

    function test_I13_beforeModelTransfer__no_model_is_locked_in() external {
        registry.sell(1, buyer);
        registry.sell(999, buyer);
        proven(2);
        registry.sell(2, buyer);
        // Without income the lineage is not even asked.
        vm.etch(address(lineage), "");
        registry.sell(3, buyer);
        vm.assertEq(ledger.credits(owner), 0, "nothing earned, nothing credited");
    }

    function testFuzz_I6_split__parts_always_sum_to_the_revenue(
        uint80[4] calldata revenues,
        uint256[3] calldata rates,
        uint256[2] calldata parts
    ) external {
        checkSplit(revenues, rates, parts);
    }

    function test_I6_split__one_unit_and_every_number_of_decimals() external {
        uint256[3] memory rates = [uint256(333_333), 1, 166_666];
        uint256[2] memory parts = [uint256(333_333), 166_667];
        for (uint256 decimals; decimals <= 18; ++decimals) {
            deployLedger(manager);
            for (uint256 id = 1; id <= 4; ++id) {
                registry.set(id, owner, ModelStatus.REGISTERED);
            }
            uint80 whole = uint80(10 ** decimals);
            checkSplit([uint80(1), whole, 1, whole - 1], rates, parts);
        }
    }

    /// @dev Model 4 has three ancestors and two parts; it earns, and everybody takes, each time.
    function checkSplit(uint80[4] memory revenues, uint256[3] memory rates, uint256[2] memory parts) private {
        uint32[3] memory shares;
        uint256 sharesTotal;
        for (uint256 i; i < 3; ++i) {
            shares[i] = uint32(within(rates[i], 0, 500_000 - sharesTotal));
            sharesTotal += shares[i];
            lineage.add(4, i + 1, shares[i]);
        }
        uint32 contributors = uint32(within(parts[0], 1, 499_999));
        uint32 stakers = uint32(within(parts[1], 1, 500_000 - contributors));
        fix(4, contributors, stakers);
        proven(4);
        uint256 revenue;
        for (uint256 round; round < 4; ++round) {
            earn(4, revenues[round]);
            revenue += revenues[round];
            uint256 paid = ledger.incomeOf(1).inherited;
            for (uint256 i; i < 3; ++i) {
                take(abi.encodeCall(ledger.claimLineage, (4, i + 1)));
                vm.assertEq(ledger.incomeOf(i + 1).inherited, revenue * shares[i] / 1e6, "I7: R * s, to the unit");
            }
            vm.assertGe(ledger.incomeOf(1).inherited, paid, "I7: monotone");
            take(abi.encodeCall(ledger.claimPart, (4, PayeeKind.CONTRIBUTORS)));
            take(abi.encodeCall(ledger.claimPart, (4, PayeeKind.STAKERS)));
            take(abi.encodeCall(ledger.claimOwner, (4)));
        }
        uint256 total = uint256(sharesTotal) + contributors + stakers;
        vm.assertEq(ledger.credits(owner), revenue - revenue * total / 1e6, "holders");
        uint256 given = ledger.credits(owner) + ledger.credits(address(0xC0)) + ledger.credits(address(0x57));
        for (uint256 i; i < 3; ++i) {
            given += ledger.incomeOf(i + 1).inherited;
        }
        vm.assertLe(given, revenue, "never more than came");
        vm.assertLt(revenue - given, 5, "less than a unit waits for each of three ancestors and two parts");
    }

    function test_I7_claims__unit_by_unit_or_at_once__pay_the_same() external {
        lineage.add(1, 3, 333_333);
        lineage.add(2, 4, 333_333);
        proven(1);
        proven(2);
        for (uint256 i; i < 30; ++i) {
            earn(1, 1);
            earn(2, 1);
            take(abi.encodeCall(ledger.claimLineage, (1, 3)));
            take(abi.encodeCall(ledger.claimOwner, (1)));
        }
        ledger.claimLineage(2, 4);
        uint256 before = ledger.credits(owner);
        vm.assertEq(ledger.claimOwner(2), before, "the owner's");
        vm.assertEq(ledger.incomeOf(3).inherited, ledger.incomeOf(4).inherited, "the ancestors'");
    }

    function test_I18_settle__totals_cannot_wrap() external {
        vm.assertLe((2 * uint256(type(uint80).max)) << 47, type(uint128).max, "2^47 settlements fit");
        proven(1);
        StorageVm cheats = StorageVm(address(vm));
        bytes32 slot = keccak256(abi.encode(uint256(1), uint256(1)));
        cheats.store(address(ledger), slot, bytes32(type(uint256).max - 1));
        vm.assertEq(ledger.incomeOf(1).revenue, type(uint128).max - 1, "nearly full");
        vm.prank(manager);
        ledger.settle(1, prover, 0, 1, 0);
        vm.expectRevert();
        vm.prank(manager);
        ledger.settle(1, prover, 0, 1, 0);
        vm.expectRevert();
        vm.prank(manager);
        ledger.settle(1, prover, 0, 0, 1);
        registry.sell(1, buyer);
        vm.assertEq(ledger.credits(owner), type(uint128).max, "a full total can still be taken");
    }

    function fix(uint256 modelId, uint32 contributors, uint32 stakers) private {
        vm.prank(owner);
        ledger.fixParts(modelId, partsOf(contributors, stakers));
    }

    function partsOf(uint32 contributors, uint32 stakers) private pure returns (Part[] memory parts) {
        parts = new Part[](2);
        parts[0] = Part(PayeeKind.CONTRIBUTORS, contributors, address(0xC0));
        parts[1] = Part(PayeeKind.STAKERS, stakers, address(0x57));
    }
}
