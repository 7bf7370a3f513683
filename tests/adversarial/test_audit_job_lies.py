"""Evidence with one lie in it: the audit of a job rejects at exactly the step that checks it.

The evidence is recorded from a real chain with real proofs (`audit_world.py`); each test changes one thing.
"""

import dataclasses
import shutil
from collections.abc import Callable

import pytest
from audit_world import (
    MAX_FEE,
    MODEL_FEES,
    PARENT_PPM,
    RecordedChain,
    World,
    build_world,
)
from built_once import built_once

from circuits.ezkl.keygen import verify_keys
from verifier_contracts.artifacts import load_artifact
from verifier_contracts.deployed_verifier import DeployedVerifier
from verifier_contracts.expected_verifier import ExpectedGenerated
from zkml.adapters.evm import abi
from zkml.audit.chain_reader import ChainReader
from zkml.audit.circuit_audit import audit_circuit
from zkml.audit.job_audit import NOBODY_PAID, ONLY_DEPLOYED, audit_job
from zkml.audit.offchain import verify_manifest
from zkml.audit.policy import INSECURE_SRS, AuditPolicy
from zkml.audit.report import Outcome, Verdict
from zkml.core.digests import digest_bytes, keccak256
from zkml.core.identifiers import ModelCommitment, VerifierClass, genesis_seed
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
def world() -> World:
    return built_once("audit-world", build_world)[1]


def no_ezkl(*_: object, **_options: object) -> None:
    raise ToolchainError("expected the package ezkl, found none")


def settle(world: World) -> str:
    return world.transaction_with("JobSettled", world.settled)


def flipped(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def settlement(world: World) -> dict:
    entry = abi.function(load_artifact("JobManager").abi, "settle")
    return abi.decode_calldata(entry, world.chain.transactions[settle(world)].data)


def genesis(world: World, number: int = 0) -> tuple[str, dict]:
    transaction = world.transactions_with("GenesisAccepted", world.model, "ModelRegistry")[number]
    entry = abi.function(load_artifact("ModelRegistry").abi, "activate")
    return transaction, abi.decode_calldata(entry, world.chain.transactions[transaction].data)


JOB_FIELDS = (
    "requester",
    "opened_at",
    "ramp_seconds",
    "claim_seconds",
    "deadline",
    "min_prover_fee",
    "max_prover_fee",
    "quote",
    "prover",
    "claim_deadline",
    "previous_prover",
    "grace_ends_at",
    "payment",
    "model_id",
    "circuit_id",
    "input_commitment",
    "restricted",
    "outcome",
)


def job_answer(world: World, job: bytes, **changes: object) -> RecordedChain:
    def change(values: tuple) -> tuple:
        return (tuple((dict(zip(JOB_FIELDS, values[0], strict=True)) | changes).values()),)

    return world.chain.with_answer("JobManager", world.contracts.manager, "job", [job], change)


def opened(world: World, job: bytes, **changes: object) -> RecordedChain:
    """Change an opening's event; of its spec by position."""
    return world.chain.with_event(
        world.transaction_with("JobOpened", job), "JobManager", "JobOpened", **changes
    )


def spec_of(world: World, job: bytes, **changes: object) -> tuple:
    names = (
        "model_id",
        "circuit_id",
        "input_commitment",
        "input_uri",
        "min_prover_fee",
        "max_prover_fee",
        "max_total",
        "ramp_seconds",
        "claim_seconds",
        "deadline",
        "provers",
    )
    spec = arguments_of(world, "JobOpened", job)["spec"]
    return tuple((dict(zip(names, spec, strict=True)) | changes).values())


def arguments_of(world: World, name: str, job: bytes) -> dict:
    entry = abi.event(load_artifact("JobManager").abi, name)
    logs = world.chain.receipts[world.transaction_with(name, job)].logs
    (event,) = [abi.decode_log(entry, log) for log in logs if log.topics[:2] == (entry.topic, job)]
    return dict(event.arguments)


def circuits(world: World) -> tuple[bytes, ...]:
    return (
        ChainReader(world.chain, world.contracts).commitment(int.from_bytes(world.model, "big")).circuit_ids
    )


def circuit_answer(world: World, position: int, value: object, number: int = 0) -> RecordedChain:
    circuit = circuits(world)[number]

    def change(values: tuple) -> tuple:
        spec = list(values[0])
        spec[position] = value
        return (tuple(spec),)

    return world.chain.with_answer("VerifierRouter", world.contracts.router, "circuit", [circuit], change)


# --- the truth, in every way a job can end --------------------------------------------------------


SETTLED = ("settled", "many", "graced", "contested")


@pytest.mark.parametrize("name", SETTLED)
def test_settled_job__accepted_with_every_step(world, name):
    """A job settled alone, beside others, in grace or after takeovers passes every step; SRS and lineage are named."""
    report = world.audit(getattr(world, name))
    assert [step.outcome for step in report.steps] == [Outcome.OK] * 11, report.as_text()
    assert [step.number for step in report.steps] == list(range(11))
    assert (report.verdict, report.exit_code) == (Verdict.ACCEPTED, 0)
    assert INSECURE_SRS in report.notes
    assert any(f"{PARENT_PPM / 10_000:g} % to" in note and "no proof" in note for note in report.notes)
    assert report.facts["output"] == "0x" + settlement(world)["output"].hex()


def test_settled_job__paid__who_held_the_claim_then(world):
    """The payee is the claimer, in grace the one before, after grace whoever took over; others are not named."""
    one, two, three = world.provers
    payees = [world.audit(getattr(world, name)).facts["prover"] for name in SETTLED]
    assert payees == [one, one, one, three]
    assert f"collateral of {two} forfeited" in world.audit(world.contested).step(10).detail


def test_batch__slice_of_one_proof__accepted_with_the_batch_s_bundle(world):
    """A job settled in a batch is audited as its slice; without the batch's key there is no verdict."""
    outputs = set()
    for job in world.batched:
        report = world.audit(job, own_bundle=world.batch.path)
        assert [step.outcome for step in report.steps] == [Outcome.OK] * 11, report.as_text()
        outputs.add(report.facts["output"])
        alone = world.audit(job)
        assert (alone.step(7).outcome, alone.verdict) == (Outcome.INCONCLUSIVE, Verdict.INCONCLUSIVE)
        other = world.audit(job, own_bundle=world.bundle.path)
        assert (other.step(7).outcome, other.verdict) == (Outcome.INCONCLUSIVE, Verdict.INCONCLUSIVE)
    assert len(outputs) == 2


def test_settled_job__without_ezkl__no_verdict(world):
    """Where EZKL is not installed nobody checked the key: step 7, and the report, are inconclusive."""
    report = world.audit(world.settled, verify=no_ezkl)
    assert report.step(7).outcome is Outcome.INCONCLUSIVE
    assert report.step(8).outcome is Outcome.OK
    assert (report.verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 4)
    assert ONLY_DEPLOYED in report.notes


@pytest.mark.parametrize("name", ["refunded", "refunded_contested", "cancelled", "excused"])
def test_job_without_proof__accepted_because_nobody_was_paid(world, name):
    """A refunded or cancelled job is in order when no settlement exists and the money went back."""
    contracts = world.fake_contracts if name == "excused" else world.contracts
    report = world.audit(getattr(world, name), contracts=contracts)
    assert (report.verdict, report.meaning) == (Verdict.ACCEPTED, NOBODY_PAID), report.as_text()


def test_claimed_job__inconclusive_and_says_what_holds(world):
    """A job that is not settled yet gives no verdict, but its request and model are checked."""
    report = world.audit(world.claimed)
    assert report.exit_code == 4
    assert [step.number for step in report.steps if step.outcome is Outcome.OK] == [0, 1, 2, 3, 4, 5]
    assert "not settled" in report.step(6).detail


# --- one lie, one step ----------------------------------------------------------------------------


def other_deadline(world):
    return job_answer(world, world.settled, deadline=1)


def other_quote_in_job(world):
    return job_answer(world, world.settled, quote=(1, 0, 0, 0))


def other_opening_time(world):
    return job_answer(world, world.settled, opened_at=1)


def other_ledger_of_manager(world):
    return world.chain.with_answer("JobManager", world.contracts.manager, "ledger", [], lambda _: (STRANGER,))


def other_lineage_of_ledger(world):
    return world.chain.with_answer(
        "RevenueLedger", world.contracts.ledger, "lineage", [], lambda _: (STRANGER,)
    )


def other_ledger_code(world):
    return world.chain.with_code(world.contracts.ledger, b"\x60\x00")


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
    return opened(world, world.settled, spec=spec_of(world, world.settled, input_uri="ipfs://other"))


def other_total(world):
    return opened(world, world.settled, spec=spec_of(world, world.settled, max_total=MAX_FEE * 100))


def fewer_nonces(world):
    return world.chain.with_answer(
        "JobManager", world.contracts.manager, "nonces", [world.requester], lambda _: (1,)
    )


def other_gas_limit(world):
    return circuit_answer(world, 7, 1)


def other_class(world):
    return circuit_answer(world, 8, VerifierClass.CEREMONY)


def other_weights(world):
    return circuit_answer(world, 3, keccak256(b"other weights"))


def tombstoned_before(world):
    entry = abi.event(load_artifact("VerifierRouter").abi, "CircuitTombstoned")
    claim = world.transaction_with("JobClaimed", world.settled)
    log = dataclasses.replace(
        world.chain.receipts[claim].logs[0],
        address=world.contracts.router,
        topics=(entry.topic, circuits(world)[0]),
        data=abi.encode_arguments(entry.inputs[1:], ["broken"], entry.name),
    )
    return dataclasses.replace(world, chain=tombstone_answer(world)).chain.with_log(claim, log)


def tombstone_answer(world):
    return world.chain.with_answer(
        "VerifierRouter", world.contracts.router, "isTombstoned", [circuits(world)[0]], lambda _: (True,)
    )


def other_adapter_code(world):
    return world.chain.with_code(_adapter(world), b"\x00")


def other_verifier_code(world):
    verifier = _verifier(world)
    return world.chain.with_code(verifier, world.chain.codes[verifier] + b"\x00")


def genesis_of_other_proof(world):
    transaction, call = genesis(world)
    proof = flipped(call["proof"])
    chain = world.chain.with_calldata(transaction, "ModelRegistry", "activate", proof=proof)
    return chain.with_event(transaction, "ModelRegistry", "GenesisAccepted", proofDigest=keccak256(proof))


def genesis_calldata_only(world):
    transaction, call = genesis(world)
    return world.chain.with_calldata(transaction, "ModelRegistry", "activate", output=flipped(call["output"]))


def genesis_event_only(world):
    transaction, _ = genesis(world)
    return world.chain.with_event(transaction, "ModelRegistry", "GenesisAccepted", outputDigest=bytes(32))


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
    return world.chain.with_event(transaction, "ModelRegistry", "GenesisAccepted", circuitId=bytes(32))


def genesis_calldata_of_other_circuit(world):
    transaction, _ = genesis(world)
    return world.chain.with_calldata(transaction, "ModelRegistry", "activate", circuitId=circuits(world)[1])


def second_genesis(world):
    transaction, _ = genesis(world)
    return world.chain.with_event_again(transaction, "ModelRegistry", "GenesisAccepted")


def batch_genesis_of_other_proof(world):
    transaction, call = genesis(world, 1)
    proof = flipped(call["proof"])
    chain = world.chain.with_calldata(transaction, "ModelRegistry", "activate", proof=proof)
    return chain.with_event(transaction, "ModelRegistry", "GenesisAccepted", proofDigest=keccak256(proof))


def batch_circuit_of_other_gas_limit(world):
    return circuit_answer(world, 7, 1, number=1)


def model_of_other_key_commitment(world):
    def change(values: tuple) -> tuple:
        return (ModelCommitment(*values[0])._replace(key_commitment=bytes(31) + b"\x01"),)

    model = int.from_bytes(world.model, "big")
    return world.chain.with_answer("ModelRegistry", world.contracts.registry, "commitmentOf", [model], change)


def other_input(world):
    return world.chain.with_calldata(
        settle(world), "JobManager", "settle", input=flipped(settlement(world)["input"])
    )


def failed_settlement(world):
    return world.chain.with_receipt(settle(world), succeeded=False)


def reorganised_settlement(world):
    block = world.chain.receipts[settle(world)].block
    return world.chain.with_block(block, block_hash="0x" + "11" * 32)


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


def claim_of_a_stranger(world):
    return changed_claim(world, world.settled, prover=STRANGER)


def later_claim(world):
    block = world.chain.receipts[world.transaction_with("JobClaimed", world.settled)].block
    return world.chain.with_block(block, timestamp=world.chain.blocks[block].timestamp + 1)


def reorganised_claim(world):
    block = world.chain.receipts[world.transaction_with("JobClaimed", world.settled)].block
    return world.chain.with_block(block, block_hash="0x" + "11" * 32)


def second_claim(world):
    claim = world.transaction_with("JobClaimed", world.settled)
    return world.chain.with_event_again(claim, "JobManager", "JobClaimed")


def other_claimer_in_job(world):
    return job_answer(world, world.settled, prover=STRANGER)


def changed_claim(world, job, **changes):
    claim = world.transaction_with("JobClaimed", job)
    return world.chain.with_event(claim, "JobManager", "JobClaimed", **changes)


def changed_opening_effect(world, artifact, name, **changes):
    opening = world.transaction_with("JobOpened", world.settled)
    return world.chain.with_event(opening, artifact, name, **changes)


def changed_claim_effect(world, artifact, name, **changes):
    claim = world.transaction_with("JobClaimed", world.settled)
    return world.chain.with_event(claim, artifact, name, **changes)


def changed_settlement_effect(world, artifact, name, **changes):
    return world.chain.with_event(settle(world), artifact, name, **changes)


def smaller_escrow(world):
    return changed_opening_effect(world, "LocalPaymentToken", "Transfer", value=1)


def smaller_deposit(world):
    return changed_opening_effect(world, "RevenueLedger", "Deposited", amount=1)


def other_escrow_in_opening(world):
    return opened(world, world.settled, escrow=1)


def escrow_of_a_stranger(world):
    return changed_opening_effect(world, "LocalPaymentToken", "Transfer", **{"from": STRANGER})


def wrong_price_in_claim(world):
    return changed_claim(world, world.settled, payment=(MAX_FEE, 0, 0))


def wrong_price_everywhere(world):
    chain = changed_claim(world, world.settled, payment=(MAX_FEE, 487_500, 22_500))
    told = dataclasses.replace(world, chain=chain)
    return job_answer(told, world.settled, payment=(MAX_FEE, 487_500, 22_500))


def other_collateral_in_claim(world):
    return changed_claim(world, world.settled, collateral=1)


def leftover_kept(world):
    return changed_claim(world, world.settled, returned=0)


def leftover_to_a_stranger(world):
    return changed_claim_effect(world, "RevenueLedger", "Credited", account=STRANGER)


def no_collateral(world):
    claim = world.transaction_with("JobClaimed", world.settled)
    return world.chain.without_event(claim, "ProverRegistry", "CollateralLocked")


def collateral_of_a_stranger(world):
    return changed_claim_effect(world, "ProverRegistry", "CollateralLocked", prover=STRANGER)


def other_model_fee_in_force(world):
    registered = world.transaction_with("ModelRegistered", world.model, "ModelRegistry")
    return world.chain.with_event(
        registered, "ModelRegistry", "FeeTermsSet", modelFee=MODEL_FEES.model_fee + 1
    )


def other_platform_fee_in_force(world):
    entry = abi.event(load_artifact("ProtocolAdmin").abi, "PlatformTermsSet")
    (log,) = world.chain.logs(world.contracts.admin, [entry.topic], from_block=0)
    return world.chain.with_event(log.transaction, "ProtocolAdmin", "PlatformTermsSet", flatFee=1)


def smaller_fee_in_event(world):
    return changed_settlement_effect(world, "JobManager", "JobSettled", proverFee=MAX_FEE - 1)


def forged_revenue(world):
    return changed_settlement_effect(world, "RevenueLedger", "RevenueSettled", revenue=1)


def forged_platform_amount(world):
    return changed_settlement_effect(world, "RevenueLedger", "RevenueSettled", platformAmount=1)


def revenue_of_another_model(world):
    return changed_settlement_effect(world, "RevenueLedger", "RevenueSettled", modelId=1)


def fee_to_a_stranger(world):
    return changed_settlement_effect(world, "RevenueLedger", "RevenueSettled", prover=STRANGER)


def no_revenue(world):
    return world.chain.without_event(settle(world), "RevenueLedger", "RevenueSettled")


def paid_twice(world):
    return world.chain.with_event_again(settle(world), "RevenueLedger", "RevenueSettled")


def collateral_kept(world):
    return world.chain.without_event(settle(world), "ProverRegistry", "CollateralReleased")


def collateral_released_to_a_stranger(world):
    return changed_settlement_effect(world, "ProverRegistry", "CollateralReleased", prover=STRANGER)


def other_terms(world):
    return world.chain.with_answer(
        "JobManager", world.contracts.manager, "terms", [], lambda values: ((2, 1, *values[0][2:]),)
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
    (0, other_quote_in_job),
    (0, other_opening_time),
    (0, other_manager_code),
    (0, other_ledger_code),
    (0, other_registry_of_manager),
    (0, other_ledger_of_manager),
    (0, other_lineage_of_ledger),
    (0, no_such_job),
    (0, failed_opening),
    (1, other_uri),
    (1, other_total),
    (1, fewer_nonces),
    (2, other_gas_limit),
    (2, other_class),
    (2, other_weights),
    (2, other_adapter_code),
    (2, other_verifier_code),
    (2, tombstoned_before),
    (3, genesis_of_other_proof),
    (3, genesis_calldata_only),
    (3, genesis_calldata_of_other_circuit),
    (3, genesis_event_only),
    (3, genesis_of_other_owner),
    (3, model_not_proven),
    (3, model_of_other_publisher),
    (3, model_of_other_key_commitment),
    (3, genesis_of_other_circuit),
    (3, second_genesis),
    (3, batch_genesis_of_other_proof),
    (3, batch_circuit_of_other_gas_limit),
    (5, other_input),
    (5, settlement_of_other_job),
    (6, failed_settlement),
    (9, other_output_in_event),
    (9, other_proof_digest_in_event),
    (9, other_payee_in_event),
    (9, other_sender),
    (9, claim_after_settlement),
    (9, claim_of_a_stranger),
    (9, later_claim),
    (9, reorganised_claim),
    (9, second_claim),
    (9, other_claimer_in_job),
    (10, second_settlement),
    (10, refund_beside_settlement),
    (10, smaller_escrow),
    (10, smaller_deposit),
    (10, other_escrow_in_opening),
    (10, escrow_of_a_stranger),
    (10, wrong_price_in_claim),
    (10, wrong_price_everywhere),
    (10, other_collateral_in_claim),
    (10, leftover_kept),
    (10, leftover_to_a_stranger),
    (10, no_collateral),
    (10, collateral_of_a_stranger),
    (10, other_model_fee_in_force),
    (10, other_platform_fee_in_force),
    (10, smaller_fee_in_event),
    (10, forged_revenue),
    (10, forged_platform_amount),
    (10, revenue_of_another_model),
    (10, fee_to_a_stranger),
    (10, no_revenue),
    (10, paid_twice),
    (10, collateral_kept),
    (10, collateral_released_to_a_stranger),
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


def test_settled_job__block_of_the_settlement_reorganised__rejected(world):
    """A settlement in a block that is not canonical is neither final nor dated."""
    report = world.audit(world.settled, reorganised_settlement(world), verify=no_ezkl)
    assert report.rejected_steps == (6, 9)


# --- claims that were taken over, and batches -------------------------------------------------------


def reclaim(world: World, job: bytes, number: int = 0) -> str:
    return world.transactions_with("JobReclaimed", job)[number]


def grace_payee(world):
    told = world.chain.with_event(
        world.transaction_with("JobSettled", world.graced),
        "JobManager",
        "JobSettled",
        prover=world.provers[1],
    )
    return world.graced, told.with_transaction(
        world.transaction_with("JobSettled", world.graced), sender=world.provers[1]
    )


def grace_was_longer(world):
    return world.graced, world.chain.with_event(
        reclaim(world, world.graced), "JobManager", "JobReclaimed", graceEndsAt=2**40 - 1
    )


def grace_forfeit(world):
    """Told as if the grace had been over: the settler took over, and who settled late forfeits."""
    return world.graced, world.chain.without_event(
        world.transaction_with("JobSettled", world.graced), "ProverRegistry", "CollateralReleased"
    )


def taken_over_from_another(world):
    return world.contested, world.chain.with_event(
        reclaim(world, world.contested), "JobManager", "JobReclaimed", previousProver=STRANGER
    )


def taken_over_too_early(world):
    block = world.chain.receipts[reclaim(world, world.contested)].block
    claimed = world.chain.receipts[world.transaction_with("JobClaimed", world.contested)].block
    time = world.chain.blocks[claimed].timestamp + 1
    return world.contested, world.chain.with_block(block, timestamp=time)


def missing_forfeit(world):
    return world.contested, world.chain.without_event(
        world.transaction_with("JobSettled", world.contested), "ProverRegistry", "CollateralForfeited"
    )


def missing_early_forfeit(world):
    return world.contested, world.chain.without_event(
        reclaim(world, world.contested, 1), "ProverRegistry", "CollateralForfeited"
    )


def contested_event(world, name, **changes):
    return world.contested, world.chain.with_event(
        world.transaction_with("JobSettled", world.contested), "ProverRegistry", name, **changes
    )


def forfeit_of_the_payee(world):
    return contested_event(world, "CollateralForfeited", prover=world.provers[2])


def bonus_to_a_stranger(world):
    return contested_event(world, "CollateralForfeited", bonusTo=STRANGER)


def smaller_bonus(world):
    return contested_event(world, "CollateralForfeited", bonus=1)


def nothing_to_the_treasury(world):
    return contested_event(world, "CollateralForfeited", toTreasury=0)


CONTESTED_LIES = [
    (9, grace_payee),
    (9, grace_was_longer),
    (10, grace_forfeit),
    (9, taken_over_from_another),
    (9, taken_over_too_early),
    (10, missing_forfeit),
    (10, missing_early_forfeit),
    (10, forfeit_of_the_payee),
    (10, bonus_to_a_stranger),
    (10, smaller_bonus),
    (10, nothing_to_the_treasury),
]


@pytest.mark.parametrize(
    ("number", "lie"), CONTESTED_LIES, ids=[f"{number}-{lie.__name__}" for number, lie in CONTESTED_LIES]
)
def test_contested_job__one_lie__rejected_at_exactly_its_step(world, number, lie):
    """Who held the claim when, and who lost collateral to whom, follows from blocks' times alone."""
    job, chain = lie(world)
    report = world.audit(job, chain, verify=quick)
    assert report.rejected_steps == (number,), report.as_text()


@pytest.mark.parametrize("number", [0, 1])
def test_contested_job__a_takeover_kept_back__inconclusive(world, number):
    """An endpoint that withholds a takeover leaves a gap in time, and gives no verdict against anybody."""
    transaction = reclaim(world, world.contested, number)
    chain = world.chain.without_event(transaction, "JobManager", "JobReclaimed")
    report = world.audit(world.contested, chain, verify=quick)
    assert (report.rejected_steps, report.step(9).outcome) == ((), Outcome.INCONCLUSIVE), report.as_text()


def batch_settlement(world: World, **changes: object) -> RecordedChain:
    transaction = world.transaction_with("JobSettled", world.batched[0])
    return world.chain.with_calldata(transaction, "JobManager", "settleBatch", **changes)


def swapped_jobs(world):
    return batch_settlement(world, jobIds=list(reversed(world.batched)))


def swapped_slices(world):
    transaction = world.transaction_with("JobSettled", world.batched[0])
    entry = abi.function(load_artifact("JobManager").abi, "settleBatch")
    packed = abi.decode_calldata(entry, world.chain.transactions[transaction].data)["input"]
    half = len(packed) // 2
    return batch_settlement(world, input=packed[half:] + packed[:half])


def batch_without_the_job(world):
    return batch_settlement(world, jobIds=[world.batched[1], world.settled])


def batch_of_the_single_circuit(world):
    return batch_settlement(world, circuitId=circuits(world)[0])


def batch_of_an_unknown_circuit(world):
    return batch_settlement(world, circuitId=bytes(32))


def swapped_outputs(world):
    """Each job's event shows the other's slice of the output."""
    first, second = (arguments_of(world, "JobSettled", job)["output"] for job in world.batched)
    assert first != second
    transaction = world.transaction_with("JobSettled", world.batched[0])
    return world.chain.with_event(transaction, "JobManager", "JobSettled", output=second)


BATCH_LIES = [
    ((5,), swapped_jobs),
    ((5,), swapped_slices),
    ((5,), batch_without_the_job),
    ((7, 8), batch_of_the_single_circuit),
    ((7, 8), batch_of_an_unknown_circuit),
    ((9,), swapped_outputs),
]


@pytest.mark.parametrize(("steps", "lie"), BATCH_LIES, ids=[lie.__name__ for _, lie in BATCH_LIES])
def test_batch__one_lie__rejected_at_exactly_its_steps(world, steps, lie):
    """Another order, slice, circuit or job of a batch is found."""
    report = world.audit(world.batched[0], lie(world), own_bundle=world.batch.path)
    assert report.rejected_steps == steps, report.as_text()


def test_tombstone__after_the_settlement__accepted_with_a_warning(world):
    """A circuit found unsafe later does not undo a settlement, but the reader is told."""
    report = world.audit(world.fake, contracts=world.fake_contracts, verify=quick)
    assert report.step(2).outcome is Outcome.OK
    assert any("tombstoned later: accepts anything" in note for note in report.notes)


def test_tombstone__answer_without_event__inconclusive(world):
    """An endpoint that calls a circuit tombstoned and shows no event contradicts itself."""
    report = world.audit(world.settled, tombstone_answer(world), verify=quick)
    assert (report.step(2).outcome, report.exit_code) == (Outcome.INCONCLUSIVE, 4)


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
    return world.chain.relayed(settle(world), "JobManager", STRANGER, **published)


def relayed_genesis(world: World, **published: object) -> RecordedChain:
    return world.chain.relayed(
        genesis(world)[0], "ModelRegistry", STRANGER, **{"input": genesis_input(world)} | published
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

    def refuse(_bundle, _proof, *, context):
        raise ProofRejectedError("expected an accepted proof, found another")

    assert world.audit(world.settled, verify=refuse).rejected_steps == (7,)


def test_rebuild__verifier_of_the_key__ok_and_of_another__rejected_at_step_11(world):
    """On request the verifier is made anew; other code, another key or other weights on chain are found."""
    manifest = world.bundle.manifest
    expected = ExpectedGenerated(
        manifest.tensor_layout,
        manifest.weight_commitment,
        digest_bytes(manifest.verifying_key),
        world.chain.codes[_verifier(world)],
    )
    kinds = []

    def rebuild(_bundle, kind):
        kinds.append(kind)
        return expected

    assert world.audit(world.settled, rebuild=rebuild).step(11).outcome is Outcome.OK
    assert kinds == ["generated"]
    for changes in (
        {"code": expected.code + b"\x00"},
        {"key_digest": bytes(32)},
        {"weight_commitment": keccak256(b"")},
        {"layout": TensorLayout(4, 1, 2, 4)},
    ):
        other = dataclasses.replace(expected, **changes)
        report = world.audit(world.settled, rebuild=lambda *_, made=other: made)
        assert report.rejected_steps == (11,), report.as_text()


def test_rebuild__adapter_of_a_stranger__no_verdict(world):
    """What an unknown adapter checks cannot be rebuilt."""
    report = world.audit(world.fake, contracts=world.fake_contracts, verify=quick, rebuild=lambda *_: None)
    assert (report.step(11).outcome, report.exit_code) == (Outcome.INCONCLUSIVE, 4)


def test_rebuild__without_a_compiler__no_verdict_because_it_was_asked_for(world):
    """Where solc or EZKL is missing, a rebuilding that was asked for leaves the audit without a verdict."""

    def rebuild(_bundle, _kind):
        raise ToolchainError("expected a compiler, found none")

    report = world.audit(world.settled, rebuild=rebuild)
    assert report.step(11).outcome is Outcome.INCONCLUSIVE
    assert report.verdict is Verdict.INCONCLUSIVE


def test_circuit__closed_model_with_fixed_weights__no_verdict(world, tmp_path):
    """Where the key binds the weights, nobody rebuilds it without the model; the report says why."""
    directory = tmp_path / "closed"
    shutil.copytree(world.bundle.path, directory)
    (directory / world.bundle.manifest.files["onnx"].path).unlink()
    report = audit_circuit(
        circuits(world)[0],
        world.chain,
        world.contracts,
        directory,
        rebuild_key=verify_keys,
        rebuild_verifier=no_ezkl,
    )
    assert (report.step(3).outcome, report.exit_code) == (Outcome.INCONCLUSIVE, 4)
    assert "closed model" in report.step(3).hint


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


def registered(world: World) -> tuple[ModelCommitment, DeployedVerifier]:
    """Return what registry and router say of the recorded model, as the audit reads them."""
    reader = ChainReader(world.chain, world.contracts)
    commitment = reader.commitment(int.from_bytes(world.model, "big"))
    return commitment, reader.verifier(commitment.circuit_id)


@pytest.mark.parametrize(
    ("part", "field", "value"),
    [
        ("commitment", "onnx_digest", bytes(32)),
        ("commitment", "settings_digest", bytes(32)),
        ("spec", "verifying_key_digest", bytes(32)),
        ("spec", "weight_commitment", keccak256(b"other weights")),
        ("spec", "proof_system_id", bytes(4)),
        ("spec", "layout", TensorLayout(4, 2, 2, 2)),
        ("spec", "domain", InputDomain(-126, 127)),
    ],
)
def test_manifest__says_other_things_than_registry_or_router__verdict(world, part, field, value):
    """A publisher whose manifest names another model, key, layout or domain than the chain is refused."""
    commitment, verifier = registered(world)
    verify_manifest(world.bundle.manifest, commitment, verifier, world.chain.chain_id)
    if part == "commitment":
        commitment = commitment._replace(**{field: value})
    else:
        verifier.spec = verifier.spec._replace(**{field: value})
    with pytest.raises(VerificationError):
        verify_manifest(world.bundle.manifest, commitment, verifier, world.chain.chain_id)


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


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [({"address": STRANGER}, Outcome.INCONCLUSIVE), ({"subject": b"other"}, Outcome.REJECTED)],
)
def test_chain__publication_by_another_contract_or_of_another_job__is_not_this_proof(world, changes, outcome):
    """What a stranger's contract publishes counts as nothing; what the manager publishes of another job is wrong."""
    if "subject" in changes:
        changes = {"subject": world.refunded}
    chain = world.chain.with_transaction(settle(world), target=STRANGER)
    call = settlement(world)
    arguments = {"address": world.contracts.manager, "subject": world.settled} | changes
    values = {name: call[name] for name in ("input", "output", "proof")}
    chain = chain.with_publication(settle(world), "JobManager", **arguments, **values)
    assert world.audit(world.settled, chain).step(5).outcome is outcome


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


def quick(*_: object, **_options: object) -> None:
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


def changed_refund(world, artifact="JobManager", name="JobRefunded", **changes):
    return world.chain.with_event(refund(world), artifact, name, **changes)


def refund_to_a_stranger(world):
    return changed_refund(world, requester=STRANGER)


def refund_before_the_deadline(world):
    block = world.chain.receipts[refund(world)].block
    return world.chain.with_block(
        block, timestamp=arguments_of(world, "JobOpened", world.refunded)["spec"][9]
    )


def smaller_refund(world):
    return changed_refund(world, amount=1)


def smaller_credit(world):
    return changed_refund(world, "RevenueLedger", "Credited", amount=1)


def credit_to_a_stranger(world):
    return changed_refund(world, "RevenueLedger", "Credited", account=STRANGER)


def no_forfeit(world):
    return changed_refund(world, forfeited=0)


def collateral_not_forfeited(world):
    return world.chain.without_event(refund(world), "ProverRegistry", "CollateralForfeited")


def forfeit_with_a_bonus(world):
    return changed_refund(world, "ProverRegistry", "CollateralForfeited", bonusTo=STRANGER, bonus=1)


def failed_refund(world):
    return world.chain.with_receipt(refund(world), succeeded=False)


@pytest.mark.parametrize(
    ("number", "lie"),
    [
        (6, failed_refund),
        (9, settled_and_refunded),
        (9, refund_to_a_stranger),
        (9, refund_before_the_deadline),
        (10, smaller_refund),
        (10, smaller_credit),
        (10, credit_to_a_stranger),
        (10, no_forfeit),
        (10, collateral_not_forfeited),
        (10, forfeit_with_a_bonus),
    ],
)
def test_refunded_job__one_lie__rejected(world, number, lie):
    """A refund beside a settlement, too early, to somebody else, of another amount or without forfeit is refused."""
    report = world.audit(world.refunded, lie(world))
    assert report.rejected_steps == (number,), report.as_text()


def test_excused_job__collateral_forfeited_all_the_same__rejected(world):
    """Where a tombstone ended a job its provers lose nothing."""
    transaction = world.transaction_with("JobRefunded", world.excused)
    chain = world.chain.with_event(transaction, "JobManager", "JobRefunded", forfeited=1_000_000)
    report = world.audit(world.excused, chain, contracts=world.fake_contracts)
    assert report.rejected_steps == (10,)
    chain = world.chain.without_event(transaction, "ProverRegistry", "CollateralReleased")
    assert world.audit(world.excused, chain, contracts=world.fake_contracts).rejected_steps == (10,)


def test_cancelled_job__less_given_back__rejected(world):
    """A cancellation gives the whole escrow back."""
    transaction = world.transaction_with("JobCancelled", world.cancelled)
    chain = world.chain.with_event(transaction, "RevenueLedger", "Credited", amount=1)
    assert world.audit(world.cancelled, chain).rejected_steps == (10,)


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
    """Return the adapter of the job's circuit."""
    return registered(world)[1].spec.adapter


def _verifier(world: World) -> str:
    """Return the generated verifier behind it."""
    address = registered(world)[1].inner_address
    assert address is not None
    return address
