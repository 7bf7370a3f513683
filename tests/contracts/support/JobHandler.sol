// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {FeeQuote, Payment, SignedRequest, TabSpec} from "marketplace/src/IJobManager.sol";
import {JobManager} from "marketplace/src/JobManager.sol";
import {LocalPaymentToken} from "marketplace/src/LocalPaymentToken.sol";
import {RevenueLedger} from "marketplace/src/RevenueLedger.sol";
import {FeeTerms} from "registry/src/IModelRegistry.sol";
import {ProverRegistry} from "registry/src/ProverRegistry.sol";
import {JobMoves} from "tests/contracts/support/JobMoves.sol";
import {TripleVerifier} from "tests/contracts/support/VerifierDoubles.sol";
import {PlatformTerms} from "verifier_contracts/src/IProtocolAdmin.sol";

/// @notice Tabs, money and everything around the jobs, moved at random.
contract JobHandler is JobMoves {
    /// @dev What is shown to the manager, true or not.
    struct Show {
        bytes signature;
        bytes input;
        bytes output;
    }

    uint256 private constant MAX_TABS = 4;

    // --- tabs -----------------------------------------------------------------------------------

    function openTab(uint256 who, uint256 payee, uint256 which, uint80 amount, uint32 seconds_) external {
        if (tabIds.length == MAX_TABS) return;
        which %= MODELS;
        address actor = accounts[who % ACTORS];
        TabSpec memory spec = TabSpec({
            modelId: _models[which],
            prover: accounts[payee % ACTORS],
            signer: actor,
            amount: uint80(within(amount, 1, 1 << 60)),
            expiry: uint40(block.timestamp + within(seconds_, 30, 2 days))
        });
        bool allowed = !_isRetired[which] && !_isDead[_singles[which]] && (which != 2 || _hasAccess[spec.prover]);
        vm.prank(actor);
        try manager.openTab(spec) returns (bytes32 tabId) {
            if (!allowed) broken = "openTab";
            tabIds.push(tabId);
            FeeQuote memory quote = manager.quoteFor(spec.modelId);
            _tabs[tabId] = TabGhost(actor, spec.prover, which, quote, spec.amount, spec.expiry, false);
        } catch {
            if (allowed) broken = "openTab refused";
        }
    }

    /// @param lie 0 to 3: the truth; then another signer, output, input, payee, a fee too low, an expired request.
    function settleSigned(uint256 who, uint256 which, uint64 nonce, uint80 fee, uint256 lie) external {
        if (tabIds.length == 0) return;
        bytes32 tabId = tabIds[which % tabIds.length];
        TabGhost storage ghost = _tabs[tabId];
        lie %= 10;
        SignedRequest memory request = _requestOn(tabId, ghost, nonce, fee, lie);
        bytes32 digest = manager.requestDigest(request);
        Show memory show = _prepareRequest(ghost, digest, lie);
        Payment memory payment = slowSplit(ghost.quote, request.modelFee, request.proverFee);
        // Mostly the tab's prover, now and then anybody.
        address actor = who % 4 == 0 ? accounts[who / 4 % ACTORS] : ghost.prover;
        bool allowed = actor == ghost.prover && _mayDraw(request, ghost, payment) && lie != 4 && lie != 6
            && accepts(_singles[ghost.which], contextFor(digest, ghost.prover), show.input, show.output, PROOF);
        vm.prank(actor);
        try manager.settleSigned(request, show.signature, show.input, show.output, PROOF) {
            if (!allowed) broken = "settleSigned";
            bookIncome(ghost.which, ghost.prover, payment, allowed);
            ghost.balance -= total(payment);
            _usedNonces[tabId][request.nonce] = true;
        } catch {
            if (allowed) broken = "settleSigned refused";
        }
    }

    function closeTab(uint256 who, uint256 which) external {
        if (tabIds.length == 0) return;
        bytes32 tabId = tabIds[which % tabIds.length];
        TabGhost storage ghost = _tabs[tabId];
        address actor = accounts[who % ACTORS];
        bool allowed = !ghost.closed && (block.timestamp > ghost.expiry || actor == ghost.prover);
        vm.prank(actor);
        try manager.closeTab(tabId) {
            if (!allowed) broken = "closeTab";
            returned[ghost.requester] += ghost.balance;
            (ghost.balance, ghost.closed) = (0, true);
        } catch {
            if (allowed) broken = "closeTab refused";
        }
    }

    // --- money ----------------------------------------------------------------------------------

    function takeOut(uint256 kind, uint256 who, uint256 which) external {
        kind %= 6;
        address account = accounts[who % accounts.length];
        if (kind == 0) _withdraw(account);
        if (kind == 1) _claimOwner(which % MODELS);
        if (kind == 2) _claimLineage();
        if (kind == 3) _collectPlatform(which % MODELS);
        if (kind == 4) _burnForfeits();
        if (kind == 5) _collectForfeits();
    }

    function moveStake(uint256 kind, uint256 who, uint80 amount) external {
        address actor = accounts[who % ACTORS];
        amount = uint80(within(amount, 1, kind % 2 == 0 ? 1 << 60 : 1 << 70));
        vm.startPrank(actor);
        if (kind % 3 == 0) {
            provers.stake(actor, amount);
            free[actor] += amount;
        } else if (kind % 3 == 1) {
            bool allowed = free[actor] >= amount;
            try provers.requestUnstake(amount) {
                if (!allowed) broken = "requestUnstake";
                free[actor] -= amount;
                leaving[actor] += amount;
                leavesAt[actor] = block.timestamp + UNSTAKE_SECONDS;
            } catch {
                if (allowed) broken = "requestUnstake refused";
            }
        } else {
            bool allowed = leaving[actor] != 0 && block.timestamp >= leavesAt[actor];
            try provers.unstake(actor) {
                if (!allowed) broken = "unstake";
                leaving[actor] = 0;
            } catch {
                if (allowed) broken = "unstake refused";
            }
        }
        vm.stopPrank();
    }

    // --- surroundings ---------------------------------------------------------------------------

    /// @dev One move of many kinds, so that most moves are a job's.
    function disturb(uint256 kind, uint256 which, uint256 dice) external {
        kind %= 10;
        if (kind == 0) _donate(which % 2, uint64(dice));
        if (kind <= 2) _turnVerifier(which, dice);
        if (kind == 3) _replaceVerifier(which, dice);
        if (kind == 4) _sellModel(which % MODELS, dice);
        if (kind == 5) _setFees(which % MODELS, dice);
        if (kind == 6) _administer(dice);
        if (kind >= 7 && kind <= 8) _grant(accounts[which % ACTORS], dice % 3 != 0);
        if (kind == 9 && dice % 2 == 0) _retire(which % MODELS);
    }

    /// @dev For ever, so not often.
    function tombstone(uint256 which, uint256 dice) external {
        if (dice % 4 != 0) return;
        bytes32 circuitId = dice % 3 == 0 ? _batches[which % MODELS] : _singles[which % MODELS];
        bool allowed = !_isDead[circuitId] && admin.guardian() == guardian;
        vm.prank(guardian);
        try router.tombstone(circuitId, "unsound") {
            if (!allowed) broken = "tombstone";
            _isDead[circuitId] = true;
        } catch {
            if (allowed) broken = "tombstone refused";
        }
    }

    /// @dev Mostly short steps, so that jobs are settled as well as missed, and some that end within a grace.
    function passTime(uint32 seconds_) external {
        uint256 longest = seconds_ % 16 == 0 ? 20 days : seconds_ % 3 == 0 ? 40 : 5 minutes;
        vm.warp(block.timestamp + within(seconds_, 1, longest));
    }

    /// @notice Destroys all that is not the manager, the bank, the stakes, the token or the router.
    function ruin() external {
        for (uint256 i; i < MODELS; ++i) {
            vm.etch(address(_verifiers[i]), hex"fe");
            vm.etch(address(_batchVerifiers[i]), hex"fe");
        }
        vm.etch(address(registry), hex"fe");
        vm.etch(address(lineage), hex"fe");
    }

    function contracts() external view returns (JobManager, LocalPaymentToken, RevenueLedger, ProverRegistry) {
        return (manager, token, ledger, provers);
    }

    // --- details --------------------------------------------------------------------------------

    function _requestOn(bytes32 tabId, TabGhost storage ghost, uint64 nonce, uint80 fee, uint256 lie)
        private
        view
        returns (SignedRequest memory)
    {
        uint256 proverFee = within(fee, 0, ghost.balance / 2 + 1);
        uint256 modelFee = slowModelFee(ghost.quote, proverFee);
        return SignedRequest({
            tabId: tabId,
            circuitId: _singles[ghost.which],
            inputCommitment: keccak256(INPUT),
            modelFee: uint80(lie == 8 && modelFee != 0 ? modelFee - 1 : modelFee),
            proverFee: uint80(proverFee),
            expiry: uint40(lie == 9 ? block.timestamp - 1 : block.timestamp),
            nonce: nonce % 3
        });
    }

    /// @dev Tells the verifier what it accepts, and returns what is shown to the manager instead.
    function _prepareRequest(TabGhost storage ghost, bytes32 digest, uint256 lie) private returns (Show memory) {
        if (address(_verifiers[ghost.which]).codehash == keccak256(_verifierCode)) {
            address bound = lie == 7 ? address(0xBAD) : ghost.prover;
            _verifiers[ghost.which].accept(contextFor(digest, bound), INPUT, OUTPUT, PROOF);
        }
        return Show({
            signature: _sign(lie == 4 ? address(0) : ghost.requester, digest),
            input: lie == 6 ? bytes(hex"00000000") : INPUT,
            output: lie == 5 ? flipped(OUTPUT, uint256(digest)) : OUTPUT
        });
    }

    function _mayDraw(SignedRequest memory request, TabGhost storage ghost, Payment memory payment)
        private
        view
        returns (bool)
    {
        bool inTime = block.timestamp <= ghost.expiry && block.timestamp <= request.expiry;
        return !ghost.closed && inTime && request.modelFee >= slowModelFee(ghost.quote, request.proverFee)
            && total(payment) <= ghost.balance && !_usedNonces[request.tabId][request.nonce];
    }

    function _sign(address requester_, bytes32 digest) private view returns (bytes memory) {
        for (uint256 i; i < ACTORS; ++i) {
            if (accounts[i] != requester_) continue;
            (uint8 v, bytes32 r, bytes32 s) = vm.sign(FIRST_KEY + i, digest);
            return abi.encodePacked(r, s, v);
        }
        return new bytes(65);
    }

    function _withdraw(address account) private {
        uint256 due = earned[account] + returned[account] + taken[account] - withdrawn[account];
        uint256 before = token.balanceOf(account);
        vm.prank(account);
        try ledger.withdraw(account) {
            if (due == 0) broken = "withdraw";
            if (token.balanceOf(account) - before != due) broken = "withdrew another amount";
            withdrawn[account] += due;
        } catch {
            if (due != 0) broken = "withdraw refused";
        }
    }

    /// @dev What the model's holders are owed is the ledger's word here; that it never passes the model's income is an
    ///      invariant, and that it is the exact share `RevenueLedger.t.sol`.
    function _claimOwner(uint256 which) private {
        address owner = registry.ownerOf(_models[which]);
        try ledger.claimOwner(_models[which]) returns (uint256 amount) {
            taken[owner] += amount;
            takenByOwners += amount;
        } catch {}
    }

    function _claimLineage() private {
        try ledger.claimLineage(_models[1], _models[0]) {} catch {}
    }

    function _collectPlatform(uint256 which) private {
        uint256[] memory modelIds = new uint256[](1);
        modelIds[0] = _models[which];
        uint256 due = platform[which];
        try ledger.collectPlatform(modelIds) {
            if (due == 0) broken = "collectPlatform";
            taken[admin.treasury()] += due;
            takenByPlatform += due;
            platform[which] = 0;
        } catch {
            if (due != 0) broken = "collectPlatform refused";
        }
    }

    function _burnForfeits() private {
        try provers.burnForfeits() {
            if (toBurn == 0) broken = "burn";
            burned += toBurn;
            toBurn = 0;
        } catch {
            if (toBurn != 0) broken = "burn refused";
        }
    }

    function _collectForfeits() private {
        try provers.collectForfeits() {
            if (toTreasury == 0) broken = "collect";
            forfeitsCollected += toTreasury;
            toTreasury = 0;
        } catch {
            if (toTreasury != 0) broken = "collect refused";
        }
    }

    function _donate(uint256 which, uint64 amount) private {
        token.mint(which == 0 ? address(ledger) : address(provers), amount);
        donated[which] += amount;
    }

    /// @dev Honest three times in five, or too few jobs would ever be settled.
    function _turnVerifier(uint256 which, uint256 mood) private {
        TripleVerifier verifier = which % 4 == 0 ? _batchVerifiers[which % MODELS] : _verifiers[which % MODELS];
        if (address(verifier).codehash != keccak256(_verifierCode)) return;
        verifier.turn(TripleVerifier.Mood(mood % 13 > 5 ? 0 : mood % 13));
    }

    /// @dev Zero bytes stop at once: code that accepts anything.
    function _replaceVerifier(uint256 which, uint256 dice) private {
        vm.etch(address(_verifiers[which % MODELS]), dice % 4 == 0 ? bytes(hex"000000000000") : _verifierCode);
    }

    /// @dev What the model had earned is credited to the seller, in the same call.
    function _sellModel(uint256 which, uint256 to) private {
        address owner = registry.ownerOf(_models[which]);
        uint256 before = ledger.credits(owner);
        vm.prank(owner);
        registry.transferFrom(owner, accounts[to % ACTORS], _models[which]);
        taken[owner] += ledger.credits(owner) - before;
        takenByOwners += ledger.credits(owner) - before;
    }

    function _setFees(uint256 which, uint256 dice) private {
        FeeTerms memory terms = registry.feeTermsOf(_models[which]);
        terms.modelFee = terms.minModelFee + uint80(dice % 5_000_000);
        if (dice % 8 == 0 && terms.minModelFeePpm < 400_000) terms.minModelFeePpm += uint32(dice % 10_000);
        address owner = registry.ownerOf(_models[which]);
        vm.prank(owner);
        registry.setFeeTerms(_models[which], terms);
    }

    function _administer(uint256 dice) private {
        vm.startPrank(timelock);
        admin.setPlatformTerms(PlatformTerms(uint32(dice % 100_001), uint80(dice % 1_000_001)));
        if (dice % 2 == 0) admin.setTreasury(accounts[dice % accounts.length]);
        if (dice % 3 == 0) admin.setGuardian(dice % 6 == 0 ? address(0) : guardian);
        vm.stopPrank();
    }

    function _grant(address account, bool granted) private {
        address owner = registry.ownerOf(_models[2]);
        vm.prank(owner);
        registry.setAccess(_models[2], account, granted);
        _hasAccess[account] = granted;
    }

    function _retire(uint256 which) private {
        address owner = registry.ownerOf(_models[which]);
        vm.prank(owner);
        try registry.retire(_models[which]) {
            _isRetired[which] = true;
        } catch {}
    }
}
