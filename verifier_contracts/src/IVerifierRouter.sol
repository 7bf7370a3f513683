// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IProtocolAdmin} from "verifier_contracts/src/IProtocolAdmin.sol";
import {InputDomain, TensorLayout} from "verifier_contracts/src/TensorLayout.sol";

/// @notice What a verifier entry can be trusted for: a pin only pins what somebody deployed.
/// @dev LOCAL is anything, on local chains only. CEREMONY is a shared verifier with audited code and a public
///      ceremony's key. UNVOUCHED is all else, generated verifiers included.
enum VerifierClass {
    NONE,
    LOCAL,
    CEREMONY,
    UNVOUCHED
}

/// @notice Everything that decides what an accepted proof of a circuit means.
/// @param adapter the {IProofVerifier} of the circuit.
/// @param adapterCodeHash the hash of its code; the adapter pins its own verifier in turn.
/// @param verifyingKeyDigest the digest of the verifying key, for those who rebuild it.
/// @param weightCommitment keccak256 of the commitment to the weights that the adapter pins, or zero where the
///        verifying key binds them.
/// @param proofSystemId the four bytes of ERC-7992, e.g. of "halo2-kzg-bn254-ezkl-v23".
/// @param tensors the public tensors.
/// @param domain the integers that input elements may take.
/// @param gasLimit gas that the adapter is called with, so that its answer cannot depend on the caller's.
/// @param class_ what the entry can be trusted for.
struct CircuitSpec {
    address adapter;
    bytes32 adapterCodeHash;
    bytes32 verifyingKeyDigest;
    bytes32 weightCommitment;
    bytes4 proofSystemId;
    TensorLayout tensors;
    InputDomain domain;
    uint32 gasLimit;
    VerifierClass class_;
}

/// @notice What somebody who rebuilt a circuit's key from its published files says of it.
enum Verdict {
    NONE,
    REBUILT,
    REFUTED
}

/// @notice One attester's last word on a circuit.
/// @param verdict REBUILT: the published files give exactly the pinned key. REFUTED: they do not.
/// @param attestedAt chain time in seconds.
/// @param reportDigest SHA-256 of the attester's report.
struct Attestation {
    Verdict verdict;
    uint40 attestedAt;
    bytes32 reportDigest;
}

/// @title Pins every circuit to one verifier, for ever
/// @notice Anyone may add a circuit; its id is the hash of what it is. Entries never change and never leave. The admin's
///         guardian may tombstone one: it stays on record, and no proof of it is accepted ever again.
interface IVerifierRouter {
    /// @notice A circuit was added.
    event CircuitAdded(
        bytes32 indexed circuitId, address indexed adapter, VerifierClass class_, bytes32 verifyingKeyDigest
    );

    /// @notice A circuit was found unsafe; nothing of it is accepted any more.
    event CircuitTombstoned(bytes32 indexed circuitId, string reason);
    /// @notice Somebody vouches for a circuit's key, or against it. Who they are is for the reader to judge.
    event CircuitAttested(
        bytes32 indexed circuitId, address indexed attester, Verdict verdict, bytes32 reportDigest, string reportUri
    );

    /// @notice No circuit has this id.
    error UnknownCircuit(bytes32 circuitId);
    /// @notice The circuit was added before.
    error CircuitExists(bytes32 circuitId);
    /// @notice The class is NONE.
    error ClassMissing();
    /// @notice The class LOCAL is for chain ids 31337 and 1337.
    error LocalClassRefused(uint256 chainId);
    /// @notice The class CEREMONY is for views of one shared verifier, and the adapter is none.
    error NotASharedVerifier(address adapter);
    /// @notice The shared verifier's code is not on the audited list.
    error NotAudited(address verifier, bytes32 codeHash);
    /// @notice The key's generators or its [tau]G2 are not those of a ceremony on the list.
    error ForeignCeremony(bytes32[10] constants);
    /// @notice The adapter pins another key or other weights than the circuit's.
    error PinMismatch(bytes32 expected, bytes32 found);
    /// @notice The circuit is tombstoned.
    error CircuitIsTombstoned(bytes32 circuitId);
    /// @notice Only the admin's guardian may tombstone.
    error NotGuardian(address caller, address guardian);
    /// @notice A reason or report address is empty or too long.
    error TextOutOfRange(uint256 lengthBytes, uint256 maximumBytes);
    /// @notice The verdict is NONE.
    error VerdictMissing();
    /// @notice The adapter has no code, or is an account that only delegates to code.
    error NotAnAdapter(address adapter);
    /// @notice The adapter's code is not the pinned code.
    error CodeHashMismatch(address adapter, bytes32 expected, bytes32 found);
    /// @notice The gas limit is zero or more than a transaction can spare.
    error GasLimitOutOfRange(uint32 gasLimit, uint32 maximum);
    /// @notice The verifying key's digest or the proof system's id is zero.
    error EmptyPin(bytes32 verifyingKeyDigest, bytes4 proofSystemId);
    /// @notice The call carries too little gas to give the adapter its full limit.
    error NotEnoughGas(uint256 needed, uint256 available);
    /// @notice The adapter refused; `reason` is its revert data, cut at 256 bytes.
    error ProofRejected(bytes32 circuitId, bytes reason);
    /// @notice The adapter returned data, which no {IProofVerifier} does.
    error UnexpectedReturnData(bytes32 circuitId, uint256 lengthBytes);

    /// @notice Adds a circuit, for ever.
    /// @param spec what to pin.
    /// @return circuitId its id.
    function add(CircuitSpec calldata spec) external returns (bytes32 circuitId);

    /// @notice Marks a circuit as unsafe, for ever; the admin's guardian may, without delay. Jobs on it cannot settle and
    ///         are refunded without forfeit.
    /// @param circuitId the circuit.
    /// @param reason why, 1 to 256 bytes.
    function tombstone(bytes32 circuitId, string calldata reason) external;

    /// @notice Records what the caller found when it rebuilt the circuit's key; a later word replaces it.
    /// @param circuitId the circuit.
    /// @param verdict what was found.
    /// @param reportDigest SHA-256 of the report.
    /// @param reportUri where the report is, at most 256 bytes, may be empty.
    function attest(bytes32 circuitId, Verdict verdict, bytes32 reportDigest, string calldata reportUri) external;

    /// @notice The attester's last word on the circuit; verdict NONE where there is none.
    function attestationOf(bytes32 circuitId, address attester) external view returns (Attestation memory);

    /// @notice Whether the circuit is tombstoned; false where there is no such circuit.
    function isTombstoned(bytes32 circuitId) external view returns (bool);

    /// @notice The class of a circuit; NONE where there is no such circuit.
    function classOf(bytes32 circuitId) external view returns (VerifierClass);

    /// @notice The admin whose guardian may tombstone and whose audited list the class CEREMONY needs.
    function admin() external view returns (IProtocolAdmin);

    /// @notice The id that `spec` has here: keccak256(abi.encode(keccak256("zkml.circuit.v1"), chain id, this, spec)).
    function circuitIdOf(CircuitSpec calldata spec) external view returns (bytes32 circuitId);

    /// @notice The entry of a circuit; reverts if there is none.
    function circuit(bytes32 circuitId) external view returns (CircuitSpec memory spec);

    /// @notice Whether a circuit was added.
    function exists(bytes32 circuitId) external view returns (bool);

    /// @notice Accepts a proof that the circuit maps `input` to `output`, or reverts.
    /// @param circuitId the circuit.
    /// @param context what the proof is for, see {IProofVerifier-verify}.
    /// @param input the packed input: right length, every element in the domain.
    /// @param output the packed output: right length.
    /// @param proof the proof.
    function verify(
        bytes32 circuitId,
        bytes32 context,
        bytes calldata input,
        bytes calldata output,
        bytes calldata proof
    ) external view;

    /// @notice Reverts unless `input` has the circuit's length and every element lies in its domain.
    function checkInput(bytes32 circuitId, bytes calldata input) external view;

    /// @notice Draws an input of the circuit's domain from a seed, see {PackedTensors-expand}.
    function expandInput(bytes32 circuitId, bytes32 seed) external view returns (bytes memory input);
}
