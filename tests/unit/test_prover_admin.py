"""Metrics and health over HTTP: what a load balancer, a service manager and Prometheus are told."""

import http.client
import json
import os
import socket
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from prover_nodes.admin_server import AdminServer
from prover_nodes.health import KEEP_SECONDS, Health
from prover_nodes.journal import open_journal
from prover_nodes.metrics import PrometheusObserver
from prover_nodes.process_file import ProcessFile, ProcessNote, ask_status
from prover_nodes.readiness import STALE_BLOCK_SECONDS, node_health
from registry.provers import Stake
from zkml.adapters.evm.answers import Block
from zkml.errors import ConfigError, RpcError

STAKED = Stake(5, 0, registered=True, leaving=0, leaves_at=0)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        raise AssertionError("nothing here sleeps")


class Part:
    """A component that says what it is told to say."""

    name = "market"

    def __init__(self):
        self.trouble, self.end = "", None

    def problem(self):
        return self.trouble

    def failure(self):
        return self.end


class FakeChain:
    """A chain whose latest block is at a time of our choice, or that does not answer."""

    is_local = False

    def __init__(self, at):
        self.at, self.asked = at, 0

    def block(self):
        self.asked += 1
        if self.at is None:
            raise RpcError("expected an answer, found none")
        return Block(
            number=7,
            block_hash="0x" + "00" * 32,
            parent_hash="",
            timestamp=int(self.at),
            base_fee_wei=None,
            gas_limit=1,
        )


@contextmanager
def serving(health, **others):
    """Run an admin server on a free port."""
    server = AdminServer(
        "127.0.0.1",
        0,
        render_metrics=others.pop("render", PrometheusObserver().render),
        health=health,
        **others,
    )
    server.start()
    try:
        yield server
    finally:
        server.stop()


def get(server, path, method="GET"):
    """Return status, media type and body."""
    where = urlsplit(server.url)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=5)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.headers["Content-Type"], answer.read()
    finally:
        connection.close()


def test_pages__a_node_that_works__answers_each():
    """Metrics come in Prometheus' format, health as 200, and another page is 404 with a list of pages."""
    health = Health(alive={}, ready={}, clock=Clock())
    with serving(health, status=lambda: {"pid": 1}) as server:
        status, kind, body = get(server, "/metrics")
        assert (status, kind.partition(";")[0]) == (200, "text/plain")
        assert b"zkml_prover_build_info" in body
        assert get(server, "/healthz")[0] == get(server, "/readyz?verbose")[0] == 200
        assert get(server, "/metrics", "HEAD")[2] == b""
        assert get(server, "/healthz", "POST")[0] == 501
        status, _, body = get(server, "/..%2f")
        assert (status, json.loads(body)["pages"]) == (404, ["/healthz", "/metrics", "/readyz", "/status"])
        assert ask_status(server.url) == {"pid": 1}
        assert server.problem() == ""
    assert ask_status("http://127.0.0.1:9") is None


def test_readyz__what_is_wrong__is_told_with_503():
    """A check that finds something, or raises, makes the node unready, and the answer says which and why."""

    def fail():
        raise RpcError("expected an answer, found none")

    health = Health(alive={}, ready={"chain": fail, "draining": lambda: "it drains"}, clock=Clock())
    with serving(health) as server:
        status, kind, body = get(server, "/readyz")
        assert (status, kind) == (503, "application/json")
        assert json.loads(body) == {
            "ok": False,
            "problems": {"chain": "ZK-CHN-002: expected an answer, found none", "draining": "it drains"},
        }
        assert get(server, "/healthz")[0] == 200


def test_pages__a_defect_behind_one__is_500_and_the_others_go_on(caplog):
    """A page whose figures cannot be had answers so, with the reason in the log and not in the answer."""

    def fail():
        raise RuntimeError("a secret detail")

    with serving(Health(alive={}, ready={}, clock=Clock()), status=fail) as server:
        status, _, body = get(server, "/status")
        assert (status, b"secret" in body) == (500, False)
        assert get(server, "/healthz")[0] == 200
    assert "a secret detail" in caplog.text


def test_server__a_taken_port__is_a_config_error():
    """A port that another program has is an error with a hint, not a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = AdminServer(
            "127.0.0.1",
            port,
            render_metrics=lambda: (b"", ""),
            health=Health(alive={}, ready={}, clock=Clock()),
        )
        with pytest.raises(ConfigError, match=str(port)):
            server.start()
        server.stop()


def test_health__asked_in_a_loop__asks_its_checks_now_and_then():
    """An answer is kept for a while, so that whoever polls is not the chain's load."""
    clock, asked = Clock(), []
    health = Health(alive={}, ready={"chain": lambda: asked.append(1) or ""}, clock=clock)
    for _ in range(5):
        assert health.is_ready().is_well
    assert len(asked) == 1
    clock.now += KEEP_SECONDS
    health.is_ready()
    assert len(asked) == 2


@pytest.fixture
def node(tmp_path):
    """Return the checks of a node, and all that can go wrong with it."""
    parts = {
        "part": Part(),
        "chain": FakeChain(at=1e12),
        "metrics": PrometheusObserver(),
        "draining": [False],
        "stake": [STAKED],
        "clock": Clock(),
    }
    with open_journal(tmp_path / "journal.sqlite", "scope") as journal:
        health = node_health(
            components=[parts["part"]],
            metrics=parts["metrics"],
            journal=journal,
            folder=tmp_path,
            chain=parts["chain"],
            is_draining=lambda: parts["draining"][0],
            stake=lambda: parts["stake"][0],
            auto_stake=False,
            clock=parts["clock"],
        )
        yield health, parts, journal


def problems(node) -> dict[str, str]:
    """Return what is wrong now."""
    health, parts, _ = node
    parts["clock"].now += 100
    return dict(health.is_ready().problems)


def test_readiness__all_is_well__nothing_is_wrong(node):
    """A chain that answers, a journal that takes writes and free stake make a node ready."""
    assert problems(node) == {}


def test_readiness__the_chain_is_silent__is_told_and_the_stake_not_asked(node):
    """A dead endpoint is one problem, and nothing else waits for it."""
    _, parts, _ = node
    parts["chain"].at = None
    assert list(problems(node)) == ["chain"]


def test_readiness__the_node_has_just_read_the_chain__the_chain_is_not_asked(node):
    """What the node itself has heard is believed for a while."""
    _, parts, _ = node
    parts["metrics"].chain_read(9, 10**12)
    assert problems(node) == {}
    assert parts["chain"].asked == 0


def test_readiness__an_endpoint_that_lags__is_not_ready(node):
    """An endpoint whose latest block is old is told, but not on a local chain, where time may stand still."""
    _, parts, _ = node
    parts["metrics"].chain_read(9, int(parts["metrics"]._clock() - STALE_BLOCK_SECONDS - 60))
    assert "s old" in problems(node)["chain"]
    parts["chain"].is_local = True
    assert problems(node) == {}


def test_readiness__draining__takes_nothing_new(node):
    """A node that drains is alive and not ready."""
    health, parts, _ = node
    parts["draining"][0] = True
    assert list(problems(node)) == ["draining"]
    assert health.is_alive().is_well


def test_readiness__no_stake_is_free__says_how_to_add_some(node):
    """Without auto-stake, a prover that is not registered or has all of its stake locked claims nothing."""
    _, parts, _ = node
    parts["stake"][0] = replace(STAKED, registered=False)
    assert "not registered" in problems(node)["stake"]
    parts["stake"][0] = replace(STAKED, free=0, locked=7)
    assert "7 units are locked" in problems(node)["stake"]


def test_readiness__the_journal_takes_no_writes__is_told(node):
    """A journal on a disk that went read-only is found before a job is claimed."""
    journal = node[2]
    journal._store._database._engine.dispose()
    path = journal._store._database._engine.url.database
    os.truncate(path, 100)
    assert "ZK-ART-006" in problems(node)["journal"]


def test_liveness__a_component_that_has_ended__is_not_alive(node):
    """Only what a restart would mend makes a node dead; its troubles with the world do not."""
    health, parts, _ = node
    parts["part"].trouble = "ZK-CHN-002: the endpoint is down"
    assert health.is_alive().is_well
    assert problems(node) == {"market": "ZK-CHN-002: the endpoint is down"}
    parts["part"].end = RuntimeError("a defect")
    assert health.is_alive().problems == {"market": "RuntimeError: a defect"}


def test_process_file__is_read_as_written_and_believed_only_when_whole(tmp_path):
    """Another command of this home reads what the node wrote; a damaged note is none."""
    file, note = ProcessFile(tmp_path / "prover"), ProcessNote(12, "http://127.0.0.1:1", "", draining=True)
    assert file.read() is None
    file.write(note)
    assert file.read() == note
    (tmp_path / "prover" / "process.json").write_text('{"pid": "x"}')
    assert file.read() is None
    file.remove()
    file.remove()
