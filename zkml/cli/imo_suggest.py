"""`zkml imo suggest`: a range of prices for a model's shares, with what it rests on."""

import click

from zkml.cli.identifiers import parse_address, parse_model
from zkml.cli.market_session import open_market_of
from zkml.cli.options import Session, chain_command


@click.command()
@click.argument("model")
@click.option(
    "--total-shares",
    type=click.IntRange(100, 10**12),
    default=1_000_000,
    show_default=True,
    help="Whole shares that the model shall have; 51 % of them are sold.",
)
@click.option(
    "--periods",
    type=click.IntRange(4, 104),
    default=12,
    show_default=True,
    help="How many periods to look back at most; at least four must be whole.",
)
@click.option(
    "--period-hours",
    type=click.IntRange(1, 24 * 91),
    default=24 * 7,
    show_default=True,
    help="Length of a period.",
)
@click.option(
    "--horizon-days",
    type=click.IntRange(1, 3650),
    default=365,
    show_default=True,
    help="How far to look ahead; never farther than four times what was observed.",
)
@click.option(
    "--discount",
    type=click.IntRange(0, 1000),
    default=30,
    show_default=True,
    help="Simple yearly rate in per cent by which later income counts less.",
)
@click.option(
    "--leave-out",
    multiple=True,
    metavar="ADDRESS",
    help="Do not count what this address paid; may be repeated.",
)
@chain_command
def suggest(
    session: Session,
    model: str,
    total_shares: int,
    periods: int,
    period_hours: int,
    horizon_days: int,
    discount: int,
    leave_out: tuple[str, ...],
) -> None:
    """Print a range of prices for MODEL's shares, and the three inputs that it rests on.

    Demand so far, comparable offerings and the creator's record, each with its weight and its data. An input
    without a basis has no weight; where none has one, nothing is suggested.

    Example: zkml imo suggest 0x1f... --total-shares 1000000
    """
    from marketplace.suggestion_data import Scope, collect
    from zkml.cli.imo_suggestion import HOUR, PERCENT_PPM, as_json, as_text
    from zkml.core.business_calendar import DAY
    from zkml.core.demand_forecast import Outlook
    from zkml.core.offering_suggestion import suggest as suggested

    number = parse_model(model)
    left_out = tuple(parse_address(address, "a payer to leave out") for address in leave_out)
    market = open_market_of(session)
    with session.console.progress() as progress:
        scope = Scope(period_hours * HOUR, periods, left_out)
        evidence = collect(market, number, scope, progress=progress)
    outlook = Outlook(horizon_days * DAY, discount * PERCENT_PPM)
    found = suggested(
        evidence.history.demand,
        evidence.alike.sold,
        evidence.record,
        outlook=outlook,
        total_shares=total_shares,
    )
    value = as_json(evidence, found, outlook, total_shares, market.token.show)
    session.console.result(value, as_text(value))
