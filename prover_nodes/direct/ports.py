"""What the direct service needs of the chain, of its transactions and of its memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from prover_nodes.ports import FoundMove
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.transactions import Call
from zkml.core.api_messages import TabOpening
from zkml.core.identifiers import CircuitSpec
from zkml.core.pricing import FeeQuote
from zkml.core.signed_requests import SignedRequest
from zkml.core.tabs import TabFacts


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A PROVEN model and those of its circuits that a key of this node belongs to.

    Attributes:
        model_id: ERC-721 id.
        did: its decentralized identifier.
        name: what its publisher calls it: a stranger's text.
        manifest_cid: where the manifest of its circuit is published.
        circuits: ids and pins of its circuits for one input.
        is_closed: whether only provers with access may prove it.
    """

    model_id: int
    did: str
    name: str
    manifest_cid: str
    circuits: tuple[tuple[bytes, CircuitSpec], ...]
    is_closed: bool


class TabMarket(Protocol):
    """The tabs of one prover and the contracts around them. Every method may raise RpcError."""

    @property
    def chain_id(self) -> int:
        """EIP-155 id."""

    @property
    def manager(self) -> str:
        """Address of the job manager, checksummed."""

    @property
    def token(self) -> str:
        """Address of the payment token, checksummed."""

    @property
    def account(self) -> str:
        """The prover's address, checksummed."""

    def now(self) -> int:
        """Return chain time in seconds."""

    def gas_price_wei(self) -> int:
        """Return what one gas costs now."""

    def ether_wei(self) -> int:
        """Return how much ether this prover has, in wei."""

    def list_models(self, key_digests: Sequence[bytes]) -> Iterator[ListedModel]:
        """Yield the PROVEN models that have a circuit pinned to one of these keys."""

    def quote(self, model_id: int) -> FeeQuote:
        """Return what model and platform ask of a tab that opens now."""

    def tab(self, tab_id: bytes) -> TabFacts | None:
        """Return a tab as the latest block has it, or None."""

    def is_tab_deep(self, tab_id: bytes, confirmations: int) -> bool:
        """Say whether a tab was open already so many blocks ago."""

    def is_nonce_used(self, tab_id: bytes, nonce: int) -> bool:
        """Say whether a tab's nonce was used."""

    def is_tombstoned(self, circuit_id: bytes) -> bool:
        """Say whether a circuit's proofs are not paid any more."""

    def may_prove(self, model_id: int) -> bool:
        """Say whether the owner of a model lets this prover prove it."""

    def code_of(self, address: str) -> bytes:
        """Return the runtime code at an address; empty when there is none."""

    def settlement_of(self, digest: bytes) -> FoundMove | None:
        """Return the settlement of a signed request, or None."""

    def context_of(self, request: SignedRequest) -> bytes:
        """Return what a proof of a signed request to this prover is bound to, 32 bytes; asks no chain."""

    def opened_tab_id(self, opening: TabOpening) -> bytes:
        """Return the id that a tab opened for this prover gets now, as its requester's next one."""

    def plan_settle(self, request: SignedRequest, signature: bytes, proved: Sequence[bytes]) -> Call:
        """Return the call that settles a request: packed input, packed output and proof in `proved`."""

    def plan_open(self, opening: TabOpening) -> Call:
        """Return the call that opens a tab in its requester's name."""


class Deliveries(Protocol):
    """The transactions of the direct service: each kept before it is sent, none sent twice."""

    def simulate(self, call: Call) -> None:
        """Run a call at the head of the chain; raises the twin of the contract's refusal."""

    def deliver(self, subject: str, purpose: str, call: Call) -> TransactionReceipt:
        """See to it that a transaction of this purpose is mined with success; see `Outbox.deliver`."""

    def find(self, subject: str, purpose: str) -> TransactionReceipt | None:
        """Return the receipt of the kept transaction of a purpose, if it was mined with success."""

    def is_underway(self, subject: str, purpose: str) -> bool:
        """Say whether a transaction of a purpose is kept that may still be mined, or was."""

    def is_confirmed(self, receipt: TransactionReceipt) -> bool:
        """Say whether a mined transaction is deep enough in the canonical chain."""
