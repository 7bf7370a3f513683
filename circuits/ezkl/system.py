"""EZKL as a `circuits.port.ProofSystem`: limits and progress chosen once, stages as methods."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuits.bundle import Bundle
from circuits.crowd import Crowd
from circuits.ezkl import forward
from circuits.ezkl.batch import compile_batch
from circuits.ezkl.compile import compile_bundle
from circuits.ezkl.gpu import GpuProver
from circuits.ezkl.prove import make_proof
from circuits.ezkl.witness import load_witness, make_witness
from circuits.ezkl.workshop import SYSTEM
from circuits.fast_keys import read_ahead
from circuits.measurements import CPU, GPU, Measured, Measurements
from circuits.packed_input import pack_real_input
from circuits.port import CompileRequest, ProofResult, WitnessResult
from circuits.proof_binding import binds_context
from circuits.proving_machine import PLAIN_MACHINE, ProvingMachine
from circuits.srs import SrsStore
from circuits.stages import OnTick, run_stage
from zkml.adapters.ezkl import client
from zkml.adapters.ezkl.process import DEFAULT_LIMITS, VERSION, ChildOptions
from zkml.adapters.ezkl.spares import SpareChildren
from zkml.adapters.gpu.nvml import NvmlCounters
from zkml.adapters.process.child import Limits
from zkml.core.progress import Progress, ProgressEvent, silent
from zkml.core.records import NO_CONTEXT, from_hex
from zkml.errors import GpuError

WITNESS = "witness"
PROVE = "prove"


@dataclass(frozen=True, slots=True)
class EzklSystem:
    """See `circuits.port.ProofSystem` for what each method promises."""

    limits: Limits
    measurements: Measurements
    verbose: bool = False
    machine: ProvingMachine = PLAIN_MACHINE
    children: SpareChildren | None = None
    gpu: GpuProver | None = None
    crowd: Crowd = field(default_factory=Crowd)

    @property
    def name(self) -> str:
        """The name that manifests carry."""
        return SYSTEM

    @property
    def version(self) -> str:
        """The version of EZKL."""
        return VERSION

    @property
    def binds_context(self) -> bool:
        """Whether proofs are bound to a context."""
        return binds_context(SYSTEM)

    def compile(self, request: CompileRequest, *, progress: Progress = silent) -> Bundle:
        """Compile a model into a bundle whose proofs were seen to verify."""
        return compile_bundle(
            request, options=self._options(), progress=progress, measurements=self.measurements
        )

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
        """Compile a circuit that proves several inputs of a bundle's model at once."""
        return compile_batch(
            base,
            inputs,
            target,
            srs,
            allow_insecure_srs=allow_insecure_srs,
            options=self._options(),
            progress=progress,
            measurements=self.measurements,
        )

    def witness(
        self, bundle: Bundle, packed_input: bytes, path: Path, *, progress: Progress = silent
    ) -> WitnessResult:
        """Compute the circuit on an input and keep the witness at `path`."""
        # The proof comes next, and reads the key from memory if it is there by then.
        read_ahead(bundle.file("proving_key"), bundle.file("srs"))
        with run_stage(progress, WITNESS, self._expected_seconds(bundle, WITNESS)) as on_tick:
            made = make_witness(bundle, packed_input, path, options=self._proving_options(on_tick))
        self.measurements.record(
            bundle.manifest.circuit, WITNESS, made.wall_seconds, peak_bytes=made.peak_rss_bytes
        )
        return made

    def load_witness(self, bundle: Bundle, packed_input: bytes, path: Path) -> WitnessResult:
        """Read back a witness that an earlier run kept."""
        return load_witness(bundle, packed_input, path)

    def mock(self, bundle: Bundle, witness: WitnessResult, *, progress: Progress = silent) -> None:
        """Check that a witness satisfies the circuit, without making a proof."""
        bundle.require("compiled_circuit")
        with run_stage(progress, "mock") as on_tick:
            client.mock(witness.path, bundle.file("compiled_circuit"), options=self._options(on_tick))

    def prove(
        self,
        bundle: Bundle,
        witness: WitnessResult,
        *,
        progress: Progress = silent,
        context: bytes = from_hex(NO_CONTEXT),
    ) -> ProofResult:
        """Make a proof; EZKL's are bound to no context."""
        del context
        with (
            run_stage(progress, PROVE, self.expected_prove_seconds(bundle)) as on_tick,
            self.crowd.join() as stay,
        ):
            made = make_proof(
                bundle,
                witness,
                options=self._proving_options(on_tick),
                fast_keys=self.machine.fast_keys,
                gpu=self.gpu,
            )
        self.measurements.record(
            bundle.manifest.circuit,
            PROVE,
            made.wall_seconds,
            least_seconds=made.wall_seconds * stay.share,
            peak_bytes=made.peak_rss_bytes,
            device=made.device,
        )
        if made.note:
            progress(ProgressEvent(PROVE, made.wall_seconds, note=f"made on the processor: {made.note}"))
        return made

    def expected_prove_seconds(self, bundle: Bundle) -> float | None:
        """Return how long a proof should take on this machine, or None when nobody knows yet."""
        return self._expected_seconds(bundle, PROVE)

    def measured(self, bundle: Bundle, stage: str) -> Measured | None:
        """Return what `witness` or `prove` took on this machine, or None when it never ran here."""
        circuit = bundle.manifest.circuit
        on_gpu = None
        if self.gpu is not None and stage == PROVE:
            on_gpu = self.measurements.find(circuit, stage, GPU)
        return on_gpu or self.measurements.find(circuit, stage)

    def forget_measured(self, bundle: Bundle) -> None:
        """Forget what a bundle's stages took on this machine."""
        for device in (CPU, GPU):
            self.measurements.forget(bundle.manifest.circuit, device)

    def check_device(self, bundle: Bundle) -> str:
        """Check that the GPU program is there and of this bundle's version; return why no GPU will do it."""
        if self.gpu is None:
            return ""
        self.gpu.check(bundle.manifest.system_version)
        return self.gpu.missing()

    def close(self) -> None:
        """End processes that wait for work; doing it again changes nothing."""
        if self.children is not None:
            self.children.close()

    def quantize_input(self, bundle: Bundle, values: NDArray[Any] | Sequence[float]) -> bytes:
        """Pack one real input for a circuit."""
        return pack_real_input(bundle.manifest, values)

    def quantized_outputs(
        self, bundle: Bundle, inputs: NDArray[Any], *, progress: Progress = silent
    ) -> NDArray[np.int64]:
        """Compute the circuit's integer outputs on many real inputs, without proofs."""
        with run_stage(progress, "evaluate") as on_tick:
            return forward.quantized_outputs(bundle, inputs, options=self._options(on_tick))

    def _options(self, on_tick: OnTick | None = None) -> ChildOptions:
        return ChildOptions(self.limits, on_tick, self.verbose)

    def _proving_options(self, on_tick: OnTick) -> ChildOptions:
        """Witness and proof come from one kind of child, so that a spare serves whichever comes first."""
        return ChildOptions(
            self.limits,
            on_tick,
            self.verbose,
            unchecked_keys=True,
            threads=self.machine.threads,
            children=self.children,
        )

    def _expected_seconds(self, bundle: Bundle, stage: str) -> float | None:
        found = self.measured(bundle, stage)
        return None if found is None else found.seconds


def open_ezkl(
    limits: Limits | None, measurements: Measurements, *, verbose: bool, machine: ProvingMachine
) -> EzklSystem:
    """Return EZKL for this machine.

    Args:
        limits: memory and time of each child process; generous defaults when None.
        measurements: remembers what stages take.
        verbose: pass EZKL's own warnings on to stderr.
        machine: what it may use.

    Raises:
        GpuError: a GPU is required, and no program is named that uses one.
    """
    gpu = None
    if machine.gpu_binary is not None:
        counters = machine.gpu_counters or NvmlCounters()
        gpu = GpuProver(machine.gpu_binary, counters, require=machine.require_gpu)
    elif machine.require_gpu:
        raise GpuError(
            "expected a program that proves on a GPU, found none named",
            hint="set prover.gpu_binary to EZKL's GPU build: the Python package uses the processor alone",
        )
    children = SpareChildren(machine.spares) if machine.spares else None
    return EzklSystem(limits or DEFAULT_LIMITS, measurements, verbose, machine, children, gpu)
