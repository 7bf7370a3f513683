// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IBusinessCalendar} from "marketplace/src/IBusinessCalendar.sol";
import {
    IInitialModelOffering,
    Offering,
    OfferingOutcome,
    OfferingRules,
    OfferingStatus
} from "marketplace/src/IInitialModelOffering.sol";
import {IRevenueLedger} from "marketplace/src/IRevenueLedger.sol";
import {IModelRegistry} from "registry/src/IModelRegistry.sol";
import {IVerifierRouter} from "verifier_contracts/src/IVerifierRouter.sol";

/// @title The facts of offerings, what they are by now, and the till
/// @dev What is held here is raises and bonds of offerings without an outcome, what holders of failed or defaulted ones
///      have not claimed, and credits. Nothing that is owed follows from a balance: a donation is nobody's.
abstract contract OfferingBook is IInitialModelOffering, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    uint256 internal constant PPM = 1_000_000;
    /// @dev Units of the share token in a whole share.
    uint256 internal constant SHARE = 1e18;

    IRevenueLedger internal immutable LEDGER;
    IERC20 internal immutable TOKEN;
    IModelRegistry internal immutable REGISTRY;
    IVerifierRouter internal immutable ROUTER;
    IBusinessCalendar internal immutable CALENDAR;

    OfferingRules internal _rules;

    /// @inheritdoc IInitialModelOffering
    uint256 public offeringCount;
    /// @inheritdoc IInitialModelOffering
    mapping(uint256 modelId => uint256) public lastOfferingOf;
    /// @inheritdoc IInitialModelOffering
    mapping(uint256 offeringId => mapping(address holder => uint64)) public reservationOf;
    /// @inheritdoc IInitialModelOffering
    mapping(uint256 offeringId => mapping(address holder => uint64)) public resaleOf;
    /// @inheritdoc IInitialModelOffering
    mapping(address account => uint256) public credits;
    mapping(uint256 offeringId => Offering) internal _offerings;

    /// @param ledger_ the ledger, which names this contract and has token and registry.
    /// @param calendar_ says when locks end.
    /// @param rules_ the numbers of this deployment.
    constructor(IRevenueLedger ledger_, IBusinessCalendar calendar_, OfferingRules memory rules_) {
        if (ledger_.offerings() != address(this)) revert NotAContract(address(ledger_));
        if (address(calendar_).code.length == 0) revert NotAContract(address(calendar_));
        _within("bondPpm", rules_.bondPpm, 1, PPM);
        _within("challengeSeconds", rules_.challengeSeconds, 1, 90 days);
        _within("graceSeconds", rules_.graceSeconds, 1, 90 days);
        _within("minVestingSeconds", rules_.minVestingSeconds, 1, 3650 days);
        _within("minLpLockSeconds", rules_.minLpLockSeconds, 1, 3650 days);
        _within("minSeedPpm", rules_.minSeedPpm, 1, PPM / 2);
        LEDGER = ledger_;
        CALENDAR = calendar_;
        TOKEN = ledger_.token();
        REGISTRY = ledger_.registry();
        ROUTER = REGISTRY.router();
        _rules = rules_;
    }

    /// @inheritdoc IInitialModelOffering
    function withdraw(address to) external nonReentrant returns (uint256 amount) {
        if (to == address(0) || to == address(this)) revert ReceiverRefused(to);
        amount = credits[msg.sender];
        if (amount == 0) revert NothingToWithdraw(msg.sender);

        credits[msg.sender] = 0;
        emit Withdrawn(msg.sender, to, amount);
        TOKEN.safeTransfer(to, amount);
    }

    /// @inheritdoc IInitialModelOffering
    function offeringOf(uint256 offeringId) external view returns (Offering memory) {
        return _offerings[offeringId];
    }

    /// @inheritdoc IInitialModelOffering
    function rules() external view returns (OfferingRules memory) {
        return _rules;
    }

    /// @inheritdoc IInitialModelOffering
    function ledger() external view returns (IRevenueLedger) {
        return LEDGER;
    }

    /// @inheritdoc IInitialModelOffering
    function token() external view returns (IERC20) {
        return TOKEN;
    }

    /// @inheritdoc IInitialModelOffering
    function calendar() external view returns (IBusinessCalendar) {
        return CALENDAR;
    }

    /// @inheritdoc IInitialModelOffering
    function releaseInput(uint256 offeringId) external view returns (bytes memory input) {
        Offering storage offering = _offerings[offeringId];
        if (offering.revealedAt == 0) revert WrongStatus(offeringId, statusOf(offeringId));
        return ROUTER.expandInput(releaseCircuit(offeringId), offering.seed);
    }

    /// @inheritdoc IInitialModelOffering
    function releaseCircuit(uint256 offeringId) public view returns (bytes32 circuitId) {
        return REGISTRY.circuitOf(_offerings[offeringId].modelId);
    }

    /// @inheritdoc IInitialModelOffering
    function releasableAt(uint256 offeringId) public view returns (uint256 timestamp) {
        Offering storage offering = _offerings[offeringId];
        if (offering.revealedAt == 0) return 0;
        return Math.max(offering.unlockAt, uint256(offering.revealedAt) + _rules.challengeSeconds);
    }

    /// @inheritdoc IInitialModelOffering
    function statusOf(uint256 offeringId) public view returns (OfferingStatus) {
        Offering storage offering = _offerings[offeringId];
        if (offering.creator == address(0)) return OfferingStatus.NONE;
        OfferingOutcome outcome = offering.outcome;
        if (outcome == OfferingOutcome.TRADING) return OfferingStatus.TRADING;
        if (outcome == OfferingOutcome.DEFAULTED) return OfferingStatus.DEFAULTED;
        if (outcome == OfferingOutcome.FAILED) return OfferingStatus.FAILED;
        if (offering.softLockedAt == 0) {
            return block.timestamp <= offering.closesAt ? OfferingStatus.OPEN : OfferingStatus.FAILED;
        }
        uint256 due = offering.revealedAt == 0 ? offering.unlockAt : releasableAt(offeringId);
        if (block.timestamp > due + _rules.graceSeconds) return OfferingStatus.OVERDUE;
        if (offering.revealedAt == 0) return OfferingStatus.SOFT_LOCKED;
        return block.timestamp < due ? OfferingStatus.REVEALED : OfferingStatus.RELEASABLE;
    }

    /// @dev Takes money and measures what came.
    function _take(address payer, uint256 amount) internal {
        uint256 before = TOKEN.balanceOf(address(this));
        TOKEN.safeTransferFrom(payer, address(this), amount);
        uint256 received = TOKEN.balanceOf(address(this)) - before;
        if (received != amount) revert ReceivedAmountMismatch(amount, received);
    }

    /// @dev The offering, if it has this status.
    function _in(uint256 offeringId, OfferingStatus wanted) internal view returns (Offering storage offering) {
        OfferingStatus status = statusOf(offeringId);
        if (status != wanted) revert WrongStatus(offeringId, status);
        return _offerings[offeringId];
    }

    function _within(bytes32 field, uint256 found, uint256 least, uint256 most) internal pure {
        if (found < least || found > most) revert TermOutOfRange(field, found, least, most);
    }
}
