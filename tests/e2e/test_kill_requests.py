"""A node that is killed by SIGKILL at each stage of a paid request proves it once and is paid once.

The node is `zkml prover run` with an API, real proofs and a real chain; its client signs once, and asks until
it is answered. With proofs that are hashes: tests/integration/test_api_node.py.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest
from kill_client import TAB, PatientClient, serve_requests
from kill_world import (
    ONE_TOKEN,
    PROVER,
    REQUESTER,
    Ledger,
    Operator,
    free_port,
    open_world,
    until,
)
from systems import SYSTEMS

from zkml.core.records import from_hex, to_hex

pytestmark = [pytest.mark.e2e, pytest.mark.integration]

FLAT_FEE = 10_000
KILLS = {
    "not-accepted-yet": "accept:before",
    "accepted": "accept:after",
    "tab-opening-kept": "keep open-tab:after",
    "tab-opening-broadcast": "broadcast JobManager.openTabAuthorized:before",
    "tab-open": "deliver open-tab:after",
    "witnessed": "witness:after",
    "proved": "prove:after",
    "proof-filed": "file request prove:after",
    "checked": "simulate JobManager.settleSigned:after",
    "promised": "mark request proved:after",
    "answering": "answer:before",
    "settlement-signed": "sign JobManager.settleSigned:after",
    "settlement-kept": "keep settle-signed:after",
    "settlement-broadcast": "broadcast JobManager.settleSigned:before",
    "settlement-mined": "deliver settle-signed:after",
    "settlement-filed": "file request settle:after",
    "done": "mark request settled:after",
}
"""Where it is killed. What is broadcast there reaches the mempool, and is mined while the next node waits."""
WAITS = {
    "tab-opening-broadcast": "deliver open-tab:before",
    "settlement-broadcast": "deliver settle-signed:before",
}


@pytest.fixture(scope="module", params=SYSTEMS)
def world(request, tmp_path_factory):
    with open_world(tmp_path_factory.mktemp("asked"), request.param) as world:
        serve_requests(world)
        yield world


@pytest.fixture
def asked(world, tmp_path):
    return begin(world, tmp_path)


@pytest.fixture(scope="module")
def undisturbed(world, tmp_path_factory):
    """What the prover has after a request whose node nobody kills, and the answer."""
    operator, client = begin(world, tmp_path_factory.mktemp("undisturbed"))
    with ThreadPoolExecutor(1) as pool:
        answering = pool.submit(client.ask)
        finish(world, operator, client, is_answered=answering.done)
        answer = answering.result()
    return figures(world, client), answer, set(operator.crossings())


def begin(world, folder):
    """Return a node that has an API, and a client that has signed its request."""
    world.go_back()
    port = free_port()
    operator = Operator(world, folder, ZKML_API_PORT=str(port))
    return operator, PatientClient(world, operator, REQUESTER, f"http://127.0.0.1:{port}")


def finish(world, operator, client, *, mine_at="", is_answered=lambda: True):
    """Run a node that nobody kills until the request is settled and filed, and drain it."""
    run = operator.run()
    if mine_at:
        run.wait_for(mine_at)
        world.chain.request("evm_setAutomine", True)
        world.chain.request("evm_mine")
    run.wait_for("start:before")
    until(lambda: (client.settlements() and is_answered()) or run.has_ended(), "the end")
    run.drain()


def figures(world, client):
    """Return what the prover has in the end, and what was drawn from the tab."""
    drawn = TAB - world.market.tabs.facts(client.client.tab_id).balance
    return Ledger.of(world, PROVER.address), drawn


def check(world, operator, client, undisturbed, answer):
    """Check on chain that one request was settled once, by the proof that its client has."""
    expected, first, _ = undisturbed
    assert figures(world, client) == expected
    [settled] = client.settlements()
    crossed = [line for run in operator.runs for line in run.crossed()]
    filed = crossed.index("file request prove:after")
    assert "prove:before" not in crossed[filed:]
    assert answer["output"] == first["output"] == to_hex(settled.packed_output)
    assert world.market.tabs.events.request_settled(from_hex(answer["id"])) == settled


def test_node__that_nobody_kills__opens_the_tab_and_settles_in_two_transactions(undisturbed):
    """What all others are compared with, beside the prover's registration before."""
    (ledger, drawn), _, crossed = undisturbed
    assert ledger.transactions == 1 + 2
    assert (ledger.credits, drawn) == (ONE_TOKEN, 2 * ONE_TOKEN + FLAT_FEE)
    assert set(KILLS.values()) <= crossed


@pytest.mark.parametrize("kill", KILLS)
def test_kill__while_a_client_waits__it_is_answered_by_the_next_node(world, asked, undisturbed, kill):
    """One tab, one proof once it is filed, one settlement; the client's answer is what was paid for."""
    operator, client = asked
    is_broadcast = kill in WAITS
    with ThreadPoolExecutor(1) as pool:
        answering = pool.submit(client.ask)
        killed = operator.run(at=KILLS[kill], do="unmined" if is_broadcast else "kill")
        killed.expect_killed()
        finish(world, operator, client, mine_at=WAITS.get(kill, ""), is_answered=answering.done)
        answer = answering.result()
    check(world, operator, client, undisturbed, answer)
    assert operator.crossings()["prove:after"] == (2 if kill == "proved" else 1)


def test_kill__after_the_answer__the_node_collects_without_its_client(world, asked, undisturbed):
    """A client that has its output and never comes back pays all the same, though the node was killed."""
    operator, client = asked
    held = operator.run(at="deliver settle-signed:before", do="hold")
    answer = client.ask()
    held.wait_for("deliver settle-signed:before")
    assert not client.settlements()
    held.kill()
    finish(world, operator, client)
    check(world, operator, client, undisturbed, answer)
