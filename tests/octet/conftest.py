"""The code in C++, which every test of a user finds in one cache: the first that needs it compiles it."""

import pytest
from native_system import has_compiler

from circuits.octet.native.kernels import PATHS, available_paths, open_native
from circuits.octet.native.verifier import load_verifier


@pytest.fixture(scope="module")
def compiler():
    """Skip where nothing can compile."""
    if not has_compiler():
        pytest.skip("no C++ compiler on this machine")


@pytest.fixture(scope="module")
def built_kernels(compiler):
    """Let `open_native` find the kernels."""
    open_native()


@pytest.fixture(params=PATHS)
def native(request, built_kernels):
    """The kernels, once per path."""
    if request.param not in available_paths():
        pytest.skip(f"no {request.param} path on this machine")
    return open_native(request.param)


@pytest.fixture(scope="module")
def built_verifier(compiler):
    """The verifier's library, which is also what `NativeVerifier` finds."""
    return load_verifier()
