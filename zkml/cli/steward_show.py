"""`zkml steward show`: the model as its steward holds it, and the motions about it."""

from decimal import Decimal
from typing import Any

import click

from zkml.cli.console import table
from zkml.cli.identifiers import parse_address
from zkml.cli.imo_session import find_offering
from zkml.cli.imo_times import describe_time
from zkml.cli.market_session import open_market_of
from zkml.cli.options import Session, chain_command
from zkml.errors import RevertedError

_HUNDRED = 100


@click.command()
@click.argument("offering")
@click.option("--account", metavar="ADDRESS", help="Show the votes of this account, too.")
@chain_command
def show(session: Session, offering: str, account: str | None) -> None:
    """Print the steward of OFFERING: the model's fee and band, motions with their votes, and successors.

    Example: zkml steward show 1
    """
    whose = None if account is None else parse_address(account, "an account")
    market = open_market_of(session)
    facts = find_offering(market, offering)
    value = _describe(market, facts, whose)
    session.console.result(value, _text(value))


def _describe(market: Any, facts: Any, account: str | None) -> dict[str, Any]:
    steward, show = market.offerings.steward_of(facts), market.token.show
    fees = market.registry.fee_terms_of(facts.model_id)
    now = market.chain.now()
    return {
        "offering": facts.offering_id,
        "status": market.offerings.status(facts.offering_id).name,
        "steward": steward.address,
        "model_id": f"{facts.model_id:#066x}",
        "model_status": market.registry.status_of(facts.model_id).name,
        "owns_model": market.registry.owner_of(facts.model_id) == steward.address,
        "closed": market.registry.is_closed(facts.model_id),
        "creator": facts.creator,
        "model_fee": show(fees.model_fee),
        "fee_band": [show(fees.min_model_fee), show(facts.max_model_fee)],
        "successor_rate_ppm": facts.successor_rate_ppm,
        "successors": [
            {"model_id": f"{found.model_id:#066x}", "rate_ppm": found.rate_ppm}
            for found in steward.successors()
        ],
        "motions": [describe_motion(market, steward, motion, now) for motion in steward.motions()],
        "account": None if account is None else _votes(market, facts, account),
    }


def describe_motion(market: Any, steward: Any, motion: Any, now: int) -> dict[str, Any]:
    """Return a motion with its votes, in whole shares, as JSON."""
    from zkml.core.offering_money import show_shares

    eligible = eligible_votes(steward, motion.motion_id)
    state = "CARRIED" if motion.is_done else ("OPEN" if motion.is_live(now) else "LAPSED")
    return {
        "motion": motion.motion_id,
        "resolution": motion.resolution.name.lower(),
        "fee": market.token.show(motion.fee) if motion.resolution.name == "FEE" else None,
        "state": state,
        "support": show_shares(motion.support),
        "eligible": None if eligible is None else show_shares(eligible),
        "majority": eligible is not None and motion.has_majority(eligible),
        "votes_of": {"timestamp": motion.snapshot_at, "text": describe_time(motion.snapshot_at)},
        "ends": {"timestamp": motion.ends_at, "text": describe_time(motion.ends_at)},
    }


def eligible_votes(steward: Any, motion: int) -> int | None:
    """Return the votes that count for a motion, or None in the very second in which it was made."""
    try:
        return int(steward.eligible_for(motion))
    except RevertedError:
        return None


def _votes(market: Any, facts: Any, account: str) -> dict[str, Any]:
    from zkml.core.offering_money import show_shares

    shares = market.offerings.shares_of(facts)
    return {
        "address": account,
        "shares": show_shares(shares.balance_of(account)),
        "votes": show_shares(shares.votes_of(account)),
        "delegate": shares.delegate_of(account),
    }


def _text(value: dict[str, Any]) -> str:
    least, most = value["fee_band"]
    owner = "owned by its steward" if value["owns_model"] else "not the steward's any more"
    rows = {
        "offering": f"{value['offering']}, {value['status']}",
        "steward": value["steward"],
        "model": f"{value['model_id']}, {value['model_status']}, {owner}",
        "provers": "those with access" if value["closed"] else "anybody",
        "model fee": f"{value['model_fee']}, from {least} to {most}",
        "creator": value["creator"],
        "successors": f"owe {value['successor_rate_ppm']} millionths at least",
    }
    lines = [f"{name:<12} {text}" for name, text in rows.items()]
    lines += [
        f"successor    {one['model_id']} owes {one['rate_ppm']} millionths" for one in value["successors"]
    ]
    if value["account"]:
        found = value["account"]
        votes = f"votes of {found['votes']} shares"
        lines.append(f"account      {found['address']} has {found['shares']} shares, and {votes}")
    return "\n".join([*lines, _motions_text(value["motions"])])


def _motions_text(motions: list[dict[str, Any]]) -> str:
    if not motions:
        return "no motions"
    rows = [
        [str(one["motion"]), one["resolution"], one["state"], _percent(one), one["ends"]["text"]]
        for one in motions
    ]
    return table(["motion", "decides", "state", "for it", "until"], rows)


def _percent(motion: dict[str, Any]) -> str:
    if not motion["eligible"] or motion["eligible"] == "0":
        return "-"
    return f"{_HUNDRED * Decimal(motion['support']) / Decimal(motion['eligible']):.2f} %"
