// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {FeeQuote, IJobManager, Job, JobSpec, JobStatus, Payment} from "marketplace/src/IJobManager.sol";
import {MarketTerms} from "marketplace/src/MarketTerms.sol";
import {Pricing} from "marketplace/src/Pricing.sol";

/// @title The facts of every job, and what follows from them
/// @dev Laid out so that a settlement reads the first five words and writes one of them.
abstract contract JobBook is MarketTerms {
    /// @dev What the status follows from, in one word. `contested` says that `previousProver` is not zero, so that the
    ///      usual settlement need not look.
    struct Standing {
        address prover;
        uint40 deadline;
        uint40 claimDeadline;
        bool contested;
        JobStatus outcome;
    }

    /// @dev A {Job}.
    struct StoredJob {
        Standing standing;
        Payment payment;
        uint256 modelId;
        bytes32 circuitId;
        bytes32 inputCommitment;
        address requester;
        uint40 openedAt;
        uint32 claimSeconds;
        bool restricted;
        uint80 minProverFee;
        uint80 maxProverFee;
        uint32 rampSeconds;
        FeeQuote quote;
        address previousProver;
        uint40 graceEndsAt;
    }

    bytes32 private constant JOB_TAG = keccak256("zkml.job.v2");

    mapping(bytes32 jobId => StoredJob) internal _jobs;
    mapping(bytes32 jobId => mapping(address prover => bool)) private _named;

    /// @inheritdoc IJobManager
    function statusOf(bytes32 jobId) external view returns (JobStatus status) {
        StoredJob storage facts = _jobs[jobId];
        return _statusOf(facts, _standingOf(facts));
    }

    /// @inheritdoc IJobManager
    function job(bytes32 jobId) external view returns (Job memory facts) {
        StoredJob storage stored = _jobs[jobId];
        Standing memory standing = _standingOf(stored);
        facts.requester = stored.requester;
        facts.openedAt = stored.openedAt;
        facts.rampSeconds = stored.rampSeconds;
        facts.claimSeconds = stored.claimSeconds;
        facts.deadline = standing.deadline;
        facts.minProverFee = stored.minProverFee;
        facts.maxProverFee = stored.maxProverFee;
        facts.quote = _loadQuote(stored.quote);
        facts.prover = standing.prover;
        facts.claimDeadline = standing.claimDeadline;
        facts.previousProver = stored.previousProver;
        facts.graceEndsAt = stored.graceEndsAt;
        facts.payment = _paymentOf(stored);
        facts.modelId = stored.modelId;
        facts.circuitId = stored.circuitId;
        facts.inputCommitment = stored.inputCommitment;
        facts.restricted = stored.restricted;
        facts.outcome = standing.outcome;
    }

    /// @inheritdoc IJobManager
    function contextOf(bytes32 jobId, address payee) external view returns (bytes32 context) {
        return _contextOf(jobId, payee);
    }

    /// @inheritdoc IJobManager
    function isNamed(bytes32 jobId, address prover) public view returns (bool) {
        return !_jobs[jobId].restricted || _named[jobId][prover];
    }

    /// @inheritdoc IJobManager
    function proverFeeAt(bytes32 jobId, uint256 time) public view returns (uint80) {
        StoredJob storage facts = _jobs[jobId];
        return Pricing.offerAt(facts.minProverFee, facts.maxProverFee, facts.openedAt, facts.rampSeconds, time);
    }

    /// @dev The one place where a status comes from; the twin is `status_of` in `zkml/core/job_machine.py`. A job has a
    ///      deadline and a requester, or neither.
    function _statusOf(StoredJob storage facts, Standing memory standing) internal view returns (JobStatus status) {
        if (standing.deadline == 0) return JobStatus.NONE;
        if (standing.outcome != JobStatus.NONE) return standing.outcome;
        if (block.timestamp > standing.deadline) return JobStatus.EXPIRED;
        if (standing.prover == address(0)) return JobStatus.OPEN;
        if (standing.contested && block.timestamp <= facts.graceEndsAt) return JobStatus.GRACE;
        return block.timestamp > standing.claimDeadline ? JobStatus.LATE : JobStatus.CLAIMED;
    }

    /// @dev One read of storage instead of one for each field.
    function _standingOf(StoredJob storage facts) internal view returns (Standing memory) {
        return facts.standing;
    }

    function _jobIn(bytes32 jobId, JobStatus expected) internal view returns (StoredJob storage facts) {
        facts = _jobs[jobId];
        JobStatus status = _statusOf(facts, _standingOf(facts));
        if (status != expected) revert WrongStatus(jobId, status);
    }

    function _store(JobSpec calldata spec, FeeQuote memory quote) internal returns (bytes32 jobId) {
        jobId = _idOf(JOB_TAG, msg.sender, nonces[msg.sender]++, keccak256(abi.encode(spec)));
        StoredJob storage facts = _jobs[jobId];
        facts.standing.deadline = spec.deadline;
        facts.modelId = spec.modelId;
        facts.circuitId = spec.circuitId;
        facts.inputCommitment = spec.inputCommitment;
        facts.requester = msg.sender;
        // Before a deadline that fits.
        facts.openedAt = uint40(block.timestamp);
        facts.claimSeconds = spec.claimSeconds;
        facts.minProverFee = spec.minProverFee;
        facts.maxProverFee = spec.maxProverFee;
        facts.rampSeconds = spec.rampSeconds;
        facts.quote = quote;
        uint256 count = spec.provers.length;
        facts.restricted = count != 0;
        for (uint256 i; i < count; ++i) {
            _named[jobId][spec.provers[i]] = true;
        }
    }

    /// @dev Here once, because the compiler writes it out wherever it stands.
    function _paymentOf(StoredJob storage facts) internal view returns (Payment memory) {
        return facts.payment;
    }

    /// @dev Forgets a previous claimer that has forfeited.
    function _strike(StoredJob storage facts) internal {
        facts.standing.contested = false;
        facts.previousProver = address(0);
        facts.graceEndsAt = 0;
    }

    /// @dev What escrow holds for a live job: once a claim has fixed it the price, before it the most it can become.
    function _escrowOf(StoredJob storage facts) internal view returns (uint80) {
        Payment memory payment = facts.standing.prover == address(0)
            ? Pricing.paymentFor(_loadQuote(facts.quote), facts.maxProverFee)
            : _paymentOf(facts);
        // It was at most the requester's `maxTotal` when the job opened.
        return uint80(Pricing.priceOf(payment));
    }
}
