"""The requester's side: open a job, wait, read the proved output, get a refund.

Names are imported when they are first used, so that importing this package costs nothing.
"""

import importlib
from typing import Any

_HOMES = {
    "JobOutput": "zkml.client.outputs",
    "OpenedJob": "zkml.client.openings",
    "OpeningJournal": "zkml.client.journal",
    "OpeningRecord": "zkml.client.journal",
    "Withdrawal": "zkml.client.moves",
    "cancel": "zkml.client.moves",
    "checked_commitment": "zkml.client.models",
    "fetch_manifest": "zkml.client.inputs",
    "open_job": "zkml.client.openings",
    "pack_input": "zkml.client.inputs",
    "read_output": "zkml.client.outputs",
    "refund": "zkml.client.moves",
    "resume_openings": "zkml.client.resuming",
    "wait_for_settlement": "zkml.client.moves",
    "withdraw": "zkml.client.moves",
}

__all__ = sorted(_HOMES)  # noqa: PLE0605 derived, so that it cannot differ; a test compares it with what is there


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted({*globals(), *__all__})
