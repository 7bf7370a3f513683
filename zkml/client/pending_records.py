"""What this machine has signed and the world may not have seen: a file each, made before it leaves.

`<id>.json` while it is not known what became of one, `<id>.done` when it took effect, and `<id>.abandoned`,
with a note, when it did not and never will.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from zkml.adapters.atomic_write import write_atomically
from zkml.core.records import Record
from zkml.errors import ArtifactNotFoundError, StorageError

R = TypeVar("R", bound=Record)

MAX_NOTE = 1000


@dataclass(frozen=True, slots=True)
class PendingRecords(Generic[R]):
    """Records of one kind under one directory; a subclass says which kind."""

    kind: ClassVar[type[Record]]
    what: ClassVar[str]
    name_field: ClassVar[str]

    directory: Path

    def keep(self, record: R) -> Path:
        """Write a record and flush it to disk.

        Raises:
            StorageError: no space or no permission; then nothing must be sent.
        """
        path = self._path(record)
        write_atomically(path, record.to_bytes(), mode=0o600)
        return path

    def finish(self, record: R) -> None:
        """Mark a record as done; it stays.

        Raises:
            StorageError: no permission.
        """
        path = self._path(record)
        try:
            path.replace(path.with_suffix(".done"))
        except OSError as error:
            raise StorageError(f"expected to rename {path}, found {error.strerror}") from error

    def abandon(self, record: R, note: str) -> Path:
        """Put a record aside that had no effect and never will; record and note stay.

        Raises:
            StorageError: no space or no permission.
        """
        path = self._path(record)
        kept = path.with_suffix(".abandoned")
        noted = record.model_copy(update={"note": note[:MAX_NOTE]})
        write_atomically(kept, noted.to_bytes(), mode=0o600)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"expected to remove {path}, found {error.strerror}") from error
        return kept

    def pending(self) -> Iterator[R]:
        """Yield the records whose end is not known, by id.

        Raises:
            FormatError: a record is damaged.
            StorageError: a record cannot be read.
        """
        yield from self._all(".json")

    def done(self) -> Iterator[R]:
        """Yield the records that took effect, by id; raises as `pending` does."""
        yield from self._all(".done")

    def find(self, name: str) -> R:
        """Return the record of an id.

        Raises:
            ArtifactNotFoundError: there is none.
            FormatError, StorageError: it is damaged, or cannot be read.
        """
        for suffix in (".json", ".done", ".abandoned"):
            path = self.directory / f"{name}{suffix}"
            if path.exists():
                return self._read(path)
        raise ArtifactNotFoundError(f"expected {self.what} {name}, found none in {self.directory}")

    def _all(self, suffix: str) -> Iterator[R]:
        for path in sorted(self.directory.glob(f"0x*{suffix}")):
            # Another process may have ended it since the directory was read.
            if path.exists():
                yield self._read(path)

    def _path(self, record: R) -> Path:
        return self.directory / f"{getattr(record, self.name_field)}.json"

    def _read(self, path: Path) -> R:
        try:
            found = self.kind.from_bytes(path.read_bytes(), where=str(path))
        except OSError as error:
            raise StorageError(f"expected a readable record, found {error.strerror} at {path}") from error
        return found  # type: ignore[return-value]  # `kind` is R's class
