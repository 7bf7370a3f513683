// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {JobSpec, Settlement, SignedRequest} from "marketplace/src/IJobManager.sol";
import {Parent} from "registry/src/ILineageRegistry.sol";
import {ModelCommitment} from "registry/src/IModelRegistry.sol";
import {TabTest} from "tests/contracts/support/TabTest.sol";
import {Halo2Yes} from "tests/contracts/support/VerifierDoubles.sol";
import {EzklVerifier} from "verifier_contracts/src/EzklVerifier.sol";
import {CircuitSpec} from "verifier_contracts/src/IVerifierRouter.sol";
import {InputDomain, TensorLayout} from "verifier_contracts/src/TensorLayout.sol";

/// @notice What each move costs as a transaction of its own (isolated: base fee, calldata and cold storage included),
///         with a generated verifier that costs nothing, so that the figures are ours alone.
/// forge-config: default.isolate = true
contract GasTest is TabTest {
    uint32 private constant OUTPUTS = 10;
    uint256 private constant MOST_GAS_FOR_DEPTH = 1_000;

    address private halo2 = address(new Halo2Yes());
    bytes private proof = noise(1, 3072);
    bytes private input;
    bytes private output;

    function setUp() public override {
        super.setUp();
        // Balances and credits that are not zero before or after, as an active account's.
        fund(requester, 10_000_000_000);
        token.mint(prover, 1);
        token.mint(treasury, 1);
        vm.startPrank(address(manager));
        ledger.credit(requester, 1);
        ledger.credit(prover, 1);
        ledger.credit(publisher, 1);
        ledger.credit(treasury, 1);
        vm.stopPrank();
        token.mint(address(ledger), 4);
    }

    function test_gas__20_instances() external {
        journey("20", 10);
    }

    function test_gas__74_instances() external {
        journey("74", 64);
    }

    function test_gas__794_instances() external {
        journey("794", 784);
    }

    // --- jobs -----------------------------------------------------------------------------------

    function test_gas__cancel_reclaim_refund() external {
        makeModel(64, 1);
        bytes32 cancelled = open();
        vm.prank(requester);
        manager.cancel(cancelled);
        vm.snapshotGasLastCall("job", "cancel");
        bytes32 unclaimed = open();
        bytes32 claimed = openAndClaim();
        bytes32 contested = openAndClaim();
        vm.warp(block.timestamp + 601);
        reclaimAs(rival, contested);
        vm.snapshotGasLastCall("job", "reclaim");
        vm.warp(block.timestamp + 601);
        reclaimAs(stranger, contested);
        vm.snapshotGasLastCall("job", "reclaim_again");
        vm.warp(block.timestamp + 37);
        settle(stranger, contested);
        vm.snapshotGasLastCall("job", "settle_taken_over_74");
        vm.warp(block.timestamp + 2 hours);
        manager.refund(unclaimed);
        vm.snapshotGasLastCall("job", "refund_unclaimed");
        manager.refund(claimed);
        vm.snapshotGasLastCall("job", "refund_claimed");
        provers.burnForfeits();
        vm.snapshotGasLastCall("job", "burn_forfeits");
        provers.collectForfeits();
        vm.snapshotGasLastCall("job", "collect_forfeits");
    }

    function test_gas__many_jobs_in_one_transaction() external {
        makeModel(64, 8);
        settle(prover, openAndClaim());
        many(2, "settle_many_2_per_job");
        many(8, "settle_many_8_per_job");
        bytes32[] memory jobIds = new bytes32[](8);
        (bytes memory inputs, bytes memory outputs) = (bytes(""), bytes(""));
        for (uint256 i; i < 8; ++i) {
            jobIds[i] = openAndClaim();
            (inputs, outputs) = (bytes.concat(inputs, input), bytes.concat(outputs, output));
        }
        bytes32 batchId = registry.commitmentOf(modelId).circuitIds[1];
        vm.prank(prover, prover);
        manager.settleBatch(jobIds, batchId, inputs, outputs, proof);
        vm.snapshotValue("job", "settle_batch_8_per_job", vm.lastCallGas().gasTotalUsed / 8);
    }

    // --- tabs -----------------------------------------------------------------------------------

    function test_gas__tabs() external {
        makeModel(64, 1);
        bytes32 tabId = openTab();
        vm.snapshotGasLastCall("tab", "open_tab");
        drawOn(tabId, 0);
        drawOn(tabId, 1);
        vm.snapshotGasLastCall("tab", "settle_signed_74");
        vm.prank(prover);
        manager.closeTab(tabId);
        vm.snapshotGasLastCall("tab", "close_tab");
    }

    // --- models, lineage and money --------------------------------------------------------------

    function test_gas__register_lineage_and_claims() external {
        uint256 parent = makeModel(64, 1);
        uint256 child = registerAs(publisher, newCircuit(64, 1, 0), "models", "register");
        Parent[] memory parents = new Parent[](1);
        parents[0] = Parent(parent, 200_000);
        vm.prank(publisher);
        lineage.declare(child, parents, 200_000);
        vm.snapshotGasLastCall("models", "declare_lineage_1_parent");
        modelId = child;
        activateAll("activate_74");
        circuitId = registry.circuitOf(child);
        settle(prover, openAndClaim());
        settle(prover, openAndClaim());
        ledger.claimLineage(child, parent);
        vm.snapshotGasLastCall("money", "claim_lineage");
        ledger.claimOwner(child);
        vm.snapshotGasLastCall("money", "claim_owner");
        uint256[] memory both = new uint256[](1);
        both[0] = child;
        ledger.collectPlatform(both);
        vm.snapshotGasLastCall("money", "collect_platform");
        vm.prank(prover);
        ledger.withdraw(prover);
        vm.snapshotGasLastCall("money", "withdraw");
        token.mint(prover, 1_000_000);
        vm.prank(prover);
        provers.stake(prover, 1_000_000);
        vm.snapshotGasLastCall("money", "stake");
        vm.prank(prover);
        provers.requestUnstake(1_000_000);
        vm.snapshotGasLastCall("money", "request_unstake");
        vm.warp(block.timestamp + UNSTAKE_SECONDS);
        vm.prank(prover);
        provers.unstake(prover);
        vm.snapshotGasLastCall("money", "unstake");
    }

    /// @dev A chain of derivatives: each settlement moves the same slots, whoever is owed a part of them.
    function test_I8_gas__settle_at_lineage_depth_1_8_and_16() external {
        uint256[3] memory gas;
        makeModel(64, 1);
        for (uint256 depth = 1; depth <= 16; ++depth) {
            uint256 parent = modelId;
            uint256 child = registerAs(publisher, newCircuit(64, 1, depth), "", "");
            Parent[] memory parents = new Parent[](1);
            parents[0] = Parent(parent, 300_000);
            vm.prank(publisher);
            lineage.declare(child, parents, 300_000);
            modelId = child;
            activateAll("");
            circuitId = registry.circuitOf(child);
            if (depth != 1 && depth != 8 && depth != 16) continue;
            vm.assertEq(
                lineage.sharesOf(child).length, depth > 11 ? lineage.sharesOf(child).length : depth, "ancestors"
            );
            settle(prover, openAndClaim());
            settle(prover, openAndClaim());
            uint256 index = depth / 8;
            gas[index] = vm.lastCallGas().gasTotalUsed;
            string[3] memory labels = ["settle_depth_1", "settle_depth_8", "settle_depth_16"];
            vm.snapshotValue("lineage", labels[index], gas[index]);
        }
        for (uint256 i = 1; i < 3; ++i) {
            vm.assertLt(gas[i] > gas[0] ? gas[i] - gas[0] : gas[0] - gas[i], MOST_GAS_FOR_DEPTH, "depth is free");
        }
    }

    // --- words ----------------------------------------------------------------------------------

    /// @dev The adapter and the router called bare, at several sizes: the difference is the cost of one instance.
    function journey(string memory size, uint32 inputs) private {
        makeModel(inputs, 1);
        address adapter = router.circuit(circuitId).adapter;
        EzklVerifier(adapter).verify(0, input, output, proof);
        vm.snapshotGasLastCall(size, "adapter_verify");
        router.verify(circuitId, 0, input, output, proof);
        vm.snapshotGasLastCall(size, "router_verify");
        router.expandInput(circuitId, 0);
        vm.snapshotGasLastCall(size, "expand_input");

        settle(prover, openAndClaim());
        bytes32 jobId = open();
        vm.snapshotGasLastCall(size, "open");
        claimAs(prover, jobId);
        vm.snapshotGasLastCall(size, "claim");
        settle(prover, jobId);
        vm.snapshotGasLastCall(size, "settle");
        jobId = openAndClaim();
        vm.prank(prover, stranger);
        manager.settle(jobId, input, output, proof);
        vm.snapshotGasLastCall(size, "settle_not_plain");
        JobSpec memory spec = specFor();
        spec.inputUri = "ipfs://bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";
        vm.prank(requester);
        manager.open(spec, "");
        vm.snapshotGasLastCall(size, "open_by_uri");
    }

    /// @dev A PROVEN model of this size, with a batch circuit if `batch` is above 1.
    function makeModel(uint32 inputs, uint32 batch) private returns (uint256) {
        modelId = registerAs(publisher, newCircuit(inputs, batch, 99), "", "");
        circuitId = registry.circuitOf(modelId);
        activateAll("");
        input = pack(tensor(1, inputs, -16, 127), 1);
        output = pack(tensor(2, OUTPUTS, -100_000, 100_000), 4);
        return modelId;
    }

    function newCircuit(uint32 inputs, uint32 batch, uint256 salt) private returns (bytes32[] memory circuitIds) {
        circuitIds = new bytes32[](batch == 1 ? 1 : 2);
        for (uint256 i; i < circuitIds.length; ++i) {
            uint32 times = i == 0 ? 1 : batch;
            TensorLayout memory tensors = TensorLayout(inputs * times, 1, OUTPUTS * times, 4);
            EzklVerifier adapter = new EzklVerifier(halo2, tensors, 0);
            CircuitSpec memory spec = specOf(address(adapter), keccak256(abi.encode(inputs, salt)));
            spec.tensors = tensors;
            spec.domain = InputDomain(-16, 127);
            spec.gasLimit = 3_000_000;
            circuitIds[i] = router.add(spec);
            vm.snapshotGasLastCall("models", "router_add");
        }
    }

    function registerAs(address owner, bytes32[] memory circuitIds, string memory group, string memory name)
        private
        returns (uint256 id)
    {
        ModelCommitment memory commitment = commitmentFor(circuitIds, "digits");
        bytes32 hash = registry.commitmentHash(owner, commitment, feeTerms(), derivativeTerms(), 0);
        vm.prank(owner);
        registry.commit(hash);
        if (bytes(name).length != 0) vm.snapshotGasLastCall(group, "commit");
        vm.roll(block.number + 1);
        vm.prank(owner);
        id = registry.register(commitment, feeTerms(), derivativeTerms(), 0);
        if (bytes(name).length != 0) vm.snapshotGasLastCall(group, name);
    }

    function activateAll(string memory name) private {
        bytes32[] memory circuitIds = registry.missingGenesis(modelId);
        for (uint256 i; i < circuitIds.length; ++i) {
            TensorLayout memory tensors = router.circuit(circuitIds[i]).tensors;
            bytes memory answer = pack(tensor(2, tensors.outputCount, -100_000, 100_000), 4);
            vm.prank(publisher, publisher);
            registry.activate(modelId, circuitIds[i], answer, proof);
            if (bytes(name).length != 0) vm.snapshotGasLastCall("models", name);
        }
    }

    function specFor() private view returns (JobSpec memory spec) {
        spec = jobSpec(modelId);
        spec.inputCommitment = keccak256(input);
    }

    function open() private returns (bytes32 jobId) {
        JobSpec memory spec = specFor();
        vm.prank(requester);
        return manager.open(spec, input);
    }

    function openAndClaim() private returns (bytes32 jobId) {
        jobId = open();
        claimAs(prover, jobId);
    }

    function settle(address payee, bytes32 jobId) private {
        vm.prank(payee, payee);
        manager.settle(jobId, input, output, proof);
    }

    function many(uint256 count, string memory name) private {
        Settlement[] memory all = new Settlement[](count);
        for (uint256 i; i < count; ++i) {
            all[i] = Settlement(openAndClaim(), input, output, proof);
        }
        vm.prank(prover, prover);
        manager.settleMany(all);
        vm.snapshotValue("job", name, vm.lastCallGas().gasTotalUsed / count);
    }

    function drawOn(bytes32 tabId, uint64 nonce) private {
        SignedRequest memory request = requestOn(tabId, nonce);
        request.inputCommitment = keccak256(input);
        bytes memory signature = sign(SIGNER_KEY, digestOf(request));
        vm.prank(prover, prover);
        manager.settleSigned(request, signature, input, output, proof);
    }
}
