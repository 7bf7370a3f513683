"""What a tab's signer must never do: sign one nonce for two requests.

Who holds both could settle only one of them, but which one would be theirs to choose. So every signed request
is a file named by its tab and nonce, made before the signature leaves this process, and never replaced.
"""

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zkml.adapters.atomic_write import write_atomically
from zkml.core.records import SignedRequestRecord
from zkml.errors import StorageError


@dataclass(frozen=True, slots=True)
class RequestJournal:
    """Signed requests under one directory: `<tab id>/<nonce>.json`."""

    directory: Path

    def keep(self, record: SignedRequestRecord) -> bool:
        """Write a record unless its nonce is taken, and flush it to disk; two processes cannot both succeed.

        Returns:
            Whether it was written; otherwise nothing changed, and the signature must not leave this process.

        Raises:
            StorageError: no space or no permission.
        """
        path = self._path(record.tab_id, int(record.nonce))
        # Linked, not renamed: a rename would replace what another process has just written.
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        write_atomically(draft, record.to_bytes(), mode=0o600)
        try:
            os.link(draft, path)
        except FileExistsError:
            return False
        except OSError as error:
            raise StorageError(f"expected to link {path}, found {error.strerror}") from error
        finally:
            draft.unlink(missing_ok=True)
        return True

    def find(self, tab_id: str, nonce: int) -> SignedRequestRecord | None:
        """Return what was signed with a nonce, or None.

        Raises:
            FormatError: the record is damaged.
            StorageError: it cannot be read.
        """
        path = self._path(tab_id, nonce)
        try:
            return SignedRequestRecord.from_bytes(path.read_bytes(), where=str(path))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(f"expected a readable record, found {error.strerror} at {path}") from error

    def of_tab(self, tab_id: str) -> Iterator[SignedRequestRecord]:
        """Yield what was signed on a tab; raises as `find` does."""
        for path in sorted((self.directory / tab_id).glob("[0-9]*.json")):
            record = self.find(tab_id, int(path.stem))
            if record is not None:
                yield record

    def is_free(self, tab_id: str, nonce: int) -> bool:
        """Say whether nothing was signed with a nonce."""
        return not self._path(tab_id, nonce).exists()

    def _path(self, tab_id: str, nonce: int) -> Path:
        return self.directory / tab_id / f"{nonce}.json"
