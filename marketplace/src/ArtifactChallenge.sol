// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

/// @notice What a creator commits to when an encrypted artifact is published.
/// @param plainRoot Merkle root of the plaintext's chunks, blinded by the key.
/// @param cipherRoot Merkle root of the ciphertext's chunks.
/// @param sizeBytes of plaintext and ciphertext alike.
struct Artifact {
    bytes32 plainRoot;
    bytes32 cipherRoot;
    uint64 sizeBytes;
}

/// @notice A chunk that does not decrypt to what was promised, and the evidence.
/// @param index of the chunk, from 0.
/// @param cipherChunk its ciphertext.
/// @param cipherPath proves that it is in the ciphertext's tree.
/// @param plainDigest the blinded digest that was published of its plaintext.
/// @param plainPath proves that it is in the plaintext's tree.
struct WrongChunk {
    uint64 index;
    bytes cipherChunk;
    bytes32[] cipherPath;
    bytes32 plainDigest;
    bytes32[] plainPath;
}

/// @title One wrong chunk of an encrypted artifact, proved with the revealed key
/// @notice With || for concatenation of 32-byte words and raw bytes, tags being keccak256 of their text:
///
///         stream key   = keccak256(STREAM || key || plainRoot)
///         blinding     = keccak256(BLINDING || key)
///         ciphertext   = plaintext xor keystream, whose word n, from 0, is keccak256(stream key || n)
///         chunk i      = bytes 4096 i to 4096 (i + 1), the last one shorter; index i
///         plain digest = keccak256(blinding || i || plaintext chunk)
///         plain leaf   = keccak256(PLAIN || i || length of the chunk || plain digest)
///         cipher leaf  = keccak256(CIPHER || i || length of the chunk || keccak256(ciphertext chunk))
///
///         and trees of OpenZeppelin's sorted pairs. The plain digests are published beside the ciphertext, so that before
///         anybody pays all can check that both roots are of whole trees; blinded, they say nothing of the plaintext.
/// @dev The plaintext's root is part of the stream key, so that one key never makes the same stream for two plaintexts.
///      Leaves and nodes are hashes of 128 and of 64 bytes: neither can be shown as the other. The index is in the leaf,
///      and the chain puts it there: the digest of another chunk cannot be shown in its place. So nobody refutes an
///      artifact that was encrypted as above.
library ArtifactChallenge {
    /// @notice The artifact is empty or larger than a terabyte, or a root is missing.
    error ArtifactRefused(bytes32 plainRoot, bytes32 cipherRoot, uint64 sizeBytes);
    /// @notice The artifact has no such chunk.
    error NoSuchChunk(uint256 index, uint256 chunkCount);
    /// @notice The chunk has another length.
    error ChunkLengthMismatch(uint256 index, uint256 found, uint256 expected);
    /// @notice The ciphertext is not that of the artifact's chunk.
    error ForeignCiphertext(uint256 index);
    /// @notice The digest is not that of the artifact's chunk.
    error ForeignPlaintext(uint256 index);
    /// @notice The chunk decrypts to what was promised.
    error ChunkIsRight(uint256 index);

    /// @dev A chunk in calldata costs at most 65,536 gas, or 163,840 where calldata has EIP-7623's floor; the digests of
    ///      all chunks add 0.8 % to what is published.
    uint256 internal constant CHUNK_BYTES = 4096;
    uint256 internal constant CHUNK_WORDS = CHUNK_BYTES / 32;
    uint256 internal constant MAX_SIZE_BYTES = 1 << 40;
    /// @dev Blinding and index.
    uint256 private constant DIGEST_HEAD_BYTES = 64;

    bytes32 internal constant STREAM = keccak256("zkml.artifact.stream.v1");
    bytes32 internal constant BLINDING = keccak256("zkml.artifact.blinding.v1");
    bytes32 internal constant PLAIN = keccak256("zkml.artifact.plain.v1");
    bytes32 internal constant CIPHER = keccak256("zkml.artifact.cipher.v1");

    /// @notice Checks that a commitment can be one.
    function check(Artifact memory artifact) internal pure {
        bool isEmpty = artifact.plainRoot == 0 || artifact.cipherRoot == 0 || artifact.sizeBytes == 0;
        if (isEmpty || artifact.sizeBytes > MAX_SIZE_BYTES) {
            revert ArtifactRefused(artifact.plainRoot, artifact.cipherRoot, artifact.sizeBytes);
        }
    }

    /// @notice What a model's `keyCommitment` must be for a key to open its artifact.
    function keyCommitmentOf(bytes32 key) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(key));
    }

    /// @notice Returns if a chunk is proved wrong under a key, and reverts if not. That the key is the one committed to
    ///         is not looked at: whoever stores a revealed key has checked it.
    function refute(Artifact memory artifact, bytes32 key, WrongChunk calldata chunk) internal pure {
        uint256 index = chunk.index;
        uint256 length = _chunkLength(artifact.sizeBytes, index);
        if (chunk.cipherChunk.length != length) {
            revert ChunkLengthMismatch(index, chunk.cipherChunk.length, length);
        }
        bytes32 leaf = leafOf(CIPHER, index, length, keccak256(chunk.cipherChunk));
        if (!MerkleProof.verifyCalldata(chunk.cipherPath, artifact.cipherRoot, leaf)) revert ForeignCiphertext(index);
        leaf = leafOf(PLAIN, index, length, chunk.plainDigest);
        if (!MerkleProof.verifyCalldata(chunk.plainPath, artifact.plainRoot, leaf)) revert ForeignPlaintext(index);

        // Laid out as its digest wants it, and decrypted in place.
        bytes memory plain = bytes.concat(blindingOf(key), bytes32(index), chunk.cipherChunk);
        applyStream(plain, DIGEST_HEAD_BYTES, streamKeyOf(key, artifact.plainRoot), index * CHUNK_WORDS);
        if (keccak256(plain) == chunk.plainDigest) revert ChunkIsRight(index);
    }

    /// @notice The key of an artifact's stream.
    function streamKeyOf(bytes32 key, bytes32 plainRoot) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(STREAM, key, plainRoot));
    }

    /// @notice What digests of plaintext begin with, so that nobody can guess a plaintext from them.
    function blindingOf(bytes32 key) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(BLINDING, key));
    }

    /// @notice The leaf of a tree.
    function leafOf(bytes32 tag, uint256 index, uint256 length, bytes32 digest) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(tag, index, length, digest));
    }

    /// @notice Encrypts or decrypts `data` in place, all but its first `skipped` bytes, which are whole words.
    /// @param firstWord the number of the stream's word that the first word met is taken with.
    function applyStream(bytes memory data, uint256 skipped, bytes32 streamKey, uint256 firstWord) internal pure {
        assembly ("memory-safe") {
            mstore(0x00, streamKey)
            let end := add(add(data, 0x20), mload(data))
            // Memory is allocated in words: what the last one has beyond the end is padding of `data`.
            for { let at := add(add(data, 0x20), skipped) } lt(at, end) { at := add(at, 0x20) } {
                mstore(0x20, firstWord)
                mstore(at, xor(mload(at), keccak256(0x00, 0x40)))
                firstWord := add(firstWord, 1)
            }
        }
    }

    function _chunkLength(uint256 sizeBytes, uint256 index) private pure returns (uint256) {
        uint256 count = (sizeBytes + CHUNK_BYTES - 1) / CHUNK_BYTES;
        if (index >= count) revert NoSuchChunk(index, count);
        return index + 1 == count ? sizeBytes - index * CHUNK_BYTES : CHUNK_BYTES;
    }
}
