// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";
import {IERC7992Verifier, IInferenceVerifier} from "registry/src/IERC7992.sol";
import {IModelRegistry, ModelStatus} from "registry/src/IModelRegistry.sol";
import {IVerifierRouter} from "verifier_contracts/src/IVerifierRouter.sol";
import {PackedTensors} from "verifier_contracts/src/TensorLayout.sol";

/// @title The verifier of ERC-7992 over the registry's models
/// @dev Keeps nothing and pays nobody: whoever holds a proof may show it, as often as they like.
contract InferenceVerifier is IInferenceVerifier, ERC165 {
    bytes32 private constant INFERENCE_TAG = keccak256("zkml.inference.v1");

    IModelRegistry private immutable REGISTRY;
    IVerifierRouter private immutable ROUTER;

    /// @param registry_ the registry whose models are verified.
    constructor(IModelRegistry registry_) {
        if (address(registry_).code.length == 0) revert IModelRegistry.NotAContract(address(registry_));
        REGISTRY = registry_;
        ROUTER = registry_.router();
    }

    /// @inheritdoc IERC7992Verifier
    function verifyInference(uint256 modelId, bytes32 inputCommitment, bytes calldata output, bytes calldata proof)
        external
    {
        _checkStatus(modelId);
        (bytes32 circuitId, bytes memory input, bytes memory inner) = abi.decode(proof, (bytes32, bytes, bytes));
        if (REGISTRY.batchOf(modelId, circuitId) == 0) revert ModelMismatch();
        if (keccak256(input) != inputCommitment) revert InputCommitmentMismatch();
        try ROUTER.verify(circuitId, contextOf(modelId, inputCommitment), input, output, inner) {
            emit InferenceVerified(modelId, inputCommitment, output, msg.sender);
        } catch (bytes memory reason) {
            _refuse(reason);
        }
    }

    /// @inheritdoc IERC7992Verifier
    function proofSystemOf(uint256 modelId) external view returns (bytes4 proofSystemId) {
        return ROUTER.circuit(REGISTRY.circuitOf(modelId)).proofSystemId;
    }

    /// @inheritdoc IERC7992Verifier
    function registry() external view returns (address) {
        return address(REGISTRY);
    }

    /// @inheritdoc IInferenceVerifier
    function contextOf(uint256 modelId, bytes32 inputCommitment) public view returns (bytes32 context) {
        return keccak256(abi.encode(INFERENCE_TAG, block.chainid, address(this), modelId, inputCommitment));
    }

    /// @notice The verifier of ERC-7992 (0x5df65472).
    /// @inheritdoc ERC165
    function supportsInterface(bytes4 interfaceId) public view override returns (bool) {
        return interfaceId == type(IERC7992Verifier).interfaceId || super.supportsInterface(interfaceId);
    }

    function _checkStatus(uint256 modelId) private view {
        ModelStatus status = REGISTRY.statusOf(modelId);
        if (status == ModelStatus.DEPRECATED) revert VerificationRefused_ModelDeprecated(modelId);
        if (status != ModelStatus.PROVEN) revert IModelRegistry.WrongModelStatus(modelId, status);
    }

    /// @dev The standard's errors for what the proof and its output are to blame for, the router's own for the rest.
    function _refuse(bytes memory reason) private pure {
        bytes4 selector = bytes4(reason);
        if (selector == PackedTensors.OutputLengthMismatch.selector) revert OutputMismatch();
        bool blamesProof = selector == IVerifierRouter.ProofRejected.selector
            || selector == IVerifierRouter.UnexpectedReturnData.selector;
        if (blamesProof) revert InvalidProof();
        assembly ("memory-safe") {
            revert(add(reason, 0x20), mload(reason))
        }
    }
}
