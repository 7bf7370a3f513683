"""The kernels, built once for all tests and all processes of a run, not in the user's cache."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from built_once import built_once

from circuits.octet.native import build, library
from circuits.octet.native.kernels import open_native


def build_in(folder):
    """Compile the kernels in a folder of the test run."""
    folder.chmod(0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(build.CACHE_VARIABLE, str(folder))
        open_native()


@contextmanager
def built_kernels() -> Iterator[None]:
    """Let `open_native` find them; skips where nothing can compile them."""
    if not any(map(build.shutil.which, ("c++", "g++", "clang++"))):
        pytest.skip("no C++ compiler on this machine")
    folder, _ = built_once("octet-native", build_in)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(build.CACHE_VARIABLE, str(folder))
        library.load_library.cache_clear()
        open_native()
        yield
