"""The nonces of one account: the next free one for what is new, and more gas for what waits too long.

Transactions are mined in the order of their nonces, so whoever waits behind a nonce sees to it that the
lowest one is mined: it is replaced by the same transaction for more gas, or, where nobody uses it, by one
that does nothing.
"""

import logging

from prover_nodes.journal import Journal, KeptTransaction, Purpose, Subject
from prover_nodes.observer import Observer
from prover_nodes.ports import Transactions
from zkml.adapters.evm.transactions import Call, SignedTransaction
from zkml.core.ports.clock import Clock
from zkml.errors import ChainError, InsufficientFundsError

_log = logging.getLogger(__name__)


MOST_REMEMBERED = 256
"""Nonces whose last broadcast is remembered; fewer than that are ever in flight."""


class Nonces:
    """An account's nonces. Thread-safe: what it does, it does under the account's sending lock."""

    def __init__(
        self,
        transactions: Transactions,
        journal: Journal,
        clock: Clock,
        replace_seconds: float,
        observer: Observer,
    ) -> None:
        """Use an account.

        Args:
            transactions: the account's.
            journal: keeps each before it is sent.
            clock: for how long one waits.
            replace_seconds: after how long one that is not mined is sent again for more.
            observer: told what is sent.
        """
        self._transactions = transactions
        self._journal = journal
        self._clock = clock
        self._observer = observer
        self._moved_at: dict[int, float] = {}
        self.replace_seconds = replace_seconds

    def send_next(self, subject: Subject, purpose: str, call: Call) -> SignedTransaction | None:
        """Sign a call with the next free nonce, keep it, and broadcast it.

        Where the endpoint does not take it, it stays kept, and whoever waits for it sends it again.

        Returns:
            What was signed; None while an earlier one of this purpose may yet be mined in its nonce.

        Raises:
            ZkmlError: the contract refuses, or the endpoint does not answer; nothing is kept.
            HomeLockedError: another process sends for this account, and does not end.
        """
        with self._transactions.hold():
            nonce = self._free_nonce(subject, purpose)
            if nonce is None:
                return None
            signed = self._transactions.sign(call, nonce=nonce)
            self._journal.keep_transaction(subject, purpose, signed)
            _log.info("%s signed: %s, nonce %d", signed.what, signed.transaction, signed.nonce)
            self._try_to_send(signed, purpose, replacement=False)
            return signed

    def send_again(self, signed: SignedTransaction, purpose: str) -> None:
        """Broadcast what was kept; doing it again changes nothing.

        Raises:
            ChainError: it is void, or the endpoint refuses it or does not answer.
        """
        with self._transactions.hold():
            self._transactions.broadcast(signed)
            self._moved_at[signed.nonce] = self._clock.monotonic()
            self._forget(below=signed.nonce - MOST_REMEMBERED)
        self._observer.transaction_sent(purpose, replacement=False)

    def _forget(self, *, below: int) -> None:
        self._moved_at = {kept: at for kept, at in self._moved_at.items() if kept >= below}

    def push(self, nonce: int) -> None:
        """See to it that the lowest nonce that is not mined moves on, if that is not above this one.

        Raises:
            RpcError: the endpoint does not answer.
        """
        with self._transactions.hold():
            lowest = self._transactions.spent_nonce()
            now = self._clock.monotonic()
            if lowest > nonce or now - self._moved_at.get(lowest, -self.replace_seconds) < (
                self.replace_seconds
            ):
                return
            self._forget(below=lowest)
            self._moved_at[lowest] = now
            flight = self._journal.in_flight(self._transactions.account, lowest)
            waiting = [kept for kept in flight if kept.signed.nonce == lowest]
            if waiting and self._may_be_mined(waiting):
                self._outbid(waiting[-1])
            elif len(flight) > len(waiting) and self._transactions.next_nonce() <= lowest:
                self._fill(lowest)

    def _free_nonce(self, subject: Subject, purpose: str) -> int | None:
        account = self._transactions.account
        spent = self._transactions.spent_nonce()
        used = {kept.signed.nonce for kept in self._journal.in_flight(account, spent)}
        # Somebody may still have an abandoned one. In the same nonce never both of them are mined.
        abandoned = self._journal.abandoned_nonces(subject, purpose, account)
        earlier = [nonce for nonce in abandoned if nonce >= spent]
        if earlier:
            return None if min(earlier) in used else min(earlier)
        nonce = max(spent, self._transactions.next_nonce())
        while nonce in used:
            nonce += 1
        return nonce

    def _may_be_mined(self, waiting: list[KeptTransaction]) -> bool:
        """Say whether a kept transaction is still good; what nobody has and the contract refuses is not."""
        if any(self._transactions.is_known(kept.signed.transaction) for kept in waiting):
            return True
        reason = self._transactions.refusal(waiting[-1].signed)
        for kept in waiting if reason else ():
            _log.warning("%s is not sent: %s", kept.signed.transaction, reason)
            self._journal.abandon_transaction(kept.signed, f"refused: {reason}")
        return not reason

    def _outbid(self, kept: KeptTransaction) -> None:
        replacement = self._transactions.outbid(kept.signed)
        if replacement is None:
            _log.warning(
                "%s %s waits for cheaper gas: it may not cost more", kept.signed.what, kept.signed.transaction
            )
            self._try_to_send(kept.signed, kept.purpose, replacement=False)
            return
        _log.info("%s is sent again for more gas: %s", kept.signed.transaction, replacement.transaction)
        self._journal.keep_transaction(kept.key, kept.purpose, replacement)
        self._try_to_send(replacement, kept.purpose, replacement=True)

    def _fill(self, nonce: int) -> None:
        """Spend a nonce on nothing: what would have used it is not sent, and others wait behind it."""
        account = self._transactions.account
        nothing = Call(account, b"", f"nothing in nonce {nonce}")
        signed = self._transactions.sign(nothing, nonce=nonce)
        self._journal.keep_transaction(f"{account}:{nonce}", Purpose.FILL, signed)
        self._try_to_send(signed, Purpose.FILL, replacement=False)

    def _try_to_send(self, signed: SignedTransaction, purpose: str, *, replacement: bool) -> None:
        try:
            self._transactions.broadcast(signed)
        except InsufficientFundsError:
            raise
        except ChainError as error:
            # What it takes the place of may have been mined meanwhile; else it is looked at again.
            _log.warning("%s %s is kept, and not sent yet: %s", signed.what, signed.transaction, error)
            return
        self._moved_at[signed.nonce] = self._clock.monotonic()
        self._observer.transaction_sent(purpose, replacement=replacement)
