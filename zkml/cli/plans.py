"""Print what a command would send and what that would do, for `--dry-run`."""

from collections.abc import Callable, Sequence
from typing import Any

from marketplace.plans import Plan
from verifier_contracts.bindings import BoundContract
from verifier_contracts.effects import Effect, Preview, preview
from zkml.adapters.evm.transactions import DryRun
from zkml.cli.options import Session

NO_SIMULATION = "effects unknown: the endpoint simulates none"


def plain(value: Any) -> Any:
    """Return a decoded value as JSON: bytes as hexadecimal, great integers as text."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 1 << 53:
        return str(value)
    return value if isinstance(value, (str, int, bool)) else str(value)


def describe_plan(planned: Sequence[DryRun]) -> tuple[dict[str, Any], str]:
    """Return planned transactions as JSON and as text."""
    value = {"dry_run": True, "transactions": [_transaction(plan) for plan in planned]}
    lines = ["dry run: nothing was sent"]
    for number, plan in enumerate(planned, 1):
        lines += _lines(number, plan)
    return value, "\n".join(lines)


def describe_moves(plans: Sequence[Plan], show: Callable[[int], str]) -> tuple[dict[str, Any], str]:
    """Return moves of the market with their effects, as JSON and as text.

    Args:
        plans: each simulated at the head of the chain.
        show: writes an amount for people; see `PaymentToken.show`.
    """
    value = {
        "dry_run": True,
        "transactions": [{**_transaction(plan.dry_run), "effects": plan.effects.as_json()} for plan in plans],
    }
    lines = ["dry run: nothing was sent"]
    for number, plan in enumerate(plans, 1):
        lines += _lines(number, plan.dry_run)
        lines += [f"    effect  {line}" for line in plan.effects.lines(show)]
    return value, "\n".join(lines)


def describe_previews(previews: Sequence[Preview]) -> tuple[dict[str, Any], str]:
    """Return transactions with the events that they would emit, as JSON and as text."""
    value = {
        "dry_run": True,
        "transactions": [
            {
                **_transaction(each.dry_run),
                "events": None if each.effects is None else [_event(effect) for effect in each.effects],
            }
            for each in previews
        ],
    }
    lines = ["dry run: nothing was sent"]
    for number, each in enumerate(previews, 1):
        lines += _lines(number, each.dry_run)
        if each.effects is None:
            lines.append(f"    {NO_SIMULATION}")
        lines += [f"    event   {_event_text(effect)}" for effect in each.effects or ()]
    return value, "\n".join(lines)


def show_preview(
    session: Session, market: Any, sender: str, contract: BoundContract, function: str, *arguments: Any
) -> None:
    """Print what one transaction would do: the whole of a command's `--dry-run`.

    Args:
        session: whose console prints.
        market: its deployment gives addresses their names.
        sender: who would sign.
        contract: what would be called.
        function: its name.
        arguments: in the order of the ABI.
    """
    found = preview(contract, sender, function, *arguments, names=market.deployment.addresses)
    session.console.result(*describe_previews([found]))


def _transaction(plan: DryRun) -> dict[str, Any]:
    return {
        "target": plan.target,
        "function": plan.function,
        "arguments": {name: plain(found) for name, found in plan.arguments.items()},
        "calldata": "0x" + plan.calldata.hex(),
        "gas": plan.gas,
        "max_cost_wei": str(plan.max_cost_wei),
    }


def _lines(number: int, plan: DryRun) -> list[str]:
    head = f"{number} {plan.function}  to {plan.target or 'a new contract'}  gas {plan.gas}"
    return [head, *(f"    {name} = {_short(found)}" for name, found in plan.arguments.items())]


def _event(effect: Effect) -> dict[str, Any]:
    return {
        "contract": effect.contract,
        "address": effect.address,
        "event": effect.event,
        "arguments": {name: plain(found) for name, found in effect.arguments.items()},
    }


def _event_text(effect: Effect) -> str:
    arguments = ", ".join(f"{name}={_short(found)}" for name, found in effect.arguments.items())
    return f"{effect.contract}.{effect.event or 'unknown event'}({arguments})"


def _short(value: Any) -> str:
    # Ids are numbers to the contracts, and hexadecimal to everybody else.
    is_id = isinstance(value, int) and value >= 1 << 128
    text = f"{value:#066x}" if is_id else str(plain(value))
    return text if len(text) <= 80 else f"{text[:60]}... ({len(text)} characters)"
