"""Read portable proofs from disk."""

from pathlib import Path

from zkml.core.records import ProofFile
from zkml.errors import ArtifactNotFoundError, FormatError

MAX_PROOF_FILE_BYTES = 16 * 1024 * 1024


def read_proof_file(path: Path) -> ProofFile:
    """Read a proof from a file of anybody's.

    Raises:
        ArtifactNotFoundError: no such file.
        FormatError: too large, unreadable, or not a proof of this format.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_PROOF_FILE_BYTES + 1)
    except FileNotFoundError as error:
        raise ArtifactNotFoundError(f"expected a proof file, found none at {path}") from error
    except OSError as error:
        raise FormatError(f"expected a readable file, found {error.strerror} at {path}") from error
    if len(data) > MAX_PROOF_FILE_BYTES:
        raise FormatError(f"expected at most {MAX_PROOF_FILE_BYTES} bytes of proof, found more in {path}")
    return ProofFile.from_bytes(data, where=str(path))
