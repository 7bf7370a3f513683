"""Jobs, signed requests and batches that are settled by OCTET on a real node; stolen proofs earn nothing."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from eth_abi import encode
from eth_account import Account
from eth_account.signers.local import LocalAccount
from octet_bundles import SAMPLES, octet, small_batch, small_bundle

from circuits.bundle import Bundle
from circuits.octet.system import DEFAULT_LIMITS
from circuits.single_proof import prove_input
from prover_nodes.api.server import ApiServer
from prover_nodes.build import NodeParts, build_parts, node_of
from prover_nodes.calibration import CostTerms, calibrate
from prover_nodes.circuit_port import BundleCircuit
from prover_nodes.direct.build import direct_of
from prover_nodes.journal import Purpose
from prover_nodes.profit import gas_of_job
from verifier_contracts.artifacts import load_artifact
from verifier_contracts.bindings import BoundContract
from verifier_contracts.deploy import deploy_core
from zkml import wiring
from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.keys.dev_keys import dev_account
from zkml.adapters.keys.typed_signatures import sign_message
from zkml.adapters.store.directory import DirectoryStore
from zkml.adapters.system_clock import SystemClock
from zkml.audit.evidence import Contracts
from zkml.audit.job_audit import audit_job
from zkml.audit.policy import AuditPolicy
from zkml.audit.report import Verdict
from zkml.audit.request_audit import audit_request
from zkml.client import Model, Proved, Requester, read_output, verify_answer
from zkml.config.settings import ApiSettings, ClientSettings, Settings
from zkml.core.dids import did_of
from zkml.core.identifiers import VerifierClass
from zkml.core.market_identifiers import JobSpec, TabSpec, batch_context, context_of
from zkml.core.pricing import least_model_fee
from zkml.core.records import from_hex, to_hex
from zkml.core.signed_requests import SignedRequest, record_of_request, request_message
from zkml.core.tensors import input_commitment
from zkml.errors import ProofRejectedError
from zkml.publish.publication import Publication, publish
from zkml.wiring import Market

pytestmark = pytest.mark.integration

DEPLOYER = dev_account(31337)
LOCAL = frozenset({VerifierClass.LOCAL})
UNIT = 10**6
FUNDS = 1_000 * UNIT


@dataclass
class Desk:
    """A chain with one model of OCTET, PROVEN with a circuit for one input and one for three."""

    market: Market
    publication: Publication
    store: DirectoryStore
    folder: Path
    requester: LocalAccount
    prover: LocalAccount
    thief: LocalAccount

    def open_job(self, sample: int) -> bytes:
        packed = packed_sample(sample)
        spec = JobSpec(
            model_id=self.publication.model_id,
            circuit_id=self.publication.circuit.circuit_id,
            input_commitment=input_commitment(packed),
            input_uri="",
            min_prover_fee=UNIT,
            max_prover_fee=UNIT,
            max_total=10 * UNIT,
            ramp_seconds=0,
            claim_seconds=120,
            deadline=self.market.chain.now() + 3600,
        )
        return self.market.manager.open(self.requester, spec, packed)[0]

    def claimed_job(self, sample: int, prover: LocalAccount) -> bytes:
        job = self.open_job(sample)
        self.market.manager.claim(prover, job)
        return job

    def prove(self, packed: bytes, context: bytes, bundle: Bundle | None = None) -> Proved:
        made = prove_input(
            bundle or small_bundle(), octet(), packed, self.folder / "scratch" / "w", context=context
        )
        return Proved(packed, from_hex(made.output), from_hex(made.proof))

    def thefts(self, subject: bytes, payee: str, *, rival: str, other: bytes) -> dict[str, bytes]:
        """Return the contexts of proofs of the same input and output that were made for something else."""
        chain_id, manager = self.market.chain.chain_id, self.market.manager.address
        mine = context_of(chain_id, manager, subject, payee)
        return {
            "another payee": context_of(chain_id, manager, subject, rival),
            "another job": context_of(chain_id, manager, other, payee),
            "another chain": context_of(1, manager, subject, payee),
            "another market": context_of(chain_id, self.market.ledger.address, subject, payee),
            "a batch": batch_context([mine]),
            "nothing": bytes(32),
        }

    def audit(self, job: bytes, **options):
        contracts = Contracts.of(self.market.deployment)
        return audit_job(job, self.market.chain, contracts, self.store, AuditPolicy(), **options)


def packed_sample(index: int) -> bytes:
    return octet().quantize_input(small_bundle(), SAMPLES[index])


def funded(market: Market, spender: str) -> LocalAccount:
    account = Account.create()
    market.chain.send_once("anvil_setBalance", [account.address, hex(10**19)])
    market.token.mint(DEPLOYER, account.address, FUNDS)
    market.token.approve(account, spender, FUNDS)
    return account


def enrolled(market: Market, system: bytes) -> LocalAccount:
    account = funded(market, market.provers.address)
    market.provers.register(account, "", [system])
    market.provers.stake(account, FUNDS)
    return account


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("settlements")
    with Anvil.start(folder / "chain") as node, closing(Chain(node.endpoint)) as chain:
        market = wiring.bind(chain, deploy_core(chain, DEPLOYER, folder=folder))
        store = DirectoryStore(folder / "store")
        published = publish(
            market,
            DEPLOYER,
            small_bundle(),
            octet(),
            store,
            cache_dir=folder / "verifiers",
            scratch=folder / "scratch",
            batches=[small_batch()],
        )
        system = published.circuit.spec.proof_system_id
        yield Desk(
            market=market,
            publication=published,
            store=store,
            folder=folder,
            requester=funded(market, market.ledger.address),
            prover=enrolled(market, system),
            thief=enrolled(market, system),
        )


def test_publish__one_input_and_three__are_proven_by_inputs_that_the_chain_chose(desk):
    """Both circuits are activated in the seed's context: one transaction each, and the model is PROVEN."""
    published = desk.publication
    assert len(published.genesis_transactions) == 2
    assert desk.market.registry.missing_genesis(published.model_id) == ()
    assert desk.market.registry.batch_of(published.model_id, published.circuits[1].circuit_id) == 3


def test_settle__stolen_proofs__are_worth_nothing_to_the_thief(desk):
    """What one claimer has shown the chain pays another nothing, though input, output and model are the same."""
    manager = desk.market.manager
    ours, theirs = desk.claimed_job(0, desk.prover), desk.claimed_job(0, desk.thief)
    proved = desk.prove(packed_sample(0), manager.context_of(ours, desk.prover.address))
    manager.settle(desk.prover, ours, *proved)
    with pytest.raises(ProofRejectedError):
        manager.simulate_settle(desk.thief.address, theirs, *proved)
    for context in desk.thefts(theirs, desk.thief.address, rival=desk.prover.address, other=ours).values():
        stolen = desk.prove(packed_sample(0), context)
        with pytest.raises(ProofRejectedError):
            manager.simulate_settle(desk.thief.address, theirs, *stolen)
    honest = desk.prove(packed_sample(0), manager.context_of(theirs, desk.thief.address))
    manager.settle(desk.thief, theirs, *honest)
    assert honest.packed_output == proved.packed_output
    found = read_output(desk.market, ours, accepted_classes=LOCAL, store=desk.store)
    assert (found.packed, found.prover) == (proved.packed_output, desk.prover.address)
    assert desk.audit(ours).verdict is desk.audit(theirs).verdict is Verdict.ACCEPTED


def test_settle_signed__stolen_proofs__are_refused_by_client_and_chain(desk):
    """Before it uses an answer the client derives the context itself, as the contract does before it pays."""
    market, tabs = desk.market, desk.market.tabs
    tab = open_tab(desk)
    (request, record), (another, _) = sign(desk, tab, 0), sign(desk, tab, 1)
    subject, other = tabs.digest_of(request), tabs.digest_of(another)
    signature, prover = from_hex(record.signature), desk.prover.address
    thefts = desk.thefts(subject, prover, rival=desk.thief.address, other=other)
    for context in thefts.values():
        stolen = desk.prove(packed_sample(1), context)
        with pytest.raises(ProofRejectedError):
            verify_answer(market, record, stolen, accepted_classes=LOCAL)
        with pytest.raises(ProofRejectedError):
            tabs.simulate_settle_signed(prover, request, signature, tuple(stolen))
    proved = desk.prove(packed_sample(1), tabs.context_of(request, prover))
    assert verify_answer(market, record, proved, accepted_classes=LOCAL).prover == prover
    tabs.settle_signed(desk.prover, request, signature, tuple(proved))
    contracts = Contracts.of(market.deployment)
    report = audit_request(subject, market.chain, contracts, desk.store, AuditPolicy())
    assert report.verdict is Verdict.ACCEPTED


def open_tab(desk: Desk) -> bytes:
    expiry = desk.market.chain.now() + 3600
    model, requester = desk.publication.model_id, desk.requester
    spec = TabSpec(model, desk.prover.address, requester.address, 20 * UNIT, expiry)
    return desk.market.tabs.open_tab(requester, spec)[0]


def sign(desk: Desk, tab: bytes, nonce: int):
    """Return a request on a tab, and its record."""
    chain_id, manager = desk.market.chain.chain_id, desk.market.tabs.address
    quote = desk.market.manager.quote_for(desk.publication.model_id)
    request = SignedRequest(
        tab_id=tab,
        circuit_id=desk.publication.circuit.circuit_id,
        input_commitment=input_commitment(packed_sample(1)),
        model_fee=least_model_fee(quote, UNIT),
        prover_fee=UNIT,
        expiry=desk.market.chain.now() + 600,
        nonce=nonce,
    )
    signature = sign_message(desk.requester, request_message(chain_id, manager, request))
    return request, record_of_request(chain_id, manager, request, signature)


def test_settle_batch__is_bound_to_its_jobs_in_their_order(desk):
    """One proof pays three jobs; the same inputs proved for them in another order, or for one of them, pay none."""
    manager, circuit = desk.market.manager, desk.publication.circuits[1].circuit_id
    prover = desk.prover.address
    jobs = [desk.claimed_job(2, desk.prover) for _ in range(3)]
    packed = packed_sample(2) * 3
    swapped = [jobs[1], jobs[0], jobs[2]]
    for context in (
        manager.batch_context_of(swapped, prover),
        manager.batch_context_of(jobs, desk.thief.address),
        manager.batch_context_of(jobs[:2], prover),
        manager.context_of(jobs[0], prover),
        bytes(32),
    ):
        stolen = desk.prove(packed, context, small_batch())
        with pytest.raises(ProofRejectedError):
            manager.contract.simulate(prover, "settleBatch", jobs, circuit, *stolen)
    proved = desk.prove(packed, manager.batch_context_of(jobs, prover), small_batch())
    with pytest.raises(ProofRejectedError):
        manager.contract.simulate(prover, "settleBatch", swapped, circuit, *proved)
    manager.settle_batch(desk.prover, jobs, circuit, tuple(proved))
    for job in jobs:
        found = read_output(desk.market, job, accepted_classes=LOCAL)
        assert (found.jobs_of_proof, found.packed * 3) == (3, proved.packed_output)
    report = desk.audit(jobs[1], own_bundle=small_batch().path)
    assert report.verdict is Verdict.ACCEPTED


def test_verify_inference__takes_a_proof_that_was_made_to_be_shown_and_none_that_was_paid(desk):
    """ERC-7992's verifier has a context of its own: nobody shows a settlement's proof there as theirs."""
    market, circuit = desk.market, desk.publication.circuit.circuit_id
    address = market.deployment.inference.address
    shown = BoundContract(market.chain, load_artifact("InferenceVerifier"), address)
    model, packed = desk.publication.model_id, packed_sample(0)
    commitment = input_commitment(packed)
    own = bytes(shown.call("contextOf", model, commitment))
    job = market.manager.context_of(bytes(32), desk.prover.address)

    def show(context: bytes) -> None:
        made = desk.prove(packed, context)
        proof = encode(["bytes32", "bytes", "bytes"], [circuit, packed, made.proof])
        shown.simulate(desk.thief.address, "verifyInference", model, commitment, made.packed_output, proof)

    show(own)
    with pytest.raises(ProofRejectedError, match="InvalidProof"):
        show(job)


def parts_of(desk: Desk, folder: Path) -> NodeParts:
    """Return what a node of the prover's is made of."""
    settings = Settings()
    return build_parts(
        account=desk.prover,
        market=desk.market,
        bundles=[small_bundle()],
        store=desk.store,
        journal=folder / "journal.sqlite",
        work=folder / "work",
        verifiers=desk.folder / "verifiers",
        prover=settings.prover,
        chain=settings.chain,
    )


def test_infer__client_and_node__answer_settle_and_verify_without_knowing_the_system(desk, tmp_path):
    """Over HTTP: the client verifies an answer in the context of its own request, then it is settled."""
    settings = ApiSettings(prover_fee=UNIT, settle_margin_seconds=20.0, port=0)
    requester = Requester(
        market=desk.market,
        account=desk.requester,
        directory=tmp_path / "client",
        store=desk.store,
        settings=ClientSettings(),
        trusted=LOCAL,
        clock=SystemClock(),
    )
    registry = desk.market.registry
    did = did_of(desk.market.chain.chain_id, registry.account_of(desk.publication.model_id))
    with parts_of(desk, tmp_path / "node") as parts:
        service = direct_of(parts, settings)
        server = ApiServer(service, settings)
        service.parts.catalogue.refresh()
        service.start()
        server.start()
        try:
            model = Model(did, requester=requester, max_fee=10 * UNIT, timeout_seconds=60.0, node=server.url)
            prediction = model.predict(SAMPLES[4])
            prediction.verify()
        finally:
            server.stop()
            service.stop()
    assert prediction.receipt.prover == desk.prover.address
    expected = octet().quantized_outputs(small_bundle(), SAMPLES[4:5]).ravel()
    scale = 1 << small_bundle().manifest.output_scale_bits
    assert (prediction.output.ravel() * scale).tolist() == expected.tolist()


def test_node__settles_a_job_of_octet_like_any_other(desk, tmp_path):
    """The node that knows nothing of the system claims, proves, checks and is paid; the audit holds.

    What it reckons that a job costs is what claim and settlement use, and little more.
    """
    job = desk.open_job(3)
    node = node_of(parts_of(desk, tmp_path))
    with node:
        report = node.run_once([job])
        report.raise_first_error()
        [outcome] = report.settled
        claim = node.journal.last_transaction(node.journal.case_of(to_hex(job)), Purpose.CLAIM)
    claimed = desk.market.chain.receipt(claim.transaction).gas_used
    audited = desk.audit(job)
    assert (audited.verdict, audited.facts["prover"]) == (Verdict.ACCEPTED, desk.prover.address)
    pinned, manifest = desk.publication.circuit.spec, small_bundle().manifest
    estimate = gas_of_job(pinned.layout, pinned.gas_limit * 4 // 5, manifest.proof_bytes)
    used = claimed + outcome.settlement.gas_used
    assert used <= estimate <= 1.1 * used


def test_measure__says_what_proofs_and_their_jobs_take_here(desk, tmp_path):
    """Before an operator asks for a fee: seconds of a proof, and gas of the verifier that such circuits have."""
    circuit = BundleCircuit(
        small_bundle(), octet(), work=tmp_path, verifiers=desk.folder / "verifiers", limits=DEFAULT_LIMITS
    )
    [found] = calibrate([circuit], terms=CostTerms(0, 0, 0, 0), runs=1).circuits
    pinned = desk.publication.circuit.spec
    assert circuit.usual_key_digest() == pinned.verifying_key_digest
    assert found.prove_seconds > 0
    assert pinned.gas_limit < found.gas < pinned.gas_limit + 500_000
