// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IModelRegistry, ModelStatus} from "registry/src/IModelRegistry.sol";
import {IVerifierRouter} from "verifier_contracts/src/IVerifierRouter.sol";

/// @notice The numbers of one deployment; they never change.
/// @param minCollateral least collateral of a claim, in the token's smallest unit; not zero if `collateralPpm` is.
/// @param collateralPpm collateral as a part of the fee, in millionths; at most 1,000,000.
/// @param minDurationSeconds least time from opening to deadline.
/// @param maxDurationSeconds greatest time from opening to deadline.
struct JobTerms {
    uint96 minCollateral;
    uint32 collateralPpm;
    uint32 minDurationSeconds;
    uint32 maxDurationSeconds;
}

/// @notice What a requester asks for.
/// @param modelId a PROVEN model.
/// @param inputCommitment keccak256 of the packed input.
/// @param inputUri where provers fetch the input when it is not given in the call; at most 256 bytes.
/// @param fee what the prover earns, in the token's smallest unit.
/// @param deadline chain time in seconds; settling is allowed up to and including it.
struct JobSpec {
    uint256 modelId;
    bytes32 inputCommitment;
    string inputUri;
    uint96 fee;
    uint64 deadline;
}

/// @notice OPEN -claim-> CLAIMED -settle-> SETTLED; OPEN -cancel-> CANCELLED; OPEN or CLAIMED past the deadline is
///         EXPIRED -refund-> REFUNDED.
enum JobStatus {
    NONE,
    OPEN,
    CLAIMED,
    SETTLED,
    CANCELLED,
    REFUNDED,
    EXPIRED
}

/// @notice The facts of a job, from which its status is derived.
/// @param requester who pays; zero where there is no such job.
/// @param fee what is in escrow for it.
/// @param prover who claimed it, or zero.
/// @param collateral what a claim locks, fixed when the job opened.
/// @param modelId the model.
/// @param circuitId the model's circuit, copied when the job opened.
/// @param inputCommitment keccak256 of the packed input.
/// @param deadline chain time in seconds.
/// @param outcome NONE until the job is SETTLED, CANCELLED or REFUNDED.
struct Job {
    address requester;
    uint96 fee;
    address prover;
    uint96 collateral;
    uint256 modelId;
    bytes32 circuitId;
    bytes32 inputCommitment;
    uint64 deadline;
    JobStatus outcome;
}

/// @title Escrow and the job machine: no proof, no settlement
/// @notice A prover is credited only in the transaction in which the pinned verifier accepted a proof. What gives money
///         back (cancel, refund, withdraw) calls no verifier, and nobody can pause it.
interface IJobManager {
    /// @notice A job was opened and its fee is in escrow. `input` is empty when `inputUri` has it.
    event JobOpened(
        bytes32 indexed jobId,
        uint256 indexed modelId,
        address indexed requester,
        bytes32 circuitId,
        bytes32 inputCommitment,
        uint96 fee,
        uint96 collateral,
        uint64 deadline,
        string inputUri,
        bytes input
    );
    /// @notice A prover claimed the job and locked its collateral.
    event JobClaimed(bytes32 indexed jobId, address indexed prover, uint96 collateral);
    /// @notice The proof was accepted; fee and collateral are credited to the prover.
    event JobSettled(bytes32 indexed jobId, address indexed prover, uint96 fee, bytes output, bytes32 proofDigest);
    /// @notice The proof of a settlement, where it stands in no transaction's calldata: exactly when {settle} was not
    ///         called by the transaction itself, from an account without code. `subject` is the job's id.
    event ProofPublished(bytes32 indexed subject, bytes input, bytes output, bytes proof);
    /// @notice The requester took an unclaimed job back; the fee is credited.
    event JobCancelled(bytes32 indexed jobId);
    /// @notice The deadline passed without a proof; the fee is credited to the requester, the collateral forfeited.
    event JobRefunded(bytes32 indexed jobId, address indexed requester, uint96 fee, uint96 forfeited);
    /// @notice An account took its credits.
    event Withdrawn(address indexed account, uint256 amount);
    /// @notice Forfeited collateral was sent to the burn address.
    event ForfeitsBurned(uint256 amount);

    /// @notice The registry's or the token's address has no code.
    error NotAContract(address account);
    /// @notice The terms contradict themselves.
    error InvalidTerms(JobTerms terms);
    /// @notice The model is not PROVEN.
    error ModelNotProven(uint256 modelId, ModelStatus status);
    /// @notice The fee is zero.
    error ZeroFee();
    /// @notice Neither an input nor a place to fetch it from is given.
    error InputMissing();
    /// @notice The input's URI is longer than readers of events have to keep.
    error InputUriTooLong(uint256 lengthBytes, uint256 maximumBytes);
    /// @notice The input does not hash to the commitment.
    error InputMismatch(bytes32 expected, bytes32 found);
    /// @notice The deadline is too near or too far.
    error DeadlineOutOfRange(uint64 deadline, uint256 earliest, uint256 latest);
    /// @notice The job's status does not allow the move.
    error WrongStatus(bytes32 jobId, JobStatus status);
    /// @notice Another prover holds the claim.
    error NotClaimant(bytes32 jobId, address caller, address prover);
    /// @notice Only the requester may cancel.
    error NotRequester(bytes32 jobId, address caller, address requester);
    /// @notice The token delivered another amount than was asked for.
    error ReceivedAmountMismatch(uint256 expected, uint256 received);
    /// @notice The account has no credits.
    error NothingToWithdraw(address account);
    /// @notice No collateral is forfeited.
    error NothingToBurn();

    /// @notice Opens a job and takes its fee into escrow.
    /// @param spec what is asked for.
    /// @param input the packed input, or empty when `spec.inputUri` says where it is.
    /// @return jobId keccak256(abi.encode(keccak256("zkml.job.v1"), chain id, this, caller, nonce,
    ///         keccak256(abi.encode(spec)))).
    function open(JobSpec calldata spec, bytes calldata input) external returns (bytes32 jobId);

    /// @notice Claims an open job: locks the caller's collateral and makes it the only payee.
    function claim(bytes32 jobId) external;

    /// @notice Has the proof verified and credits fee and collateral to the caller, who holds the claim.
    /// @param jobId the job.
    /// @param input the packed input, which hashes to the job's commitment.
    /// @param output the packed output.
    /// @param proof the proof that the job's circuit maps one to the other.
    function settle(bytes32 jobId, bytes calldata input, bytes calldata output, bytes calldata proof) external;

    /// @notice Takes an unclaimed job back; the requester's fee is credited.
    function cancel(bytes32 jobId) external;

    /// @notice Ends an expired job; anyone may. The fee is credited to the requester, collateral is forfeited.
    function refund(bytes32 jobId) external;

    /// @notice Sends the caller its credits.
    function withdraw() external;

    /// @notice Sends all forfeited collateral to the burn address; anyone may.
    function burnForfeits() external;

    /// @notice The job's status now, derived from its facts and the time.
    function statusOf(bytes32 jobId) external view returns (JobStatus status);

    /// @notice The job's facts; all zero where there is no such job.
    function job(bytes32 jobId) external view returns (Job memory facts);

    /// @notice What a proof that settles the job is bound to: keccak256(abi.encode(keccak256("zkml.context.v1"),
    ///         chain id, this, job, prover)). Before a claim the prover is zero.
    function contextOf(bytes32 jobId) external view returns (bytes32 context);

    /// @notice What a claim of a job with this fee locks: max(minCollateral, ceil(fee * collateralPpm / 10^6)).
    function collateralFor(uint96 fee) external view returns (uint96 collateral);

    /// @notice The nonce of the account's next job.
    function nonces(address requester) external view returns (uint256 nonce);

    /// @notice What the account can withdraw.
    function credits(address account) external view returns (uint256 amount);

    /// @notice Forfeited collateral that is not burned yet.
    function forfeits() external view returns (uint256 amount);

    /// @notice The registry whose models can be asked for.
    function registry() external view returns (IModelRegistry);

    /// @notice The registry's router, which checks the proofs.
    function router() external view returns (IVerifierRouter);

    /// @notice The token that everything is paid in.
    function token() external view returns (IERC20);

    /// @notice The numbers of this deployment.
    function terms() external view returns (JobTerms memory);
}
