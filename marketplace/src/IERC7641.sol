// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @title ERC-7641: a token whose holders share revenue
interface IERC7641 is IERC20 {
    /// @notice What {claim} would pay the account for this snapshot now.
    function claimableRevenue(address account, uint256 snapshotId) external view returns (uint256);

    /// @notice Pays the caller's revenue; once for each snapshot.
    function claim(uint256 snapshotId) external;

    /// @notice Pins the revenue so far.
    function snapshot() external returns (uint256);

    /// @notice What burning the amount would pay.
    function redeemableOnBurn(uint256 amount) external view returns (uint256);

    /// @notice Destroys shares of the caller's.
    function burn(uint256 amount) external;
}
