"""Measure what a machine needs for each circuit, and propose a fee that pays for it.

What was measured lies in the measurements file, where the node looks, too: a calibration that was interrupted
goes on where it was, and the node promises proofs by the same figures.
"""

import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from circuits.measurements import Measured
from prover_nodes.circuit_port import BundleCircuit
from prover_nodes.profit import WEI_PER_ETHER, gas_of_job
from zkml.adapters.process.memory import available_memory
from zkml.core.ports.gpu import GpuReport
from zkml.core.progress import Progress, labelled, silent
from zkml.errors import CircuitError, ProvingError, StorageError, ToolchainError

_SECONDS_PER_HOUR = 3600


@dataclass(frozen=True, slots=True)
class CostTerms:
    """What an operator pays and wants; amounts in the payment token's smallest unit.

    Attributes:
        cost_per_hour: of this machine while it proves.
        profit_percent: wanted on top of all costs.
        units_per_ether: what one ether is worth; 0 leaves gas out.
        gas_price_wei: what one gas costs; 0 leaves gas out.
    """

    cost_per_hour: int = 0
    profit_percent: float = 20.0
    units_per_ether: int = 0
    gas_price_wei: int = 0


@dataclass(frozen=True, slots=True)
class CircuitFigures:
    """What one circuit needs here.

    Attributes:
        name: what people call the model.
        circuit: the circuit's digest.
        device: `cpu` or `gpu`, as the devices' counters say.
        runs: proofs that were measured.
        witness_seconds, prove_seconds: averages in which the latest run counts half.
        peak_bytes: resident memory of a proof at most; None when nobody could look.
        gas: of claim and settlement of a job; None where the verifier cannot be compiled here.
        compute_cost, gas_cost: of one job.
        proposed_fee: both and the profit, rounded up.
        note: why a figure is missing, or a proof was not made where it was meant to be.
    """

    name: str
    circuit: str
    device: str
    runs: int
    witness_seconds: float
    prove_seconds: float
    peak_bytes: int | None
    gas: int | None
    compute_cost: int
    gas_cost: int
    proposed_fee: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """What was measured on.

    Attributes:
        processors: threads of this machine.
        free_memory_bytes: at the end of the calibration.
        gpus: the devices, or why there are none; None when nobody asked.
    """

    processors: int
    free_memory_bytes: int
    gpus: GpuReport | None


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """Everything that was measured."""

    machine: Machine
    terms: CostTerms
    circuits: tuple[CircuitFigures, ...]

    @property
    def proposed_min_fee(self) -> int:
        """The fee below which at least one of the circuits would not pay."""
        return max((found.proposed_fee for found in self.circuits), default=0)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON; amounts of tokens as text."""
        gpus = self.machine.gpus
        amounts = ("compute_cost", "gas_cost", "proposed_fee")
        return {
            "machine": {
                "processors": self.machine.processors,
                "free_memory_bytes": self.machine.free_memory_bytes,
                "gpus": None if gpus is None else gpus.as_json(),
            },
            "terms": asdict(self.terms),
            "circuits": [
                asdict(found) | {name: str(getattr(found, name)) for name in amounts}
                for found in self.circuits
            ],
            "proposed_min_fee": str(self.proposed_min_fee),
        }


def calibrate(
    circuits: Sequence[BundleCircuit],
    *,
    terms: CostTerms,
    runs: int = 3,
    again: bool = False,
    gpus: GpuReport | None = None,
    progress: Progress = silent,
) -> CalibrationReport:
    """Measure circuits on this machine, or on the cluster they were opened with.

    Args:
        circuits: opened with the measurements file of the node.
        terms: what the operator pays and wants.
        runs: proofs of each circuit, at least 1; those measured earlier count.
        again: forget what was measured earlier.
        gpus: the machine's devices, for the report.
        progress: hears of each witness and proof, under the circuit's name.

    Raises:
        ProvingError: a sample could not be proved.
        VerificationError: a proof does not hold.
        StorageError: nothing measured can be remembered.
    """
    figures = []
    for circuit in circuits:
        named = labelled(progress, lambda name=circuit.name: name)  # type: ignore[misc]
        if again:
            circuit.forget_measured()
        figures.append(_measure(circuit, terms, runs, named))
    machine = Machine(os.cpu_count() or 1, available_memory(), gpus)
    return CalibrationReport(machine, terms, tuple(figures))


def fee_for(seconds: float, gas: int | None, terms: CostTerms) -> tuple[int, int, int]:
    """Return what a job's time costs, what its gas costs, and the fee that pays both and the profit.

    Args:
        seconds: of witness and proof.
        gas: of the job's transactions; None counts as none.
        terms: what the operator pays and wants.
    """
    compute = Fraction(seconds) * terms.cost_per_hour / _SECONDS_PER_HOUR
    wei = (gas or 0) * terms.gas_price_wei
    spent = Fraction(wei * terms.units_per_ether, WEI_PER_ETHER)
    wanted = (compute + spent) * (1 + Fraction(terms.profit_percent) / 100)
    return math.ceil(compute), math.ceil(spent), math.ceil(wanted)


def _measure(circuit: BundleCircuit, terms: CostTerms, runs: int, progress: Progress) -> CircuitFigures:
    gas, gas_note = _gas_of(circuit, progress)
    note = ""
    for _run in range(runs):
        if _measured_runs(circuit) >= runs:
            break
        note = circuit.measure_once(progress=progress).note
    witness, prove = circuit.measured("witness"), circuit.measured("prove")
    if witness is None or prove is None:
        raise StorageError("expected to remember what was measured, found that it cannot be written")
    return _figures(circuit, witness, prove, gas, terms, notes=(gas_note, note))


def _measured_runs(circuit: BundleCircuit) -> int:
    found = [circuit.measured(stage) for stage in ("witness", "prove")]
    return min(0 if stage is None else stage.runs for stage in found)


def _gas_of(circuit: BundleCircuit, progress: Progress) -> tuple[int | None, str]:
    """Return the gas of a job; proves a sample where nobody measured the verifier yet."""
    try:
        verify_gas = circuit.least_gas_limit(circuit.usual_key_digest(), progress=progress)
    except ProvingError:
        raise
    except (ToolchainError, CircuitError) as error:
        return None, f"gas unknown: {error.message}"
    return gas_of_job(circuit.layout, verify_gas, circuit.proof_bytes), ""


def _figures(
    circuit: BundleCircuit,
    witness: Measured,
    prove: Measured,
    gas: int | None,
    terms: CostTerms,
    *,
    notes: Sequence[str],
) -> CircuitFigures:
    compute, spent, fee = fee_for(witness.seconds + prove.seconds, gas, terms)
    return CircuitFigures(
        name=circuit.name,
        circuit=circuit.circuit_digest,
        device=prove.device.removeprefix("ray-"),
        runs=min(witness.runs, prove.runs),
        witness_seconds=witness.seconds,
        prove_seconds=prove.seconds,
        peak_bytes=prove.peak_bytes,
        gas=gas,
        compute_cost=compute,
        gas_cost=spent,
        proposed_fee=fee,
        note="; ".join(note for note in notes if note),
    )
