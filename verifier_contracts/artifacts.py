"""Compiled contracts as frozen records, and the ones that are shipped with zkml.

The shipped files are written by `python -m verifier_contracts.build`; reading them needs no compiler.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Self

from verifier_contracts.compiler import COMPILER, SETTINGS, CompiledContract
from zkml.core.digests import keccak256
from zkml.core.records import from_hex, to_hex
from zkml.core.strict_json import parse_object
from zkml.errors import ArtifactNotFoundError, FormatError, VerifierMismatchError

FORMAT = "zkml.contract/1"


@dataclass(frozen=True, slots=True)
class ContractArtifact:
    """One compiled contract: interface, code, and what it was compiled with.

    Attributes:
        name: the contract's name.
        source: import path of the file it is in.
        abi: its interface.
        creation_code: code of the deploying transaction, without constructor arguments; empty for an
            interface.
        runtime_code: code on chain, zeros where immutables go.
        immutables: (start, length) in bytes of every immutable in `runtime_code`, sorted.
        compiler: name and version of the compiler.
        settings: the compiler's settings, outputs aside.
    """

    name: str
    source: str
    abi: tuple[dict[str, Any], ...]
    creation_code: bytes
    runtime_code: bytes
    immutables: tuple[tuple[int, int], ...]
    compiler: str
    settings: dict[str, Any]

    @property
    def runtime_code_hash(self) -> bytes:
        """keccak256 of `runtime_code`: the code hash on chain of a contract without immutables."""
        return keccak256(self.runtime_code)

    def verify_code(self, code: bytes, *, where: str) -> None:
        """Check that code found on chain is this contract's, whatever its immutables hold.

        Args:
            code: runtime code as the chain returns it.
            where: what was asked, for the error message.

        Raises:
            VerifierMismatchError: it is other code.
        """
        masked = bytearray(code)
        if len(code) == len(self.runtime_code):
            for start, length in self.immutables:
                masked[start : start + length] = bytes(length)
        if not code or bytes(masked) != self.runtime_code:
            raise VerifierMismatchError(
                f"expected the code of {self.name}, found {len(code)} bytes of other code at {where}",
                hint="the address is wrong, or the contract is of another version",
                contract=self.name,
            )

    def to_bytes(self) -> bytes:
        """Return the artifact's file: JSON, names sorted, one line per value, newline at the end."""
        fields = {
            "format": FORMAT,
            "name": self.name,
            "source": self.source,
            "abi": self.abi,
            "creation_code": to_hex(self.creation_code),
            "runtime_code": to_hex(self.runtime_code),
            "runtime_code_hash": to_hex(self.runtime_code_hash),
            "immutables": self.immutables,
            "compiler": self.compiler,
            "settings": self.settings,
        }
        return (json.dumps(fields, indent=1, sort_keys=True) + "\n").encode()

    @classmethod
    def from_bytes(cls, data: bytes, *, where: str) -> Self:
        """Read an artifact's file.

        Raises:
            FormatError: not JSON, of another format, a field is missing or malformed, or the code does
                not hash to what the file says.
        """
        fields = parse_object(data, where=where)
        if fields.get("format") != FORMAT:
            raise FormatError(f"expected format {FORMAT}, found {fields.get('format')!r:.80} in {where}")
        try:
            artifact = cls(
                name=str(fields["name"]),
                source=str(fields["source"]),
                abi=tuple(fields["abi"]),
                creation_code=from_hex(fields["creation_code"]),
                runtime_code=from_hex(fields["runtime_code"]),
                immutables=tuple((int(start), int(length)) for start, length in fields["immutables"]),
                compiler=str(fields["compiler"]),
                settings=dict(fields["settings"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError(f"expected a compiled contract, found {error!r:.80} in {where}") from error
        if fields.get("runtime_code_hash") != to_hex(artifact.runtime_code_hash):
            raise FormatError(f"expected runtime code of the hash stated, found other code in {where}")
        return artifact

    @classmethod
    def from_compiled(cls, contract: CompiledContract) -> Self:
        """Return the artifact of what the compiler made."""
        return cls(
            name=contract.name,
            source=contract.source,
            abi=contract.abi,
            creation_code=contract.creation_code,
            runtime_code=contract.runtime_code,
            immutables=contract.immutables,
            compiler=COMPILER,
            settings=dict(SETTINGS),
        )


@cache
def load_artifact(name: str) -> ContractArtifact:
    """Return the shipped artifact of one of our contracts.

    Args:
        name: the contract's name, e.g. `JobManager`.

    Raises:
        ArtifactNotFoundError: none of that name is shipped.
        FormatError: the file is damaged.
    """
    path = artifacts_folder() / f"{name}.json"
    if not path.is_file():
        raise ArtifactNotFoundError(
            f"expected a shipped contract, found none named {name}",
            hint="reinstall zkml; in a checkout run `python -m verifier_contracts.build`",
            name=name,
        )
    return ContractArtifact.from_bytes(path.read_bytes(), where=str(path))


def shipped_names() -> list[str]:
    """Return the names of all shipped artifacts, sorted."""
    folder = artifacts_folder()
    files = folder.iterdir() if folder.is_dir() else iter(())
    return sorted(path.name.removesuffix(".json") for path in files if path.name.endswith(".json"))


def artifacts_folder() -> Traversable:
    """Return the folder of the shipped artifacts."""
    return resources.files("verifier_contracts") / "artifacts"
