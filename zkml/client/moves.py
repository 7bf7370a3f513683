"""After the opening: wait, take the job back, take the money back."""

from dataclasses import dataclass

from eth_account.signers.local import LocalAccount

from marketplace.settlements import JobSettled
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.core.job_machine import JobStatus, check_move, status_of
from zkml.core.ports.clock import Clock
from zkml.core.progress import Progress, ProgressEvent, silent
from zkml.core.records import to_hex
from zkml.errors import (
    BindingError,
    InvalidTransitionError,
    JobExpiredError,
    MarketError,
    NotFinalError,
    TombstonedError,
)
from zkml.wiring import Market


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Credits that were taken, in the token's smallest unit."""

    amount: int
    receipt: TransactionReceipt


def wait_for_settlement(
    market: Market,
    job_id: bytes,
    clock: Clock,
    *,
    timeout_seconds: float,
    poll_seconds: float = 1.0,
    progress: Progress = silent,
) -> JobSettled:
    """Wait until a job is settled and its settlement is confirmed.

    Args:
        market: chain and contracts.
        job_id: 32 bytes.
        clock: this machine's time, for the timeout and the pauses.
        timeout_seconds: the longest wait.
        poll_seconds: pause between two looks at the chain.
        progress: told the status at every look.

    Returns:
        The settlement. Its output is the chain's word until `read_output` has verified it.

    Raises:
        JobNotFoundError: no such job.
        JobExpiredError: the deadline passed without a proof; the escrow can be had back.
        TombstonedError: its circuit was tombstoned; the escrow can be had back at once.
        InvalidTransitionError: it was cancelled or refunded.
        NotFinalError: not settled or not confirmed in time.
        RpcError: see `Chain.request`.
    """
    start = clock.monotonic()
    while True:
        status = _live_status(market, job_id)
        elapsed = clock.monotonic() - start
        settled = _confirmed(market, job_id) if status is JobStatus.SETTLED else None
        progress(ProgressEvent("settlement", elapsed, finished=settled is not None, note=status.name))
        if settled is not None:
            return settled
        if elapsed >= timeout_seconds:
            raise NotFinalError(
                f"expected job {to_hex(job_id)} settled within {timeout_seconds:g} s, found {status.name}",
                hint="wait again: zkml job wait",
            )
        clock.sleep(min(poll_seconds, max(timeout_seconds - elapsed, 0.0)))


def refund(market: Market, account: LocalAccount, job_id: bytes) -> TransactionReceipt:
    """End a job that expired or whose circuit is tombstoned; the requester is credited. Anybody may.

    Raises:
        JobNotFoundError: no such job.
        InvalidTransitionError: it has not expired, or has ended already.
        ChainError: see `JobManagerBinding.refund`.
    """
    facts = market.manager.facts(job_id)
    is_tombstoned = market.router.is_tombstoned(facts.circuit_id)
    check_move(facts, "refund", market.chain.now(), is_tombstoned=is_tombstoned)
    return market.manager.refund(account, job_id)


def cancel(market: Market, account: LocalAccount, job_id: bytes) -> TransactionReceipt:
    """Take an unclaimed job back; its escrow is credited to its requester.

    Raises:
        JobNotFoundError: no such job.
        JobExpiredError: only a refund is left.
        InvalidTransitionError: it was claimed, or has ended.
        MarketError: the account is not the requester.
        ChainError: see `JobManagerBinding.cancel`.
    """
    facts = market.manager.facts(job_id)
    check_move(facts, "cancel", market.chain.now())
    if facts.requester != account.address:
        raise MarketError(
            f"expected the requester {facts.requester} to cancel, found {account.address}",
            hint="use the key that opened the job",
        )
    return market.manager.cancel(account, job_id)


def withdraw(market: Market, account: LocalAccount) -> Withdrawal:
    """Take all credits of an account.

    Raises:
        MarketError: there are none.
        BindingError: the transaction paid out something else than it says.
        ChainError: see `RevenueLedgerBinding.withdraw`.
    """
    receipt = market.ledger.withdraw(account)
    events = market.ledger.contract.events_in(receipt.logs, "Withdrawn")
    amounts = [
        int(event.arguments["amount"]) for event in events if event.arguments["account"] == account.address
    ]
    if len(amounts) != 1:
        raise BindingError(f"expected one withdrawal, found {len(amounts)} in {receipt.transaction}")
    return Withdrawal(amounts[0], receipt)


def _live_status(market: Market, job_id: bytes) -> JobStatus:
    """Return a live status or SETTLED; raise for a job that will never be settled."""
    facts = market.manager.facts(job_id)
    status = status_of(facts, market.chain.now())
    if status is JobStatus.EXPIRED:
        raise JobExpiredError(
            f"expected a settlement before the deadline {facts.deadline}, found {to_hex(job_id)} expired",
            hint=f"get the escrow back: zkml job refund {to_hex(job_id)}",
        )
    if status in (JobStatus.CANCELLED, JobStatus.REFUNDED):
        raise InvalidTransitionError(f"expected a job to wait for, found {to_hex(job_id)} {status.name}")
    if status.is_live and market.router.is_tombstoned(facts.circuit_id):
        raise TombstonedError(
            f"expected a circuit that is trusted, found a tombstoned one for job {to_hex(job_id)}",
            hint=f"get the escrow back: zkml job refund {to_hex(job_id)}",
        )
    return status


def _confirmed(market: Market, job_id: bytes) -> JobSettled | None:
    chain = market.chain
    for settled in market.manager.events.settlements_of(job_id):
        deep = chain.height() >= settled.where.block + chain.confirmations
        if deep and chain.has_block(settled.where.block, settled.where.block_hash):
            return settled
    return None
