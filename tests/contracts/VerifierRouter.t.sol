// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Routing} from "tests/contracts/support/Routing.sol";
import {GasTeller, TripleVerifier} from "tests/contracts/support/VerifierDoubles.sol";
import {
    Attestation,
    CircuitSpec,
    IVerifierRouter,
    Verdict,
    VerifierClass
} from "verifier_contracts/src/IVerifierRouter.sol";
import {InputDomain, PackedTensors, TensorLayout} from "verifier_contracts/src/TensorLayout.sol";
import {VerifierRouter} from "verifier_contracts/src/VerifierRouter.sol";

contract VerifierRouterTest is Routing {
    TripleVerifier private adapter = new TripleVerifier();
    bytes32 private constant KEY = keccak256("key");
    bytes32 private constant CONTEXT = keccak256("context");
    bytes32 private circuitId;

    function setUp() external {
        deployRouting();
        circuitId = router.add(specOf(address(adapter), KEY));
        adapter.accept(CONTEXT, INPUT, OUTPUT, PROOF);
    }

    function test_add__new_circuit__event_id_and_entry() external {
        CircuitSpec memory spec = specOf(address(adapter), keccak256("other"));
        bytes32 expected = keccak256(abi.encode(keccak256("zkml.circuit.v1"), uint256(31337), address(router), spec));
        vm.assertFalse(router.exists(expected), "not there yet");
        vm.expectEmit(address(router));
        emit IVerifierRouter.CircuitAdded(expected, address(adapter), VerifierClass.LOCAL, keccak256("other"));
        vm.prank(stranger);
        vm.assertEq(router.add(spec), expected, "id");
        vm.assertEq(router.circuitIdOf(spec), expected, "id of the spec");
        vm.assertTrue(router.exists(expected), "there");
        vm.assertEq(abi.encode(router.circuit(expected)), abi.encode(spec), "entry");
    }

    function testFuzz_add__any_valid_spec__comes_back_unchanged(
        bytes32 key,
        bytes4 system,
        uint256 sizes,
        int64 min,
        uint32 width,
        uint32 gasLimit
    ) external {
        CircuitSpec memory spec = specOf(address(adapter), key);
        vm.assume(key != 0 && system != 0);
        spec.proofSystemId = system;
        spec.gasLimit = uint32(within(gasLimit, 1, 12_000_000));
        spec.class_ = sizes & 1 == 0 ? VerifierClass.LOCAL : VerifierClass.UNVOUCHED;
        spec.tensors = TensorLayout(
            uint32(within(sizes >> 8, 1, 65_536)),
            8,
            uint32(within(sizes >> 64, 1, 65_536)),
            uint8(within(sizes >> 128, 1, 8))
        );
        spec.domain.min = min;
        spec.domain.max =
            int256(min) + int256(uint256(width)) > type(int64).max ? type(int64).max : min + int64(uint64(width));
        vm.assertEq(abi.encode(router.circuit(router.add(spec))), abi.encode(spec), "entry");
    }

    function testFuzz_I4_id__any_field_changed__is_another_id(uint256 which) external {
        CircuitSpec memory spec = specOf(address(adapter), KEY);
        which %= 15;
        if (which == 0) spec.adapter = stranger;
        if (which == 1) spec.adapterCodeHash = KEY;
        if (which == 2) spec.verifyingKeyDigest = CONTEXT;
        if (which == 3) spec.proofSystemId = 0x00000001;
        if (which == 4) spec.tensors.inputCount++;
        if (which == 5) spec.tensors.inputBytes++;
        if (which == 6) spec.tensors.outputCount++;
        if (which == 7) spec.tensors.outputBytes++;
        if (which == 8) spec.domain.min--;
        if (which == 9) spec.domain.max++;
        if (which == 10) spec.gasLimit++;
        if (which == 11) spec.class_ = VerifierClass.UNVOUCHED;
        if (which == 12) spec.weightCommitment = CONTEXT;
        if (which == 13) vm.chainId(1337);
        VerifierRouter asked = which == 14 ? newRouter() : router;
        vm.assertTrue(asked.circuitIdOf(spec) != circuitId, "id");
    }

    function test_I14_add__again__refused() external {
        CircuitSpec memory spec = specOf(address(adapter), KEY);
        vm.expectRevert(abi.encodeWithSelector(IVerifierRouter.CircuitExists.selector, circuitId));
        router.add(spec);
    }

    function test_add__class_none__refused() external {
        CircuitSpec memory spec = specOf(address(adapter), KEY);
        spec.class_ = VerifierClass.NONE;
        refuse(spec, abi.encodeWithSelector(IVerifierRouter.ClassMissing.selector));
    }

    function testFuzz_I14_add__tombstoned_circuit__never_again(address caller) external {
        tombstone(circuitId);
        CircuitSpec memory spec = specOf(address(adapter), KEY);
        vm.prank(caller);
        vm.expectRevert(abi.encodeWithSelector(IVerifierRouter.CircuitExists.selector, circuitId));
        router.add(spec);
        vm.assertEq(abi.encode(router.circuit(circuitId)), abi.encode(spec), "the entry stays on record");
        vm.assertTrue(router.exists(circuitId) && router.isTombstoned(circuitId), "and so does the tombstone");
    }

    function test_tombstone__by_the_guardian__nothing_is_accepted_any_more() external {
        router.verify(circuitId, CONTEXT, INPUT, OUTPUT, PROOF);
        vm.assertFalse(router.isTombstoned(circuitId), "not yet");
        vm.expectEmit(address(router));
        emit IVerifierRouter.CircuitTombstoned(circuitId, "unsound");
        tombstone(circuitId);
        vm.assertTrue(router.isTombstoned(circuitId), "tombstoned");
        vm.expectRevert(abi.encodeWithSelector(IVerifierRouter.CircuitIsTombstoned.selector, circuitId));
        router.verify(circuitId, CONTEXT, INPUT, OUTPUT, PROOF);
        adapter.turn(TripleVerifier.Mood.ACCEPTS_ALL);
        vm.expectRevert(abi.encodeWithSelector(IVerifierRouter.CircuitIsTombstoned.selector, circuitId));
        router.verify(circuitId, CONTEXT, INPUT, OUTPUT, PROOF);
    }

    function testFuzz_tombstone__by_anybody_else__refused(address caller) external {
        vm.assume(caller != guardian);
        vm.prank(caller);
        vm.expectRevert(abi.encodeWithSelector(IVerifierRouter.NotGuardian.selector, caller, guardian));
        router.tombstone(circuitId, "envy");
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(IVerifierRouter.NotGuardian.selector, owner, guardian));
        router.tombstone(circuitId, "no power of the owner's");
    }

    function test_tombstone__by_a_guardian_replaced__refused() external {
        vm.prank(owner);
        admin.setGuardian(stranger);
        vm.prank(guardian);
        vm.expectRevert(abi.encodeWithSelector(IVerifierRouter.NotGuardian.selector, guardian, stranger));
        router.tombstone(circuitId, "revenge");
        vm.prank(stranger);
        router.tombstone(circuitId, "unsound");
    }

    function test_tombstone__twice_unknown_or_bad_reason__refused() external {
        vm.startPrank(guardian);
        vm.expectRevert(abi.encodeWithSelector(IVerifierRouter.UnknownCircuit.selector, KEY));
        router.tombstone(KEY, "unsound");
        vm.expectRevert(abi.encodeWithSelector(IVerifierRouter.TextOutOfRange.selector, 0, 256));
        router.tombstone(circuitId, "");
        vm.expectRevert(abi.encodeWithSelector(IVerifierRouter.TextOutOfRange.selector, 257, 256));
        router.tombstone(circuitId, string(new bytes(257)));
        router.tombstone(circuitId, string(new bytes(256)));
        vm.expectRevert(abi.encodeWithSelector(IVerifierRouter.CircuitIsTombstoned.selector, circuitId));
        router.tombstone(circuitId, "again");
        vm.stopPrank();
    }

    function test_tombstone__one_circuit__no_other() external {
        bytes32 other = router.add(specOf(address(adapter), keccak256("other")));
        tombstone(circuitId);
        vm.assertFalse(router.isTombstoned(other), "other");
        router.verify(other, CONTEXT, INPUT, OUTPUT, PROOF);
    }

    function test_attest__last_word_of_each_attester__kept_and_told() external {
        vm.warp(1_800_000_000);
        vm.expectEmit(address(router));
        emit IVerifierRouter.CircuitAttested(circuitId, stranger, Verdict.REBUILT, KEY, "ipfs://report");
        vm.prank(stranger);
        router.attest(circuitId, Verdict.REBUILT, KEY, "ipfs://report");
        expectAttestation(stranger, Attestation(Verdict.REBUILT, 1_800_000_000, KEY));
        expectAttestation(owner, Attestation(Verdict.NONE, 0, 0));
        vm.warp(1_900_000_000);
        vm.prank(stranger);
        router.attest(circuitId, Verdict.REFUTED, CONTEXT, "");
        expectAttestation(stranger, Attestation(Verdict.REFUTED, 1_900_000_000, CONTEXT));
        router.verify(circuitId, CONTEXT, INPUT, OUTPUT, PROOF);
    }

    function test_attest__no_verdict_no_circuit_long_address__refused() external {
        vm.expectRevert(abi.encodeWithSelector(IVerifierRouter.VerdictMissing.selector));
        router.attest(circuitId, Verdict.NONE, KEY, "");
        vm.expectRevert(abi.encodeWithSelector(IVerifierRouter.UnknownCircuit.selector, KEY));
        router.attest(KEY, Verdict.REBUILT, KEY, "");
        vm.expectRevert(abi.encodeWithSelector(IVerifierRouter.TextOutOfRange.selector, 257, 256));
        router.attest(circuitId, Verdict.REBUILT, KEY, string(new bytes(257)));
    }

    function test_classOf_and_isTombstoned__unknown_circuit__nothing() external view {
        vm.assertEq(uint256(router.classOf(KEY)), uint256(VerifierClass.NONE), "class");
        vm.assertFalse(router.isTombstoned(KEY), "tombstone");
        vm.assertEq(uint256(router.classOf(circuitId)), uint256(VerifierClass.LOCAL), "class of one that exists");
        vm.assertEq(address(router.admin()), address(admin), "admin");
    }

    function testFuzz_add__class_local_elsewhere__refused(uint64 chain) external {
        vm.assume(chain != 31337 && chain != 1337 && chain != 0);
        vm.chainId(chain);
        CircuitSpec memory spec = specOf(address(adapter), KEY);
        refuse(spec, abi.encodeWithSelector(IVerifierRouter.LocalClassRefused.selector, chain));
        spec.class_ = VerifierClass.UNVOUCHED;
        router.add(spec);
    }

    function test_add__class_local_on_both_local_chains__accepted() external {
        CircuitSpec memory spec = specOf(address(adapter), CONTEXT);
        router.add(spec);
        vm.chainId(1337);
        router.add(spec);
    }

    function test_add__adapter_without_code_or_delegated__refused() external {
        CircuitSpec memory spec = specOf(stranger, KEY);
        refuse(spec, abi.encodeWithSelector(IVerifierRouter.NotAnAdapter.selector, stranger));
        vm.etch(stranger, abi.encodePacked(hex"ef0100", address(adapter)));
        spec = specOf(stranger, KEY);
        refuse(spec, abi.encodeWithSelector(IVerifierRouter.NotAnAdapter.selector, stranger));
    }

    function test_add__another_code_hash__refused() external {
        CircuitSpec memory spec = specOf(address(adapter), KEY);
        spec.adapterCodeHash = KEY;
        refuse(
            spec,
            abi.encodeWithSelector(
                IVerifierRouter.CodeHashMismatch.selector, address(adapter), KEY, address(adapter).codehash
            )
        );
    }

    function test_add__gas_limit_at_the_edges() external {
        CircuitSpec memory spec = specOf(address(adapter), KEY);
        spec.gasLimit = 0;
        refuse(spec, abi.encodeWithSelector(IVerifierRouter.GasLimitOutOfRange.selector, 0, 12_000_000));
        spec.gasLimit = 12_000_001;
        refuse(spec, abi.encodeWithSelector(IVerifierRouter.GasLimitOutOfRange.selector, 12_000_001, 12_000_000));
        spec.gasLimit = 12_000_000;
        router.add(spec);
        spec.gasLimit = 1;
        router.add(spec);
    }

    function test_add__empty_pins__refused() external {
        CircuitSpec memory spec = specOf(address(adapter), 0);
        refuse(spec, abi.encodeWithSelector(IVerifierRouter.EmptyPin.selector, bytes32(0), spec.proofSystemId));
        spec = specOf(address(adapter), KEY);
        spec.proofSystemId = 0;
        refuse(spec, abi.encodeWithSelector(IVerifierRouter.EmptyPin.selector, KEY, bytes4(0)));
    }

    function test_add__bad_layout_or_domain__refused() external {
        CircuitSpec memory spec = specOf(address(adapter), KEY);
        spec.tensors.outputCount = 0;
        refuse(spec, abi.encodeWithSelector(PackedTensors.InvalidLayout.selector, spec.tensors));
        spec = specOf(address(adapter), KEY);
        spec.domain = InputDomain(-129, 0);
        refuse(spec, abi.encodeWithSelector(PackedTensors.InvalidDomain.selector, spec.domain, 1));
    }

    function test_verify__the_accepted_triple__passes_with_exactly_the_callers_arguments() external {
        vm.expectCall(address(adapter), abi.encodeCall(adapter.verify, (CONTEXT, INPUT, OUTPUT, PROOF)), 1);
        router.verify(circuitId, CONTEXT, INPUT, OUTPUT, PROOF);
    }

    function test_I4_verify__another_context_input_output_or_proof__rejected() external {
        bytes32 other = keccak256("other");
        reject(other, INPUT, OUTPUT, PROOF);
        reject(CONTEXT, hex"0101feff", OUTPUT, PROOF);
        reject(CONTEXT, INPUT, flipped(OUTPUT, 3), PROOF);
        reject(CONTEXT, INPUT, OUTPUT, flipped(PROOF, 0));
        reject(CONTEXT, INPUT, OUTPUT, bytes.concat(PROOF, hex"00"));
    }

    function test_verify__unknown_circuit__refused() external {
        vm.expectRevert(abi.encodeWithSelector(IVerifierRouter.UnknownCircuit.selector, KEY));
        router.verify(KEY, CONTEXT, INPUT, OUTPUT, PROOF);
        vm.expectRevert(abi.encodeWithSelector(IVerifierRouter.UnknownCircuit.selector, KEY));
        router.circuit(KEY);
        vm.expectRevert(abi.encodeWithSelector(IVerifierRouter.UnknownCircuit.selector, KEY));
        router.checkInput(KEY, INPUT);
        vm.expectRevert(abi.encodeWithSelector(IVerifierRouter.UnknownCircuit.selector, KEY));
        router.expandInput(KEY, KEY);
    }

    function test_verify__lengths_and_domain__checked_even_if_the_adapter_accepts_all() external {
        adapter.turn(TripleVerifier.Mood.ACCEPTS_ALL);
        vm.expectRevert(abi.encodeWithSelector(PackedTensors.InputLengthMismatch.selector, 4, 3));
        router.verify(circuitId, CONTEXT, hex"000000", OUTPUT, PROOF);
        vm.expectRevert(abi.encodeWithSelector(PackedTensors.OutputLengthMismatch.selector, 8, 9));
        router.verify(circuitId, CONTEXT, INPUT, bytes.concat(OUTPUT, hex"00"), PROOF);
        vm.expectRevert(abi.encodeWithSelector(PackedTensors.ElementOutOfDomain.selector, 3, int256(2), -2, 1));
        router.verify(circuitId, CONTEXT, hex"00000002", OUTPUT, PROOF);
    }

    function test_I14_verify__adapter_replaced_or_gone__refused() external {
        bytes32 pinned = address(adapter).codehash;
        vm.etch(address(adapter), type(GasTeller).runtimeCode);
        refuseReplaced(pinned);
        vm.etch(address(adapter), "");
        refuseReplaced(pinned);
    }

    function test_verify__hostile_adapters__rejected_with_a_bounded_reason() external {
        adapter.turn(TripleVerifier.Mood.REVERTS);
        vm.expectRevert(
            abi.encodeWithSelector(
                IVerifierRouter.ProofRejected.selector,
                circuitId,
                abi.encodeWithSignature("Error(string)", "out of order")
            )
        );
        router.verify(circuitId, CONTEXT, INPUT, OUTPUT, PROOF);
        adapter.turn(TripleVerifier.Mood.JUNK);
        vm.expectRevert(abi.encodeWithSelector(IVerifierRouter.UnexpectedReturnData.selector, circuitId, 32));
        router.verify(circuitId, CONTEXT, INPUT, OUTPUT, PROOF);
        adapter.turn(TripleVerifier.Mood.HUGE_ANSWER);
        vm.expectRevert(abi.encodeWithSelector(IVerifierRouter.UnexpectedReturnData.selector, circuitId, 100_000));
        router.verify(circuitId, CONTEXT, INPUT, OUTPUT, PROOF);
        adapter.turn(TripleVerifier.Mood.BURNS_GAS);
        vm.expectRevert(abi.encodeWithSelector(IVerifierRouter.ProofRejected.selector, circuitId, ""));
        router.verify(circuitId, CONTEXT, INPUT, OUTPUT, PROOF);
    }

    function test_verify__reason_of_100000_bytes__cut_at_256() external {
        adapter.turn(TripleVerifier.Mood.LONG_REASON);
        (bool success, bytes memory data) =
            address(router).staticcall(abi.encodeCall(router.verify, (circuitId, CONTEXT, INPUT, OUTPUT, PROOF)));
        vm.assertFalse(success, "rejected");
        vm.assertEq(data.length, 4 + 3 * 32 + 256, "length of the error");
    }

    function testFuzz_verify__any_gas__adapter_gets_its_whole_limit_or_is_not_called(uint256 gasGiven) external {
        GasTeller teller = new GasTeller();
        bytes32 tellerId = router.add(specOf(address(teller), KEY));
        gasGiven = within(gasGiven, 60_000, 2 * uint256(GAS_LIMIT));
        (bool success, bytes memory data) = address(router).staticcall{gas: gasGiven}(
            abi.encodeCall(router.verify, (tellerId, CONTEXT, INPUT, OUTPUT, PROOF))
        );
        vm.assertFalse(success, "the teller refuses");
        bytes4 selector = bytes4(data);
        if (selector == IVerifierRouter.NotEnoughGas.selector) return;
        vm.assertEq(bytes32(selector), bytes32(IVerifierRouter.ProofRejected.selector), "the only other answer");
        uint256 given;
        assembly {
            // selector, circuit id, offset, length, then the teller's own selector.
            given := mload(add(data, add(0x20, add(4, add(0x60, 4)))))
        }
        vm.assertGe(given + 1_000, GAS_LIMIT, "gas that the adapter saw");
        vm.assertLe(given, GAS_LIMIT, "gas that the adapter saw");
    }

    function test_verify__just_too_little_gas__says_so() external {
        vm.expectPartialRevert(IVerifierRouter.NotEnoughGas.selector);
        router.verify{gas: GAS_LIMIT}(circuitId, CONTEXT, INPUT, OUTPUT, PROOF);
    }

    function test_checkInput__inside_passes__outside_reverts() external {
        router.checkInput(circuitId, INPUT);
        vm.expectRevert(abi.encodeWithSelector(PackedTensors.ElementOutOfDomain.selector, 0, int256(-3), -2, 1));
        router.checkInput(circuitId, hex"fd000000");
        vm.expectRevert(abi.encodeWithSelector(PackedTensors.InputLengthMismatch.selector, 4, 5));
        router.checkInput(circuitId, hex"0000000000");
    }

    function testFuzz_expandInput__any_seed__lies_in_the_domain(bytes32 seed) external view {
        bytes memory drawn = router.expandInput(circuitId, seed);
        vm.assertEq(drawn.length, 4, "length");
        router.checkInput(circuitId, drawn);
    }

    function refuse(CircuitSpec memory spec, bytes memory error_) private {
        vm.expectRevert(error_);
        router.add(spec);
    }

    function expectAttestation(address attester, Attestation memory expected) private view {
        vm.assertEq(
            abi.encode(router.attestationOf(circuitId, attester)), abi.encode(expected), "the attester's last word"
        );
    }

    function refuseReplaced(bytes32 pinned) private {
        vm.expectRevert(
            abi.encodeWithSelector(
                IVerifierRouter.CodeHashMismatch.selector, address(adapter), pinned, address(adapter).codehash
            )
        );
        router.verify(circuitId, CONTEXT, INPUT, OUTPUT, PROOF);
    }

    function reject(bytes32 context, bytes memory input, bytes memory output, bytes memory proof) private {
        vm.expectRevert(
            abi.encodeWithSelector(
                IVerifierRouter.ProofRejected.selector,
                circuitId,
                abi.encodeWithSelector(TripleVerifier.TripleRefused.selector, context)
            )
        );
        router.verify(circuitId, context, input, output, proof);
    }
}
