"""`zkml prover init`: ask an operator what a node needs to know, look at it, and write `zkml.toml`."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from zkml.cli.options import Session, sending_command
from zkml.config.load import known_keys, load, read_toml, variable_of
from zkml.config.redaction import holds_secret
from zkml.config.settings import SECTIONS
from zkml.config.template import render_toml
from zkml.errors import ConfigError

WRITTEN = ("chain", "keys", "prover", "api")
ASKED = (
    "chain.rpc_url",
    "chain.chain_id",
    "keys.key_file",
    "keys.password_file",
    "prover.bundles",
    "prover.workers",
    "prover.min_fee",
    "prover.cost_per_hour",
    "prover.units_per_ether",
    "prover.admin_port",
    "api.port",
    "api.public_url",
    "api.prover_fee",
)
_URLS = ("chain.rpc_url", "prover.journal_url")
_FILES = ("keys.key_file", "keys.password_file")


@click.command()
@click.option("--bundle", "bundles", multiple=True, help="Circuit bundle to prove; may be repeated.")
@click.option(
    "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Any setting, e.g. prover.workers=2."
)
@click.option("--yes", is_flag=True, help="Ask nothing; what is not given keeps its value.")
@click.option("--overwrite", is_flag=True, help="Replace a file that is there, and keep it as a backup.")
@click.option("--unchecked", is_flag=True, help="Write even what does not work yet.")
@sending_command
def init(
    session: Session,
    bundles: tuple[str, ...],
    changes: tuple[str, ...],
    yes: bool,
    overwrite: bool,
    unchecked: bool,
    dry_run: bool,
) -> None:
    """Write the settings of a prover node, every key explained, after a look at what they name.

    It asks for what is not given as an option, unless --yes is. A secret is never written: a key stays in
    its file, and a URL that holds a key or a password in its environment variable.

    Example: zkml prover init --yes --bundle bundles/digits --set prover.workers=2
    """
    path = session.config_path
    old = read_toml(path) if path.exists() else {}
    given = _given(session, bundles, changes)
    values = _values(given, old, path)
    asks = not yes and not session.console.as_json and _is_terminal()
    if asks:
        given = _ask(given, old, path)
        values = _values(given, old, path)
    findings = _look(values)
    wrong = [finding for finding in findings if not finding.is_well]
    kept_out = [key for key in _URLS if holds_secret(values[key])]
    sections = [*WRITTEN, *(name for name in SECTIONS if name in old and name not in WRITTEN)]
    text = render_toml({**values, **dict.fromkeys(kept_out, "")}, sections)
    _may_write(path, wrong, asks=asks, overwrite=overwrite, unchecked=unchecked, dry_run=dry_run)
    backup = None if dry_run else _write(path, text)
    notes = [f"{variable_of(key)} must hold {key}: its URL holds a secret" for key in kept_out]
    notes += _key_note(session, values)
    value = {
        "dry_run": dry_run,
        "file": str(path),
        "written": not dry_run,
        "backup": None if backup is None else str(backup),
        "checks": [finding.as_json() for finding in findings],
        "variables": [variable_of(key) for key in kept_out],
        **({"text": text} if dry_run else {}),
    }
    shown = [f"{'ok' if found.is_well else 'no'}  {found.about}: {found.found}" for found in findings]
    done = [text.rstrip("\n")] if dry_run else [f"{path} written", *_backup_line(backup)]
    session.console.result(value, "\n".join([*shown, *notes, *done]))


def _key_note(session: Session, values: Mapping[str, Any]) -> list[str]:
    """Say that a node will need a key, where none is in sight; it may yet be given when it starts."""
    from zkml.wiring import KEY_VARIABLE

    is_there = values["keys.key_file"] or KEY_VARIABLE in os.environ
    if is_there or (session.home.keys / "prover.key").exists():
        return []
    return [f"no key is named: start the node with --key-file FILE or {KEY_VARIABLE}"]


def _is_terminal() -> bool:
    return sys.stdin.isatty()


def _given(session: Session, bundles: Sequence[str], changes: Sequence[str]) -> dict[str, Any]:
    """Return what options say, by key; the environment is left out, for it is not the file's to repeat."""
    given = {key: value for key, value in session.flags.items() if value is not None}
    if bundles:
        given["prover.bundles"] = [str(Path(bundle).expanduser().absolute()) for bundle in bundles]
    for change in changes:
        key, separator, value = change.partition("=")
        if not separator:
            raise ConfigError("expected KEY=VALUE after --set, found no =")
        if key not in known_keys():
            raise ConfigError(
                f"expected the key of a setting after --set, found {key!r:.60}", hint="zkml config show"
            )
        given[key] = value
    # A node may be started from anywhere.
    files = {key: str(Path(given[key]).expanduser().absolute()) for key in _FILES if given.get(key)}
    return given | files


def _values(given: Mapping[str, Any], old: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return every setting: what is given, else what the old file says, else its default."""
    loaded = load(flags=given, toml=old, toml_path=str(path))
    return {origin.key: origin.value for origin in loaded.origins}


def _ask(given: Mapping[str, Any], old: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Ask for what is not given; ask again where an answer cannot be."""
    answers = dict(given)
    for key in ASKED:
        if key in given or (
            key.startswith("api.") and key != "api.port" and not _number(answers, "api.port")
        ):
            continue
        doc = known_keys()[key].metadata["doc"]
        while True:
            now = _values(answers, old, path)[key]
            default = ",".join(now) if isinstance(now, tuple) else str(now)
            click.echo(f"{doc[0].upper()}{doc[1:]}.", err=True)
            answer = click.prompt(key, default=default, err=True, show_default=bool(default))
            try:
                _values({**answers, key: answer}, old, path)
            except ConfigError as error:
                click.echo(error.message, err=True)
                continue
            answers[key] = answer
            break
    return answers


def _number(answers: Mapping[str, Any], key: str) -> int:
    return int(answers.get(key) or 0)


def _look(values: Mapping[str, Any]) -> list[Any]:
    """Look at what a node would find with this file here and now: its environment goes before the file."""
    from prover_nodes.setup import check_setup
    from zkml.config.home import Home

    file: dict[str, Any] = {}
    for key, value in values.items():
        section, _, name = key.rpartition(".")
        plain = list(value) if isinstance(value, tuple) else value
        (file.setdefault(section, {}) if section else file)[name] = plain
    settings = load(environment=os.environ, toml=file).settings
    return list(check_setup(settings, Home(settings.home.expanduser().absolute()), os.environ))


def _may_write(
    path: Path, wrong: Sequence[Any], *, asks: bool, overwrite: bool, unchecked: bool, dry_run: bool
) -> None:
    """Raise unless the file may be written."""
    if dry_run:
        return
    if wrong and not unchecked:
        for finding in wrong if asks else ():
            click.echo(f"{finding.about}: {finding.found}", err=True)
        if not (asks and click.confirm("Write it all the same?", err=True)):
            first = wrong[0]
            raise ConfigError(
                f"expected settings that work, found {first.about}: {first.found}",
                hint=first.hint or "give --unchecked to write them all the same",
            )
    if path.exists() and not overwrite:
        if asks and click.confirm(f"{path} is there. Replace it, and keep it as a backup?", err=True):
            return
        raise ConfigError(f"expected no settings yet, found {path}", hint="--overwrite keeps it as a backup")


def _write(path: Path, text: str) -> Path | None:
    """Write the file; return where the old one is kept."""
    from zkml.adapters.atomic_write import write_atomically

    backup = None
    if path.exists():
        numbers = range(1, 10_000)
        names = (path.with_name(f"{path.name}.{number}.bak") for number in numbers)
        backup = next(name for name in names if not name.exists())
        write_atomically(backup, path.read_bytes(), mode=0o600)
    write_atomically(path, text.encode())
    return backup


def _backup_line(backup: Path | None) -> list[str]:
    return [] if backup is None else [f"the old one is kept as {backup}"]
