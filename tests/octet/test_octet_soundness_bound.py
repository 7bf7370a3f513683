"""The error bound that the documentation states is the one worked out from a program."""

from dataclasses import replace
from math import log2

import pytest
from octet_programs import convolutions, maxima, one_gemm, tables

from circuits.octet.program import Program
from circuits.octet.soundness import BIAS, error_bound
from circuits.octet.spec.proof_words import part_lengths
from circuits.octet.tensors import Block, Output, Table, VkTensor
from zkml.core.field import R


def bare_program(nu=18, shift=32, saturation=5, slots=5):
    """A program of 20 limb columns and nothing else."""
    return Program(
        version=1,
        nu=nu,
        shift=shift,
        saturation=saturation,
        slots=slots,
        inputs=(),
        outputs=(Output("scores", "int32", (4,)),),
        blocks=(Block("b", 0, (4,)),),
        vk_columns=1,
        vk_tensors=(VkTensor("t", 0, 0, (256,)),),
        tables=(),
        relations=(),
    )


def test_bound__of_the_documented_size__is_229_bits():
    """nu = 18, 20 limb columns, an SRS of 2^20: 2^-229 per attempt and 2^-149 after 2^80 queries."""
    program = bare_program()
    assert len(program.limb_columns) == 20
    bound = error_bound(program, 1 << 20)
    assert 229 <= bound.bits < 230
    assert 149 <= bound.bits_after(80) < 150


def test_bound__of_a_small_program_under_a_large_srs__is_decided_by_the_srs():
    """A prover may commit to vectors as long as the SRS, whatever nu is."""
    bound = error_bound(bare_program(nu=8), 1 << 26)
    assert bound.opening > 100 * (bound.numerator - bound.opening)
    assert bound.opening == 8 << 26


def test_bound__cells_of_sixteen_limb_columns__exceed_the_pages_figure():
    """3.14 puts 2^(nu+4) for all cells; 16 columns of limbs and the table are more than that."""
    program = bare_program(saturation=3)
    assert len(program.limb_columns) == 16
    assert len(program.limb_columns) * program.rows + 256 > 1 << (program.nu + 4)


def test_bound__each_addition_to_a_program__never_makes_it_smaller():
    """More rows, columns or tables never look safer."""
    program = bare_program()
    base = error_bound(program, 1 << 20).numerator
    assert error_bound(replace(program, nu=19), 1 << 20).numerator > base
    assert error_bound(replace(program, saturation=6), 1 << 20).numerator > base
    assert error_bound(replace(program, tables=(Table("f", 1, "t"),)), 1 << 20).numerator > base
    assert error_bound(program, 1 << 21).numerator > base


def test_bias__of_a_hash_modulo_r__is_below_a_seventh():
    """A residue has weight 5 or 6 of 2^256."""
    assert 1 < BIAS < 1.14
    assert log2(R) > 253.5


@pytest.mark.parametrize("case", [one_gemm, convolutions, tables, maxima])
def test_bound__of_real_programs__is_below_2_to_minus_235(case):
    """Programs of 256 rows: the claims that are batched are the words of their proofs."""
    program = case().program
    bound = error_bound(program, program.rows)
    assert bound.batching >= part_lengths(program)[3]
    assert bound.rows == program.nu
    assert bound.bits > 235
