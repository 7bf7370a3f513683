// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {JobSpec} from "marketplace/src/IJobManager.sol";
import {Market} from "tests/contracts/support/Market.sol";
import {Halo2Yes} from "tests/contracts/support/VerifierDoubles.sol";
import {EzklVerifier} from "verifier_contracts/src/EzklVerifier.sol";
import {CircuitSpec} from "verifier_contracts/src/IVerifierRouter.sol";
import {InputDomain, TensorLayout} from "verifier_contracts/src/TensorLayout.sol";

/// @notice What each move costs as a transaction of its own (isolated: base fee, calldata and cold storage included),
///         with a generated verifier that costs nothing, so that the figures are ours alone.
/// forge-config: default.isolate = true
contract GasTest is Market {
    address private halo2 = address(new Halo2Yes());
    uint256 private modelId;
    bytes32 private circuitId;

    function setUp() external {
        deployMarket();
        fund(requester, 1_000_000_000);
        fund(prover, 1_000_000_000);
        // Balances that are not zero before or after, as an active account's.
        fund(address(manager), 1);
    }

    function test_gas__digits_64_inputs_10_outputs() external {
        journey("74", 64, 10);
    }

    function test_gas__mnist_784_inputs_10_outputs() external {
        journey("794", 784, 10);
    }

    function test_gas__cancel_refund_burn() external {
        (bytes memory input,) = makeModel(64, 10);
        bytes32 cancelled = open(input);
        vm.prank(requester);
        manager.cancel(cancelled);
        vm.snapshotGasLastCall("market", "cancel");
        bytes32 unclaimed = open(input);
        bytes32 claimed = open(input);
        claimAs(prover, claimed);
        vm.warp(block.timestamp + 2 hours);
        manager.refund(unclaimed);
        vm.snapshotGasLastCall("market", "refund_unclaimed");
        manager.refund(claimed);
        vm.snapshotGasLastCall("market", "refund_claimed");
        manager.burnForfeits();
        vm.snapshotGasLastCall("market", "burn_forfeits");
    }

    /// @dev The adapter and the router called bare, at two sizes: the difference is the cost of one instance.
    function journey(string memory size, uint32 inputs, uint32 outputs) private {
        (bytes memory input, bytes memory output) = makeModel(inputs, outputs);
        bytes memory proof = noise(1, 3072);

        address adapter = router.circuit(circuitId).adapter;
        EzklVerifier(adapter).verify(0, input, output, proof);
        vm.snapshotGasLastCall(size, "adapter_verify");
        router.verify(circuitId, 0, input, output, proof);
        vm.snapshotGasLastCall(size, "router_verify");
        router.expandInput(circuitId, 0);
        vm.snapshotGasLastCall(size, "expand_input");

        bytes32 jobId = open(input);
        vm.snapshotGasLastCall(size, "open");
        claimAs(prover, jobId);
        vm.snapshotGasLastCall(size, "claim");
        vm.prank(prover, prover);
        manager.settle(jobId, input, output, proof);
        vm.snapshotGasLastCall(size, "settle");
        vm.prank(prover);
        manager.withdraw();
        vm.snapshotGasLastCall(size, "withdraw");
        jobId = open(input);
        claimAs(prover, jobId);
        vm.prank(prover, stranger);
        manager.settle(jobId, input, output, proof);
        vm.snapshotGasLastCall(size, "settle_not_plain");

        JobSpec memory spec = jobSpec(modelId);
        spec.inputCommitment = keccak256(input);
        spec.inputUri = "ipfs://bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";
        vm.prank(requester);
        manager.open(spec, "");
        vm.snapshotGasLastCall(size, "open_by_uri");
    }

    function makeModel(uint32 inputs, uint32 outputs) private returns (bytes memory input, bytes memory output) {
        TensorLayout memory tensors = TensorLayout(inputs, 1, outputs, 4);
        EzklVerifier adapter = new EzklVerifier(halo2, tensors);
        CircuitSpec memory spec = specOf(address(adapter), keccak256(abi.encode(inputs)));
        spec.tensors = tensors;
        spec.domain = InputDomain(-16, 127);
        spec.gasLimit = 3_000_000;
        circuitId = router.add(spec);
        vm.snapshotGasLastCall("market", "router_add");
        vm.prank(publisher);
        modelId = registry.register(commitmentFor(circuitId, "digits"));
        vm.snapshotGasLastCall("market", "register");
        output = pack(tensor(2, outputs, -100_000, 100_000), 4);
        vm.prank(publisher, publisher);
        registry.activate(modelId, output, noise(1, 3072));
        vm.snapshotGasLastCall("market", inputs == 64 ? "activate_74" : "activate_794");
        input = pack(tensor(1, inputs, -16, 127), 1);
    }

    function open(bytes memory input) private returns (bytes32 jobId) {
        JobSpec memory spec = jobSpec(modelId);
        spec.inputCommitment = keccak256(input);
        vm.prank(requester);
        return manager.open(spec, input);
    }
}
