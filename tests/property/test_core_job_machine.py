"""The job machine: every status against every move, and every history."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkml.core.job_machine import ZERO_ADDRESS, JobFacts, JobStatus, check_move, collateral_for, status_of
from zkml.errors import InvalidTransitionError, JobExpiredError, JobNotFoundError

DEADLINE = 1_000
SOMEBODY = "0x" + "11" * 20
PROVER = "0x" + "22" * 20
MOVES = ("claim", "settle", "cancel", "refund")
OUTCOME_OF = {"settle": JobStatus.SETTLED, "cancel": JobStatus.CANCELLED, "refund": JobStatus.REFUNDED}


def facts(requester=SOMEBODY, prover=ZERO_ADDRESS, outcome=JobStatus.NONE):
    """Build the facts of a job."""
    return JobFacts(b"\x01" * 32, requester, 5, prover, 1, 7, b"\x02" * 32, b"\x03" * 32, DEADLINE, outcome)


EXAMPLES = {
    JobStatus.NONE: (facts(requester=ZERO_ADDRESS), 0),
    JobStatus.OPEN: (facts(), DEADLINE),
    JobStatus.CLAIMED: (facts(prover=PROVER), DEADLINE),
    JobStatus.SETTLED: (facts(prover=PROVER, outcome=JobStatus.SETTLED), DEADLINE + 9),
    JobStatus.CANCELLED: (facts(outcome=JobStatus.CANCELLED), DEADLINE + 9),
    JobStatus.REFUNDED: (facts(outcome=JobStatus.REFUNDED), DEADLINE + 9),
    JobStatus.EXPIRED: (facts(prover=PROVER), DEADLINE + 1),
}
ALLOWED = {
    (JobStatus.OPEN, "claim"),
    (JobStatus.OPEN, "cancel"),
    (JobStatus.CLAIMED, "settle"),
    (JobStatus.EXPIRED, "refund"),
}


@pytest.mark.parametrize("status", JobStatus, ids=lambda status: status.name)
def test_status__of_its_example__is_derived(status):
    """Each status follows from facts and time."""
    assert status_of(*EXAMPLES[status]) is status


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("status", JobStatus, ids=lambda status: status.name)
def test_check_move__every_status_and_move__is_the_table(status, move):
    """Four pairs of status and move are allowed; every other raises the error that says why."""
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


@pytest.mark.parametrize("status", [JobStatus.SETTLED, JobStatus.CANCELLED, JobStatus.REFUNDED])
def test_check_move__refund_of_an_ended_job__does_not_say_wait(status):
    """The hint never sends anybody to wait for a job that has ended."""
    job, now = EXAMPLES[status]
    with pytest.raises(InvalidTransitionError) as caught:
        check_move(job, "refund", now)
    assert "wait" not in caught.value.hint


def test_status__at_the_deadline__is_not_expired():
    """Settling is allowed up to and including the deadline, and not a second longer."""
    claimed = facts(prover=PROVER)
    check_move(claimed, "settle", DEADLINE)
    with pytest.raises(JobExpiredError):
        check_move(claimed, "settle", DEADLINE + 1)


@given(st.lists(st.tuples(st.sampled_from(MOVES), st.integers(0, 400)), max_size=12))
def test_history__any_moves_at_any_times__end_at_most_once(history):
    """Whatever is tried and when, a job reaches at most one end, is never paid and refunded, and stays ended."""
    job, now, ends = facts(), 0, []
    for move, passed in history:
        now += passed
        before = status_of(job, now)
        try:
            check_move(job, move, now)
        except (InvalidTransitionError, JobExpiredError):
            assert (before, move) not in ALLOWED
            continue
        assert not before.is_terminal
        job = replace(job, prover=PROVER) if move == "claim" else replace(job, outcome=OUTCOME_OF[move])
        if move in OUTCOME_OF:
            ends.append(job.outcome)
            assert status_of(job, now).is_terminal
    assert len(ends) <= 1
    if ends:
        assert status_of(job, now + 10_000) is ends[0]


@given(st.integers(0, 2**96 - 1), st.integers(0, 2**96 - 1), st.integers(0, 1_000_000))
def test_collateral__is_the_ceiling_and_the_minimum(fee, minimum, ppm):
    """Collateral is the least integer not below both the minimum and fee * ppm / 10^6."""
    collateral = collateral_for(fee, minimum, ppm)
    assert collateral >= minimum
    assert collateral * 1_000_000 >= fee * ppm
    assert collateral in (minimum, -(-(fee * ppm) // 1_000_000))
    assert collateral == minimum or (collateral - 1) * 1_000_000 < fee * ppm
