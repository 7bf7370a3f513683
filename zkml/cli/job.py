"""`zkml job`: a requester's jobs."""

from pathlib import Path
from typing import Any

import click

from zkml.cli.inputs import read_tensor
from zkml.cli.options import Session, chain_command, sending_command
from zkml.cli.registry import account_of, open_market_of, parse_model
from zkml.errors import ConfigError

DEFAULT_WAIT_SECONDS = 600.0


@click.group("job")
def command() -> None:
    """Open, show, await and refund jobs.

    Example: zkml job show 0x5c...
    """


def parse_job(text: str) -> bytes:
    """Read a job id: 0x and 64 hexadecimal digits.

    Raises:
        ConfigError: something else.
    """
    try:
        job_id = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        job_id = b""
    if len(job_id) != 32:
        raise ConfigError(f"expected a job id of 0x and 64 hexadecimal digits, found {text!r:.80}")
    return job_id


def _trusted(session: Session, market: Any) -> frozenset[int]:
    """Return the verifier classes that this requester trusts on this chain."""
    from zkml.core.verifier_classes import accepted_classes

    return accepted_classes(session.settings.chain.accepted_classes, market.chain.chain_id)


@command.command(name="open")
@click.argument("model")
@click.option(
    "--input", "input_file", required=True, type=click.Path(path_type=Path), help=".json or .npy file."
)
@click.option("--fee", required=True, help="What the prover earns, in whole tokens, e.g. 2.5.")
@click.option("--max-total", help="The most that may leave your account; default: the fee.")
@click.option(
    "--within", type=click.IntRange(min=1), default=900, show_default=True, help="Seconds until the deadline."
)
@sending_command
def open_(
    session: Session,
    model: str,
    input_file: Path,
    fee: str,
    max_total: str | None,
    within: int,
    dry_run: bool,
) -> None:
    """Put a fee in escrow for the output of MODEL on an input. Prints the job's id.

    The input and the proved output are public on chain, for ever.

    Example: zkml job open 0x1f... --input input.json --fee 2.5
    """
    from zkml.client import (
        OpeningJournal,
        checked_commitment,
        fetch_manifest,
        open_job,
        pack_input,
        resume_openings,
    )
    from zkml.wiring import open_store

    market = open_market_of(session)
    account = account_of(session, "requester", market)
    number = parse_model(model)
    manifest = fetch_manifest(checked_commitment(market, number), open_store(session.home))
    packed = pack_input(read_tensor(input_file), manifest)
    units = market.token.parse(fee)
    deadline = market.chain.now() + within
    if dry_run:
        session.console.result(*_plan(market, account, number, packed, units, deadline))
        return
    journal = OpeningJournal(session.home.client)
    with session.console.progress() as progress:
        interrupted = resume_openings(market, journal, account, progress=progress)
    for resumed in interrupted:
        session.console.note(f"an interrupted opening is on chain: job 0x{resumed.job_id.hex()}")
    with session.console.progress() as progress:
        opened = open_job(
            market,
            account,
            journal,
            model_id=number,
            packed_input=packed,
            fee=units,
            max_total=units if max_total is None else market.token.parse(max_total),
            deadline=deadline,
            accepted_classes=_trusted(session, market),
            progress=progress,
        )
    for warning in opened.warnings:
        session.console.note(f"note: {warning}")
    job = "0x" + opened.job_id.hex()
    value = {
        "job_id": job,
        "transaction": opened.transaction,
        "fee": market.token.show(opened.fee),
        "deadline": opened.deadline,
        "warnings": list(opened.warnings),
    }
    session.console.result(value, job)


def _plan(
    market: Any, account: Any, model: int, packed: bytes, fee: int, deadline: int
) -> tuple[dict[str, Any], str]:
    from zkml.cli.plans import describe_plan
    from zkml.core.identifiers import JobSpec
    from zkml.core.tensors import input_commitment

    market.token.require(account.address, fee, "pay the fee")
    spec = JobSpec(model, input_commitment(packed), "", fee, deadline)
    if market.token.allowance(account.address, market.manager.address) < fee:
        approve = market.token.contract.dry_run(account.address, "approve", market.manager.address, fee)
        value, text = describe_plan([approve])
        value["then"] = {"function": "JobManager.open", "fee": str(fee), "deadline": deadline}
        return value, f"{text}\nthen JobManager.open  fee {market.token.show(fee)}, deadline {deadline}"
    return describe_plan([market.manager.dry_run(account.address, "open", tuple(spec), packed)])


@command.command()
@click.argument("job")
@chain_command
def show(session: Session, job: str) -> None:
    """Print a job's facts and status.

    Example: zkml job show 0x5c...
    """
    market = open_market_of(session)
    job_id = parse_job(job)
    facts = market.manager.facts(job_id)
    claimed = int(facts.prover, 16) != 0
    settlements = market.manager.events.settlements_of(job_id)
    value = {
        "job_id": "0x" + job_id.hex(),
        "status": market.manager.status(job_id).name,
        "model_id": f"{facts.model_id:#066x}",
        "circuit_id": "0x" + facts.circuit_id.hex(),
        "requester": facts.requester,
        "fee": market.token.show(facts.fee),
        "collateral": market.token.show(facts.collateral),
        "prover": facts.prover if claimed else None,
        "deadline": facts.deadline,
        "seconds_left": max(facts.deadline - market.chain.now(), 0),
        "settlement": settlements[0].where.transaction if settlements else None,
    }
    shown = [(name, found) for name, found in value.items() if found is not None]
    session.console.result(value, "\n".join(f"{name:<14} {found}" for name, found in shown))


@command.command()
@click.argument("job")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=DEFAULT_WAIT_SECONDS,
    show_default=True,
    help="Seconds.",
)
@chain_command
def wait(session: Session, job: str, timeout: float) -> None:
    """Wait until a job is settled; verify its proof here; print the proved output.

    Example: zkml job wait 0x5c... --timeout 600
    """
    from zkml.adapters.system_clock import SystemClock
    from zkml.client import read_output, wait_for_settlement
    from zkml.wiring import open_store

    market = open_market_of(session)
    job_id = parse_job(job)
    with session.console.progress() as progress:
        wait_for_settlement(market, job_id, SystemClock(), timeout_seconds=timeout, progress=progress)
    output = read_output(
        market,
        job_id,
        accepted_classes=_trusted(session, market),
        store=open_store(session.home),
    )
    value = {
        "job_id": "0x" + job_id.hex(),
        "verified": True,
        "output_integers": list(output.elements),
        "output": None if output.values is None else list(output.values),
        "prover": output.prover,
        "fee": market.token.show(output.fee),
        "transaction": output.transaction,
    }
    shown = output.elements if output.values is None else [round(found, 4) for found in output.values]
    lines = [f"output       {list(shown)}", f"paid         {value['fee']} to {output.prover}"]
    lines.append(f"transaction  {output.transaction}")
    session.console.result(value, "\n".join(lines))


@command.command()
@click.argument("job")
@sending_command
def refund(session: Session, job: str, dry_run: bool) -> None:
    """Get the fee of an expired job back, or take back a job that nobody has claimed.

    Example: zkml job refund 0x5c...
    """
    from zkml.cli.plans import describe_plan
    from zkml.client import cancel, withdraw
    from zkml.client import refund as refund_job
    from zkml.core.job_machine import JobStatus

    market = open_market_of(session)
    account = account_of(session, "requester", market)
    job_id = parse_job(job)
    open_still = market.manager.status(job_id) is JobStatus.OPEN
    if dry_run:
        move = "cancel" if open_still else "refund"
        session.console.result(*describe_plan([market.manager.dry_run(account.address, move, job_id)]))
        return
    (cancel if open_still else refund_job)(market, account, job_id)
    facts = market.manager.facts(job_id)
    taken = 0
    if facts.requester == account.address and market.manager.credits_of(account.address):
        taken = withdraw(market, account).amount
    value = {
        "job_id": "0x" + job_id.hex(),
        "status": facts.outcome.name,
        "fee": market.token.show(facts.fee),
        "withdrawn": market.token.show(taken),
    }
    session.console.result(
        value, f"{facts.outcome.name}: {value['withdrawn']} withdrawn to {account.address}"
    )
