"""The report of an audit: outcomes, verdicts, exit codes and the text people read."""

import pytest

from zkml.audit.report import Checklist, Outcome, Report, Step, Verdict, worst_exit_code
from zkml.errors import (
    ArtifactNotFoundError,
    BackendError,
    DigestMismatchError,
    DomainError,
    LayoutError,
    NotFinalError,
    ProofRejectedError,
    RpcError,
    ToolchainError,
    VerificationError,
    ZkmlError,
)


def raiser(error: ZkmlError):
    def check() -> str:
        raise error

    return check


def good() -> str:
    return ""


def report_of(*outcomes: Outcome) -> Report:
    return Report("job", tuple(Step(number, "step", outcome) for number, outcome in enumerate(outcomes)))


@pytest.mark.parametrize(
    ("outcomes", "verdict", "code"),
    [
        ((Outcome.OK, Outcome.OK), Verdict.ACCEPTED, 0),
        ((Outcome.OK, Outcome.SKIPPED), Verdict.ACCEPTED, 0),
        ((Outcome.OK, Outcome.REJECTED), Verdict.REJECTED, 3),
        ((Outcome.INCONCLUSIVE, Outcome.REJECTED), Verdict.REJECTED, 3),
        ((Outcome.OK, Outcome.INCONCLUSIVE), Verdict.INCONCLUSIVE, 4),
        ((Outcome.SKIPPED, Outcome.SKIPPED), Verdict.INCONCLUSIVE, 4),
        ((), Verdict.INCONCLUSIVE, 4),
    ],
)
def test_verdict__rejected_beats_inconclusive_beats_accepted(outcomes, verdict, code):
    """Rejected beats inconclusive beats accepted, and a report in which nothing held accepts nothing."""
    report = report_of(*outcomes)
    assert (report.verdict, report.exit_code) == (verdict, code)


def test_several_audits__three_beats_four_beats_zero():
    """Over several audits the worst exit code is a rejection's."""
    accepted, rejected, unknown = (
        report_of(outcome) for outcome in (Outcome.OK, Outcome.REJECTED, Outcome.INCONCLUSIVE)
    )
    assert worst_exit_code([accepted, unknown, rejected]) == 3
    assert worst_exit_code([accepted, unknown]) == 4
    assert worst_exit_code([accepted]) == 0


@pytest.mark.parametrize("kind", [VerificationError, ProofRejectedError, LayoutError, DomainError])
def test_step__checked_and_wrong__rejected(kind):
    """What was checked and is wrong is a rejection, with the error's code."""
    checklist = Checklist("job")
    checklist.run(0, "claim", raiser(kind("expected this, found that", hint="do this")))
    step = checklist.report({}).step(0)
    assert (step.outcome, step.detail) == (Outcome.REJECTED, "expected this, found that")
    assert (step.code, step.hint) == (kind.code, "do this")


@pytest.mark.parametrize(
    "kind",
    [RpcError, NotFinalError, ArtifactNotFoundError, DigestMismatchError, BackendError, ToolchainError],
)
def test_step__could_not_be_checked__inconclusive(kind):
    """What could not be checked is never a rejection, and never an acceptance."""
    checklist = Checklist("job")
    checklist.run(0, "claim", raiser(kind("expected an answer, found none")))
    assert checklist.report({}).step(0).outcome is Outcome.INCONCLUSIVE


def test_step__defect_of_ours__is_not_swallowed():
    """A programmer's mistake is no evidence and leaves the checklist as it is."""

    def broken() -> str:
        raise KeyError("defect")

    with pytest.raises(KeyError, match="defect"):
        Checklist("job").run(0, "claim", broken)


def test_step__needs_what_failed__skipped_and_all_steps_reported():
    """A step whose needs failed is skipped, the others run: a report is never cut short."""
    checklist = Checklist("job")
    checklist.run(0, "first", good)
    checklist.run(1, "second", raiser(VerificationError("wrong")), needs=(0,))
    checklist.run(2, "third", good, needs=(1,))
    checklist.run(3, "fourth", good, needs=(0,))
    checklist.run(4, "fifth", good, needs=(2, 3))
    report = checklist.report({})
    assert [step.outcome.value for step in report.steps] == ["ok", "rejected", "skipped", "ok", "skipped"]
    assert report.step(4).detail == "needs 2"


def test_step__optional_tool_missing__skipped_and_not_counted():
    """Where an optional tool is not installed its step is skipped; a verdict of it still counts."""
    checklist = Checklist("job")
    checklist.run(0, "first", good)
    checklist.run(1, "second", raiser(ToolchainError("expected ezkl, found none")), optional=True)
    checklist.run(2, "third", raiser(ProofRejectedError("wrong")), optional=True)
    assert checklist.was_skipped(1)
    assert checklist.report({}).rejected_steps == (2,)


def test_step__numbers_out_of_order__programmers_mistake():
    """Numbers in code and report are the same and ascend."""
    checklist = Checklist("job")
    checklist.run(1, "first", good)
    with pytest.raises(ValueError, match="step 1 after step 1"):
        checklist.run(1, "again", good)


def test_as_text__columns_aligned_and_words_of_the_style_page():
    """The text is what the style page draws: number, claim, outcome, detail."""
    checklist = Checklist("job 0x12")
    checklist.run(1, "manifest hashes to circuit id", good)
    checklist.run(
        8, "settlement called this verifier", raiser(VerificationError("expected 0xab, found 0xcd"))
    )
    checklist.run(9, "payment conserves escrow", good, needs=(8,))
    checklist.run(10, "settled once", raiser(RpcError("nobody listening")))
    checklist.note("insecure SRS: no security")
    checklist.note("insecure SRS: no security")
    lines = checklist.report({Verdict.REJECTED: "the evidence is wrong"}).as_text().splitlines()
    assert lines == [
        "job 0x12",
        " 1 manifest hashes to circuit id    ok",
        " 8 settlement called this verifier  REJECTED  expected 0xab, found 0xcd",
        " 9 payment conserves escrow         skipped (needs 8)",
        "10 settled once                     INCONCLUSIVE  nobody listening",
        "note: insecure SRS: no security",
        "verdict: REJECTED  the evidence is wrong",
    ]


def test_as_json__plain_values_of_every_step():
    """The JSON form holds the verdict, the exit code and every step."""
    checklist = Checklist("job")
    checklist.run(0, "first", good)
    value = checklist.report({Verdict.ACCEPTED: "paid"}, {"fee": "1"}).as_json()
    assert (value["verdict"], value["exit_code"], value["meaning"]) == ("accepted", 0, "paid")
    assert value["facts"] == {"fee": "1"}
    assert value["steps"][0] == {
        "number": 0,
        "name": "first",
        "outcome": "ok",
        "detail": "",
        "needs": [],
        "code": "",
        "hint": "",
    }
