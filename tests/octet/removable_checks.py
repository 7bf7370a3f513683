"""The specification's verifier with one check taken out of it, by name.

The names are those by which the native verifier's test build leaves out its own. What is left out for the
verifier is left out for the specification's prover as well, which is how a proof is made for a careless verifier.
"""

from contextlib import contextmanager
from dataclasses import replace

import pytest
from frozen_transcript import forgetting

from circuits.octet.spec import curve, logup, mercury, proof_words, prover, statement, verifier, wiring
from circuits.octet.spec.batch_opening import Opened
from circuits.octet.spec.field import vector
from circuits.octet.spec.functionals import Piece
from circuits.octet.spec.transcript import Transcript
from zkml.errors import ProofRejectedError

NOTHING = bytes(32)


@contextmanager
def without(name):
    """Leave one check out of the specification; nothing for an empty name."""
    with pytest.MonkeyPatch.context() as patch:
        if name:
            _remove(patch, name)
        yield


def _remove(patch, name):
    if name in FUNCTIONS:
        patch.setattr(*FUNCTIONS[name], lambda *_, **__: None)
    elif name in SEED_PARTS:
        _replace_seed(patch, SEED_PARTS[name])
    elif name.startswith("absorb:"):
        _seeds(patch, forgetting(name.removeprefix("absorb:")))
    elif name in OTHERS:
        OTHERS[name](patch)
    else:
        _drop_row_rule(patch, name)


FUNCTIONS = {
    "context_length": (statement, "check_context"),
    "input_range": (statement, "check_inputs"),
    "output_range": (statement, "check_outputs"),
    "first_sum": (verifier, "check_first_sum"),
    "second_sum": (verifier, "check_second_sum"),
    "opening": (mercury, "verify"),
    "usable_challenges": (mercury, "require_usable_challenges"),
}
"""Checks that are a function of their own: it does nothing."""

SEED_PARTS = {"seed_digest": 1, "seed_context": 2, "seed_inputs": 3, "seed_outputs": slice(4, None)}
"""Parts of the seed by their place in it: zero bytes take it."""


def _replace_seed(patch, place):
    real = Transcript.start

    def start(*parts):
        kept = list(parts)
        kept[place] = NOTHING if isinstance(place, int) else [NOTHING for _ in kept[place]]
        return real(*kept)

    patch.setattr(statement.Transcript, "start", start)


def _drop_row_rule(patch, name):
    """Make one row constraint or balance say nothing; every other keeps its power of lambda."""
    constraints, balances = logup.row_constraints, logup.balances

    def fewer_constraints(program):
        return [replace(c, evaluate=lambda _: 0) if c.name == name else c for c in constraints(program)]

    def fewer_balances(program):
        return [replace(b, plus=(b.minus,)) if b.name == name else b for b in balances(program)]

    patch.setattr(logup, "row_constraints", fewer_constraints)
    patch.setattr(logup, "balances", fewer_balances)


def _any_length(patch):
    real = proof_words.cut
    patch.setattr(
        proof_words,
        "cut",
        lambda program, words: real(program, words[: sum(proof_words.part_lengths(program))]),
    )


def _any_scalar(patch):
    patch.setattr(proof_words, "check_scalars", lambda _: None)
    patch.setattr(mercury, "checked_scalar", lambda word: word)


def _any_coordinate(patch):
    def read(x, y):
        curve.point_from_words(x % curve.Q, y % curve.Q)
        return x, y

    patch.setattr(verifier, "point_from_words", read)
    patch.setattr(mercury, "point_from_words", read)


def _any_point(patch):
    def read(x, y):
        if not (x < curve.Q and y < curve.Q):
            raise ProofRejectedError("expected coordinates below q, found others")
        return x, y

    patch.setattr(verifier, "point_from_words", read)
    patch.setattr(mercury, "point_from_words", read)


def _h_at_two_points(patch):
    real = mercury.batch_points

    def points(*arguments):
        g, s, h, d = real(*arguments)
        return g, s, Opened(h.points[:2], h.values[:2]), d

    patch.setattr(mercury, "batch_points", points)


def _d_is_zero(patch):
    real = mercury.batch_points

    def points(*arguments):
        g, s, h, d = real(*arguments)
        return g, s, h, Opened(d.points, (0,))

    patch.setattr(mercury, "batch_points", points)


class BetaIsAlpha(Transcript):
    """Takes beta to be alpha instead of squeezing it; the state moves on."""

    def squeeze(self, label):
        drawn = super().squeeze(label)
        return self.events[0].challenge if label == "beta" else drawn


def _seeds(patch, kind):
    real = statement.seed

    def seed(key, claim):
        return kind(real(key, claim).state)

    patch.setattr(statement, "seed", seed)
    patch.setattr(prover, "seed", seed)


def _one_left_side(patch):
    real = wiring.left_side

    def left_side(program, relation):
        kind = "requant" if relation.kind == "argmax" else relation.kind
        return real(program, replace(relation, kind=kind))

    patch.setattr(wiring, "left_side", left_side)


def _selected_everywhere(patch):
    real = logup.public_functions

    def functions(program):
        everywhere = (Piece(0, (vector([1] * program.rows),)),)
        return {**real(program), **{f"sel:{table.name}": everywhere for table in program.tables}}

    patch.setattr(logup, "public_functions", functions)


def _words_unheld(patch):
    nothing = Piece(0, (vector([0]),)), 0
    patch.setattr(wiring, "held_words", lambda *_: nothing)


OTHERS = {
    "input_words": _words_unheld,
    "exact_length": _any_length,
    "canonical_scalars": _any_scalar,
    "canonical_points": _any_coordinate,
    "on_curve": _any_point,
    "open_h_at_alpha": _h_at_two_points,
    "reversed_degree": _d_is_zero,
    "argmax_ties": lambda patch: patch.setattr(wiring, "earlier_indices", lambda *_: 0),
    "argmax_left_side": _one_left_side,
    "own_beta": lambda patch: _seeds(patch, BetaIsAlpha),
    "table_selector": _selected_everywhere,
}


def known_checks(program):
    """List every check there is for a program: the families of row rules, and every message's absorption."""
    rules = (*logup.row_constraints(program), *logup.balances(program))
    rounds = [f"{label} sum[{i}]" for label in ("first", "second") for i in range(program.nu)]
    opening = [f"mercury {message}" for message in ("h", "q g", "s d", "values", "w", "w_y pi")]
    labels = ["first columns", "second columns", *rounds, "claims", "finals", *opening]
    absorbs = [f"absorb:{label}" for label in labels]
    return [*FUNCTIONS, *SEED_PARTS, *OTHERS, *(rule.name for rule in rules), *absorbs]
