"""Moves of the economy: each is made on the chain, and noted for the paper market.

Of the chain the notes hold nothing but the times of its blocks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from economy_world import Proved, World

from marketplace.jobs import Settlement
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.timetravel import pass_time
from zkml.adapters.keys.typed_signatures import sign_message
from zkml.core.market_identifiers import JobSpec, TabSpec
from zkml.core.signed_requests import SignedRequest, request_message
from zkml.core.tensors import input_commitment

RAMP_SECONDS = 1_000
CLAIM_SECONDS = 3_000
JOB_SECONDS = 20_000
TAB_SECONDS = 15_000


class Order(NamedTuple):
    """A job as it is asked for, and who claims it."""

    name: str
    requester: str
    model: str
    low: int
    high: int
    prover: str
    sample: int


class Draw(NamedTuple):
    """A signed request on a tab."""

    tab: str
    model: str
    prover: str
    model_fee: int
    prover_fee: int
    sample: int


class Move(NamedTuple):
    """A call of the paper market."""

    name: str
    arguments: tuple[Any, ...]
    named: dict[str, Any]


@dataclass
class Desk:
    """Where moves are made and noted.

    Attributes:
        world: the chain.
        notes: what the paper market is told.
        jobs: ids by name.
        tabs: ids by name.
        nonces: how many requests were signed, by tab.
    """

    world: World
    notes: list[Move] = field(default_factory=list)
    jobs: dict[str, bytes] = field(default_factory=dict)
    tabs: dict[str, bytes] = field(default_factory=dict)
    nonces: dict[str, int] = field(default_factory=dict)

    def note(self, name: str, *arguments: Any, **named: Any) -> None:
        """Note a move for the paper market."""
        self.notes.append(Move(name, arguments, named))

    def time_of(self, receipt: TransactionReceipt) -> int:
        """Return the time of a transaction's block, in seconds of the chain."""
        return self.world.market.chain.block(receipt.block).timestamp

    def wait(self, seconds: int) -> None:
        """Let chain time pass."""
        pass_time(self.world.market.chain, seconds)

    def open(self, order: Order, *, ramp_seconds: int = RAMP_SECONDS) -> None:
        """Open a job."""
        packed = self.world.packed(order.sample)
        spec = JobSpec(
            model_id=self.world.model_id(order.model),
            circuit_id=self.world.published[order.model].circuit.circuit_id,
            input_commitment=input_commitment(packed),
            input_uri="",
            min_prover_fee=order.low,
            max_prover_fee=order.high,
            max_total=2 * order.high + 1_000_000,
            ramp_seconds=ramp_seconds,
            claim_seconds=CLAIM_SECONDS,
            deadline=self.world.market.chain.now() + JOB_SECONDS,
        )
        manager, requester = self.world.market.manager, self.world.keys[order.requester]
        self.jobs[order.name], receipt = manager.open(requester, spec, packed)
        fees = {"low": order.low, "high": order.high, "ramp": ramp_seconds}
        self.note("open", order.name, order.requester, order.model, **fees, at=self.time_of(receipt))

    def claim(self, order: Order) -> None:
        """Claim a job at what is offered now."""
        manager, prover = self.world.market.manager, self.world.keys[order.prover]
        receipt = manager.claim(prover, self.jobs[order.name])
        self.note("claim", order.name, order.prover, at=self.time_of(receipt))

    def take_over(self, order: Order, prover: str) -> None:
        """Replace a late claimer."""
        self.world.market.manager.reclaim(self.world.keys[prover], self.jobs[order.name])
        self.note("take_over", order.name, prover)

    def proof(self, order: Order, *, prover: str = "") -> Proved:
        """Prove a job, for its prover or for another one."""
        payee = self.world.address(prover or order.prover)
        context = self.world.market.manager.context_of(self.jobs[order.name], payee)
        return self.world.prove(order.model, order.sample, context)

    def settle(self, order: Order, proved: Proved, *, prover: str = "") -> None:
        """Settle a job by its own proof."""
        sender = self.world.keys[prover or order.prover]
        self.world.market.manager.settle(sender, self.jobs[order.name], *proved)
        self.note("settle", order.name)

    def settle_many(self, orders: Sequence[Order], proofs: Sequence[Proved]) -> None:
        """Settle jobs of one prover in one transaction, each by its own proof."""
        settlements = [
            Settlement(self.jobs[order.name], *proved) for order, proved in zip(orders, proofs, strict=True)
        ]
        self.world.market.manager.settle_many(self.world.keys[orders[0].prover], settlements)
        for order in orders:
            self.note("settle", order.name)

    def settle_two(self, one: Order, other: Order) -> None:
        """Settle two jobs of one prover and of the root by one proof."""
        orders, manager, prover = (one, other), self.world.market.manager, self.world.keys[one.prover]
        circuit = self.world.published[one.model].circuits[1].circuit_id
        jobs = [self.jobs[order.name] for order in orders]
        context = manager.batch_context_of(jobs, prover.address)
        manager.settle_batch(prover, jobs, circuit, self.world.prove_two((one.sample, other.sample), context))
        for order in orders:
            self.note("settle", order.name)

    def refund(self, order: Order) -> None:
        """Have a stranger end an expired job."""
        self.world.market.manager.refund(self.world.keys["stranger"], self.jobs[order.name])
        self.note("refund", order.name)

    def cancel(self, order: Order) -> None:
        """Take an unclaimed job back."""
        self.world.market.manager.cancel(self.world.keys[order.requester], self.jobs[order.name])
        self.note("cancel", order.name)

    def open_tab(self, name: str, requester: str, model: str, prover: str, amount: int) -> None:
        """Open a tab whose requests the requester signs."""
        expiry = self.world.market.chain.now() + TAB_SECONDS
        payee, signer = self.world.address(prover), self.world.address(requester)
        spec = TabSpec(self.world.model_id(model), payee, signer, amount, expiry)
        self.tabs[name], _ = self.world.market.tabs.open_tab(self.world.keys[requester], spec)
        self.note("open_tab", name, requester, amount)

    def sign(self, draw: Draw, requester: str) -> tuple[SignedRequest, bytes]:
        """Sign the next request on a tab."""
        tabs = self.world.market.tabs
        number = self.nonces[draw.tab] = self.nonces.get(draw.tab, -1) + 1
        request = SignedRequest(
            tab_id=self.tabs[draw.tab],
            circuit_id=self.world.published[draw.model].circuit.circuit_id,
            input_commitment=input_commitment(self.world.packed(draw.sample)),
            model_fee=draw.model_fee,
            prover_fee=draw.prover_fee,
            expiry=tabs.facts(self.tabs[draw.tab]).expiry,
            nonce=number,
        )
        message = request_message(tabs.chain.chain_id, tabs.address, request)
        return request, sign_message(self.world.keys[requester], message)

    def draw(self, draw: Draw, requester: str) -> None:
        """Settle a signed request from its tab."""
        request, signature = self.sign(draw, requester)
        prover, tabs = self.world.keys[draw.prover], self.world.market.tabs
        context = tabs.context_of(request, prover.address)
        tabs.settle_signed(prover, request, signature, self.world.prove(draw.model, draw.sample, context))
        fees = {"model_fee": draw.model_fee, "prover_fee": draw.prover_fee}
        self.note("settle_request", draw.tab, draw.model, draw.prover, **fees)

    def close_tab(self, name: str, sender: str) -> None:
        """Close a tab."""
        self.world.market.tabs.close_tab(self.world.keys[sender], self.tabs[name])
        self.note("close_tab", name)
