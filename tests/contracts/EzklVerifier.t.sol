// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Specification} from "tests/contracts/support/Specification.sol";
import {Halo2Burner, Halo2Double, Halo2Writer, Halo2Yes} from "tests/contracts/support/VerifierDoubles.sol";
import {CommittedWeights} from "verifier_contracts/src/CommittedWeights.sol";
import {EzklVerifier} from "verifier_contracts/src/EzklVerifier.sol";
import {IHalo2Verifier} from "verifier_contracts/src/IHalo2Verifier.sol";
import {PinnedVerifier} from "verifier_contracts/src/PinnedVerifier.sol";
import {PackedTensors, TensorLayout} from "verifier_contracts/src/TensorLayout.sol";

contract EzklVerifierTest is Specification {
    Halo2Double private halo2 = new Halo2Double();
    EzklVerifier private adapter;
    int256[] private input;
    int256[] private output;
    bytes private proof = hex"c0ffee";

    function setUp() external {
        adapter = new EzklVerifier(address(halo2), TensorLayout(3, 2, 2, 4), 0);
        input = [int256(-300), 0, 300];
        output = [int256(-70_000), 70_000];
        halo2.expect(abi.encodeCall(IHalo2Verifier.verifyProof, (proof, felts(input, output))));
    }

    function test_verify__the_true_triple__accepted_under_any_context() external view {
        adapter.verify(0, pack(input, 2), pack(output, 4), proof);
        adapter.verify(keccak256("another"), pack(input, 2), pack(output, 4), proof);
    }

    function testFuzz_verify__any_sizes__calldata_is_the_canonical_encoding(uint256 seed, uint256 sizes) external {
        uint8 inputBytes = uint8(within(sizes, 1, 8));
        uint8 outputBytes = uint8(within(sizes >> 8, 1, 8));
        uint256 inputCount = within(sizes >> 16, 1, 40);
        uint256 outputCount = within(sizes >> 32, 1, 20);
        int256[] memory head = tensor(seed, inputCount, -top(inputBytes) - 1, top(inputBytes));
        int256[] memory tail = tensor(~seed, outputCount, -top(outputBytes) - 1, top(outputBytes));
        bytes memory transcript = noise(seed, within(sizes >> 48, 0, 100));

        halo2.expect(abi.encodeCall(IHalo2Verifier.verifyProof, (transcript, felts(head, tail))));
        EzklVerifier fresh = new EzklVerifier(
            address(halo2), TensorLayout(uint32(inputCount), inputBytes, uint32(outputCount), outputBytes), 0
        );
        fresh.verify(0, pack(head, inputBytes), pack(tail, outputBytes), transcript);
    }

    function testFuzz_verify__one_bit_changed__refused(uint256 which, uint256 place, uint256 bit) external {
        bytes[3] memory parts = [pack(input, 2), pack(output, 4), bytes.concat(proof)];
        which %= 3;
        parts[which][place % parts[which].length] ^= bytes1(uint8(1 << (bit % 8)));
        vm.expectRevert(PinnedVerifier.VerifierReverted.selector);
        adapter.verify(0, parts[0], parts[1], parts[2]);
    }

    function test_verify__trailing_proof_bytes__refused() external {
        vm.expectRevert(PinnedVerifier.VerifierReverted.selector);
        adapter.verify(0, pack(input, 2), pack(output, 4), bytes.concat(proof, bytes32(0)));
    }

    function test_verify__wrong_lengths__refused_before_the_verifier() external {
        bytes memory head = pack(input, 2);
        bytes memory tail = pack(output, 4);
        vm.expectRevert(abi.encodeWithSelector(PackedTensors.InputLengthMismatch.selector, 6, 7));
        adapter.verify(0, bytes.concat(head, hex"00"), tail, proof);
        vm.expectRevert(abi.encodeWithSelector(PackedTensors.InputLengthMismatch.selector, 6, 0));
        adapter.verify(0, "", tail, proof);
        vm.expectRevert(abi.encodeWithSelector(PackedTensors.OutputLengthMismatch.selector, 8, 4));
        adapter.verify(0, head, hex"00000000", proof);
    }

    function test_verify__border_between_input_and_output_moved__refused() external {
        // The same bytes, cut elsewhere, would give the same instances if only the sum of lengths were checked.
        EzklVerifier even = new EzklVerifier(address(halo2), TensorLayout(2, 1, 2, 1), 0);
        vm.expectRevert(abi.encodeWithSelector(PackedTensors.InputLengthMismatch.selector, 2, 3));
        even.verify(0, hex"010203", hex"04", proof);
    }

    function test_verify__every_answer_but_one_word_one__refused() external {
        refuseAnswer(abi.encode(false), 32, 0);
        refuseAnswer(abi.encode(uint256(2)), 32, 2);
        refuseAnswer(abi.encode(type(uint256).max), 32, type(uint256).max);
        refuseAnswer("", 0, 0);
        refuseAnswer(abi.encode(true, true), 64, 1);
        refuseAnswer(abi.encodePacked(uint248(1)), 31, 256);
        refuseAnswer(abi.encodePacked(uint256(1), uint8(0)), 33, 1);
    }

    function test_verify__verifier_burns_all_gas__refused_with_gas_left() external {
        EzklVerifier burning = new EzklVerifier(address(new Halo2Burner()), TensorLayout(3, 2, 2, 4), 0);
        bytes memory head = pack(input, 2);
        bytes memory tail = pack(output, 4);
        vm.expectRevert(PinnedVerifier.VerifierReverted.selector);
        burning.verify{gas: 1_000_000}(0, head, tail, proof);
    }

    function test_verify__verifier_writes__stopped_by_staticcall() external {
        EzklVerifier writing = new EzklVerifier(address(new Halo2Writer()), TensorLayout(3, 2, 2, 4), 0);
        bytes memory head = pack(input, 2);
        bytes memory tail = pack(output, 4);
        vm.expectRevert(PinnedVerifier.VerifierReverted.selector);
        writing.verify{gas: 1_000_000}(0, head, tail, proof);
    }

    function test_I14_verify__verifier_replaced__refused() external {
        bytes32 pinned = address(halo2).codehash;
        vm.etch(address(halo2), type(Halo2Yes).runtimeCode);
        bytes memory head = pack(input, 2);
        bytes memory tail = pack(output, 4);
        vm.expectRevert(
            abi.encodeWithSelector(PinnedVerifier.VerifierCodeChanged.selector, pinned, address(halo2).codehash)
        );
        adapter.verify(0, head, tail, proof);
        vm.etch(address(halo2), "");
        vm.expectRevert(
            abi.encodeWithSelector(PinnedVerifier.VerifierCodeChanged.selector, pinned, address(halo2).codehash)
        );
        adapter.verify(0, head, tail, proof);
    }

    function test_verify__committed_weights__only_proofs_that_begin_with_them() external {
        bytes memory transcript = noise(9, 96);
        halo2.expect(abi.encodeCall(IHalo2Verifier.verifyProof, (transcript, felts(input, output))));
        bytes32 pin = keccak256(first64(transcript));
        EzklVerifier pinned = new EzklVerifier(address(halo2), TensorLayout(3, 2, 2, 4), pin);
        vm.assertEq(pinned.weightCommitment(), pin, "the pin can be read");
        vm.assertEq(adapter.weightCommitment(), bytes32(0), "no pin");
        bytes memory head = pack(input, 2);
        bytes memory tail = pack(output, 4);
        pinned.verify(0, head, tail, transcript);
        EzklVerifier other = new EzklVerifier(address(halo2), TensorLayout(3, 2, 2, 4), keccak256("other weights"));
        vm.expectRevert(
            abi.encodeWithSelector(CommittedWeights.WeightsMismatch.selector, keccak256("other weights"), pin)
        );
        other.verify(0, head, tail, transcript);
        vm.expectRevert(abi.encodeWithSelector(CommittedWeights.WeightsMismatch.selector, pin, bytes32(0)));
        pinned.verify(0, head, tail, noise(9, 63));
    }

    function testFuzz_verify__one_bit_of_the_commitment_changed__refused(uint256 place, uint256 bit) external {
        bytes memory transcript = noise(9, 96);
        bytes32 pin = keccak256(first64(transcript));
        EzklVerifier pinned = new EzklVerifier(address(new Halo2Yes()), TensorLayout(3, 2, 2, 4), pin);
        bytes memory head = pack(input, 2);
        bytes memory tail = pack(output, 4);
        pinned.verify(0, head, tail, transcript);
        transcript[place % 64] ^= bytes1(uint8(1 << (bit % 8)));
        vm.expectPartialRevert(CommittedWeights.WeightsMismatch.selector);
        pinned.verify(0, head, tail, transcript);
    }

    function test_constructor__no_code_or_delegated_account_or_bad_layout__refused() external {
        address nobody = address(0xbeef);
        vm.expectRevert(abi.encodeWithSelector(PinnedVerifier.NotAVerifier.selector, nobody));
        new EzklVerifier(nobody, TensorLayout(1, 1, 1, 1), 0);
        vm.etch(nobody, abi.encodePacked(hex"ef0100", address(halo2)));
        vm.expectRevert(abi.encodeWithSelector(PinnedVerifier.NotAVerifier.selector, nobody));
        new EzklVerifier(nobody, TensorLayout(1, 1, 1, 1), 0);
        vm.expectRevert(abi.encodeWithSelector(PackedTensors.InvalidLayout.selector, TensorLayout(0, 1, 1, 1)));
        new EzklVerifier(address(halo2), TensorLayout(0, 1, 1, 1), 0);
    }

    function test_views__say_what_was_pinned() external view {
        vm.assertEq(adapter.verifier(), address(halo2), "verifier");
        vm.assertEq(adapter.verifierCodeHash(), address(halo2).codehash, "code hash");
        vm.assertEq(abi.encode(adapter.tensorLayout()), abi.encode(TensorLayout(3, 2, 2, 4)), "layout");
    }

    function first64(bytes memory data) private pure returns (bytes memory head) {
        head = new bytes(64);
        for (uint256 i; i < 64; ++i) {
            head[i] = data[i];
        }
    }

    function refuseAnswer(bytes memory answer, uint256 length, uint256 word) private {
        halo2.lie(answer);
        bytes memory head = pack(input, 2);
        bytes memory tail = pack(output, 4);
        vm.expectRevert(abi.encodeWithSelector(PinnedVerifier.UnexpectedAnswer.selector, length, word));
        adapter.verify(0, head, tail, proof);
    }
}
