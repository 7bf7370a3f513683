"""Choose the proof system of a model: OCTET where it proves it exactly enough, else EZKL, and say why.

`auto` compiles with OCTET first, which takes seconds, and takes EZKL where OCTET has no relation for a node,
where no settings meet the error budget, or where something is asked that only EZKL does. A fault of the model
itself, of the data or of the SRS is an error under either system, and is raised as it is.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from circuits.bundle import Bundle
from circuits.port import CompileRequest, ErrorBudget, ProofSystem
from zkml.core.progress import Progress, silent
from zkml.errors import (
    CalibrationError,
    CompileError,
    ModelError,
    UnsuitableCircuitError,
    ZkmlError,
)
from zkml.export.check import CheckedFor, check_onnx

AskedSystem = Literal["ezkl", "octet", "auto"]
"""What `--system` takes."""

_REFUSALS = (ModelError, CompileError, CalibrationError, UnsuitableCircuitError)


@dataclass(frozen=True, slots=True)
class Candidate:
    """What one proof system makes of a model.

    Attributes:
        system: its name.
        refusal: why it cannot prove the model; empty when it can, or when that was not asked to the end.
        is_compiled: whether a circuit was made and seen to prove.
        max_abs_error: largest error on the calibration data, in the model's units; None when unknown.
        argmax_agreement: part of the samples with the float model's greatest output; None when unknown.
    """

    system: CheckedFor
    refusal: str = ""
    is_compiled: bool = False
    max_abs_error: float | None = None
    argmax_agreement: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the candidate for `--json`."""
        return {
            "system": self.system,
            "refusal": self.refusal or None,
            "compiled": self.is_compiled,
            "max_abs_error": self.max_abs_error,
            "argmax_agreement": self.argmax_agreement,
        }


@dataclass(frozen=True, slots=True)
class Choice:
    """A circuit, and why it is of its system.

    Attributes:
        bundle: the circuit.
        candidates: OCTET, then EZKL.
        reason: one clause.
        budget: how exact the circuit had to be.
    """

    bundle: Bundle
    candidates: tuple[Candidate, ...]
    reason: str
    budget: ErrorBudget

    def as_json(self) -> dict[str, Any]:
        """Return the choice for `--json`."""
        return {
            "system": self.bundle.manifest.system,
            "reason": self.reason,
            "budget": asdict(self.budget),
            "candidates": [candidate.as_json() for candidate in self.candidates],
        }


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is to be compiled, by whichever system.

    Attributes:
        onnx: the model's file.
        batch_size: binds a dynamic first dimension.
        budget: how exact the circuit must be.
        only_ezkl: what was asked for that OCTET does not do, e.g. `committed weights`; empty when nothing.
        request: makes the request of a checked model's bytes.
    """

    onnx: Path
    batch_size: int | None
    budget: ErrorBudget
    only_ezkl: Sequence[str]
    request: Callable[[bytes], CompileRequest]


def compile_with(wishes: Wishes, system: CheckedFor, proving: ProofSystem, progress: Progress) -> Bundle:
    """Check a model for one system, and compile it.

    Raises:
        UnsuitableCircuitError: OCTET, and something is asked for that it does not do.
        ZkmlError: see `zkml.export.check.check_onnx` and `circuits.port.ProofSystem.compile`.
    """
    if system == "octet" and wishes.only_ezkl:
        raise _not_of_octet(wishes)
    checked = check_onnx(wishes.onnx, batch_size=wishes.batch_size, system=system)
    return proving.compile(wishes.request(checked.data), progress=progress)


def choose_system(
    wishes: Wishes, opener: Callable[[CheckedFor], ProofSystem], *, progress: Progress = silent
) -> Choice:
    """Compile with OCTET if it proves the model within the budget, else with EZKL.

    Args:
        wishes: what is to be compiled.
        opener: opens a system by name; EZKL's is asked for only when it is needed.
        progress: hears of the stages.

    Raises:
        ZkmlError: both refuse, when it is EZKL's refusal with OCTET's in its context; or the model, the data
            or the SRS is at fault.
    """
    if wishes.only_ezkl:
        return _with_ezkl(wishes, opener("ezkl"), _not_of_octet(wishes), progress)
    data = check_onnx(wishes.onnx, batch_size=wishes.batch_size, system="octet").data
    try:
        bundle = opener("octet").compile(wishes.request(data), progress=progress)
    except _REFUSALS as error:
        return _with_ezkl(wishes, opener("ezkl"), error, progress)
    candidates = (_made("octet", bundle), Candidate("ezkl", refusal=_ezkl_refusal(wishes)))
    reason = "OCTET has every operator and holds the error budget"
    return Choice(bundle, candidates, reason, wishes.budget)


def _not_of_octet(wishes: Wishes) -> UnsuitableCircuitError:
    return UnsuitableCircuitError(
        f"expected what OCTET does, found a wish for {' and '.join(wishes.only_ezkl)}",
        hint="leave it out, or compile with --system ezkl",
    )


def _with_ezkl(wishes: Wishes, proving: ProofSystem, refusal: ZkmlError, progress: Progress) -> Choice:
    refused = Candidate(
        "octet",
        refusal.message,
        max_abs_error=_number(refusal, "max_abs_error"),
        argmax_agreement=_number(refusal, "argmax_agreement"),
    )
    try:
        bundle = compile_with(wishes, "ezkl", proving, progress)
    except ZkmlError as error:
        error.context.setdefault("octet", refusal.message)
        raise
    candidates = (refused, _made("ezkl", bundle))
    return Choice(bundle, candidates, f"OCTET refuses: {refusal.message}", wishes.budget)


def _made(system: CheckedFor, bundle: Bundle) -> Candidate:
    fidelity = bundle.manifest.fidelity
    return Candidate(
        system,
        is_compiled=True,
        max_abs_error=fidelity.max_abs_error,
        argmax_agreement=fidelity.argmax_agreement,
    )


def _ezkl_refusal(wishes: Wishes) -> str:
    """Return what EZKL's check says of the model: all that can be said without a long compilation."""
    try:
        check_onnx(wishes.onnx, batch_size=wishes.batch_size)
    except ModelError as error:
        return error.message
    return ""


def _number(error: ZkmlError, key: str) -> float | None:
    value = error.context.get(key)
    return float(value) if isinstance(value, int | float) else None
