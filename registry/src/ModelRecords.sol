// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC165} from "@openzeppelin/contracts/interfaces/IERC165.sol";
import {IERC2981} from "@openzeppelin/contracts/interfaces/IERC2981.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ERC7992Commitment, IERC7992Registry} from "registry/src/IERC7992.sol";
import {DerivativeTerms, FeeTerms, IModelRegistry, ModelCommitment, ModelStatus} from "registry/src/IModelRegistry.sol";
import {ModelRules} from "registry/src/ModelRules.sol";
import {CircuitSpec, IVerifierRouter} from "verifier_contracts/src/IVerifierRouter.sol";

/// @title What is on record of every model, and how it is read
/// @dev Writes nothing.
abstract contract ModelRecords is ERC721, IERC2981, IERC7992Registry, IModelRegistry {
    /// @dev All that changes or is read often, in three words. What a job reads of it is one or two.
    struct Model {
        address publisher;
        ModelStatus status;
        bool closed;
        uint8 missing;
        FeeTerms fees;
        DerivativeTerms derivatives;
    }

    /// @dev A circuit's part in a model.
    struct Member {
        uint32 inputs;
        bool accepted;
    }

    bytes32 private constant GENESIS_TAG = keccak256("zkml.genesis.v1");
    /// @dev Of the price of a resold model: a constant, so that no owner can change it under a listing, and of the size
    ///      that markets honour. The publisher takes it: former owners have had their price.
    uint256 private constant RESALE_ROYALTY_PPM = 50_000;
    uint256 private constant PPM = 1_000_000;

    IVerifierRouter internal immutable ROUTER;

    mapping(uint256 modelId => Model) internal _models;
    mapping(uint256 modelId => ModelCommitment) internal _commitments;
    mapping(uint256 modelId => mapping(bytes32 circuitId => Member)) internal _members;
    mapping(uint256 modelId => mapping(address prover => bool)) internal _access;
    mapping(bytes32 uniquenessKey => uint256 modelId) internal _provenModels;

    constructor(IVerifierRouter router_) {
        _checkCode(address(router_));
        ROUTER = router_;
    }

    /// @inheritdoc IModelRegistry
    function genesisInput(uint256 modelId, bytes32 circuitId) external view returns (bytes memory input) {
        return ROUTER.expandInput(circuitId, genesisSeed(modelId));
    }

    /// @inheritdoc IModelRegistry
    function missingGenesis(uint256 modelId) external view returns (bytes32[] memory circuitIds) {
        _checkExists(modelId);
        bytes32[] storage all = _commitments[modelId].circuitIds;
        circuitIds = new bytes32[](_models[modelId].missing);
        uint256 found;
        for (uint256 i; found < circuitIds.length; ++i) {
            if (!_members[modelId][all[i]].accepted) circuitIds[found++] = all[i];
        }
    }

    /// @inheritdoc IModelRegistry
    function statusOf(uint256 modelId) external view returns (ModelStatus status) {
        return _models[modelId].status;
    }

    /// @inheritdoc IModelRegistry
    function commitmentOf(uint256 modelId) external view returns (ModelCommitment memory commitment) {
        _checkExists(modelId);
        return _commitments[modelId];
    }

    /// @inheritdoc IModelRegistry
    function publisherOf(uint256 modelId) external view returns (address publisher) {
        _checkExists(modelId);
        return _models[modelId].publisher;
    }

    /// @inheritdoc IModelRegistry
    function batchOf(uint256 modelId, bytes32 circuitId) external view returns (uint256 inputs) {
        return _members[modelId][circuitId].inputs;
    }

    /// @inheritdoc IModelRegistry
    function feeTermsOf(uint256 modelId) external view returns (FeeTerms memory) {
        _checkExists(modelId);
        return _models[modelId].fees;
    }

    /// @inheritdoc IModelRegistry
    function derivativeTermsOf(uint256 modelId) external view returns (DerivativeTerms memory) {
        _checkExists(modelId);
        return _models[modelId].derivatives;
    }

    /// @inheritdoc IModelRegistry
    function isClosed(uint256 modelId) external view returns (bool) {
        _checkExists(modelId);
        return _models[modelId].closed;
    }

    /// @inheritdoc IModelRegistry
    function mayProve(uint256 modelId, address prover) external view returns (bool) {
        _checkExists(modelId);
        return !_models[modelId].closed || _access[modelId][prover];
    }

    /// @inheritdoc IModelRegistry
    function provenModelOf(bytes32 circuitId) external view returns (uint256 modelId) {
        return _provenModels[ModelRules.uniquenessKey(ROUTER, circuitId)];
    }

    /// @inheritdoc IModelRegistry
    function router() external view returns (IVerifierRouter) {
        return ROUTER;
    }

    /// @inheritdoc IERC7992Registry
    function getModel(uint256 modelId)
        external
        view
        returns (ERC7992Commitment memory commitment, bool deprecated, address owner)
    {
        CircuitSpec memory spec = ROUTER.circuit(circuitOf(modelId));
        commitment = ERC7992Commitment({
            modelHash: _commitments[modelId].onnxDigest,
            circuitHash: keccak256(abi.encodePacked(_commitments[modelId].circuitIds)),
            vkHash: spec.verifyingKeyDigest,
            proofSystemId: spec.proofSystemId,
            uri: tokenURI(modelId)
        });
        return (commitment, _models[modelId].status == ModelStatus.DEPRECATED, ownerOf(modelId));
    }

    /// @inheritdoc IERC2981
    function royaltyInfo(uint256 modelId, uint256 salePrice)
        external
        view
        returns (address receiver, uint256 royaltyAmount)
    {
        _checkExists(modelId);
        return (_models[modelId].publisher, Math.mulDiv(salePrice, RESALE_ROYALTY_PPM, PPM));
    }

    /// @inheritdoc IModelRegistry
    function genesisSeed(uint256 modelId) public view returns (bytes32 seed) {
        _checkExists(modelId);
        return keccak256(abi.encode(GENESIS_TAG, block.chainid, address(this), modelId, ownerOf(modelId)));
    }

    /// @inheritdoc IModelRegistry
    function circuitOf(uint256 modelId) public view returns (bytes32 circuitId) {
        _checkExists(modelId);
        return _commitments[modelId].circuitIds[0];
    }

    /// @notice Where the model's manifest is published: "ipfs://" and the CID.
    /// @inheritdoc ERC721
    function tokenURI(uint256 modelId) public view override returns (string memory uri) {
        _checkExists(modelId);
        return string.concat("ipfs://", _commitments[modelId].manifestCid);
    }

    /// @notice ERC-721, ERC-2981, the registry of ERC-7992 (0xd28519b1).
    /// @inheritdoc ERC721
    function supportsInterface(bytes4 interfaceId) public view override(ERC721, IERC165) returns (bool) {
        return interfaceId == type(IERC7992Registry).interfaceId || interfaceId == type(IERC2981).interfaceId
            || super.supportsInterface(interfaceId);
    }

    function _checkExists(uint256 modelId) internal view {
        if (_models[modelId].status == ModelStatus.NONE) revert UnknownModel(modelId);
    }

    /// @dev The circuit's uniqueness key, if no other model holds it; circuits of one set may share one.
    function _freeKey(uint256 modelId, bytes32 circuitId) internal view returns (bytes32 key) {
        key = ModelRules.uniquenessKey(ROUTER, circuitId);
        uint256 holder = _provenModels[key];
        if (holder != 0 && holder != modelId) revert CircuitTaken(circuitId, holder);
    }

    function _checkCode(address account) internal view {
        if (account.code.length == 0) revert NotAContract(account);
    }
}
