// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IJobManager, Job, JobSpec, JobStatus, JobTerms} from "marketplace/src/IJobManager.sol";
import {IModelRegistry, ModelStatus} from "registry/src/IModelRegistry.sol";
import {IVerifierRouter} from "verifier_contracts/src/IVerifierRouter.sol";
import {isPlainCall} from "verifier_contracts/src/PlainCall.sol";

/// @title Escrow and the job machine: no proof, no settlement
/// @dev No owner and no setter. Every token held is owed: to live jobs, to credits or to the burn address. What reaches
///      this contract otherwise is nobody's and is never counted.
contract JobManager is IJobManager, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    bytes32 private constant JOB_TAG = keccak256("zkml.job.v1");
    bytes32 private constant CONTEXT_TAG = keccak256("zkml.context.v1");
    address private constant BURN_ADDRESS = 0x000000000000000000000000000000000000dEaD;
    uint256 private constant PPM = 1_000_000;
    uint256 private constant MAX_URI_BYTES = 256;

    IModelRegistry private immutable REGISTRY;
    IVerifierRouter private immutable ROUTER;
    IERC20 private immutable TOKEN;
    uint96 private immutable MIN_COLLATERAL;
    uint32 private immutable COLLATERAL_PPM;
    uint32 private immutable MIN_DURATION_SECONDS;
    uint32 private immutable MAX_DURATION_SECONDS;

    mapping(bytes32 jobId => Job) private _jobs;

    /// @inheritdoc IJobManager
    mapping(address requester => uint256) public nonces;
    /// @inheritdoc IJobManager
    mapping(address account => uint256) public credits;
    /// @inheritdoc IJobManager
    uint256 public forfeits;

    /// @param registry_ the registry whose models can be asked for.
    /// @param token_ the token that everything is paid in; one that takes a fee on transfers is refused at each use.
    /// @param terms_ the numbers of this deployment.
    constructor(IModelRegistry registry_, IERC20 token_, JobTerms memory terms_) {
        if (address(registry_).code.length == 0) revert NotAContract(address(registry_));
        if (address(token_).code.length == 0) revert NotAContract(address(token_));
        // A collateral above the fee would still have to fit its width, minDuration 0 would open expired jobs, and
        // where no claim costs anything, anybody claims every job and lets it expire.
        bool valid = terms_.collateralPpm <= PPM && (terms_.minCollateral > 0 || terms_.collateralPpm > 0)
            && terms_.minDurationSeconds > 0 && terms_.minDurationSeconds <= terms_.maxDurationSeconds;
        if (!valid) revert InvalidTerms(terms_);
        REGISTRY = registry_;
        ROUTER = registry_.router();
        TOKEN = token_;
        MIN_COLLATERAL = terms_.minCollateral;
        COLLATERAL_PPM = terms_.collateralPpm;
        MIN_DURATION_SECONDS = terms_.minDurationSeconds;
        MAX_DURATION_SECONDS = terms_.maxDurationSeconds;
    }

    /// @inheritdoc IJobManager
    function open(JobSpec calldata spec, bytes calldata input) external nonReentrant returns (bytes32 jobId) {
        bytes32 circuitId = _checkSpec(spec, input);
        uint96 collateral = collateralFor(spec.fee);

        jobId = _consumeJobId(spec);
        _jobs[jobId] = Job({
            requester: msg.sender,
            fee: spec.fee,
            prover: address(0),
            collateral: collateral,
            modelId: spec.modelId,
            circuitId: circuitId,
            inputCommitment: spec.inputCommitment,
            deadline: spec.deadline,
            outcome: JobStatus.NONE
        });
        emit JobOpened(
            jobId,
            spec.modelId,
            msg.sender,
            circuitId,
            spec.inputCommitment,
            spec.fee,
            collateral,
            spec.deadline,
            spec.inputUri,
            input
        );
        _pull(spec.fee);
    }

    /// @inheritdoc IJobManager
    function claim(bytes32 jobId) external nonReentrant {
        Job storage facts = _jobIn(jobId, JobStatus.OPEN);
        uint96 collateral = facts.collateral;

        facts.prover = msg.sender;
        emit JobClaimed(jobId, msg.sender, collateral);
        _pull(collateral);
    }

    /// @inheritdoc IJobManager
    function settle(bytes32 jobId, bytes calldata input, bytes calldata output, bytes calldata proof)
        external
        nonReentrant
    {
        Job storage facts = _jobIn(jobId, JobStatus.CLAIMED);
        address prover = facts.prover;
        if (msg.sender != prover) revert NotClaimant(jobId, msg.sender, prover);
        _checkCommitment(facts.inputCommitment, input);
        ROUTER.verify(facts.circuitId, _contextOf(jobId, prover), input, output, proof);

        uint96 fee = facts.fee;
        facts.outcome = JobStatus.SETTLED;
        credits[prover] += uint256(fee) + facts.collateral;
        emit JobSettled(jobId, prover, fee, output, keccak256(proof));
        if (!isPlainCall()) emit ProofPublished(jobId, input, output, proof);
    }

    /// @inheritdoc IJobManager
    function cancel(bytes32 jobId) external nonReentrant {
        Job storage facts = _jobIn(jobId, JobStatus.OPEN);
        address requester = facts.requester;
        if (msg.sender != requester) revert NotRequester(jobId, msg.sender, requester);

        facts.outcome = JobStatus.CANCELLED;
        credits[requester] += facts.fee;
        emit JobCancelled(jobId);
    }

    /// @inheritdoc IJobManager
    function refund(bytes32 jobId) external nonReentrant {
        Job storage facts = _jobIn(jobId, JobStatus.EXPIRED);
        address requester = facts.requester;
        uint96 fee = facts.fee;
        // Collateral is locked by a claim, and only by a claim.
        uint96 forfeited = facts.prover == address(0) ? 0 : facts.collateral;

        facts.outcome = JobStatus.REFUNDED;
        credits[requester] += fee;
        if (forfeited != 0) forfeits += forfeited;
        emit JobRefunded(jobId, requester, fee, forfeited);
    }

    /// @inheritdoc IJobManager
    function withdraw() external nonReentrant {
        uint256 amount = credits[msg.sender];
        if (amount == 0) revert NothingToWithdraw(msg.sender);

        credits[msg.sender] = 0;
        emit Withdrawn(msg.sender, amount);
        TOKEN.safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc IJobManager
    function burnForfeits() external nonReentrant {
        uint256 amount = forfeits;
        if (amount == 0) revert NothingToBurn();

        forfeits = 0;
        emit ForfeitsBurned(amount);
        TOKEN.safeTransfer(BURN_ADDRESS, amount);
    }

    /// @inheritdoc IJobManager
    function statusOf(bytes32 jobId) external view returns (JobStatus status) {
        return _statusOf(_jobs[jobId]);
    }

    /// @inheritdoc IJobManager
    function job(bytes32 jobId) external view returns (Job memory facts) {
        return _jobs[jobId];
    }

    /// @inheritdoc IJobManager
    function contextOf(bytes32 jobId) external view returns (bytes32 context) {
        return _contextOf(jobId, _jobs[jobId].prover);
    }

    /// @inheritdoc IJobManager
    function registry() external view returns (IModelRegistry) {
        return REGISTRY;
    }

    /// @inheritdoc IJobManager
    function router() external view returns (IVerifierRouter) {
        return ROUTER;
    }

    /// @inheritdoc IJobManager
    function token() external view returns (IERC20) {
        return TOKEN;
    }

    /// @inheritdoc IJobManager
    function terms() external view returns (JobTerms memory) {
        return JobTerms(MIN_COLLATERAL, COLLATERAL_PPM, MIN_DURATION_SECONDS, MAX_DURATION_SECONDS);
    }

    /// @inheritdoc IJobManager
    function collateralFor(uint96 fee) public view returns (uint96 collateral) {
        uint256 part = Math.ceilDiv(uint256(fee) * COLLATERAL_PPM, PPM);
        return SafeCast.toUint96(Math.max(MIN_COLLATERAL, part));
    }

    /// @dev The one place where a status comes from; the twin is `status_of` in `zkml/core/job_machine.py`.
    function _statusOf(Job storage facts) private view returns (JobStatus status) {
        if (facts.requester == address(0)) return JobStatus.NONE;
        if (facts.outcome != JobStatus.NONE) return facts.outcome;
        if (block.timestamp > facts.deadline) return JobStatus.EXPIRED;
        return facts.prover == address(0) ? JobStatus.OPEN : JobStatus.CLAIMED;
    }

    function _jobIn(bytes32 jobId, JobStatus expected) private view returns (Job storage facts) {
        facts = _jobs[jobId];
        JobStatus status = _statusOf(facts);
        if (status != expected) revert WrongStatus(jobId, status);
    }

    function _contextOf(bytes32 jobId, address prover) private view returns (bytes32 context) {
        return keccak256(abi.encode(CONTEXT_TAG, block.chainid, address(this), jobId, prover));
    }

    function _consumeJobId(JobSpec calldata spec) private returns (bytes32 jobId) {
        uint256 nonce = nonces[msg.sender]++;
        return
            keccak256(abi.encode(JOB_TAG, block.chainid, address(this), msg.sender, nonce, keccak256(abi.encode(spec))));
    }

    function _checkSpec(JobSpec calldata spec, bytes calldata input) private view returns (bytes32 circuitId) {
        if (spec.fee == 0) revert ZeroFee();
        uint256 earliest = block.timestamp + MIN_DURATION_SECONDS;
        uint256 latest = block.timestamp + MAX_DURATION_SECONDS;
        if (spec.deadline < earliest || spec.deadline > latest) {
            revert DeadlineOutOfRange(spec.deadline, earliest, latest);
        }
        uint256 uriBytes = bytes(spec.inputUri).length;
        if (uriBytes > MAX_URI_BYTES) revert InputUriTooLong(uriBytes, MAX_URI_BYTES);
        ModelStatus status = REGISTRY.statusOf(spec.modelId);
        if (status != ModelStatus.PROVEN) revert ModelNotProven(spec.modelId, status);
        circuitId = REGISTRY.circuitOf(spec.modelId);
        if (input.length == 0) {
            if (uriBytes == 0) revert InputMissing();
        } else {
            _checkCommitment(spec.inputCommitment, input);
            ROUTER.checkInput(circuitId, input);
        }
    }

    function _checkCommitment(bytes32 expected, bytes calldata input) private pure {
        bytes32 found = keccak256(input);
        if (found != expected) revert InputMismatch(expected, found);
    }

    /// @dev Measures what arrives, so that a token which takes a fee cannot leave escrow uncovered.
    function _pull(uint256 amount) private {
        uint256 before = TOKEN.balanceOf(address(this));
        TOKEN.safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = TOKEN.balanceOf(address(this)) - before;
        if (received != amount) revert ReceivedAmountMismatch(amount, received);
    }
}
