// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC6551Registry} from "erc6551/interfaces/IERC6551Registry.sol";
import {IRevenueLedger, Part, PayeeKind} from "marketplace/src/IRevenueLedger.sol";
import {LocalPaymentToken} from "marketplace/src/LocalPaymentToken.sol";
import {RevenueLedger} from "marketplace/src/RevenueLedger.sol";
import {Parent} from "registry/src/ILineageRegistry.sol";
import {LineageRegistry} from "registry/src/LineageRegistry.sol";
import {ModelRegistry} from "registry/src/ModelRegistry.sol";
import {Registries} from "tests/contracts/support/Registries.sol";
import {PlatformTerms} from "verifier_contracts/src/IProtocolAdmin.sol";
import {ProtocolAdmin} from "verifier_contracts/src/ProtocolAdmin.sol";

/// @notice The ledger on the registries and the admin that it is deployed with: a creator's model, a derivative of it,
///         and a merge of both.
contract RevenueIntegrationTest is Registries {
    address private manager = address(0x3A6);
    address private treasury = address(0x7EA5);
    address private buyer = address(0xB1);
    address private contributors = address(0xC0);
    LocalPaymentToken private token;
    LineageRegistry private lineage;
    RevenueLedger private ledger;
    uint256 private root;
    uint256 private child;
    uint256 private merge;

    function setUp() external {
        deployRegistries();
        token = new LocalPaymentToken();
        ProtocolAdmin admin = new ProtocolAdmin(
            address(this), treasury, address(0), PlatformTerms(25_000, 10_000), PlatformTerms(100_000, 1_000_000)
        );
        uint256 nonce = vm.getNonce(address(this));
        models = new ModelRegistry(
            router,
            IRevenueLedger(vm.computeCreateAddress(address(this), nonce + 2)),
            IERC6551Registry(address(accounts)),
            address(accountCode),
            MIN_BLOCKS,
            MAX_BLOCKS
        );
        lineage = new LineageRegistry(models);
        ledger = new RevenueLedger(IERC20(address(token)), manager, address(0), lineage, admin);
        root = provenModel("root");
        child = derived("child", root, 0, 200_000);
        proveModel(child);
        merge = derived("merge", root, child, 100_000);
    }

    function test_I6_economy__of_the_real_contracts__adds_up_to_the_unit() external {
        vm.startPrank(publisher);
        Part[] memory parts = new Part[](1);
        parts[0] = Part(PayeeKind.CONTRIBUTORS, 50_000, contributors);
        ledger.fixParts(merge, parts);
        vm.stopPrank();
        proveModel(merge);
        vm.expectRevert(abi.encodeWithSelector(IRevenueLedger.PartsRefused.selector, merge));
        vm.prank(publisher);
        ledger.fixParts(merge, parts);

        // Of the merge's: root 10 % + 20 % of the child's 10 %, the child what is left of 10 %, contributors 5 %.
        earn(merge, 1_000_003);
        vm.assertEq(ledger.claimLineage(merge, root), 120_000, "root");
        vm.assertEq(ledger.claimLineage(merge, child), 80_000, "child");
        vm.assertEq(ledger.claimPart(merge, PayeeKind.CONTRIBUTORS), 50_000, "contributors");
        vm.prank(publisher);
        models.transferFrom(publisher, buyer, merge);
        vm.assertEq(ledger.credits(publisher), 1_000_003 - 250_000, "the seller's, with the dust");
        earn(merge, 1_000_000);
        vm.assertEq(ledger.claimOwner(merge), 750_000, "the buyer's");
        vm.assertEq(ledger.credits(buyer), 750_000, "credited");
        vm.assertEq(ledger.claimOwner(root), 120_000, "what the root inherited");
        vm.assertEq(ledger.claimOwner(child), 80_000, "what the child inherited is not split again");
        ledger.claimLineage(merge, root);
        ledger.claimLineage(merge, child);
        ledger.claimPart(merge, PayeeKind.CONTRIBUTORS);
        ledger.claimOwner(root);
        ledger.claimOwner(child);
        uint256[] memory ids = new uint256[](1);
        ids[0] = merge;
        ledger.collectPlatform(ids);

        address[5] memory payees = [publisher, buyer, contributors, treasury, prover];
        for (uint256 i; i < payees.length; ++i) {
            vm.prank(payees[i]);
            ledger.withdraw(payees[i]);
        }
        vm.assertEq(token.balanceOf(address(ledger)), 0, "nothing is left");
    }

    function test_I13_transfer__of_any_model__goes_through() external {
        earn(child, 77);
        vm.startPrank(publisher);
        models.transferFrom(publisher, buyer, root);
        models.transferFrom(publisher, buyer, child);
        models.transferFrom(publisher, buyer, merge);
        vm.stopPrank();
        vm.assertEq(ledger.credits(publisher), 77 - 15, "the seller's part of what the child earned");
        vm.assertEq(ledger.holdersDue(merge), 0, "a REGISTERED model has earned nothing");
    }

    function test_I12_lineage__cannot_change_once_there_is_revenue() external {
        proveModel(merge);
        earn(merge, 100);
        uint256 due = ledger.holdersDue(merge);
        vm.expectRevert();
        vm.prank(publisher);
        lineage.declare(merge, new Parent[](1), 500_000);
        vm.prank(publisher);
        models.retire(merge);
        vm.assertEq(ledger.holdersDue(merge), due, "retired, and split as before");
        vm.assertEq(ledger.claimLineage(merge, root), 12, "lineage stays effective");
    }

    function derived(string memory name, uint256 first, uint256 second, uint32 rate) private returns (uint256 modelId) {
        modelId = registeredModel(name);
        Parent[] memory parents = new Parent[](second == 0 ? 1 : 2);
        parents[0] = Parent(first, rate);
        if (second != 0) parents[1] = Parent(second, rate);
        vm.prank(publisher);
        lineage.declare(modelId, parents, 500_000);
    }

    /// @dev With a prover's fee of 10 and a platform's part of 5.
    function earn(uint256 modelId, uint80 revenue) private {
        token.mint(requester, uint256(revenue) + 15);
        vm.prank(requester);
        token.approve(address(ledger), type(uint256).max);
        vm.startPrank(manager);
        ledger.pull(requester, uint256(revenue) + 15);
        ledger.settle(modelId, prover, 10, revenue, 5);
        vm.stopPrank();
    }
}
