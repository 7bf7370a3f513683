"""The transactions of one command: rehearsed together, shown with their effects, or sent in their order."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from marketplace.effects import Change, Effects
from zkml.cli.imo_times import describe_time
from zkml.cli.options import Session

_TIMES = ("lock ends", "can be released", "all has vested at", "pool's liquidity is", "votes are taken until")
"""How the changes begin whose values are chain seconds."""


@dataclass(frozen=True, slots=True)
class Step:
    """One transaction of a command.

    Attributes:
        contract: what is called, a `BoundContract`.
        function: its name.
        arguments: in the order of the ABI.
        effects: what it does, computed from the facts.
    """

    contract: Any
    function: str
    arguments: tuple[Any, ...] = ()
    effects: Effects = field(default_factory=Effects)

    @property
    def name(self) -> str:
        """Contract and function, for people."""
        return f"{self.contract.artifact.name}.{self.function}"

    def send(self, account: Any) -> Any:
        """Send it and return its receipt."""
        return self.contract.transact(account, self.function, *self.arguments)


def payment_approval(market: Any, sender: str, amount: int) -> list[Step]:
    """Return what lets the offerings take exactly `amount` from `sender`; nothing where they may already."""
    token, spender = market.token, market.offerings.address
    if amount == 0 or token.allowance(sender, spender) >= amount:
        return []
    change = Change("what the offerings may take from your account", "less", f"exactly {token.show(amount)}")
    return [Step(token.contract, "approve", (spender, amount), Effects(changes=(change,)))]


def model_approval(market: Any, model: int) -> list[Step]:
    """Return what lets the offerings take the model's token; nothing where they may already."""
    spender = market.offerings.address
    if market.registry.may_take(spender, model):
        return []
    change = Change("who may take the model's token", "you", "you and the offerings, for this model alone")
    return [Step(market.registry.contract, "approve", (spender, model), Effects(changes=(change,)))]


def rehearsed(market: Any, sender: str, steps: Sequence[Step]) -> tuple[int, ...] | None:
    """Simulate all steps together and return their gas; None where the node cannot. Nothing is sent.

    Raises:
        ZkmlError: one would be refused; see `verifier_contracts.rehearsal.rehearse`.
    """
    from verifier_contracts.rehearsal import rehearse

    return rehearse(
        market.chain, [step.contract.plan(step.function, *step.arguments) for step in steps], sender
    )


def show_steps(session: Session, market: Any, sender: str, steps: Sequence[Step], nothing: str = "") -> None:
    """Print what a command would send and what that would do: the whole of its `--dry-run`.

    Args:
        session: whose console prints.
        market: chain and contracts.
        sender: who would sign.
        steps: in their order.
        nothing: why there are none.
    """
    value, text = describe_steps(market, sender, steps)
    if not steps:
        value["nothing"], text = nothing, f"{text}\nnothing to send: {nothing}"
    session.console.result(value, text)


def show_plan(session: Session, market: Any, plan: Any) -> None:
    """Print what a command of one transaction would do; see `show_steps`."""
    session.console.result(*describe_timed([plan], market.token.show))


def describe_timed(plans: Sequence[Any], show: Any) -> tuple[dict[str, Any], str]:
    """Return moves with their effects as JSON and as text, in which chain times can be read.

    Args:
        plans: each a `Plan`.
        show: writes an amount for people; see `PaymentToken.show`.
    """
    from zkml.cli.plans import describe_moves

    value, _ = describe_moves(plans, show)
    _, text = describe_moves([replace(plan, effects=_timed(plan.effects)) for plan in plans], show)
    return value, text


def _timed(effects: Effects) -> Effects:
    """Write out the changes that are chain times."""
    changes = tuple(
        replace(change, after=describe_time(int(change.after)))
        if change.subject.startswith(_TIMES) and change.after.isdecimal()
        else change
        for change in effects.changes
    )
    return replace(effects, changes=changes)


def describe_steps(market: Any, sender: str, steps: Sequence[Step]) -> tuple[dict[str, Any], str]:
    """Return what would be sent as JSON and as text; raises where one would be refused."""
    from marketplace.plans import Plan

    show = market.token.show
    gas = rehearsed(market, sender, steps) if len(steps) > 1 else None
    if gas is not None:
        plans = [_priced(market, step, used) for step, used in zip(steps, gas, strict=True)]
        return describe_timed(plans, show)
    first = [
        Plan(step.contract.dry_run(sender, step.function, *step.arguments), step.effects)
        for step in steps[:1]
    ]
    value, text = describe_timed(first, show)
    rest = steps[1:]
    if rest:
        # This node cannot simulate several calls together, and alone they would be refused.
        value["then"] = [{"function": step.name, "effects": step.effects.as_json()} for step in rest]
        lines = [line for step in rest for line in _then(step, show)]
        text = "\n".join([text, *lines])
    return value, text


def _then(step: Step, show: Any) -> list[str]:
    return [f"then {step.name}", *(f"    effect  {line}" for line in _timed(step.effects).lines(show))]


def _priced(market: Any, step: Step, gas: int) -> Any:
    from marketplace.plans import Plan
    from zkml.adapters.evm.gas import fee_fields, most_per_gas_wei
    from zkml.adapters.evm.transactions import DryRun

    price = most_per_gas_wei(fee_fields(market.chain))
    call = step.contract.plan(step.function, *step.arguments)
    return Plan(DryRun(call.target, call.data, gas, gas * price, call.what, call.arguments), step.effects)


def send_steps(session: Session, market: Any, account: Any, steps: Sequence[Step]) -> list[Any]:
    """Rehearse all steps, then send one after the other, saying so on stderr; return their receipts.

    Raises:
        ZkmlError: one is refused; if it was foreseen, nothing was sent.
    """
    if len(steps) > 1:
        rehearsed(market, account.address, steps)
    receipts = []
    for step in steps:
        receipts.append(step.send(account))
        session.console.note(f"{step.name}: transaction {receipts[-1].transaction}")
    return receipts
