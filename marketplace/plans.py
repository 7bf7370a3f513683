"""A transaction of the market before anybody signs it: what would be sent, what it would cost and do."""

from dataclasses import dataclass

from marketplace.effects import Effects
from zkml.adapters.evm.transactions import DryRun


@dataclass(frozen=True, slots=True)
class Plan:
    """One transaction that was simulated and not sent.

    Attributes:
        dry_run: target, calldata, gas.
        effects: who pays what to whom, and what changes; computed from the facts at the head of the chain.
    """

    dry_run: DryRun
    effects: Effects
