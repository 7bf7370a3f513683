"""The port of proof systems: what the rest of zkml may ask of any of them.

Above `circuits`, nobody knows which system it is: packed tensors and bytes go in and come out.
Verifying is not here but in `circuits.verification`, so that an auditor never imports proving code.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from circuits.bundle import Bundle
from circuits.measurements import Measured
from circuits.srs import SrsStore
from zkml.core.progress import Progress, silent
from zkml.core.records import NO_CONTEXT, ProofFile, from_hex


@dataclass(frozen=True, slots=True)
class ErrorBudget:
    """How far a circuit's outputs may be from the float model's on the calibration data.

    Attributes:
        max_abs_error: in the model's own units; None takes `relative_error` of the largest output.
        relative_error: fraction of the largest absolute output; used when `max_abs_error` is None.
        min_argmax_agreement: fraction of samples whose largest output must be the same one.
    """

    max_abs_error: float | None = None
    relative_error: float = 0.02
    min_argmax_agreement: float = 0.98


@dataclass(frozen=True, slots=True)
class CompileRequest:
    """What a circuit is compiled from.

    Attributes:
        name: what people call the model; letters, digits, `.`, `_`, `-`.
        onnx: a checked ONNX model of one input and one output.
        calibration: real inputs. Shape: (samples, *input shape).
        target: directory of the bundle to write.
        srs: where SRS files are kept.
        allow_insecure_srs: make an SRS here where no ceremony's was imported; for local chains.
        domain: least and largest input value the circuit is to accept; of the calibration data when None.
        budget: how exact the circuit must be.
        input_visibility, output_visibility: anything but public is refused.
        weights: `fixed` in the verifying key, or `committed`: then one key serves all weights of the
            architecture, and can be rebuilt without them. A commitment does not hide: who guesses the
            weights can confirm the guess.
        use_freivalds: check matrix products by random challenges: fewer rows in large networks, more
            columns, hence a dearer verification, in small ones.
    """

    name: str
    onnx: Path
    calibration: NDArray[Any]
    target: Path
    srs: SrsStore
    allow_insecure_srs: bool = True
    domain: tuple[float, float] | None = None
    budget: ErrorBudget = field(default_factory=ErrorBudget)
    input_visibility: str = "public"
    output_visibility: str = "public"
    weights: Literal["fixed", "committed"] = "fixed"
    use_freivalds: bool = True


@dataclass(frozen=True, slots=True)
class WitnessResult:
    """A witness: what the circuit computes on one input, and the private file that proves it.

    Attributes:
        input: packed input.
        output: packed output that a proof will carry.
        path: the witness file; never leaves the node.
        wall_seconds: how long it took.
        peak_rss_bytes: resident memory it used at most; 0 when it was read back.
    """

    input: bytes
    output: bytes
    path: Path
    wall_seconds: float
    peak_rss_bytes: int = 0


@dataclass(frozen=True, slots=True)
class ProofResult:
    """A proof, and what it cost.

    Attributes:
        proof: the portable proof.
        wall_seconds: how long it took.
        peak_rss_bytes: resident memory it used at most.
        device: `cpu` or `gpu`, as the device's counters say.
        gpu_peak_bytes: device memory it was seen to use at most.
        note: why it was not made where it was meant to be; empty when all is as it should be.
    """

    proof: ProofFile
    wall_seconds: float
    peak_rss_bytes: int
    device: str = "cpu"
    gpu_peak_bytes: int = 0
    note: str = ""


class ProofSystem(Protocol):
    """A proof system, with its limits and options already chosen."""

    @property
    def name(self) -> str:
        """The name that manifests carry."""

    @property
    def version(self) -> str:
        """The exact version that manifests carry."""

    @property
    def binds_context(self) -> bool:
        """Whether proofs are bound to 32 bytes besides input and output; else a context changes nothing."""

    def compile(self, request: CompileRequest, *, progress: Progress = silent) -> Bundle:
        """Compile a model into a bundle whose proofs were seen to verify.

        Raises:
            UnsuitableCircuitError: the input or output would be private.
            CalibrationError: no settings meet the error budget.
            CompileError, KeygenError, SrsError, StorageError, ProverLimitError: a step failed.
        """

    def compile_batch(
        self,
        base: Bundle,
        inputs: int,
        target: Path,
        srs: SrsStore,
        *,
        allow_insecure_srs: bool = True,
        progress: Progress = silent,
    ) -> Bundle:
        """Compile a circuit that proves several inputs of a bundle's model at once, with the same outputs.

        Args:
            base: the bundle for one input, opened with all roles.
            inputs: how many, at least 2.
            target: directory of the bundle to write.
            srs: where SRS files are kept.
            allow_insecure_srs: make an SRS here where no ceremony's was imported.
            progress: hears of the stages.

        Raises:
            UnsuitableCircuitError: the model cannot take several inputs, or computes other outputs then.
            CalibrationError, CompileError, KeygenError, SrsError, StorageError, ProverLimitError: a step
                failed.
        """

    def witness(
        self, bundle: Bundle, packed_input: bytes, path: Path, *, progress: Progress = silent
    ) -> WitnessResult:
        """Compute the circuit on an input and keep the witness at `path`.

        Raises:
            LayoutError: the packed input is of another length.
            DomainError: an element lies outside the circuit's domain.
            WitnessError: the input has no witness.
        """

    def load_witness(self, bundle: Bundle, packed_input: bytes, path: Path) -> WitnessResult:
        """Read back a witness that an earlier run kept.

        Raises:
            WitnessError: it is missing, corrupt, or of another input.
        """

    def mock(self, bundle: Bundle, witness: WitnessResult, *, progress: Progress = silent) -> None:
        """Check that a witness satisfies the circuit, without making a proof.

        Raises:
            BackendError: it does not.
        """

    def prove(
        self,
        bundle: Bundle,
        witness: WitnessResult,
        *,
        progress: Progress = silent,
        context: bytes = from_hex(NO_CONTEXT),
    ) -> ProofResult:
        """Make a proof. It is not verified here: `circuits.verification` does that.

        Args:
            bundle: opened with all roles.
            witness: of the same bundle.
            progress: hears of the stage.
            context: 32 bytes, such as a job's, that the proof is bound to where the system binds any; the
                proof file carries them then.

        Raises:
            WitnessError: the witness is corrupt or would make the system hang.
            ProverLimitError: out of memory or time.
            BackendError: the system failed.
        """

    def expected_prove_seconds(self, bundle: Bundle) -> float | None:
        """Return how long a proof should take on this machine, or None when nobody knows yet."""

    def measured(self, bundle: Bundle, stage: str) -> Measured | None:
        """Return what `witness` or `prove` took on this machine, or None when it never ran here."""

    def forget_measured(self, bundle: Bundle) -> None:
        """Forget what a bundle's stages took on this machine."""

    def check_device(self, bundle: Bundle) -> str:
        """Check that what this system was told to prove with is there.

        Returns:
            Why proofs will not be made where they were meant to be; empty when all is as it should be.

        Raises:
            ToolchainError: a program is missing, or is not of the bundle's version.
            GpuError: a GPU is required, and there is none.
        """

    def close(self) -> None:
        """End processes that wait for work; doing it again changes nothing."""

    def quantize_input(self, bundle: Bundle, values: NDArray[Any] | Sequence[float]) -> bytes:
        """Pack one real input for a circuit.

        Raises:
            LayoutError: another number of elements.
            DomainError: not finite, or outside the circuit's domain.
        """

    def quantized_outputs(
        self, bundle: Bundle, inputs: NDArray[Any], *, progress: Progress = silent
    ) -> NDArray[np.int64]:
        """Compute the circuit's integer outputs on many real inputs, without proofs.

        Returns:
            Shape: (samples, output elements).
        """
