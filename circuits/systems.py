"""Name -> proof system, for those who compile and prove. Auditors use `circuits.verification` instead."""

from pathlib import Path

from circuits.measurements import Measurements
from circuits.port import ProofSystem
from zkml.adapters.process.child import Limits
from zkml.errors import CircuitError

NAMES = ("ezkl",)
"""The proof systems this version knows."""


def open_system(
    name: str,
    *,
    limits: Limits | None = None,
    measurements: Path | None = None,
    verbose: bool = False,
) -> ProofSystem:
    """Return a proof system, importing it only now.

    Args:
        name: as manifests carry it.
        limits: memory and time of each child process; generous defaults when None.
        measurements: file that remembers how long stages take; in memory when None.
        verbose: pass the system's own warnings on to stderr.

    Raises:
        CircuitError: no such system.
    """
    if name not in NAMES:
        raise CircuitError(
            f"expected a proof system among {', '.join(NAMES)}, found {name!r:.40}",
            hint="a newer zkml may know it",
        )
    from circuits.ezkl.system import EzklSystem  # noqa: PLC0415 each system is imported only when it is asked for
    from zkml.adapters.ezkl.process import DEFAULT_LIMITS  # noqa: PLC0415

    return EzklSystem(limits or DEFAULT_LIMITS, Measurements(measurements), verbose=verbose)
