// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {Routing} from "tests/contracts/support/Routing.sol";
import {SharedKeyDouble, TripleVerifier} from "tests/contracts/support/VerifierDoubles.sol";
import {Ceremonies, Ceremony} from "verifier_contracts/src/Ceremonies.sol";
import {CircuitSpec, IVerifierRouter, VerifierClass} from "verifier_contracts/src/IVerifierRouter.sol";
import {InputDomain, TensorLayout} from "verifier_contracts/src/TensorLayout.sol";
import {VerifierRouter} from "verifier_contracts/src/VerifierRouter.sol";

/// @notice The class CEREMONY: who gets in, who does not, and that what got in cannot change afterwards.
contract RouterCeremonyTest is Routing {
    bytes32 private constant KEY = keccak256("key");
    bytes32 private constant WEIGHTS = keccak256("weights");

    SharedKeyDouble private implementation = new SharedKeyDouble();
    address private adapter;

    function setUp() external {
        deployRouting();
        adapter = Clones.cloneWithImmutableArgs(address(implementation), hex"c0ffee");
        pin(publicConstants());
        audit(address(implementation));
    }

    function test_add__audited_clone_with_the_public_ceremony__is_of_the_class() external {
        vm.chainId(1);
        CircuitSpec memory spec = ceremonySpec();
        vm.prank(stranger);
        bytes32 circuitId = router.add(spec);
        vm.assertEq(uint256(router.classOf(circuitId)), uint256(VerifierClass.CEREMONY), "class");
        vm.assertEq(abi.encode(router.circuit(circuitId)), abi.encode(spec), "entry");
        router.verify(circuitId, 0, INPUT, OUTPUT, PROOF);
        vm.assertEq(router.ceremonyName(publicCeremony().negatedTauG2), publicCeremony().name, "name");
    }

    function testFuzz_add__any_constant_spliced__refused(uint256 which, bytes32 other) external {
        bytes32[10] memory constants = publicConstants();
        vm.assume(other != constants[which % 10]);
        constants[which % 10] = other;
        refuseConstants(constants);
    }

    function test_add__each_constant_spliced_or_all_of_a_local_srs__refused() external {
        for (uint256 i; i < 10; ++i) {
            bytes32[10] memory spliced = publicConstants();
            spliced[i] = bytes32(uint256(spliced[i]) ^ 1);
            refuseConstants(spliced);
        }
        bytes32[10] memory constants = publicConstants();
        // What a key made with EZKL's own gen_srs says: the right generators, a tau that somebody knew.
        constants[6] = 0x092d5c2aca0b642c88a723ac3623206af5188294265bd0dcb6c48f448585e7e6;
        constants[7] = 0x1cc0b8496c90bb77af043edbacda574f1fac5b4500f952b24a2519ff660aa73c;
        constants[8] = 0x2fb139f52cefa9ea368405279301c937a988d9a529029059edd47ada965a6913;
        constants[9] = 0x239156197a94ea1c55df5229606b5650a485ae5bdfd2d1b747abd71b6d93c8c1;
        refuseConstants(constants);
    }

    function test_add__another_key_weights_or_tensors_than_pinned__refused() external {
        CircuitSpec memory spec = ceremonySpec();
        spec.verifyingKeyDigest = keccak256("another key");
        refuse(spec, abi.encodeWithSelector(IVerifierRouter.PinMismatch.selector, spec.verifyingKeyDigest, KEY));
        spec = ceremonySpec();
        spec.weightCommitment = keccak256("other weights");
        refuse(spec, abi.encodeWithSelector(IVerifierRouter.PinMismatch.selector, spec.weightCommitment, WEIGHTS));
        spec.weightCommitment = 0;
        refuse(spec, abi.encodeWithSelector(IVerifierRouter.PinMismatch.selector, bytes32(0), WEIGHTS));
        spec = ceremonySpec();
        TensorLayout memory pinned = spec.tensors;
        // As many bytes, cut otherwise: lengths would pass, and the instances be others than the domain was checked for.
        spec.tensors = TensorLayout(2, 2, 2, 4);
        refuse(
            spec,
            abi.encodeWithSelector(
                IVerifierRouter.PinMismatch.selector, keccak256(abi.encode(spec.tensors)), keccak256(abi.encode(pinned))
            )
        );
    }

    function test_add__another_domain_than_the_keys__refused_in_the_class_alone() external {
        CircuitSpec memory spec = ceremonySpec();
        SharedKeyDouble(adapter).demand(InputDomain(spec.domain.min, spec.domain.max + 1));
        refuse(spec, abi.encodeWithSelector(SharedKeyDouble.AnotherDomain.selector));
        spec.class_ = VerifierClass.UNVOUCHED;
        router.add(spec);
        spec = ceremonySpec();
        SharedKeyDouble(adapter).demand(spec.domain);
        router.add(spec);
    }

    function test_add__implementation_not_audited__refused() external {
        TripleVerifier foreign = new TripleVerifier();
        adapter = Clones.clone(address(foreign));
        refuse(
            ceremonySpec(),
            abi.encodeWithSelector(IVerifierRouter.NotAudited.selector, address(foreign), address(foreign).codehash)
        );
        // On the list it fails all the same, since it says nothing of its key.
        audit(address(foreign));
        CircuitSpec memory spec = ceremonySpec();
        vm.expectRevert();
        router.add(spec);
    }

    function test_add__no_clone__refused_even_if_its_own_code_is_audited() external {
        adapter = address(implementation);
        refuse(ceremonySpec(), abi.encodeWithSelector(IVerifierRouter.NotASharedVerifier.selector, adapter));
    }

    function testFuzz_add__clone_code_with_one_byte_changed__refused(uint256 place, uint8 change) external {
        bytes memory code = adapter.code;
        place %= 45;
        // The 20 bytes from 10 on are the implementation's address: another one has no code.
        vm.assume(change != 0);
        code[place] ^= bytes1(change);
        vm.etch(adapter, code);
        CircuitSpec memory spec = ceremonySpec();
        vm.expectRevert();
        router.add(spec);
    }

    function test_add__clone_of_nothing_or_of_a_delegated_account__refused_in_every_class() external {
        adapter = Clones.clone(stranger);
        for (uint256 class_ = 1; class_ <= 3; ++class_) {
            CircuitSpec memory spec = ceremonySpec();
            spec.class_ = VerifierClass(class_);
            refuse(spec, abi.encodeWithSelector(IVerifierRouter.NotAnAdapter.selector, stranger));
        }
        vm.etch(stranger, abi.encodePacked(hex"ef0100", address(implementation)));
        refuse(ceremonySpec(), abi.encodeWithSelector(IVerifierRouter.NotAnAdapter.selector, stranger));
    }

    function test_add__ceremony_lists__checked() external {
        Ceremony[] memory list = new Ceremony[](2);
        (list[0], list[1]) = (publicCeremony(), publicCeremony());
        list[1].name = "the same by another name";
        vm.expectRevert(abi.encodeWithSelector(VerifierRouter.CeremonyListRefused.selector, 2));
        new VerifierRouter(admin, list);
        list[1].negatedTauG2[0] = 0;
        vm.expectRevert(abi.encodeWithSelector(Ceremonies.CeremonyRefused.selector, list[1].name, list[1].negatedTauG2));
        new VerifierRouter(admin, list);
        bytes32[4] memory infinity;
        list[1].negatedTauG2 = infinity;
        vm.expectRevert(abi.encodeWithSelector(Ceremonies.CeremonyRefused.selector, list[1].name, infinity));
        new VerifierRouter(admin, list);
        list[0].name = "";
        vm.expectRevert(abi.encodeWithSelector(Ceremonies.CeremonyRefused.selector, "", list[0].negatedTauG2));
        new VerifierRouter(admin, list);
        list = new Ceremony[](17);
        vm.expectRevert(abi.encodeWithSelector(VerifierRouter.CeremonyListRefused.selector, 17));
        new VerifierRouter(admin, list);
        VerifierRouter none = new VerifierRouter(admin, new Ceremony[](0));
        CircuitSpec memory spec = ceremonySpec();
        vm.expectRevert(abi.encodeWithSelector(IVerifierRouter.ForeignCeremony.selector, publicConstants()));
        none.add(spec);
    }

    function test_I14_verify__implementation_replaced_behind_a_clone__refused() external {
        // An account that is created and destroyed in the transaction that adds its clone can be created again with
        // other code, and the clone's own code hash says nothing of that.
        CircuitSpec memory spec = ceremonySpec();
        bytes32 ceremony = router.add(spec);
        spec.class_ = VerifierClass.UNVOUCHED;
        bytes32 unvouched = router.add(spec);
        bytes32 pinned = keccak256(abi.encode(adapter.codehash, address(implementation).codehash));
        vm.etch(address(implementation), hex"00");
        refuseReplaced(ceremony, pinned);
        refuseReplaced(unvouched, pinned);
        vm.etch(address(implementation), "");
        refuseReplaced(ceremony, pinned);
    }

    function test_I14_verify__clone_replaced_by_a_clone_of_another__refused() external {
        bytes32 circuitId = router.add(ceremonySpec());
        bytes32 pinned = keccak256(abi.encode(adapter.codehash, address(implementation).codehash));
        vm.etch(adapter, Clones.clone(address(new SharedKeyDouble())).code);
        refuseReplaced(circuitId, pinned);
        vm.etch(adapter, "");
        refuseReplaced(circuitId, pinned);
    }

    function test_add__audited_after_the_fact__first_refused_then_accepted() external {
        SharedKeyDouble later = new SharedKeyDouble();
        vm.etch(address(later), bytes.concat(address(later).code, hex"00"));
        adapter = Clones.clone(address(later));
        pin(publicConstants());
        refuse(
            ceremonySpec(),
            abi.encodeWithSelector(IVerifierRouter.NotAudited.selector, address(later), address(later).codehash)
        );
        audit(address(later));
        router.add(ceremonySpec());
    }

    function ceremonySpec() private view returns (CircuitSpec memory spec) {
        spec = specOf(adapter, KEY);
        spec.weightCommitment = WEIGHTS;
        spec.class_ = VerifierClass.CEREMONY;
    }

    function pin(bytes32[10] memory constants) private {
        SharedKeyDouble(adapter).pin(KEY, WEIGHTS, TensorLayout(4, 1, 2, 4), constants);
    }

    function refuseConstants(bytes32[10] memory constants) private {
        pin(constants);
        refuse(ceremonySpec(), abi.encodeWithSelector(IVerifierRouter.ForeignCeremony.selector, constants));
    }

    function refuse(CircuitSpec memory spec, bytes memory reason) private {
        vm.expectRevert(reason);
        router.add(spec);
    }

    function refuseReplaced(bytes32 circuitId, bytes32 pinned) private {
        address target = adapter.code.length == 0 ? address(0) : implementationOf(adapter);
        vm.expectRevert(
            abi.encodeWithSelector(
                IVerifierRouter.CodeHashMismatch.selector,
                adapter,
                pinned,
                keccak256(abi.encode(adapter.codehash, target.codehash))
            )
        );
        router.verify(circuitId, 0, INPUT, OUTPUT, PROOF);
    }

    function implementationOf(address clone) private view returns (address target) {
        bytes memory code = clone.code;
        assembly {
            target := shr(96, mload(add(code, 42)))
        }
    }
}
