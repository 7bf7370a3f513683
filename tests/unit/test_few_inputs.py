"""A circuit that has so few inputs that its genesis proof could be prepared is warned of."""

import dataclasses

import pytest

from zkml.core.tensors import InputDomain, TensorLayout
from zkml.publish.verifiers import warn_of_few_inputs


@dataclasses.dataclass(frozen=True)
class Described:
    """What the warning reads of a manifest."""

    tensor_layout: TensorLayout
    input_domain: InputDomain


def warning(count: int, minimum: int, maximum: int) -> str:
    return warn_of_few_inputs(Described(TensorLayout(count, 4, 1, 4), InputDomain(minimum, maximum)))


@pytest.mark.parametrize(
    ("count", "minimum", "maximum", "possible"),
    [(1, 0, 0, 1), (1, 0, (1 << 32) - 1, 1 << 32), (4, -128, 128, 257**4), (63, 0, 1, 1 << 63)],
)
def test_warning__fewer_than_2_to_the_64__says_how_many(count, minimum, maximum, possible):
    """Elements and domain together say how many inputs there are; the number is in the warning."""
    assert f"has {possible} possible inputs, fewer than 2^64" in warning(count, minimum, maximum)


@pytest.mark.parametrize(("count", "minimum", "maximum"), [(64, 0, 1), (2, 0, (1 << 32) - 1), (64, 0, 128)])
def test_warning__2_to_the_64_or_more__none(count, minimum, maximum):
    """From 2^64 on nothing is said."""
    assert warning(count, minimum, maximum) == ""
