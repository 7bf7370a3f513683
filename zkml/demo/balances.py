"""Who holds what: the whole of the payment token in the tour, so that sums must agree."""

from dataclasses import dataclass

from zkml.core.job_machine import JobStatus
from zkml.core.records import from_hex
from zkml.demo.report import BalanceRow, ContractRow
from zkml.errors import PaymentMismatchError
from zkml.wiring import Market

BURN_ADDRESS = "0x000000000000000000000000000000000000dEaD"


@dataclass(frozen=True, slots=True)
class Holding:
    """What one account has: in its wallet, as credits in the ledger, as stake in the prover registry."""

    wallet: int
    credits: int = 0
    stake: int = 0

    @property
    def total(self) -> int:
        """All three."""
        return self.wallet + self.credits + self.stake


@dataclass(frozen=True, slots=True)
class Books:
    """All accounts of the tour, and the two contracts that hold tokens, at one moment.

    Attributes:
        holdings: by account.
        escrow: of the requester's jobs that are not over.
        income: of the model, its owner's and the platform's, not taken yet.
        forfeits: to be burned or collected.
        burned: sent to the burn address.
        ledger_tokens: the revenue ledger's balance.
        provers_tokens: the prover registry's balance.
    """

    holdings: dict[str, Holding]
    escrow: int
    income: int
    forfeits: int
    burned: int
    ledger_tokens: int
    provers_tokens: int

    @property
    def contracts(self) -> tuple[ContractRow, ...]:
        """What each contract holds, and what it owes to what the tour knows."""
        credited = sum(holding.credits for holding in self.holdings.values())
        staked = sum(holding.stake for holding in self.holdings.values())
        return (
            ContractRow("revenue ledger", self.ledger_tokens, credited + self.escrow + self.income),
            ContractRow("prover registry", self.provers_tokens, staked + self.forfeits),
        )

    @property
    def rows(self) -> dict[str, Holding]:
        """Accounts, and what is nobody's yet."""
        others = {
            "escrow": Holding(self.escrow),
            "income": Holding(self.income),
            "forfeits": Holding(self.forfeits),
            "burned": Holding(self.burned),
        }
        return {**self.holdings, **others}


def snapshot(market: Market, accounts: dict[str, str], model_id: int) -> Books:
    """Return who holds what now.

    Args:
        market: chain and contracts.
        accounts: addresses by name; of the jobs, those of `requester` are counted.
        model_id: whose income is counted.
    """
    balance = market.token.balance_of
    return Books(
        holdings={name: _holding(market, address) for name, address in accounts.items()},
        escrow=_escrow(market, accounts["requester"]),
        income=market.ledger.holders_due(model_id) + market.ledger.income_of(model_id).platform,
        forfeits=sum(market.provers.forfeits()),
        burned=balance(BURN_ADDRESS),
        ledger_tokens=balance(market.ledger.address),
        provers_tokens=balance(market.provers.address),
    )


def money_state(market: Market, accounts: dict[str, str], job_id: bytes) -> tuple[object, ...]:
    """Return everything that a refused settlement must leave as it was."""
    facts = market.manager.facts(job_id)
    held = [market.token.balance_of(address) for address in (market.ledger.address, market.provers.address)]
    return (
        [_holding(market, address) for address in accounts.values()],
        held,
        market.provers.forfeits(),
        market.ledger.income_of(facts.model_id),
        facts,
    )


def compare(before: Books, after: Books) -> tuple[BalanceRow, ...]:
    """Return the rows of the table.

    Raises:
        PaymentMismatchError: tokens came from nowhere or went there, or a contract holds another amount
            than it owes.
    """
    had = before.rows
    rows = tuple(
        BalanceRow(name, had[name].total, has.total, has.wallet, has.credits, has.stake)
        for name, has in after.rows.items()
    )
    sums = sum(row.before for row in rows), sum(row.after for row in rows)
    if sums[0] != sums[1]:
        raise PaymentMismatchError(f"expected the sum {sums[0]} over {list(had)} to stay, found {sums[1]}")
    for first, last in zip(before.contracts, after.contracts, strict=True):
        # What strangers hold on this chain stays as it is; in the tour's own chain there is nothing of it.
        if first.unowed != last.unowed or last.unowed < 0:
            raise PaymentMismatchError(
                f"expected the {last.contract} to hold {last.owed + first.unowed}, found {last.tokens}"
            )
    return rows


def _holding(market: Market, address: str) -> Holding:
    stake = market.provers.stake_of(address)
    staked = stake.free + stake.locked + stake.leaving
    return Holding(market.token.balance_of(address), market.ledger.credits_of(address), staked)


def _escrow(market: Market, requester: str) -> int:
    opened = [
        from_hex(request.job_id)
        for request in market.manager.events.requests()
        if request.requester == requester
    ]
    jobs = [market.manager.facts(job_id) for job_id in opened]
    return sum(job.escrow for job in jobs if job.outcome is JobStatus.NONE)
