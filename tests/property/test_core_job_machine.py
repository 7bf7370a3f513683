"""The job machine: every status against every move, and every history. The contract's twin: tests/stateful."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkml.core.job_machine import (
    ZERO_ADDRESS,
    JobFacts,
    JobStatus,
    check_move,
    payee_of,
    status_of,
)
from zkml.core.pricing import FeeQuote, Payment, escrow_for
from zkml.errors import (
    InvalidTransitionError,
    JobExpiredError,
    JobNotFoundError,
    NotClaimantError,
    TombstonedError,
)

OPENED, CLAIM_SECONDS, GRACE_SECONDS, DEADLINE = 100, 60, 36, 1_000
CLAIM_DEADLINE = 300
SOMEBODY = "0x" + "11" * 20
PROVER = "0x" + "22" * 20
RIVAL = "0x" + "33" * 20
QUOTE = FeeQuote(model_fee_floor=50, model_fee_ppm=100_000, flat_fee=10, platform_ppm=25_000)
MOVES = ("claim", "reclaim", "settle", "cancel", "refund")
OUTCOME_OF = {"settle": JobStatus.SETTLED, "cancel": JobStatus.CANCELLED, "refund": JobStatus.REFUNDED}


def facts(**changes):
    """Build the facts of an open job, or of one that differs from it."""
    job = JobFacts(
        job_id=b"\x01" * 32,
        requester=SOMEBODY,
        opened_at=OPENED,
        ramp_seconds=100,
        claim_seconds=CLAIM_SECONDS,
        deadline=DEADLINE,
        min_prover_fee=5,
        max_prover_fee=25,
        quote=QUOTE,
        prover=ZERO_ADDRESS,
        claim_deadline=0,
        previous_prover=ZERO_ADDRESS,
        grace_ends_at=0,
        payment=Payment(0, 0, 0),
        model_id=7,
        circuit_id=b"\x02" * 32,
        input_commitment=b"\x03" * 32,
        restricted=False,
        outcome=JobStatus.NONE,
    )
    return replace(job, **changes)


CLAIMED = {"prover": PROVER, "claim_deadline": CLAIM_DEADLINE, "payment": Payment(5, 49, 11)}
RECLAIMED = {**CLAIMED, "prover": RIVAL, "previous_prover": PROVER, "grace_ends_at": 280}
EXAMPLES = {
    JobStatus.NONE: (facts(requester=ZERO_ADDRESS), 0),
    JobStatus.OPEN: (facts(), DEADLINE),
    JobStatus.CLAIMED: (facts(**CLAIMED), CLAIM_DEADLINE),
    JobStatus.LATE: (facts(**CLAIMED), CLAIM_DEADLINE + 1),
    JobStatus.GRACE: (facts(**RECLAIMED), 280),
    JobStatus.SETTLED: (facts(**CLAIMED, outcome=JobStatus.SETTLED), DEADLINE + 9),
    JobStatus.CANCELLED: (facts(outcome=JobStatus.CANCELLED), DEADLINE + 9),
    JobStatus.REFUNDED: (facts(outcome=JobStatus.REFUNDED), DEADLINE + 9),
    JobStatus.EXPIRED: (facts(**CLAIMED), DEADLINE + 1),
}
ALLOWED = {
    (JobStatus.OPEN, "claim"),
    (JobStatus.OPEN, "cancel"),
    (JobStatus.CLAIMED, "settle"),
    (JobStatus.LATE, "settle"),
    (JobStatus.GRACE, "settle"),
    (JobStatus.LATE, "reclaim"),
    (JobStatus.EXPIRED, "refund"),
}
LIVE = [JobStatus.OPEN, JobStatus.CLAIMED, JobStatus.LATE, JobStatus.GRACE]


@pytest.mark.parametrize("status", JobStatus, ids=lambda status: status.name)
def test_status__of_its_example__is_derived(status):
    """Each status follows from facts and time."""
    assert status_of(*EXAMPLES[status]) is status
    assert status.is_live == (status in LIVE)
    assert status.is_claimed == (status.is_live and status is not JobStatus.OPEN)


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("status", JobStatus, ids=lambda status: status.name)
def test_check_move__every_status_and_move__is_the_table(status, move):
    """Seven pairs of status and move are allowed; every other raises the error that says why."""
    job, now = EXAMPLES[status]
    if (status, move) in ALLOWED:
        check_move(job, move, now)
        return
    expected = {JobStatus.NONE: JobNotFoundError, JobStatus.EXPIRED: JobExpiredError}.get(
        status, InvalidTransitionError
    )
    with pytest.raises(expected, match="0x0101") as caught:
        check_move(job, move, now)
    assert caught.value.hint or status is JobStatus.NONE


@pytest.mark.parametrize("status", LIVE, ids=lambda status: status.name)
def test_check_move__on_a_tombstoned_circuit__leaves_only_ways_out(status):
    """A tombstone stops claims and proofs, and lets a live job be refunded before its deadline."""
    job, now = EXAMPLES[status]
    for move in ("claim", "reclaim", "settle"):
        with pytest.raises(TombstonedError, match="tombstoned") as caught:
            check_move(job, move, now, is_tombstoned=True)
        assert "refund" in caught.value.hint
    check_move(job, "refund", now, is_tombstoned=True)


@pytest.mark.parametrize("status", [JobStatus.SETTLED, JobStatus.CANCELLED, JobStatus.REFUNDED])
def test_check_move__refund_of_an_ended_job__does_not_say_wait(status):
    """The hint never sends anybody to wait for a job that has ended, tombstoned circuit or not."""
    job, now = EXAMPLES[status]
    for is_tombstoned in (False, True):
        with pytest.raises(InvalidTransitionError) as caught:
            check_move(job, "refund", now, is_tombstoned=is_tombstoned)
        assert "wait" not in caught.value.hint


def test_status__at_the_deadline__is_not_expired():
    """Settling is allowed up to and including the deadline, and not a second longer."""
    claimed = facts(**CLAIMED)
    check_move(claimed, "settle", DEADLINE)
    with pytest.raises(JobExpiredError):
        check_move(claimed, "settle", DEADLINE + 1)


def test_payee__in_every_status__is_one_prover_or_nobody():
    """Only a claimed job has a payee: the claimer, and in a grace the claimer before."""
    for status, (job, now) in EXAMPLES.items():
        expected = PROVER if status in (JobStatus.CLAIMED, JobStatus.LATE, JobStatus.GRACE) else None
        assert payee_of(job, now) == expected
    assert payee_of(facts(**RECLAIMED), 281) == RIVAL


def test_settle__by_another_than_the_payee__is_told_who_may():
    """In the grace the new claimer is told when it may settle; a stranger is told that it may not."""
    job = facts(**RECLAIMED)
    check_move(job, "settle", 280, caller=PROVER)
    with pytest.raises(NotClaimantError, match=PROVER) as caught:
        check_move(job, "settle", 280, caller=RIVAL)
    assert "280" in caught.value.hint
    with pytest.raises(NotClaimantError, match=RIVAL) as caught:
        check_move(job, "settle", 281, caller=PROVER)
    assert "only the prover" in caught.value.hint


def test_reclaim__by_the_claimer_or_too_late__is_refused():
    """A claim is taken over by another prover, and only while a whole claim period is left."""
    late = facts(**CLAIMED)
    last = DEADLINE - CLAIM_SECONDS
    check_move(late, "reclaim", last, caller=RIVAL)
    with pytest.raises(InvalidTransitionError, match="another prover"):
        check_move(late, "reclaim", last, caller=PROVER)
    with pytest.raises(InvalidTransitionError, match="whole claim period"):
        check_move(late, "reclaim", last + 1, caller=RIVAL)


def test_escrow__before_and_after_the_claim__is_the_greatest_price_and_then_the_price():
    """What is reserved is the price at the greatest prover fee, until a claim fixes it."""
    assert facts().escrow == escrow_for(QUOTE, 25) == 85
    assert facts().price == 0
    assert facts(**CLAIMED).escrow == facts(**CLAIMED).price == 65


@given(st.integers(0, 400))
def test_prover_fee__over_time__rises_from_minimum_to_maximum(time):
    """The offer never falls, begins with the minimum and ends with the maximum."""
    job = facts()
    fee = job.prover_fee_at(time)
    assert job.min_prover_fee <= fee <= job.prover_fee_at(time + 1) <= job.max_prover_fee
    assert fee == job.min_prover_fee or time > OPENED
    assert (fee == job.max_prover_fee) == (time >= OPENED + job.ramp_seconds)


def moved(job, move, now, caller):
    """Return the facts after a move, as the contract would write them."""
    if move == "claim":
        deadline = min(now + CLAIM_SECONDS, DEADLINE)
        return replace(job, prover=caller, claim_deadline=deadline, payment=Payment(5, 49, 11))
    if move == "reclaim":
        return replace(
            job,
            prover=caller,
            previous_prover=job.prover,
            claim_deadline=now + CLAIM_SECONDS,
            grace_ends_at=now + GRACE_SECONDS,
        )
    return replace(job, outcome=OUTCOME_OF[move])


STEPS = st.lists(
    st.tuples(st.sampled_from(MOVES), st.sampled_from([PROVER, RIVAL]), st.integers(0, 200)), max_size=16
)


@given(STEPS)
def test_history__any_moves_at_any_times__end_at_most_once(history):
    """I3: whatever is tried and when, a job reaches at most one end, is never paid and refunded, and stays ended."""
    job, now, ends = facts(), OPENED, []
    for move, caller, passed in history:
        now += passed
        before = status_of(job, now)
        try:
            check_move(job, move, now, caller=caller)
        except (InvalidTransitionError, JobExpiredError):
            continue
        except NotClaimantError:
            assert payee_of(job, now) not in (None, caller)
            continue
        assert not before.is_terminal
        assert (before, move) in ALLOWED
        job = moved(job, move, now, caller)
        if move in OUTCOME_OF:
            ends.append(job.outcome)
            assert status_of(job, now).is_terminal
    assert len(ends) <= 1
    if ends:
        assert status_of(job, now + 10_000) is ends[0]
    else:
        check_move(job, "refund", DEADLINE + 1)
