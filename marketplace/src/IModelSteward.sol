// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {FeeTerms} from "registry/src/IModelRegistry.sol";

/// @notice What holders can decide by vote.
/// @dev RETIRE the model; OPEN it to every prover; set its FEE, after a default.
enum Resolution {
    NONE,
    RETIRE,
    OPEN,
    FEE
}

/// @notice A vote.
/// @param resolution what would be done.
/// @param fee the fee, for FEE.
/// @param snapshotAt whose votes count: those of this second's end.
/// @param endsAt the last second in which votes are taken and it can be carried out.
/// @param done whether it was carried out.
/// @param support votes for it, in share units.
struct Motion {
    Resolution resolution;
    uint80 fee;
    uint48 snapshotAt;
    uint48 endsAt;
    bool done;
    uint256 support;
}

/// @title Owns an offered model, for its holders
/// @notice The fee moves within the offering's band only; the model is retired by the holders' vote only; a successor is
///         recognised only if it is the same publisher's and names this model as parent at the offering's rate.
/// @dev A motion passes with more than half of all shares but the vault's, as they stood in a past second: shares that
///      are borrowed within a transaction have no vote.
interface IModelSteward {
    /// @notice The creator set the fee, within the band.
    event FeeSet(uint80 modelFee);
    /// @notice Owner's income from before the soft lock was paid to the creator.
    event OwnerIncomePaid(uint256 amount);
    /// @notice A successor version is recognised.
    event SuccessorRecorded(uint256 indexed modelId, uint256 indexed successorId, uint32 ratePpm);
    /// @notice Holders are asked.
    event MotionMade(uint256 indexed motionId, address indexed by, Resolution resolution, uint80 fee, uint48 endsAt);
    /// @notice A holder is for it.
    event MotionSupported(uint256 indexed motionId, address indexed voter, uint256 votes);
    /// @notice The holders' decision was carried out.
    event MotionCarried(uint256 indexed motionId);

    /// @notice Only the offering contract may.
    error NotOffering(address caller, address offering);
    /// @notice Only the creator may, and not after a default.
    error NotCreator(address caller, address creator);
    /// @notice The fee is outside the offering's band.
    error FeeOutOfBand(uint80 fee, uint80 least, uint80 most);
    /// @notice Holders decide only once their shares are free, and on FEE only after a default.
    error MotionRefused(Resolution resolution);
    /// @notice There is no such motion, its time is over, it is done, or the caller voted before.
    error MotionClosed(uint256 motionId);
    /// @notice The account had no votes when the motion was made.
    error NoVotes(address account);
    /// @notice Not more than half are for it.
    error NotCarried(uint256 motionId, uint256 support, uint256 eligible);
    /// @notice Not the same publisher's, not PROVEN, or this model is not its parent at the rate.
    error SuccessorRefused(uint256 successorId);

    /// @notice Fixes the model's fee and its floors; the offering may.
    function fixFees(FeeTerms calldata fees) external;

    /// @notice Gives the model to `to`; the offering may, after a failure.
    function giveBack(address to) external;

    /// @notice Opens the model to every prover; the offering may, at the release: the weights are public.
    function openModel() external;

    /// @notice Sets the fee within the band; the creator may.
    function setFee(uint80 modelFee) external;

    /// @notice Lets a prover prove the closed model; the creator may.
    function grantAccess(address prover) external;

    /// @notice Pays income from before the soft lock to the creator; anyone may.
    function payOwnerIncome() external returns (uint256 amount);

    /// @notice Recognises a successor version; anyone may.
    function recordSuccessor(uint256 successorId) external;

    /// @notice Asks the holders; anyone may.
    function propose(Resolution resolution, uint80 fee) external returns (uint256 motionId);

    /// @notice Votes for a motion with all that the caller had when it was made.
    function support(uint256 motionId) external;

    /// @notice Carries out what more than half are for; anyone may.
    function carry(uint256 motionId) external;

    /// @notice A motion.
    function motionOf(uint256 motionId) external view returns (Motion memory);

    /// @notice Votes that count for a motion: all shares but the vault's.
    function eligibleFor(uint256 motionId) external view returns (uint256 votes);

    /// @notice Whether a model is a recognised successor of this one.
    function isSuccessor(uint256 successorId) external view returns (bool);

    /// @notice The model.
    function modelId() external view returns (uint256);
}
