// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {FeeQuote, IJobManager, JobTerms, Payment} from "marketplace/src/IJobManager.sol";
import {IRevenueLedger} from "marketplace/src/IRevenueLedger.sol";
import {Pricing} from "marketplace/src/Pricing.sol";
import {FeeTerms, IModelRegistry, ModelStatus} from "registry/src/IModelRegistry.sol";
import {IProverRegistry} from "registry/src/IProverRegistry.sol";
import {IProtocolAdmin, PlatformTerms} from "verifier_contracts/src/IProtocolAdmin.sol";
import {IVerifierRouter, VerifierClass} from "verifier_contracts/src/IVerifierRouter.sol";
import {isPlainCall} from "verifier_contracts/src/PlainCall.sol";

/// @title What jobs and tabs have in common: the deployment's numbers and neighbours, quotes, ids and contexts
/// @dev No owner and no setter. Everything here is immutable but the nonces.
abstract contract MarketTerms is IJobManager {
    bytes32 private constant CONTEXT_TAG = keccak256("zkml.context.v1");
    uint256 private constant MAX_BONUS_PPM = 500_000;

    IRevenueLedger internal immutable LEDGER;
    IProverRegistry internal immutable PROVERS;
    IModelRegistry internal immutable REGISTRY;
    IVerifierRouter internal immutable ROUTER;
    IProtocolAdmin private immutable ADMIN;

    uint80 private immutable MIN_COLLATERAL;
    uint32 private immutable COLLATERAL_PPM;
    uint32 private immutable MIN_DURATION_SECONDS;
    uint32 private immutable MAX_DURATION_SECONDS;
    uint32 internal immutable MIN_CLAIM_SECONDS;
    uint32 internal immutable GRACE_SECONDS;
    uint32 internal immutable BONUS_PPM;
    uint32 internal immutable TREASURY_PPM;
    uint8 private immutable ACCEPTED_CLASSES;

    /// @inheritdoc IJobManager
    mapping(address requester => uint256) public nonces;

    constructor(IRevenueLedger ledger_, IProverRegistry provers_, JobTerms memory terms_) {
        _checkTerms(terms_);
        if (address(ledger_).code.length == 0 || ledger_.jobManager() != address(this)) {
            revert NotAContract(address(ledger_));
        }
        // Stakes and escrow in two tokens could not be compared, and forfeits and fees have one treasury.
        if (
            address(provers_).code.length == 0 || provers_.jobManager() != address(this)
                || address(provers_.token()) != address(ledger_.token())
                || address(provers_.admin()) != address(ledger_.admin())
        ) revert NotAContract(address(provers_));
        IModelRegistry registry_ = ledger_.registry();
        // Where the ledger does not hear of a sale, the buyer takes what the seller has earned.
        if (address(registry_.observer()) != address(ledger_)) revert NotAContract(address(registry_));
        LEDGER = ledger_;
        PROVERS = provers_;
        REGISTRY = registry_;
        ROUTER = registry_.router();
        ADMIN = ledger_.admin();
        // One guardian and one treasury, of one admin.
        if (address(ROUTER.admin()) != address(ADMIN)) revert NotAContract(address(ROUTER));
        MIN_COLLATERAL = terms_.minCollateral;
        COLLATERAL_PPM = terms_.collateralPpm;
        MIN_DURATION_SECONDS = terms_.minDurationSeconds;
        MAX_DURATION_SECONDS = terms_.maxDurationSeconds;
        MIN_CLAIM_SECONDS = terms_.minClaimSeconds;
        GRACE_SECONDS = terms_.graceSeconds;
        BONUS_PPM = terms_.bonusPpm;
        TREASURY_PPM = terms_.treasuryPpm;
        ACCEPTED_CLASSES = terms_.acceptedClasses;
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
    function ledger() external view returns (IRevenueLedger) {
        return LEDGER;
    }

    /// @inheritdoc IJobManager
    function provers() external view returns (IProverRegistry) {
        return PROVERS;
    }

    /// @inheritdoc IJobManager
    function admin() external view returns (IProtocolAdmin) {
        return ADMIN;
    }

    /// @inheritdoc IJobManager
    function terms() external view returns (JobTerms memory) {
        return JobTerms({
            minCollateral: MIN_COLLATERAL,
            collateralPpm: COLLATERAL_PPM,
            minDurationSeconds: MIN_DURATION_SECONDS,
            maxDurationSeconds: MAX_DURATION_SECONDS,
            minClaimSeconds: MIN_CLAIM_SECONDS,
            graceSeconds: GRACE_SECONDS,
            bonusPpm: BONUS_PPM,
            treasuryPpm: TREASURY_PPM,
            acceptedClasses: ACCEPTED_CLASSES
        });
    }

    /// @inheritdoc IJobManager
    function paymentFor(FeeQuote calldata quote, uint80 proverFee) external pure returns (Payment memory) {
        return Pricing.paymentFor(quote, proverFee);
    }

    /// @inheritdoc IJobManager
    function quoteFor(uint256 modelId) public view returns (FeeQuote memory) {
        FeeTerms memory asked = REGISTRY.feeTermsOf(modelId);
        PlatformTerms memory platform = ADMIN.platformTerms();
        return FeeQuote({
            modelFeeFloor: asked.modelFee > asked.minModelFee ? asked.modelFee : asked.minModelFee,
            modelFeePpm: asked.minModelFeePpm,
            flatFee: platform.flatFee,
            platformPpm: platform.feePpm
        });
    }

    /// @inheritdoc IJobManager
    function collateralFor(uint256 price) public view returns (uint80 collateral) {
        uint256 part = Math.ceilDiv(price * COLLATERAL_PPM, Pricing.PPM);
        return SafeCast.toUint80(Math.max(MIN_COLLATERAL, part));
    }

    /// @dev Here once, because the compiler writes it out wherever it stands.
    function _loadQuote(FeeQuote storage stored) internal view returns (FeeQuote memory) {
        return FeeQuote({
            modelFeeFloor: stored.modelFeeFloor,
            modelFeePpm: stored.modelFeePpm,
            flatFee: stored.flatFee,
            platformPpm: stored.platformPpm
        });
    }

    /// @dev What a proof that pays `payee` for a job or a signed request is bound to.
    function _contextOf(bytes32 subject, address payee) internal view returns (bytes32 context) {
        return keccak256(abi.encode(CONTEXT_TAG, block.chainid, address(this), subject, payee));
    }

    function _idOf(bytes32 tag, address requester, uint256 nonce, bytes32 specHash) internal view returns (bytes32 id) {
        return keccak256(abi.encode(tag, block.chainid, address(this), requester, nonce, specHash));
    }

    function _checkEnd(uint40 end) internal view {
        uint256 earliest = block.timestamp + MIN_DURATION_SECONDS;
        uint256 latest = block.timestamp + MAX_DURATION_SECONDS;
        if (end < earliest || end > latest) revert DeadlineOutOfRange(end, earliest, latest);
    }

    function _checkProven(uint256 modelId) internal view {
        ModelStatus status = REGISTRY.statusOf(modelId);
        if (status != ModelStatus.PROVEN) revert ModelNotProven(modelId, status);
    }

    function _checkAccess(uint256 modelId, address prover) internal view {
        if (!REGISTRY.mayProve(modelId, prover)) revert AccessRefused(modelId, prover);
    }

    function _checkCircuitOf(uint256 modelId, bytes32 circuitId, uint256 inputs) internal view {
        if (REGISTRY.batchOf(modelId, circuitId) != inputs) revert CircuitNotOfModel(modelId, circuitId, inputs);
    }

    function _checkClass(bytes32 circuitId) internal view returns (VerifierClass class_) {
        class_ = ROUTER.classOf(circuitId);
        if ((ACCEPTED_CLASSES >> uint8(class_)) & 1 == 0) revert ClassRefused(circuitId, class_);
    }

    function _checkAlive(bytes32 circuitId) internal view {
        if (ROUTER.isTombstoned(circuitId)) revert CircuitRefused(circuitId);
    }

    /// @dev Proof first: nothing is paid unless the router returns. The one place where a verifier is called.
    function _verify(
        bytes32 circuitId,
        bytes32 context,
        bytes calldata input,
        bytes calldata output,
        bytes calldata proof
    ) internal view {
        ROUTER.verify(circuitId, context, input, output, proof);
    }

    function _publishUnlessPlain(bytes32 subject, bytes calldata input, bytes calldata output, bytes calldata proof)
        internal
    {
        if (!isPlainCall()) emit ProofPublished(subject, input, output, proof);
    }

    /// @dev The one place where anything is earned.
    function _earn(uint256 modelId, address prover, Payment memory payment) internal {
        LEDGER.settle(modelId, prover, payment.proverFee, payment.revenue, payment.platformAmount);
    }

    function _credit(address account, uint256 amount) internal {
        LEDGER.credit(account, amount);
    }

    function _pull(uint256 amount) internal {
        LEDGER.pull(msg.sender, amount);
    }

    function _checkCommitment(bytes32 expected, bytes calldata input) internal pure {
        bytes32 found = keccak256(input);
        if (found != expected) revert InputMismatch(expected, found);
    }

    /// @dev Where no claim costs anything, anybody claims every job and lets it expire; a claim no longer than the grace
    ///      could end while another prover still waits; a bonus above half would pay those who delay others.
    function _checkTerms(JobTerms memory terms_) private pure {
        bool valid = terms_.collateralPpm <= Pricing.PPM && (terms_.minCollateral > 0 || terms_.collateralPpm > 0)
            && terms_.minDurationSeconds > 0 && terms_.minDurationSeconds <= terms_.maxDurationSeconds
            && terms_.minClaimSeconds > terms_.graceSeconds && terms_.bonusPpm <= MAX_BONUS_PPM
            && terms_.treasuryPpm <= Pricing.PPM && terms_.acceptedClasses > 1 && terms_.acceptedClasses < 16
            && terms_.acceptedClasses & 1 == 0;
        if (!valid) revert InvalidTerms(terms_);
    }
}
