"""Fetching from a mirror: what breaks off is continued, and nothing that it says is believed."""

import contextlib
import http.server
import random
import threading

import pytest

from marketplace.mirrors import Mirror
from zkml.adapters.store.directory import DirectoryStore, object_name
from zkml.core.artifact_encryption import Artifact
from zkml.core.cid import cid_of
from zkml.core.sealed_records import SealedRecord
from zkml.errors import (
    ArtifactNotFoundError,
    ConfigError,
    DigestMismatchError,
    FormatError,
    ServiceUnreachableError,
)

DATA = random.Random(3).randbytes(600_000)
CID = cid_of(DATA)
COMMITMENT = b"\x05" * 32


class Files:
    """A web server's files, how it breaks off, and what it was asked."""

    def __init__(self):
        self.by_path = {f"/{object_name(CID)}": DATA}
        self.breaks_at = []
        self.knows_ranges = True
        self.asked = []

    def answer(self, handler):
        data = self.by_path.get(handler.path)
        wanted = handler.headers.get("Range")
        self.asked.append(wanted)
        if data is None:
            handler.send_error(404)
            return
        first = int(wanted[len("bytes=") : -1]) if wanted and self.knows_ranges else 0
        if first >= len(data):
            handler.send_error(416)
            return
        handler.send_response(206 if first else 200)
        if first:
            handler.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        handler.send_header("Content-Length", str(len(data) - first))
        handler.end_headers()
        end = self.breaks_at.pop(0) if self.breaks_at else len(data)
        handler.wfile.write(data[first:end])


@pytest.fixture
def files():
    return Files()


@pytest.fixture
def mirror(files, tmp_path):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            with contextlib.suppress(OSError):
                files.answer(self)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    (tmp_path / "work").mkdir()
    yield Mirror(f"http://127.0.0.1:{server.server_port}/", tmp_path / "work")
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def store(tmp_path):
    return DirectoryStore(tmp_path / "artifacts")


def left(tmp_path):
    return list((tmp_path / "work").iterdir())


def test_fetch__whole_file__is_stored_once(mirror, files, store, tmp_path):
    """What hashes to its identifier is stored; what is stored is not asked for again."""
    assert mirror.fetch(CID, len(DATA), store)
    assert store.path_of(CID).read_bytes() == DATA
    assert not mirror.fetch(CID, len(DATA), store)
    assert files.asked == [None]
    assert left(tmp_path) == []


def test_fetch__breaks_off_twice__goes_on_where_it_stopped(mirror, files, store):
    """Bytes that have come are not asked for again."""
    files.breaks_at = [200_000, 450_000]
    mirror.fetch(CID, len(DATA), store)
    assert files.asked == [None, "bytes=200000-", "bytes=450000-"]
    assert store.path_of(CID).read_bytes() == DATA


def test_fetch__breaks_off_for_good__the_next_run_goes_on(mirror, files, store):
    """A run that gives up leaves what it has to the next one."""
    files.breaks_at = [100_000, 100_001, 100_002]
    with pytest.raises(ServiceUnreachableError):
        mirror.fetch(CID, len(DATA), store)
    assert not store.has(CID)
    mirror.fetch(CID, len(DATA), store)
    assert files.asked[-1] == "bytes=100002-"
    assert store.path_of(CID).read_bytes() == DATA


def test_fetch__server_that_cannot_continue__all_of_it_again(mirror, files, store):
    """A server without ranges sends the whole file, which replaces the piece."""
    files.breaks_at, files.knows_ranges = [200_000], False
    mirror.fetch(CID, len(DATA), store)
    assert store.path_of(CID).read_bytes() == DATA


def test_fetch__piece_longer_than_the_file__begins_again(mirror, files, store, tmp_path):
    """A piece that cannot be of this file does not keep it from being fetched."""
    (tmp_path / "work" / f"{CID}.download").write_bytes(DATA + b"more")
    mirror.fetch(CID, len(DATA) + 10, store)
    assert store.path_of(CID).read_bytes() == DATA


@pytest.mark.parametrize("lie", [b"\0" + DATA[1:], DATA[:-1], DATA + b"more", b""], ids=len)
def test_fetch__other_bytes__refused_and_forgotten(mirror, files, store, tmp_path, lie):
    """A file that does not hash to its identifier reaches no store, and does not spoil the next try."""
    files.by_path[f"/{object_name(CID)}"] = lie
    with pytest.raises((DigestMismatchError, ServiceUnreachableError)):
        mirror.fetch(CID, len(DATA), store)
    assert not store.has(CID)
    files.by_path[f"/{object_name(CID)}"] = DATA
    mirror.fetch(CID, len(DATA), store)
    assert left(tmp_path) == []


def test_fetch__endless_file__not_read_on(mirror, files, store, tmp_path):
    """A stranger's server does not decide how much is read or written."""
    files.by_path[f"/{object_name(CID)}"] = DATA * 3
    with pytest.raises((DigestMismatchError, ServiceUnreachableError)):
        mirror.fetch(CID, 1000, store)
    assert sum(path.stat().st_size for path in left(tmp_path)) <= 1000


def test_fetch__no_such_file__says_so(mirror, files, store):
    """A mirror that lacks a file is another thing than one that cannot be reached."""
    files.by_path.clear()
    with pytest.raises(ArtifactNotFoundError):
        mirror.fetch(CID, len(DATA), store)
    with pytest.raises(ArtifactNotFoundError):
        mirror.record(COMMITMENT)


def test_record__of_a_mirror__must_be_of_the_key(mirror, files):
    """Neither junk nor the record of another key is taken for the one that was asked for."""
    path = f"/sealed/{COMMITMENT.hex()}.json"
    record = SealedRecord.of(Artifact(b"\x01" * 32, b"\x02" * 32, 5000), COMMITMENT, CID)
    files.by_path[path] = record.to_bytes()
    assert mirror.record(COMMITMENT) == record
    for junk in (b"[]", SealedRecord.of(record.artifact, b"\x06" * 32, CID).to_bytes()):
        files.by_path[path] = junk
        with pytest.raises(FormatError):
            mirror.record(COMMITMENT)
    files.by_path[path] = b" " * 5000
    with pytest.raises(ServiceUnreachableError):
        mirror.record(COMMITMENT)


def test_mirror__no_url__refused(tmp_path):
    """A folder or a foreign scheme is no mirror."""
    with pytest.raises(ConfigError):
        Mirror("file:///etc", tmp_path)
