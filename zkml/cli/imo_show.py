"""`zkml imo show` and `list`: what an offering is, what it comes to, and what can be done next."""

from typing import Any

import click

from zkml.cli.console import table
from zkml.cli.identifiers import parse_address, parse_model
from zkml.cli.imo_session import find_offering
from zkml.cli.imo_times import describe_span, describe_time
from zkml.cli.imo_warnings import percent, warnings_of_offering
from zkml.cli.market_session import open_market_of
from zkml.cli.options import Session, chain_command


@click.command()
@click.argument("offering")
@click.option("--account", metavar="ADDRESS", help="Show what this account has in it, too.")
@chain_command
def show(session: Session, offering: str, account: str | None) -> None:
    """Print OFFERING (a number, or its model's id): status, terms, times, and what can be done next.

    Times are in UTC, with those of Los Angeles, where locks end, beside them.

    Example: zkml imo show 1 --account 0x70997970C51812dc3A010C7d01b50e0d17dc79C8
    """
    whose = None if account is None else parse_address(account, "an account")
    market = open_market_of(session)
    facts = find_offering(market, offering)
    value = describe_offering(market, facts)
    if whose is not None:
        value["account"] = describe_account(market, facts, whose)
    session.console.result(value, _text(value))


def describe_offering(market: Any, facts: Any) -> dict[str, Any]:
    """Return all that people ask of an offering, as JSON."""
    from zkml.cli.imo_next import moves_as_json, next_moves
    from zkml.core.offering_machine import status_of
    from zkml.core.offering_money import SHARE, seed_of, show_shares
    from zkml.core.offering_moves import MOVES
    from zkml.core.pricing import PPM
    from zkml.core.revenue import holders_ppm

    now, rules, show = market.chain.now(), market.deployment.offering_rules, market.token.show
    tombstoned = market.offerings.is_tombstoned(facts)
    seed = seed_of(facts.public_shares, facts.price, facts.seed_ppm)
    status = status_of(facts, rules, now)
    return {
        "offering": facts.offering_id,
        "status": status.name,
        "model_id": f"{facts.model_id:#066x}",
        "name": market.registry.commitment_of(facts.model_id).name,
        "creator": facts.creator,
        "guardian": facts.guardian,
        "tombstoned": tombstoned,
        "total_shares": facts.total_shares,
        "creator_shares": facts.creator_shares,
        "public_shares": facts.public_shares,
        "reserved": facts.reserved,
        "left": facts.left,
        "price": show(facts.price),
        "raise": show(facts.raise_total),
        "raised": show(facts.raised),
        "bond": show(facts.bond),
        "seed": {"money": show(seed.money), "shares": show_shares(seed.shares), "ppm": facts.seed_ppm},
        "holders_ppm": holders_ppm(market.ledger.split_of(facts.model_id)),
        "pool_ppm": seed.shares * PPM // (facts.total_shares * SHARE),
        **_fees(market, facts),
        "successor_rate_ppm": facts.successor_rate_ppm,
        "vesting_seconds": facts.vesting_seconds,
        "lp_lock_seconds": facts.lp_lock_seconds,
        "artifact": _artifact(facts),
        "contracts": {"shares": facts.shares, "vault": facts.vault, "steward": facts.steward},
        "times": {name: _time(at) for name, at in _times(facts, rules, now).items() if at},
        "resales": market.offerings.open_resales(facts.offering_id) if status in MOVES["buy_resale"] else {},
        "warnings": [] if status.is_final else warnings_of_offering(market, facts),
        "release": _release(market, facts),
        "default": _default(market, facts),
        "next": moves_as_json(next_moves(facts, rules, now, is_tombstoned=tombstoned)),
    }


def _fees(market: Any, facts: Any) -> dict[str, Any]:
    """Return what an output costs at present, and between what the creator may set it."""
    fees, show = market.registry.fee_terms_of(facts.model_id), market.token.show
    return {
        "model_fee": show(fees.model_fee),
        "min_model_fee": show(fees.min_model_fee),
        "min_model_fee_ppm": fees.min_model_fee_ppm,
        "max_model_fee": show(facts.max_model_fee),
    }


def _times(facts: Any, rules: Any, now: int) -> dict[str, int]:
    from zkml.core.offering_machine import ends_at, releasable_at

    return {
        "now": now,
        "closes": facts.closes_at,
        "sold_out": facts.soft_locked_at,
        "unlocks": facts.unlock_at,
        "revealed": facts.revealed_at,
        "releasable": releasable_at(facts, rules),
        "status_ends": ends_at(facts, rules, now) or 0,
    }


def _time(at: int) -> dict[str, Any]:
    return {"timestamp": at, "text": describe_time(at)}


def _artifact(facts: Any) -> dict[str, Any]:
    found = facts.artifact
    return {
        "plain_root": "0x" + found.plain_root.hex(),
        "cipher_root": "0x" + found.cipher_root.hex(),
        "size_bytes": found.size_bytes,
    }


def _release(market: Any, facts: Any) -> dict[str, Any] | None:
    """Return what became of a release: pool and vesting; None where there was none."""
    from zkml.core.offering_machine import OfferingOutcome
    from zkml.core.offering_money import show_shares

    if facts.outcome is not OfferingOutcome.TRADING:
        return None
    vault, pool, show = market.offerings.vault_of(facts), market.offerings.pool_of(facts), market.token.show
    state, reserves = vault.vesting(), pool.reserves()
    money, shares = state.due_at(market.chain.now())
    return {
        "pool": pool.address,
        "pool_money": show(reserves.money),
        "pool_shares": show_shares(reserves.shares),
        "pool_price": show(reserves.price),
        "released": _time(state.started_at),
        "vested": _time(state.started_at + state.vesting_seconds),
        "liquidity": _time(state.liquidity_at),
        "vesting_money": show(state.money),
        "vesting_shares": show_shares(state.shares),
        "due_money": show(money),
        "due_shares": show_shares(shares),
    }


def _default(market: Any, facts: Any) -> dict[str, Any] | None:
    found = market.offerings.events.defaulted(facts.offering_id)
    if found is None:
        return None
    return {
        "cause": found.cause.name,
        "caller": found.caller,
        "reason": found.reason,
        "bonus": market.token.show(found.bonus),
        "unpaid_shares": facts.unpaid,
    }


def describe_account(market: Any, facts: Any, account: str) -> dict[str, Any]:
    """Return what an account has in an offering, as JSON."""
    from zkml.core.offering_money import show_shares

    offerings, ledger, show = market.offerings, market.ledger, market.token.show
    units = offerings.shares_of(facts).balance_of(account)
    earning = facts.is_sold_out and ledger.shares_of(facts.model_id) == facts.shares
    return {
        "address": account,
        "reservation": offerings.reservation_of(facts.offering_id, account),
        "on_resale": offerings.resale_of(facts.offering_id, account),
        "shares": show_shares(units),
        "income_due": show(ledger.shares_due(facts.model_id, account) if earning else 0),
        "offering_credits": show(offerings.credits_of(account)),
        "ledger_credits": show(ledger.credits_of(account)),
    }


def _text(value: dict[str, Any]) -> str:
    from zkml.cli.imo_next import NextMove

    seed = value["seed"]
    rows = {
        "offering": f"{value['offering']} of {value['name']}, model {value['model_id']}",
        "status": value["status"] + ("; its circuit is TOMBSTONED" if value["tombstoned"] else ""),
        "shares": f"{value['reserved']} of {value['public_shares']} reserved, {value['left']} left",
        "creator's": f"{value['creator_shares']} of {value['total_shares']} shares",
        "price": f"{value['price']} for a share; {value['raised']} of {value['raise']} raised",
        "bond": value["bond"],
        "income": f"{percent(value['holders_ppm'])} of the model's, after the platform's part",
        "pool": f"{seed['money']} and {seed['shares']} shares at the release",
        "no votes": f"{percent(value['pool_ppm'])} of all shares, the pool's: they count, and never vote",
        "vesting": f"the rest, over {describe_span(value['vesting_seconds'])} from the release on",
        "liquidity": f"the creator's {describe_span(value['lp_lock_seconds'])} after the release",
        "model fee": f"{value['model_fee']}, from {value['min_model_fee']} to {value['max_model_fee']}",
        "fee part": f"at least {percent(value['min_model_fee_ppm'])} of the price",
        "successors": f"owe {value['successor_rate_ppm']} millionths at least",
        "creator": value["creator"],
        "guardian": value["guardian"],
        "share token": value["contracts"]["shares"],
        "vault": value["contracts"]["vault"],
        "steward": value["contracts"]["steward"],
        **{name.replace("_", " "): at["text"] for name, at in value["times"].items()},
    }
    lines = [f"{name:<12} {text}" for name, text in rows.items()]
    lines += [f"resale       {count} shares of {who}" for who, count in value["resales"].items()]
    lines += [*_ending_lines(value), *_account_lines(value.get("account"))]
    lines += [f"warning      {warning}" for warning in value["warnings"]]
    lines += ["next"] * bool(value["next"])
    moves = [NextMove(**found).line() for found in value["next"]]
    return "\n".join([*lines, *(f"  {line}" for move in moves for line in move.split("\n"))])


def _ending_lines(value: dict[str, Any]) -> list[str]:
    lines = []
    if value["release"]:
        found = value["release"]
        vests = f"{found['vesting_money']} and {found['vesting_shares']} shares"
        lines += [
            f"pool now     {found['pool_money']} and {found['pool_shares']} shares",
            f"pool price   {found['pool_price']} for a share",
            f"vests        {vests} until {found['vested']['text']}",
            f"due now      {found['due_money']} and {found['due_shares']} shares to the creator",
            f"liquidity    the creator's from {found['liquidity']['text']}",
        ]
    if value["default"]:
        found = value["default"]
        reason = f": {found['reason']}" if found["reason"] else ""
        lines.append(f"default      {found['cause']} by {found['caller']}{reason}")
        lines.append(f"bonus        {found['bonus']} for the holders beyond their money")
    return lines


def _account_lines(found: dict[str, Any] | None) -> list[str]:
    if found is None:
        return []
    return [
        f"account      {found['address']} has {found['shares']} shares",
        f"  reserved   {found['reservation']}, of it {found['on_resale']} on resale",
        f"  income due {found['income_due']}",
        f"  credits    {found['offering_credits']} with the offerings",
        f"  in ledger  {found['ledger_credits']}",
    ]


@click.command(name="list")
@click.option("--model", metavar="MODEL", help="Offerings of this model alone.")
@click.option("--creator", metavar="ADDRESS", help="Offerings of this account alone.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="Newest offerings.")
@chain_command
def list_(session: Session, model: str | None, creator: str | None, limit: int) -> None:
    """List offerings, oldest first.

    Example: zkml imo list --json
    """
    market = open_market_of(session)
    found = market.offerings.events.offerings(
        model_id=None if model is None else parse_model(model),
        creator="" if creator is None else parse_address(creator, "a creator"),
    )
    offerings = [_row(market, opened.offering_id) for opened in list(found)[-limit:]]
    rows = [
        [str(one["offering"]), one["status"], str(one["left"]), one["price"], one["model_id"]]
        for one in offerings
    ]
    text = table(["offering", "status", "left", "price", "model"], rows) if rows else "no offerings"
    session.console.result({"offerings": offerings}, text)


def _row(market: Any, number: int) -> dict[str, Any]:
    facts = market.offerings.facts(number)
    return {
        "offering": number,
        "status": market.offerings.status(number).name,
        "model_id": f"{facts.model_id:#066x}",
        "creator": facts.creator,
        "price": market.token.show(facts.price),
        "public_shares": facts.public_shares,
        "left": facts.left,
    }
