// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {IModelRegistry, ModelCommitment, ModelStatus} from "registry/src/IModelRegistry.sol";
import {CircuitSpec, IVerifierRouter, VerifierClass} from "verifier_contracts/src/IVerifierRouter.sol";
import {isPlainCall} from "verifier_contracts/src/PlainCall.sol";

/// @title Models as ERC-721 tokens, with commitments that never change
/// @dev No owner and no setter. The router is trusted, and everything it calls is called statically.
contract ModelRegistry is ERC721, IModelRegistry {
    bytes32 private constant MODEL_TAG = keccak256("zkml.model.v1");
    bytes32 private constant GENESIS_TAG = keccak256("zkml.genesis.v1");
    uint256 private constant MAX_CID_BYTES = 128;
    uint256 private constant MAX_NAME_BYTES = 128;

    IVerifierRouter private immutable ROUTER;

    mapping(uint256 modelId => ModelCommitment) private _commitments;
    mapping(uint256 modelId => ModelStatus) private _statuses;
    mapping(bytes32 uniquenessKey => uint256 modelId) private _provenModels;

    /// @param router_ the router whose circuits models are registered for.
    constructor(IVerifierRouter router_) ERC721("zkML Model", "ZKMODEL") {
        if (address(router_).code.length == 0) revert NotARouter(address(router_));
        ROUTER = router_;
    }

    /// @inheritdoc IModelRegistry
    function register(ModelCommitment calldata commitment) external returns (uint256 modelId) {
        modelId = uint256(
            keccak256(
                abi.encode(MODEL_TAG, block.chainid, address(this), msg.sender, keccak256(abi.encode(commitment)))
            )
        );
        if (_statuses[modelId] != ModelStatus.NONE) revert ModelExists(modelId);
        _checkCommitment(commitment);

        _statuses[modelId] = ModelStatus.REGISTERED;
        _commitments[modelId] = commitment;
        emit ModelRegistered(
            modelId,
            msg.sender,
            commitment.circuitId,
            commitment.manifestDigest,
            commitment.manifestCid,
            commitment.name
        );
        // Not _safeMint: a model belongs to whoever registered it, and no foreign code runs here.
        _mint(msg.sender, modelId);
    }

    /// @inheritdoc IModelRegistry
    function activate(uint256 modelId, bytes calldata output, bytes calldata proof) external {
        ModelStatus status = _statuses[modelId];
        if (status != ModelStatus.REGISTERED) revert WrongModelStatus(modelId, status);
        bytes32 circuitId = _commitments[modelId].circuitId;
        bytes32 key = _uniquenessKey(circuitId);
        uint256 holder = _provenModels[key];
        if (holder != 0) revert CircuitTaken(circuitId, holder);
        bytes32 seed = genesisSeed(modelId);
        bytes memory input = ROUTER.expandInput(circuitId, seed);
        ROUTER.verify(circuitId, seed, input, output, proof);

        _statuses[modelId] = ModelStatus.PROVEN;
        _provenModels[key] = modelId;
        emit ModelProven(modelId, circuitId, keccak256(output), keccak256(proof));
        if (!isPlainCall()) emit ProofPublished(bytes32(modelId), input, output, proof);
    }

    /// @inheritdoc IModelRegistry
    function genesisInput(uint256 modelId) external view returns (bytes memory input) {
        return ROUTER.expandInput(circuitOf(modelId), genesisSeed(modelId));
    }

    /// @inheritdoc IModelRegistry
    function statusOf(uint256 modelId) external view returns (ModelStatus status) {
        return _statuses[modelId];
    }

    /// @inheritdoc IModelRegistry
    function commitmentOf(uint256 modelId) external view returns (ModelCommitment memory commitment) {
        _checkExists(modelId);
        return _commitments[modelId];
    }

    /// @inheritdoc IModelRegistry
    function provenModelOf(bytes32 circuitId) external view returns (uint256 modelId) {
        return _provenModels[_uniquenessKey(circuitId)];
    }

    /// @inheritdoc IModelRegistry
    function router() external view returns (IVerifierRouter) {
        return ROUTER;
    }

    /// @inheritdoc IModelRegistry
    function genesisSeed(uint256 modelId) public view returns (bytes32 seed) {
        _checkExists(modelId);
        return keccak256(abi.encode(GENESIS_TAG, block.chainid, address(this), modelId, ownerOf(modelId)));
    }

    /// @inheritdoc IModelRegistry
    function circuitOf(uint256 modelId) public view returns (bytes32 circuitId) {
        _checkExists(modelId);
        return _commitments[modelId].circuitId;
    }

    /// @notice Where the model's manifest is published: "ipfs://" and the CID.
    /// @inheritdoc ERC721
    function tokenURI(uint256 modelId) public view override returns (string memory uri) {
        _checkExists(modelId);
        return string.concat("ipfs://", _commitments[modelId].manifestCid);
    }

    /// @dev What at most one model is PROVEN for. Hashed with its class, a key's digest is no circuit's id.
    function _uniquenessKey(bytes32 circuitId) private view returns (bytes32 key) {
        CircuitSpec memory spec = ROUTER.circuit(circuitId);
        if (spec.class_ != VerifierClass.CEREMONY) return circuitId;
        return keccak256(abi.encode(VerifierClass.CEREMONY, spec.verifyingKeyDigest));
    }

    function _checkCommitment(ModelCommitment calldata commitment) private view {
        if (!ROUTER.exists(commitment.circuitId)) revert UnknownCircuitOfModel(commitment.circuitId);
        if (commitment.onnxDigest == 0 || commitment.settingsDigest == 0 || commitment.manifestDigest == 0) {
            revert EmptyDigest();
        }
        _checkText(commitment.manifestCid, MAX_CID_BYTES);
        _checkText(commitment.name, MAX_NAME_BYTES);
    }

    function _checkText(string calldata text, uint256 maximumBytes) private pure {
        uint256 lengthBytes = bytes(text).length;
        if (lengthBytes == 0 || lengthBytes > maximumBytes) revert TextLengthOutOfRange(lengthBytes, maximumBytes);
    }

    function _checkExists(uint256 modelId) private view {
        if (_statuses[modelId] == ModelStatus.NONE) revert UnknownModel(modelId);
    }
}
