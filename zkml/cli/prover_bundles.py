"""The circuit bundles of a prover at the command line."""

from pathlib import Path
from typing import TYPE_CHECKING

from zkml.cli.options import Session
from zkml.errors import CircuitError, ConfigError, UnsuitableCircuitError

if TYPE_CHECKING:
    from circuits.bundle import Bundle


def open_bundles(session: Session, given: tuple[Path, ...]) -> "list[Bundle]":
    """Open the bundles that were given; else those of `prover.bundles`, else those in the home.

    Of those in the home, which nobody named, the ones whose proofs no contract pays for are left out.

    Raises:
        ConfigError: there are none.
        ArtifactError: one is damaged or incomplete.
        UnsuitableCircuitError: no contract verifies proofs of one that was named.
    """
    from circuits.bundle import Bundle

    paths = list(given) or [Path(path).expanduser() for path in session.settings.prover.bundles]
    are_named = bool(paths)
    if not are_named and session.home.bundles.is_dir():
        paths = sorted(path.parent for path in session.home.bundles.glob("*/manifest.json"))
    opened = [Bundle.open(path) for path in paths]
    payable = [bundle for bundle in opened if _is_payable(session, bundle, is_named=are_named)]
    if not payable:
        raise ConfigError(
            f"expected circuit bundles to prove, found none configured and none in {session.home.bundles}",
            hint="give --bundle DIR, or set prover.bundles in zkml.toml",
        )
    return payable


def _is_payable(session: Session, bundle: "Bundle", *, is_named: bool) -> bool:
    from circuits.verifier_source import check_chain_verifier

    try:
        check_chain_verifier(bundle)
    except (UnsuitableCircuitError, CircuitError) as error:
        message = f"{error.message} in {bundle.path}"
        if is_named:
            raise type(error)(message, hint=error.hint) from error
        session.console.note(f"left out: {message}")
        return False
    return True
