"""Stake: have free what a claim will lock, before it is made."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from prover_nodes.journal import Case, Purpose
from prover_nodes.outbox import Outbox
from prover_nodes.policy import Policy, Skip, SkipCode
from prover_nodes.ports import Market
from registry.provers import Stake
from zkml.adapters.evm.transactions import Call
from zkml.core.job_machine import JobFacts
from zkml.core.pricing import payment_for
from zkml.errors import InsufficientFundsError

LOOKAHEAD_SECONDS = 60
"""A rising offer makes the claim dearer while it waits to be mined."""
MAX_PROOF_SYSTEMS = 8

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StakePlan:
    """What has to be sent before a claim.

    Attributes:
        register: whether the account has to register as a prover.
        amount: what to add to its stake, in the token's smallest unit.
        needed: what the claim will lock at most, in the token's smallest unit.
        repeated: what was mined already when the chain was asked, and does not suffice.
    """

    register: bool
    amount: int
    needed: int
    repeated: frozenset[Purpose] = frozenset()

    @property
    def suffices(self) -> bool:
        """Whether the stake suffices as it is."""
        return not self.register and not self.amount


def collateral_of(facts: JobFacts, market: Market) -> int:
    """Return what a claim of a job will lock at most if it is mined soon, in the token's smallest unit."""
    soon = market.now() + LOOKAHEAD_SECONDS
    price = facts.price or payment_for(facts.quote, facts.prover_fee_at(soon)).price
    return market.collateral_terms().collateral_for(price)


def plan_stake(
    case: Case, facts: JobFacts, *, policy: Policy, market: Market, outbox: Outbox
) -> StakePlan | Skip:
    """Find out what the stake of this prover lacks for a claim; nothing is sent.

    Returns:
        What to send, or why the job is left alone.

    Raises:
        InsufficientFundsError: the account has too few tokens.
        RpcError: the endpoint does not answer.
    """
    # Asked for before the stake: what is mined in between is found by the outbox, and not sent twice.
    steps = (Purpose.REGISTER, Purpose.APPROVE, Purpose.STAKE)
    repeated = frozenset(step for step in steps if outbox.find(case, step) is not None)
    held, terms, needed = market.stake(), market.collateral_terms(), collateral_of(facts, market)
    if held.registered and held.free >= needed:
        return StakePlan(register=False, amount=0, needed=needed)
    if not policy.auto_stake:
        found = f"{held.free} free" if held.registered else "an account that is not registered"
        return _too_low(f"{needed} needed, {found}: zkml prover stake AMOUNT")
    # The greatest collateral this job can ask for, so that the amount is the same after a restart.
    wanted = terms.collateral_for(facts.escrow) - held.free
    amount = max(0, min(wanted, policy.max_stake - held.free - held.locked))
    if held.free + amount < needed:
        return _too_low(
            f"{needed} needed, {held.free} free, {held.locked} locked, at most {policy.max_stake}"
        )
    return StakePlan(not held.registered, _affordable(amount, needed, held, market), needed, repeated)


def add_stake(
    case: Case, plan: StakePlan, proof_systems: Sequence[bytes], *, market: Market, outbox: Outbox
) -> None:
    """Send what a plan says: registration, an allowance of exactly the amount, the stake.

    Args:
        case: the job.
        plan: from `plan_stake`.
        proof_systems: what this prover can prove, ids of 4 bytes.
        market: the chain.
        outbox: keeps each transaction before it is sent.

    Raises:
        ChainError: see `Outbox.deliver`.
    """
    if plan.register:
        systems = sorted(set(proof_systems))[:MAX_PROOF_SYSTEMS]
        _deliver(case, Purpose.REGISTER, plan, market.plan_register(systems), outbox)
    if plan.amount:
        if market.allowance() < plan.amount:
            _deliver(case, Purpose.APPROVE, plan, market.plan_approve(plan.amount), outbox)
        _deliver(case, Purpose.STAKE, plan, market.plan_stake(plan.amount), outbox)
        _log.info("%d units staked for job %s", plan.amount, case.request.job_id)


def _deliver(case: Case, purpose: Purpose, plan: StakePlan, call: Call, outbox: Outbox) -> None:
    outbox.deliver(case, purpose, call, repeat=purpose in plan.repeated)


def _affordable(amount: int, needed: int, held: Stake, market: Market) -> int:
    """Return how much of an amount the account can stake, which must be enough for the claim."""
    balance = market.balance() if amount else 0
    if held.free + min(amount, balance) < needed:
        raise InsufficientFundsError(
            f"expected {needed - held.free} units of the payment token to stake, "
            f"found {balance} in {market.account}",
            hint="fund the prover's account with the payment token",
            account=market.account,
        )
    return min(amount, balance)


def _too_low(note: str) -> Skip:
    return Skip(SkipCode.STAKE_TOO_LOW, note)
