"""Forged Mercury openings of a value that is wrong by one.

Every attack is accepted by a verifier that lacks one step, which shows that the step is no decoration and that
the forgery is a real one; the verifier itself rejects it.
"""

import pytest
from cheating_opener import SRS, Prover, hashed, start
from opening_attacks import FROZEN_ATTACKS, KnowsTau, LongRemainder, WrongRows, ZetaFirst
from removable_checks import without
from trapdoor import trapdoor_key

from circuits.octet.spec import mercury
from circuits.octet.spec.curve import Q, add, multiply
from circuits.octet.spec.field import (
    inverse,
    vector,
)
from circuits.octet.spec.mercury import MercuryProof, verify
from circuits.octet.spec.srs import OpeningKey
from circuits.octet.spec.transcript import Transcript
from zkml.core.digests import keccak256
from zkml.core.field import R
from zkml.errors import ProofRejectedError

KEY = trapdoor_key(SRS)
MESSAGES = ["mercury h", "mercury q g", "mercury s d", "mercury values", "mercury w", "mercury w_y pi"]


class ForcedTranscript(Transcript):
    """A transcript with one challenge of the tester's choice."""

    def __init__(self, label: str, challenge: int) -> None:
        super().__init__(keccak256(b"attacks"))
        self._forced = (label, challenge)

    def absorb(self, label, words):
        challenge = super().absorb(label, words)
        return self._forced[1] if label == self._forced[0] else challenge


def accepted(prover: Prover, proof: MercuryProof, transcript: Transcript, key: OpeningKey = KEY) -> bool:
    try:
        proof = MercuryProof.from_words(proof.words())
        verify(SRS.commit(prover.f), prover.point, prover.value, proof, transcript, key=key)
    except ProofRejectedError:
        return False
    return True


class Honest(Prover):
    lie = 0


def test_forged_opening__the_testers_prover_is_the_specifications():
    """With a true claim and no attack it makes the specification's words, so the attacks differ in one choice."""
    prover = Honest()
    proof = prover.forge()
    transcript = Transcript.start(b"attacks")
    assert proof == mercury.open_at(vector(prover.f), prover.point, transcript, SRS)
    assert accepted(prover, proof, Transcript.start(b"attacks"))


@pytest.mark.parametrize("attack", FROZEN_ATTACKS)
def test_forged_opening__a_challenge_known_before_its_message_proves_anything(attack):
    """A verifier that forgets to absorb the message accepts the wrong value; the specification rejects the proof."""
    prover = attack()
    proof = prover.forge()
    assert accepted(prover, proof, start(attack.frozen))
    assert not accepted(prover, proof, Transcript.start(b"attacks"))


@pytest.mark.parametrize("attack", [attack for attack in FROZEN_ATTACKS if attack is not ZetaFirst])
def test_forged_opening__the_same_choice_made_on_a_guessed_challenge_is_rejected(attack):
    """Forging with the challenges of the full transcript, only guessing the one that is needed early, fails."""
    prover = attack(frozen="")
    assert not accepted(prover, prover.forge(), Transcript.start(b"attacks"))


def test_forged_opening__there_is_an_attack_for_every_message():
    """The six absorbs of the specification are the six that are attacked."""
    transcript = Transcript.start(b"attacks")
    prover = Honest()
    mercury.open_at(vector(prover.f), prover.point, transcript, SRS)
    assert [event.label for event in transcript.events] == MESSAGES
    assert [attack.frozen for attack in FROZEN_ATTACKS] == MESSAGES


@pytest.mark.parametrize(
    ("attack", "check"), [(WrongRows, "open_h_at_alpha"), (LongRemainder, "reversed_degree")]
)
def test_forged_opening__rows_and_remainder_are_bound_by_one_opened_point_each(attack, check):
    """h is tied to f by its opening at alpha, and deg g < b by D: without either, any value is proved."""
    prover = attack()
    assert not accepted(prover, prover.forge(), Transcript.start(b"attacks"))
    with without(check):
        prover = attack()
        assert accepted(prover, prover.forge(), Transcript.start(b"attacks"))


def test_forged_opening__whoever_knows_tau_proves_a_false_value():
    """Trust in the SRS: the pairing equation is satisfied for any values at all (3.0 item 15)."""
    honest = Prover()
    assert not accepted(honest, honest.forge(), Transcript.start(b"attacks"))
    prover = KnowsTau()
    assert accepted(prover, prover.forge(), Transcript.start(b"attacks"))


class Longer(Prover):
    """Commits to a vector of more than 2^n coefficients."""

    lie = 0

    def __init__(self, frozen=None):
        super().__init__(frozen)
        self.f = [*self.f, *hashed("beyond", 2 * self.b)]


class HighRows(Longer):
    """Tells the true value, with an h that is wrong in a coefficient beyond the rows that count."""

    def choose_h(self):
        h = super().choose_h()
        return [*h[:-1], (h[-1] + 1) % R]


def test_forged_opening__coefficients_beyond_the_vector_change_nothing():
    """A longer committed polynomial opens to the value of its first 2^n coefficients and to no other."""
    prover = Longer()
    proof = prover.forge()
    assert accepted(prover, proof, Transcript.start(b"attacks"))
    prover.value = (prover.value + 1) % R
    assert not accepted(prover, proof, Transcript.start(b"attacks"))


def test_forged_opening__a_lie_in_the_rows_beyond_is_rejected():
    """A coefficient of h that the value does not read is bound too, by h(alpha)."""
    prover = HighRows()
    assert not accepted(prover, prover.forge(), Transcript.start(b"attacks"))


@pytest.mark.parametrize("change", ["s", "q", "d", "h"])
def test_forged_opening__one_wrong_coefficient_is_rejected(change):
    """An honest prover of a true value with one coefficient of S, q, D or h changed is rejected."""

    class OneOff(Honest):
        pass

    def changed(self):
        right = list(getattr(Prover, f"choose_{change}")(self))
        return [(right[0] + 1) % R, *right[1:]]

    setattr(OneOff, f"choose_{change}", changed)
    prover = OneOff()
    assert not accepted(prover, prover.forge(), Transcript.start(b"attacks"))


class SecondWriting(Honest):
    """Writes g(z) with the order added: another proof of the same statement."""

    def choose_values(self):
        values = super().choose_values()
        return [values[0] + R, *values[1:]]


class SecondCoordinate(Honest):
    """Writes the x of h with the base field's prime added."""

    def write(self, point):
        return point[0] + Q, point[1]


@pytest.mark.parametrize(
    ("prover", "reader", "careless"),
    [
        (SecondWriting, "checked_scalar", lambda word: word),
        (SecondCoordinate, "point_from_words", lambda x, y: (x, y)),
    ],
)
def test_forged_opening__words_that_are_not_canonical_are_second_proofs(
    monkeypatch, prover, reader, careless
):
    """Where words are read without comparing them with r and q, one statement has many proofs; here it has not."""
    cheat = prover()
    proof = cheat.forge()
    assert not accepted(cheat, proof, Transcript.start(b"attacks"))
    monkeypatch.setattr(mercury, reader, careless)
    assert accepted(cheat, proof, Transcript.start(b"attacks"))


@pytest.mark.parametrize("label", ["mercury h", "mercury s d", "mercury w"])
def test_forged_opening__a_challenge_of_zero_is_refused(label):
    """alpha, z and y of zero are rejected by name before anything is divided."""
    prover = Honest()
    transcript = ForcedTranscript(label, 0)
    with pytest.raises(ProofRejectedError, match="other than zero"):
        verify(
            SRS.commit(prover.f),
            prover.point,
            prover.value,
            prover.forge(),
            transcript,
            key=KEY,
        )


@pytest.mark.parametrize("z", [1, R - 1, "alpha", "1/alpha"])
def test_forged_opening__a_z_that_meets_its_inverse_or_alpha_is_refused(z):
    """Points of the batch that coincide are rejected by name, not by an exception of the arithmetic."""
    prover = Honest()
    proof = prover.forge()
    forced = {"alpha": prover.alpha, "1/alpha": inverse(prover.alpha)}.get(z, z)
    transcript = ForcedTranscript("mercury s d", forced)
    with pytest.raises(ProofRejectedError, match="two that are equal"):
        verify(SRS.commit(prover.f), prover.point, prover.value, proof, transcript, key=KEY)


def test_forged_opening__proofs_of_two_statements_do_not_mix():
    """Sums of commitments, values and proofs, which the commitments' linearity suggests, are rejected."""
    prover = Honest()
    proof = prover.forge()
    double = MercuryProof(
        *(multiply(point, 2) for point in (proof.h, proof.q, proof.g, proof.s, proof.d)),
        tuple(2 * value % R for value in proof.values),
        *(multiply(point, 2) for point in (proof.w, proof.w_y, proof.pi)),
    )
    commitment = SRS.commit(prover.f)
    with pytest.raises(ProofRejectedError):
        verify(
            add(commitment, commitment),
            prover.point,
            2 * prover.value % R,
            double,
            Transcript.start(b"attacks"),
            key=KEY,
        )
