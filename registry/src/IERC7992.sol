// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice The commitment of ERC-7992 (draft).
struct ERC7992Commitment {
    bytes32 modelHash;
    bytes32 circuitHash;
    bytes32 vkHash;
    bytes4 proofSystemId;
    string uri;
}

/// @title The registry of ERC-7992 (draft), as far as commitments that never change allow
interface IERC7992Registry {
    /// @notice Not supported here: registering takes a commit and a reveal.
    function registerModel(ERC7992Commitment calldata commitment) external returns (uint256 modelId);

    /// @notice Not supported here: a commitment never changes.
    function updateModel(uint256 modelId, ERC7992Commitment calldata commitment) external;

    /// @notice Retires the model; the owner may.
    function deprecateModel(uint256 modelId) external;

    /// @notice The model, in the words of the standard.
    function getModel(uint256 modelId)
        external
        view
        returns (ERC7992Commitment memory commitment, bool deprecated, address owner);
}

/// @title The verifier of ERC-7992 (draft)
interface IERC7992Verifier {
    /// @notice An inference was verified.
    event InferenceVerified(
        uint256 indexed modelId, bytes32 indexed inputCommitment, bytes output, address indexed caller
    );

    /// @notice The verifier refused the proof. What else the router says (too little gas, a tombstone) comes through as it
    ///         is: it is not the proof's fault.
    error InvalidProof();
    /// @notice The circuit is none of the model's.
    error ModelMismatch();
    /// @notice The input inside `proof` does not hash to the commitment.
    error InputCommitmentMismatch();
    /// @notice The output has another length than the circuit's.
    error OutputMismatch();
    /// @notice The model is retired.
    error VerificationRefused_ModelDeprecated(uint256 modelId);

    /// @notice Reverts unless `proof` shows that the model maps the committed input to `output`.
    /// @param modelId a PROVEN model.
    /// @param inputCommitment keccak256 of the packed input.
    /// @param output the packed output.
    /// @param proof abi.encode(bytes32 circuitId, bytes input, bytes proof): the standard has no place for the input.
    function verifyInference(uint256 modelId, bytes32 inputCommitment, bytes calldata output, bytes calldata proof)
        external;

    /// @notice The proof system of the model's first circuit.
    function proofSystemOf(uint256 modelId) external view returns (bytes4 proofSystemId);

    /// @notice The registry whose models are verified.
    function registry() external view returns (address);
}

/// @title The verifier of ERC-7992, and what it binds proofs to
interface IInferenceVerifier is IERC7992Verifier {
    /// @notice What the proof must be for where its system binds that: keccak256(abi.encode(
    ///         keccak256("zkml.inference.v1"), chain id, this, modelId, inputCommitment)). It names no payee: nobody is paid.
    function contextOf(uint256 modelId, bytes32 inputCommitment) external view returns (bytes32 context);
}
