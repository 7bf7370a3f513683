"""How much gas a circuit's verification may use: measured on a sample proof before anything is deployed.

The sample also shows that the compiled verifier and the adapter accept what this circuit proves, while
it still costs nothing to learn that they do not.
"""

import json
from pathlib import Path

from circuits.bundle import Bundle
from circuits.port import ProofSystem
from verifier_contracts.artifacts import ContractArtifact
from verifier_contracts.local_verification import verify_in_local_evm
from zkml.adapters.atomic_write import write_atomically
from zkml.core.progress import Progress, silent
from zkml.core.records import from_hex
from zkml.core.strict_json import parse_object
from zkml.core.tensors import expand_input
from zkml.errors import FormatError

_SAMPLE_SEED = bytes(32)


def measure_gas_limit(
    bundle: Bundle,
    system: ProofSystem,
    verifier: ContractArtifact,
    *,
    cache_dir: Path,
    scratch: Path,
    progress: Progress = silent,
) -> int:
    """Return the gas limit to pin, from the cache or by proving one input of the domain.

    Args:
        bundle: opened with all roles.
        system: the bundle's proof system.
        verifier: compiled from the bundle's key.
        cache_dir: folder of compiled verifiers; the measured limit lies beside them.
        scratch: folder for the sample's witness.
        progress: hears of witness and proof.

    Raises:
        ProofRejectedError: the verifier refuses a true proof of this circuit.
        ProvingError, StorageError: a step failed.
    """
    path = cache_dir / f"{verifier.runtime_code_hash.hex()}.gas.json"
    cached = _read(path)
    if cached is not None:
        return cached
    layout = bundle.manifest.tensor_layout
    packed = expand_input(_SAMPLE_SEED, layout, bundle.manifest.input_domain)
    scratch.mkdir(parents=True, exist_ok=True)
    witness_path = scratch / "sample.json"
    try:
        witness = system.witness(bundle, packed, witness_path, progress=progress)
        made = system.prove(bundle, witness, progress=progress)
    finally:
        witness_path.unlink(missing_ok=True)
    gas = verify_in_local_evm(
        verifier.runtime_code,
        layout,
        packed_input=packed,
        packed_output=witness.output,
        proof=from_hex(made.proof.proof),
    )
    write_atomically(path, json.dumps({"gas_limit": gas.recommended_limit}).encode())
    return gas.recommended_limit


def _read(path: Path) -> int | None:
    try:
        found = parse_object(path.read_bytes(), where=str(path)).get("gas_limit")
    except (OSError, FormatError):
        return None
    return found if isinstance(found, int) and 0 < found <= 12_000_000 else None
