"""Packed public tensors: how a contract and a proof system see one circuit's input and output.

A tensor travels as its elements in row-major order, each a two's-complement big-endian integer of a
fixed width. There is exactly one encoding of a tensor, so an alias such as n + r cannot be written.
The Solidity twin is `verifier_contracts/src/TensorLayout.sol`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkml.core.digests import keccak256
from zkml.core.field import felt_from_int
from zkml.errors import DomainError, LayoutError

MAX_ELEMENTS = 65_536
MAX_ELEMENT_BYTES = 8
MAX_DOMAIN_SPAN = 1 << 32


@dataclass(frozen=True, slots=True)
class TensorLayout:
    """How many elements of how many bytes a circuit's public input and output have."""

    input_count: int
    input_bytes: int
    output_count: int
    output_bytes: int

    def __post_init__(self) -> None:
        """Refuse counts and widths that no contract accepts."""
        for name, value, top in (
            ("input_count", self.input_count, MAX_ELEMENTS),
            ("output_count", self.output_count, MAX_ELEMENTS),
            ("input_bytes", self.input_bytes, MAX_ELEMENT_BYTES),
            ("output_bytes", self.output_bytes, MAX_ELEMENT_BYTES),
        ):
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= top:
                raise LayoutError(f"expected {name} in 1..{top}, found {value!r}")

    @property
    def input_length_bytes(self) -> int:
        """Length of the packed input."""
        return self.input_count * self.input_bytes

    @property
    def output_length_bytes(self) -> int:
        """Length of the packed output."""
        return self.output_count * self.output_bytes

    def as_abi(self) -> tuple[int, int, int, int]:
        """Return the fields in the order of the Solidity struct."""
        return (self.input_count, self.input_bytes, self.output_count, self.output_bytes)


@dataclass(frozen=True, slots=True)
class InputDomain:
    """The integers each input element may take, both ends included."""

    minimum: int
    maximum: int

    def __post_init__(self) -> None:
        """Refuse an empty domain and one wider than 2^32."""
        for name, value in (("minimum", self.minimum), ("maximum", self.maximum)):
            if not isinstance(value, int) or isinstance(value, bool) or not -(1 << 63) <= value < 1 << 63:
                raise LayoutError(f"expected a {name} of 64 bits, found {value!r:.80}")
        if not self.minimum <= self.maximum:
            raise LayoutError(f"expected minimum <= maximum, found {self.minimum} > {self.maximum}")
        if self.maximum - self.minimum + 1 > MAX_DOMAIN_SPAN:
            raise LayoutError(f"expected a domain of at most 2^32 integers, found {self}")

    def check(self, elements: Sequence[int] | NDArray[np.int64]) -> None:
        """Check that every element lies in the domain.

        Raises:
            DomainError: names the first element that does not.
            LayoutError: an element is no integer.
        """
        for index, element in enumerate(_integers(elements)):
            if not self.minimum <= element <= self.maximum:
                raise DomainError(
                    f"expected elements in {self.minimum}..{self.maximum}, found {element} at index {index}",
                    hint="the circuit was calibrated on a narrower range: scale the input as in training",
                    index=index,
                )

    def inputs(self, count: int) -> int:
        """Return how many inputs of `count` elements there are."""
        return int((self.maximum - self.minimum + 1) ** count)

    def as_abi(self) -> tuple[int, int]:
        """Return the fields in the order of the Solidity struct."""
        return (self.minimum, self.maximum)


def width_for(minimum: int, maximum: int) -> int:
    """Return the least number of bytes whose two's complement holds the range.

    Raises:
        LayoutError: more than eight bytes would be needed.
    """
    for width in range(1, MAX_ELEMENT_BYTES + 1):
        half = 1 << (8 * width - 1)
        if -half <= minimum and maximum < half:
            return width
    raise LayoutError(f"expected a range within 64 bits, found {minimum}..{maximum}")


def _integers(elements: Sequence[int] | NDArray[np.int64]) -> list[int]:
    """Flatten to Python integers; a fraction or a truth value is refused, never cut to an integer."""
    # dtype object keeps a list's numbers as they are: NumPy would make floats of mixed large ones.
    array = elements if isinstance(elements, np.ndarray) else np.asarray(elements, dtype=object)
    flat: list[int] = array.ravel().tolist()
    for index, element in enumerate(flat):
        if isinstance(element, np.integer):
            flat[index] = int(element)
        elif not isinstance(element, int) or isinstance(element, bool):
            raise LayoutError(f"expected an integer, found {element!r:.80} at index {index}")
    return flat


def pack(elements: Sequence[int] | NDArray[np.int64], width: int) -> bytes:
    """Pack integers, row-major, `width` bytes each.

    Raises:
        LayoutError: an element does not fit, or is no integer.
    """
    half = 1 << (8 * width - 1)
    packed = bytearray()
    for index, element in enumerate(_integers(elements)):
        if not -half <= element < half:
            raise LayoutError(f"expected an integer of {width} bytes, found {element} at index {index}")
        packed += element.to_bytes(width, "big", signed=True)
    return bytes(packed)


def unpack(data: bytes, count: int, width: int, *, what: str) -> tuple[int, ...]:
    """Unpack exactly `count` integers of `width` bytes.

    Raises:
        LayoutError: the length is not count * width.
    """
    if len(data) != count * width:
        raise LayoutError(f"expected {count * width} bytes of {what}, found {len(data)}")
    return tuple(
        int.from_bytes(data[start : start + width], "big", signed=True)
        for start in range(0, len(data), width)
    )


def unpack_input(layout: TensorLayout, data: bytes) -> tuple[int, ...]:
    """Unpack an input tensor; see `unpack`."""
    return unpack(data, layout.input_count, layout.input_bytes, what="input")


def unpack_output(layout: TensorLayout, data: bytes) -> tuple[int, ...]:
    """Unpack an output tensor; see `unpack`."""
    return unpack(data, layout.output_count, layout.output_bytes, what="output")


def instances_of(layout: TensorLayout, packed_input: bytes, packed_output: bytes) -> tuple[int, ...]:
    """Build the instances a proof of (input, output) must carry, in the contract's order.

    Returns:
        input_count + output_count field elements: inputs, then outputs.

    Raises:
        LayoutError: a length is wrong.

    Source: zkonduit/ezkl `src/graph/mod.rs` (order of instances), `EzklVerifier.sol` (the twin).
    """
    signed = unpack_input(layout, packed_input) + unpack_output(layout, packed_output)
    return tuple(felt_from_int(element) for element in signed)


def input_commitment(packed_input: bytes) -> bytes:
    """Return what a job commits to: keccak256 of the packed input."""
    return keccak256(packed_input)


def expand_input(seed: bytes, layout: TensorLayout, domain: InputDomain) -> bytes:
    """Expand a seed into a packed input of the circuit's domain, as the chain does.

    element_i = min + chunk_i mod span, where chunk_i is the (i mod 8)-th big-endian 32-bit group of
    keccak256(seed || uint32(i // 8)). The bias of the remainder is at most span / 2^32, and harmless:
    the input only has to be one that the publisher did not choose.

    Args:
        seed: 32 bytes.
        layout: the circuit's layout.
        domain: the circuit's input domain.

    Returns:
        The packed input, `layout.input_length_bytes` long.
    """
    span = domain.maximum - domain.minimum + 1
    words = -(-layout.input_count // 8)
    stream = b"".join(keccak256(seed + index.to_bytes(4, "big")) for index in range(words))
    elements = [
        domain.minimum + int.from_bytes(stream[4 * i : 4 * i + 4], "big") % span
        for i in range(layout.input_count)
    ]
    return pack(elements, layout.input_bytes)


def layout_from_json(value: Any) -> TensorLayout:
    """Read a layout from a manifest's JSON.

    Raises:
        LayoutError: a field is missing, foreign or out of range.
    """
    try:
        return TensorLayout(**value)
    except TypeError as error:
        raise LayoutError(f"expected the four fields of a tensor layout, found {value!r:.120}") from error
