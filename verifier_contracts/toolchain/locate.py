"""Find the Solidity compiler of the one exact version, and npm's contract libraries.

Two compilers are accepted: npm's WebAssembly solc through the launcher beside this file, or a native one
that py-solc-x installed. Nothing is ever downloaded.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from zkml.adapters.programs import find_node, find_node_modules
from zkml.errors import ToolchainError

SOLC_VERSION = "0.8.37"
NPM_IMPORTS = ("@openzeppelin/", "@uniswap/", "erc6551/", "ethr-did-registry/")
"""How import paths begin that lead into npm's packages."""
LAUNCHER = Path(__file__).with_name("solc")


@dataclass(frozen=True, slots=True)
class SolcProgram:
    """A compiler that can be run.

    Attributes:
        path: the executable.
        environment: variables it needs besides the process's own.
    """

    path: Path
    environment: Mapping[str, str]


def find_solc(environ: Mapping[str, str] | None = None) -> SolcProgram:
    """Find solc 0.8.37: npm's through the launcher, else a native one of py-solc-x.

    Args:
        environ: environment to read; the process's own when None.

    Returns:
        The compiler, which has not been started.

    Raises:
        ToolchainError: neither is there; says what the launcher misses.
    """
    try:
        return _launcher(environ)
    except ToolchainError as error:
        native = _native_solc()
        if native is None:
            raise ToolchainError(
                f"expected solc {SOLC_VERSION}, found none: {error.message}",
                hint=f"{error.hint}; or install a native one with py-solc-x",
            ) from error
        return SolcProgram(native, {})


def find_import_root(path: str, checkout: Path) -> Path:
    """Return the folder that an import path of ours starts from.

    Args:
        path: an absolute import, e.g. `registry/src/ModelRegistry.sol` or `@openzeppelin/...`.
        checkout: the folder that holds the six packages.

    Returns:
        node_modules for what npm brings, the checkout for our own.

    Raises:
        ToolchainError: npm's packages are needed and not installed.
    """
    return find_node_modules() if path.startswith(NPM_IMPORTS) else checkout


def _launcher(environ: Mapping[str, str] | None) -> SolcProgram:
    modules = find_node_modules(environ)
    found = _npm_solc_version(modules)
    if found != SOLC_VERSION:
        raise ToolchainError(
            f"expected npm's solc {SOLC_VERSION}, found {found} in {modules}",
            hint="run `npm ci` beside package-lock.json",
            path=str(modules),
        )
    variables = {"ZKML_NODE": str(find_node(environ)), "ZKML_NODE_MODULES": str(modules)}
    return SolcProgram(LAUNCHER, variables)


def _npm_solc_version(modules: Path) -> str:
    try:
        description = json.loads((modules / "solc" / "package.json").read_bytes())
        return str(description["version"]) if (modules / "solc" / "soljson.js").is_file() else "none"
    except (OSError, ValueError, KeyError, TypeError):
        return "none"


def _native_solc() -> Path | None:
    try:
        import solcx  # noqa: PLC0415 an extra: operators and auditors run without a compiler
    except ImportError:
        return None
    installed = {str(version) for version in solcx.get_installed_solc_versions()}
    return Path(solcx.install.get_executable(SOLC_VERSION)) if SOLC_VERSION in installed else None
