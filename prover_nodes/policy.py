"""Which jobs the node takes on: pure functions from facts to a reason to leave a job alone."""

from dataclasses import dataclass
from enum import StrEnum

from prover_nodes.ports import Circuit, CollateralTerms
from zkml.core.identifiers import CircuitSpec
from zkml.core.job_machine import JobFacts, JobStatus, payee_of, status_of
from zkml.core.pricing import MAX_AMOUNT
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
    NOT_NAMED = "not-named"
    ACCESS_REFUSED = "access-refused"
    UNKNOWN_CIRCUIT = "unknown-circuit"
    BATCH_CIRCUIT = "batch-circuit"
    CLASS_REFUSED = "class-refused"
    FOREIGN_VERIFIER = "foreign-verifier"
    TOMBSTONED = "tombstoned"
    FEE_TOO_LOW = "fee-too-low"
    CLAIM_PERIOD_TOO_SHORT = "claim-period-too-short"
    DEADLINE_TOO_NEAR = "deadline-too-near"
    STAKE_TOO_LOW = "stake-too-low"
    INPUT_UNAVAILABLE = "input-unavailable"
    UNPROVABLE_INPUT = "unprovable-input"
    IN_GRACE = "in-grace"
    TOO_BIG = "too-big"
    QUEUE_TOO_LONG = "queue-too-long"
    OVERTAKEN = "overtaken"
    CLAIM_LOST = "claim-lost"


_STANDING = frozenset(
    {
        SkipCode.UNKNOWN_CIRCUIT,
        SkipCode.BATCH_CIRCUIT,
        SkipCode.CLASS_REFUSED,
        SkipCode.FOREIGN_VERIFIER,
        SkipCode.FEE_TOO_LOW,
        SkipCode.NOT_NAMED,
        SkipCode.TOO_BIG,
    }
)


@dataclass(frozen=True, slots=True)
class Skip:
    """A job left alone.

    Attributes:
        code: why.
        note: the figures behind it, for people.
        is_final: whether it will never be otherwise.
        look_again_at: chain time in seconds at which it will be otherwise, where that is known.
    """

    code: SkipCode
    note: str
    is_final: bool = False
    look_again_at: int | None = None

    @property
    def reason(self) -> str:
        """Code and note on one line."""
        return f"{self.code}: {self.note}"

    @property
    def is_standing(self) -> bool:
        """Whether nothing but time, or another start of the node with other settings, could change it."""
        return self.code in _STANDING


@dataclass(frozen=True, slots=True)
class Policy:
    """What a node asks of a job.

    Attributes:
        accepted_classes: numbers of the verifier classes it trusts.
        min_fee: least income from a job, in the payment token's smallest unit.
        margin_seconds: least time between a proof's end and the deadline.
        confirmations: blocks on top of a claim before its proof is broadcast.
        reclaim: whether it takes the claims of late provers over.
        auto_stake: whether it registers by itself, and stakes what claims lock.
        max_stake: most stake that it builds up by itself, in the payment token's smallest unit.
        cost_per_hour: what an hour of proving costs, in the payment token's smallest unit.
        units_per_ether: what an ether is worth in that unit; 0 leaves gas out of the profit.
    """

    accepted_classes: frozenset[int]
    min_fee: int
    margin_seconds: float
    confirmations: int
    reclaim: bool = True
    auto_stake: bool = True
    max_stake: int = MAX_AMOUNT
    cost_per_hour: int = 0
    units_per_ether: int = 0


def evaluate(
    facts: JobFacts,
    spec: CircuitSpec,
    circuit: Circuit | None,
    policy: Policy,
    terms: CollateralTerms,
    *,
    prover: str,
    now: int,
) -> Skip | None:
    """Decide whether to leave a job alone.

    A job whose claim `prover` holds is never left alone for its fee or its time: collateral is at stake.

    Args:
        facts: the job as the chain has it.
        spec: what its circuit is pinned to.
        circuit: the node's circuit with that key, if it has it.
        policy: what the node asks.
        terms: what the deployment asks.
        prover: the node's address.
        now: chain time in seconds.

    Returns:
        Why it is left alone, or None to take it on.
    """
    skip = evaluate_status(facts, policy, prover=prover, now=now) or _evaluate_circuit(spec, circuit, policy)
    if skip is not None or holds_claim(facts, prover, now):
        return skip
    is_late = status_of(facts, now) is JobStatus.LATE
    income = _takeover_skip(facts, policy, terms, now) if is_late else _offer_skip(facts, policy, now)
    return income or _time_skip(facts.claim_seconds, facts.deadline - now, circuit, policy)


def evaluate_request(
    request: JobRequest,
    spec: CircuitSpec | None,
    circuit: Circuit | None,
    policy: Policy,
    *,
    prover: str,
    now: int,
) -> Skip | None:
    """Decide by a job's opening alone whether to leave it alone; for jobs that the node has not claimed.

    What offers too little at its best is not taken over for the bonus either: else a flood of such jobs
    would cost the node a request each.

    Args:
        request: the job as it was opened.
        spec: what its circuit is pinned to; None while nobody asked, and then nothing speaks against it.
        circuit: the node's circuit with that key, if it has it.
        policy: what the node asks.
        prover: the node's address.
        now: chain time in seconds.

    Returns:
        Why it is left alone, or None when the chain has to be asked.
    """
    if now > request.deadline:
        return Skip(SkipCode.NOT_OPEN, "expired", is_final=True)
    best, left = int(request.max_prover_fee), request.deadline - now
    skip = evaluate_named(request, prover)
    if skip is None and best < policy.min_fee:
        skip = Skip(SkipCode.FEE_TOO_LOW, f"{best} offered at most, {policy.min_fee} asked")
    if skip is not None or spec is None:
        return skip
    return _evaluate_circuit(spec, circuit, policy) or _time_skip(
        request.claim_seconds, left, circuit, policy
    )


def evaluate_named(request: JobRequest, prover: str) -> Skip | None:
    """Decide by the provers that a job names, if it names any."""
    if not request.provers or any(is_same(named, prover) for named in request.provers):
        return None
    return Skip(SkipCode.NOT_NAMED, f"only {len(request.provers)} other provers may claim it")


def evaluate_status(facts: JobFacts, policy: Policy, *, prover: str, now: int) -> Skip | None:
    """Decide by the job's status alone; see `evaluate`."""
    status = status_of(facts, now)
    if status is JobStatus.OPEN or holds_claim(facts, prover, now):
        return None
    if status.is_live and is_same(facts.previous_prover, prover):
        note = f"taken over by {facts.prover} when late, and the grace ended at {facts.grace_ends_at}"
        return Skip(SkipCode.CLAIM_LOST, note, is_final=True)
    if status is JobStatus.LATE and policy.reclaim:
        return None
    if status.is_live:
        # A reorg may yet undo that claim, and it may come late, so it is no final word before the deadline.
        return Skip(SkipCode.CLAIMED_BY_OTHER, f"claimed by {facts.prover}")
    if status is JobStatus.SETTLED and is_same(facts.prover, prover) and not is_paid(facts, prover):
        note = f"settled within its grace by {facts.previous_prover}; the collateral is free again"
        return Skip(SkipCode.OVERTAKEN, note, is_final=True)
    lost = prover_at_stake(facts, prover) and status in (JobStatus.EXPIRED, JobStatus.REFUNDED)
    note = f"{status.name.lower()}, collateral forfeited" if lost else status.name.lower()
    return Skip(SkipCode.NOT_OPEN, note, is_final=True)


def is_same(one: str, other: str) -> bool:
    """Say whether two addresses are one, however they are written."""
    return int(one, 16) == int(other, 16)


def prover_at_stake(facts: JobFacts, prover: str) -> bool:
    """Say whether a claim of `prover` is on record: the present one, or one that was taken over."""
    return is_same(facts.prover, prover) or is_same(facts.previous_prover, prover)


def holds_claim(facts: JobFacts, prover: str, now: int) -> bool:
    """Say whether `prover` can settle the job: now, or once the grace of the claimer before is over."""
    payee = payee_of(facts, now)
    return payee is not None and (is_same(payee, prover) or is_same(facts.prover, prover))


def is_paid(facts: JobFacts, prover: str) -> bool:
    """Say whether the job is settled and `prover` was paid for it."""
    # A claimer before the last one stays on record if it was paid.
    payee = facts.previous_prover if facts.has_previous_prover else facts.prover
    return facts.outcome is JobStatus.SETTLED and is_same(payee, prover)


def price_reached_at(facts: JobFacts, fee: int) -> int | None:
    """Return the first chain time at which at least `fee` is offered; None if it never is."""
    if fee <= facts.min_prover_fee or facts.ramp_seconds == 0:
        return facts.opened_at if fee <= facts.max_prover_fee else None
    if fee > facts.max_prover_fee:
        return None
    rise = facts.max_prover_fee - facts.min_prover_fee
    return facts.opened_at + -(-(fee - facts.min_prover_fee) * facts.ramp_seconds // rise)


def predicted_seconds(circuit: Circuit | None) -> float:
    """Predict how long a proof takes once it has begun."""
    predicted = None if circuit is None else circuit.expected_prove_seconds()
    return UNMEASURED_PROVE_SECONDS if predicted is None else predicted


def needed_seconds(circuit: Circuit | None, policy: Policy) -> float:
    """Predict how long claim, proof and settlement take where nothing waits before it, margin included."""
    # The claim is confirmed while the proof is made, whichever takes longer.
    return max(predicted_seconds(circuit), policy.confirmations * BLOCK_SECONDS) + policy.margin_seconds


def proof_due_in(facts: JobFacts, policy: Policy, now: int) -> float:
    """Return how many seconds a proof may take, queue included, if the job is claimed now."""
    return min(facts.claim_seconds, facts.deadline - now) - policy.margin_seconds


def _offer_skip(facts: JobFacts, policy: Policy, now: int) -> Skip | None:
    offered = facts.prover_fee_at(now)
    if offered >= policy.min_fee:
        return None
    later = price_reached_at(facts, policy.min_fee)
    when = "never more" if later is None else f"enough at {later}"
    return Skip(
        SkipCode.FEE_TOO_LOW, f"{offered} offered, {policy.min_fee} asked, {when}", look_again_at=later
    )


def _takeover_skip(facts: JobFacts, policy: Policy, terms: CollateralTerms, now: int) -> Skip | None:
    income = facts.payment.prover_fee + terms.bonus_for(facts.price)
    if income < policy.min_fee:
        return Skip(SkipCode.FEE_TOO_LOW, f"{income} with the bonus, {policy.min_fee} asked")
    left = facts.deadline - now
    if left < facts.claim_seconds:
        note = f"{left} s left, no whole claim period of {facts.claim_seconds} s to take it over for"
        return Skip(SkipCode.DEADLINE_TOO_NEAR, note)
    return None


def _time_skip(claim_seconds: int, left: int, circuit: Circuit | None, policy: Policy) -> Skip | None:
    needed = needed_seconds(circuit, policy)
    if left < needed:
        return Skip(SkipCode.DEADLINE_TOO_NEAR, f"{left} s left, {needed:.0f} s needed")
    if claim_seconds < needed:
        note = f"replaced after {claim_seconds} s, {needed:.0f} s needed"
        return Skip(SkipCode.CLAIM_PERIOD_TOO_SHORT, note)
    return None


def _evaluate_circuit(spec: CircuitSpec, circuit: Circuit | None, policy: Policy) -> Skip | None:
    if circuit is None:
        return Skip(
            SkipCode.UNKNOWN_CIRCUIT, f"no bundle with verifying key {spec.verifying_key_digest.hex()}"
        )
    if circuit.batch != 1:
        return Skip(SkipCode.BATCH_CIRCUIT, f"{circuit.name}'s bundle proves {circuit.batch} inputs at once")
    if (spec.layout, spec.domain) != (circuit.layout, circuit.domain):
        # Under another layout or domain the chain would ask for proofs that this bundle was not made for.
        return Skip(SkipCode.UNKNOWN_CIRCUIT, f"another layout or input domain than {circuit.name}'s bundle")
    if spec.verifier_class not in policy.accepted_classes:
        return Skip(SkipCode.CLASS_REFUSED, f"verifier class {class_name(spec.verifier_class)}")
    return None
