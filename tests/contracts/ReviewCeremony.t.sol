// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {Routing} from "tests/contracts/support/Routing.sol";
import {Halo2ReusableDouble} from "tests/contracts/support/VerifierDoubles.sol";
import {EzklSharedVerifierFactory} from "verifier_contracts/src/EzklSharedVerifierFactory.sol";
import {CircuitSpec, VerifierClass} from "verifier_contracts/src/IVerifierRouter.sol";
import {SharedKeyArguments, SharedKeyPins} from "verifier_contracts/src/SharedKeyPins.sol";
import {SharedVerifier} from "verifier_contracts/src/SharedVerifier.sol";
import {StoredKey} from "verifier_contracts/src/StoredKeys.sol";
import {TensorLayout} from "verifier_contracts/src/TensorLayout.sol";

/// @notice Makes any code at an address that comes back with the same constructor, and is gone when the transaction ends.
contract Phoenix {
    constructor(address destroyer_, bytes memory code) {
        // Delegating, the account that is being made destroys itself (EIP-6780) and goes on all the same.
        (bool done,) = destroyer_.delegatecall("");
        require(done);
        assembly {
            return(add(code, 0x20), mload(code))
        }
    }
}

/// @notice The class CEREMONY promises that a circuit's proofs can be checked tomorrow: what can vanish is refused, or only
///         its author could settle, and would be paid for everybody else's forfeits.
contract ReviewCeremonyTest is Routing {
    Halo2ReusableDouble private halo2 = new Halo2ReusableDouble();
    EzklSharedVerifierFactory private factory = new EzklSharedVerifierFactory(address(halo2));
    address private destroyer = address(0xDEAD5E1F);
    TensorLayout private tensors = TensorLayout(4, 1, 2, 4);
    bytes32 private digest;
    StoredKey private stored;

    function setUp() external {
        deployRouting();
        // PUSH0, SELFDESTRUCT: of whoever delegates to it.
        vm.etch(destroyer, hex"5fff");
        bytes32[] memory key = new bytes32[](40);
        bytes32[10] memory constants = publicConstants();
        for (uint256 i; i < 40; ++i) {
            key[i] = i >= 14 && i < 24 ? constants[i - 14] : keccak256(abi.encode(i));
        }
        key[2] = bytes32(uint256(6));
        digest = factory.storeKey(key);
        stored = factory.storedKey(digest);
        audit(factory.IMPLEMENTATION());
    }

    function test_add__ceremony_on_the_factorys_clone__accepted() external {
        router.add(specFor(factory.createAdapter(digest, tensors, 0)));
    }

    function test_add__ceremony_on_a_clone_that_can_vanish__refused() external {
        bytes memory code = factory.createAdapter(digest, tensors, 0).code;
        refuse(address(new Phoenix(destroyer, code)));
    }

    function test_add__ceremony_on_a_key_that_can_vanish__refused() external {
        stored.first = address(new Phoenix(destroyer, stored.first.code));
        refuse(cloneOf(factory.IMPLEMENTATION()));
    }

    function test_add__ceremony_on_an_implementation_that_can_vanish__refused() external {
        bytes memory code = factory.IMPLEMENTATION().code;
        address implementation = address(new Phoenix(destroyer, code));
        vm.assertEq(implementation.codehash, factory.IMPLEMENTATION().codehash, "audited code");
        refuse(cloneOf(implementation));
    }

    function cloneOf(address implementation) private returns (address) {
        SharedKeyPins memory pins = SharedKeyPins(digest, 0, tensors, stored);
        return Clones.cloneWithImmutableArgs(implementation, SharedKeyArguments.encode(pins));
    }

    function specFor(address adapter) private view returns (CircuitSpec memory spec) {
        spec = specOf(adapter, digest);
        spec.class_ = VerifierClass.CEREMONY;
    }

    function refuse(address adapter) private {
        CircuitSpec memory spec = specFor(adapter);
        vm.expectPartialRevert(SharedVerifier.ForeignClone.selector);
        router.add(spec);
    }
}
