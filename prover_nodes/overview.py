"""Every market that a node's journal knows; asks no chain."""

from pathlib import Path

from prover_nodes.journal import Journal
from prover_nodes.status import NodeStatus, read_status
from zkml.adapters.database.engine import sqlite_url
from zkml.adapters.database.journal_store import JournalStore


def read_all_statuses(location: Path) -> list[tuple[str, NodeStatus]]:
    """Sum up a node's journal, market by market.

    Args:
        location: the SQLite file; one that is not there has no markets, and is not made.

    Returns:
        Each market's scope with its status, in order of scope.

    Raises:
        StorageError: the journal cannot be read, or is of another version.
    """
    if not location.exists():
        return []
    with JournalStore(sqlite_url(location)) as store:
        scopes = sorted({row.scope for row in store.requests(None)})
        return [(scope, read_status(Journal(store, scope))) for scope in scopes]
