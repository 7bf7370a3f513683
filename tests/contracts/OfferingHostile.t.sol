// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IUniswapV2Pair} from "@uniswap/v2-core/contracts/interfaces/IUniswapV2Pair.sol";
import {
    IInitialModelOffering,
    Offering,
    OfferingStatus,
    OfferingTerms
} from "marketplace/src/IInitialModelOffering.sol";
import {IModelToken} from "marketplace/src/IModelToken.sol";
import {LocalPaymentToken} from "marketplace/src/LocalPaymentToken.sol";
import {Accomplice, FlashBorrower, PickyBuyer, Refuser} from "tests/contracts/support/HostileHolders.sol";
import {OfferingWorld} from "tests/contracts/support/OfferingWorld.sol";
import {FeeToken, LyingToken, ReentrantToken} from "tests/contracts/support/TokenDoubles.sol";
import {PlatformTerms} from "verifier_contracts/src/IProtocolAdmin.sol";

/// @notice Tokens that deliver less, lie or call back, holders that are contracts, loans of shares, buyers that choose
///         their block, and an admin that does all it can: what they reach in an offering.
/// @dev Each call of a test is a transaction of its own.
/// forge-config: default.isolate = true
contract OfferingHostileTest is OfferingWorld {
    ReentrantToken private reentrant;
    Accomplice private accomplice;

    function setUp() external {
        deployOfferings();
        modelId = closedModel("digits");
    }

    // --- hostile tokens -------------------------------------------------------------------------

    function test_I1_open__token_that_delivers_less_or_lies__refused() external {
        FeeToken taxed = new FeeToken();
        useToken(address(taxed));
        taxed.mint(publisher, BOND);
        refusedOpen(BOND - BOND / 100);
        useToken(address(new LyingToken()));
        refusedOpen(0);
    }

    function test_I1_every_move__reentered_from_the_token__refused() external {
        uint256 id = wakeful();
        // The moves that take or pay money, with a holder awake in each that tries all others.
        awake(id, address(offerings), abi.encodeCall(offerings.reserve, (id, 1, 1)));
        awake(id, address(offerings), abi.encodeCall(offerings.buyResale, (id, ben, 5)));
        vm.prank(ben);
        offerings.withdraw(ben);
        disarm();
        uint64 left = PUBLIC - offerings.offeringOf(id).reserved;
        awake(id, address(offerings), abi.encodeCall(offerings.reserve, (id, left, left)));
        assertStatus(id, OfferingStatus.SOFT_LOCKED, "sold out in spite of it");
        vm.assertEq(offerings.offeringOf(id).revealedAt, 0, "nothing is revealed before the lock began");
        earn(modelId, 1_001_000);
        uint256 state = vm.snapshotState();

        vm.warp(uint256(offerings.offeringOf(id).unlockAt) + GRACE + 1);
        awake(id, address(offerings), abi.encodeCall(offerings.declareDefault, (id)));
        offerings.repay(id, address(accomplice));
        offerings.repay(id, ben);
        awake(id, address(offerings), abi.encodeCall(offerings.withdraw, (address(accomplice))));
        vm.prank(ben);
        offerings.withdraw(ben);
        vm.assertEq(token.balanceOf(address(offerings)), 0, "to the last unit");

        vm.revertToState(state);
        offerings.reveal(id, KEY);
        vm.warp(offerings.releasableAt(id));
        acceptRelease(id);
        awake(id, address(offerings), abi.encodeCall(offerings.finalize, (id, OUTPUT, PROOF)));
        (uint256 shares, uint256 money) = reservesOf(id);
        vm.assertEq(shares, SEED_SHARES, "shares in the pool");
        vm.assertEq(money, SEED_MONEY, "money in the pool");
        vm.warp(block.timestamp + 10 days);
        Offering memory offering = offerings.offeringOf(id);
        awake(id, address(offering.vault), abi.encodeCall(offering.vault.payVested, ()));
        awake(id, address(offering.vault), abi.encodeCall(offering.vault.payIncome, ()));
        vm.assertEq(token.balanceOf(address(offerings)), BOND + 5 * PRICE, "the bond, and what a resale brought");
    }

    function test_I13_withdraw__token_refuses__the_credit_stays() external {
        uint256 id = offered();
        reserveAs(ann, id, 1);
        vm.warp(block.timestamp + 30 days + 1);
        offerings.repay(id, ann);
        bytes memory code = address(token).code;
        vm.etch(address(token), hex"60006000fd");
        vm.expectRevert();
        vm.prank(ann);
        offerings.withdraw(ann);
        vm.etch(address(token), code);
        vm.assertEq(offerings.credits(ann), PRICE, "credit");
        vm.prank(ann);
        offerings.withdraw(ann);
    }

    // --- contracts as creator and holders ---------------------------------------------------------

    function test_I13_creator__a_contract_that_refuses_every_call__is_released_and_paid() external {
        Refuser creator = new Refuser();
        vm.prank(publisher);
        registry.transferFrom(publisher, address(creator), modelId);
        uint256 id = openAs(address(creator), termsOf(modelId));
        Refuser holder = new Refuser();
        reserveAs(address(holder), id, 300);
        reserveAs(ben, id, PUBLIC - 300);
        earn(modelId, 1_001_000);
        offerings.reveal(id, KEY);
        vm.warp(offerings.releasableAt(id));
        finalizeAs(stranger, id);
        vm.warp(block.timestamp + 200 days);
        Offering memory offering = offerings.offeringOf(id);
        offering.vault.payVested();
        offering.vault.payIncome();
        offering.vault.payLiquidity();
        vm.assertEq(token.balanceOf(address(creator)), RAISE - SEED_MONEY + 490_000, "all that vests, and its income");
        vm.assertEq(ledger.claimShares(modelId, address(holder)), 300_000, "credited, if never taken");
    }

    // --- loans of shares ------------------------------------------------------------------------

    function test_I9_flash_loan__of_a_holder_s_or_the_pool_s_shares__neither_income_nor_votes() external {
        uint256 id = trading();
        IModelToken shares = sharesIn(id);
        IUniswapV2Pair pair = pairOf(id);
        earn(modelId, 1_001_000);
        FlashBorrower borrower = new FlashBorrower();
        vm.prank(ann);
        shares.approve(address(borrower), type(uint256).max);
        // The pool's fee is the borrower's own.
        vm.prank(ann);
        shares.transfer(address(borrower), SHARE);
        prepare(1_001_000);
        borrower.borrow(shares, ann, 299 * SHARE, abi.encodeCall(this.settleNow, (1_001_000)));
        prepare(1_001_000);
        borrower.borrowFromPool(pair, shares, 100 * SHARE, abi.encodeCall(this.settleNow, (1_001_000)));
        vm.assertEq(ledger.credits(address(borrower)), 1_000, "of its own share, in the first loan's time");
        uint256 left = shares.balanceOf(address(borrower));
        vm.assertEq(ledger.sharesDue(modelId, address(borrower)), 1_000_000 * left / (1_000 * SHARE), "as a holder");
        vm.assertEq(ledger.sharesDue(modelId, ann), 300_000 + 2 * 299_000, "the lender's stays");
        uint256 loanedAt = block.timestamp;
        vm.warp(loanedAt + 1);
        vm.assertEq(shares.getPastVotes(address(borrower), loanedAt), left, "no votes but its own");
    }

    // --- the release's input ----------------------------------------------------------------------

    function test_I5_release__a_buyer_that_chooses_the_block__does_not_choose_the_input() external {
        uint256 id = offered();
        reserveAs(ann, id, PUBLIC - 1);
        PickyBuyer picky = new PickyBuyer();
        token.mint(address(picky), PRICE);
        bool bought;
        for (uint256 i; i < 400 && !bought; ++i) {
            vm.roll(block.number + 1);
            bought = picky.buy(offerings, router, id, 1);
        }
        vm.assertTrue(bought, "a block to its liking");
        bytes32 foreseen = picky.foreseen();
        vm.assertEq(offerings.offeringOf(id).seed, foreseen, "it has foreseen what a block gives");
        offerings.reveal(id, KEY);
        vm.assertEq(offerings.offeringOf(id).seed, keccak256(abi.encode(foreseen, KEY)), "the key nobody foresees");
        bytes memory liked = router.expandInput(offerings.releaseCircuit(id), foreseen);
        vm.assertTrue(keccak256(offerings.releaseInput(id)) != keccak256(liked), "another input");
    }

    function test_I15_finalize__copied_from_the_mempool__pays_the_copyist_nothing() external {
        uint256 id = releasable();
        finalizeAs(eve, id);
        vm.assertEq(token.balanceOf(eve) + offerings.credits(eve) + ledger.credits(eve), 0, "eve");
        vm.assertEq(offerings.credits(publisher), BOND, "the creator's, whoever sends it");
    }

    // --- burned shares ----------------------------------------------------------------------------

    function test_I9_burned__after_a_default_their_income_comes_back_to_all_shares() external {
        uint256 id = sold();
        IModelToken shares = sharesIn(id);
        vm.warp(uint256(offerings.offeringOf(id).unlockAt) + GRACE + 1);
        offerings.declareDefault(id);
        earn(modelId, 1_001_000);
        vm.assertEq(ledger.sharesDue(modelId, ann), 300_000, "as before");
        ledger.claimShares(modelId, address(0));
        vm.assertEq(ledger.credits(address(0)), 490_000, "what nobody could withdraw");
        vm.prank(stranger);
        vm.assertEq(shares.returnBurnedIncome(), 490_000, "of the creator's tranche");
        for (uint256 i; i < 40 && ledger.sharesDue(modelId, address(0)) != 0; ++i) {
            shares.returnBurnedIncome();
        }
        vm.assertEq(ledger.sharesDue(modelId, address(0)), 0, "until nothing is left");
        uint256 due = ledger.sharesDue(modelId, ann) + ledger.sharesDue(modelId, ben);
        vm.assertGe(due + 4, 1_001_000, "all of it is the holders', but for units that wait");
        vm.assertLe(due, 1_001_000, "and no more");
    }

    function test_I9_burned__by_a_holder__its_past_income_stays_and_later_income_comes_back() external {
        uint256 id = trading();
        IModelToken shares = sharesIn(id);
        earn(modelId, 1_001_000);
        vm.prank(ann);
        shares.burn(100 * SHARE);
        vm.assertEq(ledger.sharesDue(modelId, address(0)), 0, "nothing of the past");
        earn(modelId, 1_001_000);
        vm.assertEq(ledger.sharesDue(modelId, ann), 300_000 + 200_000, "ann's own");
        vm.assertEq(shares.returnBurnedIncome(), 100_000, "of what was burned");
        vm.assertEq(ledger.sharesDue(modelId, ann), 500_000 + uint256(100_000) * 200 / TOTAL, "her part of it");
    }

    // --- admin, and widths ------------------------------------------------------------------------

    function test_I12_admin__every_act_in_flight__alters_no_offering() external {
        uint256 id = revealed();
        bytes32 facts = keccak256(abi.encode(offerings.offeringOf(id)));
        vm.startPrank(timelock);
        admin.setPlatformTerms(PlatformTerms(100_000, 1_000_000));
        admin.setTreasury(eve);
        admin.setGuardian(eve);
        uint32[] memory added = new uint32[](1);
        added[0] = 20878;
        calendar.addHolidays(added);
        vm.stopPrank();
        vm.assertEq(keccak256(abi.encode(offerings.offeringOf(id))), facts, "facts");
        vm.warp(offerings.releasableAt(id));
        finalizeAs(stranger, id);
        vm.assertEq(offerings.credits(publisher), BOND, "bond");
    }

    /// @dev Widest terms and any in between: what opens is stored as it was given, to the last bit, and can be released.
    /// forge-config: default.fuzz.runs = 64
    function testFuzz_I18_open__any_terms__stored_whole_or_refused(
        uint64 totalShares,
        uint80 price,
        uint128 bond,
        uint32 windowSeconds,
        uint32 seedPpm,
        uint32 lpLockSeconds
    ) external {
        OfferingTerms memory terms = termsOf(modelId);
        terms.totalShares = uint64(within(totalShares, 100, 1e12));
        terms.price = uint80(within(price, 1, type(uint80).max >> uint8(price % 64)));
        uint256 worth = (terms.totalShares - offerings.creatorSharesOf(terms.totalShares)) * terms.price;
        terms.bond = uint128(within(bond, worth / 10 + 1_000_000, worth + 1_000_000));
        terms.windowSeconds = uint32(within(windowSeconds, 1, 90 days));
        terms.seedPpm = uint32(within(seedPpm, 50_000, 950_000));
        terms.lpLockSeconds = uint32(within(lpLockSeconds, 180 days, 3650 days));
        pay(publisher, terms.bond);
        vm.prank(publisher);
        registry.approve(address(offerings), modelId);
        vm.prank(publisher);
        try offerings.open(terms) returns (uint256 id) {
            Offering memory offering = offerings.offeringOf(id);
            vm.assertEq(uint256(offering.publicShares) + offering.creatorShares, terms.totalShares, "shares");
            vm.assertEq(offering.price, terms.price, "price");
            vm.assertEq(offering.bond, terms.bond, "bond");
            vm.assertEq(offering.closesAt, block.timestamp + terms.windowSeconds, "end");
            vm.assertEq(offering.seedPpm, terms.seedPpm, "seed");
            vm.assertEq(offering.lpLockSeconds, terms.lpLockSeconds, "lock");
            uint256 raise = uint256(offering.publicShares) * terms.price;
            vm.assertLe(raise * terms.seedPpm / 1e6, type(uint112).max, "a pool can hold its seed");
            token.mint(ann, raise);
            vm.prank(ann);
            token.approve(address(offerings), raise);
            vm.prank(ann);
            offerings.reserve(id, offering.publicShares, offering.publicShares);
            offerings.reveal(id, KEY);
            vm.warp(offerings.releasableAt(id));
            finalizeAs(stranger, id);
            (uint256 shares, uint256 money) = reservesOf(id);
            vm.assertEq(money, raise * terms.seedPpm / 1e6, "money in the pool");
            vm.assertEq(shares, uint256(offering.publicShares) * SHARE * terms.seedPpm / 1e6, "shares in the pool");
        } catch (bytes memory reason) {
            vm.assertEq(bytes32(bytes4(reason)), IInitialModelOffering.TermOutOfRange.selector, "refused by name");
        }
    }

    // --- helpers ----------------------------------------------------------------------------------

    /// @dev What the borrower has done in the middle of its loan: this contract stands for the job manager.
    function settleNow(uint80 revenue) external {
        ledger.settle(modelId, prover, 0, revenue, 0);
    }

    function prepare(uint80 revenue) private {
        fund(requester, revenue);
        ledger.pull(requester, revenue);
    }

    function useToken(address money) private {
        token = LocalPaymentToken(money);
        deployOfferingsOn();
        modelId = closedModel("digits");
    }

    function refusedOpen(uint256 received) private {
        vm.prank(publisher);
        token.approve(address(offerings), type(uint256).max);
        vm.prank(publisher);
        registry.approve(address(offerings), modelId);
        OfferingTerms memory terms = termsOf(modelId);
        vm.expectRevert(
            abi.encodeWithSelector(IInitialModelOffering.ReceivedAmountMismatch.selector, uint256(BOND), received)
        );
        vm.prank(publisher);
        offerings.open(terms);
    }

    /// @dev An offering whose token wakes a holder at each transfer; Ben offers shares, the holder has some and credits.
    function wakeful() private returns (uint256 id) {
        reentrant = new ReentrantToken();
        useToken(address(reentrant));
        id = offered();
        accomplice = new Accomplice();
        reserveAs(ben, id, 100);
        pay(address(accomplice), RAISE);
        pay(ben, RAISE);
        accomplice.act(address(offerings), abi.encodeCall(offerings.reserve, (id, 20, 20)));
        accomplice.act(address(offerings), abi.encodeCall(offerings.offerResale, (id, 10)));
        vm.prank(ben);
        offerings.buyResale(id, address(accomplice), 5);
        vm.prank(ben);
        offerings.offerResale(id, 50);
    }

    /// @dev Makes the accomplice make a move, in which it is woken and tries all the others.
    function awake(uint256 id, address target, bytes memory call) private {
        Offering memory offering = offerings.offeringOf(id);
        address place = address(offerings);
        accomplice.forget();
        accomplice.plan(place, abi.encodeCall(offerings.reserve, (id, 1, 1)));
        accomplice.plan(place, abi.encodeCall(offerings.buyResale, (id, ben, 1)));
        accomplice.plan(place, abi.encodeCall(offerings.reveal, (id, KEY)));
        accomplice.plan(place, abi.encodeCall(offerings.finalize, (id, OUTPUT, PROOF)));
        accomplice.plan(place, abi.encodeCall(offerings.declareDefault, (id)));
        accomplice.plan(place, abi.encodeCall(offerings.close, (id)));
        accomplice.plan(place, abi.encodeCall(offerings.repay, (id, address(accomplice))));
        accomplice.plan(place, abi.encodeCall(offerings.offerResale, (id, PUBLIC)));
        // A vault guards its own till; taking one's credits of the offering meanwhile is nobody's loss.
        if (target == place) accomplice.plan(place, abi.encodeCall(offerings.withdraw, (address(accomplice))));
        accomplice.plan(address(offering.vault), abi.encodeCall(offering.vault.forfeit, ()));
        accomplice.plan(address(offering.vault), abi.encodeCall(offering.vault.payVested, ()));
        accomplice.plan(address(offering.vault), abi.encodeCall(offering.vault.payIncome, ()));
        reentrant.arm(address(accomplice), abi.encodeCall(accomplice.wake, ()));
        accomplice.act(target, call);
        vm.assertGe(accomplice.woken(), 1, "woken");
        vm.assertEq(accomplice.lastDone(), "", "a move within a move");
        disarm();
    }

    function disarm() private {
        reentrant.arm(address(0), "");
    }
}
