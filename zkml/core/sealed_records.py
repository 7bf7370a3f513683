"""Where the published file of an encrypted artifact is, and what it must be. No I/O.

A record is found by the key commitment, which stands on chain. It is a stranger's word, and need not be more:
a buyer holds it against the artifact of the offering, and the file against both.
"""

from typing import Annotated, ClassVar, Self

from pydantic import Field

from zkml.core.artifact_encryption import MAX_SIZE_BYTES, Artifact
from zkml.core.cid import CID_PATTERN, Cid
from zkml.core.records import Hex32, Record, from_hex, to_hex


class SealedRecord(Record):
    """The published file of one encrypted artifact.

    Attributes:
        key_commitment: what the model's `keyCommitment` is.
        plain_root, cipher_root, size_bytes: what an offering commits to; see `Artifact`.
        cid: of the published file.
    """

    tag: ClassVar[str] = "zkml.sealed/1"

    key_commitment: Hex32
    plain_root: Hex32
    cipher_root: Hex32
    size_bytes: Annotated[int, Field(ge=1, le=MAX_SIZE_BYTES)]
    cid: Annotated[str, Field(pattern=CID_PATTERN)]

    @classmethod
    def of(cls, artifact: Artifact, key_commitment: bytes, cid: Cid) -> Self:
        """Return the record of an artifact whose published file is stored as `cid`."""
        return cls(
            key_commitment=to_hex(key_commitment),
            plain_root=to_hex(artifact.plain_root),
            cipher_root=to_hex(artifact.cipher_root),
            size_bytes=artifact.size_bytes,
            cid=cid,
        )

    @property
    def artifact(self) -> Artifact:
        """What the terms of an offering carry."""
        return Artifact(from_hex(self.plain_root), from_hex(self.cipher_root), self.size_bytes)
