"""What a program states, evaluated element by element over the integers: an oracle that shares no code with prover,
verifier, compiler or witness. It reads the docstrings of circuits.octet.program and octet.md 3.6 and 3.7 literally."""

from collections import Counter
from itertools import product
from math import prod

from circuits.octet.terms import Contract


def broken_rules(program, constants, columns, inputs, outputs):
    """Return every rule that the columns break, as text.

    Args:
        program: the statement.
        constants: arrays by name.
        columns: arrays by name, of all of R1.
        inputs: arrays by name.
        outputs: values by name, flat lists.
    """
    found = [*_row_rules(program, constants, columns)]
    for number, relation in enumerate(program.relations):
        if relation.kind == "input":
            if not _holds(program, columns, inputs[relation.input], relation):
                found.append(f"relation {number} input {relation.block}")
            continue
        target = program.target_dims(relation)
        terms = {
            index: _right_side(program, constants, columns, relation, index)
            for index in product(*map(range, target))
        }
        if relation.kind == "argmax":
            terms = _margins(terms, outputs[relation.output][0])
        if relation.kind == "public":
            if list(terms.values()) != list(outputs[relation.output]):
                found.append(f"output {relation.output}")
            continue
        block = program.block(relation.block)
        for index in product(*map(range, block.padded)):
            row = block.offset + _position(index, block.padded)
            if _left_side(program, columns, relation, row) != terms.get(index, 0):
                found.append(f"relation {number} {relation.kind} {relation.block} at {index}")
                break
    return found


def stated_outputs(program, values):
    """Split flat outputs by name."""
    found, start = {}, 0
    for output in program.outputs:
        found[output.name] = values[start : start + output.count]
        start += output.count
    return found


def _row_rules(program, constants, columns):
    queries = _queries(program)
    for row in range(program.rows):
        cell = {name: int(column[row]) for name, column in columns.items()}
        outside = [name for name in program.limb_columns if not 0 <= cell[name] < 256]
        if outside:
            yield f"limbs {outside} at {row}"
            continue
        if _digits(cell, "P", program.saturation) * (255 - cell["Y"]):
            yield f"overflow at {row}"
        if _digits(cell, "N", program.saturation) * cell["Y"]:
            yield f"underflow at {row}"
        if program.slots and prod(cell[f"D{i}"] for i in range(program.slots)):
            yield f"maximum at {row}"
        expected = int(constants[queries[row].values][cell["Y"]]) if row in queries else 0
        if cell.get("V", 0) != expected:
            yield f"table value at {row}"
    yield from _count_rules(program, columns, queries)


def _queries(program):
    """The table that each row asks."""
    tables = {table.name: table for table in program.tables}
    return {
        block.offset + _position(index, block.padded): tables[block.lut]
        for block in program.blocks
        if block.lut
        for index in product(*map(range, block.dims))
    }


def _count_rules(program, columns, queries):
    counts = Counter(int(value) for name in program.limb_columns for value in columns[name])
    if any(int(count) != counts[row] for row, count in enumerate(columns["M"])):
        yield "multiplicities of bytes"
    for table in program.tables:
        start = program.vk_tensor(table.values).offset
        asked = Counter(start + int(columns["Y"][row]) for row, asks in queries.items() if asks is table)
        if any(int(count) != asked[row] for row, count in enumerate(columns[f"M:{table.name}"])):
            yield f"multiplicities of {table.name}"


def _digits(cell, letter, count):
    return sum(256**i * cell[f"{letter}{i}"] for i in range(count))


def _holds(program, columns, values, relation):
    """Whether a block's rows are the input's bytes and zeros."""
    block = program.block(relation.block)
    return all(
        int(columns["Y"][block.offset + _position(index, block.padded)])
        == (int(values[index]) if all(i < n for i, n in zip(index, block.dims, strict=True)) else 0)
        for index in product(*map(range, block.padded))
    )


def _left_side(program, columns, relation, row):
    low = sum(256**i * int(columns[f"R{i}"][row]) for i in range(program.shift // 8))
    y = int(columns["Y"][row])
    if relation.kind == "max":
        return y - int(columns[f"D{relation.slot}"][row])
    if relation.kind == "argmax":
        return (y << program.shift) + low
    over = sum(256**i * int(columns[f"P{i}"][row]) for i in range(program.saturation))
    under = sum(256**i * int(columns[f"N{i}"][row]) for i in range(program.saturation))
    return ((y + over - under) << program.shift) + low


def _margins(scores, winner):
    values = list(scores.values())
    return {
        index: values[winner] - value - (position < winner)
        for position, (index, value) in enumerate(scores.items())
    }


def _right_side(program, constants, columns, relation, index):
    return relation.constant + sum(
        (_contract if isinstance(term, Contract) else _linear)(program, constants, columns, term, index)
        for term in relation.terms
    )


def _linear(program, constants, columns, term, index):
    dims = program.tensor(term.source).dims
    walks = [list(_taps(axis, n, index)) for axis, n in zip(term.axes, dims, strict=True)]
    cells = (
        _value(program, constants, columns, term.source, tuple(position for _, position in chosen))
        for chosen in product(*walks)
    )
    return term.scale * sum(cells)


def _contract(program, constants, columns, term, index):
    dims = program.tensor(term.source).dims
    named = {axis.source: axis for axis in term.weight_axes if axis.source is not None}
    walks = []
    for position, (axis, n) in enumerate(zip(term.axes, dims, strict=True)):
        if position not in named:
            walks.append(list(_taps(axis, n, index)))
        elif named[position].out is not None:
            walks.append([(0, index[named[position].out])])
        else:
            walks.append([(0, i) for i in range(n)])
    kernel_axes = [p for p, axis in enumerate(term.axes) if p not in named and axis.out is not None]
    total = 0
    for chosen in product(*walks):
        tap = 0
        for position in kernel_axes:
            tap = tap * term.axes[position].taps + chosen[position][0]
        place = tuple(
            tap if axis.kernel else index[axis.out] if axis.out is not None else chosen[axis.source][1]
            for axis in term.weight_axes
        )
        cell = _value(program, constants, columns, term.source, tuple(position for _, position in chosen))
        total += cell * int(constants[term.weight][place])
    return total


def _taps(axis, length, index):
    """Yield (tap, source index) for those inside the source."""
    step = 0
    if axis.out is not None:
        step = index[axis.out] - axis.first
        if not 0 <= step < axis.count:
            return
    for tap in range(axis.taps):
        position = axis.base + axis.stride * step + axis.dilation * tap
        if 0 <= position < length:
            yield tap, position


def _value(program, constants, columns, source, index):
    if source.kind == "vk":
        return int(constants[source.name][index])
    block = program.block(source.name)
    row = block.offset + _position(index, block.padded)
    return int(columns["Y" if source.kind == "block" else "V"][row]) - source.zero


def _position(index, lengths):
    position = 0
    for i, length in zip(index, lengths, strict=True):
        position = position * length + i
    return position
