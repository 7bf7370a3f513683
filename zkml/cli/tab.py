"""`zkml tab`: what is reserved for one prover and drawn by signed requests."""

from typing import Any

import click

from zkml.cli import tab_requests
from zkml.cli.console import table
from zkml.cli.identifiers import parse_address, parse_model
from zkml.cli.job_open import trusted_classes
from zkml.cli.market_session import account_of, open_market_of
from zkml.cli.options import Session, chain_command, sending_command
from zkml.cli.tab_requests import parse_tab


@click.group("tab")
def command() -> None:
    """Reserve an amount for a prover, sign requests on it, settle them.

    Example: zkml tab show 0x5c...
    """


command.add_command(tab_requests.sign)
command.add_command(tab_requests.verify)
command.add_command(tab_requests.settle)


@command.command(name="open")
@click.argument("model")
@click.option("--prover", required=True, metavar="ADDRESS", help="The only one who is paid from it.")
@click.option("--amount", required=True, help="What is reserved, in whole tokens, e.g. 20.")
@click.option("--signer", metavar="ADDRESS", help="Whose key signs requests [your own].")
@click.option(
    "--within",
    type=click.IntRange(min=1),
    default=86_400,
    show_default=True,
    help="Seconds until the tab expires.",
)
@sending_command
def open_(
    session: Session, model: str, prover: str, amount: str, signer: str | None, within: int, dry_run: bool
) -> None:
    """Reserve an amount for a prover's answers with MODEL. Prints the tab's id.

    The rest comes back when the prover closes the tab, or anyone after its expiry.

    Example: zkml tab open 0x1f... --prover 0xab... --amount 20
    """
    from zkml.client import TabJournal, open_tab

    market = open_market_of(session)
    account = account_of(session, "requester", market)
    asked = {
        "model_id": parse_model(model),
        "prover": parse_address(prover, "a prover"),
        "amount": market.token.parse(amount),
        "expiry": market.chain.now() + within,
        "accepted_classes": trusted_classes(session, market),
        "signer": "" if signer is None else parse_address(signer, "a signer"),
    }
    if dry_run:
        session.console.result(*_plan_open(market, account.address, asked))
        return
    with session.console.progress() as progress:
        journal = TabJournal(session.home.client / "tab-openings")
        opened = open_tab(market, account, **asked, journal=journal, progress=progress)
    tab = "0x" + opened.tab_id.hex()
    value = {
        "tab_id": tab,
        "transaction": opened.transaction,
        "prover": opened.spec.prover,
        "signer": opened.spec.signer,
        "amount": market.token.show(opened.spec.amount),
        "expiry": opened.spec.expiry,
    }
    session.console.result(value, tab)


def _plan_open(market: Any, sender: str, asked: dict[str, Any]) -> tuple[dict[str, Any], str]:
    from marketplace.tab_plans import TabPlans, opening_effects
    from zkml.cli.escrow_plans import describe_escrow
    from zkml.client.tabs import make_tab

    spec = make_tab(market, sender, **asked)
    tab = market.tabs.tab_id_of(spec, sender, market.tabs.nonces_of(sender))
    return describe_escrow(
        market,
        sender,
        spec.amount,
        function="JobManager.openTab",
        effects=opening_effects(tab, sender, spec),
        plan=lambda: TabPlans(market.tabs).open_tab(sender, spec),
    )


@command.command()
@click.argument("tab")
@chain_command
def show(session: Session, tab: str) -> None:
    """Print a tab's terms, what is left of it and what was settled.

    Example: zkml tab show 0x5c... --json
    """
    from zkml.client import checked_tab

    market = open_market_of(session)
    facts = checked_tab(market, parse_tab(tab))
    now = market.chain.now()
    status = "CLOSED" if facts.closed else ("EXPIRED" if now > facts.expiry else "OPEN")
    settled = market.tabs.events.requests_settled(facts.tab_id)
    value: dict[str, Any] = {
        "tab_id": "0x" + facts.tab_id.hex(),
        "status": status,
        "model_id": f"{facts.model_id:#066x}",
        "requester": facts.requester,
        "prover": facts.prover,
        "signer": facts.signer,
        "balance": market.token.show(facts.balance),
        "expiry": facts.expiry,
        "seconds_left": max(facts.expiry - now, 0),
        "settled": [
            {
                "request": "0x" + one.request_digest.hex(),
                "nonce": str(one.nonce),
                "price": market.token.show(one.payment.price),
                "transaction": one.where.transaction,
            }
            for one in settled
        ],
    }
    lines = [f"{name:<13} {found}" for name, found in value.items() if name != "settled"]
    rows = [[one["nonce"], one["price"], one["transaction"]] for one in value["settled"]]
    session.console.result(
        value, "\n".join([*lines, *([table(["nonce", "price", "transaction"], rows)] if rows else [])])
    )


@command.command(name="list")
@click.option("--requester", metavar="ADDRESS", help="Tabs of this account alone.")
@click.option("--prover", metavar="ADDRESS", help="Tabs for this prover alone.")
@chain_command
def list_(session: Session, requester: str | None, prover: str | None) -> None:
    """List tabs, oldest first.

    Example: zkml tab list --prover 0xab...
    """
    market = open_market_of(session)
    found = market.tabs.events.tabs(
        requester=parse_address(requester, "a requester") if requester else "",
        prover=parse_address(prover, "a prover") if prover else "",
    )
    tabs = []
    for opened in found:
        facts = market.tabs.facts(opened.tab_id)
        tabs.append(
            {
                "tab_id": "0x" + opened.tab_id.hex(),
                "closed": facts.closed,
                "balance": market.token.show(facts.balance),
                "expiry": facts.expiry,
                "prover": facts.prover,
            }
        )
    rows = [[tab["tab_id"], "closed" if tab["closed"] else tab["balance"], tab["prover"]] for tab in tabs]
    session.console.result({"tabs": tabs}, table(["tab", "left", "prover"], rows) if rows else "no tabs")


@command.command()
@click.argument("tab")
@click.option(
    "--as", "role", type=click.Choice(["requester", "prover"]), default="requester", help="Whose key signs."
)
@sending_command
def close(session: Session, tab: str, role: str, dry_run: bool) -> None:
    """Send the rest of a tab back: after its expiry anyone may, before it its prover.

    Example: zkml tab close 0x5c... --as prover
    """
    from marketplace.tab_plans import TabPlans
    from zkml.cli.plans import describe_moves
    from zkml.client import close_tab, withdraw

    market = open_market_of(session)
    account = account_of(session, role, market)
    tab_id = parse_tab(tab)
    if dry_run:
        plan = TabPlans(market.tabs).close_tab(account.address, tab_id)
        session.console.result(*describe_moves([plan], market.token.show))
        return
    facts = market.tabs.facts(tab_id)
    receipt = close_tab(market, account, tab_id)
    taken = 0
    if facts.requester == account.address and market.ledger.credits_of(account.address):
        taken = withdraw(market, account).amount
    value = {
        "tab_id": "0x" + tab_id.hex(),
        "requester": facts.requester,
        "returned": market.token.show(facts.balance),
        "withdrawn": market.token.show(taken),
        "transaction": receipt.transaction,
    }
    session.console.result(value, f"closed: {value['returned']} credited to {facts.requester}")
