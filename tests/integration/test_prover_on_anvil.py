"""The prover node on a real chain: with real EZKL and a real SIGKILL, and with transactions that get lost."""

import json
import signal
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from chain_fixtures import (
    DOMAIN,
    EXAMPLE_OUTPUT,
    LAYOUT,
    ONE_TOKEN,
    build_market,
    compile_halo2_stand_in,
    example_input,
    halo2_proof_of,
)
from ezkl_circuits import SAMPLES, lab

from prover_nodes.admission import Admission
from prover_nodes.build import build_node
from prover_nodes.chain_port import ChainMarket, ChainTransactions
from prover_nodes.claiming import Claiming
from prover_nodes.filing import Filing
from prover_nodes.halting import Halt
from prover_nodes.journal import CaseState, Purpose, Stage, open_journal
from prover_nodes.judge import Judge
from prover_nodes.node import Node
from prover_nodes.observer import SilentObserver
from prover_nodes.outbox import Outbox
from prover_nodes.pipeline import Pipeline
from prover_nodes.policy import Policy, SkipCode
from prover_nodes.ports import find_circuit
from prover_nodes.preview import preview_jobs
from prover_nodes.profit import gas_of_job
from prover_nodes.services.inspect import inspect_gas_limit, inspect_verifier
from prover_nodes.slots import ProvingSlots
from prover_nodes.workers.opening import open_circuits
from verifier_contracts.artifacts import ContractArtifact
from verifier_contracts.bindings import BoundContract
from verifier_contracts.compiler import compile_sources
from verifier_contracts.deploy import deploy_contract
from verifier_contracts.deploy_verifier import VerifierTerms, deploy_verifier
from verifier_contracts.expected_verifier import ExpectedGenerated
from verifier_contracts.sources import collect_sources
from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.evm.timetravel import pass_time
from zkml.adapters.store.directory import DirectoryStore
from zkml.adapters.system_clock import SystemClock
from zkml.circuit_verifiers import make_shared_key
from zkml.config.settings import Settings
from zkml.core.digests import digest_bytes, keccak256
from zkml.core.identifiers import VerifierClass, proof_system_id
from zkml.core.market_identifiers import JobSpec
from zkml.core.progress import silent
from zkml.core.records import from_hex, to_hex
from zkml.errors import JobExpiredError, NotClaimantError, ProofRejectedError
from zkml.wiring import bind

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("prover")


@pytest.fixture(scope="module")
def chain(folder):
    with Anvil.start(folder / "anvil") as node, closing(Chain(node.endpoint)) as connected:
        yield connected


SYSTEM_ID = proof_system_id("hash-v1")
GAS_LIMIT = 200_000


@pytest.fixture(scope="module")
def foreign_market(chain, folder):
    """The market with a model whose adapter is not the shipped one."""
    return build_market(chain, folder / "deployments")


@pytest.fixture(scope="module")
def market(foreign_market):
    """The market with a model behind the shipped adapter, over a generated verifier that takes hashes."""
    terms = VerifierTerms(
        LAYOUT, DOMAIN, keccak256(b"the node's key"), SYSTEM_ID, GAS_LIMIT, VerifierClass.LOCAL
    )
    pinned = deploy_verifier(
        foreign_market.chain,
        foreign_market.deployer,
        foreign_market.router,
        compile_halo2_stand_in(),
        terms,
        from_block=foreign_market.deployment.block,
    )
    return prove_model(foreign_market, foreign_market.deployer, pinned.circuit_id, pinned.spec)


def prove_model(market, publisher, circuit_id, spec, proof_of=halo2_proof_of):
    """Register a model of a circuit, prove it, and return the market with it."""
    commitment = market.commitment._replace(circuit_ids=(circuit_id,))
    model_id, _ = market.registry.register(publisher, commitment)
    genesis = market.registry.genesis(model_id)
    proof = proof_of(genesis.packed_input, EXAMPLE_OUTPUT)
    market.registry.activate(publisher, model_id, circuit_id, EXAMPLE_OUTPUT, proof)
    return replace(market, spec=spec, circuit_id=circuit_id, commitment=commitment, model_id=model_id)


@pytest.fixture(scope="module")
def requester(market):
    return market.funded(1000 * ONE_TOKEN)


@pytest.fixture
def prover(market):
    """A prover with tokens, neither registered nor staked: the node does what it needs itself."""
    return market.funded()


class HashCircuit:
    """What the market's adapter accepts, as a circuit; proves in no time."""

    name = "hash"
    batch = 1
    proof_bytes = 32
    layout = LAYOUT
    domain = DOMAIN
    proof_system_id = SYSTEM_ID

    def __init__(self, verifying_key_digest):
        self.verifying_key_digest = verifying_key_digest
        self.proved = 0
        self.contexts = []

    def shared_key_digest(self):
        return None

    def expected_verifier(self, key_digest):
        code = compile_halo2_stand_in().runtime_code
        return ExpectedGenerated(LAYOUT, bytes(32), self.verifying_key_digest, code)

    def least_gas_limit(self, key_digest, *, progress):
        return GAS_LIMIT // 2

    def expected_prove_seconds(self):
        return 1.0

    def expected_witness_seconds(self):
        return 0.0

    def expected_peak_bytes(self):
        return 1 << 20

    def witness(self, packed_input, *, progress):
        return EXAMPLE_OUTPUT, 0.0

    def prove(self, packed_input, packed_output, *, context, progress):
        self.proved += 1
        self.contexts.append(context)
        return halo2_proof_of(packed_input, packed_output), 0.0

    def verify(self, packed_input, packed_output, proof, *, context):
        self.contexts.append(context)
        if proof != halo2_proof_of(packed_input, packed_output):
            raise ProofRejectedError("expected the hash, found another")


STEPS = [Purpose.REGISTER, Purpose.APPROVE, Purpose.STAKE, Purpose.CLAIM, Purpose.SETTLE]


class Killed(BaseException):
    """The process is gone."""


class LostInTheMail(ChainTransactions):
    """Transactions whose sender dies at the n-th broadcast, before or after the node has it."""

    def __init__(self, chain, account, *, number, after):
        super().__init__(chain, account)
        self.left, self.after = number, after

    def broadcast(self, signed):
        if self.left == 0 and not self.after:
            raise Killed
        super().broadcast(signed)
        if self.left == 0:
            raise Killed
        self.left -= 1


def hash_node(market, prover, journal_path, tmp_path, transactions=None):
    """Build a node for the market's hash circuit on the real chain."""
    bound = ChainMarket(bind(market.chain, market.deployment), prover.address)
    journal = open_journal(journal_path, bound.scope)
    circuit = HashCircuit(market.spec.verifying_key_digest)
    transactions = transactions or ChainTransactions(market.chain, prover)
    clock, halt, observer = SystemClock(), Halt(), SilentObserver()
    admission = Admission(ProvingSlots(1, 1 << 30, clock, halt=halt), 1 << 30)
    policy = Policy(frozenset({VerifierClass.LOCAL}), 0, 5.0, 0)
    claiming = Claiming(
        judge=Judge(bound, [circuit], policy, admission, silent),
        outbox=Outbox(transactions, journal, clock, 20.0, 0),
        filing=Filing(journal, silent, observer),
        store=DirectoryStore(tmp_path / "store"),
        input_limit_bytes=1024,
    )
    return Node(Pipeline(claiming), halt=halt, observer=observer, poll_seconds=0.05), circuit


def open_job(market, requester, packed_input=None, *, uri="", seconds=600):
    packed_input = example_input() if packed_input is None else packed_input
    spec = replace_spec(market.job_spec(packed_input, seconds=seconds), uri)
    job_id, _ = market.jobs.open(requester, spec, b"" if uri else packed_input)
    return job_id


def replace_spec(spec: JobSpec, uri: str) -> JobSpec:
    return spec._replace(input_uri=uri)


def test_node__on_a_real_chain__claims_settles_and_is_credited(market, requester, prover, tmp_path):
    """Exactly the fee is credited, the stake is free again, and the allowance is spent to the last unit.

    The proof is made and checked in the context that the contract itself computes for job and payee.
    """
    job_id = open_job(market, requester)
    node, circuit = hash_node(market, prover, tmp_path / "j.sqlite", tmp_path)
    with node:
        report = node.run_once([job_id])
    context = bytes(market.jobs.contract.call("contextOf", job_id, prover.address))
    assert circuit.contexts == [context, context]
    [outcome] = report.settled
    facts = market.jobs.facts(job_id)
    assert market.ledger.credits_of(prover.address) == facts.payment.prover_fee == 2 * ONE_TOKEN
    stake = market.provers.stake_of(prover.address)
    assert (stake.free, stake.locked) == (market.jobs.collateral_for(facts.price), 0)
    assert market.token.allowance(prover.address, market.provers.address) == 0
    receipt = market.chain.receipt(outcome.settlement.transaction)
    assert (receipt.block, receipt.gas_used) == (outcome.settlement.block, outcome.settlement.gas_used)


def test_node__input_by_content_address__is_settled(market, requester, prover, tmp_path):
    """An input that never was on chain before is fetched by digest and revealed by the settlement."""
    packed = example_input(5)
    cid = DirectoryStore(tmp_path / "store").put_bytes(packed)
    job_id = open_job(market, requester, packed, uri=f"ipfs://{cid}")
    node, _ = hash_node(market, prover, tmp_path / "j.sqlite", tmp_path)
    with node:
        assert len(node.run_once([job_id]).settled) == 1


@pytest.mark.parametrize("after", [False, True], ids=["before-the-node-has-it", "after-the-node-has-it"])
@pytest.mark.parametrize("number", range(5), ids=STEPS)
def test_node__killed_around_a_broadcast__sends_the_same_bytes(
    market, requester, prover, tmp_path, number, after
):
    """Five transactions in all, whatever is killed, and the journaled hash is the mined one."""
    job_id = open_job(market, requester)
    path = tmp_path / "j.sqlite"
    lost = LostInTheMail(market.chain, prover, number=number, after=after)
    node, _ = hash_node(market, prover, path, tmp_path, lost)
    nonce = market.chain.nonce(prover.address)
    with node.journal, pytest.raises(Killed):
        node.run_once([job_id])
    node, circuit = hash_node(market, prover, path, tmp_path)
    with node.journal as journal:
        case = journal.case_of(to_hex(job_id))
        purpose = STEPS[number]
        kept = journal.last_transaction(case, purpose)
        assert len(node.run_once([job_id]).settled) == 1
        assert journal.last_transaction(case, purpose) == kept
    assert market.chain.receipt(kept.transaction).succeeded
    assert market.chain.nonce(prover.address) == nonce + 5
    assert circuit.proved == (0 if purpose is Purpose.SETTLE else 1)
    assert len(market.jobs.events.settlements_of(job_id)) == 1


def test_node__claim_waits_in_the_mempool__is_found_there(market, requester, tmp_path):
    """A restarted node does not sign another claim while the first is not mined yet."""
    job_id = open_job(market, requester)
    path = tmp_path / "j.sqlite"
    prover = market.enrolled()
    lost = LostInTheMail(market.chain, prover, number=0, after=True)
    market.chain.request("evm_setAutomine", False)
    try:
        node, _ = hash_node(market, prover, path, tmp_path, lost)
        with node.journal, pytest.raises(Killed):
            node.run_once([job_id])
        node, _ = hash_node(market, prover, path, tmp_path)
        miner = threading.Timer(0.3, lambda: market.chain.request("evm_setIntervalMining", 1))
        miner.start()
        with node:
            assert len(node.run_once([job_id]).settled) == 1
    finally:
        miner.join()
        market.chain.request("evm_setIntervalMining", 0)
        market.chain.request("evm_setAutomine", True)
    assert len(list(market.jobs.events.claims())) >= 1
    assert market.jobs.events.claim_of(job_id).prover == prover.address


def test_node__rival_takes_the_kept_claims_job__gives_it_up_without_a_transaction(
    market, requester, prover, tmp_path
):
    """The contract's refusal of a kept claim is read before the claim is sent."""
    job_id = open_job(market, requester)
    path = tmp_path / "j.sqlite"
    lost = LostInTheMail(market.chain, prover, number=STEPS.index(Purpose.CLAIM), after=False)
    node, _ = hash_node(market, prover, path, tmp_path, lost)
    with node.journal, pytest.raises(Killed):
        node.run_once([job_id])
    market.jobs.claim(market.enrolled(), job_id)
    nonce = market.chain.nonce(prover.address)
    node, _ = hash_node(market, prover, path, tmp_path)
    with node:
        assert node.run_once([job_id]).skips == {"claimed-by-other": 1}
    assert market.chain.nonce(prover.address) == nonce


def test_node__job_expired_while_it_was_down__is_closed_and_nothing_is_sent(
    market, requester, prover, tmp_path
):
    """A late node does not make its proof public for nothing."""
    job_id = open_job(market, requester, seconds=60)
    path = tmp_path / "j.sqlite"
    lost = LostInTheMail(market.chain, prover, number=STEPS.index(Purpose.SETTLE), after=False)
    node, _ = hash_node(market, prover, path, tmp_path, lost)
    with node.journal, pytest.raises(Killed):
        node.run_once([job_id])
    pass_time(market.chain, 120)
    node, _ = hash_node(market, prover, path, tmp_path)
    with node.journal as journal:
        report = node.run_once([job_id])
        assert "forfeited" in report.outcomes[0].reason
        assert journal.case_of(to_hex(job_id)).state is CaseState.CLOSED
    assert not market.jobs.events.settlements_of(job_id)


def test_chain_port__refusals__are_the_twins_of_the_contracts_errors(market, requester, prover, tmp_path):
    """What the node's pipeline tells apart arrives as errors of our tree."""
    job_id = open_job(market, requester, seconds=60)
    bound = ChainMarket(bind(market.chain, market.deployment), prover.address)
    transactions = ChainTransactions(market.chain, prover)
    market.jobs.claim(market.enrolled(), job_id)
    settle = bound.plan_settle(job_id, example_input(), EXAMPLE_OUTPUT, b"proof")
    with pytest.raises(NotClaimantError):
        transactions.simulate(settle)
    pass_time(market.chain, 120)
    with pytest.raises(JobExpiredError):
        transactions.sign(settle, nonce=0)
    assert bound.claim_of(job_id) is None
    assert bound.settlement_of(job_id) is None


def test_node__late_claim_of_a_rival__is_taken_over_and_settled_after_the_grace(
    market, requester, prover, tmp_path
):
    """Fee to credits, half of the late prover's collateral to this one's stake."""
    job_id = open_job(market, requester)
    rival = market.enrolled()
    market.jobs.claim(rival, job_id)
    pass_time(market.chain, 61)
    node, circuit = hash_node(market, prover, tmp_path / "j.sqlite", tmp_path)
    with node:
        assert node.run_once([job_id]).skips == {str(SkipCode.IN_GRACE): 1}
        pass_time(market.chain, market.jobs.terms().grace_seconds + 1)
        assert len(node.run_once([job_id]).settled) == 1
    assert circuit.proved == 1
    collateral = market.jobs.collateral_for(market.jobs.facts(job_id).price)
    assert market.provers.stake_of(prover.address).free == collateral + collateral // 2
    assert market.provers.stake_of(rival.address).locked == 0
    assert market.ledger.credits_of(prover.address) == 2 * ONE_TOKEN


def test_node__previous_prover_settles_in_its_grace__ends_as_overtaken(market, requester, prover, tmp_path):
    """The collateral of the takeover is free again and nothing was earned."""
    job_id = open_job(market, requester)
    rival = market.enrolled()
    market.jobs.claim(rival, job_id)
    pass_time(market.chain, 61)
    node, _ = hash_node(market, prover, tmp_path / "j.sqlite", tmp_path)
    with node:
        node.run_once([job_id])
        packed = example_input()
        market.jobs.settle(rival, job_id, packed, EXAMPLE_OUTPUT, halo2_proof_of(packed, EXAMPLE_OUTPUT))
        assert node.run_once([job_id]).skips == {str(SkipCode.OVERTAKEN): 1}
    assert market.provers.stake_of(prover.address).locked == 0


# --- a stranger's circuit under the node's key --------------------------------------------------------

TURNCOAT = """
// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;
import {IProofVerifier} from "verifier_contracts/src/IProofVerifier.sol";
contract Turncoat is IProofVerifier {
    bool public hasTurned;
    function turn() external { hasTurned = true; }
    function verify(bytes32, bytes calldata, bytes calldata, bytes calldata) external view {
        if (hasTurned) revert();
    }
}
"""


def compile_turncoat() -> ContractArtifact:
    sources = collect_sources(["verifier_contracts/src/IProofVerifier.sol"])
    compiled = compile_sources({**sources, "tests/Turncoat.sol": TURNCOAT})
    return next(ContractArtifact.from_compiled(item) for item in compiled if item.name == "Turncoat")


def bait(market):
    """Prove a model over a verifier that accepts everything, open a job on it, and have it refuse from then on."""
    stranger = market.funded()
    adapter = deploy_contract(market.chain, stranger, compile_turncoat())
    spec = market.spec._replace(adapter=adapter.address, adapter_code_hash=from_hex(adapter.code_hash))
    circuit_id, _ = market.router.add(stranger, spec)
    baited = prove_model(market, stranger, circuit_id, spec, proof_of=lambda *_: b"anything")
    job_id = open_job(baited, stranger)
    BoundContract(market.chain, compile_turncoat(), adapter.address).transact(stranger, "turn")
    return job_id


def test_node__verifier_that_turns_under_its_keys_digest__costs_it_nothing(market, prover, tmp_path):
    """Key digest, layout and domain are the node's own; it sends nothing, before a restart and after one."""
    job_id = bait(market)
    before = market.token.balance_of(prover.address), market.chain.nonce(prover.address)
    for _ in range(2):
        node, circuit = hash_node(market, prover, tmp_path / "j.sqlite", tmp_path)
        with node:
            report = node.run_once([job_id])
        assert report.skips == {str(SkipCode.FOREIGN_VERIFIER): 1}
        assert circuit.proved == 0
    assert market.jobs.facts(job_id).prover == "0x" + "00" * 20
    assert (market.token.balance_of(prover.address), market.chain.nonce(prover.address)) == before


# --- real EZKL, in a process of its own that is killed ----------------------------------------------

SERVE = """
import json, sys
from pathlib import Path
from circuits.bundle import Bundle
from prover_nodes.build import build_node
from verifier_contracts.deployments import load_deployment
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.store.directory import DirectoryStore
from zkml.config.settings import Settings
from zkml.wiring import bind
from eth_account import Account

given = json.loads(Path(sys.argv[1]).read_text())
folder, settings, chain = Path(given["folder"]), Settings(), Chain(given["endpoint"])
node = build_node(
    account=Account.from_key(given["key"]),
    market=bind(chain, load_deployment(Path(given["deployments"]), chain)),
    bundles=[Bundle.open(Path(given["bundle"]))],
    store=DirectoryStore(folder / "store"),
    journal=folder / "journal.sqlite",
    work=folder / "work",
    verifiers=Path(given["verifiers"]),
    prover=settings.prover,
    chain=settings.chain,
)
with node:
    report = node.run_once([bytes.fromhex(given["job"])])
print(json.dumps(report.as_json()))
"""


@pytest.fixture(scope="module")
def ezkl_market(market, folder):
    """The market with a model whose circuit is a real EZKL one."""
    from zkml.publish.publication import publish  # noqa: PLC0415 it imports the compiler

    tiny = lab("Relu")
    bound = bind(market.chain, market.deployment)
    published = publish(
        bound,
        market.deployer,
        tiny.bundle,
        tiny.system,
        store=DirectoryStore(folder / "artifacts"),
        cache_dir=folder / "verifiers",
        scratch=folder / "scratch",
    )
    return replace(market, model_id=published.model_id, circuit_id=published.circuit.circuit_id)


def serve(market, prover, job_id, folder, verifiers):
    """Start a node in a process of its own that serves one job."""
    given = {
        "folder": str(folder),
        "endpoint": market.chain.endpoint,
        "key": prover.key.hex(),
        "deployments": str(verifiers.parent / "deployments"),
        "bundle": str(lab("Relu").bundle.path),
        "job": job_id.hex(),
        "verifiers": str(verifiers),
    }
    parameters = folder / "parameters.json"
    parameters.write_text(json.dumps(given))
    command = [sys.executable, "-c", SERVE, str(parameters)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def wait_for_stage(path: Path, scope: str, job: str, stage: Stage, process) -> None:
    """Wait until the journal has a stage's output; a file that does not exist yet has none."""
    pause = threading.Event()
    while process.poll() is None:
        if path.exists():
            with open_journal(path, scope) as journal:
                cases = [case for case in journal.cases() if case.request.job_id == job]
                if cases and journal.has(cases[0], stage):
                    return
        pause.wait(0.01)
    raise AssertionError(f"the node ended with {process.returncode} before {stage}")


@pytest.mark.parametrize("stage", [Stage.CLAIM, Stage.PROVE])
def test_node__real_ezkl_killed_by_sigkill__the_next_one_finishes_the_job(
    ezkl_market, requester, prover, tmp_path, folder, stage
):
    """SIGKILL when the journal shows a stage; another process then claims, settles and is paid once."""
    market, tiny = ezkl_market, lab("Relu")
    packed = tiny.system.quantize_input(tiny.bundle, SAMPLES[1])
    spec = market.job_spec(packed, seconds=3600)
    job_id, _ = market.jobs.open(requester, spec, packed)
    bound = ChainMarket(bind(market.chain, market.deployment), prover.address)
    nonce = market.chain.nonce(prover.address)

    with serve(market, prover, job_id, tmp_path, folder / "verifiers") as first:
        try:
            wait_for_stage(tmp_path / "journal.sqlite", bound.scope, to_hex(job_id), stage, first)
        finally:
            first.send_signal(signal.SIGKILL)
    with serve(market, prover, job_id, tmp_path, folder / "verifiers") as second:
        printed, _ = second.communicate(timeout=120)
    assert json.loads(printed)["settled"] == 1
    assert market.ledger.credits_of(prover.address) == market.jobs.facts(job_id).payment.prover_fee
    assert market.chain.nonce(prover.address) == nonce + 5
    assert len(market.jobs.events.settlements_of(job_id)) == 1


def test_profit__estimated_gas__is_what_a_job_costs_on_the_chain(
    ezkl_market, requester, prover, tmp_path, folder
):
    """Claim and settlement of a real proof use no more than the estimate, and not much less."""
    market, tiny, settings = ezkl_market, lab("Relu"), Settings()
    node = build_node(
        account=prover,
        market=bind(market.chain, market.deployment),
        bundles=[tiny.bundle],
        store=DirectoryStore(tmp_path),
        journal=tmp_path / "journal.sqlite",
        work=tmp_path / "work",
        verifiers=folder / "verifiers",
        prover=settings.prover,
        chain=settings.chain,
    )
    used = []
    with node:
        for sample in SAMPLES[4:6]:
            packed = tiny.system.quantize_input(tiny.bundle, sample)
            job_id, _ = market.jobs.open(requester, market.job_spec(packed, seconds=3600), packed)
            [outcome] = node.run_once([job_id]).settled
            case = node.journal.case_of(to_hex(job_id))
            claim = node.journal.last_transaction(case, Purpose.CLAIM)
            used.append(market.chain.receipt(claim.transaction).gas_used + outcome.settlement.gas_used)
    spec = market.router.circuit(market.registry.commitment_of(market.model_id).circuit_id)
    # The first settlement pays more, because the account was never credited before.
    estimate = gas_of_job(spec.layout, spec.gas_limit * 4 // 5, tiny.bundle.manifest.proof_bytes)
    assert used[1] <= estimate <= 1.1 * used[1]


def test_preview__open_jobs__says_what_the_node_would_do_and_changes_nothing(
    ezkl_market, foreign_market, requester, prover, folder
):
    """The dry run names jobs to claim and reasons to leave others alone."""
    market, tiny = ezkl_market, lab("Relu")
    packed = tiny.system.quantize_input(tiny.bundle, SAMPLES[2])
    spec = market.job_spec(packed, seconds=3600)
    mine, _ = market.jobs.open(requester, spec, packed)
    foreign = foreign_market.job_spec(example_input())
    other, _ = market.jobs.open(requester, foreign, example_input())
    height = market.chain.height()
    settings = Settings()
    found = dict(
        preview_jobs(
            bind(market.chain, market.deployment),
            prover.address,
            [tiny.bundle],
            settings.prover,
            settings.chain,
            verifiers=folder / "verifiers",
        )
    )
    assert found[to_hex(mine)] == "claim"
    assert found[to_hex(other)].startswith("unknown-circuit: ")
    assert market.chain.height() == height


def test_build_node__from_parts__knows_its_bundles_by_verifying_key(ezkl_market, prover, tmp_path):
    """The node finds a bundle by the digest that the router pins, for either kind of verifier."""
    tiny, settings = lab("Relu"), Settings()
    node = build_node(
        account=prover,
        market=bind(ezkl_market.chain, ezkl_market.deployment),
        bundles=[tiny.bundle],
        store=DirectoryStore(tmp_path),
        journal=tmp_path / "journal.sqlite",
        work=tmp_path / "work",
        verifiers=tmp_path / "verifiers",
        prover=settings.prover,
        chain=settings.chain,
    )
    with node:
        [circuit] = node._pipeline.circuits
        generated = digest_bytes(tiny.bundle.manifest.verifying_key)
        shared = make_shared_key(tiny.bundle).digest
        assert [find_circuit([circuit], digest) for digest in (generated, shared)] == [circuit, circuit]
        assert find_circuit([circuit], bytes(32)) is None
        assert node._pipeline.judge.policy.confirmations == 0


def test_bundle_circuit__verifier_code_and_gas__are_those_that_its_publisher_pinned(
    ezkl_market, folder, tmp_path
):
    """The key generates the deployed code; a node that never measured proves one sample and gets the same gas."""
    market, tiny, settings = ezkl_market, lab("Relu"), Settings()
    opened = open_circuits(
        [tiny.bundle], prover=settings.prover, work=tmp_path / "work", verifiers=tmp_path / "verifiers"
    )
    [circuit] = opened.circuits
    spec = market.router.circuit(market.registry.commitment_of(market.model_id).circuit_id)
    assert inspect_verifier(spec, circuit, code_of=market.chain.code, chain_id=market.chain.chain_id) is None
    stages = []
    least = circuit.least_gas_limit(
        spec.verifying_key_digest, progress=lambda event: stages.append(event.stage)
    )
    assert "sample: prove" in stages
    assert 0.8 * spec.gas_limit < least < spec.gas_limit
    assert inspect_gas_limit(spec._replace(gas_limit=least), circuit, progress=silent) is None
    assert "needed" in inspect_gas_limit(spec._replace(gas_limit=least - 1), circuit, progress=silent).note
    assert not list((tmp_path / "work").iterdir())
    opened.close()
