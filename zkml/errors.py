"""Every error zkml raises on purpose, in one tree.

* ZkmlError
  x ConfigError
    + KeyFileError
    + HomeLockedError
    + ToolchainError
    + ForeignPackageError
  x ArtifactError
    + ArtifactNotFoundError
    + DigestMismatchError
    + ManifestError
    + FormatError
    + StorageError
  x ModelError
    + NotOnnxError
    + DynamicShapeError
    + UnsupportedOperatorError
    + NonFiniteWeightError
    + OversizedConstantError
    + ParityError
  x CircuitError
    + LayoutError
    + CalibrationError
    + CompileError
    + SrsError
    + KeygenError
  x ProvingError
    + WitnessError
      - DomainError
    + ProverLimitError
    + BackendError
    + GpuError
  x VerificationError
    + ProofRejectedError
    + InstanceMismatchError
    + VerifierMismatchError
    + BindingError
    + PaymentMismatchError
  x InconclusiveError
    + EvidenceUnavailableError
    + NotFinalError
  x ChainError
    + RpcError
    + WrongChainError
    + RevertedError
    + TransactionTimeoutError
    + InsufficientFundsError
    + DeploymentError
  x RegistryError
    + NotRegisteredError
    + UnsuitableCircuitError
      - TombstonedError
    + NotOwnerError
    + LineageError
  x MarketError
    + JobNotFoundError
    + InvalidTransitionError
    + JobExpiredError
    + NotClaimantError
    + ProverRefusedError
    + StakeError
    + TabRefusedError
  x ServiceError
    + ServiceUnreachableError
    + ServiceBusyError
    + RequestRefusedError
    + PaymentRequiredError

A message says what was expected, what was found and where, on one line, in lower case and without a
full stop; the hint says the next step. Mistakes of the programmer stay TypeError, ValueError and
RuntimeError, and nobody catches them.

Exit codes: 1 failed, 2 usage or configuration, 3 rejected (a verdict), 4 inconclusive (no verdict).
Neither 3 nor 4 ever counts as accepted.
"""

from typing import Any, ClassVar


class ZkmlError(Exception):
    """The root: whatever leaves a public function of zkml on purpose is one of these.

    Attributes:
        code: stable identifier `ZK-<area>-<nnn>`, for operators to grep.
        exit_code: what the command line exits with.
        retryable: whether the same call may succeed later without a change of input.
        hint: the next step, or an empty string.
        context: values of the message, for `--json`.
    """

    code: ClassVar[str] = "ZK-GEN-001"
    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str = "", **context: Any) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.context = context

    def as_json(self) -> dict[str, Any]:
        """Return the error as the object that `--json` prints under `error`."""
        return {
            "type": type(self).__name__,
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "retryable": self.retryable,
            "context": {name: str(value) for name, value in self.context.items()},
        }


# --- configuration and surroundings -------------------------------------------------------------


class ConfigError(ZkmlError):
    """Settings are missing, malformed or contradictory; lists every problem at once."""

    code = "ZK-CFG-001"
    exit_code = 2


class KeyFileError(ConfigError):
    """A key file is missing, unreadable, of another form, or readable by others."""

    code = "ZK-CFG-002"


class HomeLockedError(ConfigError):
    """Another process works in the same home."""

    code = "ZK-CFG-003"
    exit_code = 1
    retryable = True


class ToolchainError(ConfigError):
    """A program or package that this command needs is not installed."""

    code = "ZK-CFG-004"


class ForeignPackageError(ConfigError):
    """A top-level package of zkml is shadowed by another distribution's."""

    code = "ZK-CFG-005"


# --- files --------------------------------------------------------------------------------------


class ArtifactError(ZkmlError):
    """A file is not what it should be."""

    code = "ZK-ART-001"


class ArtifactNotFoundError(ArtifactError):
    """A file or content identifier is nowhere to be found."""

    code = "ZK-ART-002"


class DigestMismatchError(ArtifactError):
    """Bytes do not hash to what was promised."""

    code = "ZK-ART-003"


class ManifestError(ArtifactError):
    """A manifest is of an unknown version, lacks a field or contradicts itself."""

    code = "ZK-ART-004"


class FormatError(ArtifactError):
    """A file is not of the form its reader expects."""

    code = "ZK-ART-005"


class StorageError(ArtifactError):
    """A file could not be written: no space, no permission."""

    code = "ZK-ART-006"


# --- models -------------------------------------------------------------------------------------


class ModelError(ZkmlError):
    """The model cannot be proved as it is."""

    code = "ZK-MOD-001"


class NotOnnxError(ModelError):
    """The file is not a valid ONNX model."""

    code = "ZK-MOD-002"


class DynamicShapeError(ModelError):
    """A tensor has a dimension without a number."""

    code = "ZK-MOD-003"


class UnsupportedOperatorError(ModelError):
    """A node's operator has no circuit."""

    code = "ZK-MOD-004"


class NonFiniteWeightError(ModelError):
    """A weight is NaN or infinite."""

    code = "ZK-MOD-005"


class OversizedConstantError(ModelError):
    """An integer constant exceeds 2^24, where EZKL would prove another number."""

    code = "ZK-MOD-006"


class ParityError(ModelError):
    """The ONNX model computes something else than the model it came from."""

    code = "ZK-MOD-007"


# --- circuits -----------------------------------------------------------------------------------


class CircuitError(ZkmlError):
    """The circuit cannot be built."""

    code = "ZK-CIR-001"


class LayoutError(CircuitError):
    """Packed tensors or instances do not fit the circuit's layout."""

    code = "ZK-CIR-002"


class CalibrationError(CircuitError):
    """No settings within the error budget give a proof that verifies."""

    code = "ZK-CIR-003"


class CompileError(CircuitError):
    """The proof system or the Solidity compiler refused its input."""

    code = "ZK-CIR-004"


class SrsError(CircuitError):
    """The structured reference string is missing, too small, or not the named ceremony's."""

    code = "ZK-CIR-005"


class KeygenError(CircuitError):
    """Key generation failed."""

    code = "ZK-CIR-006"


# --- proving ------------------------------------------------------------------------------------


class ProvingError(ZkmlError):
    """A proof could not be made."""

    code = "ZK-PRV-001"


class WitnessError(ProvingError):
    """The input has no witness."""

    code = "ZK-PRV-002"


class DomainError(WitnessError):
    """An input value lies outside the circuit's declared domain."""

    code = "ZK-PRV-003"


class ProverLimitError(ProvingError):
    """A child process ran past its memory or time limit."""

    code = "ZK-PRV-004"
    retryable = True


class BackendError(ProvingError):
    """The proof system failed in a way of its own; its words are kept."""

    code = "ZK-PRV-005"


class GpuError(ProvingError):
    """A GPU was asked for, and none did the work."""

    code = "ZK-PRV-006"


# --- verdicts -----------------------------------------------------------------------------------


class VerificationError(ZkmlError):
    """A verdict: it was checked, and it is wrong."""

    code = "ZK-VER-001"
    exit_code = 3


class ProofRejectedError(VerificationError):
    """A verifier refused the proof."""

    code = "ZK-VER-002"


class InstanceMismatchError(VerificationError):
    """The proof's instances are not the claimed input and output."""

    code = "ZK-VER-003"


class VerifierMismatchError(VerificationError):
    """The verifier's code or key is not the pinned one."""

    code = "ZK-VER-004"


class BindingError(VerificationError):
    """The evidence belongs to another job, model or circuit."""

    code = "ZK-VER-005"


class PaymentMismatchError(VerificationError):
    """Tokens moved otherwise than the job's terms say."""

    code = "ZK-VER-006"


class InconclusiveError(ZkmlError):
    """No verdict: it could not be checked."""

    code = "ZK-INC-001"
    exit_code = 4


class EvidenceUnavailableError(InconclusiveError):
    """Something the check needs could not be had."""

    code = "ZK-INC-002"
    retryable = True


class NotFinalError(InconclusiveError):
    """The transaction is not buried deep enough yet."""

    code = "ZK-INC-003"
    retryable = True


# --- chain --------------------------------------------------------------------------------------


class ChainError(ZkmlError):
    """The chain or its endpoint did not do what was asked."""

    code = "ZK-CHN-001"


class RpcError(ChainError):
    """The endpoint is down, slow or answers nonsense."""

    code = "ZK-CHN-002"
    retryable = True


class WrongChainError(ChainError):
    """The endpoint serves another chain than the one asked for."""

    code = "ZK-CHN-003"


class RevertedError(ChainError):
    """A contract refused the call; carries the decoded error's name and arguments."""

    code = "ZK-CHN-004"


class TransactionTimeoutError(ChainError):
    """A transaction was sent and not mined in time; carries its hash."""

    code = "ZK-CHN-005"
    retryable = True


class InsufficientFundsError(ChainError):
    """An account cannot pay for the call in ether or in the payment token."""

    code = "ZK-CHN-006"


class DeploymentError(ChainError):
    """The recorded contracts are not on this chain, or not with this code."""

    code = "ZK-CHN-007"


# --- registry and market ------------------------------------------------------------------------


class RegistryError(ZkmlError):
    """The registry refuses or does not know."""

    code = "ZK-REG-001"


class NotRegisteredError(RegistryError):
    """No such model or circuit on this chain."""

    code = "ZK-REG-002"


class UnsuitableCircuitError(RegistryError):
    """The circuit must not be paid for: private input, private output, or a class below policy."""

    code = "ZK-REG-003"


class TombstonedError(UnsuitableCircuitError):
    """The circuit was found unsafe: no proof of it is accepted any more."""

    code = "ZK-REG-004"


class NotOwnerError(RegistryError):
    """The move is for the model's owner, or for the holder of an office, alone."""

    code = "ZK-REG-005"


class LineageError(RegistryError):
    """The lineage cannot be declared so: a parent, a rate or a licence stands against it."""

    code = "ZK-REG-006"


class MarketError(ZkmlError):
    """The market refuses the move."""

    code = "ZK-MKT-001"


class JobNotFoundError(MarketError):
    """No such job."""

    code = "ZK-MKT-002"


class InvalidTransitionError(MarketError):
    """The job's status does not allow the move."""

    code = "ZK-MKT-003"


class JobExpiredError(MarketError):
    """The job's deadline has passed."""

    code = "ZK-MKT-004"


class NotClaimantError(MarketError):
    """Another prover holds the claim."""

    code = "ZK-MKT-005"


class ProverRefusedError(MarketError):
    """The prover may not claim: not registered, not named by the job, or without access to a closed model."""

    code = "ZK-MKT-006"


class StakeError(MarketError):
    """The prover's stake does not cover it, or cannot leave yet."""

    code = "ZK-MKT-007"


class TabRefusedError(MarketError):
    """The tab is not open, has too little left, or does not allow the request."""

    code = "ZK-MKT-008"


# --- services over HTTP -------------------------------------------------------------------------


class ServiceError(ZkmlError):
    """A prover node's HTTP API did not do what was asked of it."""

    code = "ZK-SVC-001"


class ServiceUnreachableError(ServiceError):
    """It does not answer, or answers with something else than its protocol."""

    code = "ZK-SVC-002"
    retryable = True


class ServiceBusyError(ServiceError):
    """It has too much to do now, or takes no new work."""

    code = "ZK-SVC-003"
    retryable = True


class RequestRefusedError(ServiceError):
    """It refuses the request; asking again changes nothing."""

    code = "ZK-SVC-004"


class PaymentRequiredError(ServiceError):
    """It asks for a payment that was not offered, or for another one."""

    code = "ZK-SVC-005"
