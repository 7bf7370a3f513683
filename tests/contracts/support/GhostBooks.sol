// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {FeeQuote, Job, JobStatus, Payment} from "marketplace/src/IJobManager.sol";
import {ModelCommitment} from "registry/src/IModelRegistry.sol";
import {Parent} from "registry/src/ILineageRegistry.sol";
import {FeeSpecification} from "tests/contracts/support/FeeSpecification.sol";
import {Market} from "tests/contracts/support/Market.sol";
import {TripleVerifier} from "tests/contracts/support/VerifierDoubles.sol";
import {CircuitSpec} from "verifier_contracts/src/IVerifierRouter.sol";

/// @notice What must come of a history, kept by hand: none of it is read back from the contracts under test.
abstract contract GhostBooks is Market, FeeSpecification {
    uint256 public constant ACTORS = 5;
    uint256 public constant MODELS = 3;
    uint256 internal constant FIRST_KEY = 0xAC700;
    uint32 internal constant BATCH = 2;

    struct Book {
        address requester;
        uint256 openedAt;
        uint256 rampSeconds;
        uint256 claimSeconds;
        uint256 deadline;
        uint256 low;
        uint256 high;
        FeeQuote quote;
        uint256 which;
        address onlyProver;
        address prover;
        uint256 claimDeadline;
        address previous;
        uint256 graceEndsAt;
        Payment payment;
        uint256 collateral;
        JobStatus outcome;
        uint256 endings;
        bytes32 termsHash;
    }

    struct TabGhost {
        address requester;
        address prover;
        uint256 which;
        FeeQuote quote;
        uint256 balance;
        uint256 expiry;
        bool closed;
    }

    /// @dev Owners and treasuries are actors too, or one of the two that are not.
    address[] public accounts;
    bytes32[] public jobIds;
    bytes32[] public tabIds;
    mapping(bytes32 => Book) internal _books;
    mapping(bytes32 => TabGhost) internal _tabs;
    mapping(bytes32 => mapping(uint64 => bool)) internal _usedNonces;

    /// @notice Credited in the transaction in which a verifier was seen to accept.
    mapping(address => uint256) public earned;
    /// @notice Credited because it was the account's own: leftovers, cancelled, refunded, closed tabs.
    mapping(address => uint256) public returned;
    /// @notice Credited out of a model's or the platform's income.
    mapping(address => uint256) public taken;
    mapping(address => uint256) public withdrawn;
    mapping(address => uint256) public free;
    mapping(address => uint256) public lockedStake;
    mapping(address => uint256) public leaving;
    mapping(address => uint256) public leavesAt;
    mapping(uint256 => uint256) public revenue;
    mapping(uint256 => uint256) public platform;
    /// @notice Platform income ever, of all models.
    uint256 public platformEver;
    uint256 public takenByOwners;
    uint256 public takenByPlatform;
    uint256 public toBurn;
    uint256 public toTreasury;
    uint256 public burned;
    uint256 public forfeitedEver;
    uint256 public forfeitsCollected;
    uint256[2] public donated;
    uint256 public settlements;
    /// @notice A forbidden move that went through, or an allowed one that did not; empty while all is well.
    string public broken;

    uint256[MODELS] internal _models;
    bytes32[MODELS] internal _singles;
    bytes32[MODELS] internal _batches;
    TripleVerifier[MODELS] internal _verifiers;
    TripleVerifier[MODELS] internal _batchVerifiers;
    mapping(bytes32 => bool) internal _isDead;
    mapping(bytes32 => bytes32) internal _entryHashes;
    mapping(uint256 => bool) internal _isRetired;
    mapping(address => bool) internal _hasAccess;
    bytes internal _verifierCode;

    /// @dev Three models: an ancestor, its derivative, and a closed one; each with a circuit for one input and for two.
    constructor() {
        deployMarket();
        string[MODELS] memory names = ["ancestor", "derivative", "closed"];
        for (uint256 i; i < MODELS; ++i) {
            _verifiers[i] = new TripleVerifier();
            _batchVerifiers[i] = new TripleVerifier();
            bytes32[] memory circuitIds = new bytes32[](2);
            circuitIds[0] = _singles[i] = router.add(specOf(address(_verifiers[i]), keccak256(bytes(names[i]))));
            circuitIds[1] = _batches[i] = router.add(
                specOf(address(_batchVerifiers[i]), keccak256(bytes(names[i])), BATCH)
            );
            ModelCommitment memory commitment = commitmentFor(circuitIds, names[i]);
            if (i == 2) commitment.keyCommitment = keccak256("key");
            _models[i] = registerModel(commitment);
            if (i == 1) _declare(_models[1], _models[0]);
            prove(_models[i]);
            _entryHashes[_singles[i]] = keccak256(abi.encode(router.circuit(_singles[i])));
            _entryHashes[_batches[i]] = keccak256(abi.encode(router.circuit(_batches[i])));
        }
        _verifierCode = address(_verifiers[0]).code;
        for (uint256 i; i < ACTORS; ++i) {
            address actor = vm.addr(FIRST_KEY + i);
            accounts.push(actor);
            fund(actor, type(uint128).max);
            free[actor] = 1 << (70 + i);
            equip(actor, uint80(free[actor]));
        }
        accounts.push(publisher);
        accounts.push(treasury);
    }

    function _declare(uint256 child, uint256 parent) private {
        Parent[] memory parents = new Parent[](1);
        parents[0] = Parent(parent, 200_000);
        vm.prank(publisher);
        lineage.declare(child, parents, 200_000);
    }

    // --- rules ----------------------------------------------------------------------------------

    function ghostStatus(bytes32 jobId) public view returns (JobStatus) {
        Book storage book = _books[jobId];
        if (book.requester == address(0)) return JobStatus.NONE;
        if (book.outcome != JobStatus.NONE) return book.outcome;
        if (block.timestamp > book.deadline) return JobStatus.EXPIRED;
        if (book.prover == address(0)) return JobStatus.OPEN;
        if (book.previous != address(0) && block.timestamp <= book.graceEndsAt) return JobStatus.GRACE;
        return block.timestamp > book.claimDeadline ? JobStatus.LATE : JobStatus.CLAIMED;
    }

    /// @dev Who may settle now; zero if nobody.
    function payeeOf(bytes32 jobId) internal view returns (address) {
        JobStatus status = ghostStatus(jobId);
        if (status == JobStatus.GRACE) return _books[jobId].previous;
        return status == JobStatus.CLAIMED || status == JobStatus.LATE ? _books[jobId].prover : address(0);
    }

    /// @dev What a live job has in escrow.
    function escrowOf(Book storage book) internal view returns (uint256) {
        return total(book.prover == address(0) ? slowPayment(book.quote, book.high) : book.payment);
    }

    /// @dev What must hold of whoever claims or takes over.
    function mayClaim(Book storage book, address actor, uint256 collateral) internal view returns (bool) {
        return (book.onlyProver == address(0) || book.onlyProver == actor) && !_isRetired[book.which]
            && !_isDead[_singles[book.which]] && (book.which != 2 || _hasAccess[actor]) && free[actor] >= collateral;
    }

    /// @dev Whether the verifier itself says yes right now, seen from outside the contracts under test.
    function accepts(bytes32 circuitId, bytes32 context, bytes memory input, bytes memory output, bytes memory proof)
        internal
        view
        returns (bool)
    {
        CircuitSpec memory spec = router.circuit(circuitId);
        if (_isDead[circuitId] || spec.adapter.codehash != keccak256(_verifierCode)) return false;
        (bool success, bytes memory answer) = spec.adapter.staticcall{gas: GAS_LIMIT}(
            abi.encodeCall(TripleVerifier.verify, (context, input, output, proof))
        );
        return success && answer.length == 0;
    }

    function contextFor(bytes32 subject, address payee) internal view returns (bytes32) {
        return keccak256(abi.encode(keccak256("zkml.context.v1"), block.chainid, address(manager), subject, payee));
    }

    // --- bookings -------------------------------------------------------------------------------

    /// @dev Without an accepted proof nothing is earned, whatever the contracts did: then their books differ from these.
    function bookIncome(uint256 which, address payee, Payment memory payment, bool accepted) internal {
        if (!accepted) return;
        earned[payee] += payment.proverFee;
        revenue[which] += payment.revenue;
        platform[which] += payment.platformAmount;
        platformEver += payment.platformAmount;
        ++settlements;
    }

    function bookSettlement(bytes32 jobId, bool accepted) internal {
        Book storage book = _books[jobId];
        bool isGrace = ghostStatus(jobId) == JobStatus.GRACE;
        address payee = payeeOf(jobId);
        bookIncome(book.which, payee, book.payment, accepted);
        unlock(payee, book.collateral);
        if (isGrace) {
            unlock(book.prover, book.collateral);
        } else if (book.previous != address(0)) {
            uint256 bonus = book.collateral / 2;
            free[payee] += bonus;
            strike(book.previous, book.collateral, bonus);
        }
        finish(book, JobStatus.SETTLED);
    }

    function finish(Book storage book, JobStatus outcome) internal {
        book.outcome = outcome;
        ++book.endings;
    }

    function lockUp(address who, uint256 amount) internal {
        free[who] -= amount;
        lockedStake[who] += amount;
    }

    function unlock(address who, uint256 amount) internal {
        lockedStake[who] -= amount;
        free[who] += amount;
    }

    /// @dev Half of what the bonus leaves to the treasury, rounded down, the rest to the fire.
    function strike(address who, uint256 amount, uint256 bonus) internal {
        lockedStake[who] -= amount;
        forfeitedEver += amount;
        uint256 part = (amount - bonus) / 2;
        toTreasury += part;
        toBurn += amount - bonus - part;
    }

    // --- for the invariants ---------------------------------------------------------------------

    function jobCount() external view returns (uint256) {
        return jobIds.length;
    }

    function tabCount() external view returns (uint256) {
        return tabIds.length;
    }

    function accountCount() external view returns (uint256) {
        return accounts.length;
    }

    function bookOf(bytes32 jobId) external view returns (Book memory) {
        return _books[jobId];
    }

    function tabOf(bytes32 tabId) external view returns (TabGhost memory) {
        return _tabs[tabId];
    }

    function modelAt(uint256 which) external view returns (uint256) {
        return _models[which];
    }

    /// @notice What live jobs and tabs hold.
    function escrowed() external view returns (uint256 sum) {
        for (uint256 i; i < jobIds.length; ++i) {
            Book storage book = _books[jobIds[i]];
            if (book.outcome == JobStatus.NONE) sum += escrowOf(book);
        }
        for (uint256 i; i < tabIds.length; ++i) {
            sum += _tabs[tabIds[i]].balance;
        }
    }

    /// @notice What the claims of live jobs have locked of an account.
    function lockedByJobs(address account) external view returns (uint256 sum) {
        for (uint256 i; i < jobIds.length; ++i) {
            Book storage book = _books[jobIds[i]];
            if (book.outcome != JobStatus.NONE) continue;
            if (book.prover == account) sum += book.collateral;
            if (book.previous == account) sum += book.collateral;
        }
    }

    function termsStand(bytes32 jobId) external view returns (bool) {
        return _books[jobId].termsHash == termsHash(jobId);
    }

    function entriesStand() external view returns (bool) {
        for (uint256 i; i < MODELS; ++i) {
            if (keccak256(abi.encode(router.circuit(_singles[i]))) != _entryHashes[_singles[i]]) return false;
            if (keccak256(abi.encode(router.circuit(_batches[i]))) != _entryHashes[_batches[i]]) return false;
            if (router.isTombstoned(_singles[i]) != _isDead[_singles[i]]) return false;
        }
        return true;
    }

    /// @dev All that is fixed when a job opens; claims and the outcome are not.
    function termsHash(bytes32 jobId) internal view returns (bytes32) {
        Job memory facts = manager.job(jobId);
        (facts.prover, facts.claimDeadline, facts.previousProver, facts.graceEndsAt) = (address(0), 0, address(0), 0);
        facts.payment = Payment(0, 0, 0);
        facts.outcome = JobStatus.NONE;
        return keccak256(abi.encode(facts));
    }
}
