// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {StoredKeys} from "verifier_contracts/src/StoredKeys.sol";

/// @title Where things stand in a key of EZKL's reusable verifier
/// @dev Places are in words. Source: what EZKL 23's `create_evm_vka` writes.
library EzklKey {
    /// @dev The number of instances.
    uint256 internal constant INSTANCES_WORD = 2;
    /// @dev The number of evaluations in a proof.
    uint256 internal constant EVALUATIONS_WORD = 3;
    /// @dev Where G1, G2 and -[tau]G2 begin.
    uint256 internal constant CEREMONY_WORD = 14;
    /// @dev Where the plan of a proof's points begins.
    uint256 internal constant PLAN_WORD = 33;

    /// @dev The header, of which the last word holds how a proof is read.
    uint256 private constant MIN_WORDS = 34;
    /// @dev A key points into its own memory, which begins at 0xa0, with 16 bits.
    uint256 private constant MAX_WORDS = 2_042;

    /// @notice Reverts unless a key can have this many words.
    function checkSize(uint256 words) internal pure {
        StoredKeys.checkSize(words, MIN_WORDS, MAX_WORDS);
    }
}
