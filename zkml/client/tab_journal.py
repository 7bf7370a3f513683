"""Tabs that this machine has signed an opening of: by a transaction, or by a signature that a prover sends.

The record is on disk before either leaves, so that a tab is never opened twice for want of an answer.
"""

from typing import Annotated, ClassVar

from pydantic import Field

from zkml.adapters.evm.transactions import SignedTransaction
from zkml.client.pending_records import MAX_NOTE, PendingRecords
from zkml.core.api_messages import TabOpening
from zkml.core.market_identifiers import TabSpec
from zkml.core.records import Address, Amount, Hex32, HexBytes, Record, from_hex


class TabOpeningRecord(Record):
    """A tab's opening, as it was signed.

    Attributes:
        chain_id, genesis_hash, manager: which deployment it is for.
        tab_id: predicted from the nonces that the chain had when it was signed.
        requester, model_id, prover, signer, amount, expiry: the tab; see `TabSpec`.
        transaction, raw, account_nonce: the signed transaction; empty where a signature opens it.
        opening: the signature that opens it; None where a transaction does.
        note: why it was put aside.
    """

    tag: ClassVar[str] = "zkml.tab-opening/1"

    chain_id: int
    genesis_hash: Hex32
    manager: Address
    tab_id: Hex32
    requester: Address
    model_id: Amount
    prover: Address
    signer: Address
    amount: Amount
    expiry: int
    transaction: HexBytes = "0x"
    raw: HexBytes = "0x"
    account_nonce: int = 0
    opening: TabOpening | None = None
    note: Annotated[str, Field(max_length=MAX_NOTE)] = ""

    @property
    def spec(self) -> TabSpec:
        """The tab."""
        return TabSpec(int(self.model_id), self.prover, self.signer, int(self.amount), self.expiry)

    @property
    def signed(self) -> SignedTransaction:
        """The transaction that opens the tab; sending it again changes nothing."""
        return SignedTransaction(
            self.transaction, from_hex(self.raw), self.requester, self.account_nonce, "JobManager.openTab"
        )


class TabJournal(PendingRecords[TabOpeningRecord]):
    """Openings of tabs under one directory; see `PendingRecords`."""

    kind: ClassVar[type[Record]] = TabOpeningRecord
    what: ClassVar[str] = "an opening of tab"
    name_field: ClassVar[str] = "tab_id"
