"""What the node would do with the market's jobs, without a witness, a transaction or a journal."""

from collections.abc import Sequence
from pathlib import Path

from circuits.bundle import Bundle
from prover_nodes.build import open_circuits, policy_of
from prover_nodes.chain_port import ChainMarket
from prover_nodes.policy import Skip, SkipCode, evaluate, evaluate_named, evaluate_status, holds_claim
from prover_nodes.ports import Circuit, find_circuit
from prover_nodes.services.inspect import inspect_verifier
from zkml.config.settings import ChainSettings, ProverSettings
from zkml.core.identifiers import CircuitSpec
from zkml.core.job_machine import JobFacts, JobStatus, status_of
from zkml.core.records import JobRequest, from_hex
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
    circuits = open_circuits(
        bundles, prover=prover, work=work, verifiers=verifiers, measurements=measurements
    )
    verdicts: dict[bytes, Skip | None] = {}
    now, terms = market.chain.now(), bound.collateral_terms()
    found = []
    for request in market.manager.events.requests():
        facts = bound.facts(from_hex(request.job_id))
        over = evaluate_status(facts, policy, prover=prover_address, now=now)
        if over is not None and over.is_final:
            continue
        spec = bound.circuit(facts.circuit_id)
        circuit = find_circuit(circuits, spec.verifying_key_digest)
        skip = evaluate(facts, spec, circuit, policy, terms, prover=prover_address, now=now)
        mine = holds_claim(facts, prover_address, now)
        if skip is None and circuit is not None and not mine:
            skip = _access_skip(request, facts, bound) or _inspect(facts, spec, circuit, bound, verdicts)
        is_late = status_of(facts, now) is JobStatus.LATE
        would = "go on" if mine else "reclaim" if is_late else "claim"
        found.append((request.job_id, skip.reason if skip else would))
    return found


def _access_skip(request: JobRequest, facts: JobFacts, market: ChainMarket) -> Skip | None:
    skip = evaluate_named(request, market.account)
    if skip is None and market.is_tombstoned(facts.circuit_id):
        return Skip(SkipCode.TOMBSTONED, "its circuit is tombstoned", is_final=True)
    if skip is None and not market.may_prove(facts.model_id):
        return Skip(SkipCode.ACCESS_REFUSED, "the model is closed, and its owner granted no access")
    return skip


def _inspect(
    facts: JobFacts,
    spec: CircuitSpec,
    circuit: Circuit,
    market: ChainMarket,
    verdicts: dict[bytes, Skip | None],
) -> Skip | None:
    if facts.circuit_id not in verdicts:
        verdicts[facts.circuit_id] = inspect_verifier(
            spec, circuit, code_of=market.code_of, chain_id=market.chain_id
        )
    return verdicts[facts.circuit_id]
