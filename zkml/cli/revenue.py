"""`zkml revenue`: what models earn, who is owed, and who takes it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import click

from zkml.cli.identifiers import parse_address, parse_model
from zkml.cli.market_session import account_of, open_market_of
from zkml.cli.options import Session, chain_command, sending_command
from zkml.errors import ConfigError

_PARTS = ("contributors", "stakers")
_MOVING = ("LineageClaimed", "OwnerIncomeClaimed", "PartClaimed", "PlatformCollected", "Withdrawn")


@dataclass(frozen=True, slots=True)
class _Move:
    """One transaction: how to plan it, and how to send it."""

    plan: Callable[[], Any]
    send: Callable[[], Any]


@click.group("revenue")
def command() -> None:
    """Show what models earn, and claim it.

    Example: zkml revenue show 0x1f...
    """


@command.command()
@click.argument("model", required=False)
@click.option("--account", metavar="ADDRESS", help="Show what this account can withdraw instead.")
@chain_command
def show(session: Session, model: str | None, account: str | None) -> None:
    """Print a model's income, its split and what is due to whom; or an account's credits.

    Example: zkml revenue show 0x1f...
    """
    if (model is None) == (account is None):
        raise ConfigError(
            "expected a model or --account, found " + ("neither" if model is None else "both"),
            hint="zkml revenue show 0x1f..., or zkml revenue show --account 0x70997...",
        )
    address = None if account is None else parse_address(account, "an account")
    number = None if model is None else parse_model(model)
    market = open_market_of(session)
    if address is not None:
        session.console.result(*_credits(market, address))
    elif number is not None:
        session.console.result(*_income(market, number))


def _credits(market: Any, account: str) -> tuple[dict[str, Any], str]:
    units = market.ledger.credits_of(account)
    value = {"account": account, "credits": market.token.show(units), "credits_units": str(units)}
    return value, f"{account} can withdraw {value['credits']}"


def _income(market: Any, model: int) -> tuple[dict[str, Any], str]:
    from zkml.core.revenue import PayeeKind

    owner, ledger, amount = market.registry.owner_of(model), market.ledger, _amount_with(market.token)
    income = ledger.income_of(model)
    split = ledger.split_of(model)
    ancestors = market.lineage.shares_of(model) if market.lineage.is_effective(model) else ()
    value = {
        "model_id": f"{model:#066x}",
        "owner": owner,
        "income": {
            "revenue": amount(income.revenue),
            "inherited": amount(income.inherited),
            "platform_due": amount(income.platform),
        },
        "split": [
            {
                "to": part.kind.name.lower(),
                "ppm": part.ppm,
                "receiver": part.receiver if part.kind.name.lower() in _PARTS else None,
                "due": amount(ledger.part_due(model, part.kind))
                if part.kind not in (PayeeKind.LINEAGE, PayeeKind.HOLDERS)
                else None,
            }
            for part in split
        ],
        "holders_due": amount(ledger.holders_due(model)),
        "ancestors": [
            {
                "model_id": f"{share.model_id:#066x}",
                "ppm": share.ppm,
                "due": amount(ledger.lineage_due(model, share.model_id)),
            }
            for share in ancestors
        ],
        "owner_credits": amount(ledger.credits_of(owner)),
    }
    return value, _income_text(value)


def _amount_with(token: Any) -> Any:
    def amount(units: int) -> dict[str, str]:
        return {"units": str(units), "text": token.show(units)}

    return amount


def _income_text(value: dict[str, Any]) -> str:
    income = value["income"]
    lines = [
        f"model          {value['model_id']}",
        f"owner          {value['owner']}",
        f"revenue        {income['revenue']['text']}",
        f"inherited      {income['inherited']['text']}",
        f"platform's due {income['platform_due']['text']}",
    ]
    for part in value["split"]:
        due = f", due {part['due']['text']} to {part['receiver']}" if part["due"] else ""
        lines.append(f"split          {part['ppm']:>7} ppm to {part['to']}{due}")
    lines.append(f"holders' due   {value['holders_due']['text']}")
    lines += [
        f"ancestor       {found['ppm']:>7} ppm to {found['model_id']}, due {found['due']['text']}"
        for found in value["ancestors"]
    ]
    lines.append(f"owner's credit {value['owner_credits']['text']}")
    return "\n".join(lines)


@command.command()
@click.argument("model")
@click.option(
    "--from",
    "descendants",
    multiple=True,
    metavar="DESCENDANT",
    help="Move what MODEL has earned by this descendant to MODEL's holders; may be repeated.",
)
@click.option("--part", type=click.Choice(_PARTS), help="Credit the receiver of this part.")
@sending_command
def claim(
    session: Session, model: str, descendants: tuple[str, ...], part: str | None, dry_run: bool
) -> None:
    """Credit the owner of MODEL with what its holders have earned; anybody may.

    With --from, first move MODEL's share of its descendants' income to MODEL, and credit nobody yet.

    Example: zkml revenue claim 0x1f... --from 0x2a...
    """
    from marketplace.revenue_plans import RevenuePlans
    from zkml.core.revenue import PayeeKind

    if descendants and part:
        raise ConfigError("expected --from or --part, found both", hint="claim one after the other")
    number = parse_model(model)
    children = dict.fromkeys(parse_model(found) for found in descendants)
    market = open_market_of(session)
    account, ledger = account_of(session, "publisher", market), market.ledger
    plans, sender = RevenuePlans(ledger), account.address
    if children:
        moves = [
            _Move(
                partial(plans.claim_lineage, sender, child, number),
                partial(ledger.claim_lineage, account, child, number),
            )
            for child in children
        ]
    elif part:
        kind = PayeeKind[part.upper()]
        moves = [
            _Move(
                partial(plans.claim_part, sender, number, kind),
                partial(ledger.claim_part, account, number, kind),
            )
        ]
    else:
        owner = market.registry.owner_of(number)
        moves = [
            _Move(
                partial(plans.claim_owner, sender, number, owner),
                partial(ledger.claim_owner, account, number),
            )
        ]
    _make(session, market, moves, dry_run=dry_run)


@command.command(name="collect-platform")
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@sending_command
def collect_platform(session: Session, models: tuple[str, ...], dry_run: bool) -> None:
    """Credit the treasury with the platform's part of models' income; anybody may.

    Example: zkml revenue collect-platform 0x1f... 0x2a...
    """
    from marketplace.revenue_plans import RevenuePlans

    numbers = list(dict.fromkeys(parse_model(model) for model in models))
    market = open_market_of(session)
    account = account_of(session, "publisher", market)
    move = _Move(
        partial(
            RevenuePlans(market.ledger).collect_platform,
            account.address,
            numbers,
            market.admin.treasury(),
        ),
        partial(market.ledger.collect_platform, account, numbers),
    )
    _make(session, market, [move], dry_run=dry_run)


@command.command()
@click.option("--to", metavar="ADDRESS", help="Who gets the tokens [the account itself].")
@click.option(
    "--role",
    type=click.Choice(["publisher", "requester", "prover"]),
    default="publisher",
    show_default=True,
    help="Whose credits: the role's key file of a local chain.",
)
@sending_command
def withdraw(session: Session, to: str | None, role: str, dry_run: bool) -> None:
    """Send an account's credits out of the ledger, to itself or to another address.

    Example: zkml revenue withdraw --to 0x70997970C51812dc3A010C7d01b50e0d17dc79C8
    """
    from marketplace.revenue_plans import RevenuePlans

    target = "" if to is None else parse_address(to, "who gets the tokens")
    market = open_market_of(session)
    account = account_of(session, role, market)
    move = _Move(
        partial(RevenuePlans(market.ledger).withdraw, account.address, target),
        partial(market.ledger.withdraw, account, target),
    )
    _make(session, market, [move], dry_run=dry_run)


def _make(session: Session, market: Any, moves: list[_Move], *, dry_run: bool) -> None:
    """Make moves and print the amounts that their own events name, or show what they would do."""
    from zkml.cli.plans import describe_moves

    if dry_run:
        session.console.result(*describe_moves([move.plan() for move in moves], market.token.show))
        return
    transactions, lines = [], []
    for move in moves:
        receipt = move.send()
        moved = _moved(market, receipt)
        transactions.append({"transaction": receipt.transaction, "moved": moved})
        said = ", ".join(f"{found['event']} {found['amount']['text']}" for found in moved)
        lines.append(f"{said}: transaction {receipt.transaction}")
    session.console.result({"transactions": transactions}, "\n".join(lines))


def _moved(market: Any, receipt: Any) -> list[dict[str, Any]]:
    from zkml.cli.plans import plain

    amount = _amount_with(market.token)
    return [
        {
            "event": event.name,
            **{name: plain(found) for name, found in event.arguments.items()},
            "amount": amount(event.arguments["amount"]),
        }
        for name in _MOVING
        for event in market.ledger.contract.events_in(receipt.logs, name)
    ]
