"""The functional of a product's weight at sigma: eq along the axes of indices, window sums along the kernel.

A kernel's index k counts the taps of all windows, row-major. Where the later windows have 2^e taps together,
k falls into two parts, each with bits of its own, and so does the sum over k.

Source: octet.md 3.4, 3.8 (stage C), A2; spec/relations.py (`Product.functional`) is what it must be.
"""

from collections.abc import Sequence
from math import prod

from circuits.octet.chain.axis_sums import Walk, axis_sum, tap_sums
from circuits.octet.chain.builder import ONE, Coordinates, PlanBuilder, Value
from circuits.octet.chain.frame import RHO, SIGMA
from circuits.octet.chain.instructions import Op, Slot
from circuits.octet.chain.output_points import OutputPoint, split
from circuits.octet.program import Program
from circuits.octet.tensors import padded
from circuits.octet.terms import Contract

_SPARSE = 8
"""A table of a whole axis costs less than walks to every n-th of its indices."""


def weight_functional(builder: PlanBuilder, program: Program, term: Contract, point: OutputPoint) -> Value:
    """Return the functional's extension at sigma, for one point of the output.

    Args:
        builder: of the plan.
        program: of the term.
        term: the product.
        point: of the output, with its coefficient.
    """
    dims, weight = program.block(term.source.name).dims, program.vk_tensor(term.weight)
    at_rho, at_sigma = split(RHO, dims), split(SIGMA, weight.dims)
    named = {axis.source for axis in term.weight_axes if axis.source is not None}
    used = {axis.out for axis in term.axes} | {axis.out for axis in term.weight_axes}
    bits = weight.size.bit_length() - 1
    value = point.coefficient * point.unused(builder, used)
    value = value * builder.bits(Coordinates(SIGMA, program.nu).high(bits), weight.offset >> bits)
    has_kernel = any(axis.kernel for axis in term.weight_axes)
    windows: list[Walk] = []
    for position, (axis, length) in enumerate(zip(term.axes, dims, strict=True)):
        if position in named:
            continue
        walk = Walk(axis, length, point.along(axis.out), at_rho[position])
        if has_kernel and axis.out is not None and axis.taps > 1:
            windows.append(walk)
        else:
            value = value * axis_sum(builder, walk)
    for tied, length, sigma in zip(term.weight_axes, weight.dims, at_sigma, strict=True):
        if tied.kernel:
            value = value * _kernel(builder, windows, sigma)
            continue
        points = [sigma]
        if tied.source is not None:
            points.insert(0, at_rho[tied.source])
        if tied.out is not None:
            points.insert(0, point.axes[tied.out])
        value = value * builder.eq_below(points, length)
    return value


def _kernel(builder: PlanBuilder, windows: Sequence[Walk], sigma: Coordinates) -> Value:
    """Sum eq(sigma, k) times the window sums of all tapped axes over taps k, row-major."""
    value = ONE
    start, taps = len(windows), 1
    for end in reversed(range(len(windows))):
        taps *= windows[end].axis.taps
        if taps == padded(taps) or end == 0:
            bits = padded(taps).bit_length() - 1
            value = value * _part(builder, windows[end:start], sigma.low(bits))
            sigma, start, taps = sigma.high(bits), end, 1
    # A kernel of one tap has no bits; what is left of longer ones is padding.
    return value * builder.bits(sigma, 0)


def _part(builder: PlanBuilder, windows: Sequence[Walk], sigma: Coordinates) -> Value:
    """Sum over the taps of neighbouring windows, whose number has bits of its own."""
    if len(windows) == 1 and windows[0].is_slice:
        (window,) = windows
        if window.axis.base % padded(window.axis.taps) == 0:
            block = builder.bits(window.u.high(sigma.count), window.axis.base >> sigma.count)
            return block * builder.eq_below((window.u.low(sigma.count), sigma), window.axis.taps)
    value = ONE
    sums = []
    for window in windows:
        factor, place = _window_sums(builder, window)
        value = value * factor
        sums.append(place)
    counts = [window.axis.taps for window in windows]
    sizes = [prod(counts[: index + 1]) for index in range(1, len(counts) - 1)]
    table, *products = builder.temporary(1 << sigma.count, *sizes)
    builder.emit(Op.TABLE, table, sigma.start, sigma.count)
    left, count = (sums[0], counts[0]) if len(sums) > 1 else (builder.constant(1), 1)
    for right, more, place in zip(sums[1:-1], counts[1:-1], products, strict=True):
        builder.emit(Op.OUTER, place, left, count, right, more)
        left, count = place, count * more
    result = builder.frame.allocate(1)
    builder.emit(Op.INNER, result, left, count, sums[-1], counts[-1], table)
    return value * Value(1, (result,))


def _window_sums(builder: PlanBuilder, window: Walk) -> tuple[Value, Slot]:
    """Return a factor, and the slot of the first tap's sum without it; those of the other taps follow."""
    if window.is_slice:
        size = padded(window.axis.taps)
        bits = size.bit_length() - 1
        if window.axis.base % size == 0:
            block = builder.bits(window.u.high(bits), window.axis.base >> bits)
            return block, builder.vector(Op.TABLE, size, window.u.start, bits)
        if 1 << window.u.count <= _SPARSE * size:
            table = builder.vector(Op.TABLE, 1 << window.u.count, window.u.start, window.u.count)
            return ONE, table + window.axis.base
    return ONE, tap_sums(builder, window)
