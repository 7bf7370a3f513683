// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title One circuit's verifier, whatever its proof system
/// @notice The only thing that registries and markets know about proofs.
interface IProofVerifier {
    /// @notice Accepts a proof that the circuit maps `input` to `output`, or reverts.
    /// @dev Returns nothing, so a caller cannot forget to look at a result. Anything wrong reverts: a length, an
    ///      element, the proof.
    /// @param context what the proof is for: a hash of chain, calling contract, job and payee, or a genesis seed.
    ///        Proof systems that can bind it must; the others ignore it, and their callers bind the payee first.
    /// @param input the packed public input, see {PackedTensors}.
    /// @param output the packed public output, see {PackedTensors}.
    /// @param proof the proof, in the encoding of its system.
    function verify(bytes32 context, bytes calldata input, bytes calldata output, bytes calldata proof) external view;
}
