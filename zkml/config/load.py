"""Load settings from mappings: flag > environment > zkml.toml > default.

Takes mappings and never looks at the environment by itself, so that tests pass plain dicts. Every
problem is found before anything is reported.
"""

import dataclasses
import difflib
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zkml.config.checks import problems_of
from zkml.config.settings import SECRET_VARIABLES, SECTIONS, Settings
from zkml.errors import ConfigError

PREFIX = "ZKML_"
# Variables that steer programs rather than settings.
OTHER_VARIABLES = frozenset(
    {
        "ZKML_CONFIG",
        "ZKML_NODE",
        "ZKML_NODE_MODULES",
        "ZKML_NATIVE_CACHE",
        "ZKML_ANVIL",
        "ZKML_FORGE",
        *SECRET_VARIABLES,
    }
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from: `flag`, a variable's name, a file's path, or `default`."""

    key: str
    value: Any
    source: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """Checked settings, and the origin of each key in the order of the sections."""

    settings: Settings
    origins: tuple[Origin, ...]


def known_keys() -> dict[str, dataclasses.Field[Any]]:
    """Return every key (`home`, `chain.rpc_url`, ...) with its field."""
    keys: dict[str, dataclasses.Field[Any]] = {"home": Settings.__dataclass_fields__["home"]}
    for section, cls in SECTIONS.items():
        for entry in dataclasses.fields(cls):
            keys[f"{section}.{entry.name}"] = entry
    return keys


def variable_of(key: str) -> str:
    """Return the environment variable of a key: chain.rpc_url -> ZKML_CHAIN_RPC_URL."""
    return PREFIX + key.replace(".", "_").upper()


def _suggest(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _as_number(value: Any, kind: type) -> int | float:
    if isinstance(value, str):
        value = kind(value)
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or (kind is int and value != int(value))
    ):
        raise ValueError(f"expected {'an integer' if kind is int else 'a number'}")
    if not math.isfinite(value) or value < 0:
        raise ValueError("expected a number of at least 0")
    return int(value) if kind is int else float(value)


def _as_switch(value: Any) -> bool:
    switches = {"true": True, "false": False}
    if isinstance(value, str) and value.lower() in switches:
        return switches[value.lower()]
    if not isinstance(value, bool):
        raise ValueError("expected true or false")  # noqa: TRY004  (told apart by message, not by type)
    return value


def _coerce(default: Any, value: Any) -> Any:
    """Turn a value of any source into the type of the key's default, or raise ValueError."""
    if isinstance(default, Path):
        if not isinstance(value, (str, Path)) or not str(value):
            raise ValueError("expected a path")
        return Path(value)
    if isinstance(default, tuple):
        parts = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
        if not isinstance(parts, (list, tuple)) or not all(isinstance(part, str) for part in parts):
            raise ValueError("expected a list of strings (comma-separated in a variable)")
        return tuple(part for part in parts if part)
    if isinstance(default, bool):
        return _as_switch(value)
    if isinstance(default, (int, float)):
        return _as_number(value, type(default))
    if not isinstance(value, str):
        raise ValueError("expected text")  # noqa: TRY004  (told apart by message, not by type)
    return value


def _flatten(table: Mapping[str, Any], file: str, problems: list[str]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    keys = list(known_keys())
    for name, value in table.items():
        if name in SECTIONS and isinstance(value, Mapping):
            flat.update({f"{name}.{inner}": entry for inner, entry in value.items()})
        else:
            flat[name] = value
    for key in [key for key in flat if key not in keys]:
        problems.append(f"{file}: unknown key {key}{_suggest(key, keys)}")
        del flat[key]
    return flat


def read_toml(path: Path) -> dict[str, Any]:
    """Read a `zkml.toml`.

    Raises:
        ConfigError: missing, unreadable or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"expected a readable file, found {error}", hint="check --config") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"expected TOML, found {error} in {path}") from error


def load(
    *,
    flags: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    toml: Mapping[str, Any] | None = None,
    toml_path: str = "zkml.toml",
) -> Loaded:
    """Merge the four sources into checked settings.

    Args:
        flags: values by key; None stands for a flag not given.
        environment: variables; only those that begin with ZKML_ are looked at.
        toml: the parsed file, or None when there is none.
        toml_path: its path, for messages and origins.

    Raises:
        ConfigError: lists every unknown key, malformed value and contradiction at once.
    """
    problems: list[str] = []
    from_file = _flatten(toml or {}, toml_path, problems)
    given = {key: value for key, value in (flags or {}).items() if value is not None}
    variables = {name: value for name, value in (environment or {}).items() if name.startswith(PREFIX)}
    keys = known_keys()
    names = {variable_of(key): key for key in keys}
    for name in variables:
        if name not in names and name not in OTHER_VARIABLES:
            problems.append(f"environment: unknown variable {name}{_suggest(name, list(names))}")

    origins: list[Origin] = []
    for key, entry in keys.items():
        source, raw = "default", entry.default
        if key in given:
            source, raw = "flag", given[key]
        elif variable_of(key) in variables:
            source, raw = variable_of(key), variables[variable_of(key)]
        elif key in from_file:
            source, raw = toml_path, from_file[key]
        try:
            value = raw if source == "default" else _coerce(entry.default, raw)
        except ValueError as error:
            found = "another" if key.startswith("keys.") else f"{raw!r:.80}"
            problems.append(f"{key}: {error}, found {found} in {source}")
            value = entry.default
        origins.append(Origin(key, value, source))

    values = {origin.key: origin.value for origin in origins}
    problems.extend(problems_of(values))
    if problems:
        raise ConfigError(
            f"expected valid settings, found {len(problems)} problem(s): " + "; ".join(problems),
            hint="every key is explained in zkml.example.toml",
            problems=len(problems),
        )
    sections = {
        section: cls(**{entry.name: values[f"{section}.{entry.name}"] for entry in dataclasses.fields(cls)})
        for section, cls in SECTIONS.items()
    }
    return Loaded(Settings(home=values["home"], **sections), tuple(origins))
