"""Turn the Solidity that EZKL generates into a compiled contract: for one verifying key, or for all.

The text comes from the caller, who has EZKL; here is only Solidity. Equal text gives equal code.
"""

from pathlib import Path

from verifier_contracts.artifacts import ContractArtifact
from verifier_contracts.compiler import COMPILER, CompiledContract, compile_sources, standard_input
from zkml.adapters.atomic_write import write_atomically
from zkml.core.digests import canonical_json, digest_bytes, digest_of
from zkml.errors import CompileError, FormatError

MAX_CODE_BYTES = 24_576
"""EIP-170: no chain accepts a larger contract."""
SOURCE_NAME = "Halo2Verifier.sol"
SHARED_SOURCE_NAME = "Halo2VerifierReusable.sol"
_ENTRY_POINT = ("verifyProof", ("bytes", "uint256[]"))
_SHARED_ENTRY_POINT = ("verifyProof", ("bytes", "uint256[]", "bytes32[]"))

_EntryPoint = tuple[str, tuple[str, ...]]


def compile_verifier(source: str, *, cache_dir: Path) -> ContractArtifact:
    """Compile a generated verifier, or take it from the cache.

    Args:
        source: the Solidity text, one contract that stands alone.
        cache_dir: folder for compiled verifiers, filed under the digest of text and settings; made
            when missing.

    Returns:
        The compiled verifier; without immutables, so its code hash on chain is `runtime_code_hash`.

    Raises:
        ToolchainError: there is no compiler, and the cache has no such verifier.
        CompileError: the compiler refused, it is no verifier, or its code exceeds EIP-170's limit.
        StorageError: the cache cannot be written.
    """
    return _compile(source, SOURCE_NAME, _ENTRY_POINT, cache_dir)


def compile_shared_verifier(source: str, *, cache_dir: Path) -> ContractArtifact:
    """Compile the reusable verifier, whose source is the same for every key, or take it from the cache.

    Args:
        source: the Solidity text, one contract that stands alone.
        cache_dir: as in `compile_verifier`.

    Raises:
        ToolchainError, CompileError, StorageError: as in `compile_verifier`.
    """
    return _compile(source, SHARED_SOURCE_NAME, _SHARED_ENTRY_POINT, cache_dir)


def _compile(source: str, name: str, entry_point: _EntryPoint, cache_dir: Path) -> ContractArtifact:
    path = cache_dir / f"{verifier_digest(source, name).hex()}.json"
    cached = _read_cached(path)
    if cached is not None:
        return cached
    artifact = ContractArtifact.from_compiled(
        _only_verifier(compile_sources({name: source}), name, entry_point)
    )
    write_atomically(path, artifact.to_bytes())
    return artifact


def verifier_digest(source: str, name: str = SOURCE_NAME) -> bytes:
    """Return the 32 bytes under which a verifier is cached: the digest of compiler, settings and text."""
    seen = {"compiler": COMPILER, "input": standard_input({name: source})}
    return digest_bytes(digest_of(canonical_json(seen)))


def _only_verifier(
    contracts: tuple[CompiledContract, ...], source_name: str, entry_point: _EntryPoint
) -> CompiledContract:
    found = [
        contract for contract in contracts if contract.creation_code and _is_verifier(contract, entry_point)
    ]
    if len(found) != 1:
        raise CompileError(
            f"expected one contract with {entry_point[0]}({','.join(entry_point[1])}), "
            f"found {len(found)} in {source_name}",
            hint="the source is not a verifier that this version of EZKL generates",
        )
    size = len(found[0].runtime_code)
    if size > MAX_CODE_BYTES:
        raise CompileError(
            f"expected at most {MAX_CODE_BYTES} bytes of verifier code, found {size} in {found[0].name}",
            hint="compile the circuit with more rows (larger logrows) or fewer inner columns",
            size=size,
        )
    return found[0]


def _is_verifier(contract: CompiledContract, entry_point: _EntryPoint) -> bool:
    functions = {
        (entry["name"], tuple(part["type"] for part in entry["inputs"]))
        for entry in contract.abi
        if entry["type"] == "function"
    }
    takes_arguments = any(entry["type"] == "constructor" and entry["inputs"] for entry in contract.abi)
    return entry_point in functions and not contract.immutables and not takes_arguments


def _read_cached(path: Path) -> ContractArtifact | None:
    """Return the cached artifact, or None when there is none or it is damaged: it is made anew then."""
    try:
        return ContractArtifact.from_bytes(path.read_bytes(), where=str(path))
    except (FormatError, OSError):
        return None
