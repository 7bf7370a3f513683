"""What an audit found: numbered steps, and the verdict that follows from them. No I/O.

Every step is reported, not only the first failure. "Wrong" and "could not tell" are different outcomes
with different exit codes, and neither ever counts as accepted.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from zkml.errors import DomainError, LayoutError, ToolchainError, VerificationError, ZkmlError

_VERDICTS = (VerificationError, LayoutError, DomainError)
"""Errors that say: it was checked, and it is wrong. All others say: it could not be checked."""


class Outcome(StrEnum):
    """How one step ended."""

    OK = "ok"
    REJECTED = "rejected"
    INCONCLUSIVE = "inconclusive"
    SKIPPED = "skipped"


class Verdict(StrEnum):
    """What all steps together say."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    INCONCLUSIVE = "inconclusive"


_EXIT_CODES = {Verdict.ACCEPTED: 0, Verdict.REJECTED: 3, Verdict.INCONCLUSIVE: 4}


@dataclass(frozen=True, slots=True)
class Step:
    """One numbered check.

    Attributes:
        number: its number in code, report and documentation.
        name: the claim that was checked.
        outcome: how it ended.
        detail: what was found, on one line; empty when there is nothing to add.
        needs: numbers of the steps it builds on.
        code: stable identifier of the error behind a rejection or an inconclusive end.
        hint: the next step for a person, or empty.
    """

    number: int
    name: str
    outcome: Outcome
    detail: str = ""
    needs: tuple[int, ...] = ()
    code: str = ""
    hint: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the step as plain JSON values."""
        return {
            "number": self.number,
            "name": self.name,
            "outcome": self.outcome.value,
            "detail": self.detail,
            "needs": list(self.needs),
            "code": self.code,
            "hint": self.hint,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """An audit's steps, in order, and what they add up to.

    Attributes:
        subject: what was audited, e.g. `job 0x12..`.
        steps: every step, also the ones that did not run.
        notes: what a reader must know beside the verdict, e.g. that the SRS is insecure.
        meaning: one line in words, e.g. `paid 2000000 to 0x..`.
        facts: values for `--json`.
    """

    subject: str
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()
    meaning: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """Rejected beats inconclusive beats accepted; a report in which nothing held accepts nothing."""
        outcomes = {step.outcome for step in self.steps}
        if Outcome.REJECTED in outcomes:
            return Verdict.REJECTED
        if Outcome.INCONCLUSIVE in outcomes or Outcome.OK not in outcomes:
            return Verdict.INCONCLUSIVE
        return Verdict.ACCEPTED

    @property
    def exit_code(self) -> int:
        """0 accepted, 3 rejected, 4 inconclusive."""
        return _EXIT_CODES[self.verdict]

    @property
    def rejected_steps(self) -> tuple[int, ...]:
        """Numbers of the steps that were checked and are wrong."""
        return tuple(step.number for step in self.steps if step.outcome is Outcome.REJECTED)

    def step(self, number: int) -> Step:
        """Return the step of this number.

        Raises:
            LookupError: no such step; a mistake of the programmer.
        """
        for step in self.steps:
            if step.number == number:
                return step
        raise LookupError(f"no step {number}")

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        return {
            "subject": self.subject,
            "verdict": self.verdict.value,
            "exit_code": self.exit_code,
            "meaning": self.meaning,
            "notes": list(self.notes),
            "facts": dict(self.facts),
            "steps": [step.as_json() for step in self.steps],
        }

    def as_text(self) -> str:
        """Return the report as aligned columns: number, claim, outcome, detail."""
        width = max((len(step.name) for step in self.steps), default=0)
        lines = [self.subject]
        lines += [f"{step.number:>2} {step.name:<{width}}  {_ending(step)}".rstrip() for step in self.steps]
        lines += [f"   step {step.number}: {step.hint}" for step in self.steps if step.hint]
        lines += [f"note: {note}" for note in self.notes]
        lines.append(f"verdict: {_shown(self.verdict.value)}" + (f"  {self.meaning}" if self.meaning else ""))
        return "\n".join(lines)


class Checklist:
    """Runs numbered steps in order and keeps what each one found."""

    def __init__(self, subject: str) -> None:
        self._subject = subject
        self._steps: list[Step] = []
        self._notes: list[str] = []

    def run(
        self,
        number: int,
        name: str,
        check: Callable[[], str],
        *,
        needs: Sequence[int] = (),
        optional: bool = False,
    ) -> None:
        """Run one step, unless a step that it needs did not hold.

        Args:
            number: greater than every number before.
            name: the claim.
            check: returns a remark (may be empty) or raises a ZkmlError.
            needs: numbers of earlier steps.
            optional: skip the step where its tool is not installed, because another carries the verdict.
        """
        missing = [need for need in needs if not self.holds(need)]
        if missing:
            self._add(Step(number, name, Outcome.SKIPPED, _needed(missing), tuple(needs)))
            return
        try:
            self._add(Step(number, name, Outcome.OK, check(), tuple(needs)))
        except ZkmlError as error:
            if optional and isinstance(error, ToolchainError):
                self.skip(number, name, error.message)
                return
            outcome = Outcome.REJECTED if isinstance(error, _VERDICTS) else Outcome.INCONCLUSIVE
            self._add(Step(number, name, outcome, error.message, tuple(needs), error.code, error.hint))

    def skip(self, number: int, name: str, why: str) -> None:
        """Leave a step out for a reason that says nothing against the subject."""
        self._add(Step(number, name, Outcome.SKIPPED, why))

    def note(self, text: str) -> None:
        """Add what a reader must know beside the verdict, once."""
        if text not in self._notes:
            self._notes.append(text)

    def holds(self, number: int) -> bool:
        """Say whether the step of this number ran and held."""
        return any(step.number == number and step.outcome is Outcome.OK for step in self._steps)

    def was_skipped(self, number: int) -> bool:
        """Say whether the step of this number was left out."""
        return any(step.number == number and step.outcome is Outcome.SKIPPED for step in self._steps)

    def report(self, meaning: Mapping[Verdict, str], facts: Mapping[str, str] | None = None) -> Report:
        """Return the report, with the words for the verdict that follows."""
        steps, notes = tuple(self._steps), tuple(self._notes)
        verdict = Report(self._subject, steps).verdict
        return Report(self._subject, steps, notes, meaning.get(verdict, ""), facts or {})

    def _add(self, step: Step) -> None:
        if self._steps and step.number <= self._steps[-1].number:
            raise ValueError(f"step {step.number} after step {self._steps[-1].number}")
        self._steps.append(step)


def worst_exit_code(reports: Sequence[Report]) -> int:
    """Return the exit code of several audits: 3 beats 4 beats 0."""
    codes = {report.exit_code for report in reports}
    return next((code for code in (3, 4) if code in codes), 0)


def _needed(missing: Sequence[int]) -> str:
    return f"needs {', '.join(str(number) for number in missing)}"


def _shown(outcome: str) -> str:
    return outcome.upper() if outcome in (Outcome.REJECTED.value, Outcome.INCONCLUSIVE.value) else outcome


def _ending(step: Step) -> str:
    if step.outcome is Outcome.SKIPPED:
        return f"skipped ({step.detail})"
    return f"{_shown(step.outcome.value)}  {step.detail}"
