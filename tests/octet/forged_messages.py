"""Proofs of false statements for a verifier that does not hash one message before its challenge, or does not
compare one sum, or not open: whatever the statement, one message is made to fit it."""

from forgeries import BORROW, MAKERS, Forgery, dense, forged_without, inner_row
from octet_attacks import compared, lying, root, solve
from opening_attacks import FROZEN_ATTACKS, LongRemainder, WrongRows

from circuits.octet.spec import logup, mercury, proof_words, prover, wiring
from circuits.octet.spec.field import powers
from zkml.core.field import R

PARTS = ("first", "second", "first_rounds", "claimed", "second_rounds", "finals", "opening")
ROUNDS = range(dense().program.nu)


def start_of(bench, part):
    """Index of the first word of a part."""
    return sum(proof_words.part_lengths(bench.program)[: PARTS.index(part)])


def position_of(bench, name):
    """Index of a claim's word in the proof."""
    names = [slot.name for slot in wiring.slots(bench.program)]
    return start_of(bench, "claimed") + names.index(name)


@forged_without("absorb:first columns")
def multiplicities_after_alpha(check, patch):
    """M(0) / alpha takes the place of 1 / (alpha + 300) for one known alpha."""
    bench = dense()
    row = inner_row(bench)
    witness, claim = lying(patch, bench, row, BORROW(row))
    alpha = bench.seeded(claim).absorb("first columns", (0,))
    counts = witness["M"].copy()
    counts[0] = (counts[0] + alpha * pow(alpha + int(witness["R1"][row]), -1, R)) % R
    return Forgery(bench, bench.prove({**witness, "M": counts}, claim), claim)


@forged_without("absorb:second columns")
def helper_after_lambda(check, patch):
    """lambda and tau known: the sum is affine in one cell of H0, so that any claim has its cell."""
    bench, claim, shift, gaps = dense(), dense().false_statement(), [0], []
    real_rounds, real_wire, real_helpers = prover.prove_rounds, prover.wire, logup.helper_columns

    def rounds(summands, variables, degree, transcript, label):
        if label == "first sum":
            gaps[-1] += sum(sum(part.round_values(2)) for part in summands)
        return real_rounds(summands, variables, degree, transcript, label)

    def wire(*arguments):
        wired = real_wire(*arguments)
        gaps.append(-wired.claim)
        return wired

    def helpers(program, columns, alpha, beta):
        found = real_helpers(program, columns, alpha, beta)
        found["H0"][255] = (found["H0"][255] + shift[0]) % R
        return found

    patch.setattr(prover, "prove_rounds", rounds)
    patch.setattr(prover, "wire", wire)
    patch.setattr(logup, "helper_columns", helpers)

    def gap(amount):
        shift[0] = amount
        bench.prove(claim=claim)
        return gaps.pop() % R

    shift[0] = root(gap)
    return Forgery(bench, bench.prove(claim=claim), claim)


@forged_without(*(f"absorb:first sum[{number}]" for number in ROUNDS))
def message_after_rho(check, patch):
    """rho_j known: c_0 is chosen so that the round's polynomial has the true value there."""
    bench, claim = dense(), dense().false_statement()
    position = start_of(bench, "first_rounds") + 6 * int(check[-2])
    words = solve(patch, bench, bench.prove(claim=claim), position, "check_first_sum", claim)
    return Forgery(bench, words, claim)


@forged_without("absorb:claims")
def claims_after_mu(check, patch):
    """mu known: HT and M move against each other, so that the batch stays (4.5)."""
    bench, claim = dense(), dense().false_statement()
    transcript = bench.seeded(claim)
    words = bench.prove(claim=claim, transcript=transcript)
    mu = next(event.challenge for event in transcript.events if event.label == "claims")
    start, places = start_of(bench, "claimed"), [position_of(bench, name) for name in ("HT", "M")]
    weights = powers(mu, max(places) - start + 1)
    ratio = -weights[places[0] - start] * pow(weights[places[1] - start], -1, R) % R

    def moved(amount):
        trial = list(words)
        trial[places[0]] = (trial[places[0]] + amount) % R
        trial[places[1]] = (trial[places[1]] + amount * ratio) % R
        return trial

    return Forgery(bench, tuple(moved(balanced(patch, bench, moved, "check_first_sum", claim))), claim)


def balanced(patch, bench, moved, check, claim):
    """Return the amount at which a comparison comes out equal."""

    def gap(amount):
        claimed, expected = compared(patch, bench, moved(amount), check, claim)
        return (claimed - expected) % R

    return root(gap)


def with_false_claims(patch, bench, claim):
    """Prove a false statement with one false claim, HT's, so that the first sum comes out equal."""
    start, count = start_of(bench, "claimed"), len(wiring.slots(bench.program))
    words = bench.prove(claim=claim)
    words = solve(patch, bench, words, position_of(bench, "HT"), "check_first_sum", claim)
    false = list(words[start : start + count])
    patch.setattr(prover, "claimed_values", lambda *_: false)
    return bench.prove(claim=claim)


@forged_without("first_sum")
def honest_claims(check, patch):
    """The identity at rho is what ties claims to the statement."""
    claim = dense().false_statement()
    return Forgery(dense(), dense().prove(claim=claim), claim)


@forged_without("second_sum")
def claims_that_fit(check, patch):
    """The identity at sigma is what ties claims to columns."""
    claim = dense().false_statement()
    return Forgery(dense(), with_false_claims(patch, dense(), claim), claim)


@forged_without(*(f"absorb:second sum[{number}]" for number in ROUNDS))
def message_after_sigma(check, patch):
    """sigma_j known: as in the first sum."""
    bench, claim = dense(), dense().false_statement()
    words = with_false_claims(patch, bench, claim)
    position = start_of(bench, "second_rounds") + 2 * int(check[-2])
    return Forgery(bench, solve(patch, bench, words, position, "check_second_sum", claim), claim)


@forged_without("absorb:finals")
def finals_after_kappa(check, patch):
    """kappa known: F(sigma) and Y(sigma) move against each other."""
    bench, claim = dense(), dense().false_statement()
    words = with_false_claims(patch, bench, claim)
    transcript = bench.seeded(claim)
    bench.prove(claim=claim, transcript=transcript)
    kappa = next(event.challenge for event in transcript.events if event.label == "finals")
    start = start_of(bench, "finals")

    def moved(amount):
        trial = list(words)
        trial[start] = (trial[start] - kappa * amount) % R
        trial[start + 1] = (trial[start + 1] + amount) % R
        return trial

    return Forgery(bench, tuple(moved(balanced(patch, bench, moved, "check_second_sum", claim))), claim)


@forged_without("opening")
def finals_that_fit(check, patch):
    """Mercury is what ties the final values to the commitments."""
    bench, claim = dense(), dense().false_statement()
    words = with_false_claims(patch, bench, claim)
    return Forgery(
        bench, solve(patch, bench, words, start_of(bench, "finals"), "check_second_sum", claim), claim
    )


OPENERS = {f"absorb:{attack.frozen}": attack for attack in FROZEN_ATTACKS} | {
    "open_h_at_alpha": WrongRows,
    "reversed_degree": LongRemainder,
}


@forged_without(*OPENERS)
def opening_of_a_false_value(check, patch):
    """F(sigma) is what the second sum asks for, and the opening is forged to show it."""
    bench, claim, lie = dense(), dense().false_statement(), 0
    honest_finals = prover.Dense.final

    def finals(part):
        values = honest_finals(part)
        return {**values, "F": (values["F"] + lie) % R}

    def open_at(combined, sigma, transcript, srs):
        return OPENERS[check].opening(combined, sigma, transcript, srs, lie=lie)

    patch.setattr(prover.Dense, "final", finals)
    patch.setattr(mercury, "open_at", open_at)
    words, position = with_false_claims(patch, bench, claim), start_of(bench, "finals")
    wanted = solve(patch, bench, words, position, "check_second_sum", claim)[position]
    lie = (wanted - words[position]) % R
    return Forgery(bench, bench.prove(claim=claim), claim)


FORGED = tuple(MAKERS)
"""Every check that a forgery is made for, those of `forgeries` first."""
