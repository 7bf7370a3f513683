// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Sums of points of BN254 and the pairing, by the EVM's precompiles
/// @dev A precompile fails on a coordinate that is not below q and on a point that is not on the curve (EIP-196), so
///      whatever comes out of here was of points. Failing costs all the gas it was given.
library OctetPoints {
    /// @notice A coordinate is not below q, or a point is not on the curve.
    error NotAPoint();

    uint256 private constant ADD = 0x06;
    uint256 private constant MULTIPLY = 0x07;
    uint256 private constant PAIR = 0x08;

    /// @dev EIP-197's generator of G2: x.c1, x.c0, y.c1, y.c0.
    uint256 internal constant G2_X1 = 0x198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2;
    uint256 internal constant G2_X0 = 0x1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed;
    uint256 internal constant G2_Y1 = 0x090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b;
    uint256 internal constant G2_Y0 = 0x12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa;

    /// @notice Writes the sum of multiples of points to memory.
    /// @param area seven words of memory, of which the first two take the sum.
    /// @param points where the points lie in memory, one behind the other.
    /// @param factors where their factors lie.
    /// @param count how many, at least one.
    function sum(uint256 area, uint256 points, uint256 factors, uint256 count) internal view {
        bool success;
        assembly ("memory-safe") {
            let term := add(area, 0x40)
            let scalar := add(area, 0x80)
            mcopy(term, points, 0x40)
            mstore(scalar, mload(factors))
            let done := staticcall(gas(), MULTIPLY, term, 0x60, area, 0x40)
            for { let end := add(factors, shl(5, count)) } 1 {} {
                factors := add(factors, 0x20)
                points := add(points, 0x40)
                if iszero(lt(factors, end)) { break }
                mcopy(term, points, 0x40)
                mstore(scalar, mload(factors))
                done := and(done, staticcall(gas(), MULTIPLY, term, 0x60, term, 0x40))
                done := and(done, staticcall(gas(), ADD, area, 0x80, area, 0x40))
            }
            success := done
        }
        if (!success) revert NotAPoint(); // check: points_of_sum
    }

    /// @notice Whether e(left, [1]_2) e(base + factor point, g2) is one.
    /// @param area twelve words of memory, of which the first two hold `left`.
    /// @param point where the multiplied point lies in memory, and behind it the one it is added to.
    /// @param factor of the point.
    /// @param g2 where a point of G2 lies in memory.
    function pair(uint256 area, uint256 point, uint256 factor, uint256 g2) internal view returns (bool holds) {
        assembly ("memory-safe") {
            let right := add(area, 0xc0)
            let term := add(area, 0x100)
            mcopy(term, point, 0x40)
            mcopy(right, add(point, 0x40), 0x40)
            mstore(add(area, 0x140), factor)
            let done := staticcall(gas(), MULTIPLY, term, 0x60, term, 0x40)
            done := and(done, staticcall(gas(), ADD, right, 0x80, right, 0x40))
            mstore(add(area, 0x40), G2_X1)
            mstore(add(area, 0x60), G2_X0)
            mstore(add(area, 0x80), G2_Y1)
            mstore(add(area, 0xa0), G2_Y0)
            mcopy(add(area, 0x100), g2, 0x80)
            done := and(done, staticcall(gas(), PAIR, area, 0x180, 0x00, 0x20))
            holds := and(done, eq(mload(0x00), 1))
        }
    }
}
