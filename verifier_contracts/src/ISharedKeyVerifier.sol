// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IProofVerifier} from "verifier_contracts/src/IProofVerifier.sol";
import {InputDomain, TensorLayout} from "verifier_contracts/src/TensorLayout.sol";

/// @title A circuit's view of verifier code that many circuits share, with the circuit's key pinned
/// @notice Its answers are worth what the code behind it is worth: the router asks only where that code was audited.
interface ISharedKeyVerifier is IProofVerifier {
    /// @notice The digest of the pinned verifying key.
    function verifyingKeyDigest() external view returns (bytes32);

    /// @notice keccak256 of the pinned weight commitment, or zero where the key binds the weights.
    function weightCommitment() external view returns (bytes32);

    /// @notice The public tensors that it builds the instances from.
    function tensorLayout() external view returns (TensorLayout memory);

    /// @notice What the key says of its ceremony: G1 (x, y), G2 and -[tau]G2 (x.c1, x.c0, y.c1, y.c0 each).
    function ceremonyConstants() external view returns (bytes32[10] memory);

    /// @notice Reverts if the key is one of a circuit with another input domain, where keys say so.
    function checkDomain(InputDomain calldata domain) external view;
}
