// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {JobSpec, JobStatus, Payment, Settlement} from "marketplace/src/IJobManager.sol";
import {GhostBooks} from "tests/contracts/support/GhostBooks.sol";
import {TripleVerifier} from "tests/contracts/support/VerifierDoubles.sol";

/// @notice Random moves on jobs, good and bad.
/// @dev A move that the rules forbid is tried all the same, and must revert: the handler itself never does.
abstract contract JobMoves is GhostBooks {
    uint256 private constant MAX_JOBS = 24;

    /// @param fee decides both offers, `seconds_` all times.
    function open(uint256 who, uint256 which, uint80 fee, uint32 seconds_, uint256 dice) external {
        if (jobIds.length == MAX_JOBS) return;
        which %= MODELS;
        JobSpec memory spec = jobSpec(_models[which]);
        // Small fees as well as great ones: a stake of 2^70 covers collateral for the former alone.
        spec.minProverFee = uint80(within(fee, 1, dice % 4 == 0 ? 1 << 74 : 1 << 40));
        spec.maxProverFee = spec.minProverFee * uint80(within(dice, 1, 8));
        spec.maxTotal = type(uint80).max;
        uint256 duration = within(seconds_, 60, dice % 8 == 0 ? 30 days : 2 hours);
        spec.deadline = uint40(block.timestamp + duration);
        spec.rampSeconds = uint32(within(dice, 0, duration));
        // Short ones, so that claims are late before jobs are.
        uint256 longest = dice % 2 == 0 ? 90 : 600;
        spec.claimSeconds = uint32(within(seconds_, 60, duration > longest ? longest : duration));
        if (dice % 5 == 0) {
            spec.provers = new address[](1);
            spec.provers[0] = accounts[dice % ACTORS];
        }
        address actor = accounts[who % ACTORS];
        bool allowed = !_isRetired[which] && !_isDead[_singles[which]];
        vm.prank(actor);
        try manager.open(spec, INPUT) returns (bytes32 jobId) {
            if (!allowed) broken = "open";
            if (_books[jobId].requester != address(0)) broken = "two jobs share an id";
            _book(jobId, actor, which, spec);
        } catch {
            if (allowed) broken = "open refused";
        }
    }

    /// @param target three times in four an open job, if there is one.
    function claim(uint256 who, uint256 target, uint256 which) external {
        if (jobIds.length == 0) return;
        bytes32 jobId = _pick(JobStatus.OPEN, target, which);
        Book storage book = _books[jobId];
        address actor = accounts[who % ACTORS];
        uint256 offer = slowOffer(book.low, book.high, book.rampSeconds, block.timestamp - book.openedAt);
        Payment memory payment = slowPayment(book.quote, offer);
        uint256 collateral = slowCollateral(total(payment), 1_000_000, 100_000);
        bool allowed = ghostStatus(jobId) == JobStatus.OPEN && mayClaim(book, actor, collateral);
        uint256 escrow = escrowOf(book);
        vm.prank(actor);
        try manager.claim(jobId) {
            if (!allowed) broken = "claim";
            returned[book.requester] += escrow - total(payment);
            (book.prover, book.payment, book.collateral) = (actor, payment, collateral);
            uint256 fullPeriod = block.timestamp + book.claimSeconds;
            book.claimDeadline = fullPeriod < book.deadline ? fullPeriod : book.deadline;
            lockUp(actor, collateral);
        } catch {
            if (allowed) broken = "claim refused";
        }
    }

    /// @param target two times in four the clock jumps to just after a claim's deadline.
    function reclaim(uint256 who, uint256 target, uint256 which) external {
        if (jobIds.length == 0) return;
        bytes32 jobId = _pick(target % 4 < 2 ? JobStatus.LATE : JobStatus.CLAIMED, target, which);
        Book storage book = _books[jobId];
        if (target % 4 >= 2 && ghostStatus(jobId) == JobStatus.CLAIMED) vm.warp(book.claimDeadline + 1);
        address actor = accounts[who % ACTORS];
        bool allowed = ghostStatus(jobId) == JobStatus.LATE && actor != book.prover
            && block.timestamp + book.claimSeconds <= book.deadline && mayClaim(book, actor, book.collateral);
        vm.prank(actor);
        try manager.reclaim(jobId) {
            if (!allowed) broken = "reclaim";
            if (book.previous != address(0)) strike(book.previous, book.collateral, 0);
            (book.previous, book.prover) = (book.prover, actor);
            book.graceEndsAt = block.timestamp + 36;
            book.claimDeadline = block.timestamp + book.claimSeconds;
            lockUp(actor, book.collateral);
        } catch {
            if (allowed) broken = "reclaim refused";
        }
    }

    /// @param lie 0 to 3: the truth; then another output, proof, input, or a proof that is bound to another payee.
    function settle(uint256 who, uint256 target, uint256 which, uint256 lie, bool byPayee) external {
        if (jobIds.length == 0) return;
        bytes32 jobId = _settleable(target, which);
        address payee = payeeOf(jobId);
        address actor = byPayee && payee != address(0) ? payee : _challenger(jobId, who);
        Settlement memory one = _prepare(jobId, actor, lie % 8, which);
        bool accepted = _isTrue(one, actor);
        bool allowed = actor == payee && accepted;
        vm.prank(actor);
        try manager.settle(jobId, one.input, one.output, one.proof) {
            if (!allowed) broken = "settle";
            bookSettlement(jobId, accepted);
        } catch {
            if (allowed) broken = "settle refused";
        }
    }

    function settleMany(uint256 target, uint256 which, uint256 lie) external {
        if (jobIds.length < 2) return;
        (bytes32 first, bytes32 second) = _pair(target, which);
        address actor = payeeOf(first);
        if (actor == address(0)) actor = accounts[0];
        Settlement[] memory both = new Settlement[](2);
        both[0] = _prepare(first, actor, 0, which);
        both[1] = _prepare(second, actor, lie % 8, which);
        bool allowed = first != second && actor == payeeOf(first) && actor == payeeOf(second) && _isTrue(both[0], actor)
            && _isTrue(both[1], actor);
        vm.prank(actor);
        try manager.settleMany(both) {
            if (!allowed) broken = "settleMany";
            bookSettlement(first, allowed);
            bookSettlement(second, allowed);
        } catch {
            if (allowed) broken = "settleMany refused";
        }
    }

    function settleBatch(uint256 target, uint256 which, uint256 lie) external {
        if (jobIds.length < 2) return;
        (bytes32 first, bytes32 second) = _pair(target, which);
        lie %= 6;
        uint256 model = _books[first].which;
        address actor = payeeOf(first);
        if (actor == address(0)) actor = accounts[0];
        bytes32 context = keccak256(bytes.concat(contextFor(first, actor), contextFor(second, actor)));
        (bytes memory input, bytes memory output) = (bytes.concat(INPUT, INPUT), bytes.concat(OUTPUT, OUTPUT));
        _batchVerifiers[model].accept(context, input, output, PROOF);
        if (lie == 4) output = flipped(output, which);
        if (lie == 5) input = flipped(input, 5);
        bool allowed = first != second && _books[second].which == model && actor == payeeOf(first)
            && actor == payeeOf(second) && lie != 5 && !_isDead[_singles[model]]
            && accepts(_batches[model], context, input, output, PROOF);
        bytes32[] memory both = new bytes32[](2);
        (both[0], both[1]) = (first, second);
        vm.prank(actor);
        try manager.settleBatch(both, _batches[model], input, output, PROOF) {
            if (!allowed) broken = "settleBatch";
            bookSettlement(first, allowed);
            bookSettlement(second, allowed);
        } catch {
            if (allowed) broken = "settleBatch refused";
        }
    }

    function cancel(uint256 who, uint256 which, bool byRequester) external {
        if (jobIds.length == 0) return;
        bytes32 jobId = jobIds[which % jobIds.length];
        Book storage book = _books[jobId];
        address actor = byRequester ? book.requester : accounts[who % ACTORS];
        bool allowed = ghostStatus(jobId) == JobStatus.OPEN && actor == book.requester;
        vm.prank(actor);
        try manager.cancel(jobId) {
            if (!allowed) broken = "cancel";
            returned[book.requester] += escrowOf(book);
            finish(book, JobStatus.CANCELLED);
        } catch {
            if (allowed) broken = "cancel refused";
        }
    }

    function refund(uint256 who, uint256 target, uint256 which) external {
        if (jobIds.length == 0) return;
        bytes32 jobId = target % 4 < 2 ? _dead(which) : _pick(JobStatus.EXPIRED, target, which);
        Book storage book = _books[jobId];
        bool isDead = _isDead[_singles[book.which]];
        bool allowed = book.outcome == JobStatus.NONE && (isDead || block.timestamp > book.deadline);
        vm.prank(accounts[who % ACTORS]);
        try manager.refund(jobId) {
            if (!allowed) broken = "refund";
            returned[book.requester] += escrowOf(book);
            if (book.prover != address(0)) _end(book.prover, book.collateral, isDead);
            if (book.previous != address(0)) _end(book.previous, book.collateral, isDead);
            finish(book, JobStatus.REFUNDED);
        } catch {
            if (allowed) broken = "refund refused";
        }
    }

    function _end(address who, uint256 collateral, bool isDead) private {
        if (isDead) unlock(who, collateral);
        else strike(who, collateral, 0);
    }

    function _book(bytes32 jobId, address actor, uint256 which, JobSpec memory spec) private {
        jobIds.push(jobId);
        Book storage book = _books[jobId];
        book.requester = actor;
        book.openedAt = block.timestamp;
        book.rampSeconds = spec.rampSeconds;
        book.claimSeconds = spec.claimSeconds;
        book.deadline = spec.deadline;
        (book.low, book.high) = (spec.minProverFee, spec.maxProverFee);
        book.quote = manager.quoteFor(_models[which]);
        book.which = which;
        if (spec.provers.length != 0) book.onlyProver = spec.provers[0];
        book.termsHash = termsHash(jobId);
    }

    /// @dev Tells the verifier what it accepts, and returns what is shown to the manager instead.
    function _prepare(bytes32 jobId, address payee, uint256 lie, uint256 place)
        private
        returns (Settlement memory one)
    {
        TripleVerifier verifier = _verifiers[_books[jobId].which];
        if (address(verifier).codehash == keccak256(_verifierCode)) {
            verifier.accept(contextFor(jobId, payee), "", "", "");
            address bound = lie == 7 ? address(0xBAD) : payee;
            verifier.accept(contextFor(jobId, bound), INPUT, OUTPUT, PROOF);
        }
        one = Settlement(jobId, INPUT, OUTPUT, PROOF);
        if (lie == 4) one.output = flipped(OUTPUT, place);
        if (lie == 5) one.proof = flipped(PROOF, place);
        if (lie == 6) one.input = hex"00000000";
    }

    function _isTrue(Settlement memory one, address payee) private view returns (bool) {
        return keccak256(one.input) == keccak256(INPUT)
            && accepts(
            _singles[_books[one.jobId].which], contextFor(one.jobId, payee), one.input, one.output, one.proof
        );
    }

    /// @dev Three times in four the first job of a status from `which` on, if there is one; else any.
    function _pick(JobStatus wanted, uint256 target, uint256 which) private view returns (bytes32 jobId) {
        for (uint256 i; i < jobIds.length && target % 4 != 0; ++i) {
            jobId = jobIds[(which % jobIds.length + i) % jobIds.length];
            if (ghostStatus(jobId) == wanted) return jobId;
        }
        return jobIds[which % jobIds.length];
    }

    /// @dev Half the time the other claimer of a job that has two, else anybody.
    function _challenger(bytes32 jobId, uint256 who) private view returns (address) {
        Book storage book = _books[jobId];
        address other = payeeOf(jobId) == book.prover ? book.previous : book.prover;
        return other != address(0) && who % 2 == 0 ? other : accounts[who % ACTORS];
    }

    /// @dev A live job whose circuit is tombstoned, if there is one; else any.
    function _dead(uint256 which) private view returns (bytes32 jobId) {
        for (uint256 i; i < jobIds.length; ++i) {
            jobId = jobIds[(which % jobIds.length + i) % jobIds.length];
            if (_isDead[_singles[_books[jobId].which]] && _books[jobId].outcome == JobStatus.NONE) return jobId;
        }
    }

    /// @dev One time in four a job in GRACE, two times one that somebody may settle; else any.
    function _settleable(uint256 target, uint256 which) private view returns (bytes32 jobId) {
        if (target % 4 == 1) jobId = _pick(JobStatus.GRACE, target, which);
        if (payeeOf(jobId) != address(0)) return jobId;
        for (uint256 i; i < jobIds.length && target % 4 != 0; ++i) {
            jobId = jobIds[(which % jobIds.length + i) % jobIds.length];
            if (payeeOf(jobId) != address(0)) return jobId;
        }
        return jobIds[which % jobIds.length];
    }

    /// @dev Two jobs of one payee and model, where there are; else any two, or one twice.
    function _pair(uint256 target, uint256 which) private view returns (bytes32 first, bytes32 second) {
        first = _settleable(target, which);
        for (uint256 i; i < jobIds.length; ++i) {
            second = jobIds[i];
            bool fits = second != first && _books[second].which == _books[first].which;
            if (fits && payeeOf(second) == payeeOf(first)) return (first, second);
        }
        second = jobIds[target % jobIds.length];
    }
}
