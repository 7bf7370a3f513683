"""The place of an event on its chain, and the bytes behind it."""

from dataclasses import dataclass
from typing import Self

from zkml.adapters.evm.abi import Event
from zkml.adapters.evm.answers import Transaction, TransactionReceipt
from zkml.adapters.evm.rpc import Chain
from zkml.errors import EvidenceUnavailableError


@dataclass(frozen=True, slots=True)
class Where:
    """The place of an event: its block and transaction."""

    block: int
    block_hash: str
    transaction: str
    log_index: int

    @classmethod
    def of(cls, event: Event) -> Self:
        """Return where an event is."""
        return cls(event.log.block, event.log.block_hash, event.log.transaction, event.log.index)


def sent_at(chain: Chain, where: Where) -> Transaction:
    """Return the transaction of an event.

    Raises:
        EvidenceUnavailableError: the node no longer has it.
        RpcError: see `Chain.request`.
    """
    found = chain.transaction(where.transaction)
    if found is None:
        raise _forgotten("transaction", where)
    return found


def receipt_at(chain: Chain, where: Where) -> TransactionReceipt:
    """Return the receipt of the transaction of an event; raises as `sent_at` does."""
    found = chain.receipt(where.transaction)
    if found is None:
        raise _forgotten("receipt", where)
    return found


def _forgotten(what: str, where: Where) -> EvidenceUnavailableError:
    return EvidenceUnavailableError(
        f"expected the {what} of {where.transaction}, found none",
        hint="ask a node that keeps old transactions",
        transaction=where.transaction,
    )
