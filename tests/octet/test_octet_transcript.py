"""The Fiat-Shamir transcript: what each challenge depends on, and the record of it."""

import json
from pathlib import Path

import pytest

from circuits.octet.spec.transcript import Transcript
from zkml.core.digests import keccak256
from zkml.core.field import R

GOLDEN = json.loads((Path(__file__).parent / "golden" / "mercury.json").read_text())


def challenge_of(state: bytes) -> int:
    return int.from_bytes(state, "big") % R


def test_transcript__absorbing_hashes_the_state_and_the_words():
    """After an absorb the state is keccak256(state || words) with big-endian words of 32 bytes."""
    transcript = Transcript.start(b"tag", b"rest")
    first = keccak256(b"tagrest")
    assert transcript.state == first
    challenge = transcript.absorb("words", [1, (1 << 256) - 1])
    expected = keccak256(first + (1).to_bytes(32, "big") + b"\xff" * 32)
    assert transcript.state == expected
    assert challenge == challenge_of(expected)


def test_transcript__squeezing_changes_what_is_absorbed_next():
    """A squeeze moves the state, so an absorb after it continues from there."""
    left, right = Transcript.start(b"x"), Transcript.start(b"x")
    extra = left.squeeze("extra")
    assert left.state == keccak256(keccak256(b"x"))
    assert extra == challenge_of(left.state)
    assert left.absorb("word", [7]) != right.absorb("word", [7])


def test_transcript__many_squeezes_are_distinct_and_in_order():
    """Several challenges from one message are successive hashes of the state."""
    transcript, state = Transcript.start(b"x"), keccak256(b"x")
    for challenge in transcript.squeeze_many("tau", 5):
        state = keccak256(state)
        assert challenge == challenge_of(state)


@pytest.mark.parametrize("changed", range(4))
def test_transcript__every_absorbed_word_changes_the_challenge(changed):
    """No word of a message is left out of the hash."""
    words = [5, 6, 7, 8]
    honest = Transcript.start(b"x").absorb("words", words)
    words[changed] += 1
    assert Transcript.start(b"x").absorb("words", words) != honest


def test_transcript__labels_are_no_part_of_the_hash():
    """The record may name a step as it likes: a Solidity verifier has no labels."""
    assert Transcript.start(b"x").absorb("a", [1]) == Transcript.start(b"x").absorb("b", [1])


def test_transcript__the_record_holds_every_step():
    """From the events alone the whole run can be hashed again."""
    transcript = Transcript.start(b"x")
    transcript.absorb("first", [1, 2])
    transcript.squeeze_many("more", 2)
    transcript.absorb("second", [3])
    state = keccak256(b"x")
    for event in transcript.events:
        state = keccak256(state + b"".join(word.to_bytes(32, "big") for word in event.words))
        assert (event.state, event.challenge) == (state, challenge_of(state))
    assert [event.kind for event in transcript.events] == ["absorb", "squeeze", "squeeze", "absorb"]
    assert [event.label for event in transcript.events] == ["first", "more[0]", "more[1]", "second"]


@pytest.mark.parametrize("word", [-1, 1 << 256])
def test_transcript__a_word_outside_32_bytes_is_refused(word):
    """A word that would not fit is a mistake of the caller, not truncated."""
    with pytest.raises(OverflowError):
        Transcript.start(b"x").absorb("word", [word])


def test_transcript__an_empty_message_is_refused():
    """Absorbing nothing would look like a squeeze."""
    with pytest.raises(ValueError, match="found none"):
        Transcript.start(b"x").absorb("nothing", [])


def test_transcript__a_transcript_continues_from_32_bytes_only():
    """Another length would shift every word hashed after it."""
    with pytest.raises(ValueError, match="32 bytes"):
        Transcript(b"short")


def test_transcript__a_whole_proof_has_the_challenges_an_independent_prover_found():
    """Seed, rounds and squeezes of a proved network give the recorded tau, rho, sigma and kappa."""
    case = GOLDEN["net_a"]
    trace = case["transcript"]
    words = [int(word, 16) for word in trace["words"]]
    transcript = Transcript.start(
        trace["tag"].encode().ljust(32, b"\0"),
        bytes.fromhex(trace["vk_digest"]),
        bytes.fromhex(trace["input_digest"]),
        b"".join(int(word, 16).to_bytes(32, "big") for word in trace["outputs"]),
    )

    def take(count: int) -> int:
        taken = [words.pop(0) for _ in range(count)]
        return transcript.absorb("message", taken)

    take(18), take(6)
    assert transcript.squeeze_many("tau", 12) == [int(value, 16) for value in trace["tau"]]
    assert [take(6) for _ in range(12)] == [int(value, 16) for value in trace["rho"]]
    take(18)
    assert [take(2) for _ in range(12)] == [int(value, 16) for value in case["point"]]
    assert take(3) == int(trace["kappa"], 16)
    assert not words
    assert transcript.state.hex() == case["state_before"]
