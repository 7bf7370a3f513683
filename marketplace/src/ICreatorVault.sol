// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What a vault was given at the release.
/// @param startedAt chain time of the release; zero before.
/// @param vestingSeconds over which money and shares vest, evenly.
/// @param liquidityAt when the pool's liquidity is the creator's.
/// @param money that vests, in the payment token's smallest unit.
/// @param shares that vest, in units.
/// @param moneyPaid of it so far.
/// @param sharesPaid of it so far.
struct VestingState {
    uint40 startedAt;
    uint32 vestingSeconds;
    uint40 liquidityAt;
    uint128 money;
    uint128 shares;
    uint128 moneyPaid;
    uint128 sharesPaid;
}

/// @title What is the creator's of one offering, but not yet
/// @notice Holds the creator's shares from the soft lock on and their income; from the release on also the rest of the
///         raise and the pool's liquidity. What it pays goes to the creator and nobody else, whoever asks.
interface ICreatorVault {
    /// @notice The pool was seeded; reserves are exactly these.
    event PoolSeeded(address indexed pool, uint256 money, uint256 shares, uint256 liquidity);
    /// @notice Something vested was paid.
    event VestedPaid(uint256 money, uint256 shares);
    /// @notice The income of the vault's shares was paid.
    event IncomePaid(address indexed to, uint256 amount);
    /// @notice The pool's liquidity was paid.
    event LiquidityPaid(uint256 amount);

    /// @notice Only the offering contract may.
    error NotOffering(address caller, address offering);
    /// @notice The offering is not released.
    error NotReleased();
    /// @notice The liquidity is locked until then.
    error LiquidityLocked(uint40 until);
    /// @notice Nothing is due.
    error NothingDue();

    /// @notice Lets the votes of the vault's shares count as nobody's; the offering may.
    function prepare() external;

    /// @notice Seeds the pool with what the offering sent, locks its liquidity, and begins to vest the rest; the
    ///         offering may, once.
    /// @param raise what the offering sent.
    /// @param seedMoney the part for the pool.
    /// @param seedShares the shares for the pool.
    function start(uint256 raise, uint256 seedMoney, uint256 seedShares, uint32 vestingSeconds, uint32 lpLockSeconds)
        external;

    /// @notice Sends the held income to the offering, after a default; the offering may.
    function forfeit() external returns (uint256 income);

    /// @notice Pays what has vested to the creator; anyone may.
    function payVested() external returns (uint256 money, uint256 shares);

    /// @notice Pays the income of the vault's shares to the creator, once released; anyone may.
    function payIncome() external returns (uint256 amount);

    /// @notice Pays the pool's liquidity to the creator, once unlocked; anyone may.
    function payLiquidity() external returns (uint256 amount);

    /// @notice What vests, and how.
    function vesting() external view returns (VestingState memory);

    /// @notice What {payVested} would pay now.
    function vestedDue() external view returns (uint256 money, uint256 shares);

    /// @notice The pool of shares and payment token.
    function pool() external view returns (address);

    /// @notice Whom it pays.
    function creator() external view returns (address);
}
