"""Operators: each node must be one that the proving engine proves as ONNX defines it."""

import difflib
import json
from collections import Counter
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from zkml.errors import UnsupportedOperatorError
from zkml.export.graph import node_label
from zkml.export.node_view import views_of
from zkml.export.operator_rules import broken_rules

if TYPE_CHECKING:
    from onnx import ModelProto

_DEFAULT_DOMAINS = ("", "ai.onnx")


@cache
def operator_table() -> dict[str, Any]:
    """Return the measured table: `supported` operators, and what is `nearest` to some others."""
    table: dict[str, Any] = json.loads(files("zkml.export").joinpath("operators.json").read_text("utf-8"))
    return table


def count_operators(model: "ModelProto") -> tuple[tuple[str, int], ...]:
    """Return each operator with the number of its nodes, sorted by name."""
    return tuple(sorted(Counter(node.op_type for node in model.graph.node).items()))


def check_operators(model: "ModelProto") -> None:
    """Check that EZKL proves every node of the model, as ONNX defines it.

    Raises:
        UnsupportedOperatorError: names the first node, its operator, the nearest supported and the fix.
    """
    supported = frozenset(operator_table()["supported"])
    for index, node in enumerate(model.graph.node):
        if node.domain not in _DEFAULT_DOMAINS:
            raise UnsupportedOperatorError(
                f"expected ONNX's own operators, found {node.domain}.{node.op_type} "
                f"at node {node_label(node, index)}",
                hint="export without custom operators",
                operator=f"{node.domain}.{node.op_type}",
            )
        if node.op_type not in supported:
            nearest = _nearest(node.op_type)
            raise UnsupportedOperatorError(
                f"expected an operator that {operator_table()['engine']} proves, "
                f"found {node.op_type} at node {node_label(node, index)}",
                hint=f"use {nearest}" if nearest else "move this step out of the model",
                operator=node.op_type,
                nearest=nearest,
            )
    _check_cases(model)


def check_flat(model: "ModelProto") -> None:
    """Check that the graph calls no functions of its own.

    Raises:
        UnsupportedOperatorError: names the first.
    """
    if model.functions:
        raise UnsupportedOperatorError(
            f"expected a flat graph, found the local function {model.functions[0].name!r:.80}",
            hint="inline it: onnx.inliner.inline_local_functions",
            operator=model.functions[0].name,
        )


def _check_cases(model: "ModelProto") -> None:
    for node in views_of(model):
        for rule in broken_rules(node):
            raise UnsupportedOperatorError(
                f"expected {node.operator} as {operator_table()['engine']} proves it, "
                f"found {rule.found} at node {node.label}",
                hint=rule.fix,
                operator=node.operator,
            )


def _nearest(operator: str) -> str:
    table = operator_table()
    if operator in table["nearest"]:
        return " and ".join(table["nearest"][operator])
    return ", ".join(difflib.get_close_matches(operator, table["supported"], n=1, cutoff=0.75))
