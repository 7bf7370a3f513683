"""`zkml demo`: the guided tour."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zkml.cli.console import table
from zkml.cli.options import Session, sending_command

if TYPE_CHECKING:
    from zkml.demo.report import DemoReport


@click.command("demo")
@sending_command
def command(session: Session, dry_run: bool) -> None:
    """Run the main job on real parts: train, export, prove, verify on chain, pay, cheat, audit.

    Everything stays in the home; a second run uses what the first one made.

    Example: zkml demo
    """
    from zkml.demo.tour import run_tour

    if dry_run:
        session.console.result(*_plan(session))
        return
    with session.console.progress() as progress:
        report = run_tour(session.settings, session.home, progress, environment=os.environ)
    session.console.result(report.as_json(), describe(report))


STEPS = (
    "train a small CNN on real digit images",
    "export it to ONNX and check it",
    "compile its circuit and measure both accuracies",
    "deploy the contracts, register the model, activate it with a genesis proof",
    "open three jobs, prove them, settle them",
    "cheat on a fourth job in six ways, forfeit its collateral, refund its requester",
    "audit all four jobs",
    "compare balances",
)


def _plan(session: Session) -> tuple[dict[str, object], str]:
    endpoint = session.settings.chain.rpc_url or "the embedded node"
    cached = session.home.bundles.is_dir()
    value = {"dry_run": True, "endpoint": endpoint, "circuit_cached": cached, "steps": list(STEPS)}
    lines = [f"dry run: nothing was done; on {endpoint}, circuit {'cached' if cached else 'not made yet'}"]
    return value, "\n".join([*lines, *(f"{number} {step}" for number, step in enumerate(STEPS, 1))])


def describe(report: "DemoReport") -> str:
    """Return the report as text."""
    from marketplace.tokens import format_amount

    def money(units: int) -> str:
        sign = "-" if units < 0 else ""
        return sign + format_amount(abs(units), report.decimals, report.symbol)

    srs = "" if report.srs_is_secure else " (insecure: for local chains only)"
    head = [
        f"test accuracy  float {report.float_accuracy:.2%}, quantized circuit {report.circuit_accuracy:.2%}",
        f"circuit        {report.circuit}",
        f"SRS            {report.srs}{srs}",
        f"model          {report.model_id} on chain {report.chain_id}, PROVEN",
    ]
    jobs = [
        [
            row.job_id[:14] + "...",
            str(row.label),
            str(row.predicted),
            f"{row.prove_seconds:.2f}",
            str(row.gas),
            money(row.paid),
        ]
        for row in report.jobs
    ]
    lies = [[attempt.lie, attempt.refused_by, attempt.reason] for attempt in report.attempts]
    before, after = report.sums
    rows = [(row.account, row.before, row.after) for row in report.balances]
    balances = [
        [name, money(had), money(has), money(has - had)] for name, had, has in [*rows, ("sum", before, after)]
    ]
    audits = [[job[:14] + "...", verdict] for job, verdict in report.audits.items()]
    program = _program()
    cheated = f"job {report.cheated_job[:14]}... was claimed by a cheat, who forfeited"
    return "\n\n".join(
        [
            "\n".join(head),
            table(["job", "label", "predicted", "prove s", "gas", "paid"], jobs),
            f"{cheated} {money(report.forfeited)}:",
            table(["lie", "refused by", "because"], lies),
            table(["job", "audit"], audits),
            table(["account", "before", "after", "change"], balances),
            f"{report.seconds:.1f} s. Look closer:",
            f"{program} chain up && {program} audit job {report.jobs[0].job_id}",
        ]
    )


def _program() -> str:
    """Return how this program was called, so that what is printed can be typed as it stands."""
    called = Path(sys.argv[0])
    beside = called.is_absolute() and called.is_relative_to(Path.cwd())
    shown = str(called.relative_to(Path.cwd())) if beside else str(called)
    if called.name != "zkml":
        shown = "zkml"
    home = os.environ.get("ZKML_HOME")
    return f"ZKML_HOME={home} {shown}" if home else shown
