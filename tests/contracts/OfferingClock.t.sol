// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Offering, OfferingStatus, OfferingTerms} from "marketplace/src/IInitialModelOffering.sol";
import {IModelSteward, Resolution} from "marketplace/src/IModelSteward.sol";
import {IModelToken} from "marketplace/src/IModelToken.sol";
import {OfferingWorld} from "tests/contracts/support/OfferingWorld.sol";

/// @notice Every move in every status, one second before, at and after every boundary: exactly those of the status go
///         through. The table is written down once, as the design has it.
/// @dev Each move is tried on a copy of the chain. Each call of a test is a transaction of its own.
/// forge-config: default.isolate = true
contract OfferingClockTest is OfferingWorld {
    uint256 private constant RESERVE = 1 << 0;
    uint256 private constant RESELL = 1 << 1;
    uint256 private constant BUY = 1 << 2;
    uint256 private constant REVEAL = 1 << 3;
    uint256 private constant CHALLENGES = 1 << 4;
    uint256 private constant GUARD = 1 << 5;
    uint256 private constant FINALIZE = 1 << 6;
    uint256 private constant DEFAULT = 1 << 7;
    uint256 private constant CLOSE = 1 << 8;
    uint256 private constant REPAY = 1 << 9;
    uint256 private constant MOVE_SHARES = 1 << 10;
    uint256 private constant PAY_VESTED = 1 << 11;
    uint256 private constant PAY_LIQUIDITY = 1 << 12;
    uint256 private constant PROPOSE = 1 << 13;
    uint256 private constant MOVES = 14;

    uint256 private id;

    /// @dev The artifact is junk, so that it can be refuted; the verifier accepts the release, so that it can be made.
    function setUp() external {
        deployOfferings();
        modelId = closedModel("digits");
        OfferingTerms memory terms = termsOf(modelId);
        terms.artifact = artifactOf(junk());
        id = openAs(publisher, terms);
        reserveAs(ann, id, 300);
        vm.prank(ann);
        offerings.offerResale(id, 10);
        pay(ben, 1_000 * PRICE);
    }

    function test_I3_clock__window__last_second_sells_and_the_next_pays_back() external {
        uint256 end = offerings.offeringOf(id).closesAt;
        uint256 selling = RESERVE | RESELL | BUY;
        when(end - 1, OfferingStatus.OPEN, selling);
        when(end, OfferingStatus.OPEN, selling);
        when(end + 1, OfferingStatus.FAILED, CLOSE | REPAY);
        offerings.close(id);
        when(end + 2, OfferingStatus.FAILED, REPAY);
        when(end + 3650 days, OfferingStatus.FAILED, REPAY);
    }

    function test_I13_tombstone__while_open__everything_goes_back_at_once() external {
        tombstone(registry.circuitOf(modelId));
        when(block.timestamp, OfferingStatus.OPEN, RESELL | BUY | CLOSE);
        vm.prank(stranger);
        offerings.close(id);
        when(block.timestamp, OfferingStatus.FAILED, REPAY);
        vm.assertEq(offerings.credits(publisher), BOND, "bond");
        vm.assertEq(registry.ownerOf(modelId), publisher, "model");
        vm.assertEq(offerings.repay(id, ann), 300 * PRICE, "money");
    }

    function test_I3_clock__lock_and_grace__a_late_reveal_counts_to_the_second() external {
        uint256 unlockAt = sellOut();
        uint256 locked = RESELL | BUY | REVEAL;
        when(unlockAt - 1, OfferingStatus.SOFT_LOCKED, locked);
        when(unlockAt, OfferingStatus.SOFT_LOCKED, locked);
        when(unlockAt + 1, OfferingStatus.SOFT_LOCKED, locked);
        when(unlockAt + GRACE - 1, OfferingStatus.SOFT_LOCKED, locked);
        when(unlockAt + GRACE, OfferingStatus.SOFT_LOCKED, locked);
        when(unlockAt + GRACE + 1, OfferingStatus.OVERDUE, DEFAULT);
        when(unlockAt + GRACE + 3650 days, OfferingStatus.OVERDUE, DEFAULT);
    }

    function test_I3_clock__challenge_time__after_a_reveal_at_any_time() external {
        uint256 unlockAt = sellOut();
        uint256 state = vm.snapshotState();
        uint256[4] memory reveals = [unlockAt - CHALLENGE, unlockAt - 1, unlockAt, unlockAt + GRACE];
        for (uint256 i; i < reveals.length; ++i) {
            if (reveals[i] < block.timestamp) continue;
            vm.warp(reveals[i]);
            offerings.reveal(id, KEY);
            window(reveals[i] + CHALLENGE);
            vm.revertToState(state);
            state = vm.snapshotState();
        }
    }

    function test_I3_clock__early_reveal__the_window_lasts_to_the_end_of_the_lock() external {
        // Friday 2027-02-12, 10:00 PST, before a holiday: the lock lasts until Tuesday, 86 hours.
        vm.warp(1_802_455_200);
        uint256 unlockAt = sellOut();
        offerings.reveal(id, KEY);
        vm.assertLt(block.timestamp + CHALLENGE, unlockAt, "the lock decides");
        when(block.timestamp + CHALLENGE, OfferingStatus.REVEALED, RESELL | BUY | CHALLENGES | GUARD);
        window(unlockAt);
    }

    function test_I3_clock__released__vesting_and_liquidity_to_the_second() external {
        sellOut();
        offerings.reveal(id, KEY);
        uint256 start = offerings.releasableAt(id);
        vm.warp(start);
        finalizeAs(stranger, id);
        uint256 free = MOVE_SHARES | PROPOSE;
        when(start, OfferingStatus.TRADING, free);
        when(start + 1, OfferingStatus.TRADING, free | PAY_VESTED);
        when(start + 100 days - 1, OfferingStatus.TRADING, free | PAY_VESTED);
        vm.warp(start + 100 days - 1);
        offerings.offeringOf(id).vault.payVested();
        when(start + 100 days, OfferingStatus.TRADING, free | PAY_VESTED);
        vm.warp(start + 100 days);
        offerings.offeringOf(id).vault.payVested();
        when(start + 100 days + 1, OfferingStatus.TRADING, free);
        when(start + 200 days - 1, OfferingStatus.TRADING, free);
        when(start + 200 days, OfferingStatus.TRADING, free | PAY_LIQUIDITY);
        when(start + 200 days + 1, OfferingStatus.TRADING, free | PAY_LIQUIDITY);
        when(start + 3650 days, OfferingStatus.TRADING, free | PAY_LIQUIDITY);
    }

    function test_I3_clock__defaulted__nothing_but_repayment_and_free_shares_ever_after() external {
        uint256 unlockAt = sellOut();
        vm.warp(unlockAt + GRACE + 1);
        offerings.declareDefault(id);
        uint256 over = REPAY | MOVE_SHARES | PROPOSE;
        when(unlockAt + GRACE + 1, OfferingStatus.DEFAULTED, over);
        when(unlockAt + GRACE + 2, OfferingStatus.DEFAULTED, over);
        when(unlockAt + 3650 days, OfferingStatus.DEFAULTED, over);
    }

    function test_I3_clock__motion__carried_in_its_last_second_only() external {
        IModelToken shares = sharesIn(id);
        vm.prank(ann);
        shares.delegate(ann);
        uint256 unlockAt = sellOut();
        vm.warp(unlockAt + GRACE + 1);
        offerings.declareDefault(id);
        IModelSteward steward = offerings.offeringOf(id).steward;
        uint256 motion = steward.propose(Resolution.RETIRE, 0);
        uint256 end = steward.motionOf(motion).endsAt;
        vm.assertEq(end, block.timestamp + 7 days, "a week");
        // Whose votes count is known when the second of the motion is over.
        vm.expectRevert();
        vm.prank(ann);
        steward.support(motion);
        vm.warp(block.timestamp + 1);
        vm.prank(ann);
        steward.support(motion);
        vm.warp(end + 1);
        vm.expectRevert(abi.encodeWithSelector(IModelSteward.MotionClosed.selector, motion));
        steward.carry(motion);
        vm.warp(end);
        steward.carry(motion);
    }

    function test_I11_bond__to_the_holders_for_what_the_creator_did_and_else_back() external {
        sellOut();
        uint256 state = vm.snapshotState();
        // A tombstone is nobody's fault, whenever it comes.
        tombstone(registry.circuitOf(modelId));
        offerings.declareDefault(id);
        vm.assertEq(offerings.credits(publisher), BOND, "tombstoned in the lock");
        vm.revertToState(state);
        state = vm.snapshotState();
        offerings.reveal(id, KEY);
        offerings.challenge(id, chunkOf(junk()));
        vm.assertEq(offerings.offeringOf(id).bonus, BOND, "refuted");
        vm.assertEq(offerings.credits(publisher), 0, "refuted");
        vm.revertToState(state);
        state = vm.snapshotState();
        offerings.reveal(id, KEY);
        vm.prank(warden);
        offerings.guardianDefault(id, "junk");
        vm.assertEq(offerings.offeringOf(id).bonus, BOND, "guardian");
        vm.revertToState(state);
        vm.warp(uint256(offerings.offeringOf(id).unlockAt) + GRACE + 1);
        // A tombstone that comes after a broken promise excuses nothing.
        tombstone(registry.circuitOf(modelId));
        offerings.declareDefault(id);
        vm.assertEq(offerings.offeringOf(id).bonus, BOND, "overdue");
    }

    /// @dev From the window's last second into the time after the release's grace.
    function window(uint256 due) private {
        uint256 open = RESELL | BUY | CHALLENGES | GUARD;
        when(due - 1, OfferingStatus.REVEALED, open);
        when(due, OfferingStatus.RELEASABLE, RESELL | BUY | FINALIZE);
        when(due + 1, OfferingStatus.RELEASABLE, RESELL | BUY | FINALIZE);
        when(due + GRACE, OfferingStatus.RELEASABLE, RESELL | BUY | FINALIZE);
        when(due + GRACE + 1, OfferingStatus.OVERDUE, DEFAULT);
    }

    function sellOut() private returns (uint256 unlockAt) {
        reserveAs(ben, id, PUBLIC - 300);
        return offerings.offeringOf(id).unlockAt;
    }

    function when(uint256 time, OfferingStatus status, uint256 allowed) private {
        vm.warp(time);
        assertStatus(id, status, "status");
        if (offerings.offeringOf(id).revealedAt != 0) acceptRelease(id);
        for (uint256 i; i < MOVES; ++i) {
            uint256 state = vm.snapshotState();
            vm.assertEq(attempt(1 << i) ? 1 : 0, allowed & (1 << i) == 0 ? 0 : 1, names(i));
            vm.revertToState(state);
        }
    }

    function attempt(uint256 move) private returns (bool success) {
        Offering memory offering = offerings.offeringOf(id);
        address target = address(offerings);
        address caller = ann;
        bytes memory call;
        if (move == RESERVE) (caller, call) = (ben, abi.encodeCall(offerings.reserve, (id, 1, 1)));
        else if (move == RESELL) call = abi.encodeCall(offerings.offerResale, (id, 300));
        else if (move == BUY) (caller, call) = (ben, abi.encodeCall(offerings.buyResale, (id, ann, 10)));
        else if (move == REVEAL) call = abi.encodeCall(offerings.reveal, (id, KEY));
        else if (move == CHALLENGES) call = abi.encodeCall(offerings.challenge, (id, chunkOf(junk())));
        else if (move == GUARD) (caller, call) = (warden, abi.encodeCall(offerings.guardianDefault, (id, "junk")));
        else if (move == FINALIZE) call = abi.encodeCall(offerings.finalize, (id, OUTPUT, PROOF));
        else if (move == DEFAULT) call = abi.encodeCall(offerings.declareDefault, (id));
        else if (move == CLOSE) call = abi.encodeCall(offerings.close, (id));
        else if (move == REPAY) call = abi.encodeCall(offerings.repay, (id, ann));
        else if (move == MOVE_SHARES) (target, call) = (address(offering.shares), transferCall(offering));
        else if (move == PROPOSE) (target, call) = (address(offering.steward), proposeCall(offering));
        else target = address(offering.vault);
        if (move == PAY_VESTED) call = abi.encodeCall(offering.vault.payVested, ());
        if (move == PAY_LIQUIDITY) call = abi.encodeCall(offering.vault.payLiquidity, ());
        vm.prank(caller);
        (success,) = target.call(call);
    }

    function transferCall(Offering memory offering) private view returns (bytes memory) {
        return abi.encodeCall(offering.shares.transfer, (eve, 1));
    }

    function proposeCall(Offering memory offering) private pure returns (bytes memory) {
        return abi.encodeCall(offering.steward.propose, (Resolution.RETIRE, 0));
    }

    function names(uint256 move) private pure returns (string memory) {
        string[14] memory all = [
            "reserve",
            "offer resale",
            "buy resale",
            "reveal",
            "challenge",
            "guardian",
            "finalize",
            "declare default",
            "close",
            "repay",
            "move shares",
            "pay vested",
            "pay liquidity",
            "propose"
        ];
        return all[move];
    }
}
