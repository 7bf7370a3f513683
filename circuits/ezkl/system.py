"""EZKL as a `circuits.port.ProofSystem`: limits and progress chosen once, stages as methods."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuits.bundle import Bundle
from circuits.ezkl import forward
from circuits.ezkl.batch import compile_batch
from circuits.ezkl.compile import compile_bundle
from circuits.ezkl.prove import make_proof
from circuits.ezkl.witness import load_witness, make_witness
from circuits.ezkl.workshop import SYSTEM
from circuits.measurements import Measurements
from circuits.port import CompileRequest, ProofResult, WitnessResult
from circuits.srs import SrsStore
from circuits.stages import OnTick, run_stage
from zkml.adapters.ezkl import client
from zkml.adapters.ezkl.process import VERSION, ChildOptions
from zkml.adapters.process.child import Limits
from zkml.core.progress import Progress, silent


@dataclass(frozen=True, slots=True)
class EzklSystem:
    """See `circuits.port.ProofSystem` for what each method promises."""

    limits: Limits
    measurements: Measurements
    verbose: bool = False

    @property
    def name(self) -> str:
        """The name that manifests carry."""
        return SYSTEM

    @property
    def version(self) -> str:
        """The version of EZKL."""
        return VERSION

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
        with run_stage(progress, "witness") as on_tick:
            return make_witness(bundle, packed_input, path, options=self._options(on_tick))

    def load_witness(self, bundle: Bundle, packed_input: bytes, path: Path) -> WitnessResult:
        """Read back a witness that an earlier run kept."""
        return load_witness(bundle, packed_input, path)

    def mock(self, bundle: Bundle, witness: WitnessResult, *, progress: Progress = silent) -> None:
        """Check that a witness satisfies the circuit, without making a proof."""
        bundle.require("compiled_circuit")
        with run_stage(progress, "mock") as on_tick:
            client.mock(witness.path, bundle.file("compiled_circuit"), options=self._options(on_tick))

    def prove(self, bundle: Bundle, witness: WitnessResult, *, progress: Progress = silent) -> ProofResult:
        """Make a proof."""
        with run_stage(progress, "prove", self.expected_prove_seconds(bundle)) as on_tick:
            result = make_proof(bundle, witness, options=self._options(on_tick, unchecked_keys=True))
        self.measurements.record(bundle.manifest.circuit, "prove", result.wall_seconds)
        return result

    def expected_prove_seconds(self, bundle: Bundle) -> float | None:
        """Return how long a proof should take on this machine, or None when nobody knows yet."""
        return self.measurements.expected_seconds(bundle.manifest.circuit, "prove")

    def quantize_input(self, bundle: Bundle, values: NDArray[Any] | Sequence[float]) -> bytes:
        """Pack one real input for a circuit."""
        return forward.quantize_input(bundle, values)

    def quantized_outputs(
        self, bundle: Bundle, inputs: NDArray[Any], *, progress: Progress = silent
    ) -> NDArray[np.int64]:
        """Compute the circuit's integer outputs on many real inputs, without proofs."""
        with run_stage(progress, "evaluate") as on_tick:
            return forward.quantized_outputs(bundle, inputs, options=self._options(on_tick))

    def _options(self, on_tick: OnTick | None = None, *, unchecked_keys: bool = False) -> ChildOptions:
        return ChildOptions(self.limits, on_tick, self.verbose, unchecked_keys)
