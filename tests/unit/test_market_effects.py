"""What a dry run tells people: every amount in words and in JSON, and nothing that does not move."""

import json

from marketplace.effects import Change, Flow, Pocket, PocketKind, effects_of
from marketplace.job_effects import cancel_effects, claim_effects, opening_effects
from marketplace.tokens import format_amount
from verifier_contracts.terms import JobTerms
from zkml.core.job_machine import ZERO_ADDRESS, JobFacts, JobStatus
from zkml.core.pricing import FeeQuote, Payment

REQUESTER, PROVER = "0x" + "11" * 20, "0x" + "22" * 20
QUOTE = FeeQuote(model_fee_floor=1_000_000, model_fee_ppm=0, flat_fee=10_000, platform_ppm=25_000)
JOB = JobFacts(
    b"\x01" * 32, REQUESTER, 100, 100, 60, 1000, 2_000_000, 3_000_000, QUOTE, ZERO_ADDRESS, 0, ZERO_ADDRESS,
    0, Payment(0, 0, 0), 7, b"\x02" * 32, b"\x03" * 32, False, JobStatus.NONE,
)  # fmt: skip


def show(units):
    return format_amount(units, 6, "zUSD")


def test_effects__of_nothing__are_left_out():
    """A flow of zero is no flow; a change is one."""
    wallet, credits_ = Pocket(PocketKind.WALLET, PROVER), Pocket(PocketKind.CREDITS, PROVER)
    found = effects_of([Flow(0, credits_, wallet), Flow(1, credits_, wallet)], Change("a", "b", "c"))
    assert found.lines(show) == [f"0.000001 zUSD: credits of {PROVER} -> wallet of {PROVER}", "a: b -> c"]


def test_effects__of_a_claim__say_who_pays_what_and_what_changes():
    """A claimer sees its collateral, the requester's money back, its own fee and its time."""
    lines = claim_effects(JOB, PROVER, 150, JobTerms()).lines(show)
    job = "0x" + "01" * 32
    assert lines == [
        f"1.000000 zUSD: free stake of {PROVER} -> locked stake of {PROVER}",
        f"0.500000 zUSD: escrow of job {job} -> credits of {REQUESTER}",
        f"status of job {job}: OPEN -> CLAIMED",
        "prover fee: on offer -> 2500000",
        "claim deadline: none -> 210",
    ]


def test_effects__as_json__have_amounts_as_text():
    """A program reads whole amounts: numbers of JSON end at 2^53."""
    found = opening_effects(JOB.job_id, REQUESTER, 2**80 - 1).as_json()
    assert json.loads(json.dumps(found)) == found
    assert found["flows"][0]["amount"] == str(2**80 - 1)
    assert found["changes"][0]["after"] == "OPEN"
    assert cancel_effects(JOB, 150).as_json()["flows"][0]["to"] == f"credits of {REQUESTER}"
