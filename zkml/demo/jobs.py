"""Paid jobs: a requester asks for held-out images' digits, and the honest prover answers."""

from circuits.stages import run_stage
from prover_nodes.build import build_node
from prover_nodes.journal import Stage
from prover_nodes.node import Node
from zkml.client import open_job, read_output
from zkml.core.job_machine import JobFacts, JobStatus
from zkml.core.pricing import payment_for
from zkml.core.progress import labelled
from zkml.core.records import ProofRecord, to_hex
from zkml.demo.report import JobRow
from zkml.demo.scene import MAX_PROVER_FEE, MAX_TOTAL, MIN_PROVER_FEE, RAMP_SECONDS, Scene
from zkml.errors import PaymentMismatchError

LONG_JOB_SECONDS = 900


def build_prover(scene: Scene) -> Node:
    """Return the honest prover's node."""
    return build_node(
        account=scene.accounts["prover"],
        market=scene.market,
        bundles=[scene.bundle],
        store=scene.store,
        journal=scene.home.journal,
        work=scene.home.prover_work,
        verifiers=scene.home.verifiers,
        prover=scene.settings.prover,
        chain=scene.settings.chain,
        measurements=scene.home.measurements,
        progress=labelled(scene.progress, lambda: scene.label),
    )


def packed_image(scene: Scene, index: int) -> bytes:
    """Return a held-out image as an input of the circuit."""
    return scene.system.quantize_input(scene.bundle, scene.prepared.images.test_inputs[index])


def open_offer(scene: Scene, index: int, seconds: int = LONG_JOB_SECONDS) -> bytes:
    """Open a job for a held-out image; its prover fee rises until somebody takes it. Return its id."""
    market = scene.market
    with run_stage(scene.progress, f"open job {index + 1}"):
        opened = open_job(
            market,
            scene.accounts["requester"],
            scene.journal,
            model_id=scene.publication.model_id,
            packed_input=packed_image(scene, index),
            min_prover_fee=MIN_PROVER_FEE,
            max_prover_fee=MAX_PROVER_FEE,
            max_total=MAX_TOTAL,
            ramp_seconds=RAMP_SECONDS,
            claim_seconds=market.deployment.terms.min_claim_seconds,
            deadline=market.chain.now() + seconds,
            accepted_classes=scene.classes,
        )
    job_id: bytes = opened.job_id
    return job_id


def serve(scene: Scene, node: Node, opened: list[bytes]) -> list[JobRow]:
    """Have the prover settle jobs one by one; what each moves is compared with the terms.

    Raises:
        PaymentMismatchError: a job paid otherwise than agreed, or kept collateral.
        ZkmlError: the prover could not settle one.
    """
    rows = []
    ledger, provers, prover = scene.market.ledger, scene.market.provers, scene.accounts["prover"].address
    for index, job_id in enumerate(opened):
        before = ledger.credits_of(prover), provers.stake_of(prover)
        scene.label = f"job {index + 1}"
        report = node.run_once([job_id])
        report.raise_first_error()
        facts = scene.market.manager.facts(job_id)
        check_paid(facts, ledger.credits_of(prover) - before[0])
        if provers.stake_of(prover) != before[1]:
            raise PaymentMismatchError(f"expected the collateral of job {to_hex(job_id)} free again")
        rows.append(job_row(scene, job_id, index, prove_seconds(node, job_id)))
    return rows


def check_paid(facts: JobFacts, credited: int) -> None:
    """Check that a settled job paid what its terms and its quote say.

    Raises:
        PaymentMismatchError: it did not.
    """
    fee = facts.payment.prover_fee
    agreed = MIN_PROVER_FEE <= fee <= MAX_PROVER_FEE and facts.payment == payment_for(facts.quote, fee)
    if facts.outcome is not JobStatus.SETTLED or credited != fee or not agreed:
        raise PaymentMismatchError(
            f"expected job {to_hex(facts.job_id)} settled for a prover fee of {MIN_PROVER_FEE} to "
            f"{MAX_PROVER_FEE}, found {facts.outcome.name}, {facts.payment} and {credited} credited"
        )


def job_row(scene: Scene, job_id: bytes, index: int, seconds: float) -> JobRow:
    """Return what a settled job says, from its verified output and its transaction."""
    output = read_output(scene.market, job_id, accepted_classes=scene.classes, store=scene.store)
    receipt = scene.market.chain.receipt(output.transaction)
    assert receipt is not None  # it was found by its event
    payment = scene.market.manager.facts(job_id).payment
    return JobRow(
        job_id=to_hex(job_id),
        label=int(scene.prepared.images.test_labels[index]),
        predicted=max(range(len(output.elements)), key=output.elements.__getitem__),
        prove_seconds=seconds,
        gas=receipt.gas_used,
        paid=payment.prover_fee,
        revenue=payment.revenue,
        platform=payment.platform_amount,
        price=payment.price,
        transaction=output.transaction,
    )


def prove_seconds(node: Node, job_id: bytes) -> float:
    """Return how long a node's proof of a job that it settled took, in seconds."""
    proof = node.journal.read(node.journal.case_of(to_hex(job_id)), Stage.PROVE, ProofRecord)
    assert proof is not None  # the job was settled by this node
    return proof.wall_seconds
