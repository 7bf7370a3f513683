"""DIDs of models on a real node: the account, its history in the ERC-1056 registry, and the document."""

import json
from contextlib import closing

import pytest
from registry_world import build_world

from registry import did_events
from registry.did_events import DidRegistry
from registry.dids import DidResolver
from verifier_contracts.artifacts import load_artifact
from verifier_contracts.bindings import BoundContract
from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.evm.timetravel import pass_time
from zkml.core.dids import did_of, parse_did
from zkml.errors import FormatError, NotRegisteredError, RpcError, WrongChainError

pytestmark = pytest.mark.integration

DAY = 24 * 3600


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dids")
    with Anvil.start(folder / "anvil") as node, closing(Chain(node.endpoint)) as chain:
        yield build_world(chain, folder / "deployments")


@pytest.fixture
def resolver(world):
    return DidResolver(world.chain, world.deployment.addresses, from_block=world.deployment.block)


@pytest.fixture(scope="module")
def dids(world):
    return BoundContract(
        world.chain, load_artifact("EthereumDIDRegistry"), world.deployment.did_registry.address
    )


def word(text):
    return text.encode().ljust(32, b"\0")


def through_account(world, owner, account, call):
    """Have a model's account make a call, as its owner."""
    contract = BoundContract(world.chain, load_artifact("ERC6551Account"), account)
    return contract.transact(owner, "execute", call.target, 0, call.data, 0)


def ids(entries):
    return [entry["id"].partition("#")[2] for entry in entries]


def test_resolve__a_model__is_controlled_by_whoever_owns_it(world, resolver):
    """A model's DID names its owner, its manifest and its entry; after a sale, the buyer."""
    seller, buyer = world.account(), world.account()
    model = world.register(seller)
    did = resolver.did_of_model(model)
    assert parse_did(did) == (world.chain.chain_id, world.registry.account_of(model))
    found = resolver.resolve(did)
    assert found == resolver.resolve_model(model)
    document, metadata = found["didDocument"], found["didDocumentMetadata"]
    assert document["id"] == did
    assert document["controller"] == did_of(world.chain.chain_id, seller.address)
    assert ids(document["service"]) == ["manifest", "model"]
    assert document["service"][0]["serviceEndpoint"] == "ipfs://bafkreitest"
    assert document["service"][1]["serviceEndpoint"].endswith(f"/{model}")
    assert ids(document["verificationMethod"]) == ["controller", "owner"]
    assert metadata["controlledByModelOwner"]
    assert metadata["modelStatus"] == "REGISTERED"
    json.dumps(found)

    world.registry.contract.transact(seller, "transferFrom", seller.address, buyer.address, model)
    sold = resolver.resolve_model(model)["didDocument"]
    assert sold["controller"] == did_of(world.chain.chain_id, buyer.address)
    assert sold["verificationMethod"][-1]["blockchainAccountId"].endswith(buyer.address)


def test_resolve__identity_given_away_before_a_sale__is_said(world, resolver, dids):
    """An owner who handed the identity on before selling keeps it, and the answer says so."""
    seller, buyer, friend = world.account(), world.account(), world.account()
    model = world.register(seller)
    account = world.registry.account_of(model)
    world.registry.create_account(seller, model)
    through_account(world, seller, account, dids.plan("changeOwner", account, friend.address))
    world.registry.contract.transact(seller, "transferFrom", seller.address, buyer.address, model)
    found = resolver.resolve_model(model)
    assert not found["didDocumentMetadata"]["controlledByModelOwner"]
    assert "controller" not in found["didDocument"]
    assert ids(found["didDocument"]["verificationMethod"]) == ["controller"]
    assert found["didDocument"]["verificationMethod"][0]["blockchainAccountId"].endswith(friend.address)


def test_resolve__delegates_and_attributes__as_the_method_says(world, resolver, dids):
    """Keys and services appear while they are valid, numbered by all changes of their kind, revoked or not."""
    person = world.account()
    me, other = person.address, world.account().address
    dids.transact(person, "addDelegate", me, word("veriKey"), other, 10 * DAY)
    dids.transact(person, "addDelegate", me, word("sigAuth"), other, DAY)
    dids.transact(person, "setAttribute", me, word("did/pub/Ed25519/veriKey/base58"), b"\0\x01\xff", 10 * DAY)
    dids.transact(person, "setAttribute", me, word("did/svc/Inbox"), b"https://x", 10 * DAY)
    dids.transact(person, "setAttribute", me, word("did/pub/X25519/enc/base64"), b"key", 10 * DAY)
    dids.transact(person, "setAttribute", me, word("something else"), b"\xff", 10 * DAY)
    dids.transact(person, "addDelegate", me, word("veriKey"), me, 10 * DAY)
    dids.transact(person, "revokeDelegate", me, word("veriKey"), me)
    pass_time(world.chain, 60)
    document = resolver.resolve(did_of(world.chain.chain_id, me))["didDocument"]
    assert ids(document["verificationMethod"]) == [
        "controller",
        "delegate-1",
        "delegate-2",
        "delegate-3",
        "delegate-4",
    ]
    did = document["id"]
    assert document["authentication"] == [f"{did}#controller", f"{did}#delegate-2"]
    assert document["keyAgreement"] == [f"{did}#delegate-4"]
    assert document["assertionMethod"] == [
        f"{did}#{name}" for name in ("controller", "delegate-1", "delegate-2", "delegate-3")
    ]
    assert document["verificationMethod"][3]["publicKeyBase58"] == "19p"
    assert document["verificationMethod"][4]["publicKeyBase64"] == "a2V5"
    assert document["service"] == [
        {"id": f"{did}#service-1", "type": "Inbox", "serviceEndpoint": "https://x"}
    ]
    pass_time(world.chain, 2 * DAY)
    dids.transact(person, "revokeAttribute", me, word("did/svc/Inbox"), b"https://x")
    later = resolver.resolve(did)["didDocument"]
    assert ids(later["verificationMethod"]) == ["controller", "delegate-1", "delegate-3", "delegate-4"]
    assert "service" not in later


def test_resolve__several_changes_in_one_block__are_all_found(world, resolver, dids):
    """Changes that one transaction makes link to their own block, and none is lost."""
    owner = world.account()
    model = world.register(owner)
    account = world.registry.account_of(model)
    world.registry.create_account(owner, model)
    world.chain.send_once("evm_setAutomine", [False])
    nonce = world.chain.nonce(owner.address)
    try:
        contract = BoundContract(world.chain, load_artifact("ERC6551Account"), account)
        for number in range(3):
            call = dids.plan("setAttribute", account, word(f"did/svc/S{number}"), b"x", DAY)
            data = contract.plan("execute", call.target, 0, call.data, 0).data
            signed = owner.sign_transaction(
                {
                    "chainId": world.chain.chain_id,
                    "nonce": nonce + number,
                    "to": account,
                    "value": 0,
                    "data": data,
                    "gas": 300_000,
                    "gasPrice": 10**10,
                }
            )
            world.chain.send_once("eth_sendRawTransaction", ["0x" + bytes(signed.raw_transaction).hex()])
    finally:
        world.chain.send_once("evm_setAutomine", [True])
        world.chain.send_once("evm_mine", [])
    history = DidRegistry(world.chain, world.deployment.did_registry.address).history(account)
    assert len({event.log.block for event in history.changes}) == 1
    services = resolver.resolve_model(model)["didDocument"]["service"]
    assert [item["type"] for item in services[:3]] == ["S0", "S1", "S2"]


def test_resolve__given_to_nobody__is_deactivated(world, resolver, dids):
    """An identity that was given to the zero address has no keys any more."""
    person = world.account()
    dids.transact(person, "changeOwner", person.address, "0x" + "00" * 20)
    found = resolver.resolve(did_of(world.chain.chain_id, person.address))
    assert found["didDocumentMetadata"]["deactivated"]
    assert found["didDocument"]["verificationMethod"] == []


def test_resolve__other_kinds__are_refused(world, resolver):
    """A DID of another method or chain, or of no model, is an error with words."""
    with pytest.raises(FormatError):
        resolver.resolve("did:web:example.org")
    with pytest.raises(WrongChainError):
        resolver.resolve(did_of(1, world.deployer.address))
    with pytest.raises(NotRegisteredError):
        resolver.resolve_model(77)


def test_history__endpoint_hides_changes__is_found_out(world, dids, monkeypatch):
    """An endpoint that leaves out events, or tells of endless ones, is not believed."""
    person = world.account()
    for number in range(3):
        dids.transact(person, "setAttribute", person.address, word("did/svc/A"), b"%d" % number, DAY)
    registry = DidRegistry(world.chain, world.deployment.did_registry.address)
    assert len(registry.history(person.address).changes) == 3
    monkeypatch.setattr(did_events, "MAX_CHANGES", 2)
    with pytest.raises(RpcError, match="at most 2 changes"):
        registry.history(person.address)
    monkeypatch.setattr(did_events, "MAX_CHANGES", 100)
    honest = registry._events_in
    last = registry.contract.call("changed", person.address)
    monkeypatch.setattr(
        registry, "_events_in", lambda identity, block: honest(identity, block) if block == last else iter(())
    )
    with pytest.raises(RpcError, match="found none"):
        registry.history(person.address)
    monkeypatch.setattr(registry, "_events_in", lambda identity, block: honest(identity, last))
    with pytest.raises(RpcError, match="lead from block"):
        registry.history(person.address)
