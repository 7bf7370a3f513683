"""The client against the node's own API: both sides of one protocol, on a chain."""

import threading
from dataclasses import replace

import pytest
from api_lab import NodeUnderTest, World
from chain_fixtures import ONE_TOKEN
from eth_account import Account
from node_simulator import LOCAL, VALUES, manifest_of

from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.store.directory import DirectoryStore
from zkml.adapters.system_clock import SystemClock
from zkml.client import Model, Requester
from zkml.config.settings import ClientSettings
from zkml.core.cid import cid_of
from zkml.core.digests import digest_bytes, digest_of
from zkml.errors import PaymentRequiredError, ServiceError

pytestmark = pytest.mark.integration

MANIFEST = manifest_of("served")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A market whose proven model has a manifest."""
    folder = tmp_path_factory.mktemp("node")
    with Anvil.start(folder / "chain") as anvil, Chain(anvil.endpoint) as chain:
        world = World(chain, folder)
        commitment = world.built.commitment._replace(
            manifest_cid=cid_of(MANIFEST.to_bytes()),
            manifest_digest=digest_bytes(digest_of(MANIFEST.to_bytes())),
            settings_digest=digest_bytes(MANIFEST.files["settings"].digest),
        )
        world._use(replace(world.built, commitment=commitment), b"a key with a manifest")
        yield world


@pytest.fixture(scope="module")
def prover(world):
    return world.built.enrolled()


@pytest.fixture
def node(world, prover, tmp_path):
    DirectoryStore(tmp_path / "prover" / "store").put_bytes(MANIFEST.to_bytes())
    with NodeUnderTest(world, prover, tmp_path / "prover" / "journal.sqlite") as node:
        yield node


def model_of(world, served, folder, account, **options):
    requester = Requester(
        market=world.market,
        account=account,
        directory=folder / "client",
        store=DirectoryStore(folder / "artifacts"),
        settings=ClientSettings(),
        trusted=LOCAL,
        clock=SystemClock(),
    )
    options = {"max_fee": world.price, "timeout_seconds": 30.0, "node": served.url} | options
    return Model(world.did, requester=requester, **options)


def test_predict__honest_node__verified_then_settled_on_one_tab(world, node, tmp_path):
    """Two calls: the manifest from the node, one tab, outputs that were verified, and the transactions that paid."""
    account = world.built.funded()
    told = []
    model = model_of(world, node, tmp_path, account)
    first, second = model.predict(VALUES, progress=told.append), model.predict([0.0] * 11)
    assert first.output.tolist() == [[-1.25, 17_500.0]]
    assert first.receipt.tab_id == second.receipt.tab_id
    assert first.receipt.transaction != second.receipt.transaction
    assert first.receipt.price == world.price
    assert "prove" in [event.stage for event in told]
    first.verify()


def test_predict__found_in_the_prover_registry(world, node, prover, tmp_path):
    """Without a URL the client finds the node by what its prover registered."""
    world.market.provers.register(prover, node.url, [world.built.spec.proof_system_id])
    prediction = model_of(world, node, tmp_path, world.built.funded(), node="").predict(VALUES)
    assert prediction.receipt.prover == prover.address


@pytest.mark.parametrize("kind", ["eip3009", "permit"])
def test_predict__account_without_ether__node_opens_the_tab(world, node, tmp_path, monkeypatch, kind):
    """The node opens a tab that its requester signed, in either form, and answers on it."""
    if kind == "permit":
        monkeypatch.setattr("zkml.client.tab_signatures._takes_authorizations", lambda _: False)
    account = Account.create()
    world.market.token.mint(world.built.deployer, account.address, 20 * ONE_TOKEN)
    model = model_of(world, node, tmp_path, account)
    first, second = model.predict(VALUES), model.predict(VALUES)
    assert first.receipt.transaction
    assert second.receipt.tab_id == first.receipt.tab_id
    assert world.chain.nonce(account.address) == 0


def test_predict__client_gave_up_while_the_node_proves__same_request_proved_once(world, node, tmp_path):
    """A client that hangs up and comes back gets the answer of the one proof it signed for."""
    node.circuit.may_prove.clear()
    account = world.built.funded()
    with pytest.raises(ServiceError, match="is signed and may be settled"):
        model_of(world, node, tmp_path, account, timeout_seconds=1.0).predict(VALUES)
    node.circuit.may_prove.set()
    prediction = model_of(world, node, tmp_path, account).predict(VALUES)
    assert prediction.is_resumed
    assert len(node.circuit.proved) == 1


def test_predict_many__several_at_once__each_answered_from_one_tab(world, node, tmp_path):
    """Requests that are under way together are each proved once and each paid."""
    model = model_of(world, node, tmp_path, world.built.funded())
    found = model.predict_many([VALUES, [0.0] * 11, [1.0] * 11], at_once=3)
    assert len({one.receipt.transaction for one in found}) == 3
    assert len({one.receipt.tab_id for one in found}) == 1


def test_predict__less_than_it_costs__refused_unsigned(world, node, tmp_path):
    """Below the price nothing is signed and nothing is proved."""
    model = model_of(world, node, tmp_path, world.built.funded(), max_fee=world.price - 1)
    with pytest.raises(PaymentRequiredError):
        model.predict(VALUES)
    assert node.circuit.proved == []


def test_predict__node_restarted_while_it_proves__answered_by_the_restarted_one(world, prover, tmp_path):
    """The client waits through a restart of the node, and its one signature is enough."""
    journal = tmp_path / "prover" / "journal.sqlite"
    DirectoryStore(tmp_path / "prover" / "store").put_bytes(MANIFEST.to_bytes())
    account, found = world.built.funded(), []
    with NodeUnderTest(world, prover, journal) as node:
        node.circuit.may_prove.clear()
        model = model_of(world, node, tmp_path, account, timeout_seconds=0.5)
        with pytest.raises(ServiceError):
            model.predict(VALUES)
        node.circuit.may_prove.set()
    with NodeUnderTest(world, prover, journal) as node:
        model = model_of(world, node, tmp_path, account)
        thread = threading.Thread(target=lambda: found.append(model.predict(VALUES)))
        thread.start()
        thread.join(30)
    assert found[0].is_resumed
    assert found[0].request.nonce == "0"
