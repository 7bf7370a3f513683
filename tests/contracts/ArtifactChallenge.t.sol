// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Artifact, ArtifactChallenge, WrongChunk} from "marketplace/src/ArtifactChallenge.sol";
import {LocalArtifacts} from "marketplace/src/LocalArtifacts.sol";
import {Specification} from "tests/contracts/support/Specification.sol";

/// @notice Artifacts of a few chunks, encrypted the slow and obvious way, and one as large as 100 MB.
contract ArtifactChallengeTest is Specification {
    bytes32 private constant KEY = keccak256("a key drawn at random");
    uint256 private constant CHUNK = 4096;
    uint256 private constant BUDGET_GAS = 500_000;

    LocalArtifacts private door = new LocalArtifacts();
    bytes[] private plain;
    bytes[] private cipher;
    bytes32[] private digests;
    Artifact private artifact;

    /// @notice Nobody can refute an artifact that was encrypted as written down, whatever its size.
    function testFuzz_refute__honest_artifact__no_chunk_can_be_challenged(uint256 seed, uint256 size) external {
        publish(seed, within(size, 1, 3 * CHUNK + 100));
        for (uint256 i; i < plain.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(ArtifactChallenge.ChunkIsRight.selector, i));
            door.refute(artifact, KEY, chunkAt(i));
        }
    }

    /// @notice The digest of one chunk cannot be shown in the place of another's.
    function test_refute__digest_of_another_chunk__refused() external {
        publish(1, 3 * CHUNK);
        WrongChunk memory wrong = chunkAt(0);
        WrongChunk memory other = chunkAt(1);
        (wrong.plainDigest, wrong.plainPath) = (other.plainDigest, other.plainPath);
        expectRefused(wrong, abi.encodeWithSelector(ArtifactChallenge.ForeignPlaintext.selector, 0));
    }

    /// @notice Neither can its ciphertext.
    function test_refute__ciphertext_of_another_chunk__refused() external {
        publish(1, 3 * CHUNK);
        WrongChunk memory wrong = chunkAt(0);
        WrongChunk memory other = chunkAt(1);
        (wrong.cipherChunk, wrong.cipherPath) = (other.cipherChunk, other.cipherPath);
        expectRefused(wrong, abi.encodeWithSelector(ArtifactChallenge.ForeignCiphertext.selector, 0));
    }

    /// @notice A node of a tree is no leaf, and a leaf of one tree none of the other.
    function test_refute__leaf_or_node_in_the_place_of_a_digest__refused() external {
        publish(1, 3 * CHUNK);
        WrongChunk memory wrong = chunkAt(0);
        bytes32[3] memory disguised = [artifact.plainRoot, keccak256(cipher[0]), plainLeaf(0)];
        for (uint256 i; i < disguised.length; ++i) {
            wrong.plainDigest = disguised[i];
            expectRefused(wrong, abi.encodeWithSelector(ArtifactChallenge.ForeignPlaintext.selector, 0));
        }
        wrong = chunkAt(0);
        wrong.plainPath = new bytes32[](0);
        expectRefused(wrong, abi.encodeWithSelector(ArtifactChallenge.ForeignPlaintext.selector, 0));
    }

    /// @notice One bit that the creator changed in any chunk, of ciphertext or digest, refutes the artifact.
    function testFuzz_refute__one_bit_wrong_in_a_chunk__refuted(
        uint256 seed,
        uint256 size,
        uint256 place,
        bool inDigest
    ) external {
        encrypt(seed, within(size, 1, 3 * CHUNK + 100));
        uint256 index = place % plain.length;
        if (inDigest) digests[index] ^= bytes32(uint256(1) << (place % 256));
        else cipher[index] = flipped(cipher[index], place);
        commit();
        for (uint256 i; i < plain.length; ++i) {
            if (i != index) vm.expectRevert(abi.encodeWithSelector(ArtifactChallenge.ChunkIsRight.selector, i));
            door.refute(artifact, KEY, chunkAt(i));
        }
    }

    /// @notice A key that opens something else refutes every chunk.
    function testFuzz_refute__another_key__refuted(bytes32 key) external {
        vm.assume(key != KEY);
        publish(2, 2 * CHUNK + 5);
        for (uint256 i; i < plain.length; ++i) {
            door.refute(artifact, key, chunkAt(i));
        }
    }

    function testFuzz_refute__anything_changed_by_the_challenger__refused(uint256 place) external {
        publish(3, 2 * CHUNK + 77);
        uint256 index = place % 3;
        WrongChunk memory wrong = chunkAt(index);
        wrong.cipherChunk = flipped(wrong.cipherChunk, place);
        expectRefused(wrong, abi.encodeWithSelector(ArtifactChallenge.ForeignCiphertext.selector, index));

        wrong = chunkAt(index);
        wrong.cipherPath[place % wrong.cipherPath.length] ^= bytes32(uint256(1) << (place % 256));
        expectRefused(wrong, abi.encodeWithSelector(ArtifactChallenge.ForeignCiphertext.selector, index));

        wrong = chunkAt(index);
        wrong.plainDigest ^= bytes32(uint256(1) << (place % 256));
        expectRefused(wrong, abi.encodeWithSelector(ArtifactChallenge.ForeignPlaintext.selector, index));

        wrong = chunkAt(index);
        wrong.index = uint64(index + 1) % 2;
        uint256 length = wrong.cipherChunk.length;
        expectRefused(
            wrong,
            length == CHUNK
                ? abi.encodeWithSelector(ArtifactChallenge.ForeignCiphertext.selector, wrong.index)
                : abi.encodeWithSelector(ArtifactChallenge.ChunkLengthMismatch.selector, wrong.index, length, CHUNK)
        );
    }

    function test_refute__chunk_out_of_range_or_of_another_length__refused() external {
        publish(4, 2 * CHUNK + 1);
        WrongChunk memory wrong = chunkAt(2);
        wrong.index = 3;
        expectRefused(wrong, abi.encodeWithSelector(ArtifactChallenge.NoSuchChunk.selector, 3, 3));
        wrong.index = type(uint64).max;
        expectRefused(wrong, abi.encodeWithSelector(ArtifactChallenge.NoSuchChunk.selector, type(uint64).max, 3));
        wrong.index = 2;
        wrong.cipherChunk = bytes.concat(wrong.cipherChunk, hex"00");
        expectRefused(wrong, abi.encodeWithSelector(ArtifactChallenge.ChunkLengthMismatch.selector, 2, 2, 1));
        wrong.cipherChunk = "";
        expectRefused(wrong, abi.encodeWithSelector(ArtifactChallenge.ChunkLengthMismatch.selector, 2, 0, 1));
    }

    function test_check__empty_or_too_large__refused() external {
        publish(5, 1);
        Artifact[4] memory refused = [artifact, artifact, artifact, artifact];
        refused[0].plainRoot = 0;
        refused[1].cipherRoot = 0;
        refused[2].sizeBytes = 0;
        refused[3].sizeBytes = (1 << 40) + 1;
        WrongChunk memory wrong = chunkAt(0);
        for (uint256 i; i < refused.length; ++i) {
            Artifact memory each = refused[i];
            vm.expectRevert(
                abi.encodeWithSelector(
                    ArtifactChallenge.ArtifactRefused.selector, each.plainRoot, each.cipherRoot, each.sizeBytes
                )
            );
            door.refute(each, KEY, wrong);
        }
    }

    /// @notice Encrypting is decrypting, in pieces of any number of words, and what follows a piece is left alone.
    function testFuzz_transform__any_piece__equals_the_slow_way(uint256 seed, uint256 length, uint256 firstWord)
        external
        view
    {
        bytes memory piece = noise(seed, within(length, 0, 200));
        firstWord = within(firstWord, 0, 1 << 35);
        bytes memory expected = slowly(piece, keccak256("stream"), firstWord);
        bytes memory found = door.transform(keccak256("stream"), firstWord, piece);
        vm.assertEq(found, expected, "transformed");
        vm.assertEq(door.transform(keccak256("stream"), firstWord, found), piece, "and back");
    }

    /// @notice A challenge of one chunk of an artifact of 100 MB costs under 500,000 gas, calldata and all, even where
    ///         calldata has the floor of EIP-7623.
    function test_refute__100_megabytes__within_the_budget() external {
        encrypt(6, CHUNK);
        uint64 index = 12_345;
        artifact.sizeBytes = 100_000_000;
        WrongChunk memory wrong = WrongChunk({
            index: index,
            cipherChunk: noise(7, CHUNK),
            cipherPath: new bytes32[](15),
            plainDigest: keccak256("of another plaintext"),
            plainPath: new bytes32[](15)
        });
        bytes32 cipherNode = leaf("zkml.artifact.cipher.v1", index, CHUNK, keccak256(wrong.cipherChunk));
        bytes32 plainNode = leaf("zkml.artifact.plain.v1", index, CHUNK, wrong.plainDigest);
        for (uint256 i; i < 15; ++i) {
            (wrong.cipherPath[i], wrong.plainPath[i]) = (keccak256(abi.encode(i)), keccak256(abi.encode(i, 1)));
            cipherNode = pair(cipherNode, wrong.cipherPath[i]);
            plainNode = pair(plainNode, wrong.plainPath[i]);
        }
        (artifact.cipherRoot, artifact.plainRoot) = (cipherNode, plainNode);

        Artifact memory committed = artifact;
        door.refute(committed, KEY, wrong);
        bytes memory data = abi.encodeCall(door.refute, (committed, KEY, wrong));
        (uint256 whole, uint256 floor) = (21_000 + vm.lastCallGas().gasTotalUsed, 21_000);
        for (uint256 i; i < data.length; ++i) {
            whole += data[i] == 0 ? 4 : 16;
            floor += data[i] == 0 ? 10 : 40;
        }
        vm.assertLe(whole, BUDGET_GAS * 3 / 10, "most of the budget is left to whoever calls the library");
        vm.assertLe(floor, BUDGET_GAS / 2, "EIP-7623");
        vm.snapshotValue("artifact", "refute_100_MB", whole);
        vm.snapshotValue("artifact", "refute_100_MB_floor", floor);
    }

    function publish(uint256 seed, uint256 size) private {
        encrypt(seed, size);
        commit();
    }

    /// @dev Digests first: their root is part of the stream's key.
    function encrypt(uint256 seed, uint256 size) private {
        (plain, cipher, digests) = (new bytes[](0), new bytes[](0), new bytes32[](0));
        bytes32 blinding = keccak256(bytes.concat(keccak256("zkml.artifact.blinding.v1"), KEY));
        for (uint256 start; start < size; start += CHUNK) {
            uint256 length = size - start < CHUNK ? size - start : CHUNK;
            // Noise of a few bytes, so that the slow way is fast enough.
            bytes memory chunk = bytes.concat(noise(seed ^ start, length % 64), new bytes(length - length % 64));
            digests.push(keccak256(bytes.concat(blinding, bytes32(plain.length), chunk)));
            plain.push(chunk);
        }
        artifact.sizeBytes = uint64(size);
        artifact.plainRoot = rootOf(true);
        bytes32 streamKey = keccak256(bytes.concat(keccak256("zkml.artifact.stream.v1"), KEY, artifact.plainRoot));
        for (uint256 i; i < plain.length; ++i) {
            cipher.push(door.transform(streamKey, i * 128, plain[i]));
        }
    }

    /// @dev A creator who changed a digest encrypts with the root of the changed ones, as anybody opens it.
    function commit() private {
        bytes32 before = artifact.plainRoot;
        artifact.plainRoot = rootOf(true);
        if (artifact.plainRoot != before) {
            bytes32 streamKey = keccak256(bytes.concat(keccak256("zkml.artifact.stream.v1"), KEY, artifact.plainRoot));
            for (uint256 i; i < plain.length; ++i) {
                cipher[i] = door.transform(streamKey, i * 128, plain[i]);
            }
        }
        artifact.cipherRoot = rootOf(false);
    }

    function chunkAt(uint256 index) private view returns (WrongChunk memory) {
        return WrongChunk({
            index: uint64(index),
            cipherChunk: cipher[index],
            cipherPath: pathOf(index, false),
            plainDigest: digests[index],
            plainPath: pathOf(index, true)
        });
    }

    function rootOf(bool ofPlain) private view returns (bytes32 node) {
        node = leafAt(0, ofPlain);
        bytes32[] memory path = pathOf(0, ofPlain);
        for (uint256 i; i < path.length; ++i) {
            node = pair(node, path[i]);
        }
    }

    /// @dev Of at most four leaves, written out: ((0 1) (2 3)), ((0 1) 2), (0 1), 0.
    function pathOf(uint256 index, bool ofPlain) private view returns (bytes32[] memory path) {
        uint256 count = plain.length;
        bool hasSibling = index ^ 1 < count;
        path = new bytes32[]((hasSibling ? 1 : 0) + (count > 2 ? 1 : 0));
        if (hasSibling) path[0] = leafAt(index ^ 1, ofPlain);
        if (count <= 2) return path;
        uint256 other = index < 2 ? 2 : 0;
        bytes32 node = leafAt(other, ofPlain);
        if (other + 1 < count) node = pair(node, leafAt(other + 1, ofPlain));
        path[path.length - 1] = node;
    }

    function leafAt(uint256 index, bool ofPlain) private view returns (bytes32) {
        return ofPlain
            ? plainLeaf(index)
            : leaf("zkml.artifact.cipher.v1", index, cipher[index].length, keccak256(cipher[index]));
    }

    function plainLeaf(uint256 index) private view returns (bytes32) {
        return leaf("zkml.artifact.plain.v1", index, plain[index].length, digests[index]);
    }

    function leaf(string memory tag, uint256 index, uint256 length, bytes32 digest) private pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(bytes(tag)), bytes32(index), bytes32(length), digest));
    }

    function pair(bytes32 a, bytes32 b) private pure returns (bytes32) {
        return a < b ? keccak256(bytes.concat(a, b)) : keccak256(bytes.concat(b, a));
    }

    /// @dev Byte by byte.
    function slowly(bytes memory piece, bytes32 streamKey, uint256 firstWord)
        private
        pure
        returns (bytes memory changed)
    {
        changed = bytes.concat(piece);
        for (uint256 i; i < piece.length; ++i) {
            changed[i] ^= keccak256(bytes.concat(streamKey, bytes32(firstWord + i / 32)))[i % 32];
        }
    }

    function expectRefused(WrongChunk memory wrong, bytes memory reason) private {
        vm.expectRevert(reason);
        door.refute(artifact, KEY, wrong);
    }
}
