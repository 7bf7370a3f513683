"""Attacks on a node that answers requests on tabs, found in review, on a real chain."""

import contextlib
import socket
import time

import httpx
import pytest
from api_lab import INPUT, Client, client_of, shared_world, started, until
from chain_fixtures import EXAMPLE_OUTPUT, ONE_TOKEN, new_account

from prover_nodes.api import streams
from prover_nodes.direct import troubles
from zkml.core.records import to_hex
from zkml.errors import WitnessError

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def world():
    return shared_world()


@pytest.fixture(scope="module")
def account(world):
    return world.built.enrolled()


@pytest.fixture(scope="module")
def node(world, account, tmp_path_factory):
    with started(world, account, tmp_path_factory.mktemp("node")) as node:
        yield node


def penniless(world, node):
    """Return a client with tokens and neither ether nor allowance."""
    holder = new_account(world.chain, 0)
    world.market.token.mint(world.built.deployer, holder.address, 10 * ONE_TOKEN)
    return Client(world, holder, node.account.address, node.url)


def test_expiry__later_than_the_tabs__is_refused(world, node):
    """A request's expiry says until when it is paid: one of a thousand years on a tab of an hour is refused."""
    client = client_of(world, node)
    assert client.ask(client.sign(expiry=(1 << 40) - 1)).status_code == 402
    assert node.service.parts.journal.exposure(to_hex(client.tab_id)) == 0


def test_opening__input_without_a_witness__costs_the_node_no_gas(world, node):
    """A tab is opened for an input that can be proved: else its money goes back, and the node paid for it."""
    client = penniless(world, node)
    spent = world.chain.nonce(node.account.address)
    opening = client.opening(10 * ONE_TOKEN)
    node.circuit.witness_error = WitnessError("expected a witness, found none")
    try:
        answer = client.ask(client.sign(), opening=opening)
    finally:
        node.circuit.witness_error = None
    assert (answer.status_code, answer.json()["code"]) == (422, "ZK-PRV-002")
    assert world.chain.nonce(node.account.address) == spent


def test_opening__money_gone_since_it_was_accepted__ends_the_request(world, node, monkeypatch):
    """An opening that became void is given up at once, and holds neither a place nor a slot for ever."""
    monkeypatch.setattr(troubles, "FIRST_PAUSE_SECONDS", 0.01)
    client = penniless(world, node)
    opening = client.opening(10 * ONE_TOKEN)
    witness = node.circuit.witness

    def spend_first(packed_input, *, progress):
        world.chain.send_once("anvil_setBalance", [client.account.address, hex(10**18)])
        token = world.market.token.contract
        token.transact(client.account, "transfer", world.built.deployer.address, 5 * ONE_TOKEN)
        return witness(packed_input, progress=progress)

    monkeypatch.setattr(node.circuit, "witness", spend_first)
    spent = world.chain.nonce(node.account.address)
    accepted = client.ask(client.sign(), opening=opening, Prefer="respond-async").json()
    refused = client.until_state(accepted["id"], "refused")
    assert refused["problem"]["code"] == "ZK-SVC-005"
    until(lambda: node.service.waiting() == 0)
    assert node.parts.slots.waiting() == 0
    assert world.chain.nonce(node.account.address) == spent


def test_opening__for_a_contract__is_refused(world, node):
    """A wallet's code could burn the node's gas, or change its mind, when the opening is mined."""
    client = penniless(world, node)
    opening = client.opening(10 * ONE_TOKEN)
    world.chain.send_once("anvil_setCode", [client.account.address, "0x5b60fe"])
    answer = client.ask(client.sign(), opening=opening)
    assert answer.status_code == 402
    assert "contract" in answer.json()["message"]


@pytest.mark.parametrize("reason", ["little time", "held up"])
def test_delivery__too_late_to_be_paid_for_surely__is_told_once_it_is_paid(
    world, account, tmp_path, monkeypatch, reason
):
    """Whoever asks in the last blocks before the expiry is told the output when the node was paid, not before."""
    with started(world, account, tmp_path) as node:
        client = client_of(world, node)
        put = node.service._settlements.put
        monkeypatch.setattr(node.service._settlements, "put", lambda request: None)
        record = client.sign()
        accepted = client.ask(record, Prefer="respond-async").json()
        proved = client.until_state(accepted["id"], "proved")
        assert proved["answer"]["output"] == to_hex(EXAMPLE_OUTPUT)
        if reason == "held up":
            node.service._settling._troubles["another"] = (3, "no gas")
        else:
            ahead = record.expiry - world.chain.now() - 5
            world.chain.send_once("evm_increaseTime", [ahead])
            world.chain.send_once("evm_mine", [])
        held = client.job(accepted["id"])
        assert (held["state"], held["answer"], held["problem"]) == ("proved", None, None)
        assert client.ask(record).status_code == 503
        put(accepted["id"])
        settled = client.until_state(accepted["id"], "settled")
        assert settled["answer"]["output"] == to_hex(EXAMPLE_OUTPUT)


def test_disconnect__of_clients_that_wait__leaves_nothing_behind(world, node, monkeypatch):
    """Hanging up ends a request at the server: a few clients cannot fill its connections with them."""
    monkeypatch.setattr(streams, "HUNG_UP_SECONDS", 0.05)
    client = client_of(world, node)
    node.circuit.may_prove.clear()
    try:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(
                f"{client.url}/v1/models/{world.did}/infer",
                json={"input": to_hex(INPUT)},
                headers={"PAYMENT-SIGNATURE": client.payment(client.sign())},
                timeout=0.5,
            )
        until(lambda: not node.server._server.server_state.tasks, "the end of the request")
    finally:
        node.circuit.may_prove.set()


def send_until_cut(connection):
    """Ask on and on, and read nothing."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(TimeoutError):
            connection.sendall(50 * b"GET /openapi.json HTTP/1.1\r\nHost: node\r\n\r\n")


def test_reader__that_never_reads__is_cut_off(world, account, tmp_path):
    """What a client leaves unread holds its connection for a while, and not for ever."""
    with started(world, account, tmp_path, read_seconds=0.3) as node:
        host, _, port = node.url.removeprefix("http://").partition(":")
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((host, int(port)))
        connection.settimeout(1)
        with connection, pytest.raises(ConnectionError):
            send_until_cut(connection)
