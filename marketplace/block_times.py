"""Which block a time belongs to, and long readings of events that say where they are."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from verifier_contracts.bindings import BoundContract
from zkml.adapters.evm.abi import Event
from zkml.adapters.evm.rpc import Chain
from zkml.core.progress import Progress, ProgressEvent, silent

STEP_BLOCKS = 20_000
"""How many blocks are read between two reports."""


class BlockTimes:
    """The times of a chain's blocks, each asked for once."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._known: dict[int, int] = {}

    def time_of(self, height: int) -> int:
        """Return the time of a block, in chain seconds.

        Raises:
            RpcError: see `Chain.block`.
        """
        if height not in self._known:
            self._known[height] = self._chain.block(height).timestamp
        return self._known[height]

    def first_after(self, instant: int, *, first: int, last: int) -> int:
        """Return the first height in `first`..`last` whose block is later than `instant`; else `last` + 1."""
        low, high = first, last + 1
        while low < high:
            middle = (low + high) // 2
            if self.time_of(middle) > instant:
                high = middle
            else:
                low = middle + 1
        return low


class EventScan:
    """Reads events up to one height, a bounded range of blocks at a time.

    Attributes:
        last_block: the last height that is read.
    """

    def __init__(self, last_block: int, progress: Progress = silent) -> None:
        self.last_block = last_block
        self._progress = progress

    def read(
        self,
        contract: BoundContract,
        event: str,
        filters: Mapping[str, Any] | None = None,
        *,
        first_block: int,
        last_block: int | None = None,
    ) -> Iterator[Event]:
        """Yield events, oldest first.

        Args:
            contract: whose they are.
            event: its name.
            filters: values of indexed arguments by name.
            first_block: first height.
            last_block: last height; never beyond the scan's own.

        Raises:
            RpcError: see `Chain.logs`.
        """
        last = self.last_block if last_block is None else min(last_block, self.last_block)
        stage, started = f"read {contract.artifact.name}.{event}", time.monotonic()
        for start in range(first_block, last + 1, STEP_BLOCKS):
            end = min(start + STEP_BLOCKS - 1, last)
            yield from contract.find_events(event, filters, from_block=start, to_block=end)
            elapsed, done = time.monotonic() - started, (end + 1 - first_block) / (last + 1 - first_block)
            self._progress(
                ProgressEvent(stage, elapsed, elapsed / done, end == last, f"block {end} of {last}")
            )
