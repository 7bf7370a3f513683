"""ArgMax has exactly one satisfying index: brute force over all scores (octet.md 3.4 with 3.0 item 5).

The gadget: index < C, and for every j < C the number out[index] - out[j] - [j < index] is in [0, 2^(8w)).
"""

from itertools import product

import pytest

PRIME, CLASSES, PADDED = 101, 3, 4
ALL_CHECKS = frozenset({"index", "strict", "range", "true classes"})


def indices(scores, bound, checks=ALL_CHECKS, prime=PRIME):
    """Every index that satisfies the gadget; scores beyond the classes are the zeros of padding."""
    padded = [*scores, *[0] * (PADDED - len(scores))]
    found = set()
    for index in range(len(scores) if "index" in checks else PADDED):
        rows = range(len(scores) if "true classes" in checks else PADDED)
        strict = "strict" in checks
        differences = [(padded[index] - padded[row] - (strict and row < index)) % prime for row in rows]
        if "range" not in checks or all(difference < bound for difference in differences):
            found.add(index)
    return found


def first_greatest(scores):
    """numpy's and ONNX's rule: of equal scores the first."""
    return max(range(len(scores)), key=lambda index: (scores[index], -index))


def test_argmax__all_scores__exactly_the_first_greatest():
    """All triples of -5..5, with their ties; 16 is the bound for differences up to 10 and one."""
    for scores in product(range(-5, 6), repeat=CLASSES):
        assert indices(scores, 16) == {first_greatest(scores)}


def test_argmax__scores_that_are_any_field_elements__never_two_indices():
    """Private weights bound no score; two indices would need differences that add to -1 (2B < r)."""
    for scores in product(range(0, PRIME, 2), range(PRIME), [0, 1, 50]):
        assert len(indices(scores, 16)) <= 1


def test_argmax__range_so_wide_that_it_wraps__proves_two_indices():
    """2 * 2^(8w) must stay below the field: here it does not."""
    assert len(indices((0, 50, 0), 90)) > 1


@pytest.mark.parametrize(
    ("removed", "scores", "wrong"),
    [
        ("index", (-3, -2, -4), 3),
        ("strict", (2, 2, 1), 1),
        ("range", (1, 5, 2), 0),
    ],
)
def test_argmax__any_one_check_removed__proves_another_index(removed, scores, wrong):
    """3.0 item 5: index 3 of 3 classes has the score 0 of padding, which wins among negative scores."""
    found = indices(scores, 16, ALL_CHECKS - {removed})
    assert {first_greatest(scores), wrong} <= found


def test_argmax__padding_rows_not_masked__negative_scores_have_no_proof():
    """[j < C]: without it the padding's score 0 beats every true class and nobody can prove."""
    assert indices((-3, -2, -4), 16, ALL_CHECKS - {"true classes"}) == set()


def test_argmax__difference_with_a_subtracted_limb__would_prove_any_index():
    """The left side of an argmax relation is 2^S Y + R: with - 2^S N in it, as requantization has, D may be negative."""
    scores, bound = (1, 5, 2), 16
    differences = [scores[0] - score for score in scores]
    with_subtraction = {high - low for high in range(bound) for low in range(bound)}
    assert set(differences) <= with_subtraction
    assert 0 not in indices(scores, bound)
