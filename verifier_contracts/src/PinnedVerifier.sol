// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title What stands on one verifier that EZKL generated: its address and its code, pinned
abstract contract PinnedVerifier {
    /// @notice The verifier has no code, or is an account that only delegates to code.
    error NotAVerifier(address verifier);
    /// @notice The code at the verifier's address is not the code that was pinned.
    error VerifierCodeChanged(bytes32 expected, bytes32 found);
    /// @notice The verifier reverted: the proof is not one of these instances.
    error VerifierReverted();
    /// @notice The verifier's answer is too short or too long, or does not begin with a word that is 1.
    error UnexpectedAnswer(uint256 lengthBytes, uint256 word);

    address internal immutable VERIFIER;
    bytes32 internal immutable CODE_HASH;

    /// @param verifier_ the generated verifier, deployed before.
    constructor(address verifier_) {
        // Code cannot start with 0xef (EIP-3541) unless the account delegates (EIP-7702), and then its owner may
        // change what it runs.
        if (verifier_.code.length == 0 || verifier_.code[0] == 0xef) revert NotAVerifier(verifier_);
        VERIFIER = verifier_;
        CODE_HASH = verifier_.codehash;
    }

    /// @notice The generated verifier.
    function verifier() external view returns (address) {
        return VERIFIER;
    }

    /// @notice The hash of the generated verifier's code when this contract was made.
    function verifierCodeHash() external view returns (bytes32) {
        return CODE_HASH;
    }

    function _checkVerifierCode() internal view {
        if (VERIFIER.codehash != CODE_HASH) revert VerifierCodeChanged(CODE_HASH, VERIFIER.codehash);
    }
}
