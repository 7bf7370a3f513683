// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {Routing} from "tests/contracts/support/Routing.sol";
import {Halo2Burner, Halo2ReusableDouble, Halo2Yes} from "tests/contracts/support/VerifierDoubles.sol";
import {CommittedWeights} from "verifier_contracts/src/CommittedWeights.sol";
import {EzklSharedVerifier} from "verifier_contracts/src/EzklSharedVerifier.sol";
import {EzklSharedVerifierFactory} from "verifier_contracts/src/EzklSharedVerifierFactory.sol";
import {CircuitSpec, IVerifierRouter, VerifierClass} from "verifier_contracts/src/IVerifierRouter.sol";
import {PinnedVerifier} from "verifier_contracts/src/PinnedVerifier.sol";
import {SharedKeyArguments, SharedKeyPins} from "verifier_contracts/src/SharedKeyPins.sol";
import {SharedVerifier} from "verifier_contracts/src/SharedVerifier.sol";
import {CircuitTerms, SharedVerifierFactory} from "verifier_contracts/src/SharedVerifierFactory.sol";
import {StoredKey, StoredKeys} from "verifier_contracts/src/StoredKeys.sol";
import {InputDomain, PackedTensors, TensorLayout} from "verifier_contracts/src/TensorLayout.sol";

/// @notice The call that EZKL's reusable verifier must be given, in the compiler's own encoding.
interface IReusable {
    function verifyProof(bytes calldata proof, uint256[] calldata instances, bytes32[] calldata key) external;
}

contract EzklSharedVerifierTest is Routing {
    uint256 private constant WORDS = 157;
    uint256 private constant PROOF_BYTES = 3072;

    Halo2ReusableDouble private halo2 = new Halo2ReusableDouble();
    EzklSharedVerifierFactory private factory = new EzklSharedVerifierFactory(address(halo2));
    TensorLayout private tensors = TensorLayout(3, 2, 2, 4);
    int256[] private input = [int256(-300), 0, 300];
    int256[] private output = [int256(-70_000), 70_000];
    bytes private proof = noise(5, PROOF_BYTES);

    function setUp() external {
        deployRouting();
    }

    function test_verify__the_true_triple__accepted_under_any_context() external {
        EzklSharedVerifier adapter = ready(makeKey(1, WORDS), 0);
        adapter.verify(0, pack(input, 2), pack(output, 4), proof);
        adapter.verify(keccak256("another"), pack(input, 2), pack(output, 4), proof);
    }

    function testFuzz_verify__any_sizes__calldata_is_the_canonical_encoding(uint256 seed, uint256 sizes) external {
        uint8 width = uint8(within(sizes, 1, 8));
        int256[] memory head = tensor(seed, within(sizes >> 16, 1, 40), -top(width) - 1, top(width));
        int256[] memory tail = tensor(~seed, within(sizes >> 32, 1, 20), -top(4) - 1, top(4));
        tensors = TensorLayout(uint32(head.length), width, uint32(tail.length), 4);
        bytes32[] memory key = makeKey(seed, within(sizes >> 64, 34, 2_042));
        proof = noise(seed, PROOF_BYTES);
        (input, output) = (head, tail);
        EzklSharedVerifier adapter = ready(key, keccak256(firstBytes(proof, 64)));
        adapter.verify(0, pack(head, width), pack(tail, 4), proof);
        vm.assertEq(abi.encode(adapter.verifyingKey()), abi.encode(key), "the key reads back");
    }

    function testFuzz_verify__one_bit_changed__refused(uint256 which, uint256 place, uint256 bit) external {
        EzklSharedVerifier adapter = ready(makeKey(1, WORDS), 0);
        bytes[3] memory parts = [pack(input, 2), pack(output, 4), bytes.concat(proof)];
        which %= 3;
        parts[which][place % parts[which].length] ^= bytes1(uint8(1 << (bit % 8)));
        vm.expectRevert(PinnedVerifier.VerifierReverted.selector);
        adapter.verify(0, parts[0], parts[1], parts[2]);
    }

    function testFuzz_verify__proof_of_another_length__refused(uint256 length) external {
        EzklSharedVerifier adapter = ready(makeKey(1, WORDS), 0);
        length = within(length, 0, 2 * PROOF_BYTES);
        vm.assume(length != PROOF_BYTES);
        bytes memory other = firstBytes(bytes.concat(proof, proof), length);
        refuse(adapter, other, abi.encodeWithSelector(SharedVerifier.ProofLengthMismatch.selector, PROOF_BYTES, length));
    }

    function test_verify__wrong_lengths__refused_before_the_verifier() external {
        EzklSharedVerifier adapter = ready(makeKey(1, WORDS), 0);
        bytes memory head = pack(input, 2);
        bytes memory tail = pack(output, 4);
        vm.expectRevert(abi.encodeWithSelector(PackedTensors.InputLengthMismatch.selector, 6, 7));
        adapter.verify(0, bytes.concat(head, hex"00"), tail, proof);
        vm.expectRevert(abi.encodeWithSelector(PackedTensors.OutputLengthMismatch.selector, 8, 4));
        adapter.verify(0, head, hex"00000000", proof);
    }

    function test_verify__answers_but_one_and_the_pinned_digest__refused() external {
        bytes32[] memory key = makeKey(1, WORDS);
        EzklSharedVerifier adapter = ready(key, 0);
        bytes32 digest = digestOf(key);
        bytes32 other = keccak256("another key");
        refuseAnswer(adapter, abi.encode(1, other, 0), keyMismatch(digest, other));
        refuseAnswer(adapter, abi.encode(1, bytes32(0), 0), keyMismatch(digest, 0));
        refuseAnswer(adapter, abi.encode(0, digest, 0), unexpected(96, 0));
        refuseAnswer(adapter, abi.encode(2, digest, 0), unexpected(96, 2));
        refuseAnswer(adapter, "", unexpected(0, 0));
        refuseAnswer(adapter, abi.encode(1), unexpected(32, 1));
        refuseAnswer(adapter, abi.encodePacked(uint256(1), uint248(uint256(digest) >> 8)), unexpected(63, 1));
        halo2.lie(abi.encode(1, digest));
        adapter.verify(0, pack(input, 2), pack(output, 4), proof);
    }

    function test_verify__other_weights__refused() external {
        bytes32 pin = keccak256(firstBytes(proof, 64));
        bytes32[] memory key = makeKey(1, WORDS);
        EzklSharedVerifier mine = ready(key, pin);
        EzklSharedVerifier theirs = ready(key, keccak256("other weights"));
        vm.assertTrue(address(mine) != address(theirs), "adapters");
        vm.assertEq(mine.weightCommitment(), pin, "pin");
        mine.verify(0, pack(input, 2), pack(output, 4), proof);
        refuse(
            theirs,
            proof,
            abi.encodeWithSelector(CommittedWeights.WeightsMismatch.selector, keccak256("other weights"), pin)
        );
    }

    function test_verify__key_not_registered__refused() external {
        bytes32[] memory key = makeKey(1, WORDS);
        ready(key, 0);
        Halo2ReusableDouble fresh = new Halo2ReusableDouble();
        fresh.expect(trueCall(key), digestOf(key));
        EzklSharedVerifier implementation = new EzklSharedVerifier(address(fresh));
        bytes memory arguments =
            SharedKeyArguments.encode(SharedKeyPins(digestOf(key), 0, tensors, factory.storedKey(digestOf(key))));
        EzklSharedVerifier adapter =
            EzklSharedVerifier(Clones.cloneWithImmutableArgs(address(implementation), arguments));
        refuse(adapter, proof, abi.encodeWithSelector(PinnedVerifier.VerifierReverted.selector));
        fresh.registerVka(key);
        adapter.verify(0, pack(input, 2), pack(output, 4), proof);
    }

    function testFuzz_I14_verify__clone_that_points_to_other_words__accepts_nothing(uint256 place) external {
        bytes32[] memory key = makeKey(1, WORDS);
        bytes32[] memory crafted = makeKey(1, WORDS);
        place = within(place, 34, WORDS - 1);
        crafted[place] = bytes32(uint256(crafted[place]) ^ 1);
        factory.storeKey(crafted);
        factory.storeKey(key);
        SharedKeyPins memory pins = SharedKeyPins(digestOf(key), 0, tensors, factory.storedKey(digestOf(crafted)));
        EzklSharedVerifier adapter = EzklSharedVerifier(
            Clones.cloneWithImmutableArgs(factory.IMPLEMENTATION(), SharedKeyArguments.encode(pins))
        );
        // The verifier itself would accept what was crafted.
        halo2.expect(trueCall(crafted), digestOf(crafted));
        refuse(adapter, proof, keyMismatch(digestOf(key), digestOf(crafted)));
        vm.expectRevert(keyMismatch(digestOf(key), digestOf(crafted)));
        adapter.ceremonyConstants();
    }

    function testFuzz_verify__implementation_or_clone_with_any_arguments__accepts_nothing(bytes memory arguments)
        external
    {
        ready(makeKey(1, WORDS), 0);
        address implementation = factory.IMPLEMENTATION();
        address adapter = Clones.cloneWithImmutableArgs(implementation, arguments);
        bytes memory call_ = abi.encodeCall(EzklSharedVerifier.verify, (0, pack(input, 2), pack(output, 4), proof));
        (bool success,) = adapter.staticcall{gas: 3_000_000}(call_);
        vm.assertFalse(success, "a clone with noise behind it");
        (success,) = implementation.staticcall{gas: 3_000_000}(call_);
        vm.assertFalse(success, "the implementation itself");
    }

    function test_I14_verify__verifier_replaced__refused() external {
        EzklSharedVerifier adapter = ready(makeKey(1, WORDS), 0);
        bytes32 pinned = address(halo2).codehash;
        vm.etch(address(halo2), type(Halo2Yes).runtimeCode);
        refuse(
            adapter,
            proof,
            abi.encodeWithSelector(PinnedVerifier.VerifierCodeChanged.selector, pinned, address(halo2).codehash)
        );
        bytes32[] memory key = makeKey(2, WORDS);
        vm.expectPartialRevert(PinnedVerifier.VerifierCodeChanged.selector);
        factory.storeKey(key);
    }

    function test_verify__verifier_burns_all_gas__refused_with_gas_left() external {
        EzklSharedVerifier adapter = ready(makeKey(1, WORDS), 0);
        EzklSharedVerifier burning = new EzklSharedVerifier(address(new Halo2Burner()));
        bytes memory arguments = Clones.fetchCloneArgs(address(adapter));
        adapter = EzklSharedVerifier(Clones.cloneWithImmutableArgs(address(burning), arguments));
        bytes memory head = pack(input, 2);
        bytes memory tail = pack(output, 4);
        vm.expectRevert(PinnedVerifier.VerifierReverted.selector);
        adapter.verify{gas: 1_000_000}(0, head, tail, proof);
    }

    function testFuzz_storeKey__any_size_a_key_can_have__reads_back(uint256 seed, uint256 words) external {
        bytes32[] memory key = makeKey(seed, within(words, 34, 2_042));
        vm.expectEmit(address(factory));
        emit SharedVerifierFactory.KeyStored(digestOf(key), key.length);
        vm.assertEq(factory.storeKey(key), digestOf(key), "digest");
        vm.assertTrue(factory.hasKey(digestOf(key)), "stored");
        vm.assertTrue(halo2.isRegistered(digestOf(key)), "registered");
        EzklSharedVerifier adapter = EzklSharedVerifier(factory.createAdapter(digestOf(key), tensors, 0));
        vm.assertEq(abi.encode(adapter.verifyingKey()), abi.encode(key), "words");
        bytes32[10] memory constants = adapter.ceremonyConstants();
        for (uint256 i; i < 10; ++i) {
            vm.assertEq(constants[i], key[14 + i], "constant");
        }
    }

    function test_storeKey__at_the_edges_of_chunks__reads_back() external {
        uint256[6] memory sizes = [uint256(34), 767, 768, 1_534, 1_535, 2_042];
        for (uint256 i; i < sizes.length; ++i) {
            bytes32[] memory key = makeKey(i, sizes[i]);
            EzklSharedVerifier adapter = EzklSharedVerifier(factory.createAdapter(factory.storeKey(key), tensors, 0));
            vm.assertEq(abi.encode(adapter.verifyingKey()), abi.encode(key), "words");
            StoredKey memory stored = factory.storedKey(digestOf(key));
            vm.assertTrue((stored.second != address(0)) == (sizes[i] > 767), "second chunk");
            vm.assertTrue((stored.third != address(0)) == (sizes[i] > 1_534), "third chunk");
            vm.assertLe(stored.first.code.length, 24_576, "EIP-170");
            vm.assertEq(uint256(uint8(stored.first.code[0])), 0, "STOP");
        }
    }

    function test_storeKey__too_short_too_long_or_taken_for_another__refused() external {
        bytes32[] memory key = makeKey(1, 33);
        vm.expectRevert(abi.encodeWithSelector(StoredKeys.KeySizeOutOfRange.selector, 33, 34, 2_042));
        factory.storeKey(key);
        key = makeKey(1, 2_043);
        vm.expectRevert(abi.encodeWithSelector(StoredKeys.KeySizeOutOfRange.selector, 2_043, 34, 2_042));
        factory.storeKey(key);
        key = makeKey(1, WORDS);
        halo2.registerAs(keccak256("another"));
        vm.expectRevert(
            abi.encodeWithSelector(
                EzklSharedVerifierFactory.KeyRegisteredAs.selector, digestOf(key), keccak256("another")
            )
        );
        factory.storeKey(key);
        vm.assertFalse(factory.hasKey(digestOf(key)), "nothing stays");
    }

    function test_storeKey_and_createAdapter__again_and_by_others__change_nothing() external {
        bytes32[] memory key = makeKey(1, WORDS);
        // Whoever registers a key before does not stand in the way.
        halo2.registerVka(key);
        bytes32 digest = factory.storeKey(key);
        StoredKey memory stored = factory.storedKey(digest);
        address adapter = factory.createAdapter(digest, tensors, 0);
        bytes32 codeHash = adapter.codehash;
        vm.prank(stranger);
        vm.assertEq(factory.storeKey(key), digest, "digest");
        vm.prank(stranger);
        vm.assertEq(factory.createAdapter(digest, tensors, 0), adapter, "adapter");
        vm.assertEq(adapter.codehash, codeHash, "its code");
        vm.assertEq(abi.encode(factory.storedKey(digest)), abi.encode(stored), "where it lies");
        vm.assertEq(halo2.registrations(), 2, "registrations");
    }

    function test_createAdapter__unknown_key_bad_layout_or_count__refused() external {
        bytes32 digest = factory.storeKey(makeKey(1, WORDS));
        vm.expectRevert(abi.encodeWithSelector(SharedVerifierFactory.UnknownKey.selector, keccak256("none")));
        factory.createAdapter(keccak256("none"), tensors, 0);
        vm.expectRevert(abi.encodeWithSelector(EzklSharedVerifierFactory.InstanceCountMismatch.selector, 5, 6));
        factory.createAdapter(digest, TensorLayout(4, 2, 2, 4), 0);
        TensorLayout memory none = TensorLayout(5, 2, 0, 4);
        vm.expectRevert(abi.encodeWithSelector(PackedTensors.InvalidLayout.selector, none));
        factory.createAdapter(digest, none, 0);
    }

    function test_addCircuit__known_key__one_call_and_idempotent() external {
        bytes32[] memory key = makeKey(1, WORDS);
        CircuitTerms memory terms = CircuitTerms({
            weightCommitment: keccak256("weights"),
            proofSystemId: 0x29e846df,
            tensors: tensors,
            domain: InputDomain(-300, 300),
            gasLimit: 2_000_000,
            class_: VerifierClass.LOCAL
        });
        vm.expectRevert(abi.encodeWithSelector(SharedVerifierFactory.UnknownKey.selector, digestOf(key)));
        factory.addCircuit(router, digestOf(key), terms);
        bytes32 circuitId = factory.storeKeyAndAddCircuit(router, key, terms);
        CircuitSpec memory spec = router.circuit(circuitId);
        vm.assertEq(spec.adapter, factory.createAdapter(digestOf(key), tensors, terms.weightCommitment), "adapter");
        vm.assertEq(spec.verifyingKeyDigest, digestOf(key), "digest");
        vm.assertEq(spec.weightCommitment, terms.weightCommitment, "weights");
        vm.assertEq(router.circuitIdOf(spec), circuitId, "id");
        vm.assertEq(factory.addCircuit(router, digestOf(key), terms), circuitId, "again");
        terms.weightCommitment = keccak256("other weights");
        bytes32 second = factory.addCircuit(router, digestOf(key), terms);
        vm.assertTrue(second != circuitId && router.exists(second), "the same key, other weights");
    }

    function test_addCircuit__class_ceremony__needs_the_audit_and_the_ceremony() external {
        bytes32[] memory key = makeKey(1, WORDS);
        CircuitTerms memory terms =
            CircuitTerms(0, 0x29e846df, tensors, InputDomain(-300, 300), 2_000_000, VerifierClass.CEREMONY);
        address implementation = factory.IMPLEMENTATION();
        vm.expectRevert(
            abi.encodeWithSelector(IVerifierRouter.NotAudited.selector, implementation, implementation.codehash)
        );
        factory.storeKeyAndAddCircuit(router, key, terms);
        audit(implementation);
        vm.expectPartialRevert(IVerifierRouter.ForeignCeremony.selector);
        factory.storeKeyAndAddCircuit(router, key, terms);
        bytes32[10] memory constants = publicConstants();
        for (uint256 i; i < 10; ++i) {
            key[14 + i] = constants[i];
        }
        vm.chainId(1);
        bytes32 circuitId = factory.storeKeyAndAddCircuit(router, key, terms);
        vm.assertEq(uint256(router.classOf(circuitId)), uint256(VerifierClass.CEREMONY), "class");
        halo2.expect(trueCall(key), digestOf(key));
        router.verify(circuitId, 0, pack(input, 2), pack(output, 4), proof);
        vm.expectPartialRevert(IVerifierRouter.ProofRejected.selector);
        router.verify(circuitId, 0, pack(input, 2), pack(output, 4), flipped(proof, 9));
    }

    function test_constructor__no_code_or_delegated_account__refused() external {
        vm.expectRevert(abi.encodeWithSelector(PinnedVerifier.NotAVerifier.selector, stranger));
        new EzklSharedVerifierFactory(stranger);
        vm.etch(stranger, abi.encodePacked(hex"ef0100", address(halo2)));
        vm.expectRevert(abi.encodeWithSelector(PinnedVerifier.NotAVerifier.selector, stranger));
        new EzklSharedVerifier(stranger);
        vm.assertEq(factory.verifier(), address(halo2), "verifier");
        vm.assertEq(factory.verifierCodeHash(), address(halo2).codehash, "code hash");
        vm.assertEq(
            EzklSharedVerifier(factory.IMPLEMENTATION()).verifier(), address(halo2), "verifier of the implementation"
        );
    }

    /// @dev Words of noise, with the header that our contracts read: as many instances as the layout has elements, and
    ///      a proof of 22 points, 48 evaluations and the two points of the opening.
    function makeKey(uint256 seed, uint256 words) private view returns (bytes32[] memory key) {
        key = new bytes32[](words);
        for (uint256 i; i < words; ++i) {
            key[i] = keccak256(abi.encode(seed, "key", i));
        }
        key[2] = bytes32(uint256(tensors.inputCount) + tensors.outputCount);
        key[3] = bytes32(uint256(48));
        if (words < 34) return key;
        // One word: (6 points, 1 challenge), (4, 2), (8, 1), (4, 1).
        uint256 plan = 1;
        plan |= uint256(6 * 64 | 1 << 16) << 8;
        plan |= uint256(4 * 64 | 2 << 16) << 32;
        plan |= uint256(8 * 64 | 1 << 16) << 56;
        plan |= uint256(4 * 64 | 1 << 16) << 80;
        key[33] = bytes32(plan);
    }

    /// @dev The circuit's adapter, with a verifier behind it that accepts exactly the true call.
    function ready(bytes32[] memory key, bytes32 weights) private returns (EzklSharedVerifier) {
        bytes32 digest = factory.storeKey(key);
        halo2.expect(trueCall(key), digest);
        return EzklSharedVerifier(factory.createAdapter(digest, tensors, weights));
    }

    function trueCall(bytes32[] memory key) private view returns (bytes memory) {
        return abi.encodeCall(IReusable.verifyProof, (proof, felts(input, output), key));
    }

    function digestOf(bytes32[] memory key) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(key));
    }

    function firstBytes(bytes memory data, uint256 length) private pure returns (bytes memory head) {
        head = new bytes(length);
        for (uint256 i; i < length; ++i) {
            head[i] = data[i];
        }
    }

    function keyMismatch(bytes32 expected, bytes32 found) private pure returns (bytes memory) {
        return abi.encodeWithSelector(SharedVerifier.KeyMismatch.selector, expected, found);
    }

    function unexpected(uint256 length, uint256 word) private pure returns (bytes memory) {
        return abi.encodeWithSelector(PinnedVerifier.UnexpectedAnswer.selector, length, word);
    }

    function refuseAnswer(EzklSharedVerifier adapter, bytes memory answer, bytes memory reason) private {
        halo2.lie(answer);
        refuse(adapter, proof, reason);
    }

    function refuse(EzklSharedVerifier adapter, bytes memory transcript, bytes memory reason) private {
        bytes memory head = pack(input, 2);
        bytes memory tail = pack(output, 4);
        vm.expectRevert(reason);
        adapter.verify(0, head, tail, transcript);
    }
}
