// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {IERC6551Registry} from "erc6551/interfaces/IERC6551Registry.sol";
import {ERC7992Commitment, IERC7992Registry} from "registry/src/IERC7992.sol";
import {
    DerivativeTerms,
    FeeTerms,
    IModelRegistry,
    ITransferObserver,
    ModelCommitment,
    ModelStatus
} from "registry/src/IModelRegistry.sol";
import {ModelRecords} from "registry/src/ModelRecords.sol";
import {ModelRules} from "registry/src/ModelRules.sol";
import {IVerifierRouter} from "verifier_contracts/src/IVerifierRouter.sol";
import {isPlainCall} from "verifier_contracts/src/PlainCall.sol";

/// @title Models as ERC-721 tokens, with commitments that never change
/// @dev No admin. The router is trusted, and everything it calls is called statically. The observer and the ERC-6551
///      registry are contracts of the same deployment; the account that the latter deploys is a proxy without constructor.
contract ModelRegistry is ModelRecords {
    bytes32 private constant MODEL_TAG = keccak256("zkml.model.v2");
    bytes32 private constant REGISTRATION_TAG = keccak256("zkml.registration.v1");
    bytes32 private constant ACCOUNT_SALT = 0;

    ITransferObserver private immutable OBSERVER;
    IERC6551Registry private immutable ACCOUNTS;
    address private immutable ACCOUNT_IMPLEMENTATION;
    uint256 private immutable MIN_COMMIT_BLOCKS;
    uint256 private immutable MAX_COMMIT_BLOCKS;

    /// @inheritdoc IModelRegistry
    mapping(bytes32 commitment => uint256 blockNumber) public committedAt;

    modifier onlyModelOwner(uint256 modelId) {
        _checkOwner(modelId);
        _;
    }

    /// @param router_ the router whose circuits models are registered for.
    /// @param observer_ hears of sales before they happen; it may be deployed later.
    /// @param accounts_ the ERC-6551 registry.
    /// @param accountImplementation_ what the tokens' accounts run.
    /// @param minCommitBlocks_ least age of a commitment when it is revealed; at least 1.
    /// @param maxCommitBlocks_ greatest age; then it has lapsed.
    constructor(
        IVerifierRouter router_,
        ITransferObserver observer_,
        IERC6551Registry accounts_,
        address accountImplementation_,
        uint256 minCommitBlocks_,
        uint256 maxCommitBlocks_
    ) ERC721("zkML Model", "ZKMODEL") ModelRecords(router_) {
        _checkCode(address(accounts_));
        _checkCode(accountImplementation_);
        if (minCommitBlocks_ == 0 || maxCommitBlocks_ < minCommitBlocks_) {
            revert CommitmentAgesRefused(minCommitBlocks_, maxCommitBlocks_);
        }
        OBSERVER = observer_;
        ACCOUNTS = accounts_;
        ACCOUNT_IMPLEMENTATION = accountImplementation_;
        MIN_COMMIT_BLOCKS = minCommitBlocks_;
        MAX_COMMIT_BLOCKS = maxCommitBlocks_;
    }

    /// @inheritdoc IModelRegistry
    function commit(bytes32 commitment) external {
        uint256 madeAt = committedAt[commitment];
        if (madeAt != 0 && block.number - madeAt <= MAX_COMMIT_BLOCKS) revert CommitmentExists(commitment);
        committedAt[commitment] = block.number;
        emit RegistrationCommitted(msg.sender, commitment);
    }

    /// @inheritdoc IModelRegistry
    function register(
        ModelCommitment calldata commitment,
        FeeTerms calldata fees,
        DerivativeTerms calldata derivatives,
        bytes32 salt
    ) external returns (uint256 modelId) {
        modelId = _idOf(commitment);
        if (_models[modelId].status != ModelStatus.NONE) revert ModelExists(modelId);
        ModelRules.checkWords(commitment);
        FeeTerms memory noFloor;
        ModelRules.checkFees(fees, noFloor);
        ModelRules.checkDerivatives(derivatives);
        if (commitment.predecessor != 0) _checkOwner(commitment.predecessor);
        uint32[] memory inputs = ModelRules.batchesOf(ROUTER, commitment.circuitIds);
        _consume(commitmentHash(msg.sender, commitment, fees, derivatives, salt));

        _store(modelId, commitment, inputs);
        _models[modelId] = Model({
            publisher: msg.sender,
            status: ModelStatus.REGISTERED,
            closed: commitment.keyCommitment != 0,
            missing: uint8(inputs.length),
            fees: fees,
            derivatives: derivatives
        });
        emit ModelRegistered(modelId, msg.sender, commitment.circuitIds[0], commitment, accountOf(modelId));
        _emitFees(modelId, fees);
        emit DerivativeTermsSet(modelId, derivatives);
        // Not _safeMint: a model belongs to whoever registered it, and no foreign code runs here.
        _mint(msg.sender, modelId);
    }

    /// @inheritdoc IModelRegistry
    function activate(uint256 modelId, bytes32 circuitId, bytes calldata output, bytes calldata proof) external {
        Model storage model = _models[modelId];
        if (model.status != ModelStatus.REGISTERED) revert WrongModelStatus(modelId, model.status);
        Member storage member = _members[modelId][circuitId];
        if (member.inputs == 0 || member.accepted) revert NoGenesisWanted(modelId, circuitId);
        _freeKey(modelId, circuitId);
        bytes32 seed = genesisSeed(modelId);
        bytes memory input = ROUTER.expandInput(circuitId, seed);
        ROUTER.verify(circuitId, seed, input, output, proof);

        member.accepted = true;
        uint8 missing = model.missing - 1;
        model.missing = missing;
        emit GenesisAccepted(modelId, circuitId, keccak256(output), keccak256(proof));
        if (missing == 0) _prove(modelId);
        if (!isPlainCall()) emit ProofPublished(bytes32(modelId), input, output, proof);
    }

    /// @inheritdoc IModelRegistry
    function setFeeTerms(uint256 modelId, FeeTerms calldata terms) external onlyModelOwner(modelId) {
        ModelRules.checkFees(terms, _models[modelId].fees);
        _models[modelId].fees = terms;
        _emitFees(modelId, terms);
    }

    /// @inheritdoc IModelRegistry
    function setDerivativeTerms(uint256 modelId, DerivativeTerms calldata terms) external onlyModelOwner(modelId) {
        ModelRules.checkDerivatives(terms);
        _models[modelId].derivatives = terms;
        emit DerivativeTermsSet(modelId, terms);
    }

    /// @inheritdoc IModelRegistry
    function setAccess(uint256 modelId, address prover, bool granted) external onlyModelOwner(modelId) {
        if (!_models[modelId].closed) revert NotClosed(modelId);
        _access[modelId][prover] = granted;
        emit AccessSet(modelId, prover, granted);
    }

    /// @inheritdoc IModelRegistry
    function openModel(uint256 modelId) external onlyModelOwner(modelId) {
        if (!_models[modelId].closed) revert NotClosed(modelId);
        _models[modelId].closed = false;
        emit ModelOpened(modelId);
    }

    /// @inheritdoc IModelRegistry
    function retire(uint256 modelId) external {
        _retire(modelId);
    }

    /// @inheritdoc IERC7992Registry
    function deprecateModel(uint256 modelId) external {
        _retire(modelId);
    }

    /// @inheritdoc IModelRegistry
    function createAccount(uint256 modelId) external returns (address account) {
        _checkExists(modelId);
        return ACCOUNTS.createAccount(ACCOUNT_IMPLEMENTATION, ACCOUNT_SALT, block.chainid, address(this), modelId);
    }

    /// @inheritdoc IModelRegistry
    function commitmentAges() external view returns (uint256 minimumBlocks, uint256 maximumBlocks) {
        return (MIN_COMMIT_BLOCKS, MAX_COMMIT_BLOCKS);
    }

    /// @inheritdoc IModelRegistry
    function observer() external view returns (ITransferObserver) {
        return OBSERVER;
    }

    /// @inheritdoc IERC7992Registry
    function registerModel(ERC7992Commitment calldata) external pure returns (uint256) {
        revert NotSupported();
    }

    /// @inheritdoc IERC7992Registry
    function updateModel(uint256, ERC7992Commitment calldata) external pure {
        revert NotSupported();
    }

    /// @inheritdoc IModelRegistry
    function commitmentHash(
        address publisher,
        ModelCommitment calldata commitment,
        FeeTerms calldata fees,
        DerivativeTerms calldata derivatives,
        bytes32 salt
    ) public view returns (bytes32) {
        bytes32 contentHash = keccak256(abi.encode(commitment, fees, derivatives));
        return keccak256(abi.encode(REGISTRATION_TAG, block.chainid, address(this), publisher, contentHash, salt));
    }

    /// @inheritdoc IModelRegistry
    function accountOf(uint256 modelId) public view returns (address account) {
        return ACCOUNTS.account(ACCOUNT_IMPLEMENTATION, ACCOUNT_SALT, block.chainid, address(this), modelId);
    }

    /// @dev Tells the observer first: what was earned until now is the seller's. A model given to its own account would
    ///      be nobody's for ever.
    function _update(address to, uint256 modelId, address auth) internal override returns (address from) {
        from = _ownerOf(modelId);
        if (from != address(0)) {
            if (to == accountOf(modelId)) revert ERC721InvalidReceiver(to);
            OBSERVER.beforeModelTransfer(modelId, from);
        }
        return super._update(to, modelId, auth);
    }

    /// @dev The last genesis proof was accepted. The others' circuits may have been taken or tombstoned since theirs was.
    function _prove(uint256 modelId) private {
        bytes32[] storage circuitIds = _commitments[modelId].circuitIds;
        uint256 count = circuitIds.length;
        for (uint256 i; i < count; ++i) {
            ModelRules.checkAlive(ROUTER, circuitIds[i]);
            _provenModels[_freeKey(modelId, circuitIds[i])] = modelId;
        }
        _models[modelId].status = ModelStatus.PROVEN;
        emit ModelProven(modelId);
    }

    function _retire(uint256 modelId) private onlyModelOwner(modelId) {
        ModelStatus status = _models[modelId].status;
        if (status != ModelStatus.PROVEN) revert WrongModelStatus(modelId, status);
        _models[modelId].status = ModelStatus.DEPRECATED;
        emit ModelRetired(modelId);
    }

    /// @dev A commitment serves once.
    function _consume(bytes32 hash) private {
        uint256 madeAt = committedAt[hash];
        uint256 age = block.number - madeAt;
        if (madeAt == 0 || age < MIN_COMMIT_BLOCKS || age > MAX_COMMIT_BLOCKS) {
            revert CommitmentAge(hash, madeAt == 0 ? 0 : age, MIN_COMMIT_BLOCKS, MAX_COMMIT_BLOCKS);
        }
        delete committedAt[hash];
    }

    function _store(uint256 modelId, ModelCommitment calldata commitment, uint32[] memory inputs) private {
        _commitments[modelId] = commitment;
        for (uint256 i; i < inputs.length; ++i) {
            _members[modelId][commitment.circuitIds[i]].inputs = inputs[i];
        }
    }

    function _emitFees(uint256 modelId, FeeTerms calldata fees) private {
        emit FeeTermsSet(modelId, fees.modelFee, fees.minModelFee, fees.minModelFeePpm);
    }

    function _idOf(ModelCommitment calldata commitment) private view returns (uint256 modelId) {
        bytes32 contentHash = keccak256(abi.encode(commitment));
        return uint256(keccak256(abi.encode(MODEL_TAG, block.chainid, address(this), msg.sender, contentHash)));
    }

    function _checkOwner(uint256 modelId) private view {
        _checkExists(modelId);
        address owner = ownerOf(modelId);
        if (owner != msg.sender) revert NotModelOwner(modelId, msg.sender, owner);
    }
}
