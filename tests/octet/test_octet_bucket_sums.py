"""Buckets of the kernels' multiplications: the same point twice, opposite points, and none left."""

import random

import numpy as np
import pytest

from circuits.octet.native.words import points_to_words, to_words
from circuits.octet.spec.curve import GENERATOR, INFINITY, add, multi_multiply, multiply, negate
from zkml.core.field import R


def some_points(count, seed):
    """Return points that nobody knows a relation of; here they are small multiples of the generator."""
    dice = random.Random(seed)
    return [multiply(GENERATOR, dice.randrange(1, R)) for _ in range(count)]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("copies", [2, 7])
def test_bucket__with_one_point_many_times__is_its_multiple(native, copies, threads):
    """Equal scalars put equal points into one bucket, where no line through two of them has a slope."""
    points = [multiply(GENERATOR, index) for index in (3, 4, 5, 6, 8)] * copies
    scalars = [7, 200, 255, 7, 1] * copies
    held = native.points(points_to_words(points))
    expected = multiply(GENERATOR, copies * (21 + 800 + 1275 + 42 + 8))
    assert held.multiply_small(np.array(scalars, dtype=np.uint64), 8, threads) == expected
    assert held.multiply(to_words(scalars), threads) == expected


def test_bucket__of_opposite_points__is_empty(native):
    """A point and its opposite leave nothing, beside buckets where something is left, and alone."""
    one, other, third = some_points(3, 1)
    points = [one, negate(one), other, third, negate(third), third]
    held = native.points(points_to_words(points))
    for scalars in ([9] * 6, [9, 9, 4, 9, 9, 9], [3, 3, 0, 5, 5, 0]):
        expected = multi_multiply(points, scalars)
        assert held.multiply_small(np.array(scalars, dtype=np.uint64), 8) == expected
    assert held.multiply(to_words([R - 9, R - 9, 0, 0, 0, 0])) == INFINITY


def test_bucket__signed_digits_of_one_point__meet_as_opposites(native):
    """k and r - k have opposite digits in most windows: equal points cancel inside the buckets."""
    dice = random.Random(4)
    points = [point for point in some_points(12, 2) for _ in range(2)]
    scalars = [value for _ in range(12) for k in [dice.randrange(R)] for value in (k, R - k)]
    held = native.points(points_to_words(points))
    assert held.multiply(to_words(scalars)) == INFINITY
    scalars[11] = 5
    first = multiply(points[10], scalars[10])
    assert held.multiply(to_words(scalars)) == add(first, multiply(points[11], 5))


def test_multiples__of_a_prefix_with_infinity__are_not_used(native):
    """Where a point has no multiples at hand, the sum is worked out without any."""
    points = some_points(16, 3)
    points[5] = INFINITY
    scalars = [random.Random(5).randrange(R) for _ in points]
    expected = multi_multiply(points, scalars)
    assert native.points(points_to_words(points)).multiply(to_words(scalars)) == expected


@pytest.mark.parametrize("held", [8, 20, 24])
def test_multiples__of_a_prefix__give_the_same_sum(native, held):
    """Points that fill the lanes have their multiples at hand, others do not, and both add up alike."""
    points = [multiply(GENERATOR, index + 2) for index in range(held)]
    dice = random.Random(held)
    scalars = [dice.randrange(R) for _ in range(held - 1)]
    expected = multiply(GENERATOR, sum((index + 2) * value for index, value in enumerate(scalars)) % R)
    assert native.points(points_to_words(points)).multiply(to_words(scalars)) == expected
