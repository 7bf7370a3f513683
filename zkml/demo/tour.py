"""The main job, end to end, on real parts: the script of `zkml demo`."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from eth_account.signers.local import LocalAccount

from circuits.bundle import Bundle
from circuits.port import ProofSystem
from circuits.single_proof import prove_input
from circuits.stages import run_stage
from circuits.systems import open_system
from circuits.verification import verify_proof
from prover_nodes.build import build_node
from prover_nodes.journal import Stage
from prover_nodes.node import Node
from verifier_contracts.deploy import deploy_core
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.home_directory import lock_home
from zkml.adapters.process.child import Limits
from zkml.adapters.store.directory import DirectoryStore
from zkml.audit.evidence import Contracts
from zkml.audit.job_audit import audit_job
from zkml.audit.policy import AuditPolicy
from zkml.audit.report import Report
from zkml.client import OpeningJournal, open_job, read_output, refund, resume_openings, withdraw
from zkml.config.home import Home
from zkml.config.settings import Settings
from zkml.core.job_machine import JobStatus
from zkml.core.progress import Progress, labelled, silent
from zkml.core.records import ProofRecord, from_hex, to_hex
from zkml.core.verifier_classes import accepted_classes
from zkml.demo.accounts import fund_roles, funding_account, role_accounts
from zkml.demo.balances import compare, snapshot
from zkml.demo.cheats import Claimed, attempt_all
from zkml.demo.digits import PreparedCircuit, prepare
from zkml.demo.node import (
    LONG_JOB_SECONDS,
    SHORT_JOB_SECONDS,
    can_move_clock,
    running_chain,
    wait_until_past,
)
from zkml.demo.report import Attempt, DemoReport, JobRow
from zkml.errors import PaymentMismatchError, VerificationError
from zkml.publish.publication import Publication, publish
from zkml.wiring import Market, bind, open_store

FEE = 2_500_000
HONEST_JOBS = 3
ROLES = ("publisher", "requester", "prover", "cheat")


@dataclass(slots=True)
class _Tour:
    """What the steps share."""

    settings: Settings
    home: Home
    progress: Progress
    market: Market
    funder: LocalAccount
    system: ProofSystem
    prepared: PreparedCircuit
    accounts: dict[str, LocalAccount]
    store: DirectoryStore
    journal: OpeningJournal
    movable: bool
    publication: Publication = field(init=False)
    label: str = ""

    @property
    def bundle(self) -> Bundle:
        return self.prepared.bundle

    @property
    def addresses(self) -> dict[str, str]:
        return {role: account.address for role, account in self.accounts.items()}

    @property
    def classes(self) -> frozenset[int]:
        return accepted_classes(self.settings.chain.accepted_classes, self.market.chain.chain_id)


def run_tour(
    settings: Settings, home: Home, progress: Progress = silent, *, environment: Mapping[str, str]
) -> DemoReport:
    """Run the whole tour.

    Args:
        settings: of this run; an empty `chain.rpc_url` starts the embedded node.
        home: where everything is kept; a second run uses what the first one made.
        progress: hears of every step.
        environment: where a key for deploying and funding may be; a local chain's development key if not.

    Returns:
        What happened, with an audit of every job. Sums were compared.

    Raises:
        HomeLockedError: another tour runs in this home.
        VerificationError: the chain accepted a lie, or paid otherwise than agreed.
        ZkmlError: a step failed; what was made before stays and is used again.
    """
    began = time.monotonic()
    with lock_home(home, "demo"), lock_home(home, "prover"):
        limits = Limits(
            settings.prover.memory_limit_mib << 20, wall_seconds=settings.prover.time_limit_seconds
        )
        system = open_system("ezkl", limits=limits, measurements=home.measurements)
        prepared = prepare(home, system, progress)
        with running_chain(settings, home, progress) as chain:
            funder = funding_account(settings, home, chain, environment)
            tour = _set_up(settings, home, progress, chain, funder, system, prepared)
            return _run(tour, began)


def _set_up(  # noqa: PLR0917  (each is a part of the tour)
    settings: Settings,
    home: Home,
    progress: Progress,
    chain: Chain,
    funder: LocalAccount,
    system: ProofSystem,
    prepared: PreparedCircuit,
) -> _Tour:
    """Step 4: contracts, accounts, verifier, model, genesis proof."""
    deployment = deploy_core(chain, funder, folder=home.deployments, progress=progress)
    market = bind(chain, deployment)
    accounts = role_accounts(home, ROLES)
    with run_stage(progress, "fund the accounts"):
        fund_roles(market, funder, list(accounts.values()))
    tour = _Tour(
        settings=settings,
        home=home,
        progress=progress,
        market=market,
        funder=funder,
        system=system,
        prepared=prepared,
        accounts=accounts,
        store=open_store(home),
        journal=OpeningJournal(home.client),
        movable=can_move_clock(chain),
    )
    tour.publication = publish(
        market,
        accounts["publisher"],
        tour.bundle,
        system,
        tour.store,
        cache_dir=home.verifiers,
        scratch=home.publisher,
        progress=progress,
    )
    return tour


def _run(tour: _Tour, began: float) -> DemoReport:
    node = _build_prover(tour)
    with node.journal:
        _finish_interrupted(tour, node)
        before = snapshot(tour.market, tour.addresses)
        opened = [_open(tour, index, LONG_JOB_SECONDS) for index in range(HONEST_JOBS)]
        rows, claimed = _serve(tour, node, opened)
    attempts, cheated, forfeited = _cheat(tour, claimed)
    _collect(tour)
    after = snapshot(tour.market, tour.addresses)
    audits = _audit(tour, [*(from_hex(row.job_id) for row in rows), cheated])
    manifest = tour.bundle.manifest
    return DemoReport(
        float_accuracy=tour.prepared.float_accuracy,
        circuit_accuracy=tour.prepared.circuit_accuracy,
        circuit=manifest.circuit,
        srs=manifest.srs.name,
        srs_is_secure=manifest.srs.secure,
        chain_id=tour.market.chain.chain_id,
        endpoint=tour.market.chain.endpoint,
        model_id=f"{tour.publication.model_id:#066x}",
        jobs=tuple(rows),
        attempts=attempts,
        cheated_job=to_hex(cheated),
        forfeited=forfeited,
        audits=audits,
        balances=compare(before, after),
        symbol=tour.market.token.symbol,
        decimals=tour.market.token.decimals,
        seconds=time.monotonic() - began,
    )


def _build_prover(tour: _Tour) -> Node:
    return build_node(
        account=tour.accounts["prover"],
        manager=tour.market.manager,
        router=tour.market.router,
        token=tour.market.token,
        first_block=tour.market.deployment.block,
        bundles=[tour.bundle],
        store=tour.store,
        journal=tour.home.journal,
        work=tour.home.prover_work,
        verifiers=tour.home.verifiers,
        prover=tour.settings.prover,
        chain=tour.settings.chain,
        measurements=tour.home.measurements,
        progress=labelled(tour.progress, lambda: tour.label),
    )


def _finish_interrupted(tour: _Tour, node: Node) -> None:
    """Bring what an interrupted run left behind to its end, before balances are noted."""
    tour.label = "left by an earlier run"
    resume_openings(tour.market, tour.journal)
    node.run_once()
    _collect(tour)


def _open(tour: _Tour, index: int, seconds: int) -> bytes:
    """Step 5: a requester asks for a held-out image's digit."""
    with run_stage(tour.progress, f"open job {index + 1}"):
        packed = tour.system.quantize_input(tour.bundle, tour.prepared.images.test_inputs[index])
        opened = open_job(
            tour.market,
            tour.accounts["requester"],
            tour.journal,
            model_id=tour.publication.model_id,
            packed_input=packed,
            fee=FEE,
            max_total=FEE,
            deadline=tour.market.chain.now() + seconds,
            accepted_classes=tour.classes,
        )
    job_id: bytes = opened.job_id
    return job_id


def _serve(tour: _Tour, node: Node, opened: list[bytes]) -> tuple[list[JobRow], Claimed]:
    """Step 5: the prover settles the jobs one by one; each credit is compared with the terms."""
    rows = []
    manager, prover = tour.market.manager, tour.accounts["prover"].address
    for index, job_id in enumerate(opened):
        before = manager.credits_of(prover)
        tour.label = f"job {index + 1}"
        report = node.run_once([job_id])
        report.raise_first_error()
        facts = manager.facts(job_id)
        found = manager.credits_of(prover) - before
        if facts.outcome is not JobStatus.SETTLED or found != facts.fee + facts.collateral:
            raise PaymentMismatchError(
                f"expected job {to_hex(job_id)} settled for {facts.fee} and its collateral, "
                f"found {facts.outcome.name} and {found}"
            )
        rows.append(_row(tour, node, job_id, index))
    last = manager.events.settlement_data(manager.events.settlements_of(opened[-1])[0])
    verifier = tour.publication.circuit.verifier
    layout = tour.bundle.manifest.tensor_layout
    return rows, Claimed(opened[-1], layout, last.packed_input, last.packed_output, last.proof, verifier)


def _row(tour: _Tour, node: Node, job_id: bytes, index: int) -> JobRow:
    output = read_output(tour.market, job_id, accepted_classes=tour.classes, store=tour.store)
    receipt = tour.market.chain.receipt(output.transaction)
    assert receipt is not None  # it was found by its event
    return JobRow(
        job_id=to_hex(job_id),
        label=int(tour.prepared.images.test_labels[index]),
        predicted=max(range(len(output.elements)), key=output.elements.__getitem__),
        prove_seconds=_prove_seconds(node, job_id),
        gas=receipt.gas_used,
        paid=output.fee,
        transaction=output.transaction,
    )


def _prove_seconds(node: Node, job_id: bytes) -> float:
    proof = node.journal.read(node.journal.case_of(to_hex(job_id)), Stage.PROVE, ProofRecord)
    assert proof is not None  # the job was settled by this node
    return proof.wall_seconds


def _cheat(tour: _Tour, other: Claimed) -> tuple[tuple[Attempt, ...], bytes, int]:
    """Step 6: a cheat claims a fourth job, lies, and loses its collateral."""
    market, cheat = tour.market, tour.accounts["cheat"]
    index = HONEST_JOBS
    packed = tour.system.quantize_input(tour.bundle, tour.prepared.images.test_inputs[index])
    # The truth is proved before the job is opened: its deadline may be short.
    output, proof = _prove_privately(tour, packed, tour.home.root / "cheat.witness.json")
    job_id = _open(tour, index, LONG_JOB_SECONDS if tour.movable else SHORT_JOB_SECONDS)
    facts = market.manager.facts(job_id)
    market.token.ensure_allowance(cheat, market.manager.address, facts.collateral)
    market.manager.claim(cheat, job_id)
    job = Claimed(job_id, other.layout, packed, output, proof, other.verifier)
    with run_stage(tour.progress, "cheat in six ways"):
        attempts = attempt_all(market, cheat, tour.addresses, job, other)
    wait_until_past(market.chain, facts.deadline, tour.funder, tour.progress, movable=tour.movable)
    before = market.manager.forfeits()
    refund(market, tour.accounts["requester"], job_id)
    forfeited = market.manager.forfeits() - before
    if forfeited != facts.collateral:
        raise PaymentMismatchError(f"expected a forfeit of {facts.collateral}, found {forfeited}")
    return attempts, job_id, forfeited


def _prove_privately(tour: _Tour, packed: bytes, path: Path) -> tuple[bytes, bytes]:
    progress = labelled(tour.progress, lambda: f"job {HONEST_JOBS + 1}, in secret")
    proof = prove_input(tour.bundle, tour.system, packed, path, progress=progress)
    verify_proof(tour.bundle, proof)
    return from_hex(proof.output), from_hex(proof.proof)


def _collect(tour: _Tour) -> None:
    """Everybody takes what is theirs, expired jobs are refunded, and forfeits are burned."""
    market = tour.market
    for request in market.manager.events.requests():
        job_id = from_hex(request.job_id)
        if market.manager.status(job_id) is JobStatus.EXPIRED:
            refund(market, tour.accounts["requester"], job_id)
    for account in tour.accounts.values():
        if market.manager.credits_of(account.address):
            withdraw(market, account)
    if market.manager.forfeits():
        market.manager.burn_forfeits(tour.accounts["publisher"])


def _audit(tour: _Tour, jobs: list[bytes]) -> dict[str, str]:
    """Step 7: audit every job from chain data and artifacts alone.

    Raises:
        VerificationError: an audit did not accept.
    """
    verdicts = {}
    for number, job_id in enumerate(jobs, 1):
        with run_stage(tour.progress, f"audit job {number}"):
            report = audit_one(
                tour.market, job_id, tour.store, AuditPolicy.from_settings(tour.settings.chain)
            )
        if report.exit_code:
            raise VerificationError(
                f"expected job {to_hex(job_id)} to pass its audit, found:\n{report.as_text()}"
            )
        verdicts[to_hex(job_id)] = str(report.verdict)
    return verdicts


def audit_one(market: Market, job_id: bytes, store: DirectoryStore, policy: AuditPolicy) -> Report:
    """Audit one job of a market; see `audit_job`."""
    return audit_job(job_id, market.chain, Contracts.of(market.deployment), store, policy)
