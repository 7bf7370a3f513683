"""Open a proof system with the settings of this run."""

from typing import Any

from zkml.cli.options import Session


def open_proving_system(session: Session, name: str) -> Any:
    """Return a proof system with the configured limits and this home's measurements."""
    from circuits.systems import open_system
    from zkml.adapters.process.child import Limits

    prover = session.settings.prover
    return open_system(
        name,
        limits=Limits(memory_bytes=prover.memory_limit_mib << 20, wall_seconds=prover.time_limit_seconds),
        measurements=session.home.measurements,
        verbose=session.console.verbose > 0,
    )
