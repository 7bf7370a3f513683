// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {CircuitSpec, IVerifierRouter, VerifierClass} from "verifier_contracts/src/IVerifierRouter.sol";
import {ISharedKeyVerifier} from "verifier_contracts/src/ISharedKeyVerifier.sol";
import {SharedKeyArguments, SharedKeyPins} from "verifier_contracts/src/SharedKeyPins.sol";
import {StoredKey, StoredKeys} from "verifier_contracts/src/StoredKeys.sol";
import {InputDomain, PackedTensors, TensorLayout} from "verifier_contracts/src/TensorLayout.sol";

/// @notice What a circuit has besides its key, see {CircuitSpec}.
struct CircuitTerms {
    bytes32 weightCommitment;
    bytes4 proofSystemId;
    TensorLayout tensors;
    InputDomain domain;
    uint32 gasLimit;
    VerifierClass class_;
}

/// @title Circuits without a compiler: keys stored once, adapters cloned
/// @notice Nobody owns it and everybody may use it. Every call can be repeated: what is there already is used. Nothing
///         is trusted for having come from here: the router and the adapters check all there is to check.
abstract contract SharedVerifierFactory {
    /// @notice A verifying key was stored and can be verified with.
    event KeyStored(bytes32 indexed keyDigest, uint256 words);
    /// @notice An adapter was made.
    event AdapterCreated(address indexed adapter, bytes32 indexed keyDigest, bytes32 indexed weightCommitment);

    /// @notice No key with this digest was stored.
    error UnknownKey(bytes32 keyDigest);

    /// @notice What every adapter is a clone of.
    address public immutable IMPLEMENTATION;

    mapping(bytes32 keyDigest => StoredKey) private _keys;

    /// @param implementation a {SharedVerifier} that this factory has just made.
    constructor(address implementation) {
        IMPLEMENTATION = implementation;
    }

    /// @notice Stores a verifying key, so that adapters can use it.
    /// @param key its words.
    /// @return keyDigest keccak256 of the words.
    function storeKey(bytes32[] calldata key) public returns (bytes32 keyDigest) {
        keyDigest = keccak256(abi.encodePacked(key));
        if (_keys[keyDigest].words != 0) return keyDigest;
        _checkKey(key);
        _keys[keyDigest] = StoredKeys.store(key);
        emit KeyStored(keyDigest, key.length);
        _register(keyDigest, key);
    }

    /// @notice Makes the adapter of a circuit, or finds it.
    /// @param keyDigest a stored key.
    /// @param tensors the circuit's public tensors, as the key has them.
    /// @param weightCommitment keccak256 of the commitment to the weights, or zero where the key binds them.
    /// @return adapter its address, which depends on nothing but this factory and the arguments.
    function createAdapter(bytes32 keyDigest, TensorLayout memory tensors, bytes32 weightCommitment)
        public
        returns (address adapter)
    {
        StoredKey memory key = storedKey(keyDigest);
        PackedTensors.checkLayout(tensors);
        _checkPins(key, tensors, weightCommitment);

        bytes memory arguments = SharedKeyArguments.encode(SharedKeyPins(keyDigest, weightCommitment, tensors, key));
        adapter = Clones.predictDeterministicAddressWithImmutableArgs(IMPLEMENTATION, arguments, 0);
        if (adapter.code.length != 0) return adapter;
        Clones.cloneDeterministicWithImmutableArgs(IMPLEMENTATION, arguments, 0);
        emit AdapterCreated(adapter, keyDigest, weightCommitment);
    }

    /// @notice Makes the adapter of a circuit and adds the circuit to a router, unless it is there.
    /// @param router a router.
    /// @param keyDigest a stored key.
    /// @param terms the rest of the circuit.
    /// @return circuitId its id on that router.
    function addCircuit(IVerifierRouter router, bytes32 keyDigest, CircuitTerms calldata terms)
        public
        returns (bytes32 circuitId)
    {
        address adapter = createAdapter(keyDigest, terms.tensors, terms.weightCommitment);
        ISharedKeyVerifier(adapter).checkDomain(terms.domain);
        CircuitSpec memory spec = CircuitSpec({
            adapter: adapter,
            adapterCodeHash: adapter.codehash,
            verifyingKeyDigest: keyDigest,
            weightCommitment: terms.weightCommitment,
            proofSystemId: terms.proofSystemId,
            tensors: terms.tensors,
            domain: terms.domain,
            gasLimit: terms.gasLimit,
            class_: terms.class_
        });
        circuitId = router.circuitIdOf(spec);
        if (!router.exists(circuitId)) router.add(spec);
    }

    /// @notice Stores a key, makes an adapter and adds the circuit, in one transaction.
    function storeKeyAndAddCircuit(IVerifierRouter router, bytes32[] calldata key, CircuitTerms calldata terms)
        external
        returns (bytes32 circuitId)
    {
        return addCircuit(router, storeKey(key), terms);
    }

    /// @notice Whether a key was stored.
    function hasKey(bytes32 keyDigest) external view returns (bool) {
        return _keys[keyDigest].words != 0;
    }

    /// @notice Where a key lies; reverts if it was not stored.
    function storedKey(bytes32 keyDigest) public view returns (StoredKey memory key) {
        key = _keys[keyDigest];
        if (key.words == 0) revert UnknownKey(keyDigest);
    }

    /// @dev Reverts unless this system could verify with the key.
    function _checkKey(bytes32[] calldata key) internal view virtual;

    /// @dev Makes a key that was stored known to whatever else must know it.
    function _register(bytes32 keyDigest, bytes32[] calldata key) internal virtual {}

    /// @dev Reverts unless an adapter with these pins could accept a proof of the key.
    function _checkPins(StoredKey memory key, TensorLayout memory tensors, bytes32 weightCommitment)
        internal
        view
        virtual;
}
