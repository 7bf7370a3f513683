"""The epochs of a training: every example once in each, in random batches, and who waits hears of it."""

import time
from collections.abc import Iterator

import torch

from zkml.core.progress import Progress, ProgressEvent


def shuffled_batches(
    examples: int, batch: int, epochs: int, generator: torch.Generator, progress: Progress
) -> Iterator[torch.Tensor]:
    """Return the indices of each batch's examples, in an order of each epoch's own; tell of every epoch."""
    began = time.monotonic()
    for epoch in range(1, epochs + 1):
        order = torch.randperm(examples, generator=generator)
        yield from (order[start : start + batch] for start in range(0, examples, batch))
        elapsed = time.monotonic() - began
        note = f"epoch {epoch} of {epochs}"
        expected = elapsed * epochs / epoch
        progress(ProgressEvent("train", elapsed, expected, finished=epoch == epochs, note=note))
