"""What the chain shows of a run, whatever its nodes say: when work was claimed and paid, and its gas."""

import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from eth_account.signers.local import LocalAccount

from benchmarks.small_market import SmallMarket
from zkml.adapters.evm.rpc import Chain
from zkml.wiring import bind

_PAUSE_SECONDS = 0.05
_FULL_TRANSACTIONS = True


@dataclass
class Seen:
    """Moves of jobs and requests, with the moment of this machine's monotonic clock at which each was seen.

    Attributes:
        claimed: first claims, by job.
        settled: settlements, by job.
        paid: settlements of signed requests, by the request's digest.
        claims: claims and takeovers of each job.
        settlements: settlements of each job.
        claim_transactions: those that made claims.
        settle_transactions: those that settled jobs.
    """

    claimed: dict[bytes, float] = field(default_factory=dict)
    settled: dict[bytes, float] = field(default_factory=dict)
    paid: dict[bytes, float] = field(default_factory=dict)
    claims: Counter[bytes] = field(default_factory=Counter)
    settlements: Counter[bytes] = field(default_factory=Counter)
    claim_transactions: set[str] = field(default_factory=set)
    settle_transactions: set[str] = field(default_factory=set)


class ChainWatch:
    """Follows the chain in a thread of its own, from where it is now; use it in a `with` statement."""

    def __init__(self, small: SmallMarket) -> None:
        """Prepare it."""
        self.seen = Seen()
        self.first_block = small.chain.height() + 1
        # A connection of its own: nobody waits for it, and it for nobody.
        self._chain = Chain(small.chain.endpoint)
        self._market = bind(self._chain, small.market.deployment)
        self._over = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._follow, name="chain-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._chain.close()

    def check(self) -> None:
        """Raise what ended the thread."""
        if self._failure is not None:
            raise self._failure

    def _follow(self) -> None:
        next_block = self.first_block
        try:
            while not self._over.wait(_PAUSE_SECONDS):
                head = self._chain.height()
                if head >= next_block:
                    self._read(next_block, head)
                    next_block = head + 1
        except BaseException as error:  # noqa: BLE001 whoever measures raises it
            self._failure = error

    def _read(self, first: int, last: int) -> None:
        jobs, seen = self._market.manager.events, self.seen
        for claim in jobs.claims(from_block=first, to_block=last):
            seen.claims[claim.job_id] += 1
            seen.claim_transactions.add(claim.where.transaction)
            seen.claimed.setdefault(claim.job_id, time.monotonic())
        for reclaim in jobs.reclaims(from_block=first, to_block=last):
            seen.claims[reclaim.job_id] += 1
        for settled in jobs.settlements(from_block=first, to_block=last):
            seen.settlements[settled.job_id] += 1
            seen.settle_transactions.add(settled.where.transaction)
            seen.settled.setdefault(settled.job_id, time.monotonic())
        contract = self._market.tabs.contract
        for event in contract.find_events("RequestSettled", from_block=first, to_block=last):
            seen.paid.setdefault(event.arguments["requestDigest"], time.monotonic())


@dataclass(frozen=True)
class Spent:
    """What a prover's transactions came to.

    Attributes:
        claim: gas of claims that held.
        settle: gas of settlements that held.
        other: gas of everything else that succeeded, such as stake.
        failed: gas of transactions that reverted.
        failures: how many these are.
    """

    claim: int = 0
    settle: int = 0
    other: int = 0
    failed: int = 0
    failures: int = 0


def gas_spent(chain: Chain, accounts: Iterable[LocalAccount], seen: Seen, *, first_block: int) -> Spent:
    """Add up the gas of accounts from a block on, from the receipts."""
    wanted = {account.address.lower() for account in accounts}
    sums: Counter[str] = Counter()
    for number in range(first_block, chain.height() + 1):
        block = chain.request("eth_getBlockByNumber", hex(number), _FULL_TRANSACTIONS)
        for sent in block["transactions"]:
            if sent["from"].lower() not in wanted:
                continue
            receipt = chain.receipt(sent["hash"])
            assert receipt is not None
            kind = "other"
            if not receipt.succeeded:
                kind, sums["failures"] = "failed", sums["failures"] + 1
            elif receipt.transaction in seen.claim_transactions:
                kind = "claim"
            elif receipt.transaction in seen.settle_transactions:
                kind = "settle"
            sums[kind] += receipt.gas_used
    return Spent(**sums)
