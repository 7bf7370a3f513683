"""`zkml prover earnings`: fees, what they cost in gas, and what is left, by day and model."""

import csv
import io
import re
from datetime import UTC, datetime
from typing import Any

import click

from zkml.cli.console import table
from zkml.cli.identifiers import parse_address
from zkml.cli.market_session import account_of, open_market_of
from zkml.cli.options import Session, chain_command
from zkml.errors import ConfigError

_SPAN = re.compile(r"([0-9]{1,6})([hd])")
_SPAN_SECONDS = {"h": 3600, "d": 86400}
_COLUMNS = (
    "time",
    "day",
    "kind",
    "id",
    "model_id",
    "fee_units",
    "gas_wei",
    "gas_units",
    "net_units",
    "transaction",
)


@click.command()
@click.option("--since", metavar="WHEN", help="From this UTC date on, YYYY-MM-DD, or the last 24h or 7d.")
@click.option("--account", metavar="ADDRESS", help="Whose earnings [the prover's key's].")
@click.option("--csv", "as_csv", is_flag=True, help="Print one line a job or request, as CSV.")
@chain_command
def earnings(session: Session, since: str | None, account: str | None, as_csv: bool) -> None:
    """Print what settled jobs and requests paid, what their gas cost, and what is left.

    Gas is set against fees where prover.units_per_ether says what an ether is worth. All of it is read from
    the chain; fees ever earned are compared with what the ledger has paid out and still owes.

    Example: zkml prover earnings --since 7d
    """
    from prover_nodes.earnings import read_earnings

    if as_csv and session.console.as_json:
        raise ConfigError("expected either --csv or --json, found both")
    market = open_market_of(session)
    address = (
        account_of(session, "prover", market).address
        if account is None
        else parse_address(account, "a prover")
    )
    found = read_earnings(
        market,
        address,
        since=0 if since is None else parse_since(since, market.chain.now()),
        units_per_ether=session.settings.prover.units_per_ether,
        transactions=_journalled(session, market, address),
    )
    if as_csv:
        session.console.result({}, _as_csv(found).rstrip("\n"))
        return
    session.console.result(_as_json(found, market), _as_text(found, market))


def parse_since(text: str, now: int) -> int:
    """Read a date or a span of time, and return chain time in seconds.

    Raises:
        ConfigError: neither.
    """
    span = _SPAN.fullmatch(text)
    if span is not None:
        return max(0, now - int(span[1]) * _SPAN_SECONDS[span[2]])
    try:
        return max(0, int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()))
    except (ValueError, OverflowError) as error:
        raise ConfigError(f"expected a date such as 2026-01-31, or 24h or 7d, found {text!r:.40}") from error


def _journalled(session: Session, market: Any, address: str) -> list[str]:
    """Return the transactions that the journal of this home knows; none without a journal."""
    from prover_nodes.chain_port import ChainMarket
    from prover_nodes.journal import open_store

    location = session.settings.prover.journal_url or session.home.journal
    if not session.settings.prover.journal_url and not session.home.journal.exists():
        return []
    scope = ChainMarket(market, address).scope
    with open_store(location) as store:
        return [row.hash for row in store.transactions_from(scope, address, 0)]


def _as_json(found: Any, market: Any) -> dict[str, Any]:
    return {
        "account": found.account,
        "token": {"symbol": market.token.symbol, "decimals": market.token.decimals},
        "units_per_ether": str(found.units_per_ether),
        "total": found.total().as_json(),
        "other_gas_wei": str(found.other_gas_wei),
        "by_kind": {name: part.as_json() for name, part in found.by(lambda income: income.kind).items()},
        "by_day": {name: part.as_json() for name, part in found.by(lambda income: income.day).items()},
        "by_model": {name: part.as_json() for name, part in found.by(_model).items()},
        "ledger": {
            "all_fees": str(found.all_fees),
            "withdrawn": str(found.withdrawn),
            "credits": str(found.credits),
            "other_credits": str(found.other_credits),
        },
        "settled": [
            {
                "kind": income.kind,
                "id": income.subject,
                "model_id": _model(income),
                "fee": str(income.fee),
                "gas_wei": str(income.gas_wei),
                "transaction": income.transaction,
                "time": income.time,
            }
            for income in found.incomes
        ],
    }


def _as_text(found: Any, market: Any) -> str:
    show = market.token.show
    parts = []
    for title, groups in (("day", found.by(lambda income: income.day)), ("model", found.by(_model))):
        rows = [[name, str(part.count), *_amounts(part, show)] for name, part in groups.items()]
        if rows:
            parts.append(table([title, "settled", "fees", "gas", "net"], rows))
    total = found.total()
    fees, gas, net = _amounts(total, show)
    parts.append(f"{total.count} settled: fees {fees}, gas {gas}, net {net}")
    if found.other_gas_wei:
        parts.append(f"other gas {_gas(found.other_gas_wei, found.in_units(found.other_gas_wei), show)}")
    parts.append(
        f"ledger: {show(found.all_fees)} of fees and {show(found.other_credits)} of other credits = "
        f"{show(found.withdrawn)} withdrawn + {show(found.credits)} to withdraw"
    )
    return "\n".join(parts)


def _amounts(part: Any, show: Any) -> list[str]:
    return [
        show(part.fees),
        _gas(part.gas_wei, part.gas_units, show),
        "unknown" if part.net is None else show(part.net),
    ]


def _gas(wei: int, units: int | None, show: Any) -> str:
    ether = f"{wei / 10**18:.9f} ether"
    return ether if units is None else f"{show(units)} ({ether})"


def _model(income: Any) -> str:
    return f"{income.model_id:#066x}"


def _as_csv(found: Any) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for income in found.incomes:
        gas = found.in_units(income.gas_wei)
        writer.writerow(
            [
                datetime.fromtimestamp(income.time, UTC).isoformat(),
                income.day,
                income.kind,
                income.subject,
                _model(income),
                income.fee,
                income.gas_wei,
                "" if gas is None else gas,
                "" if gas is None else income.fee - gas,
                income.transaction,
            ]
        )
    return text.getvalue()
