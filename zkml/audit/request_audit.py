"""Audit a signed request that was paid from a tab, from chain data and artifacts alone.

     0 tab exists as it was opened                 6 settlement is final on the canonical chain
     1 tab's signer signed the request             7 proof verifies off chain
     2 circuit is pinned, class accepted           8 deployed verifier accepts the proof
     3 model is proven by its genesis proofs       9 settlement is this proof's, to the tab's prover
     4 manifest and files are the committed ones  10 payment is as signed, once, from the tab
     5 input is the committed one, in the domain  11 verifier is rebuilt from the key (only if asked)

What it trusts is what `job_audit` trusts. A request has no claim, no collateral and no refund: what can go
wrong is who signed, who was paid, when, and how often.
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from circuits.verification import verify_proof
from zkml.audit import circuit_steps, draw_steps, proof_steps, tab_steps
from zkml.audit.chain_reader import ChainReader
from zkml.audit.evidence import ChainEvidence, Contracts
from zkml.audit.job_audit import ONLY_DEPLOYED
from zkml.audit.offchain import OffChainVerifier
from zkml.audit.policy import AuditPolicy
from zkml.audit.rebuild import VerifierSource, verifier_is_rebuilt
from zkml.audit.report import Checklist, Report, Verdict
from zkml.audit.request_case import RequestCase, Signed
from zkml.core.ports.store import ArtifactStore
from zkml.core.records import to_hex
from zkml.errors import EvidenceUnavailableError

Step = Callable[[RequestCase], str]

_ASKED: tuple[tuple[int, str, Step, tuple[int, ...]], ...] = (
    (0, "tab exists as it was opened", tab_steps.tab_exists, ()),
    (1, "tab's signer signed the request", tab_steps.request_is_signed, (0,)),
    (2, "circuit is pinned, class accepted", circuit_steps.circuit_is_pinned, (1,)),
    (3, "model is proven by its genesis proofs", proof_steps.model_is_proven, (2,)),
    (4, "manifest and files are the committed ones", proof_steps.manifest_is_committed, (2,)),
)
_INPUT = "input is the committed one, in the domain"
_FINAL = "settlement is final on the canonical chain"
_OFF_CHAIN = "proof verifies off chain"
_DEPLOYED = "deployed verifier accepts the proof"
_SETTLEMENT = "settlement is this proof's, to the tab's prover"
_PAYMENT = "payment is as signed, once, from the tab"
_REBUILT = "verifier is rebuilt from the key"


def audit_request(
    digest: bytes,
    chain: ChainEvidence,
    contracts: Contracts,
    store: ArtifactStore,
    policy: AuditPolicy,
    *,
    own: Signed | None = None,
    verify: OffChainVerifier = verify_proof,
    rebuild: VerifierSource | None = None,
    own_bundle: Path | None = None,
) -> Report:
    """Audit one signed request and report every step; nothing is raised for what evidence says or lacks.

    Args:
        digest: of the request, 32 bytes.
        chain: where the evidence comes from.
        contracts: the deployment.
        store: where manifests and verifying files are looked up by CID.
        policy: what the auditor is ready to trust.
        own: the request and its signature, where the auditor has them: needed where it is not settled yet, or
            was settled by a contract.
        verify: the proof system's own verification, for step 7.
        rebuild: makes a bundle's verifier anew, for step 11; None leaves that step out.
        own_bundle: the auditor's bundle of the request's circuit, where that is not the model's first.

    Returns:
        Accepted: signed, settled and paid as it should be. Rejected: something is wrong. Inconclusive: not
        settled, not final, or evidence is missing.
    """
    checklist = Checklist(f"request {to_hex(digest)} on chain {chain.chain_id}")
    with tempfile.TemporaryDirectory(prefix="zkml-audit-") as scratch:
        reader = ChainReader(chain, contracts)
        case = RequestCase(digest, reader, store, policy, Path(scratch), own=own, own_bundle=own_bundle)
        _run(checklist, case, _ASKED)
        is_settled = not checklist.holds(0) or case.settled is not None
        (_run_settled if is_settled else _run_unsettled)(checklist, case, verify)
        if rebuild is not None:
            checklist.run(11, _REBUILT, lambda: verifier_is_rebuilt(case, rebuild), needs=(4,))
        for note in case.notes:
            checklist.note(note)
        seen = [number for number in range(11) if checklist.holds(number)]
        return checklist.report(_meaning(case, seen, is_settled=is_settled), case.summary(seen))


def _run(
    checklist: Checklist, case: RequestCase, steps: tuple[tuple[int, str, Step, tuple[int, ...]], ...]
) -> None:
    for number, name, step, needs in steps:
        checklist.run(number, name, lambda step=step: step(case), needs=needs)  # type: ignore[misc]


def _run_settled(checklist: Checklist, case: RequestCase, verify: OffChainVerifier) -> None:
    checklist.run(5, _INPUT, lambda: proof_steps.input_is_committed(case), needs=(1, 2))
    checklist.run(6, _FINAL, lambda: proof_steps.ending_is_final(case), needs=(0,))
    # As in a job's audit: step 8 runs whatever code was pinned, so nothing is accepted without this one.
    checklist.run(7, _OFF_CHAIN, lambda: proof_steps.proof_verifies_off_chain(case, verify), needs=(4, 5))
    checklist.run(8, _DEPLOYED, lambda: proof_steps.deployed_verifier_accepts(case), needs=(2, 5))
    checklist.run(9, _SETTLEMENT, lambda: draw_steps.settlement_is_this_proof(case), needs=(1, 5))
    checklist.run(10, _PAYMENT, lambda: draw_steps.payment_is_right(case), needs=(9,))
    if checklist.holds(8) and not checklist.holds(7):
        checklist.note(ONLY_DEPLOYED)


def _run_unsettled(checklist: Checklist, case: RequestCase, _verify: OffChainVerifier) -> None:
    checklist.skip(5, _INPUT, "not on chain yet")
    checklist.run(6, _FINAL, lambda: _not_settled(case), needs=(0,))
    for number, name in ((7, _OFF_CHAIN), (8, _DEPLOYED), (9, _SETTLEMENT), (10, _PAYMENT)):
        checklist.skip(number, name, "not settled")


def _not_settled(case: RequestCase) -> str:
    """Step 6 of a request without a settlement: there is nothing to judge yet."""
    request, facts = case.signed.request, case.facts
    end, now = min(request.expiry, facts.expiry), case.reader.chain.now()
    (is_used,) = case.reader.view("manager", "isNonceUsed", case.tab_id, request.nonce)
    if is_used:
        never = f"its nonce {request.nonce} was paid with another request"
    elif facts.closed:
        never = "its tab is closed"
    elif now > end:
        never = f"it expired at {end}"
    else:
        raise EvidenceUnavailableError(
            f"not settled: it can be until {end}", hint="repeat the audit when it was settled, or has expired"
        )
    raise EvidenceUnavailableError(f"not settled, and never can be: {never}", hint="nobody is paid for it")


def _meaning(case: RequestCase, seen: Sequence[int], *, is_settled: bool) -> dict[Verdict, str]:
    """Return the words for each verdict; only an accepted report may speak of who was paid."""
    accepted = ""
    if 10 in seen:
        fee = case.facts.payment_for(case.signed.request).prover_fee
        accepted = f"{fee} paid to {case.facts.prover} for this proof"
    return {
        Verdict.ACCEPTED: accepted,
        Verdict.REJECTED: "the evidence is wrong",
        Verdict.INCONCLUSIVE: "could not be checked in full" if is_settled else "not settled",
    }
