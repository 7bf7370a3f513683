// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IUniswapV2Pair} from "@uniswap/v2-core/contracts/interfaces/IUniswapV2Pair.sol";
import {Artifact, ArtifactChallenge} from "marketplace/src/ArtifactChallenge.sol";
import {ICreatorVault, VestingState} from "marketplace/src/ICreatorVault.sol";
import {
    DefaultCause,
    IInitialModelOffering,
    Offering,
    OfferingStatus,
    OfferingTerms
} from "marketplace/src/IInitialModelOffering.sol";
import {IModelToken, SharePhase} from "marketplace/src/IModelToken.sol";
import {IRevenueLedger} from "marketplace/src/IRevenueLedger.sol";
import {Refuser} from "tests/contracts/support/HostileHolders.sol";
import {OfferingWorld} from "tests/contracts/support/OfferingWorld.sol";
import {TripleVerifier} from "tests/contracts/support/VerifierDoubles.sol";
import {IProofVerifier} from "verifier_contracts/src/IProofVerifier.sol";
import {IVerifierRouter} from "verifier_contracts/src/IVerifierRouter.sol";

/// @notice Reveal, challenge, guardian, release and default, each at its boundaries to the second.
/// @dev Each call of a test is a transaction of its own.
/// forge-config: default.isolate = true
contract OfferingReleaseTest is OfferingWorld {
    function setUp() external {
        deployOfferings();
        modelId = closedModel("digits");
    }

    // --- the clock ------------------------------------------------------------------------------

    function test_I3_clock__every_boundary_by_one_second() external {
        uint256 id = sold();
        uint256 unlockAt = offerings.offeringOf(id).unlockAt;
        assertStatus(id, OfferingStatus.SOFT_LOCKED, "sold");
        vm.warp(unlockAt + GRACE);
        assertStatus(id, OfferingStatus.SOFT_LOCKED, "last second of the grace");
        expectStatus(id, OfferingStatus.SOFT_LOCKED);
        offerings.declareDefault(id);
        vm.warp(unlockAt + GRACE + 1);
        assertStatus(id, OfferingStatus.OVERDUE, "too late");
        expectStatus(id, OfferingStatus.OVERDUE);
        offerings.reveal(id, KEY);

        vm.warp(unlockAt + GRACE);
        offerings.reveal(id, KEY);
        uint256 due = unlockAt + GRACE + CHALLENGE;
        vm.assertEq(offerings.releasableAt(id), due, "the challenge time follows a late reveal");
        vm.warp(due - 1);
        assertStatus(id, OfferingStatus.REVEALED, "window");
        acceptRelease(id);
        expectStatus(id, OfferingStatus.REVEALED);
        offerings.finalize(id, OUTPUT, PROOF);
        vm.warp(due + GRACE + 1);
        assertStatus(id, OfferingStatus.OVERDUE, "nobody released it");
        expectStatus(id, OfferingStatus.OVERDUE);
        offerings.finalize(id, OUTPUT, PROOF);
        vm.warp(due + GRACE);
        expectStatus(id, OfferingStatus.RELEASABLE);
        offerings.declareDefault(id);
        offerings.finalize(id, OUTPUT, PROOF);
        assertStatus(id, OfferingStatus.TRADING, "in the last second");
    }

    function test_I3_clock__early_reveal__waits_for_the_end_of_the_lock() external {
        uint256 id = offered();
        // Friday 2027-02-12, 10:00 PST, before a holiday: the lock lasts until Tuesday, 86 hours.
        vm.warp(1802455200);
        sell(id);
        offerings.reveal(id, KEY);
        vm.assertEq(offerings.releasableAt(id), 1802764800, "here the lock decides");
        vm.warp(1802764800 - 1);
        assertStatus(id, OfferingStatus.REVEALED, "the challenge time is over, the window is not");
        acceptRelease(id);
        expectStatus(id, OfferingStatus.REVEALED);
        offerings.finalize(id, OUTPUT, PROOF);
        vm.warp(1802764800);
        expectStatus(id, OfferingStatus.RELEASABLE);
        vm.prank(warden);
        offerings.guardianDefault(id, "too late");
        offerings.finalize(id, OUTPUT, PROOF);
    }

    // --- reveal ---------------------------------------------------------------------------------

    function test_reveal__junk_key_or_early__refused() external {
        uint256 id = offered();
        expectStatus(id, OfferingStatus.OPEN);
        offerings.reveal(id, KEY);
        sell(id);
        vm.expectRevert(abi.encodeWithSelector(IInitialModelOffering.WrongKey.selector, id));
        offerings.reveal(id, keccak256("junk"));
        offerings.reveal(id, KEY);
        expectStatus(id, OfferingStatus.REVEALED);
        offerings.reveal(id, KEY);
        vm.assertEq(offerings.offeringOf(id).key, KEY, "public");
    }

    // --- release --------------------------------------------------------------------------------

    function test_finalize__frees_shares_seeds_the_pool_and_vests_the_rest() external {
        uint256 id = trading();
        Offering memory offering = offerings.offeringOf(id);
        IModelToken shares = offering.shares;
        assertStatus(id, OfferingStatus.TRADING, "trading");
        vm.assertEq(offerings.credits(publisher), BOND, "bond");
        vm.assertEq(token.balanceOf(address(offerings)), BOND, "the raise is gone, the bond waits");
        (uint256 reserveShares, uint256 reserveMoney) = reservesOf(id);
        vm.assertEq(reserveShares, SEED_SHARES, "shares in the pool");
        vm.assertEq(reserveMoney, SEED_MONEY, "money in the pool");
        vm.assertEq(reserveMoney * SHARE / reserveShares, PRICE, "at the price");
        vm.assertFalse(registry.isClosed(modelId), "open to every prover");
        vm.assertEq(registry.ownerOf(modelId), address(offering.steward), "the steward keeps the model");
        VestingState memory state = offering.vault.vesting();
        vm.assertEq(uint256(state.money) + SEED_MONEY, RAISE, "money");
        vm.assertEq(uint256(state.shares) + SEED_SHARES, CREATORS * SHARE, "shares");
        vm.prank(ann);
        shares.transfer(eve, 5);
        vm.assertEq(shares.balanceOf(eve), 5, "free");
        expectStatus(id, OfferingStatus.TRADING);
        offerings.repay(id, ann);
        expectStatus(id, OfferingStatus.TRADING);
        vm.prank(ann);
        offerings.offerResale(id, 1);
    }

    function test_vesting__even_by_the_second_and_to_the_creator_alone() external {
        uint256 id = trading();
        Offering memory offering = offerings.offeringOf(id);
        ICreatorVault vault = offering.vault;
        VestingState memory state = vault.vesting();
        vm.expectRevert(abi.encodeWithSelector(ICreatorVault.NothingDue.selector));
        vault.payVested();
        vm.warp(state.startedAt + 25 days);
        vm.prank(stranger);
        vault.payVested();
        vm.assertEq(token.balanceOf(publisher), uint256(state.money) / 4, "a quarter");
        vm.assertEq(offering.shares.balanceOf(publisher), uint256(state.shares) / 4, "a quarter");
        vm.expectRevert(abi.encodeWithSelector(ICreatorVault.LiquidityLocked.selector, state.startedAt + 200 days));
        vault.payLiquidity();
        vm.warp(state.startedAt + 200 days - 1);
        vault.payVested();
        vm.assertEq(token.balanceOf(publisher), state.money, "all");
        vm.assertEq(offering.shares.balanceOf(address(vault)), 0, "all");
        vm.expectRevert(abi.encodeWithSelector(ICreatorVault.LiquidityLocked.selector, state.startedAt + 200 days));
        vault.payLiquidity();
        vm.warp(state.startedAt + 200 days);
        vault.payLiquidity();
        IUniswapV2Pair pair = pairOf(id);
        vm.assertEq(pair.balanceOf(publisher) + 1000, pair.totalSupply(), "the liquidity");
    }

    function test_vault__income_of_the_tranche__held_until_the_release() external {
        uint256 id = sold();
        ICreatorVault vault = offerings.offeringOf(id).vault;
        earn(modelId, 1_001);
        ledger.claimShares(modelId, address(vault));
        vm.expectRevert(abi.encodeWithSelector(ICreatorVault.NotReleased.selector));
        vault.payIncome();
        offerings.reveal(id, KEY);
        vm.warp(offerings.releasableAt(id));
        finalizeAs(stranger, id);
        vault.payIncome();
        vm.assertEq(token.balanceOf(publisher), 490, "released with the shares");
    }

    function test_I9_pool__its_income_comes_back_to_all_shares__whoever_claimed_it_first() external {
        uint256 id = trading();
        IModelToken shares = sharesIn(id);
        address pool = address(pairOf(id));
        vm.assertEq(shares.pool(), pool, "pool");
        earn(modelId, 1_001_000);
        uint256 dueBefore = ledger.holdersDue(modelId);
        ledger.claimShares(modelId, pool);
        vm.assertEq(ledger.credits(pool), 127_750, "what nobody could withdraw");
        vm.expectRevert(abi.encodeWithSelector(IRevenueLedger.NotAllowed.selector, eve, address(shares)));
        vm.prank(eve);
        ledger.returnShares(modelId, pool);
        earn(modelId, 1_001_000);
        vm.prank(stranger);
        vm.assertEq(shares.returnPoolIncome(), 255_500, "claimed and due");
        vm.assertEq(ledger.credits(pool), 0, "nothing is left there");
        vm.assertEq(ledger.holdersDue(modelId), dueBefore + 1_001_000, "conserved");
        vm.assertEq(ledger.sharesDue(modelId, ann), (2_002_000 + 255_500) * uint256(300) / TOTAL, "ann's part of it");
        uint256 last = 255_500;
        bool ended;
        for (uint256 i; i < 12 && !ended; ++i) {
            try shares.returnPoolIncome() returns (uint256 next) {
                vm.assertLt(next, last / 7 + 2, "an eighth of what came back before");
                last = next;
            } catch {
                ended = true;
            }
        }
        vm.assertTrue(ended, "and then nothing is left");
    }

    function test_I9_pool__no_holder_s_credits_are_anybody_else_s() external {
        uint256 id = sold();
        IModelToken shares = sharesIn(id);
        earn(modelId, 1_001);
        ledger.claimShares(modelId, ann);
        vm.expectRevert(abi.encodeWithSelector(IRevenueLedger.NothingToClaim.selector, modelId));
        shares.returnPoolIncome();
        vm.assertEq(ledger.credits(ann), 300, "ann's");
    }

    function test_finalize__trade_on_the_pool__moves_shares_and_no_past_income() external {
        uint256 id = trading();
        earn(modelId, 1_001_000);
        IUniswapV2Pair pair = pairOf(id);
        IModelToken shares = sharesIn(id);
        uint256 poolDue = ledger.sharesDue(modelId, address(pair));
        vm.assertEq(poolDue, 1_000 * SEED_SHARES / SHARE, "the pool's shares earn as all others");
        token.mint(address(pair), 1_000_000);
        bool sharesFirst = pair.token0() == address(shares);
        (uint256 reserveShares, uint256 reserveMoney) = reservesOf(id);
        uint256 out = reserveShares * 997_000 / (reserveMoney + 997_000) * 999 / 1000;
        pair.swap(sharesFirst ? out : 0, sharesFirst ? 0 : out, eve, "");
        vm.assertEq(shares.balanceOf(eve), out, "bought");
        vm.assertEq(ledger.sharesDue(modelId, eve), 0, "no past income");
    }

    /// @dev Synced money makes a reserve that nobody intended.
    function donate(IUniswapV2Pair pair, uint256 amount) private {
        token.mint(address(pair), amount);
        pair.sync();
    }

    // --- the fresh proof ------------------------------------------------------------------------

    function test_I5_finalize__proof_of_another_release_or_of_the_genesis__refused() external {
        ContextFree forgetful = new ContextFree();
        modelId = modelOn(TripleVerifier(address(forgetful)), "one");
        uint256 first = releasable();
        modelId = modelOn(TripleVerifier(address(forgetful)), "two");
        uint256 second = revealed();
        Offering memory mine = offerings.offeringOf(first);
        // A proof system that binds no context, and a verifier that both models share: the input alone must tell.
        forgetful.accept(0, registry.genesisInput(mine.modelId, registry.circuitOf(mine.modelId)), OUTPUT, PROOF);
        vm.expectPartialRevert(IVerifierRouter.ProofRejected.selector);
        offerings.finalize(first, OUTPUT, PROOF);
        forgetful.accept(0, offerings.releaseInput(second), OUTPUT, PROOF);
        vm.expectPartialRevert(IVerifierRouter.ProofRejected.selector);
        offerings.finalize(first, OUTPUT, PROOF);
        forgetful.accept(0, offerings.releaseInput(first), OUTPUT, PROOF);
        offerings.finalize(first, OUTPUT, PROOF);
    }

    function test_I5_release__the_seed_is_fixed_at_the_soft_lock_and_known_at_the_reveal() external {
        uint256 id = offered();
        reserveAs(ann, id, PUBLIC - 1);
        vm.assertEq(offerings.offeringOf(id).seed, bytes32(0), "nobody can prove it yet");
        expectStatus(id, OfferingStatus.OPEN);
        offerings.releaseInput(id);
        uint256 state = vm.snapshotState();
        reserveAs(ben, id, 1);
        bytes32 seed = offerings.offeringOf(id).seed;
        expectStatus(id, OfferingStatus.SOFT_LOCKED);
        offerings.releaseInput(id);
        vm.roll(block.number + 1);
        offerings.reveal(id, KEY);
        bytes32 known = offerings.offeringOf(id).seed;
        vm.assertEq(known, keccak256(abi.encode(seed, KEY)), "the revealed key is all that is added");
        vm.assertEq(
            offerings.releaseInput(id), router.expandInput(offerings.releaseCircuit(id), known), "of exactly this input"
        );
        vm.revertToState(state);
        vm.roll(block.number + 1);
        reserveAs(ben, id, 1);
        vm.assertTrue(offerings.offeringOf(id).seed != seed, "another block, another seed");
    }

    function test_I4_finalize__any_field_changed__refused() external {
        uint256 id = releasable();
        acceptRelease(id);
        for (uint256 i; i < 8; ++i) {
            vm.expectPartialRevert(IVerifierRouter.ProofRejected.selector);
            offerings.finalize(id, flipped(OUTPUT, i), PROOF);
        }
        vm.expectPartialRevert(IVerifierRouter.ProofRejected.selector);
        offerings.finalize(id, OUTPUT, flipped(PROOF, 1));
        vm.expectRevert();
        offerings.finalize(id, bytes.concat(OUTPUT, hex"00"), PROOF);
        offerings.finalize(id, OUTPUT, PROOF);
    }

    function test_finalize__through_a_contract__publishes_the_proof() external {
        uint256 id = releasable();
        acceptRelease(id);
        vm.recordLogs();
        offerings.finalize(id, OUTPUT, PROOF);
        vm.assertEq(publications(), 1, "published");
    }

    // --- the pool -------------------------------------------------------------------------------

    function testFuzz_I17_seed__any_donation_synced_or_not__opens_exactly_at_the_price(
        uint256 synced,
        uint256 loose,
        bool early
    ) external {
        uint256 id = sold();
        IUniswapV2Pair pair = pairOf(id);
        // Up to a million times the raise.
        synced = within(synced, 0, RAISE * 1_000_000);
        loose = within(loose, 0, RAISE * 1_000_000);
        if (early) donate(pair, synced);
        offerings.reveal(id, KEY);
        vm.warp(offerings.releasableAt(id));
        if (!early) donate(pair, synced);
        token.mint(address(pair), loose);
        finalizeAs(stranger, id);
        (uint256 reserveShares, uint256 reserveMoney) = reservesOf(id);
        vm.assertEq(reserveShares, SEED_SHARES, "shares");
        vm.assertEq(reserveMoney, SEED_MONEY, "money");
        vm.assertEq(pair.balanceOf(address(offerings.offeringOf(id).vault)) + 1000, pair.totalSupply(), "liquidity");
        VestingState memory state = offerings.offeringOf(id).vault.vesting();
        vm.assertEq(uint256(state.money) + SEED_MONEY, RAISE, "donations vest to nobody");
    }

    function test_I17_seed__whichever_token_the_pool_has_first__opens_at_the_price() external {
        bool[2] memory seen;
        for (uint256 i; i < 12 && !(seen[0] && seen[1]); ++i) {
            // Another deployment, other addresses.
            deployOfferings();
            modelId = closedModel("digits");
            uint256 id = releasable();
            IUniswapV2Pair pair = pairOf(id);
            donate(pair, 3 * RAISE);
            seen[pair.token0() == address(sharesIn(id)) ? 0 : 1] = true;
            finalizeAs(stranger, id);
            (uint256 reserveShares, uint256 reserveMoney) = reservesOf(id);
            vm.assertEq(reserveShares, SEED_SHARES, "shares");
            vm.assertEq(reserveMoney, SEED_MONEY, "money");
        }
        vm.assertTrue(seen[0] && seen[1], "both orders");
    }

    function test_I17_seed__pool_made_before_the_offering__is_used() external {
        uint256 id = sold();
        IUniswapV2Pair pair = pairOf(id);
        donate(pair, 1);
        vm.expectRevert();
        pair.mint(eve);
        vm.expectRevert();
        pair.swap(1, 0, eve, "");
        offerings.reveal(id, KEY);
        vm.warp(offerings.releasableAt(id));
        finalizeAs(stranger, id);
        (uint256 reserveShares, uint256 reserveMoney) = reservesOf(id);
        vm.assertEq(reserveShares, SEED_SHARES, "shares");
        vm.assertEq(reserveMoney, SEED_MONEY, "money");
    }

    function test_I10_shares__until_the_release_nobody_can_move_one_to_the_pool() external {
        uint256 id = revealed();
        IModelToken shares = sharesIn(id);
        address pair = address(pairOf(id));
        vm.prank(ann);
        vm.expectRevert(abi.encodeWithSelector(IModelToken.SharesLocked.selector, SharePhase.EARNING));
        shares.transfer(pair, 1);
        vm.prank(ann);
        shares.approve(eve, 1);
        vm.prank(eve);
        vm.expectRevert(abi.encodeWithSelector(IModelToken.SharesLocked.selector, SharePhase.EARNING));
        shares.transferFrom(ann, pair, 1);
        vm.prank(eve);
        vm.expectRevert(abi.encodeWithSelector(IModelToken.NotOffering.selector, eve, address(offerings)));
        shares.moveReserved(ann, pair, 1);
        vm.prank(eve);
        vm.expectRevert(abi.encodeWithSelector(IModelToken.NotOffering.selector, eve, address(offerings)));
        shares.release(pair);
    }

    // --- defaults -------------------------------------------------------------------------------

    function test_default__never_revealed__raise_bond_and_held_income_to_the_holders() external {
        uint256 id = sold();
        Offering memory offering = offerings.offeringOf(id);
        earn(modelId, 1_001_000);
        vm.warp(uint256(offering.unlockAt) + GRACE + 1);
        vm.prank(stranger);
        offerings.declareDefault(id);
        assertStatus(id, OfferingStatus.DEFAULTED, "defaulted");
        vm.assertEq(offering.shares.totalSupply(), PUBLIC * SHARE, "the creator's shares are gone");
        uint256 bonus = uint256(BOND) + 490_000;
        vm.assertEq(offerings.offeringOf(id).bonus, bonus, "bond and held income");
        uint256 annPart = bonus * 300 / PUBLIC;
        vm.assertEq(offerings.repay(id, ann), 300 * PRICE + annPart, "ann");
        vm.assertEq(offerings.repay(id, ben), 211 * PRICE + bonus - annPart, "ben takes the last unit");
        vm.assertEq(offerings.credits(publisher), 0, "the creator has lost its bond");
        vm.assertEq(token.balanceOf(address(offerings)), RAISE + bonus, "to the last unit");
        vm.assertEq(ledger.sharesDue(modelId, ann), 300_000, "their own income was theirs all along");
        // They keep the model: shares are free, and its income theirs.
        vm.prank(ann);
        offering.shares.transfer(eve, SHARE);
        vm.expectRevert(abi.encodeWithSelector(IInitialModelOffering.NothingToClaim.selector, id, eve));
        offerings.repay(id, eve);
        vm.expectRevert(abi.encodeWithSelector(ICreatorVault.NotReleased.selector));
        offering.vault.payVested();
    }

    function test_challenge__junk_that_the_key_does_not_open__defaults() external {
        OfferingTerms memory terms = termsOf(modelId);
        terms.artifact = artifactOf(junk());
        uint256 id = openAs(publisher, terms);
        sell(id);
        expectStatus(id, OfferingStatus.SOFT_LOCKED);
        offerings.challenge(id, chunkOf(junk()));
        offerings.reveal(id, KEY);
        uint256 due = offerings.releasableAt(id);
        vm.warp(due);
        expectStatus(id, OfferingStatus.RELEASABLE);
        offerings.challenge(id, chunkOf(junk()));
        vm.warp(due - 1);
        vm.prank(eve);
        offerings.challenge(id, chunkOf(junk()));
        assertStatus(id, OfferingStatus.DEFAULTED, "in the last second");
        offerings.repay(id, ann);
        offerings.repay(id, ben);
        vm.assertEq(offerings.credits(ann) + offerings.credits(ben), RAISE + BOND, "all to the holders");
        expectStatus(id, OfferingStatus.DEFAULTED);
        offerings.challenge(id, chunkOf(junk()));
    }

    function test_challenge__honest_artifact__cannot_be_refuted() external {
        uint256 id = revealed();
        vm.expectRevert(abi.encodeWithSelector(ArtifactChallenge.ChunkIsRight.selector, 0));
        offerings.challenge(id, chunkOf(encrypted()));
        vm.expectRevert(abi.encodeWithSelector(ArtifactChallenge.ForeignCiphertext.selector, 0));
        offerings.challenge(id, chunkOf(junk()));
    }

    function test_guardian__only_it_and_only_between_reveal_and_release() external {
        uint256 id = offered();
        vm.startPrank(warden);
        expectStatus(id, OfferingStatus.OPEN);
        offerings.guardianDefault(id, "x");
        vm.stopPrank();
        sell(id);
        vm.startPrank(warden);
        expectStatus(id, OfferingStatus.SOFT_LOCKED);
        offerings.guardianDefault(id, "x");
        vm.stopPrank();
        offerings.reveal(id, KEY);
        vm.expectRevert(abi.encodeWithSelector(IInitialModelOffering.NotGuardian.selector, id, eve, warden));
        vm.prank(eve);
        offerings.guardianDefault(id, "x");
        vm.warp(offerings.releasableAt(id) - 1);
        vm.startPrank(warden);
        vm.expectRevert(abi.encodeWithSelector(IInitialModelOffering.ReasonRefused.selector, 0));
        offerings.guardianDefault(id, "");
        offerings.guardianDefault(id, "the key does not rebuild");
        vm.stopPrank();
        assertStatus(id, OfferingStatus.DEFAULTED, "in the last second");
    }

    function test_default__tombstoned_circuit__money_back_and_the_bond_to_its_creator() external {
        uint256 id = releasable();
        tombstone(registry.circuitOf(modelId));
        acceptRelease(id);
        vm.expectPartialRevert(IVerifierRouter.CircuitIsTombstoned.selector);
        offerings.finalize(id, OUTPUT, PROOF);
        offerings.declareDefault(id);
        vm.assertEq(offerings.credits(publisher), BOND, "nobody's fault");
        vm.assertEq(offerings.repay(id, ann), 300 * PRICE, "money");
        expectStatus(id, OfferingStatus.DEFAULTED);
        offerings.declareDefault(id);
    }

    function test_I13_holders__contracts_that_refuse_everything__stop_nobody() external {
        Refuser refuser = new Refuser();
        uint256 id = offered();
        reserveAs(address(refuser), id, 300);
        reserveAs(ben, id, PUBLIC - 300);
        vm.warp(uint256(offerings.offeringOf(id).unlockAt) + GRACE + 1);
        offerings.declareDefault(id);
        offerings.repay(id, address(refuser));
        offerings.repay(id, ben);
        vm.prank(ben);
        offerings.withdraw(ben);
        vm.assertEq(offerings.offeringOf(id).bonus, 0, "nothing is left");
    }

    function test_I13_release__verifier_in_any_mood__default_and_money_back_all_the_same() external {
        uint256 id = releasable();
        for (uint8 mood = 1; mood < 6; ++mood) {
            verifier.turn(TripleVerifier.Mood(mood));
            vm.expectRevert();
            offerings.finalize{gas: 5_000_000}(id, OUTPUT, PROOF);
        }
        vm.warp(offerings.releasableAt(id) + GRACE + 1);
        offerings.declareDefault(id);
        offerings.repay(id, ann);
        offerings.repay(id, ben);
        vm.assertEq(offerings.credits(ann) + offerings.credits(ben), RAISE + BOND, "all");
    }

    // --- shares ---------------------------------------------------------------------------------

    function test_I9_claim__a_snapshot_pays_once_and_all_that_was_earned() external {
        uint256 id = trading();
        IModelToken shares = sharesIn(id);
        earn(modelId, 1_001);
        uint256 snapshot = shares.snapshot();
        vm.assertEq(shares.snapshot(), snapshot, "nothing new: the same");
        vm.assertEq(shares.claimableRevenue(ann, snapshot), 300, "claimable");
        vm.prank(ann);
        shares.claim(snapshot);
        vm.assertEq(ledger.credits(ann), 300, "credited");
        vm.assertEq(shares.claimableRevenue(ann, snapshot), 0, "once");
        earn(modelId, 1_001);
        vm.expectRevert(abi.encodeWithSelector(IModelToken.SnapshotRefused.selector, snapshot, snapshot, snapshot));
        vm.prank(ann);
        shares.claim(snapshot);
        vm.prank(ann);
        shares.transfer(eve, 300 * SHARE);
        uint256 next = shares.snapshot();
        vm.assertEq(shares.claimableRevenue(eve, next), 0, "a transfer moves no past income");
        vm.assertEq(shares.claimableRevenue(ann, next), 300, "it stays");
        vm.assertEq(shares.redeemableOnBurn(SHARE), 0, "burning redeems nothing");
        vm.prank(eve);
        shares.burn(SHARE);
        vm.assertEq(shares.totalSupply(), (TOTAL - 1) * SHARE, "burned");
    }
}

/// @notice A verifier of proofs that carry no context.
contract ContextFree is IProofVerifier {
    error Refused();

    mapping(bytes32 statement => bool) private _accepted;

    function accept(bytes32, bytes memory input, bytes memory output, bytes memory proof) external {
        _accepted[keccak256(abi.encode(input, output, proof))] = true;
    }

    function verify(bytes32, bytes calldata input, bytes calldata output, bytes calldata proof) external view {
        if (!_accepted[keccak256(abi.encode(input, output, proof))]) revert Refused();
    }
}

