"""The C++ verifier, built once in a test run, in a folder of the run."""

import shutil
from contextlib import contextmanager

import pytest
from built_once import built_once

from circuits.octet.native import build, verifier


def build_in(folder):
    """Compile the verifier into a folder."""
    folder.chmod(0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(build.CACHE_VARIABLE, str(folder))
        build.built_library(build.VERIFIER)


@contextmanager
def built_verifier():
    """The library, which is also what `NativeVerifier` finds meanwhile; skips where there is no compiler."""
    if not any(map(shutil.which, ("c++", "g++", "clang++"))):
        pytest.skip("no C++ compiler on this machine")
    folder, _ = built_once("octet-verifier", build_in)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(build.CACHE_VARIABLE, str(folder))
        verifier.load_verifier.cache_clear()
        yield verifier.load_verifier()
