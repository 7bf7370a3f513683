// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {JobSpec} from "marketplace/src/IJobManager.sol";
import {Market} from "tests/contracts/support/Market.sol";
import {Halo2Yes} from "tests/contracts/support/VerifierDoubles.sol";
import {EzklVerifier} from "verifier_contracts/src/EzklVerifier.sol";
import {IHalo2Verifier} from "verifier_contracts/src/IHalo2Verifier.sol";
import {CircuitSpec} from "verifier_contracts/src/IVerifierRouter.sol";
import {InputDomain, TensorLayout} from "verifier_contracts/src/TensorLayout.sol";

/// @notice What a settlement costs beyond the proof: each figure is a transaction of its own, cold accounts and cold
///         storage, less a transaction that calls the generated verifier bare with the same proof and instances. The
///         verifier costs nothing, so the difference is ours alone.
/// forge-config: default.isolate = true
contract SettleGasTest is Market {
    /// @dev Router, adapter, verifier, prover registry and ledger: a transaction's first touch of each costs 2,500 more
    ///      than a later one (EIP-2929).
    uint256 private constant COLD_ACCOUNTS_GAS = 5 * 2_500;
    uint256 private constant BUDGET_GAS = 60_000;

    address private halo2 = address(new Halo2Yes());
    uint256 private modelId;
    int256[] private inputs;
    int256[] private outputs;
    bytes private proof = noise(1, 3072);

    function setUp() external {
        deployMarket();
        fund(requester, 10_000_000_000);
        equip(prover, 1_000_000_000);
    }

    /// @notice Settling costs at most 60,000 gas beyond a bare verifyProof at 20 instances, warm accounts.
    function test_settle__20_instances__within_the_budget_beyond_the_bare_verifier() external {
        uint256 warm = excessAt("20", 16, 4) - COLD_ACCOUNTS_GAS;
        vm.snapshotValue("excess", "20_warm", warm);
        vm.assertLe(warm, BUDGET_GAS, "gas of a settlement beyond its proof");
    }

    /// @notice More instances cost no more beyond the bare verifier: packed, their calldata is cheaper than its words.
    function test_settle__794_instances__excess_no_greater_than_at_20() external {
        uint256 few = excessAt("20", 16, 4);
        uint256 many = excessAt("794", 784, 10);
        vm.snapshotValue("excess", "20_cold", few);
        vm.snapshotValue("excess", "794_cold", many);
        vm.assertLe(many, few, "gas of a settlement beyond its proof");
    }

    /// @dev The second settlement of a model and prover: their slots are not zero.
    function excessAt(string memory size, uint32 inputCount, uint32 outputCount) private returns (uint256 excess) {
        makeModel(inputCount, outputCount);
        settleOne();
        settleOne();
        uint256 settled = vm.snapshotGasLastCall("excess", string.concat(size, "_settle"));
        IHalo2Verifier(halo2).verifyProof(proof, felts(inputs, outputs));
        uint256 bare = vm.snapshotGasLastCall("excess", string.concat(size, "_bare"));
        return settled - bare;
    }

    function settleOne() private {
        bytes memory input = pack(inputs, 1);
        bytes memory output = pack(outputs, 4);
        JobSpec memory spec = jobSpec(modelId);
        spec.inputCommitment = keccak256(input);
        vm.prank(requester);
        bytes32 jobId = manager.open(spec, input);
        claimAs(prover, jobId);
        vm.prank(prover, prover);
        manager.settle(jobId, input, output, proof);
    }

    function makeModel(uint32 inputCount, uint32 outputCount) private {
        inputs = tensor(1, inputCount, -16, 127);
        outputs = tensor(2, outputCount, -100_000, 100_000);
        TensorLayout memory tensors = TensorLayout(inputCount, 1, outputCount, 4);
        CircuitSpec memory spec =
            specOf(address(new EzklVerifier(halo2, tensors, 0)), keccak256(abi.encode(inputCount)));
        spec.tensors = tensors;
        spec.domain = InputDomain(-16, 127);
        spec.gasLimit = 3_000_000;
        bytes32 circuitId = router.add(spec);
        modelId = registerModel(commitmentFor(circuitId, "digits"));
        registry.activate(modelId, circuitId, pack(outputs, 4), proof);
    }
}
