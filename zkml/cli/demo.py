"""`zkml demo`: the guided tour."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zkml.cli.console import table
from zkml.cli.options import Session, sending_command

if TYPE_CHECKING:
    from zkml.demo.report import DemoReport
    from zkml.export.check import CheckedFor


@click.command("demo")
@click.option(
    "--system",
    type=click.Choice(["ezkl", "octet"]),
    default="ezkl",
    show_default=True,
    help="Proof system of the circuit.",
)
@sending_command
def command(session: Session, dry_run: bool, system: "CheckedFor") -> None:
    """Run the main job on real parts: train, export, prove, verify on chain, pay, cheat, audit.

    Everything stays in the home; a second run uses what the first one made, with either system.

    Example: zkml demo --system octet
    """
    from zkml.demo.tour import run_tour

    if dry_run:
        session.console.result(*_plan(session, system))
        return
    with session.console.progress() as progress:
        report = run_tour(session.settings, session.home, progress, environment=os.environ, asked=system)
    session.console.result(report.as_json(), describe(report))


STEPS = (
    "train a small CNN on real digit images",
    "export it to ONNX and check it",
    "compile its circuit and measure both accuracies",
    "deploy the contracts, publish the model with a genesis proof, register two provers and their stakes",
    "open three jobs whose prover fee rises until somebody takes it, prove them, settle them",
    "cheat on a fourth job in six ways, have another prover take it over; refund a fifth, never answered",
    "audit all five jobs",
    "take income, credits and stake, and compare balances",
)


def _plan(session: Session, system: str) -> tuple[dict[str, object], str]:
    from zkml.demo.digits import circuit_name

    endpoint = session.settings.chain.rpc_url or "the embedded node"
    cached = (session.home.bundles / circuit_name(system)).is_dir()
    value = {
        "dry_run": True,
        "system": system,
        "endpoint": endpoint,
        "circuit_cached": cached,
        "steps": list(STEPS),
    }
    made = "cached" if cached else "not made yet"
    lines = [f"dry run: nothing was done; on {endpoint}, circuit of {system} {made}"]
    return value, "\n".join([*lines, *(f"{number} {step}" for number, step in enumerate(STEPS, 1))])


def describe(report: "DemoReport") -> str:
    """Return the report as text."""
    from marketplace.tokens import format_amount

    def money(units: int) -> str:
        return format_amount(units, report.decimals, "")

    srs = "" if report.srs_is_secure else " (insecure: for local chains only)"
    head = [
        f"proof system   {report.system}",
        f"test accuracy  float {report.float_accuracy:.2%}, quantized circuit {report.circuit_accuracy:.2%}",
        f"circuit        {report.circuit}",
        f"SRS            {report.srs}{srs}",
        f"model          {report.model_id} on chain {report.chain_id}, PROVEN",
        f"licence        {report.licence}, trained on sha256:{report.dataset[2:]}",
        f"amounts        in {report.symbol}",
    ]
    program = _program()
    return "\n\n".join(
        [
            "\n".join(head),
            _jobs(report, money),
            f"job {report.cheated_job[:14]}... was claimed by a cheat, who lied:",
            table(
                ["lie", "refused by", "because"],
                [[attempt.lie, attempt.refused_by, attempt.reason] for attempt in report.attempts],
            ),
            f"two claims were broken, and cost the cheat {money(report.forfeited)} {report.symbol}:",
            _forfeits(report, money),
            table(["job", "audit"], [[f"{job[:14]}...", verdict] for job, verdict in report.audits.items()]),
            _balances(report, money),
            _contracts(report, money),
            f"{report.seconds:.1f} s. Look closer:",
            f"{program} chain up && {program} audit job {report.jobs[0].job_id}",
        ]
    )


def _jobs(report: "DemoReport", money: Callable[[int], str]) -> str:
    rows = [
        [
            row.job_id[:14] + "...",
            str(row.label),
            str(row.predicted),
            f"{row.prove_seconds:.2f}",
            str(row.gas),
            *(money(amount) for amount in (row.paid, row.revenue, row.platform, row.price)),
        ]
        for row in (*report.jobs, report.taken_over)
    ]
    titles = ["job", "label", "predicted", "prove s", "gas", "prover", "model", "platform", "price"]
    return table(titles, rows)


def _forfeits(report: "DemoReport", money: Callable[[int], str]) -> str:
    rows = [
        [
            row.job_id[:14] + "...",
            row.ended,
            *(money(amount) for amount in (row.amount, row.bonus, row.to_treasury, row.to_burn)),
        ]
        for row in report.forfeits
    ]
    return table(["job", "ended", "forfeited", "bonus", "treasury", "burned"], rows)


def _balances(report: "DemoReport", money: Callable[[int], str]) -> str:
    amounts = [
        (row.account, (row.before, row.after, row.after - row.before, row.wallet, row.credits, row.stake))
        for row in report.balances
    ]
    sums = tuple(sum(column) for column in zip(*(row for _, row in amounts), strict=True))
    rows = [[name, *(money(amount) for amount in row)] for name, row in [*amounts, ("sum", sums)]]
    return table(["account", "before", "after", "change", "wallet", "credits", "stake"], rows)


def _contracts(report: "DemoReport", money: Callable[[int], str]) -> str:
    rows = [[row.contract, money(row.tokens), money(row.owed)] for row in report.contracts]
    return table(["contract", "holds", "owes to these accounts"], rows)


def _program() -> str:
    """Return how this program was called, so that what is printed can be typed as it stands."""
    called = Path(sys.argv[0])
    beside = called.is_absolute() and called.is_relative_to(Path.cwd())
    shown = str(called.relative_to(Path.cwd())) if beside else str(called)
    if called.name != "zkml":
        shown = "zkml"
    home = os.environ.get("ZKML_HOME")
    return f"ZKML_HOME={home} {shown}" if home else shown
