// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {FeeQuote, IJobManager, JobSpec, JobStatus, JobTerms, Payment} from "marketplace/src/IJobManager.sol";
import {IRevenueLedger} from "marketplace/src/IRevenueLedger.sol";
import {JobBook} from "marketplace/src/JobBook.sol";
import {JobSettlement} from "marketplace/src/JobSettlement.sol";
import {MarketTerms} from "marketplace/src/MarketTerms.sol";
import {Pricing} from "marketplace/src/Pricing.sol";
import {TabBook} from "marketplace/src/TabBook.sol";
import {IProverRegistry} from "registry/src/IProverRegistry.sol";

/// @title Escrow and the job machine: no proof, no settlement
/// @dev No owner and no setter, and no token is held here. What opens and ends jobs without a proof; settlements are in
///      {JobSettlement}, tabs in {TabBook}.
contract JobManager is JobSettlement, TabBook {
    uint256 private constant MAX_URI_BYTES = 256;
    /// @dev Each costs a word of storage.
    uint256 private constant MAX_ALLOWED_PROVERS = 8;

    /// @param ledger_ the bank, which has the registry, the token and the admin; it must name this contract.
    /// @param provers_ the provers and their stakes; it must name this contract, and the bank's token and admin.
    /// @param terms_ the numbers of this deployment.
    constructor(IRevenueLedger ledger_, IProverRegistry provers_, JobTerms memory terms_)
        MarketTerms(ledger_, provers_, terms_)
    {}

    /// @inheritdoc IJobManager
    function open(JobSpec calldata spec, bytes calldata input) external nonReentrant returns (bytes32 jobId) {
        _checkOffer(spec);
        _checkProven(spec.modelId);
        _checkCircuitOf(spec.modelId, spec.circuitId, 1);
        _checkClass(spec.circuitId);
        _checkAlive(spec.circuitId);
        _checkGiven(spec, input);
        FeeQuote memory quote = quoteFor(spec.modelId);
        uint256 total = Pricing.priceOf(Pricing.paymentFor(quote, spec.maxProverFee));
        if (total > spec.maxTotal) revert TotalTooHigh(total, spec.maxTotal);

        jobId = _store(spec, quote);
        // At most `maxTotal`, so it fits.
        emit JobOpened(jobId, spec.modelId, msg.sender, spec, quote, uint80(total), input);
        _pull(total);
    }

    /// @inheritdoc IJobManager
    function claim(bytes32 jobId) external nonReentrant {
        StoredJob storage facts = _jobIn(jobId, JobStatus.OPEN);
        _checkClaimer(jobId, facts);
        uint80 escrow = _escrowOf(facts);
        Payment memory payment = Pricing.paymentFor(_loadQuote(facts.quote), proverFeeAt(jobId, block.timestamp));
        uint256 price = Pricing.priceOf(payment);
        uint80 collateral = collateralFor(price);
        uint256 fullPeriod = block.timestamp + facts.claimSeconds;
        uint40 deadline = facts.standing.deadline;
        uint40 claimDeadline = fullPeriod < deadline ? uint40(fullPeriod) : deadline;

        facts.standing.prover = msg.sender;
        facts.standing.claimDeadline = claimDeadline;
        facts.payment = payment;
        // The price only grows with the prover's fee, and escrow is the price at the greatest.
        uint80 returned = escrow - uint80(price);
        emit JobClaimed(jobId, msg.sender, payment, collateral, returned, claimDeadline);
        _lock(collateral);
        if (returned != 0) _credit(facts.requester, returned);
    }

    /// @inheritdoc IJobManager
    function reclaim(bytes32 jobId) external nonReentrant {
        StoredJob storage facts = _jobIn(jobId, JobStatus.LATE);
        address late = facts.standing.prover;
        if (msg.sender == late) revert AlreadyClaimant(jobId, late);
        _checkClaimer(jobId, facts);
        uint256 claimDeadline = block.timestamp + facts.claimSeconds;
        uint40 deadline = facts.standing.deadline;
        if (claimDeadline > deadline) revert TooLateToReclaim(jobId, claimDeadline, deadline);
        uint80 collateral = collateralFor(Pricing.priceOf(_paymentOf(facts)));
        address forfeiter = facts.previousProver;
        // A claim period is longer than the grace and ends before a deadline that fits.
        uint40 graceEndsAt = uint40(block.timestamp + GRACE_SECONDS);

        facts.standing.prover = msg.sender;
        facts.standing.claimDeadline = uint40(claimDeadline);
        facts.standing.contested = true;
        facts.previousProver = late;
        facts.graceEndsAt = graceEndsAt;
        emit JobReclaimed(jobId, msg.sender, late, uint40(claimDeadline), graceEndsAt);
        if (forfeiter != address(0)) _forfeit(forfeiter, collateral, address(0));
        _lock(collateral);
    }

    /// @inheritdoc IJobManager
    function cancel(bytes32 jobId) external nonReentrant {
        StoredJob storage facts = _jobIn(jobId, JobStatus.OPEN);
        address requester = facts.requester;
        if (msg.sender != requester) revert NotRequester(jobId, msg.sender, requester);

        facts.standing.outcome = JobStatus.CANCELLED;
        emit JobCancelled(jobId);
        _credit(requester, _escrowOf(facts));
    }

    /// @inheritdoc IJobManager
    function refund(bytes32 jobId) external nonReentrant {
        StoredJob storage facts = _jobs[jobId];
        Standing memory standing = _standingOf(facts);
        JobStatus status = _statusOf(facts, standing);
        bool isOver = status == JobStatus.NONE || standing.outcome != JobStatus.NONE;
        bool isExcused = ROUTER.isTombstoned(facts.circuitId);
        if (isOver || (status != JobStatus.EXPIRED && !isExcused)) revert WrongStatus(jobId, status);
        address requester = facts.requester;
        address prover = standing.prover;
        address previous = facts.previousProver;
        uint80 escrow = _escrowOf(facts);
        // Collateral is locked by a claim, and only by a claim; the price is what escrow holds from then on.
        uint80 collateral = prover == address(0) ? 0 : collateralFor(escrow);

        uint256 forfeited = isExcused ? 0 : (previous == address(0) ? collateral : 2 * uint256(collateral));
        facts.standing.outcome = JobStatus.REFUNDED;
        if (previous != address(0) && !isExcused) _strike(facts);
        emit JobRefunded(jobId, requester, escrow, forfeited);
        if (prover != address(0)) _end(prover, collateral, isExcused);
        if (previous != address(0)) _end(previous, collateral, isExcused);
        _credit(requester, escrow);
    }

    function _lock(uint80 collateral) private {
        PROVERS.lock(msg.sender, collateral);
    }

    function _end(address prover, uint80 collateral, bool isExcused) private {
        if (isExcused) _release(prover, collateral);
        else _forfeit(prover, collateral, address(0));
    }

    /// @dev What must hold of the caller, the model and the circuit whenever a claim is made or taken over.
    function _checkClaimer(bytes32 jobId, StoredJob storage facts) private view {
        uint256 modelId = facts.modelId;
        if (!isNamed(jobId, msg.sender)) revert ProverNotNamed(jobId, msg.sender);
        _checkProven(modelId);
        _checkAccess(modelId, msg.sender);
        _checkAlive(facts.circuitId);
    }

    function _checkOffer(JobSpec calldata spec) private view {
        _checkEnd(spec.deadline);
        uint256 left = spec.deadline - block.timestamp;
        if (spec.minProverFee == 0 || spec.minProverFee > spec.maxProverFee || spec.rampSeconds > left) {
            revert InvalidOffer(spec.minProverFee, spec.maxProverFee, spec.rampSeconds);
        }
        if (spec.claimSeconds < MIN_CLAIM_SECONDS || spec.claimSeconds > left) {
            revert ClaimPeriodOutOfRange(spec.claimSeconds, MIN_CLAIM_SECONDS, left);
        }
        if (spec.provers.length > MAX_ALLOWED_PROVERS) {
            revert TooManyProvers(spec.provers.length, MAX_ALLOWED_PROVERS);
        }
    }

    function _checkGiven(JobSpec calldata spec, bytes calldata input) private view {
        uint256 uriBytes = bytes(spec.inputUri).length;
        if (uriBytes > MAX_URI_BYTES) revert InputUriTooLong(uriBytes, MAX_URI_BYTES);
        if (input.length == 0) {
            if (uriBytes == 0) revert InputMissing();
        } else {
            _checkCommitment(spec.inputCommitment, input);
            ROUTER.checkInput(spec.circuitId, input);
        }
    }
}
