"""Clients and nodes that cheat each other, with real proofs: nobody is paid without one, nobody works for nothing.

Beside these, with proofs that are hashes:
- a tab that pays for fewer requests than are signed on it, however many come at once; replays, also with
  other signatures and keys; fees, times, signers and inputs that the chain would not pay for; a tab that is
  closed, or a circuit that is tombstoned, while its proof is made: tests/integration/test_api_requests.py
- answers that are withheld, endless, of no protocol, of another request or prover; money back from a node
  that stays silent; an answer that is paid and kept back: tests/integration/test_client_infer.py
- a verifier that turns on the node: tests/integration/test_prover_on_anvil.py
- a client that never comes back after its answer: tests/e2e/test_kill_requests.py
"""

from dataclasses import replace

import httpx
import pytest
from eth_account import Account
from kill_client import PatientClient, client_of, name_of, serve_requests
from kill_proxy import CheatingProxy
from kill_world import (
    FUNDS,
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

from circuits.bundle import Bundle
from circuits.single_proof import prove_input
from circuits.systems import open_system
from zkml.adapters.evm.timetravel import pass_time
from zkml.client.model import Model
from zkml.client.requester import open_requester
from zkml.config.home import Home
from zkml.config.settings import ChainSettings, Settings
from zkml.core.cid import cid_of
from zkml.core.digests import keccak256
from zkml.core.identifiers import ZERO32
from zkml.core.job_machine import JobStatus
from zkml.core.records import from_hex, to_hex
from zkml.core.signed_requests import request_from_record
from zkml.core.tensors import pack
from zkml.errors import (
    BindingError,
    ProofRejectedError,
    RevertedError,
    TabRefusedError,
    ZkmlError,
)
from zkml.wiring import open_store

pytestmark = [pytest.mark.e2e, pytest.mark.integration]

RIVALS = tuple(Account.from_key(keccak256(b"rival %d" % number)) for number in range(4))


@pytest.fixture(scope="module", params=SYSTEMS)
def world(request, tmp_path_factory):
    with open_world(tmp_path_factory.mktemp("cheats"), request.param) as world:
        serve_requests(world)
        for rival in RIVALS:
            world.chain.send_once("anvil_setBalance", [rival.address, hex(10**18)])
            world.market.token.mint(world.deployer, rival.address, FUNDS)
        world.keep()
        yield world


@pytest.fixture(autouse=True)
def same_beginning(world):
    world.go_back()


@pytest.fixture(scope="module")
def prove(world, tmp_path_factory):
    """Proves an input as anybody can who has the bundle, for a context where the system binds proofs to one."""
    [manifest] = Home(world.template).bundles.glob("*/manifest.json")
    bundle, system = Bundle.open(manifest.parent), open_system(world.system)
    made: dict[tuple[bytes, bytes], tuple[bytes, bytes, bytes]] = {}

    def proved(packed: bytes, context: bytes) -> tuple[bytes, bytes, bytes]:
        wanted = packed, context if system.binds_context else ZERO32
        if wanted not in made:
            witness = tmp_path_factory.mktemp("witness") / "witness.json"
            found = prove_input(bundle, system, packed, witness, context=wanted[1])
            made[wanted] = (from_hex(found.input), from_hex(found.output), from_hex(found.proof))
        return made[wanted]

    return proved


@pytest.fixture
def serving(world, tmp_path):
    """Starts nodes with an API; they end with the test."""
    runs = []

    def start(name="node", key=None, **given):
        folder, port = tmp_path / name, free_port()
        folder.mkdir()
        operator = Operator(world, folder, key=key, ZKML_API_PORT=str(port))
        runs.append(operator.run(**given))
        return operator, f"http://127.0.0.1:{port}"

    yield start
    world.zygote.kill_all()


def drained(operator):
    """Let a node finish, and return the run that did."""
    run = operator.runs[-1]
    run.wait_for("start:before")
    run.drain()
    return run


# --- cheating clients ---------------------------------------------------------------------------------


def test_client__one_deposit_against_five_nodes__one_works_and_is_paid(world, serving):
    """A tab binds one prover: the four others refuse the same signed request before any work."""
    paid, url = serving()
    others = [serving(f"rival-{number}", key=rival) for number, rival in enumerate(RIVALS)]
    client = PatientClient(world, paid, REQUESTER, url)
    answer = client.ask()
    for operator, elsewhere in others:
        until(lambda operator=operator: operator.crossings()["start:before"], "the start")
        client.client.url = elsewhere
        refused = until(lambda: refusal(client), "an answer")
        assert (refused.status_code, refused.json()["code"]) in ((402, "ZK-MKT-008"), (402, "ZK-SVC-005"))
    until(client.settlements, "settled")
    for operator, _ in others:
        crossed = drained(operator).crossed()
        assert not {"witness:before", "accept:before"} & set(crossed)
    drained(paid)
    assert answer["prover"] == PROVER.address
    assert Ledger.of(world, PROVER.address).credits == ONE_TOKEN
    for rival in RIVALS:
        # A node with an API registers, and no more.
        registered = replace(Ledger.of(world, rival.address), transactions=0)
        assert registered == Ledger(0, FUNDS, 0, 0, 0)


def refusal(client):
    """Return what a node answers once it knows its models."""
    try:
        answer = client.client.ask(client.record, client.packed, opening=client.opening)
    except httpx.TransportError:
        return None
    return None if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE else answer


def test_client__one_job_for_five_nodes__one_claims_and_the_others_lose_nothing(world, tmp_path):
    """Whoever comes second has its stake free, and no proof made in vain."""
    job = world.open_job()
    operators = []
    for key in (PROVER, *RIVALS):
        folder = tmp_path / key.address
        folder.mkdir()
        operators.append(Operator(world, folder, key=key))
        operators[-1].run()
    until(lambda: world.market.manager.facts(job).outcome is JobStatus.SETTLED, "settled")
    for operator in operators:
        drained(operator)
    [claim] = world.market.manager.events.claims()
    [_] = world.market.manager.events.settlements_of(job)
    for operator in operators:
        ledger = Ledger.of(world, operator.account.address)
        assert (ledger.tokens + ledger.free, ledger.locked) == (FUNDS, 0)
        is_payee = operator.account.address == claim.prover
        assert bool(ledger.credits) is is_payee
        assert operator.crossings()["prove:after"] == is_payee
    assert world.market.provers.forfeits() == (0, 0)


def test_client__jobs_that_nobody_can_prove__cost_the_node_nothing(world, tmp_path):
    """Unfetchable, foreign, malformed and out of the domain: none is claimed, and the honest job beside is paid."""
    operator = Operator(world, tmp_path)
    store, layout = open_store(operator.home), world.market.router.circuit(world.circuit_id).layout
    honest, other = world.inputs[:2]
    beyond = pack([(1 << (8 * layout.input_bytes - 1)) - 1] * layout.input_count, layout.input_bytes)
    bad = [
        open_by_uri(world, honest, f"ipfs://{cid_of(b'nobody has this')}"),
        open_by_uri(world, honest, f"ipfs://{store.put_bytes(other)}"),
        open_by_uri(world, beyond, f"ipfs://{store.put_bytes(beyond)}"),
        open_by_uri(world, honest[:-1], f"ipfs://{store.put_bytes(honest[:-1])}"),
        open_by_uri(world, honest, "http://127.0.0.1:1/internal"),
    ]
    good = world.open_job()
    run = operator.run()
    until(lambda: world.market.manager.facts(good).outcome is JobStatus.SETTLED or run.has_ended(), "settled")
    until(lambda: run.told().count("left alone") >= len(bad), "every bad job looked at")
    run.drain()
    ledger = Ledger.of(world, PROVER.address)
    # Registered before; allowance, stake, claim and settlement of the good job.
    assert ledger.transactions == 1 + 4
    assert (ledger.tokens + ledger.free, ledger.locked) == (FUNDS, 0)
    before = world.market.ledger.credits_of(REQUESTER.address)
    pass_time(world.chain, 4000)
    for job in bad:
        facts = world.market.manager.facts(job)
        assert not facts.has_prover
        world.market.manager.refund(world.deployer, job)
    escrow = sum(world.market.manager.facts(job).escrow for job in bad)
    assert world.market.ledger.credits_of(REQUESTER.address) == before + escrow
    assert world.market.provers.forfeits() == (0, 0)


def open_by_uri(world, packed, uri):
    """Open a job for an input that its opening does not hold."""
    spec = world.job_spec(packed)._replace(input_uri=uri)
    job, _ = world.market.manager.open(REQUESTER, spec, b"")
    return job


def test_client__wants_its_deposit_back_with_the_output_in_hand__pays(world, serving):
    """Between answer and settlement nobody but the prover can empty the tab; the killed node collects."""
    operator, url = serving(at="deliver settle-signed:before", do="hold")
    client = PatientClient(world, operator, REQUESTER, url)
    assert client.ask()["output"]
    with pytest.raises(TabRefusedError):
        world.market.tabs.close_tab(REQUESTER, client.client.tab_id)
    operator.runs[-1].kill()
    operator.run()
    until(client.settlements, "settled")
    drained(operator)
    assert Ledger.of(world, PROVER.address).credits == ONE_TOKEN


def test_client__replays_a_paid_request__one_proof_one_payment(world, serving):
    """The same request again gets the same answer, from this run of the node and from the next."""
    operator, url = serving()
    client = PatientClient(world, operator, REQUESTER, url)
    first = client.ask()
    until(client.settlements, "settled")
    assert client.ask() == first
    drained(operator)
    operator.run()
    assert client.ask() == first
    drained(operator)
    assert operator.crossings()["prove:after"] == 1
    assert Ledger.of(world, PROVER.address).credits == ONE_TOKEN


# --- cheating nodes -----------------------------------------------------------------------------------


def cheats_of(right, stale, borrowed):
    """Return settlements that are not the proof of an input.

    From right ones of it and of another input, and from one of it for another payee, which is as good as its
    own where proofs are not bound to theirs.
    """
    packed, output, proof = right
    flipped = bytes([proof[40] ^ 1])
    wrong = output[:-1] + bytes([output[-1] ^ 1])
    return {
        "wrong output": (packed, wrong, proof),
        "output of another input": (packed, stale[1], proof),
        "stale proof": (packed, output, stale[2]),
        "stale proof and output": (packed, stale[1], stale[2]),
        "flipped bit": (packed, output, proof[:40] + flipped + proof[41:]),
        "no proof": (packed, output, b""),
        "cut off": (packed, output, proof[:-32]),
    } | ({} if borrowed == right else {"proof for another payee": borrowed})


def test_prover__claims_and_has_no_proof__is_not_paid_and_loses_its_collateral(world, prove):
    """Whatever it settles with is refused by the verifier; withholding costs it its collateral, the client nothing."""
    [rival, *_] = RIVALS
    market, packed = world.market, world.inputs[0]
    market.token.approve(rival, market.provers.address, FUNDS)
    market.provers.register(rival, "", [market.router.circuit(world.circuit_id).proof_system_id])
    market.provers.stake(rival, FUNDS)
    before = market.ledger.credits_of(REQUESTER.address)
    job = world.open_job()
    market.manager.claim(rival, job)
    context = market.manager.context_of(job, rival.address)
    right, stale = prove(packed, context), prove(world.inputs[1], context)
    borrowed = prove(packed, market.manager.context_of(job, PROVER.address))
    for name, cheat in cheats_of(right, stale, borrowed).items():
        with pytest.raises(ProofRejectedError):
            market.manager.settle(rival, job, *cheat)
        assert market.ledger.credits_of(rival.address) == 0, name
    with pytest.raises(BindingError):
        market.manager.settle(rival, job, *stale)
    pass_time(world.chain, 4000)
    market.manager.refund(world.deployer, job)
    facts = market.manager.facts(job)
    assert facts.outcome is JobStatus.REFUNDED
    assert market.ledger.credits_of(REQUESTER.address) >= before + facts.escrow
    stake = market.provers.stake_of(rival.address)
    assert stake.free + stake.locked < FUNDS


def test_prover__takes_another_ones_proof_from_its_transaction__is_not_paid(world, tmp_path):
    """What the honest node shows in its settlement is worth nothing to whoever did not claim the job."""
    [rival, *_] = RIVALS
    job = world.open_job()
    operator = Operator(world, tmp_path)
    held = operator.run(at="broadcast JobManager.settle:before", do="unmined")
    held.expect_killed()
    [waiting] = world.chain.request("eth_getBlockByNumber", "pending", True)["transactions"]
    data = bytes.fromhex(waiting["input"].removeprefix("0x"))
    call = world.market.manager.contract.plan("claim", job)
    with pytest.raises(RevertedError, match="NotClaimant"):
        # Before the block that has the node's own.
        world.chain.call(
            call.target, data, what="settle", sender=rival.address, block="latest", reverts=call.reverts
        )
    world.chain.request("evm_setAutomine", True)
    world.chain.request("evm_mine")
    operator.run()
    until(lambda: world.market.manager.facts(job).outcome is JobStatus.SETTLED, "settled")
    drained(operator)
    assert Ledger.of(world, PROVER.address).credits > 0
    assert Ledger.of(world, rival.address).credits == 0


def test_prover__of_a_tab_without_the_right_proof__draws_nothing(world, prove):
    """A signed request pays for the proof of its own input, once, and for nothing else."""
    market, packed = world.market, world.inputs[0]
    client = client_of(world, REQUESTER, PROVER.address, "")
    client.open_tab(20 * ONE_TOKEN)
    record = client.sign(packed)
    request = request_from_record(world.chain.chain_id, market.tabs.address, record)
    signature = from_hex(record.signature)
    context = market.tabs.context_of(request, PROVER.address)
    right, stale = prove(packed, context), prove(world.inputs[1], context)
    borrowed = prove(packed, market.tabs.context_of(request, RIVALS[0].address))
    for cheat in cheats_of(right, stale, borrowed).values():
        with pytest.raises(ProofRejectedError):
            market.tabs.settle_signed(PROVER, request, signature, cheat)
    with pytest.raises(BindingError):
        market.tabs.settle_signed(PROVER, request, signature, stale)
    with pytest.raises(ZkmlError):
        market.tabs.settle_signed(
            PROVER, request._replace(prover_fee=2 * request.prover_fee), signature, right
        )
    assert market.tabs.facts(client.tab_id).balance == 20 * ONE_TOKEN
    market.tabs.settle_signed(PROVER, request, signature, right)
    with pytest.raises(TabRefusedError):
        market.tabs.settle_signed(PROVER, request, signature, right)
    assert market.ledger.credits_of(PROVER.address) == ONE_TOKEN


def test_node__answers_with_what_it_has_no_proof_of__shows_its_client_nothing(
    world, serving, prove, tmp_path
):
    """The client verifies with the deployed verifier before it shows an output; the honest answer costs no more."""
    # A client that is told lies looks for the truth on chain, so nothing is settled while it is lied to.
    operator, url = serving(at="deliver settle-signed:before", do="hold")
    home = Home(tmp_path / "client")
    settings = Settings(home=home.root, chain=ChainSettings(rpc_url=world.chain.endpoint))
    requester = open_requester(settings, home, {}, market=world.market, account=REQUESTER)
    requester = replace(requester, settings=replace(requester.settings, tab_amount=20 * ONE_TOKEN))
    values = [0.25, -0.5, 0.75, 0.125]
    did = client_of(world, REQUESTER, PROVER.address, url).world.did
    stale = prove(world.inputs[1], ZERO32)
    with CheatingProxy(url) as proxy:
        until(lambda: operator.crossings()["start:before"], "the start")
        until(lambda: is_serving(url), "the models")
        for twist in twists_of(stale):
            proxy.twist = twist
            model = Model(
                did, max_fee="5", node=proxy.url, requester=requester, wait_seconds=0, timeout_seconds=20
            )
            with pytest.raises((ProofRejectedError, BindingError)) as caught:
                model.predict([values])
            assert caught.value.exit_code == 3
        assert not list(world.market.tabs.events.requests_settled(tab_of(world)))
        proxy.twist = None
        operator.runs[-1].kill()
        operator.run()
        until(lambda: is_serving(url), "the models")
        prediction = model.predict([values])
    assert prediction.is_resumed
    prediction.verify()
    name = name_of(world, prediction.request)
    settled = until(lambda: world.market.tabs.events.request_settled(from_hex(name)), "settled")
    assert to_hex(settled.packed_output) == prediction.proof.output
    drained(operator)
    assert Ledger.of(world, PROVER.address).credits == ONE_TOKEN
    assert operator.crossings()["prove:after"] == 1


def twists_of(stale):
    """Return lies about an answer."""
    packed, output, proof = (to_hex(part) for part in stale)

    def wrong_output(fields):
        fields["output"] = fields["output"][:-2] + f"{int(fields['output'][-2:], 16) ^ 1:02x}"

    return (
        wrong_output,
        lambda fields: fields.update(output=output),
        lambda fields: fields.update(proof=proof),
        lambda fields: fields.update(output=output, proof=proof),
        lambda fields: fields.update(input=packed, output=output, proof=proof),
    )


def tab_of(world):
    """Return the only tab of the requester."""
    [tab] = world.market.tabs.events.tabs(requester=REQUESTER.address)
    return tab.tab_id


def is_serving(url):
    """Say whether a node knows its models."""
    try:
        return bool(httpx.get(f"{url}/v1/models").json()["models"])
    except (httpx.TransportError, KeyError):
        return False
