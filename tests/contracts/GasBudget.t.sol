// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {JobSpec} from "marketplace/src/IJobManager.sol";
import {JobTest} from "tests/contracts/support/JobTest.sol";
import {Halo2Yes} from "tests/contracts/support/VerifierDoubles.sol";
import {EzklVerifier} from "verifier_contracts/src/EzklVerifier.sol";
import {IHalo2Verifier} from "verifier_contracts/src/IHalo2Verifier.sol";
import {CircuitSpec} from "verifier_contracts/src/IVerifierRouter.sol";
import {InputDomain, TensorLayout} from "verifier_contracts/src/TensorLayout.sol";

/// @notice What a settlement costs beyond a bare `verifyProof` of the same proof and instances, with every account warm,
///         every storage slot as cold as in a transaction of its own (what `setUp` writes is of another transaction), and
///         credits and income that were not zero. Once as executed, once with the calldata of both, which the packed
///         tensors make smaller.
contract GasBudgetTest is JobTest {
    uint256 private constant BUDGET = 60_000;
    uint32 private constant OUTPUTS = 10;

    /// @dev A claimed job, with all that settles it.
    struct Case {
        bytes settle;
        bytes verify;
    }

    address private halo2 = address(new Halo2Yes());
    address[2] private adapters;
    Case[2] private cases;

    function setUp() public override {
        super.setUp();
        for (uint32 i; i < 2; ++i) {
            bytes32 first = prepare(i, i == 0 ? 10 : 784);
            // A settlement before, so that income and credits are not zero.
            vm.prank(prover, prover);
            (bool success,) = address(manager).call(cases[i].settle);
            vm.assertTrue(success && first != 0, "a first settlement");
            prepareAgain(i, i == 0 ? 10 : 784);
        }
    }

    function test_gas__settle_at_20_instances__at_most_60_000_beyond_the_proof() external {
        (uint256 executed, uint256 saved) = excessOf(0);
        vm.snapshotValue("budget", "settle_beyond_verify_20", executed - saved);
        vm.snapshotValue("budget", "settle_beyond_verify_20_without_calldata", executed);
        vm.assertLe(executed - saved, BUDGET, "beyond a bare verifyProof");
    }

    /// @dev At this size the calldata that is saved is more than all that is executed besides the proof.
    function test_gas__settle_at_794_instances__less_than_the_bare_verifier() external {
        (uint256 executed, uint256 saved) = excessOf(1);
        vm.snapshotValue("budget", "settle_beyond_verify_794_without_calldata", executed);
        vm.snapshotValue("budget", "settle_beyond_verify_794_without_calldata_per_instance", executed / 794);
        vm.snapshotValue("budget", "settle_calldata_saved_794", saved);
        vm.assertLe(executed, saved, "beyond a bare verifyProof");
    }

    // --- words ----------------------------------------------------------------------------------

    function excessOf(uint256 index) private returns (uint256 executed, uint256 saved) {
        warmAccounts(index);
        Case memory one = cases[index];
        uint256 bare = measure(halo2, one.verify);
        executed = measure(address(manager), one.settle) - bare;
        saved = calldataGas(one.verify) - calldataGas(one.settle);
    }

    /// @dev EIP-2028: 4 for a byte that is zero, 16 for any other.
    function calldataGas(bytes memory data) private pure returns (uint256 gas) {
        for (uint256 i; i < data.length; ++i) {
            gas += data[i] == 0 ? 4 : 16;
        }
    }

    /// @dev The caller's own costs are in both figures and cancel out.
    function measure(address target, bytes memory data) private returns (uint256 gas) {
        vm.prank(prover, prover);
        gas = gasleft();
        (bool success,) = target.call(data);
        gas -= gasleft();
        vm.assertTrue(success, "the call");
    }

    function warmAccounts(uint256 index) private view {
        address[7] memory all =
            [address(manager), address(router), adapters[index], halo2, address(ledger), address(provers), prover];
        uint256 sum;
        for (uint256 i; i < all.length; ++i) {
            sum += all[i].balance + 1;
        }
        vm.assertTrue(sum >= all.length, "touched");
    }

    function prepare(uint32 index, uint32 inputs) private returns (bytes32 jobId) {
        TensorLayout memory tensors = TensorLayout(inputs, 1, OUTPUTS, 4);
        adapters[index] = address(new EzklVerifier(halo2, tensors, 0));
        CircuitSpec memory spec = specOf(adapters[index], keccak256(abi.encode(inputs)));
        spec.tensors = tensors;
        spec.domain = InputDomain(-16, 127);
        spec.gasLimit = 3_000_000;
        modelId = registerModel(commitmentFor(router.add(spec), "budget"));
        registry.activate(
            modelId, registry.circuitOf(modelId), pack(tensor(2, OUTPUTS, -100_000, 100_000), 4), noise(1, 3072)
        );
        return prepareAgain(index, inputs);
    }

    function prepareAgain(uint32 index, uint32 inputs) private returns (bytes32 jobId) {
        int256[] memory head = tensor(1, inputs, -16, 127);
        int256[] memory tail = tensor(2, OUTPUTS, -100_000, 100_000);
        bytes memory proof = noise(1, 3072);
        JobSpec memory spec = jobSpec(modelId);
        spec.inputCommitment = keccak256(pack(head, 1));
        vm.prank(requester);
        jobId = manager.open(spec, pack(head, 1));
        claimAs(prover, jobId);
        cases[index] = Case({
            settle: abi.encodeCall(manager.settle, (jobId, pack(head, 1), pack(tail, 4), proof)),
            verify: abi.encodeCall(IHalo2Verifier.verifyProof, (proof, felts(head, tail)))
        });
    }
}
