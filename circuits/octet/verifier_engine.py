"""One door to verifying: the verifier in C++ where it runs, else the specification. Both give one verdict."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

from circuits.octet.native.verifier import NativeVerifier
from circuits.octet.native_choice import choose_verifier
from circuits.octet.opened_key import OpenedKey
from circuits.octet.spec.srs import PairingKey
from circuits.octet.spec.statement import Statement, VerifyingKey
from circuits.octet.spec.verifier import verify
from zkml.errors import CompileError, KeygenError, ManifestError


class VerifierEngine(Protocol):
    """A verifying key, loaded; safe to use from several threads at once."""

    def verify(self, statement: Statement, words: Sequence[int]) -> None:
        """Accept a proof by returning.

        Raises:
            ProofRejectedError: names the first check that failed.
        """


class PlainVerifier:
    """The specification."""

    def __init__(self, verifying: VerifyingKey, opening_key: PairingKey) -> None:
        """Hold a key."""
        self._verifying, self._opening_key = verifying, opening_key

    def verify(self, statement: Statement, words: Sequence[int]) -> None:
        """Accept a proof by returning; see `VerifierEngine`."""
        verify(self._verifying, statement, words, self._opening_key)


@lru_cache(maxsize=8)
def open_verifier(key: OpenedKey) -> VerifierEngine:
    """Load a verifying key, once per process while it is in use.

    Args:
        key: opened, hence checked.

    Raises:
        ManifestError: the library finds no key in it.
    """
    library = choose_verifier().library
    if library is None:
        return PlainVerifier(key.verifying, PairingKey(key.tau_g2))
    try:
        return NativeVerifier(key.verifying, key.tau_g2, library)
    except (CompileError, KeygenError) as error:
        # Two verifiers must not differ: what one of them cannot read is no bundle for either.
        raise ManifestError(
            f"{error.message} in the verifying key", hint="rebuild or re-download the bundle"
        ) from error
