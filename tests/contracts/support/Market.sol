// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IJobManager, JobSpec, JobTerms} from "marketplace/src/IJobManager.sol";
import {JobManager} from "marketplace/src/JobManager.sol";
import {LocalPaymentToken} from "marketplace/src/LocalPaymentToken.sol";
import {ModelCommitment} from "registry/src/IModelRegistry.sol";
import {ModelRegistry} from "registry/src/ModelRegistry.sol";
import {Specification} from "tests/contracts/support/Specification.sol";
import {TripleVerifier} from "tests/contracts/support/VerifierDoubles.sol";
import {Vm} from "tests/contracts/support/Vm.sol";
import {CircuitSpec, VerifierClass} from "verifier_contracts/src/IVerifierRouter.sol";
import {InputDomain, TensorLayout} from "verifier_contracts/src/TensorLayout.sol";
import {VerifierRouter} from "verifier_contracts/src/VerifierRouter.sol";

/// @notice The four contracts as they are deployed, and the words to speak of them shortly.
abstract contract Market is Specification {
    uint32 internal constant GAS_LIMIT = 300_000;
    uint64 internal constant START = 1_800_000_000;

    address internal publisher = address(0xA11CE);
    address internal requester = address(0xB0B);
    address internal prover = address(0xCAFE);
    address internal stranger = address(0xD00D);

    VerifierRouter internal router;
    LocalPaymentToken internal token;
    ModelRegistry internal registry;
    JobManager internal manager;

    bytes internal constant INPUT = hex"0001feff";
    bytes internal constant OUTPUT = hex"00000001fffffffe";
    bytes internal constant PROOF = hex"c0ffee";

    function deployMarket() internal {
        vm.warp(START);
        router = new VerifierRouter();
        token = new LocalPaymentToken();
        registry = new ModelRegistry(router);
        manager = new JobManager(registry, IERC20(address(token)), defaultTerms());
    }

    function defaultTerms() internal pure returns (JobTerms memory) {
        return JobTerms({
            minCollateral: 1_000_000, collateralPpm: 100_000, minDurationSeconds: 30, maxDurationSeconds: 30 days
        });
    }

    function specOf(address adapter, bytes32 keyDigest) internal view returns (CircuitSpec memory) {
        return CircuitSpec({
            adapter: adapter,
            adapterCodeHash: adapter.codehash,
            verifyingKeyDigest: keyDigest,
            proofSystemId: 0x29e846df,
            tensors: TensorLayout({inputCount: 4, inputBytes: 1, outputCount: 2, outputBytes: 4}),
            domain: InputDomain({min: -2, max: 1}),
            gasLimit: GAS_LIMIT,
            class_: VerifierClass.LOCAL
        });
    }

    function commitmentFor(bytes32 circuitId, string memory name) internal pure returns (ModelCommitment memory) {
        return ModelCommitment({
            circuitId: circuitId,
            onnxDigest: keccak256("onnx"),
            settingsDigest: keccak256("settings"),
            manifestDigest: keccak256("manifest"),
            manifestCid: "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy",
            name: name
        });
    }

    /// @dev Registers and proves a model on a double.
    function provenModel(TripleVerifier verifier, string memory name) internal returns (uint256 modelId) {
        bytes32 circuitId = router.add(specOf(address(verifier), keccak256(bytes(name))));
        vm.prank(publisher);
        modelId = registry.register(commitmentFor(circuitId, name));
        verifier.accept(registry.genesisSeed(modelId), registry.genesisInput(modelId), OUTPUT, PROOF);
        registry.activate(modelId, OUTPUT, PROOF);
    }

    function jobSpec(uint256 modelId) internal view returns (JobSpec memory) {
        return JobSpec({
            modelId: modelId,
            inputCommitment: keccak256(INPUT),
            inputUri: "",
            fee: 50_000_000,
            deadline: uint64(block.timestamp + 1 hours)
        });
    }

    /// @dev Gives an account tokens and lets a manager take them.
    function fund(address account, uint256 amount) internal {
        token.mint(account, amount);
        vm.prank(account);
        token.approve(address(manager), type(uint256).max);
    }

    function openAs(address account, JobSpec memory spec) internal returns (bytes32 jobId) {
        vm.prank(account);
        return manager.open(spec, INPUT);
    }

    function claimAs(address account, bytes32 jobId) internal {
        vm.prank(account);
        manager.claim(jobId);
    }

    /// @dev As a transaction of the account's own.
    function settleAs(address account, bytes32 jobId) internal {
        vm.prank(account, account);
        manager.settle(jobId, INPUT, OUTPUT, PROOF);
    }

    /// @dev How many proofs were published in events since {Vm-recordLogs}.
    function publications() internal returns (uint256 count) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].topics[0] == keccak256("ProofPublished(bytes32,bytes,bytes,bytes)")) ++count;
        }
    }
}
