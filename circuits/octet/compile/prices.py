"""What a statement costs, in gas: the verifier on chain, and the prover's time beside it.

A layout is a choice: fewer rows make more columns of the verifying key and cut weights into more products,
more rows make the prover slower. Whoever chooses takes the least of

    columns * COLUMN_GAS + constants * PRODUCT_GAS + taps * TAP_GAS + nu * ROUND_GAS + 2^nu * ROW_GAS

where constants stand for the products that read them, since uncut ones are as many whatever nu is, and taps
are those of cut weights' kernels that are no product over bits. The gas is what the shared verifier contract
takes, calldata included, measured on networks at several nu. The last term is the prover's: a second of
proving is taken to be worth 400,000 gas, and a row takes some 5 microseconds, most of them for two
multiplications of all rows by full scalars in the opening.

Source: octet.md 2.2, 2.5, 3.5 (choice of nu).
"""

COLUMN_GAS = 8_000
"""A column of the verifying key: a multiplication and an addition of points, and its value in the proof."""

PRODUCT_GAS = 1_500
"""A product: a claim in the proof and a functional at its point."""

TAP_GAS = 240
"""A tap of a cut weight's kernel: an entry of a table that has no closed form."""

ROUND_GAS = 5_500
"""One more variable: a round of each sumcheck."""

ROW_GAS = 2
"""A row: its share of the prover's time."""


def layout_price(nu: int, columns: int, constants: int, taps: int) -> int:
    """Return what a layout costs, but for what is the same in every layout of a statement.

    Args:
        nu: log2 of the rows.
        columns: of the verifying key.
        constants: tensors of the verifying key, the pieces of cut weights counted one by one.
        taps: of cut weights' kernels that are walked one by one.
    """
    gas = columns * COLUMN_GAS + constants * PRODUCT_GAS + taps * TAP_GAS + nu * ROUND_GAS
    return gas + (ROW_GAS << nu)
