"""The prover's rounds of a sum check over a row program (octet.md 3.8, A7)."""

import ctypes
import weakref
from collections.abc import Sequence

import numpy as np

from circuits.octet.native.kernels import Native, address
from circuits.octet.native.library import check
from circuits.octet.native.row_program import RowProgram
from circuits.octet.native.words import Words, as_rows, from_words, to_words


class SumCheck:
    """Tables of 2^variables rows and the program whose sum over them is shown, round by round.

    A table may be a prefix; its entries beyond are its tail. Only `active` rows are walked: on every row
    beyond, and on the lines between two such rows, the program must be the constant `idle`.

    Args:
        native: which kernels.
        variables: how many; 1 to 30.
        tables: shape (n, 4) each, n up to 2^variables.
        program: what is summed.
        result: the program's register that holds a row's value.
        degree: of that value in each variable, up to 16.
        tails: what each table holds beyond its rows; zeros when None.
        active: how many rows are walked; all when None.
        idle: the program's value on every other row.
        threads: how many to use.

    Raises:
        ValueError: a value is not below r, a table is too long, or a step reads what is not written.
    """

    def __init__(
        self,
        native: Native,
        variables: int,
        tables: Sequence[Words],
        program: RowProgram,
        result: int,
        *,
        degree: int,
        tails: Sequence[int] | None = None,
        active: int | None = None,
        idle: int = 0,
        threads: int = 1,
    ) -> None:
        rows = [as_rows(table) for table in tables]
        if len(rows) != program.tables:
            raise ValueError(f"expected {program.tables} tables, found {len(rows)}")
        beyond = to_words(tails if tails is not None else [0] * len(rows))
        if len(beyond) != len(rows):
            raise ValueError(f"expected {len(rows)} tails, found {len(beyond)}")
        constants, steps, rest = to_words(program.constants), program.steps(), to_words([idle])
        places = np.array([address(table) for table in rows], dtype=np.uint64)
        lengths = np.array([len(table) for table in rows], dtype=np.uint64)
        status = ctypes.c_int()
        handle = native.library.octet_sumcheck_new(
            native.path_number,
            variables,
            active if active is not None else 1 << variables,
            len(rows),
            address(places),
            address(lengths),
            address(beyond),
            len(constants),
            address(constants),
            len(steps),
            int(steps.ctypes.data),
            result,
            degree,
            address(rest),
            threads,
            ctypes.byref(status),
        )
        check(status.value)
        self._native, self._handle, self._tables, self._degree = native, handle, len(rows), degree
        weakref.finalize(self, native.library.octet_sumcheck_free, handle)

    def round(self) -> list[int]:
        """Return the round polynomial's values at 0, 2, 3, .., degree; the one at 1 follows from the claim.

        Raises:
            ValueError: all variables are bound.
        """
        out = np.empty((self._degree, 4), dtype=np.uint64)
        check(self._native.library.octet_sumcheck_round(self._handle, address(out)))
        return from_words(out)

    def bind(self, challenge: int) -> None:
        """Set the lowest free variable.

        Raises:
            ValueError: all variables are bound, or the challenge is not below r.
        """
        value = to_words([challenge])
        check(self._native.library.octet_sumcheck_bind(self._handle, address(value)))

    def finals(self) -> list[int]:
        """Return the tables' values at the challenges.

        Raises:
            ValueError: a variable is free.
        """
        out = np.empty((self._tables, 4), dtype=np.uint64)
        check(self._native.library.octet_sumcheck_final(self._handle, address(out)))
        return from_words(out)
