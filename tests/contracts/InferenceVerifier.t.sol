// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC7992Verifier} from "registry/src/IERC7992.sol";
import {IModelRegistry, ModelStatus} from "registry/src/IModelRegistry.sol";
import {InferenceVerifier} from "registry/src/InferenceVerifier.sol";
import {Registries} from "tests/contracts/support/Registries.sol";
import {IVerifierRouter} from "verifier_contracts/src/IVerifierRouter.sol";
import {PackedTensors} from "verifier_contracts/src/TensorLayout.sol";

contract InferenceVerifierTest is Registries {
    bytes private constant INPUT = hex"0001feff";
    bytes32 private constant INPUT_HASH = keccak256(INPUT);

    InferenceVerifier private verifier;
    bytes32 private circuitId;
    uint256 private modelId;

    function setUp() external {
        deployRegistries();
        verifier = new InferenceVerifier(models);
        circuitId = addCircuit("digits", 1);
        modelId = registerAs(publisher, commitmentFor(circuitId, "digits"));
        proveModel(modelId);
        router.accept(circuitId, verifier.contextOf(modelId, INPUT_HASH), INPUT, OUTPUT, PROOF);
    }

    function test_verifyInference__accepted_proof__event_however_often() external {
        for (uint256 i; i < 2; ++i) {
            vm.expectEmit(address(verifier));
            emit IERC7992Verifier.InferenceVerified(modelId, INPUT_HASH, OUTPUT, stranger);
            vm.prank(stranger);
            verifier.verifyInference(modelId, INPUT_HASH, OUTPUT, encoded(circuitId, INPUT, PROOF));
        }
        vm.assertEq(verifier.registry(), address(models), "registry");
        vm.assertTrue(verifier.proofSystemOf(modelId) == 0x29e846df, "proof system");
    }

    function test_verifyInference__context__is_the_formula() external view {
        bytes32 expected = keccak256(
            abi.encode(keccak256("zkml.inference.v1"), uint256(31337), address(verifier), modelId, INPUT_HASH)
        );
        vm.assertEq(verifier.contextOf(modelId, INPUT_HASH), expected, "context");
    }

    function test_I4_verifyInference__any_field_changed__refused() external {
        bytes memory proof = encoded(circuitId, INPUT, PROOF);
        refuse(IERC7992Verifier.InvalidProof.selector, modelId, INPUT_HASH, flipped(OUTPUT, 0), proof);
        refuse(
            IERC7992Verifier.InvalidProof.selector,
            modelId,
            INPUT_HASH,
            OUTPUT,
            encoded(circuitId, INPUT, flipped(PROOF, 0))
        );
        bytes4 mismatch = IERC7992Verifier.InputCommitmentMismatch.selector;
        refuse(mismatch, modelId, keccak256("other"), OUTPUT, proof);
        refuse(mismatch, modelId, INPUT_HASH, OUTPUT, encoded(circuitId, flipped(INPUT, 0), PROOF));
        bytes memory otherInput = flipped(INPUT, 0);
        refuse(
            IERC7992Verifier.InvalidProof.selector,
            modelId,
            keccak256(otherInput),
            OUTPUT,
            encoded(circuitId, otherInput, PROOF)
        );
        vm.chainId(1337);
        refuse(IERC7992Verifier.InvalidProof.selector, modelId, INPUT_HASH, OUTPUT, proof);
    }

    function test_I5_verifyInference__proof_for_another_model_or_verifier__refused() external {
        uint256 other = provenModel("other");
        bytes memory proof = encoded(circuitId, INPUT, PROOF);
        refuse(IERC7992Verifier.ModelMismatch.selector, other, INPUT_HASH, OUTPUT, proof);
        bytes32 otherCircuit = models.circuitOf(other);
        refuse(
            IERC7992Verifier.ModelMismatch.selector, modelId, INPUT_HASH, OUTPUT, encoded(otherCircuit, INPUT, PROOF)
        );
        InferenceVerifier another = new InferenceVerifier(models);
        vm.expectRevert(IERC7992Verifier.InvalidProof.selector);
        another.verifyInference(modelId, INPUT_HASH, OUTPUT, proof);
    }

    function test_verifyInference__model_not_proven_or_retired__refused() external {
        bytes memory proof = encoded(circuitId, INPUT, PROOF);
        uint256 copy = registerAs(stranger, commitmentFor(circuitId, "copy"));
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.WrongModelStatus.selector, copy, ModelStatus.REGISTERED));
        verifier.verifyInference(copy, INPUT_HASH, OUTPUT, proof);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.WrongModelStatus.selector, 7, ModelStatus.NONE));
        verifier.verifyInference(7, INPUT_HASH, OUTPUT, proof);
        vm.prank(publisher);
        models.retire(modelId);
        vm.expectRevert(abi.encodeWithSelector(IERC7992Verifier.VerificationRefused_ModelDeprecated.selector, modelId));
        verifier.verifyInference(modelId, INPUT_HASH, OUTPUT, proof);
    }

    function test_verifyInference__what_the_proof_is_to_blame_for__has_the_standards_error() external {
        bytes memory proof = encoded(circuitId, INPUT, PROOF);
        router.fail(abi.encodeWithSelector(IVerifierRouter.ProofRejected.selector, circuitId, bytes("no")));
        refuse(IERC7992Verifier.InvalidProof.selector, modelId, INPUT_HASH, OUTPUT, proof);
        router.fail(abi.encodeWithSelector(IVerifierRouter.UnexpectedReturnData.selector, circuitId, 32));
        refuse(IERC7992Verifier.InvalidProof.selector, modelId, INPUT_HASH, OUTPUT, proof);
        router.fail(abi.encodeWithSelector(PackedTensors.OutputLengthMismatch.selector, 8, 7));
        refuse(IERC7992Verifier.OutputMismatch.selector, modelId, INPUT_HASH, OUTPUT, proof);
    }

    function test_verifyInference__what_it_is_not_to_blame_for__comes_through() external {
        bytes[3] memory failures = [
            abi.encodeWithSelector(IVerifierRouter.NotEnoughGas.selector, 2, 1),
            abi.encodeWithSelector(IVerifierRouter.CircuitIsTombstoned.selector, circuitId),
            abi.encodePacked(bytes2(0xbeef))
        ];
        for (uint256 i; i < failures.length; ++i) {
            router.fail(failures[i]);
            vm.expectRevert(failures[i]);
            verifier.verifyInference(modelId, INPUT_HASH, OUTPUT, encoded(circuitId, INPUT, PROOF));
        }
    }

    function testFuzz_verifyInference__bytes_that_are_no_proof__refused(bytes calldata junk) external {
        vm.expectRevert();
        verifier.verifyInference(modelId, INPUT_HASH, OUTPUT, junk);
    }

    function test_supportsInterface__standards__by_their_ids() external view {
        vm.assertTrue(verifier.supportsInterface(0x5df65472), "ERC-7992's verifier");
        vm.assertTrue(verifier.supportsInterface(0x01ffc9a7), "ERC-165");
        vm.assertFalse(verifier.supportsInterface(0xffffffff), "nothing else");
        vm.assertTrue(IERC7992Verifier.verifyInference.selector == 0x80b171ef, "the standard's call");
    }

    function test_constructor__registry_without_code__refused() external {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.NotAContract.selector, stranger));
        new InferenceVerifier(IModelRegistry(stranger));
    }

    function refuse(bytes4 error_, uint256 id, bytes32 inputHash, bytes memory output, bytes memory proof) private {
        vm.expectRevert(error_);
        verifier.verifyInference(id, inputHash, output, proof);
    }

    function encoded(bytes32 circuit, bytes memory input, bytes memory proof) private pure returns (bytes memory) {
        return abi.encode(circuit, input, proof);
    }
}
