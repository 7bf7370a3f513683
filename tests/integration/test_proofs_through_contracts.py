"""Proofs that reach the chain through other contracts: still found, still checked, on a real node."""

import dataclasses

import pytest
from chain_fixtures import EXAMPLE_OUTPUT, ONE_TOKEN, Forwarder, build_market, example_input, proof_of

from marketplace.calldata import given_activation, given_settlements
from zkml import wiring
from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.rpc import Chain
from zkml.audit.chain_reader import ChainReader
from zkml.audit.evidence import Contracts
from zkml.audit.genesis import verify_genesis
from zkml.client import read_output
from zkml.core.digests import keccak256
from zkml.core.identifiers import VerifierClass
from zkml.errors import EvidenceUnavailableError, RegistryError

pytestmark = pytest.mark.integration

INPUT = example_input()


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    folder = tmp_path_factory.mktemp("relayed")
    with Anvil.start(folder / "chain") as node, Chain(node.endpoint) as chain:
        yield build_market(chain, folder / "deployments")


@pytest.fixture(scope="module")
def pool(market):
    """A contract that proves: it holds tokens, claims and settles."""
    forwarder = Forwarder(market.chain)
    stake = 100 * ONE_TOKEN
    market.token.mint(market.deployer, forwarder.address, stake)
    forwarder.call(market.token.contract, "approve", market.provers.address, stake)
    forwarder.call(market.provers.contract, "register", "", [market.spec.proof_system_id])
    forwarder.call(market.provers.contract, "stake", forwarder.address, stake)
    return forwarder


def settled_by_pool(market, pool):
    """Open a job and have the pool settle it; return its id and the settlement's receipt."""
    job_id, _ = market.jobs.open(market.funded(), market.job_spec(INPUT), INPUT)
    pool.call(market.jobs.contract, "claim", job_id)
    proof = proof_of(INPUT, EXAMPLE_OUTPUT)
    return job_id, pool.call(market.jobs.contract, "settle", job_id, INPUT, EXAMPLE_OUTPUT, proof)


def publications(contract, receipt):
    return contract.events_in(receipt.logs, "ProofPublished")


def test_activate__front_run_through_a_contract__model_can_still_be_audited(market, pool):
    """Who copies a genesis proof from the mempool and relays it hides nothing from later audits."""
    spec = market.spec._replace(verifying_key_digest=keccak256(b"another key"))
    circuit, _ = market.router.add(market.deployer, spec)
    model, _ = market.registry.register(
        market.deployer, market.commitment._replace(circuit_ids=(circuit,), name="relayed")
    )
    genesis = market.registry.genesis(model)
    proof = proof_of(genesis.packed_input, EXAMPLE_OUTPUT)
    receipt = pool.call(market.registry.contract, "activate", model, circuit, EXAMPLE_OUTPUT, proof)
    assert given_activation(market.registry.address, market.chain.transaction(receipt.transaction)) is None
    (published,) = publications(market.registry.contract, receipt)
    assert published.arguments == {
        "subject": model.to_bytes(32, "big"),
        "input": genesis.packed_input,
        "output": EXAMPLE_OUTPUT,
        "proof": proof,
    }
    with pytest.raises(RegistryError, match="WrongModelStatus"):
        market.registry.activate(market.deployer, model, circuit, EXAMPLE_OUTPUT, proof)

    reader = ChainReader(market.chain, Contracts.of(market.deployment))
    assert verify_genesis(reader, model, circuit) == f"in block {receipt.block}, 1 circuit"


def test_read_output__prover_is_a_contract__the_proved_output(market, pool):
    """A requester whose job was settled by a contract reads and verifies its output all the same."""
    job_id, receipt = settled_by_pool(market, pool)
    assert len(publications(market.jobs.contract, receipt)) == 1
    bound = wiring.bind(market.chain, market.deployment)
    output = read_output(bound, job_id, accepted_classes=frozenset({VerifierClass.LOCAL}))
    assert (output.packed, output.prover) == (EXAMPLE_OUTPUT, pool.address)


def test_settlement_data__node_without_receipt_or_event__is_inconclusive(market, pool, monkeypatch):
    """A node that keeps the receipt or the event back gives no verdict."""
    job_id, receipt = settled_by_pool(market, pool)
    (settled,) = market.jobs.events.settlements_of(job_id)
    monkeypatch.setattr(market.chain, "receipt", lambda _: None)
    with pytest.raises(EvidenceUnavailableError, match="receipt"):
        market.jobs.events.settlement_data(settled)
    (event,) = publications(market.jobs.contract, receipt)
    kept = tuple(log for log in receipt.logs if log != event.log)
    monkeypatch.setattr(market.chain, "receipt", lambda _: dataclasses.replace(receipt, logs=kept))
    with pytest.raises(EvidenceUnavailableError, match="ProofPublished"):
        market.jobs.events.settlement_data(settled)


def test_settle__by_an_account__publishes_nothing_beside_its_calldata(market):
    """The usual settlement pays for no second copy of its proof."""
    requester, prover = market.funded(), market.enrolled()
    job_id, _ = market.jobs.open(requester, market.job_spec(INPUT), INPUT)
    market.jobs.claim(prover, job_id)
    proof = proof_of(INPUT, EXAMPLE_OUTPUT)
    receipt = market.jobs.settle(prover, job_id, INPUT, EXAMPLE_OUTPUT, proof)
    assert not publications(market.jobs.contract, receipt)
    sent = market.chain.transaction(receipt.transaction)
    (given,) = given_settlements(market.chain.chain_id, market.jobs.address, sent)
    assert (given.function, given.subject, given.proof) == ("settle", job_id, proof)
