"""The options that commands share, and the session they make."""

import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from zkml.cli.console import Console
from zkml.config.home import Home
from zkml.config.load import Loaded, load, read_toml
from zkml.config.settings import Settings

DEFAULT_FILE = "zkml.toml"

_COMMON = (
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout."),
    click.option("-q", "--quiet", is_flag=True, help="Print nothing on stderr but errors."),
    click.option(
        "-v", "--verbose", count=True, help="Show remarks of the programs underneath; -vv tracebacks."
    ),
    click.option(
        "--home", type=click.Path(path_type=Path), help="Directory of all state [ZKML_HOME, .zkml]."
    ),
    click.option("--config", "config_file", type=click.Path(path_type=Path), help="Settings [zkml.toml]."),
)
_CHAIN = (
    click.option("--rpc-url", help="JSON-RPC endpoint; default: the embedded node of this home."),
    click.option("--chain-id", type=click.IntRange(min=1), help="Chain id the endpoint must have."),
)
_SENDING = (
    *_CHAIN,
    click.option(
        "--key-file", type=click.Path(path_type=Path), help="Private key: hex or keystore, mode 0600."
    ),
    click.option("--password-file", type=click.Path(path_type=Path), help="Password of the keystore."),
    click.option("--dry-run", is_flag=True, help="Show what would be sent, and send nothing."),
)
_KEYS = {
    "home": "home",
    "rpc_url": "chain.rpc_url",
    "chain_id": "chain.chain_id",
    "key_file": "keys.key_file",
    "password_file": "keys.password_file",
}


class Session:
    """What a command works with: a console and, loaded on first use, the settings.

    Attributes:
        console: prints.
        flags: what options say of settings, by key; None for an option that was not given.
    """

    def __init__(self, console: Console, flags: Mapping[str, Any], config_file: Path | None) -> None:
        self.console = console
        self.flags = flags
        self._config_file = config_file

    @property
    def config_path(self) -> Path:
        """The settings file, whether it is there or not."""
        return self._config_file or Path(os.environ.get("ZKML_CONFIG", DEFAULT_FILE))

    @functools.cached_property
    def loaded(self) -> Loaded:
        """Settings with their origins.

        Raises:
            ConfigError: every problem at once.
        """
        path = self.config_path
        wanted = self._config_file is not None or "ZKML_CONFIG" in os.environ
        toml = read_toml(path) if wanted or path.exists() else None
        return load(flags=self.flags, environment=os.environ, toml=toml, toml_path=str(path))

    @property
    def settings(self) -> Settings:
        """The settings."""
        return self.loaded.settings

    @property
    def home(self) -> Home:
        """The home's paths, absolute."""
        return Home(self.settings.home.expanduser().absolute())


def _decorate(function: Callable[..., Any], options: tuple[Any, ...]) -> Callable[..., Any]:
    @click.pass_context
    @functools.wraps(function)
    def run(context: click.Context, /, **values: Any) -> Any:
        console = Console(
            as_json=values.pop("as_json"), quiet=values.pop("quiet"), verbose=values.pop("verbose")
        )
        context.find_root().obj = console
        flags = {
            key: str(values[name]) if isinstance(values[name], Path) else values[name]
            for name, key in _KEYS.items()
            if name in values
        }
        for name in _KEYS:
            values.pop(name, None)
        session = Session(console, flags, values.pop("config_file"))
        return function(session, **values)

    for option in reversed((*options, *_COMMON)):
        run = option(run)
    return run


def local_command(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the common options; it receives a `Session` first."""
    return _decorate(function, ())


def chain_command(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the common options and those of the chain."""
    return _decorate(function, _CHAIN)


def sending_command(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command all options of one that sends transactions; it receives `dry_run` too."""
    return _decorate(function, _SENDING)
