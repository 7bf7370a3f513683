// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {IVerifierRouter} from "verifier_contracts/src/IVerifierRouter.sol";

/// @notice What a publisher commits to; it never changes, and a new version is a new model.
/// @param circuitIds the circuits that prove the model, 1 to {MAX_CIRCUITS}: the first for one input; each other for a
///        whole number of inputs (a batch, or 1: another way to prove), with the same widths and domain.
/// @param onnxDigest SHA-256 of the ONNX file.
/// @param settingsDigest SHA-256 of the canonical settings of the first circuit.
/// @param manifestDigest SHA-256 of the bundle's manifest, which names every other file.
/// @param datasetDigest SHA-256 that names the training data, or zero: undeclared.
/// @param keyCommitment keccak256 of the key that the published artifact is encrypted with, or zero: nothing is
///        encrypted. Not zero makes the model closed.
/// @param predecessor the model of the same owner that this is a new version of, or zero.
/// @param manifestCid where the manifest is published, without a scheme.
/// @param name what people call the model; not unique, and never trusted.
/// @param licence SPDX expression of the weights' licence.
struct ModelCommitment {
    bytes32[] circuitIds;
    bytes32 onnxDigest;
    bytes32 settingsDigest;
    bytes32 manifestDigest;
    bytes32 datasetDigest;
    bytes32 keyCommitment;
    uint256 predecessor;
    string manifestCid;
    string name;
    string licence;
}

/// @notice What a job pays the model, and what can never fall.
/// @param modelFee what the owner asks per inference, in the payment token's smallest unit.
/// @param minModelFee the owner's fee cannot be set below it; it can be raised, never lowered.
/// @param minModelFeePpm least part of a job's whole price, in millionths, at most 500,000; as above.
struct FeeTerms {
    uint80 modelFee;
    uint80 minModelFee;
    uint32 minModelFeePpm;
}

/// @notice What a derivative owes; for derivatives declared from now on.
/// @param derivativesAllowed whether a model may name this one as parent.
/// @param minRatePpm least part of its income, in millionths, at most 500,000.
/// @param minModelFee least {FeeTerms-minModelFee} of a derivative.
/// @param minModelFeePpm least {FeeTerms-minModelFeePpm} of a derivative.
struct DerivativeTerms {
    bool derivativesAllowed;
    uint32 minRatePpm;
    uint80 minModelFee;
    uint32 minModelFeePpm;
}

/// @notice REGISTERED -accepted genesis proof of every circuit-> PROVEN -owner-> DEPRECATED.
enum ModelStatus {
    NONE,
    REGISTERED,
    PROVEN,
    DEPRECATED
}

/// @title Hears of a model's sale before it happens, so that past revenue stays with the seller
interface ITransferObserver {
    /// @notice Called before a model changes hands; not when it is minted. Must not revert for any model.
    function beforeModelTransfer(uint256 modelId, address from) external;
}

/// @title Models as ERC-721 tokens, with commitments that never change
/// @notice Registered by commit and reveal, PROVEN by proofs of inputs that the chain chose. ERC-2981 names the publisher;
///         the token's ERC-6551 account is the subject of the model's DID.
interface IModelRegistry is IERC721 {
    /// @notice Somebody will register something; only they know what. `sender` is who filed it: the publisher is inside
    ///         the hash.
    event RegistrationCommitted(address indexed sender, bytes32 indexed commitment);
    /// @notice A model was registered; it cannot earn yet.
    event ModelRegistered(
        uint256 indexed modelId,
        address indexed publisher,
        bytes32 indexed circuitId,
        ModelCommitment commitment,
        address account
    );
    /// @notice The genesis proof of one of the model's circuits was accepted. The digests are keccak256.
    event GenesisAccepted(
        uint256 indexed modelId, bytes32 indexed circuitId, bytes32 outputDigest, bytes32 proofDigest
    );
    /// @notice Genesis proofs of all the model's circuits were accepted.
    event ModelProven(uint256 indexed modelId);
    /// @notice The owner retired the model: no new jobs, no claims.
    event ModelRetired(uint256 indexed modelId);
    /// @notice The owner set what the model asks for.
    event FeeTermsSet(uint256 indexed modelId, uint80 modelFee, uint80 minModelFee, uint32 minModelFeePpm);
    /// @notice The owner set what derivatives owe.
    event DerivativeTermsSet(uint256 indexed modelId, DerivativeTerms terms);
    /// @notice The owner let a prover prove a closed model, or no longer does.
    event AccessSet(uint256 indexed modelId, address indexed prover, bool granted);
    /// @notice The owner opened the model: from now on anybody may prove it.
    event ModelOpened(uint256 indexed modelId);
    /// @notice A genesis proof, where it stands in no transaction's calldata: exactly when {activate} was not called by
    ///         the transaction itself, from an account without code. `subject` is the model's id.
    event ProofPublished(bytes32 indexed subject, bytes input, bytes output, bytes proof);

    /// @notice An address of the constructor has no code.
    error NotAContract(address account);
    /// @notice A commitment must wait for at least one block, and then have time to be revealed.
    error CommitmentAgesRefused(uint256 minimumBlocks, uint256 maximumBlocks);
    /// @notice The commitment was made before and has not lapsed.
    error CommitmentExists(bytes32 commitment);
    /// @notice There is no such commitment, or it is too young or too old: blocks since it was made.
    error CommitmentAge(bytes32 commitment, uint256 ageBlocks, uint256 minimumBlocks, uint256 maximumBlocks);
    /// @notice The router does not know the circuit.
    error UnknownCircuitOfModel(bytes32 circuitId);
    /// @notice The model names too many circuits, none, or one twice.
    error CircuitSetRefused(uint256 index, uint256 count);
    /// @notice The circuit's tensors are no whole multiple of the first one's.
    error CircuitMismatch(bytes32 circuitId);
    /// @notice The same publisher registered the same commitment before.
    error ModelExists(uint256 modelId);
    /// @notice There is no such model.
    error UnknownModel(uint256 modelId);
    /// @notice A digest of the commitment is zero.
    error EmptyDigest();
    /// @notice A text of the commitment is empty or too long.
    error TextLengthOutOfRange(uint256 lengthBytes, uint256 maximumBytes);
    /// @notice The model's status does not allow the move.
    error WrongModelStatus(uint256 modelId, ModelStatus status);
    /// @notice The genesis proof of this circuit was accepted before, or the model has no such circuit.
    error NoGenesisWanted(uint256 modelId, bytes32 circuitId);
    /// @notice Another model of this circuit is PROVEN, or, for the class CEREMONY, one with the same key and weights.
    error CircuitTaken(bytes32 circuitId, uint256 modelId);
    /// @notice Only the model's owner may.
    error NotModelOwner(uint256 modelId, address caller, address owner);
    /// @notice The terms contradict themselves or fall below what was promised.
    error TermsRefused(FeeTerms terms, FeeTerms floor);
    /// @notice A part is above 500,000 ppm.
    error RateOutOfRange(uint32 ppm, uint32 maximum);
    /// @notice The model is open to every prover already.
    error NotClosed(uint256 modelId);
    /// @notice ERC-7992 has two calls that nothing here can mean: a commitment never changes, and registering takes a
    ///         commit and a reveal.
    error NotSupported();

    /// @notice First step of registering: files the hash of what will be registered, see {commitmentHash}. Once it has
    ///         lapsed it can be filed anew. That somebody else filed it first costs the publisher nothing: it names them.
    function commit(bytes32 commitment) external;

    /// @notice Second step: registers a model and mints its token to the caller.
    /// @param commitment what it is.
    /// @param fees what it asks for.
    /// @param derivatives what derivatives owe.
    /// @param salt what the commitment was salted with.
    /// @return modelId keccak256(abi.encode(keccak256("zkml.model.v2"), chain id, this, caller,
    ///         keccak256(abi.encode(commitment)))).
    function register(
        ModelCommitment calldata commitment,
        FeeTerms calldata fees,
        DerivativeTerms calldata derivatives,
        bytes32 salt
    ) external returns (uint256 modelId);

    /// @notice Files the genesis proof of one circuit; the last one makes the model PROVEN. Anyone may, with a proof about
    ///         exactly {genesisInput}. What was accepted before a sale stays accepted.
    function activate(uint256 modelId, bytes32 circuitId, bytes calldata output, bytes calldata proof) external;

    /// @notice Sets what the model asks for; the owner may. The minimums can only rise.
    function setFeeTerms(uint256 modelId, FeeTerms calldata terms) external;

    /// @notice Sets what derivatives declared from now on owe; the owner may.
    function setDerivativeTerms(uint256 modelId, DerivativeTerms calldata terms) external;

    /// @notice Lets a prover prove a closed model, or takes that back; the owner may. What was granted outlives a sale: who
    ///         holds a proving key cannot unlearn it.
    function setAccess(uint256 modelId, address prover, bool granted) external;

    /// @notice Opens a closed model to every prover, for ever; the owner may.
    function openModel(uint256 modelId) external;

    /// @notice Retires a PROVEN model, for ever; the owner may. Jobs that are claimed settle all the same.
    function retire(uint256 modelId) external;

    /// @notice Deploys the token's ERC-6551 account at {accountOf}, if nobody has; anyone may. What it is sent before is
    ///         not lost.
    function createAccount(uint256 modelId) external returns (address account);

    /// @notice What {commit} takes: keccak256(abi.encode(keccak256("zkml.registration.v1"), chain id, this, publisher,
    ///         keccak256(abi.encode(commitment, fees, derivatives)), salt)).
    function commitmentHash(
        address publisher,
        ModelCommitment calldata commitment,
        FeeTerms calldata fees,
        DerivativeTerms calldata derivatives,
        bytes32 salt
    ) external view returns (bytes32);

    /// @notice The block a registration was committed in, or zero.
    function committedAt(bytes32 commitment) external view returns (uint256 blockNumber);

    /// @notice Least and greatest age of a commitment when it is revealed, in blocks.
    function commitmentAges() external view returns (uint256 minimumBlocks, uint256 maximumBlocks);

    /// @notice The seed of the model's genesis inputs, and the context of their proofs: keccak256(abi.encode(
    ///         keccak256("zkml.genesis.v1"), chain id, this, model, owner)). A transfer before activation changes it.
    function genesisSeed(uint256 modelId) external view returns (bytes32 seed);

    /// @notice The packed input that the genesis proof of a circuit must be about, drawn by the router.
    function genesisInput(uint256 modelId, bytes32 circuitId) external view returns (bytes memory input);

    /// @notice The circuits whose genesis proofs are still missing.
    function missingGenesis(uint256 modelId) external view returns (bytes32[] memory circuitIds);

    /// @notice The model's status; NONE where there is no such model.
    function statusOf(uint256 modelId) external view returns (ModelStatus status);

    /// @notice What the publisher committed to; reverts if there is no such model.
    function commitmentOf(uint256 modelId) external view returns (ModelCommitment memory commitment);

    /// @notice Who registered the model; the receiver of ERC-2981.
    function publisherOf(uint256 modelId) external view returns (address publisher);

    /// @notice The model's first circuit; reverts if there is no such model.
    function circuitOf(uint256 modelId) external view returns (bytes32 circuitId);

    /// @notice How many inputs the circuit proves for the model at once; zero if it is none of the model's.
    function batchOf(uint256 modelId, bytes32 circuitId) external view returns (uint256 inputs);

    /// @notice What the model asks for.
    function feeTermsOf(uint256 modelId) external view returns (FeeTerms memory);

    /// @notice What derivatives owe.
    function derivativeTermsOf(uint256 modelId) external view returns (DerivativeTerms memory);

    /// @notice Whether the model is closed: only provers with access may prove it.
    function isClosed(uint256 modelId) external view returns (bool);

    /// @notice Whether the prover may prove the model: it is open, or access was granted.
    function mayProve(uint256 modelId, address prover) external view returns (bool);

    /// @notice The token's ERC-6551 account, whether it has been created or not. The model's DID is
    ///         did:ethr:<chain id, hexadecimal>:<account>.
    function accountOf(uint256 modelId) external view returns (address account);

    /// @notice The PROVEN model that a circuit is taken by, or zero; reverts if the router has no such circuit.
    /// @dev At most one per circuit; for the class CEREMONY at most one per verifying key and weights, since there
    ///      audited code reads them. For every other class they are what whoever added the circuit says: were they the
    ///      measure, anybody could take the key of somebody else's model with an adapter that accepts anything.
    function provenModelOf(bytes32 circuitId) external view returns (uint256 modelId);

    /// @notice The router that checks this registry's proofs.
    function router() external view returns (IVerifierRouter);

    /// @notice Who hears of models' sales before they happen.
    function observer() external view returns (ITransferObserver);
}
