// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC6551Registry} from "erc6551/ERC6551Registry.sol";
import {ERC6551Account} from "erc6551/examples/simple/ERC6551Account.sol";
import {IERC6551Registry} from "erc6551/interfaces/IERC6551Registry.sol";
import {DerivativeTerms, FeeTerms, ITransferObserver, ModelCommitment} from "registry/src/IModelRegistry.sol";
import {ModelRegistry} from "registry/src/ModelRegistry.sol";
import {Specification} from "tests/contracts/support/Specification.sol";
import {IProtocolAdmin} from "verifier_contracts/src/IProtocolAdmin.sol";
import {
    Attestation,
    CircuitSpec,
    IVerifierRouter,
    Verdict,
    VerifierClass
} from "verifier_contracts/src/IVerifierRouter.sol";
import {InputDomain, PackedTensors, TensorLayout} from "verifier_contracts/src/TensorLayout.sol";

/// @notice The cheatcodes that only these tests need.
interface ChainVm {
    function roll(uint256 blockNumber) external;
    function getBlockNumber() external view returns (uint256);
}

/// @notice A router that admits every spec, of any class, and accepts exactly the proofs it was told of.
contract RouterDouble is IVerifierRouter {
    mapping(bytes32 circuitId => CircuitSpec) private _specs;
    mapping(bytes32 circuitId => bool) private _tombstoned;
    mapping(bytes32 proofId => bool) private _accepted;
    bytes private _failure;

    function accept(bytes32 circuitId, bytes32 context, bytes memory input, bytes memory output, bytes memory proof)
        external
    {
        _accepted[keccak256(abi.encode(circuitId, context, input, output, proof))] = true;
    }

    /// @notice Makes every verification revert with these words.
    function fail(bytes memory failure) external {
        _failure = failure;
    }

    function add(CircuitSpec calldata spec) external returns (bytes32 circuitId) {
        circuitId = circuitIdOf(spec);
        _specs[circuitId] = spec;
    }

    function tombstone(bytes32 circuitId, string calldata) external {
        _tombstoned[circuitId] = true;
    }

    function attest(bytes32, Verdict, bytes32, string calldata) external {}

    function verify(
        bytes32 circuitId,
        bytes32 context,
        bytes calldata input,
        bytes calldata output,
        bytes calldata proof
    ) external view {
        if (_failure.length != 0) {
            bytes memory failure = _failure;
            assembly {
                revert(add(failure, 0x20), mload(failure))
            }
        }
        if (_tombstoned[circuitId]) revert CircuitIsTombstoned(circuitId);
        if (!_accepted[keccak256(abi.encode(circuitId, context, input, output, proof))]) {
            revert ProofRejected(circuitId, "");
        }
    }

    function isTombstoned(bytes32 circuitId) external view returns (bool) {
        return _tombstoned[circuitId];
    }

    function classOf(bytes32 circuitId) external view returns (VerifierClass) {
        return _specs[circuitId].class_;
    }

    function circuit(bytes32 circuitId) external view returns (CircuitSpec memory) {
        if (!exists(circuitId)) revert UnknownCircuit(circuitId);
        return _specs[circuitId];
    }

    function expandInput(bytes32 circuitId, bytes32 seed) external view returns (bytes memory) {
        if (!exists(circuitId)) revert UnknownCircuit(circuitId);
        CircuitSpec memory spec = _specs[circuitId];
        return PackedTensors.expand(seed, spec.tensors.inputCount, spec.tensors.inputBytes, spec.domain);
    }

    function attestationOf(bytes32, address) external pure returns (Attestation memory found) {}

    function admin() external pure returns (IProtocolAdmin) {}

    function checkInput(bytes32, bytes calldata) external pure {}

    function exists(bytes32 circuitId) public view returns (bool) {
        return _specs[circuitId].class_ != VerifierClass.NONE;
    }

    function circuitIdOf(CircuitSpec calldata spec) public view returns (bytes32) {
        return keccak256(abi.encode(keccak256("zkml.circuit.v1"), block.chainid, address(this), spec));
    }
}

/// @notice Keeps what it hears, and who owned the model then; or refuses.
contract ObserverDouble is ITransferObserver {
    uint256 public calls;
    uint256 public lastModel;
    address public lastFrom;
    address public ownerThen;
    bool private _refuses;

    error Refused();

    function refuse() external {
        _refuses = true;
    }

    function beforeModelTransfer(uint256 modelId, address from) external {
        if (_refuses) revert Refused();
        ++calls;
        lastModel = modelId;
        lastFrom = from;
        ownerThen = ModelRegistry(msg.sender).ownerOf(modelId);
    }
}

/// @notice The one word of the admin that the prover registry asks for.
contract TreasuryDouble {
    address public treasury;

    function setTreasury(address treasury_) external {
        treasury = treasury_;
    }
}

/// @notice A model registry on doubles, and the words to speak of it shortly.
abstract contract Registries is Specification {
    ChainVm internal constant chain = ChainVm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    uint256 internal constant MIN_BLOCKS = 2;
    uint256 internal constant MAX_BLOCKS = 100;
    uint32 internal constant HALF_PPM = 500_000;
    bytes32 internal constant SALT = keccak256("salt");
    bytes internal constant OUTPUT = hex"00000001fffffffe";
    bytes internal constant PROOF = hex"c0ffee";

    address internal publisher = address(0xA11CE);
    address internal requester = address(0xB0B);
    address internal prover = address(0xCAFE);
    address internal stranger = address(0xD00D);

    RouterDouble internal router;
    ObserverDouble internal observer;
    ERC6551Registry internal accounts;
    ERC6551Account internal accountCode;
    ModelRegistry internal models;

    function deployRegistries() internal {
        router = new RouterDouble();
        observer = new ObserverDouble();
        accounts = new ERC6551Registry();
        accountCode = new ERC6551Account();
        models = newRegistry();
    }

    function newRegistry() internal returns (ModelRegistry) {
        return new ModelRegistry(
            router, observer, IERC6551Registry(address(accounts)), address(accountCode), MIN_BLOCKS, MAX_BLOCKS
        );
    }

    /// @param inputs how many the circuit proves at once.
    function specOf(string memory key, uint32 inputs) internal pure returns (CircuitSpec memory) {
        return CircuitSpec({
            adapter: address(1),
            adapterCodeHash: keccak256("code"),
            verifyingKeyDigest: keccak256(bytes(key)),
            weightCommitment: 0,
            proofSystemId: 0x29e846df,
            tensors: TensorLayout({inputCount: 4 * inputs, inputBytes: 1, outputCount: 2 * inputs, outputBytes: 4}),
            domain: InputDomain({min: -2, max: 1}),
            gasLimit: 300_000,
            class_: VerifierClass.UNVOUCHED
        });
    }

    function addCircuit(string memory key, uint32 inputs) internal returns (bytes32 circuitId) {
        return router.add(specOf(key, inputs));
    }

    function setOf(bytes32 circuitId) internal pure returns (bytes32[] memory circuitIds) {
        circuitIds = new bytes32[](1);
        circuitIds[0] = circuitId;
    }

    function setOf(bytes32 first, bytes32 second) internal pure returns (bytes32[] memory circuitIds) {
        circuitIds = new bytes32[](2);
        (circuitIds[0], circuitIds[1]) = (first, second);
    }

    function commitmentFor(bytes32[] memory circuitIds, string memory name)
        internal
        pure
        returns (ModelCommitment memory)
    {
        return ModelCommitment({
            circuitIds: circuitIds,
            onnxDigest: keccak256("onnx"),
            settingsDigest: keccak256("settings"),
            manifestDigest: keccak256("manifest"),
            datasetDigest: keccak256("dataset"),
            keyCommitment: 0,
            predecessor: 0,
            manifestCid: "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy",
            name: name,
            licence: "Apache-2.0"
        });
    }

    function commitmentFor(bytes32 circuitId, string memory name) internal pure returns (ModelCommitment memory) {
        return commitmentFor(setOf(circuitId), name);
    }

    function defaultFees() internal pure returns (FeeTerms memory) {
        return FeeTerms({modelFee: 1_000_000, minModelFee: 0, minModelFeePpm: 0});
    }

    function defaultDerivatives() internal pure returns (DerivativeTerms memory) {
        return DerivativeTerms({derivativesAllowed: true, minRatePpm: 0, minModelFee: 0, minModelFeePpm: 0});
    }

    /// @dev Both steps of registering, the reveal as young as it may be.
    function registerAs(
        address account,
        ModelCommitment memory commitment,
        FeeTerms memory fees,
        DerivativeTerms memory derivatives
    ) internal returns (uint256 modelId) {
        models.commit(models.commitmentHash(account, commitment, fees, derivatives, SALT));
        chain.roll(chain.getBlockNumber() + MIN_BLOCKS);
        vm.prank(account);
        return models.register(commitment, fees, derivatives, SALT);
    }

    function registerAs(address account, ModelCommitment memory commitment) internal returns (uint256 modelId) {
        return registerAs(account, commitment, defaultFees(), defaultDerivatives());
    }

    /// @dev Lets the router accept what the circuit's genesis proof must be.
    function acceptGenesis(uint256 modelId, bytes32 circuitId) internal returns (bytes memory input) {
        input = models.genesisInput(modelId, circuitId);
        router.accept(circuitId, models.genesisSeed(modelId), input, OUTPUT, PROOF);
    }

    function activateWith(uint256 modelId, bytes32 circuitId) internal {
        acceptGenesis(modelId, circuitId);
        models.activate(modelId, circuitId, OUTPUT, PROOF);
    }

    function proveModel(uint256 modelId) internal {
        bytes32[] memory circuitIds = models.missingGenesis(modelId);
        for (uint256 i; i < circuitIds.length; ++i) {
            activateWith(modelId, circuitIds[i]);
        }
    }

    /// @dev A REGISTERED model of the publisher's on a circuit of its own.
    function registeredModel(string memory name) internal returns (uint256 modelId) {
        return registerAs(publisher, commitmentFor(addCircuit(name, 1), name));
    }

    function provenModel(string memory name) internal returns (uint256 modelId) {
        modelId = registeredModel(name);
        proveModel(modelId);
    }
}
