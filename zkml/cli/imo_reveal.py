"""`zkml imo reveal`, `challenge` and `default`: the key made public, held against what was sold."""

from pathlib import Path
from typing import Any

import click

from zkml.cli.imo_sealed import check_key, checked_sealed_file, own_key, sealed_option
from zkml.cli.imo_session import check_offering, find_offering
from zkml.cli.imo_steps import show_plan
from zkml.cli.imo_times import describe_time
from zkml.cli.market_session import account_of, open_market_of
from zkml.cli.options import Session, sending_command
from zkml.errors import ArtifactNotFoundError


@click.command()
@click.argument("offering")
@sealed_option
@click.option("--unchecked", is_flag=True, help="Do not try whether the key opens the sealed file first.")
@sending_command
def reveal(session: Session, offering: str, sealed: Path | None, unchecked: bool, dry_run: bool) -> None:
    """Make the key of OFFERING's artifact public, from this home's artifact-keys, once it is sold out.

    From then on anybody can open what was sold. The challenge time begins: reveal early in the lock and the
    release is possible when the lock ends.

    Example: zkml imo reveal 1
    """
    from marketplace.offering_plans import OfferingPlans

    market = open_market_of(session)
    account = account_of(session, "publisher", market)
    facts = find_offering(market, offering)
    if facts.revealed_at:
        _finish(session, market, facts, None, "the key was revealed before", dry_run=dry_run)
        return
    check_offering(market, facts, "reveal")
    key = own_key(session, market, facts.model_id)
    if not unchecked:
        _try(session, market, facts, key, sealed)
    if dry_run:
        # Simulating it would tell the key to the endpoint, and printing it to everybody.
        show_plan(session, market, OfferingPlans(market.offerings).reveal(facts.offering_id, key))
        return
    receipt = market.offerings.reveal(account, facts.offering_id, key)
    _finish(session, market, facts, receipt, "revealed", dry_run=False)


def _try(session: Session, market: Any, facts: Any, key: Any, sealed: Path | None) -> None:
    """Try the key on the sealed file; a wrong one would cost the bond."""
    try:
        path = checked_sealed_file(session, market, facts.model_id, facts.artifact, sealed)
    except ArtifactNotFoundError as error:
        raise ArtifactNotFoundError(
            error.message,
            hint="give the published file with --sealed FILE, or skip the trial with --unchecked",
            **error.context,
        ) from error
    check_key(path, facts.artifact, key)


def _finish(
    session: Session, market: Any, facts: Any, receipt: Any, said: str, *, dry_run: bool, **more: Any
) -> None:
    """Print what an offering is after a move, or what it was without one."""
    number = facts.offering_id
    status = market.offerings.status(number).name
    releasable = market.offerings.releasable_at(number)
    value = {
        "offering": number,
        "status": status,
        "releasable_at": releasable or None,
        "transaction": receipt.transaction if receipt else None,
        **more,
        **({"dry_run": True, "transactions": []} if dry_run else {}),
    }
    text = f"{said}: offering {number} is {status}"
    if status == "REVEALED":
        text += f"; it can be released from {describe_time(releasable)} on"
    session.console.result(value, text)


@click.command()
@click.argument("offering")
@sealed_option
@sending_command
def challenge(session: Session, offering: str, sealed: Path | None, dry_run: bool) -> None:
    """Try every chunk of what OFFERING sold with the revealed key; refute the reveal by a wrong one.

    Needs the sealed file, checked first. The evidence is tried with the contract's own code before anything
    is sent. Where every chunk is right nothing is sent, and the exit code is 0.

    Example: zkml imo challenge 1 --dry-run
    """
    from marketplace.offering_plans import OfferingPlans
    from marketplace.opening import refutation_of
    from zkml.core.artifact_encryption import ArtifactKey

    market = open_market_of(session)
    account = account_of(session, "requester", market)
    facts = find_offering(market, offering)
    check_offering(market, facts, "challenge")
    path = checked_sealed_file(session, market, facts.model_id, facts.artifact, sealed)
    chunk = refutation_of(path, facts.artifact, ArtifactKey(facts.key))
    number, chunks = facts.offering_id, facts.artifact.chunk_count
    if chunk is None:
        said = f"nothing wrong: all {chunks} chunks are what was committed to"
        _finish(session, market, facts, None, said, dry_run=dry_run, wrong_chunk=None, chunks=chunks)
        return
    session.console.note(f"chunk {chunk.index} of {chunks} is not what was committed to")
    if dry_run:
        show_plan(session, market, OfferingPlans(market.offerings).challenge(account.address, number, chunk))
        return
    receipt = market.offerings.challenge(account, number, chunk)
    said = f"refuted by chunk {chunk.index}"
    _finish(session, market, facts, receipt, said, dry_run=False, wrong_chunk=chunk.index, chunks=chunks)


@click.command()
@click.argument("offering")
@click.option(
    "--reason",
    metavar="TEXT",
    help="As the guardian, while the reveal can be refuted: why it is not what was proved; public.",
)
@sending_command
def default(session: Session, offering: str, reason: str | None, dry_run: bool) -> None:
    """Declare the default of OFFERING: overdue or tombstoned; or, with --reason, as its guardian.

    Raise, held income and bond go to the holders (after a tombstone the bond goes back), and the creator's
    shares are destroyed. A guardian gives its own key: --key-file.

    Example: zkml imo default 1
    """
    from marketplace.offering_plans import OfferingPlans
    from zkml.core.offering_machine import OfferingOutcome

    market = open_market_of(session)
    account = account_of(session, "requester", market)
    facts = find_offering(market, offering)
    if facts.outcome is OfferingOutcome.DEFAULTED:
        _finish(session, market, facts, None, "it was declared before", dry_run=dry_run)
        return
    move = "declare_default" if reason is None else "guardian_default"
    check_offering(market, facts, move, caller=account.address)
    sender, number = account.address, facts.offering_id
    if dry_run:
        plans = OfferingPlans(market.offerings)
        plan = (
            plans.declare_default(sender, number)
            if reason is None
            else plans.guardian_default(sender, number, reason)
        )
        show_plan(session, market, plan)
        return
    receipt = (
        market.offerings.declare_default(account, number)
        if reason is None
        else market.offerings.guardian_default(account, number, reason)
    )
    found = market.offerings.events.defaulted(facts.offering_id)
    more = {"cause": found.cause.name, "bonus": market.token.show(found.bonus)}
    said = f"default by {found.cause.name}, {more['bonus']} for the holders beyond their money"
    _finish(session, market, facts, receipt, said, dry_run=False, **more)
