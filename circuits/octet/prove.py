"""Make a proof of a kept witness. Whether it verifies is not looked at here: callers do.

Proofs are made inside this process, since a child would take longer to start than most of them take. Time and
memory are watched where the engine reports: between phases, and inside long ones; and none is begun that this
machine has no memory for.
"""

import time
from dataclasses import dataclass

from circuits.bundle import Bundle
from circuits.octet.bundle_bytes import read_role
from circuits.octet.key_files import max_proving_key_bytes, read_proving_key
from circuits.octet.opened_key import make_opened, open_settings
from circuits.octet.packed_statement import statement_of
from circuits.octet.program import Program
from circuits.octet.proof_length import words_to_bytes
from circuits.octet.prover_engine import ProverEngine, open_engine
from circuits.octet.settings import CircuitSettings
from circuits.octet.spec.statement import check_outputs
from circuits.octet.srs_tau import read_g2_points
from circuits.octet.witness_file import read_witness
from circuits.port import ProofResult, WitnessResult
from circuits.portable_proof import portable_proof
from circuits.stages import OnTick
from zkml.adapters.process.child import Limits
from zkml.adapters.process.memory import available_memory, own_memory
from zkml.core.digests import digest_of
from zkml.errors import (
    BackendError,
    DomainError,
    LayoutError,
    ManifestError,
    ProofRejectedError,
    ProverLimitError,
    SrsError,
    WitnessError,
)

_MEMORY_HINT = "raise prover.memory_limit_mib, or let fewer proofs run at once"
CELL_BYTES = 40
"""Memory of a proof per cell of its columns, a little above what the kernels were measured to take."""


@dataclass(frozen=True, eq=False)
class OpenedProver:
    """A proving key, loaded.

    Attributes:
        settings: of its circuit.
        engine: what proves with it.
    """

    settings: CircuitSettings
    engine: ProverEngine


def open_prover(bundle: Bundle, threads: int) -> OpenedProver:
    """Load a bundle's proving key.

    Args:
        bundle: opened with the roles settings, proving_key and srs at least.
        threads: of one proof.

    Raises:
        ArtifactError: a file is missing, changed, or not what its role says.
        CircuitError: the bundle is of another version of this system.
    """
    settings = open_settings(bundle)
    program, manifest = settings.program, bundle.manifest
    key, columns = read_proving_key(read_role(bundle, "proving_key", max_proving_key_bytes(program)), program)
    if digest_of(key) != manifest.verifying_key:
        raise ManifestError(
            f"expected the verifying key {manifest.verifying_key}, found {digest_of(key)} in the proving key",
            hint="rebuild or re-download the bundle",
        )
    srs = bundle.file("srs")
    try:
        verifying = make_opened(manifest, settings, key, read_g2_points(srs)).verifying
        return OpenedProver(settings, open_engine(verifying, columns, srs, threads))
    except SrsError as error:
        raise ManifestError(error.message, hint="rebuild or re-download the bundle") from error


def make_proof(
    bundle: Bundle,
    witness: WitnessResult,
    prover: OpenedProver,
    *,
    context: bytes,
    limits: Limits,
    on_tick: OnTick,
) -> ProofResult:
    """Make a proof of a witness's input and output.

    Args:
        bundle: the prover's.
        witness: from `circuits.octet.run_witness` with the same bundle.
        prover: of the same bundle.
        context: 32 bytes that the proof is bound to.
        limits: time and memory; memory is that of this whole process.
        on_tick: told the seconds so far; what it raises ends the proof.

    Raises:
        WitnessError: the file is corrupt, or is not of this circuit, input and output.
        ProverLimitError: out of memory or time.
        BackendError: the prover failed, or made something else than asked.
        ValueError: the context is not of 32 bytes.
    """
    if len(context) != 32:
        raise ValueError(f"expected a context of 32 bytes, found {len(context)}")
    started = time.monotonic()
    manifest = bundle.manifest
    packed, columns = read_witness(witness.path, prover.settings.program, manifest.circuit)
    if packed != (witness.input, witness.output):
        raise WitnessError(
            f"expected the witness of this input and output, found another at {witness.path}",
            hint="make the witness again",
        )
    try:
        statement = statement_of(prover.settings, *packed, context)
        check_outputs(prover.settings.program, statement)
    except (LayoutError, DomainError, ProofRejectedError) as error:
        raise WitnessError(f"{error.message} in the witness at {witness.path}") from error
    _check_memory(prover.settings.program, limits)
    watch = _Watch(started, limits, on_tick)
    words = prover.engine.prove(statement, columns, on_phase=watch.look)
    data = words_to_bytes(words)
    if len(data) != manifest.proof_bytes:
        raise BackendError(f"expected a proof of {manifest.proof_bytes} bytes, found {len(data)}")
    proof = portable_proof(manifest, witness.input, witness.output, data, context=context)
    return ProofResult(proof, time.monotonic() - started, watch.peak)


def _check_memory(program: Program, limits: Limits) -> None:
    """Refuse a proof that would fill the machine and end this process, with all its other work."""
    needed = CELL_BYTES * program.rows * len(program.columns)
    free = available_memory()
    if needed > free:
        raise ProverLimitError(
            f"expected {needed >> 20} MiB of free memory for a proof, found {free >> 20} MiB",
            hint="end other programs, or prove on a machine with more memory",
        )
    together = own_memory() + needed
    if together > limits.memory_bytes:
        raise ProverLimitError(
            f"expected a proof within {limits.memory_bytes >> 20} MiB, "
            f"found that this process would have {together >> 20} MiB",
            hint=_MEMORY_HINT,
        )


class _Watch:
    """Looks at the clock and at memory whenever the engine reports."""

    def __init__(self, started: float, limits: Limits, on_tick: OnTick) -> None:
        self.peak = own_memory()
        self._started, self._limits, self._on_tick = started, limits, on_tick

    def look(self, phase: str, fraction: float) -> None:
        """End a proof that takes more than it may."""
        del fraction
        elapsed = time.monotonic() - self._started
        self.peak = max(self.peak, own_memory())
        if elapsed > self._limits.wall_seconds:
            raise ProverLimitError(
                f"expected a proof within {self._limits.wall_seconds:g} s, found {elapsed:.1f} s at {phase}",
                hint="raise prover.time_limit_seconds",
            )
        if self.peak > self._limits.memory_bytes:
            raise ProverLimitError(
                f"expected a proof within {self._limits.memory_bytes >> 20} MiB, "
                f"found {self.peak >> 20} MiB in this process at {phase}",
                hint=_MEMORY_HINT,
            )
        self._on_tick(elapsed)
