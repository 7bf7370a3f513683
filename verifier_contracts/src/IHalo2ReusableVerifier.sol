// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The verifier that EZKL's generator writes once for all circuits
/// @notice The verifying key (VKA) comes with every call, from the caller: who does not pin its digest pins nothing.
interface IHalo2ReusableVerifier {
    /// @notice Lets a key be used; anyone may, any key, and again.
    /// @param key the words of the key.
    /// @return digest keccak256 of the words.
    function registerVka(bytes32[] calldata key) external returns (bytes32 digest);

    /// @notice Checks a proof against its instances and a registered key.
    /// @dev Reverts on a wrong proof, and is nonpayable in its ABI though it writes nothing. A third value is returned
    ///      that is no valid ABI encoding, so it is left out here: read two words and no more. The key's words hold
    ///      places in this very calldata, so it must be encoded canonically.
    /// @param proof the transcript.
    /// @param instances the public field elements, each below the order of BN254's G1.
    /// @param key the words of the key.
    /// @return accepted true.
    /// @return digest keccak256 of the words of the key.
    function verifyProof(bytes calldata proof, uint256[] calldata instances, bytes32[] calldata key)
        external
        returns (bool accepted, bytes32 digest);
}
