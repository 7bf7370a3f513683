"""All relations of a program at one random point, and the one list of claims that follows from them.

The first sumcheck ends in a point rho. What must be known there is listed here once: prover and verifier walk
the same list, each claim has one slot in the proof, and its functional opens it in the second sumcheck.

Source: octet.md 3.8 (AB, EV, C), A6 (orders); 3.0 items 1, 7, 8, 9.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from circuits.octet.input_words import word_layout
from circuits.octet.program import Program
from circuits.octet.spec.field import Vector
from circuits.octet.spec.functionals import Functional, Piece, eq_piece, lane_piece, spread, true_axis
from circuits.octet.spec.functionals import at as evaluate
from circuits.octet.spec.relations import (
    Product,
    Weighting,
    argmax_weightings,
    earlier_indices,
    left_side,
    linear_constant,
    linear_functional,
    weighting,
)
from circuits.octet.tensors import padded
from circuits.octet.terms import Contract, Linear, Relation, Source
from zkml.core.field import R


@dataclass(frozen=True)
class Slot:
    """One word of message EV as the program alone determines it, before any challenge.

    Attributes:
        name: the column's name for its value at rho, else what distinguishes the functional.
        column: a committed column.
        factor: None for the value at rho; else which factor of a product it is.
        product: number of that product, the first one of those that share it.
    """

    name: str
    column: str
    factor: Literal["source", "weight"] | None = None
    product: int = 0


@dataclass(frozen=True)
class Claim:
    """One value of message EV: <functional, column>.

    Attributes:
        name: the column's name for its value at rho, else what distinguishes the functional.
        column: a committed column.
        functional: None for eq(rho, .), the value at rho itself.
    """

    name: str
    column: str
    functional: Functional | None = None


@dataclass(frozen=True)
class Wiring:
    """The relations as terms of the first sumcheck.

    Attributes:
        linear: per column, the functional that the sumcheck multiplies it by.
        products: coefficient and product, in the order of relations and their terms.
        claim: what the sumcheck's terms sum to: claim_0.
    """

    linear: dict[str, Functional]
    products: tuple[tuple[int, Product], ...]
    claim: int


def wire(
    program: Program,
    tau: Sequence[int],
    gammas: Sequence[int],
    words: Mapping[str, Sequence[int]],
    outputs: Mapping[str, Sequence[int]],
) -> Wiring:
    """Add up gamma_l * (left side - right side) over all relations.

    Args:
        program: what holds.
        tau: nu coordinates; a relation uses the lowest ones.
        gammas: one power of lambda per relation.
        words: of the public inputs, by name.
        outputs: public values by name, as integers.
    """
    linear: dict[str, list[Piece]] = {}
    products: list[tuple[int, Product]] = []
    claim = 0
    for relation, gamma in zip(program.relations, gammas, strict=True):
        if relation.kind == "input":
            piece, value = held_words(program, relation, tau, words[relation.input])
            linear.setdefault("Y", []).append(piece.times(gamma))
            claim += gamma * value
            continue
        constant = 0
        dims = program.target_dims(relation)
        here = weighting(dims, tau)
        points: tuple[Weighting, ...] = (here,)
        if relation.kind == "argmax":
            (index,) = outputs[relation.output]
            points = argmax_weightings(dims, tau, index)
            constant -= earlier_indices(dims, here, index)
        for column, factor in left_side(program, relation):
            linear.setdefault(column, []).append(_target(program, relation, tau, gamma * factor))
        for term in relation.terms:
            if isinstance(term, Linear):
                functional = linear_functional(program, term, points)
                constant += linear_constant(term, functional)
                pieces = linear.setdefault(program.column_of(term.source), [])
                pieces.extend(piece.times(-gamma) for piece in functional)
            else:
                source = program.tensor(term.source)
                product = Product(term.source, source.dims, term, program.vk_tensor(term.weight), points)
                products.append((-gamma % R, product))
        # An arg-max subtracts two equal constants: its weightings' valid parts cancel on true positions.
        constant += relation.constant * sum(point.coefficient * point.valid for point in points)
        if relation.kind == "public":
            constant -= public_value(dims, outputs[relation.output], tau)
        claim += gamma * constant
    return Wiring({name: tuple(pieces) for name, pieces in linear.items()}, tuple(products), claim % R)


def held_words(
    program: Program, relation: Relation, tau: Sequence[int], words: Sequence[int]
) -> tuple[Piece, int]:
    """Return what a relation of kind input says at tau_low: the functional on Y, and the words' extension."""
    block, layout = program.block(relation.block), word_layout(program.input(relation.input))
    variables = block.size.bit_length() - 1 - layout.lane_bits
    piece = lane_piece(block.offset, tau[:variables], layout.weights)
    return piece, public_value(layout.dims, words, tau)


def public_value(dims: Sequence[int], values: Sequence[int], tau: Sequence[int]) -> int:
    """Return the extension of public values at tau_low, which are 0 in all padding."""
    table = Piece(0, weighting(dims, tau).axes).spread()
    positions = spread_positions(dims)
    return sum(int(table[position]) * value for position, value in zip(positions, values, strict=True)) % R


def spread_positions(dims: Sequence[int]) -> list[int]:
    """Return the padded index of each true element, row-major."""
    positions = [0]
    for length in dims:
        size = padded(length)
        positions = [position * size + index for position in positions for index in range(length)]
    return positions


def slots(program: Program) -> list[Slot]:
    """List the words of message EV, in order: columns at rho, then the factors of every product.

    A factor that several products share has one slot. The work is that of reading the program, whatever the
    lengths in it: this is what a proof's length comes from, of a program of anybody's.
    """
    terms = [term for relation in program.relations for term in relation.terms]
    read = {term.source.name for term in terms if isinstance(term, Linear) and term.source.kind == "vk"}
    read |= {table.values for table in program.tables}
    used = {f"K{program.vk_tensor(name).column}" for name in read}
    always = program.first_columns + program.second_columns
    found = [Slot(name, name) for name in (*always, *(key for key in program.key_columns if key in used))]
    shared: set[str] = set()
    products = [term for term in terms if isinstance(term, Contract)]
    for index, term in enumerate(products):
        name = source_name(program, term.source)
        if name not in shared:
            found.append(Slot(name, program.column_of(term.source), "source", index))
            shared.add(name)
        found.append(Slot(weight_name(index), f"K{program.vk_tensor(term.weight).column}", "weight", index))
    return found


def elsewhere_columns(program: Program) -> list[str]:
    """Name the columns with claims at other points than rho, in the order of columns."""
    named = {slot.column for slot in slots(program) if slot.factor is not None}
    return [column for column in program.columns if column in named]


def claims(program: Program, wiring: Wiring, rho: Sequence[int]) -> list[Claim]:
    """List what message EV holds: every slot with its functional at rho."""
    found = []
    for slot in slots(program):
        functional = None
        if slot.factor is not None:
            _, product = wiring.products[slot.product]
            if slot.factor == "weight":
                functional = product.functional(rho)
            else:
                offset = program.block(product.source.name).offset
                functional = (eq_piece(offset, rho[: product.variables]),)
        found.append(Claim(slot.name, slot.column, functional))
    return found


def weight_name(index: int) -> str:
    """Name the slot of a product's weight factor K~(rho_low)."""
    return f"product_{index}"


def source_name(program: Program, source: Source) -> str:
    """Name the slot of a product's factor X~(rho_low, block bits): its rows."""
    block = program.block(source.name)
    return f"{program.column_of(source)}[{block.offset}:{block.size.bit_length() - 1}]"


def true_box(product: Product, rho: Sequence[int]) -> int:
    """Return valid_in~(rho_low) of a product's source (3.0 item 8)."""
    return evaluate((_box(product),), rho[: product.variables])


def true_rows(product: Product) -> Vector:
    """Return valid_in on all padded indices of a product's source."""
    return spread((_box(product),), 1 << product.variables)


def _box(product: Product) -> Piece:
    return Piece(0, tuple(true_axis(length) for length in product.dims))


def _target(program: Program, relation: Relation, tau: Sequence[int], factor: int) -> Piece:
    """Return factor * eq(tau_low, .) on all rows of the target block, padding included (3.5, coverage)."""
    block = program.block(relation.block)
    return eq_piece(block.offset, tau[: block.size.bit_length() - 1]).times(factor)
