"""Publishing on a real node: a model with a batch circuit, its derivative with committed weights, by both verifiers."""

import dataclasses

import pytest
from ezkl_circuits import batch_lab, committed_lab, relu

from registry.lineage import Parent
from registry.models import ModelStatus
from verifier_contracts.deploy import deploy_core
from verifier_contracts.deployed_verifier import DeployedVerifier
from zkml import wiring
from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.keys.dev_keys import dev_account
from zkml.adapters.store.directory import DirectoryStore
from zkml.core.identifiers import DerivativeTerms, FeeTerms
from zkml.errors import UnsuitableCircuitError
from zkml.publish.listing import Listing
from zkml.publish.plan import plan_publication
from zkml.publish.publication import check_batches, publish, published_roles

pytestmark = pytest.mark.integration
__all__ = ["relu"]

ACCOUNT = dev_account(31337)
FEES = FeeTerms(model_fee=500_000, min_model_fee=100_000, min_model_fee_ppm=10_000)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("publication")
    with Anvil.start(folder / "chain") as node, Chain(node.endpoint) as chain:
        market = wiring.bind(chain, deploy_core(chain, ACCOUNT, folder=folder))
        yield market, DirectoryStore(folder / "store"), folder


def publish_lab(world, lab, listing, batches=()):
    market, store, folder = world
    return publish(
        market,
        ACCOUNT,
        lab.bundle,
        lab.system,
        store,
        cache_dir=folder / "verifiers",
        scratch=folder / "scratch",
        listing=listing,
        batches=[batch.bundle for batch in batches],
    )


def test_publish__set_of_circuits_and_a_derivative__proven_once(world, relu):
    """A model with a batch circuit and a closed derivative of it become PROVEN; doing it again does nothing."""
    market, _, folder = world
    root = Listing(
        licence="MIT",
        fees=FEES,
        derivatives=DerivativeTerms(min_rate_ppm=50_000),
        dataset_digest=b"\x02" * 32,
    )
    first = publish_lab(world, relu, root, batches=[batch_lab(2)])
    assert market.registry.status_of(first.model_id) is ModelStatus.PROVEN
    assert len(first.circuits) == len(first.genesis_transactions) == 2
    assert market.registry.batch_of(first.model_id, first.circuits[1].circuit_id) == 2
    facts = market.registry.facts(first.model_id)
    assert (facts.commitment.licence, facts.fees) == ("MIT", FEES)

    child = Listing(
        licence="LicenseRef-closed",
        fees=FEES,
        key_commitment=b"\x05" * 32,
        parents=(Parent(first.model_id, 60_000),),
        max_total_ppm=60_000,
        verifier="shared",
    )
    second = publish_lab(world, committed_lab(3), child)
    assert market.registry.status_of(second.model_id) is ModelStatus.PROVEN
    assert market.registry.is_closed(second.model_id)
    assert market.lineage.is_effective(second.model_id)
    assert [parent.model_id for parent in market.lineage.parents_of(second.model_id)] == [first.model_id]
    spec = second.circuit.spec
    assert spec.weight_commitment == committed_lab(3).bundle.manifest.weight_commitment
    kinds = [
        DeployedVerifier(circuit.spec, market.chain.code, chain_id=market.chain.chain_id).kind
        for circuit in (first.circuit, second.circuit)
    ]
    assert kinds == ["generated", "shared"]

    again = publish_lab(world, committed_lab(3), child)
    assert (again.model_id, again.is_new, again.genesis_transactions) == (second.model_id, False, ())
    planned, steps = plan_publication(
        market, ACCOUNT.address, committed_lab(3).bundle, cache_dir=folder / "verifiers", listing=child
    )
    assert planned == []
    assert steps == [f"nothing: model {second.model_id:#066x} is PROVEN"]


def test_plan__nothing_on_chain_yet__deployments_then_words(world):
    """A dry run simulates what can be sent now and names the rest."""
    market, _, folder = world
    planned, steps = plan_publication(
        market, ACCOUNT.address, committed_lab(4).bundle, cache_dir=folder / "verifiers"
    )
    assert len(planned) == 1
    assert any("register" in step for step in steps)


def test_published_roles__closed_model__keeps_its_weights():
    """Of a closed model with committed weights auditors get the weightless model and no proving key."""
    manifest = committed_lab(3).bundle.manifest
    roles = published_roles(manifest, is_closed=True)
    assert "weightless_onnx" in roles
    assert not {"onnx", "proving_key", "compiled_circuit"} & set(roles)
    assert "onnx" in published_roles(manifest, is_closed=False)


def test_check_batches__batch_of_another_model__refused(relu):
    """A set of circuits is of one model: another model's batch cannot be slipped in."""
    stranger = batch_lab(2).bundle
    with pytest.raises(UnsuitableCircuitError, match="batch of"):
        check_batches(committed_lab(3).bundle, [stranger])
    wide = stranger.manifest.model_copy(
        update={"layout": stranger.manifest.layout.model_copy(update={"input_maximum": 127})}
    )
    with pytest.raises(UnsuitableCircuitError, match="domain"):
        check_batches(relu.bundle, [dataclasses.replace(stranger, manifest=wide)])
    with pytest.raises(UnsuitableCircuitError, match="one input"):
        check_batches(stranger, [])
