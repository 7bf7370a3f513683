"""How large a program may be, so that one of anybody's cannot keep whoever opens it busy.

Opening reads a program through (`compile.coverage.check`, the length of its proofs), and takes time that
grows with its terms and axes alone. Verifying walks the axes of what the relations read and show. Both are
bounded here, far above what any network needs, before anything is computed from the numbers.

Source: octet.md 3.5 (layout); circuits/srs_file.py (the largest SRS).
"""

from collections.abc import Sequence

from circuits.octet.program import Program
from circuits.octet.tensors import Block, Input, Output, VkTensor, padded, padded_size
from circuits.octet.terms import Axis, Contract, Relation, Term
from circuits.srs_file import MAX_LOGROWS
from zkml.errors import CompileError

MAX_COLUMNS = 1024
MAX_TENSORS = 16_384
MAX_TABLES = 256
MAX_RELATIONS = 1024
MAX_TERMS = 16_384
MAX_RANK = 12
MAX_STEP = 1 << MAX_LOGROWS
"""Of strides, dilations, offsets and lengths alike: none reaches beyond a column."""

MAX_PUBLIC = 1 << 20
"""Elements of all public tensors together, padding included."""

MAX_WALKED = 1 << 21
"""Steps of a verifier over the axes of all relations (`_walked`); one is a multiplication or two."""

AXIS_STEPS = 32
"""What an axis costs however short it is."""

MAX_NAME = 256
_LONG = 10**18


def check_limits(program: Program) -> None:
    """Check that a program is of a size that any network could have.

    Raises:
        CompileError: a number, a count or a name is beyond its limit; the message says which.
    """
    _within("log2 of the rows", program.nu, MAX_LOGROWS)
    _within("saturation limbs", program.saturation, 8)
    _within("columns of the verifying key", program.vk_columns, MAX_COLUMNS)
    public: list[Input | Output | Block | VkTensor] = [*program.inputs, *program.outputs]
    tensors = [*public, *program.blocks, *program.vk_tensors]
    _within("tensors", len(tensors), MAX_TENSORS)
    _within("tables", len(program.tables), MAX_TABLES)
    _within("relations", len(program.relations), MAX_RELATIONS)
    terms = [term for relation in program.relations for term in relation.terms]
    _within("terms", len(terms), MAX_TERMS)
    names = [tensor.name for tensor in tensors] + [table.name for table in program.tables]
    for name in names:
        if len(name) > MAX_NAME or not name.isprintable():
            raise CompileError(
                f"expected printable names of at most {MAX_NAME} characters, found {name!a:.80}"
            )
    for tensor in tensors:
        _check_lengths(tensor.dims)
    shown = sum(padded_size(tensor.dims) for tensor in public)
    _within("elements of public tensors", shown, MAX_PUBLIC)
    for term in terms:
        _check_axes(term)
    _within("positions walked", _walked(program), MAX_WALKED)


def _check_lengths(dims: Sequence[int]) -> None:
    _within("axes of a tensor", len(dims), MAX_RANK)
    for length in dims:
        _within("elements of an axis", abs(length), MAX_STEP)


def _check_axes(term: Term) -> None:
    _within("axes of a term", len(term.axes), MAX_RANK)
    if isinstance(term, Contract):
        _within("axes of a weight", len(term.weight_axes), MAX_RANK)
    for axis in term.axes:
        for number in (axis.first, axis.count, axis.stride, axis.taps, axis.dilation, axis.base):
            _within("a step of an axis", abs(number), MAX_STEP)


def _walked(program: Program) -> int:
    """Count what a verifier walks: of every relation its target's axes and all that its terms read.

    Tensors are found by kind and name, as everywhere; one that is not there counts nothing, and is refused
    by the coverage check.
    """
    axes = {("output", item.name): _along(item.dims) for item in program.outputs}
    axes |= {("vk", item.name): _along(item.dims) for item in program.vk_tensors}
    for block in program.blocks:
        axes[("block", block.name)] = axes[("lut", block.name)] = _along(block.dims)
    elements = {given.name: given.size for given in program.inputs}
    return sum(_walked_by(relation, axes, elements) for relation in program.relations)


def _walked_by(relation: Relation, axes: dict[tuple[str, str], int], elements: dict[str, int]) -> int:
    target = ("block", relation.block) if relation.block else ("output", relation.output)
    steps = AXIS_STEPS + axes.get(target, 0) + elements.get(relation.input, 0)
    for term in relation.terms:
        source = term.source
        steps += axes.get((source.kind, source.name), 0)
        steps += sum(AXIS_STEPS + _read(axis) for axis in term.axes)
        if isinstance(term, Contract):
            steps += axes.get(("vk", term.weight), 0)
    return 2 * steps if relation.kind == "argmax" else steps  # which is tested at two points


def _along(dims: Sequence[int]) -> int:
    return sum(AXIS_STEPS + padded(length) for length in dims)


def _read(axis: Axis) -> int:
    return max(axis.count, 0) * max(axis.taps, 0)


def _within(what: str, found: int, limit: int) -> None:
    if found > limit:
        shown = found if found < _LONG else f"a number beyond {_LONG}"
        raise CompileError(f"expected {what} up to {limit}, found {shown}")
