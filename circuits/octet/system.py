"""OCTET as a `circuits.port.ProofSystem`: limits and progress chosen once, stages as methods."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuits.bundle import Bundle
from circuits.crowd import Crowd
from circuits.measurements import CPU, Measured, Measurements
from circuits.octet.build_bundle import CompileOptions
from circuits.octet.compile_batch import compile_batch
from circuits.octet.compile_bundle import compile_bundle
from circuits.octet.native_choice import choose_native, give_notice
from circuits.octet.opened_cache import OpenedCache
from circuits.octet.prove import OpenedProver, make_proof, open_prover
from circuits.octet.run_witness import check_witness, outputs_of, witness_at, witness_of
from circuits.octet.version import SYSTEM, VERSION
from circuits.packed_input import pack_real_input
from circuits.port import CompileRequest, ProofResult, WitnessResult
from circuits.proof_binding import binds_context
from circuits.proving_machine import PLAIN_MACHINE, ProvingMachine
from circuits.srs import SrsStore
from circuits.stages import run_stage
from zkml.adapters.process.child import Limits
from zkml.core.progress import Progress, silent
from zkml.core.records import NO_CONTEXT, from_hex
from zkml.errors import GpuError

WITNESS = "witness"
PROVE = "prove"
DEFAULT_LIMITS = Limits(memory_bytes=64 << 30, wall_seconds=24 * 3600)


def _opened() -> OpenedCache[OpenedProver]:
    return OpenedCache(("settings", "proving_key", "srs"), size=4)


@dataclass(frozen=True, slots=True)
class OctetSystem:
    """See `circuits.port.ProofSystem` for what each method promises."""

    limits: Limits
    measurements: Measurements
    machine: ProvingMachine = PLAIN_MACHINE
    crowd: Crowd = field(default_factory=Crowd)
    provers: OpenedCache[OpenedProver] = field(default_factory=_opened)

    @property
    def name(self) -> str:
        """The name that manifests carry."""
        return SYSTEM

    @property
    def version(self) -> str:
        """The version of the protocol."""
        return VERSION

    @property
    def binds_context(self) -> bool:
        """Whether proofs are bound to a context."""
        return binds_context(SYSTEM)

    def compile(self, request: CompileRequest, *, progress: Progress = silent) -> Bundle:
        """Compile a model into a bundle whose proofs were seen to verify."""
        _give_notice(progress)
        options = CompileOptions(self.limits, self._threads, progress, self.measurements)
        return compile_bundle(request, options)

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
        """Compile a circuit that proves several inputs of a bundle's model at once, with the same outputs."""
        _give_notice(progress)
        options = CompileOptions(self.limits, self._threads, progress, self.measurements)
        return compile_batch(
            base, inputs, target, srs, allow_insecure_srs=allow_insecure_srs, options=options
        )

    def witness(
        self, bundle: Bundle, packed_input: bytes, path: Path, *, progress: Progress = silent
    ) -> WitnessResult:
        """Compute the circuit on an input and keep the witness at `path`."""
        with run_stage(progress, WITNESS, self._expected_seconds(bundle, WITNESS)):
            made = witness_of(bundle, packed_input, path)
        self.measurements.record(
            bundle.manifest.circuit, WITNESS, made.wall_seconds, peak_bytes=made.peak_rss_bytes
        )
        return made

    def load_witness(self, bundle: Bundle, packed_input: bytes, path: Path) -> WitnessResult:
        """Read back a witness that an earlier run kept."""
        return witness_at(bundle, packed_input, path)

    def mock(self, bundle: Bundle, witness: WitnessResult, *, progress: Progress = silent) -> None:
        """Check that a witness satisfies the circuit, without making a proof."""
        with run_stage(progress, "mock"):
            check_witness(bundle, witness)

    def prove(
        self,
        bundle: Bundle,
        witness: WitnessResult,
        *,
        progress: Progress = silent,
        context: bytes = from_hex(NO_CONTEXT),
    ) -> ProofResult:
        """Make a proof, bound to a context of 32 bytes."""
        _give_notice(progress)
        prover = self.provers.get(bundle, lambda opened: open_prover(opened, self._threads))
        with (
            run_stage(progress, PROVE, self.expected_prove_seconds(bundle)) as on_tick,
            self.crowd.join() as stay,
        ):
            made = make_proof(bundle, witness, prover, context=context, limits=self.limits, on_tick=on_tick)
        self.measurements.record(
            bundle.manifest.circuit,
            PROVE,
            made.wall_seconds,
            least_seconds=made.wall_seconds * stay.share,
            peak_bytes=made.peak_rss_bytes,
        )
        return made

    def expected_prove_seconds(self, bundle: Bundle) -> float | None:
        """Return how long a proof should take on this machine, or None when nobody knows yet."""
        return self._expected_seconds(bundle, PROVE)

    def measured(self, bundle: Bundle, stage: str) -> Measured | None:
        """Return what `witness` or `prove` took on this machine, or None when it never ran here."""
        return self.measurements.find(bundle.manifest.circuit, stage)

    def forget_measured(self, bundle: Bundle) -> None:
        """Forget what a bundle's stages took on this machine."""
        self.measurements.forget(bundle.manifest.circuit, CPU)

    def check_device(self, bundle: Bundle) -> str:
        """Build the kernels if need be; return why proofs will be slow, or will not use the GPU named."""
        del bundle
        reason = choose_native().reason
        if not reason and self.machine.gpu_binary is not None:
            reason = f"{SYSTEM} proves on the processor"
        return reason

    def close(self) -> None:
        """Let go of the keys that are loaded; doing it again changes nothing."""
        self.provers.clear()

    def quantize_input(self, bundle: Bundle, values: NDArray[Any] | Sequence[float]) -> bytes:
        """Pack one real input for a circuit."""
        return pack_real_input(bundle.manifest, values)

    def quantized_outputs(
        self, bundle: Bundle, inputs: NDArray[Any], *, progress: Progress = silent
    ) -> NDArray[np.int64]:
        """Compute the circuit's integer outputs on many real inputs, without proofs."""
        with run_stage(progress, "evaluate"):
            return outputs_of(bundle, inputs)

    @property
    def _threads(self) -> int:
        return self.machine.threads or os.cpu_count() or 1

    def _expected_seconds(self, bundle: Bundle, stage: str) -> float | None:
        found = self.measured(bundle, stage)
        return None if found is None else found.seconds


def open_octet(limits: Limits | None, measurements: Measurements, *, machine: ProvingMachine) -> OctetSystem:
    """Return OCTET for this machine.

    Args:
        limits: time and memory of a proof; generous defaults when None.
        measurements: remembers what stages take.
        machine: what it may use.

    Raises:
        GpuError: a GPU is required.
    """
    if machine.require_gpu:
        raise GpuError(
            f"expected a prover on a GPU, found that {SYSTEM} proves on the processor",
            hint="set prover.require_gpu to false for its circuits",
        )
    return OctetSystem(limits or DEFAULT_LIMITS, measurements, machine)


def _give_notice(progress: Progress) -> None:
    """Build the kernels as a stage of its own, and say once per process why proofs are slow without them."""
    if choose_native.cache_info().currsize == 0:
        with run_stage(progress, "kernels"):
            choose_native()
    give_notice(progress, choose_native().reason)
