// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {IVotes} from "@openzeppelin/contracts/governance/utils/IVotes.sol";
import {IERC7641} from "marketplace/src/IERC7641.sol";
import {IRevenueLedger} from "marketplace/src/IRevenueLedger.sol";

/// @notice RESERVED -soft lock-> EARNING -release, or default-> FREE.
/// @dev Up to EARNING only the offering moves shares; from EARNING on the ledger holds income for them.
enum SharePhase {
    RESERVED,
    EARNING,
    FREE
}

/// @notice What was pinned.
/// @param timestamp when.
/// @param revenue the model's revenue then.
/// @param inherited what the model had inherited then.
struct IncomeSnapshot {
    uint48 timestamp;
    uint128 revenue;
    uint128 inherited;
}

/// @title Shares of a model
/// @notice ERC-20 with permit, votes by timestamp, and ERC-7641 over the revenue ledger. A share earns from the moment
///         that the offering is sold, by the second and to the unit: no snapshot, transfer or loan moves past income.
/// @dev Of ERC-7641: a snapshot pins what the model had earned, and {claim} credits the caller in the ledger with all
///      that it has earned by now: never less than by the snapshot, since the ledger's accumulators are exact at any time
///      and open to anyone. Burning redeems nothing.
interface IModelToken is IERC7641, IERC20Permit, IVotes {
    /// @notice The shares earn, or are free to move.
    event PhaseBegun(SharePhase phase);
    /// @notice Income was pinned.
    event IncomePinned(uint256 indexed snapshotId, uint128 revenue, uint128 inherited);

    /// @notice Only the offering may.
    error NotOffering(address caller, address offering);
    /// @notice Until they are released only the offering moves shares.
    error SharesLocked(SharePhase phase);
    /// @notice The move belongs to another phase.
    error WrongPhase(SharePhase phase);
    /// @notice There is no such snapshot, or the account claimed it or a later one before.
    error SnapshotRefused(uint256 snapshotId, uint256 lastClaimed, uint256 count);

    /// @notice Makes shares; the offering may, until they earn.
    function mint(address account, uint256 amount) external;

    /// @notice Moves locked shares; the offering may.
    function moveReserved(address from, address to, uint256 amount) external;

    /// @notice Destroys locked shares; the offering may, until they are free.
    function destroy(address account, uint256 amount) external;

    /// @notice Says that the ledger holds income for the shares from now on; the offering may, once.
    function startEarning() external;

    /// @notice Lets everybody move shares, for ever; the offering may, once.
    /// @param pool_ whose income is given back, see {returnPoolIncome}; zero if there is none.
    function release(address pool_) external;

    /// @notice Makes the income of the pool's shares income of all shares again; anyone may. A pool cannot withdraw, and
    ///         what its shares earn would be lost. Its part of what comes back is less each time.
    ///         Where there is no pool, as {returnBurnedIncome}.
    function returnPoolIncome() external returns (uint256 amount);

    /// @notice As {returnPoolIncome}, of the income of shares that were burned: by holders, or by a default.
    function returnBurnedIncome() external returns (uint256 amount);

    /// @notice The pool that the release seeded, or zero.
    function pool() external view returns (address);

    /// @notice Where the shares are in their life.
    function phase() external view returns (SharePhase);

    /// @notice What a snapshot pinned; all zero if there is none.
    function incomeAt(uint256 snapshotId) external view returns (IncomeSnapshot memory);

    /// @notice How many snapshots there are; their ids count from 1.
    function snapshotCount() external view returns (uint256);

    /// @notice The last snapshot that the account claimed.
    function lastClaimedBy(address account) external view returns (uint256 snapshotId);

    /// @notice The model.
    function modelId() external view returns (uint256);

    /// @notice The offering contract.
    function offering() external view returns (address);

    /// @notice Where the income is.
    function ledger() external view returns (IRevenueLedger);
}

/// @title Makes share tokens, so that their code is not the offering's
interface IModelTokenFactory {
    /// @notice Makes a token whose offering is the caller.
    function create(string calldata name, string calldata symbol, IRevenueLedger ledger, uint256 modelId)
        external
        returns (IModelToken token);
}
