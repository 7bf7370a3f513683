// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IProofVerifier} from "verifier_contracts/src/IProofVerifier.sol";
import {ISharedKeyVerifier} from "verifier_contracts/src/ISharedKeyVerifier.sol";
import {OctetKey} from "verifier_contracts/src/OctetKey.sol";
import {OctetPoints} from "verifier_contracts/src/OctetPoints.sol";
import {OctetProtocol} from "verifier_contracts/src/OctetProtocol.sol";
import {OctetStatement} from "verifier_contracts/src/OctetStatement.sol";
import {SharedKeyArguments, SharedKeyPins} from "verifier_contracts/src/SharedKeyPins.sol";
import {SharedVerifier} from "verifier_contracts/src/SharedVerifier.sol";
import {StoredKeys} from "verifier_contracts/src/StoredKeys.sol";
import {InputDomain, PackedTensors, TensorLayout} from "verifier_contracts/src/TensorLayout.sol";

/// @title The verifier of OCTET, shared by all circuits
/// @notice Runs behind clones that pin a circuit's key. A proof holds for one context.
/// @dev The normative definition is `circuits/octet/spec/verifier.py`: both give the same verdict on every proof of a
///      statement whose input lies in the circuit's domain, which whoever calls has checked ({IVerifierRouter} does).
contract OctetSharedVerifier is SharedVerifier {
    /// @notice The key is of another version of the protocol.
    error UnknownKeyVersion(uint256 expected, uint256 found);
    /// @notice The clone's tensors are not those of its key.
    error LayoutMismatch(uint256 expected, uint256 found);
    /// @notice The clone pins a commitment to weights, which this system's keys bind themselves.
    error UnexpectedWeightCommitment(bytes32 found);
    /// @notice The key is one of a circuit with another input domain.
    error InputDomainMismatch(InputDomain expected, InputDomain found);

    uint256 private constant VERSION = 1;
    /// @dev How far the layout's 80 bits stand from the end of their word.
    uint256 private constant LAYOUT_SHIFT = 176;

    /// @inheritdoc IProofVerifier
    function verify(bytes32 context, bytes calldata input, bytes calldata output, bytes calldata proof) external view {
        SharedKeyPins memory pins = SharedKeyArguments.ofThisClone();
        uint256 base = _loadKey(pins);
        _checkPins(base, pins);
        PackedTensors.checkInputLength(pins.tensors.inputCount, pins.tensors.inputBytes, input.length); // check: input_length
        PackedTensors.checkOutputLength(pins.tensors.outputCount, pins.tensors.outputBytes, output.length); // check: output_length
        _checkProofLength(base, proof.length);
        uint256 state = OctetStatement.seed(base, context, input, output);
        uint256 from;
        assembly ("memory-safe") {
            from := proof.offset
        }
        OctetProtocol.verify(base, state, from);
    }

    /// @inheritdoc ISharedKeyVerifier
    function checkDomain(InputDomain calldata domain) external view {
        uint256 packed = uint256(verifyingKey()[OctetKey.LAYOUT_WORD]);
        InputDomain memory expected = InputDomain(int64(uint64(packed >> 112)), int64(uint64(packed >> 48)));
        if (domain.min != expected.min || domain.max != expected.max) revert InputDomainMismatch(expected, domain);
    }

    function _checkKeySize(uint256 words) internal pure override {
        OctetKey.checkSize(words);
    }

    /// @dev A key names -[tau]G2 alone: the generators are EIP-197's, which the verifier's code has.
    function _ceremonyConstants(bytes32[] memory key) internal pure override returns (bytes32[10] memory constants) {
        constants[0] = bytes32(uint256(1));
        constants[1] = bytes32(uint256(2));
        constants[2] = bytes32(OctetPoints.G2_X1);
        constants[3] = bytes32(OctetPoints.G2_X0);
        constants[4] = bytes32(OctetPoints.G2_Y1);
        constants[5] = bytes32(OctetPoints.G2_Y0);
        for (uint256 i; i < 4; ++i) {
            constants[6 + i] = key[OctetKey.TAU_WORD + i];
        }
    }

    /// @dev Takes memory for the key and the frame behind it, and writes the key.
    function _loadKey(SharedKeyPins memory pins) private view returns (uint256 base) {
        OctetKey.checkSize(pins.key.words);
        assembly ("memory-safe") {
            base := mload(0x40)
        }
        uint256 end = StoredKeys.load(pins.key, base);
        bytes32 found;
        assembly ("memory-safe") {
            found := keccak256(base, sub(end, base))
        }
        if (found != pins.keyDigest) revert KeyMismatch(pins.keyDigest, found); // check: key_digest
        end = OctetKey.place(base, OctetKey.word(base, OctetKey.FRAME_WORD), OctetKey.FRAME_END);
        assembly ("memory-safe") {
            mstore(0x40, end)
        }
    }

    function _checkPins(uint256 base, SharedKeyPins memory pins) private pure {
        uint256 version = OctetKey.field(OctetKey.word(base, OctetKey.SHAPE_WORD), OctetKey.VERSION);
        if (version != VERSION) revert UnknownKeyVersion(VERSION, version); // check: key_version
        if (pins.weightCommitment != 0) revert UnexpectedWeightCommitment(pins.weightCommitment); // check: no_weights
        TensorLayout memory tensors = pins.tensors;
        uint256 expected = OctetKey.word(base, OctetKey.LAYOUT_WORD) >> LAYOUT_SHIFT;
        uint256 found = uint256(tensors.inputCount) << 48 | uint256(tensors.inputBytes) << 40
            | uint256(tensors.outputCount) << 8 | tensors.outputBytes;
        if (found != expected) revert LayoutMismatch(expected, found); // check: tensors_of_key
    }

    function _checkProofLength(uint256 base, uint256 found) private pure {
        uint256 expected = 32 * OctetKey.field(OctetKey.word(base, OctetKey.FRAME_WORD), OctetKey.PROOF_WORDS);
        if (found != expected) revert ProofLengthMismatch(expected, found); // check: exact_length
    }
}
