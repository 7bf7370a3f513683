"""A proof's share of the machine: what it would have taken alone."""

import contextlib

import pytest

from circuits.crowd import Crowd


class FakeClock:
    """Time that passes when a test says so."""

    seconds = 100.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def clock():
    return FakeClock()


def test_join__alone__has_all_of_it(clock):
    """Also one that took no time, or that failed."""
    crowd = Crowd(clock)
    with contextlib.suppress(ValueError), crowd.join() as stay:
        clock.seconds += 3
        raise ValueError("no proof")
    with crowd.join() as short:
        pass
    clock.seconds += 50
    with crowd.join() as later:
        clock.seconds += 2
    assert [(one.seconds, one.share) for one in (stay, short, later)] == [(3, 1), (0, 1), (2, 1)]


def test_join__beside_others__each_second_is_divided(clock):
    """Two seconds alone, four beside one other, and six beside two: 2 + 2 + 2 of 12 s."""
    crowd = Crowd(clock)
    with crowd.join() as first:
        clock.seconds += 2
        with crowd.join() as second:
            clock.seconds += 4
            with crowd.join() as third:
                clock.seconds += 6
    assert (first.seconds, first.share_seconds, first.share) == (12, 6, 0.5)
    assert (second.seconds, second.share_seconds) == (10, 4)
    assert (third.seconds, third.share) == (6, pytest.approx(1 / 3))
