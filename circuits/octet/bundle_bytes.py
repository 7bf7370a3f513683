"""Read a bundle's file whole: the bytes that are used are the bytes that were hashed."""

from pathlib import Path

from circuits.bundle import Bundle
from zkml.core.digests import digest_of
from zkml.core.manifest import FileRole
from zkml.errors import ArtifactNotFoundError, ManifestError


def read_role(bundle: Bundle, role: FileRole, limit: int) -> bytes:
    """Read the file of a role.

    Args:
        bundle: opened, by anybody's manifest.
        role: whose file.
        limit: how many bytes it may have.

    Raises:
        ManifestError: the bundle has none, or it is larger.
        ArtifactNotFoundError: it is gone or cannot be read.
        DigestMismatchError: it is not what the manifest says.
    """
    data = read_bounded(bundle.file(role), limit)
    bundle.check_digest(role, digest_of(data))
    return data


def read_bounded(path: Path, limit: int) -> bytes:
    """Read a file of anybody's.

    Args:
        path: of the file.
        limit: how many bytes it may have.

    Raises:
        ManifestError: it is larger.
        ArtifactNotFoundError: it is gone or cannot be read.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(limit + 1)
    except OSError as error:
        raise ArtifactNotFoundError(
            f"expected a readable file, found {error.strerror} at {path}", path=path
        ) from error
    if len(data) > limit:
        raise ManifestError(f"expected at most {limit} bytes, found more in {path}")
    return data
