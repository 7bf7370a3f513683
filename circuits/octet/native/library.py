"""The shared library's functions and their C types, and what their answers mean."""

import ctypes
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from circuits.octet.native.build import built_library
from zkml.errors import BackendError, ToolchainError

ABI = 1

_POINTER = ctypes.c_void_p
_INT = ctypes.c_int
_SIZE = ctypes.c_size_t
_SIGNATURES: dict[str, tuple[type | None, list[type]]] = {
    "octet_abi": (_INT, []),
    "octet_has_path": (_INT, [_INT]),
    "octet_keccak256": (None, [_POINTER, _SIZE, _POINTER]),
    "octet_field_batch": (_INT, [_INT, _INT, _INT, _POINTER, _POINTER, _POINTER, _SIZE]),
    "octet_multiply_rate": (ctypes.c_double, [_INT, _INT, _SIZE]),
    "octet_eq_table": (_INT, [_INT, _POINTER, _INT, _POINTER, _POINTER]),
    "octet_evaluate": (_INT, [_INT, _POINTER, _SIZE, _POINTER, _INT, _POINTER]),
    "octet_points_new": (_POINTER, [_INT, _POINTER, _SIZE, _POINTER]),
    "octet_points_free": (None, [_POINTER]),
    "octet_msm": (_INT, [_POINTER, _POINTER, _INT, _SIZE, _INT, _INT, _POINTER]),
    "octet_mercury_open": (_INT, [_POINTER, _POINTER, _INT, _POINTER, _POINTER, _INT, _POINTER]),
    "octet_generator_multiples": (_INT, [_INT, _POINTER, _SIZE, _INT, _POINTER]),
    "octet_sumcheck_new": (
        _POINTER,
        [
            *(_INT, _INT, _SIZE, _INT, _POINTER, _POINTER, _POINTER, _INT, _POINTER),
            *(_INT, _POINTER, _INT, _INT, _POINTER, _INT, _POINTER),
        ],
    ),
    "octet_sumcheck_round": (_INT, [_POINTER, _POINTER]),
    "octet_sumcheck_bind": (_INT, [_POINTER, _POINTER]),
    "octet_sumcheck_final": (_INT, [_POINTER, _POINTER]),
    "octet_sumcheck_free": (None, [_POINTER]),
    "octet_prover_new": (_POINTER, [_POINTER, _POINTER, _SIZE, _POINTER, _POINTER, _POINTER, _POINTER]),
    "octet_prover_free": (None, [_POINTER]),
    "octet_prove": (
        _INT,
        [*[_POINTER] * 6, _POINTER, _INT, _POINTER, _POINTER, _POINTER, _POINTER, _SIZE, _POINTER],
    ),
}
_REFUSALS = {
    1: "expected values below the field's prime and within the stated bits, found one that is not",
    2: "expected points on the curve, found one that is not",
    3: "expected sizes that fit together, found others",
}


@cache
def load_library() -> ctypes.CDLL:
    """Return the library, built when need be. Its calls let other Python threads run.

    Raises:
        ToolchainError: it cannot be built or loaded here.
    """
    path = built_library()
    library = opened(path, _SIGNATURES)
    if library.octet_abi() != ABI:
        raise ToolchainError(f"expected interface {ABI} in {path}, found {library.octet_abi()}")
    return library


def opened(path: Path, signatures: Mapping[str, tuple[type | None, list[type]]]) -> ctypes.CDLL:
    """Load a library and tell its functions' C types.

    Raises:
        ToolchainError: it does not load, or lacks a function.
    """
    try:
        library = ctypes.CDLL(str(path))
        for name, (result, arguments) in signatures.items():
            function = getattr(library, name)
            function.restype = result
            function.argtypes = arguments
    except (OSError, AttributeError) as error:
        raise ToolchainError(f"expected a library that loads at {path}, found {error}") from error
    return library


def check(status: int) -> None:
    """Pass on success.

    Raises:
        ValueError: the arguments were refused.
        BackendError: memory was short, or a challenge of a proof was one that verifiers refuse.
    """
    if status in _REFUSALS:
        raise ValueError(_REFUSALS[status])
    if status == 4:
        raise BackendError("expected memory for the kernels, found too little")
    if status == 5:
        raise BackendError("expected challenges that differ from each other, found two that coincide")
