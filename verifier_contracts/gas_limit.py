"""The gas that one verification may use, measured once for each verifier and kept beside its code."""

import json
from collections.abc import Callable
from pathlib import Path

from verifier_contracts.expected_verifier import ExpectedVerifier
from zkml.adapters.atomic_write import write_atomically
from zkml.core.records import ProofFile, from_hex
from zkml.core.strict_json import parse_object
from zkml.errors import FormatError

MAX_GAS_LIMIT = 12_000_000
"""The router pins none above it."""


def measured_gas_limit(verifier: ExpectedVerifier, prove: Callable[[], ProofFile], *, cache_dir: Path) -> int:
    """Return the gas limit that a publisher pins, from the cache or by verifying a sample.

    Args:
        verifier: the circuit's.
        prove: makes a proof; called only when nothing is cached.
        cache_dir: folder of compiled verifiers; the measured limit lies beside them.

    Raises:
        ProofRejectedError: the verifier refuses a true proof of this circuit.
        StorageError: the cache cannot be written.
    """
    cached = remembered_gas_limit(verifier, cache_dir=cache_dir)
    if cached is not None:
        return cached
    sample = prove()
    gas = verifier.verify(
        packed_input=from_hex(sample.input),
        packed_output=from_hex(sample.output),
        proof=from_hex(sample.proof),
    )
    write_atomically(_path(verifier, cache_dir), json.dumps({"gas_limit": gas.recommended_limit}).encode())
    return gas.recommended_limit


def least_gas_limit(measured: int) -> int:
    """Return the least limit under which a true proof is safe, from what `measured_gas_limit` returns.

    A publisher's limit is a quarter above the cost; 5 % above is enough, of which EIP-150 takes about 2.
    """
    return measured * 21 // 25


def remembered_gas_limit(verifier: ExpectedVerifier, *, cache_dir: Path) -> int | None:
    """Return the gas limit that was measured here before, or None where none was."""
    path = _path(verifier, cache_dir)
    try:
        found = parse_object(path.read_bytes(), where=str(path)).get("gas_limit")
    except (OSError, FormatError):
        return None
    return found if isinstance(found, int) and 0 < found <= MAX_GAS_LIMIT else None


def _path(verifier: ExpectedVerifier, cache_dir: Path) -> Path:
    return cache_dir / f"{verifier.identity.hex()}.gas.json"
