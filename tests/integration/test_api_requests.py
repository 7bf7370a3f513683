"""Requests on tabs over HTTP, on a real chain: what is paid is what was proved, once."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from api_lab import INPUT, PROVER_FEE, client_of, required_of, response_of, shared_world, started
from chain_fixtures import EXAMPLE_OUTPUT, LAYOUT, example_input, halo2_proof_of, new_account

from prover_nodes.direct import troubles
from zkml.core.digests import keccak256
from zkml.core.records import from_hex, to_hex
from zkml.core.tensors import pack
from zkml.errors import WitnessError

pytestmark = pytest.mark.integration

BEYOND = pack([701] * LAYOUT.input_count, LAYOUT.input_bytes)
"""An input outside the circuit's domain."""


@pytest.fixture(scope="module")
def world():
    return shared_world()


@pytest.fixture(scope="module")
def node(world, tmp_path_factory):
    account = world.built.enrolled()
    with started(world, account, tmp_path_factory.mktemp("node")) as node:
        yield node


@pytest.fixture
def client(world, node):
    return client_of(world, node)


def test_infer__paid_on_a_tab__is_answered_with_its_proof_and_settled(world, node, client):
    """The answer has output and proof of the input, and the settlement that follows pays exactly the fee."""
    asked = client.ask()
    assert asked.status_code == 402
    [offer] = required_of(asked).accepts
    assert (offer.scheme, offer.pay_to, int(offer.amount)) == (
        "accepted-proof",
        node.account.address,
        world.price,
    )
    before = world.built.ledger.credits_of(node.account.address)
    answer = client.ask(client.sign())
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["input"], found["output"]) == (to_hex(INPUT), to_hex(EXAMPLE_OUTPUT))
    assert found["proof"] == to_hex(halo2_proof_of(INPUT, EXAMPLE_OUTPUT))
    assert response_of(answer).extra["request"] == found["id"]
    settled = client.until_state(found["id"], "settled")
    assert world.built.ledger.credits_of(node.account.address) == before + PROVER_FEE
    assert settled["settlement"]["prover_fee"] == str(PROVER_FEE)
    assert world.chain.receipt(settled["settlement"]["transaction"]).succeeded


def test_infer__as_events__progress_then_answer_then_settlement(client):
    """A stream tells where the proof is, then the answer, and ends with the transaction that paid."""
    found = client.events(client.sign())
    names = list(dict.fromkeys(name for name, _ in found))
    assert names == ["progress", "answer", "settled"]
    assert dict(found)["answer"]["output"] == to_hex(EXAMPLE_OUTPUT)
    assert dict(found)["settled"]["transaction"].startswith("0x")


def test_infer__the_context_of_the_proof_is_what_the_contract_verifies_it_in(world, client, node):
    """Made and checked for this request, this prover, this chain: as the job manager itself computes it."""
    node.circuit.contexts.clear()
    name = client.ask(client.sign()).json()["id"]
    client.until_state(name, "settled")
    manager = world.market.manager.contract
    expected = bytes(manager.call("contextOf", from_hex(name), node.service.parts.market.account))
    assert node.circuit.contexts == [expected, expected]


def test_infer__respond_async__is_accepted_at_once_and_answered_later(client, node):
    """A client that will not wait gets 202 with a place to look, while its proof is still being made."""
    node.circuit.may_prove.clear()
    try:
        accepted = client.ask(client.sign(), Prefer="respond-async")
        assert (accepted.status_code, accepted.headers["Preference-Applied"]) == (202, "respond-async")
        place = accepted.headers["Location"]
        assert accepted.json()["answer"] is None
        assert place == f"/v1/jobs/{accepted.json()['id']}"
        client.until_state(accepted.json()["id"], "working")
    finally:
        node.circuit.may_prove.set()
    settled = client.until_state(accepted.json()["id"], "settled")
    assert settled["answer"]["output"] == to_hex(EXAMPLE_OUTPUT)
    assert settled["stages"] == ["witness", "prove", "settle"]


def test_attestation__of_a_settled_request__names_the_digests_that_the_chain_has(world, client):
    """What an attestation says of input, output and proof is what the settlement's event says."""
    name = client.ask(client.sign()).json()["id"]
    client.until_state(name, "settled")
    told = httpx.get(f"{client.url}/v1/attestations/{name}").json()
    event = world.market.tabs.events.request_settled(from_hex(name))
    assert told["settlement"]["transaction"] == event.where.transaction
    assert told["output_hash"] == to_hex(keccak256(event.packed_output))
    assert told["proof_hash"] == to_hex(event.proof_digest)


def test_reads__models_and_prover__say_who_is_paid_for_what(world, node, client):
    """Everything a client needs to sign a request is in the list of models."""
    listed = httpx.get(f"{client.url}/v1/models").json()
    [model] = listed["models"]
    assert (listed["prover"], model["did"]) == (node.account.address, world.did)
    assert model == httpx.get(f"{client.url}/v1/models/{world.did}").json()
    assert model["offer"]["circuit_id"] == to_hex(world.built.circuit_id)
    prover = httpx.get(f"{client.url}/v1/prover").json()
    assert (prover["prover"], prover["models"], prover["draining"]) == (node.account.address, 1, False)


def test_headers__of_every_answer__tell_browsers_nothing_and_nobody_which_server(client):
    """No answer names its server or may be framed, sniffed or shared across origins."""
    for answer in (
        httpx.get(f"{client.url}/v1/models", headers={"Origin": "https://elsewhere.example"}),
        httpx.get(f"{client.url}/v1/nothing"),
        client.ask(),
    ):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert not {"server", "access-control-allow-origin"} & set(answer.headers)


# --- the same request again -----------------------------------------------------------------------


def test_infer__same_signed_request_again__same_answer_and_no_second_proof(client, node):
    """A replayed request is answered from the journal, before and after its settlement."""
    record = client.sign()
    first = client.ask(record)
    proofs = len(node.circuit.proved)
    client.until_state(first.json()["id"], "settled")
    again = client.ask(record, Idempotency_Key="later")
    assert again.json() == first.json()
    assert response_of(again).extra["state"] == "settled"
    assert len(node.circuit.proved) == proofs


def test_infer__the_same_at_once_from_many__one_proof(client, node):
    """Duplicates that arrive together end in one proof, and every one of them gets its answer."""
    record, proofs = client.sign(), len(node.circuit.proved)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: client.ask(record, Idempotency_Key="one"), range(6)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert len(node.circuit.proved) == proofs + 1


def test_infer__idempotency_key_with_another_request__is_refused(client):
    """A key stands for one request on its tab: with another one it is refused, and nothing is accepted."""
    assert client.ask(client.sign(), Idempotency_Key="k").status_code == 200
    other = client.ask(client.sign(), Idempotency_Key="k")
    assert (other.status_code, other.json()["code"]) == (422, "ZK-SVC-004")


def test_infer__accepted_request_with_another_signature__is_refused(world, client):
    """Who does not hold the very request that was accepted learns nothing of its answer."""
    record = client.sign()
    assert client.ask(record).status_code == 200
    forged = record.model_copy(update={"signature": "0x" + 65 * "11"})
    assert client.ask(forged).status_code == 422


# --- cheating clients -----------------------------------------------------------------------------


def test_exposure__one_deposit_for_two_requests__the_second_is_refused(world, node):
    """A tab that pays for one request is good for one: what is accepted counts until it is settled."""
    client = client_of(world, node, amount=world.price + world.price // 2)
    node.circuit.may_prove.clear()
    try:
        accepted = client.ask(client.sign(), Prefer="respond-async")
        refused = client.ask(client.sign(), Prefer="respond-async")
    finally:
        node.circuit.may_prove.set()
    assert accepted.status_code == 202
    assert (refused.status_code, refused.json()["code"]) == (402, "ZK-MKT-008")
    assert "PAYMENT-REQUIRED" in refused.headers
    client.until_state(accepted.json()["id"], "settled")


def test_exposure__many_at_once_on_one_deposit__no_more_than_it_pays_for(world, node):
    """However many requests arrive together, the tab covers all that are accepted."""
    client = client_of(world, node, amount=2 * world.price)
    records = [client.sign() for _ in range(6)]
    node.circuit.may_prove.clear()
    try:
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda record: client.ask(record, Prefer="respond-async"), records))
    finally:
        node.circuit.may_prove.set()
    assert sorted(answer.status_code for answer in answers) == [202, 202, 402, 402, 402, 402]
    for answer in answers:
        if answer.status_code == 202:
            client.until_state(answer.json()["id"], "settled")
    assert world.market.tabs.facts(client.tab_id).balance == 0


def test_nonce__of_another_request__is_refused_before_and_after_it_is_used_on_chain(client, node):
    """Two requests never share a nonce on a tab: the chain would pay for one of them."""
    node.circuit.may_prove.clear()
    try:
        first = client.ask(client.sign(nonce=77), Prefer="respond-async")
        early = client.ask(client.sign(nonce=77, prover_fee=PROVER_FEE + 1), Prefer="respond-async")
    finally:
        node.circuit.may_prove.set()
    assert (early.status_code, early.json()["code"]) == (402, "ZK-MKT-008")
    client.until_state(first.json()["id"], "settled")
    late = client.ask(client.sign(nonce=77, prover_fee=PROVER_FEE + 1))
    assert (late.status_code, late.json()["code"]) == (402, "ZK-MKT-008")


CHEATS = {
    "wrong signer": (402, "ZK-SVC-005"),
    "no signature": (402, "ZK-SVC-005"),
    "fee too low": (402, "ZK-SVC-005"),
    "model fee too low": (402, "ZK-MKT-008"),
    "expires soon": (402, "ZK-MKT-008"),
    "expired": (402, "ZK-MKT-008"),
    "tab of another prover": (402, "ZK-MKT-008"),
    "no such tab": (402, "ZK-MKT-008"),
    "another chain": (402, "ZK-CHN-003"),
    "another scheme": (402, "ZK-SVC-005"),
    "paid to another": (402, "ZK-SVC-005"),
    "another input": (422, "ZK-VER-005"),
    "input too short": (422, "ZK-CIR-002"),
    "input out of the domain": (422, "ZK-PRV-003"),
    "another circuit": (422, "ZK-REG-003"),
    "another model": (404, "ZK-REG-002"),
}


@pytest.mark.parametrize("cheat", CHEATS)
def test_accept__what_the_chain_would_not_pay__is_refused_before_any_work(world, node, client, cheat):
    """Signature, fees, tab, times, chain and input are checked before a proof is begun; nothing is kept."""
    stranger = new_account(world.chain)
    now, proofs = world.chain.now(), len(node.circuit.proved)
    asks = {
        "wrong signer": lambda: client.ask(client.sign(signer=stranger)),
        "no signature": lambda: client.ask(client.sign().model_copy(update={"signature": "0x"})),
        "fee too low": lambda: client.ask(client.sign(prover_fee=PROVER_FEE - 1)),
        "model fee too low": lambda: client.ask(client.sign(model_fee=1)),
        "expires soon": lambda: client.ask(client.sign(expiry=now + 15)),
        "expired": lambda: client.ask(client.sign(expiry=now - 1)),
        "tab of another prover": lambda: (
            client.open_tab(prover=world.built.enrolled().address),
            client.ask(client.sign()),
        )[1],
        "no such tab": lambda: client.ask(client.sign(tab_id=bytes(32))),
        "another chain": lambda: client.ask(client.sign().model_copy(update={"chain_id": 1})),
        "another scheme": lambda: client.ask(payment=client.payment(client.sign(), scheme="exact")),
        "paid to another": lambda: client.ask(payment=client.payment(client.sign(), pay_to=stranger.address)),
        "another input": lambda: client.ask(client.sign(), example_input(3)),
        "input too short": lambda: client.ask(client.sign(INPUT[:-1]), INPUT[:-1]),
        "input out of the domain": lambda: client.ask(client.sign(BEYOND), BEYOND),
        "another circuit": lambda: client.ask(client.sign(circuit_id=bytes(32))),
        "another model": lambda: client.ask(client.sign(), did=world.did[:-4] + "0000"),
    }
    answer = asks[cheat]()
    assert (answer.status_code, answer.json()["code"]) == CHEATS[cheat], answer.text
    assert ("PAYMENT-REQUIRED" in answer.headers) == (answer.status_code == 402)
    assert len(node.circuit.proved) == proofs
    assert node.service.parts.journal.exposure(to_hex(client.tab_id)) == 0


def test_accept__input_that_has_no_witness__is_refused_and_owes_nothing(client, node):
    """An input that cannot be proved frees the tab again; its nonce stays spent with this node."""
    node.circuit.witness_error = WitnessError("expected a witness, found none")
    record = client.sign()
    try:
        answer = client.ask(record)
    finally:
        node.circuit.witness_error = None
    assert (answer.status_code, answer.json()["code"]) == (422, "ZK-PRV-002")
    assert node.service.parts.journal.exposure(to_hex(client.tab_id)) == 0
    assert client.ask(record).status_code == 422


def test_delivery__proof_that_only_the_node_believes__is_never_told(client, node, monkeypatch):
    """The chain's own code has the last word: what it refuses is proved again, and in the end not answered."""
    proofs = len(node.circuit.proved)
    prove = node.circuit.prove
    monkeypatch.setattr(node.circuit, "prove", lambda *a, **k: (bytes(32), prove(*a, **k)[1]))
    monkeypatch.setattr(node.circuit, "verify", lambda *a, context: None)
    monkeypatch.setattr(troubles, "FIRST_PAUSE_SECONDS", 0.01)
    accepted = client.ask(client.sign(), Prefer="respond-async").json()
    failed = client.until_state(accepted["id"], "failed")
    assert (failed["answer"], failed["problem"]["code"]) == (None, "ZK-VER-002")
    assert len(node.circuit.proved) == proofs + troubles.MAX_FAILURES
    assert node.service.parts.journal.exposure(to_hex(client.tab_id)) == 0


def test_delivery__tab_that_pays_no_more__keeps_the_output_back(world, node, client):
    """Nobody is told an output that the node could not collect for: the tab is looked at once more."""
    node.circuit.may_prove.clear()
    try:
        accepted = client.ask(client.sign(), Prefer="respond-async").json()
        client.until_state(accepted["id"], "working")
        world.market.tabs.close_tab(node.account, client.tab_id)
    finally:
        node.circuit.may_prove.set()
    failed = client.until_state(accepted["id"], "failed")
    assert (failed["answer"], failed["problem"]["code"]) == (None, "ZK-MKT-008")


def test_delivery__tombstone_while_it_was_proved__keeps_the_output_back(world, node, client):
    """A circuit that was found unsafe meanwhile is paid by nobody, so nobody is told its output."""
    snapshot = world.chain.send_once("evm_snapshot", [])
    node.circuit.may_prove.clear()
    try:
        accepted = client.ask(client.sign(), Prefer="respond-async").json()
        client.until_state(accepted["id"], "working")
        world.built.router.tombstone(world.built.deployer, world.built.circuit_id, "found unsafe")
        node.circuit.may_prove.set()
        failed = client.until_state(accepted["id"], "failed")
        assert failed["answer"] is None
        assert client.ask(client.sign()).status_code == 410
    finally:
        node.circuit.may_prove.set()
        assert world.chain.send_once("evm_revert", [snapshot]) is True
