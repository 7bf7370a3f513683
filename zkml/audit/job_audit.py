"""Audit a job from chain data and artifacts alone.

     0 job exists and its request parses           6 ending is final on the canonical chain
     1 job id is the hash of its request           7 proof verifies off chain
     2 circuit is pinned, class accepted           8 deployed verifier accepts the proof
     3 model is proven by its genesis proofs       9 settlement is this proof's, to the claimer
     4 manifest and files are the committed ones  10 payment moved as the terms say, once
     5 input is the committed one, in the domain  11 verifier is rebuilt from the key (only if asked)

Trusts the addresses in `Contracts`, whose code it compares with the code shipped with zkml, and nothing
else: every step re-derives what it checks. An endpoint can withhold, which is inconclusive, or lie
consistently about a whole chain, which only a second endpoint shows.
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from circuits.verification import verify_proof
from zkml.audit import circuit_steps, ending_steps, opening_steps, proof_steps
from zkml.audit.chain_reader import ChainReader
from zkml.audit.evidence import ChainEvidence, Contracts
from zkml.audit.job_case import ENDINGS, JobCase
from zkml.audit.offchain import OffChainVerifier
from zkml.audit.policy import AuditPolicy
from zkml.audit.rebuild import VerifierSource, verifier_is_rebuilt
from zkml.audit.report import Checklist, Report, Verdict
from zkml.core.job_machine import JobStatus
from zkml.core.ports.store import ArtifactStore
from zkml.core.records import to_hex

NOBODY_PAID = "refunded, nobody was paid"
ONLY_DEPLOYED = (
    "the proof was checked with the deployed verifier alone: that it belongs to the manifest's key was not"
)

Step = Callable[[JobCase], str]

_REQUEST: tuple[tuple[int, str, Step, tuple[int, ...]], ...] = (
    (0, "job exists and its request parses", opening_steps.job_exists, ()),
    (1, "job id is the hash of its request", opening_steps.id_is_derived, (0,)),
)
_CIRCUIT: tuple[tuple[int, str, Step, tuple[int, ...]], ...] = (
    (2, "circuit is pinned, class accepted", circuit_steps.circuit_is_pinned, (0,)),
    (3, "model is proven by its genesis proofs", proof_steps.model_is_proven, (2,)),
    (4, "manifest and files are the committed ones", proof_steps.manifest_is_committed, (2,)),
)
_INPUT = "input is the committed one, in the domain"
_FINAL = "ending is final on the canonical chain"
_OFF_CHAIN = "proof verifies off chain"
_DEPLOYED = "deployed verifier accepts the proof"
_SETTLEMENT = "settlement is this proof's, to the claimer"
_PAYMENT = "payment moved as the terms say, once"
_REBUILT = "verifier is rebuilt from the key"


def audit_job(
    job_id: bytes,
    chain: ChainEvidence,
    contracts: Contracts,
    store: ArtifactStore,
    policy: AuditPolicy,
    *,
    verify: OffChainVerifier = verify_proof,
    rebuild: VerifierSource | None = None,
    own_bundle: Path | None = None,
) -> Report:
    """Audit one job and report every step; nothing is raised for what evidence says or lacks.

    Args:
        job_id: 32 bytes.
        chain: where the evidence comes from.
        contracts: the deployment.
        store: where manifests and verifying files are looked up by CID.
        policy: what the auditor is ready to trust.
        verify: the proof system's own verification, for step 7.
        rebuild: makes a bundle's verifier anew, for step 11; None leaves that step out.
        own_bundle: the auditor's bundle of the circuit that settled the job, where that is not the model's
            first: then no commitment names its files. Only those of the pinned circuit count.

    Returns:
        Accepted: settled and paid as it should be, or refunded with nobody paid. Rejected: something is
        wrong. Inconclusive: not settled yet, not final, or evidence is missing.
    """
    checklist = Checklist(f"job {to_hex(job_id)} on chain {chain.chain_id}")
    with tempfile.TemporaryDirectory(prefix="zkml-audit-") as scratch:
        case = JobCase(
            job_id, ChainReader(chain, contracts), store, policy, Path(scratch), own_bundle=own_bundle
        )
        _run(checklist, case, _REQUEST)
        status = case.status if checklist.holds(0) else JobStatus.SETTLED
        if status in (JobStatus.CANCELLED, JobStatus.REFUNDED):
            _run_refunded(checklist, case)
        else:
            _run(checklist, case, _CIRCUIT)
            (_run_settled if status in ENDINGS else _run_unsettled)(checklist, case, verify)
            if rebuild is not None:
                checklist.run(11, _REBUILT, lambda: verifier_is_rebuilt(case, rebuild), needs=(4,))
        for note in case.notes:
            checklist.note(note)
        seen = [number for number in range(11) if checklist.holds(number)]
        return checklist.report(_meaning(case, status, seen), case.summary(seen))


def _run(
    checklist: Checklist, case: JobCase, steps: tuple[tuple[int, str, Step, tuple[int, ...]], ...]
) -> None:
    for number, name, step, needs in steps:
        checklist.run(number, name, lambda step=step: step(case), needs=needs)  # type: ignore[misc]


def _run_settled(checklist: Checklist, case: JobCase, verify: OffChainVerifier) -> None:
    _run(
        checklist,
        case,
        (
            (5, _INPUT, proof_steps.input_is_committed, (0, 2)),
            (6, _FINAL, proof_steps.ending_is_final, (0,)),
        ),
    )
    # Not optional: step 8 runs whatever code was pinned, and a publisher may have pinned code that accepts
    # anything. Only the proof system tells, so where it is not installed there is no verdict.
    checklist.run(7, _OFF_CHAIN, lambda: proof_steps.proof_verifies_off_chain(case, verify), needs=(4, 5))
    _run(
        checklist,
        case,
        (
            (8, _DEPLOYED, proof_steps.deployed_verifier_accepts, (2, 5)),
            (9, _SETTLEMENT, ending_steps.settlement_is_this_proof, (0, 5)),
            (10, _PAYMENT, ending_steps.payment_is_right, (9,)),
        ),
    )
    if checklist.holds(8) and not checklist.holds(7):
        checklist.note(ONLY_DEPLOYED)


def _run_unsettled(checklist: Checklist, case: JobCase, _verify: OffChainVerifier) -> None:
    checklist.run(5, _INPUT, lambda: proof_steps.opening_input_is_committed(case), needs=(0, 2))
    checklist.run(6, _FINAL, lambda: proof_steps.job_has_not_ended(case), needs=(0,))
    for number, name in ((7, _OFF_CHAIN), (8, _DEPLOYED), (9, _SETTLEMENT), (10, _PAYMENT)):
        checklist.skip(number, name, "not settled")


def _run_refunded(checklist: Checklist, case: JobCase) -> None:
    for number, name, _, _ in _CIRCUIT:
        checklist.skip(number, name, NOBODY_PAID)
    checklist.skip(5, _INPUT, NOBODY_PAID)
    checklist.run(6, _FINAL, lambda: proof_steps.ending_is_final(case), needs=(0,))
    checklist.skip(7, _OFF_CHAIN, NOBODY_PAID)
    checklist.skip(8, _DEPLOYED, NOBODY_PAID)
    checklist.run(9, "nobody settled it", lambda: ending_steps.nobody_settled(case), needs=(0,))
    checklist.run(10, "refund is as the terms say", lambda: ending_steps.refund_is_right(case), needs=(9,))


def _meaning(case: JobCase, status: JobStatus, seen: Sequence[int]) -> dict[Verdict, str]:
    """Return the words for each verdict; only an accepted report may speak of who was paid."""
    if status in (JobStatus.CANCELLED, JobStatus.REFUNDED):
        accepted = NOBODY_PAID
    elif status in ENDINGS and 10 in seen:
        accepted = f"{case.facts.payment.prover_fee} paid to {case.ending.arguments['prover']} for this proof"
    else:
        accepted = ""
    waiting = "could not be checked in full" if status in ENDINGS else f"not settled ({status.name})"
    return {
        Verdict.ACCEPTED: accepted,
        Verdict.REJECTED: "the evidence is wrong",
        Verdict.INCONCLUSIVE: waiting,
    }
