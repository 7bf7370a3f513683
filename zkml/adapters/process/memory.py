"""How much memory this machine, or the container around this process, has to give."""

from pathlib import Path

import psutil

_CGROUP = Path("/sys/fs/cgroup")


def available_memory() -> int:
    """Return the bytes that processes may still take before something is killed or swapped."""
    free = int(psutil.virtual_memory().available)
    limit, used = _read("memory.max"), _read("memory.current")
    return free if limit is None or used is None else min(free, max(0, limit - used))


def own_memory() -> int:
    """Return the resident bytes of this process, which all its threads share."""
    return int(psutil.Process().memory_info().rss)


def _read(name: str) -> int | None:
    try:
        text = (_CGROUP / name).read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
