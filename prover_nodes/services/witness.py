"""Witness: run the circuit on the input. It costs a hundredth of a proof, and comes before the claim."""

from prover_nodes.ports import Circuit
from prover_nodes.services.fetch import FetchedInput
from zkml.core.progress import Progress
from zkml.core.records import WitnessRecord, from_hex, to_hex


def make_witness(fetched: FetchedInput, circuit: Circuit, *, progress: Progress) -> WitnessRecord:
    """Compute the output that a proof will carry; an input without one then costs nobody collateral.

    Raises:
        LayoutError: the input is of another length than the circuit's.
        DomainError: an element lies outside the circuit's domain.
        WitnessError: the input has no witness.
        ProvingError: the proof system failed.
    """
    output, seconds = circuit.witness(from_hex(fetched.input), progress=progress)
    return WitnessRecord(
        request=fetched.request, input=fetched.input, output=to_hex(output), wall_seconds=seconds
    )
