"""What the node would do with the market's jobs, without a witness, a transaction or a journal."""

from collections.abc import Sequence
from pathlib import Path

from circuits.bundle import Bundle
from marketplace.jobs import JobManagerBinding
from prover_nodes.build import open_circuits, policy_of
from prover_nodes.policy import Skip, evaluate, evaluate_status, is_claimed_by
from prover_nodes.services.inspect import inspect_verifier
from verifier_contracts.router import VerifierRouter
from zkml.config.settings import ChainSettings, ProverSettings
from zkml.core.records import from_hex


def preview_jobs(  # noqa: PLR0917 the parts of a node, in the order of `build_node`
    manager: JobManagerBinding,
    router: VerifierRouter,
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
        manager: the job manager; its chain is the node's chain.
        router: the verifier router.
        prover_address: the node's address, checksummed.
        bundles: what the node can prove, opened.
        prover: fees, limits, margins.
        chain: accepted classes and confirmations.
        work: not written to.
        verifiers: folder of compiled verifiers.
        measurements: file that remembers how long proofs take.

    Returns:
        Job id and `claim`, `go on` (it is claimed by this prover) or the reason to leave it alone, oldest
        first. Inputs and gas limits are not looked at: one may still turn out to have no witness, or the
        circuit too little gas.

    Raises:
        RpcError: the endpoint does not answer.
        VerifierMismatchError: code on the chain is not the pinned code.
        CircuitError: a bundle of a proof system that this version does not know.
    """
    policy = policy_of(manager.chain, prover, chain)
    circuits = open_circuits(
        bundles, prover=prover, work=work, verifiers=verifiers, measurements=measurements
    )
    verdicts: dict[bytes, Skip | None] = {}
    now = manager.chain.now()
    found = []
    for request in manager.events.requests():
        facts = manager.facts(from_hex(request.job_id))
        over = evaluate_status(facts, prover=prover_address, now=now)
        if over is not None and over.is_final:
            continue
        spec = router.circuit(facts.circuit_id)
        circuit = circuits.get(spec.verifying_key_digest)
        skip = evaluate(facts, spec, circuit, policy, prover=prover_address, now=now)
        mine = is_claimed_by(facts, prover_address)
        if skip is None and circuit is not None and not mine:
            if facts.circuit_id not in verdicts:
                verdicts[facts.circuit_id] = inspect_verifier(
                    spec, circuit, code_of=manager.chain.code, chain_id=manager.chain.chain_id
                )
            skip = verdicts[facts.circuit_id]
        found.append((request.job_id, skip.reason if skip else "go on" if mine else "claim"))
    return found
