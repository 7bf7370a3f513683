"""Compile Solidity with solc 0.8.37 and the one set of settings, deterministically.

Standard JSON in, contracts out. No file is read and none is written; see `sources` and `artifacts`.
"""

import contextlib
import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from verifier_contracts.toolchain.locate import SOLC_VERSION, find_solc
from zkml.config.settings import SECRET_VARIABLES
from zkml.core.extras import install_hint
from zkml.errors import CompileError, ToolchainError

COMPILER = f"solc {SOLC_VERSION}"
EVM_VERSION = "cancun"
SETTINGS: Mapping[str, Any] = {
    "evmVersion": EVM_VERSION,
    # Without metadata the bytecode depends on nothing but the code: no paths, no comments.
    "metadata": {"appendCBOR": False, "bytecodeHash": "none"},
    "optimizer": {"enabled": True, "runs": 200},
}
_OUTPUTS = [
    "abi",
    "evm.bytecode.object",
    "evm.deployedBytecode.object",
    "evm.deployedBytecode.immutableReferences",
]

_PLACE = re.compile(r"--> (\S+:\d+:\d+)")
_environment_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class CompiledContract:
    """What the compiler made of one contract.

    Attributes:
        name: the contract's name.
        source: import path of the file it is in.
        abi: its interface, as solc wrote it.
        creation_code: code of the deploying transaction, without constructor arguments; empty for
            interfaces and abstract contracts.
        runtime_code: code on chain, zeros where immutables go.
        immutables: (start, length) in bytes of every place in `runtime_code` where an immutable goes.
    """

    name: str
    source: str
    abi: tuple[dict[str, Any], ...]
    creation_code: bytes
    runtime_code: bytes
    immutables: tuple[tuple[int, int], ...]


def standard_input(sources: Mapping[str, str]) -> dict[str, Any]:
    """Return the compiler's whole input for `sources`: equal inputs give equal bytecode."""
    return {
        "language": "Solidity",
        "settings": {**SETTINGS, "outputSelection": {"*": {"*": _OUTPUTS}}},
        "sources": {path: {"content": text} for path, text in sorted(sources.items())},
    }


def compile_sources(sources: Mapping[str, str]) -> tuple[CompiledContract, ...]:
    """Compile sources that import nothing but each other.

    Args:
        sources: text by import path.

    Returns:
        Every contract, library and interface in them, sorted by path and name.

    Raises:
        ToolchainError: there is no compiler of the right version.
        CompileError: the compiler refused; carries the first error, with file and line.
    """
    output = _run_solc(standard_input(sources))
    return tuple(
        _contract(path, name, fields)
        for path, contracts in sorted(output.get("contracts", {}).items())
        for name, fields in sorted(contracts.items())
    )


def _run_solc(request: dict[str, Any]) -> dict[str, Any]:
    try:
        import solcx  # noqa: PLC0415 an extra: operators and auditors run without a compiler
        from solcx.exceptions import SolcError  # noqa: PLC0415
    except ImportError as error:
        raise ToolchainError(
            "expected the package py-solc-x, found none", hint=install_hint("solcx")
        ) from error
    program = find_solc()
    try:
        with _environment(program.environment):
            output: dict[str, Any] = solcx.compile_standard(request, solc_binary=program.path)
    except SolcError as error:
        raise CompileError(
            f"expected Solidity that compiles, found {_first_error(error)}",
            hint="correct the source at the place named",
        ) from error
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise ToolchainError(
            f"expected solc to run at {program.path}, found {_first_line(str(error))}",
            hint="run the file with --version to see what it misses",
        ) from error
    return output


def _first_error(error: Any) -> str:
    """Return the first error of the compiler's answer on one line, with its place."""
    try:
        answers = json.loads(error.stdout_data)["errors"]
        first = next(answer for answer in answers if answer["severity"] == "error")
    except (TypeError, ValueError, KeyError, StopIteration):
        return _first_line(error.stderr_data or error.message)
    place = _PLACE.search(first.get("formattedMessage", ""))
    return f"{first['type']}: {_first_line(first['message'])}" + (f" at {place[1]}" if place else "")


def _first_line(text: str) -> str:
    return next((line.strip().rstrip(".") for line in text.splitlines() if line.strip()), "no output")


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables for the launcher while it runs, and hide secrets: py-solc-x passes everything on."""
    with _environment_lock:
        before = {name: os.environ.get(name) for name in (*variables, *SECRET_VARIABLES)}
        os.environ.update(variables)
        for name in SECRET_VARIABLES:
            os.environ.pop(name, None)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def _contract(path: str, name: str, fields: Mapping[str, Any]) -> CompiledContract:
    evm = fields["evm"]
    places = (
        (int(place["start"]), int(place["length"]))
        for group in evm["deployedBytecode"].get("immutableReferences", {}).values()
        for place in group
    )
    return CompiledContract(
        name=name,
        source=path,
        abi=tuple(fields["abi"]),
        creation_code=bytes.fromhex(evm["bytecode"]["object"]),
        runtime_code=bytes.fromhex(evm["deployedBytecode"]["object"]),
        immutables=tuple(sorted(places)),
    )
