"""What this node asks for one request: its operator's fee, or what it costs if that is more."""

import threading
from collections import deque
from dataclasses import dataclass, field

from prover_nodes.policy import Policy
from prover_nodes.profit import costs_of
from zkml.core.ports.clock import Clock

OPENING_GAS = 300_000
"""What opening a tab in its requester's name uses, rounded up."""
HONOURED_SECONDS = 600.0
"""A fee that was asked is accepted so long, though gas has become dearer since."""


@dataclass(slots=True)
class FeePolicy:
    """What is asked, in the payment token's smallest unit. Thread-safe.

    Attributes:
        policy: costs, and the least fee of all work.
        prover_fee: what the operator asks for a request.
        clock: says how long ago a fee was asked.
    """

    policy: Policy
    prover_fee: int
    clock: Clock
    _asked: dict[bytes, deque[tuple[float, int]]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def needs_gas_price(self) -> bool:
        """Whether gas is part of the fee."""
        return self.policy.units_per_ether > 0

    def ask(self, circuit_id: bytes, *, gas: int, seconds: float, gas_price_wei: int) -> int:
        """Return the fee to ask now, and remember that it was asked.

        Args:
            circuit_id: 32 bytes.
            gas: what settling it uses at most.
            seconds: what one proof takes.
            gas_price_wei: of one gas.
        """
        costs = costs_of(self.policy, gas=gas, gas_price_wei=gas_price_wei, seconds=seconds)
        fee = max(self.prover_fee, self.policy.min_fee, costs.amount)
        with self._lock:
            self._recent(circuit_id).append((self.clock.monotonic(), fee))
        return fee

    def least(self, circuit_id: bytes, asked: int) -> int:
        """Return the least fee to accept: the least that was asked lately."""
        with self._lock:
            return min((fee for _, fee in self._recent(circuit_id)), default=asked)

    def opening_cost(self, gas_price_wei: int) -> int:
        """Return what opening a tab for somebody costs; 0 where the operator left gas out."""
        return costs_of(self.policy, gas=OPENING_GAS, gas_price_wei=gas_price_wei, seconds=0.0).amount

    def _recent(self, circuit_id: bytes) -> deque[tuple[float, int]]:
        recent = self._asked.setdefault(circuit_id, deque(maxlen=10_000))
        earliest = self.clock.monotonic() - HONOURED_SECONDS
        while recent and recent[0][0] < earliest:
            recent.popleft()
        return recent
