"""The words of a chain key say what the program says, and what does not fit the contract is refused."""

from dataclasses import replace

import octet_programs as programs
import pytest
from test_octet_net_a import net_a

from circuits.octet.chain.chain_key import HEADER_WORDS, MAX_WORDS, chain_key_words
from circuits.octet.spec.curve import Q
from circuits.octet.spec.pairing import G2_GENERATOR, g2_words
from circuits.octet.spec.proof_words import part_lengths
from circuits.octet.spec.statement import VerifyingKey
from circuits.octet.tensors import Block, Input
from zkml.core.tensors import InputDomain, TensorLayout
from zkml.errors import UnsuitableCircuitError

LAYOUT, DOMAIN, ZERO = TensorLayout(784, 1, 10, 4), InputDomain(-128, 127), 128


def key_of(program, digest=b"\7" * 32):
    points = tuple((index, index + 1) for index in range(1, program.vk_columns + 1))
    return chain_key_words(VerifyingKey(program, points, digest), G2_GENERATOR, LAYOUT, DOMAIN, ZERO)


def fields(word):
    return [int.from_bytes(word[at : at + 2], "big") for at in range(0, 32, 2)]


@pytest.mark.parametrize("make", [*programs.CASES, net_a])
def test_chain_key__the_header_counts_what_the_program_has(make):
    """Columns, claims, finals, words of a proof and of the key, and where the frame begins."""
    program = make().program
    words = key_of(program)
    shape, frame, places = (fields(word) for word in words[:3])
    lengths = part_lengths(program)
    assert {len(word) for word in words} == {32}
    assert shape[1:9] == [
        program.nu, program.shift // 8, program.saturation, program.slots, len(program.tables),
        len(program.first_columns), len(program.second_columns), program.vk_columns,
    ]  # fmt: skip
    assert shape[9:11] == [lengths[3], lengths[5]]
    assert frame[8:10] == [sum(lengths), len(words)]
    assert len(words) < frame[0] < frame[1] < frame[2] < frame[3] < frame[7]
    starts = [places[0], places[1], places[3], places[5], places[6]]
    assert starts == sorted(starts)
    assert starts[0] == HEADER_WORDS
    assert 32 * places[6] < places[8] < places[9] < places[10] < 32 * len(words)
    assert [int.from_bytes(word, "big") for word in words[places[6] : places[6] + 2]] == [1, 2]


def test_chain_key__digest_and_negated_tau_stand_in_the_header():
    """The statement's digest is the transcript's; the point is -[tau]_2 in the order of the precompile."""
    words = key_of(programs.one_gemm().program, digest=b"\x2a" * 32)
    x1, x0, y1, y0 = g2_words(G2_GENERATOR)
    assert words[4] == b"\x2a" * 32
    assert [int.from_bytes(word, "big") for word in words[5:9]] == [x1, x0, Q - y1, Q - y0]


def test_chain_key__the_port_stands_in_the_header_as_a_clone_has_it():
    """Counts and widths of the packed tensors, then the domain of the input's elements, then the zero point."""
    words = key_of(net_a().program)
    expected = b"".join([
        (784).to_bytes(4, "big"), b"\1", (10).to_bytes(4, "big"), b"\4",
        (-128).to_bytes(8, "big", signed=True), (127).to_bytes(8, "big"), bytes(6),
    ])  # fmt: skip
    assert words[3] == expected
    assert fields(words[2])[11] == ZERO


def test_chain_key__a_program_beyond_the_contracts_numbers__is_refused():
    """More input words than a slot of 16 bits can name, and more columns than a key has words for."""
    program = programs.one_gemm().program
    wide = (1 << 10, 1 << 10)
    large = replace(
        program,
        nu=21,
        inputs=(Input("x", wide),),
        blocks=(Block("x", 0, wide),),
        relations=(programs.held("x"),),
        outputs=(),
    )
    with pytest.raises(UnsuitableCircuitError, match="expected a frame of at most"):
        key_of(large)
    with pytest.raises(UnsuitableCircuitError, match=f"at most {MAX_WORDS} words"):
        key_of(replace(program, vk_columns=1024))
