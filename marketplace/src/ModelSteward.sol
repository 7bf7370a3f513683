// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {Time} from "@openzeppelin/contracts/utils/types/Time.sol";
import {IInitialModelOffering, Offering, OfferingOutcome} from "marketplace/src/IInitialModelOffering.sol";
import {IModelSteward, Motion, Resolution} from "marketplace/src/IModelSteward.sol";
import {IRevenueLedger} from "marketplace/src/IRevenueLedger.sol";
import {ILineageRegistry, Parent} from "registry/src/ILineageRegistry.sol";
import {FeeTerms, IModelRegistry, ModelStatus} from "registry/src/IModelRegistry.sol";

/// @title Owns an offered model, for its holders
/// @dev A clone for each offering; the offering's id is behind the clone's code, and everything else is asked of the
///      offering contract. Holds no money for longer than a call: the ledger's credits of this account are owner's
///      income from before the soft lock, and the creator's.
contract ModelSteward is IModelSteward {
    uint48 private constant VOTING_SECONDS = 7 days;

    IInitialModelOffering private immutable OFFERING;
    IRevenueLedger private immutable LEDGER;
    ILineageRegistry private immutable LINEAGE;
    IModelRegistry private immutable REGISTRY;

    /// @inheritdoc IModelSteward
    mapping(uint256 successorId => bool) public isSuccessor;
    mapping(uint256 motionId => mapping(address voter => bool)) private _voted;
    Motion[] private _motions;

    /// @param ledger_ which has registry and lineage.
    /// @dev Deployed by the offering contract.
    constructor(IRevenueLedger ledger_) {
        OFFERING = IInitialModelOffering(msg.sender);
        LEDGER = ledger_;
        LINEAGE = ledger_.lineage();
        REGISTRY = ledger_.registry();
    }

    modifier onlyOffering() {
        if (msg.sender != address(OFFERING)) revert NotOffering(msg.sender, address(OFFERING));
        _;
    }

    /// @inheritdoc IModelSteward
    function fixFees(FeeTerms calldata fees) external onlyOffering {
        REGISTRY.setFeeTerms(modelId(), fees);
    }

    /// @inheritdoc IModelSteward
    /// @dev Not the safe transfer: a receiver could refuse it, and the bond would wait for ever.
    function giveBack(address to) external onlyOffering {
        REGISTRY.transferFrom(address(this), to, modelId());
    }

    /// @inheritdoc IModelSteward
    function openModel() external onlyOffering {
        if (REGISTRY.isClosed(modelId())) REGISTRY.openModel(modelId());
    }

    /// @inheritdoc IModelSteward
    function setFee(uint80 modelFee) external {
        Offering memory offering = _offering();
        _checkCreator(offering);
        _setFee(offering, modelFee);
        emit FeeSet(modelFee);
    }

    /// @inheritdoc IModelSteward
    function grantAccess(address prover) external {
        Offering memory offering = _offering();
        _checkCreator(offering);
        REGISTRY.setAccess(offering.modelId, prover, true);
    }

    /// @inheritdoc IModelSteward
    function payOwnerIncome() external returns (uint256 amount) {
        Offering memory offering = _offering();
        uint256 modelId_ = offering.modelId;
        bool earns = LEDGER.sharesOf(modelId_) == address(0) && REGISTRY.ownerOf(modelId_) == address(this);
        // slither-disable-next-line unused-return
        if (earns && LEDGER.holdersDue(modelId_) != 0) LEDGER.claimOwner(modelId_);
        amount = LEDGER.withdraw(offering.creator);
        emit OwnerIncomePaid(amount);
    }

    /// @inheritdoc IModelSteward
    function recordSuccessor(uint256 successorId) external {
        Offering memory offering = _offering();
        address publisher = REGISTRY.publisherOf(successorId);
        bool sound = (publisher == offering.creator || publisher == REGISTRY.publisherOf(offering.modelId))
            && REGISTRY.statusOf(successorId) == ModelStatus.PROVEN && !isSuccessor[successorId];
        uint32 ratePpm = sound ? _rateOf(successorId, offering.modelId) : 0;
        if (ratePpm == 0 || ratePpm < offering.successorRatePpm) revert SuccessorRefused(successorId);
        isSuccessor[successorId] = true;
        emit SuccessorRecorded(offering.modelId, successorId, ratePpm);
    }

    /// @inheritdoc IModelSteward
    function propose(Resolution resolution, uint80 fee) external returns (uint256 motionId) {
        OfferingOutcome outcome = _offering().outcome;
        bool allowed = outcome == OfferingOutcome.DEFAULTED && resolution != Resolution.NONE
            || outcome == OfferingOutcome.TRADING && resolution == Resolution.RETIRE;
        if (!allowed) revert MotionRefused(resolution);
        Motion storage motion = _motions.push();
        motion.resolution = resolution;
        motion.fee = fee;
        motion.snapshotAt = Time.timestamp();
        motion.endsAt = Time.timestamp() + VOTING_SECONDS;
        motionId = _motions.length;
        emit MotionMade(motionId, msg.sender, resolution, fee, motion.endsAt);
    }

    /// @inheritdoc IModelSteward
    function support(uint256 motionId) external {
        Motion storage motion = _live(motionId);
        if (_voted[motionId][msg.sender]) revert MotionClosed(motionId);
        uint256 votes = _offering().shares.getPastVotes(msg.sender, motion.snapshotAt);
        if (votes == 0) revert NoVotes(msg.sender);
        _voted[motionId][msg.sender] = true;
        motion.support += votes;
        emit MotionSupported(motionId, msg.sender, votes);
    }

    /// @inheritdoc IModelSteward
    function carry(uint256 motionId) external {
        Motion storage motion = _live(motionId);
        uint256 eligible = eligibleFor(motionId);
        if (motion.support * 2 <= eligible) revert NotCarried(motionId, motion.support, eligible);
        motion.done = true;
        emit MotionCarried(motionId);
        Offering memory offering = _offering();
        if (motion.resolution == Resolution.RETIRE) REGISTRY.retire(offering.modelId);
        else if (motion.resolution == Resolution.OPEN) REGISTRY.openModel(offering.modelId);
        else _setFee(offering, motion.fee);
    }

    /// @inheritdoc IModelSteward
    function motionOf(uint256 motionId) external view returns (Motion memory) {
        if (motionId == 0 || motionId > _motions.length) revert MotionClosed(motionId);
        return _motions[motionId - 1];
    }

    /// @inheritdoc IModelSteward
    function eligibleFor(uint256 motionId) public view returns (uint256 votes) {
        if (motionId == 0 || motionId > _motions.length) revert MotionClosed(motionId);
        Offering memory offering = _offering();
        uint48 snapshotAt = _motions[motionId - 1].snapshotAt;
        return offering.shares.getPastTotalSupply(snapshotAt)
            - offering.shares.getPastVotes(address(offering.vault), snapshotAt);
    }

    /// @inheritdoc IModelSteward
    function modelId() public view returns (uint256) {
        return _offering().modelId;
    }

    /// @dev Whatever the band, the registry's floor holds.
    function _setFee(Offering memory offering, uint80 fee) private {
        FeeTerms memory terms = REGISTRY.feeTermsOf(offering.modelId);
        if (fee < terms.minModelFee || fee > offering.maxModelFee) {
            revert FeeOutOfBand(fee, terms.minModelFee, offering.maxModelFee);
        }
        terms.modelFee = fee;
        REGISTRY.setFeeTerms(offering.modelId, terms);
    }

    /// @dev A motion that can be voted for and carried.
    function _live(uint256 motionId) private view returns (Motion storage motion) {
        if (motionId == 0 || motionId > _motions.length) revert MotionClosed(motionId);
        motion = _motions[motionId - 1];
        if (motion.done || block.timestamp > motion.endsAt) revert MotionClosed(motionId);
    }

    function _checkCreator(Offering memory offering) private view {
        bool allowed = msg.sender == offering.creator && offering.outcome != OfferingOutcome.DEFAULTED;
        if (!allowed) revert NotCreator(msg.sender, offering.creator);
    }

    function _rateOf(uint256 childId, uint256 parentId) private view returns (uint32 ratePpm) {
        Parent[] memory parents = LINEAGE.parentsOf(childId);
        for (uint256 i; i < parents.length; ++i) {
            if (parents[i].modelId == parentId) ratePpm = parents[i].ratePpm;
        }
    }

    function _offering() private view returns (Offering memory) {
        return OFFERING.offeringOf(abi.decode(Clones.fetchCloneArgs(address(this)), (uint256)));
    }
}
