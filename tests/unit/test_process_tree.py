"""A glance at a process's descendants sees what the process table shows, at a small part of the cost."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from zkml.adapters.process import tree

# A thread that is not the first starts a shell that starts a sleeper: three lists of children to read.
FAMILY = """
import subprocess, sys, threading
def start():
    child = subprocess.Popen(["sh", "-c", "sleep 60 & wait"])
    threading.Event().wait()
threading.Thread(target=start, daemon=True).start()
sys.stdin.read()
"""


@pytest.fixture
def family() -> Iterator[int]:
    """Yield the id of a process with two descendants."""
    process = subprocess.Popen([sys.executable, "-c", FAMILY], stdin=subprocess.PIPE, start_new_session=True)
    try:
        deadline = time.monotonic() + 30
        while len(tree.tree_of(process.pid)) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        yield process.pid
    finally:
        for descendant in tree.tree_of(process.pid):
            descendant.kill()
        process.kill()
        process.communicate()


@pytest.mark.parametrize("keeps_children", [True, False])
def test_resident_by_process__a_thread_started_the_child__the_whole_family_is_seen(
    family: int, keeps_children: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ways of looking find each descendant, in whatever thread it was started, with its memory."""
    if not keeps_children:
        monkeypatch.setattr(tree, "_keeps_children", lambda: False)
    found = tree.resident_by_process(family)
    assert set(found) == {process.pid for process in psutil.Process(family).children(recursive=True)}
    assert len(found) == 2
    assert all(0 < resident < 1 << 30 for resident in found.values())


def test_resident_by_process__ended__nothing_is_found() -> None:
    """A process that is gone has no descendants, and is no error."""
    process = subprocess.Popen(["true"])
    process.wait()
    assert tree.resident_by_process(process.pid) == {}


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own lists are Linux's")
def test_resident_by_process__itself__is_what_the_process_table_says(family: int) -> None:
    """The memory read from the kernel is psutil's figure for the same process."""
    found = tree.resident_by_process(os.getpid())[family]
    assert found == pytest.approx(psutil.Process(family).memory_info().rss, rel=0.2)
