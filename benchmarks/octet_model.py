"""How much OCTET's prover has to do for a program: products of field elements, and points by width of scalar.

Worked out from the program alone, not from counters of the code that it judges. Only products and
multi-scalar multiplications are counted: hashing, additions and what moves memory are not, so that the time
these counts allow is a little less than any prover needs.

Source: octet.md 3.7 (helpers), 3.8 (both sums), 3.9 (opening), A3 to A8.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

from circuits.octet.native.prover import PHASES
from circuits.octet.program import LIMB_TABLE, Program
from circuits.octet.tensors import padded
from circuits.octet.terms import Contract, Linear

FULL_BITS = 254
"""Width of a scalar that is any field element."""

BYTE_BITS = 8
FIRST_PLACES = 6
"""Places at which a round of the first sum is evaluated: 0, 2, .., 6."""

SECOND_PLACES = 2
COORDINATES_OF_ADDITION = 6
"""Products of an affine addition that shares its inversion: three for the inverse, slope, square, y."""


@dataclass
class Work:
    """What one phase has to do.

    Attributes:
        products: of two field elements.
        multiplications: points of each multi-scalar multiplication, with the bits of its scalars.
    """

    products: int = 0
    multiplications: list[tuple[int, int]] = field(default_factory=list)

    def seconds(self, products_per_second: float, msm_seconds: Callable[[int, int], float]) -> float:
        """Return how long it takes at measured rates.

        Args:
            products_per_second: of all threads together.
            msm_seconds: of one multi-scalar multiplication of (points, bits), with all threads.
        """
        return self.products / products_per_second + sum(msm_seconds(*item) for item in self.multiplications)


def active_rows(program: Program) -> int:
    """Return the rows behind which every row is constant (A7, with the tables and what relations read)."""
    ends = [LIMB_TABLE]
    ends += [block.offset + block.size for block in program.blocks]
    read = {table.values for table in program.tables}
    for relation in program.relations:
        read |= {term.source.name for term in relation.terms if term.source.kind == "vk"}
    ends += [tensor.offset + tensor.size for tensor in program.vk_tensors if tensor.name in read]
    return max(ends)


def count(program: Program) -> Mapping[str, Work]:
    """Return what each phase has to do, by the names of `PHASES`."""
    rows, active = program.rows, active_rows(program)
    used = max((block.offset + block.size for block in program.blocks), default=0)
    tables = len(program.tables)
    groups = -(-len(program.limb_columns) // 4)
    terms = [term for relation in program.relations for term in relation.terms]
    contracts = [term for term in terms if isinstance(term, Contract)]
    cells = sum(program.tensor(term.source).size for term in contracts)
    work = {name: Work() for name in PHASES}

    bytes_wide = len(program.limb_columns) + (1 if tables else 0)
    cell_bits = (len(program.limb_columns) * rows).bit_length()
    work["first commitments"].multiplications = [(used, BYTE_BITS)] * bytes_wide
    work["first commitments"].multiplications += [(LIMB_TABLE, cell_bits)] * (1 + tables)

    # Every cell of a helper is a sum of entries of one table of inverses (A8), of a LUT's one of its own.
    # So a helper's commitment is a product of that table with sums of points by byte, which the
    # commitments to the bytes have made already.
    work["second columns"].products = (1 + tables) * 3 * LIMB_TABLE
    work["second commitments"].multiplications = [(LIMB_TABLE, FULL_BITS)] * (groups + 1 + 2 * tables)

    linear = [term for term in terms if isinstance(term, Linear)]
    work["wiring"].products = active + sum(block.size for block in program.blocks)
    work["wiring"].products += sum(_table_products(program, term) for term in contracts)
    work["wiring"].products += sum(program.tensor(term.source).size for term in linear)

    row = products_of_row(program)
    work["first sum"].products = active * (FIRST_PLACES * row + _row_tables(program)) + 4 * cells
    work["second sum"].products = _second_sum_products(program, contracts)

    half = 1 << (program.nu + 1) // 2
    work["opening"].products = 4 * rows + 2 * half * half
    work["opening"].multiplications = [(rows - half, FULL_BITS), (rows, FULL_BITS)]
    work["opening"].multiplications += [(half, FULL_BITS)] * 6
    return work


def products_of_row(program: Program) -> int:
    """Return the products of one evaluation of the first sum on a row, its relations' products aside."""
    limbs = len(program.limb_columns)
    total = 0
    for start in range(0, limbs, 4):
        # With four: ab, cd, abcd, (a + b)cd, (c + d)ab, H abcd. With fewer, what is left of these.
        total += {4: 6, 3: 4, 2: 2, 1: 1}[min(4, limbs - start)]
    saturated, remainder = program.saturation, program.shift // 8
    total += 2 * (saturated - 1) + 2  # P and N from their limbs; P (255 - Y), N Y
    total += 1 + (remainder - 1) + 1  # 2^S (Y + P - N) + R, times gamma eq
    total += max(0, program.slots - 1)
    total += 4 * len(program.tables)  # the query: beta V, H times it; silence; its balance
    constraints = -(-limbs // 4) + 2 + (1 if program.slots else 0) + 2 * len(program.tables)
    total += constraints + 1 + 1  # powers of lambda, eq times their sum, the balance
    return total + len(_columns_with_functional(program))


def additions(points: int, bits: int) -> int:
    """Return the fewest additions of a bucket method: each point once a window, each bucket twice."""
    best = points * bits
    for width in range(1, 20):
        plain = -(-bits // width) * (points + 2 * ((1 << width) - 1))
        with_signs = -(-(bits + 1) // width) * (points + 2 * (1 << (width - 1)))
        best = min(best, plain, with_signs)
    return best


def _second_sum_products(program: Program, contracts: Sequence[Contract]) -> int:
    """Count eq and the rounds of all columns in one; then what the columns with claims elsewhere take.

    A functional is an outer product, so that the rounds of a column need it summed over the outer index, and
    the column folded once by all challenges together. Bytes become one column by looking up, cells that are 0
    take nothing, and what is left after the outer index is gone is a 64th of the rows.
    """
    kept = {f"K{number}": 0 for number in range(program.vk_columns)}
    for tensor in program.vk_tensors:
        kept[f"K{tensor.column}"] += prod(tensor.dims)
    cells = {
        **kept,
        "Y": sum(prod(block.dims) for block in program.blocks),
        "V": sum(prod(block.dims) for block in program.blocks if block.lut),
    }
    integers = {name for name in _columns_with_functional(program) if name in kept}
    integers |= {f"K{program.vk_tensor(table.values).column}" for table in program.tables}
    integers |= {"V"} if program.tables else set()
    sources = {term.source for term in contracts}
    apart = {program.column_of(source) for source in sources}
    apart |= {f"K{program.vk_tensor(term.weight).column}" for term in contracts}
    functionals = sum(prod(program.vk_tensor(term.weight).dims) for term in contracts)
    functionals += sum(
        prod(dims) for dims in {(s.kind, s.name): program.tensor(s).dims for s in sources}.values()
    )
    joined = sum(cells[name] for name in integers)
    return (
        (1 + 2 * SECOND_PLACES) * program.rows + joined + functionals + 2 * sum(cells[name] for name in apart)
    )


def _columns_with_functional(program: Program) -> set[str]:
    terms = [term for relation in program.relations for term in relation.terms]
    found = {program.column_of(term.source) for term in terms if isinstance(term, Linear)}
    return found | ({"Y"} if program.inputs else set())  # which holds the inputs' words


def _row_tables(program: Program) -> int:
    """Count the tables that are folded: columns at rho, eq, gamma eq of the blocks, functionals."""
    key = {name for name in _columns_with_functional(program) if name.startswith("K")}
    tables = len(program.first_columns) + len(program.second_columns) + len(key)
    return tables + 2 + len(_columns_with_functional(program))


def _table_products(program: Program, term: Contract) -> int:
    """Count the products behind the table K~ of a product (A4, A5): the weights once, then axis by axis."""
    weights = prod(program.vk_tensor(term.weight).dims)
    source = program.tensor(term.source)
    # Each cell of the source gathers over the taps of one axis at a time.
    spatial = [axis for axis in term.axes if axis.out is not None and axis.taps > 1]
    gathered = sum(axis.taps for axis in spatial) * prod(padded(length) for length in source.dims)
    return weights + gathered
