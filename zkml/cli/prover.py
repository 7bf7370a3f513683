"""`zkml prover`: a prover node."""

import logging
import signal
import threading
from pathlib import Path
from typing import Any

import click

from zkml.cli.console import table
from zkml.cli.market_session import account_of, open_market_of
from zkml.cli.options import Session, chain_command, sending_command
from zkml.errors import ConfigError, ZkmlError


@click.group("prover")
def command() -> None:
    """Run a prover node.

    Example: zkml prover run --once
    """


def _bundles(session: Session, given: tuple[Path, ...]) -> list[Any]:
    from circuits.bundle import Bundle

    paths = list(given) or [Path(path).expanduser() for path in session.settings.prover.bundles]
    if not paths and session.home.bundles.is_dir():
        paths = sorted(path.parent for path in session.home.bundles.glob("*/manifest.json"))
    if not paths:
        raise ConfigError(
            f"expected circuit bundles to prove, found none configured and none in {session.home.bundles}",
            hint="give --bundle DIR, or set prover.bundles in zkml.toml",
        )
    return [Bundle.open(path) for path in paths]


@command.command()
@click.option("--once", is_flag=True, help="Look at the market once, finish what is found, and stop.")
@click.option("--job", "jobs", multiple=True, help="Serve this job only; may be repeated. Implies --once.")
@click.option(
    "--bundle",
    "bundles",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Circuit bundle to prove; default: prover.bundles, else those in the home.",
)
@click.option("--min-fee", help="Least fee, in whole tokens; default: prover.min_fee.")
@sending_command
def run(
    session: Session,
    once: bool,
    jobs: tuple[str, ...],
    bundles: tuple[Path, ...],
    min_fee: str | None,
    dry_run: bool,
) -> None:
    """Claim jobs, prove them, check the proofs and settle. Stopped or killed, it goes on where it was.

    It registers the account and stakes what claims lock, up to prover.max_stake, unless prover.auto_stake is
    false.

    Example: zkml prover run --once
    """
    import dataclasses

    from prover_nodes.build import build_node
    from zkml.adapters.home_directory import lock_home
    from zkml.cli.job import parse_job
    from zkml.wiring import open_store

    market = open_market_of(session)
    account = account_of(session, "prover", market)
    prover = session.settings.prover
    if min_fee is not None:
        prover = dataclasses.replace(prover, min_fee=market.token.parse(min_fee))
    opened = _bundles(session, bundles)
    wanted = [parse_job(job) for job in jobs] or None
    if dry_run:
        session.console.result(*_preview(session, market, account, opened, prover))
        return
    with lock_home(session.home, "prover"), session.console.progress() as progress:
        node = build_node(
            account=account,
            market=market,
            bundles=opened,
            store=open_store(session.home),
            journal=session.home.journal,
            work=session.home.prover_work,
            verifiers=session.home.verifiers,
            prover=prover,
            chain=session.settings.chain,
            measurements=session.home.measurements,
            progress=progress,
        )
        with node.journal:
            if not once and wanted is None:
                _run_until_stopped(session, node)
                return
            report = node.run_once(wanted)
    session.console.result(report.as_json(), _describe(report, market))
    _fail_if_a_job_failed(report)


def _run_until_stopped(session: Session, node: Any) -> None:
    """Run until Ctrl-C or SIGTERM; the first one finishes the job at work, a second one interrupts it."""
    stop = threading.Event()
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {int(number): signal.getsignal(number) for number in signals}

    def ask_to_stop(number: int, _frame: object) -> None:
        stop.set()
        session.console.note("stopping after the job at work; again to interrupt it")
        signal.signal(number, before[number])

    for number in before:
        signal.signal(number, ask_to_stop)
    if not session.console.quiet:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        node.run(stop)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    session.console.result({"stopped": True}, "stopped")


def _fail_if_a_job_failed(report: Any) -> None:
    """Exit with the error of the first job that a stage of ours failed on; a skipped job is no failure."""
    failed = [outcome.error for outcome in report.outcomes if isinstance(outcome.error, ZkmlError)]
    if failed:
        raise click.exceptions.Exit(failed[0].exit_code)


def _describe(report: Any, market: Any) -> str:
    rows = [
        [
            outcome.job_id,
            str(outcome.kind),
            market.token.show(int(outcome.settlement.prover_fee)) if outcome.settlement else "",
            outcome.settlement.transaction if outcome.settlement else outcome.reason,
        ]
        for outcome in report.outcomes
    ]
    if not rows:
        return "no jobs"
    return table(["job", "outcome", "fee", "transaction or reason"], rows)


def _preview(
    session: Session, market: Any, account: Any, bundles: list[Any], prover: Any
) -> tuple[dict[str, Any], str]:
    """Say which open jobs the node would claim, without a witness, a claim or a journal."""
    from prover_nodes.preview import preview_jobs

    found = preview_jobs(
        market,
        account.address,
        bundles,
        prover,
        session.settings.chain,
        work=session.home.prover_work,
        verifiers=session.home.verifiers,
        measurements=session.home.measurements,
    )
    rows = [[job, verdict] for job, verdict in found]
    value = {"dry_run": True, "jobs": [{"job": job, "would": verdict} for job, verdict in found]}
    return value, table(["job", "would"], rows) if rows else "no jobs"


@command.command()
@sending_command
def withdraw(session: Session, dry_run: bool) -> None:
    """Take the fees that settlements have credited; stake is taken with unstake.

    Example: zkml prover withdraw
    """
    from marketplace.revenue_plans import RevenuePlans
    from zkml.cli.plans import describe_moves

    market = open_market_of(session)
    account = account_of(session, "prover", market)
    if dry_run:
        plan = RevenuePlans(market.ledger).withdraw(account.address)
        session.console.result(*describe_moves([plan], market.token.show))
        return
    receipt = market.ledger.withdraw(account)
    [withdrawn] = market.ledger.contract.events_in(receipt.logs, "Withdrawn")
    amount = market.token.show(withdrawn.arguments["amount"])
    value = {"account": account.address, "withdrawn": amount, "transaction": receipt.transaction}
    session.console.result(value, f"{amount} withdrawn to {account.address}")


@command.command()
@click.argument("amount")
@sending_command
def stake(session: Session, amount: str, dry_run: bool) -> None:
    """Add whole tokens to the prover's stake, and register the account first where it is not.

    Claims lock a part of it until they are settled. `prover run` does the same by itself.

    Example: zkml prover stake 5 --dry-run
    """
    from zkml.cli.stakes import StakeMoves

    market = open_market_of(session)
    moves = StakeMoves(market, account_of(session, "prover", market))
    units = market.token.parse(amount)
    session.console.result(*(moves.preview_stake(units) if dry_run else moves.stake(units)))


@command.command()
@click.argument("amount", required=False)
@click.option("--take", is_flag=True, help="Take what was asked back, after the delay.")
@sending_command
def unstake(session: Session, amount: str | None, take: bool, dry_run: bool) -> None:
    """Ask for free stake back, in whole tokens; once the delay is over, take it.

    What was asked back can be locked by no claim any more.

    Example: zkml prover unstake 5 && zkml prover unstake --take
    """
    from zkml.cli.stakes import StakeMoves

    if take == (amount is not None):
        raise ConfigError("expected either an amount or --take, found both or neither")
    market = open_market_of(session)
    moves = StakeMoves(market, account_of(session, "prover", market))
    units = None if amount is None else market.token.parse(amount)
    session.console.result(*(moves.preview_unstake(units) if dry_run else moves.unstake(units)))


@command.command()
@click.option("--account", metavar="ADDRESS", help="Whose stake and credits [the prover's key's].")
@chain_command
def status(session: Session, account: str | None) -> None:
    """Print what the node's journal says about its jobs, and the prover's stake and credits on chain.

    Without a chain or a key it prints what the journal says.

    Example: zkml prover status --json
    """
    from prover_nodes.status import read_all_statuses
    from zkml.cli.stakes import describe_account

    statuses = read_all_statuses(session.home.journal)
    on_chain, text = describe_account(session, account)
    value = {
        "account": on_chain,
        "markets": [{"market": scope, **found.as_json()} for scope, found in statuses],
    }
    lines = [text]
    for scope, found in statuses:
        counts = ", ".join(f"{count} {state}" for state, count in found.counts.items())
        lines.append(f"{scope}\n{counts}; earned {found.earned} units")
        rows = [[case.job_id, case.state, case.stage, case.fee, case.reason] for case in found.cases]
        if rows:
            lines.append(table(["job", "state", "stage", "fee", "reason"], rows))
    session.console.result(value, "\n".join([*lines, *([] if statuses else ["no jobs yet"])]))
