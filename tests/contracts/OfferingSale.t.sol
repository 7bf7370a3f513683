// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {
    IInitialModelOffering,
    Offering,
    OfferingStatus,
    OfferingTerms
} from "marketplace/src/IInitialModelOffering.sol";
import {IModelToken, IModelTokenFactory, SharePhase} from "marketplace/src/IModelToken.sol";
import {InitialModelOffering} from "marketplace/src/InitialModelOffering.sol";
import {Part, PayeeKind} from "marketplace/src/IRevenueLedger.sol";
import {ModelTokenFactory} from "marketplace/src/ModelTokenFactory.sol";
import {Parent} from "registry/src/ILineageRegistry.sol";
import {FeeTerms, IModelRegistry, ModelCommitment} from "registry/src/IModelRegistry.sol";
import {Refuser} from "tests/contracts/support/HostileHolders.sol";
import {OfferingWorld} from "tests/contracts/support/OfferingWorld.sol";
import {TripleVerifier} from "tests/contracts/support/VerifierDoubles.sol";
import {CircuitSpec, VerifierClass} from "verifier_contracts/src/IVerifierRouter.sol";
import {InputDomain} from "verifier_contracts/src/TensorLayout.sol";

/// @notice Opening, reserving, passing on, and the end of an offering that did not sell out.
/// @dev Each call of a test is a transaction of its own.
/// forge-config: default.isolate = true
contract OfferingSaleTest is OfferingWorld {
    function setUp() external {
        deployOfferings();
        modelId = closedModel("digits");
    }

    function test_constructor__a_ledger_that_names_another_offering__refused() external {
        vm.assertEq(ledger.offerings(), address(offerings), "the ledger names it");
        IModelTokenFactory tokens = new ModelTokenFactory();
        vm.expectRevert(abi.encodeWithSelector(IInitialModelOffering.NotAContract.selector, address(ledger)));
        new InitialModelOffering(ledger, calendar, tokens, pools, rules());
    }

    function test_open__takes_bond_and_model_and_fixes_the_floors() external {
        earn(modelId, 100);
        uint256 id = offered();
        Offering memory offering = offerings.offeringOf(id);
        vm.assertEq(registry.ownerOf(modelId), address(offering.steward), "the steward has the model");
        vm.assertEq(token.balanceOf(address(offerings)), BOND, "bond");
        vm.assertEq(ledger.credits(publisher), 100, "income until now is the creator's");
        vm.assertEq(offering.publicShares, PUBLIC, "public");
        vm.assertEq(offering.creatorShares, CREATORS, "floor(49 %)");
        vm.assertTrue(offering.fixedWeights, "the warning");
        vm.assertEq(registry.feeTermsOf(modelId).minModelFee, 1_000_000, "floor");
        vm.assertTrue(address(pairOf(id)) != address(0), "pool");
        assertStatus(id, OfferingStatus.OPEN, "open");
        vm.assertEq(offerings.lastOfferingOf(modelId), id, "found by model");
    }

    function testFuzz_I10_tranches__sum_to_the_supply_and_the_creator_s_is_floor_of_49_percent(uint64 total)
        external
        view
    {
        total = uint64(within(total, 100, 1e12));
        uint256 creators = offerings.creatorSharesOf(total);
        vm.assertLe(creators * 100, uint256(total) * 49, "not above");
        vm.assertLt(uint256(total) * 49, (creators + 1) * 100, "the greatest");
    }

    function test_open__terms_out_of_range__refused() external {
        OfferingTerms memory terms = termsOf(modelId);
        terms.windowSeconds = 90 days + 1;
        refused(terms, "windowSeconds", 90 days + 1, 1, 90 days);
        terms = termsOf(modelId);
        terms.bond = uint128(RAISE / 10 - 1);
        refused(terms, "bond", RAISE / 10 - 1, RAISE / 10, type(uint128).max);
        terms = termsOf(modelId);
        terms.fees.minModelFee = 0;
        refused(terms, "minModelFee", 0, 1, 5_000_000);
        terms = termsOf(modelId);
        terms.fees.minModelFeePpm = 0;
        refused(terms, "minModelFeePpm", 0, 1, 500_000);
        terms = termsOf(modelId);
        terms.seedPpm = 958_905;
        refused(terms, "seedPpm", 958_905, 50_000, 958_904);
        terms = termsOf(modelId);
        terms.totalShares = 99;
        refused(terms, "totalShares", 99, 100, 1e12);
        terms = termsOf(modelId);
        terms.vestingSeconds = 90 days - 1;
        refused(terms, "vestingSeconds", 90 days - 1, 90 days, 3650 days);
        terms = termsOf(modelId);
        terms.guardian = publisher;
        vm.expectRevert(abi.encodeWithSelector(IInitialModelOffering.NotAContract.selector, publisher));
        vm.prank(publisher);
        offerings.open(terms);
    }

    function test_open__other_people_s_unproven_open_or_tombstoned_models__refused() external {
        OfferingTerms memory terms = termsOf(modelId);
        vm.expectRevert(
            abi.encodeWithSelector(IInitialModelOffering.ModelRefused.selector, modelId, bytes32("not the owner"))
        );
        vm.prank(eve);
        offerings.open(terms);

        verifier = new TripleVerifier();
        bytes32 circuitId = router.add(specOf(address(verifier), keccak256("letters")));
        ModelCommitment memory commitment = commitmentFor(circuitId, "letters");
        uint256 other = registerModel(commitment);
        refusedModel(other, "not proven");
        prove(other);
        refusedModel(other, "no key");
        tombstone(registry.circuitOf(modelId));
        refusedModel(modelId, "tombstoned");
    }

    function test_open__income_that_is_not_the_holders__refused() external {
        // A contributor takes half, and a parent a little of it: each is lawful, and holders would have less than half.
        uint256 greedy = withParts("greedy", 500_000, 1);
        refusedModel(greedy, "split");
        uint256 half = withParts("half", 500_000, 0);
        vm.assertGe(openAs(publisher, termsOf(half)), 1, "exactly half is enough");
    }

    function test_I5_open__circuit_of_few_inputs__refused_unless_local() external {
        verifier = new TripleVerifier();
        CircuitSpec memory spec = specOf(address(verifier), keccak256("few"));
        spec.class_ = VerifierClass.UNVOUCHED;
        spec.tensors.inputCount = 31;
        refusedModel(closed(spec, "31 times two bits"), "input bits");
        verifier = new TripleVerifier();
        spec = specOf(address(verifier), keccak256("one"));
        spec.class_ = VerifierClass.UNVOUCHED;
        spec.tensors.inputCount = 60_000;
        spec.domain = InputDomain({min: 1, max: 1});
        refusedModel(closed(spec, "one value"), "input bits");
        verifier = new TripleVerifier();
        spec = specOf(address(verifier), keccak256("many"));
        spec.class_ = VerifierClass.UNVOUCHED;
        spec.tensors.inputCount = 32;
        vm.assertGe(openAs(publisher, termsOf(closed(spec, "64 bits"))), 1, "64 bits are enough");
    }

    function test_I13_open__circuit_that_leaves_a_release_no_gas__refused() external {
        verifier = new TripleVerifier();
        CircuitSpec memory spec = specOf(address(verifier), keccak256("heavy"));
        spec.gasLimit = 12_000_000;
        spec.tensors.inputCount = 21_876;
        refusedModel(closed(spec, "one input too many"), "gas");
        verifier = new TripleVerifier();
        spec = specOf(address(verifier), keccak256("just"));
        spec.gasLimit = 12_000_000;
        spec.tensors.inputCount = 21_875;
        vm.assertGe(openAs(publisher, termsOf(closed(spec, "just enough"))), 1, "just enough");
    }

    function test_open__name_and_symbol__to_their_last_byte() external {
        OfferingTerms memory terms = termsOf(modelId);
        terms.name = "";
        refused(terms, "name", 0, 1, 31);
        terms.name = "a name of thirty-two bytes, 32..";
        refused(terms, "name", 32, 1, 31);
        terms.name = "a name of thirty-one bytes, 31.";
        terms.symbol = "SYMBOL-OF-17-CHAR";
        refused(terms, "symbol", 17, 1, 16);
        terms.symbol = "SYMBOL-OF-16-CHR";
        IModelToken shares = sharesIn(openAs(publisher, terms));
        vm.assertEq(IERC20Metadata(address(shares)).name(), terms.name, "name");
    }

    function test_reserve__pays_exactly_the_price_and_gives_locked_shares() external {
        uint256 id = offered();
        pay(ann, 1_000 * PRICE);
        vm.prank(ann);
        offerings.reserve(id, 10, 10);
        vm.assertEq(token.balanceOf(ann), 990 * PRICE, "paid");
        IModelToken shares = sharesIn(id);
        vm.assertEq(shares.balanceOf(ann), 10 * SHARE, "shares");
        vm.expectRevert(abi.encodeWithSelector(IModelToken.SharesLocked.selector, SharePhase.RESERVED));
        vm.prank(ann);
        shares.transfer(ben, 1);
        vm.expectRevert(abi.encodeWithSelector(IModelToken.SharesLocked.selector, SharePhase.RESERVED));
        vm.prank(ann);
        shares.burn(1);
        vm.expectRevert(abi.encodeWithSelector(IModelToken.NotOffering.selector, ann, address(offerings)));
        vm.prank(ann);
        shares.mint(ann, 1);
        vm.expectRevert(
            abi.encodeWithSelector(IInitialModelOffering.TooFewShares.selector, id, PUBLIC - 10, PUBLIC - 9)
        );
        vm.prank(ann);
        offerings.reserve(id, PUBLIC, PUBLIC - 9);
        vm.prank(ann);
        vm.assertEq(offerings.reserve(id, PUBLIC, 1), PUBLIC - 10, "what is left, and no more");
        assertStatus(id, OfferingStatus.SOFT_LOCKED, "sold");
        vm.assertEq(shares.totalSupply(), TOTAL * SHARE, "all shares");
        vm.assertEq(ledger.sharesOf(modelId), address(shares), "the ledger holds for the shares");
    }

    function test_I10_reserve__last_second_of_the_window__sells_and_one_second_later_does_not() external {
        uint256 id = offered();
        uint256 end = block.timestamp + 30 days;
        vm.assertEq(offerings.offeringOf(id).closesAt, end, "end");
        vm.warp(end + 1);
        pay(ann, PRICE);
        expectStatus(id, OfferingStatus.FAILED);
        vm.prank(ann);
        offerings.reserve(id, 1, 1);
        vm.warp(end);
        reserveAs(ann, id, 1);
        expectStatus(id, OfferingStatus.OPEN);
        offerings.repay(id, ann);
        expectStatus(id, OfferingStatus.OPEN);
        offerings.close(id);
    }

    function test_reserve__tombstoned_circuit__takes_nobody_s_money() external {
        uint256 id = offered();
        tombstone(registry.circuitOf(modelId));
        pay(ann, PRICE);
        vm.expectRevert(
            abi.encodeWithSelector(IInitialModelOffering.ModelRefused.selector, modelId, bytes32("tombstoned"))
        );
        vm.prank(ann);
        offerings.reserve(id, 1, 1);
    }

    function test_I10_softLock__unlocks_at_the_calendar_s_instant_and_only_once_written() external {
        uint256 id = offered();
        // Friday 2027-01-29, 20:00:01 PST: less than four hours to midnight, and then a weekend.
        vm.warp(1_801_281_601);
        sell(id);
        Offering memory offering = offerings.offeringOf(id);
        vm.assertEq(offering.unlockAt, calendar.unlockAt(block.timestamp, HOLIDAYS), "calendar");
        // Monday 2027-02-01, 00:00 PST.
        vm.assertEq(offering.unlockAt, 1_801_468_800, "Monday");
        vm.warp(block.timestamp + 1 days);
        vm.assertEq(offerings.offeringOf(id).unlockAt, offering.unlockAt, "stored");
    }

    function test_I12_softLock__holidays_added_after_the_opening__do_not_count() external {
        OfferingTerms memory terms = termsOf(modelId);
        terms.windowSeconds = 90 days;
        uint256 id = openAs(publisher, terms);
        uint32[] memory added = new uint32[](1);
        // Monday, 2027-03-01.
        added[0] = 20878;
        vm.prank(timelock);
        calendar.addHolidays(added);
        // Friday, 2027-02-26, 10:00 PST.
        vm.warp(1803664800);
        sell(id);
        uint256 unlockAt = offerings.offeringOf(id).unlockAt;
        vm.assertEq(unlockAt, calendar.unlockAt(block.timestamp, HOLIDAYS), "the table as it was");
        vm.assertEq(unlockAt + 1 days, calendar.unlockAt(block.timestamp, HOLIDAYS + 1), "and not as it is");
    }

    // --- passing on -----------------------------------------------------------------------------

    function test_I10_resale__at_exactly_the_price_and_reservations_do_not_come_back() external {
        uint256 id = offered();
        reserveAs(ann, id, 10);
        vm.expectRevert(abi.encodeWithSelector(IInitialModelOffering.TooFewShares.selector, id, 10, 11));
        vm.prank(ann);
        offerings.offerResale(id, 11);
        vm.prank(ann);
        offerings.offerResale(id, 4);
        pay(ben, 100 * PRICE);
        vm.expectRevert(abi.encodeWithSelector(IInitialModelOffering.TooFewShares.selector, id, 4, 5));
        vm.prank(ben);
        offerings.buyResale(id, ann, 5);
        vm.prank(ben);
        offerings.buyResale(id, ann, 3);
        vm.assertEq(token.balanceOf(ben), 97 * PRICE, "exactly the price");
        vm.assertEq(offerings.credits(ann), 3 * PRICE, "credited");
        vm.assertEq(offerings.reservationOf(id, ann), 7, "ann");
        vm.assertEq(offerings.reservationOf(id, ben), 3, "ben");
        vm.assertEq(offerings.resaleOf(id, ann), 1, "left on offer");
        vm.assertEq(sharesIn(id).balanceOf(ben), 3 * SHARE, "shares");
        expectStatus(id, OfferingStatus.OPEN);
        offerings.repay(id, ann);
        vm.expectRevert(abi.encodeWithSelector(IInitialModelOffering.NothingToWithdraw.selector, ben));
        vm.prank(ben);
        offerings.withdraw(ben);
        vm.prank(ann);
        offerings.withdraw(ann);
        vm.assertEq(token.balanceOf(ann), 3 * PRICE, "withdrawn");
    }

    function test_resale__nobody_s_shares_move_without_an_offer() external {
        uint256 id = offered();
        reserveAs(ann, id, 10);
        pay(ben, PRICE);
        vm.expectRevert(abi.encodeWithSelector(IInitialModelOffering.TooFewShares.selector, id, 0, 1));
        vm.prank(ben);
        offerings.buyResale(id, ann, 1);
        vm.prank(ann);
        offerings.offerResale(id, 10);
        vm.prank(ann);
        offerings.offerResale(id, 0);
        vm.expectRevert(abi.encodeWithSelector(IInitialModelOffering.TooFewShares.selector, id, 0, 1));
        vm.prank(ben);
        offerings.buyResale(id, ann, 1);
    }

    function test_I9_resale__in_the_lock__moves_no_past_income() external {
        uint256 id = sold();
        earn(modelId, 1_001_000);
        vm.prank(ann);
        offerings.offerResale(id, 100);
        pay(ben, 100 * PRICE);
        vm.prank(ben);
        offerings.buyResale(id, ann, 100);
        vm.assertEq(ledger.sharesDue(modelId, ann), 300_000, "ann keeps");
        vm.assertEq(ledger.sharesDue(modelId, ben), 211_000, "ben gains nothing");
        earn(modelId, 1_001_000);
        vm.assertEq(ledger.sharesDue(modelId, ann), 500_000, "200 from now on");
    }

    // --- failure --------------------------------------------------------------------------------

    function test_fail__every_holder_has_its_money_and_the_creator_model_and_bond() external {
        uint256 id = offered();
        reserveAs(ann, id, 300);
        reserveAs(ben, id, 210);
        earn(modelId, 70);
        vm.warp(block.timestamp + 30 days + 1);
        assertStatus(id, OfferingStatus.FAILED, "failed");
        vm.prank(stranger);
        vm.assertEq(offerings.repay(id, ann), 300 * PRICE, "ann");
        vm.expectRevert(abi.encodeWithSelector(IInitialModelOffering.NothingToClaim.selector, id, ann));
        offerings.repay(id, ann);
        vm.prank(stranger);
        offerings.close(id);
        expectStatus(id, OfferingStatus.FAILED);
        offerings.close(id);
        offerings.repay(id, ben);
        vm.assertEq(registry.ownerOf(modelId), publisher, "model");
        vm.assertEq(offerings.credits(publisher), BOND, "bond");
        vm.assertEq(sharesIn(id).totalSupply(), 0, "no shares are left");
        vm.assertEq(offerings.credits(ann) + offerings.credits(ben), 510 * PRICE, "money");
        offerings.offeringOf(id).steward.payOwnerIncome();
        vm.assertEq(token.balanceOf(publisher), 70, "income of the window is the creator's");

        // And it can be offered again.
        uint256 again = offered();
        vm.assertEq(offerings.lastOfferingOf(modelId), again, "again");
        sell(again);
        assertStatus(again, OfferingStatus.SOFT_LOCKED, "sold at last");
    }

    function test_I13_fail__a_creator_that_takes_no_tokens__stops_nobody() external {
        Refuser creator = new Refuser();
        vm.prank(publisher);
        registry.transferFrom(publisher, address(creator), modelId);
        uint256 id = openAs(address(creator), termsOf(modelId));
        reserveAs(ann, id, 1);
        vm.warp(block.timestamp + 30 days + 1);
        offerings.close(id);
        offerings.repay(id, ann);
        vm.assertEq(registry.ownerOf(modelId), address(creator), "not asked whether it wants it");
        vm.prank(ann);
        offerings.withdraw(ben);
        vm.assertEq(token.balanceOf(ben), PRICE, "paid where she wants it");
    }

    function test_steward__income_before_the_soft_lock_is_the_creator_s_and_later_income_the_shares() external {
        uint256 id = offered();
        earn(modelId, 70);
        sell(id);
        earn(modelId, 1_001);
        offerings.offeringOf(id).steward.payOwnerIncome();
        vm.assertEq(token.balanceOf(publisher), 70, "the creator's");
        vm.assertEq(ledger.sharesDue(modelId, ann), 300, "the shares'");
        vm.assertEq(ledger.sharesDue(modelId, address(offerings.offeringOf(id).vault)), 490, "held");
    }

    /// @dev A model of the publisher's with a part for a contributor and a rate for a parent.
    function withParts(string memory name, uint32 partPpm, uint32 ratePpm) private returns (uint256 id) {
        verifier = new TripleVerifier();
        CircuitSpec memory spec = specOf(address(verifier), keccak256(bytes(name)));
        ModelCommitment memory commitment = commitmentFor(router.add(spec), name);
        commitment.keyCommitment = keccak256(abi.encodePacked(KEY));
        id = registerModel(commitment);
        Part[] memory parts = new Part[](1);
        parts[0] = Part({kind: PayeeKind.CONTRIBUTORS, ppm: partPpm, receiver: publisher});
        vm.prank(publisher);
        ledger.fixParts(id, parts);
        if (ratePpm != 0) {
            Parent[] memory parents = new Parent[](1);
            parents[0] = Parent({modelId: modelId, ratePpm: ratePpm});
            vm.prank(publisher);
            lineage.declare(id, parents, ratePpm);
        }
        prove(id);
    }

    function closed(CircuitSpec memory spec, string memory name) private returns (uint256 id) {
        ModelCommitment memory commitment = commitmentFor(router.add(spec), name);
        commitment.keyCommitment = keccak256(abi.encodePacked(KEY));
        id = registerModel(commitment);
        prove(id);
    }

    function refused(OfferingTerms memory terms, bytes32 field, uint256 found, uint256 least, uint256 most) private {
        vm.expectRevert(
            abi.encodeWithSelector(IInitialModelOffering.TermOutOfRange.selector, field, found, least, most)
        );
        vm.prank(publisher);
        offerings.open(terms);
    }

    function refusedModel(uint256 id, bytes32 what) private {
        OfferingTerms memory terms = termsOf(id);
        vm.expectRevert(abi.encodeWithSelector(IInitialModelOffering.ModelRefused.selector, id, what));
        vm.prank(publisher);
        offerings.open(terms);
    }
}
