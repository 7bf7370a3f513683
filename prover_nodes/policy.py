"""Which jobs the node takes on: pure functions from facts to a reason to leave a job alone."""

from dataclasses import dataclass
from enum import StrEnum

from prover_nodes.ports import Circuit
from zkml.core.identifiers import CircuitSpec
from zkml.core.job_machine import JobFacts, JobStatus, status_of
from zkml.core.records import JobRequest
from zkml.core.verifier_classes import class_name

BLOCK_SECONDS = 12.0
"""Time of one block where it matters how many confirmations a claim needs; Ethereum's."""
UNMEASURED_PROVE_SECONDS = 30.0
"""Assumed for a circuit that this machine has not proved yet."""


class SkipCode(StrEnum):
    """Why a job is left alone; stable names, counted in every report."""

    NOT_OPEN = "not-open"
    CLAIMED_BY_OTHER = "claimed-by-other"
    UNKNOWN_CIRCUIT = "unknown-circuit"
    CLASS_REFUSED = "class-refused"
    FOREIGN_VERIFIER = "foreign-verifier"
    FEE_TOO_LOW = "fee-too-low"
    DEADLINE_TOO_NEAR = "deadline-too-near"
    INPUT_UNAVAILABLE = "input-unavailable"
    UNPROVABLE_INPUT = "unprovable-input"


_STANDING = frozenset(
    {SkipCode.UNKNOWN_CIRCUIT, SkipCode.CLASS_REFUSED, SkipCode.FOREIGN_VERIFIER, SkipCode.FEE_TOO_LOW}
)


@dataclass(frozen=True, slots=True)
class Skip:
    """A job left alone.

    Attributes:
        code: why.
        note: the figures behind it, for people.
        is_final: whether it will never be otherwise.
    """

    code: SkipCode
    note: str
    is_final: bool = False

    @property
    def reason(self) -> str:
        """Code and note on one line."""
        return f"{self.code}: {self.note}"

    @property
    def is_standing(self) -> bool:
        """Whether only another start of the node, with other settings or bundles, could change it."""
        return self.code in _STANDING


@dataclass(frozen=True, slots=True)
class Policy:
    """What a node asks of a job.

    Attributes:
        accepted_classes: numbers of the verifier classes it trusts.
        min_fee: least fee, in the payment token's smallest unit.
        margin_seconds: least time between a proof's end and the deadline.
        confirmations: blocks on top of a claim before its proof is broadcast.
    """

    accepted_classes: frozenset[int]
    min_fee: int
    margin_seconds: float
    confirmations: int


def evaluate(
    facts: JobFacts, spec: CircuitSpec, circuit: Circuit | None, policy: Policy, *, prover: str, now: int
) -> Skip | None:
    """Decide whether to leave a job alone.

    A job that `prover` has claimed is never left alone for its fee or its deadline: collateral is at stake.

    Args:
        facts: the job as the chain has it.
        spec: what its circuit is pinned to.
        circuit: the circuit with that verifying key, if the node has it.
        policy: what the node asks.
        prover: the node's address.
        now: chain time in seconds.

    Returns:
        Why it is left alone, or None to take it on.
    """
    skip = evaluate_status(facts, prover=prover, now=now) or _evaluate_circuit(spec, circuit, policy)
    if skip is not None or is_claimed_by(facts, prover):
        return skip
    return _evaluate_fee(facts.fee, policy) or _evaluate_time(facts.deadline - now, circuit, policy)


def evaluate_request(
    request: JobRequest, spec: CircuitSpec | None, circuit: Circuit | None, policy: Policy, *, now: int
) -> Skip | None:
    """Decide by a job's opening alone whether to leave it alone; for jobs that the node has not claimed.

    Args:
        request: the job as it was opened.
        spec: what its circuit is pinned to; None while nobody asked, and then nothing speaks against it.
        circuit: the circuit with that verifying key, if the node has it.
        policy: what the node asks.
        now: chain time in seconds.

    Returns:
        Why it is left alone, or None when the chain has to be asked.
    """
    if now > request.deadline:
        return Skip(SkipCode.NOT_OPEN, "expired", is_final=True)
    skip = _evaluate_fee(int(request.fee), policy)
    if skip is not None or spec is None:
        return skip
    return _evaluate_circuit(spec, circuit, policy) or _evaluate_time(request.deadline - now, circuit, policy)


def evaluate_status(facts: JobFacts, *, prover: str, now: int) -> Skip | None:
    """Decide by the job's status alone; see `evaluate`."""
    status = status_of(facts, now)
    if status is JobStatus.CLAIMED and not is_claimed_by(facts, prover):
        # A reorg may yet undo that claim, so it is no final word before the deadline.
        return Skip(SkipCode.CLAIMED_BY_OTHER, f"claimed by {facts.prover}")
    if status in (JobStatus.OPEN, JobStatus.CLAIMED):
        return None
    lost = is_claimed_by(facts, prover) and status in (JobStatus.EXPIRED, JobStatus.REFUNDED)
    note = f"{status.name.lower()}, collateral {facts.collateral} forfeited" if lost else status.name.lower()
    return Skip(SkipCode.NOT_OPEN, note, is_final=True)


def is_claimed_by(facts: JobFacts, prover: str) -> bool:
    """Say whether `prover` holds, or held, the claim."""
    return int(facts.prover, 16) == int(prover, 16)


def needed_seconds(circuit: Circuit | None, policy: Policy) -> float:
    """Predict how long claim, proof and settlement take, margin included."""
    predicted = None if circuit is None else circuit.expected_prove_seconds()
    if predicted is None:
        predicted = UNMEASURED_PROVE_SECONDS
    # The claim is confirmed while the proof is made, whichever takes longer.
    return max(predicted, policy.confirmations * BLOCK_SECONDS) + policy.margin_seconds


def _evaluate_fee(fee: int, policy: Policy) -> Skip | None:
    if fee < policy.min_fee:
        return Skip(SkipCode.FEE_TOO_LOW, f"{fee} offered, {policy.min_fee} asked")
    return None


def _evaluate_time(left: int, circuit: Circuit | None, policy: Policy) -> Skip | None:
    needed = needed_seconds(circuit, policy)
    if left < needed:
        return Skip(SkipCode.DEADLINE_TOO_NEAR, f"{left} s left, {needed:.0f} s needed")
    return None


def _evaluate_circuit(spec: CircuitSpec, circuit: Circuit | None, policy: Policy) -> Skip | None:
    if circuit is None:
        return Skip(
            SkipCode.UNKNOWN_CIRCUIT, f"no bundle with verifying key {spec.verifying_key_digest.hex()}"
        )
    if (spec.layout, spec.domain) != (circuit.layout, circuit.domain):
        # Under another layout or domain the chain would ask for proofs that this bundle was not made for.
        return Skip(SkipCode.UNKNOWN_CIRCUIT, f"another layout or input domain than {circuit.name}'s bundle")
    if spec.verifier_class not in policy.accepted_classes:
        return Skip(SkipCode.CLASS_REFUSED, f"verifier class {class_name(spec.verifier_class)}")
    return None
