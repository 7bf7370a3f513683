// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IJobManager, Payment, SignedRequest, TabSpec} from "marketplace/src/IJobManager.sol";
import {IRevenueLedger} from "marketplace/src/IRevenueLedger.sol";
import {FeeTerms} from "registry/src/IModelRegistry.sol";
import {FeeSpecification} from "tests/contracts/support/FeeSpecification.sol";
import {TabTest} from "tests/contracts/support/TabTest.sol";
import {TripleVerifier} from "tests/contracts/support/VerifierDoubles.sol";
import {IVerifierRouter} from "verifier_contracts/src/IVerifierRouter.sol";

/// @notice Direct mode: what a signed request draws from its tab, and what it cannot.
contract SignedRequestsTest is TabTest, FeeSpecification {
    bytes32 private tabId;

    function setUp() public override {
        super.setUp();
        tabId = openTab();
    }

    function test_I2_settleSigned__accepted_proof__pays_the_prover_and_the_model_from_the_tab() external {
        SignedRequest memory request = requestOn(tabId, 7);
        vm.assertEq(manager.requestDigest(request), digestOf(request), "EIP-712");
        acceptRequest(request, prover);
        bytes32 digest = digestOf(request);
        bytes memory signature = sign(SIGNER_KEY, digest);
        vm.expectCall(
            address(verifier),
            abi.encodeCall(verifier.verify, (manager.contextOf(digest, prover), INPUT, OUTPUT, PROOF)),
            1
        );
        Payment memory payment = Payment(PROVER_FEE, REVENUE, PLATFORM);
        vm.expectEmit(address(manager));
        emit IJobManager.RequestSettled(digest, tabId, prover, 7, payment, OUTPUT, keccak256(PROOF));
        vm.expectEmit(address(ledger));
        emit IRevenueLedger.RevenueSettled(modelId, prover, PROVER_FEE, REVENUE, PLATFORM);
        settleSigned(request, signature);
        assertPaid(prover);
        vm.assertEq(manager.tab(tabId).balance, AMOUNT - PRICE, "balance");
        vm.assertTrue(manager.isNonceUsed(tabId, 7), "nonce");
        vm.assertFalse(manager.isNonceUsed(tabId, 6) || manager.isNonceUsed(tabId, 263), "no other nonce");
    }

    function test_settleSigned__sent_by_anybody_else__refused() external {
        SignedRequest memory request = requestOn(tabId, 0);
        acceptRequest(request, prover);
        bytes memory signature = sign(SIGNER_KEY, digestOf(request));
        vm.expectRevert(notClaimant(tabId, stranger, prover));
        vm.prank(stranger, stranger);
        manager.settleSigned(request, signature, INPUT, OUTPUT, PROOF);
    }

    function test_settleSigned__through_another_transaction__publishes_the_proof() external {
        SignedRequest memory request = requestOn(tabId, 0);
        acceptRequest(request, prover);
        bytes memory signature = sign(SIGNER_KEY, digestOf(request));
        vm.expectEmit(address(manager));
        emit IJobManager.ProofPublished(digestOf(request), INPUT, OUTPUT, PROOF);
        vm.prank(prover, requester);
        manager.settleSigned(request, signature, INPUT, OUTPUT, PROOF);
        assertPaid(prover);
    }

    function test_settleSigned__verifier_refuses_or_accepts_junk__nothing_moves() external {
        SignedRequest memory request = requestOn(tabId, 0);
        bytes memory signature = sign(SIGNER_KEY, digestOf(request));
        acceptRequest(request, prover);
        for (uint256 mood = 1; mood <= 4; ++mood) {
            verifier.turn(TripleVerifier.Mood(mood));
            vm.expectRevert();
            settleSigned(request, signature);
        }
        assertNothingEarned();
        vm.assertEq(manager.tab(tabId).balance, AMOUNT, "balance");
        vm.assertFalse(manager.isNonceUsed(tabId, 0), "nonce");
        verifier.turn(TripleVerifier.Mood.HONEST);
        settleSigned(request, signature);
    }

    // --- one deposit ----------------------------------------------------------------------------

    function test_I5_settleSigned__replayed__refused() external {
        SignedRequest memory request = requestOn(tabId, 3);
        settleRequest(request);
        bytes memory signature = sign(SIGNER_KEY, digestOf(request));
        vm.expectRevert(abi.encodeWithSelector(IJobManager.NonceUsed.selector, tabId, 3));
        settleSigned(request, signature);
        // Another request of the same nonce neither.
        request.proverFee -= 1;
        acceptRequest(request, prover);
        signature = sign(SIGNER_KEY, digestOf(request));
        vm.expectRevert(abi.encodeWithSelector(IJobManager.NonceUsed.selector, tabId, 3));
        settleSigned(request, signature);
        assertPaid(prover);
    }

    function testFuzz_I5_settleSigned__any_two_nonces__each_is_used_alone(uint64 first, uint64 second) external {
        vm.assume(first != second);
        settleRequest(requestOn(tabId, first));
        vm.assertFalse(manager.isNonceUsed(tabId, second), "the other one is free");
        settleRequest(requestOn(tabId, second));
        vm.assertTrue(manager.isNonceUsed(tabId, first) && manager.isNonceUsed(tabId, second), "both are used");
    }

    function test_settleSigned__requests_beyond_the_deposit__refused() external {
        uint64 nonce;
        uint256 left = AMOUNT;
        for (; left >= PRICE; left -= PRICE) {
            settleRequest(requestOn(tabId, nonce++));
        }
        vm.assertEq(manager.tab(tabId).balance, left, "eight requests fit");
        SignedRequest memory request = requestOn(tabId, nonce);
        acceptRequest(request, prover);
        bytes memory signature = sign(SIGNER_KEY, digestOf(request));
        vm.expectRevert(abi.encodeWithSelector(IJobManager.TabTooSmall.selector, tabId, PRICE, left));
        settleSigned(request, signature);
        // What is left can be drawn to the last unit.
        request.proverFee = uint80(left - MODEL_FEE - FLAT_FEE);
        settleRequest(request);
        vm.assertEq(manager.tab(tabId).balance, 0, "empty");
    }

    function test_settleSigned__one_deposit_for_two_provers__pays_its_own_prover_alone() external {
        TabSpec memory spec = tabSpec();
        spec.prover = rival;
        vm.prank(requester);
        bytes32 rivalTab = manager.openTab(spec);
        // Signed on the prover's tab, shown to the rival with a proof bound to the rival.
        SignedRequest memory request = requestOn(tabId, 0);
        acceptRequest(request, rival);
        bytes memory signature = sign(SIGNER_KEY, digestOf(request));
        vm.expectPartialRevert(IVerifierRouter.ProofRejected.selector);
        settleSigned(request, signature);
        // Even a verifier that binds nothing pays the tab's prover alone.
        verifier.turn(TripleVerifier.Mood.ACCEPTS_ALL);
        vm.expectRevert(notClaimant(tabId, rival, prover));
        vm.prank(rival, rival);
        manager.settleSigned(request, signature, INPUT, OUTPUT, PROOF);
        settleSigned(request, signature);
        assertPaid(prover);
        vm.assertEq(manager.tab(rivalTab).balance, AMOUNT, "the rival's deposit is untouched");
        // The signature is for one tab: on the rival's it is nobody's.
        request.tabId = rivalTab;
        vm.expectPartialRevert(IJobManager.WrongSigner.selector);
        vm.prank(rival, rival);
        manager.settleSigned(request, signature, INPUT, OUTPUT, PROOF);
    }

    // --- what was agreed ------------------------------------------------------------------------

    function test_settleSigned__signed_by_another__refused() external {
        SignedRequest memory request = requestOn(tabId, 0);
        acceptRequest(request, prover);
        bytes memory signature = sign(REQUESTER_KEY, digestOf(request));
        vm.expectRevert(abi.encodeWithSelector(IJobManager.WrongSigner.selector, signer, requester));
        settleSigned(request, signature);
        vm.expectRevert(abi.encodeWithSelector(IJobManager.WrongSigner.selector, signer, address(0)));
        settleSigned(request, "");
    }

    function test_I5_settleSigned__same_signature_in_its_other_form__refused() external {
        SignedRequest memory request = requestOn(tabId, 0);
        acceptRequest(request, prover);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(SIGNER_KEY, digestOf(request));
        uint256 order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        bytes memory mirrored = abi.encodePacked(r, bytes32(order - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        vm.expectPartialRevert(IJobManager.WrongSigner.selector);
        settleSigned(request, mirrored);
    }

    function test_settleSigned__request_or_tab_expired__refused_at_the_second_after() external {
        SignedRequest memory request = requestOn(tabId, 0);
        acceptRequest(request, prover);
        bytes memory signature = sign(SIGNER_KEY, digestOf(request));
        vm.warp(request.expiry + 1);
        vm.expectRevert(abi.encodeWithSelector(IJobManager.RequestExpired.selector, digestOf(request), request.expiry));
        settleSigned(request, signature);
        vm.warp(request.expiry);
        settleSigned(request, signature);
        request = requestOn(tabId, 1);
        request.expiry = type(uint40).max;
        acceptRequest(request, prover);
        signature = sign(SIGNER_KEY, digestOf(request));
        vm.warp(START + 1 days + 1);
        vm.expectRevert(abi.encodeWithSelector(IJobManager.RequestExpired.selector, digestOf(request), START + 1 days));
        settleSigned(request, signature);
    }

    function test_settleSigned__closed_or_unknown_tab__refused() external {
        SignedRequest memory request = requestOn(tabId, 0);
        acceptRequest(request, prover);
        bytes memory signature = sign(SIGNER_KEY, digestOf(request));
        vm.prank(prover);
        manager.closeTab(tabId);
        vm.expectRevert(abi.encodeWithSelector(IJobManager.TabNotOpen.selector, tabId));
        settleSigned(request, signature);
        request.tabId = keccak256("no such tab");
        vm.expectRevert(abi.encodeWithSelector(IJobManager.TabNotOpen.selector, request.tabId));
        settleSigned(request, signature);
    }

    function test_settleSigned__circuit_of_another_model_or_of_a_batch__refused() external {
        SignedRequest memory request = requestOn(tabId, 0);
        request.circuitId = registry.circuitOf(provenModel(new TripleVerifier(), "letters"));
        bytes memory signature = sign(SIGNER_KEY, digestOf(request));
        vm.expectRevert(abi.encodeWithSelector(IJobManager.CircuitNotOfModel.selector, modelId, request.circuitId, 1));
        settleSigned(request, signature);
    }

    function test_settleSigned__tombstoned_circuit__refused_and_the_tab_gives_back() external {
        SignedRequest memory request = requestOn(tabId, 0);
        acceptRequest(request, prover);
        bytes memory signature = sign(SIGNER_KEY, digestOf(request));
        tombstone(circuitId);
        vm.expectRevert(abi.encodeWithSelector(IVerifierRouter.CircuitIsTombstoned.selector, circuitId));
        settleSigned(request, signature);
        vm.prank(prover);
        manager.closeTab(tabId);
        vm.assertEq(ledger.credits(requester), AMOUNT, "all of it");
    }

    function test_settleSigned__model_fee_below_what_was_agreed__refused() external {
        SignedRequest memory request = requestOn(tabId, 0);
        request.modelFee = MODEL_FEE - 1;
        bytes memory signature = sign(SIGNER_KEY, digestOf(request));
        vm.expectRevert(abi.encodeWithSelector(IJobManager.ModelFeeTooLow.selector, MODEL_FEE - 1, uint256(MODEL_FEE)));
        settleSigned(request, signature);
        // A tenth of the price, where that is more.
        request = requestOn(tabId, 0);
        request.proverFee = 50_000_000;
        signature = sign(SIGNER_KEY, digestOf(request));
        vm.expectRevert(abi.encodeWithSelector(IJobManager.ModelFeeTooLow.selector, MODEL_FEE, uint256(5_556_667)));
        settleSigned(request, signature);
        request.modelFee = 5_556_667;
        settleRequest(request);
    }

    function test_I12_settleSigned__fees_raised_and_model_retired_meanwhile__terms_of_the_tab_stand() external {
        vm.startPrank(publisher);
        registry.setFeeTerms(modelId, FeeTerms(90_000_000, 80_000_000, 500_000));
        registry.retire(modelId);
        vm.stopPrank();
        settleRequest(requestOn(tabId, 0));
        assertPaid(prover);
    }

    function testFuzz_I6_settleSigned__any_fees_not_below_the_agreed__split_exactly(uint80 modelFee, uint80 proverFee)
        external
    {
        SignedRequest memory request = requestOn(tabId, 0);
        request.proverFee = uint80(within(proverFee, 0, 80_000_000));
        uint256 least = slowModelFee(manager.tab(tabId).quote, request.proverFee);
        request.modelFee = uint80(within(modelFee, least, AMOUNT - FLAT_FEE - request.proverFee));
        settleRequest(request);
        Payment memory expected = slowSplit(manager.tab(tabId).quote, request.modelFee, request.proverFee);
        vm.assertEq(ledger.credits(prover), expected.proverFee, "prover");
        vm.assertEq(ledger.incomeOf(modelId).revenue, expected.revenue, "model");
        vm.assertEq(ledger.incomeOf(modelId).platform, expected.platformAmount, "platform");
        vm.assertEq(manager.tab(tabId).balance, AMOUNT - total(expected), "balance");
    }
}
