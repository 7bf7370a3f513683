"""Which code proves and verifies here: the kernels in C++ where they can be built, else the specification.

Both make the same bytes and give the same verdicts, so nothing but time depends on the choice. It is made
once per process, since a build that failed would fail again.
"""

import ctypes
from dataclasses import dataclass
from functools import cache

from circuits.octet.native.kernels import Native, open_native
from circuits.octet.native.verifier import load_verifier
from zkml.core.progress import Progress, ProgressEvent, silent
from zkml.errors import ConfigError


@dataclass(frozen=True)
class NativeChoice:
    """The kernels, or why there are none.

    Attributes:
        native: the kernels; None where the specification has to do.
        reason: why, in words for people; empty when there are kernels.
    """

    native: Native | None
    reason: str = ""


@dataclass(frozen=True)
class VerifierChoice:
    """The verifier's library, or why there is none.

    Attributes:
        library: loaded; None where the specification has to do.
        reason: why, in words for people; empty when there is one.
    """

    library: ctypes.CDLL | None
    reason: str = ""


@cache
def choose_native() -> NativeChoice:
    """Return the kernels, built when need be: some seconds, the first time on a machine."""
    try:
        return NativeChoice(open_native())
    except ConfigError as error:
        return NativeChoice(None, _reason(error))


@cache
def choose_verifier() -> VerifierChoice:
    """Return the verifier's library, built when need be: some seconds, the first time on a machine."""
    try:
        return VerifierChoice(load_verifier())
    except ConfigError as error:
        return VerifierChoice(None, _reason(error))


def give_notice(progress: Progress, reason: str) -> None:
    """Say why plain Python does the work: once per process, to whoever listens first."""
    if not reason or progress is silent or reason in _NOTICED:
        return
    _NOTICED.append(reason)
    # Finished, or a console that prints stages as they end would never show it.
    progress(ProgressEvent("kernels", finished=True, note=reason))


def _reason(error: ConfigError) -> str:
    return f"octet runs in plain Python, slowly: {error.message}"


_NOTICED: list[str] = []
