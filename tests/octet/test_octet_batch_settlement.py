"""One OCTET proof settles several jobs on a real node: for these jobs, in this order, and for their prover alone."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from built_once import shared_folder
from eth_account import Account
from octet_bundles import SAMPLES, octet, small_bundle

from circuits.batches import pack_batch, split_batch
from circuits.bundle import Bundle
from circuits.single_proof import prove_input
from circuits.srs import SrsStore
from verifier_contracts.deploy import deploy_core
from zkml import wiring
from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.keys.dev_keys import dev_account
from zkml.adapters.store.directory import DirectoryStore
from zkml.client import read_output
from zkml.core.identifiers import VerifierClass
from zkml.core.job_machine import JobStatus
from zkml.core.market_identifiers import JobSpec, batch_context
from zkml.core.records import from_hex
from zkml.core.tensors import input_commitment
from zkml.errors import BindingError, ProofRejectedError
from zkml.publish.publication import Publication, publish
from zkml.wiring import Market

pytestmark = pytest.mark.integration

DEPLOYER = dev_account(31337)
ONE_TOKEN = 1_000_000
PLENTY = 1_000_000 * ONE_TOKEN
INPUTS = 2


@dataclass
class World:
    """A chain, the small model with its circuits for one input and for two, and a prover."""

    market: Market
    published: Publication
    batch: Bundle
    prover: object
    folder: Path

    def claimed(self, packed: bytes, prover=None) -> bytes:
        """Open a job and claim it."""
        spec = JobSpec(
            model_id=self.published.model_id,
            circuit_id=self.published.circuits[0].circuit_id,
            input_commitment=input_commitment(packed),
            input_uri="",
            min_prover_fee=ONE_TOKEN,
            max_prover_fee=ONE_TOKEN,
            max_total=10 * ONE_TOKEN,
            ramp_seconds=0,
            claim_seconds=3600,
            deadline=self.market.chain.now() + 4 * 3600,
            provers=(),
        )
        job, _ = self.market.manager.open(DEPLOYER, spec, packed)
        self.market.manager.claim(prover or self.prover, job)
        return job

    def prove(self, packed: list[bytes], context: bytes) -> tuple[bytes, bytes, bytes]:
        """Return input, output and proof of all inputs at once, for a context."""
        given = pack_batch(self.batch.manifest, packed)
        made = prove_input(self.batch, octet(), given, self.folder / "witness", context=context)
        return from_hex(made.input), from_hex(made.output), from_hex(made.proof)

    def settle(self, jobs: list[bytes], proof: tuple[bytes, bytes, bytes], prover=None):
        circuit = self.published.circuits[1].circuit_id
        return self.market.manager.settle_batch(prover or self.prover, jobs, circuit, proof)

    def enrolled(self):
        """Return a new prover with stake."""
        account, market = Account.create(), self.market
        market.chain.send_once("anvil_setBalance", [account.address, hex(10**20)])
        market.token.mint(DEPLOYER, account.address, PLENTY)
        market.token.approve(account, market.provers.address, PLENTY)
        kind = market.router.circuit(self.published.circuits[0].circuit_id).proof_system_id
        market.provers.register(account, "", [kind])
        market.provers.stake(account, PLENTY)
        return account


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("batch-settlement")
    bundle, system = small_bundle(), octet()
    batch = system.compile_batch(
        bundle, INPUTS, folder / "batch", SrsStore(shared_folder() / "octet-small" / "srs")
    )
    with Anvil.start(folder / "chain") as node, Chain(node.endpoint) as chain:
        market = wiring.bind(chain, deploy_core(chain, DEPLOYER, folder=folder))
        market.token.mint(DEPLOYER, DEPLOYER.address, PLENTY)
        market.token.approve(DEPLOYER, market.ledger.address, PLENTY)
        published = publish(
            market,
            DEPLOYER,
            bundle,
            system,
            DirectoryStore(folder / "store"),
            cache_dir=folder / "verifiers",
            scratch=folder / "scratch",
            batches=[batch],
        )
        made = World(market, published, batch, DEPLOYER, folder)
        made.prover = made.enrolled()
        yield made


@pytest.fixture(scope="module")
def packed():
    return [octet().quantize_input(small_bundle(), sample) for sample in SAMPLES[:INPUTS]]


def test_settle_batch__one_octet_proof__settles_both_jobs_and_both_read_their_own_output(world, packed):
    """The model is PROVEN by a genesis proof of each circuit; each client verifies its job's proof anew."""
    assert (
        world.market.registry.batch_of(world.published.model_id, world.published.circuits[1].circuit_id) == 2
    )
    jobs = [world.claimed(each) for each in packed]
    context = world.market.manager.batch_context_of(jobs, world.prover.address)
    proof = world.prove(packed, context)
    world.settle(jobs, proof)
    outputs = [
        read_output(world.market, job, accepted_classes=(VerifierClass.LOCAL, VerifierClass.CEREMONY))
        for job in jobs
    ]
    assert tuple(output.packed for output in outputs) == split_batch(world.batch.manifest, proof[1])
    assert {output.jobs_of_proof for output in outputs} == {INPUTS}
    assert outputs[0].packed != outputs[1].packed


def test_settle_batch__proof_for_another_context__settles_nothing(world, packed):
    """Not for the same jobs in another order, nor for one of them, nor for a thief who claims jobs of the same inputs."""
    manager = world.market.manager
    jobs = [world.claimed(each) for each in packed]
    contexts = {
        "turned": batch_context([manager.context_of(job, world.prover.address) for job in jobs[::-1]]),
        "single": manager.context_of(jobs[0], world.prover.address),
    }
    for context in contexts.values():
        with pytest.raises(ProofRejectedError):
            world.settle(jobs, world.prove(packed, context))
    true = world.prove(packed, manager.batch_context_of(jobs, world.prover.address))
    with pytest.raises(BindingError):
        world.settle(jobs[::-1], true)
    thief = world.enrolled()
    stolen = [world.claimed(each, thief) for each in packed]
    with pytest.raises(ProofRejectedError):
        world.settle(stolen, true, thief)
    assert {manager.status(job) for job in (*jobs, *stolen)} == {JobStatus.CLAIMED}
    world.settle(jobs, true)
    assert {manager.status(job) for job in jobs} == {JobStatus.SETTLED}
