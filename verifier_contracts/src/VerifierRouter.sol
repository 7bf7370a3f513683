// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IProofVerifier} from "verifier_contracts/src/IProofVerifier.sol";
import {CircuitSpec, IVerifierRouter, VerifierClass} from "verifier_contracts/src/IVerifierRouter.sol";
import {InputDomain, PackedTensors, TensorLayout} from "verifier_contracts/src/TensorLayout.sol";

/// @title Pins every circuit to one verifier, for ever
/// @dev No owner, no setter, no removal.
contract VerifierRouter is IVerifierRouter {
    /// @dev A {CircuitSpec} in four words; verifying reads three of them.
    struct Entry {
        address adapter;
        uint32 gasLimit;
        bytes4 proofSystemId;
        VerifierClass class_;
        uint8 inputBytes;
        uint8 outputBytes;
        uint32 inputCount;
        uint32 outputCount;
        int64 domainMin;
        int64 domainMax;
        bytes32 adapterCodeHash;
        bytes32 verifyingKeyDigest;
    }

    bytes32 private constant CIRCUIT_TAG = keccak256("zkml.circuit.v1");
    uint256 private constant ANVIL_CHAIN_ID = 31337;
    uint256 private constant GANACHE_CHAIN_ID = 1337;
    /// @dev EIP-7825 caps a transaction at 2^24 gas; this leaves room for calldata and for the settlement.
    uint32 private constant MAX_GAS_LIMIT = 12_000_000;
    /// @dev Spent between the gas check and the call, and by the call itself; measured 200, rounded up.
    uint256 private constant CALL_RESERVE_GAS = 1_000;
    uint256 private constant MAX_REASON_BYTES = 256;

    mapping(bytes32 circuitId => Entry) private _entries;

    /// @inheritdoc IVerifierRouter
    function add(CircuitSpec calldata spec) external returns (bytes32 circuitId) {
        circuitId = circuitIdOf(spec);
        if (exists(circuitId)) revert CircuitExists(circuitId);
        _checkClass(spec);
        _checkAdapter(spec);
        PackedTensors.checkLayout(spec.tensors);
        PackedTensors.checkDomain(spec.domain, spec.tensors.inputBytes);

        _entries[circuitId] = Entry({
            adapter: spec.adapter,
            gasLimit: spec.gasLimit,
            proofSystemId: spec.proofSystemId,
            class_: spec.class_,
            inputBytes: spec.tensors.inputBytes,
            outputBytes: spec.tensors.outputBytes,
            inputCount: spec.tensors.inputCount,
            outputCount: spec.tensors.outputCount,
            domainMin: spec.domain.min,
            domainMax: spec.domain.max,
            adapterCodeHash: spec.adapterCodeHash,
            verifyingKeyDigest: spec.verifyingKeyDigest
        });
        emit CircuitAdded(circuitId, spec.adapter, spec.class_, spec.verifyingKeyDigest);
    }

    /// @inheritdoc IVerifierRouter
    function verify(
        bytes32 circuitId,
        bytes32 context,
        bytes calldata input,
        bytes calldata output,
        bytes calldata proof
    ) external view {
        Entry storage entry = _entryOf(circuitId);
        address adapter = entry.adapter;
        uint256 gasLimit = entry.gasLimit;
        PackedTensors.checkOutputLength(entry.outputCount, entry.outputBytes, output.length);
        _checkInput(entry, input);
        bytes32 codeHash = entry.adapterCodeHash;
        if (adapter.codehash != codeHash) revert CodeHashMismatch(adapter, codeHash, adapter.codehash);
        _callAdapter(
            circuitId, adapter, gasLimit, abi.encodeCall(IProofVerifier.verify, (context, input, output, proof))
        );
    }

    /// @inheritdoc IVerifierRouter
    function checkInput(bytes32 circuitId, bytes calldata input) external view {
        _checkInput(_entryOf(circuitId), input);
    }

    /// @inheritdoc IVerifierRouter
    function expandInput(bytes32 circuitId, bytes32 seed) external view returns (bytes memory input) {
        Entry storage entry = _entryOf(circuitId);
        return PackedTensors.expand(seed, entry.inputCount, entry.inputBytes, _domainOf(entry));
    }

    /// @inheritdoc IVerifierRouter
    function circuit(bytes32 circuitId) external view returns (CircuitSpec memory spec) {
        Entry storage entry = _entryOf(circuitId);
        return CircuitSpec({
            adapter: entry.adapter,
            adapterCodeHash: entry.adapterCodeHash,
            verifyingKeyDigest: entry.verifyingKeyDigest,
            proofSystemId: entry.proofSystemId,
            tensors: TensorLayout(entry.inputCount, entry.inputBytes, entry.outputCount, entry.outputBytes),
            domain: _domainOf(entry),
            gasLimit: entry.gasLimit,
            class_: entry.class_
        });
    }

    /// @inheritdoc IVerifierRouter
    function circuitIdOf(CircuitSpec calldata spec) public view returns (bytes32 circuitId) {
        return keccak256(abi.encode(CIRCUIT_TAG, block.chainid, address(this), spec));
    }

    /// @inheritdoc IVerifierRouter
    function exists(bytes32 circuitId) public view returns (bool) {
        return _entries[circuitId].adapter != address(0);
    }

    function _checkClass(CircuitSpec calldata spec) private view {
        if (spec.class_ == VerifierClass.NONE) revert ClassMissing();
        if (spec.class_ == VerifierClass.CEREMONY) revert NoAuditedVerifier(spec.adapterCodeHash);
        bool isLocal = block.chainid == ANVIL_CHAIN_ID || block.chainid == GANACHE_CHAIN_ID;
        if (spec.class_ == VerifierClass.LOCAL && !isLocal) revert LocalClassRefused(block.chainid);
    }

    function _checkAdapter(CircuitSpec calldata spec) private view {
        address adapter = spec.adapter;
        // Code cannot start with 0xef (EIP-3541) unless the account delegates (EIP-7702), and then its owner may
        // change what it runs without changing its code hash's meaning to us.
        if (adapter.code.length == 0 || adapter.code[0] == 0xef) revert NotAnAdapter(adapter);
        if (adapter.codehash != spec.adapterCodeHash) {
            revert CodeHashMismatch(adapter, spec.adapterCodeHash, adapter.codehash);
        }
        if (spec.gasLimit == 0 || spec.gasLimit > MAX_GAS_LIMIT) {
            revert GasLimitOutOfRange(spec.gasLimit, MAX_GAS_LIMIT);
        }
        if (spec.verifyingKeyDigest == 0 || spec.proofSystemId == 0) {
            revert EmptyPin(spec.verifyingKeyDigest, spec.proofSystemId);
        }
    }

    function _checkInput(Entry storage entry, bytes calldata input) private view {
        uint256 width = entry.inputBytes;
        PackedTensors.checkInputLength(entry.inputCount, width, input.length);
        PackedTensors.checkElements(input, width, _domainOf(entry));
    }

    /// @dev Gives the adapter its full limit or reverts, so that nobody can make a good proof fail by sending less;
    ///      copies no more of its answer than is shown.
    function _callAdapter(bytes32 circuitId, address adapter, uint256 gasLimit, bytes memory call_) private view {
        uint256 needed = gasLimit + gasLimit / 63 + CALL_RESERVE_GAS;
        if (gasleft() < needed) revert NotEnoughGas(needed, gasleft());
        bool success;
        uint256 length;
        assembly ("memory-safe") {
            success := staticcall(gasLimit, adapter, add(call_, 0x20), mload(call_), 0, 0)
            length := returndatasize()
        }
        if (!success) revert ProofRejected(circuitId, _returnData(length));
        if (length != 0) revert UnexpectedReturnData(circuitId, length);
    }

    function _returnData(uint256 length) private pure returns (bytes memory reason) {
        reason = new bytes(length < MAX_REASON_BYTES ? length : MAX_REASON_BYTES);
        assembly ("memory-safe") {
            returndatacopy(add(reason, 0x20), 0, mload(reason))
        }
    }

    function _entryOf(bytes32 circuitId) private view returns (Entry storage entry) {
        entry = _entries[circuitId];
        if (entry.adapter == address(0)) revert UnknownCircuit(circuitId);
    }

    function _domainOf(Entry storage entry) private view returns (InputDomain memory) {
        return InputDomain(entry.domainMin, entry.domainMax);
    }
}
