"""The direct service's transactions, over the node's outbox."""

from dataclasses import dataclass

from prover_nodes.outbox import Outbox
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.transactions import Call


@dataclass(frozen=True, slots=True)
class OutboxDeliveries:
    """Implements `prover_nodes.direct.ports.Deliveries`."""

    outbox: Outbox

    def simulate(self, call: Call) -> None:
        """Run a call at the head of the chain; raises the twin of the contract's refusal."""
        self.outbox.transactions.simulate(call)

    def deliver(self, subject: str, purpose: str, call: Call) -> TransactionReceipt:
        """See to it that a transaction of this purpose is mined with success; see `Outbox.deliver`."""
        return self.outbox.deliver(subject, purpose, call)

    def find(self, subject: str, purpose: str) -> TransactionReceipt | None:
        """Return the receipt of the kept transaction of a purpose, if it was mined with success."""
        return self.outbox.find(subject, purpose)

    def is_underway(self, subject: str, purpose: str) -> bool:
        """Say whether a transaction of a purpose is kept that may still be mined, or was."""
        return bool(self.outbox.journal.attempts(subject, purpose))

    def is_confirmed(self, receipt: TransactionReceipt) -> bool:
        """Say whether a mined transaction is deep enough in the canonical chain."""
        if self.outbox.confirmations == 0:
            return True
        chain = self.outbox.transactions
        deep = chain.height() >= receipt.block + self.outbox.confirmations
        return deep and chain.has_block(receipt.block, receipt.block_hash)
