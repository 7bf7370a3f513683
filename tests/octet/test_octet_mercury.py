"""Mercury openings: complete, equal to an independent prover's, and every word checked."""

import json
import random
from pathlib import Path

import pytest
from trapdoor import trapdoor_key

from circuits.octet.spec import multilinear as ml
from circuits.octet.spec.curve import GENERATOR, Q, multiply
from circuits.octet.spec.field import Vector, vector
from circuits.octet.spec.mercury import WORDS, MercuryProof, eq_polynomial_at, open_at, split_point, verify
from circuits.octet.spec.srs import FileSrs, LocalSrs
from circuits.octet.spec.transcript import Transcript
from zkml.core.digests import digest_of, keccak256
from zkml.core.field import R
from zkml.core.manifest import SrsIdentity
from zkml.errors import ProofRejectedError

GOLDEN = json.loads((Path(__file__).parent / "golden" / "mercury.json").read_text())
SRS = LocalSrs(1 << 12, seed=b"toy tau")
KEY = trapdoor_key(SRS)
POINT_WORDS = [(at, at + 1) for at in (*range(0, 10, 2), *range(16, 22, 2))]
VALUE_WORDS = range(10, 16)


def integers(words):
    return [int(word, 16) for word in words]


def hashed(label: str, count: int) -> Vector:
    """Return elements anyone can make again: keccak256(label || index)."""
    return vector(
        int.from_bytes(keccak256(label.encode() + i.to_bytes(8, "big")), "big") for i in range(count)
    )


def statement(variables: int, seed: str = "statement"):
    """Return coefficients, point, value and commitment."""
    f, point = hashed(f"{seed} f", 1 << variables), [int(u) for u in hashed(f"{seed} u", variables)]
    return f, point, ml.evaluate(f, point), SRS.commit(f)


def check(commitment, point, value, words, seed=b"seed", key=KEY):
    verify(commitment, point, value, MercuryProof.from_words(words), Transcript.start(seed), key=key)


@pytest.fixture(scope="module")
def honest():
    """A proof for seven coordinates, whose halves differ in length."""
    f, point, value, commitment = statement(7)
    words = open_at(f, point, Transcript.start(b"seed"), SRS).words()
    return commitment, point, value, words


@pytest.mark.parametrize("variables", [1, 2, 3, 4, 7, 8])
def test_opening__an_honest_opening_is_accepted(variables):
    """Every size, even and odd, opens to the value of the extension and to no other."""
    f, point, value, commitment = statement(variables)
    words = open_at(f, point, Transcript.start(b"seed"), SRS).words()
    check(commitment, point, value, words)
    with pytest.raises(ProofRejectedError):
        check(commitment, point, (value + 1) % R, words)


def test_opening__the_pairing_accepts_what_the_tests_key_accepts(honest):
    """The real check, with py_ecc's pairing, gives the same two verdicts."""
    commitment, point, value, words = honest
    check(commitment, point, value, words, key=SRS.opening_key)
    with pytest.raises(ProofRejectedError):
        check(commitment, point, (value + 1) % R, words, key=SRS.opening_key)


@pytest.mark.parametrize(
    "values",
    [[0] * 16, [1] + [0] * 15, [0] * 15 + [1], [7] * 16, list(range(16))],
    ids=["zeros", "first", "last", "constant", "bytes"],
)
def test_opening__degenerate_vectors_open_too(values):
    """Zeros make most commitments infinity, and still there is a proof that is accepted."""
    f, point = vector(values), [int(u) for u in hashed("u", 4)]
    words = open_at(f, point, Transcript.start(b"seed"), SRS).words()
    check(SRS.commit(f), point, ml.evaluate(f, point), words)


@pytest.mark.parametrize("point", [[0, 1, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1]])
def test_opening__a_corner_of_the_cube_opens_to_the_entry(point):
    """At bits the value is the vector's own entry."""
    f = hashed("f", 16)
    words = open_at(f, point, Transcript.start(b"seed"), SRS).words()
    check(SRS.commit(f), point, int(f[sum(bit << j for j, bit in enumerate(point))]), words)


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: str(case["variables"]))
def test_opening__every_word_is_an_independent_provers(case):
    """The same vector, point and seed give the recorded commitment, 22 words and six transcript states."""
    variables, seed = case["variables"], case["seed"]
    f, point = hashed(f"{seed} f", 1 << variables), [int(u) for u in hashed(f"{seed} u", variables)]
    transcript = Transcript.start(seed.encode())
    proof = open_at(f, point, transcript, SRS)
    assert list(SRS.commit(f)) == integers(case["commitment"])
    assert ml.evaluate(f, point) == int(case["value"], 16)
    assert proof.words() == integers(case["words"])
    assert [event.state.hex() for event in transcript.events] == case["states"]


def test_opening__the_opening_inside_a_whole_recorded_proof_is_accepted():
    """The last 22 words of an independent prover's network proof hold, from its transcript's state on."""
    case = GOLDEN["net_a"]
    commitment, point, value = integers(case["commitment"]), integers(case["point"]), int(case["value"], 16)
    proof = MercuryProof.from_words(integers(case["words"]))
    transcript = Transcript(bytes.fromhex(case["state_before"]))
    verify((commitment[0], commitment[1]), point, value, proof, transcript, key=KEY)
    assert transcript.state.hex() == case["state_after"]


def test_opening__prover_and_verifier_absorb_every_word_once_and_in_order(honest):
    """Six messages, each word of the proof in exactly one, in proof order, the same on both sides."""
    commitment, point, value, words = honest
    prover, verifier = Transcript.start(b"seed"), Transcript.start(b"seed")
    open_at(statement(7)[0], point, prover, SRS)
    verify(commitment, point, value, MercuryProof.from_words(words), verifier, key=KEY)
    assert prover.events == verifier.events
    assert [word for event in verifier.events for word in event.words] == words
    assert [len(event.words) for event in verifier.events] == [2, 4, 4, 6, 2, 4]


@pytest.mark.parametrize("index", range(WORDS))
def test_opening__a_changed_word_is_rejected(honest, index):
    """One more, zero, the order added and a random value: no word may be replaced."""
    commitment, point, value, words = honest
    for changed in [
        words[index] + 1,
        0,
        words[index] + R,
        words[index] + Q,
        random.Random(index).randrange(R),
    ]:
        forged = [*words]
        forged[index] = changed
        with pytest.raises(ProofRejectedError):
            check(commitment, point, value, forged)


@pytest.mark.parametrize("pair", POINT_WORDS)
def test_opening__another_point_of_the_curve_is_rejected(honest, pair):
    """Infinity, the generator, the negative and the double of a commitment are all on the curve and refused."""
    commitment, point, value, words = honest
    right = (words[pair[0]], words[pair[1]])
    for wrong in [(0, 0), GENERATOR, (right[0], Q - right[1]), multiply(right, 2)]:
        forged = [*words]
        forged[pair[0]], forged[pair[1]] = wrong
        with pytest.raises(ProofRejectedError, match="pairing equation"):
            check(commitment, point, value, forged)


@pytest.mark.parametrize(("first", "second"), [(16, 18), (18, 20), (0, 4), (2, 4), (6, 8)])
def test_opening__swapped_points_are_rejected(honest, first, second):
    """W with W', W' with pi, h with g, q with g, S with D: each has its place."""
    commitment, point, value, words = honest
    forged = [*words]
    forged[first : first + 2], forged[second : second + 2] = (
        words[second : second + 2],
        words[first : first + 2],
    )
    with pytest.raises(ProofRejectedError, match="pairing equation"):
        check(commitment, point, value, forged)


@pytest.mark.parametrize("at", range(10, 15))
def test_opening__swapped_values_are_rejected(honest, at):
    """Neighbouring values are not interchangeable: z and 1/z are different points."""
    commitment, point, value, words = honest
    forged = [*words]
    forged[at], forged[at + 1] = words[at + 1], words[at]
    with pytest.raises(ProofRejectedError, match="pairing equation"):
        check(commitment, point, value, forged)


@pytest.mark.parametrize("change", [lambda w: w[:-1], lambda w: [*w, 0], lambda w: [], lambda w: [0, *w]])
def test_opening__another_number_of_words_is_rejected(honest, change):
    """Short and extended proofs are refused before anything is hashed."""
    with pytest.raises(ProofRejectedError, match="22 words"):
        MercuryProof.from_words(change(honest[3]))


@pytest.mark.parametrize("index", VALUE_WORDS)
def test_opening__a_scalar_written_with_the_order_added_is_rejected(honest, index):
    """x + R would be a second proof of the same statement."""
    words = [*honest[3]]
    words[index] += R
    with pytest.raises(ProofRejectedError, match="below r"):
        MercuryProof.from_words(words)


@pytest.mark.parametrize("pair", POINT_WORDS)
def test_opening__a_coordinate_written_with_the_prime_added_is_rejected(honest, pair):
    """So would be a coordinate at or above q."""
    words = [*honest[3]]
    words[pair[0]] += Q
    with pytest.raises(ProofRejectedError, match="below q"):
        MercuryProof.from_words(words)


def test_opening__another_statement_is_rejected(honest):
    """The proof holds for its commitment, its point coordinate by coordinate, its value and its transcript."""
    commitment, point, value, words = honest
    with pytest.raises(ProofRejectedError):
        check(multiply(commitment, 2), point, value, words)
    for index in range(len(point)):
        moved = [*point]
        moved[index] = (moved[index] + 1) % R
        with pytest.raises(ProofRejectedError):
            check(commitment, moved, value, words)
    with pytest.raises(ProofRejectedError):
        check(commitment, point, value, words, seed=b"another job")
    with pytest.raises(ProofRejectedError):
        check(commitment, point, value, words, key=trapdoor_key(LocalSrs(2, tau=5)))
    with pytest.raises(ProofRejectedError):
        check(commitment, [*point, 1], value, words)
    with pytest.raises(ProofRejectedError):
        check(commitment, point[:-1], value, words)


def test_opening__a_zero_coordinate_more_says_the_same_of_the_longer_vector(honest):
    """Extending a vector by zeros and its point by a zero keeps the value: the number of coordinates is the key's."""
    commitment, point, value, words = honest
    check(commitment, [*point, 0], value, words)


def test_opening__points_from_a_file_give_the_same_proof():
    """Committing by the points themselves, without tau, makes the same words."""
    f, point, _, commitment = statement(4)
    identity = SrsIdentity(name="insecure-local", secure=False, tau_g2=digest_of(b"any"), logrows=4)
    points = FileSrs(SRS.points(16), SRS.tau_g2, identity)
    assert points.commit(f) == commitment
    proofs = [open_at(f, point, Transcript.start(b"seed"), srs) for srs in (points, SRS)]
    assert proofs[0] == proofs[1]


def test_opening__a_vector_of_another_length_is_refused():
    """The prover's mistakes are told at once."""
    with pytest.raises(ValueError, match="expected 8 coefficients"):
        open_at(hashed("f", 7), [1, 2, 3], Transcript.start(b"seed"), SRS)
    with pytest.raises(ValueError, match="one coordinate"):
        split_point([])


def test_opening__the_product_form_is_the_eq_polynomial():
    """P(x) = sum_j eq(u, j) x^j equals prod (1 - u_j + u_j x^(2^j))."""
    point, x = [int(u) for u in hashed("u", 4)], 12345
    expected = sum(int(weight) * pow(x, index, R) for index, weight in enumerate(ml.eq_table(point)))
    assert eq_polynomial_at(point, x) == expected % R
