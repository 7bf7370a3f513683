"""A paid request with a real EZKL proof: over HTTP, through the chain's verifier, to the payment."""

from dataclasses import replace

import httpx
import pytest
from api_lab import API, PROVER_FEE, Client, shared_world, until
from chain_fixtures import ONE_TOKEN
from ezkl_circuits import SAMPLES, lab

from prover_nodes.api.server import ApiServer
from prover_nodes.build import build_parts
from prover_nodes.direct.build import direct_of
from registry.dids import DidResolver
from zkml.adapters.store.directory import DirectoryStore
from zkml.client import Proved, verify_answer
from zkml.config.settings import ChainSettings, ProverSettings
from zkml.core.api_messages import InferAnswer
from zkml.core.cid import cid_of
from zkml.core.identifiers import VerifierClass
from zkml.core.records import from_hex, to_hex
from zkml.wiring import bind

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("api-ezkl")


@pytest.fixture(scope="module")
def world(folder):
    """The chain with a model whose circuit is a real EZKL one."""
    from zkml.publish.publication import publish  # noqa: PLC0415 it imports the compiler

    world, tiny = shared_world().another(), lab("Relu")
    published = publish(
        world.market,
        world.built.deployer,
        tiny.bundle,
        tiny.system,
        store=DirectoryStore(folder / "artifacts"),
        cache_dir=folder / "verifiers",
        scratch=folder / "scratch",
    )
    world.built = replace(world.built, model_id=published.model_id, circuit_id=published.circuit.circuit_id)
    dids = DidResolver(world.chain, world.built.deployment.addresses, from_block=world.built.deployment.block)
    world.did = dids.did_of_model(published.model_id)
    return world


@pytest.fixture(scope="module")
def served(world, folder):
    """A node put together as `zkml prover run` does it, with its API: service and server."""
    account = world.built.enrolled()
    parts = build_parts(
        account=account,
        market=bind(world.chain, world.built.deployment),
        bundles=[lab("Relu").bundle],
        # Not the publisher's: an operator has the bundle alone.
        store=DirectoryStore(folder / "node-artifacts"),
        journal=folder / "journal.sqlite",
        work=folder / "work",
        verifiers=folder / "verifiers",
        prover=ProverSettings(),
        chain=ChainSettings(accepted_classes=()),
    )
    with parts:
        service = direct_of(parts, API)
        server = ApiServer(service, replace(API, port=0))
        service.start()
        server.start()
        until(lambda: service.parts.catalogue.is_loaded)
        assert not service.problem()
        yield account, server
        server.stop()
        service.stop()


def test_infer__with_real_ezkl__verifies_with_the_clients_own_check_and_is_paid(world, served):
    """A client that believes nothing verifies the answer with the chain's code; the node is paid for it."""
    account, server = served
    tiny = lab("Relu")
    packed = tiny.system.quantize_input(tiny.bundle, SAMPLES[4])
    client = Client(world, world.built.funded(100 * ONE_TOKEN), account.address, server.url)
    client.open_tab(50 * ONE_TOKEN)
    record = client.sign(packed)
    answer = InferAnswer.model_validate_json(client.ask(record, packed).content)
    verified = verify_answer(
        world.market,
        record,
        Proved(from_hex(answer.input), from_hex(answer.output), from_hex(answer.proof)),
        accepted_classes=frozenset({VerifierClass.LOCAL}),
    )
    assert to_hex(verified.packed) == answer.output
    settled = client.until_state(answer.id, "settled")
    assert world.built.ledger.credits_of(account.address) == PROVER_FEE
    assert (
        world.market.tabs.events.request_settled(verified.digest).where.transaction
        == (settled["settlement"]["transaction"])
    )


def test_artifacts__of_a_served_model__manifest_and_published_files_alone(world, served, folder):
    """The manifest that the chain names is given out, byte for byte; proving keys and other files are not."""
    _, server = served
    manifest = lab("Relu").bundle.manifest
    cid = world.built.registry.commitment_of(world.built.model_id).manifest_cid
    answer = httpx.get(f"{server.url}/v1/artifacts/{cid}")
    assert (answer.status_code, answer.content) == (200, manifest.to_bytes())
    settings = httpx.get(f"{server.url}/v1/artifacts/{manifest.files['settings'].cid}")
    assert cid_of(settings.content) == manifest.files["settings"].cid
    other = DirectoryStore(folder / "node-artifacts").put_bytes(b"somebody's input")
    for private in (other, manifest.files["proving_key"].cid):
        assert httpx.get(f"{server.url}/v1/artifacts/{private}").status_code == 404
