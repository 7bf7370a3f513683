// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The pin of committed weights
/// @notice Where a model's weights are committed (EZKL's polycommit), one verifying key serves all weights of an
///         architecture, and the commitment, a point (x, y), is the first 64 bytes of every proof. Unless somebody
///         compares it, the prover chooses the weights.
library CommittedWeights {
    /// @notice The proof is one of other weights, or too short to carry a commitment (`found` is zero then).
    error WeightsMismatch(bytes32 expected, bytes32 found);

    uint256 private constant COMMITMENT_BYTES = 64;

    /// @notice Reverts unless the proof begins with the commitment that was pinned.
    /// @param pinned keccak256 of the commitment, or zero where the verifying key binds the weights.
    /// @param proof the proof.
    function check(bytes32 pinned, bytes calldata proof) internal pure {
        if (pinned == 0) return;
        bytes32 found = proof.length < COMMITMENT_BYTES ? bytes32(0) : keccak256(proof[:COMMITMENT_BYTES]);
        if (found != pinned) revert WeightsMismatch(pinned, found);
    }
}
