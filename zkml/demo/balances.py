"""Who holds what: the whole of the payment token in the tour, so that sums must agree."""

from zkml.demo.report import BalanceRow
from zkml.errors import PaymentMismatchError
from zkml.wiring import Market

BURN_ADDRESS = "0x000000000000000000000000000000000000dEaD"


def snapshot(market: Market, accounts: dict[str, str]) -> dict[str, int]:
    """Return the balance of each account by name, with the job manager's escrow and what was burned."""
    named = {**accounts, "escrow": market.manager.address, "burned": BURN_ADDRESS}
    return {name: market.token.balance_of(address) for name, address in named.items()}


def money_state(market: Market, accounts: dict[str, str], job_id: bytes) -> tuple[object, ...]:
    """Return everything that a refused settlement must leave as it was."""
    credited = tuple(market.manager.credits_of(address) for address in accounts.values())
    balances = tuple(snapshot(market, accounts).values())
    return balances, credited, market.manager.forfeits(), market.manager.facts(job_id)


def compare(before: dict[str, int], after: dict[str, int]) -> tuple[BalanceRow, ...]:
    """Return the rows of the table.

    Raises:
        PaymentMismatchError: tokens came from nowhere or went there.
    """
    rows = tuple(BalanceRow(name, before[name], after[name]) for name in before)
    if sum(row.before for row in rows) != sum(row.after for row in rows):
        raise PaymentMismatchError(
            f"expected the sum {sum(before.values())} over {list(before)} to stay, "
            f"found {sum(after.values())}"
        )
    return rows
