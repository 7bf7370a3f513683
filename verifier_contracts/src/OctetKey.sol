// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {StoredKeys} from "verifier_contracts/src/StoredKeys.sol";

/// @title Where things stand in a key of OCTET's verifier, and in the frame of memory behind it
/// @notice A key is words: a header, descriptors, commitments, constants and the plan. It is loaded at a base address;
///         slot s is the word at base + 32 s, so the key's own words are slots too. The frame begins at the slot behind
///         the key's last word.
/// @dev Twin of `circuits/octet/chain/chain_key.py`. A packed word has sixteen fields of 16 bits; the constants below
///      are what a field is shifted by.
library OctetKey {
    /// @dev Words of the header.
    uint256 internal constant SHAPE_WORD = 0;
    uint256 internal constant FRAME_WORD = 1;
    uint256 internal constant PLACES_WORD = 2;
    /// @dev The packed tensors' layout and the input's domain.
    uint256 internal constant LAYOUT_WORD = 3;
    /// @dev The digest that a transcript begins with.
    uint256 internal constant STATEMENT_WORD = 4;
    /// @dev Where -[tau]G2 begins: x.c1, x.c0, y.c1, y.c0.
    uint256 internal constant TAU_WORD = 5;
    uint256 internal constant HEADER_WORDS = 9;

    /// @dev Fields of the word SHAPE: numbers.
    uint256 internal constant VERSION = 240;
    uint256 internal constant NU = 224;
    uint256 internal constant REMAINDER_LIMBS = 208;
    uint256 internal constant SATURATION = 192;
    uint256 internal constant SLOTS = 176;
    uint256 internal constant TABLES = 160;
    uint256 internal constant FIRST_COLUMNS = 144;
    uint256 internal constant SECOND_COLUMNS = 128;
    uint256 internal constant KEY_COLUMNS = 112;
    uint256 internal constant CLAIMS = 96;
    uint256 internal constant FINALS_COUNT = 80;
    uint256 internal constant POWERS = 64;
    uint256 internal constant INPUT_WORDS = 48;
    /// @dev Places of Y and V among the finals, 0 where they have none. Between these and the input words stands how many
    ///      outputs there are, which their descriptors say as well.
    uint256 internal constant Y_FINAL = 16;
    uint256 internal constant V_FINAL = 0;

    /// @dev Fields of the word FRAME: slots of the frame's sections.
    uint256 internal constant LAMBDA = 240;
    uint256 internal constant EV = 224;
    uint256 internal constant MU = 208;
    uint256 internal constant FINALS = 192;
    uint256 internal constant QUERIES = 176;
    uint256 internal constant OUT = 160;
    uint256 internal constant WORDS = 144;
    uint256 internal constant FRAME_END = 128;
    /// @dev Numbers: words of a proof, and words of the key, which is the frame's first slot.
    uint256 internal constant PROOF_WORDS = 112;
    uint256 internal constant KEY_WORDS = 96;

    /// @dev Fields of the word PLACES: slots in the key, and how many stand there.
    uint256 internal constant TABLE_DESCRIPTORS = 240;
    uint256 internal constant OUTPUT_DESCRIPTORS = 224;
    uint256 internal constant OUTPUT_COUNT = 208;
    uint256 internal constant INPUT_DESCRIPTORS = 192;
    uint256 internal constant INPUT_COUNT = 176;
    uint256 internal constant COLUMN_DESCRIPTORS = 160;
    uint256 internal constant COMMITMENTS = 144;
    /// @dev Offsets in bytes from the base: where the plan's segments begin.
    uint256 internal constant AFTER_TAU = 112;
    uint256 internal constant AFTER_RHO = 96;
    uint256 internal constant AFTER_SIGMA = 80;
    /// @dev The zero point of the port's bytes.
    uint256 internal constant ZERO_POINT = 64;

    /// @dev Slots of the frame, counted from its first.
    uint256 internal constant ALPHA = 0;
    uint256 internal constant BETA = 1;
    uint256 internal constant TAU = 8;
    uint256 internal constant RHO = 40;
    uint256 internal constant SIGMA = 72;
    /// @dev Products of the first 0, 1 .. nu factors of eq(tau, rho) and of eq(rho, sigma), which the plan leaves there.
    uint256 internal constant EQ_TAU_RHO = 104;
    uint256 internal constant EQ_RHO_SIGMA = 137;

    uint256 private constant MIN_WORDS = HEADER_WORDS;
    /// @dev Places are offsets in bytes of 16 bits.
    uint256 private constant MAX_WORDS = 2_047;

    /// @notice Reverts unless a key can have this many words.
    function checkSize(uint256 words) internal pure {
        StoredKeys.checkSize(words, MIN_WORDS, MAX_WORDS);
    }

    /// @notice How many columns hold bytes: Y, saturation, remainders, differences.
    function limbColumns(uint256 shape) internal pure returns (uint256) {
        unchecked {
            return 1 + 2 * field(shape, SATURATION) + field(shape, REMAINDER_LIMBS) + field(shape, SLOTS);
        }
    }

    /// @notice How many columns a prover sends.
    function sentColumns(uint256 shape) internal pure returns (uint256) {
        unchecked {
            return field(shape, FIRST_COLUMNS) + field(shape, SECOND_COLUMNS);
        }
    }

    /// @notice How many columns there are.
    function columns(uint256 shape) internal pure returns (uint256) {
        unchecked {
            return sentColumns(shape) + field(shape, KEY_COLUMNS);
        }
    }

    /// @notice The word in a slot.
    function word(uint256 base, uint256 slot) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := mload(add(base, shl(5, slot)))
        }
    }

    /// @notice A number in a packed word.
    function field(uint256 packed, uint256 shift) internal pure returns (uint256) {
        return packed >> shift & 0xffff;
    }

    /// @notice The address of the slot that a field of a packed word names.
    function place(uint256 base, uint256 packed, uint256 shift) internal pure returns (uint256) {
        unchecked {
            return base + 32 * (packed >> shift & 0xffff);
        }
    }

    /// @notice The address of a slot of the frame.
    function inFrame(uint256 base, uint256 packedFrame, uint256 slot) internal pure returns (uint256) {
        unchecked {
            return base + 32 * (field(packedFrame, KEY_WORDS) + slot);
        }
    }

    /// @notice The address of a segment of the plan.
    function segment(uint256 base, uint256 shift) internal pure returns (uint256) {
        unchecked {
            return base + field(word(base, PLACES_WORD), shift);
        }
    }
}
