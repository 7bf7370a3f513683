"""Write the shipped artifacts of our contracts and of those deployed with them, or check them.

    python -m verifier_contracts.build [--check]

Compiles the three `src` folders, and what a deployment needs of others, in one go. Deterministic: two runs
write the same bytes. For developers and CI; not a command of zkml.
"""

import argparse
import re
import sys
from pathlib import Path

from verifier_contracts.artifacts import ContractArtifact, artifacts_folder
from verifier_contracts.compiler import CompiledContract, compile_sources
from verifier_contracts.sources import (
    FOREIGN_CONTRACTS,
    PREBUILT_CONTRACTS,
    collect_sources,
    own_sources,
    read_source,
)
from zkml.core.records import from_hex
from zkml.core.strict_json import parse_object
from zkml.errors import ArtifactError, ZkmlError

_INTERFACE_NAME = re.compile(r"I[A-Z]")


def build_artifacts() -> dict[str, bytes]:
    """Compile our contracts and those of others that a deployment needs.

    Returns:
        File contents by file name, of everything of ours that has an interface, of `FOREIGN_CONTRACTS`, and
        of `PREBUILT_CONTRACTS`.

    Raises:
        ToolchainError: there is no compiler.
        CompileError: a source does not compile.
        ArtifactError: a source is missing, or two contracts have one name.
    """
    own = own_sources()
    foreign = set(FOREIGN_CONTRACTS.items())
    artifacts: dict[str, bytes] = {}
    for contract in compile_sources(collect_sources([*own, *FOREIGN_CONTRACTS.values()])):
        is_shipped = contract.source in own or (contract.name, contract.source) in foreign
        if not is_shipped or not contract.abi or _is_abstract(contract):
            continue
        file_name = f"{contract.name}.json"
        if file_name in artifacts:
            raise ArtifactError(
                f"expected one contract named {contract.name}, found another in {contract.source}"
            )
        artifacts[file_name] = ContractArtifact.from_compiled(contract).to_bytes()
    for name, path in PREBUILT_CONTRACTS.items():
        artifacts[f"{name}.json"] = _prebuilt(name, path).to_bytes()
    return artifacts


def _prebuilt(name: str, path: str) -> ContractArtifact:
    """Return the artifact of a contract that its authors compiled, from their package."""
    document = parse_object(read_source(path).encode(), where=path)
    try:
        metadata = parse_object(document["metadata"].encode(), where=path)
        compiled = document["evm"]
        return ContractArtifact(
            name=name,
            source=next(iter(metadata["settings"]["compilationTarget"])),
            abi=tuple(document["abi"]),
            creation_code=from_hex("0x" + compiled["bytecode"]["object"]),
            runtime_code=from_hex("0x" + compiled["deployedBytecode"]["object"]),
            immutables=(),
            compiler=f"solc {metadata['compiler']['version']}",
            settings=metadata["settings"],
        )
    except (KeyError, TypeError, AttributeError, StopIteration) as error:
        raise ArtifactError(f"expected a compiled {name}, found {error!r:.80} in {path}") from error


def _is_abstract(contract: CompiledContract) -> bool:
    """Whether it is a part of another contract, and no interface either."""
    return not contract.creation_code and not _INTERFACE_NAME.match(contract.name)


def stale_artifacts(folder: Path, built: dict[str, bytes]) -> list[str]:
    """Return the names of files in `folder` that are missing, other than `built`, or too many."""
    present = {path.name: path.read_bytes() for path in folder.glob("*.json")}
    return sorted(name for name in present.keys() | built.keys() if present.get(name) != built.get(name))


def write_artifacts(folder: Path, built: dict[str, bytes]) -> list[str]:
    """Make `folder` hold exactly `built` and return the names of the files that changed."""
    folder.mkdir(exist_ok=True)
    stale = stale_artifacts(folder, built)
    for name in stale:
        if name in built:
            (folder / name).write_bytes(built[name])
        else:
            (folder / name).unlink()
    return stale


def main(argv: list[str]) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="verifier_contracts.build", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; fail if a file is stale")
    options = parser.parse_args(argv)
    folder = Path(str(artifacts_folder()))
    try:
        built = build_artifacts()
        changed = stale_artifacts(folder, built) if options.check else write_artifacts(folder, built)
    except ZkmlError as error:
        sys.stderr.write(f"error: {error.message}\nhint: {error.hint}\n")
        return error.exit_code
    for name in changed:
        sys.stdout.write(f"{'stale' if options.check else 'written'} {name}\n")
    return 1 if options.check and changed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
