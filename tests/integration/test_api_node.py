"""A node's API over its life: limits on clients, openings of tabs, drains, kills and reorgs."""

import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import pytest
from api_lab import (
    API,
    INPUT,
    PROVER_FEE,
    Client,
    HashCircuit,
    NodeUnderTest,
    World,
    client_of,
    shared_world,
    started,
    until,
)
from chain_fixtures import EXAMPLE_OUTPUT, ONE_TOKEN, new_account

from prover_nodes.chain_port import ChainTransactions
from prover_nodes.journal import Purpose
from zkml.adapters.evm.transport import TransportFault
from zkml.core.records import to_hex
from zkml.core.signed_requests import request_digest, request_from_record

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def world():
    return shared_world()


@pytest.fixture(scope="module")
def account(world):
    return world.built.enrolled()


# --- limits ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def strict(world, account, tmp_path_factory):
    """A node whose limits are small."""
    settings = replace(API, max_body_bytes=2_000, max_waiting=1)
    folder = tmp_path_factory.mktemp("strict")
    with started(world, account, folder, settings=settings, body_seconds=0.3, header_seconds=0.3) as node:
        yield node


def read_all(connection: socket.socket) -> bytes:
    """Return what a server sends until it closes the connection."""
    connection.settimeout(10)
    found = b""
    while piece := connection.recv(65536):
        found += piece
    return found


def connected(node: NodeUnderTest) -> socket.socket:
    host, _, port = node.url.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=10)


def head(world: World, *lines: str) -> bytes:
    path = f"POST /v1/models/{world.did}/infer HTTP/1.1"
    return "\r\n".join([path, "Host: node", "Content-Type: application/json", *lines, "", ""]).encode()


def test_body__larger_than_the_limit__is_refused_while_it_arrives(world, strict):
    """A body that is too long is ended by its declared length, or after so many bytes, and never parsed."""
    url = f"{strict.url}/v1/models/{world.did}/infer"
    declared = httpx.post(url, content=b"[" * 2_001, headers={"Content-Type": "application/json"})
    streamed = httpx.post(url, content=iter([b" " * 1_500] * 2), headers={"Content-Type": "application/json"})
    for answer in (declared, streamed):
        assert (answer.status_code, answer.json()["code"]) == (413, "ZK-SVC-004")


def test_body__that_never_ends__is_given_up(world, strict):
    """A client that sends a part of a body and waits is told that it was too slow."""
    with connected(strict) as connection:
        connection.sendall(head(world, "Content-Length: 100") + b'{"inp')
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_head__that_never_ends__is_closed(world, strict):
    """A connection on which no whole request head arrives in time is closed, the first time and later."""
    with connected(strict) as connection:
        connection.sendall(b"GET /v1/prover HTTP/1.1\r\nX-Slow: ")
        assert read_all(connection) == b""
    with connected(strict) as connection:
        connection.sendall(b"GET /v1/prover HTTP/1.1\r\nHost: node\r\n\r\n")
        answer = b""
        while not answer.endswith(b"}"):
            answer += connection.recv(65536)
        connection.sendall(b"GET /v1/prover HTTP/1.1\r\nX-Slow: ")
        assert read_all(connection) == b""


def test_head__larger_than_the_limit__is_refused(strict):
    """Headers have a limit; beyond it nothing is read on."""
    with connected(strict) as connection:
        connection.sendall(b"GET /v1/prover HTTP/1.1\r\nHost: node\r\nX-Large: " + 70_000 * b"a")
        assert b" 400 " in read_all(connection).split(b"\r\n")[0]


def test_rate__of_one_address__is_limited(world, account, tmp_path):
    """An address that asks too often is told when to come back, and no header it sends makes it another."""
    settings = replace(API, requests_per_minute=3)
    with started(world, account, tmp_path, settings=settings) as node:
        codes = [
            httpx.get(f"{node.url}/v1/prover", headers={"X-Forwarded-For": f"192.0.2.{number}"}).status_code
            for number in range(5)
        ]
        refused = httpx.get(f"{node.url}/v1/prover")
    assert codes == [200, 200, 200, 429, 429]
    assert 1 <= int(refused.headers["Retry-After"]) <= 60


def test_rate__behind_a_trusted_proxy__counts_the_clients_address(world, account, tmp_path):
    """Where the operator names his proxy, each client behind it has a limit of its own."""
    settings = replace(API, requests_per_minute=1, trusted_proxies=("127.0.0.1",))
    with started(world, account, tmp_path, settings=settings) as node:
        codes = [
            httpx.get(f"{node.url}/v1/prover", headers={"X-Forwarded-For": f"192.0.2.{number}"}).status_code
            for number in (1, 2, 1)
        ]
    assert codes == [200, 200, 429]


def test_queue__full__tells_clients_to_wait(world, strict):
    """Beyond the requests that may wait, clients are told to come back; nothing of theirs is kept."""
    client = client_of(world, strict)
    strict.circuit.may_prove.clear()
    try:
        first = client.ask(client.sign(), Prefer="respond-async")
        second = client.sign()
        busy = client.ask(second, Prefer="respond-async")
    finally:
        strict.circuit.may_prove.set()
    assert (busy.status_code, busy.json()["code"], busy.json()["retryable"]) == (503, "ZK-SVC-003", True)
    assert int(busy.headers["Retry-After"]) > 0
    client.until_state(first.json()["id"], "settled")
    assert client.ask(second).status_code == 200


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'{"input": "0x00", "input": "0x01"}', b'{"input": "0x00", "more": 1}', b"[" * 500, b"\xff"],
)
def test_json__that_two_readers_could_read_differently__is_refused(world, strict, body):
    """Names twice, unknown names, deep nesting and other bytes than UTF-8 are refused before anything else."""
    answer = httpx.post(
        f"{strict.url}/v1/models/{world.did}/infer",
        content=body,
        headers={"Content-Type": "application/json"},
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "ZK-ART-005")


# --- closed models --------------------------------------------------------------------------------


def test_accept__model_closed_to_the_prover__is_refused(world, account, tmp_path):
    """A closed model is proved with access alone, whatever a tab from before would pay."""
    closed = world.closed()
    closed.grant(account.address, granted=True)
    circuit = HashCircuit(closed.built.spec.verifying_key_digest)
    with started(closed, account, tmp_path, circuits=[circuit]) as node:
        client = client_of(closed, node)
        assert client.ask(client.sign()).status_code == 200
        closed.grant(account.address, granted=False)
        refused = client.ask(client.sign())
    assert (refused.status_code, refused.json()["code"]) == (403, "ZK-MKT-006")
    assert len(circuit.proved) == 1


# --- openings -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def node(world, account, tmp_path_factory):
    with started(world, account, tmp_path_factory.mktemp("node")) as node:
        yield node


def penniless(world: World, node: NodeUnderTest) -> Client:
    """Return a client with tokens and neither ether nor allowance."""
    holder = new_account(world.chain, 0)
    world.market.token.mint(world.built.deployer, holder.address, 100 * ONE_TOKEN)
    return Client(world, holder, node.account.address, node.url)


@pytest.mark.parametrize("kind", ["eip3009", "permit"])
def test_opening__signed_by_who_has_no_ether__is_opened_by_the_prover_once(world, node, kind):
    """A client without ether is served: the prover opens its tab, whose opening may come any number of times."""
    client = penniless(world, node)
    opening = client.opening(10 * ONE_TOKEN, kind=kind)
    first, second = client.sign(), client.sign()
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda record: client.ask(record, opening=opening), (first, second)))
    assert [answer.status_code for answer in answers] == [200, 200], [answer.text for answer in answers]
    for answer in answers:
        client.until_state(answer.json()["id"], "settled")
    assert client.ask(client.sign(), opening=opening).status_code == 200
    assert world.market.tabs.nonces_of(client.account.address) == 1


@pytest.mark.parametrize("cheat", ["too small", "no tokens", "another tab", "deadline over"])
def test_opening__not_worth_its_gas_or_void__is_refused_before_any_is_spent(world, node, cheat):
    """Amount, funds, tab and deadline of an opening are checked, and the chain is asked, before it is sent."""
    client = penniless(world, node)
    spent = world.chain.nonce(node.account.address)
    opening = client.opening(world.price - 1 if cheat == "too small" else 10 * ONE_TOKEN)
    record = client.sign(tab_id=bytes(32)) if cheat == "another tab" else client.sign()
    if cheat == "no tokens":
        balance = world.market.token.balance_of(client.account.address)
        world.chain.send_once("anvil_setBalance", [client.account.address, hex(10**18)])
        world.market.token.contract.transact(
            client.account, "transfer", world.built.deployer.address, balance
        )
    if cheat == "deadline over":
        opening = opening.model_copy(update={"deadline": world.chain.now() + 5})
    answer = client.ask(record, opening=opening)
    assert (answer.status_code, answer.json()["code"]) == (402, "ZK-SVC-005"), answer.text
    assert world.chain.nonce(node.account.address) == spent


# --- surroundings ---------------------------------------------------------------------------------


@pytest.fixture
def outage(world, monkeypatch):
    """Cut the node off from its chain, and connect it again."""

    def fail(*_):
        raise TransportFault("cut off")

    def cut(*, off):
        monkeypatch.setattr(world.chain, "_once", fail) if off else monkeypatch.undo()

    return cut


def test_outage__of_the_chain__accepts_nothing_and_goes_on_afterwards(world, node, outage):
    """Cut off from its chain a node takes nothing on and tells no output; afterwards it goes on, without a new proof."""
    client = client_of(world, node)
    late, payments = client.sign(), client.payment(client.sign())
    proofs = len(node.circuit.proved)
    node.circuit.may_prove.clear()
    name = client.ask(late, Prefer="respond-async").json()["id"]
    client.until_state(name, "working")
    outage(off=True)
    node.circuit.may_prove.set()
    refused = client.ask(payment=payments)
    assert (refused.status_code, refused.json()["code"]) == (503, "ZK-CHN-002")
    journal = node.service.parts.journal
    until(lambda: "prove" in journal.stages(journal.case(name)))
    assert client.job(name)["answer"] is None
    outage(off=False)
    client.until_state(name, "settled")
    assert len(node.circuit.proved) == proofs + 1


def test_funds__too_little_ether_to_settle__accepts_nothing(world, node):
    """A node that could not pay for the settlement's gas takes no request on: it would answer for nothing."""
    client = client_of(world, node)
    record, ether = client.sign(), world.chain.balance_wei(node.account.address)
    world.chain.send_once("anvil_setBalance", [node.account.address, "0x1"])
    try:
        refused = client.ask(record)
    finally:
        world.chain.send_once("anvil_setBalance", [node.account.address, hex(ether)])
    assert (refused.status_code, refused.json()["retryable"]) == (503, True)
    assert client.ask(record).status_code == 200


def test_kept__no_longer__says_so_and_is_not_proved_again(world, node):
    """An answer that is kept no longer is told as such: the request is never taken on a second time."""
    client = client_of(world, node)
    record, proofs = client.sign(), len(node.circuit.proved)
    name = client.ask(record).json()["id"]
    client.until_state(name, "settled")
    node.service.parts.journal.forget(before=world.chain.now() + 10)
    told = client.job(name)
    assert (told["state"], told["answer"], told["problem"]["code"]) == ("settled", None, "ZK-ART-002")
    again = client.ask(record)
    assert (again.status_code, again.json()["code"]) == (404, "ZK-ART-002")
    assert len(node.circuit.proved) == proofs + 1


# --- drains and kills -----------------------------------------------------------------------------


def test_drain__takes_nothing_new_and_finishes_what_it_accepted(world, account, tmp_path):
    """A node about to stop refuses new requests, answers reads and repeats, and settles what it accepted."""
    with started(world, account, tmp_path) as node:
        client = client_of(world, node)
        node.circuit.may_prove.clear()
        record = client.sign()
        accepted = client.ask(record, Prefer="respond-async").json()
        node.service.drain()
        node.server.drain()
        refused = [client.ask(), client.ask(client.sign())]
        assert [answer.status_code for answer in refused] == [503, 503]
        assert all(int(answer.headers["Retry-After"]) > 0 for answer in refused)
        assert httpx.get(f"{node.url}/v1/prover").json()["draining"] is True
        assert not node.service.is_idle()
        node.circuit.may_prove.set()
        assert client.ask(record).status_code == 200
        until(node.service.is_idle)
        assert client.job(accepted["id"])["state"] == "settled"


def test_disconnect__of_the_client__does_not_stop_paid_work(world, node):
    """A client that goes away while it waits finds its answer later; the proof is made and paid."""
    client = client_of(world, node)
    node.circuit.may_prove.clear()
    record = client.sign()
    manager, chain_id = world.market.tabs.address, world.chain.chain_id
    request = request_from_record(chain_id, manager, record)
    name = to_hex(request_digest(chain_id, manager, request))
    try:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(
                f"{client.url}/v1/models/{world.did}/infer",
                json={"input": to_hex(INPUT)},
                headers={"PAYMENT-SIGNATURE": client.payment(record)},
                timeout=0.5,
            )
    finally:
        node.circuit.may_prove.set()
    assert client.until_state(name, "settled")["answer"]["output"] == to_hex(EXAMPLE_OUTPUT)


class Killed(BaseException):
    """The process is gone."""


class DiesAtBroadcast(ChainTransactions):
    """Transactions whose sender dies at its first broadcast, before or after the endpoint has it."""

    def __init__(self, chain, account, *, after):
        super().__init__(chain, account)
        self.after, self.sent = after, 0

    def broadcast(self, signed):
        self.sent += 1
        if self.after:
            super().broadcast(signed)
        raise Killed


@pytest.mark.parametrize("point", ["accepted", "proved", "before-broadcast", "after-broadcast"])
def test_restart__of_a_killed_node__answers_and_settles_without_a_second_proof(
    world, account, tmp_path, point
):
    """A node that dies at any point after it accepted goes on there: one proof, one settlement, one payment."""
    transactions = None
    if point.endswith("broadcast"):
        transactions = DiesAtBroadcast(world.chain, account, after=point.startswith("after"))
    journal = tmp_path / "journal.sqlite"
    paid = world.built.ledger.credits_of(account.address)
    first = NodeUnderTest(world, account, journal, transactions=transactions)
    with first:
        client = client_of(world, first)
        record = client.sign()
        if point == "accepted":
            first.circuit.may_prove.clear()
        if point == "proved":
            first.service._settlements.put = lambda request: None
        accepted = client.ask(record, Prefer="respond-async").json()
        if point == "accepted":
            client.until_state(accepted["id"], "working")
        elif point == "proved":
            client.until_state(accepted["id"], "proved")
        else:
            until(lambda: first.service.failure() is not None)
            assert first.service.problem()
    with started(world, account, tmp_path) as second:
        client.url = second.url
        settled = client.until_state(accepted["id"], "settled")
        assert client.ask(record).json() == settled["answer"]
        assert len(second.circuit.proved) == (1 if point == "accepted" else 0)
        kept = second.journal.attempts(accepted["id"], Purpose.SETTLE_SIGNED)
        assert [signed.transaction for signed in kept] == [settled["settlement"]["transaction"]]
    assert world.built.ledger.credits_of(account.address) == paid + PROVER_FEE


def test_restart__after_the_request_expired__gives_it_up_and_owes_nothing(world, account, tmp_path):
    """What a restart finds too late is not proved: the request has failed, and its tab is free again."""
    snapshot = world.chain.send_once("evm_snapshot", [])
    try:
        with started(world, account, tmp_path) as first:
            client = client_of(world, first)
            first.circuit.may_prove.clear()
            accepted = client.ask(client.sign(), Prefer="respond-async").json()
            client.until_state(accepted["id"], "working")
        world.chain.send_once("evm_increaseTime", [1_000])
        world.chain.send_once("evm_mine", [])
        with started(world, account, tmp_path) as second:
            client.url = second.url
            failed = client.until_state(accepted["id"], "failed")
            assert (failed["answer"], failed["problem"]["code"]) == (None, "ZK-MKT-008")
            assert second.circuit.proved == []
            assert second.service.parts.journal.exposure(to_hex(client.tab_id)) == 0
    finally:
        assert world.chain.send_once("evm_revert", [snapshot]) is True


def test_reorg__tab_whose_opening_is_not_deep__is_not_accepted_yet(world, account, tmp_path):
    """A request counts once its tab's opening is as deep as the operator asks; before that clients wait."""
    with started(world, account, tmp_path, confirmations=3) as node:
        client = client_of(world, node)
        record = client.sign()
        early = client.ask(record)
        assert (early.status_code, early.json()["code"]) == (503, "ZK-INC-003")
        world.chain.send_once("anvil_mine", ["0x3"])
        answer = client.ask(record)
        assert answer.status_code == 200
        assert client.job(answer.json()["id"])["state"] == "proved"
        world.chain.send_once("anvil_mine", ["0x4"])
        client.until_state(answer.json()["id"], "settled")


def test_reorg__that_undoes_a_settlement__is_settled_again_by_the_same_transaction(world, account, tmp_path):
    """A settlement that a reorg undid is sent again, byte for byte, until it is deep enough."""
    with started(world, account, tmp_path, confirmations=2) as node:
        client = client_of(world, node)
        world.chain.send_once("anvil_mine", ["0x3"])
        name = client.ask(client.sign()).json()["id"]
        first = until(lambda: node.parts.outbox.find(name, Purpose.SETTLE_SIGNED))
        world.chain.send_once("anvil_reorg", [1, []])
        until(lambda: world.chain.receipt(first.transaction) is not None)
        world.chain.send_once("anvil_mine", ["0x3"])
        settled = client.until_state(name, "settled")
        assert settled["settlement"]["transaction"] == first.transaction
