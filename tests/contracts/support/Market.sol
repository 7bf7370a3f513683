// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ERC6551Registry} from "erc6551/ERC6551Registry.sol";
import {ERC6551Account} from "erc6551/examples/simple/ERC6551Account.sol";
import {IERC6551Registry} from "erc6551/interfaces/IERC6551Registry.sol";
import {JobSpec, JobTerms} from "marketplace/src/IJobManager.sol";
import {JobManager} from "marketplace/src/JobManager.sol";
import {LocalPaymentToken} from "marketplace/src/LocalPaymentToken.sol";
import {RevenueLedger} from "marketplace/src/RevenueLedger.sol";
import {DerivativeTerms, FeeTerms, ModelCommitment} from "registry/src/IModelRegistry.sol";
import {InferenceVerifier} from "registry/src/InferenceVerifier.sol";
import {LineageRegistry} from "registry/src/LineageRegistry.sol";
import {ModelRegistry} from "registry/src/ModelRegistry.sol";
import {ProverRegistry} from "registry/src/ProverRegistry.sol";
import {Specification} from "tests/contracts/support/Specification.sol";
import {TripleVerifier} from "tests/contracts/support/VerifierDoubles.sol";
import {Vm} from "tests/contracts/support/Vm.sol";
import {Ceremony} from "verifier_contracts/src/Ceremonies.sol";
import {PlatformTerms} from "verifier_contracts/src/IProtocolAdmin.sol";
import {CircuitSpec, VerifierClass} from "verifier_contracts/src/IVerifierRouter.sol";
import {ProtocolAdmin} from "verifier_contracts/src/ProtocolAdmin.sol";
import {InputDomain, TensorLayout} from "verifier_contracts/src/TensorLayout.sol";
import {VerifierRouter} from "verifier_contracts/src/VerifierRouter.sol";

/// @notice All contracts as they are deployed, in that order, and the words to speak of them shortly.
abstract contract Market is Specification {
    uint32 internal constant GAS_LIMIT = 300_000;
    uint40 internal constant START = 1_800_000_000;
    uint32 internal constant PLATFORM_PPM = 25_000;
    uint80 internal constant FLAT_FEE = 10_000;
    uint32 internal constant UNSTAKE_SECONDS = 7 days;
    bytes4 internal constant PROOF_SYSTEM = 0x29e846df;
    bytes32 private constant SALT = keccak256("salt");

    uint256 internal constant REQUESTER_KEY = 0xB0B;
    address internal publisher = address(0xA11CE);
    address internal requester = vm.addr(REQUESTER_KEY);
    address internal prover = address(0xCAFE);
    address internal rival = address(0xBEEF);
    address internal stranger = address(0xD00D);
    /// @dev Stands for the timelock that owns the admin.
    address internal timelock = address(0x71AE);
    address internal guardian = address(0x6A4D);
    address internal treasury = address(0x7EA5);

    ProtocolAdmin internal admin;
    VerifierRouter internal router;
    LocalPaymentToken internal token;
    ModelRegistry internal registry;
    LineageRegistry internal lineage;
    InferenceVerifier internal inferences;
    ProverRegistry internal provers;
    RevenueLedger internal ledger;
    JobManager internal manager;

    bytes internal constant INPUT = hex"0001feff";
    bytes internal constant OUTPUT = hex"00000001fffffffe";
    bytes internal constant PROOF = hex"c0ffee";

    function deployMarket() internal {
        deployMarket(defaultTerms());
    }

    function deployMarket(JobTerms memory terms) internal {
        vm.warp(START);
        vm.roll(1000);
        admin = new ProtocolAdmin(
            timelock, treasury, guardian, PlatformTerms(PLATFORM_PPM, FLAT_FEE), PlatformTerms(100_000, 1_000_000)
        );
        router = new VerifierRouter(admin, new Ceremony[](0));
        token = new LocalPaymentToken();
        deployOn(address(token), terms);
    }

    /// @dev What knows of money, on any token; the addresses follow from the deployer's nonce, as in a deployment.
    function deployOn(address money, JobTerms memory terms) internal {
        address accounts = address(new ERC6551Registry());
        address account = address(new ERC6551Account());
        uint256 nonce = vm.getNonce(address(this));
        ledger = RevenueLedger(vm.computeCreateAddress(address(this), nonce + 4));
        manager = JobManager(vm.computeCreateAddress(address(this), nonce + 5));
        registry = new ModelRegistry(router, ledger, IERC6551Registry(accounts), account, 1, 256);
        lineage = new LineageRegistry(registry);
        inferences = new InferenceVerifier(registry);
        provers = new ProverRegistry(IERC20(money), address(manager), admin, UNSTAKE_SECONDS);
        new RevenueLedger(IERC20(money), address(manager), address(0), lineage, admin);
        new JobManager(ledger, provers, terms);
    }

    function defaultTerms() internal pure returns (JobTerms memory) {
        return JobTerms({
            minCollateral: 1_000_000,
            collateralPpm: 100_000,
            minDurationSeconds: 30,
            maxDurationSeconds: 30 days,
            minClaimSeconds: 60,
            graceSeconds: 36,
            bonusPpm: 500_000,
            treasuryPpm: 500_000,
            acceptedClasses: 14
        });
    }

    // --- models ---------------------------------------------------------------------------------

    function specOf(address adapter, bytes32 keyDigest) internal view returns (CircuitSpec memory) {
        return specOf(adapter, keyDigest, 1);
    }

    /// @dev A circuit for several inputs of the same size.
    function specOf(address adapter, bytes32 keyDigest, uint32 inputs) internal view returns (CircuitSpec memory) {
        return CircuitSpec({
            adapter: adapter,
            adapterCodeHash: adapter.codehash,
            verifyingKeyDigest: keyDigest,
            weightCommitment: 0,
            proofSystemId: PROOF_SYSTEM,
            tensors: TensorLayout({inputCount: 4 * inputs, inputBytes: 1, outputCount: 2 * inputs, outputBytes: 4}),
            domain: InputDomain({min: -2, max: 1}),
            gasLimit: GAS_LIMIT,
            class_: VerifierClass.LOCAL
        });
    }

    function commitmentFor(bytes32 circuitId, string memory name) internal pure returns (ModelCommitment memory) {
        bytes32[] memory circuitIds = new bytes32[](1);
        circuitIds[0] = circuitId;
        return commitmentFor(circuitIds, name);
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
            datasetDigest: 0,
            keyCommitment: 0,
            predecessor: 0,
            manifestCid: "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy",
            name: name,
            licence: "Apache-2.0"
        });
    }

    /// @dev 2 zUSD, never below 1 zUSD nor a tenth of the price.
    function feeTerms() internal pure returns (FeeTerms memory) {
        return FeeTerms({modelFee: 2_000_000, minModelFee: 1_000_000, minModelFeePpm: 100_000});
    }

    function derivativeTerms() internal pure returns (DerivativeTerms memory) {
        return DerivativeTerms({derivativesAllowed: true, minRatePpm: 0, minModelFee: 0, minModelFeePpm: 0});
    }

    /// @dev Commit, a block, reveal: as the publisher.
    function registerModel(ModelCommitment memory commitment) internal returns (uint256 modelId) {
        bytes32 hash = registry.commitmentHash(publisher, commitment, feeTerms(), derivativeTerms(), SALT);
        vm.prank(publisher);
        registry.commit(hash);
        vm.roll(block.number + 1);
        vm.prank(publisher);
        return registry.register(commitment, feeTerms(), derivativeTerms(), SALT);
    }

    /// @dev Files the genesis proofs of a model whose circuits are doubles.
    function prove(uint256 modelId) internal {
        bytes32[] memory circuitIds = registry.missingGenesis(modelId);
        for (uint256 i; i < circuitIds.length; ++i) {
            CircuitSpec memory spec = router.circuit(circuitIds[i]);
            bytes memory output = new bytes(uint256(spec.tensors.outputCount) * spec.tensors.outputBytes);
            bytes memory input = registry.genesisInput(modelId, circuitIds[i]);
            TripleVerifier(spec.adapter).accept(registry.genesisSeed(modelId), input, output, PROOF);
            registry.activate(modelId, circuitIds[i], output, PROOF);
        }
    }

    /// @dev Registers and proves a model on a double.
    function provenModel(TripleVerifier verifier, string memory name) internal returns (uint256 modelId) {
        modelId = registerModel(commitmentFor(router.add(specOf(address(verifier), keccak256(bytes(name)))), name));
        prove(modelId);
    }

    /// @dev As {provenModel}, with a circuit for one input and one for `inputs`.
    function provenModel(TripleVerifier single, TripleVerifier batch, uint32 inputs, string memory name)
        internal
        returns (uint256 modelId, bytes32 batchId)
    {
        bytes32[] memory circuitIds = new bytes32[](2);
        circuitIds[0] = router.add(specOf(address(single), keccak256(bytes(name))));
        batchId = circuitIds[1] = router.add(specOf(address(batch), keccak256(bytes(name)), inputs));
        modelId = registerModel(commitmentFor(circuitIds, name));
        prove(modelId);
    }

    // --- jobs -----------------------------------------------------------------------------------

    /// @dev From 10 to 50 zUSD within 10 minutes; 10 minutes to prove; an hour in all.
    function jobSpec(uint256 modelId) internal view returns (JobSpec memory) {
        return JobSpec({
            modelId: modelId,
            circuitId: registry.circuitOf(modelId),
            inputCommitment: keccak256(INPUT),
            inputUri: "",
            minProverFee: 10_000_000,
            maxProverFee: 50_000_000,
            maxTotal: 100_000_000,
            rampSeconds: 600,
            claimSeconds: 600,
            deadline: uint40(block.timestamp + 1 hours),
            provers: new address[](0)
        });
    }

    /// @dev Gives an account tokens and lets the ledger take them.
    function fund(address account, uint256 amount) internal {
        token.mint(account, amount);
        approveLedger(account);
    }

    function approveLedger(address account) internal {
        IERC20 money = ledger.token();
        vm.prank(account);
        money.approve(address(ledger), type(uint256).max);
    }

    /// @dev Makes an account a prover with a free stake.
    function equip(address account, uint80 stake) internal {
        token.mint(account, stake);
        enlist(account, stake);
    }

    /// @dev As {equip}, with tokens that the account has.
    function enlist(address account, uint80 stake) internal {
        IERC20 money = provers.token();
        bytes4[] memory systems = new bytes4[](1);
        systems[0] = PROOF_SYSTEM;
        vm.prank(account);
        money.approve(address(provers), type(uint256).max);
        vm.prank(account);
        provers.register("https://prover.example", systems);
        vm.prank(account);
        provers.stake(account, stake);
    }

    function openAs(address account, JobSpec memory spec) internal returns (bytes32 jobId) {
        vm.prank(account);
        return manager.open(spec, INPUT);
    }

    function claimAs(address account, bytes32 jobId) internal {
        vm.prank(account);
        manager.claim(jobId);
    }

    function reclaimAs(address account, bytes32 jobId) internal {
        vm.prank(account);
        manager.reclaim(jobId);
    }

    /// @dev As a transaction of the account's own.
    function settleAs(address account, bytes32 jobId) internal {
        vm.prank(account, account);
        manager.settle(jobId, INPUT, OUTPUT, PROOF);
    }

    function tombstone(bytes32 circuitId) internal {
        vm.prank(guardian);
        router.tombstone(circuitId, "unsound");
    }

    /// @dev What the double of a circuit must accept for a proof that pays `payee`.
    function acceptFor(TripleVerifier verifier, bytes32 jobId, address payee) internal {
        verifier.accept(manager.contextOf(jobId, payee), INPUT, OUTPUT, PROOF);
    }

    /// @dev How many proofs were published in events since {Vm-recordLogs}.
    function publications() internal returns (uint256 count) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].topics[0] == keccak256("ProofPublished(bytes32,bytes,bytes,bytes)")) ++count;
        }
    }
}
