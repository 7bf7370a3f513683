"""Rates of OCTET's kernels beside this machine's own multiply rate, path by path."""

import os
import time
from functools import partial

import numpy as np

from benchmarks.machine import describe
from benchmarks.octet_rates import best_seconds, random_words
from circuits.octet.native.kernels import Native, Points, available_paths, open_native
from circuits.octet.native.row_program import RowProgram
from circuits.octet.native.sum_check import SumCheck
from circuits.octet.native.words import Words, from_words, points_to_words
from circuits.octet.spec.srs import LocalSrs

SIZES = (6, 10, 12, 14)
"""Logarithms of the numbers of points."""
REPEATS = 3
_CHALLENGE = 0x1F3A5C7E9B2D4F60718293A4B5C6D7E8F9


def requantization_row() -> tuple[RowProgram, int]:
    """Return the AB row of octet.md 2.1: eight limbs, two helpers, eq and block weights; degree 6."""
    alpha, weight, shift = 3**150, 5**100, 1 << 24
    program = RowProgram(12, (alpha, weight, shift, 256, 255, 65536))
    challenge, lam, scale, byte, top, high = map(program.constant, range(6))
    add, subtract, multiply = program.add, program.subtract, program.multiply
    parts = []
    for helper in (0, 1):
        a, b, c, d = (add(4 * helper + limb, challenge) for limb in range(4))
        ab, cd = multiply(a, b), multiply(c, d)
        mixed = add(multiply(add(a, b), cd), multiply(add(c, d), ab))
        parts.append(subtract(multiply(8 + helper, multiply(ab, cd)), mixed))
    over, under = add(1, multiply(byte, 2)), add(3, multiply(byte, 4))
    parts += [multiply(over, subtract(top, 0)), multiply(under, 0)]
    total = parts[0]
    for part in parts[1:]:
        total = add(multiply(total, lam), part)
    remainder = add(5, add(multiply(byte, 6), multiply(high, 7)))
    left = add(multiply(scale, subtract(add(0, over), under)), remainder)
    balance = multiply(add(8, 9), lam)
    return program, add(add(multiply(10, total), balance), multiply(11, left))


def sum_check_seconds(native: Native, variables: int, program: RowProgram, result: int, degree: int) -> float:
    """Return the shortest time of all rounds, without what reads the tables in."""
    times = []
    for _ in range(REPEATS):
        tables = [random_words(1 << variables, seed) for seed in range(program.tables)]
        check = SumCheck(native, variables, tables, program, result, degree=degree)
        start = time.process_time()
        for _ in range(variables):
            check.round()
            check.bind(_CHALLENGE)
        times.append(time.process_time() - start)
    return min(times)


def report_products(points: Points, size: int) -> None:
    """Print the times of multi-scalar multiplications of one size."""
    dice = np.random.default_rng(size)
    count = 1 << size
    full = random_words(count, size)
    cells = [f"2^{size}"]
    for bits in (8, 16, 32):
        scalars = dice.integers(0, 1 << bits, count, dtype=np.uint64)
        seconds = best_seconds(partial(points.multiply_small, scalars, bits), REPEATS)
        cells.append(f"{seconds / count * 1e6:.3f}")
    seconds = best_seconds(partial(points.multiply, full), REPEATS)
    cells += [f"{seconds / count * 1e6:.2f}", f"{seconds * 1e3:.2f}"]
    print("| " + " | ".join(cells) + " |")


def report_path(native: Native, xy: Words) -> None:
    """Print the table of one path."""
    rate = native.multiply_rate("Fr")
    print(f"\n### {native.path}: {rate / 1e6:.1f} M products of Fr a second on one thread\n")
    points = native.points(xy)
    print("| points | 8 bits us/pt | 16 bits | 32 bits | full | full ms |\n|---|---|---|---|---|---|")
    for size in SIZES:
        report_products(points, size)
    for size in (12, 14):
        values, point = random_words(1 << size, 5), from_words(random_words(size, 6))
        seconds = best_seconds(partial(points.mercury_open, values, point, bytes(32)), REPEATS)
        print(f"\nMercury opening of 2^{size}: {seconds * 1e3:.1f} ms")
    pair = RowProgram(2)
    product = pair.multiply(0, 1)
    program, result = requantization_row()
    # Products a row and walk: degree 2 has 2 of 2 tables; AB has its program's at 6 places; each table folds.
    for name, size, sum_program, register, degree in (
        ("degree 2", 16, pair, product, 2),
        ("AB, 8 limbs", 12, program, result, 6),
    ):
        seconds = sum_check_seconds(native, size, sum_program, register, degree) / (1 << size)
        multiplications = int((sum_program.steps()["operation"] == 2).sum())
        floor = (multiplications * degree + sum_program.tables) / rate
        print(
            f"sum check {name}, 2^{size} rows: {seconds * 1e9:.0f} ns a row; "
            f"{seconds / floor:.2f} times its {floor * rate:.0f} products"
        )


def main() -> None:
    """Print the machine, its load and one table per path."""
    print(describe())
    print(
        f"load average of the last minute: {os.getloadavg()[0]:.2f}; "
        f"best of {REPEATS}, processor time of one thread"
    )
    xy = points_to_words(LocalSrs(1 << max(SIZES)).points(1 << max(SIZES)))
    for path in available_paths():
        report_path(open_native(path), xy)


if __name__ == "__main__":
    main()
