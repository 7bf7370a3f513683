"""What the node would do with the market's jobs, without a witness, a transaction or a journal."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from circuits.bundle import Bundle
from prover_nodes.build import admission_of, open_slots, policy_of
from prover_nodes.chain_port import ChainMarket
from prover_nodes.judge import Judge, LeftAloneError
from prover_nodes.policy import evaluate_status, holds_claim
from prover_nodes.workers.opening import open_circuits
from zkml.adapters.system_clock import SystemClock
from zkml.config.settings import ChainSettings, ProverSettings
from zkml.core.job_machine import JobFacts, JobStatus, status_of
from zkml.core.progress import silent
from zkml.core.records import JobRequest
from zkml.wiring import Market


def preview_jobs(
    market: Market,
    prover_address: str,
    bundles: Sequence[Bundle],
    prover: ProverSettings,
    chain: ChainSettings,
    *,
    work: Path = Path(),
    verifiers: Path,
    measurements: Path | None = None,
) -> list[tuple[str, str]]:
    """Apply the policy to every job that is not over.

    Args:
        market: the chain and its contracts.
        prover_address: the node's address, checksummed.
        bundles: what the node can prove, opened.
        prover: fees, limits, margins.
        chain: accepted classes and confirmations.
        work: not written to.
        verifiers: folder of compiled verifiers.
        measurements: file that remembers how long proofs take.

    Returns:
        Job id and `claim`, `reclaim` (its claimer is late), `go on` (this prover holds the claim) or the
        reason to leave it alone, oldest first. Stake, inputs and gas limits are not looked at: one may
        still turn out to have no witness, or the circuit too little gas.

    Raises:
        RpcError: the endpoint does not answer.
        VerifierMismatchError: code on the chain is not the pinned code.
        CircuitError: a bundle of a proof system that this version does not know.
    """
    bound = ChainMarket(market, prover_address)
    policy = policy_of(market.chain, prover, chain)
    here = replace(prover, ray_address="")
    with open_circuits(
        bundles, prover=here, work=work, verifiers=verifiers, measurements=measurements
    ) as opened:
        judge = Judge(
            bound,
            opened.circuits,
            policy,
            admission_of(here, open_slots(here, SystemClock())),
            silent,
            measures_gas=False,
        )
        found = []
        for request in market.manager.events.requests():
            facts, now = judge.look(request), bound.now()
            over = evaluate_status(facts, policy, prover=prover_address, now=now)
            if over is None or not over.is_final:
                found.append((request.job_id, _verdict(judge, request, facts, now)))
    return found


def _verdict(judge: Judge, request: JobRequest, facts: JobFacts, now: int) -> str:
    try:
        judge.take_on(request, facts)
    except LeftAloneError as left:
        return left.skip.reason
    if holds_claim(facts, judge.market.account, now):
        return "go on"
    return "reclaim" if status_of(facts, now) is JobStatus.LATE else "claim"
