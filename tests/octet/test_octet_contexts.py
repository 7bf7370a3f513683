"""A proof is worth something to its payee, for its job, on its chain, and nowhere else: off chain."""

from types import SimpleNamespace

import pytest
from octet_bundles import SAMPLES, octet, small_bundle, small_proof

from circuits.measurements import Measurements
from circuits.port import ProofSystem
from circuits.portable_proof import portable_proof
from circuits.proof_binding import binds_context
from circuits.systems import NAMES, open_system
from circuits.verification import verify_proof
from prover_nodes.circuit_port import BundleCircuit
from prover_nodes.workers import ray_task
from prover_nodes.workers.ray_workers import RayWorker
from zkml.adapters.process.child import Limits
from zkml.adapters.ray.cluster import Resources, Stored
from zkml.audit.proof_audit import audit_proof
from zkml.audit.proof_steps import proof_verifies_off_chain
from zkml.audit.report import Verdict
from zkml.cli import imo_finalize
from zkml.config.settings import ProverSettings
from zkml.core.market_identifiers import batch_context, context_of
from zkml.core.progress import silent
from zkml.core.records import from_hex, to_hex
from zkml.errors import BindingError, CircuitError, ProofRejectedError
from zkml.publish.publication import activate

CHAIN, MANAGER, JOB, PAYEE = 31337, "0x" + "11" * 20, b"\7" * 32, "0x" + "22" * 20
MINE = context_of(CHAIN, MANAGER, JOB, PAYEE)
STOLEN = {
    "by another payee": context_of(CHAIN, MANAGER, JOB, "0x" + "23" * 20),
    "for another job": context_of(CHAIN, MANAGER, b"\x08" * 32, PAYEE),
    "on another chain": context_of(1, MANAGER, JOB, PAYEE),
    "at another market": context_of(CHAIN, "0x" + "12" * 20, JOB, PAYEE),
    "in a batch of one": batch_context([MINE]),
    "for nobody": bytes(32),
}
SEED = b"\x05" * 32
LIMITS = Limits(memory_bytes=8 << 30, wall_seconds=600)


@pytest.fixture(scope="module")
def packed():
    return octet().quantize_input(small_bundle(), SAMPLES[5])


@pytest.fixture
def circuit(tmp_path):
    opened = BundleCircuit(
        small_bundle(), octet(), work=tmp_path / "work", verifiers=tmp_path / "verifiers", limits=LIMITS
    )
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def mine(packed, tmp_path_factory):
    """Input, output and proof of one job, as they stand in its settlement's calldata."""
    bundle, system = small_bundle(), octet()
    witness = system.witness(bundle, packed, tmp_path_factory.mktemp("mine") / "witness")
    made = system.prove(bundle, witness, context=MINE).proof
    return packed, from_hex(made.output), from_hex(made.proof)


@pytest.mark.parametrize("name", NAMES)
def test_port__says_whether_a_system_binds_a_context(name):
    """Nobody above asks for the system's name: the port and the proof file's maker give one answer."""
    system: ProofSystem = open_system(name)
    assert system.binds_context is binds_context(name) is (name == "octet")
    system.close()
    with pytest.raises(CircuitError, match="known proof system"):
        binds_context("unheard-of")


@pytest.mark.parametrize(("name", "expected"), [("octet", to_hex(MINE)), ("ezkl", "0x" + "00" * 32)])
def test_portable_proof__carries_the_context_only_where_the_system_binds_one(name, expected, mine):
    """Whoever makes a file from calldata need not know the system."""
    manifest = small_bundle().manifest.model_copy(update={"system": name})
    assert portable_proof(manifest, *mine, context=MINE).context == expected


def test_node__proves_what_the_settlement_will_verify_and_nothing_else(circuit, packed):
    """The node's own check accepts its proof in the context it was asked for."""
    output, _ = circuit.witness(packed, progress=silent)
    proof, _ = circuit.prove(packed, output, context=MINE, progress=silent)
    circuit.verify(packed, output, proof, context=MINE)
    again, _ = circuit.prove(packed, output, context=bytes(32), progress=silent)
    assert again != proof


@pytest.mark.parametrize("theft", STOLEN)
def test_node__stolen_proof__is_refused_before_anybody_pays_gas(theft, circuit, mine):
    """The same input, output and bytes, of another settlement."""
    with pytest.raises(ProofRejectedError):
        circuit.verify(*mine, context=STOLEN[theft])


def test_node__batch__the_order_of_the_jobs_is_bound():
    """Whoever swaps two jobs of a batch has another context."""
    other = STOLEN["for another job"]
    assert batch_context([MINE, other]) != batch_context([other, MINE])


class Here:
    """A cluster of this process."""

    def put(self, value):
        return Stored(value)

    def run(self, work, order, travelling, *, resources, wait_seconds, on_tick):
        return work(order, travelling)


def test_worker__on_a_cluster__proves_in_the_context_of_the_order(circuit, packed, tmp_path, monkeypatch):
    """The context travels with the order, and what comes back holds in it alone."""
    monkeypatch.setenv(ray_task.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(ray_task, "fetch", lambda piece: piece.reference)
    monkeypatch.setattr(ray_task, "node_name", lambda: "here")
    worker = RayWorker(
        small_bundle(), Here(), Measurements(None), prover=ProverSettings(), limits=LIMITS, share=Resources()
    )
    computed = worker.witness(packed, progress=silent)
    made = worker.prove(packed, context=MINE, progress=silent)
    assert made.output == computed.output
    circuit.verify(packed, made.output, made.proof, context=MINE)
    with pytest.raises(ProofRejectedError):
        circuit.verify(packed, made.output, made.proof, context=bytes(32))


def test_genesis__is_bound_to_the_seed_that_the_chain_drew(circuit, packed, tmp_path):
    """The registry verifies with the seed as context: another model's genesis proof is none of this one's."""
    sent = []

    def activate_on_chain(account, model_id, circuit_id, output, proof):
        circuit.verify(packed, output, proof, context=SEED)
        with pytest.raises(ProofRejectedError):
            circuit.verify(packed, output, proof, context=bytes(32))
        sent.append(model_id)
        return SimpleNamespace(transaction="0xab")

    registry = SimpleNamespace(
        missing_genesis=lambda model_id: [JOB],
        genesis=lambda model_id, circuit_id: SimpleNamespace(seed=SEED, packed_input=packed),
        activate=activate_on_chain,
    )
    market = SimpleNamespace(registry=registry)
    activate(market, None, {JOB: small_bundle()}, octet(), 3, scratch=tmp_path)
    assert sent == [3]


def settlement_of(mine, context):
    """Return a settlement's case as step 7 of an audit sees it, whose context the chain says."""
    given = SimpleNamespace(packed_input=mine[0], packed_output=mine[1], proof=mine[2])
    spec = SimpleNamespace(layout=small_bundle().manifest.tensor_layout)
    reader = SimpleNamespace(
        chain=SimpleNamespace(chain_id=CHAIN),
        contracts=SimpleNamespace(manager=MANAGER),
        verifier=lambda circuit: SimpleNamespace(spec=spec, shared=None),
    )
    return SimpleNamespace(
        settlement=SimpleNamespace(given=given, context=lambda chain_id, manager, payee: context),
        reader=reader,
        proving_circuit=JOB,
        commitment=SimpleNamespace(circuit_id=JOB),
        bundle=small_bundle(),
        ending=SimpleNamespace(arguments={"prover": PAYEE}),
    )


def test_audit__settlement__is_verified_in_the_context_of_job_and_payee(mine):
    """Step 7 derives the context from the chain; calldata of a stolen proof is refused there, too."""
    assert proof_verifies_off_chain(settlement_of(mine, MINE), verify_proof)
    for context in STOLEN.values():
        with pytest.raises(ProofRejectedError):
            proof_verifies_off_chain(settlement_of(mine, context), verify_proof)


def test_audit__proof_file__is_verified_in_its_own_context_and_refused_in_another(mine, tmp_path):
    """Of a file alone nobody can say what it was made for; whoever knows asks for that."""
    bundle, path = small_bundle(), tmp_path / "proof.json"
    path.write_bytes(portable_proof(bundle.manifest, *mine, context=MINE).to_bytes())
    for context in (None, MINE):
        report = audit_proof(path, bundle.path, context=context)
        assert report.verdict is Verdict.ACCEPTED
        assert to_hex(MINE) in report.as_text()
    report = audit_proof(path, bundle.path, context=SEED)
    assert (report.verdict, report.rejected_steps[0]) == (Verdict.REJECTED, 2)
    report = audit_proof(path, bundle.path, verifier_path=tmp_path / "verifier.json")
    assert (report.verdict, report.rejected_steps) == (Verdict.INCONCLUSIVE, ())
    path.write_bytes(portable_proof(bundle.manifest, *mine, context=SEED).to_bytes())
    assert audit_proof(path, bundle.path, context=SEED).rejected_steps == (5,)


def test_release__takes_no_proof_that_is_bound_to_anything_but_its_seed(mine, packed, tmp_path, monkeypatch):
    """A kept proof of another seed is made again, a given one is refused before a transaction."""
    facts = SimpleNamespace(seed=SEED, offering_id=1)
    market = SimpleNamespace(
        chain=SimpleNamespace(chain_id=CHAIN), offerings=SimpleNamespace(address=MANAGER)
    )
    notes = []
    session = SimpleNamespace(
        home=SimpleNamespace(publisher=tmp_path), console=SimpleNamespace(note=notes.append)
    )
    bundle = small_bundle()
    given, kept = tmp_path / "given.json", imo_finalize._kept(session, market, 1)
    wrong = portable_proof(bundle.manifest, *mine, context=MINE)
    right = portable_proof(bundle.manifest, *mine, context=SEED)
    given.write_bytes(wrong.to_bytes())
    with pytest.raises(BindingError, match="bound to the context"):
        imo_finalize._proof(session, market, facts, packed, None, given)
    kept.write_bytes(wrong.to_bytes())
    monkeypatch.setattr(imo_finalize, "_made", lambda *_: right)
    assert imo_finalize._proof(session, market, facts, packed, None, None) == right
    assert not notes
    monkeypatch.setattr(imo_finalize, "_opened", lambda *_: bundle)
    with pytest.raises(ProofRejectedError):
        imo_finalize._proof(session, market, facts, packed, bundle.path, None)
    given.write_bytes(portable_proof(bundle.manifest, *mine, context=bytes(32)).to_bytes())
    with pytest.raises(BindingError, match="bound to the context"):
        imo_finalize._proof(session, market, facts, packed, bundle.path, given)
    kept.write_bytes(right.to_bytes())
    monkeypatch.setattr(imo_finalize, "_made", None)
    assert imo_finalize._proof(session, market, facts, packed, None, None) == right
    assert len(notes) == 1


def test_sample__is_bound_to_nothing(tmp_path, circuit):
    """What measures gas pays nobody, so it has the context of nothing."""
    assert small_proof().context == "0x" + "00" * 32
    assert circuit._prove_sample(silent).context == "0x" + "00" * 32
