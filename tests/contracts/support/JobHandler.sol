// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IJobManager, Job, JobSpec, JobStatus} from "marketplace/src/IJobManager.sol";
import {JobManager} from "marketplace/src/JobManager.sol";
import {LocalPaymentToken} from "marketplace/src/LocalPaymentToken.sol";
import {ModelRegistry} from "registry/src/ModelRegistry.sol";
import {Market} from "tests/contracts/support/Market.sol";
import {TripleVerifier} from "tests/contracts/support/VerifierDoubles.sol";
import {VerifierRouter} from "verifier_contracts/src/VerifierRouter.sol";

/// @notice Makes random moves of a random market, good and bad, and keeps its own books of what must come of them.
/// @dev A move that the rules forbid is tried all the same, and must revert: the handler itself never does.
contract JobHandler is Market {
    uint256 public constant ACTORS = 5;
    uint256 private constant MAX_JOBS = 24;

    /// @dev What the handler knows of a job, none of it read back from the manager.
    struct Book {
        address requester;
        address prover;
        uint256 fee;
        uint256 collateral;
        uint256 deadline;
        JobStatus outcome;
        uint256 endings;
        bool proofAccepted;
        bytes32 termsHash;
    }

    address[] public actors;
    bytes32[] public jobIds;
    mapping(bytes32 => Book) private _books;
    mapping(address => uint256) public withdrawn;
    uint256 public donated;
    uint256 public burned;
    /// @notice A forbidden move that went through, or an allowed one that did not; empty while all is well.
    string public broken;

    TripleVerifier[2] private _verifiers;
    uint256[2] private _models;
    bytes32[2] private _entryHashes;
    bytes private _verifierCode;

    constructor() {
        deployMarket();
        for (uint256 i; i < 2; ++i) {
            _verifiers[i] = new TripleVerifier();
            _models[i] = provenModel(_verifiers[i], i == 0 ? "digits" : "letters");
            _entryHashes[i] = keccak256(abi.encode(router.circuit(registry.circuitOf(_models[i]))));
        }
        _verifierCode = address(_verifiers[0]).code;
        for (uint256 i; i < ACTORS; ++i) {
            actors.push(address(uint160(0xAC700 + i)));
            fund(actors[i], type(uint128).max);
        }
    }

    // --- moves ----------------------------------------------------------------------------------

    function open(uint256 who, uint256 which, uint96 fee, uint32 duration, bool byUri) external {
        if (jobIds.length == MAX_JOBS) return;
        JobSpec memory spec = JobSpec({
            modelId: _models[which % 2],
            inputCommitment: keccak256(INPUT),
            inputUri: byUri ? "ipfs://bafy" : "",
            fee: uint96(within(fee, 1, type(uint96).max)),
            deadline: uint64(block.timestamp + within(duration, 30, 30 days))
        });
        address requester_ = actors[who % ACTORS];
        vm.prank(requester_);
        bytes32 jobId = manager.open(spec, byUri ? bytes("") : INPUT);
        if (_books[jobId].requester != address(0)) broken = "two jobs share an id";
        jobIds.push(jobId);
        Book storage book = _books[jobId];
        book.requester = requester_;
        book.fee = spec.fee;
        book.deadline = spec.deadline;
        uint256 part = (uint256(spec.fee) + 9) / 10;
        book.collateral = part > 1_000_000 ? part : 1_000_000;
        book.termsHash = _termsHash(jobId);
    }

    /// @param target three times in four an open job, if there is one.
    function claim(uint256 who, uint256 target, uint256 which) external {
        if (jobIds.length == 0) return;
        bytes32 jobId = target % 4 == 0 ? jobIds[which % jobIds.length] : _jobIn(JobStatus.OPEN, which);
        Book storage book = _books[jobId];
        address actor = actors[who % ACTORS];
        bool allowed = book.outcome == JobStatus.NONE && block.timestamp <= book.deadline && book.prover == address(0);
        vm.prank(actor);
        try manager.claim(jobId) {
            if (!allowed) broken = "claim";
            book.prover = actor;
        } catch {
            if (allowed) broken = "claim refused";
        }
    }

    /// @param lie 0 to 3: the truth; then another output, proof, input, or a proof that is bound to another payee.
    /// @param target three times in four a job that is claimed and in time, if there is one.
    function settle(uint256 who, uint256 target, uint256 which, uint256 lie, bool byClaimant) external {
        if (jobIds.length == 0) return;
        bytes32 jobId = target % 4 == 0 ? jobIds[which % jobIds.length] : _jobIn(JobStatus.CLAIMED, which);
        Book storage book = _books[jobId];
        address actor = byClaimant ? book.prover : actors[who % ACTORS];
        lie = lie % 8;
        bool accepted = _prepareProof(jobId, book.prover, lie);
        bool allowed = book.outcome == JobStatus.NONE && block.timestamp <= book.deadline && book.prover != address(0)
            && book.prover == actor && accepted;
        bytes memory output = lie == 4 ? flipped(OUTPUT, which) : OUTPUT;
        bytes memory proof = lie == 5 ? flipped(PROOF, which) : PROOF;
        bytes memory input = lie == 6 ? bytes(hex"00000000") : INPUT;
        vm.prank(actor);
        try manager.settle(jobId, input, output, proof) {
            if (!allowed) broken = "settle";
            book.outcome = JobStatus.SETTLED;
            book.proofAccepted = accepted;
            ++book.endings;
        } catch {
            if (allowed) broken = "settle refused";
        }
    }

    function cancel(uint256 who, uint256 which, bool byRequester) external {
        if (jobIds.length == 0) return;
        bytes32 jobId = jobIds[which % jobIds.length];
        Book storage book = _books[jobId];
        address actor = byRequester ? book.requester : actors[who % ACTORS];
        bool allowed = book.outcome == JobStatus.NONE && block.timestamp <= book.deadline && book.prover == address(0)
            && actor == book.requester;
        vm.prank(actor);
        try manager.cancel(jobId) {
            if (!allowed) broken = "cancel";
            book.outcome = JobStatus.CANCELLED;
            ++book.endings;
        } catch {
            if (allowed) broken = "cancel refused";
        }
    }

    function refund(uint256 who, uint256 which) external {
        if (jobIds.length == 0) return;
        bytes32 jobId = jobIds[which % jobIds.length];
        Book storage book = _books[jobId];
        bool allowed = book.outcome == JobStatus.NONE && block.timestamp > book.deadline;
        vm.prank(actors[who % ACTORS]);
        try manager.refund(jobId) {
            if (!allowed) broken = "refund";
            book.outcome = JobStatus.REFUNDED;
            ++book.endings;
        } catch {
            if (allowed) broken = "refund refused";
        }
    }

    function takeOut(uint256 who, bool burn) external {
        if (burn) _burnForfeits(who);
        else _withdraw(who);
    }

    function _withdraw(uint256 who) private {
        address actor = actors[who % ACTORS];
        uint256 due = earned(actor) - withdrawn[actor];
        uint256 before = token.balanceOf(actor);
        vm.prank(actor);
        try manager.withdraw() {
            if (due == 0) broken = "withdraw";
            if (token.balanceOf(actor) - before != due) broken = "withdrew another amount";
            withdrawn[actor] += due;
        } catch {
            if (due != 0) broken = "withdraw refused";
        }
    }

    function _burnForfeits(uint256 who) private {
        uint256 due = forfeited() - burned;
        vm.prank(actors[who % ACTORS]);
        try manager.burnForfeits() {
            if (due == 0) broken = "burn";
            burned += due;
        } catch {
            if (due != 0) broken = "burn refused";
        }
    }

    // --- surroundings ---------------------------------------------------------------------------

    /// @dev One move of many kinds, so that most moves are a job's.
    function disturb(uint256 kind, uint256 which, uint256 dice) external {
        kind %= 4;
        if (kind == 0) _donate(uint64(dice));
        if (kind == 1) _turnVerifier(which, dice);
        if (kind == 2) _replaceVerifier(which, dice);
        if (kind == 3) _sellModel(which, dice);
    }

    function _donate(uint64 amount) private {
        token.mint(address(manager), amount);
        donated += amount;
    }

    function passTime(uint32 seconds_) external {
        // Mostly short steps, so that jobs are settled as well as missed.
        vm.warp(block.timestamp + within(seconds_, 1, seconds_ % 8 == 0 ? 20 days : 1 hours));
    }

    function _turnVerifier(uint256 which, uint256 mood) private {
        // Honest three times in five, or too few jobs would ever be settled.
        TripleVerifier verifier = _verifiers[which % 2];
        if (_isWhole(verifier)) verifier.turn(TripleVerifier.Mood(mood % 13 > 5 ? 0 : mood % 13));
    }

    function _replaceVerifier(uint256 which, uint256 dice) private {
        // Zero bytes stop at once: code that accepts anything.
        vm.etch(address(_verifiers[which % 2]), dice % 4 == 0 ? bytes(hex"000000000000") : _verifierCode);
    }

    function _sellModel(uint256 which, uint256 to) private {
        uint256 modelId = _models[which % 2];
        address owner = registry.ownerOf(modelId);
        vm.prank(owner);
        registry.transferFrom(owner, actors[to % ACTORS], modelId);
    }

    // --- books ----------------------------------------------------------------------------------

    function jobCount() external view returns (uint256) {
        return jobIds.length;
    }

    function bookOf(bytes32 jobId) external view returns (Book memory) {
        return _books[jobId];
    }

    function contracts() external view returns (JobManager, LocalPaymentToken, ModelRegistry, VerifierRouter) {
        return (manager, token, registry, router);
    }

    /// @notice All that an account ever had credited, by the rules.
    function earned(address account) public view returns (uint256 total) {
        for (uint256 i; i < jobIds.length; ++i) {
            Book storage book = _books[jobIds[i]];
            if (book.outcome == JobStatus.SETTLED && book.proofAccepted && book.prover == account) {
                total += book.fee + book.collateral;
            }
            bool returned = book.outcome == JobStatus.CANCELLED || book.outcome == JobStatus.REFUNDED;
            if (returned && book.requester == account) total += book.fee;
        }
    }

    /// @notice All collateral ever forfeited, by the rules.
    function forfeited() public view returns (uint256 total) {
        for (uint256 i; i < jobIds.length; ++i) {
            Book storage book = _books[jobIds[i]];
            if (book.outcome == JobStatus.REFUNDED && book.prover != address(0)) total += book.collateral;
        }
    }

    /// @notice What live jobs hold, by the rules.
    function locked() external view returns (uint256 total) {
        for (uint256 i; i < jobIds.length; ++i) {
            Book storage book = _books[jobIds[i]];
            if (book.outcome != JobStatus.NONE) continue;
            total += book.fee + (book.prover == address(0) ? 0 : book.collateral);
        }
    }

    function termsStand(bytes32 jobId) external view returns (bool) {
        return _books[jobId].termsHash == _termsHash(jobId);
    }

    function entriesStand() external view returns (bool) {
        for (uint256 i; i < 2; ++i) {
            if (keccak256(abi.encode(router.circuit(registry.circuitOf(_models[i])))) != _entryHashes[i]) return false;
        }
        return true;
    }

    /// @notice Makes everything outside the manager and its token hostile.
    function ruin() external {
        for (uint256 i; i < 2; ++i) {
            vm.etch(address(_verifiers[i]), hex"fe");
        }
        vm.etch(address(router), hex"fe");
        vm.etch(address(registry), hex"fe");
    }

    /// @dev The first job of a status from `which` on, if there is one; else any.
    function _jobIn(JobStatus wanted, uint256 which) private view returns (bytes32 jobId) {
        for (uint256 i; i < jobIds.length; ++i) {
            jobId = jobIds[(which % jobIds.length + i) % jobIds.length];
            if (manager.statusOf(jobId) == wanted) return jobId;
        }
    }

    /// @dev Tells the verifier which triple it accepts, and says whether the lie will pass.
    function _prepareProof(bytes32 jobId, address payee, uint256 lie) private returns (bool accepted) {
        TripleVerifier verifier = _verifierOf(jobId);
        if (!_isWhole(verifier)) return false;
        bytes32 tag = keccak256("zkml.context.v1");
        bytes32 bound = keccak256(abi.encode(tag, block.chainid, address(manager), jobId, payee));
        bytes32 another = keccak256(abi.encode(tag, block.chainid, address(manager), jobId, address(0xBAD)));
        verifier.accept(bound, "", "", "");
        verifier.accept(lie == 7 ? another : bound, INPUT, OUTPUT, PROOF);
        if (verifier.mood() == TripleVerifier.Mood.HONEST) return lie <= 3;
        // A verifier that accepts all can be lied to about everything but the input.
        return verifier.mood() == TripleVerifier.Mood.ACCEPTS_ALL && lie != 6;
    }

    /// @dev All that is fixed when a job opens; the prover and the outcome are not.
    function _termsHash(bytes32 jobId) private view returns (bytes32) {
        Job memory facts = manager.job(jobId);
        facts.prover = address(0);
        facts.outcome = JobStatus.NONE;
        return keccak256(abi.encode(facts));
    }

    function _verifierOf(bytes32 jobId) private view returns (TripleVerifier) {
        return manager.job(jobId).modelId == _models[0] ? _verifiers[0] : _verifiers[1];
    }

    function _isWhole(TripleVerifier verifier) private view returns (bool) {
        return address(verifier).codehash == keccak256(_verifierCode);
    }
}
