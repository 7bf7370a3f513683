// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Instructions of a plan: tables of weights, and sums over them
/// @dev See {OctetPlan}; `word` begins with the instruction, `r` is the order of the scalar field. Source:
///      circuits/octet/chain/instructions.py (TABLE, OUTER, INNER).
library OctetTables {
    /// @dev A slot, times 32, wherever it is shifted to.
    uint256 private constant SLOT = 0x1fffe0;

    /// @dev d a p b q e: sum_{i < p, j < q} a[i] b[j] e[i q + j]. The sum of five products is below 2^256.
    function inner(uint256 base, uint256 word, uint256 r) internal pure {
        uint256 a;
        uint256 b;
        uint256 e;
        uint256 end;
        uint256 inside;
        assembly ("memory-safe") {
            a := add(base, and(shr(211, word), SLOT))
            b := add(base, and(shr(179, word), SLOT))
            e := add(base, and(shr(147, word), SLOT))
            end := add(a, and(shr(195, word), SLOT))
            inside := and(shr(163, word), SLOT)
        }
        uint256 total;
        if (inside == 0xa0) total = _rowsOfFive(a, b, e, end, r);
        else if (inside == 0x60) total = _rowsOfThree(a, b, e, end, r);
        else if (inside == 0x100) total = _rowsOfEight(a, b, e, end, r);
        else if (inside == 0x140) total = _rowsOfTen(a, b, e, end, r);
        else total = _rows(a, b, e, end, r, inside);
        assembly ("memory-safe") {
            mstore(add(base, and(shr(227, word), SLOT)), total)
        }
    }

    /// @dev Kernels of 3 x 3.
    function _rowsOfThree(uint256 a, uint256 b, uint256 e, uint256 end, uint256 r)
        private
        pure
        returns (uint256 total)
    {
        assembly ("memory-safe") {
            for {} lt(a, end) { a := add(a, 0x20) } {
                let part := add(mulmod(mload(b), mload(e), r), mulmod(mload(add(b, 0x20)), mload(add(e, 0x20)), r))
                part := add(part, mulmod(mload(add(b, 0x40)), mload(add(e, 0x40)), r))
                total := addmod(total, mulmod(part, mload(a), r), r)
                e := add(e, 0x60)
            }
        }
    }

    /// @dev Kernels of 5 x 5.
    function _rowsOfFive(uint256 a, uint256 b, uint256 e, uint256 end, uint256 r) private pure returns (uint256 total) {
        assembly ("memory-safe") {
            for {} lt(a, end) { a := add(a, 0x20) } {
                let part := add(mulmod(mload(b), mload(e), r), mulmod(mload(add(b, 0x20)), mload(add(e, 0x20)), r))
                part := add(part, mulmod(mload(add(b, 0x40)), mload(add(e, 0x40)), r))
                part := add(part, mulmod(mload(add(b, 0x60)), mload(add(e, 0x60)), r))
                part := add(part, mulmod(mload(add(b, 0x80)), mload(add(e, 0x80)), r))
                total := addmod(total, mulmod(part, mload(a), r), r)
                e := add(e, 0xa0)
            }
        }
    }

    /// @dev Public words: the eight factors of a row stay on the stack, and `b` becomes a row's sum.
    function _rowsOfEight(uint256 a, uint256 b, uint256 e, uint256 end, uint256 r)
        private
        pure
        returns (uint256 total)
    {
        assembly ("memory-safe") {
            let b0 := mload(b)
            let b1 := mload(add(b, 0x20))
            let b2 := mload(add(b, 0x40))
            let b3 := mload(add(b, 0x60))
            let b4 := mload(add(b, 0x80))
            let b5 := mload(add(b, 0xa0))
            let b6 := mload(add(b, 0xc0))
            let b7 := mload(add(b, 0xe0))
            let at := e
            for {} lt(a, end) { a := add(a, 0x20) } {
                b := mulmod(mload(at), b0, r)
                b := add(mulmod(mload(add(at, 0x20)), b1, r), b)
                b := add(mulmod(mload(add(at, 0x40)), b2, r), b)
                b := add(mulmod(mload(add(at, 0x60)), b3, r), b)
                b := addmod(mulmod(mload(add(at, 0x80)), b4, r), b, r)
                b := add(mulmod(mload(add(at, 0xa0)), b5, r), b)
                b := add(mulmod(mload(add(at, 0xc0)), b6, r), b)
                b := add(mulmod(mload(add(at, 0xe0)), b7, r), b)
                b := mulmod(b, mload(a), r)
                total := addmod(total, b, r)
                at := add(at, 0x100)
            }
        }
    }

    /// @dev Outputs of ten classes.
    function _rowsOfTen(uint256 a, uint256 b, uint256 e, uint256 end, uint256 r) private pure returns (uint256 total) {
        assembly ("memory-safe") {
            for {} lt(a, end) { a := add(a, 0x20) } {
                let part := add(mulmod(mload(b), mload(e), r), mulmod(mload(add(b, 0x20)), mload(add(e, 0x20)), r))
                part := add(part, mulmod(mload(add(b, 0x40)), mload(add(e, 0x40)), r))
                part := add(part, mulmod(mload(add(b, 0x60)), mload(add(e, 0x60)), r))
                part := addmod(part, mulmod(mload(add(b, 0x80)), mload(add(e, 0x80)), r), r)
                part := add(part, mulmod(mload(add(b, 0xa0)), mload(add(e, 0xa0)), r))
                part := add(part, mulmod(mload(add(b, 0xc0)), mload(add(e, 0xc0)), r))
                part := add(part, mulmod(mload(add(b, 0xe0)), mload(add(e, 0xe0)), r))
                part := addmod(part, mulmod(mload(add(b, 0x100)), mload(add(e, 0x100)), r), r)
                part := add(part, mulmod(mload(add(b, 0x120)), mload(add(e, 0x120)), r))
                total := addmod(total, mulmod(part, mload(a), r), r)
                e := add(e, 0x140)
            }
        }
    }

    /// @dev Rows of any length, four products a turn.
    function _rows(uint256 a, uint256 b, uint256 e, uint256 end, uint256 r, uint256 inside)
        private
        pure
        returns (uint256 total)
    {
        assembly ("memory-safe") {
            for {} lt(a, end) { a := add(a, 0x20) } {
                let part := 0
                let limit := add(e, and(inside, not(0x7f)))
                for {} lt(e, limit) {} {
                    part := addmod(
                        part,
                        add(mulmod(mload(b), mload(e), r), mulmod(mload(add(b, 0x20)), mload(add(e, 0x20)), r)),
                        r
                    )
                    part := add(part, mulmod(mload(add(b, 0x40)), mload(add(e, 0x40)), r))
                    part := add(part, mulmod(mload(add(b, 0x60)), mload(add(e, 0x60)), r))
                    b := add(b, 0x80)
                    e := add(e, 0x80)
                }
                for { limit := add(e, and(inside, 0x60)) } lt(e, limit) { e := add(e, 0x20) } {
                    part := addmod(part, mulmod(mload(b), mload(e), r), r)
                    b := add(b, 0x20)
                }
                b := sub(b, inside)
                total := addmod(total, mulmod(part, mload(a), r), r)
            }
        }
    }

    /// @dev d a n: d[i] = eq(a, i). Two coordinates make a table of four, and every further one doubles it.
    function table(uint256 base, uint256 word, uint256 r) internal pure {
        assembly ("memory-safe") {
            let d := add(base, and(shr(227, word), SLOT))
            let a := add(base, and(shr(211, word), SLOT))
            let end := add(a, and(shr(203, word), 0x1fe0))
            switch sub(end, a)
            case 0 { mstore(d, 1) }
            case 0x20 {
                let coordinate := mload(a)
                mstore(d, addmod(1, sub(r, coordinate), r))
                mstore(add(d, 0x20), coordinate)
            }
            default {
                let low := mload(a)
                let high := mload(add(a, 0x20))
                let both := mulmod(low, high, r)
                mstore(add(d, 0x60), both)
                both := sub(r, both)
                mstore(add(d, 0x20), addmod(low, both, r))
                mstore(add(d, 0x40), addmod(high, both, r))
                mstore(d, mod(sub(add(shl(2, r), 1), add(add(low, high), both)), r))
            }
            let size := 0x80
            for { a := add(a, 0x40) } lt(a, end) { a := add(a, 0x20) } {
                let coordinate := mload(a)
                let from := d
                let to := add(d, size)
                for { let limit := to } lt(from, limit) {} {
                    let weight := mload(from)
                    let one := mulmod(weight, coordinate, r)
                    mstore(to, one)
                    mstore(from, addmod(weight, sub(r, one), r))
                    weight := mload(add(from, 0x20))
                    one := mulmod(weight, coordinate, r)
                    mstore(add(to, 0x20), one)
                    mstore(add(from, 0x20), addmod(weight, sub(r, one), r))
                    weight := mload(add(from, 0x40))
                    one := mulmod(weight, coordinate, r)
                    mstore(add(to, 0x40), one)
                    mstore(add(from, 0x40), addmod(weight, sub(r, one), r))
                    weight := mload(add(from, 0x60))
                    one := mulmod(weight, coordinate, r)
                    mstore(add(to, 0x60), one)
                    mstore(add(from, 0x60), addmod(weight, sub(r, one), r))
                    from := add(from, 0x80)
                    to := add(to, 0x80)
                }
                size := shl(1, size)
            }
        }
    }

    /// @dev d a p b q: d[i q + j] = a[i] b[j].
    function outer(uint256 base, uint256 word, uint256 r) internal pure {
        assembly ("memory-safe") {
            let d := add(base, and(shr(227, word), SLOT))
            let a := add(base, and(shr(211, word), SLOT))
            let b := add(base, and(shr(179, word), SLOT))
            let limit := add(b, and(shr(163, word), SLOT))
            for { let end := add(a, and(shr(195, word), SLOT)) } lt(a, end) { a := add(a, 0x20) } {
                let left := mload(a)
                for { let at := b } lt(at, limit) { at := add(at, 0x20) } {
                    mstore(d, mulmod(left, mload(at), r))
                    d := add(d, 0x20)
                }
            }
        }
    }
}
