"""From a program to the plan that a verifier on chain runs: three segments, one after each point.

    1, after tau      claim_0: constants, zero points, public values
    2, after rho      all functionals times their columns at rho, all products; queries of the tables
    3, after sigma    functionals of the claims elsewhere times the columns' values at sigma, by powers of mu

The specification (spec/wiring.py, spec/verifier.py) says what each value is; here it is written with formulas
whose cost grows with the number of bits.

Source: octet.md 3.8, 3.12; 3.0 items 1, 2, 5, 7, 8, 9.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from circuits.octet.chain.axis_sums import Walk, axis_sum, axis_total
from circuits.octet.chain.builder import Coordinates, PlanBuilder, Value
from circuits.octet.chain.frame import EQ_RHO_SIGMA, EQ_TAU_RHO, RHO, SIGMA, TAU, Frame
from circuits.octet.chain.instructions import Instruction, Op, Section, Slot
from circuits.octet.chain.output_points import (
    OutputPoint,
    claimed_point,
    earlier_indices,
    random_point,
    split,
)
from circuits.octet.chain.public_values import ROW, extension
from circuits.octet.chain.weight_sums import weight_functional
from circuits.octet.input_words import word_layout
from circuits.octet.program import Program
from circuits.octet.spec.relations import left_side
from circuits.octet.spec.sumchecks import HALF
from circuits.octet.spec.wiring import slots, source_name, weight_name
from circuits.octet.tensors import Block, VkTensor
from circuits.octet.terms import Contract, Linear, Relation
from zkml.core.field import R

SEGMENTS = 3


@dataclass(frozen=True)
class Plan:
    """Instructions, and the memory they work in.

    Attributes:
        segments: instructions after tau, after rho, after sigma.
        constants: field elements that the instructions read.
        frame: of the program, with all that the plan keeps.
        temporary_size: words behind the frame that every instruction may overwrite.
    """

    segments: tuple[tuple[Instruction, ...], ...]
    constants: tuple[int, ...]
    frame: Frame
    temporary_size: int

    @property
    def frame_size(self) -> int:
        """Words of frame and temporaries."""
        return self.frame.size + self.temporary_size

    def encode(self, constants_at: int, frame_at: int) -> tuple[bytes, ...]:
        """Write the segments as bytes.

        Args:
            constants_at: number of the slot of the first constant.
            frame_at: number of the frame's first slot.

        Raises:
            UnsuitableCircuitError: a number does not fit its field.
        """
        starts = {
            Section.CONSTANT: constants_at,
            Section.FRAME: frame_at,
            Section.TEMPORARY: frame_at + self.frame.size,
        }
        place: Callable[[Slot], int] = lambda slot: starts[slot.section] + slot.index  # noqa: E731
        return tuple(
            b"".join(instruction.encode(place) for instruction in segment) for segment in self.segments
        )


def make_plan(program: Program) -> Plan:
    """Write the plan of a program.

    Raises:
        UnsuitableCircuitError: the program is too large for a plan.
    """
    writer = _Writer(program)
    writer.claim()
    writer.first_sum()
    writer.second_sum()
    builder = writer.builder
    return Plan(tuple(builder.segments), tuple(builder.constants), writer.frame, builder.temporary_size)


class _Writer:
    """Writes the three segments of one program."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.frame = Frame(program)
        self.builder = PlanBuilder(self.frame, program.nu)
        self._places = {slot.name: index for index, slot in enumerate(slots(program))}
        self._rho, self._sigma = Coordinates(RHO, program.nu), Coordinates(SIGMA, program.nu)
        self._tau = Coordinates(TAU, program.nu)
        self._points = [self._points_of(relation) for relation in program.relations]

    # --- segment 1 ----------------------------------------------------------------------------

    def claim(self) -> None:
        """Write claim_0."""
        builder, program = self.builder, self.program
        words = {}
        start = self.frame.words
        for given in program.inputs:
            words[given.name] = start
            start = start + word_layout(given).count
        for number, relation in enumerate(program.relations):
            gamma = self._gamma(number)
            points = self._points[number]
            if relation.kind == "input":
                layout = word_layout(program.input(relation.input))
                builder.add(gamma * extension(builder, layout.dims, words[relation.input], TAU))
                continue
            for term in relation.terms:
                if isinstance(term, Linear) and term.source.zero:
                    for point in points:
                        builder.add(gamma * self._total(term, point) * -term.source.zero)
            if relation.kind == "argmax":
                # The constant is subtracted from itself: both points weigh as much.
                claimed, _ = points
                builder.add(gamma * earlier_indices(builder, random_point(claimed.dims), claimed) * -1)
            elif relation.constant:
                builder.add(gamma * points[0].valid(builder) * relation.constant)
            if relation.kind == "public":
                shown = extension(builder, points[0].dims, self._output(relation.output), TAU)
                builder.add(gamma * shown * -1)
        builder.finish_segment()

    def _points_of(self, relation: Relation) -> tuple[OutputPoint, ...]:
        dims = self.program.target_dims(relation)
        if relation.kind != "argmax":
            return (random_point(dims),)
        return claimed_point(self.builder, dims, self._output(relation.output)), random_point(dims, -1)

    def _output(self, name: str) -> Slot:
        before = 0
        for output in self.program.outputs:
            if output.name == name:
                break
            before += output.count
        return self.frame.out + before

    def _total(self, term: Linear, point: OutputPoint) -> Value:
        """Return the sum of a linear term's functional over all rows."""
        value = point.coefficient * point.unused(self.builder, {axis.out for axis in term.axes})
        for walk in self._walks(term, point):
            value = value * axis_total(self.builder, walk)
        return value * term.scale

    def _walks(self, term: Linear, point: OutputPoint) -> Iterator[Walk]:
        dims = self.program.tensor(term.source).dims
        for axis, length, u in zip(term.axes, dims, split(RHO, dims), strict=True):
            yield Walk(axis, length, point.along(axis.out), u)

    # --- segment 2 ----------------------------------------------------------------------------

    def first_sum(self) -> None:
        """Write what relations and products make of the first sum at rho."""
        self.builder.emit(Op.PREFIX, EQ_TAU_RHO, TAU, RHO, self.program.nu)
        self._queries()
        product = 0
        for number, relation in enumerate(self.program.relations):
            gamma = self._gamma(number)
            if relation.block:
                self.builder.add(gamma * self._left(relation))
            for term in relation.terms:
                if isinstance(term, Linear):
                    for point in self._points[number]:
                        self.builder.add(gamma * self._linear(term, point) * -1)
                else:
                    self.builder.add(gamma * self._product(term, product) * -1)
                    product += 1
        self.builder.finish_segment()

    def _queries(self) -> None:
        """Write q_f and sel_f at rho, for every table f."""
        builder, program = self.builder, self.program
        for number, table in enumerate(program.tables):
            asked = []
            for block in program.blocks:
                if block.lut == table.name:
                    value = self._block_bits(block, self._rho)
                    for axis, length in zip(split(RHO, block.dims), block.dims, strict=True):
                        value = value * builder.below(axis, length)
                    asked.append(value)
            builder.store(asked, self.frame.queries + 2 * number)
            values = program.vk_tensor(table.values)
            builder.store([self._block_bits(values, self._rho)], self.frame.queries + (2 * number + 1))

    def _left(self, relation: Relation) -> Value:
        """Return the left side's columns at rho, on the target's rows and at tau."""
        builder, program = self.builder, self.program
        block = program.block(relation.block)
        bits = block.size.bit_length() - 1
        value = self._block_bits(block, self._rho)
        if relation.kind != "input":
            here = builder.eq(self._tau.low(bits), self._rho.low(bits))
            return value * here * self._combination(left_side(program, relation))
        layout = word_layout(program.input(relation.input))
        lanes = layout.lane_bits
        value = value * builder.eq(self._tau.low(bits - lanes), self._rho.low(bits).high(lanes))
        if lanes:
            value = value * builder.scalar(Op.LANES, RHO, lanes, 8 * layout.width)
        return value * self._column("Y")

    def _combination(self, terms: Sequence[tuple[str, int]]) -> Value:
        """Return a combination of columns at rho; the bytes' columns lie behind each other."""
        factors = dict(terms)
        columns = self.program.limb_columns
        if len(factors) < 4:
            return self.builder.sum([self._column(name) * factor for name, factor in factors.items()])
        weights = [factors.get(name, 0) for name in columns]
        if ROW - 2 <= len(weights) < ROW:
            # A whole row costs less than most of one; what follows in EV are multiplicities and helpers.
            weights += [0] * (ROW - len(weights))
        one, words = self.builder.constant(1), self.builder.constant(*weights)
        return self.builder.scalar(Op.INNER, one, 1, words, len(weights), self._column("Y").slots[0])

    def _linear(self, term: Linear, point: OutputPoint) -> Value:
        """Return a linear term's functional at rho times its column."""
        tensor = self.program.tensor(term.source)
        value = point.coefficient * point.unused(self.builder, {axis.out for axis in term.axes})
        value = value * self._block_bits(tensor, self._rho)
        for walk in self._walks(term, point):
            value = value * axis_sum(self.builder, walk)
        return value * self._column(self.program.column_of(term.source)) * term.scale

    def _product(self, term: Contract, number: int) -> Value:
        """Return a product's factors at rho, with its power of one half (A3)."""
        dims = self.program.tensor(term.source).dims
        left = self._column(source_name(self.program, term.source))
        if term.source.zero:
            box = Value(-term.source.zero)
            for axis, length in zip(split(RHO, dims), dims, strict=True):
                box = box * self.builder.below(axis, length)
            left = self.builder.sum([left, box])
        missing = self.program.nu - sum(axis.count for axis in split(RHO, dims))
        return left * self._column(weight_name(number)) * pow(HALF, missing, R)

    # --- segment 3 ----------------------------------------------------------------------------

    def second_sum(self) -> None:
        """Write the functionals at sigma of all claims elsewhere, times the columns."""
        builder, program = self.builder, self.program
        builder.emit(Op.PREFIX, EQ_RHO_SIGMA, RHO, SIGMA, program.nu)
        products = [
            (term, self._points[number])
            for number, relation in enumerate(program.relations)
            for term in relation.terms
            if isinstance(term, Contract)
        ]
        for index, slot in enumerate(slots(program)):
            if slot.factor is None:
                continue
            term, points = products[slot.product]
            place = 1 + self.frame.elsewhere.index(slot.column)
            value = Value(1, (self.frame.mu + index, self.frame.finals + place))
            source = program.block(term.source.name)
            if slot.factor == "source":
                bits = source.size.bit_length() - 1
                rows = builder.eq(self._rho.low(bits), self._sigma.low(bits))
                builder.add(value * self._block_bits(source, self._sigma) * rows)
                continue
            for point in points:
                builder.add(value * weight_functional(builder, program, term, point))
        builder.finish_segment()

    # --- parts --------------------------------------------------------------------------------

    def _gamma(self, number: int) -> Value:
        return Value(1, (self.frame.relations + number,))

    def _column(self, name: str) -> Value:
        """Return a claimed value of message EV."""
        return Value(1, (self.frame.ev + self._places[name],))

    def _block_bits(self, tensor: Block | VkTensor, point: Coordinates) -> Value:
        bits = tensor.size.bit_length() - 1
        return self.builder.bits(point.high(bits), tensor.offset >> bits)
