// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ceremonies, Ceremony} from "verifier_contracts/src/Ceremonies.sol";
import {CloneCode} from "verifier_contracts/src/CloneCode.sol";
import {IProofVerifier} from "verifier_contracts/src/IProofVerifier.sol";
import {IProtocolAdmin} from "verifier_contracts/src/IProtocolAdmin.sol";
import {ISharedKeyVerifier} from "verifier_contracts/src/ISharedKeyVerifier.sol";
import {
    Attestation,
    CircuitSpec,
    IVerifierRouter,
    Verdict,
    VerifierClass
} from "verifier_contracts/src/IVerifierRouter.sol";
import {InputDomain, PackedTensors, TensorLayout} from "verifier_contracts/src/TensorLayout.sol";

/// @title Pins every circuit to one verifier, for ever
/// @dev No owner, no setter, no removal. The admin decides two things: who may tombstone, and which shared verifiers'
///      code is good enough for the class CEREMONY when a circuit is added.
contract VerifierRouter is IVerifierRouter {
    /// @notice Keys of this ceremony are admitted to the class CEREMONY; written once, at deployment.
    event CeremonyListed(string name, bytes32[4] negatedTauG2);

    /// @notice There are more ceremonies than {MAX_CEREMONIES}, or one of them twice.
    error CeremonyListRefused(uint256 count);

    /// @dev All that verifying reads: three words.
    struct Pins {
        address adapter;
        uint32 gasLimit;
        VerifierClass class_;
        bool isClone;
        bool isTombstoned;
        uint8 inputBytes;
        uint8 outputBytes;
        uint32 inputCount;
        uint32 outputCount;
        int64 domainMin;
        int64 domainMax;
        bytes4 proofSystemId;
        // The adapter's code hash; of a clone keccak256 of that and of its implementation's, see {CloneCode}.
        bytes32 codePin;
    }

    /// @dev The rest of a {CircuitSpec}.
    struct Facts {
        bytes32 verifyingKeyDigest;
        bytes32 weightCommitment;
        // Zero where `codePin` is the code hash itself.
        bytes32 cloneCodeHash;
    }

    bytes32 private constant CIRCUIT_TAG = keccak256("zkml.circuit.v1");
    uint256 private constant ANVIL_CHAIN_ID = 31337;
    uint256 private constant GANACHE_CHAIN_ID = 1337;
    /// @dev EIP-7825 caps a transaction at 2^24 gas; this leaves room for calldata and for the settlement.
    uint32 private constant MAX_GAS_LIMIT = 12_000_000;
    /// @dev Spent between the gas check and the call, and by the call itself; measured 200, rounded up.
    uint256 private constant CALL_RESERVE_GAS = 1_000;
    uint256 private constant MAX_REASON_BYTES = 256;
    uint256 private constant MAX_TEXT_BYTES = 256;
    uint256 private constant MAX_CEREMONIES = 16;

    IProtocolAdmin private immutable ADMIN;

    mapping(bytes32 circuitId => Pins) private _pins;
    mapping(bytes32 circuitId => Facts) private _facts;
    mapping(bytes32 circuitId => mapping(address attester => Attestation)) private _attestations;
    mapping(bytes32 tauDigest => string) private _ceremonies;

    /// @param admin_ whose guardian may tombstone and whose audited list the class CEREMONY needs.
    /// @param ceremonies the public ceremonies whose keys the class CEREMONY admits; none admits none.
    constructor(IProtocolAdmin admin_, Ceremony[] memory ceremonies) {
        ADMIN = admin_;
        if (ceremonies.length > MAX_CEREMONIES) revert CeremonyListRefused(ceremonies.length);
        for (uint256 i; i < ceremonies.length; ++i) {
            Ceremonies.check(ceremonies[i]);
            bytes32 digest = Ceremonies.tauDigest(ceremonies[i].negatedTauG2);
            if (bytes(_ceremonies[digest]).length != 0) revert CeremonyListRefused(ceremonies.length);
            _ceremonies[digest] = ceremonies[i].name;
            emit CeremonyListed(ceremonies[i].name, ceremonies[i].negatedTauG2);
        }
    }

    /// @inheritdoc IVerifierRouter
    function add(CircuitSpec calldata spec) external returns (bytes32 circuitId) {
        circuitId = circuitIdOf(spec);
        if (exists(circuitId)) revert CircuitExists(circuitId);
        PackedTensors.checkLayout(spec.tensors);
        PackedTensors.checkDomain(spec.domain, spec.tensors.inputBytes);
        _checkPins(spec);
        address implementation = _checkAdapter(spec);
        _checkClass(spec, implementation);
        _store(circuitId, spec, implementation != address(0));
        emit CircuitAdded(circuitId, spec.adapter, spec.class_, spec.verifyingKeyDigest);
    }

    /// @inheritdoc IVerifierRouter
    function tombstone(bytes32 circuitId, string calldata reason) external {
        address guardian = ADMIN.guardian();
        if (msg.sender != guardian) revert NotGuardian(msg.sender, guardian);
        uint256 length = bytes(reason).length;
        if (length == 0 || length > MAX_TEXT_BYTES) revert TextOutOfRange(length, MAX_TEXT_BYTES);
        Pins storage pins = _pinsOf(circuitId);
        if (pins.isTombstoned) revert CircuitIsTombstoned(circuitId);
        pins.isTombstoned = true;
        emit CircuitTombstoned(circuitId, reason);
    }

    /// @inheritdoc IVerifierRouter
    function attest(bytes32 circuitId, Verdict verdict, bytes32 reportDigest, string calldata reportUri) external {
        _pinsOf(circuitId);
        if (verdict == Verdict.NONE) revert VerdictMissing();
        uint256 length = bytes(reportUri).length;
        if (length > MAX_TEXT_BYTES) revert TextOutOfRange(length, MAX_TEXT_BYTES);
        _attestations[circuitId][msg.sender] = Attestation(verdict, uint40(block.timestamp), reportDigest);
        emit CircuitAttested(circuitId, msg.sender, verdict, reportDigest, reportUri);
    }

    /// @inheritdoc IVerifierRouter
    function verify(
        bytes32 circuitId,
        bytes32 context,
        bytes calldata input,
        bytes calldata output,
        bytes calldata proof
    ) external view {
        // In place: a function that returned them would clear their memory first.
        Pins memory pins = _pins[circuitId];
        if (pins.adapter == address(0)) revert UnknownCircuit(circuitId);
        if (pins.isTombstoned) revert CircuitIsTombstoned(circuitId);
        PackedTensors.checkOutputLength(pins.outputCount, pins.outputBytes, output.length);
        PackedTensors.checkInputLength(pins.inputCount, pins.inputBytes, input.length);
        PackedTensors.checkElements(input, pins.inputBytes, InputDomain(pins.domainMin, pins.domainMax));
        _checkCode(pins);
        _callAdapter(
            circuitId,
            pins.adapter,
            pins.gasLimit,
            abi.encodeCall(IProofVerifier.verify, (context, input, output, proof))
        );
    }

    /// @inheritdoc IVerifierRouter
    function checkInput(bytes32 circuitId, bytes calldata input) external view {
        Pins memory pins = _loadPins(circuitId);
        PackedTensors.checkInputLength(pins.inputCount, pins.inputBytes, input.length);
        PackedTensors.checkElements(input, pins.inputBytes, InputDomain(pins.domainMin, pins.domainMax));
    }

    /// @inheritdoc IVerifierRouter
    function expandInput(bytes32 circuitId, bytes32 seed) external view returns (bytes memory input) {
        Pins memory pins = _loadPins(circuitId);
        return PackedTensors.expand(seed, pins.inputCount, pins.inputBytes, InputDomain(pins.domainMin, pins.domainMax));
    }

    /// @inheritdoc IVerifierRouter
    function circuit(bytes32 circuitId) external view returns (CircuitSpec memory spec) {
        Pins memory pins = _loadPins(circuitId);
        Facts memory facts = _facts[circuitId];
        return CircuitSpec({
            adapter: pins.adapter,
            adapterCodeHash: pins.isClone ? facts.cloneCodeHash : pins.codePin,
            verifyingKeyDigest: facts.verifyingKeyDigest,
            weightCommitment: facts.weightCommitment,
            proofSystemId: pins.proofSystemId,
            tensors: TensorLayout(pins.inputCount, pins.inputBytes, pins.outputCount, pins.outputBytes),
            domain: InputDomain(pins.domainMin, pins.domainMax),
            gasLimit: pins.gasLimit,
            class_: pins.class_
        });
    }

    /// @inheritdoc IVerifierRouter
    function attestationOf(bytes32 circuitId, address attester) external view returns (Attestation memory) {
        return _attestations[circuitId][attester];
    }

    /// @inheritdoc IVerifierRouter
    function isTombstoned(bytes32 circuitId) external view returns (bool) {
        return _pins[circuitId].isTombstoned;
    }

    /// @inheritdoc IVerifierRouter
    function classOf(bytes32 circuitId) external view returns (VerifierClass) {
        return _pins[circuitId].class_;
    }

    /// @inheritdoc IVerifierRouter
    function admin() external view returns (IProtocolAdmin) {
        return ADMIN;
    }

    /// @notice The name of the listed ceremony with this -[tau]G2 (x.c1, x.c0, y.c1, y.c0); empty if it is not listed.
    function ceremonyName(bytes32[4] calldata negatedTauG2) external view returns (string memory) {
        return _ceremonies[Ceremonies.tauDigest(negatedTauG2)];
    }

    /// @inheritdoc IVerifierRouter
    function circuitIdOf(CircuitSpec calldata spec) public view returns (bytes32 circuitId) {
        return keccak256(abi.encode(CIRCUIT_TAG, block.chainid, address(this), spec));
    }

    /// @inheritdoc IVerifierRouter
    function exists(bytes32 circuitId) public view returns (bool) {
        return _pins[circuitId].adapter != address(0);
    }

    function _store(bytes32 circuitId, CircuitSpec calldata spec, bool isClone) private {
        _pins[circuitId] = Pins({
            adapter: spec.adapter,
            gasLimit: spec.gasLimit,
            class_: spec.class_,
            isClone: isClone,
            isTombstoned: false,
            inputBytes: spec.tensors.inputBytes,
            outputBytes: spec.tensors.outputBytes,
            inputCount: spec.tensors.inputCount,
            outputCount: spec.tensors.outputCount,
            domainMin: spec.domain.min,
            domainMax: spec.domain.max,
            proofSystemId: spec.proofSystemId,
            codePin: isClone ? CloneCode.pinOf(spec.adapter, spec.adapterCodeHash) : spec.adapterCodeHash
        });
        _facts[circuitId] = Facts({
            verifyingKeyDigest: spec.verifyingKeyDigest,
            weightCommitment: spec.weightCommitment,
            cloneCodeHash: isClone ? spec.adapterCodeHash : bytes32(0)
        });
    }

    function _checkPins(CircuitSpec calldata spec) private pure {
        if (spec.gasLimit == 0 || spec.gasLimit > MAX_GAS_LIMIT) {
            revert GasLimitOutOfRange(spec.gasLimit, MAX_GAS_LIMIT);
        }
        if (spec.verifyingKeyDigest == 0 || spec.proofSystemId == 0) {
            revert EmptyPin(spec.verifyingKeyDigest, spec.proofSystemId);
        }
    }

    /// @return implementation what the adapter is a clone of, or zero.
    function _checkAdapter(CircuitSpec calldata spec) private view returns (address implementation) {
        address adapter = spec.adapter;
        _checkHasCode(adapter);
        if (adapter.codehash != spec.adapterCodeHash) {
            revert CodeHashMismatch(adapter, spec.adapterCodeHash, adapter.codehash);
        }
        implementation = CloneCode.implementationOf(adapter);
        if (implementation != address(0)) _checkHasCode(implementation);
    }

    /// @dev Code cannot start with 0xef (EIP-3541) unless the account delegates (EIP-7702), and then its owner may change
    ///      what it runs without changing its code hash's meaning to us.
    function _checkHasCode(address account) private view {
        bytes1 first;
        assembly ("memory-safe") {
            mstore(0x00, 0)
            extcodecopy(account, 0x00, 0, 1)
            first := mload(0x00)
        }
        if (account.code.length == 0 || first == 0xef) revert NotAnAdapter(account);
    }

    function _checkClass(CircuitSpec calldata spec, address implementation) private view {
        if (spec.class_ == VerifierClass.NONE) revert ClassMissing();
        if (spec.class_ == VerifierClass.CEREMONY) _checkCeremony(spec, implementation);
        bool isLocal = block.chainid == ANVIL_CHAIN_ID || block.chainid == GANACHE_CHAIN_ID;
        if (spec.class_ == VerifierClass.LOCAL && !isLocal) revert LocalClassRefused(block.chainid);
    }

    /// @dev The adapter is asked only after its code is known: a clone, of audited code.
    function _checkCeremony(CircuitSpec calldata spec, address implementation) private view {
        if (implementation == address(0)) revert NotASharedVerifier(spec.adapter);
        if (!ADMIN.isAudited(implementation.codehash)) revert NotAudited(implementation, implementation.codehash);
        ISharedKeyVerifier shared = ISharedKeyVerifier(spec.adapter);
        _checkEqual(spec.verifyingKeyDigest, shared.verifyingKeyDigest());
        _checkEqual(spec.weightCommitment, shared.weightCommitment());
        _checkEqual(keccak256(abi.encode(spec.tensors)), keccak256(abi.encode(shared.tensorLayout())));
        shared.checkDomain(spec.domain);
        bytes32[10] memory constants = shared.ceremonyConstants();
        bool isListed = bytes(_ceremonies[Ceremonies.tauDigest(constants)]).length != 0;
        if (!isListed || !Ceremonies.haveGenerators(constants)) revert ForeignCeremony(constants);
    }

    function _checkEqual(bytes32 expected, bytes32 found) private pure {
        if (expected != found) revert PinMismatch(expected, found);
    }

    function _checkCode(Pins memory pins) private view {
        address adapter = pins.adapter;
        bytes32 found = adapter.codehash;
        if (pins.isClone) found = CloneCode.pinOf(adapter, found);
        if (found != pins.codePin) revert CodeHashMismatch(adapter, pins.codePin, found);
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

    /// @dev Reads each word once, which reading fields from storage does not.
    function _loadPins(bytes32 circuitId) private view returns (Pins memory pins) {
        pins = _pins[circuitId];
        if (pins.adapter == address(0)) revert UnknownCircuit(circuitId);
    }

    function _pinsOf(bytes32 circuitId) private view returns (Pins storage pins) {
        pins = _pins[circuitId];
        if (pins.adapter == address(0)) revert UnknownCircuit(circuitId);
    }
}
