// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {FeeQuote, Payment} from "marketplace/src/IJobManager.sol";

/// @notice Prices by their definitions, searched for and not solved.
abstract contract FeeSpecification {
    /// @dev The least m that is at least the floor and at least `modelFeePpm` of m + proverFee + flatFee.
    function slowModelFee(FeeQuote memory quote, uint256 proverFee) internal pure returns (uint256 fee) {
        uint256 rest = proverFee + quote.flatFee;
        fee = rest * quote.modelFeePpm / (1_000_000 - quote.modelFeePpm);
        while (fee * 1_000_000 < quote.modelFeePpm * (fee + rest)) ++fee;
        while (fee != 0 && (fee - 1) * 1_000_000 >= quote.modelFeePpm * (fee - 1 + rest)) --fee;
        if (fee < quote.modelFeeFloor) fee = quote.modelFeeFloor;
    }

    function slowPayment(FeeQuote memory quote, uint256 proverFee) internal pure returns (Payment memory) {
        return slowSplit(quote, slowModelFee(quote, proverFee), proverFee);
    }

    function slowSplit(FeeQuote memory quote, uint256 modelFee, uint256 proverFee)
        internal
        pure
        returns (Payment memory payment)
    {
        uint256 part = modelFee * quote.platformPpm / 1_000_000;
        payment.proverFee = uint80(proverFee);
        payment.revenue = uint80(modelFee - part);
        payment.platformAmount = uint80(part + quote.flatFee);
    }

    function total(Payment memory payment) internal pure returns (uint256) {
        return uint256(payment.proverFee) + payment.revenue + payment.platformAmount;
    }

    /// @dev The greatest whole offer that is not above the straight line from `low` to `high`.
    function slowOffer(uint256 low, uint256 high, uint256 ramp, uint256 elapsed) internal pure returns (uint256 offer) {
        if (elapsed >= ramp) return high;
        uint256 step = 1 << 80;
        offer = low;
        for (; step != 0; step >>= 1) {
            if (offer + step <= high && (offer + step - low) * ramp <= (high - low) * elapsed) offer += step;
        }
    }

    /// @dev The least collateral that is at least `ppm` of the price.
    function slowCollateral(uint256 price, uint256 least, uint256 ppm) internal pure returns (uint256 collateral) {
        collateral = price * ppm / 1_000_000;
        if (collateral * 1_000_000 < price * ppm) ++collateral;
        if (collateral < least) collateral = least;
    }
}
