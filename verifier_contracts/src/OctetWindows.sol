// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Instructions of a plan: sums over windows
/// @notice A window moves along a tensor's axis, and each of its taps has a sum over all steps of the weights of output
///         and source: one walk over the bits of both indices, whatever their number.
/// @dev See {OctetPlan}; `word` begins with the instruction, `r` is the order of the scalar field. Source:
///      circuits/octet/chain/instructions.py (WINDOW, CORRELATE).
library OctetWindows {
    uint256 private constant R = 21888242871839275222246405745257275088548364400416034343698204186575808495617;
    /// @dev A slot, times 32, wherever it is shifted to.
    uint256 private constant SLOT = 0x1fffe0;

    /// @dev d a m b n c s e f k w t, as {correlate}, for s = 1, 1 <= m <= n - e and carries of -2 to 2 at the lowest bit, or
    ///      of 0 to 4 if m > 1. The states stay on the stack; `t` is room for seven sums and the low bits' table.
    function window(uint256 base, uint256 word, uint256 r) internal pure {
        uint256 room;
        uint256 least;
        uint256 most;
        assembly ("memory-safe") {
            room := add(base, and(shr(43, word), SLOT))
            least := signextend(3, shr(96, word))
            most := add(least, mul(and(shr(64, word), 0xffff), sub(and(shr(80, word), 0xffff), 1)))
            most := sar(and(shr(128, word), 0xff), most)
        }
        uint256 x;
        uint256 y;
        uint256 top;
        assembly ("memory-safe") {
            let count := shl(5, and(shr(208, word), 0xff))
            x := add(add(base, and(shr(211, word), SLOT)), count)
            y := add(add(base, and(shr(187, word), SLOT)), shl(5, and(shr(128, word), 0xff)))
            top := add(add(base, and(shr(187, word), SLOT)), and(shr(179, word), 0x1fe0))
            y := add(y, count)
        }
        if (int256(most) > 2) {
            _walkFar(x, y, top, word, room, r);
        } else if (word >> 152 & 0xffffffff == 1 << (word >> 208 & 0xff)) {
            _walkWhole(x, y, top, word, room, r);
        } else {
            _walkUp(x, y, top, word, room, r);
            if (least >> 255 == 1) _walkDown(x, y, top, word, room, r);
        }
        _lookUp(base, word, room + 0xe0, room + 0x40, 5, r);
    }

    /// @dev The sums for carries -2 to 2 where every output counts: `last`, `same` and `next` are those over the bits above
    ///      for carries -1, 0 and 1.
    function _walkWhole(uint256 x, uint256 y, uint256 top, uint256 word, uint256 room, uint256 r) private pure {
        assembly ("memory-safe") {
            let same := 1
            let next := 0
            // The source has these bits alone.
            for {} gt(top, y) {} {
                top := sub(top, 0x20)
                next := mulmod(same, mload(top), r)
                same := addmod(same, sub(r, next), r)
            }
            let last := 0
            let lowest := sub(x, shl(5, and(shr(208, word), 0xff)))
            for {} 1 {} {
                x := sub(x, 0x20)
                y := sub(y, 0x20)
                let outer := mload(x)
                let inner := mload(y)
                let both := mulmod(outer, inner, r)
                // Both bits equal; the output's alone; the source's alone.
                let equal := sub(add(shl(1, r), add(both, add(both, 1))), add(outer, inner))
                outer := sub(add(outer, r), both)
                inner := sub(add(inner, r), both)
                if eq(x, lowest) {
                    mstore(room, mulmod(equal, last, r))
                    mstore(add(room, 0x20), addmod(mulmod(inner, last, r), mulmod(outer, same, r), r))
                    mstore(add(room, 0x40), mulmod(equal, same, r))
                    mstore(add(room, 0x60), addmod(mulmod(inner, same, r), mulmod(outer, next, r), r))
                    mstore(add(room, 0x80), mulmod(equal, next, r))
                    break
                }
                next := addmod(mulmod(inner, same, r), mulmod(outer, next, r), r)
                last := addmod(mulmod(inner, last, r), mulmod(outer, same, r), r)
                same := mulmod(equal, same, r)
            }
        }
    }

    /// @dev The sums for carries 0, 1, 2 into the room's words 2, 3, 4: `same` and `next` are the sums over the bits above
    ///      for carries 0 and 1, of indices that may not and that may exceed the bound's part.
    function _walkUp(uint256 x, uint256 y, uint256 top, uint256 word, uint256 room, uint256 r) private pure {
        assembly ("memory-safe") {
            let same := 1
            let next := 0
            // The source has these bits alone.
            for {} gt(top, y) {} {
                top := sub(top, 0x20)
                next := mulmod(same, mload(top), r)
                same := addmod(same, sub(r, next), r)
            }
            // The bits of c - 1 from the top, and a one that ends them.
            word := shl(sub(255, and(shr(208, word), 0xff)), sub(shl(1, and(shr(152, word), 0xffffffff)), 1))
            let sameAbove := 0
            top := 0
            for {} 1 { word := shl(1, word) } {
                x := sub(x, 0x20)
                y := sub(y, 0x20)
                let outer := mload(x)
                let inner := mload(y)
                let both := mulmod(outer, inner, r)
                outer := sub(add(outer, r), both)
                inner := sub(add(inner, r), both)
                let none := sub(add(shl(2, r), 1), add(add(outer, inner), both))
                if eq(shl(1, word), shl(255, 1)) {
                    if slt(word, 0) {
                        sameAbove := same
                        top := next
                    }
                    mstore(add(room, 0x40), addmod(mulmod(none, same, r), mulmod(both, sameAbove, r), r))
                    mstore(add(room, 0x60), addmod(mulmod(inner, same, r), mulmod(outer, top, r), r))
                    mstore(add(room, 0x80), addmod(mulmod(none, next, r), mulmod(both, top, r), r))
                    break
                }
                switch slt(word, 0)
                case 0 {
                    let part := mulmod(outer, top, r)
                    next := addmod(mulmod(inner, same, r), part, r)
                    top := addmod(mulmod(inner, sameAbove, r), part, r)
                    part := mulmod(both, sameAbove, r)
                    same := addmod(mulmod(none, same, r), part, r)
                    sameAbove := addmod(mulmod(none, sameAbove, r), part, r)
                }
                default {
                    let part := mulmod(inner, same, r)
                    top := addmod(part, mulmod(outer, top, r), r)
                    next := addmod(part, mulmod(outer, next, r), r)
                    part := mulmod(none, same, r)
                    sameAbove := addmod(part, mulmod(both, sameAbove, r), r)
                    same := addmod(part, mulmod(both, same, r), r)
                }
            }
        }
    }

    /// @dev The sums for carries 0 to 4 into the room's words 2 to 6. Those for carries 3 and 4 come from that for carry 2
    ///      one bit higher, which waits in words 5 and 6: of indices that may not and that may exceed the bound's part.
    function _walkFar(uint256 x, uint256 y, uint256 top, uint256 word, uint256 room, uint256 r) private pure {
        assembly ("memory-safe") {
            let same := 1
            let next := 0
            // The source has these bits alone.
            for {} gt(top, y) {} {
                top := sub(top, 0x20)
                next := mulmod(same, mload(top), r)
                same := addmod(same, sub(r, next), r)
            }
            // The bits of c - 1 from the top, and a one that ends them.
            word := shl(sub(255, and(shr(208, word), 0xff)), sub(shl(1, and(shr(152, word), 0xffffffff)), 1))
            let sameAbove := 0
            top := 0
            for {} 1 { word := shl(1, word) } {
                x := sub(x, 0x20)
                y := sub(y, 0x20)
                let outer := mload(x)
                let inner := mload(y)
                let both := mulmod(outer, inner, r)
                outer := sub(add(outer, r), both)
                inner := sub(add(inner, r), both)
                let none := sub(add(shl(2, r), 1), add(add(outer, inner), both))
                if eq(shl(1, word), shl(255, 1)) {
                    if slt(word, 0) {
                        sameAbove := same
                        top := next
                    }
                    mstore(add(room, 0x40), addmod(mulmod(none, same, r), mulmod(both, sameAbove, r), r))
                    mstore(add(room, 0x60), addmod(mulmod(inner, same, r), mulmod(outer, top, r), r))
                    mstore(add(room, 0x80), addmod(mulmod(none, next, r), mulmod(both, top, r), r))
                    top := mload(add(room, add(0xa0, shl(5, iszero(slt(word, 0))))))
                    next := addmod(mulmod(inner, next, r), mulmod(outer, top, r), r)
                    top := addmod(mulmod(none, mload(add(room, 0xa0)), r), mulmod(both, top, r), r)
                    mstore(add(room, 0xa0), next)
                    mstore(add(room, 0xc0), top)
                    break
                }
                if eq(shl(2, word), shl(255, 1)) {
                    let part := next
                    if iszero(slt(word, 0)) { part := top }
                    mstore(add(room, 0xa0), addmod(mulmod(none, next, r), mulmod(both, part, r), r))
                    mstore(add(room, 0xc0), addmod(mulmod(none, part, r), mulmod(both, top, r), r))
                }
                switch slt(word, 0)
                case 0 {
                    let part := mulmod(outer, top, r)
                    next := addmod(mulmod(inner, same, r), part, r)
                    top := addmod(mulmod(inner, sameAbove, r), part, r)
                    part := mulmod(both, sameAbove, r)
                    same := addmod(mulmod(none, same, r), part, r)
                    sameAbove := addmod(mulmod(none, sameAbove, r), part, r)
                }
                default {
                    let part := mulmod(inner, same, r)
                    top := addmod(part, mulmod(outer, top, r), r)
                    next := addmod(part, mulmod(outer, next, r), r)
                    part := mulmod(none, same, r)
                    sameAbove := addmod(part, mulmod(both, sameAbove, r), r)
                    same := addmod(part, mulmod(both, same, r), r)
                }
            }
        }
    }

    /// @dev The sums for carries -1 and -2 into the room's words 1 and 0: `last` is the sum for carry -1.
    function _walkDown(uint256 x, uint256 y, uint256 top, uint256 word, uint256 room, uint256 r) private pure {
        assembly ("memory-safe") {
            let same := 1
            for {} gt(top, y) {} {
                top := sub(top, 0x20)
                same := mulmod(same, sub(add(r, 1), mload(top)), r)
            }
            // The bits of c - 1 from the top, and a one that ends them.
            word := shl(sub(255, and(shr(208, word), 0xff)), sub(shl(1, and(shr(152, word), 0xffffffff)), 1))
            let sameAbove := 0
            let last := 0
            top := 0
            for {} 1 { word := shl(1, word) } {
                x := sub(x, 0x20)
                y := sub(y, 0x20)
                let outer := mload(x)
                let inner := mload(y)
                let both := mulmod(outer, inner, r)
                outer := sub(add(outer, r), both)
                inner := sub(add(inner, r), both)
                let none := sub(add(shl(2, r), 1), add(add(outer, inner), both))
                if eq(shl(1, word), shl(255, 1)) {
                    if slt(word, 0) {
                        sameAbove := same
                        top := last
                    }
                    mstore(add(room, 0x20), addmod(mulmod(inner, last, r), mulmod(outer, sameAbove, r), r))
                    mstore(room, addmod(mulmod(none, last, r), mulmod(both, top, r), r))
                    break
                }
                switch slt(word, 0)
                case 0 {
                    let part := mulmod(outer, sameAbove, r)
                    last := addmod(mulmod(inner, last, r), part, r)
                    top := addmod(mulmod(inner, top, r), part, r)
                    part := mulmod(both, sameAbove, r)
                    same := addmod(mulmod(none, same, r), part, r)
                    sameAbove := addmod(mulmod(none, sameAbove, r), part, r)
                }
                default {
                    let part := mulmod(inner, last, r)
                    top := addmod(part, mulmod(outer, sameAbove, r), r)
                    last := addmod(part, mulmod(outer, same, r), r)
                    part := mulmod(none, same, r)
                    sameAbove := addmod(part, mulmod(both, sameAbove, r), r)
                    same := addmod(part, mulmod(both, same, r), r)
                }
            }
        }
    }

    /// @dev Writes d[i] for each index that was asked for: the sum of its carry, times the weight of its low bits.
    /// @param low room for the low bits' table.
    /// @param sums where the sum for carry 0 lies.
    /// @param stride log2 of the bytes from one sum to the next.
    function _lookUp(uint256 base, uint256 word, uint256 low, uint256 sums, uint256 stride, uint256 r) private pure {
        assembly ("memory-safe") {
            let even := and(shr(128, word), 0xff)
            let index := signextend(3, shr(96, word))
            let d := add(base, and(shr(227, word), SLOT))
            let end := add(d, and(shr(75, word), SLOT))
            switch even
            case 0 {
                for {} lt(d, end) { d := add(d, 0x20) } {
                    mstore(d, mload(add(sums, shl(stride, index))))
                    index := add(index, and(shr(64, word), 0xffff))
                }
            }
            case 1 {
                let odd := mload(add(base, and(shr(187, word), SLOT)))
                mstore(add(low, 0x20), odd)
                mstore(low, sub(add(r, 1), odd))
                if eq(and(shr(64, word), 0xffff), 1) {
                    // Neighbours share a carry: the first of them is even.
                    low := mload(low)
                    let at := add(sums, shl(stride, sar(1, index)))
                    if and(index, 1) {
                        mstore(d, mulmod(mload(at), odd, r))
                        d := add(d, 0x20)
                        at := add(at, shl(stride, 1))
                    }
                    for { let last := sub(end, 0x20) } lt(d, last) { d := add(d, 0x40) } {
                        let sum := mload(at)
                        mstore(d, mulmod(sum, low, r))
                        mstore(add(d, 0x20), mulmod(sum, odd, r))
                        at := add(at, shl(stride, 1))
                    }
                    if lt(d, end) { mstore(d, mulmod(mload(at), low, r)) }
                    d := end
                }
            }
            default {
                mstore(low, 1)
                for { let bit := 0 } lt(bit, even) { bit := add(bit, 1) } {
                    let coordinate := mload(add(add(base, and(shr(187, word), SLOT)), shl(5, bit)))
                    let size := shl(add(5, bit), 1)
                    for { let at := add(low, size) } gt(at, low) {} {
                        at := sub(at, 0x20)
                        let one := mulmod(mload(at), coordinate, r)
                        mstore(add(at, size), one)
                        mstore(at, addmod(mload(at), sub(r, one), r))
                    }
                }
            }
            for { let mask := sub(shl(add(5, even), 1), 0x20) } lt(d, end) { d := add(d, 0x20) } {
                let sum := mload(add(sums, shl(stride, sar(even, index))))
                mstore(d, mulmod(sum, mload(add(low, and(shl(5, index), mask))), r))
                index := add(index, and(shr(64, word), 0xffff))
            }
        }
    }

    /// @dev d a m b n c s e f k w t: a walk over the bits of an output's index o and a source's index x = s o + carry,
    ///      from the top. A state is the carry that the lower bits bring, and whether their part of o is at most that of
    ///      c - 1; it holds the sum over the bits above. The lowest e bits of x do not depend on o.
    function correlate(uint256 base, uint256 word, uint256 r) internal pure {
        // The room: weights of the four pairs of bits, a table of the low bits, two tables of states.
        uint256 room;
        uint256 states;
        uint256 next;
        // The carries that are asked for, at the lowest bit.
        uint256 least;
        uint256 most;
        uint256 level;
        assembly ("memory-safe") {
            let even := and(shr(128, word), 0xff)
            room := add(base, and(shr(43, word), SLOT))
            states := add(room, add(0x80, shl(add(5, even), 1)))
            least := signextend(3, shr(96, word))
            most := sar(even, add(least, mul(and(shr(64, word), 0xffff), sub(and(shr(80, word), 0xffff), 1))))
            least := sar(even, least)
            level := sub(and(shr(184, word), 0xff), even)
            if lt(level, and(shr(208, word), 0xff)) { level := and(shr(208, word), 0xff) }
            let odd := and(shr(136, word), 0xffff)
            let carries := sub(most, least)
            if lt(carries, add(odd, 2)) { carries := add(odd, 2) }
            next := add(states, shl(6, add(carries, 1)))
            // Above the top bit nothing may be carried.
            let carry := sar(level, least)
            let end := sar(level, add(most, mul(odd, sub(shl(level, 1), 1))))
            for { let at := states } iszero(sgt(carry, end)) { carry := add(carry, 1) } {
                mstore(at, iszero(carry))
                mstore(add(at, 0x20), 0)
                at := add(at, 0x40)
            }
        }
        while (level != 0) {
            unchecked {
                --level;
            }
            _pairWeights(base, word, level, room);
            _bindBit(word, room, states, next, least, most, level);
            (states, next) = (next, states);
        }
        unchecked {
            _lookUp(base, word, room + 0x80, states - (least << 6), 6, r);
        }
    }

    /// @dev Writes the weights of the four pairs of a bit of o and a bit of x; a point that has no coordinate left has 0.
    function _pairWeights(uint256 base, uint256 word, uint256 level, uint256 room) private pure {
        assembly ("memory-safe") {
            let r := R
            let x := 0
            let y := 0
            if lt(level, and(shr(208, word), 0xff)) {
                x := mload(add(add(base, and(shr(211, word), SLOT)), shl(5, level)))
            }
            level := add(level, and(shr(128, word), 0xff))
            if lt(level, and(shr(184, word), 0xff)) {
                y := mload(add(add(base, and(shr(187, word), SLOT)), shl(5, level)))
            }
            let both := mulmod(x, y, r)
            x := sub(add(x, r), both)
            mstore(room, sub(add(mul(3, r), 1), add(x, y)))
            mstore(add(room, 0x20), sub(add(y, r), both))
            mstore(add(room, 0x40), x)
            mstore(add(room, 0x60), both)
        }
    }

    /// @dev The states of a level, written to `to`, from those of the level above. Bit 0 of o leaves the carry, bit 1 adds s
    ///      to it; what goes up is half of that, rounded down.
    function _bindBit(uint256 word, uint256 room, uint256 from, uint256 to, uint256 carry, uint256 most, uint256 level)
        private
        pure
    {
        assembly ("memory-safe") {
            let r := R
            let bits := shr(level, sub(and(shr(152, word), 0xffffffff), 1))
            word := and(shr(136, word), 0xffff)
            from := sub(from, shl(6, sar(add(level, 1), carry)))
            carry := sar(level, carry)
            most := sar(level, add(most, mul(word, sub(shl(level, 1), 1))))
            let end := add(to, shl(6, add(sub(most, carry), 1)))
            for {} lt(to, end) { to := add(to, 0x40) } {
                let stay := mload(add(room, shl(5, and(carry, 1))))
                let kept := add(from, shl(6, sar(1, carry)))
                let moved := add(carry, word)
                carry := add(carry, 1)
                let move := mload(add(add(room, 0x40), shl(5, and(moved, 1))))
                moved := add(from, shl(6, sar(1, moved)))
                switch and(bits, 1)
                case 0 {
                    move := mulmod(move, mload(add(moved, 0x20)), r)
                    mstore(to, addmod(move, mulmod(stay, mload(kept), r), r))
                    mstore(add(to, 0x20), addmod(move, mulmod(stay, mload(add(kept, 0x20)), r), r))
                }
                default {
                    stay := mulmod(stay, mload(kept), r)
                    mstore(to, addmod(stay, mulmod(move, mload(moved), r), r))
                    mstore(add(to, 0x20), addmod(stay, mulmod(move, mload(add(moved, 0x20)), r), r))
                }
            }
        }
    }
}
