"""Whether a tab covers what it owes: read in such an order that a settlement in between never adds money.

A tab's balance falls only by this prover's own settlements. Requests whose nonce the chain has used are
paid, whether or not the journal knows it yet; all others must fit into the balance that is read last.
"""

from prover_nodes.direct.journal import RequestJournal
from prover_nodes.direct.ports import TabMarket
from zkml.core.records import from_hex
from zkml.errors import TabRefusedError

_LOOKS = 3
"""A settlement that is mined between two reads looks like too little money, once."""


def spendable(market: TabMarket, journal: RequestJournal, tab_id: str, balance: int) -> int:
    """Return the balance, and the prices of requests that were drawn from it and count as unsettled still.

    Args:
        market: the chain.
        journal: unsettled requests.
        tab_id: 0x and 64 digits.
        balance: of the tab, as it was read before.
    """
    drawn = sum(
        price for nonce, price in journal.prices_of(tab_id) if market.is_nonce_used(from_hex(tab_id), nonce)
    )
    return balance + drawn


def check_covered(market: TabMarket, journal: RequestJournal, tab_id: str) -> None:
    """Check that a tab can pay for everything that is accepted on it.

    Raises:
        TabRefusedError: it cannot, or there is no such tab.
        RpcError: the endpoint does not answer.
    """
    tab = from_hex(tab_id)
    for _ in range(_LOOKS):
        owed = sum(
            price for nonce, price in journal.prices_of(tab_id) if not market.is_nonce_used(tab, nonce)
        )
        facts = market.tab(tab)
        balance = 0 if facts is None else facts.balance
        if owed <= balance:
            return
    raise TabRefusedError(
        f"expected {owed} on tab {tab_id} for all requests under way, found {balance}",
        hint="wait until they are settled, or open another tab",
    )
