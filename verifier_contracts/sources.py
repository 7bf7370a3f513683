"""Collect Solidity sources with everything they import, as the compiler wants them: by import path.

The compiler itself reads no file, so what is compiled is exactly what is collected here.
"""

import posixpath
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from verifier_contracts.toolchain.locate import find_import_root
from zkml.errors import ArtifactNotFoundError

CHECKOUT = Path(__file__).resolve().parents[1]
SOURCE_FOLDERS = ("verifier_contracts/src", "registry/src", "marketplace/src")
FOREIGN_CONTRACTS = {
    "TimelockController": "@openzeppelin/contracts/governance/TimelockController.sol",
    "ERC6551Registry": "erc6551/ERC6551Registry.sol",
    "ERC6551Account": "erc6551/examples/simple/ERC6551Account.sol",
    "EthereumDIDRegistry": "ethr-did-registry/contracts/EthereumDIDRegistry.sol",
}
"""Contracts of others that a deployment needs, by name, and where npm has them."""
PREBUILT_CONTRACTS = {
    "UniswapV2Factory": "@uniswap/v2-core/build/UniswapV2Factory.json",
    "UniswapV2Pair": "@uniswap/v2-core/build/UniswapV2Pair.json",
}
"""Contracts of others that only an older compiler takes, as npm has them compiled by their authors."""

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_IMPORT = re.compile(r"""\bimport\s+(?:[^;"']*?\bfrom\s+)?["']([^"']+)["']""")

ReadSource = Callable[[str], str]


def own_sources(checkout: Path = CHECKOUT) -> list[str]:
    """Return the import paths of all our contracts, sorted."""
    return sorted(
        f"{folder}/{path.name}" for folder in SOURCE_FOLDERS for path in (checkout / folder).glob("*.sol")
    )


def collect_sources(roots: Iterable[str], read: ReadSource | None = None) -> dict[str, str]:
    """Read sources and, transitively, what they import.

    Args:
        roots: import paths to start from.
        read: returns the text of an import path; by default from the checkout and node_modules.

    Returns:
        Text by import path, sorted by path.

    Raises:
        ArtifactNotFoundError: a file is missing; names who imports it.
        ToolchainError: npm's packages are needed and not installed.
    """
    read = read or read_source
    found: dict[str, str] = {}
    pending = [(path, "") for path in roots]
    while pending:
        path, importer = pending.pop()
        if path in found:
            continue
        try:
            found[path] = read(path)
        except (OSError, UnicodeDecodeError) as error:
            raise ArtifactNotFoundError(
                f"expected a Solidity source at {path}, found none"
                + (f" (imported by {importer})" if importer else ""),
                hint="run `npm ci` if it belongs to an npm package",
                path=path,
            ) from error
        pending += [(target, path) for target in imports_of(path, found[path])]
    return dict(sorted(found.items()))


def read_source(path: str) -> str:
    """Return the text behind an import path, from the checkout or node_modules."""
    return (find_import_root(path, CHECKOUT) / path).read_text(encoding="utf-8")


def imports_of(path: str, text: str) -> list[str]:
    """Return the import paths that a source names, relative ones resolved against its own path."""
    return [_resolve(path, target) for target in _IMPORT.findall(_COMMENT.sub(" ", text))]


def _resolve(importer: str, target: str) -> str:
    if not target.startswith(("./", "../")):
        return target
    return posixpath.normpath(posixpath.join(posixpath.dirname(importer), target))
