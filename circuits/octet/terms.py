"""Relations between tensors, and the terms they are sums of.

Source: octet.md 3.4 (relations), 3.0 items 5, 7, 8, 9.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Source:
    """A tensor that a term reads.

    Attributes:
        kind: `block` for a block's bytes Y, `lut` for the same rows of V, or `vk`.
        name: name of the block or VkTensor.
        zero: zero point z; the term reads X - z on the true positions and 0 elsewhere (3.0 item 8).
    """

    kind: Literal["block", "lut", "vk"]
    name: str
    zero: int = 0


@dataclass(frozen=True)
class Axis:
    """How one axis of a source is walked: index = base + stride * (o - first) + dilation * k.

    o is the index on output axis `out`, first <= o < first + count; k is the tap, 0 <= k < taps; positions
    whose index is not in [0, true length) contribute 0. Without `out` the taps alone are summed:
    base + dilation * k.

    Attributes:
        out: output axis, or None.
        first: first output index that reads.
        count: number of output indices that read (1 without `out`).
        stride: step per output index.
        taps: positions per output index: kernel length, pool length, or 1.
        dilation: step per tap.
        base: index at o = first, k = 0: minus the padding, or the start of a slice.
    """

    out: int | None
    first: int
    count: int
    stride: int = 1
    taps: int = 1
    dilation: int = 1
    base: int = 0


@dataclass(frozen=True)
class Linear:
    """A term that is a linear functional: bias, addition, scale, pool, mean, and every view.

    The term at output index o is scale * sum over taps of (X[index] - z). An output axis that no source axis
    names is broadcast over its true length.

    Attributes:
        source: what is read.
        scale: an integer factor.
        axes: one per axis of the source.
    """

    source: Source
    scale: int
    axes: tuple[Axis, ...]


@dataclass(frozen=True)
class WeightAxis:
    """What the index on one axis of a weight tensor is.

    Attributes:
        out: it equals the index on this output axis (output channels, groups), or None.
        source: it equals the index on this source axis (input channels, groups), or None.
        kernel: it is the tap, row-major over the taps of all source axes.
    """

    out: int | None = None
    source: int | None = None
    kernel: bool = False


@dataclass(frozen=True)
class Contract:
    """A product term: matrix product, convolution, grouped and depthwise convolution.

    The term at output index o is the sum over source indices i and taps k of
    (X[i] - z) * W[indices], where each source axis is tied to output axes by its Axis and to weight axes by
    their WeightAxis. A source axis without `out` that a weight axis names is contracted over its
    whole true length (its taps are ignored); the kernel index runs over the taps of source axes with `out`.
    A weight axis with both `out` and `source` is a group: that source axis reads the same output axis with
    stride 1, one tap, base = first = 0.

    Attributes:
        source: a block or the values of its table.
        axes: one per axis of the source.
        weight: name of the VkTensor.
        weight_axes: one per axis of the weight.
    """

    source: Source
    axes: tuple[Axis, ...]
    weight: str
    weight_axes: tuple[WeightAxis, ...]


Term = Linear | Contract


@dataclass(frozen=True)
class Relation:
    """left side = valid * (sum of terms + constant), on every row of the target.

    Left side by kind (3.4, 3.6; S is the program's shift):
        requant: 2^S (Y + P - N) + R on `block`, which makes Y the clamped quotient;
        max:     Y - D_slot on `block`; a block has one such relation per slot of the program (a maximum
                 of fewer positions repeats one), and on every row the product of all D columns is 0;
        argmax:  2^S Y + R on `block`; the right side is value[index] - value[j] - [j < index], index public;
        public:  the values of `output`, which no column holds;
        input:   the words of `block`, padding included; the right side is the public words of `input`, on
                 every padded word of it, and no term (docs/octet.md, public inputs).

    Attributes:
        kind: see above.
        block: name of the target block, "" for public.
        output: name of the output, for argmax and public; else "".
        slot: which D column, for max.
        terms: what is summed.
        constant: kappa of 3.0 item 9, added on true positions.
        input: name of the input, for input; else "".
    """

    kind: Literal["requant", "max", "argmax", "public", "input"]
    block: str
    output: str
    terms: tuple[Term, ...]
    constant: int = 0
    slot: int = 0
    input: str = ""
