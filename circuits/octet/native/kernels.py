"""The kernels over numpy arrays: field arithmetic, eq tables, multi-scalar multiplication, Mercury.

Public data only: nothing here runs in constant time.
"""

import ctypes
import logging
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from circuits.octet.native.library import check, load_library
from circuits.octet.native.words import Point, Words, as_rows, from_words, to_words
from zkml.errors import ConfigError, ToolchainError

PathName = Literal["scalar", "adx", "ifma"]
"""Which code runs: on any machine, with the carries of BMI2 and ADX, or eight at once with AVX512-IFMA."""

PATHS: tuple[PathName, ...] = ("scalar", "adx", "ifma")
"""All of them, the slowest first, numbered as the C interface numbers them."""

_OPERATIONS = {"add": 0, "subtract": 1, "multiply": 2, "multiply_by_difference": 3}


@dataclass(frozen=True)
class Native:
    """The kernels on one path.

    Attributes:
        library: the loaded library.
        path: which code its calls run.
    """

    library: ctypes.CDLL
    path: PathName

    @property
    def path_number(self) -> int:
        """The path as the C interface names it."""
        return PATHS.index(self.path)

    def keccak256(self, data: bytes) -> bytes:
        """Return the hash of the transcript (octet.md 3.10)."""
        out = ctypes.create_string_buffer(32)
        self.library.octet_keccak256(data, len(data), out)
        return out.raw

    def field_batch(self, field: Literal["Fr", "Fq"], operation: str, left: Words, right: Words) -> Words:
        """Return `left operation right`, row by row.

        Args:
            field: Fr, the scalars, or Fq, the coordinates.
            operation: add, subtract, multiply, or multiply_by_difference: left * (left - right).
            left: shape (n, 4).
            right: shape (n, 4).

        Raises:
            ValueError: the shapes differ, or a value is not below the prime.
        """
        a, b = as_rows(left), as_rows(right)
        if a.shape != b.shape:
            raise ValueError(f"expected equal shapes, found {a.shape} and {b.shape}")
        out = np.empty_like(a)
        number = {"Fr": 0, "Fq": 1}[field]
        arguments = (address(a), address(b), address(out), len(a))
        check(self.library.octet_field_batch(self.path_number, number, _OPERATIONS[operation], *arguments))
        return out

    def multiply_rate(self, field: Literal["Fr", "Fq"], rounds: int = 200_000) -> float:
        """Return this machine's products per second on one thread, measured now."""
        return float(self.library.octet_multiply_rate(self.path_number, {"Fr": 0, "Fq": 1}[field], rounds))

    def eq_table(self, point: Sequence[int], scale: int = 1) -> Words:
        """Return scale * eq(point, i) for every i; shape (2^len(point), 4), index bits from the lowest.

        Raises:
            ValueError: a coordinate or the scale is not below r, or there are more than 30.
        """
        coordinates, factor = to_words(point), to_words([scale])
        if len(point) > 30:
            raise ValueError(f"expected at most 30 variables, found {len(point)}")
        out = np.empty((1 << len(point), 4), dtype=np.uint64)
        arguments = (address(coordinates), len(point), address(factor), address(out))
        check(self.library.octet_eq_table(self.path_number, *arguments))
        return out

    def evaluate(self, values: Words, point: Sequence[int]) -> int:
        """Return the multilinear extension of `values`, extended by zeros to 2^len(point) rows, at the point.

        Raises:
            ValueError: there are more values than that, or one is not below r.
        """
        table, coordinates = as_rows(values), to_words(point)
        out = np.empty((1, 4), dtype=np.uint64)
        arguments = (address(table), len(table), address(coordinates), len(point), address(out))
        check(self.library.octet_evaluate(self.path_number, *arguments))
        return from_words(out)[0]

    def generator_multiples(self, factors: Words, threads: int = 1) -> bytes:
        """Return factor * G for each factor, x and y in Montgomery form (R = 2^256): 64 bytes each.

        Args:
            factors: shape (n, 4), n at most 2^24; below r and not 0.
            threads: how many to use.

        Raises:
            ValueError: a factor is 0 or not below r, or there are too many.
        """
        rows = as_rows(factors)
        out = np.empty((len(rows), 8), dtype=np.uint64)
        arguments = (address(rows), len(rows), threads, address(out))
        check(self.library.octet_generator_multiples(self.path_number, *arguments))
        return out.astype("<u8").tobytes()

    def points(self, xy: Words) -> "Points":
        """Read points in the form multi-scalar multiplication wants, checking that they are on the curve.

        Args:
            xy: shape (n, 8): x and y; a row of zeros is infinity.

        Raises:
            ValueError: a coordinate is not below the prime, or a point is not on the curve.
        """
        rows = as_rows(xy, 8)
        status = ctypes.c_int()
        arguments = (address(rows), len(rows), ctypes.byref(status))
        handle = self.library.octet_points_new(self.path_number, *arguments)
        check(status.value)
        return Points(self, handle, len(rows))


class Points:
    """Points held by the library, such as the prefix of an SRS; freed with this object.

    Attributes:
        native: where they are held.
        size: how many.
        handle: the library's, for its other objects.
    """

    def __init__(self, native: Native, handle: int, size: int) -> None:
        self.native = native
        self.size = size
        self.handle = handle
        weakref.finalize(self, native.library.octet_points_free, handle)

    def multiply_small(self, scalars: NDArray[np.unsignedinteger], bits: int, threads: int = 1) -> Point:
        """Return sum_i scalars[i] P_i over the first len(scalars) points.

        Args:
            scalars: shape (n,), unsigned.
            bits: all scalars are below 2^bits; 8 for bytes. At most 64.
            threads: how many to use.

        Raises:
            ValueError: more scalars than points, or one that is not below 2^bits.
        """
        if scalars.ndim != 1 or scalars.dtype.kind != "u":
            raise ValueError(
                f"expected unsigned scalars of shape (n,), found {scalars.dtype} {scalars.shape}"
            )
        return self._multiply(np.ascontiguousarray(scalars, dtype=np.uint64), 1, bits, threads)

    def multiply(self, scalars: Words, threads: int = 1) -> Point:
        """Return sum_i scalars[i] P_i over the first len(scalars) points.

        Args:
            scalars: shape (n, 4), below r.
            threads: how many to use.

        Raises:
            ValueError: more scalars than points, or one that is not below r.
        """
        return self._multiply(as_rows(scalars), 4, 254, threads)

    def _multiply(self, scalars: Words, words: int, bits: int, threads: int) -> Point:
        out = np.empty((2, 4), dtype=np.uint64)
        arguments = (self.handle, address(scalars), words, len(scalars), bits, threads, address(out))
        check(self.native.library.octet_msm(*arguments))
        x, y = from_words(out)
        return x, y

    def mercury_open(
        self, values: Words, point: Sequence[int], state: bytes, threads: int = 1
    ) -> tuple[list[int], bytes]:
        """Open the multilinear polynomial of `values` at a point (octet.md 3.9).

        Args:
            values: shape (2^n, 4), below r.
            point: n coordinates, at least two.
            state: the transcript's 32 bytes before the opening.
            threads: how many to use.

        Returns:
            The 22 words of the proof and the transcript's state after the last challenge.

        Raises:
            ValueError: the sizes do not fit each other or the points, or a value is not below r.
            BackendError: a challenge is one that verifiers refuse; happens once in 2^250 proofs.
        """
        table, coordinates = as_rows(values), to_words(point)
        if len(table) != 1 << len(point) or len(state) != 32:
            raise ValueError(
                f"expected 2^{len(point)} values and 32 bytes, found {len(table)} and {len(state)}"
            )
        transcript = ctypes.create_string_buffer(state, 32)
        words = ctypes.create_string_buffer(22 * 32)
        arguments = (address(table), len(point), address(coordinates), transcript, threads, words)
        check(self.native.library.octet_mercury_open(self.handle, *arguments))
        return [
            int.from_bytes(words.raw[i : i + 32], "big") for i in range(0, len(words), 32)
        ], transcript.raw


def address(array: NDArray[np.unsignedinteger]) -> int:
    """Return where an array's data lies; the caller keeps the array alive over the call."""
    return int(array.ctypes.data)


def open_native(path: PathName | None = None) -> Native:
    """Return the kernels, built when need be.

    Args:
        path: which code to run; the best of this machine when None.

    Raises:
        ToolchainError: they cannot be built here, or this machine lacks the path's instructions.
    """
    library = load_library()
    present = available_paths()
    if path is not None and path not in present:
        raise ToolchainError(
            f"expected a processor and a compiler for the {path} path, found {', '.join(present)}"
        )
    return Native(library, path or present[-1])


def available_paths() -> tuple[PathName, ...]:
    """Return the paths that run here, the slowest first."""
    library = load_library()
    return tuple(path for number, path in enumerate(PATHS) if library.octet_has_path(number))


def find_native() -> Native | None:
    """Return the kernels, or None with a notice in the log where they cannot be built."""
    try:
        return open_native()
    except (ToolchainError, ConfigError) as error:
        logging.getLogger(__name__).warning("octet proves in plain Python, slowly: %s", error)
        return None
