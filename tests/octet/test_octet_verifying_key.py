"""The key pins every constant, the layout, the semantics and the SRS; nothing of it can change unseen."""

from dataclasses import fields, replace

import numpy as np
import pytest
from random_graphs import RandomGraph

from circuits.octet.compile.fixed_point import PortTensors
from circuits.octet.compile.lower import lower
from circuits.octet.compile.verifying_key import key_columns, key_digest, make_key
from circuits.octet.program import program_from_json
from circuits.octet.spec.srs import LocalSrs
from zkml.core.field import R
from zkml.core.tensors import InputDomain
from zkml.errors import CompileError, KeygenError


@pytest.fixture(scope="module")
def lowered():
    """A network with a table, a maximum and weights."""
    for seed in range(200):
        found = lower(RandomGraph(seed).build())
        program = found.program
        if program.tables and program.slots and program.vk_columns and program.nu <= 9:
            return found
    raise AssertionError("expected a network with a table and a maximum among the seeds")


def test_verifying_key__each_constant_stands_where_the_program_says_and_all_else_is_zero(lowered):
    """Every entry of every constant is found at its index's row, and the columns hold nothing more."""
    program = lowered.program
    columns = key_columns(program, lowered.constants)
    expected = {name: [0] * program.rows for name in program.key_columns}
    for tensor in program.vk_tensors:
        for index in np.ndindex(tensor.dims):
            row = tensor.offset + int(np.ravel_multi_index(index, tensor.padded))
            expected[f"K{tensor.column}"][row] = int(lowered.constants[tensor.name][index]) % R
    assert {name: list(column) for name, column in columns.items()} == expected


def test_verifying_key__the_digest_depends_on_everything_a_verifier_relies_on(lowered):
    """Another layout, weight, semantics, SRS or meaning at the port gives another digest."""
    program, constants = lowered.program, lowered.constants
    reference = lowered.graph.digest()
    srs = LocalSrs(program.rows)
    key = make_key(program, constants, reference, srs).verifying
    weight = next(name for name in constants if name.startswith("weight:"))
    changed = constants | {weight: constants[weight] + 1}
    tables = (replace(program.tables[0], identity=99), *program.tables[1:])
    others = [
        make_key(program, changed, reference, srs),
        make_key(replace(program, tables=tables), constants, reference, srs),
        make_key(program, constants, bytes(32), srs),
        make_key(program, constants, reference, LocalSrs(program.rows, seed=b"another ceremony")),
        make_key(program, constants, reference, srs, meaning=b"\1" * 32),
    ]
    digests = {key.digest, *(other.verifying.digest for other in others)}
    assert len(digests) == 6
    assert make_key(program, constants, reference, srs).verifying == key


def test_verifying_key__a_swapped_commitment_changes_the_digest():
    """The order of the columns is part of what is pinned."""
    found = next(
        low
        for low in (lower(RandomGraph(seed).build(), nu=8) for seed in (0, 1, 2))
        if low.program.vk_columns
    )
    program = replace(found.program, vk_columns=2)
    points = LocalSrs(4).points(2)
    tau = LocalSrs(4).tau_g2
    digests = {key_digest(program, bytes(32), bytes(32), order, tau) for order in (points, points[::-1])}
    assert len(digests) == 2


@pytest.mark.parametrize("field", [item.name for item in fields(PortTensors)])
def test_verifying_key__each_part_of_the_meaning_at_the_port_changes_it(field):
    """Scales, offset, domain, shapes, batch and the arg-max are all in the 32 bytes that the digest absorbs."""
    port = PortTensors("x", (1, 4), (1, 3), 5, 128, InputDomain(-128, 127), 7, argmax=False, batch=1)
    assert len(port.digest()) == 32
    other = {
        "input_name": "y",
        "input_shape": (4, 1),
        "output_shape": (3,),
        "input_scale_bits": 6,
        "input_offset": 127,
        "domain": InputDomain(-128, 126),
        "output_scale_bits": 8,
        "argmax": True,
        "batch": 2,
    }
    assert replace(port, **{field: other[field]}).digest() != port.digest()


def test_verifying_key__constants_that_do_not_fit_the_program_make_no_key(lowered):
    """Missing, unknown or misshapen constants, a short SRS and a short reference are refused."""
    program, constants = lowered.program, lowered.constants
    srs = LocalSrs(program.rows)
    name = next(iter(constants))
    wrong = [
        {key: value for key, value in constants.items() if key != name},
        constants | {"more": np.zeros(1, dtype=np.int64)},
        constants | {name: np.zeros(3, dtype=np.int64)},
    ]
    for given in wrong:
        with pytest.raises(KeygenError):
            make_key(program, given, bytes(32), srs)
    with pytest.raises(KeygenError):
        make_key(program, constants, bytes(32), LocalSrs(program.rows - 1))
    with pytest.raises(KeygenError):
        make_key(program, constants, bytes(31), srs)
    with pytest.raises(KeygenError):
        make_key(program, constants, bytes(32), srs, meaning=bytes(31))


def test_verifying_key__no_key_is_made_of_a_program_that_leaves_a_row_undetermined(lowered):
    """The coverage check stands before every key, not only before those of our compiler."""
    program = replace(lowered.program, relations=lowered.program.relations[1:])
    with pytest.raises(CompileError):
        make_key(program, lowered.constants, bytes(32), LocalSrs(program.rows))


def test_verifying_key__a_compiled_program_survives_being_written_and_read(lowered):
    """Canonical JSON and back is the same program with the same digest."""
    again = program_from_json(lowered.program.to_json())
    assert again == lowered.program
    assert again.digest() == lowered.program.digest()
