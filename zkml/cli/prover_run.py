"""`zkml prover run`: a node, for one round or until it is asked to stop."""

import contextlib
import dataclasses
import logging
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from zkml.cli.console import table
from zkml.cli.market_session import account_of, open_market_of
from zkml.cli.options import Session, sending_command
from zkml.cli.prover_bundles import open_bundles
from zkml.errors import ZkmlError

INTERRUPTED = 130


@click.command()
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
@click.option("--workers", type=click.IntRange(min=1), help="Proofs made at once; default: prover.workers.")
@click.option("--ray", metavar="ADDRESS", help="Ray cluster that proves; default: prover.ray_address.")
@click.option("--api-port", type=click.IntRange(0, 65535), help="Port of the API; default: api.port.")
@click.option(
    "--admin-port", type=click.IntRange(0, 65535), help="Port of metrics and health; prover.admin_port."
)
@sending_command
def run(
    session: Session,
    once: bool,
    jobs: tuple[str, ...],
    bundles: tuple[Path, ...],
    min_fee: str | None,
    workers: int | None,
    ray: str | None,
    api_port: int | None,
    admin_port: int | None,
    dry_run: bool,
) -> None:
    """Claim jobs, prove them, check the proofs and settle. Stopped or killed, it goes on where it was.

    With an API port it answers requests on tabs as well. It registers the account and stakes what claims
    lock, up to prover.max_stake, unless prover.auto_stake is false.

    SIGTERM or Ctrl-C drains it: nothing new is claimed, and what is claimed is finished. A second one
    interrupts.

    Example: zkml prover run --workers 2 --admin-port 9464
    """
    from zkml.adapters.home_directory import lock_home
    from zkml.cli.job import parse_job

    market = open_market_of(session)
    account = account_of(session, "prover", market)
    prover = _changed(
        session.settings.prover,
        min_fee=None if min_fee is None else market.token.parse(min_fee),
        workers=workers,
        ray_address=ray,
        admin_port=admin_port,
    )
    api = _changed(session.settings.api, port=api_port)
    opened = open_bundles(session, bundles)
    wanted = [parse_job(job) for job in jobs] or None
    if dry_run:
        session.console.result(*_preview(session, market, account, opened, prover))
        return
    with lock_home(session.home, "prover"):
        if once or wanted is not None:
            _run_once(session, market, account, opened, prover, wanted)
        else:
            _run_until_stopped(session, market, account, opened, prover, api)


def _changed(section: Any, **values: Any) -> Any:
    """Return a section of the settings with what flags say; None stands for a flag that was not given."""
    return dataclasses.replace(section, **{key: value for key, value in values.items() if value is not None})


def _parts(
    session: Session, market: Any, account: Any, bundles: list[Any], prover: Any, **others: Any
) -> Any:
    from prover_nodes.build import build_parts
    from zkml.wiring import open_store

    home = session.home
    return build_parts(
        account=account,
        market=market,
        bundles=bundles,
        store=open_store(home),
        journal=prover.journal_url or home.journal,
        work=home.prover_work,
        verifiers=home.verifiers,
        prover=prover,
        chain=session.settings.chain,
        measurements=home.measurements,
        endpoint=session.settings.api.public_url,
        **others,
    )


def _run_once(
    session: Session,
    market: Any,
    account: Any,
    bundles: list[Any],
    prover: Any,
    wanted: list[bytes] | None,
) -> None:
    from prover_nodes.build import node_of

    with (
        session.console.progress() as progress,
        _parts(session, market, account, bundles, prover, progress=progress) as parts,
    ):
        for note in parts.opened.notes:
            session.console.note(note)
        report = node_of(parts).run_once(wanted)
    session.console.result(report.as_json(), _describe(report, market))
    _fail_if_a_job_failed(report)


def _run_until_stopped(
    session: Session, market: Any, account: Any, bundles: list[Any], prover: Any, api: Any
) -> None:
    from prover_nodes.metrics import PrometheusObserver
    from prover_nodes.process import build_process
    from prover_nodes.process_file import ProcessFile

    metrics, folder = PrometheusObserver(), session.home.prover_work.parent
    with (
        _logging(session, account, prover.log_format),
        _parts(session, market, account, bundles, prover, observer=metrics) as parts,
        _signals() as (stop, now),
    ):
        for note in parts.opened.notes:
            logging.getLogger(__name__).warning("%s", note)
        process = build_process(parts, metrics=metrics, api=api, folder=folder)
        process.run(stop, now, file=ProcessFile(folder))
    session.console.result({"stopped": True, "interrupted": now.is_set()}, "stopped")
    if now.is_set():
        raise click.exceptions.Exit(INTERRUPTED)


@contextlib.contextmanager
def _logging(session: Session, account: Any, form: Any) -> Iterator[None]:
    """Write the node's log to stderr, and take what is secret out of it."""
    from prover_nodes.logs import configure_logging
    from zkml.config.redaction import Redactor

    secrets = [bytes(account.key).hex(), *_password(session)]
    redactor = Redactor.of(session.settings, os.environ, secrets)
    level = logging.ERROR if session.console.quiet else logging.INFO
    handler = configure_logging(
        form=form, redactor=redactor, level=logging.DEBUG if session.console.verbose else level
    )
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


def _password(session: Session) -> list[str]:
    path = session.settings.keys.password_file
    if not path:
        return []
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return Path(path).expanduser().read_text(encoding="utf-8").splitlines()[:1]
    return []


@contextlib.contextmanager
def _signals() -> Iterator[tuple[threading.Event, threading.Event]]:
    """Return two events: the first Ctrl-C or SIGTERM sets the one, another sets the other as well."""
    stop, now = threading.Event(), threading.Event()
    before = {int(number): signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask_to_stop(_number: int, _frame: object) -> None:
        if stop.is_set():
            now.set()
            for number, handler in before.items():
                signal.signal(number, handler)
            return
        # Nothing is printed here: whatever the signal interrupted may hold the stream.
        stop.set()

    for number in before:
        signal.signal(number, ask_to_stop)
    try:
        yield stop, now
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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
