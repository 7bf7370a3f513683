"""Proving slots promise only what will be done in time, within the memory, in a fair order."""

import threading
import time

import pytest

from prover_nodes.halting import Halt, Halted
from prover_nodes.slots import ProvingSlots

MEMORY = 100


class FakeClock:
    """Time that passes when a test says so."""

    def __init__(self):
        self.seconds = 0.0

    def monotonic(self):
        return self.seconds

    def sleep(self, seconds):
        self.seconds += seconds


@pytest.fixture
def clock():
    return FakeClock()


def hold(slots, promise, started=None):
    """Make a proof in a thread; return what ends it and the thread."""
    begun, release = threading.Event(), threading.Event()

    def make():
        with slots.make(promise):
            begun.set()
            if started is not None:
                started.append(promise)
            release.wait(10)

    thread = threading.Thread(target=make)
    thread.start()
    return begun, release, thread


def until(is_true):
    """Poll until something is true, for ten seconds at most."""
    deadline, pause = time.monotonic() + 10, threading.Event()
    while not is_true():
        assert time.monotonic() < deadline
        pause.wait(0.002)


def end(*held):
    for _, release, thread in held:
        release.set()
        thread.join(10)


def test_promise__queue_too_long__is_not_given(clock):
    """Two proofs of 10 s are before it: a third one of 5 s is promised within 25 s, and not within 24."""
    slots = ProvingSlots(1, MEMORY, clock)
    slots.promise(10, 1)
    slots.promise(10, 1)
    assert slots.promise(5, 1, within_seconds=24) is None
    assert slots.promise(5, 1, within_seconds=25) is not None
    assert slots.waiting() == 3


def test_promise__proof_under_way__counts_what_is_left_of_it(clock):
    """After 6 of its 10 s a proof is 4 s in the way; when it takes longer than predicted, none."""
    slots = ProvingSlots(1, MEMORY, clock)
    held = hold(slots, slots.promise(10, 1))
    held[0].wait(10)
    for passed, left in ((6, 4), (3, 1), (10, 0)):
        clock.seconds += passed
        assert slots.seconds_until_free() == left
    end(held)
    assert (slots.running(), slots.seconds_until_free()) == (0, 0)


def test_promise__two_slots_and_memory_for_one__is_predicted_one_after_the_other(clock):
    """A free slot without memory is none."""
    slots = ProvingSlots(2, MEMORY, clock)
    slots.promise(10, 60)
    assert slots.seconds_until_free(40) == 0
    assert slots.seconds_until_free(41) == 10
    slots.promise(10, 60)
    assert slots.seconds_until_free(41) == 20


def test_promise__never_fits__is_not_given(clock):
    """More memory than there is at all."""
    slots = ProvingSlots(2, MEMORY, clock)
    assert slots.promise(1, MEMORY + 1) is None
    assert slots.promise(1, MEMORY) is not None


def test_withdraw__twice__frees_its_place_once(clock):
    """A claim that was lost leaves the queue as it was."""
    slots = ProvingSlots(1, MEMORY, clock)
    first, second = slots.promise(10, 1), slots.promise(10, 1)
    slots.withdraw(first)
    slots.withdraw(first)
    assert (slots.waiting(), slots.seconds_until_free()) == (1, 10)
    slots.withdraw(second)
    assert slots.waiting() == 0


def test_make__does_not_fit_beside_the_running_one__waits_and_nobody_passes_it(clock):
    """A large proof is not starved by small ones that would fit."""
    slots, order = ProvingSlots(2, MEMORY, clock), []
    running = hold(slots, slots.promise(10, 60))
    running[0].wait(10)
    large, small = slots.promise(1, 60), slots.promise(1, 10)
    waiting = hold(slots, large, order)
    until(lambda: large.is_ready)
    last = hold(slots, small, order)
    until(lambda: small.is_ready)
    assert not waiting[0].is_set()
    assert not last[0].is_set()
    end(running)
    assert waiting[0].wait(10)
    assert last[0].wait(10)
    assert order[0] is large
    end(waiting, last)


def test_make__claim_before_it_is_still_on_its_way__goes_first_if_that_stays_in_time(clock):
    """A slow claim does not leave the slot empty."""
    slots = ProvingSlots(1, MEMORY, clock)
    slots.promise(10, 1, within_seconds=15)
    behind = hold(slots, slots.promise(5, 1))
    assert behind[0].wait(10)
    end(behind)


def test_make__would_make_an_earlier_promise_late__waits_for_it(clock):
    """Ten seconds were promised within 14: a proof of 5 s that is ready does not go first."""
    slots, order = ProvingSlots(1, MEMORY, clock), []
    early, late = slots.promise(10, 1, within_seconds=14), slots.promise(5, 1)
    behind = hold(slots, late, order)
    until(lambda: late.is_ready)
    first = hold(slots, early, order)
    assert first[0].wait(10)
    end(first)
    assert behind[0].wait(10)
    end(behind)
    assert order == [early, late]


def test_make__halted_while_it_waits__ends_and_leaves_the_queue(clock):
    """A node that is stopped does not wait for a slot."""
    halt = Halt()
    slots, ended = ProvingSlots(1, MEMORY, clock, halt=halt), []
    running = hold(slots, slots.promise(10, 1))
    running[0].wait(10)

    def make():
        try:
            with slots.make(slots.promise(1, 1)):
                ended.append("made")
        except Halted:
            ended.append("halted")

    thread = threading.Thread(target=make)
    thread.start()
    halt.set()
    thread.join(10)
    assert ended == ["halted"]
    assert slots.waiting() == 0
    end(running)


def test_make__proof_fails__frees_its_slot(clock):
    """An error in a proof is no slot less."""
    slots = ProvingSlots(1, MEMORY, clock)
    with pytest.raises(ValueError, match="no proof"), slots.make(slots.promise(1, 1)):
        raise ValueError("no proof")
    assert (slots.running(), slots.waiting()) == (0, 0)


def test_shared__several_slots__the_last_of_the_queue_is_done_when_all_of_it_is(clock):
    """Two slots of one machine promise no more than one: 10 and 10 s before a proof of 5 s are 25 s."""
    slots = ProvingSlots(2, MEMORY, clock, is_shared=True)
    slots.promise(10, 1)
    slots.promise(10, 1)
    assert slots.seconds_until_free() == 20
    assert slots.promise(5, 1, within_seconds=24) is None
    assert slots.promise(5, 1, within_seconds=25) is not None


def test_shared__two_at_once__each_goes_half_as_fast(clock):
    """After 4 s alone and 6 s beside another, 3 of 10 s are to come; once the other has ended, it goes on alone."""
    slots = ProvingSlots(2, MEMORY, clock, is_shared=True)
    first = hold(slots, slots.promise(10, 1))
    assert first[0].wait(10)
    clock.seconds += 4
    second = hold(slots, slots.promise(20, 1))
    assert second[0].wait(10)
    assert slots.seconds_until_free() == 6 + 20
    clock.seconds += 6
    assert slots.seconds_until_free() == 3 + 17
    end(second)
    clock.seconds += 1
    assert slots.seconds_until_free() == 2
    end(first)
    assert slots.seconds_until_free() == 0


def test_apart__two_at_once__neither_slows_the_other(clock):
    """Tasks of a cluster have processors of their own."""
    slots = ProvingSlots(2, MEMORY, clock)
    held = [hold(slots, slots.promise(10, 1)) for _ in range(2)]
    assert all(begun.wait(10) for begun, _, _ in held)
    clock.seconds += 6
    assert slots.seconds_until_free() == 4
    end(*held)


@pytest.mark.parametrize(("within", "is_beside"), [(15, True), (14, False), (9, True)])
def test_shared__would_make_the_running_one_late__begins_after_it(clock, within, is_beside):
    """Ten seconds promised within 14 are not done beside a proof of 5 s: that takes 15. What is late anyway stays it."""
    slots = ProvingSlots(2, MEMORY, clock, is_shared=True)
    early = slots.promise(10, 1, within_seconds=20)
    early.due = within
    running = hold(slots, early)
    assert running[0].wait(10)
    late = slots.promise(5, 1)
    behind = hold(slots, late)
    until(lambda: late.is_ready)
    assert behind[0].wait(10 if is_beside else 0.05) == is_beside
    end(running)
    assert behind[0].wait(10)
    end(behind)


def test_shared__claim_on_its_way_needs_the_time__is_not_overtaken(clock):
    """What runs counts, too: 10 s under way and 10 s promised within 24 leave no room for 5 s before them."""
    slots, order = ProvingSlots(2, MEMORY, clock, is_shared=True), []
    running = hold(slots, slots.promise(10, 1))
    assert running[0].wait(10)
    early, late = slots.promise(10, 1, within_seconds=24), slots.promise(5, 1)
    behind = hold(slots, late, order)
    until(lambda: late.is_ready)
    first = hold(slots, early, order)
    assert first[0].wait(10)
    end(first, running)
    assert behind[0].wait(10)
    end(behind)
    assert order == [early, late]
