// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IUniswapV2Factory} from "@uniswap/v2-core/contracts/interfaces/IUniswapV2Factory.sol";
import {ICreatorVault, VestingState} from "marketplace/src/ICreatorVault.sol";
import {IModelToken} from "marketplace/src/IModelToken.sol";
import {IRevenueLedger} from "marketplace/src/IRevenueLedger.sol";
import {PoolSeeding} from "marketplace/src/PoolSeeding.sol";

/// @title What is the creator's of one offering, but not yet
/// @dev A clone for each offering, so that the ledger's credits of one are never another's; creator, model and shares are
///      behind the clone's code. Pays by what it was given, never by its balances: a donation is nobody's.
contract CreatorVault is ICreatorVault, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;
    using SafeCast for uint256;

    address private immutable OFFERING;
    IRevenueLedger private immutable LEDGER;
    IERC20 private immutable TOKEN;
    IUniswapV2Factory private immutable POOLS;

    VestingState private _state;

    /// @param ledger_ where the shares' income is.
    /// @param pools_ the factory of the pools.
    /// @dev Deployed by the offering contract.
    constructor(IRevenueLedger ledger_, IUniswapV2Factory pools_) {
        OFFERING = msg.sender;
        LEDGER = ledger_;
        TOKEN = ledger_.token();
        POOLS = pools_;
    }

    modifier onlyOffering() {
        if (msg.sender != OFFERING) revert NotOffering(msg.sender, OFFERING);
        _;
    }

    /// @inheritdoc ICreatorVault
    function prepare() external onlyOffering {
        (,, IModelToken shares) = _facts();
        shares.delegate(address(this));
    }

    /// @inheritdoc ICreatorVault
    function start(uint256 raise, uint256 seedMoney, uint256 seedShares, uint32 vestingSeconds, uint32 lpLockSeconds)
        external
        nonReentrant
        onlyOffering
    {
        (,, IModelToken shares) = _facts();
        _state = VestingState({
            startedAt: uint40(block.timestamp),
            vestingSeconds: vestingSeconds,
            liquidityAt: uint40(block.timestamp + lpLockSeconds),
            money: (raise - seedMoney).toUint128(),
            shares: (shares.balanceOf(address(this)) - seedShares).toUint128(),
            moneyPaid: 0,
            sharesPaid: 0
        });
        address place = pool();
        uint256 liquidity = PoolSeeding.seed(place, shares, TOKEN, seedShares, seedMoney);
        emit PoolSeeded(place, seedMoney, seedShares, liquidity);
    }

    /// @inheritdoc ICreatorVault
    function forfeit() external nonReentrant onlyOffering returns (uint256 income) {
        return _takeIncome(OFFERING);
    }

    /// @inheritdoc ICreatorVault
    function payVested() external nonReentrant returns (uint256 money, uint256 shares) {
        (address to,, IModelToken token) = _facts();
        (money, shares) = vestedDue();
        if (money == 0 && shares == 0) revert NothingDue();

        _state.moneyPaid += uint128(money);
        _state.sharesPaid += uint128(shares);
        emit VestedPaid(money, shares);
        if (shares != 0) IERC20(address(token)).safeTransfer(to, shares);
        if (money != 0) TOKEN.safeTransfer(to, money);
    }

    /// @inheritdoc ICreatorVault
    function payIncome() external nonReentrant returns (uint256 amount) {
        if (_state.startedAt == 0) revert NotReleased();
        amount = _takeIncome(creator());
        if (amount == 0) revert NothingDue();
    }

    /// @inheritdoc ICreatorVault
    function payLiquidity() external nonReentrant returns (uint256 amount) {
        uint40 from = _state.liquidityAt;
        if (from == 0) revert NotReleased();
        if (block.timestamp < from) revert LiquidityLocked(from);
        IERC20 liquidity = IERC20(pool());
        amount = liquidity.balanceOf(address(this));
        if (amount == 0) revert NothingDue();
        emit LiquidityPaid(amount);
        liquidity.safeTransfer(creator(), amount);
    }

    /// @inheritdoc ICreatorVault
    function vesting() external view returns (VestingState memory) {
        return _state;
    }

    /// @inheritdoc ICreatorVault
    function vestedDue() public view returns (uint256 money, uint256 shares) {
        VestingState memory state = _state;
        if (state.startedAt == 0) revert NotReleased();
        uint256 elapsed = Math.min(block.timestamp - state.startedAt, state.vestingSeconds);
        money = uint256(state.money) * elapsed / state.vestingSeconds - state.moneyPaid;
        shares = uint256(state.shares) * elapsed / state.vestingSeconds - state.sharesPaid;
    }

    /// @inheritdoc ICreatorVault
    function pool() public view returns (address) {
        (,, IModelToken shares) = _facts();
        return POOLS.getPair(address(shares), address(TOKEN));
    }

    /// @inheritdoc ICreatorVault
    function creator() public view returns (address to) {
        (to,,) = _facts();
    }

    /// @dev Whatever the ledger owes this vault is income of its shares.
    function _takeIncome(address to) private returns (uint256 amount) {
        (, uint256 modelId,) = _facts();
        // slither-disable-next-line unused-return
        if (LEDGER.sharesDue(modelId, address(this)) != 0) LEDGER.claimShares(modelId, address(this));
        if (LEDGER.credits(address(this)) != 0) amount = LEDGER.withdraw(to);
        emit IncomePaid(to, amount);
    }

    function _facts() private view returns (address to, uint256 modelId, IModelToken shares) {
        return abi.decode(Clones.fetchCloneArgs(address(this)), (address, uint256, IModelToken));
    }
}
