// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IJobManager, JobStatus, Payment, Settlement} from "marketplace/src/IJobManager.sol";
import {JobBook} from "marketplace/src/JobBook.sol";
import {Pricing} from "marketplace/src/Pricing.sol";

/// @title How jobs are settled: the proof first, then everything else
/// @dev The verifier is called statically, before anything is paid and whatever else happens; ledger and prover registry
///      are called last, and call nobody.
abstract contract JobSettlement is JobBook, ReentrancyGuardTransient {
    /// @inheritdoc IJobManager
    function settle(bytes32 jobId, bytes calldata input, bytes calldata output, bytes calldata proof)
        external
        nonReentrant
    {
        _settle(jobId, input, output, proof);
    }

    /// @inheritdoc IJobManager
    function settleMany(Settlement[] calldata settlements) external nonReentrant {
        uint256 count = settlements.length;
        if (count == 0) revert BatchRefused(0);
        for (uint256 i; i < count; ++i) {
            Settlement calldata one = settlements[i];
            _settle(one.jobId, one.input, one.output, one.proof);
        }
    }

    /// @inheritdoc IJobManager
    function settleBatch(
        bytes32[] calldata jobIds,
        bytes32 circuitId,
        bytes calldata input,
        bytes calldata output,
        bytes calldata proof
    ) external nonReentrant {
        bytes32 context = _takeBatch(jobIds, circuitId, input);
        _verify(circuitId, context, input, output, proof);

        _payBatch(jobIds, output, keccak256(proof));
        _publishUnlessPlain(jobIds[0], input, output, proof);
    }

    /// @dev Takes collateral for good: a bonus to whoever settled in the claimer's place, of the rest a part to the
    ///      treasury, and what is left burns.
    function _forfeit(address prover, uint80 collateral, address bonusTo) internal {
        uint256 bonus = bonusTo == address(0) ? 0 : uint256(collateral) * BONUS_PPM / Pricing.PPM;
        uint256 toTreasury = (collateral - bonus) * TREASURY_PPM / Pricing.PPM;
        // Parts of what fits.
        PROVERS.forfeit(prover, collateral, bonusTo, uint80(bonus), uint80(toTreasury));
    }

    function _release(address prover, uint80 collateral) internal {
        PROVERS.release(prover, collateral);
    }

    function _settle(bytes32 jobId, bytes calldata input, bytes calldata output, bytes calldata proof) private {
        StoredJob storage facts = _jobs[jobId];
        _take(jobId, facts, input);
        _verify(facts.circuitId, _contextOf(jobId, msg.sender), input, output, proof);

        _pay(jobId, facts, output, keccak256(proof));
        _publishUnlessPlain(jobId, input, output, proof);
    }

    /// @dev Checks that the caller may settle the job with this input, and marks it settled: before its proof is
    ///      checked, so that no job stands in a batch twice. A refused proof undoes it.
    function _take(bytes32 jobId, StoredJob storage facts, bytes calldata input) private {
        Standing memory standing = facts.standing;
        JobStatus status = _statusOf(facts, standing);
        bool isGrace = status == JobStatus.GRACE;
        if (!isGrace && status != JobStatus.CLAIMED && status != JobStatus.LATE) revert WrongStatus(jobId, status);
        address payee = isGrace ? facts.previousProver : standing.prover;
        if (msg.sender != payee) revert NotClaimant(jobId, msg.sender, payee);
        _checkCommitment(facts.inputCommitment, input);
        facts.standing.outcome = JobStatus.SETTLED;
    }

    /// @dev Every job is of one circuit. The batch circuit is another one, which the requester did not name: it must be
    ///      of the same class, and the jobs' own must not be tombstoned.
    function _takeBatch(bytes32[] calldata jobIds, bytes32 circuitId, bytes calldata input)
        private
        returns (bytes32 context)
    {
        uint256 count = jobIds.length;
        if (count == 0) revert BatchRefused(0);
        uint256 modelId = _jobs[jobIds[0]].modelId;
        bytes32 ownCircuitId = _jobs[jobIds[0]].circuitId;
        _checkCircuitOf(modelId, circuitId, count);
        if (ROUTER.classOf(circuitId) != ROUTER.classOf(ownCircuitId)) revert BatchRefused(jobIds[0]);
        _checkAlive(ownCircuitId);
        // The router refuses what is not a whole number of inputs.
        uint256 size = input.length / count;
        bytes32[] memory contexts = new bytes32[](count);
        for (uint256 i; i < count; ++i) {
            bytes32 jobId = jobIds[i];
            StoredJob storage facts = _jobs[jobId];
            if (facts.modelId != modelId || facts.circuitId != ownCircuitId) revert BatchRefused(jobId);
            _take(jobId, facts, input[i * size:(i + 1) * size]);
            contexts[i] = _contextOf(jobId, msg.sender);
        }
        return keccak256(abi.encodePacked(contexts));
    }

    function _payBatch(bytes32[] calldata jobIds, bytes calldata output, bytes32 proofDigest) private {
        uint256 size = output.length / jobIds.length;
        for (uint256 i; i < jobIds.length; ++i) {
            _pay(jobIds[i], _jobs[jobIds[i]], output[i * size:(i + 1) * size], proofDigest);
        }
    }

    /// @dev Pays the caller, whom {_take} found to be the payee, and ends every claim on the job. A previous claimer
    ///      that stays on record was paid: whoever forfeits is struck.
    function _pay(bytes32 jobId, StoredJob storage facts, bytes calldata output, bytes32 proofDigest) private {
        Payment memory payment = facts.payment;
        uint80 collateral = collateralFor(Pricing.priceOf(payment));
        address previous = facts.standing.contested ? facts.previousProver : address(0);
        bool isForfeit = previous != address(0) && block.timestamp > facts.graceEndsAt;
        if (isForfeit) _strike(facts);

        emit JobSettled(jobId, msg.sender, payment.proverFee, output, proofDigest);
        _release(msg.sender, collateral);
        if (isForfeit) _forfeit(previous, collateral, msg.sender);
        else if (previous != address(0)) _release(facts.standing.prover, collateral);
        _earn(facts.modelId, msg.sender, payment);
    }
}
