// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OctetPoints} from "verifier_contracts/src/OctetPoints.sol";
import {SCALAR_ORDER, OctetTranscript} from "verifier_contracts/src/OctetTranscript.sol";

/// @title The opening of one multilinear polynomial at one point
/// @notice Mercury: eight points and six scalars show the value of a committed polynomial of any size. Its commitment is
///         a sum of multiples of columns' commitments, and is summed up together with the points of the opening.
/// @dev Twin of `circuits/octet/spec/mercury.py`, whose notation is kept: b is the length of a row of coefficients, u1
///      the lower half of the point's coordinates, u2 the rest; g, S and h are opened at z and 1/z, h at alpha too, D at
///      z alone. The six values are g(z), g(1/z), h(z), h(1/z), S(z), S(1/z).
library OctetOpening {
    /// @notice A challenge is zero, or z, 1/z and alpha are not three numbers.
    error UnusableChallenges();
    /// @notice The pairing equation does not hold: the polynomial has another value.
    error OpeningRejected();

    /// @notice What is to be shown, and where things lie.
    /// @param from where the opening begins in calldata.
    /// @param point where the coordinates lie in memory.
    /// @param nu how many there are.
    /// @param value the polynomial's value at the point.
    /// @param area memory for {OctetPoints} and for messages; its first word holds the transcript's state.
    /// @param points where the columns' commitments lie in memory, with room for nine points behind them.
    /// @param factors where their factors lie, with room for nine words behind them.
    /// @param columns how many commitments there are.
    /// @param negatedTau where -[tau]G2 lies in memory.
    struct Claim {
        uint256 from;
        uint256 point;
        uint256 nu;
        uint256 value;
        uint256 area;
        uint256 points;
        uint256 factors;
        uint256 columns;
        uint256 negatedTau;
    }

    /// @dev The challenges in the order in which they are drawn, and what follows from them.
    /// @param alpha after h.
    /// @param gamma after q and g.
    /// @param z after S and D.
    /// @param delta after the values.
    /// @param y after W.
    /// @param zeta after the last points.
    /// @param zInverse 1 / z.
    /// @param zPower z^b.
    /// @param linear 1 / (z - 1/z).
    /// @param atZ 1 / ((z - 1/z)(z - alpha)).
    /// @param atInverse 1 / ((1/z - z)(1/z - alpha)).
    /// @param atAlpha 1 / ((alpha - z)(alpha - 1/z)).
    struct Challenges {
        uint256 alpha;
        uint256 gamma;
        uint256 z;
        uint256 delta;
        uint256 y;
        uint256 zeta;
        uint256 zInverse;
        uint256 zPower;
        uint256 linear;
        uint256 atZ;
        uint256 atInverse;
        uint256 atAlpha;
    }

    /// @dev Places in {Challenges}, in bytes.
    uint256 private constant GAMMA = 0x20;
    uint256 private constant Z = 0x40;
    uint256 private constant DELTA = 0x60;
    uint256 private constant Y = 0x80;
    uint256 private constant ZETA = 0xa0;
    uint256 private constant Z_INVERSE = 0xc0;
    uint256 private constant Z_POWER = 0xe0;
    uint256 private constant LINEAR = 0x100;
    uint256 private constant AT_Z = 0x120;
    uint256 private constant AT_INVERSE = 0x140;
    uint256 private constant AT_ALPHA = 0x160;

    uint256 private constant MODEXP = 0x05;
    /// @dev Where the values begin in an opening, and where the points that follow them: W, W', pi.
    uint256 private constant VALUES = 0x140;
    uint256 private constant LATER_POINTS = 0x200;
    /// @dev Points of an opening, with the generator.
    uint256 internal constant POINTS = 9;

    /// @notice Reverts unless the polynomial has its value.
    function verify(Claim memory claim) internal view {
        Challenges memory drawn;
        uint256 r = SCALAR_ORDER;
        _draw(drawn, claim.area, claim.from, r);
        _invert(drawn, claim.area, r);
        unchecked {
            uint256 values = claim.from + VALUES;
            uint256 rows = _rowsAtAlpha(drawn, claim, values, r);
            uint256 factors = claim.factors + 32 * claim.columns;
            uint256 batch = _interpolants(drawn, values, rows, r);
            _setFactors(drawn, factors, values, batch, r);
            _setPoints(claim.from, claim.points, claim.columns);
            OctetPoints.sum(claim.area, claim.points, claim.factors, claim.columns + POINTS);
            uint256 last = claim.points + 64 * (claim.columns + 6);
            bool holds = OctetPoints.pair(claim.area, last, drawn.zeta, claim.negatedTau);
            if (!holds) revert OpeningRejected(); // check: opening
        }
    }

    /// @dev Absorbs h; q, g; S, D; the values; W; W', pi. Each message is hashed behind the state.
    function _draw(Challenges memory drawn, uint256 area, uint256 from, uint256 r) private pure {
        bool canonical;
        assembly ("memory-safe") {
            let message := add(area, 0x20)
            calldatacopy(message, from, 0x40)
            let state := keccak256(area, 0x60)
            mstore(area, state)
            mstore(drawn, mod(state, r))
            calldatacopy(message, add(from, 0x40), 0x80)
            state := keccak256(area, 0xa0)
            mstore(area, state)
            mstore(add(drawn, GAMMA), mod(state, r))
            calldatacopy(message, add(from, 0xc0), 0x80)
            state := keccak256(area, 0xa0)
            mstore(area, state)
            mstore(add(drawn, Z), mod(state, r))
            calldatacopy(message, add(from, VALUES), 0xc0)
            state := keccak256(area, 0xe0)
            mstore(area, state)
            mstore(add(drawn, DELTA), mod(state, r))
            canonical := and(lt(mload(add(area, 0xa0)), r), lt(mload(add(area, 0xc0)), r))
            canonical := and(canonical, and(lt(mload(add(area, 0x60)), r), lt(mload(add(area, 0x80)), r)))
            canonical := and(canonical, and(lt(mload(message), r), lt(mload(add(area, 0x40)), r)))
            calldatacopy(message, add(from, LATER_POINTS), 0x40)
            state := keccak256(area, 0x60)
            mstore(area, state)
            mstore(add(drawn, Y), mod(state, r))
            calldatacopy(message, add(from, add(LATER_POINTS, 0x40)), 0x80)
            mstore(add(drawn, ZETA), mod(keccak256(area, 0xa0), r))
        }
        if (!canonical) revert OctetTranscript.ScalarNotCanonical(); // check: canonical_scalars
    }

    /// @dev Every quotient there is comes from one inversion: of z (z^2 - 1)(z - alpha)(alpha z - 1).
    function _invert(Challenges memory drawn, uint256 area, uint256 r) private view {
        bool usable;
        assembly ("memory-safe") {
            let z := mload(add(drawn, Z))
            let alpha := mload(drawn)
            let square := mulmod(z, z, r)
            let a := add(square, sub(r, 1))
            let b := add(z, sub(r, alpha))
            let c := add(mulmod(alpha, z, r), sub(r, 1))
            let bc := mulmod(b, c, r)
            let product := mulmod(mulmod(z, a, r), bc, r)
            usable := iszero(iszero(mulmod(product, mulmod(alpha, mload(add(drawn, Y)), r), r)))
            mstore(area, 0x20)
            mstore(add(area, 0x20), 0x20)
            mstore(add(area, 0x40), 0x20)
            mstore(add(area, 0x60), product)
            mstore(add(area, 0x80), sub(r, 2))
            mstore(add(area, 0xa0), r)
            // By Fermat.
            usable := and(usable, staticcall(gas(), MODEXP, area, 0xc0, 0x00, 0x20))
            let inverse := mload(0x00)
            mstore(add(drawn, Z_INVERSE), mulmod(inverse, mulmod(a, bc, r), r))
            inverse := mulmod(inverse, square, r)
            mstore(add(drawn, AT_Z), mulmod(inverse, c, r))
            mstore(add(drawn, LINEAR), mulmod(inverse, bc, r))
            mstore(add(drawn, AT_INVERSE), mulmod(inverse, mulmod(z, b, r), r))
            mstore(add(drawn, AT_ALPHA), sub(r, mulmod(inverse, a, r)))
        }
        if (!usable) revert UnusableChallenges(); // check: usable_challenges
    }

    /// @dev h(alpha), which both inner products determine: <eq(u1), g> = h(alpha) and <eq(u2), h> = value.
    function _rowsAtAlpha(Challenges memory drawn, Claim memory claim, uint256 values, uint256 r)
        private
        pure
        returns (uint256 rows)
    {
        uint256 value = claim.value;
        uint256 atZ;
        uint256 atInverse;
        unchecked {
            uint256 middle = claim.point + 32 * ((claim.nu + 1) / 2);
            (atZ, atInverse) = _eqPolynomials(drawn, middle, claim.point + 32 * claim.nu, r);
            rows = _symmetric(values + 0x40, atZ, atInverse, r);
            // The last walk leaves z^b.
            (atZ, atInverse) = _eqPolynomials(drawn, claim.point, middle, r);
        }
        atZ = _symmetric(values, atZ, atInverse, r);
        assembly ("memory-safe") {
            let gamma := mload(add(drawn, GAMMA))
            rows := add(atZ, mulmod(gamma, rows, r))
            let remainder := mulmod(mload(add(drawn, Z)), calldataload(add(values, 0x80)), r)
            remainder := addmod(remainder, mulmod(mload(add(drawn, Z_INVERSE)), calldataload(add(values, 0xa0)), r), r)
            rows := mulmod(add(rows, sub(r, remainder)), shr(1, add(r, 1)), r)
            rows := addmod(rows, sub(r, mulmod(gamma, value, r)), r)
        }
    }

    /// @dev p(z) P(1/z) + p(1/z) P(z), for p(z) and p(1/z) in calldata; below 2r.
    function _symmetric(uint256 values, uint256 atZ, uint256 atInverse, uint256 r) private pure returns (uint256 sum) {
        assembly ("memory-safe") {
            sum := add(mulmod(calldataload(values), atInverse, r), mulmod(calldataload(add(values, 0x20)), atZ, r))
        }
    }

    /// @dev prod_j (1 - u_j + u_j x^(2^j)) over coordinates in memory, for x = z and x = 1/z. Leaves the power of z behind
    ///      the last.
    function _eqPolynomials(Challenges memory drawn, uint256 from, uint256 end, uint256 r)
        private
        pure
        returns (uint256 atZ, uint256 atInverse)
    {
        assembly ("memory-safe") {
            let power := mload(add(drawn, Z))
            let inverse := mload(add(drawn, Z_INVERSE))
            atZ := 1
            atInverse := 1
            for {} lt(from, end) { from := add(from, 0x20) } {
                let u := mload(from)
                let rest := sub(add(r, 1), u)
                atZ := mulmod(atZ, add(rest, mulmod(u, power, r)), r)
                atInverse := mulmod(atInverse, add(rest, mulmod(u, inverse, r)), r)
                power := mulmod(power, power, r)
                inverse := mulmod(inverse, inverse, r)
            }
            mstore(add(drawn, Z_POWER), power)
        }
    }

    /// @dev What the interpolants of g, S and h are at y, times their factors but zeta.
    function _interpolants(Challenges memory drawn, uint256 values, uint256 rows, uint256 r)
        private
        pure
        returns (uint256 total)
    {
        assembly ("memory-safe") {
            let y := mload(add(drawn, Y))
            let beyondZ := add(y, sub(r, mload(add(drawn, Z))))
            let beyondInverse := add(y, sub(r, mload(add(drawn, Z_INVERSE))))
            let beyondAlpha := add(y, sub(r, mload(drawn)))
            let delta := mload(add(drawn, DELTA))
            // g + delta S, linear through z and 1/z.
            total := add(calldataload(values), mulmod(delta, calldataload(add(values, 0x80)), r))
            total := mulmod(total, beyondInverse, r)
            let term := add(calldataload(add(values, 0x20)), mulmod(delta, calldataload(add(values, 0xa0)), r))
            total := add(total, sub(r, mulmod(term, beyondZ, r)))
            total := mulmod(mulmod(total, mload(add(drawn, LINEAR)), r), beyondAlpha, r)
            // h, quadratic through z, 1/z and alpha.
            term := mulmod(mulmod(calldataload(add(values, 0x40)), mload(add(drawn, AT_Z)), r), beyondInverse, r)
            let other := mulmod(calldataload(add(values, 0x60)), mload(add(drawn, AT_INVERSE)), r)
            term := mulmod(add(term, mulmod(other, beyondZ, r)), beyondAlpha, r)
            other := mulmod(mulmod(rows, mload(add(drawn, AT_ALPHA)), r), mulmod(beyondZ, beyondInverse, r), r)
            total := addmod(total, mulmod(mulmod(delta, delta, r), add(term, other), r), r)
        }
    }

    /// @dev Writes the factors of h, q, g, S, D, W, W', pi and the generator. The points of g and S leave out alpha, those
    ///      of D leave out 1/z and alpha, those of h nothing.
    function _setFactors(Challenges memory drawn, uint256 to, uint256 values, uint256 batch, uint256 r) private pure {
        assembly ("memory-safe") {
            let zeta := mload(add(drawn, ZETA))
            let delta := mload(add(drawn, DELTA))
            let y := mload(add(drawn, Y))
            let beyond := add(y, sub(r, mload(drawn)))
            mstore(add(to, 0x20), add(mload(drawn), sub(r, mload(add(drawn, Z_POWER))))) // q
            mstore(add(to, 0xc0), mulmod(zeta, y, r)) // W'
            mstore(add(to, 0xe0), mload(add(drawn, Z))) // pi
            let factor := mulmod(zeta, beyond, r)
            mstore(add(to, 0x40), factor) // g
            mstore(add(to, 0x60), mulmod(factor, delta, r)) // S
            let power := mulmod(delta, delta, r)
            mstore(to, mulmod(zeta, power, r)) // h
            beyond := mulmod(beyond, add(y, sub(r, mload(add(drawn, Z_INVERSE)))), r)
            power := mulmod(mulmod(power, delta, r), beyond, r)
            mstore(add(to, 0x80), mulmod(zeta, power, r)) // D
            beyond := mulmod(beyond, add(y, sub(r, mload(add(drawn, Z)))), r)
            mstore(add(to, 0xa0), sub(r, mulmod(zeta, beyond, r))) // W
            // D(z) = z^(b-1) g(1/z)
            factor := mulmod(mload(add(drawn, Z_POWER)), mload(add(drawn, Z_INVERSE)), r)
            factor := mulmod(factor, calldataload(add(values, 0x20)), r)
            batch := mulmod(zeta, add(batch, mulmod(power, factor, r)), r)
            mstore(add(to, 0x100), sub(r, addmod(calldataload(values), batch, r))) // generator
        }
    }

    /// @dev Copies h, q, g, S, D and W, W', pi behind the columns' commitments, then writes the generator.
    function _setPoints(uint256 from, uint256 points, uint256 columns) private pure {
        assembly ("memory-safe") {
            let to := add(points, shl(6, columns))
            calldatacopy(to, from, VALUES)
            calldatacopy(add(to, VALUES), add(from, LATER_POINTS), 0xc0)
            mstore(add(to, 0x200), 1)
            mstore(add(to, 0x220), 2)
        }
    }
}
