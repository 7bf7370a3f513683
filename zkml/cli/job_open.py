"""`zkml job open`: what a requester offers, and what leaves the account."""

from pathlib import Path
from typing import Any

import click

from zkml.cli.identifiers import parse_address, parse_digest, parse_model
from zkml.cli.inputs import read_tensor
from zkml.cli.market_session import account_of, open_market_of
from zkml.cli.options import Session, sending_command
from zkml.errors import ConfigError


def trusted_classes(session: Session, market: Any) -> frozenset[int]:
    """Return the verifier classes that this requester trusts on this chain."""
    from zkml.core.verifier_classes import accepted_classes

    return accepted_classes(session.settings.chain.accepted_classes, market.chain.chain_id)


def packed_input_of(session: Session, market: Any, model: int, input_file: Path) -> bytes:
    """Return a person's numbers as a model's circuit takes them."""
    from zkml.client import checked_commitment, fetch_manifest, pack_input
    from zkml.wiring import open_store

    manifest = fetch_manifest(checked_commitment(market, model), open_store(session.home))
    packed: bytes = pack_input(read_tensor(input_file), manifest)
    return packed


def read_fees(fee: str | None, min_fee: str | None, max_fee: str | None) -> tuple[str, str]:
    """Return least and greatest prover fee as they were written.

    Raises:
        ConfigError: neither `fee` alone nor both others.
    """
    if fee is not None and min_fee is None and max_fee is None:
        return fee, fee
    if fee is None and min_fee is not None and max_fee is not None:
        return min_fee, max_fee
    raise ConfigError(
        "expected either --fee, or --min-fee and --max-fee together, found something else",
        hint="one fee stays as it is; two make an offer that rises",
    )


@click.command(name="open")
@click.argument("model")
@click.option(
    "--input", "input_file", required=True, type=click.Path(path_type=Path), help=".json or .npy file."
)
@click.option("--fee", help="What the prover earns, in whole tokens, e.g. 2.5.")
@click.option("--min-fee", help="What a prover is offered at first; needs --max-fee.")
@click.option("--max-fee", help="What a prover is offered from the end of the ramp on.")
@click.option("--max-total", help="The most that may leave your account; default: the price as it is now.")
@click.option(
    "--within", type=click.IntRange(min=1), default=900, show_default=True, help="Seconds until the deadline."
)
@click.option("--ramp", type=click.IntRange(min=0), help="Seconds in which the offer rises [a quarter].")
@click.option(
    "--claim-time", type=click.IntRange(min=1), help="Seconds that a claimer is safe for [a third]."
)
@click.option(
    "--prover", "provers", multiple=True, metavar="ADDRESS", help="Who may claim; repeat it [anyone]."
)
@click.option("--circuit", metavar="ID", help="One of the model's circuits [its first].")
@sending_command
def command(
    session: Session,
    model: str,
    input_file: Path,
    fee: str | None,
    min_fee: str | None,
    max_fee: str | None,
    max_total: str | None,
    within: int,
    ramp: int | None,
    claim_time: int | None,
    provers: tuple[str, ...],
    circuit: str | None,
    dry_run: bool,
) -> None:
    """Put a price in escrow for the output of MODEL on an input. Prints the job's id.

    The price is the prover's fee, the model's fee and the platform's part. The input and the proved output
    are public on chain, for ever.

    Example: zkml job open 0x1f... --input input.json --fee 2.5
    """
    from zkml.core.pricing import escrow_for

    least, greatest = read_fees(fee, min_fee, max_fee)
    market = open_market_of(session)
    account = account_of(session, "requester", market)
    number = parse_model(model)
    top = market.token.parse(greatest)
    offered = {
        "model_id": number,
        "packed_input": packed_input_of(session, market, number, input_file),
        "min_prover_fee": market.token.parse(least),
        "max_prover_fee": top,
        "max_total": escrow_for(market.manager.quote_for(number), top)
        if max_total is None
        else market.token.parse(max_total),
        "deadline": market.chain.now() + within,
        "accepted_classes": trusted_classes(session, market),
        "ramp_seconds": ramp,
        "claim_seconds": claim_time,
        "provers": [parse_address(prover, "a prover") for prover in provers],
        "circuit_id": None if circuit is None else parse_digest(circuit, "circuit id"),
    }
    if dry_run:
        session.console.result(*_plan(market, account.address, offered))
        return
    session.console.result(*_open(session, market, account, offered))


def _open(session: Session, market: Any, account: Any, offered: dict[str, Any]) -> tuple[dict[str, Any], str]:
    from zkml.client import OpeningJournal, open_job, resume_openings

    journal = OpeningJournal(session.home.client)
    with session.console.progress() as progress:
        interrupted = resume_openings(market, journal, account, progress=progress)
    for resumed in interrupted:
        session.console.note(f"an interrupted opening is on chain: job 0x{resumed.job_id.hex()}")
    with session.console.progress() as progress:
        opened = open_job(market, account, journal, **offered, progress=progress)
    for warning in opened.warnings:
        session.console.note(f"note: {warning}")
    job, show = "0x" + opened.job_id.hex(), market.token.show
    value = {
        "job_id": job,
        "transaction": opened.transaction,
        "circuit_id": "0x" + opened.spec.circuit_id.hex(),
        "min_prover_fee": show(opened.spec.min_prover_fee),
        "max_prover_fee": show(opened.spec.max_prover_fee),
        "escrow": show(opened.escrow),
        "ramp_seconds": opened.spec.ramp_seconds,
        "claim_seconds": opened.spec.claim_seconds,
        "deadline": opened.deadline,
        "provers": list(opened.spec.provers),
        "warnings": list(opened.warnings),
    }
    return value, job


def _plan(market: Any, sender: str, offered: dict[str, Any]) -> tuple[dict[str, Any], str]:
    from marketplace.job_effects import opening_effects
    from marketplace.job_plans import JobPlans
    from zkml.cli.escrow_plans import describe_escrow
    from zkml.client.offers import make_offer
    from zkml.core.market_identifiers import job_id

    offer = make_offer(market, sender, **offered)
    nonce = market.manager.nonces_of(sender)
    job = job_id(market.chain.chain_id, market.manager.address, sender, nonce, offer.spec)
    return describe_escrow(
        market,
        sender,
        offer.escrow,
        function="JobManager.open",
        effects=opening_effects(job, sender, offer.escrow),
        plan=lambda: JobPlans(market.manager).open(sender, offer.spec, offer.given_input),
    )
