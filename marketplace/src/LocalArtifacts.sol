// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Artifact, ArtifactChallenge, WrongChunk} from "marketplace/src/ArtifactChallenge.sol";

/// @title {ArtifactChallenge} for whoever encrypts, opens or refutes an artifact
/// @notice Not part of a deployment: publishers and buyers run it in an EVM of their own, which is the fastest keccak that
///         a machine with zkml surely has, and so run the very code that the chain would refute them with.
contract LocalArtifacts {
    /// @notice Encrypts or decrypts a piece of an artifact.
    /// @param firstWord of the stream: the piece's place in the artifact, in words of 32 bytes.
    function transform(bytes32 streamKey, uint256 firstWord, bytes calldata piece)
        external
        pure
        returns (bytes memory transformed)
    {
        transformed = piece;
        ArtifactChallenge.applyStream(transformed, 0, streamKey, firstWord);
    }

    /// @notice Returns if a chunk is proved wrong under a key, and reverts if not.
    function refute(Artifact calldata artifact, bytes32 key, WrongChunk calldata chunk) external pure {
        ArtifactChallenge.check(artifact);
        ArtifactChallenge.refute(artifact, key, chunk);
    }
}
