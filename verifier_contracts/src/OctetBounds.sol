// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Instructions of a plan: products over the bits of an index, and sums up to a bound
/// @dev See {OctetPlan}; `word` begins with the instruction, `r` is the order of the scalar field. Source:
///      circuits/octet/chain/instructions.py; octet.md A1.
library OctetBounds {
    /// @dev A slot, times 32, wherever it is shifted to.
    uint256 private constant SLOT = 0x1fffe0;

    /// @dev d a n c: sum_{i < c} eq(a, i). Bits are walked from the top: where c has a one, an index with a zero there is
    ///      below it whatever follows.
    function sumBelow(uint256 base, uint256 word, uint256 r) internal pure {
        assembly ("memory-safe") {
            let count := and(shr(208, word), 0xff)
            let x := add(add(base, and(shr(211, word), SLOT)), shl(5, count))
            let bound := shl(sub(256, count), and(shr(176, word), 0xffffffff))
            let equal := 1
            let below := 0
            for {} bound { bound := shl(1, bound) } {
                x := sub(x, 0x20)
                let one := mulmod(equal, mload(x), r)
                let zero := addmod(equal, sub(r, one), r)
                equal := zero
                if slt(bound, 0) {
                    below := addmod(below, zero, r)
                    equal := one
                }
            }
            mstore(add(base, and(shr(227, word), SLOT)), below)
        }
    }

    /// @dev d a b n c: sum_{i < c} eq(a, i) eq(b, i). From the lowest bit: the sum over lower bits not above those of
    ///      c - 1, and over all of them.
    function eqBelow(uint256 base, uint256 word, uint256 r) internal pure {
        assembly ("memory-safe") {
            let x := add(base, and(shr(211, word), SLOT))
            let y := add(base, and(shr(195, word), SLOT))
            let bound := sub(and(shr(160, word), 0xffffffff), 1)
            let twice := add(shl(1, r), 1)
            let result := 1
            let every := 1
            for { let end := add(x, and(shr(187, word), 0x1fe0)) } lt(x, end) {} {
                let left := mload(x)
                let right := mload(y)
                let one := mulmod(left, right, r)
                let zero := add(one, sub(twice, add(left, right)))
                switch and(bound, 1)
                case 0 { result := mulmod(result, zero, r) }
                default { result := addmod(mulmod(result, one, r), mulmod(every, zero, r), r) }
                bound := shr(1, bound)
                if bound { every := mulmod(every, add(one, zero), r) }
                x := add(x, 0x20)
                y := add(y, 0x20)
            }
            mstore(add(base, and(shr(227, word), SLOT)), result)
        }
    }

    /// @dev d a b e n c: sum_{i < c} eq(a, i) eq(b, i) eq(e, i).
    function eq3Below(uint256 base, uint256 word, uint256 r) internal pure {
        assembly ("memory-safe") {
            let x := add(base, and(shr(211, word), SLOT))
            let y := add(base, and(shr(195, word), SLOT))
            let z := add(base, and(shr(179, word), SLOT))
            let bound := sub(and(shr(144, word), 0xffffffff), 1)
            let result := 1
            let every := 1
            for { let end := add(x, and(shr(171, word), 0x1fe0)) } lt(x, end) {} {
                let one := mulmod(mulmod(mload(x), mload(y), r), mload(z), r)
                let zero :=
                    mulmod(mulmod(sub(add(r, 1), mload(x)), sub(add(r, 1), mload(y)), r), sub(add(r, 1), mload(z)), r)
                switch and(bound, 1)
                case 0 { result := mulmod(result, zero, r) }
                default { result := addmod(mulmod(result, one, r), mulmod(every, zero, r), r) }
                bound := shr(1, bound)
                every := mulmod(every, add(one, zero), r)
                x := add(x, 0x20)
                y := add(y, 0x20)
                z := add(z, 0x20)
            }
            mstore(add(base, and(shr(227, word), SLOT)), result)
        }
    }

    /// @dev d a b n: the extension of [a < b].
    function less(uint256 base, uint256 word, uint256 r) internal pure {
        assembly ("memory-safe") {
            let twice := add(shl(1, r), 1)
            let start := add(base, and(shr(211, word), SLOT))
            let x := add(start, and(shr(187, word), 0x1fe0))
            let y := add(add(base, and(shr(195, word), SLOT)), and(shr(187, word), 0x1fe0))
            let equal := 1
            let below := 0
            for {} gt(x, start) {} {
                x := sub(x, 0x20)
                y := sub(y, 0x20)
                let left := mload(x)
                let right := mload(y)
                let only := mulmod(sub(add(r, 1), left), right, r)
                below := addmod(below, mulmod(equal, only, r), r)
                equal := mulmod(equal, add(mulmod(add(left, left), right, r), sub(twice, add(left, right))), r)
            }
            mstore(add(base, and(shr(227, word), SLOT)), below)
        }
    }

    /// @dev d a b n: the products of the first factors of eq(a, b), two a turn.
    function prefix(uint256 base, uint256 word, uint256 r) internal pure {
        assembly ("memory-safe") {
            let twice := add(shl(1, r), 1)
            let d := add(base, and(shr(227, word), SLOT))
            let x := add(base, and(shr(211, word), SLOT))
            let y := add(base, and(shr(195, word), SLOT))
            let product := 1
            mstore(d, product)
            let end := add(x, and(shr(187, word), 0x1fe0))
            if and(shr(192, word), 1) {
                let left := mload(x)
                let right := mload(y)
                product := mod(add(mulmod(add(left, left), right, r), sub(twice, add(left, right))), r)
                d := add(d, 0x20)
                mstore(d, product)
                x := add(x, 0x20)
                y := add(y, 0x20)
            }
            for {} lt(x, end) { x := add(x, 0x40) } {
                let left := mload(x)
                let right := mload(y)
                product := mulmod(product, add(mulmod(add(left, left), right, r), sub(twice, add(left, right))), r)
                mstore(add(d, 0x20), product)
                left := mload(add(x, 0x20))
                right := mload(add(y, 0x20))
                product := mulmod(product, add(mulmod(add(left, left), right, r), sub(twice, add(left, right))), r)
                d := add(d, 0x40)
                mstore(d, product)
                y := add(y, 0x40)
            }
        }
    }

    /// @dev d a n s: the extension of a lane's weight; lane 0 is the highest.
    function lanes(uint256 base, uint256 word, uint256 r) internal pure {
        assembly ("memory-safe") {
            let a := add(base, and(shr(211, word), SLOT))
            let bits := and(shr(200, word), 0xff)
            let product := 1
            for { let end := add(a, and(shr(203, word), 0x1fe0)) } lt(a, end) { a := add(a, 0x20) } {
                let coordinate := mload(a)
                product := mulmod(
                    product,
                    addmod(mulmod(sub(add(r, 1), coordinate), shl(bits, 1), r), coordinate, r),
                    r
                )
                bits := shl(1, bits)
            }
            mstore(add(base, and(shr(227, word), SLOT)), product)
        }
    }

    /// @dev d n q a c: the n bits of a mod c, and a div c.
    function digit(uint256 base, uint256 word) internal pure {
        assembly ("memory-safe") {
            let index := mload(add(base, and(shr(187, word), SLOT)))
            let bound := and(shr(160, word), 0xffffffff)
            mstore(add(base, and(shr(203, word), SLOT)), div(index, bound))
            index := mod(index, bound)
            let d := add(base, and(shr(227, word), SLOT))
            for { let end := add(d, and(shr(219, word), 0x1fe0)) } lt(d, end) { d := add(d, 0x20) } {
                mstore(d, and(index, 1))
                index := shr(1, index)
            }
        }
    }
}
