// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IUniswapV2Pair} from "@uniswap/v2-core/contracts/interfaces/IUniswapV2Pair.sol";
import {Offering, OfferingTerms} from "marketplace/src/IInitialModelOffering.sol";
import {IModelToken} from "marketplace/src/IModelToken.sol";
import {FlashBorrower} from "tests/contracts/support/HostileHolders.sol";
import {OfferingWorld} from "tests/contracts/support/OfferingWorld.sol";
import {TripleVerifier} from "tests/contracts/support/VerifierDoubles.sol";

/// @notice Plays everybody around two offerings, one of an honest artifact and one of junk, and keeps books of its own:
///         what state each is in by the rules as they are written down, and who is owed what.
/// @dev Each move is tried whether it is allowed or not; that it succeeds exactly if the books allow it is the test. What
///      went otherwise is named in `broken`.
contract OfferingHandler is OfferingWorld {
    enum State {
        OPEN,
        FAILED,
        LOCKED,
        REVEALED,
        RELEASABLE,
        OVERDUE,
        TRADING,
        DEFAULTED
    }

    struct Ghost {
        uint256 modelId;
        TripleVerifier verifier;
        uint256 closesAt;
        uint256 sold;
        uint256 unlockAt;
        uint256 revealedAt;
        bool closed;
        bool traded;
        bool defaulted;
        bool tombstoned;
        bool junk;
        uint256 bonus;
        uint256 unpaid;
    }

    uint256 public constant ACTORS = 5;
    uint256 public constant OFFERINGS = 2;

    address[] public actors;
    FlashBorrower public borrower;
    string public broken;
    uint256 public donated;
    uint256 public moves;
    mapping(uint256 offeringId => Ghost) private _ghosts;
    mapping(uint256 offeringId => mapping(address => uint256)) public reserved;
    mapping(uint256 offeringId => mapping(address => uint256)) public onOffer;
    mapping(address => uint256) public owed;

    constructor() {
        deployOfferings();
        borrower = new FlashBorrower();
        actors = [ann, ben, eve, publisher, warden];
        for (uint256 i; i < OFFERINGS; ++i) {
            modelId = closedModel(i == 0 ? "honest" : "junk");
            OfferingTerms memory terms = termsOf(modelId);
            if (i == 1) terms.artifact = artifactOf(junk());
            uint256 id = openAs(publisher, terms);
            Ghost storage ghost = _ghosts[id];
            ghost.modelId = modelId;
            ghost.verifier = verifier;
            ghost.closesAt = block.timestamp + 30 days;
            ghost.junk = i == 1;
        }
    }

    // --- the moves ------------------------------------------------------------------------------

    function reserve(uint256 which, uint256 who, uint64 most, uint64 least) external {
        (uint256 id, address actor) = pick(which, who);
        Ghost storage ghost = _ghosts[id];
        // Large lots, so that offerings do sell out.
        most = uint64(within(most, 0, 400));
        least = uint64(within(least, 0, 3)) * most / 2;
        pay(actor, uint256(most) * PRICE);
        uint256 left = PUBLIC - ghost.sold;
        uint256 count = most < left ? most : left;
        bool allowed = stateOf(id) == State.OPEN && !ghost.tombstoned && count != 0 && count >= least;
        if (attempt(actor, abi.encodeCall(offerings.reserve, (id, most, least)), allowed, "reserve")) {
            ghost.sold += count;
            reserved[id][actor] += count;
            if (ghost.sold == PUBLIC) ghost.unlockAt = calendar.unlockAt(block.timestamp, HOLIDAYS);
        }
    }

    function resell(uint256 which, uint256 who, uint256 whom, uint64 offer, uint64 count) external {
        (uint256 id, address actor) = pick(which, who);
        address buyer = actors[whom % ACTORS];
        offer = uint64(within(offer, 0, reserved[id][actor] + 1));
        count = uint64(within(count, 0, offer));
        State state = stateOf(id);
        bool passable =
            state == State.OPEN || state == State.LOCKED || state == State.REVEALED || state == State.RELEASABLE;
        bool allowed = passable && offer <= reserved[id][actor];
        if (attempt(actor, abi.encodeCall(offerings.offerResale, (id, offer)), allowed, "offerResale")) {
            onOffer[id][actor] = offer;
        }
        pay(buyer, uint256(count) * PRICE);
        allowed = passable && count != 0 && count <= onOffer[id][actor];
        if (attempt(buyer, abi.encodeCall(offerings.buyResale, (id, actor, count)), allowed, "buyResale")) {
            onOffer[id][actor] -= count;
            reserved[id][actor] -= count;
            reserved[id][buyer] += count;
            owed[actor] += uint256(count) * PRICE;
        }
    }

    function reveal(uint256 which, uint256 who, bool right) external {
        (uint256 id, address actor) = pick(which, who);
        bytes32 key = right ? KEY : keccak256("another key");
        bool allowed = right && stateOf(id) == State.LOCKED;
        if (attempt(actor, abi.encodeCall(offerings.reveal, (id, key)), allowed, "reveal")) {
            _ghosts[id].revealedAt = block.timestamp;
        }
    }

    function challenge(uint256 which, uint256 who, bool withJunk) external {
        (uint256 id, address actor) = pick(which, who);
        bytes memory cipher = withJunk ? junk() : encrypted();
        bool allowed = stateOf(id) == State.REVEALED && _ghosts[id].junk && withJunk;
        bytes memory call = abi.encodeCall(offerings.challenge, (id, chunkOf(cipher)));
        if (attempt(actor, call, allowed, "challenge")) defaulted(id, true);
    }

    function guard(uint256 which, uint256 who) external {
        (uint256 id, address actor) = pick(which, who);
        // The offering that could be released is left alone most of the time.
        if (who % 7 != 0) actor = ann;
        bool allowed = stateOf(id) == State.REVEALED && actor == warden;
        bytes memory call = abi.encodeCall(offerings.guardianDefault, (id, "it does not rebuild"));
        if (attempt(actor, call, allowed, "guardian")) defaulted(id, true);
    }

    function finalize(uint256 which, uint256 who, bool honest) external {
        (uint256 id, address actor) = pick(which, who);
        Ghost storage ghost = _ghosts[id];
        uint256 other = 3 - id;
        // A proof for the other offering is all that there is, or the right one.
        if (honest && ghost.revealedAt != 0) {
            bytes32 seed = offerings.offeringOf(id).seed;
            ghost.verifier.accept(seed, offerings.releaseInput(id), OUTPUT, PROOF);
        } else if (_ghosts[other].revealedAt != 0) {
            bytes32 seed = offerings.offeringOf(other).seed;
            ghost.verifier.accept(seed, offerings.releaseInput(other), OUTPUT, PROOF);
            if (ghost.unlockAt != 0) {
                ghost.verifier.accept(offerings.offeringOf(id).seed, offerings.releaseInput(other), OUTPUT, PROOF);
            }
        } else if (ghost.unlockAt != 0) {
            ghost.verifier.accept(offerings.offeringOf(id).seed, "", "", "");
        }
        bool allowed = honest && stateOf(id) == State.RELEASABLE && !ghost.tombstoned;
        if (attempt(actor, abi.encodeCall(offerings.finalize, (id, OUTPUT, PROOF)), allowed, "finalize")) {
            ghost.traded = true;
            owed[publisher] += BOND;
            (uint256 shares, uint256 money) = reservesOf(id);
            if (shares != SEED_SHARES || money != SEED_MONEY) broken = "the pool is not at the price";
        }
    }

    function declareDefault(uint256 which, uint256 who) external {
        (uint256 id, address actor) = pick(which, who);
        Ghost storage ghost = _ghosts[id];
        State state = stateOf(id);
        bool live =
            state == State.LOCKED || state == State.REVEALED || state == State.RELEASABLE || state == State.OVERDUE;
        bool allowed = state == State.OVERDUE || live && ghost.tombstoned;
        if (attempt(actor, abi.encodeCall(offerings.declareDefault, (id)), allowed, "declareDefault")) {
            defaulted(id, state == State.OVERDUE);
        }
    }

    function close(uint256 which, uint256 who) external {
        (uint256 id, address actor) = pick(which, who);
        State state = stateOf(id);
        bool dead = state == State.OPEN && _ghosts[id].tombstoned;
        bool allowed = dead || state == State.FAILED && !_ghosts[id].closed;
        if (attempt(actor, abi.encodeCall(offerings.close, (id)), allowed, "close")) {
            _ghosts[id].closed = true;
            owed[publisher] += BOND;
        }
    }

    function repay(uint256 which, uint256 who, uint256 whom) external {
        (uint256 id, address actor) = pick(which, who);
        address holder = actors[whom % ACTORS];
        Ghost storage ghost = _ghosts[id];
        State state = stateOf(id);
        uint256 count = reserved[id][holder];
        bool allowed = (state == State.FAILED || state == State.DEFAULTED) && count != 0;
        if (attempt(actor, abi.encodeCall(offerings.repay, (id, holder)), allowed, "repay")) {
            reserved[id][holder] = 0;
            owed[holder] += count * PRICE;
            if (state == State.FAILED) return;
            uint256 part = ghost.bonus * count / ghost.unpaid;
            ghost.bonus -= part;
            ghost.unpaid -= count;
            owed[holder] += part;
        }
    }

    function withdraw(uint256 who) external {
        address actor = actors[who % ACTORS];
        if (attempt(actor, abi.encodeCall(offerings.withdraw, (actor)), owed[actor] != 0, "withdraw")) owed[actor] = 0;
    }

    function tombstoneOne(uint256 which, uint256 dice) external {
        (uint256 id,) = pick(which, 0);
        if (dice % 16 != 0 || _ghosts[id].tombstoned) return;
        tombstone(registry.circuitOf(_ghosts[id].modelId));
        _ghosts[id].tombstoned = true;
    }

    /// @dev To one second around a boundary of one of the offerings, or some time on.
    function jump(uint256 which, uint256 boundary, uint256 off) external {
        (uint256 id,) = pick(which, 0);
        Ghost storage ghost = _ghosts[id];
        uint256 due = dueOf(id);
        uint256[6] memory marks =
            [ghost.closesAt, ghost.unlockAt, ghost.unlockAt + GRACE, due, due + GRACE, block.timestamp + 1 hours];
        // What has not happened yet is no boundary.
        uint256 target = marks[boundary % 6] + off % 3;
        target = target < 3 ? 0 : target - 1;
        // The window's end only now and then, or nothing would ever be sold.
        if (boundary % 6 == 0 && off % 5 != 0) return;
        if (target > block.timestamp) {
            vm.warp(target);
            vm.roll(block.number + 1);
        }
    }

    /// @dev The next step of an offering that goes well, or nearly: else chance would seldom get as far as a release.
    function advance(uint256 which, uint256 who, uint256 dice) external {
        (uint256 id,) = pick(which, 0);
        State state = stateOf(id);
        if (state == State.OPEN) {
            this.reserve(which, who, 400, 0);
        } else if (state == State.LOCKED) {
            this.reveal(which, who, true);
        } else if (state == State.REVEALED) {
            vm.warp(dueOf(id));
            vm.roll(block.number + 1);
        } else if (state == State.RELEASABLE) {
            this.finalize(which, who, dice % 3 == 0);
        } else {
            this.repay(which, who, dice);
        }
    }

    function donateMoney(uint256 which, uint256 amount, bool toPool, bool synced) external {
        (uint256 id,) = pick(which, 0);
        amount = within(amount, 0, RAISE * 1000);
        IUniswapV2Pair pair = pairOf(id);
        if (!toPool) donated += amount;
        token.mint(toPool ? address(pair) : address(offerings), amount);
        if (toPool && synced) pair.sync();
    }

    function settle(uint256 which, uint80 revenue) external {
        (uint256 id,) = pick(which, 0);
        earn(_ghosts[id].modelId, uint80(within(revenue, 1, 1e12)));
    }

    /// @dev Shares move exactly if they are free.
    function moveShares(uint256 which, uint256 who, uint256 whom, uint256 amount, bool burns) external {
        (uint256 id, address actor) = pick(which, who);
        IModelToken shares = sharesIn(id);
        amount = within(amount, 0, shares.balanceOf(actor));
        State state = stateOf(id);
        bool allowed = state == State.TRADING || state == State.DEFAULTED;
        bytes memory call = burns
            ? abi.encodeCall(shares.burn, (amount / 1000))
            : abi.encodeCall(shares.transfer, (actors[whom % ACTORS], amount));
        vm.prank(actor);
        (bool success,) = address(shares).call(call);
        if (success != allowed) broken = "shares moved, or did not";
    }

    function collect(uint256 which, uint256 what) external {
        (uint256 id,) = pick(which, 0);
        Offering memory offering = offerings.offeringOf(id);
        bool free = _ghosts[id].traded;
        if (what % 4 > 1) {
            bytes memory back = what % 4 == 2
                ? abi.encodeCall(offering.shares.returnPoolIncome, ())
                : abi.encodeCall(offering.shares.returnBurnedIncome, ());
            (bool done,) = address(offering.shares).call(back);
            if (done && !free && !_ghosts[id].defaulted) broken = "nothing is in a pool or burned yet";
            return;
        }
        bytes memory call =
            what % 4 == 0 ? abi.encodeCall(offering.vault.payVested, ()) : abi.encodeCall(offering.vault.payIncome, ());
        (bool success,) = address(offering.vault).call(call);
        if (success && !free) broken = "the vault paid before the release";
    }

    /// @dev All of an actor's free shares, for one transaction in which the model earns, and everything is claimed that
    ///      anybody will claim: the lender has after it what it had, and the borrower nothing.
    function flashLoan(uint256 which, uint256 who, uint80 revenue) external {
        (uint256 id, address lender) = pick(which, who);
        if (!_ghosts[id].traded && !_ghosts[id].defaulted) return;
        Offering memory offering = offerings.offeringOf(id);
        uint256 amount = offering.shares.balanceOf(lender);
        vm.prank(lender);
        offering.shares.approve(address(borrower), amount);
        uint256 due = ledger.sharesDue(offering.modelId, lender);
        revenue = uint80(within(revenue, 1, 1e12));
        fund(requester, revenue);
        ledger.pull(requester, revenue);
        borrower.borrow(offering.shares, lender, amount, abi.encodeCall(this.earnNow, (offering.modelId, revenue)));
        address taker = address(borrower);
        if (ledger.sharesDue(offering.modelId, taker) != 0 || ledger.credits(taker) != 0) broken = "a loan earned";
        if (ledger.sharesDue(offering.modelId, lender) < due) broken = "a lender lost what it had earned";
        if (offering.shares.getVotes(taker) != 0) broken = "a loan voted";
    }

    /// @dev What the borrower has done in the middle of its loan.
    function earnNow(uint256 id, uint80 revenue) external {
        require(msg.sender == address(borrower));
        ledger.settle(id, prover, 0, revenue, 0);
    }

    // --- the books ------------------------------------------------------------------------------

    function ghostOf(uint256 id) external view returns (Ghost memory) {
        return _ghosts[id];
    }

    /// @notice The rules as the design has them.
    function stateOf(uint256 id) public view returns (State) {
        Ghost storage ghost = _ghosts[id];
        if (ghost.traded) return State.TRADING;
        if (ghost.defaulted) return State.DEFAULTED;
        if (ghost.closed) return State.FAILED;
        if (ghost.unlockAt == 0) return block.timestamp > ghost.closesAt ? State.FAILED : State.OPEN;
        if (ghost.revealedAt == 0) return block.timestamp > ghost.unlockAt + GRACE ? State.OVERDUE : State.LOCKED;
        uint256 due = dueOf(id);
        if (block.timestamp < due) return State.REVEALED;
        return block.timestamp > due + GRACE ? State.OVERDUE : State.RELEASABLE;
    }

    function dueOf(uint256 id) public view returns (uint256) {
        Ghost storage ghost = _ghosts[id];
        uint256 window = ghost.revealedAt + CHALLENGE;
        return window > ghost.unlockAt ? window : ghost.unlockAt;
    }

    /// @notice What the offering contract owes by the books.
    function liabilities() external view returns (uint256 total) {
        for (uint256 i; i < ACTORS; ++i) {
            total += owed[actors[i]];
        }
        for (uint256 id = 1; id <= OFFERINGS; ++id) {
            Ghost storage ghost = _ghosts[id];
            if (ghost.traded) continue;
            for (uint256 i; i < ACTORS; ++i) {
                total += reserved[id][actors[i]] * PRICE;
            }
            if (ghost.defaulted) total += ghost.bonus;
            else if (!ghost.closed) total += BOND;
        }
    }

    function offeringAddress() external view returns (address) {
        return address(offerings);
    }

    function ledgerAddress() external view returns (address) {
        return address(ledger);
    }

    function tokenAddress() external view returns (address) {
        return address(token);
    }

    /// @dev What the vault's shares had earned is the books' own: 490 parts of 1001 of what came since the soft lock.
    function defaulted(uint256 id, bool forfeits) private {
        Ghost storage ghost = _ghosts[id];
        ghost.defaulted = true;
        ghost.unpaid = PUBLIC;
        uint256 bonus = offerings.offeringOf(id).bonus;
        if (forfeits) {
            if (bonus < BOND) broken = "the bond is not the holders'";
        } else {
            owed[publisher] += BOND;
        }
        ghost.bonus = bonus;
    }

    function pick(uint256 which, uint256 who) private view returns (uint256 id, address actor) {
        return (1 + which % OFFERINGS, actors[who % ACTORS]);
    }

    function attempt(address actor, bytes memory call, bool allowed, string memory name) private returns (bool) {
        ++moves;
        vm.prank(actor);
        (bool success,) = address(offerings).call(call);
        if (success != allowed) broken = name;
        return success;
    }
}
