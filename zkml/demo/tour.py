"""The main job, end to end, on real parts: the script of `zkml demo`."""

import time
from collections.abc import Mapping

from eth_account.signers.local import LocalAccount

from circuits.port import ProofSystem
from circuits.stages import run_stage
from circuits.systems import open_system
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
from zkml.client import OpeningJournal, resume_openings
from zkml.config.home import Home
from zkml.config.settings import Settings
from zkml.core.identifiers import proof_system_id
from zkml.core.progress import Progress, silent
from zkml.core.records import from_hex, to_hex
from zkml.demo.accounts import enroll, fund_roles, funding_account, role_accounts
from zkml.demo.balances import compare, snapshot
from zkml.demo.broken_claims import break_claims, wait_for_graces
from zkml.demo.cheats import Claimed
from zkml.demo.digits import PreparedCircuit, prepare
from zkml.demo.jobs import build_prover, open_offer, serve
from zkml.demo.node import can_move_clock, running_chain
from zkml.demo.pulling import ask_for_stake, everybody_pulls
from zkml.demo.report import DemoReport
from zkml.demo.scene import ROLES, Scene
from zkml.errors import VerificationError
from zkml.export.check import CheckedFor
from zkml.publish.publication import publish
from zkml.wiring import Market, bind, open_store

HONEST_JOBS = 3
PROVER_STAKE = 5_000_000
CHEAT_STAKE = 3_000_000


def run_tour(
    settings: Settings,
    home: Home,
    progress: Progress = silent,
    *,
    environment: Mapping[str, str],
    asked: CheckedFor = "ezkl",
) -> DemoReport:
    """Run the whole tour.

    Args:
        settings: of this run; an empty `chain.rpc_url` starts the embedded node.
        home: where everything is kept; a second run uses what the first one made.
        progress: hears of every step.
        environment: where a key for deploying and funding may be; a local chain's development key if not.
        asked: name of the proof system.

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
        system = open_system(asked, limits=limits, measurements=home.measurements)
        prepared = prepare(home, system, asked, progress)
        with running_chain(settings, home, progress) as chain:
            funder = funding_account(settings, home, chain, environment)
            scene = _set_up(settings, home, progress, chain, funder, system, prepared)
            return _run(scene, began)


def _set_up(  # noqa: PLR0917  (each is a part of the tour)
    settings: Settings,
    home: Home,
    progress: Progress,
    chain: Chain,
    funder: LocalAccount,
    system: ProofSystem,
    prepared: PreparedCircuit,
) -> Scene:
    """Deploy contracts, fund accounts, publish the model, enroll the provers."""
    deployment = deploy_core(chain, funder, folder=home.deployments, progress=progress)
    market = bind(chain, deployment)
    accounts = role_accounts(home, ROLES)
    with run_stage(progress, "fund the accounts"):
        fund_roles(market, funder, list(accounts.values()))
    scene = Scene(
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
    _publish(scene)
    systems = [proof_system_id(scene.bundle.manifest.proof_system)]
    with run_stage(progress, "register the provers, stake"):
        enroll(market, accounts["prover"], PROVER_STAKE, systems)
        enroll(market, accounts["cheat"], CHEAT_STAKE, systems)
    return scene


def _publish(scene: Scene) -> None:
    scene.publication = publish(
        scene.market,
        scene.accounts["publisher"],
        scene.bundle,
        scene.system,
        scene.store,
        cache_dir=scene.home.verifiers,
        scratch=scene.home.publisher,
        listing=scene.listing,
        progress=scene.progress,
    )


def _run(scene: Scene, began: float) -> DemoReport:
    node = build_prover(scene)
    with node:
        _finish_interrupted(scene, node)
        before = snapshot(scene.market, scene.addresses, scene.publication.model_id)
        opened = [open_offer(scene, index) for index in range(HONEST_JOBS)]
        rows = serve(scene, node, opened)
        broken = break_claims(scene, node, HONEST_JOBS, _settled(scene, opened[-1]))
    jobs = [*opened, from_hex(broken.taken_over.job_id), broken.refunded_job]
    audits = _audit(scene, jobs)
    with run_stage(scene.progress, "everybody takes what is theirs"):
        everybody_pulls(scene)
        unstaking = ask_for_stake(scene)
    after = snapshot(scene.market, scene.addresses, scene.publication.model_id)
    manifest = scene.bundle.manifest
    return DemoReport(
        system=f"{manifest.system} {manifest.system_version}",
        float_accuracy=scene.prepared.float_accuracy,
        circuit_accuracy=scene.prepared.circuit_accuracy,
        circuit=manifest.circuit,
        srs=manifest.srs.name,
        srs_is_secure=manifest.srs.secure,
        chain_id=scene.market.chain.chain_id,
        endpoint=scene.market.chain.endpoint,
        model_id=f"{scene.publication.model_id:#066x}",
        licence=scene.listing.licence,
        dataset=to_hex(scene.listing.dataset_digest),
        jobs=tuple(rows),
        attempts=broken.attempts,
        cheated_job=broken.taken_over.job_id,
        taken_over=broken.taken_over,
        refunded_job=to_hex(broken.refunded_job),
        forfeits=broken.forfeits,
        forfeited=sum(forfeit.amount for forfeit in broken.forfeits),
        audits=audits,
        balances=compare(before, after),
        contracts=after.contracts,
        unstaking=unstaking,
        symbol=scene.market.token.symbol,
        decimals=scene.market.token.decimals,
        seconds=time.monotonic() - began,
    )


def _finish_interrupted(scene: Scene, node: Node) -> None:
    """Bring what an interrupted run left behind to its end, before balances are noted."""
    scene.label = "left by an earlier run"
    resume_openings(scene.market, scene.journal)
    node.run_once()
    wait_for_graces(scene)
    # What was taken over just now is settled when the claimer before has had its grace.
    node.run_once()
    everybody_pulls(scene)


def _settled(scene: Scene, job_id: bytes) -> Claimed:
    """Return a settled job with its public proof."""
    events = scene.market.manager.events
    data = events.settlement_data(events.settlements_of(job_id)[0])
    layout, verifier = scene.bundle.manifest.tensor_layout, scene.publication.circuit.verifier
    return Claimed(job_id, layout, data.packed_input, data.packed_output, data.proof, verifier)


def _audit(scene: Scene, jobs: list[bytes]) -> dict[str, str]:
    """Audit every job from chain data and artifacts alone.

    Raises:
        VerificationError: an audit did not accept.
    """
    verdicts = {}
    policy = AuditPolicy.from_settings(scene.settings.chain)
    for number, job_id in enumerate(jobs, 1):
        with run_stage(scene.progress, f"audit job {number}"):
            report = audit_one(scene.market, job_id, scene.store, policy)
        if report.exit_code:
            raise VerificationError(
                f"expected job {to_hex(job_id)} to pass its audit, found:\n{report.as_text()}"
            )
        verdicts[to_hex(job_id)] = str(report.verdict)
    return verdicts


def audit_one(market: Market, job_id: bytes, store: DirectoryStore, policy: AuditPolicy) -> Report:
    """Audit one job of a market; see `audit_job`."""
    return audit_job(job_id, market.chain, Contracts.of(market.deployment), store, policy)
