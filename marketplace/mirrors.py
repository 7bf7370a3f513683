"""Files from a copy of a publisher's artifacts folder, behind any web server.

    <url>/sealed/<key commitment>.json      `SealedRecord`
    <url>/objects/<last two>/<cid>          files, as `zkml.adapters.store.directory` lays them out

Nothing that comes from there is believed: files hash to their identifiers, and records are held against the
chain by whoever asked. A file that breaks off is continued where it stopped, by the next run as well.
"""

from collections.abc import Mapping
from pathlib import Path

from marketplace.sealed_files import ByteProgress, opened
from marketplace.sealed_store import MAX_RECORD_BYTES
from zkml.adapters.http.client import HttpClient, HttpStream, Limits
from zkml.adapters.store.directory import object_name
from zkml.core.cid import CHUNK_BYTES, Cid, cid_of_chunks
from zkml.core.ports.store import ArtifactStore
from zkml.core.progress import Progress, silent
from zkml.core.records import to_hex
from zkml.core.sealed_records import SealedRecord
from zkml.errors import (
    ArtifactNotFoundError,
    DigestMismatchError,
    FormatError,
    ServiceUnreachableError,
)

_LEAST_SECONDS = 600
_SLOWEST_BYTES_PER_SECOND = 50_000
_ATTEMPTS = 3


class Mirror:
    """A copy of an artifacts folder."""

    def __init__(self, url: str, work: Path) -> None:
        """Name it; nothing is sent.

        Args:
            url: of the folder, as its user gave it: also on this machine or in a private network.
            work: existing folder for files that are not whole yet.

        Raises:
            ConfigError: no such URL.
        """
        self._url = url
        self._work = work
        self._client(MAX_RECORD_BYTES)

    def record(self, key_commitment: bytes) -> SealedRecord:
        """Return the record of the artifact of a key commitment, as the mirror has it.

        Raises:
            ArtifactNotFoundError: it has none.
            FormatError: it is none, or of another key.
            ServiceUnreachableError: no answer.
        """
        path = f"/sealed/{key_commitment.hex()}.json"
        answer = self._client(MAX_RECORD_BYTES).get(path)
        _check_status(answer.status, {200}, f"{self._url}{path}")
        record = SealedRecord.from_bytes(answer.body, where=f"{self._url}{path}")
        if record.key_commitment != to_hex(key_commitment):
            raise FormatError(
                f"expected a record of {to_hex(key_commitment)}, found another at {self._url}{path}"
            )
        return record

    def fetch(self, cid: Cid, size_bytes: int, store: ArtifactStore, *, progress: Progress = silent) -> bool:
        """Put a file into the store; say whether it was not there already.

        Args:
            cid: what it must hash to.
            size_bytes: the most that is read.
            store: where it goes.
            progress: told of the stage `download`.

        Raises:
            ArtifactNotFoundError: the mirror has no such file.
            DigestMismatchError: it has another file under that name.
            ServiceUnreachableError: no answer, it breaks off again and again, or is larger than `size_bytes`.
            StorageError: no space or no permission.
        """
        if store.has(cid):
            return False
        partial = self._work / f"{cid}.download"
        self._download(cid, size_bytes, partial, ByteProgress(progress, "download", size_bytes))
        with opened(partial, "rb") as file:
            found = cid_of_chunks(iter(lambda: file.read(CHUNK_BYTES), b""))
        if found != cid:
            partial.unlink()
            raise DigestMismatchError(
                f"expected the file {cid}, found {found} at {self._url}",
                hint="the mirror is damaged or lies: ask another one",
                cid=cid,
            )
        store.put_file(partial)
        partial.unlink()
        return True

    def _download(self, cid: Cid, size_bytes: int, partial: Path, tell: ByteProgress) -> None:
        attempt = 0
        while True:
            attempt += 1
            try:
                self._continue(cid, size_bytes, partial, tell)
            except ServiceUnreachableError as error:
                if attempt >= _ATTEMPTS or not error.context.get("transient"):
                    raise
            else:
                return

    def _continue(self, cid: Cid, size_bytes: int, partial: Path, tell: ByteProgress) -> None:
        """Read what is missing of a file; of a server that cannot continue, all of it."""
        done = partial.stat().st_size if partial.exists() else 0
        if done >= size_bytes:  # an earlier run read all and stopped, or another file has this name
            return
        path = f"/{object_name(cid)}"
        seconds = _LEAST_SECONDS + size_bytes / _SLOWEST_BYTES_PER_SECOND
        wanted = {"Range": f"bytes={done}-"} if done else {}
        client = self._client(size_bytes)
        with client.get_stream(path, wanted, total_seconds=seconds) as stream:
            if done and stream.status == 416:
                partial.unlink()
                raise ServiceUnreachableError(
                    f"expected more than {done} bytes, found that {self._url}{path} has no more",
                    transient=True,
                )
            _check_status(stream.status, {200, 206} if done else {200}, f"{self._url}{path}")
            begins = _begins_at(stream, done)
            with opened(partial, "ab") as file:
                file.truncate(begins)
                for chunk in stream.chunks():
                    begins += len(chunk)
                    if begins > size_bytes:
                        raise DigestMismatchError(
                            f"expected at most {size_bytes} bytes, found more at {self._url}{path}",
                            hint="the mirror is damaged or lies: ask another one",
                        )
                    file.write(chunk)
                    tell(begins)

    def _client(self, max_bytes: int) -> HttpClient:
        return HttpClient(self._url, private_allowed=True, limits=Limits(max_bytes=max_bytes))


def _begins_at(stream: HttpStream, done: int) -> int:
    """Return where in the file an answer begins."""
    if stream.status != 206:
        return 0
    if not _content_range(stream.headers).startswith(f"bytes {done}-"):
        raise ServiceUnreachableError(
            f"expected the bytes from {done} on, found {_content_range(stream.headers)[:80]!r}"
        )
    return done


def _content_range(headers: Mapping[str, str]) -> str:
    return headers.get("content-range", "")


def _check_status(status: int, wanted: set[int], where: str) -> None:
    if status == 404:
        raise ArtifactNotFoundError(f"expected a file at {where}, found none", hint="ask another mirror")
    if status not in wanted:
        raise ServiceUnreachableError(f"expected a file, found status {status} at {where}")
