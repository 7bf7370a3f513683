"""Moves of offerings that must not happen twice: signed transactions, kept before they leave this machine.

A reservation cannot be taken back and looks like any other one, so after an interruption only its hash tells
whether it was made. Run again with the same words, a command finds it here and buys nothing more: until who
asked for it is told, it counts as under way, whatever the chain says.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field

from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.transactions import SignedTransaction
from zkml.client.pending_records import MAX_NOTE, PendingRecords
from zkml.client.resuming import end_signed
from zkml.core.records import Address, Hex32, HexBytes, Record, from_hex, to_hex
from zkml.errors import ChainError


class OfferingMove(Record):
    """One move, as it was signed.

    Attributes:
        chain_id, genesis_hash: which chain it is for.
        contract, sender: who calls whom.
        purpose: what the command was asked to do, word for word.
        transaction, raw, account_nonce: the signed transaction.
        what: the function, for people.
        note: why it was put aside.
    """

    tag: ClassVar[str] = "zkml.offering-move/1"

    chain_id: int
    genesis_hash: Hex32
    contract: Address
    sender: Address
    purpose: Annotated[str, Field(max_length=300)]
    transaction: Hex32
    raw: HexBytes
    account_nonce: int
    what: Annotated[str, Field(max_length=100)]
    note: Annotated[str, Field(max_length=MAX_NOTE)] = ""

    @property
    def signed(self) -> SignedTransaction:
        """The transaction; sending it again changes nothing."""
        return SignedTransaction(
            self.transaction, from_hex(self.raw), self.sender, self.account_nonce, self.what
        )


class _Records(PendingRecords[OfferingMove]):
    kind: ClassVar[type[Record]] = OfferingMove
    what: ClassVar[str] = "a move of an offering"
    name_field: ClassVar[str] = "transaction"


class MoveJournal:
    """Moves of one account on one contract, under one directory."""

    def __init__(self, folder: Path, market: Any, contract: Any, account: Any) -> None:
        """Use `folder`, which the first move creates; `contract` is a `BoundContract`."""
        self._records = _Records(folder)
        self._market = market
        self._contract = contract
        self._account = account
        self._untold: list[OfferingMove] = []

    def resumed(self, purpose: str) -> TransactionReceipt | None:
        """Finish what interrupted runs left, and return the receipt of the move of this purpose; see `told`.

        Moves of other purposes are sent as well, and stay for who asks for them. None: nothing of this
        purpose was under way, or it came to nothing and never will.

        Raises:
            ChainError: not mined yet, or a refused one cannot be voided now; see `end_signed`.
            FormatError, StorageError: see `PendingRecords`.
        """
        found = None
        for record in self._ours():
            ended = end_signed(self._market, record.signed, self._account)
            if isinstance(ended, TransactionReceipt):
                if record.purpose == purpose:
                    self._untold.append(record)
                    found = ended
            elif ended is not None:
                self._records.abandon(record, ended)
            else:
                raise ChainError(
                    f"expected to end transaction {record.transaction} of an interrupted run, found it "
                    "refused and waiting behind other transactions of this account",
                    hint="wait until those are mined, then run the command again",
                    transaction=record.transaction,
                )
        return found

    def send(self, purpose: str, function: str, *arguments: Any) -> TransactionReceipt:
        """Send a move that is kept from its signature on; see `told`.

        Raises:
            StorageError: it cannot be kept; then nothing was sent.
            ZkmlError: see `BoundContract.transact`.
        """
        kept: list[OfferingMove] = []

        def keep(signed: SignedTransaction) -> None:
            kept.append(self._record(purpose, signed))
            self._records.keep(kept[-1])

        receipt: TransactionReceipt = self._contract.transact(
            self._account, function, *arguments, on_signed=keep
        )
        self._untold += kept
        return receipt

    def told(self) -> None:
        """Mark what this run sent or resumed as done: from now on the same words make another move.

        To be called once all that is said of a receipt is known: who is told of an error instead runs the
        command again.

        Raises:
            StorageError: no permission.
        """
        while self._untold:
            self._records.finish(self._untold.pop())

    def _record(self, purpose: str, signed: SignedTransaction) -> OfferingMove:
        chain = self._contract.chain
        return OfferingMove(
            chain_id=chain.chain_id,
            genesis_hash=chain.genesis_hash,
            contract=self._contract.address,
            sender=signed.sender,
            purpose=purpose,
            transaction=signed.transaction,
            raw=to_hex(signed.raw),
            account_nonce=signed.nonce,
            what=signed.what,
        )

    def _ours(self) -> Iterator[OfferingMove]:
        chain = self._contract.chain
        where = (chain.chain_id, chain.genesis_hash, self._contract.address, self._account.address)
        for record in self._records.pending():
            if (record.chain_id, record.genesis_hash, record.contract, record.sender) == where:
                yield record
