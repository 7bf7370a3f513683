"""The verifier in C++: the answers of `spec.verifier`, in milliseconds.

A key is read once: its points are checked to be on their curves, and the lines of the pairing are prepared
for [tau]_2. Verifying only reads it, so that threads may share one verifier.

Source: octet.md 3.12; circuits/octet/spec/verifier.py decides.
"""

import ctypes
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from circuits.octet.native.build import VERIFIER, built_library
from circuits.octet.native.encoded_program import encode_program
from circuits.octet.native.library import check, opened
from circuits.octet.native.words import Point, points_to_words, to_words
from circuits.octet.spec.pairing import G2Point
from circuits.octet.spec.statement import Statement, VerifyingKey
from zkml.errors import KeygenError, ProofRejectedError

_POINTER, _INT, _SIZE = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t
SIGNATURES: dict[str, tuple[type | None, list[type]]] = {
    "octet_verifier_new": (_POINTER, [_POINTER, _SIZE, _POINTER, _SIZE, *[_POINTER] * 3]),
    "octet_verifier_free": (None, [_POINTER]),
    "octet_pairing_equal": (_INT, [_POINTER] * 5),
    "octet_verifier_words": (_SIZE, [_POINTER]),
    "octet_verify": (
        _INT,
        [_POINTER, *[_POINTER, _SIZE] * 4, _POINTER, _POINTER, _SIZE, _POINTER],
    ),
}

CHECKS = (
    "",
    "expected a context of 32 bytes, found another length",
    "expected one byte per input element, found another number",
    "expected inputs within their domains, found one outside",
    "expected one value per output, found another number",
    "expected outputs within their ranges, found one outside",
    "expected as many words as the program's proofs have, found another number",
    "expected scalars below r, found one that is not",
    "expected coordinates below q, found one that is not",
    "expected points of the curve, found one that is not",
    "expected a first sum that agrees with the claims at rho, found another",
    "expected a second sum that agrees with the final values at sigma, found another",
    "expected challenges other than zero that differ, found others",
    "expected an opening that satisfies the pairing equation, found one that does not",
)
"""What is wrong, by the number of the library's verdict; 0 is acceptance."""

_WORD_BOUND = 1 << 256
_VALUE_BOUND = 1 << 63
_STEPS = 4096


@dataclass(frozen=True)
class Verdict:
    """What the library answers.

    Attributes:
        failed: number of the check that refused, 0 for acceptance.
        states: the transcript's state after each step, 32 bytes each, up to where it refused.
    """

    failed: int
    states: tuple[bytes, ...]


@cache
def load_verifier() -> ctypes.CDLL:
    """Return the verifier's library, built when need be. Its calls let other Python threads run.

    Raises:
        ToolchainError: it cannot be built or loaded here.
        ConfigError: the cache is not a folder of this user alone.
    """
    return open_verifier(built_library(VERIFIER))


def open_verifier(path: Path) -> ctypes.CDLL:
    """Return the verifier's library at a path.

    Raises:
        ToolchainError: it does not load.
    """
    return opened(path, SIGNATURES)


def pairing_equal(left: Point, left_g2: G2Point, right: Point, right_g2: G2Point) -> bool:
    """Tell whether e(left, left_g2) = e(right, right_g2), as `spec.pairing` does, in a millisecond or two.

    Raises:
        ValueError: a coordinate is not below q, or a point is not on its curve or not in its group.
        ToolchainError: the library cannot be built or loaded here.
    """
    equal = ctypes.c_int()
    sides = [
        to_words(numbers)
        for numbers in (left, [*left_g2[0], *left_g2[1]], right, [*right_g2[0], *right_g2[1]])
    ]
    check(load_verifier().octet_pairing_equal(*(side.ctypes.data for side in sides), ctypes.byref(equal)))
    return bool(equal.value)


class NativeVerifier:
    """One model's verifier, held by the library and freed with this object.

    Args:
        key: of the model. Its digest is taken as given: whoever opened the key has compared it.
        tau_g2: [tau]_2 of the SRS.
        library: from `open_verifier`; the one of this version when None.

    Raises:
        KeygenError: no key: a point is not on its curve or not in the group of order r, there is not one
            commitment per column, or the program does not fit together.
        CompileError: the program has no encoding.
        ToolchainError: the library cannot be built or loaded here.
    """

    def __init__(self, key: VerifyingKey, tau_g2: G2Point, library: ctypes.CDLL | None = None) -> None:
        self._library = library or load_verifier()
        program = encode_program(key.program)
        if len(key.digest) != 32:
            raise KeygenError(f"expected a digest of 32 bytes, found {len(key.digest)}")
        coordinates = [int(word) for pair in tau_g2 for word in pair]
        numbers = [word for point in key.commitments for word in point] + coordinates
        if not all(0 <= word < _WORD_BOUND for word in numbers):
            raise KeygenError("expected coordinates below q in a key, found a number beyond 2^256")
        points, tau = points_to_words(key.commitments), to_words(coordinates)
        status = ctypes.c_int()
        handle = self._library.octet_verifier_new(
            *(program.ctypes.data, len(program), points.ctypes.data, len(points)),
            *(key.digest, tau.ctypes.data, ctypes.byref(status)),
        )
        try:
            check(status.value)
        except ValueError as error:
            raise KeygenError(f"a key that is none: {error}") from error
        self._handle = handle
        weakref.finalize(self, self._library.octet_verifier_free, handle)

    @property
    def words(self) -> int:
        """Words of a proof for this key."""
        return int(self._library.octet_verifier_words(self._handle))

    def verify(self, statement: Statement, words: Sequence[int]) -> None:
        """Accept a proof by returning.

        Args:
            statement: inputs, outputs, context.
            words: of the proof.

        Raises:
            ProofRejectedError: with the first check that failed.
            BackendError: memory is short.
        """
        verdict = self._run(statement, words, 0)
        if verdict.failed:
            raise ProofRejectedError(CHECKS[verdict.failed], check=verdict.failed)

    def trace(self, statement: Statement, words: Sequence[int]) -> Verdict:
        """Return the verdict and the states of the transcript, for comparison with the specification's.

        Raises:
            BackendError: memory is short.
        """
        return self._run(statement, words, _STEPS)

    def _run(self, statement: Statement, words: Sequence[int], capacity: int) -> Verdict:
        # What has no room in a word is out of every range: the greatest word stands for it. One word too many
        # says as much as a million.
        words = words[: self.words + 1]
        proof = b"".join(_proof_word(word) for word in words)
        outputs = np.array([_clamped(value) for value in statement.outputs], dtype=np.int64)
        states = ctypes.create_string_buffer(32 * capacity)
        verdict, steps = ctypes.c_int(), ctypes.c_size_t()
        check(
            self._library.octet_verify(
                *(self._handle, statement.context, len(statement.context)),
                *(statement.inputs, len(statement.inputs), outputs.ctypes.data, len(outputs)),
                *(proof, len(words), ctypes.byref(verdict), states, capacity, ctypes.byref(steps)),
            )
        )
        count = min(steps.value, capacity)
        return Verdict(verdict.value, tuple(states.raw[32 * i : 32 * i + 32] for i in range(count)))


def _proof_word(word: int) -> bytes:
    value = int(word)
    return (value if 0 <= value < _WORD_BOUND else _WORD_BOUND - 1).to_bytes(32, "big")


def _clamped(value: int) -> int:
    return min(max(int(value), -_VALUE_BOUND), _VALUE_BOUND - 1)
