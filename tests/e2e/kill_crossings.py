"""The boundaries between a node's stages, and a process that dies, waits or changes its chain at one of them.

Ports are wrapped where they are defined, so that the node itself is put together as `zkml prover run` does.
Each crossing is appended to a file before anything else happens: a line survives the SIGKILL after it.
"""

import dataclasses
import functools
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import event

from prover_nodes import build
from prover_nodes.chain_port import ChainTransactions
from prover_nodes.circuit_port import BundleCircuit
from prover_nodes.direct.journal import RequestJournal
from prover_nodes.direct.views import Views
from prover_nodes.journal import Journal
from prover_nodes.outbox import Outbox
from prover_nodes.supervisor import Supervisor
from zkml.adapters.database import engine
from zkml.adapters.database.request_store import RequestStore

Name = Callable[..., str]
"""Names a crossing by the arguments of its call."""

PORTS: tuple[tuple[type, str, Name], ...] = (
    (Supervisor, "run", lambda _self, *_: "start"),
    # The journal of jobs.
    (Journal, "advance", lambda _self, _block, **_: "watch"),
    (Journal, "file", lambda _self, _case, stage, _record: f"file {stage}"),
    (Journal, "mark", lambda _self, _case, state, _reason="": f"mark {state}"),
    (Journal, "keep_transaction", lambda _self, _subject, purpose, _signed: f"keep {purpose}"),
    # Transactions.
    (ChainTransactions, "sign", lambda _self, call, **_: f"sign {call.what}"),
    (ChainTransactions, "broadcast", lambda _self, signed: f"broadcast {signed.what}"),
    (ChainTransactions, "simulate", lambda _self, call: f"simulate {call.what}"),
    (Outbox, "deliver", lambda _self, _subject, purpose, _call, **_: f"deliver {purpose}"),
    (Outbox, "confirm", lambda _self, _transaction, what: f"confirm {what}"),
    # Circuits.
    (BundleCircuit, "witness", lambda _self, _input, **_: "witness"),
    (BundleCircuit, "prove", lambda _self, _input, _output, **_: "prove"),
    (BundleCircuit, "verify", lambda _self, _input, _output, _proof, **_: "verify"),
    # Requests on tabs.
    (RequestJournal, "accept", lambda _self, _accepted, **_: "accept"),
    (RequestJournal, "mark", lambda _self, _case, state, **_: f"mark request {state}"),
    (RequestStore, "add_stages", lambda _self, _id, stages: f"file request {','.join(stages)}"),
    (Views, "answer", lambda _self, _case: "answer"),
)
BEFORE, AFTER = "before", "after"


class Crossings:
    """Writes crossings down, and does at one of them what was asked for."""

    def __init__(self, given: dict[str, Any]) -> None:
        """Watch.

        Args:
            given: `crossings`, the file to write to; `at`, the crossing; `number`, which time; `do`: `kill`,
                `hold` (until it is killed from outside), or `unmined`: hand a transaction over, mine nothing,
                and die.
        """
        self._file = os.open(given["crossings"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._at = given.get("at", "")
        self._left = given.get("number", 1)
        self._do = given.get("do", "kill")
        self._lock = threading.Lock()

    def cross(self, crossing: str) -> bool:
        """Note a crossing; die at the one that is waited for, or say that it was crossed."""
        with self._lock:
            os.write(self._file, f"{crossing}\n".encode())
            if crossing != self._at:
                return False
            self._left -= 1
            if self._left:
                return False
            if self._do == "kill":
                die()
        while self._do == "hold":
            time.sleep(0.05)
        return True


def die() -> None:
    """End like a process whose power is cut."""
    os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()


def watch_crossings(given: dict[str, Any]) -> None:
    """Wrap the ports of this process."""
    crossings = Crossings(given)
    for owner, method, name in PORTS:
        _wrap(owner, method, name, crossings)
    for change in given.get("changes", ()):
        CHANGES[change["name"]](change)


def _wrap(owner: type, method: str, name: Name, crossings: Crossings) -> None:
    inner = getattr(owner, method)

    @functools.wraps(inner)
    def crossed(self: Any, *arguments: Any, **named: Any) -> Any:
        called = name(self, *arguments, **named)
        is_mine = crossings.cross(f"{called}:{BEFORE}")
        if is_mine and owner is ChainTransactions:
            # It reaches the mempool, and no block.
            self._chain.request("evm_setAutomine", False)
        result = inner(self, *arguments, **named)
        if is_mine:
            die()
        crossings.cross(f"{called}:{AFTER}")
        return result

    setattr(owner, method, crossed)


def _deep(change: dict[str, Any]) -> None:
    """Ask for blocks on top of everything, as on a chain that is not a local one."""
    policy_of = build.policy_of

    def policy(*arguments: Any) -> Any:
        return dataclasses.replace(policy_of(*arguments), confirmations=change["confirmations"])

    build.policy_of = policy


def _full(change: dict[str, Any]) -> None:
    """Let the journal's file grow no more once a boundary was crossed: SQLite says that the disk is full."""
    cross, is_full = Crossings.cross, threading.Event()

    def crossed(self: Crossings, crossing: str) -> bool:
        result = cross(self, crossing)
        if crossing == change["since"]:
            is_full.set()
        return result

    Crossings.cross = crossed  # type: ignore[method-assign]
    open_engine = engine._sqlite_engine

    def opened(url: Any) -> Any:
        made = open_engine(url)
        event.listen(made, "checkout", limit)
        return made

    def limit(connection: Any, _record: Any, _proxy: Any) -> None:
        # Less than what is there means: no more than that.
        connection.execute(f"PRAGMA max_page_count={1 if is_full.is_set() else 1 << 30}")

    engine._sqlite_engine = opened


CHANGES: dict[str, Callable[[dict[str, Any]], None]] = {"deep": _deep, "full": _full}
