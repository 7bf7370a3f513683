// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {IVerifierRouter} from "verifier_contracts/src/IVerifierRouter.sol";

/// @notice What a publisher commits to; a new version is a new model.
/// @param circuitId the circuit, as the router files it.
/// @param onnxDigest SHA-256 of the ONNX file.
/// @param settingsDigest SHA-256 of the canonical circuit settings.
/// @param manifestDigest SHA-256 of the bundle's manifest, which names every other file.
/// @param manifestCid where the manifest is published, without a scheme.
/// @param name what people call the model; not unique, and never trusted.
struct ModelCommitment {
    bytes32 circuitId;
    bytes32 onnxDigest;
    bytes32 settingsDigest;
    bytes32 manifestDigest;
    string manifestCid;
    string name;
}

/// @notice A model is PROVEN once the chain has accepted a proof of an input that the chain itself chose.
enum ModelStatus {
    NONE,
    REGISTERED,
    PROVEN
}

/// @title Models as ERC-721 tokens, with commitments that never change
interface IModelRegistry is IERC721 {
    /// @notice A model was registered; it cannot earn yet.
    event ModelRegistered(
        uint256 indexed modelId,
        address indexed publisher,
        bytes32 indexed circuitId,
        bytes32 manifestDigest,
        string manifestCid,
        string name
    );
    /// @notice The model's genesis proof was accepted. The digests are keccak256 of output and proof.
    event ModelProven(uint256 indexed modelId, bytes32 indexed circuitId, bytes32 outputDigest, bytes32 proofDigest);
    /// @notice The genesis proof, where it stands in no transaction's calldata: exactly when {activate} was not called
    ///         by the transaction itself, from an account without code. `subject` is the model's id.
    event ProofPublished(bytes32 indexed subject, bytes input, bytes output, bytes proof);

    /// @notice The router's address has no code.
    error NotARouter(address router);
    /// @notice The router does not know the circuit.
    error UnknownCircuitOfModel(bytes32 circuitId);
    /// @notice The same publisher registered the same commitment before.
    error ModelExists(uint256 modelId);
    /// @notice There is no such model.
    error UnknownModel(uint256 modelId);
    /// @notice A digest of the commitment is zero.
    error EmptyDigest();
    /// @notice A text of the commitment is empty or too long.
    error TextLengthOutOfRange(uint256 lengthBytes, uint256 maximumBytes);
    /// @notice The model is not waiting for its genesis proof.
    error WrongModelStatus(uint256 modelId, ModelStatus status);
    /// @notice Another model of this circuit is PROVEN, or, for the class CEREMONY, one with the same verifying key.
    error CircuitTaken(bytes32 circuitId, uint256 modelId);

    /// @notice Registers a model and mints its token to the caller.
    /// @param commitment what it is.
    /// @return modelId keccak256(abi.encode(keccak256("zkml.model.v1"), chain id, this, caller,
    ///         keccak256(abi.encode(commitment)))).
    function register(ModelCommitment calldata commitment) external returns (uint256 modelId);

    /// @notice Makes a registered model PROVEN. Anyone may, with a proof about exactly {genesisInput}.
    /// @param modelId the model.
    /// @param output the packed output of the genesis input.
    /// @param proof the proof.
    function activate(uint256 modelId, bytes calldata output, bytes calldata proof) external;

    /// @notice The seed of the model's genesis input, and the context of its proof: keccak256(abi.encode(
    ///         keccak256("zkml.genesis.v1"), chain id, this, model, owner)). A transfer before activation changes it.
    function genesisSeed(uint256 modelId) external view returns (bytes32 seed);

    /// @notice The packed input that the genesis proof must be about, drawn by the router from {genesisSeed}.
    function genesisInput(uint256 modelId) external view returns (bytes memory input);

    /// @notice The model's status; NONE where there is no such model.
    function statusOf(uint256 modelId) external view returns (ModelStatus status);

    /// @notice What the publisher committed to; reverts if there is no such model.
    function commitmentOf(uint256 modelId) external view returns (ModelCommitment memory commitment);

    /// @notice The model's circuit; reverts if there is no such model.
    function circuitOf(uint256 modelId) external view returns (bytes32 circuitId);

    /// @notice The PROVEN model that a circuit is taken by, or zero; reverts if the router has no such circuit.
    /// @dev At most one per circuit; for the class CEREMONY at most one per verifying key, since there audited code
    ///      reads the key. For every other class the key's digest is what whoever added the circuit says: were it the
    ///      measure, anybody could take the key of somebody else's model with an adapter that accepts anything.
    function provenModelOf(bytes32 circuitId) external view returns (uint256 modelId);

    /// @notice The router that checks this registry's proofs.
    function router() external view returns (IVerifierRouter);
}
