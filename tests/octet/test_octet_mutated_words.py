"""Every word of a proof, mutated: none of +1, zero, +r and random passes (octet.md 0.4, 4.5)."""

import random

import forgeries
import pytest
from octet_attacks import Bench, image_case, index_case, maximum_case, table_case
from octet_programs import convolutions, maxima, one_gemm, pools_and_views, tables, two_layers

from circuits.octet.spec import curve, field, proof_words, verifier
from zkml.core.field import R

CASES = {
    "dense": one_gemm,
    "layers": two_layers,
    "convolutions": convolutions,
    "pools and views": pools_and_views,
    "tables": tables,
    "maxima": maxima,
    "table": table_case,
    "maximum": maximum_case,
    "index": index_case,
    "images": image_case,
}
RANDOM = random.Random(2)


def remembering(patch, owner, name, key):
    """Let a pure function of the verifier be computed once per key."""
    real, found = getattr(owner, name), {}

    def remembered(*arguments):
        place = key(*arguments)
        if place not in found:
            found[place] = real(*arguments)
        return found[place]

    patch.setattr(owner, name, remembered)


@pytest.fixture(scope="module", autouse=True)
def remembered():
    """Work that one word changes nothing of is done once. Challenges are hashes of everything that came before, so
    that they stand for the other arguments."""
    with pytest.MonkeyPatch.context() as patch:
        remembering(patch, proof_words, "part_lengths", id)
        remembering(patch, verifier.wiring, "wire", lambda program, tau, *_: (id(program), *tau))
        remembering(
            patch, verifier, "combined_commitment", lambda _, points, mu, extra: (mu, *extra.values())
        )
        yield


@pytest.fixture(scope="module", params=CASES)
def proved(request):
    bench = Bench(CASES[request.param]())
    return bench, bench.prove()


@pytest.mark.parametrize("mutation", ["plus one", "zero", "plus r", "random"])
def test_word__any_one_mutated__is_refused(proved, mutation):
    """All words of the proof, one at a time; a word that the mutation leaves as it is says nothing."""
    bench, words = proved
    accepted = []
    for position, word in enumerate(words):
        value = {"plus one": word + 1, "zero": 0, "plus r": word + R, "random": RANDOM.randrange(R)}[mutation]
        if value != word and bench.accepts((*words[:position], value, *words[position + 1 :])):
            accepted.append(position)
    assert accepted == []


@pytest.mark.parametrize("label", ["first sum[2]", "second sum[5]", "finals", "mercury values"])
def test_scalar__plus_r_with_a_transcript_to_match__passes_only_without_the_canonical_check(label):
    """A second form of a true proof, in every part that holds scalars (claims: test_octet_removed_checks)."""
    bench = forgeries.dense()
    words = forgeries.shifted(bench, label, 1, field.R)
    assert any(word >= field.R for word in words)
    assert not bench.accepts(words)
    assert bench.accepts(words, without="canonical_scalars")


def test_points__off_the_curve_or_at_infinity__are_refused(proved):
    """4.5: each point of the proof, replaced by (1, 1) and by (0, 0) where it is another."""
    bench, words = proved
    lengths = proof_words.part_lengths(bench.program)
    columns = range(0, sum(lengths[:2]), 2)
    opening = sum(lengths[:6])
    for position in [*columns, *range(opening, opening + 10, 2), *range(opening + 16, opening + 22, 2)]:
        for point in ((1, 1), (0, 0)):
            if words[position : position + 2] != point:
                assert not bench.accepts((*words[:position], *point, *words[position + 2 :]))


def test_words__of_a_proof__are_as_many_as_the_program_says(proved):
    """The layout of a proof depends on the program alone."""
    bench, words = proved
    assert len(words) == sum(proof_words.part_lengths(bench.program))
    assert all(word < max(R, curve.Q) for word in words)
    assert field.R == R
