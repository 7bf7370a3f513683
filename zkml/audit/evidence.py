"""What an audit may read: the port of a chain, and where the contracts are. No I/O of its own.

`zkml.adapters.evm.rpc.Chain` is such a port as it stands. Whatever comes through it was said by a
stranger: types here say what form an answer has, never that it is true.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from verifier_contracts.deployments import Deployment
from zkml.adapters.evm.answers import Block, Log, Transaction, TransactionReceipt
from zkml.errors import EvidenceUnavailableError, RpcError


class ChainEvidence(Protocol):
    """A chain to read from; it signs and sends nothing.

    Every method raises RpcError when the endpoint is down, slow or answers nonsense.
    """

    @property
    def chain_id(self) -> int:
        """EIP-155 id."""

    def height(self) -> int:
        """Return the height of the latest block."""

    def now(self) -> int:
        """Return chain time in seconds."""

    def block(self, tag: int, /) -> Block:
        """Return the head of the canonical block of this height."""

    def has_block(self, number: int, block_hash: str) -> bool:
        """Say whether the canonical block of this height has this hash."""

    def code(self, account: str) -> bytes:
        """Return the code at an address; empty for an account without."""

    def call(self, target: str, data: bytes, *, what: str) -> bytes:
        """Call a contract without a transaction, at the latest block.

        Raises:
            RevertedError: the contract refused.
        """

    def logs(self, address: str, topics: Sequence[bytes | None], *, from_block: int) -> Iterator[Log]:
        """Yield a contract's logs with these topics (None for any), oldest first."""

    def receipt(self, transaction: str) -> TransactionReceipt | None:
        """Return the receipt of a transaction, or None."""

    def transaction(self, transaction: str) -> Transaction | None:
        """Return a transaction, or None."""


@contextlib.contextmanager
def unreachable_is_inconclusive() -> Iterator[None]:
    """Turn an endpoint that does not answer into missing evidence: it is no verdict.

    Raises:
        EvidenceUnavailableError: instead of RpcError.
    """
    try:
        yield
    except RpcError as error:
        raise EvidenceUnavailableError(error.message, hint=error.hint) from error


@dataclass(frozen=True, slots=True)
class Contracts:
    """The deployment under audit: the one thing that the auditor must know beforehand.

    Attributes:
        manager: checksummed address of the JobManager.
        ledger: checksummed address of the RevenueLedger, which holds escrow.
        provers: checksummed address of the ProverRegistry, which holds stakes.
        registry: checksummed address of the ModelRegistry.
        lineage: checksummed address of the LineageRegistry.
        router: checksummed address of the VerifierRouter.
        admin: checksummed address of the ProtocolAdmin, which names the platform's fees.
        token: checksummed address of the payment token.
        from_block: height before which none of them existed.
    """

    manager: str
    ledger: str
    provers: str
    registry: str
    lineage: str
    router: str
    admin: str
    token: str
    from_block: int = 0

    @classmethod
    def of(cls, deployment: Deployment) -> "Contracts":
        """Return the contracts of a deployment record."""
        return cls(
            manager=deployment.manager.address,
            ledger=deployment.ledger.address,
            provers=deployment.provers.address,
            registry=deployment.registry.address,
            lineage=deployment.lineage.address,
            router=deployment.router.address,
            admin=deployment.admin.address,
            token=deployment.token.address,
            from_block=deployment.block,
        )


@dataclass(frozen=True, slots=True)
class MinedTransaction:
    """A transaction together with its receipt, of one and the same block."""

    sent: Transaction
    receipt: TransactionReceipt

    @property
    def block(self) -> int:
        """Height of its block."""
        return self.receipt.block
