"""`--dry-run` of what the ledger is paid for: the allowance where one is missing, then the move."""

from collections.abc import Callable
from typing import Any

from marketplace.effects import Effects
from marketplace.plans import Plan
from zkml.cli.plans import describe_moves, describe_plan


def describe_escrow(
    market: Any, sender: str, amount: int, *, function: str, effects: Effects, plan: Callable[[], Plan]
) -> tuple[dict[str, Any], str]:
    """Return what a command would send, as JSON and as text.

    Args:
        market: chain and contracts.
        sender: who pays.
        amount: what the ledger takes, in the token's smallest unit.
        function: what would be called, for people.
        effects: what it does; shown where it cannot be simulated before the ledger may take the amount.
        plan: simulates it.
    """
    token, ledger = market.token, market.ledger.address
    if token.allowance(sender, ledger) >= amount:
        return describe_moves([plan()], token.show)
    approve = token.contract.dry_run(sender, "approve", ledger, amount)
    value, text = describe_plan([approve])
    value["then"] = {"function": function, "effects": effects.as_json()}
    lines = [text, f"then {function}", *(f"    effect  {line}" for line in effects.lines(token.show))]
    return value, "\n".join(lines)
