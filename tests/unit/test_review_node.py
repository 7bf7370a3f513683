"""Attacks that the review of prover nodes and clients found, each on the smallest part that stops it."""

import asyncio
import http.server
import threading

import pytest

from prover_nodes.api.guards import RateLimits, network_of
from prover_nodes.direct.artifacts import PublicArtifacts
from prover_nodes.direct.catalogue import ServedModel
from prover_nodes.direct.requests import RequestState
from prover_nodes.direct.troubles import problem_in, reason_of
from prover_nodes.slots import ProvingSlots
from zkml.adapters.http.client import HttpClient
from zkml.core.api_messages import problem_of
from zkml.core.cid import cid_of
from zkml.errors import ArtifactNotFoundError, RpcError, StorageError, TabRefusedError


class FakeClock:
    """Time that passes when a test says so."""

    def __init__(self):
        self.seconds = 0.0

    def monotonic(self):
        return self.seconds


def test_slots__promise_that_is_never_used__holds_nobody_back_once_it_is_late():
    """Requests whose tabs never open must not keep claimed jobs from their slot."""
    clock, made = FakeClock(), threading.Event()
    slots = ProvingSlots(1, 100, clock)
    slots.promise(5, 1, within_seconds=20)
    clock.seconds = 30.0
    behind = slots.promise(10, 1)

    def make():
        with slots.make(behind):
            made.set()

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    assert made.wait(10)
    thread.join(10)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1%eth0", "2001:db8:1:2::/64"),
        ("unknown", "unknown"),
    ],
)
def test_rate__addresses_of_one_ipv6_network__count_as_one(host, expected):
    """Whoever has a /64 has 2^64 addresses, and one limit."""
    assert network_of(host) == expected


def test_rate__one_address_with_many_open_requests__leaves_room_for_others():
    """Requests that are held open are limited by address, and counted down when they end."""
    statuses = []

    async def play():
        held, go_on = asyncio.Event(), asyncio.Event()

        async def hold(scope, receive, send):
            held.set()
            await go_on.wait()

        limits = RateLimits(hold, 1_000, at_once=1)

        async def send(message):
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        def ask(host):
            return limits({"type": "http", "client": (host, 1)}, None, send)

        first = asyncio.create_task(ask("2001:db8::1"))
        await held.wait()
        await ask("2001:db8::2")
        other = asyncio.create_task(ask("192.0.2.1"))
        await asyncio.sleep(0)
        assert statuses == [429]
        go_on.set()
        await asyncio.gather(first, other)
        await ask("2001:db8::2")
        assert statuses == [429]

    asyncio.run(play())


class Entry:
    def __init__(self, data):
        self.cid = str(cid_of(data))


class Manifest:
    def __init__(self):
        self.files = {"settings": Entry(b"settings"), "onnx": Entry(b"the weights")}


class Store:
    def read(self, cid, *, limit_bytes):
        return next(data for data in (b"settings", b"the weights", b"manifest") if cid_of(data) == cid)


class Catalogue:
    def __init__(self, *models):
        self._models = models

    def models(self):
        return self._models


def served(number, *, is_closed):
    return ServedModel(number, f"did:{number}", "digits", str(cid_of(b"manifest")), (), is_closed)


def read(name, *models):
    artifacts = PublicArtifacts(Store(), Catalogue(*models))
    artifacts._manifests[cid_of(b"manifest")] = Manifest()
    return artifacts.read(str(cid_of(name)))


def test_artifacts__open_model_that_names_a_closed_ones_manifest__gets_no_weights_out():
    """A stranger's open model beside a closed one, with its key and its manifest, opens nothing."""
    opened, closed = served(1, is_closed=False), served(2, is_closed=True)
    assert read(b"the weights", opened) == b"the weights"
    assert read(b"settings", opened, closed) == b"settings"
    for models in ((closed,), (opened, closed), (closed, opened)):
        with pytest.raises(ArtifactNotFoundError):
            read(b"the weights", *models)


@pytest.mark.parametrize(
    "error",
    [
        RpcError("expected an answer, found nobody listening at http://10.0.0.7:8545", hint="see 10.0.0.7"),
        StorageError("expected a writable /home/operator/.zkml, found no space"),
    ],
)
def test_problems__of_the_nodes_own_machines__tell_strangers_no_name_of_them(error):
    """Endpoints, files and programs of a node are its operator's; a client is told that one of them failed."""
    for problem in (problem_of(error), problem_in(reason_of(error), RequestState.FAILED)):
        assert problem.code == error.code
        assert "10.0.0.7" not in problem.model_dump_json()
        assert "/home" not in problem.model_dump_json()
    plain = TabRefusedError("expected an open tab, found it closed")
    assert problem_of(plain).message == plain.message


def test_events__of_a_stream_that_stays_open__are_told_as_they_come():
    """An answer is verified when it is sent, not when its settlement ends the stream."""
    over = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            self.wfile.write(b"event: answer\ndata: {}\n\n")
            self.wfile.flush()
            over.wait(10)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        client = HttpClient(f"http://127.0.0.1:{server.server_port}", private_allowed=True)
        with client.post_stream("/", b"{}", {}, total_seconds=20, step_seconds=5) as stream:
            assert next(stream.events()).name == "answer"
            assert not over.is_set()
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()
