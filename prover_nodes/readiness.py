"""What keeps a node from taking work on, and what only a restart would mend.

The chain is asked here only when the node itself has not read it for a while: mostly it does every few
seconds, and these answers come at once.
"""

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from prover_nodes.health import Health
from prover_nodes.journal import Journal
from prover_nodes.metrics import ChainRead, PrometheusObserver
from prover_nodes.supervisor import Component
from registry.provers import Stake
from zkml.adapters.evm.rpc import Chain
from zkml.core.ports.clock import Clock
from zkml.errors import ChainError

STALE_BLOCK_SECONDS = 300.0
"""A chain whose latest block is older stands still, or its endpoint lags behind."""
SILENT_SECONDS = 30.0
"""When the node has not read the chain for so long, it is asked here."""
LEAST_FREE_BYTES = 64 << 20
"""Journal, witnesses and proofs need room."""
STAKE_SECONDS = 60.0
"""Stake is looked at so often."""


def node_health(
    *,
    components: Sequence[Component],
    metrics: PrometheusObserver,
    journal: Journal,
    folder: Path,
    chain: Chain,
    is_draining: Callable[[], bool],
    stake: Callable[[], Stake],
    auto_stake: bool,
    clock: Clock,
) -> Health:
    """Return the checks of a node.

    Args:
        components: alive while none of them has failed; ready while none has a problem.
        metrics: heard when the chain last answered.
        journal: must take writes.
        folder: where journal and witnesses lie; must have room.
        chain: asked where the node has not read it for a while.
        is_draining: whether nothing new is taken.
        stake: reads the prover's stake.
        auto_stake: whether the node stakes by itself.
        clock: for what is kept for a while.
    """
    answers = _ChainAnswers(chain, metrics)
    ready = {
        **{part.name: part.problem for part in components},
        "chain": answers.look,
        "journal": lambda: _journal(journal, folder),
        "draining": lambda: "the node only finishes what it has promised" if is_draining() else "",
    }
    if not auto_stake:
        held = _Stake(stake, clock)
        # An endpoint that is silent would keep this one waiting as well.
        ready["stake"] = lambda: "" if answers.problem else held()
    alive = {part.name: _failure_of(part) for part in components}
    return Health(alive=alive, ready=ready, clock=clock)


def _failure_of(part: Component) -> Callable[[], str]:
    def check() -> str:
        failure = part.failure()
        return "" if failure is None else f"{type(failure).__name__}: {failure}"

    return check


class _ChainAnswers:
    """Says whether the chain answers, and whether it moves on.

    Attributes:
        problem: what the latest look found.
    """

    def __init__(self, chain: Chain, metrics: PrometheusObserver) -> None:
        self._chain = chain
        self._metrics = metrics
        self.problem = ""

    def look(self) -> str:
        """Return what is wrong, or nothing."""
        self.problem = self._look()
        return self.problem

    def _look(self) -> str:
        read = self._metrics.last_chain_read
        now = time.time()
        if read is None or now - read.at > SILENT_SECONDS:
            try:
                block = self._chain.block()
            except ChainError as error:
                return f"{error.code}: {error.message}"
            read = ChainRead(now, block.number, block.timestamp)
        age = now - read.chain_seconds
        # On a local chain a block comes only when somebody sends something.
        if self._chain.is_local or age <= STALE_BLOCK_SECONDS:
            return ""
        return f"the latest block, {read.head}, is {age:.0f} s old"


def _journal(journal: Journal, folder: Path) -> str:
    # Takes the lock that every write takes, and changes nothing.
    journal.request_store(()).update("none", now=0, reason="")
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return f"no room can be found in {folder}: {error.strerror}"
    return "" if free >= LEAST_FREE_BYTES else f"{free >> 20} MiB are free in {folder}"


class _Stake:
    """Looks at the stake now and then."""

    def __init__(self, read: Callable[[], Stake], clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._kept: tuple[float, str] | None = None

    def __call__(self) -> str:
        now = self._clock.monotonic()
        if self._kept is None or now - self._kept[0] >= STAKE_SECONDS:
            self._kept = now, _stake_problem(self._read())
        return self._kept[1]


def _stake_problem(stake: Stake) -> str:
    if not stake.registered:
        return "the account is not registered as a prover: zkml prover stake AMOUNT"
    return (
        "" if stake.free else f"no stake is free, {stake.locked} units are locked: zkml prover stake AMOUNT"
    )
