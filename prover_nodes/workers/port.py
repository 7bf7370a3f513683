"""The port of workers: who computes a circuit on an input, and who proves it."""

from dataclasses import dataclass
from typing import Protocol

from circuits.measurements import Measured
from zkml.core.progress import Progress


@dataclass(frozen=True, slots=True)
class Computed:
    """What a circuit makes of an input.

    Attributes:
        output: packed output that a proof will carry.
        seconds: how long it took.
        peak_bytes: resident memory it used at most.
    """

    output: bytes
    seconds: float
    peak_bytes: int


@dataclass(frozen=True, slots=True)
class Proved:
    """A proof, and what it cost.

    Attributes:
        output: packed output that the proof carries.
        proof: its bytes.
        seconds: how long it took.
        peak_bytes: resident memory it used at most.
        device: `cpu` or `gpu`, as the device's counters say.
        gpu_peak_bytes: device memory it was seen to use at most.
        note: why it was not made where it was meant to be; empty when all is as it should be.
    """

    output: bytes
    proof: bytes
    seconds: float
    peak_bytes: int
    device: str = "cpu"
    gpu_peak_bytes: int = 0
    note: str = ""


class Worker(Protocol):
    """Computes and proves one circuit; called from several threads at once."""

    def witness(self, packed_input: bytes, *, progress: Progress) -> Computed:
        """Compute the circuit on an input.

        Raises:
            LayoutError, WitnessError: the input cannot be proved.
            ProvingError: it could not be computed.
        """

    def prove(self, packed_input: bytes, *, context: bytes, progress: Progress) -> Proved:
        """Prove what the circuit makes of an input.

        Args:
            packed_input: as on chain.
            context: 32 bytes that the proof is bound to where its system binds any.
            progress: hears of witness and proof.

        Raises:
            ProvingError: no proof could be made.
        """

    def measured(self, stage: str) -> Measured | None:
        """Return what `witness` or `prove` took here, or None when it never ran here."""

    def forget_measured(self) -> None:
        """Forget what the stages took here."""

    def close(self) -> None:
        """End what is under way; doing it again changes nothing."""
