"""What commands about offerings begin with: the offering that is meant, and what buyers must hear of it."""

from typing import Any

from zkml.cli.imo_times import describe_time
from zkml.errors import ConfigError, InvalidTransitionError, MarketError, NotFinalError, TombstonedError

_OF_CIRCUIT = ("reserve", "buy_resale", "finalize", "declare_default")
"""Moves for which it counts whether the circuit is tombstoned."""


def parse_offering(text: str) -> tuple[int, int]:
    """Read what names an offering: its number, or 0x and its model's id.

    Returns:
        Number and model; the one that was not given is zero.

    Raises:
        ConfigError: neither.
    """
    from zkml.cli.identifiers import parse_model

    if text.startswith("0x"):
        return 0, parse_model(text)
    if not text.isdecimal() or not 1 <= int(text[:20]) < 1 << 63:
        raise ConfigError(
            f"expected an offering's number or a model id, found {text!r:.80}",
            hint="list them: zkml imo list",
        )
    return int(text), 0


def find_offering(market: Any, text: str) -> Any:
    """Return the facts of the offering that a person names; see `parse_offering`.

    Raises:
        ConfigError: what was given names no offering.
        MarketError: there is none.
    """
    number, model = parse_offering(text)
    if not number:
        number = market.offerings.last_offering_of(model)
    if not number:
        raise MarketError(f"expected an offering of model {model:#x}, found none", hint="zkml imo list")
    return market.offerings.facts(number)


def whole_shares(count: int) -> str:
    """Write a number of whole shares."""
    return f"{count} share{'' if count == 1 else 's'}"


def part_of_share(units: int) -> str:
    """Write units of 10^-18 share as shares, without trailing zeros."""
    from zkml.core.offering_money import show_shares

    return f"{show_shares(units)} shares"


def check_offering(market: Any, facts: Any, move: str, *, caller: str = "") -> None:
    """Check that an offering allows a move now; raises as `check_move`, with times as people read them.

    Of a tombstoned circuit's offering nobody takes over shares either, which the contract would let them.
    """
    from zkml.core.offering_machine import ends_at
    from zkml.core.offering_moves import check_move

    rules, now = market.deployment.offering_rules, market.chain.now()
    tombstoned = move in _OF_CIRCUIT and market.offerings.is_tombstoned(facts)
    try:
        check_move(facts, rules, move, now, caller=caller, is_tombstoned=tombstoned)
    except InvalidTransitionError as error:
        end = ends_at(facts, rules, now)
        text = describe_time(end or 0)
        hint = error.hint.replace(text.partition(" (")[0], text) if end else error.hint
        raise InvalidTransitionError(error.message, hint=hint, **error.context) from error
    if move == "buy_resale" and tombstoned:
        # The contract leaves holders their resales; who buys now pays for what can only be paid back.
        raise TombstonedError(
            f"expected a circuit that is trusted to release offering {facts.offering_id}, found a tombstoned "
            "one",
            hint="its shares are worth their price back and no more: nothing was bought",
        )


def check_settled(market: Any, facts: Any) -> None:
    """Check that an offering was opened as many blocks ago as a transaction must have to count.

    Its number is a counter: after a reorganisation another offering may have it, on other terms.

    Raises:
        NotFinalError: it was opened in one of the newest blocks.
    """
    chain = market.chain
    if chain.confirmations == 0:
        return
    opened = market.offerings.events.opened(facts.offering_id).where.block
    if chain.height() < opened + chain.confirmations:
        raise NotFinalError(
            f"expected {chain.confirmations} blocks on top of the opening of offering {facts.offering_id}, "
            f"found {chain.height() - opened}",
            hint="wait for some blocks: until then the number may become another offering's",
        )
