"""Write `zkml.toml`: each key with the sentence that documents it. Pure text.

The sentences are those of `settings.py`, so that a file can say nothing that the program does not mean.
"""

import json
import re
import textwrap
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zkml.config.load import known_keys
from zkml.config.settings import SECTIONS
from zkml.errors import ConfigError

WIDTH = 100
HEADING = (
    "Settings of zkml. `zkml config show` prints all of them, and where each comes from:",
    "command-line flag > environment variable (ZKML_CHAIN_RPC_URL for chain.rpc_url) > file > default.",
    "Secrets never stand here: name the file that holds them, or set ZKML_PRIVATE_KEY. The URL of an",
    "endpoint or a database that holds a key or a password belongs into its environment variable.",
)
_ABOUT = {
    "chain": "The chain and its endpoint.",
    "keys": "Where keys lie.",
    "prover": "A prover node.",
    "api": "The HTTP API of a prover node, where clients pay on tabs.",
    "client": "A client of prover nodes.",
}


def render_toml(values: Mapping[str, Any], sections: Sequence[str] = tuple(SECTIONS)) -> str:
    """Return the text of a settings file.

    Args:
        values: by key (`home`, `chain.rpc_url`); a key that is missing stands there with its default.
        sections: tables to write, in this order.
    """
    parts = ["\n".join(f"# {line}" for line in HEADING), _entries("", values)]
    parts += [f"# {_ABOUT[name]}\n[{name}]\n{_entries(name, values)}" for name in sections]
    return "\n\n".join(parts) + "\n"


def set_value(text: str, key: str, value: Any) -> str:
    """Return the text of a settings file with one key set, all else untouched, comments too.

    Args:
        text: TOML.
        key: with its section, e.g. `prover.min_fee`.
        value: what to set it to.

    Raises:
        ConfigError: not TOML, or written in a way that cannot be edited line by line.
    """
    section, _, name = key.rpartition(".")
    wanted = _parse(text)
    wanted.setdefault(section, {})[name] = value
    line = f"{name} = {toml_value(value)}"
    lines = text.splitlines()
    heads = [i for i, found in enumerate(lines) if re.fullmatch(rf"\s*\[{section}\]\s*(#.*)?", found)]
    if not heads:
        changed = [*lines, "", f"[{section}]", line]
    else:
        start = heads[0] + 1
        others = (i for i in range(start, len(lines)) if re.match(r"\s*\[", lines[i]))
        end = next(others, len(lines))
        at = [i for i in range(start, end) if re.match(rf"\s*{name}\s*=", lines[i])]
        changed = (
            [*lines[: at[0]], line, *lines[at[0] + 1 :]] if at else [*lines[:start], line, *lines[start:]]
        )
    result = "\n".join(changed) + "\n"
    if _parse(result, of="the changed settings") != wanted:
        raise ConfigError(
            f"expected a [{section}] table with one line a key, found another form",
            hint=f"set {key} = {toml_value(value)} by hand",
        )
    return result


def toml_value(value: Any) -> str:
    """Return a value of a setting as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml_value(entry) for entry in value)}]"
    if isinstance(value, str | Path):
        # A JSON string is a TOML string, but for this one control character.
        return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
    raise TypeError(f"no setting is a {type(value).__name__}")


def _entries(section: str, values: Mapping[str, Any]) -> str:
    lines = []
    for key, entry in known_keys().items():
        where, _, name = key.rpartition(".")
        if where == section:
            doc = entry.metadata["doc"]
            lines.append(_comment(f"{doc[0].upper()}{doc[1:]}."))
            lines.append(f"{name} = {toml_value(values.get(key, entry.default))}")
    return "\n".join(lines)


def _comment(text: str) -> str:
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent="# ",
        subsequent_indent="# ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _parse(text: str, *, of: str = "the settings file") -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"expected TOML, found {error} in {of}") from error
