// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OctetBounds} from "verifier_contracts/src/OctetBounds.sol";
import {OctetTables} from "verifier_contracts/src/OctetTables.sol";
import {OctetWindows} from "verifier_contracts/src/OctetWindows.sol";

/// @title The machine that runs a key's plan
/// @notice A plan is straight-line code over words of memory: it evaluates the multilinear extensions that a model's
///         relations are made of. An instruction is an opcode of one byte and operands, big-endian; a slot, of two
///         bytes, is the number of a word counted from the key's first. Opcodes up to 7 multiply that many pairs of
///         slots and add the product to an accumulator.
/// @dev Twin of `circuits/octet/chain/instructions.py`, where every instruction is defined; no instruction is longer
///      than a word. The key is pinned by its digest, so nothing here is checked but that the opcode is known: whoever
///      pins a key has made its plan from the model. Words that a plan multiplies are below 2^255.
library OctetPlan {
    /// @notice The plan has an opcode that no instruction has.
    error UnknownInstruction(uint256 op);

    uint256 private constant R = 21888242871839275222246405745257275088548364400416034343698204186575808495617;
    uint256 private constant END = 31;
    /// @dev A slot, times 32, wherever it is shifted to.
    uint256 private constant SLOT = 0x1fffe0;

    /// @notice Runs one segment.
    /// @param base where the key's first word lies.
    /// @param cursor where the segment's first instruction lies.
    /// @return value the accumulator at its end.
    function run(uint256 base, uint256 cursor) internal pure returns (uint256 value) {
        uint256 r = R;
        while (true) {
            uint256 word;
            uint256 op;
            assembly ("memory-safe") {
                for {} 1 {} {
                    word := mload(cursor)
                    op := byte(0, word)
                    if lt(op, 16) {
                        cursor := add(cursor, add(1, shl(2, op)))
                        let product := mload(add(base, and(shr(227, word), SLOT)))
                        product := mulmod(product, mload(add(base, and(shr(211, word), SLOT))), r)
                        if gt(op, 1) {
                            product := mulmod(product, mload(add(base, and(shr(195, word), SLOT))), r)
                            product := mulmod(product, mload(add(base, and(shr(179, word), SLOT))), r)
                            for {} gt(op, 2) { op := sub(op, 1) } {
                                product := mulmod(product, mload(add(base, and(shr(163, word), SLOT))), r)
                                product := mulmod(product, mload(add(base, and(shr(147, word), SLOT))), r)
                                word := shl(32, word)
                            }
                        }
                        value := addmod(value, product, r)
                        continue
                    }
                    if gt(op, 17) {
                        if gt(op, 18) { break }
                        cursor := add(cursor, 3)
                        mstore(add(base, and(shr(227, word), SLOT)), value)
                        value := 0
                        continue
                    }
                    // BITS and EQ, two coordinates a turn.
                    let x := add(base, and(shr(211, word), SLOT))
                    let result := 1
                    switch op
                    case 16 {
                        cursor := add(cursor, 10)
                        let index := and(shr(176, word), 0xffffffff)
                        let end := add(x, and(shr(203, word), 0x1fe0))
                        if and(shr(208, word), 1) {
                            result := mload(x)
                            if iszero(and(index, 1)) { result := addmod(1, sub(r, result), r) }
                            x := add(x, 0x20)
                            index := shr(1, index)
                        }
                        for {} lt(x, end) { x := add(x, 0x40) } {
                            let coordinate := mload(x)
                            if iszero(and(index, 1)) { coordinate := sub(add(r, 1), coordinate) }
                            result := mulmod(result, coordinate, r)
                            coordinate := mload(add(x, 0x20))
                            if iszero(and(index, 2)) { coordinate := sub(add(r, 1), coordinate) }
                            result := mulmod(result, coordinate, r)
                            index := shr(2, index)
                        }
                    }
                    default {
                        let y := add(base, and(shr(195, word), SLOT))
                        cursor := add(cursor, 8)
                        let end := add(x, and(shr(187, word), 0x1fe0))
                        let twice := add(shl(1, r), 1)
                        if and(shr(192, word), 1) {
                            let left := mload(x)
                            let right := mload(y)
                            result := add(mulmod(add(left, left), right, r), sub(twice, add(left, right)))
                            result := mod(result, r)
                            x := add(x, 0x20)
                            y := add(y, 0x20)
                        }
                        for {} lt(x, end) {} {
                            let left := mload(x)
                            let right := mload(y)
                            result := mulmod(
                                result,
                                add(mulmod(add(left, left), right, r), sub(twice, add(left, right))),
                                r
                            )
                            left := mload(add(x, 0x20))
                            right := mload(add(y, 0x20))
                            result := mulmod(
                                result,
                                add(mulmod(add(left, left), right, r), sub(twice, add(left, right))),
                                r
                            )
                            x := add(x, 0x40)
                            y := add(y, 0x40)
                        }
                    }
                    mstore(add(base, and(shr(227, word), SLOT)), result)
                }
            }
            unchecked {
                if (op < 22) {
                    if (op == 19) {
                        OctetTables.inner(base, word, r);
                        cursor += 13;
                    } else if (op == 20) {
                        OctetTables.table(base, word, r);
                        cursor += 6;
                    } else {
                        OctetWindows.window(base, word, r);
                        cursor += 26;
                    }
                } else if (op < 25) {
                    if (op == 22) {
                        OctetBounds.eqBelow(base, word, r);
                        cursor += 12;
                    } else if (op == 23) {
                        OctetBounds.sumBelow(base, word, r);
                        cursor += 10;
                    } else {
                        OctetBounds.prefix(base, word, r);
                        cursor += 8;
                    }
                } else if (op == END) {
                    return value;
                } else {
                    cursor += _rare(base, word, op, r);
                }
            }
        }
    }

    /// @dev Runs one instruction and returns its length.
    function _rare(uint256 base, uint256 word, uint256 op, uint256 r) private pure returns (uint256) {
        if (op == 25) {
            OctetBounds.lanes(base, word, r);
            return 7;
        }
        if (op == 26) {
            OctetTables.outer(base, word, r);
            return 11;
        }
        if (op == 27) {
            OctetBounds.eq3Below(base, word, r);
            return 14;
        }
        if (op == 28) {
            OctetBounds.digit(base, word);
            return 12;
        }
        if (op == 29) {
            OctetBounds.less(base, word, r);
            return 8;
        }
        if (op != 30) revert UnknownInstruction(op);
        OctetWindows.correlate(base, word, r);
        return 26;
    }
}
