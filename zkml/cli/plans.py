"""Print what a command would send, for `--dry-run`."""

from collections.abc import Sequence
from typing import Any

from zkml.adapters.evm.transactions import DryRun


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 1 << 53:
        return str(value)
    return value if isinstance(value, (str, int, bool)) else str(value)


def _short(value: Any) -> str:
    text = str(_plain(value))
    return text if len(text) <= 80 else f"{text[:60]}... ({len(text)} characters)"


def describe_plan(planned: Sequence[DryRun]) -> tuple[dict[str, Any], str]:
    """Return planned transactions as JSON and as text."""
    value = {
        "dry_run": True,
        "transactions": [
            {
                "target": plan.target,
                "function": plan.function,
                "arguments": {name: _plain(found) for name, found in plan.arguments.items()},
                "calldata": "0x" + plan.calldata.hex(),
                "gas": plan.gas,
                "max_cost_wei": str(plan.max_cost_wei),
            }
            for plan in planned
        ],
    }
    lines = ["dry run: nothing was sent"]
    for number, plan in enumerate(planned, 1):
        lines.append(f"{number} {plan.function}  to {plan.target or 'a new contract'}  gas {plan.gas}")
        lines += [f"    {name} = {_short(found)}" for name, found in plan.arguments.items()]
    return value, "\n".join(lines)
