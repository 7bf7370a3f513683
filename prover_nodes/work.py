"""A job on its way through the lanes: what each lane hands to the next."""

from dataclasses import dataclass

from prover_nodes.journal import Case
from prover_nodes.ports import Circuit
from prover_nodes.slots import Promise
from zkml.core.job_machine import JobFacts
from zkml.core.records import ClaimRecord, ProofRecord, WitnessRecord


@dataclass(frozen=True, slots=True)
class Prepared:
    """A job that is judged, witnessed and promised a slot, and is to be claimed; `filed` if once more."""

    case: Case
    circuit: Circuit
    witness: WitnessRecord
    facts: JobFacts
    filed: ClaimRecord | None
    promise: Promise


@dataclass(frozen=True, slots=True)
class Claimed:
    """A job whose claim stands and whose proof is to be made, in the slot that is promised to it."""

    case: Case
    circuit: Circuit
    witness: WitnessRecord
    claim: ClaimRecord
    promise: Promise


@dataclass(frozen=True, slots=True)
class Proved:
    """A claimed job whose proof is filed."""

    case: Case
    circuit: Circuit
    witness: WitnessRecord
    claim: ClaimRecord
    proof: ProofRecord


@dataclass(frozen=True, slots=True)
class Paid:
    """A job that an earlier run was paid for, and could not file."""

    case: Case
    proof: ProofRecord


Work = Prepared | Claimed | Proved | Paid


def label_of(circuit: Circuit) -> str:
    """Return a short name that tells circuits apart, for whoever counts."""
    return f"{circuit.name}@{circuit.verifying_key_digest.hex()[:8]}"
