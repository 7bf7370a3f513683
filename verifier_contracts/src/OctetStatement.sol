// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OctetInputWords} from "verifier_contracts/src/OctetInputWords.sol";
import {OctetKey} from "verifier_contracts/src/OctetKey.sol";
import {SCALAR_ORDER} from "verifier_contracts/src/OctetTranscript.sol";

/// @title What a proof of OCTET is about, as the words its transcript begins with
/// @dev Twin of `circuits/octet/spec/statement.py`. Input words are the plan's to write, since it reads them too.
library OctetStatement {
    /// @notice An output is not one that its kind may have: an index is one of the tensor's, and no integer is -2^31.
    error OutputOutOfRange();

    /// @dev Separates these transcripts from every other use of keccak256.
    bytes32 private constant TAG = "OCTET proof v2";
    /// @dev What an element of 32 bits stands above the end of a word.
    uint256 private constant ELEMENT_SHIFT = 224;
    /// @dev How many integers an output of 32 bits may be.
    uint256 private constant ALL_BUT_ONE = 0xffffffff;

    /// @notice Writes the statement's words to the frame and starts the transcript.
    /// @param base where the key begins in memory.
    /// @param context what the proof is for.
    /// @param input the packed input, of the length that the key says.
    /// @param output the packed output, of the length that the key says.
    /// @return state keccak256(tag, digest of the key, context, keccak256(input words), outputs).
    function seed(uint256 base, bytes32 context, bytes calldata input, bytes calldata output)
        internal
        pure
        returns (uint256 state)
    {
        unchecked {
            uint256 frame = OctetKey.word(base, OctetKey.FRAME_WORD);
            uint256 outputs = OctetKey.place(base, frame, OctetKey.OUT);
            uint256 words = OctetKey.place(base, frame, OctetKey.WORDS);
            uint256 wordBytes = 32 * OctetKey.field(OctetKey.word(base, OctetKey.SHAPE_WORD), OctetKey.INPUT_WORDS);
            OctetInputWords.write(base, input, words);
            _writeOutputs(base, output, outputs);
            uint256 length = 128 + 8 * output.length;
            uint256 digest = OctetKey.word(base, OctetKey.STATEMENT_WORD);
            bytes32 tag = TAG;
            assembly ("memory-safe") {
                let start := sub(outputs, 0x80)
                mstore(start, tag)
                mstore(add(start, 0x20), digest) // check: seed_digest
                mstore(add(start, 0x40), context) // check: seed_context
                mstore(add(start, 0x60), keccak256(words, wordBytes)) // check: seed_inputs
                state := keccak256(start, length)
            }
        }
    }

    /// @dev Writes every output as a field element: a negative x is r + x.
    function _writeOutputs(uint256 base, bytes calldata output, uint256 to) private pure {
        unchecked {
            uint256 places = OctetKey.word(base, OctetKey.PLACES_WORD);
            uint256 descriptor = OctetKey.place(base, places, OctetKey.OUTPUT_DESCRIPTORS);
            uint256 last = descriptor + 32 * OctetKey.field(places, OctetKey.OUTPUT_COUNT);
            uint256 from;
            assembly ("memory-safe") {
                from := output.offset
            }
            bool inRange = true;
            for (; descriptor < last; descriptor += 32) {
                uint256 packed;
                assembly ("memory-safe") {
                    packed := mload(descriptor)
                }
                uint256 end = from + 4 * (packed & type(uint64).max);
                if (packed >> 128 == ALL_BUT_ONE) {
                    inRange = _writeEights(from, end, to) && inRange;
                    uint256 count = (end - from) >> 5;
                    from += 32 * count;
                    to += 256 * count;
                }
                inRange = _writeSingles(from, end, to, packed) && inRange;
                to += 8 * (end - from);
                from = end;
            }
            if (!inRange) revert OutputOutOfRange(); // check: output_range
        }
    }

    /// @dev Writes as many whole words of eight integers as there are, none of which may be -2^31.
    function _writeEights(uint256 from, uint256 end, uint256 to) private pure returns (bool inRange) {
        assembly ("memory-safe") {
            let r := SCALAR_ORDER
            let zeros := 0
            let ones := div(not(0), 0xffffffff)
            let signs := shl(31, ones)
            for {} lt(add(from, 28), end) { from := add(from, 0x20) } {
                let word := calldataload(from)
                // A lane of -2^31 becomes zero, and a lane is zero if it borrows and has no sign of its own.
                let lanes := xor(word, signs)
                zeros := or(zeros, and(and(sub(lanes, ones), not(lanes)), signs))
                let element := sar(ELEMENT_SHIFT, word)
                mstore(to, add(element, and(r, sar(255, element))))
                element := sar(ELEMENT_SHIFT, shl(32, word))
                mstore(add(to, 0x20), add(element, and(r, sar(255, element))))
                element := sar(ELEMENT_SHIFT, shl(64, word))
                mstore(add(to, 0x40), add(element, and(r, sar(255, element))))
                element := sar(ELEMENT_SHIFT, shl(96, word))
                mstore(add(to, 0x60), add(element, and(r, sar(255, element))))
                element := sar(ELEMENT_SHIFT, shl(128, word))
                mstore(add(to, 0x80), add(element, and(r, sar(255, element))))
                element := sar(ELEMENT_SHIFT, shl(160, word))
                mstore(add(to, 0xa0), add(element, and(r, sar(255, element))))
                element := sar(ELEMENT_SHIFT, shl(192, word))
                mstore(add(to, 0xc0), add(element, and(r, sar(255, element))))
                element := sar(ELEMENT_SHIFT, shl(224, word))
                mstore(add(to, 0xe0), add(element, and(r, sar(255, element))))
                to := add(to, 0x100)
            }
            inRange := iszero(zeros)
        }
    }

    /// @dev Writes integers one by one, each of which must be one of those that its descriptor names.
    function _writeSingles(uint256 from, uint256 end, uint256 to, uint256 packed) private pure returns (bool inRange) {
        assembly ("memory-safe") {
            let r := SCALAR_ORDER
            let span := shr(128, packed)
            let lift := signextend(7, shr(64, packed))
            let valid := 1
            for {} lt(from, end) { from := add(from, 4) } {
                let element := sar(ELEMENT_SHIFT, calldataload(from))
                valid := and(valid, lt(add(element, lift), span))
                mstore(to, add(element, and(r, sar(255, element))))
                to := add(to, 0x20)
            }
            inRange := valid
        }
    }
}
