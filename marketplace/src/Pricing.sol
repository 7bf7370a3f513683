// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {FeeQuote, Payment} from "marketplace/src/IJobManager.sol";

/// @title What a settlement costs, and who gets which part of it
/// @dev Whole numbers of the token's smallest unit. The model's part is rounded up, so that it is never below what its
///      owner was promised; the platform's is rounded down. The parts always sum to the price.
library Pricing {
    /// @dev Millionths in a whole.
    uint256 internal constant PPM = 1_000_000;

    /// @notice The payment for a prover fee, with the least model fee that goes with it.
    function paymentFor(FeeQuote memory quote, uint256 proverFee) internal pure returns (Payment memory) {
        return split(quote, leastModelFee(quote, proverFee), proverFee);
    }

    /// @notice The least model fee: the floor, or what makes it `modelFeePpm` of the whole price, itself included.
    /// @dev m >= ppm / 10^6 * (m + rest) is m >= ppm * rest / (10^6 - ppm).
    function leastModelFee(FeeQuote memory quote, uint256 proverFee) internal pure returns (uint256) {
        uint256 rest = proverFee + quote.flatFee;
        uint256 part = Math.ceilDiv(rest * quote.modelFeePpm, PPM - quote.modelFeePpm);
        return Math.max(quote.modelFeeFloor, part);
    }

    /// @notice Takes the platform's part out of a model fee and adds the flat fee to it.
    function split(FeeQuote memory quote, uint256 modelFee, uint256 proverFee) internal pure returns (Payment memory) {
        uint256 part = modelFee * quote.platformPpm / PPM;
        return Payment({
            proverFee: SafeCast.toUint80(proverFee),
            revenue: SafeCast.toUint80(modelFee - part),
            platformAmount: SafeCast.toUint80(part + quote.flatFee)
        });
    }

    /// @notice The sum of the parts.
    function priceOf(Payment memory payment) internal pure returns (uint256) {
        // Three numbers of 80 bits.
        unchecked {
            return uint256(payment.proverFee) + payment.revenue + payment.platformAmount;
        }
    }

    /// @notice What a prover is offered at a time: rises from `minimum` to `maximum` within `rampSeconds`, then stays.
    function offerAt(uint80 minimum, uint80 maximum, uint256 openedAt, uint256 rampSeconds, uint256 time)
        internal
        pure
        returns (uint80)
    {
        uint256 elapsed = Math.saturatingSub(time, openedAt);
        if (elapsed >= rampSeconds) return maximum;
        // Below the maximum, so it fits.
        return uint80(minimum + uint256(maximum - minimum) * elapsed / rampSeconds);
    }
}
