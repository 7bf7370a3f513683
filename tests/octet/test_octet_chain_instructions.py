"""Every instruction of a plan, in the contract's machine, is what its definition says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_machine import run_code

from circuits.octet.chain.instructions import Instruction, Op, Section, Slot
from circuits.octet.chain.interpreter import run
from zkml.core.field import R
from zkml.errors import RevertedError

WORDS = 400


def slot(index):
    return Slot(Section.FRAME, index)


def image(seed):
    rng = np.random.default_rng(seed)
    return [int.from_bytes(rng.bytes(32), "big") % R for _ in range(WORDS)]


def both(instructions, words):
    """Run instructions in the contract and by their definitions; return values and memories."""
    segment = (*instructions, Instruction(Op.END, ()))
    memory = {slot(index): word for index, word in enumerate(words)}
    expected = run(segment, memory)
    code = b"".join(instruction.encode(lambda place: place.index) for instruction in segment)
    value, _, found = run_code(code, words)
    return (value, found), (expected, [memory[slot(index)] for index in range(len(words))])


def agree(words, *instructions, room=range(0)):
    """Insist that contract and definition leave the same memory, but for the room to work in."""
    (value, found), (expected, memory) = both(instructions, words)
    keep = [index for index in range(len(words)) if index not in room]
    assert value == expected
    assert [found[index] for index in keep] == [memory[index] for index in keep]


OUT, A, B, E, ROOM = 0, 100, 140, 180, 220
BITS = st.integers(0, 7)
SEED = st.integers(0, 1 << 20)


def single(op, *operands):
    return Instruction(op, tuple(operands))


@settings(max_examples=25, deadline=None)
@given(SEED, BITS, st.integers(0, (1 << 7) - 1))
def test_chain_instructions__sums_over_one_point(seed, n, c):
    """BITS, BELOW, TABLE and LANES."""
    words, c = image(seed), c % (1 << n)
    agree(words, single(Op.BITS, slot(OUT), slot(A), n, c))
    agree(words, single(Op.BELOW, slot(OUT), slot(A), n, c))
    agree(words, single(Op.TABLE, slot(E), slot(A), n))
    agree(words, single(Op.LANES, slot(OUT), slot(A), n % 5, 8 * (1 + seed % 2)))


@settings(max_examples=25, deadline=None)
@given(SEED, BITS, st.integers(0, 1 << 7))
def test_chain_instructions__sums_over_two_and_three_points(seed, n, c):
    """EQ, EQ_BELOW, EQ3_BELOW, PREFIX and LESS."""
    words, size = image(seed), 1 << n
    agree(words, single(Op.EQ, slot(OUT), slot(A), slot(B), n))
    agree(words, single(Op.PREFIX, slot(OUT), slot(A), slot(B), n))
    agree(words, single(Op.EQ_BELOW, slot(OUT), slot(A), slot(B), n, 1 + c % size))
    if n:
        agree(words, single(Op.EQ3_BELOW, slot(OUT), slot(A), slot(B), slot(E), n, 1 + c % size))
    agree(words, single(Op.LESS, slot(OUT), slot(A), slot(B), min(n, 5)))


@settings(max_examples=25, deadline=None)
@given(SEED, st.integers(1, 4), st.integers(1, 10))
def test_chain_instructions__sums_of_vectors(seed, p, q):
    """INNER, OUTER, DIGIT, products and PUT."""
    words = image(seed)
    agree(words, single(Op.INNER, slot(OUT), slot(A), p, slot(B), q, slot(E)))
    agree(words, single(Op.OUTER, slot(E), slot(A), p, slot(B), q))
    words[A] = seed
    agree(words, single(Op.DIGIT, slot(OUT), 5, slot(B), slot(A), 1 + seed % 32))
    factors = tuple(slot(A + index) for index in range(2 * p + 2))
    agree(
        words,
        single(None, *factors),
        single(None, *factors[:2]),
        single(Op.PUT, slot(OUT)),
        single(None, *factors),
    )


@settings(max_examples=150, deadline=None)
@given(
    SEED, st.integers(0, 5), st.integers(0, 6), st.integers(0, 2), st.sampled_from([1, 3, 5]),
    st.integers(-20, 40), st.integers(1, 6), st.integers(1, 4), st.data(),
)  # fmt: skip
def test_chain_instructions__windows_in_one_walk(seed, m, n, e, s, f, k, w, data):
    """CORRELATE for strides, offsets before and beyond the source, taps and dilations."""
    e, c = min(e, n), data.draw(st.integers(1, 1 << m))
    words = image(seed)
    walk = (slot(OUT), slot(A), m, slot(B), n, c, s, e, f, k, w, slot(ROOM))
    agree(words, single(Op.CORRELATE, *walk), room=range(ROOM, WORDS))


@settings(max_examples=150, deadline=None)
@given(SEED, st.integers(1, 5), st.integers(0, 2), st.integers(0, 2), st.integers(1, 3), st.data())
def test_chain_instructions__windows_without_tables(seed, m, e, more, w, data):
    """WINDOW for every carry that it takes, with a source as long as the output and longer."""
    n, c = m + e + more, data.draw(st.integers(1, 1 << m))
    least, most = data.draw(st.sampled_from([(-(2 << e), (3 << e) - 1), (0, (5 << e) - 1)]))
    m = max(m, 2) if most == (5 << e) - 1 else m
    n, c = m + e + more, min(c, 1 << m)
    f = data.draw(st.integers(least, most))
    k = data.draw(st.integers(1, 1 + (most - f) // w))
    words = image(seed)
    walk = (slot(OUT), slot(A), m, slot(B), n, c, 1, e, f, k, w, slot(ROOM))
    agree(words, single(Op.WINDOW, *walk), room=range(ROOM, WORDS))


def test_chain_instructions__an_unknown_opcode_is_refused():
    """What no instruction has reverts, with the opcode."""
    with pytest.raises(RevertedError, match="UnknownInstruction"):
        run_code(b"\xee", image(1))
