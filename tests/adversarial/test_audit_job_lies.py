"""Evidence with one lie in it: the audit of a job rejects at exactly the step that checks it.

The evidence is recorded from a real chain with real proofs (`audit_world.py`); each test changes one thing.
"""

import dataclasses
from collections.abc import Callable

import pytest
from audit_world import FEE, RecordedChain, World, build_world

from verifier_contracts.artifacts import load_artifact
from verifier_contracts.proof_bytes import ACTIVATE, SETTLE
from zkml.adapters.evm import abi
from zkml.audit.chain_reader import ChainReader
from zkml.audit.job_audit import NOBODY_PAID, ONLY_DEPLOYED, audit_job
from zkml.audit.offchain import verify_manifest
from zkml.audit.policy import INSECURE_SRS, AuditPolicy
from zkml.audit.report import Outcome, Verdict
from zkml.core.digests import keccak256
from zkml.core.identifiers import CircuitSpec, ModelCommitment, VerifierClass, genesis_seed
from zkml.core.tensors import InputDomain, TensorLayout, expand_input
from zkml.errors import (
    ArtifactNotFoundError,
    DigestMismatchError,
    ProofRejectedError,
    RpcError,
    ToolchainError,
    UnsuitableCircuitError,
    VerificationError,
)

pytestmark = pytest.mark.integration

STRANGER = "0x00000000000000000000000000000000DeaDBeef"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return build_world(tmp_path_factory.mktemp("audit"))


def no_ezkl(_bundle: object, _proof: object) -> None:
    raise ToolchainError("expected the package ezkl, found none")


def settle(world: World) -> str:
    return world.transaction_with("JobSettled", world.settled)


def flipped(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def settlement(world: World) -> dict:
    entry = abi.function(load_artifact("JobManager").abi, "settle")
    return abi.decode_calldata(entry, world.chain.transactions[settle(world)].data)


def genesis(world: World) -> tuple[str, dict]:
    transaction = world.transaction_with("ModelProven", world.model, "ModelRegistry")
    entry = abi.function(load_artifact("ModelRegistry").abi, "activate")
    return transaction, abi.decode_calldata(entry, world.chain.transactions[transaction].data)


def job_answer(world: World, job: bytes, **changes: object) -> RecordedChain:
    names = (
        "requester",
        "fee",
        "prover",
        "collateral",
        "model",
        "circuit",
        "commitment",
        "deadline",
        "outcome",
    )

    def change(values: tuple) -> tuple:
        return (tuple((dict(zip(names, values[0], strict=True)) | changes).values()),)

    return world.chain.with_answer("JobManager", world.contracts.manager, "job", [job], change)


def circuit_answer(world: World, position: int, value: object) -> RecordedChain:
    circuit = bytes.fromhex(world.audit(world.settled).facts["circuit"][2:])

    def change(values: tuple) -> tuple:
        spec = list(values[0])
        spec[position] = value
        return (tuple(spec),)

    return world.chain.with_answer("VerifierRouter", world.contracts.router, "circuit", [circuit], change)


# --- the truth, in every way a job can end --------------------------------------------------------


def test_settled_job__accepted_with_every_step(world):
    """A job that was settled with a real proof passes all eleven steps, and its insecure SRS is named."""
    report = world.audit(world.settled)
    assert [step.outcome for step in report.steps] == [Outcome.OK] * 11
    assert [step.number for step in report.steps] == list(range(11))
    assert (report.verdict, report.exit_code) == (Verdict.ACCEPTED, 0)
    assert INSECURE_SRS in report.notes
    assert report.facts["output"] == "0x" + settlement(world)["output"].hex()


def test_settled_job__without_ezkl__no_verdict(world):
    """Where EZKL is not installed nobody checked the key: step 7, and the report, are inconclusive."""
    report = world.audit(world.settled, verify=no_ezkl)
    assert report.step(7).outcome is Outcome.INCONCLUSIVE
    assert report.step(8).outcome is Outcome.OK
    assert (report.verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 4)
    assert ONLY_DEPLOYED in report.notes


@pytest.mark.parametrize("name", ["refunded", "cancelled"])
def test_job_without_proof__accepted_because_nobody_was_paid(world, name):
    """A refunded or cancelled job is in order when no settlement exists and the money went back."""
    report = world.audit(getattr(world, name))
    assert (report.verdict, report.meaning) == (Verdict.ACCEPTED, NOBODY_PAID)


def test_claimed_job__inconclusive_and_says_what_holds(world):
    """A job that is not settled yet gives no verdict, but its request and model are checked."""
    report = world.audit(world.claimed)
    assert report.exit_code == 4
    assert [step.number for step in report.steps if step.outcome is Outcome.OK] == [0, 1, 2, 3, 4, 5]
    assert "not settled" in report.step(6).detail


# --- one lie, one step ----------------------------------------------------------------------------


def other_deadline(world):
    return job_answer(world, world.settled, deadline=1)


def other_manager_code(world):
    return world.chain.with_code(world.contracts.manager, b"\x60\x00")


def other_registry_of_manager(world):
    return world.chain.with_answer(
        "JobManager", world.contracts.manager, "registry", [], lambda _: (STRANGER,)
    )


def no_such_job(world):
    zero = "0x" + "00" * 20
    return job_answer(world, world.settled, requester=zero)


def failed_opening(world):
    return world.chain.with_receipt(world.transaction_with("JobOpened", world.settled), succeeded=False)


def other_uri(world):
    opening = world.transaction_with("JobOpened", world.settled)
    return world.chain.with_event(opening, "JobManager", "JobOpened", inputUri="ipfs://other")


def fewer_nonces(world):
    return world.chain.with_answer(
        "JobManager", world.contracts.manager, "nonces", [world.requester], lambda _: (1,)
    )


def other_gas_limit(world):
    return circuit_answer(world, 6, 1)


def other_class(world):
    return circuit_answer(world, 7, VerifierClass.CEREMONY)


def other_adapter_code(world):
    return world.chain.with_code(_adapter(world), b"\x00")


def other_verifier_code(world):
    verifier = _verifier(world)
    return world.chain.with_code(verifier, world.chain.codes[verifier] + b"\x00")


def genesis_of_other_proof(world):
    transaction, call = genesis(world)
    proof = flipped(call["proof"])
    chain = world.chain.with_calldata(transaction, "ModelRegistry", "activate", proof=proof)
    return chain.with_event(transaction, "ModelRegistry", "ModelProven", proofDigest=keccak256(proof))


def genesis_calldata_only(world):
    transaction, call = genesis(world)
    return world.chain.with_calldata(transaction, "ModelRegistry", "activate", output=flipped(call["output"]))


def genesis_event_only(world):
    transaction, _ = genesis(world)
    return world.chain.with_event(transaction, "ModelRegistry", "ModelProven", outputDigest=bytes(32))


def genesis_of_other_owner(world):
    registered = world.transaction_with("ModelRegistered", world.model, "ModelRegistry")
    return world.chain.with_event(registered, "ModelRegistry", "Transfer", to=STRANGER)


def model_not_proven(world):
    return world.chain.with_answer(
        "ModelRegistry",
        world.contracts.registry,
        "statusOf",
        [int.from_bytes(world.model, "big")],
        lambda _: (1,),
    )


def model_of_other_publisher(world):
    registered = world.transaction_with("ModelRegistered", world.model, "ModelRegistry")
    return world.chain.with_event(registered, "ModelRegistry", "ModelRegistered", publisher=STRANGER)


def genesis_of_other_circuit(world):
    transaction, _ = genesis(world)
    return world.chain.with_event(transaction, "ModelRegistry", "ModelProven", circuitId=bytes(32))


def second_genesis(world):
    transaction, _ = genesis(world)
    return world.chain.with_event_again(transaction, "ModelRegistry", "ModelProven")


def other_input(world):
    return world.chain.with_calldata(
        settle(world), "JobManager", "settle", input=flipped(settlement(world)["input"])
    )


def failed_settlement(world):
    return world.chain.with_receipt(settle(world), succeeded=False)


def reorganised_settlement(world):
    block = world.chain.receipts[settle(world)].block
    hashes = {**world.chain.hashes, block: "0x" + "11" * 32}
    return dataclasses.replace(world.chain, hashes=hashes)


def other_output_in_event(world):
    return world.chain.with_event(
        settle(world), "JobManager", "JobSettled", output=flipped(settlement(world)["output"])
    )


def other_proof_digest_in_event(world):
    return world.chain.with_event(settle(world), "JobManager", "JobSettled", proofDigest=bytes(32))


def other_payee_in_event(world):
    return world.chain.with_event(settle(world), "JobManager", "JobSettled", prover=STRANGER)


def other_sender(world):
    return world.chain.with_transaction(settle(world), sender=STRANGER)


def settlement_of_other_job(world):
    return world.chain.with_calldata(settle(world), "JobManager", "settle", jobId=world.refunded)


def claim_after_settlement(world):
    claim = world.transaction_with("JobClaimed", world.settled)
    return world.chain.moved_to_block(claim, world.chain.receipts[settle(world)].block + 1)


def second_settlement(world):
    return world.chain.with_event_again(settle(world), "JobManager", "JobSettled")


def refund_beside_settlement(world):
    refund = world.transaction_with("JobRefunded", world.refunded)
    (log,) = [log for log in world.chain.receipts[refund].logs if log.address == world.contracts.manager]
    other = dataclasses.replace(log, topics=(log.topics[0], world.settled, log.topics[2]))
    return world.chain.with_log(refund, other)


def smaller_escrow(world):
    opening = world.transaction_with("JobOpened", world.settled)
    return world.chain.with_event(opening, "LocalPaymentToken", "Transfer", value=FEE - 1)


def other_collateral_in_opening(world):
    opening = world.transaction_with("JobOpened", world.settled)
    return world.chain.with_event(opening, "JobManager", "JobOpened", collateral=1)


def escrow_of_a_stranger(world):
    opening = world.transaction_with("JobOpened", world.settled)
    return world.chain.with_event(opening, "LocalPaymentToken", "Transfer", **{"from": STRANGER})


def no_collateral(world):
    claim = world.transaction_with("JobClaimed", world.settled)
    return world.chain.without_event(claim, "LocalPaymentToken", "Transfer")


def smaller_fee_in_event(world):
    return world.chain.with_event(settle(world), "JobManager", "JobSettled", fee=FEE - 1)


def other_terms(world):
    return world.chain.with_answer(
        "JobManager", world.contracts.manager, "terms", [], lambda values: ((1, 0, *values[0][2:]),)
    )


def payout_beside_settlement(world):
    opening = world.transaction_with("JobOpened", world.settled)
    (transfer,) = [log for log in world.chain.receipts[opening].logs if log.address == world.contracts.token]
    receipt = world.chain.receipts[settle(world)]
    paid = dataclasses.replace(
        transfer,
        topics=(transfer.topics[0], transfer.topics[2], transfer.topics[1]),
        block=receipt.block,
        block_hash=receipt.block_hash,
        transaction=receipt.transaction,
    )
    return world.chain.with_log(settle(world), paid)


LIES: list[tuple[int, Callable[[World], RecordedChain]]] = [
    (0, other_deadline),
    (0, other_manager_code),
    (0, other_registry_of_manager),
    (0, no_such_job),
    (0, failed_opening),
    (1, other_uri),
    (1, fewer_nonces),
    (2, other_gas_limit),
    (2, other_class),
    (2, other_adapter_code),
    (2, other_verifier_code),
    (3, genesis_of_other_proof),
    (3, genesis_calldata_only),
    (3, genesis_event_only),
    (3, genesis_of_other_owner),
    (3, model_not_proven),
    (3, model_of_other_publisher),
    (3, genesis_of_other_circuit),
    (3, second_genesis),
    (5, other_input),
    (6, failed_settlement),
    (6, reorganised_settlement),
    (9, other_output_in_event),
    (9, other_proof_digest_in_event),
    (9, other_payee_in_event),
    (9, other_sender),
    (9, settlement_of_other_job),
    (9, claim_after_settlement),
    (10, second_settlement),
    (10, refund_beside_settlement),
    (10, smaller_escrow),
    (10, other_collateral_in_opening),
    (10, escrow_of_a_stranger),
    (10, no_collateral),
    (10, smaller_fee_in_event),
    (10, other_terms),
    (10, payout_beside_settlement),
]


@pytest.mark.parametrize(("number", "lie"), LIES, ids=[f"{number}-{lie.__name__}" for number, lie in LIES])
def test_settled_job__one_lie__rejected_at_exactly_its_step(world, number, lie):
    """One changed thing is found by the step that checks it, and by no other."""
    report = world.audit(world.settled, lie(world), verify=no_ezkl)
    assert report.rejected_steps == (number,), report.as_text()
    assert (report.verdict, report.exit_code) == (Verdict.REJECTED, 3)
    assert report.step(number).code.startswith("ZK-VER")


def proof_lie(world: World, change: Callable[[dict], dict]) -> RecordedChain:
    """Change the settling calldata, and its event with it, so that only the proof itself is wrong."""
    call = settlement(world) | change(settlement(world))
    chain = world.chain.with_calldata(settle(world), "JobManager", "settle", **call)
    return chain.with_event(
        settle(world),
        "JobManager",
        "JobSettled",
        output=call["output"],
        proofDigest=keccak256(call["proof"]),
    )


PROOF_LIES = {
    "flipped_proof": lambda call: {"proof": flipped(call["proof"])},
    "other_output": lambda call: {"output": flipped(call["output"])},
    "trailing_bytes": lambda call: {"proof": call["proof"] + bytes(32)},
    "cut_proof": lambda call: {"proof": call["proof"][:-1]},
    "empty_proof": lambda _: {"proof": b""},
    "long_output": lambda call: {"output": call["output"] + b"\x00"},
}


@pytest.mark.parametrize("name", PROOF_LIES)
def test_settlement__wrong_proof__rejected_by_both_verifiers_and_nobody_else(world, name):
    """A proof that does not hold for its output is refused by EZKL (7) and by the deployed code (8)."""
    chain = proof_lie(world, PROOF_LIES[name])
    assert world.audit(world.settled, chain).rejected_steps == (7, 8)
    without_ezkl = world.audit(world.settled, chain, verify=no_ezkl)
    # A wrong length is seen before EZKL is asked.
    assert without_ezkl.step(7).outcome in (Outcome.INCONCLUSIVE, Outcome.REJECTED)
    assert without_ezkl.step(8).outcome is Outcome.REJECTED


# --- proofs that came through contracts ------------------------------------------------------------


def relayed(world: World, **published: object) -> RecordedChain:
    return world.chain.relayed(settle(world), SETTLE, STRANGER, **published)


def relayed_genesis(world: World, **published: object) -> RecordedChain:
    return world.chain.relayed(
        genesis(world)[0], ACTIVATE, STRANGER, **{"input": genesis_input(world)} | published
    )


def genesis_input(world: World) -> bytes:
    """Return the input that the model's genesis seed expands to."""
    registered = world.transaction_with("ModelRegistered", world.model, "ModelRegistry")
    owner = world.chain.transactions[registered].sender
    model = int.from_bytes(world.model, "big")
    seed = genesis_seed(world.chain.chain_id, world.contracts.registry, model, owner)
    manifest = world.bundle.manifest
    return expand_input(seed, manifest.tensor_layout, manifest.input_domain)


def test_published_proofs__of_genesis_and_settlement__accepted_with_every_step(world):
    """Where contracts passed both proofs on, the events have them, and the audit is as complete as ever."""
    chain = relayed_genesis(dataclasses.replace(world, chain=relayed(world)))
    report = world.audit(world.settled, chain)
    assert [step.outcome for step in report.steps] == [Outcome.OK] * 11, report.as_text()
    assert report.facts["output"] == "0x" + settlement(world)["output"].hex()


def published_input(world):
    return relayed(world, input=flipped(settlement(world)["input"]))


def published_output(world):
    return relayed(world, output=flipped(settlement(world)["output"]))


def published_proof(world):
    return relayed(world, proof=flipped(settlement(world)["proof"]))


def published_twice(world):
    call = settlement(world)
    values = {name: call[name] for name in ("input", "output", "proof")}
    return relayed(world).with_publication(
        settle(world), "JobManager", world.contracts.manager, subject=world.settled, **values
    )


def published_and_claimed_by_another(world):
    claim = world.transaction_with("JobClaimed", world.settled)
    return relayed(world).with_event(claim, "JobManager", "JobClaimed", prover=STRANGER)


def published_genesis_input(world):
    return relayed_genesis(world, input=flipped(genesis_input(world)))


def published_genesis_output(world):
    return relayed_genesis(world, output=flipped(genesis(world)[1]["output"]))


def published_genesis_proof(world):
    return relayed_genesis(world, proof=flipped(genesis(world)[1]["proof"]))


PUBLISHED_LIES = [
    ((3,), published_genesis_input),
    ((3,), published_genesis_output),
    ((3,), published_genesis_proof),
    ((5,), published_input),
    ((5,), published_twice),
    ((8, 9), published_output),
    ((8, 9), published_proof),
    ((9,), published_and_claimed_by_another),
]


@pytest.mark.parametrize(("steps", "lie"), PUBLISHED_LIES, ids=[lie.__name__ for _, lie in PUBLISHED_LIES])
def test_published_proof__one_lie__rejected_at_exactly_its_steps(world, steps, lie):
    """An event that shows other bytes than were proved is found, as other calldata is."""
    report = world.audit(world.settled, lie(world), verify=no_ezkl)
    assert report.rejected_steps == steps, report.as_text()


def test_settlement__through_a_verifier_that_accepts_anything__rejected_off_chain_alone(world):
    """A pinned verifier that accepts anything settled this job; only the proof system tells."""
    report = world.audit(world.fake, contracts=world.fake_contracts)
    assert report.rejected_steps == (7,)
    assert report.step(8).outcome is Outcome.OK
    unseen = world.audit(world.fake, contracts=world.fake_contracts, verify=no_ezkl)
    assert ONLY_DEPLOYED in unseen.notes
    assert unseen.verdict is Verdict.INCONCLUSIVE


def test_settlement__verdict_of_the_proof_system__is_the_report_s(world):
    """Step 7 reports what the proof system says, and nothing else does."""

    def refuse(_bundle, _proof):
        raise ProofRejectedError("expected an accepted proof, found another")

    assert world.audit(world.settled, verify=refuse).rejected_steps == (7,)


def test_rebuild__verifier_of_the_key__ok_and_of_another_key__rejected_at_step_11(world):
    """On request the generated verifier is rebuilt and its code hash compared with the chain's."""
    code = world.chain.codes[_verifier(world)]
    assert world.audit(world.settled, rebuild=lambda _: code).step(11).outcome is Outcome.OK
    assert world.audit(world.settled, rebuild=lambda _: code + b"\x00").rejected_steps == (11,)


def test_rebuild__without_a_compiler__no_verdict_because_it_was_asked_for(world):
    """Where solc or EZKL is missing, a rebuilding that was asked for leaves the audit without a verdict."""

    def rebuild(_bundle):
        raise ToolchainError("expected a compiler, found none")

    report = world.audit(world.settled, rebuild=rebuild)
    assert report.step(11).outcome is Outcome.INCONCLUSIVE
    assert report.verdict is Verdict.INCONCLUSIVE


# --- files ----------------------------------------------------------------------------------------


class OtherBytes:
    """A store that gives other bytes for one CID."""

    def __init__(self, store, cid, data):
        self._store, self._cid, self._data = store, cid, data

    def read(self, cid, *, limit_bytes):
        return self._data if cid == self._cid else self._store.read(cid, limit_bytes=limit_bytes)

    def path_of(self, cid):
        return self._store.path_of(cid)


class Without:
    """A store in which some files are missing or damaged."""

    def __init__(self, store, cid, error):
        self._store, self._cid, self._error = store, cid, error

    def _check(self, cid):
        if cid == self._cid:
            raise self._error(f"expected {cid} in the store, found nothing")

    def read(self, cid, *, limit_bytes):
        self._check(cid)
        return self._store.read(cid, limit_bytes=limit_bytes)

    def path_of(self, cid):
        self._check(cid)
        return self._store.path_of(cid)


def test_store__other_manifest__rejected_at_step_4(world):
    """A manifest that does not hash to the model's commitment is refused."""
    other = world.bundle.manifest.model_copy(update={"name": "other"}).to_bytes()
    store = OtherBytes(world.store, world.bundle.manifest_cid, other)
    assert world.audit(world.settled, store=store, verify=no_ezkl).rejected_steps == (4,)


@pytest.mark.parametrize("error", [ArtifactNotFoundError, DigestMismatchError])
@pytest.mark.parametrize("role", ["manifest", "settings", "verifying_key", "verification_srs"])
def test_store__missing_or_damaged_file__inconclusive_and_names_the_cid(world, role, error):
    """What the auditor's own store lacks is no verdict about the job; the report names the CID."""
    manifest = world.bundle.manifest
    cid = world.bundle.manifest_cid if role == "manifest" else manifest.files[role].cid
    report = world.audit(world.settled, store=Without(world.store, cid, error))
    assert report.step(4).outcome is Outcome.INCONCLUSIVE
    assert cid in report.step(4).detail
    assert report.step(7).outcome is Outcome.SKIPPED
    assert (report.step(8).outcome, report.exit_code) == (Outcome.OK, 4)


def registered(world: World) -> tuple[ModelCommitment, CircuitSpec]:
    """Return what registry and router say of the recorded model, as the audit reads them."""
    reader = ChainReader(world.chain, world.contracts)
    commitment = reader.commitment(int.from_bytes(world.model, "big"))
    return commitment, reader.circuit(commitment.circuit_id)


@pytest.mark.parametrize(
    ("part", "field", "value"),
    [
        ("commitment", "onnx_digest", bytes(32)),
        ("commitment", "settings_digest", bytes(32)),
        ("spec", "verifying_key_digest", bytes(32)),
        ("spec", "proof_system_id", bytes(4)),
        ("spec", "layout", TensorLayout(4, 2, 2, 2)),
        ("spec", "domain", InputDomain(-126, 127)),
    ],
)
def test_manifest__says_other_things_than_registry_or_router__verdict(world, part, field, value):
    """A publisher whose manifest names another model, key, layout or domain than the chain is refused."""
    commitment, spec = registered(world)
    verify_manifest(world.bundle.manifest, commitment, spec, world.chain.chain_id)
    if part == "commitment":
        commitment = commitment._replace(**{field: value})
    else:
        spec = spec._replace(**{field: value})
    with pytest.raises(VerificationError):
        verify_manifest(world.bundle.manifest, commitment, spec, world.chain.chain_id)


def test_manifest__insecure_srs_on_a_public_chain__verdict(world):
    """A key made with a local SRS proves nothing where somebody pays."""
    with pytest.raises(VerificationError, match="expected a ceremony's SRS on chain 1"):
        verify_manifest(world.bundle.manifest, *registered(world), 1)


# --- what could not be told -----------------------------------------------------------------------


def test_ending__not_deep_enough__inconclusive_at_step_6(world):
    """A settlement in a block that the chain's head has not reached is not final."""
    block = world.chain.receipts[settle(world)].block
    report = world.audit(world.settled, dataclasses.replace(world.chain, head=block - 1))
    assert report.step(6).outcome is Outcome.INCONCLUSIVE
    assert report.exit_code == 4


@pytest.mark.parametrize("event", ["JobOpened", "JobClaimed", "JobSettled"])
@pytest.mark.parametrize("what", ["transactions", "receipts"])
def test_chain__forgotten_transaction__inconclusive(world, event, what):
    """An endpoint that no longer has a transaction gives no verdict."""
    name = world.transaction_with(event, world.settled)
    kept = {key: value for key, value in getattr(world.chain, what).items() if key != name}
    report = world.audit(world.settled, dataclasses.replace(world.chain, **{what: kept}))
    assert (report.verdict, report.rejected_steps) == (Verdict.INCONCLUSIVE, ())


def test_chain__call_of_another_function_and_no_publication__inconclusive(world):
    """Where neither calldata nor an event shows the proof, there is no verdict."""
    claim = world.chain.transactions[world.transaction_with("JobClaimed", world.settled)]
    for changes in ({"target": STRANGER}, {"data": claim.data}):
        report = world.audit(world.settled, world.chain.with_transaction(settle(world), **changes))
        assert (report.step(5).outcome, report.exit_code) == (Outcome.INCONCLUSIVE, 4)
    transaction, _ = genesis(world)
    report = world.audit(world.settled, world.chain.with_transaction(transaction, target=STRANGER))
    assert (report.step(3).outcome, report.exit_code) == (Outcome.INCONCLUSIVE, 4)


def test_chain__publication_by_another_contract_or_of_another_job__is_none(world):
    """What a stranger's contract publishes, or the manager about another job, is not this job's proof."""
    for changes in ({"address": STRANGER}, {"subject": world.refunded}):
        chain = world.chain.with_transaction(settle(world), target=STRANGER)
        call = settlement(world)
        arguments = {"address": world.contracts.manager, "subject": world.settled} | changes
        values = {name: call[name] for name in ("input", "output", "proof")}
        chain = chain.with_publication(settle(world), "JobManager", **arguments, **values)
        report = world.audit(world.settled, chain)
        assert (report.step(5).outcome, report.exit_code) == (Outcome.INCONCLUSIVE, 4)


class InventedLogs(RecordedChain):
    """An endpoint whose log index shows events that no receipt holds."""

    def logs(self, address, topics, *, from_block):
        for log in super().logs(address, topics, from_block=from_block):
            yield dataclasses.replace(log, index=log.index + 100)


def test_chain__log_index_and_receipts_contradict__inconclusive(world):
    """An endpoint that contradicts itself gives no verdict."""
    fields = {field.name: getattr(world.chain, field.name) for field in dataclasses.fields(RecordedChain)}
    report = world.audit(world.settled, InventedLogs(**fields))
    assert (report.step(0).outcome, report.exit_code) == (Outcome.INCONCLUSIVE, 4)


class Failing:
    """An endpoint that goes down at its n-th answer."""

    def __init__(self, chain: RecordedChain, answers: int) -> None:
        self._chain, self.left = chain, answers
        self.chain_id = chain.chain_id

    def __getattr__(self, name):
        def ask(*arguments, **options):
            self.left -= 1
            if self.left < 0:
                raise RpcError("expected an answer, found nobody listening")
            return getattr(self._chain, name)(*arguments, **options)

        return ask


def quick(_bundle: object, _proof: object) -> None:
    """Stand in for EZKL where a test runs a hundred audits of a proof that is known to be good."""


def test_chain__endpoint_down_at_any_moment__inconclusive_never_a_traceback(world):
    """Wherever the endpoint goes away, the audit ends without a verdict, and never accepts."""
    whole = Failing(world.chain, 10_000)
    assert world.audit(world.settled, whole, verify=quick).verdict is Verdict.ACCEPTED
    for answers in range(10_000 - whole.left):
        report = world.audit(world.settled, Failing(world.chain, answers), verify=quick)
        assert (report.verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 4), answers


@pytest.mark.parametrize("size", [0, 1, 31, 32, 33, 4096])
def test_chain__nonsense_for_every_call__never_a_traceback(world, size):
    """Any bytes in the place of an answer end without acceptance and without a traceback."""
    calls = dict.fromkeys(world.chain.calls, b"\xff" * size)
    report = world.audit(world.settled, dataclasses.replace(world.chain, calls=calls))
    assert report.verdict is not Verdict.ACCEPTED


def test_chain__nonsense_in_every_log__never_a_traceback(world):
    """Any bytes in the place of a log's data end without acceptance and without a traceback."""
    chain = world.chain
    for name, receipt in chain.receipts.items():
        chain = chain.with_receipt(
            name, logs=tuple(dataclasses.replace(log, data=log.data[:-1]) for log in receipt.logs)
        )
    assert world.audit(world.settled, chain).verdict is not Verdict.ACCEPTED


# --- jobs that nobody was paid for ----------------------------------------------------------------


def refund(world: World) -> str:
    return world.transaction_with("JobRefunded", world.refunded)


def settled_and_refunded(world):
    (log,) = [
        log for log in world.chain.receipts[settle(world)].logs if log.address == world.contracts.manager
    ]
    other = dataclasses.replace(log, topics=(log.topics[0], world.refunded, log.topics[2]))
    return world.chain.with_log(settle(world), other)


def refund_to_a_stranger(world):
    return world.chain.with_event(refund(world), "JobManager", "JobRefunded", requester=STRANGER)


def smaller_refund(world):
    return world.chain.with_event(refund(world), "JobManager", "JobRefunded", fee=FEE - 1)


def no_forfeit(world):
    return world.chain.with_event(refund(world), "JobManager", "JobRefunded", forfeited=0)


def failed_refund(world):
    return world.chain.with_receipt(refund(world), succeeded=False)


@pytest.mark.parametrize(
    ("numbers", "lie"),
    [
        ((9, 10), settled_and_refunded),
        ((9,), refund_to_a_stranger),
        ((10,), smaller_refund),
        ((10,), no_forfeit),
        ((6,), failed_refund),
    ],
)
def test_refunded_job__one_lie__rejected(world, numbers, lie):
    """A refund beside a settlement, to somebody else, of another amount or without forfeit is refused."""
    assert world.audit(world.refunded, lie(world)).rejected_steps == numbers


def test_policy__class_not_accepted__rejected_at_step_2(world):
    """On a public chain a LOCAL verifier is refused, whatever the auditor accepts otherwise."""
    policy = AuditPolicy(frozenset({VerifierClass.LOCAL, VerifierClass.UNVOUCHED}))
    with pytest.raises(UnsuitableCircuitError, match="found local"):
        policy.check_class(VerifierClass.LOCAL, 1)
    policy.check_class(VerifierClass.LOCAL, world.chain.chain_id)


def test_deployment__of_another_chain__rejected_at_step_0(world):
    """Addresses of another deployment have no such job."""
    report = audit_job(world.fake, world.chain, world.contracts, world.store, AuditPolicy())
    assert report.step(0).outcome is not Outcome.OK


def _adapter(world: World) -> str:
    """Return the real circuit's adapter: the one contract with the code of the shipped adapter."""
    shipped = load_artifact("EzklVerifier").runtime_code
    (found,) = [address for address, code in world.chain.codes.items() if len(code) == len(shipped)]
    return found


def _verifier(world: World) -> str:
    """Return the generated verifier, whose address is a constant in the adapter's code."""
    adapter = world.chain.codes[_adapter(world)]
    (found,) = [
        address
        for address in world.chain.codes
        if bytes.fromhex(address[2:]) in adapter and address != STRANGER
    ]
    return found
