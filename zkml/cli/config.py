"""`zkml config`: the settings, where each came from, and whether they hold together."""

import os
from pathlib import Path

import click

from zkml.cli.console import table
from zkml.cli.options import Session, local_command
from zkml.config.load import known_keys, variable_of
from zkml.config.redaction import without_credentials
from zkml.config.settings import SECRET_VARIABLES


@click.group("config")
def command() -> None:
    """Show and check the settings.

    Example: zkml config show
    """


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Path):
        return str(value)
    return without_credentials(value) if isinstance(value, str) and "://" in value else value


@command.command()
@local_command
def show(session: Session) -> None:
    """Print every setting with its value and origin.

    Example: zkml config show --json
    """
    docs = {key: entry.metadata["doc"] for key, entry in known_keys().items()}
    origins = session.loaded.origins
    rows = [[origin.key, str(_plain(origin.value)), origin.source] for origin in origins]
    value = {
        "settings": {
            origin.key: {
                "value": _plain(origin.value),
                "origin": origin.source,
                "variable": variable_of(origin.key),
                "doc": docs[origin.key],
            }
            for origin in origins
        }
    }
    for name in SECRET_VARIABLES:
        if name in os.environ:
            rows.append([name, "***", "environment"])
    session.console.result(value, table(["key", "value", "origin"], rows))


@command.command()
@local_command
def check(session: Session) -> None:
    """Load the settings and report every problem at once.

    Example: zkml config check --config zkml.toml
    """
    count = sum(origin.source != "default" for origin in session.loaded.origins)
    session.console.result({"ok": True, "set": count}, f"ok: {count} setting(s) differ from their defaults")
