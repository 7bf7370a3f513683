"""The coverage check: no program leaves a row that is read to the prover's choice.

A forgotten relation is the most dangerous fault a compiler can have: proofs still verify, and mean nothing.
So every program is checked on its own, without the model it came from, before a key is made of it: each row
that any term or table query reads is an output row of exactly one relation, relations read only what was
determined before them, nothing overlaps, and every axis map means what its docstring says.

Source: octet.md 3.5 (coverage invariant), 3.0 items 1, 5, 7, 10, 12 and 17.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from math import prod

from circuits.octet.program import BOUND_BITS, LIMB_TABLE, MAX_SLOTS, SHIFTS, VERSION, Program
from circuits.octet.tensors import Block, Input, Output, VkTensor, padded_size
from circuits.octet.terms import Axis, Contract, Linear, Relation, Source
from zkml.errors import CompileError


def check(program: Program) -> None:
    """Check that a program determines everything it reads.

    Raises:
        CompileError: it does not; the message names the rule, the place and what was found.
    """
    _check_numbers(program)
    _check_names(program)
    _check_rows(program)
    _check_tables(program)
    _check_owners(program)
    determined: set[str] = set()
    last = {relation.block: number for number, relation in enumerate(program.relations)}
    for number, relation in enumerate(program.relations):
        where = f"relation {number} ({relation.kind} {relation.block or relation.output!r})"
        _check_relation(program, relation, determined, where)
        if relation.block and last[relation.block] == number:
            determined.add(relation.block)


def _require(holds: bool, expected: str, found: object, where: str = "the program") -> None:  # noqa: FBT001
    if not holds:
        raise CompileError(f"expected {expected}, found {found!s:.200} in {where}")


def _check_numbers(program: Program) -> None:
    _require(program.version == VERSION, f"version {VERSION}", program.version)
    _require(program.nu >= LIMB_TABLE.bit_length() - 1, "nu of at least 8", program.nu)
    _require(program.shift in SHIFTS, f"a shift among {SHIFTS}", program.shift)
    fits = program.saturation >= 1 and program.shift + 8 * program.saturation < BOUND_BITS
    _require(fits, "saturation limbs of 1 up to the bound on integers", program.saturation)
    maxima = any(relation.kind == "max" for relation in program.relations)
    slots = range(2, MAX_SLOTS + 1) if maxima else range(1)
    _require(program.slots in slots, f"slots in {slots}", program.slots)


def _check_names(program: Program) -> None:
    for kind, names in (
        ("inputs", [item.name for item in program.inputs]),
        ("outputs", [item.name for item in program.outputs]),
        ("blocks", [item.name for item in program.blocks]),
        ("constants", [item.name for item in program.vk_tensors]),
        ("tables", [item.name for item in program.tables]),
    ):
        _require("" not in names, "a name for everything", "an empty one", kind)
        _require(len(set(names)) == len(names), "one name each", sorted(names), kind)
    sized: list[Input | Output | Block | VkTensor] = [*program.inputs, *program.outputs]
    for item in [*sized, *program.blocks, *program.vk_tensors]:
        _require(bool(item.dims) and min(item.dims) >= 1, "axes of at least 1", item.dims, repr(item.name))
    for given in program.inputs:
        _require(
            0 <= given.low <= given.high <= 255, "a domain of bytes", (given.low, given.high), given.name
        )
        # Lanes of a word that are narrower than a byte would run into each other.
        _require(given.width in {1, 2}, "elements of 1 or 2 bytes", given.width, given.name)
    for out in program.outputs:
        # A relation is tested at nu coordinates: a larger output would be tested in part.
        size = padded_size(out.dims)
        _require(size <= program.rows, f"at most {program.rows} rows", size, out.name)


def _check_rows(program: Program) -> None:
    """Blocks are aligned, inside the columns and disjoint; so are the constants of each column."""
    _check_disjoint(program, program.blocks, "the witness")
    _require(program.vk_columns >= 0, "columns", program.vk_columns)
    for tensor in program.vk_tensors:
        inside = 0 <= tensor.column < program.vk_columns
        _require(inside, f"a column below {program.vk_columns}", tensor.column, repr(tensor.name))
    held: dict[int, list[VkTensor]] = {}
    for tensor in program.vk_tensors:
        held.setdefault(tensor.column, []).append(tensor)
    for column in sorted(held):
        _check_disjoint(program, held[column], f"column K{column}")


def _check_disjoint(program: Program, items: Sequence[Block | VkTensor], where: str) -> None:
    end = 0
    for item in sorted(items, key=lambda entry: entry.offset):
        _require(
            item.offset % item.size == 0,
            f"an offset that is a multiple of {item.size}",
            item.offset,
            item.name,
        )
        _require(
            item.offset >= end, f"rows from {end} on, not another's", item.offset, f"{item.name!r}, {where}"
        )
        end = item.offset + item.size
        _require(end <= program.rows, f"rows below {program.rows}", end, f"{item.name!r}, {where}")


def _check_tables(program: Program) -> None:
    identities = [table.identity for table in program.tables]
    _require(len(set(identities)) == len(identities), "distinct identities", identities, "the tables")
    tensors = {tensor.name: tensor for tensor in program.vk_tensors}
    values = [table.values for table in program.tables]
    _require(len(set(values)) == len(values), "values of its own for each table", values, "the tables")
    for table in program.tables:
        inside = 1 <= table.identity < 1 << BOUND_BITS
        _require(inside, f"an identity of 1 up to 2^{BOUND_BITS}", table.identity, repr(table.name))
        held = tensors.get(table.values)
        found = held.dims if held else None
        _require(found == (LIMB_TABLE,), f"{LIMB_TABLE} values", found, f"table {table.name!r}")
    asked = {block.lut for block in program.blocks} - {""}
    _require(
        asked == {table.name for table in program.tables}, "every table asked, and no other", sorted(asked)
    )


def _check_owners(program: Program) -> None:
    """Every block and output is determined by exactly one relation (one per slot for a maximum).

    So is every input held by exactly one.
    """
    made: dict[str, list[Relation]] = {block.name: [] for block in program.blocks}
    published: Counter[str] = Counter()
    held: Counter[str] = Counter()
    for relation in program.relations:
        aims = {
            "requant": (bool(relation.block), not relation.output, not relation.input),
            "max": (bool(relation.block), not relation.output, not relation.input),
            "argmax": (bool(relation.block), bool(relation.output), not relation.input),
            "public": (not relation.block, bool(relation.output), not relation.input),
            "input": (bool(relation.block), not relation.output, bool(relation.input)),
        }
        found = (relation.kind, relation.block, relation.output, relation.input)
        _require(all(aims.get(relation.kind, (False,))), "a target of the relation's kind", found)
        if relation.block:
            _require(relation.block in made, "a block of the program", relation.block)
            made[relation.block].append(relation)
        if relation.output:
            published[relation.output] += 1
        if relation.input:
            held[relation.input] += 1
    for name, relations in made.items():
        shapes = sorted((relation.kind, relation.slot) for relation in relations)
        alone = shapes in ([("requant", 0)], [("argmax", 0)], [("input", 0)])
        maximum = bool(program.slots) and shapes == [("max", slot) for slot in range(program.slots)]
        _require(alone or maximum, "exactly one relation that determines it", shapes, f"block {name!r}")
    lut_blocks = [block.name for block in program.blocks if block.lut]
    for name in lut_blocks:
        kinds = {relation.kind for relation in made[name]}
        _require(kinds == {"requant"}, "bytes that were requantized behind a table", kinds, f"block {name!r}")
    _check_once("output", [output.name for output in program.outputs], published)
    _check_once("input", [given.name for given in program.inputs], held)


def _check_once(what: str, names: Iterable[str], found: Counter[str]) -> None:
    counts = {name: found.pop(name, 0) for name in names}
    _require(set(counts.values()) == {1} and not found, f"one relation per {what}", counts | found)


def _check_relation(program: Program, relation: Relation, determined: set[str], where: str) -> None:
    if relation.output:
        output = program.output(relation.output)
        _require(
            (output.kind == "argmax") == (relation.kind == "argmax"),
            "an output of its kind",
            output.kind,
            where,
        )
        if relation.block:
            dims = program.block(relation.block).dims
            _require(dims == output.dims, f"the dimensions {output.dims}", dims, where)
    _require(relation.slot == 0 or relation.kind == "max", "slot 0", relation.slot, where)
    _require(
        abs(relation.constant) < 1 << BOUND_BITS, f"a constant below 2^{BOUND_BITS}", relation.constant, where
    )
    target = program.target_dims(relation)
    if relation.kind == "input":
        dims = program.input(relation.input).dims
        _require(target == dims, f"the dimensions {dims}", target, where)
        # What holds an input's words has no other side: neither a term nor a constant would be read.
        _require((relation.terms, relation.constant) == ((), 0), "words alone", relation, where)
    if relation.kind == "max":
        _check_tap(relation, where)
    for term in relation.terms:
        _check_source(program, term.source, determined, where)
        dims = program.tensor(term.source).dims
        _require(len(term.axes) == len(dims), f"{len(dims)} axes", len(term.axes), where)
        if isinstance(term, Contract):
            _check_contract(program, term, dims, target, where)
        else:
            small = 0 < abs(term.scale) < 1 << BOUND_BITS
            _require(small, f"a scale other than 0 and below 2^{BOUND_BITS}", term.scale, where)
            _check_axes(term.axes, target, where, set())


def _check_tap(relation: Relation, where: str) -> None:
    """A difference of a maximum is Y minus one byte, nothing else."""
    term = relation.terms[0] if len(relation.terms) == 1 else None
    plain = (
        isinstance(term, Linear)
        and term.scale == 1
        and term.source.zero == 0
        and term.source.kind != "vk"
        and all(axis.taps == 1 for axis in term.axes)
        and relation.constant == 0
    )
    _require(plain, "one byte as it is", relation.terms, where)


def _check_source(program: Program, source: Source, determined: set[str], where: str) -> None:
    if source.kind in {"block", "lut"}:
        _require(
            source.name in determined, "rows that a relation before determined", repr(source.name), where
        )
        asks = bool(program.block(source.name).lut)
        _require(asks or source.kind == "block", "a block that asks a table", repr(source.name), where)
        _require(0 <= source.zero <= 255, "a zero point of 0..255", source.zero, where)
        return
    _require(source.kind == "vk", "a block, its table's values or a constant", source.kind, where)
    try:
        program.tensor(source)
    except KeyError as error:
        raise CompileError(
            f"expected a constant of the program, found {source.name!r:.200} in {where}"
        ) from error
    _require(source.zero == 0, "a constant as it is", source.zero, where)


def _check_axes(axes: Iterable[Axis], target: tuple[int, ...], where: str, used: set[int]) -> None:
    """Check walked axes: inside the output, each output axis named once, every step forward."""
    for axis in axes:
        counts = min(axis.count, axis.stride, axis.taps, axis.dilation) >= 1 and axis.first >= 0
        _require(counts, "counts and steps of at least 1", axis, where)
        if axis.out is None:
            _require((axis.first, axis.count) == (0, 1), "taps alone without an output axis", axis, where)
        else:
            _claim_output(axis.out, target, used, where)
            end = axis.first + axis.count
            _require(end <= target[axis.out], f"output indices below {target[axis.out]}", end, where)


def _claim_output(out: int, target: tuple[int, ...], used: set[int], where: str) -> None:
    _require(0 <= out < len(target), f"an output axis below {len(target)}", out, where)
    # Named twice, the axis would weigh every element by the square of its eq: no relation of the page.
    _require(out not in used, "each output axis named once", out, where)
    used.add(out)


def _check_contract(
    program: Program, term: Contract, dims: tuple[int, ...], target: tuple[int, ...], where: str
) -> None:
    _require(term.source.kind != "vk", "a product with an activation", term.source.kind, where)
    try:
        weight = program.vk_tensor(term.weight)
    except KeyError as error:
        raise CompileError(f"expected a weight of the program, found {term.weight!r} in {where}") from error
    _require(
        len(term.weight_axes) == len(weight.dims), f"{len(weight.dims)} axes", len(term.weight_axes), where
    )
    used: set[int] = set()
    named: set[int] = set()
    kernels = 0
    for axis, length in zip(term.weight_axes, weight.dims, strict=True):
        if axis.kernel:
            kernels += 1
            _require(axis.out is None and axis.source is None, "a kernel axis by itself", axis, where)
            continue
        _require(axis.out is not None or axis.source is not None, "an axis that is tied", axis, where)
        if axis.source is not None:
            inside = 0 <= axis.source < len(dims) and axis.source not in named
            _require(inside, "each source axis named once", axis.source, where)
            named.add(axis.source)
            _require(dims[axis.source] == length, f"an axis of {dims[axis.source]}", length, where)
        if axis.out is not None:
            _claim_output(axis.out, target, used, where)
            _require(target[axis.out] == length, f"an axis of {target[axis.out]}", length, where)
        if axis.source is not None:
            expected = (
                {Axis(axis.out, 0, length)}
                if axis.out is not None
                else {Axis(None, 0, 1), Axis(None, 0, 1, taps=length)}
            )
            _require(term.axes[axis.source] in expected, "a whole axis", term.axes[axis.source], where)
    walked = [axis for position, axis in enumerate(term.axes) if position not in named]
    _check_axes(walked, target, where, used)
    taps = prod(axis.taps for axis in walked if axis.out is not None)
    lengths = [length for axis, length in zip(term.weight_axes, weight.dims, strict=True) if axis.kernel]
    _require(
        kernels <= 1 and all(length == taps for length in lengths), f"a kernel of {taps}", lengths, where
    )
