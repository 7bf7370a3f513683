"""Which processes descend from one, and how much memory each holds.

Linux keeps a list of children with each thread, which is read in microseconds however many processes the
machine has. It may leave one out while another ends, so it serves those who look again soon; who ends a tree
looks through the process table.
"""

import contextlib
import functools
import os
from pathlib import Path

import psutil

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def tree_of(process_id: int) -> list[psutil.Process]:
    """Return the living descendants of a process, without itself, found through the process table."""
    try:
        return psutil.Process(process_id).children(recursive=True)
    except psutil.Error:
        return []


def resident_by_process(process_id: int) -> dict[int, int]:
    """Return the resident bytes of each living descendant of a process, by process id; a cheap glance."""
    if _keeps_children():
        return _glance(process_id)
    found: dict[int, int] = {}
    for process in tree_of(process_id):
        with contextlib.suppress(psutil.Error):
            found[process.pid] = process.memory_info().rss
    return found


@functools.cache
def _keeps_children() -> bool:
    """Say whether this kernel lists children; not all are built so."""
    own = os.getpid()
    return Path(f"/proc/{own}/task/{own}/children").exists()


def _glance(process_id: int) -> dict[int, int]:
    found: dict[int, int] = {}
    waiting = _children(process_id)
    while waiting:
        child = waiting.pop()
        if child in found:
            continue
        # One that ended meanwhile holds nothing.
        with contextlib.suppress(OSError, IndexError):
            found[child] = int(_read(f"/proc/{child}/statm").split()[1]) * _PAGE_BYTES
            waiting += _children(child)
    return found


def _children(process_id: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{process_id}/task"):  # noqa: PTH208 done five times a second, for hours
            # A thread may end while its siblings are read.
            with contextlib.suppress(OSError):
                found += map(int, _read(f"/proc/{process_id}/task/{task}/children").split())
    return found


def _read(path: str) -> bytes:
    with open(path, "rb") as stream:  # noqa: PTH123 as above
        return stream.read()
