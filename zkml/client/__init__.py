"""The requester's side: jobs and tabs, proved outputs, and money back.

Names are imported when they are first used, so that importing this package costs nothing.
"""

import importlib
from typing import Any

_HOMES = {
    "AsyncModel": "zkml.client.model",
    "JobOutput": "zkml.client.outputs",
    "Model": "zkml.client.model",
    "OpenedJob": "zkml.client.openings",
    "OpenedTab": "zkml.client.tabs",
    "OpeningJournal": "zkml.client.journal",
    "OpeningRecord": "zkml.client.journal",
    "Prediction": "zkml.client.model",
    "Proved": "zkml.client.answers",
    "Receipt": "zkml.client.receipts",
    "RequestJournal": "zkml.client.request_journal",
    "Requester": "zkml.client.requester",
    "TabAnswer": "zkml.client.answers",
    "TabJournal": "zkml.client.tab_journal",
    "Withdrawal": "zkml.client.moves",
    "cancel": "zkml.client.moves",
    "checked_commitment": "zkml.client.models",
    "checked_tab": "zkml.client.tabs",
    "close_tab": "zkml.client.tabs",
    "fetch_manifest": "zkml.client.inputs",
    "open_job": "zkml.client.openings",
    "open_requester": "zkml.client.requester",
    "open_tab": "zkml.client.tabs",
    "pack_input": "zkml.client.inputs",
    "read_answer": "zkml.client.answers",
    "read_output": "zkml.client.outputs",
    "refund": "zkml.client.moves",
    "resume_openings": "zkml.client.resuming",
    "sign_request": "zkml.client.signing",
    "verify_answer": "zkml.client.answers",
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
