// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Where the words of a verifying key lie: in the code of up to three contracts.
/// @param words how many words it has.
/// @param first the contract with the first {StoredKeys-CHUNK_WORDS} words.
/// @param second that with the next, or zero.
/// @param third that with the rest, or zero.
struct StoredKey {
    uint16 words;
    address first;
    address second;
    address third;
}

/// @title Verifying keys kept as contract code
/// @notice Code is read for 3 gas a word where storage takes 2,100. Each contract is a STOP followed by words, so nothing
///         in it can run.
/// @dev Who reads a key compares its digest: a pointer may come from anybody, and lead anywhere.
library StoredKeys {
    /// @notice The key has fewer words than its system needs, or more than it takes.
    error KeySizeOutOfRange(uint256 words, uint256 minimum, uint256 maximum);
    /// @notice The chain did not take the key's contract.
    error KeyNotStored();

    /// @dev What fits EIP-170's 24,576 bytes beside the STOP.
    uint256 internal constant CHUNK_WORDS = 767;
    /// @dev What fits three contracts.
    uint256 internal constant MAX_WORDS = 3 * CHUNK_WORDS;

    /// @notice Stores a key.
    function store(bytes32[] calldata key) internal returns (StoredKey memory stored) {
        uint256 words = key.length;
        checkSize(words, 1, MAX_WORDS);
        stored.words = uint16(words);
        stored.first = _create(key, 0, words);
        if (words > CHUNK_WORDS) stored.second = _create(key, CHUNK_WORDS, words);
        if (words > 2 * CHUNK_WORDS) stored.third = _create(key, 2 * CHUNK_WORDS, words);
    }

    /// @notice Writes a key's words to memory from `destination` on; zeros where its contracts hold less.
    /// @dev The caller owns the memory.
    /// @return end the address after the last word.
    function load(StoredKey memory stored, uint256 destination) internal view returns (uint256 end) {
        uint256 words = stored.words;
        checkSize(words, 1, MAX_WORDS);
        _copy(stored.first, 0, words, destination);
        if (words > CHUNK_WORDS) _copy(stored.second, CHUNK_WORDS, words, destination);
        if (words > 2 * CHUNK_WORDS) _copy(stored.third, 2 * CHUNK_WORDS, words, destination);
        return destination + 32 * words;
    }

    /// @notice One of a key's first words.
    function wordAt(StoredKey memory stored, uint256 index) internal view returns (bytes32 word) {
        address chunk = stored.first;
        assembly ("memory-safe") {
            extcodecopy(chunk, 0x00, add(1, shl(5, index)), 0x20)
            word := mload(0x00)
        }
    }

    /// @notice Reverts unless a number of words lies between two others, these included.
    function checkSize(uint256 words, uint256 minimum, uint256 maximum) internal pure {
        if (words < minimum || words > maximum) revert KeySizeOutOfRange(words, minimum, maximum);
    }

    function _create(bytes32[] calldata key, uint256 from, uint256 words) private returns (address chunk) {
        uint256 size = 32 * _chunkWords(from, words);
        assembly ("memory-safe") {
            // Creation code of ten bytes: PUSH2 size, DUP1, PUSH1 10, PUSH0, CODECOPY, PUSH0, RETURN, after which comes
            // what it returns: STOP and the words.
            let start := mload(0x40)
            mstore(start, or(shl(232, 0x610000), or(shl(232, add(size, 1)), shl(168, 0x80600a5f395ff300))))
            calldatacopy(add(start, 11), add(key.offset, shl(5, from)), size)
            chunk := create(0, start, add(size, 11))
        }
        if (chunk == address(0)) revert KeyNotStored();
    }

    function _copy(address chunk, uint256 from, uint256 words, uint256 destination) private view {
        uint256 size = 32 * _chunkWords(from, words);
        assembly ("memory-safe") {
            extcodecopy(chunk, add(destination, shl(5, from)), 1, size)
        }
    }

    function _chunkWords(uint256 from, uint256 words) private pure returns (uint256) {
        return words - from < CHUNK_WORDS ? words - from : CHUNK_WORDS;
    }
}
