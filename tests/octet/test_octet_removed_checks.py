"""No check is decoration: each verifier refuses every forgery, and accepts it where the one check is left out."""

import re
from pathlib import Path

import pytest
from forged_messages import FORGED
from forgeries import forgery, maximum, table
from proof_systems import native_verifiers
from removable_checks import known_checks

UNREACHABLE = {"usable_challenges"}
"""Checks that no forgery is for: challenges that keep a verifier from dividing by zero cannot be met."""

NATIVE = {"on_curve"}
"""Checks whose forgery rests on how the C++ verifier adds points."""


def family(check):
    """Name a check without the number of its round or group, or the name of its table."""
    return re.sub(r"(\[\d+\]|_\d+|(?<=lut_query|lut_table)_square|(?<=balance)_square)$", "", check)


@pytest.mark.parametrize("check", FORGED)
def test_forgery__for_want_of_one_check__is_refused_and_passes_only_without_it(check):
    """The proof is wrong in nothing else: leaving that check out is enough, and every verifier has it."""
    forged = forgery(check)
    assert not forged.passes()
    assert forged.passes(check)


def test_forgery__for_every_check__is_made():
    """A new check, row rule or message must come with the forgery that it stops."""
    known = {family(check) for bench in (table(), maximum()) for check in known_checks(bench.program)}
    assert known - {family(check) for check in FORGED} == UNREACHABLE | NATIVE


def test_forgery__with_a_point_of_order_two__passes_the_native_verifier_that_takes_any_point():
    """(x, 0) is off the curve, and twice it is infinity: where inversions are shared, every point is lost with it.

    Both sums of the opening then are infinity for one x in some thirty, whatever the proof says. The
    specification adds without shared inversions: without the check it says no to what says nothing.
    """
    honest = forgery("opening")
    words = [(*honest.words[:-4], x, 0, 0, 0) for x in range(1, 400)]
    assert not any(honest.bench.accepts(each, honest.claim) for each in words[:10])
    for native in native_verifiers():
        key, claim = honest.bench.key, honest.claim
        assert any(native.accepts(key, claim, each, "on_curve") for each in words)


def test_named_attacks__of_the_page__are_those_that_are_made_here():
    """The page's table has a row for every forgery and none that no test makes."""
    page = (Path(__file__).parents[2] / "docs" / "octet.md").read_text()
    table = page.partition("| check left out |")[2].partition("\n\n")[0]
    named = {name for row in table.splitlines()[2:] for name in re.findall("`([^`]+)`", row.split("|")[1])}
    assert named == {family(check) for check in FORGED} | NATIVE


def test_library__as_it_is_built_for_use__cannot_leave_out_a_check():
    """The door for these tests is in no other build."""
    for native in native_verifiers():
        assert hasattr(native.careless, "octet_test_remove")
        assert not hasattr(native.whole, "octet_test_remove")
        assert not hasattr(native.whole, "octet_test_met")
