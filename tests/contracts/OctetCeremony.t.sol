// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {Routing} from "tests/contracts/support/Routing.sol";
import {CircuitSpec, IVerifierRouter, VerifierClass} from "verifier_contracts/src/IVerifierRouter.sol";
import {OctetKey} from "verifier_contracts/src/OctetKey.sol";
import {OctetSharedVerifier} from "verifier_contracts/src/OctetSharedVerifier.sol";
import {OctetSharedVerifierFactory} from "verifier_contracts/src/OctetSharedVerifierFactory.sol";
import {SharedKeyArguments, SharedKeyPins} from "verifier_contracts/src/SharedKeyPins.sol";
import {SharedVerifier} from "verifier_contracts/src/SharedVerifier.sol";
import {CircuitTerms, SharedVerifierFactory} from "verifier_contracts/src/SharedVerifierFactory.sol";
import {StoredKey, StoredKeys} from "verifier_contracts/src/StoredKeys.sol";
import {InputDomain, TensorLayout} from "verifier_contracts/src/TensorLayout.sol";

/// @notice OCTET's factory, and what its circuits are worth to a router; no proof is verified here.
contract OctetCeremonyTest is Routing {
    uint256 private constant WORDS = 157;

    OctetSharedVerifierFactory private factory = new OctetSharedVerifierFactory();
    TensorLayout private tensors = TensorLayout(4, 1, 2, 4);
    InputDomain private domain = InputDomain(-2, 1);

    function setUp() external {
        deployRouting();
    }

    function test_addCircuit__audited_and_of_the_ceremony__is_of_the_class() external {
        vm.chainId(1);
        audit(factory.IMPLEMENTATION());
        bytes32[] memory key = makeKey(WORDS);
        vm.prank(stranger);
        bytes32 circuitId = factory.storeKeyAndAddCircuit(router, key, terms());
        vm.assertEq(uint256(router.classOf(circuitId)), uint256(VerifierClass.CEREMONY), "class");
        CircuitSpec memory spec = router.circuit(circuitId);
        vm.assertEq(spec.verifyingKeyDigest, digestOf(key), "key");
        OctetSharedVerifier adapter = OctetSharedVerifier(spec.adapter);
        vm.assertEq(abi.encode(adapter.ceremonyConstants()), abi.encode(publicConstants()), "constants");
        vm.assertEq(abi.encode(adapter.verifyingKey()), abi.encode(key), "the key reads back");
        vm.assertEq(factory.addCircuit(router, digestOf(key), terms()), circuitId, "again");
    }

    function test_addCircuit__class_ceremony__needs_the_audit() external {
        address implementation = factory.IMPLEMENTATION();
        vm.expectRevert(
            abi.encodeWithSelector(IVerifierRouter.NotAudited.selector, implementation, implementation.codehash)
        );
        factory.storeKeyAndAddCircuit(router, makeKey(WORDS), terms());
    }

    function testFuzz_addCircuit__another_tau__refused(uint256 which, bytes32 other) external {
        audit(factory.IMPLEMENTATION());
        bytes32[] memory key = makeKey(WORDS);
        which %= 4;
        vm.assume(key[OctetKey.TAU_WORD + which] != other);
        key[OctetKey.TAU_WORD + which] = other;
        vm.expectPartialRevert(IVerifierRouter.ForeignCeremony.selector);
        factory.storeKeyAndAddCircuit(router, key, terms());
    }

    function testFuzz_createAdapter__other_tensors_than_the_keys__refused(uint32 a, uint8 b, uint32 c, uint8 d)
        external
    {
        bytes32 digest = factory.storeKey(makeKey(WORDS));
        TensorLayout memory other = TensorLayout(
            uint32(within(uint256(a), 1, 6)),
            uint8(within(uint256(b), 1, 2)),
            uint32(within(uint256(c), 1, 3)),
            uint8(within(uint256(d), 1, 5))
        );
        vm.assume(keccak256(abi.encode(other)) != keccak256(abi.encode(tensors)));
        vm.expectRevert(abi.encodeWithSelector(OctetSharedVerifierFactory.TensorsMismatch.selector, tensors, other));
        factory.createAdapter(digest, other, 0);
    }

    function test_createAdapter__a_commitment_to_weights__refused() external {
        // The key binds the weights: under made-up commitments one model would be many.
        bytes32 digest = factory.storeKey(makeKey(WORDS));
        vm.expectRevert(
            abi.encodeWithSelector(OctetSharedVerifierFactory.WeightsAreBound.selector, bytes32(uint256(1)))
        );
        factory.createAdapter(digest, tensors, bytes32(uint256(1)));
    }

    function test_addCircuit__another_domain__refused() external {
        bytes32 digest = factory.storeKey(makeKey(WORDS));
        audit(factory.IMPLEMENTATION());
        CircuitSpec memory spec = specOf(factory.createAdapter(digest, tensors, 0), digest);
        spec.class_ = VerifierClass.CEREMONY;
        InputDomain[4] memory others = [InputDomain(-3, 1), InputDomain(-2, 2), InputDomain(-1, 1), InputDomain(-2, 0)];
        for (uint256 i; i < 4; ++i) {
            CircuitTerms memory other = terms();
            other.domain = others[i];
            bytes memory reason =
                abi.encodeWithSelector(OctetSharedVerifier.InputDomainMismatch.selector, domain, others[i]);
            vm.expectRevert(reason);
            factory.addCircuit(router, digest, other);
            // Past the factory, the router asks the adapter itself.
            spec.domain = others[i];
            vm.expectRevert(reason);
            router.add(spec);
        }
        spec.domain = domain;
        router.add(spec);
    }

    function test_add__clone_that_the_factory_did_not_make__refused() external {
        bytes32 digest = factory.storeKey(makeKey(WORDS));
        audit(factory.IMPLEMENTATION());
        bytes memory arguments = SharedKeyArguments.encode(SharedKeyPins(digest, 0, tensors, factory.storedKey(digest)));
        address foreign = Clones.cloneWithImmutableArgs(factory.IMPLEMENTATION(), arguments);
        CircuitSpec memory spec = specOf(foreign, digest);
        spec.class_ = VerifierClass.CEREMONY;
        vm.expectPartialRevert(SharedVerifier.ForeignClone.selector);
        router.add(spec);
    }

    function test_add__implementation_that_its_factory_did_not_make__refused() external {
        // Audited is the code; another copy of it has other immutables, hence another hash, unless it is etched.
        OctetSharedVerifier twin = new OctetSharedVerifier();
        address implementation = factory.IMPLEMENTATION();
        vm.assertTrue(address(twin).codehash != implementation.codehash, "a copy is not the audited code");
        vm.etch(address(twin), implementation.code);
        bytes32 digest = factory.storeKey(makeKey(WORDS));
        audit(implementation);
        bytes memory arguments = SharedKeyArguments.encode(SharedKeyPins(digest, 0, tensors, factory.storedKey(digest)));
        CircuitSpec memory spec = specOf(Clones.cloneWithImmutableArgs(address(twin), arguments), digest);
        spec.class_ = VerifierClass.CEREMONY;
        vm.expectPartialRevert(SharedVerifier.ForeignClone.selector);
        router.add(spec);
    }

    function testFuzz_verify__implementation_or_clone_with_any_arguments__accepts_nothing(bytes calldata arguments)
        external
    {
        vm.assume(arguments.length <= 1_000);
        OctetSharedVerifier implementation = OctetSharedVerifier(factory.IMPLEMENTATION());
        OctetSharedVerifier clone =
            OctetSharedVerifier(Clones.cloneWithImmutableArgs(address(implementation), arguments));
        vm.expectRevert();
        implementation.verify(0, INPUT, OUTPUT, PROOF);
        vm.expectRevert();
        clone.verify(0, INPUT, OUTPUT, PROOF);
    }

    function testFuzz_verify__other_words_where_the_clone_points__refused(uint256 place) external {
        bytes32[] memory key = makeKey(WORDS);
        OctetSharedVerifier adapter = OctetSharedVerifier(factory.createAdapter(factory.storeKey(key), tensors, 0));
        address stored = factory.storedKey(digestOf(key)).first;
        bytes memory code = stored.code;
        code[1 + place % (code.length - 1)] ^= 0x01;
        vm.etch(stored, code);
        vm.expectPartialRevert(SharedVerifier.KeyMismatch.selector);
        adapter.verify(0, INPUT, OUTPUT, PROOF);
        vm.expectPartialRevert(SharedVerifier.KeyMismatch.selector);
        adapter.ceremonyConstants();
        vm.expectPartialRevert(SharedVerifier.KeyMismatch.selector);
        adapter.checkDomain(domain);
    }

    function test_storeKey__too_short_or_too_long__refused() external {
        vm.expectRevert(abi.encodeWithSelector(StoredKeys.KeySizeOutOfRange.selector, 8, 9, 2_047));
        factory.storeKey(new bytes32[](8));
        vm.expectRevert(abi.encodeWithSelector(StoredKeys.KeySizeOutOfRange.selector, 2_048, 9, 2_047));
        factory.storeKey(new bytes32[](2_048));
    }

    function test_storeKey__at_the_edges_of_chunks__reads_back() external {
        uint256[7] memory sizes = [uint256(9), 766, 767, 768, 1_534, 1_535, 2_047];
        for (uint256 i; i < sizes.length; ++i) {
            bytes32[] memory key = makeKey(sizes[i]);
            bytes32 digest = factory.storeKey(key);
            vm.assertEq(digest, digestOf(key), "digest");
            OctetSharedVerifier adapter = OctetSharedVerifier(factory.createAdapter(digest, tensors, 0));
            vm.assertEq(abi.encode(adapter.verifyingKey()), abi.encode(key), "key");
        }
    }

    function test_storeKey_and_createAdapter__again_and_by_others__change_nothing() external {
        bytes32[] memory key = makeKey(WORDS);
        bytes32 digest = factory.storeKey(key);
        address adapter = factory.createAdapter(digest, tensors, 0);
        address first = factory.storedKey(digest).first;
        vm.prank(stranger);
        factory.storeKey(key);
        vm.prank(stranger);
        vm.assertEq(factory.createAdapter(digest, tensors, 0), adapter, "adapter");
        vm.assertEq(factory.storedKey(digest).first, first, "key");
        vm.assertTrue(factory.hasKey(digest), "stored");
        bytes32 unknown = keccak256("none");
        vm.expectRevert(abi.encodeWithSelector(SharedVerifierFactory.UnknownKey.selector, unknown));
        factory.createAdapter(unknown, tensors, 0);
    }

    function terms() private view returns (CircuitTerms memory) {
        return CircuitTerms(0, 0x29e846df, tensors, domain, 600_000, VerifierClass.CEREMONY);
    }

    /// @dev A key with the header that others read; the rest is noise, which no plan is.
    function makeKey(uint256 words) private view returns (bytes32[] memory key) {
        key = new bytes32[](words);
        for (uint256 i; i < words; ++i) {
            key[i] = keccak256(abi.encode(words, i));
        }
        bytes32[4] memory tau = publicCeremony().negatedTauG2;
        for (uint256 i; i < 4; ++i) {
            key[OctetKey.TAU_WORD + i] = tau[i];
        }
        key[OctetKey.LAYOUT_WORD] = bytes32(
            abi.encodePacked(
                tensors.inputCount,
                tensors.inputBytes,
                tensors.outputCount,
                tensors.outputBytes,
                domain.min,
                domain.max,
                bytes6(0)
            )
        );
    }

    function digestOf(bytes32[] memory key) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(key));
    }
}
