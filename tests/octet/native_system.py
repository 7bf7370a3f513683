"""Prover and verifier in C++ behind the interface of `proof_systems`; the verifier whole, and with checks that can be
left out by name."""

import shutil
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from built_once import built_once

from circuits.octet import native_choice, verifier_engine
from circuits.octet.native import build, library, verifier
from circuits.octet.native.kernels import available_paths, open_native
from circuits.octet.native.prover import NativeProver
from circuits.octet.native.verifier import NativeVerifier, open_verifier
from circuits.octet.native.words import points_to_words
from circuits.octet.spec import logup
from circuits.octet.spec.field import to_signed
from circuits.octet.spec.srs import LocalSrs
from zkml.errors import ProofRejectedError

REMOVABLE = replace(build.VERIFIER, name="libcareless.so", options=("-O1", "-DOCTET_REMOVABLE_CHECKS"))
"""The verifier as only tests build it: each check can be left out by name."""


def forget():
    """Forget what was chosen and loaded in this process."""
    for cached in (
        native_choice.choose_native,
        native_choice.choose_verifier,
        library.load_library,
        verifier.load_verifier,
        verifier_engine.open_verifier,
    ):
        cached.cache_clear()
    native_choice._NOTICED.clear()


@cache
def has_compiler():
    return any(map(shutil.which, ("c++", "g++", "clang++")))


class NativeVerifying:
    """The verifier in C++; one with removable checks where a check is to be left out."""

    name = "native"

    def __init__(self):
        self.whole, self.careless = built_libraries()
        self.loaded = {}

    def has(self, check):
        """Whether a check is this verifier's: every one is."""
        return bool(check)

    def accepts(self, key, claim, words, without=""):
        """Whether words prove a claim, to a verifier that lacks one check or none."""
        if not without:
            return self._accepts(self.whole, key, claim, words)
        self.careless.octet_test_remove(removable_name(key.verifying.program, without).encode())
        verdict = self._accepts(self.careless, key, claim, words)
        assert self.careless.octet_test_met(), f"no check is called {without}"
        return verdict

    def states(self, key, claim, words):
        """Return the transcript's state after each step of the verifier."""
        assert self._accepts(self.whole, key, claim, words)
        return list(self.loaded[id(self.whole), id(key)][0].trace(claim, words).states)

    def _accepts(self, library, key, claim, words):
        place = id(library), id(key)
        if place not in self.loaded:
            # The key is kept beside its verifier, so that its identity stays its own.
            self.loaded[place] = NativeVerifier(key.verifying, key.srs.tau_g2, library), key
        try:
            self.loaded[place][0].verify(claim, words)
        except ProofRejectedError:
            return False
        return True


class NativeProving:
    """The prover in C++ on one path, with as many threads as told."""

    def __init__(self, path, threads):
        self.name = f"native {path}, {threads} threads"
        self.native, self.threads, self.loaded = open_native(path), threads, {}

    def prove(self, key, claim, witness):
        """Return the words of a proof."""
        return self._loaded(key).prove(claim, witness)

    def states(self, key, claim, witness):
        """Return the transcript's state after each step."""
        return list(self._loaded(key).trace(claim, witness)[1])

    def _loaded(self, key):
        if id(key) not in self.loaded:
            columns = {
                name: np.array([to_signed(value) for value in column], dtype=np.int64)
                for name, column in key.columns.items()
            }
            points = loaded_points(self.native.path, key.srs._tau, key.verifying.program.rows)
            self.loaded[id(key)] = (
                NativeProver(self.native, key.verifying, columns, points, self.threads),
                key,
            )
        return self.loaded[id(key)][0]


@cache
def loaded_points(path, tau, size):
    """Load the powers of a local SRS, which its number tells."""
    return open_native(path).points(points_to_words(powers_of(tau, size)))


@cache
def powers_of(tau, size):
    return LocalSrs(size, tau=tau).points(size)


@cache
def provers_of_all_paths():
    """The prover of each path that this machine has, the fastest first, and that one on a single thread."""
    paths = available_paths()[::-1]
    return (*(NativeProving(path, 2) for path in paths), NativeProving(paths[0], 1))


@cache
def built_libraries():
    """Return the verifier as everybody has it, and as only tests build it: in a folder of the test run."""

    def build_in(folder):
        folder.chmod(0o700)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(build.CACHE_VARIABLE, str(folder))
            return build.built_library(REMOVABLE)

    _, careless = built_once("octet-careless", build_in)
    return verifier.load_verifier(), open_verifier(careless)


def removable_name(program, check):
    """Name a check as the library does: row rules by their place in the list."""
    for kind, rules in (("constraint", logup.row_constraints(program)), ("balance", logup.balances(program))):
        names = [rule.name for rule in rules]
        if check in names:
            return f"{kind}[{names.index(check)}]"
    return check.removeprefix("absorb:")
