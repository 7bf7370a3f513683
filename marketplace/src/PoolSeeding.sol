// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IUniswapV2Pair} from "@uniswap/v2-core/contracts/interfaces/IUniswapV2Pair.sol";

/// @title Seeds a pool of Uniswap v2 at exactly the intended reserves, whatever was donated to it before
/// @dev Until now nobody could move shares, so the pool has none and no liquidity; it may have any money, and its reserve
///      may say so ({IUniswapV2Pair-sync}). Such a reserve would move the price and make a router refuse. It is bought
///      out: one unit of shares is synced in, which makes the product of the reserves the donation itself, and half of
///      the seed's shares then buy all of it but for a few units. What remains counts as a part of the seed.
library PoolSeeding {
    using SafeERC20 for IERC20;

    /// @notice Seeds `pool`; the caller holds shares and money, and gets the liquidity.
    /// @return liquidity what was minted, less the thousand units that Uniswap burns.
    function seed(address pool, IERC20 shares, IERC20 money, uint256 seedShares, uint256 seedMoney)
        internal
        returns (uint256 liquidity)
    {
        IUniswapV2Pair pair = IUniswapV2Pair(pool);
        // What nobody synced goes out first: it is not in the reserves.
        pair.skim(address(this));
        (uint256 usedShares, uint256 usedMoney) = _buyOut(pair, shares, seedShares);
        shares.safeTransfer(pool, seedShares - usedShares);
        money.safeTransfer(pool, seedMoney - usedMoney);
        return pair.mint(address(this));
    }

    /// @return usedShares units of shares that are in the pool now.
    /// @return usedMoney units of the donation that could not be bought out.
    function _buyOut(IUniswapV2Pair pair, IERC20 shares, uint256 seedShares)
        private
        returns (uint256 usedShares, uint256 usedMoney)
    {
        bool sharesFirst = pair.token0() == address(shares);
        (uint256 reserve0, uint256 reserve1,) = pair.getReserves();
        uint256 donated = sharesFirst ? reserve1 : reserve0;
        if (donated == 0) return (0, 0);

        shares.safeTransfer(address(pair), 1);
        pair.sync();
        uint256 paid = seedShares / 2;
        shares.safeTransfer(address(pair), paid);
        // The pool's rule with its fee: (1000 (1 + paid) - 3 paid) (1000 left) >= 1000^2 * 1 * donated.
        usedMoney = Math.ceilDiv(donated * 1000, 1000 + 997 * paid);
        usedShares = 1 + paid;
        if (usedMoney < donated) {
            uint256 bought = donated - usedMoney;
            pair.swap(sharesFirst ? 0 : bought, sharesFirst ? bought : 0, address(this), "");
        }
    }
}
