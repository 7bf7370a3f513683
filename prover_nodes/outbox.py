"""Get a transaction mined, once, whatever kills the node on the way.

    sign -> keep in the journal -> broadcast -> wait

A node that comes back looks for the receipt of what it kept, and else broadcasts the same bytes again. It
signs anew only when the kept transaction can have no effect any more: its nonce went to another
transaction, or the contract would refuse it. A new one takes the same nonce, or comes after the old one's
nonce is spent, so that two of them never both take effect.
"""

import logging
from dataclasses import dataclass

from prover_nodes.journal import Case, Journal, Purpose
from prover_nodes.ports import Transactions
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.transactions import Call, SignedTransaction
from zkml.core.ports.clock import Clock
from zkml.errors import ChainError, NotFinalError, RevertedError, RpcError, TransactionTimeoutError, ZkmlError

_FIRST_POLL_SECONDS = 0.02
_LAST_POLL_SECONDS = 1.0
_MAX_VOID_TRANSACTIONS = 5
"""Somebody else uses the key if this many in a row lost their nonce."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outbox:
    """The transactions of one node.

    Attributes:
        transactions: the account's.
        journal: keeps each before it is sent.
        clock: for waiting.
        timeout_seconds: longest wait for a transaction to be mined, or confirmed.
        confirmations: blocks on top that make one count.
    """

    transactions: Transactions
    journal: Journal
    clock: Clock
    timeout_seconds: float
    confirmations: int

    def deliver(
        self, case: Case, purpose: Purpose, call: Call, *, repeat: bool = False
    ) -> TransactionReceipt:
        """See to it that a transaction of this purpose is mined with success.

        Args:
            case: the job.
            purpose: what it is for.
            call: what it does.
            repeat: do it again if an earlier one was mined.

        Raises:
            ZkmlError: the contract refuses; the twin of its error.
            RevertedError: it was mined and reverted for a reason that is gone.
            TransactionTimeoutError: not mined in time; it is kept and looked at again next time.
            ChainError: see `Transactions`.
        """
        for _ in range(_MAX_VOID_TRANSACTIONS):
            signed = self.journal.last_transaction(case, purpose)
            if signed is not None and repeat and self.transactions.receipt(signed.transaction):
                signed = None
            if signed is None:
                signed = self.transactions.sign(call)
                self.journal.keep_transaction(case, purpose, signed)
                _log.info("%s of job %s signed: %s", purpose, case.request.job_id, signed.transaction)
            elif not self._may_take_effect(signed, call):
                continue
            receipt = self._send(signed)
            if receipt is not None:
                return self._successful(signed, receipt, call)
        raise ChainError(
            f"expected nonces of {signed.sender if signed else 'the account'} to be free, "
            f"found {_MAX_VOID_TRANSACTIONS} in a row taken by other transactions",
            hint="another process uses the same key: give each its own",
        )

    def find(self, case: Case, purpose: Purpose) -> TransactionReceipt | None:
        """Return the receipt of the kept transaction of a purpose, if it was mined with success."""
        signed = self.journal.last_transaction(case, purpose)
        receipt = None if signed is None else self.transactions.receipt(signed.transaction)
        return receipt if receipt is not None and receipt.succeeded else None

    def confirm(self, transaction: str, what: str) -> TransactionReceipt:
        """Wait until a mined transaction is deep enough in the canonical chain.

        Raises:
            NotFinalError: not in time, or a reorg undid it.
            RpcError: the endpoint does not answer.
        """
        started = self.clock.monotonic()
        pause = _FIRST_POLL_SECONDS
        while True:
            receipt = self.transactions.receipt(transaction)
            if receipt is not None and self._is_deep(receipt):
                return receipt
            if receipt is None or self.clock.monotonic() - started >= self.timeout_seconds:
                found = "that a reorg undid it" if receipt is None else "fewer"
                raise NotFinalError(
                    f"expected {self.confirmations} blocks on top of {what}, found {found}: {transaction}",
                    hint="the node tries again in its next round",
                    transaction=transaction,
                )
            self.clock.sleep(pause)
            pause = min(_LAST_POLL_SECONDS, pause * 1.5)

    def _is_deep(self, receipt: TransactionReceipt) -> bool:
        if self.confirmations == 0:
            return True
        deep = self.transactions.height() >= receipt.block + self.confirmations
        return deep and self.transactions.has_block(receipt.block, receipt.block_hash)

    def _may_take_effect(self, signed: SignedTransaction, call: Call) -> bool:
        """Look at a kept transaction; abandon it if the contract would refuse it and no node has it."""
        if self._is_underway(signed):
            return True
        try:
            self.transactions.simulate(call)
        except RpcError:
            raise
        except ZkmlError as error:
            # It may have been mined since the first look, which is why the contract refuses it now.
            if self._is_underway(signed):
                return True
            self._abandon(signed, f"refused: {error.message}")
            return False
        return True

    def _is_underway(self, signed: SignedTransaction) -> bool:
        known = self.transactions.is_known(signed.transaction)
        return known or self.transactions.receipt(signed.transaction) is not None

    def _send(self, signed: SignedTransaction) -> TransactionReceipt | None:
        """Broadcast and wait until it is mined; None when its nonce went to another transaction."""
        if not self._is_underway(signed):
            try:
                self.transactions.broadcast(signed)
            except ChainError:
                if not self.transactions.is_void(signed):
                    raise
        started = self.clock.monotonic()
        pause = _FIRST_POLL_SECONDS
        while (receipt := self.transactions.receipt(signed.transaction)) is None:
            if self.transactions.is_void(signed):
                self._abandon(signed, "its nonce went to another transaction")
                return None
            if self.clock.monotonic() - started >= self.timeout_seconds:
                raise TransactionTimeoutError(
                    f"expected {signed.what} to be mined within {self.timeout_seconds:g} s, "
                    f"found transaction {signed.transaction} still waiting",
                    hint="the node looks for it again in its next round",
                    transaction=signed.transaction,
                )
            self.clock.sleep(pause)
            pause = min(_LAST_POLL_SECONDS, pause * 1.5)
        return receipt

    def _successful(
        self, signed: SignedTransaction, receipt: TransactionReceipt, call: Call
    ) -> TransactionReceipt:
        if receipt.succeeded:
            return receipt
        self._abandon(signed, "mined and reverted")
        # The reason is most likely still there, and then this raises the twin of the contract's error.
        self.transactions.simulate(call)
        raise RevertedError(
            f"expected {signed.what} to succeed, found that transaction {signed.transaction} reverted",
            transaction=signed.transaction,
        )

    def _abandon(self, signed: SignedTransaction, reason: str) -> None:
        _log.warning("%s %s is not sent any more: %s", signed.what, signed.transaction, reason)
        self.journal.abandon_transaction(signed, reason)
