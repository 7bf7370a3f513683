"""What a prover has earned and what its transactions cost, from the chain's events and receipts alone.

A journal can be lost, and a fee that somebody else's transaction settled is in no journal of ours: so the
chain is asked, and the ledger's own totals say whether anything is missing.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from zkml.adapters.evm.abi import Event
from zkml.core.records import to_hex
from zkml.errors import RpcError
from zkml.wiring import Market

Kind = Literal["job", "request"]
_WEI = 10**18


@dataclass(frozen=True, slots=True)
class Income:
    """One job or request that was paid to the prover.

    Attributes:
        kind: which of the two.
        subject: id of the job, or digest of the signed request.
        model_id: whose inference it was.
        fee: in the payment token's smallest unit.
        gas_wei: what the prover paid for claiming and settling it; its part, where one transaction settled
            several.
        transaction: in which it was settled.
        time: of that transaction, chain time in seconds.
    """

    kind: Kind
    subject: str
    model_id: int
    fee: int
    gas_wei: int
    transaction: str
    time: int

    @property
    def day(self) -> str:
        """Date in UTC, YYYY-MM-DD."""
        return datetime.fromtimestamp(self.time, UTC).date().isoformat()


@dataclass(frozen=True, slots=True)
class Sum:
    """Incomes added up.

    Attributes:
        count: how many.
        fees: in the payment token's smallest unit.
        gas_wei: what they cost.
        gas_units: the same in the payment token's smallest unit, or None where ether has no price.
    """

    count: int
    fees: int
    gas_wei: int
    gas_units: int | None

    @property
    def net(self) -> int | None:
        """Fees less gas, or None where ether has no price."""
        return None if self.gas_units is None else self.fees - self.gas_units

    def as_json(self) -> dict[str, Any]:
        """Return the sum as plain values; amounts as decimal text."""
        gas_units = None if self.gas_units is None else str(self.gas_units)
        net = None if self.net is None else str(self.net)
        return {
            "count": self.count,
            "fees": str(self.fees),
            "gas_wei": str(self.gas_wei),
            "gas_units": gas_units,
            "net": net,
        }


@dataclass(frozen=True, slots=True)
class Earnings:
    """What a prover has earned.

    Attributes:
        account: the prover.
        incomes: those asked for, oldest first.
        other_gas_wei: gas of claims that were not settled, of withdrawals, and of the transactions named
            besides.
        all_fees: fees ever earned, whatever was asked for.
        withdrawn: what the account has ever taken from the ledger.
        credits: what it can take now.
        units_per_ether: price of one ether in the token's smallest unit; 0 where there is none.
    """

    account: str
    incomes: tuple[Income, ...]
    other_gas_wei: int
    all_fees: int
    withdrawn: int
    credits: int
    units_per_ether: int

    @property
    def other_credits(self) -> int:
        """What the ledger credited besides fees: income of own models, escrow given back."""
        return self.withdrawn + self.credits - self.all_fees

    def total(self) -> Sum:
        """Add everything up."""
        return self._sum(self.incomes)

    def by(self, key: Callable[[Income], str]) -> dict[str, Sum]:
        """Add up by what `key` returns, in its order."""
        groups: dict[str, list[Income]] = {}
        for income in self.incomes:
            groups.setdefault(key(income), []).append(income)
        return {name: self._sum(groups[name]) for name in sorted(groups)}

    def in_units(self, wei: int) -> int | None:
        """Return what gas cost in the token's smallest unit, rounded up; None where ether has no price."""
        return -(-wei * self.units_per_ether // _WEI) if self.units_per_ether else None

    def _sum(self, incomes: Sequence[Income]) -> Sum:
        wei = sum(income.gas_wei for income in incomes)
        return Sum(len(incomes), sum(income.fee for income in incomes), wei, self.in_units(wei))


def read_earnings(
    market: Market,
    account: str,
    *,
    since: int = 0,
    units_per_ether: int = 0,
    transactions: Iterable[str] = (),
) -> Earnings:
    """Read what a prover has earned.

    Args:
        market: the chain and its contracts.
        account: the prover, checksummed.
        since: only what was settled from then on, chain time in seconds.
        units_per_ether: price of one ether in the token's smallest unit; 0 for none.
        transactions: hashes of others that the prover has sent, whose gas counts as well.

    Raises:
        RpcError: the endpoint does not answer, or its events contradict each other.
    """
    reader = _Reader(market, account)
    settled = list(reader.settlements())
    fees = sum(revenue.arguments["proverFee"] for _, revenue in settled)
    claims = reader.claims()
    found = [pair for pair in settled if reader.time_of(pair[1].log.block) >= since]
    sharing = _count(revenue.log.transaction for _, revenue in found)
    incomes = []
    for event, revenue in found:
        where = revenue.log
        kind, subject = _subject(event)
        gas = reader.gas_of(where.transaction) // sharing[where.transaction]
        gas += sum(reader.gas_of(claim) for claim in claims.pop(subject, ()))
        incomes.append(
            Income(
                kind=kind,
                subject=subject,
                model_id=revenue.arguments["modelId"],
                fee=revenue.arguments["proverFee"],
                gas_wei=gas,
                transaction=where.transaction,
                time=reader.time_of(where.block),
            )
        )
    settled_before = {_subject(event)[1] for event, _ in settled}
    withdrawals = reader.withdrawals()
    lost = [claim for subject, sent in claims.items() if subject not in settled_before for claim in sent]
    others = {*lost, *withdrawals, *transactions} - reader.counted
    return Earnings(
        account=account,
        incomes=tuple(incomes),
        other_gas_wei=sum(reader.gas_of(sent, since=since) for sent in others),
        all_fees=fees,
        withdrawn=sum(withdrawals.values()),
        credits=reader.credits(),
        units_per_ether=units_per_ether,
    )


class _Reader:
    """Asks one chain about one prover, and each thing once."""

    def __init__(self, market: Market, account: str) -> None:
        self._market = market
        self._account = account
        # What is mined while the events are read belongs to the next reading.
        self._head = market.chain.height()
        self._times: dict[int, int] = {}
        self._gas: dict[str, int] = {}

    @property
    def counted(self) -> set[str]:
        """Transactions whose gas was asked for."""
        return set(self._gas)

    def settlements(self) -> Iterator[tuple[Event, Event]]:
        """Yield each settlement as the job manager and as the ledger tell it, oldest first."""
        market = self._market
        told = [
            *self._events(market.manager.contract, "JobSettled", "prover"),
            *self._events(market.tabs.contract, "RequestSettled", "prover"),
        ]
        booked = list(self._events(market.ledger.contract, "RevenueSettled", "prover"))
        try:
            pairs = list(zip(sorted(told, key=_place), sorted(booked, key=_place), strict=True))
        except ValueError:
            raise self._contradiction(len(told), len(booked)) from None
        for event, revenue in pairs:
            if event.log.transaction != revenue.log.transaction:
                raise self._contradiction(len(told), len(booked))
            yield event, revenue

    def claims(self) -> dict[str, list[str]]:
        """Return the transactions that claimed or took over, by job."""
        found: dict[str, list[str]] = {}
        for name in ("JobClaimed", "JobReclaimed"):
            for event in self._events(self._market.manager.contract, name, "prover"):
                found.setdefault(to_hex(event.arguments["jobId"]), []).append(event.log.transaction)
        return found

    def withdrawals(self) -> dict[str, int]:
        """Return what the account has ever taken from the ledger, by transaction."""
        found: dict[str, int] = {}
        for event in self._events(self._market.ledger.contract, "Withdrawn", "account"):
            where = event.log.transaction
            found[where] = found.get(where, 0) + event.arguments["amount"]
        return found

    def credits(self) -> int:
        """Return what the account can take from the ledger."""
        return self._market.ledger.credits_of(self._account, block=self._head)

    def time_of(self, block: int) -> int:
        """Return a block's time, chain time in seconds."""
        if block not in self._times:
            self._times[block] = self._market.chain.block(block).timestamp
        return self._times[block]

    def gas_of(self, transaction: str, *, since: int = 0) -> int:
        """Return what the prover paid for a transaction, in wei; 0 where it is another's or not mined."""
        if transaction not in self._gas:
            chain = self._market.chain
            sent, receipt = chain.transaction(transaction), chain.receipt(transaction)
            is_own = sent is not None and receipt is not None and sent.sender == self._account
            is_recent = receipt is not None and (not since or self.time_of(receipt.block) >= since)
            paid = receipt.gas_used * receipt.gas_price_wei if receipt is not None else 0
            self._gas[transaction] = paid if is_own and is_recent else 0
        return self._gas[transaction]

    def _events(self, contract: Any, name: str, role: str) -> Iterator[Event]:
        filters = {role: self._account}
        found: Iterator[Event] = contract.find_events(name, filters, from_block=self._market.deployment.block)
        return found

    def _contradiction(self, told: int, booked: int) -> RpcError:
        return RpcError(
            f"expected each settlement in the events of the job manager and of the ledger, found {told} and "
            f"{booked}",
            hint="a block was added in between, or the endpoint answers nonsense: ask again",
        )


def _place(event: Event) -> tuple[int, int]:
    return event.log.block, event.log.index


def _subject(event: Event) -> tuple[Kind, str]:
    if "jobId" in event.arguments:
        return "job", to_hex(event.arguments["jobId"])
    return "request", to_hex(event.arguments["requestDigest"])


def _count(names: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in names:
        found[name] = found.get(name, 0) + 1
    return found
