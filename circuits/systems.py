"""Name -> proof system, for those who compile and prove. Auditors use `circuits.verification` instead."""

from pathlib import Path

from circuits.measurements import Measurements
from circuits.port import ProofSystem
from circuits.proving_machine import PLAIN_MACHINE, ProvingMachine
from zkml.adapters.process.child import Limits
from zkml.errors import CircuitError

NAMES = ("ezkl", "octet")
"""The proof systems this version knows."""


def proof_systems() -> tuple[str, ...]:
    """Return what manifests call the proof systems of this version in full, curve and version included."""
    from circuits.ezkl.workshop import PROOF_SYSTEM as EZKL  # noqa: PLC0415 it brings EZKL's tools
    from circuits.octet.version import PROOF_SYSTEM as OCTET  # noqa: PLC0415 as its neighbour

    return EZKL, OCTET


def open_system(
    name: str,
    *,
    limits: Limits | None = None,
    measurements: Path | None = None,
    verbose: bool = False,
    machine: ProvingMachine = PLAIN_MACHINE,
) -> ProofSystem:
    """Return a proof system, importing it only now.

    Args:
        name: as manifests carry it.
        limits: memory and time of each child process; generous defaults when None.
        measurements: file that remembers how long stages take; in memory when None.
        verbose: pass the system's own warnings on to stderr.
        machine: what proofs may use on this machine. `close` the system when it has spares.

    Raises:
        CircuitError: no such system.
        GpuError: a GPU is required, and no program is named that uses one.
    """
    if name not in NAMES:
        raise CircuitError(
            f"expected a proof system among {', '.join(NAMES)}, found {name!r:.40}",
            hint="a newer zkml may know it",
        )
    # Each system is imported only when it is asked for.
    if name == "octet":
        from circuits.octet.system import open_octet  # noqa: PLC0415

        return open_octet(limits, Measurements(measurements), machine=machine)
    from circuits.ezkl.system import open_ezkl  # noqa: PLC0415

    return open_ezkl(limits, Measurements(measurements), verbose=verbose, machine=machine)
