// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRevenueLedger} from "marketplace/src/IRevenueLedger.sol";
import {IModelRegistry, ModelStatus} from "registry/src/IModelRegistry.sol";
import {IProverRegistry} from "registry/src/IProverRegistry.sol";
import {IProtocolAdmin} from "verifier_contracts/src/IProtocolAdmin.sol";
import {IVerifierRouter, VerifierClass} from "verifier_contracts/src/IVerifierRouter.sol";

/// @notice The numbers of one deployment; they never change.
/// @param minCollateral least collateral of a claim, in the token's smallest unit; not zero if `collateralPpm` is.
/// @param collateralPpm collateral as a part of the price, in millionths; at most 1,000,000.
/// @param minDurationSeconds least time from opening to deadline.
/// @param maxDurationSeconds greatest time from opening to deadline, and to a tab's expiry.
/// @param minClaimSeconds least time that a job gives a claimer; above `graceSeconds`.
/// @param graceSeconds how long after a reclaim only the previous claimer may settle: its proof may be on its way.
/// @param bonusPpm part of the previous claimer's collateral that the next one earns by settling; at most 500,000.
/// @param treasuryPpm part of what is forfeited besides the bonus that the treasury gets; the rest burns.
/// @param acceptedClasses bit 1 << class for every class of verifier that jobs and tabs may use here.
struct JobTerms {
    uint80 minCollateral;
    uint32 collateralPpm;
    uint32 minDurationSeconds;
    uint32 maxDurationSeconds;
    uint32 minClaimSeconds;
    uint32 graceSeconds;
    uint32 bonusPpm;
    uint32 treasuryPpm;
    uint8 acceptedClasses;
}

/// @notice What a requester asks for. Amounts are in the token's smallest unit.
/// @param modelId a PROVEN model.
/// @param circuitId one of its circuits for one input.
/// @param inputCommitment keccak256 of the packed input.
/// @param inputUri where provers fetch the input when it is not given in the call; at most 256 bytes.
/// @param minProverFee what a prover is offered when the job opens; not zero.
/// @param maxProverFee what a prover is offered from `rampSeconds` on.
/// @param maxTotal the most that the job may take from the requester.
/// @param rampSeconds how long the offer rises.
/// @param claimSeconds how long a claimer is safe from being replaced.
/// @param deadline chain time in seconds; settling is allowed up to and including it.
/// @param provers who may claim, at most 8; empty: anyone.
struct JobSpec {
    uint256 modelId;
    bytes32 circuitId;
    bytes32 inputCommitment;
    string inputUri;
    uint80 minProverFee;
    uint80 maxProverFee;
    uint80 maxTotal;
    uint32 rampSeconds;
    uint32 claimSeconds;
    uint40 deadline;
    address[] provers;
}

/// @notice OPEN -claim-> CLAIMED -settle-> SETTLED; OPEN -cancel-> CANCELLED. CLAIMED past its claim deadline is LATE: the
///         claimer may still settle, anyone else reclaim. For a grace after a reclaim the job is in GRACE: the previous
///         claimer alone may settle; then CLAIMED again. Past the job's deadline it is EXPIRED -refund-> REFUNDED.
enum JobStatus {
    NONE,
    OPEN,
    CLAIMED,
    SETTLED,
    CANCELLED,
    REFUNDED,
    EXPIRED,
    LATE,
    GRACE
}

/// @notice What the model and the platform asked when a job or tab opened.
/// @param modelFeeFloor the greater of the owner's fee and the model's minimum.
/// @param modelFeePpm least part of the whole price that is the model's, in millionths.
/// @param flatFee the platform's flat fee.
/// @param platformPpm the platform's part of the model fee, in millionths.
struct FeeQuote {
    uint80 modelFeeFloor;
    uint32 modelFeePpm;
    uint80 flatFee;
    uint32 platformPpm;
}

/// @notice What a settlement pays, in the token's smallest unit; the price is the sum.
/// @param proverFee to the prover.
/// @param revenue to the model, after the platform's part.
/// @param platformAmount the platform's part of the model fee, and its flat fee.
struct Payment {
    uint80 proverFee;
    uint80 revenue;
    uint80 platformAmount;
}

/// @notice The facts of a job, from which its status is derived.
/// @param requester who pays; zero where there is no such job.
/// @param openedAt chain time in seconds.
/// @param rampSeconds see {JobSpec}; as are minProverFee, maxProverFee, claimSeconds and deadline.
/// @param quote what model and platform asked when the job opened.
/// @param prover who holds the claim, or zero.
/// @param claimDeadline from after it on the claim can be taken over.
/// @param previousProver who held the claim before it was last taken over and has forfeited nothing, or zero; of a
///        SETTLED job, who was paid in `prover`'s place, or zero.
/// @param graceEndsAt up to and including it only `previousProver` may settle.
/// @param payment fixed by the first claim; zero before.
/// @param modelId the model.
/// @param circuitId the circuit.
/// @param inputCommitment keccak256 of the packed input.
/// @param restricted whether only named provers may claim.
/// @param outcome NONE until the job is SETTLED, CANCELLED or REFUNDED.
struct Job {
    address requester;
    uint40 openedAt;
    uint32 rampSeconds;
    uint32 claimSeconds;
    uint40 deadline;
    uint80 minProverFee;
    uint80 maxProverFee;
    FeeQuote quote;
    address prover;
    uint40 claimDeadline;
    address previousProver;
    uint40 graceEndsAt;
    Payment payment;
    uint256 modelId;
    bytes32 circuitId;
    bytes32 inputCommitment;
    bool restricted;
    JobStatus outcome;
}

/// @notice One settlement of {IJobManager-settleMany}.
struct Settlement {
    bytes32 jobId;
    bytes input;
    bytes output;
    bytes proof;
}

/// @notice A tab as its requester asks for it.
/// @param modelId a PROVEN model.
/// @param prover the only one who is paid from it.
/// @param signer whose key signs requests; a contract wallet names a delegate here.
/// @param amount what is reserved, in the token's smallest unit.
/// @param expiry chain time in seconds; settling is allowed up to and including it.
struct TabSpec {
    uint256 modelId;
    address prover;
    address signer;
    uint80 amount;
    uint40 expiry;
}

/// @notice The facts of a tab.
/// @param requester who paid; zero where there is no such tab.
/// @param prover see {TabSpec}; as are signer, modelId and expiry.
/// @param balance what is left.
/// @param quote what model and platform asked when the tab opened.
/// @param closed whether the rest went back.
struct Tab {
    address requester;
    address prover;
    address signer;
    uint256 modelId;
    uint80 balance;
    uint40 expiry;
    FeeQuote quote;
    bool closed;
}

/// @notice What a requester signs (EIP-712, domain "zkML JobManager" version "1", SignedRequest(bytes32 tabId,bytes32
///         circuitId,bytes32 inputCommitment,uint80 modelFee,uint80 proverFee,uint40 expiry,uint64 nonce)) for one
///         inference on a tab.
/// @param tabId the tab.
/// @param circuitId one of the model's circuits for one input.
/// @param inputCommitment keccak256 of the packed input.
/// @param modelFee exactly what the model gets, the platform's part included.
/// @param proverFee exactly what the prover gets.
/// @param expiry chain time in seconds; settling is allowed up to and including it.
/// @param nonce used once on its tab.
struct SignedRequest {
    bytes32 tabId;
    bytes32 circuitId;
    bytes32 inputCommitment;
    uint80 modelFee;
    uint80 proverFee;
    uint40 expiry;
    uint64 nonce;
}

/// @title Escrow and the job machine: no proof, no settlement
/// @notice A prover is credited, and a model earns, only in the transaction in which the pinned verifier accepted a proof.
///         What gives money back (cancel, refund, closing a tab) calls no verifier, and nobody can pause it. Tokens are
///         held by the revenue ledger, stakes by the prover registry; this contract holds none.
interface IJobManager {
    /// @notice A job was opened and `escrow` is reserved for it. `input` is empty when the spec's URI has it.
    event JobOpened(
        bytes32 indexed jobId,
        uint256 indexed modelId,
        address indexed requester,
        JobSpec spec,
        FeeQuote quote,
        uint80 escrow,
        bytes input
    );
    /// @notice A prover claimed the job, which fixed its price; what escrow has left is credited to the requester.
    event JobClaimed(
        bytes32 indexed jobId,
        address indexed prover,
        Payment payment,
        uint80 collateral,
        uint80 returned,
        uint40 claimDeadline
    );
    /// @notice A late claim was taken over.
    event JobReclaimed(
        bytes32 indexed jobId,
        address indexed prover,
        address indexed previousProver,
        uint40 claimDeadline,
        uint40 graceEndsAt
    );
    /// @notice The proof was accepted; the prover has its fee and its collateral.
    event JobSettled(
        bytes32 indexed jobId, address indexed prover, uint80 proverFee, bytes output, bytes32 proofDigest
    );
    /// @notice The input and proof of settlements, where they stand in no transaction's calldata: exactly when the call
    ///         was not the transaction's own, from an account without code. `subject` is the id of the job, for a batch of
    ///         the first job, for a signed request its digest; input and output are whole tensors of the circuit.
    event ProofPublished(bytes32 indexed subject, bytes input, bytes output, bytes proof);
    /// @notice The requester took an unclaimed job back; its escrow is credited.
    event JobCancelled(bytes32 indexed jobId);
    /// @notice The deadline passed without a proof, or the circuit is tombstoned; escrow is credited to the requester.
    event JobRefunded(bytes32 indexed jobId, address indexed requester, uint80 amount, uint256 forfeited);
    /// @notice A tab was opened.
    event TabOpened(
        bytes32 indexed tabId,
        uint256 indexed modelId,
        address indexed prover,
        address requester,
        TabSpec spec,
        FeeQuote quote
    );
    /// @notice A signed request was settled from its tab.
    event RequestSettled(
        bytes32 indexed requestDigest,
        bytes32 indexed tabId,
        address indexed prover,
        uint64 nonce,
        Payment payment,
        bytes output,
        bytes32 proofDigest
    );
    /// @notice A tab was closed and the rest credited to its requester.
    event TabClosed(bytes32 indexed tabId, address indexed requester, uint80 amount);

    /// @notice An address of the constructor has no code, or points elsewhere.
    error NotAContract(address account);
    /// @notice The terms contradict themselves.
    error InvalidTerms(JobTerms terms);
    /// @notice The model is not PROVEN.
    error ModelNotProven(uint256 modelId, ModelStatus status);
    /// @notice The circuit is none of the model's for this many inputs.
    error CircuitNotOfModel(uint256 modelId, bytes32 circuitId, uint256 inputs);
    /// @notice Jobs here refuse this class of verifier.
    error ClassRefused(bytes32 circuitId, VerifierClass class_);
    /// @notice The circuit is tombstoned: no job can use it.
    error CircuitRefused(bytes32 circuitId);
    /// @notice The fees are zero, fall over time, or the ramp outlasts the job.
    error InvalidOffer(uint80 minProverFee, uint80 maxProverFee, uint32 rampSeconds);
    /// @notice A claim period below the minimum or longer than the job.
    error ClaimPeriodOutOfRange(uint32 claimSeconds, uint32 minimum, uint256 maximum);
    /// @notice The job could cost more than its requester allows.
    error TotalTooHigh(uint256 total, uint80 maxTotal);
    /// @notice Too many named provers.
    error TooManyProvers(uint256 count, uint256 maximum);
    /// @notice Neither an input nor a place to fetch it from is given.
    error InputMissing();
    /// @notice The input's URI is longer than readers of events have to keep.
    error InputUriTooLong(uint256 lengthBytes, uint256 maximumBytes);
    /// @notice The input does not hash to the commitment.
    error InputMismatch(bytes32 expected, bytes32 found);
    /// @notice The deadline, or the expiry of a tab, is too near or too far.
    error DeadlineOutOfRange(uint40 deadline, uint256 earliest, uint256 latest);
    /// @notice The job's status does not allow the move.
    error WrongStatus(bytes32 jobId, JobStatus status);
    /// @notice Another prover may settle now; of a signed request (`jobId` is its tab), only the tab's prover may.
    error NotClaimant(bytes32 jobId, address caller, address prover);
    /// @notice The caller holds the claim that it wants to take over.
    error AlreadyClaimant(bytes32 jobId, address prover);
    /// @notice Only the requester may cancel.
    error NotRequester(bytes32 jobId, address caller, address requester);
    /// @notice The job names its provers, and the caller is none of them.
    error ProverNotNamed(bytes32 jobId, address prover);
    /// @notice The model is closed, and its owner has granted the prover no access.
    error AccessRefused(uint256 modelId, address prover);
    /// @notice Too little time is left for a full claim period.
    error TooLateToReclaim(bytes32 jobId, uint256 needed, uint40 deadline);
    /// @notice A batch of no jobs, or of jobs that do not belong together.
    error BatchRefused(bytes32 jobId);
    /// @notice A tab without prover, signer or amount.
    error InvalidTab(TabSpec spec);
    /// @notice There is no such tab, or it is closed.
    error TabNotOpen(bytes32 tabId);
    /// @notice The tab has not expired, and the caller is not its prover.
    error TabStillOpen(bytes32 tabId, uint40 expiry);
    /// @notice The request or its tab has expired.
    error RequestExpired(bytes32 requestDigest, uint40 expiry);
    /// @notice The tab's nonce was used.
    error NonceUsed(bytes32 tabId, uint64 nonce);
    /// @notice The tab has too little left.
    error TabTooSmall(bytes32 tabId, uint256 needed, uint80 balance);
    /// @notice The request pays the model less than was agreed when the tab opened.
    error ModelFeeTooLow(uint80 modelFee, uint256 minimum);
    /// @notice The request is not signed by the tab's signer.
    error WrongSigner(address expected, address found);
    /// @notice The opening of a tab is not authorized by its requester.
    error OpeningNotAuthorized(address requester);

    /// @notice Opens a job and takes its escrow: the greatest prover fee with the model fee that goes with it, and the
    ///         flat fee.
    /// @param spec what is asked for.
    /// @param input the packed input, or empty when `spec.inputUri` says where it is.
    /// @return jobId keccak256(abi.encode(keccak256("zkml.job.v2"), chain id, this, caller, nonce,
    ///         keccak256(abi.encode(spec)))).
    function open(JobSpec calldata spec, bytes calldata input) external returns (bytes32 jobId);

    /// @notice Claims an open job: fixes the price, locks the caller's stake and makes it the only payee.
    function claim(bytes32 jobId) external;

    /// @notice Takes a late claim over, at the price it has; a full claim period must be left. The claimer before has a
    ///         grace in which it alone may settle, and then nobody forfeits anything.
    function reclaim(bytes32 jobId) external;

    /// @notice Has the proof verified and pays the caller, who holds the claim (in GRACE: who held it before).
    /// @param jobId the job.
    /// @param input the packed input, which hashes to the job's commitment.
    /// @param output the packed output.
    /// @param proof the proof that the job's circuit maps one to the other.
    function settle(bytes32 jobId, bytes calldata input, bytes calldata output, bytes calldata proof) external;

    /// @notice Settles several jobs, each by its own proof; all or none.
    function settleMany(Settlement[] calldata settlements) external;

    /// @notice Settles several jobs of one circuit by one proof of another circuit of the same model, for exactly that
    ///         many inputs and of the same class. So whoever opens a job trusts all the model's circuits of that class.
    /// @param jobIds the jobs, in the order of the batch, all claimed by the caller.
    /// @param circuitId the batch circuit.
    /// @param input the jobs' packed inputs, one after the other.
    /// @param output the packed outputs, one after the other.
    /// @param proof the proof.
    function settleBatch(
        bytes32[] calldata jobIds,
        bytes32 circuitId,
        bytes calldata input,
        bytes calldata output,
        bytes calldata proof
    ) external;

    /// @notice Takes an unclaimed job back; the requester's escrow is credited.
    function cancel(bytes32 jobId) external;

    /// @notice Ends an expired job, or a live one whose circuit is tombstoned; anyone may. Escrow is credited to the
    ///         requester. Collateral is forfeited, or released if the circuit is tombstoned.
    function refund(bytes32 jobId) external;

    /// @notice Opens a tab and takes its amount from the caller. The prover must be registered and may prove the model; the
    ///         model's first circuit must be of an accepted class and not tombstoned.
    /// @return tabId keccak256(abi.encode(keccak256("zkml.tab.v1"), chain id, this, requester, nonce,
    ///         keccak256(abi.encode(spec)))).
    function openTab(TabSpec calldata spec) external returns (bytes32 tabId);

    /// @notice Opens a tab for a requester who signed an EIP-3009 authorization to the revenue ledger, whose nonce is
    ///         {tabAuthorizationNonce}; anyone may send it.
    function openTabAuthorized(
        TabSpec calldata spec,
        address requester,
        uint256 validAfter,
        uint256 validBefore,
        bytes calldata signature
    ) external returns (bytes32 tabId);

    /// @notice Opens a tab for a requester who signed an ERC-2612 permit to the revenue ledger and the opening itself
    ///         (EIP-712, TabOpening(uint256 modelId,address prover,address signer,uint80 amount,uint40 expiry,
    ///         uint256 nonce), the nonce being {nonces}); anyone may send it.
    /// @param permit abi.encode(uint256 deadline, uint8 v, bytes32 r, bytes32 s).
    /// @param signature of the opening, by the requester.
    function openTabPermitted(TabSpec calldata spec, address requester, bytes calldata permit, bytes calldata signature)
        external
        returns (bytes32 tabId);

    /// @notice Has the proof verified and pays the tab's prover, who alone may send it: whoever signs requests could else
    ///         outrun the settlement of one with another that costs less and takes its nonce, or empties the tab.
    function settleSigned(
        SignedRequest calldata request,
        bytes calldata signature,
        bytes calldata input,
        bytes calldata output,
        bytes calldata proof
    ) external;

    /// @notice Credits the rest of a tab to its requester: after its expiry anyone may, before it its prover.
    function closeTab(bytes32 tabId) external;

    /// @notice The job's status now, derived from its facts and the time.
    function statusOf(bytes32 jobId) external view returns (JobStatus status);

    /// @notice The job's facts; all zero where there is no such job.
    function job(bytes32 jobId) external view returns (Job memory facts);

    /// @notice Whether an account may claim the job as far as its named provers go.
    function isNamed(bytes32 jobId, address prover) external view returns (bool);

    /// @notice What a prover is offered for the job at a time: floor(min + (max - min) * elapsed / ramp), at most max.
    function proverFeeAt(bytes32 jobId, uint256 time) external view returns (uint80);

    /// @notice How a price splits, given a prover fee: model fee = max(floor, ceil(ppm * (prover fee + flat fee) /
    ///         (10^6 - ppm))), of which the platform takes floor(model fee * platformPpm / 10^6), and the flat fee.
    function paymentFor(FeeQuote calldata quote, uint80 proverFee) external pure returns (Payment memory);

    /// @notice What model and platform ask of what opens now.
    function quoteFor(uint256 modelId) external view returns (FeeQuote memory);

    /// @notice What a proof that settles the job for its payee is bound to: keccak256(abi.encode(
    ///         keccak256("zkml.context.v1"), chain id, this, job, payee)); for a batch keccak256(abi.encodePacked(
    ///         contexts in order)), for a signed request its digest stands for the job.
    function contextOf(bytes32 jobId, address payee) external view returns (bytes32 context);

    /// @notice What a claim at this price locks: max(minCollateral, ceil(price * collateralPpm / 10^6)).
    function collateralFor(uint256 price) external view returns (uint80 collateral);

    /// @notice The nonce of the account's next job or tab.
    function nonces(address requester) external view returns (uint256 nonce);

    /// @notice The facts of a tab; all zero where there is no such tab.
    function tab(bytes32 tabId) external view returns (Tab memory facts);

    /// @notice Whether a tab's nonce was used.
    function isNonceUsed(bytes32 tabId, uint64 nonce) external view returns (bool);

    /// @notice The EIP-712 digest of a signed request.
    function requestDigest(SignedRequest calldata request) external view returns (bytes32 digest);

    /// @notice The nonce that an EIP-3009 authorization to open this tab must have: the id that the tab would get.
    function tabAuthorizationNonce(TabSpec calldata spec, address requester) external view returns (bytes32 nonce);

    /// @notice The registry whose models can be asked for.
    function registry() external view returns (IModelRegistry);

    /// @notice The registry's router, which checks the proofs.
    function router() external view returns (IVerifierRouter);

    /// @notice The bank.
    function ledger() external view returns (IRevenueLedger);

    /// @notice The provers and their stakes.
    function provers() external view returns (IProverRegistry);

    /// @notice The admin whose platform terms are copied.
    function admin() external view returns (IProtocolAdmin);

    /// @notice The numbers of this deployment.
    function terms() external view returns (JobTerms memory);
}
