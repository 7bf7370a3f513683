"""The prover in C++: the words of `spec.prover`, in milliseconds.

A model is loaded once; proving only reads it, so that threads may share one prover. The witness is taken as
it is, as the specification takes it, but for what the faster way to the same words rests on: limbs are
bytes, multiplicities stand on their tables' rows, and where a table is asked V is its value.

Source: octet.md 3.8, 3.9; circuits/octet/spec/prover.py decides.
"""

import ctypes
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuits.octet.native.encoded_program import encode_program
from circuits.octet.native.kernels import Native, Points
from circuits.octet.native.library import check
from circuits.octet.program import LIMB_TABLE, Program
from circuits.octet.proof_length import words_from_bytes
from circuits.octet.spec.statement import Statement, VerifyingKey, check_context, check_inputs, check_outputs
from zkml.errors import KeygenError, ProverLimitError, WitnessError

PHASES = (
    "first commitments",
    "second columns",
    "second commitments",
    "wiring",
    "first sum",
    "claims",
    "second sum",
    "opening",
)
"""What a proof's time is spent on, in this order; numbered as the library numbers them."""

OnPhase = Callable[[str, float], None]
"""Told the phase and what part of it is done, 0 to 1."""

_TELL = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_double)
_NO_MEMORY, _WRONG_WITNESS = 4, 7
_MOST_COUNT = 1 << 32
_STEPS = 4096


class NativeProver:
    """One model's prover, held by the library and freed with this object.

    Args:
        native: which kernels.
        key: what verifiers know of the model. Its digest is taken as given.
        columns: the values of the key's columns by name, small integers. Shape of each: (2^nu,).
        points: at least 2^nu powers of the SRS.
        threads: how many to use for one proof.

    Attributes:
        last_phases: seconds by name of phase, in order, of the proof that was finished last.

    Raises:
        KeygenError: a column is missing or of another length, or there are fewer points than rows.
        CompileError: the program has no encoding.
    """

    def __init__(
        self,
        native: Native,
        key: VerifyingKey,
        columns: Mapping[str, NDArray[np.int64]],
        points: Points,
        threads: int = 2,
    ) -> None:
        self._program, self._library, self._threads = key.program, native.library, threads
        self._points = points  # and the columns: the library reads them where they are
        self._columns = _stacked(key.program, columns)
        if points.size < key.program.rows:
            raise KeygenError(f"expected {key.program.rows} points for the rows, found {points.size}")
        if len(key.digest) != 32:
            raise KeygenError(f"expected a digest of 32 bytes, found {len(key.digest)}")
        words = encode_program(key.program)
        count, status = ctypes.c_size_t(), ctypes.c_int()
        handle = self._library.octet_prover_new(
            *(points.handle, words.ctypes.data, len(words), key.digest, self._columns.ctypes.data),
            *(ctypes.byref(count), ctypes.byref(status)),
        )
        try:
            check(status.value)
        except ValueError as error:
            raise KeygenError(f"a key that is none: {error}") from error
        self._handle, self._words = handle, count.value
        self.last_phases: dict[str, float] = {}
        weakref.finalize(self, self._library.octet_prover_free, handle)

    def prove(
        self,
        statement: Statement,
        witness: Mapping[str, NDArray[Any]],
        *,
        on_phase: OnPhase | None = None,
    ) -> tuple[int, ...]:
        """Prove a statement.

        Args:
            statement: inputs, outputs, context.
            witness: every column of the first message by name, integers. Shape of each: (2^nu,).
            on_phase: told where the proof is, on this thread; what it raises ends the proof and comes
                out here.

        Returns:
            The words of the proof.

        Raises:
            ProofRejectedError: inputs, outputs or context are out of their ranges: no verifier takes them.
            WitnessError: a column is missing or of another length, a limb is not a byte, a multiplicity is
                off its table, or a table's value is not the table's.
            ProverLimitError: memory is short.
            BackendError: two challenges coincide, once in 2^240 proofs.
        """
        words, _ = self._run(statement, witness, on_phase, 0)
        return words

    def trace(
        self, statement: Statement, witness: Mapping[str, NDArray[Any]]
    ) -> tuple[tuple[int, ...], tuple[bytes, ...]]:
        """Prove, and return the transcript's state after each step as well, 32 bytes each.

        Raises:
            WitnessError: as `prove`, whose other errors it raises, too.
        """
        return self._run(statement, witness, None, _STEPS)

    def _run(
        self,
        statement: Statement,
        witness: Mapping[str, NDArray[Any]],
        on_phase: OnPhase | None,
        capacity: int,
    ) -> tuple[tuple[int, ...], tuple[bytes, ...]]:
        program = self._program
        check_context(statement)
        check_inputs(program, statement)
        check_outputs(program, statement)
        limbs = [_bytes(program, witness, name) for name in program.limb_columns]
        value = _integers(program, witness, "V") if program.tables else np.zeros(1, dtype=np.int64)
        counts = _multiplicities(program, witness)
        outputs = np.array(statement.outputs, dtype=np.int64)
        raised: list[BaseException] = []

        def tell(phase: int, done: float) -> int:
            # Whatever the listener raises, KeyboardInterrupt too, may not run through the library.
            try:
                if on_phase is not None:
                    on_phase(PHASES[phase], done)
            except BaseException as error:  # noqa: BLE001 - it comes out below
                raised.append(error)
            return len(raised)

        listener = _TELL(tell) if on_phase is not None else _TELL()
        seconds = (ctypes.c_double * len(PHASES))()
        proof = ctypes.create_string_buffer(32 * self._words)
        states, steps = ctypes.create_string_buffer(32 * capacity), ctypes.c_size_t()
        status = self._library.octet_prove(
            *(self._handle, statement.context, statement.inputs, outputs.ctypes.data),
            *(_addresses(limbs), value.ctypes.data, _addresses(counts), self._threads, listener, seconds),
            *(proof, states if capacity else None, capacity, ctypes.byref(steps)),
        )
        if raised:
            raise raised[0]
        if status == _NO_MEMORY:
            raise ProverLimitError(
                f"expected memory for a proof over {program.rows} rows, found too little",
                hint="end other programs, or prove on a machine with more memory",
            )
        if status == _WRONG_WITNESS:
            raise WitnessError(
                "expected V to be the table's value of Y where a table is asked, found another"
            )
        check(status)
        self.last_phases = dict(zip(PHASES, seconds, strict=True))
        count = min(steps.value, capacity)
        return (
            words_from_bytes(proof.raw),
            tuple(states.raw[32 * i : 32 * i + 32] for i in range(count)),
        )


def _stacked(program: Program, columns: Mapping[str, NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return the key's columns one behind the other. Shape: (columns, 2^nu), at least one word."""
    if not program.key_columns:
        return np.zeros((1, 1), dtype=np.int64)
    stacked = np.empty((program.vk_columns, program.rows), dtype=np.int64)
    for index, name in enumerate(program.key_columns):
        found = columns.get(name)
        if found is None or found.shape != (program.rows,) or found.dtype != np.int64:
            raise KeygenError(f"expected {program.rows} 64-bit integers in column {name}, found others")
        stacked[index] = found
    return stacked


def _integers(program: Program, witness: Mapping[str, NDArray[Any]], name: str) -> NDArray[np.int64]:
    """Return a column as 64-bit integers.

    Raises:
        WitnessError: it is missing, of another length, or holds something else.
    """
    if name not in witness:
        raise WitnessError(f"expected the column {name}, found none")
    try:
        column = np.ascontiguousarray(witness[name], dtype=np.int64)
    except (OverflowError, TypeError, ValueError) as error:
        raise WitnessError(f"expected 64-bit integers in {name}, found others") from error
    if column.shape != (program.rows,):
        raise WitnessError(f"expected {program.rows} rows in {name}, found {column.shape}")
    return column


def _bytes(program: Program, witness: Mapping[str, NDArray[Any]], name: str) -> NDArray[np.uint8]:
    column = _integers(program, witness, name)
    if column.min() < 0 or column.max() >= LIMB_TABLE:
        raise WitnessError(f"expected bytes in {name}, found {column.min()}..{column.max()}")
    return column.astype(np.uint8)


def _multiplicities(program: Program, witness: Mapping[str, NDArray[Any]]) -> list[NDArray[np.int64]]:
    """Return the multiplicities of the limbs' table and of every other, in order."""
    places = {"M": 0}
    places |= {f"M:{table.name}": program.vk_tensor(table.values).offset for table in program.tables}
    counts = []
    for name, first in places.items():
        column = _integers(program, witness, name)
        held = column[first : first + LIMB_TABLE]
        if held.min() < 0 or held.max() >= _MOST_COUNT or np.count_nonzero(column) != np.count_nonzero(held):
            raise WitnessError(
                f"expected counts on rows {first}..{first + LIMB_TABLE - 1} of {name}, found others"
            )
        counts.append(column)
    return counts


def _addresses(columns: list[Any]) -> Any:
    return (ctypes.c_void_p * len(columns))(*(column.ctypes.data for column in columns))
