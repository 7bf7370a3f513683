// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC20Votes} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Votes.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {Time} from "@openzeppelin/contracts/utils/types/Time.sol";
import {IERC7641} from "marketplace/src/IERC7641.sol";
import {IModelToken, IncomeSnapshot, SharePhase} from "marketplace/src/IModelToken.sol";
import {IRevenueLedger, ModelIncome} from "marketplace/src/IRevenueLedger.sol";

/// @title Shares of a model
/// @dev No owner. Calls the ledger only: before balances change, from the soft lock on. The supply only falls, and stays
///      below 2^112, which is what a pool of Uniswap v2 can hold: the offering sees to it.
contract ModelToken is IModelToken, ERC20Permit, ERC20Votes {
    IRevenueLedger private immutable LEDGER;
    uint256 private immutable MODEL;
    address private immutable OFFERING;

    /// @inheritdoc IModelToken
    SharePhase public phase;
    /// @inheritdoc IModelToken
    address public pool;
    /// @inheritdoc IModelToken
    uint256 public snapshotCount;
    /// @inheritdoc IModelToken
    mapping(address account => uint256) public lastClaimedBy;
    mapping(uint256 snapshotId => IncomeSnapshot) private _snapshots;

    /// @param name_ of the shares.
    /// @param symbol_ of the shares.
    /// @param ledger_ where the model's income is.
    /// @param modelId_ the model.
    /// @param offering_ who makes, moves, destroys and releases them.
    constructor(string memory name_, string memory symbol_, IRevenueLedger ledger_, uint256 modelId_, address offering_)
        ERC20(name_, symbol_)
        ERC20Permit(name_)
    {
        LEDGER = ledger_;
        MODEL = modelId_;
        OFFERING = offering_;
    }

    modifier onlyOffering() {
        if (msg.sender != OFFERING) revert NotOffering(msg.sender, OFFERING);
        _;
    }

    /// @inheritdoc IModelToken
    function mint(address account, uint256 amount) external onlyOffering {
        if (phase != SharePhase.RESERVED) revert WrongPhase(phase);
        _mint(account, amount);
    }

    /// @inheritdoc IModelToken
    function moveReserved(address from, address to, uint256 amount) external onlyOffering {
        if (phase == SharePhase.FREE) revert WrongPhase(phase);
        _transfer(from, to, amount);
    }

    /// @inheritdoc IModelToken
    function destroy(address account, uint256 amount) external onlyOffering {
        if (phase == SharePhase.FREE) revert WrongPhase(phase);
        _burn(account, amount);
    }

    /// @inheritdoc IModelToken
    function startEarning() external onlyOffering {
        _begin(SharePhase.EARNING, SharePhase.RESERVED);
    }

    /// @inheritdoc IModelToken
    function release(address pool_) external onlyOffering {
        pool = pool_;
        _begin(SharePhase.FREE, SharePhase.EARNING);
    }

    /// @inheritdoc IModelToken
    function returnPoolIncome() external returns (uint256 amount) {
        return LEDGER.returnShares(MODEL, pool);
    }

    /// @inheritdoc IModelToken
    function returnBurnedIncome() external returns (uint256 amount) {
        return LEDGER.returnShares(MODEL, address(0));
    }

    /// @inheritdoc IERC7641
    /// @dev Anyone may: it moves nothing. Where nothing was earned since the last one, that one is meant.
    function snapshot() external returns (uint256 snapshotId) {
        ModelIncome memory income = LEDGER.incomeOf(MODEL);
        snapshotId = snapshotCount;
        IncomeSnapshot storage last = _snapshots[snapshotId];
        if (snapshotId != 0 && last.revenue == income.revenue && last.inherited == income.inherited) return snapshotId;

        snapshotCount = ++snapshotId;
        _snapshots[snapshotId] = IncomeSnapshot(Time.timestamp(), income.revenue, income.inherited);
        emit IncomePinned(snapshotId, income.revenue, income.inherited);
    }

    /// @inheritdoc IERC7641
    function claim(uint256 snapshotId) external {
        uint256 last = lastClaimedBy[msg.sender];
        if (!_isOpen(snapshotId, last)) revert SnapshotRefused(snapshotId, last, snapshotCount);
        lastClaimedBy[msg.sender] = snapshotId;
        // What it credits is in the ledger's event; it reverts where there is nothing.
        // slither-disable-next-line unused-return
        LEDGER.claimShares(MODEL, msg.sender);
    }

    /// @inheritdoc IERC7641
    function burn(uint256 amount) external {
        _burn(msg.sender, amount);
    }

    /// @inheritdoc IERC7641
    function claimableRevenue(address account, uint256 snapshotId) external view returns (uint256) {
        return _isOpen(snapshotId, lastClaimedBy[account]) ? LEDGER.sharesDue(MODEL, account) : 0;
    }

    /// @inheritdoc IModelToken
    function incomeAt(uint256 snapshotId) external view returns (IncomeSnapshot memory) {
        return _snapshots[snapshotId];
    }

    /// @inheritdoc IModelToken
    function modelId() external view returns (uint256) {
        return MODEL;
    }

    /// @inheritdoc IModelToken
    function offering() external view returns (address) {
        return OFFERING;
    }

    /// @inheritdoc IModelToken
    function ledger() external view returns (IRevenueLedger) {
        return LEDGER;
    }

    /// @inheritdoc IERC7641
    function redeemableOnBurn(uint256) external pure returns (uint256) {
        return 0;
    }

    /// @notice Votes are counted by timestamps, in seconds.
    function clock() public view override returns (uint48) {
        return Time.timestamp();
    }

    /// @notice As ERC-6372 names a clock.
    // solhint-disable-next-line func-name-mixedcase
    function CLOCK_MODE() public pure override returns (string memory) {
        return "mode=timestamp";
    }

    /// @inheritdoc ERC20Permit
    function nonces(address owner) public view override(IERC20Permit, ERC20Permit, Nonces) returns (uint256) {
        return super.nonces(owner);
    }

    /// @dev The ledger hears of every change once it holds income for the shares: what was earned until now stays.
    function _update(address from, address to, uint256 amount) internal override(ERC20, ERC20Votes) {
        SharePhase current = phase;
        if (current != SharePhase.FREE && msg.sender != OFFERING) revert SharesLocked(current);
        if (current != SharePhase.RESERVED) {
            LEDGER.beforeShareTransfer(MODEL, from, balanceOf(from), to, balanceOf(to));
        }
        super._update(from, to, amount);
    }

    function _begin(SharePhase next, SharePhase expected) private {
        if (phase != expected) revert WrongPhase(phase);
        phase = next;
        emit PhaseBegun(next);
    }

    function _isOpen(uint256 snapshotId, uint256 last) private view returns (bool) {
        return snapshotId > last && snapshotId <= snapshotCount;
    }
}
