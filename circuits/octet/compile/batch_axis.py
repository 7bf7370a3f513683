"""Several items in one statement: every tensor gets an axis of items, in front of its own.

The integer graph is that of one item, and stays so; a batch is made of what was lowered. An axis in front is
the highest bits of a tensor's index, and a term that reads item b for item b ties them by one more source
axis: `Axis(0, 0, items)`. Constants are read for every item alike. So nothing is stored again, no relation is
added, and a relation's weights at a random point are those of one item, times eq along the items.

An arg-max alone compares one row of scores with one public index: it becomes one relation, one block and one
output per row. `row_of` reads the scores of a row; it serves models with several rows just so.

Source: octet.md 3.4 (relations), 3.5 (layout), 3.0 item 5 (arg-max).
"""

from dataclasses import replace
from itertools import groupby
from typing import TypeVar

from circuits.octet.compile.draft import Draft
from circuits.octet.tensors import Block, Input, Output
from circuits.octet.terms import Axis, Contract, Linear, Relation, Term, WeightAxis

Made = TypeVar("Made", Block, Output)
Tensor = TypeVar("Tensor", Block, Input, Output)


def with_batch(draft: Draft, items: int) -> Draft:
    """Return a draft that states of `items` inputs what the draft states of one.

    Outputs stay in their order, item after item; an arg-max gives its rows' indices item after item too.

    Args:
        draft: of one item, its weights not cut yet.
        items: at least 1; 1 returns the draft as it is.
    """
    if items == 1:
        return draft
    compared = {relation.block for relation in draft.relations if relation.kind == "argmax"}
    blocks: list[Block] = []
    for block in draft.blocks:
        blocks += _each(block, items) if block.name in compared else [_longer(block, items)]
    outputs: list[Output] = []
    for kind, group in groupby(draft.outputs, key=lambda output: output.kind):
        made = [_each(output, items) if kind == "argmax" else [_longer(output, items)] for output in group]
        # Row by row of item 0 first, as the port lists them.
        outputs += [output for item in zip(*made, strict=True) for output in item]
    relations = [made for relation in draft.relations for made in _relations(relation, items)]
    inputs = tuple(_longer(given, items) for given in draft.inputs)
    return Draft(tuple(relations), tuple(blocks), tuple(outputs), inputs)


def item_name(name: str, item: int, items: int) -> str:
    """Name what every item has one of; the only item's keeps its name."""
    return name if items == 1 else f"{name}@{item}"


def row_name(name: str, row: int, rows: int) -> str:
    """Name what every row of an arg-max has one of; the only row's keeps its name."""
    return name if rows == 1 else f"{name}[{row}]"


def row_of(terms: tuple[Term, ...], place: tuple[int, ...]) -> tuple[Term, ...] | None:
    """Return terms that make one row of an output: its leading axes are of length 1 and stand at `place`.

    Args:
        terms: of the whole output.
        place: an index for each of the leading axes.

    Returns:
        None where a weight varies along a leading axis: a product has no index for one place of a weight.
    """
    found = terms
    for axis, index in enumerate(place):
        for term in found:
            if isinstance(term, Contract) and any(tied.out == axis for tied in term.weight_axes):
                return None
        found = tuple(made for term in found if (made := _standing(term, axis, index)) is not None)
    return found


def _relations(relation: Relation, items: int) -> list[Relation]:
    terms = tuple(_lifted(term, items) for term in relation.terms)
    if relation.kind != "argmax":
        return [replace(relation, terms=terms)]
    found = []
    for item in range(items):
        row = row_of(terms, (item,))
        assert row is not None, "no weight varies along the items"
        block, output = (item_name(name, item, items) for name in (relation.block, relation.output))
        found.append(replace(relation, block=block, output=output, terms=row))
    return found


def _lifted(term: Term, items: int) -> Term:
    """Return a term of outputs with an axis of items in front."""
    axes = tuple(axis if axis.out is None else replace(axis, out=axis.out + 1) for axis in term.axes)
    if isinstance(term, Linear) and term.source.kind == "vk":
        return replace(term, axes=axes)
    axes = (Axis(0, 0, items), *axes)
    if isinstance(term, Linear):
        return replace(term, axes=axes)
    named = tuple(_behind(axis) for axis in term.weight_axes)
    return replace(term, axes=axes, weight_axes=named)


def _behind(axis: WeightAxis) -> WeightAxis:
    """Return a weight axis whose ties have moved up by one."""
    out = None if axis.out is None else axis.out + 1
    source = None if axis.source is None else axis.source + 1
    return replace(axis, out=out, source=source)


def _standing(term: Term, axis: int, index: int) -> Term | None:
    """Return a term whose output axis stands at an index, of length 1; None where it reads nothing there."""
    axes = []
    for walked in term.axes:
        if walked.out != axis:
            axes.append(walked)
            continue
        step = index - walked.first
        if not 0 <= step < walked.count:
            return None
        axes.append(replace(walked, first=0, count=1, base=walked.base + walked.stride * step))
    return replace(term, axes=tuple(axes))


def _longer(tensor: Tensor, items: int) -> Tensor:
    return replace(tensor, dims=(items, *tensor.dims))


def _each(tensor: Made, items: int) -> list[Made]:
    """Return what every item has one of, with an axis of length 1 in front."""
    dims = (1, *tensor.dims)
    return [replace(tensor, name=item_name(tensor.name, item, items), dims=dims) for item in range(items)]
