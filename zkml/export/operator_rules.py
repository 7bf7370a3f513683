"""Where a supported operator is not: cases that EZKL refuses, or proves as another function.

Each rule was measured as `operators.json` says. Those marked SILENT are why this file exists: the circuit
compiles and proves, and its numbers are not the model's.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from zkml.export.node_view import NodeView

_NON_NEGATIVE = frozenset(
    {"Abs", "Exp", "HardSigmoid", "Relu", "Sigmoid", "Softmax", "Softplus", "Sqrt", "ReduceL1", "ReduceL2"}
)
_RECURRENT = ("GRU", "LSTM", "RNN")
_POOLS = ("AveragePool", "MaxPool")
_POINTED = ("GatherElements", "GatherND", "ScatterElements", "ScatterND")


@dataclass(frozen=True, slots=True)
class Rule:
    """A case of some operators that has no right circuit.

    Attributes:
        operators: to whose nodes the rule applies.
        applies: whether a node is such a case.
        found: what the message says was found.
        fix: the hint.
    """

    operators: tuple[str, ...]
    applies: Callable[[NodeView], bool]
    found: str
    fix: str


def broken_rules(node: NodeView) -> Iterator[Rule]:
    """Yield every rule that the node breaks."""
    for rule in RULES:
        if node.operator in rule.operators and rule.applies(node):
            yield rule


def _without_strides(node: NodeView) -> bool:
    return "strides" not in node.attributes


def _is_dilated(node: NodeView) -> bool:
    return any(step != 1 for step in node.attributes.get("dilations", []))


def _is_padded(node: NodeView) -> bool:
    same = str(node.attributes.get("auto_pad", "NOTSET")).startswith("SAME")
    return same or any(amount != 0 for amount in node.attributes.get("pads", []))


def _averages_without_padding(node: NodeView) -> bool:
    return _is_padded(node) and not node.attributes.get("count_include_pad", 0)


def _maximum_over_padding(node: NodeView) -> bool:
    return _is_padded(node) and node.producers.get(0) not in _NON_NEGATIVE


def _pads_otherwise_than_with_zeros(node: NodeView) -> bool:
    amounts, value = node.constants.get(1), node.constants.get(2)
    return (
        node.attributes.get("mode", "constant") != "constant"
        or "pads" in node.attributes
        or amounts is None
        or bool(np.any(amounts < 0))
        or (value is not None and bool(np.any(value != 0)))
    )


def _power_not_of_positive_constant(node: NodeView) -> bool:
    exponent = node.constants.get(1)
    return exponent is None or exponent.size != 1 or float(exponent.ravel()[0]) <= 0


def _cast_that_cuts(node: NodeView) -> bool:
    integers_and_truth = {2, 3, 4, 5, 6, 7, 9, 12, 13}  # TensorProto: UINT8..INT64, BOOL, UINT32, UINT64
    source = node.types.get(0, "unknown")
    target = node.attributes.get("to")
    if target == 9 and source != "bool":
        return True
    return target in integers_and_truth and not source.startswith(("int", "uint", "bool"))


def _resize_not_by_whole_factors(node: NodeView) -> bool:
    scales = node.constants.get(2)
    if node.attributes.get("mode", "nearest") != "nearest" or scales is None or scales.size == 0:
        return True
    ceil = str(node.attributes.get("nearest_mode", "round_prefer_floor")).endswith("ceil")
    return ceil or bool(np.any(scales < 1)) or bool(np.any(scales != np.round(scales)))


def _has_negative_index(node: NodeView) -> bool:
    indices = node.constants.get(1)
    return indices is not None and bool(np.any(indices < 0))


def _gathers_from_the_end(node: NodeView) -> bool:
    # One index alone, -1, becomes a slice and is right; any other negative one is not.
    indices = node.constants.get(1)
    return _has_negative_index(node) and not (
        indices is not None and indices.size == 1 and indices.min() == -1
    )


def _expand_to_more_dimensions(node: NodeView) -> bool:
    target, rank = node.constants.get(1), node.ranks.get(0)
    return target is None or rank is None or target.size > rank


def _sums_a_diagonal(node: NodeView) -> bool:
    terms = str(node.attributes.get("equation", "")).partition("->")[0].replace(" ", "").split(",")
    return any(len(set(term)) != len(term.replace("...", "")) + (1 if "..." in term else 0) for term in terms)


def _divides_integers(node: NodeView) -> bool:
    return any(node.types.get(position, "").startswith(("int", "uint")) for position in (0, 1))


def _is_not_one_directional(node: NodeView) -> bool:
    return node.attributes.get("direction", "forward") != "forward" or bool(node.attributes.get("layout", 0))


def _has_sequence_lengths(node: NodeView) -> bool:
    return 4 in node.types or 4 in node.constants


def _not_zero_and_one(node: NodeView) -> bool:
    values = node.constants.get(2)
    return values is None or values.ravel().tolist() != [0, 1]


RULES: tuple[Rule, ...] = (
    Rule(
        ("Conv", "ConvTranspose", *_POOLS),
        _without_strides,
        "no strides",
        "write the attribute strides, also where it is 1",
    ),
    Rule(("Conv", "ConvTranspose"), _is_dilated, "dilations", "use a larger kernel with zeros between"),
    Rule(
        ("ConvTranspose",),
        lambda node: node.attributes.get("group", 1) != 1,
        "groups",
        "split it into one ConvTranspose a group, and Concat",
    ),
    # SILENT: dilations are ignored.
    Rule(_POOLS, _is_dilated, "dilations", "pool without dilations"),
    Rule(
        _POOLS,
        lambda node: bool(node.attributes.get("ceil_mode", 0)),
        "ceil_mode",
        "pad the input so that the windows fit, and drop ceil_mode",
    ),
    # SILENT: the padding is counted.
    Rule(
        ("AveragePool",),
        _averages_without_padding,
        "padding that does not count",
        "set count_include_pad=True, or pool without padding",
    ),
    # SILENT: the padding is 0 and not minus infinity, so a window of negative numbers has maximum 0.
    Rule(
        ("MaxPool",),
        _maximum_over_padding,
        "padding around numbers that may be negative",
        "put a Relu before it, or pool without padding",
    ),
    Rule(
        ("Pad",),
        _pads_otherwise_than_with_zeros,
        "padding other than a fixed number of zeros",
        "pad with zeros of a fixed amount",
    ),
    # SILENT for a negative exponent.
    Rule(
        ("Pow",),
        _power_not_of_positive_constant,
        "an exponent that is no positive constant",
        "use Reciprocal for negative powers, and constants only",
    ),
    # SILENT: the cast is ignored, and the fraction stays.
    Rule(
        ("Cast",),
        _cast_that_cuts,
        "a cast to integers or truth values",
        "use Floor, or compare",
    ),
    # SILENT for exclusive.
    Rule(
        ("CumSum",),
        lambda node: bool(node.attributes.get("exclusive", 0) or node.attributes.get("reverse", 0)),
        "exclusive or reverse",
        "use a plain CumSum and Sub",
    ),
    # SILENT for a nearest_mode of ceil.
    Rule(
        ("Resize",),
        _resize_not_by_whole_factors,
        "resizing other than to the nearest by whole factors",
        "use nearest neighbours with scale_factor 2, 3, ...",
    ),
    # SILENT: a negative index reads another element.
    Rule(_POINTED, _has_negative_index, "a negative index", "count from the front"),
    Rule(("Gather",), _gathers_from_the_end, "a negative index", "count from the front"),
    # SILENT: the reduction is ignored.
    Rule(
        ("ScatterElements", "ScatterND"),
        lambda node: node.attributes.get("reduction", "none") != "none",
        "a reduction",
        "scatter into zeros, then Add",
    ),
    # SILENT: elements land in other places.
    Rule(
        ("Expand",), _expand_to_more_dimensions, "more dimensions than the input's", "Unsqueeze before Expand"
    ),
    # SILENT: the diagonal is not taken.
    Rule(("Einsum",), _sums_a_diagonal, "a diagonal", "multiply by a constant mask and reduce"),
    # SILENT: alpha is ignored.
    Rule(("Celu",), lambda node: node.attributes.get("alpha", 1.0) != 1.0, "alpha other than 1", "use Elu"),
    Rule(
        ("ArgMax", "ArgMin"),
        lambda node: bool(node.attributes.get("select_last_index", 0)),
        "select_last_index",
        "take the first index",
    ),
    Rule(
        ("BatchNormalization",),
        lambda node: bool(node.attributes.get("training_mode", 0)),
        "training mode",
        "call module.eval() before export",
    ),
    # SILENT: the quotient is not cut to an integer.
    Rule(("Div",), _divides_integers, "a division of integers", "divide as float32, then Floor"),
    # SILENT for layout 1.
    Rule(_RECURRENT, _is_not_one_directional, "another direction or layout", "unroll, or use the defaults"),
    Rule(_RECURRENT, _has_sequence_lengths, "sequence lengths", "export for one length"),
    # SILENT: values other than 0 and 1 are ignored.
    Rule(("OneHot",), _not_zero_and_one, "values other than 0 and 1", "use 0 and 1, then Mul and Add"),
    # SILENT: blocks are read in another order.
    Rule(
        ("SpaceToDepth",),
        lambda node: node.attributes.get("mode", "DCR") != "DCR",
        "mode CRD",
        "use DCR and Transpose",
    ),
)
