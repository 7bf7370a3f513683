"""Get a transaction mined, once, whatever kills the node on the way.

    sign -> keep in the journal -> broadcast -> wait, and offer more gas -> receipt

A node that comes back looks for the receipts of what it kept, and else broadcasts the same bytes again.
Attempts for more gas share their nonce, so that one of them at most is mined. It signs anew with another
nonce only when none of them can have an effect any more: the nonce went to another transaction, or the
contract would refuse. Many threads may deliver at once, each for a subject of its own.
"""

import logging
from collections.abc import Sequence

from prover_nodes.journal import Case, Journal, Subject
from prover_nodes.nonces import Nonces
from prover_nodes.observer import Observer, SilentObserver
from prover_nodes.ports import Transactions
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.transactions import Call, SignedTransaction
from zkml.core.ports.clock import Clock
from zkml.errors import (
    ChainError,
    InsufficientFundsError,
    NotFinalError,
    RevertedError,
    RpcError,
    TransactionTimeoutError,
    ZkmlError,
)

REPLACE_SECONDS = 45.0

_FIRST_POLL_SECONDS = 0.02
_LAST_POLL_SECONDS = 1.0
_LAST_BACKOFF_SECONDS = 10.0
_MAX_VOID_TRANSACTIONS = 5
"""Somebody else uses the key if this many in a row lost their nonce."""

_log = logging.getLogger(__name__)


class Outbox:
    """The transactions of one node.

    Attributes:
        transactions: the account's.
        journal: keeps each before it is sent.
        clock: for waiting.
        timeout_seconds: longest wait for a transaction to be mined, or confirmed.
        confirmations: blocks on top that make one count.
    """

    def __init__(
        self,
        transactions: Transactions,
        journal: Journal,
        clock: Clock,
        timeout_seconds: float,
        confirmations: int,
        *,
        replace_seconds: float = REPLACE_SECONDS,
        observer: Observer | None = None,
    ) -> None:
        """Use an account.

        Args:
            transactions: the account's.
            journal: keeps each before it is sent.
            clock: for waiting.
            timeout_seconds: longest wait for a transaction to be mined, or confirmed.
            confirmations: blocks on top that make one count.
            replace_seconds: after how long one that is not mined is sent again for more gas.
            observer: told what is sent, and what it cost.
        """
        self.transactions = transactions
        self.journal = journal
        self.clock = clock
        self.timeout_seconds = timeout_seconds
        self.confirmations = confirmations
        self._observer = observer or SilentObserver()
        self._nonces = Nonces(transactions, journal, clock, replace_seconds, self._observer)

    def deliver(
        self, subject: Subject, purpose: str, call: Call, *, repeat: bool = False, label: str = ""
    ) -> TransactionReceipt:
        """See to it that a transaction of this purpose is mined with success.

        Args:
            subject: the job, or the digest or id of what else it is for.
            purpose: what it is for.
            call: what it does.
            repeat: do it again if an earlier one was mined.
            label: of the subject, for the log.

        Raises:
            ZkmlError: the contract refuses; the twin of its error.
            RevertedError: it was mined and reverted for a reason that is gone.
            TransactionTimeoutError: not mined in time; it is kept and looked at again next time.
            ChainError: see `Transactions`.
        """
        for _ in range(_MAX_VOID_TRANSACTIONS):
            attempts = self.journal.attempts(subject, purpose)
            if repeat and self._mined(attempts) is not None:
                attempts = []
            is_new = not attempts
            if is_new:
                attempts = [self._send_new(subject, purpose, call)]
                _log.info("%s of %s: %s", purpose, label or _label(subject), attempts[0].transaction)
            elif not self._may_take_effect(attempts, call):
                continue
            receipt = self._wait(subject, purpose, is_new=is_new)
            if receipt is not None:
                return self._successful(subject, purpose, receipt, call)
        raise ChainError(
            f"expected nonces of {self.transactions.account} to be free, "
            f"found {_MAX_VOID_TRANSACTIONS} in a row taken by other transactions",
            hint="another process uses the same key: give each its own",
        )

    def find(self, subject: Subject, purpose: str) -> TransactionReceipt | None:
        """Return the receipt of the kept transaction of a purpose, if it was mined with success."""
        receipt = self._mined(self.journal.attempts(subject, purpose))
        return receipt if receipt is not None and receipt.succeeded else None

    def confirm(self, transaction: str, what: str) -> TransactionReceipt:
        """Wait until a mined transaction is deep enough in the canonical chain.

        Raises:
            NotFinalError: not in time, or a reorg undid it.
            RpcError: the endpoint does not answer, in all that time.
        """
        patience = _Patience(self.clock, self.timeout_seconds)
        while True:
            found = "fewer"
            try:
                receipt = self.transactions.receipt(transaction)
                if receipt is None:
                    found = "that a reorg undid it"
                elif self._is_deep(receipt):
                    return receipt
                patience.answered()
            except RpcError as error:
                self._observer.chain_failed(error.code)
                patience.failed(error)
            if found != "fewer" or patience.is_over():
                raise NotFinalError(
                    f"expected {self.confirmations} blocks on top of {what}, found {found}: {transaction}",
                    hint="the node tries again in its next round",
                    transaction=transaction,
                )
            patience.pause()

    def _is_deep(self, receipt: TransactionReceipt) -> bool:
        if self.confirmations and self.transactions.height() < receipt.block + self.confirmations:
            return False
        return self.transactions.has_block(receipt.block, receipt.block_hash)

    def _send_new(self, subject: Subject, purpose: str, call: Call) -> SignedTransaction:
        patience = _Patience(self.clock, self.timeout_seconds)
        while (signed := self._nonces.send_next(subject, purpose, call)) is None:
            if patience.is_over():
                raise TransactionTimeoutError(
                    f"expected the nonce of an earlier {call.what} to be spent, found it waiting",
                    hint="the node looks for it again in its next round",
                )
            patience.pause()
            self._nonces.push(self.transactions.spent_nonce())
        return signed

    def _may_take_effect(self, attempts: Sequence[SignedTransaction], call: Call) -> bool:
        """Look at kept attempts; abandon them if the contract would refuse and no node has them."""
        if self._is_underway(attempts):
            return True
        try:
            self.transactions.simulate(call)
        except RpcError:
            raise
        except ZkmlError as error:
            # One may have been mined since the first look, which is why the contract refuses it now.
            if self._is_underway(attempts):
                return True
            self._abandon(attempts, f"refused: {error.message}")
            return False
        return True

    def _is_underway(self, attempts: Sequence[SignedTransaction]) -> bool:
        known = any(self.transactions.is_known(signed.transaction) for signed in attempts)
        return known or self._mined(attempts) is not None

    def _mined(self, attempts: Sequence[SignedTransaction]) -> TransactionReceipt | None:
        """Return the receipt of the attempt that was mined, if its block is in the canonical chain."""
        for signed in attempts:
            receipt = self.transactions.receipt(signed.transaction)
            if receipt is None:
                continue
            if self.transactions.has_block(receipt.block, receipt.block_hash):
                return receipt
            _log.warning("%s: its receipt is of a block that is not in the chain", signed.transaction)
        return None

    def _wait(self, subject: Subject, purpose: str, *, is_new: bool) -> TransactionReceipt | None:
        """Wait until an attempt is mined; None when they were abandoned, because none can be."""
        patience = _Patience(self.clock, self.timeout_seconds)
        looked, is_sent = False, False
        while attempts := self.journal.attempts(subject, purpose):
            refused: ChainError | None = None
            try:
                receipt = self._mined(attempts)
                if receipt is not None:
                    if is_new or looked:
                        self._count(purpose, receipt)
                    return receipt
                if not is_sent:
                    refused = self._send_again(attempts, purpose)
                    is_sent = refused is None
                if all(self.transactions.is_void(signed) for signed in attempts):
                    self._abandon(attempts, "its nonce went to another transaction")
                    return None
                if refused is None and patience.seconds() >= self._nonces.replace_seconds:
                    self._nonces.push(attempts[-1].nonce)
                looked = True
                patience.answered()
            except RpcError as error:
                self._observer.chain_failed(error.code)
                patience.failed(error)
            if refused is not None:
                raise refused
            if patience.is_over():
                raise self._not_mined(attempts[-1])
            patience.pause()
        return None

    def _send_again(self, attempts: Sequence[SignedTransaction], purpose: str) -> ChainError | None:
        """Broadcast the latest attempt if no node has one; return why the endpoint refused it for good.

        Where another transaction waits in its nonce, of a program that uses the same key or of a journal
        that is lost, that one is mined, or outbid once it has waited for too long.
        """
        if any(self.transactions.is_known(signed.transaction) for signed in attempts):
            return None
        signed = attempts[-1]
        try:
            self._nonces.send_again(signed, purpose)
        except InsufficientFundsError as error:
            return error
        except ChainError as error:
            if isinstance(error, RpcError) and "rpc_code" not in error.context:
                raise
            is_taken = self.transactions.is_void(signed) or self.transactions.next_nonce() > signed.nonce
            return None if is_taken else error
        return None

    def _not_mined(self, signed: SignedTransaction) -> TransactionTimeoutError:
        return TransactionTimeoutError(
            f"expected {signed.what} to be mined within {self.timeout_seconds:g} s, "
            f"found transaction {signed.transaction} still waiting",
            hint="the node looks for it again in its next round",
            transaction=signed.transaction,
        )

    def _successful(
        self, subject: Subject, purpose: str, receipt: TransactionReceipt, call: Call
    ) -> TransactionReceipt:
        if receipt.succeeded:
            return receipt
        self._abandon(self.journal.attempts(subject, purpose), "mined and reverted")
        # The reason is most likely still there, and then this raises the twin of the contract's error.
        self.transactions.simulate(call)
        raise RevertedError(
            f"expected {call.what} to succeed, found that transaction {receipt.transaction} reverted",
            transaction=receipt.transaction,
        )

    def _count(self, purpose: str, receipt: TransactionReceipt) -> None:
        wei = receipt.gas_used * receipt.gas_price_wei
        self._observer.gas_spent(purpose, gas=receipt.gas_used, wei=wei, succeeded=receipt.succeeded)

    def _abandon(self, attempts: Sequence[SignedTransaction], reason: str) -> None:
        for signed in attempts:
            _log.warning("%s %s is not sent any more: %s", signed.what, signed.transaction, reason)
            self.journal.abandon_transaction(signed, reason)


class _Patience:
    """How long to wait, and how long between two looks: longer while the endpoint does not answer."""

    def __init__(self, clock: Clock, timeout_seconds: float) -> None:
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._started = clock.monotonic()
        self._pause = _FIRST_POLL_SECONDS
        self._error: RpcError | None = None

    def seconds(self) -> float:
        return self._clock.monotonic() - self._started

    def answered(self) -> None:
        if self._error is not None:
            self._error, self._pause = None, _FIRST_POLL_SECONDS

    def failed(self, error: RpcError) -> None:
        self._error = error

    def is_over(self) -> bool:
        """Say whether time is up; raise the endpoint's last error where that is why."""
        if self.seconds() < self._timeout_seconds:
            return False
        if self._error is not None:
            raise self._error
        return True

    def pause(self) -> None:
        self._clock.sleep(self._pause)
        longest = _LAST_POLL_SECONDS if self._error is None else _LAST_BACKOFF_SECONDS
        self._pause = min(longest, self._pause * (1.5 if self._error is None else 2))


def _label(subject: Subject) -> str:
    return f"job {subject.request.job_id}" if isinstance(subject, Case) else subject
