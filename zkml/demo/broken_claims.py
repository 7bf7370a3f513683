"""Broken claims: a cheat lies about one job and never answers another; each costs it its collateral."""

from dataclasses import dataclass
from typing import NamedTuple

from circuits.single_proof import prove_input
from circuits.stages import run_stage
from circuits.verification import verify_proof
from prover_nodes.node import Node
from zkml.client import refund
from zkml.core.job_machine import JobStatus, status_of
from zkml.core.pricing import split_forfeit
from zkml.core.progress import labelled
from zkml.core.records import from_hex, to_hex
from zkml.demo.cheats import Claimed, attempt_all
from zkml.demo.jobs import check_paid, job_row, open_offer, packed_image, prove_seconds
from zkml.demo.node import wait_until_past
from zkml.demo.report import Attempt, Forfeiture, JobRow
from zkml.demo.scene import Scene
from zkml.errors import PaymentMismatchError

SHORT_JOB_SECONDS = 90
"""Deadline of the job that is never answered: a claim period must fit, and the lies take some seconds."""


@dataclass(frozen=True, slots=True)
class BrokenClaims:
    """What became of the cheat's two jobs.

    Attributes:
        attempts: its lies about the first.
        taken_over: the first, settled by the honest prover.
        refunded_job: the second, 32 bytes.
        forfeits: what each cost the cheat.
    """

    attempts: tuple[Attempt, ...]
    taken_over: JobRow
    refunded_job: bytes
    forfeits: tuple[Forfeiture, ...]


class _Stakes(NamedTuple):
    """What a broken claim moves, in the token's smallest unit."""

    cheat: int
    prover: int
    to_burn: int
    to_treasury: int


def break_claims(scene: Scene, node: Node, first: int, other: Claimed) -> BrokenClaims:
    """Have a cheat claim two jobs, lie about one in six ways and answer neither.

    Args:
        scene: with a published model.
        node: the honest prover.
        first: index of the image of the first of the two jobs.
        other: a settled job of another image.

    Raises:
        VerificationError: a lie was accepted or moved something.
        PaymentMismatchError: what the cheat lost went elsewhere than the terms say.
        ZkmlError: a step failed.
    """
    market, cheat = scene.market, scene.accounts["cheat"]
    lied = open_offer(scene, first)
    # The truth is proved before the second job is opened, whose deadline is short.
    truth = _prove_privately(scene, lied, first, other)
    silent = open_offer(scene, first + 1, SHORT_JOB_SECONDS)
    for job_id in (lied, silent):
        market.manager.claim(cheat, job_id)
    with run_stage(scene.progress, "cheat in six ways"):
        attempts = attempt_all(market, cheat, scene.addresses, truth, other)
    taken = _take_over(scene, node, lied, first)
    row = job_row(scene, lied, first, prove_seconds(node, lied))
    return BrokenClaims(attempts, row, silent, (taken, _refund(scene, silent)))


def wait_for_graces(scene: Scene) -> None:
    """Let the graces of all claimers pass whose jobs the honest prover has taken over.

    Raises:
        ChainError: see `wait_until_past`.
    """
    prover, market = scene.accounts["prover"].address, scene.market
    for request in market.manager.events.requests():
        facts = market.manager.facts(from_hex(request.job_id))
        if facts.prover == prover and status_of(facts, market.chain.now()) is JobStatus.GRACE:
            _wait(scene, facts.grace_ends_at)


def _prove_privately(scene: Scene, job_id: bytes, index: int, other: Claimed) -> Claimed:
    """Prove the truth about a job for the cheat; for another payee, too, where proofs are bound to theirs."""
    progress = labelled(scene.progress, lambda: f"job {index + 1}, in secret")
    witness, packed = scene.home.root / "cheat.witness.json", packed_image(scene, index)

    def proof_for(role: str) -> tuple[bytes, bytes]:
        context = scene.market.manager.context_of(job_id, scene.accounts[role].address)
        made = prove_input(scene.bundle, scene.system, packed, witness, context=context, progress=progress)
        verify_proof(scene.bundle, made, context=context)
        return from_hex(made.output), from_hex(made.proof)

    output, proof = proof_for("cheat")
    borrowed = proof_for("prover")[1] if scene.system.binds_context else b""
    return Claimed(job_id, other.layout, packed, output, proof, other.verifier, borrowed)


def _take_over(scene: Scene, node: Node, job_id: bytes, index: int) -> Forfeiture:
    """Let the cheat be late and the honest prover take its job over; it settles after the cheat's grace."""
    manager, ledger = scene.market.manager, scene.market.ledger
    prover = scene.accounts["prover"].address
    before, credited = _stakes(scene), ledger.credits_of(prover)
    _wait(scene, manager.facts(job_id).claim_deadline)
    scene.label = f"job {index + 1}, taken over"
    node.run_once([job_id]).raise_first_error()
    _wait(scene, manager.facts(job_id).grace_ends_at)
    node.run_once([job_id]).raise_first_error()
    check_paid(manager.facts(job_id), ledger.credits_of(prover) - credited)
    return _forfeiture(scene, job_id, "settled by another prover", before, has_heir=True)


def _refund(scene: Scene, job_id: bytes) -> Forfeiture:
    """Let a job's deadline pass; its requester gets everything back, and none of the collateral."""
    market, requester = scene.market, scene.accounts["requester"]
    facts = market.manager.facts(job_id)
    _wait(scene, facts.deadline)
    before, credited = _stakes(scene), market.ledger.credits_of(requester.address)
    with run_stage(scene.progress, "refund the job that was never answered"):
        refund(market, requester, job_id)
    found = market.ledger.credits_of(requester.address) - credited
    if found != facts.price:
        raise PaymentMismatchError(f"expected a refund of {facts.price}, found {found}")
    return _forfeiture(scene, job_id, "refunded", before, has_heir=False)


def _wait(scene: Scene, moment: int) -> None:
    wait_until_past(scene.market.chain, moment, scene.funder, scene.progress, movable=scene.movable)


def _stakes(scene: Scene) -> _Stakes:
    stakes = [scene.market.provers.stake_of(scene.accounts[role].address) for role in ("cheat", "prover")]
    cheat, prover = (stake.free + stake.locked + stake.leaving for stake in stakes)
    return _Stakes(cheat, prover, *scene.market.provers.forfeits())


def _forfeiture(scene: Scene, job_id: bytes, ended: str, before: _Stakes, *, has_heir: bool) -> Forfeiture:
    """Return where the cheat's collateral went, compared with the terms."""
    manager, terms = scene.market.manager, scene.market.deployment.terms
    collateral = manager.collateral_for(manager.facts(job_id).price)
    agreed = split_forfeit(collateral, terms.bonus_ppm, terms.treasury_ppm, has_heir=has_heir)
    after = _stakes(scene)
    moved = (
        before.cheat - after.cheat,
        after.prover - before.prover,
        after.to_treasury - before.to_treasury,
        after.to_burn - before.to_burn,
    )
    if moved != tuple(agreed):
        raise PaymentMismatchError(f"expected {agreed} of job {to_hex(job_id)}, found {moved} moved")
    return Forfeiture(to_hex(job_id), ended, *moved)
