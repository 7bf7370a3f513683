// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OctetKey} from "verifier_contracts/src/OctetKey.sol";
import {SCALAR_ORDER} from "verifier_contracts/src/OctetTranscript.sol";

/// @title What holds on every row of OCTET's columns, at the one point where the verifier looks
/// @notice The row constraints (bytes, saturation, maxima, tables), each times its power of lambda, and the balances of
///         the lookups. Columns' values are the prover's claims; their order is that of the commitments.
/// @dev Twin of `circuits/octet/spec/logup.py` and of `polynomial` in `first_sum.py`; the order of terms is theirs.
library OctetRows {
    /// @dev Where things are in memory, and what the walk over the powers of lambda has added up.
    /// @param claimed the claim of column Y, with those of all columns behind it.
    /// @param limbs how many columns hold bytes.
    /// @param helper the claim of the first helper; after the limbs' groups, that of HT.
    /// @param power the next power of lambda.
    /// @param total the constraints.
    /// @param helpers the sum of the limbs' helpers.
    /// @param argument u, the low byte of the row's number.
    /// @param alpha the challenge of the lookups.
    /// @param beta the challenge that binds a table's value to its argument, set where there are tables.
    /// @param order of the field.
    struct Walk {
        uint256 claimed;
        uint256 limbs;
        uint256 helper;
        uint256 power;
        uint256 total;
        uint256 helpers;
        uint256 argument;
        uint256 alpha;
        uint256 beta;
        uint256 order;
    }

    /// @dev Places in a {Walk}, in bytes.
    uint256 private constant HELPER = 0x40;
    uint256 private constant POWER = 0x60;
    uint256 private constant TOTAL = 0x80;
    uint256 private constant ARGUMENT = 0xc0;
    uint256 private constant ALPHA = 0xe0;
    uint256 private constant BETA = 0x100;
    uint256 private constant ORDER = 0x120;
    /// @dev Bytes of a row's index bits that a table's argument has, in memory.
    uint256 private constant ARGUMENT_BYTES = 256;
    /// @dev Limb columns that share a helper, in bytes of claims.
    uint256 private constant GROUP_BYTES = 128;

    /// @notice What the claims make of the row constraints and balances at rho.
    /// @param base where the key begins in memory; challenges, rho, lambda's powers, the claims and the tables' queries
    ///        are there.
    function valueAtRho(uint256 base) internal pure returns (uint256 value) {
        unchecked {
            uint256 shape = OctetKey.word(base, OctetKey.SHAPE_WORD);
            uint256 frame = OctetKey.word(base, OctetKey.FRAME_WORD);
            Walk memory walk;
            walk.order = SCALAR_ORDER;
            walk.claimed = OctetKey.place(base, frame, OctetKey.EV);
            walk.limbs = OctetKey.limbColumns(shape);
            walk.helper = walk.claimed + 32 * OctetKey.field(shape, OctetKey.FIRST_COLUMNS);
            walk.power = OctetKey.place(base, frame, OctetKey.LAMBDA);
            walk.alpha = _load(OctetKey.inFrame(base, frame, OctetKey.ALPHA));
            uint256 tables = OctetKey.field(shape, OctetKey.TABLES);
            uint256 nu = OctetKey.field(shape, OctetKey.NU);

            _limbGroups(walk);
            _limbTable(walk, OctetKey.inFrame(base, frame, OctetKey.RHO), nu, tables);
            _saturation(walk, OctetKey.field(shape, OctetKey.SATURATION));
            uint256 slots = OctetKey.field(shape, OctetKey.SLOTS);
            if (slots != 0) _maximum(walk, slots);
            if (tables != 0) _tables(walk, base);
            uint256 equal = OctetKey.inFrame(base, frame, OctetKey.EQ_TAU_RHO) + 32 * nu;
            value = _balances(walk, tables);
            assembly ("memory-safe") {
                let r := mload(add(walk, ORDER))
                value := addmod(value, mulmod(mload(add(walk, TOTAL)), mload(equal), r), r)
            }
        }
    }

    /// @dev For each group of up to four limb columns: H = sum of 1 / (alpha + limb), without denominators.
    function _limbGroups(Walk memory walk) private pure {
        uint256 claimed = walk.claimed;
        uint256 limbs = walk.limbs;
        uint256 helper = walk.helper;
        uint256 power = walk.power;
        uint256 alpha = walk.alpha;
        uint256 total;
        uint256 helpers;
        assembly ("memory-safe") {
            let r := mload(add(walk, ORDER))
            let end := add(claimed, shl(5, limbs))
            for { let last := sub(end, GROUP_BYTES) } iszero(gt(claimed, last)) { claimed := add(claimed, GROUP_BYTES) }
            {
                let a := add(alpha, mload(claimed))
                let b := add(alpha, mload(add(claimed, 0x20)))
                let c := add(alpha, mload(add(claimed, 0x40)))
                let d := add(alpha, mload(add(claimed, 0x60)))
                let value := add(mulmod(add(a, b), mulmod(c, d, r), r), mulmod(add(c, d), mulmod(a, b, r), r))
                value := add(
                    mulmod(mload(helper), mulmod(mulmod(a, b, r), mulmod(c, d, r), r), r),
                    sub(add(r, r), value)
                )
                total := addmod(total, mulmod(value, mload(power), r), r)
                helpers := addmod(helpers, mload(helper), r)
                helper := add(helper, 0x20)
                power := add(power, 0x20)
            }
            // A last group of fewer: the product of the denominators, and the sum of the products that leave one out.
            if lt(claimed, end) {
                let product := 1
                let partials := 0
                for {} lt(claimed, end) { claimed := add(claimed, 0x20) } {
                    let denominator := add(alpha, mload(claimed))
                    partials := add(mulmod(partials, denominator, r), product)
                    product := mulmod(product, denominator, r)
                }
                product := add(mulmod(mload(helper), product, r), sub(add(r, r), partials))
                total := addmod(total, mulmod(product, mload(power), r), r)
                helpers := addmod(helpers, mload(helper), r)
                helper := add(helper, 0x20)
                power := add(power, 0x20)
            }
        }
        walk.helper = helper;
        walk.power = power;
        walk.total = total;
        walk.helpers = helpers;
    }

    /// @dev HT (alpha + u) = sel M, where sel says that the row is below 256: those rows hold the table of bytes.
    function _limbTable(Walk memory walk, uint256 rho, uint256 nu, uint256 tables) private pure {
        uint256 multiplicity;
        unchecked {
            // Column V comes first where there are tables.
            multiplicity = walk.claimed + 32 * (walk.limbs + (tables == 0 ? 0 : 1));
        }
        uint256 helper = walk.helper;
        uint256 power = walk.power;
        uint256 total = walk.total;
        uint256 alpha = walk.alpha;
        uint256 argument;
        assembly ("memory-safe") {
            let r := mload(add(walk, ORDER))
            argument := add(mload(add(rho, 0xc0)), mulmod(2, mload(add(rho, 0xe0)), r))
            argument := add(mload(add(rho, 0xa0)), mulmod(2, argument, r))
            argument := add(mload(add(rho, 0x80)), mulmod(2, argument, r))
            argument := add(mload(add(rho, 0x60)), mulmod(2, argument, r))
            argument := add(mload(add(rho, 0x40)), mulmod(2, argument, r))
            argument := add(mload(add(rho, 0x20)), mulmod(2, argument, r))
            argument := addmod(mload(rho), mulmod(2, argument, r), r)
            let high := add(rho, ARGUMENT_BYTES)
            let selector := mload(multiplicity)
            for { let end := add(rho, shl(5, nu)) } lt(high, end) { high := add(high, 0x20) } {
                selector := mulmod(selector, sub(add(r, 1), mload(high)), r)
            }
            let value := add(mulmod(mload(helper), add(alpha, argument), r), sub(r, selector))
            total := addmod(total, mulmod(value, mload(power), r), r)
        }
        walk.total = total;
        walk.argument = argument;
        unchecked {
            walk.power = power + 32;
        }
    }

    /// @dev P (255 - Y) = 0 and N Y = 0. P and N are numbers of `limbs` digits of base 256, the lowest first.
    function _saturation(Walk memory walk, uint256 limbs) private pure {
        uint256 claimed = walk.claimed;
        uint256 power = walk.power;
        uint256 total = walk.total;
        assembly ("memory-safe") {
            let r := SCALAR_ORDER
            let y := mload(claimed)
            let above := add(claimed, shl(5, limbs))
            let below := add(above, shl(5, limbs))
            let p := mload(above)
            let n := mload(below)
            for { let lowest := add(claimed, 0x20) } gt(above, lowest) {} {
                above := sub(above, 0x20)
                below := sub(below, 0x20)
                p := addmod(mulmod(p, 256, r), mload(above), r)
                n := addmod(mulmod(n, 256, r), mload(below), r)
            }
            p := mulmod(p, sub(add(r, 255), y), r)
            total := addmod(total, mulmod(p, mload(power), r), r)
            n := mulmod(n, y, r)
            total := addmod(total, mulmod(n, mload(add(power, 0x20)), r), r)
        }
        walk.total = total;
        unchecked {
            walk.power = power + 64;
        }
    }

    /// @dev The product of all differences is 0: they are the last limb columns.
    function _maximum(Walk memory walk, uint256 slots) private pure {
        uint256 claimed = walk.claimed;
        uint256 limbs = walk.limbs;
        uint256 power = walk.power;
        uint256 total = walk.total;
        assembly ("memory-safe") {
            let r := SCALAR_ORDER
            let product := mload(power)
            let end := add(claimed, shl(5, limbs))
            for { let difference := sub(end, shl(5, slots)) } lt(difference, end) {
                difference := add(difference, 0x20)
            } { product := mulmod(product, mload(difference), r) }
            total := addmod(total, product, r)
        }
        walk.total = total;
        unchecked {
            walk.power = power + 32;
        }
    }

    /// @dev Every table's query and table side, then V = 0 on rows that ask nothing. Behind V come the multiplicities of
    ///      bytes and of each table, behind HT two helpers for each table.
    function _tables(Walk memory walk, uint256 base) private pure {
        unchecked {
            uint256 descriptor =
                OctetKey.place(base, OctetKey.word(base, OctetKey.PLACES_WORD), OctetKey.TABLE_DESCRIPTORS);
            uint256 query = OctetKey.place(base, OctetKey.word(base, OctetKey.FRAME_WORD), OctetKey.QUERIES);
            uint256 value = walk.claimed + 32 * walk.limbs;
            uint256 tables = OctetKey.field(OctetKey.word(base, OctetKey.SHAPE_WORD), OctetKey.TABLES);
            walk.beta = _load(OctetKey.inFrame(base, OctetKey.word(base, OctetKey.FRAME_WORD), OctetKey.BETA));
            uint256 silent = 1;
            for (uint256 i; i < tables; ++i) {
                silent = _table(walk, descriptor + 32 * i, query + 64 * i, value, i, silent);
            }
            _silence(walk, value, silent);
        }
    }

    /// @dev H (alpha + Y + beta V + beta^2 id) = q and HT (alpha + u + beta T + beta^2 id) = sel M.
    function _table(Walk memory walk, uint256 descriptor, uint256 query, uint256 v, uint256 index, uint256 silent)
        private
        pure
        returns (uint256 rest)
    {
        assembly ("memory-safe") {
            let r := mload(add(walk, ORDER))
            let helper := add(add(mload(add(walk, HELPER)), 0x20), shl(6, index))
            let power := mload(add(walk, POWER))
            let beta := mload(add(walk, BETA))
            let key := addmod(mload(add(walk, ALPHA)), mulmod(mulmod(beta, beta, r), shr(16, mload(descriptor)), r), r)
            let value := addmod(mload(mload(walk)), mulmod(beta, mload(v), r), r)
            value := add(mulmod(mload(helper), add(key, value), r), sub(r, mload(query)))
            value := mulmod(value, mload(power), r)
            mstore(add(walk, TOTAL), addmod(mload(add(walk, TOTAL)), value, r))
            value := mulmod(beta, mload(add(mload(walk), shl(5, and(mload(descriptor), 0xffff)))), r)
            value := addmod(add(key, mload(add(walk, ARGUMENT))), value, r)
            value := mulmod(mload(add(helper, 0x20)), value, r)
            key := mload(add(add(v, 0x40), shl(5, index)))
            value := add(value, sub(r, mulmod(mload(add(query, 0x20)), key, r)))
            value := mulmod(value, mload(add(power, 0x20)), r)
            mstore(add(walk, TOTAL), addmod(mload(add(walk, TOTAL)), value, r))
            mstore(add(walk, POWER), add(power, 0x40))
            rest := addmod(silent, sub(r, mload(query)), r)
        }
    }

    /// @dev (1 - sum of all queries) V = 0.
    function _silence(Walk memory walk, uint256 v, uint256 silent) private pure {
        assembly ("memory-safe") {
            let r := mload(add(walk, ORDER))
            let power := mload(add(walk, POWER))
            let value := mulmod(mulmod(silent, mload(v), r), mload(power), r)
            mstore(add(walk, TOTAL), addmod(mload(add(walk, TOTAL)), value, r))
            mstore(add(walk, POWER), add(power, 0x20))
        }
    }

    /// @dev The sum of the limbs' helpers is that of the bytes' table, and each table's query side is its table side.
    function _balances(Walk memory walk, uint256 tables) private pure returns (uint256 total) {
        uint256 helper = walk.helper;
        uint256 helpers = walk.helpers;
        uint256 power = walk.power;
        assembly ("memory-safe") {
            let r := mload(add(walk, ORDER))
            let difference := add(helpers, sub(r, mload(helper)))
            total := mulmod(difference, mload(power), r)
            for { let end := add(power, shl(5, tables)) } lt(power, end) {} {
                power := add(power, 0x20)
                difference := add(mload(add(helper, 0x20)), sub(r, mload(add(helper, 0x40))))
                total := addmod(total, mulmod(difference, mload(power), r), r)
                helper := add(helper, 0x40)
            }
        }
    }

    function _load(uint256 from) private pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := mload(from)
        }
    }
}
