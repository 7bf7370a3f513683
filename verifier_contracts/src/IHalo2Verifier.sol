// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The verifier that EZKL's generator writes for one circuit
interface IHalo2Verifier {
    /// @notice Checks a proof against its instances.
    /// @dev Reverts on a wrong proof though it promises a bool, and is nonpayable in its ABI though it writes nothing:
    ///      callers must expect both answers, and use STATICCALL.
    /// @param proof the transcript.
    /// @param instances the public field elements, each below the order of BN254's G1.
    /// @return accepted true; a false is never seen, and must be refused all the same.
    function verifyProof(bytes calldata proof, uint256[] calldata instances) external returns (bool accepted);
}
