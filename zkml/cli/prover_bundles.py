"""The circuit bundles of a prover at the command line."""

from pathlib import Path
from typing import Any

from zkml.cli.options import Session
from zkml.errors import ConfigError


def open_bundles(session: Session, given: tuple[Path, ...]) -> list[Any]:
    """Open the bundles that were given; else those of `prover.bundles`, else those in the home.

    Raises:
        ConfigError: there are none.
        ArtifactError: one is damaged or incomplete.
    """
    from circuits.bundle import Bundle

    paths = list(given) or [Path(path).expanduser() for path in session.settings.prover.bundles]
    if not paths and session.home.bundles.is_dir():
        paths = sorted(path.parent for path in session.home.bundles.glob("*/manifest.json"))
    if not paths:
        raise ConfigError(
            f"expected circuit bundles to prove, found none configured and none in {session.home.bundles}",
            hint="give --bundle DIR, or set prover.bundles in zkml.toml",
        )
    return [Bundle.open(path) for path in paths]
