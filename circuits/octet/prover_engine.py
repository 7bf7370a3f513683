"""One door to proving: the prover in C++ where it runs, else the specification. Both make the same words."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from circuits.octet.key_files import KeyColumns
from circuits.octet.native.prover import NativeProver
from circuits.octet.native_choice import choose_native
from circuits.octet.spec.field import vector
from circuits.octet.spec.prover import ProvingKey, prove
from circuits.octet.spec.srs import read_srs
from circuits.octet.spec.statement import Statement, VerifyingKey
from circuits.octet.srs_powers import native_powers

OnPhase = Callable[[str, float], None]
"""Hears of a phase's name and the fraction of it that is done; what it raises ends the proof."""

WitnessColumns = Mapping[str, NDArray[np.int64]]
"""Every column of the first message by name, multiplicities included. Shape of each: (2^nu,)."""


class ProverEngine(Protocol):
    """A proving key, loaded; safe to use from several threads at once."""

    def prove(
        self, statement: Statement, witness: WitnessColumns, *, on_phase: OnPhase | None = None
    ) -> tuple[int, ...]:
        """Return the words of a proof; whether the witness satisfies anything is not looked at.

        Raises:
            ProverLimitError: too little memory.
            BackendError: a challenge came out that verifiers refuse: once in 2^250 proofs.
        """


class PlainProver:
    """The specification."""

    def __init__(self, verifying: VerifyingKey, columns: KeyColumns, srs: Path) -> None:
        """Hold a key in the specification's form.

        Raises:
            SrsError: the file is too short, or its points are not powers of one tau.
        """
        plain = {name: vector(int(value) for value in values) for name, values in columns.items()}
        self._key = ProvingKey(verifying, plain, read_srs(srs, verifying.program.rows))

    def prove(
        self, statement: Statement, witness: WitnessColumns, *, on_phase: OnPhase | None = None
    ) -> tuple[int, ...]:
        """Prove; how far it is cannot be told in between."""
        if on_phase is not None:
            on_phase("plain Python", 0.0)
        words = prove(self._key, statement, {name: values.tolist() for name, values in witness.items()})
        if on_phase is not None:
            on_phase("plain Python", 1.0)
        return words


def open_engine(verifying: VerifyingKey, columns: KeyColumns, srs: Path, threads: int) -> ProverEngine:
    """Load a proving key.

    Args:
        verifying: what verifiers know of it.
        columns: the key's columns.
        srs: file of the SRS, for as many rows or more.
        threads: of one proof.

    Raises:
        SrsError: the file is too short, or holds no points of the curve.
    """
    native = choose_native().native
    if native is None:
        return PlainProver(verifying, columns, srs)
    points = native_powers(native, srs, verifying.program.rows)
    return NativeProver(native, verifying, columns, points, threads)
