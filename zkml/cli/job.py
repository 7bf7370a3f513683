"""`zkml job`: a requester's jobs."""

from typing import Any

import click

from zkml.cli import job_open
from zkml.cli.console import table
from zkml.cli.identifiers import parse_address, parse_digest
from zkml.cli.job_open import trusted_classes
from zkml.cli.market_session import account_of, open_market_of
from zkml.cli.options import Session, chain_command, sending_command

DEFAULT_WAIT_SECONDS = 600.0


@click.group("job")
def command() -> None:
    """Open, show, await, cancel and refund jobs.

    Example: zkml job show 0x5c...
    """


command.add_command(job_open.command)


def parse_job(text: str) -> bytes:
    """Read a job id: 0x and 64 hexadecimal digits.

    Raises:
        ConfigError: something else.
    """
    return parse_digest(text, "job id")


@command.command(name="list")
@click.option("--requester", metavar="ADDRESS", help="Jobs of this account alone [everybody's].")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="Newest jobs.")
@chain_command
def list_(session: Session, requester: str | None, limit: int) -> None:
    """List jobs, oldest first.

    Example: zkml job list --limit 10 --json
    """
    from zkml.core.records import from_hex

    market = open_market_of(session)
    whose = None if requester is None else parse_address(requester, "a requester")
    found = [asked for asked in market.manager.events.requests() if whose in (None, asked.requester)]
    jobs = [
        {
            "job_id": asked.job_id,
            "status": market.manager.status(from_hex(asked.job_id)).name,
            "max_prover_fee": market.token.show(int(asked.max_prover_fee)),
            "deadline": asked.deadline,
            "requester": asked.requester,
        }
        for asked in found[-limit:]
    ]
    rows = [[job["job_id"], job["status"], job["max_prover_fee"], job["requester"]] for job in jobs]
    text = table(["job", "status", "prover fee", "requester"], rows) if rows else "no jobs"
    session.console.result({"jobs": jobs}, text)


@command.command()
@click.argument("job")
@chain_command
def show(session: Session, job: str) -> None:
    """Print a job's facts and status.

    Example: zkml job show 0x5c...
    """
    market = open_market_of(session)
    value = _facts(market, parse_job(job))
    shown = [(name, found) for name, found in value.items() if found is not None]
    session.console.result(value, "\n".join(f"{name:<15} {found}" for name, found in shown))


def _facts(market: Any, job_id: bytes) -> dict[str, Any]:
    facts, now, show = market.manager.facts(job_id), market.chain.now(), market.token.show
    settlements = market.manager.events.settlements_of(job_id)
    claimed = {
        "prover": facts.prover,
        "prover_fee": show(facts.payment.prover_fee),
        "price": show(facts.price),
        "collateral": show(market.manager.collateral_for(facts.price)),
        "claim_deadline": facts.claim_deadline,
    }
    return {
        "job_id": "0x" + job_id.hex(),
        "status": market.manager.status(job_id).name,
        "model_id": f"{facts.model_id:#066x}",
        "circuit_id": "0x" + facts.circuit_id.hex(),
        "requester": facts.requester,
        "min_prover_fee": show(facts.min_prover_fee),
        "max_prover_fee": show(facts.max_prover_fee),
        "offered_now": None if facts.has_prover else show(facts.prover_fee_at(now)),
        "escrow": None if facts.outcome.is_terminal else show(facts.escrow),
        **({name: found if facts.has_prover else None for name, found in claimed.items()}),
        "previous_prover": facts.previous_prover if facts.has_previous_prover else None,
        "grace_ends_at": facts.grace_ends_at if facts.has_previous_prover else None,
        "named_provers_only": facts.restricted,
        "opened_at": facts.opened_at,
        "ramp_seconds": facts.ramp_seconds,
        "claim_seconds": facts.claim_seconds,
        "deadline": facts.deadline,
        "seconds_left": max(facts.deadline - now, 0),
        "settlement": settlements[0].where.transaction if settlements else None,
    }


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
        market, job_id, accepted_classes=trusted_classes(session, market), store=open_store(session.home)
    )
    value = {
        "job_id": "0x" + job_id.hex(),
        "verified": True,
        "circuit_id": "0x" + output.circuit_id.hex(),
        "output_integers": list(output.elements),
        "output": None if output.values is None else list(output.values),
        "prover": output.prover,
        "prover_fee": market.token.show(output.prover_fee),
        "price": market.token.show(output.price),
        "transaction": output.transaction,
        "jobs_of_proof": output.jobs_of_proof,
    }
    shown = output.elements if output.values is None else [round(found, 4) for found in output.values]
    lines = [f"output       {list(shown)}"]
    lines.append(f"paid         {value['price']}, of it {value['prover_fee']} to {output.prover}")
    lines.append(f"transaction  {output.transaction}")
    session.console.result(value, "\n".join(lines))


@command.command()
@click.argument("job")
@sending_command
def cancel(session: Session, job: str, dry_run: bool) -> None:
    """Take back a job that nobody has claimed.

    Example: zkml job cancel 0x5c... --dry-run
    """
    _end(session, parse_job(job), "cancel", dry_run=dry_run)


@command.command()
@click.argument("job")
@sending_command
def refund(session: Session, job: str, dry_run: bool) -> None:
    """Get the escrow of an expired job back, or take back a job that nobody has claimed.

    A job whose circuit was tombstoned is refunded at once.

    Example: zkml job refund 0x5c...
    """
    _end(session, parse_job(job), "refund", dry_run=dry_run)


def _end(session: Session, job_id: bytes, move: str, *, dry_run: bool) -> None:
    """End a job and take what it gives back; a refund of an unclaimed job is a cancellation."""
    from zkml.client import cancel, refund
    from zkml.core.job_machine import JobStatus

    market = open_market_of(session)
    account = account_of(session, "requester", market)
    if market.manager.status(job_id) is JobStatus.OPEN:
        move = "cancel"
    if dry_run:
        session.console.result(*_plan_end(market, account.address, job_id, move))
        return
    (cancel if move == "cancel" else refund)(market, account, job_id)
    session.console.result(*_withdrawn(market, account, job_id))


def _plan_end(market: Any, sender: str, job_id: bytes, move: str) -> tuple[dict[str, Any], str]:
    from marketplace.job_plans import JobPlans
    from zkml.cli.plans import describe_moves

    plans = JobPlans(market.manager)
    plan = plans.cancel(sender, job_id) if move == "cancel" else plans.refund(sender, job_id)
    return describe_moves([plan], market.token.show)


def _withdrawn(market: Any, account: Any, job_id: bytes) -> tuple[dict[str, Any], str]:
    """Take the requester's credits, where the account is the requester, and say so."""
    from zkml.client import withdraw

    facts = market.manager.facts(job_id)
    taken = 0
    if facts.requester == account.address and market.ledger.credits_of(account.address):
        taken = withdraw(market, account).amount
    value = {
        "job_id": "0x" + job_id.hex(),
        "status": facts.outcome.name,
        "escrow": market.token.show(facts.escrow),
        "withdrawn": market.token.show(taken),
    }
    return value, f"{facts.outcome.name}: {value['withdrawn']} withdrawn to {account.address}"
