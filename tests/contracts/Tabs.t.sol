// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {IJobManager, Tab, TabSpec} from "marketplace/src/IJobManager.sol";
import {ModelStatus} from "registry/src/IModelRegistry.sol";
import {IProverRegistry} from "registry/src/IProverRegistry.sol";
import {TabTest} from "tests/contracts/support/TabTest.sol";
import {WalletDouble} from "tests/contracts/support/WalletDouble.sol";

/// @notice Opening a tab by a transaction, by an EIP-3009 authorization and by a permit; closing it.
contract TabsTest is TabTest {
    // --- open -----------------------------------------------------------------------------------

    function test_openTab__event_id_facts_and_escrow() external {
        TabSpec memory spec = tabSpec();
        bytes32 expected = idOf(spec, 0);
        vm.assertEq(manager.tabAuthorizationNonce(spec, requester), expected, "the id beforehand");
        vm.expectEmit(address(manager));
        emit IJobManager.TabOpened(expected, modelId, prover, requester, spec, manager.quoteFor(modelId));
        vm.assertEq(openTab(), expected, "id");
        Tab memory wanted =
            Tab(requester, prover, signer, modelId, AMOUNT, spec.expiry, manager.quoteFor(modelId), false);
        vm.assertEq(abi.encode(manager.tab(expected)), abi.encode(wanted), "facts");
        vm.assertEq(token.balanceOf(address(ledger)), AMOUNT, "escrow");
        vm.assertEq(manager.nonces(requester), 1, "nonce");
    }

    function test_openTab__without_prover_signer_or_amount__refused() external {
        TabSpec memory spec = tabSpec();
        spec.prover = address(0);
        refuseOpen(spec, abi.encodeWithSelector(IJobManager.InvalidTab.selector, spec));
        spec = tabSpec();
        spec.signer = address(0);
        refuseOpen(spec, abi.encodeWithSelector(IJobManager.InvalidTab.selector, spec));
        spec = tabSpec();
        spec.amount = 0;
        refuseOpen(spec, abi.encodeWithSelector(IJobManager.InvalidTab.selector, spec));
    }

    function test_openTab__expiry_model_circuit_or_prover_out_of_order__refused() external {
        TabSpec memory spec = tabSpec();
        spec.expiry = START + 30 days + 1;
        vm.expectPartialRevert(IJobManager.DeadlineOutOfRange.selector);
        vm.prank(requester);
        manager.openTab(spec);
        spec = tabSpec();
        spec.prover = address(0xF00D);
        refuseOpen(spec, abi.encodeWithSelector(IProverRegistry.NotRegistered.selector, address(0xF00D)));
        spec = tabSpec();
        tombstone(circuitId);
        refuseOpen(spec, abi.encodeWithSelector(IJobManager.CircuitRefused.selector, circuitId));
        vm.prank(publisher);
        registry.retire(modelId);
        refuseOpen(spec, abi.encodeWithSelector(IJobManager.ModelNotProven.selector, modelId, ModelStatus.DEPRECATED));
    }

    // --- EIP-3009 -------------------------------------------------------------------------------

    function test_openTabAuthorized__signed_transfer__opens_exactly_that_tab() external {
        TabSpec memory spec = tabSpec();
        bytes memory signature = authorize(spec, AMOUNT);
        vm.prank(prover);
        bytes32 tabId = manager.openTabAuthorized(spec, requester, 0, START + 60, signature);
        vm.assertEq(tabId, idOf(spec, 0), "id");
        vm.assertEq(manager.tab(tabId).requester, requester, "whose money it is");
        vm.assertEq(token.balanceOf(address(ledger)), AMOUNT, "escrow");
    }

    function test_I5_openTabAuthorized__replayed__refused() external {
        TabSpec memory spec = tabSpec();
        bytes memory signature = authorize(spec, AMOUNT);
        manager.openTabAuthorized(spec, requester, 0, START + 60, signature);
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
        manager.openTabAuthorized(spec, requester, 0, START + 60, signature);
        vm.assertEq(token.balanceOf(address(ledger)), AMOUNT, "once");
    }

    function test_I4_openTabAuthorized__any_field_of_the_tab_changed__refused() external {
        bytes memory signature = authorize(tabSpec(), AMOUNT);
        string[6] memory names = ["model", "prover", "signer", "amount", "expiry", "requester"];
        for (uint256 field; field < 6; ++field) {
            TabSpec memory spec = tabSpec();
            if (field == 0) spec.modelId = otherModel();
            if (field == 1) spec.prover = rival;
            if (field == 2) spec.signer = rival;
            if (field == 3) spec.amount -= 1;
            if (field == 4) spec.expiry += 1;
            try manager.openTabAuthorized(spec, field == 5 ? rival : requester, 0, START + 60, signature) {
                vm.assertTrue(false, names[field]);
            } catch {}
        }
        manager.openTabAuthorized(tabSpec(), requester, 0, START + 60, signature);
    }

    /// @dev Its nonce is the tab's id and its receiver the ledger: nobody else can take it, to no other use.
    function test_openTabAuthorized__authorization_taken_to_the_token_directly__refused() external {
        bytes memory signature = authorize(tabSpec(), AMOUNT);
        (bytes32 r, bytes32 s) = (word(signature, 0), word(signature, 1));
        bytes32 nonce = idOf(tabSpec(), 0);
        uint8 v = uint8(signature[64]);
        vm.expectRevert();
        vm.prank(prover);
        token.receiveWithAuthorization(requester, address(ledger), AMOUNT, 0, START + 60, nonce, v, r, s);
        vm.expectRevert();
        token.transferWithAuthorization(requester, address(ledger), AMOUNT, 0, START + 60, nonce, v, r, s);
        manager.openTabAuthorized(tabSpec(), requester, 0, START + 60, signature);
    }

    // --- permit ---------------------------------------------------------------------------------

    function test_openTabPermitted__permit_and_opening_signed__opens() external {
        TabSpec memory spec = unapproved();
        (bytes memory permit, bytes memory signature) = permitted(spec);
        vm.prank(prover);
        bytes32 tabId = manager.openTabPermitted(spec, requester, permit, signature);
        vm.assertEq(manager.tab(tabId).requester, requester, "requester");
        vm.assertEq(token.balanceOf(address(ledger)), AMOUNT, "escrow");
    }

    function test_openTabPermitted__permit_used_before_by_anybody__opens_all_the_same() external {
        TabSpec memory spec = unapproved();
        (bytes memory permit, bytes memory signature) = permitted(spec);
        (uint256 deadline, uint8 v, bytes32 r, bytes32 s) = abi.decode(permit, (uint256, uint8, bytes32, bytes32));
        vm.prank(stranger);
        token.permit(requester, address(ledger), AMOUNT, deadline, v, r, s);
        manager.openTabPermitted(spec, requester, permit, signature);
        vm.assertEq(token.balanceOf(address(ledger)), AMOUNT, "escrow");
    }

    /// @dev An allowance to the bank alone lets nobody open anything in its owner's name.
    function test_openTabPermitted__opening_not_signed__refused_whatever_the_allowance() external {
        TabSpec memory spec = tabSpec();
        (bytes memory permit, bytes memory signature) = permitted(spec);
        bytes memory refusal = abi.encodeWithSelector(IJobManager.OpeningNotAuthorized.selector, requester);
        spec.prover = rival;
        vm.expectRevert(refusal);
        manager.openTabPermitted(spec, requester, permit, signature);
        vm.expectRevert(refusal);
        manager.openTabPermitted(tabSpec(), requester, permit, "");
        spec = tabSpec();
        bytes memory foreign = sign(SIGNER_KEY, openingDigest(spec, 0));
        vm.expectRevert(refusal);
        manager.openTabPermitted(spec, requester, permit, foreign);
    }

    function test_I4_openTabPermitted__any_field_of_the_tab_changed__refused() external {
        (bytes memory permit, bytes memory signature) = permitted(tabSpec());
        string[7] memory names = ["model", "prover", "signer", "amount", "expiry", "requester", "chain"];
        for (uint256 field; field < 7; ++field) {
            TabSpec memory spec = tabSpec();
            if (field == 0) spec.modelId = otherModel();
            if (field == 1) spec.prover = rival;
            if (field == 2) spec.signer = rival;
            if (field == 3) spec.amount -= 1;
            if (field == 4) spec.expiry += 1;
            if (field == 6) vm.chainId(1337);
            try manager.openTabPermitted(spec, field == 5 ? rival : requester, permit, signature) {
                vm.assertTrue(false, names[field]);
            } catch (bytes memory reason) {
                vm.assertEq(
                    reason,
                    abi.encodeWithSelector(IJobManager.OpeningNotAuthorized.selector, field == 5 ? rival : requester),
                    names[field]
                );
            }
        }
        vm.chainId(31337);
        manager.openTabPermitted(tabSpec(), requester, permit, signature);
    }

    function test_I5_openTabPermitted__replayed__refused() external {
        TabSpec memory spec = tabSpec();
        (bytes memory permit, bytes memory signature) = permitted(spec);
        manager.openTabPermitted(spec, requester, permit, signature);
        vm.expectRevert(abi.encodeWithSelector(IJobManager.OpeningNotAuthorized.selector, requester));
        manager.openTabPermitted(spec, requester, permit, signature);
    }

    function test_openTabPermitted__contract_wallet__asked_itself() external {
        WalletDouble wallet = new WalletDouble(requester);
        fund(address(wallet), AMOUNT);
        TabSpec memory spec = tabSpec();
        bytes memory signature = sign(REQUESTER_KEY, openingDigest(spec, 0));
        bytes memory permit = abi.encode(START + 60, uint8(27), bytes32(0), bytes32(0));
        bytes32 tabId = manager.openTabPermitted(spec, address(wallet), permit, signature);
        vm.assertEq(manager.tab(tabId).requester, address(wallet), "the wallet's tab");
        vm.assertEq(manager.tab(tabId).signer, signer, "and its delegate");
        bytes memory foreign = sign(SIGNER_KEY, openingDigest(spec, 1));
        vm.expectRevert(abi.encodeWithSelector(IJobManager.OpeningNotAuthorized.selector, address(wallet)));
        manager.openTabPermitted(spec, address(wallet), permit, foreign);
    }

    // --- close ----------------------------------------------------------------------------------

    function test_closeTab__before_expiry__its_prover_alone() external {
        bytes32 tabId = openTab();
        bytes memory refusal = abi.encodeWithSelector(IJobManager.TabStillOpen.selector, tabId, START + 1 days);
        vm.warp(START + 1 days);
        vm.expectRevert(refusal);
        vm.prank(requester);
        manager.closeTab(tabId);
        vm.expectRevert(refusal);
        vm.prank(signer);
        manager.closeTab(tabId);
        vm.expectEmit(address(manager));
        emit IJobManager.TabClosed(tabId, requester, AMOUNT);
        vm.prank(prover);
        manager.closeTab(tabId);
        vm.assertEq(ledger.credits(requester), AMOUNT, "the rest");
        vm.assertTrue(manager.tab(tabId).closed, "closed");
        vm.assertEq(manager.tab(tabId).balance, 0, "nothing left");
    }

    function test_closeTab__after_expiry__anyone_once() external {
        bytes32 tabId = openTab();
        vm.warp(START + 1 days + 1);
        vm.prank(stranger);
        manager.closeTab(tabId);
        vm.assertEq(ledger.credits(requester), AMOUNT, "the rest");
        vm.expectRevert(abi.encodeWithSelector(IJobManager.TabNotOpen.selector, tabId));
        manager.closeTab(tabId);
        vm.expectRevert(abi.encodeWithSelector(IJobManager.TabNotOpen.selector, bytes32(0)));
        manager.closeTab(0);
    }

    function test_I13_closeTab__model_retired_circuit_tombstoned_registry_gone__gives_back() external {
        bytes32 tabId = openTab();
        tombstone(circuitId);
        vm.etch(address(registry), hex"fe");
        vm.etch(address(provers), hex"fe");
        vm.etch(address(verifier), hex"fe");
        vm.etch(address(router), hex"fe");
        vm.warp(START + 1 days + 1);
        manager.closeTab(tabId);
        vm.prank(requester);
        ledger.withdraw(requester);
        vm.assertEq(token.balanceOf(address(ledger)), 0, "all of it");
    }

    // --- words ----------------------------------------------------------------------------------

    function idOf(TabSpec memory spec, uint256 nonce) private view returns (bytes32) {
        bytes32 tag = keccak256("zkml.tab.v1");
        return
            keccak256(abi.encode(tag, block.chainid, address(manager), requester, nonce, keccak256(abi.encode(spec))));
    }

    function otherModel() private returns (uint256 other) {
        uint256 taken = modelId;
        other = provenModel(verifier, "letters");
        modelId = taken;
    }

    function unapproved() private returns (TabSpec memory) {
        vm.prank(requester);
        token.approve(address(ledger), 0);
        return tabSpec();
    }

    function word(bytes memory data, uint256 index) private pure returns (bytes32 value) {
        assembly {
            value := mload(add(add(data, 0x20), mul(index, 0x20)))
        }
    }

    /// @dev An EIP-3009 authorization to the ledger, whose nonce is the tab's id.
    function authorize(TabSpec memory spec, uint80 amount) private view returns (bytes memory) {
        bytes32 typehash = keccak256(
            "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
        );
        bytes32 inner = keccak256(
            abi.encode(
                typehash, requester, address(ledger), uint256(amount), uint256(0), uint256(START + 60), idOf(spec, 0)
            )
        );
        return sign(REQUESTER_KEY, keccak256(bytes.concat(hex"1901", token.DOMAIN_SEPARATOR(), inner)));
    }

    function permitted(TabSpec memory spec) private view returns (bytes memory permit, bytes memory signature) {
        bytes32 typehash =
            keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes32 inner = keccak256(
            abi.encode(
                typehash, requester, address(ledger), uint256(spec.amount), token.nonces(requester), uint256(START + 60)
            )
        );
        bytes32 digest = keccak256(bytes.concat(hex"1901", token.DOMAIN_SEPARATOR(), inner));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(REQUESTER_KEY, digest);
        permit = abi.encode(uint256(START + 60), v, r, s);
        signature = sign(REQUESTER_KEY, openingDigest(spec, manager.nonces(requester)));
    }

    function refuseOpen(TabSpec memory spec, bytes memory error_) private {
        vm.expectRevert(error_);
        vm.prank(requester);
        manager.openTab(spec);
    }
}
