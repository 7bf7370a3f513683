"""Child processes that wait for work, several at once, and what is left when somebody else kills them."""

import os
import signal
import sys
import threading
import time
from collections.abc import Sequence

import psutil
import pytest

from zkml.adapters.process.child import Limits, ReadyChild, run_child
from zkml.errors import ProverLimitError

MEBIBYTE = 1 << 20
ROOMY = Limits(memory_bytes=512 * MEBIBYTE, wall_seconds=60)
ECHO = "import sys; print('up', file=sys.stderr, flush=True); sys.stdout.write(sys.stdin.read())"
HUNGRY = "held = bytearray(200 << 20); import threading; threading.Event().wait()"
WITH_GRANDCHILD = """
import subprocess, sys
grandchild = subprocess.Popen([sys.executable, "-c", "import threading; threading.Event().wait()"])
sys.stdin.read()
grandchild.wait()
"""


def in_threads(*actions) -> None:
    threads = [threading.Thread(target=action) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def descendants() -> list[int]:
    """Return this process's living descendants."""
    found = psutil.Process().children(recursive=True)
    return [process.pid for process in found if process.status() != psutil.STATUS_ZOMBIE]


BEFORE: set[int] = set()


@pytest.fixture(autouse=True)
def _only_new_ones_count():
    """What other tests of this process keep running, such as a chain, is none of ours."""
    BEFORE.clear()
    BEFORE.update(descendants())


def strays() -> list[int]:
    """Return the living descendants that began with this test."""
    return [pid for pid in descendants() if pid not in BEFORE]


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_ready_child__used_later__answers_and_is_gone():
    """A child that was started earlier takes its input when it comes, and leaves nothing behind."""
    child = ReadyChild([sys.executable, "-c", ECHO])
    assert child.is_alive
    result = child.run(b"hello", limits=ROOMY)
    child.close()
    assert (result.stdout, result.stderr, result.returncode) == (b"hello", b"up\n", 0)
    assert not child.is_alive
    assert strays() == []


def test_ready_child__never_used__ends_at_close_with_its_descendants():
    """A spare that nobody needs is no stray."""
    child = ReadyChild([sys.executable, "-c", WITH_GRANDCHILD])
    deadline = time.monotonic() + 20
    while len(strays()) < 3 and time.monotonic() < deadline:
        os.sched_yield()
    assert len(strays()) == 3
    child.close()
    child.close()
    assert strays() == []


def test_run_child__several_threads__limits_hold_for_each_alone():
    """Beside one child that outgrows its memory and one that is too slow, others end undisturbed."""
    results: dict[str, object] = {}

    def run(name: str, code: str, limits: Limits) -> None:
        try:
            results[name] = run_child([sys.executable, "-c", code], limits=limits, stdin=b"x").stdout
        except ProverLimitError as error:
            results[name] = error.context["limit"]

    slow = "import threading; threading.Event().wait()"
    in_threads(
        lambda: run("hungry", HUNGRY, Limits(100 * MEBIBYTE, 60)),
        lambda: run("slow", slow, Limits(512 * MEBIBYTE, 0.5)),
        lambda: run("one", ECHO, ROOMY),
        lambda: run("two", ECHO, ROOMY),
    )
    assert results == {"hungry": "memory", "slow": "time", "one": b"x", "two": b"x"}
    assert strays() == []


@pytest.mark.parametrize("victim", ["command", "guard"])
def test_run_child__killed_from_outside__ends_with_137_and_no_strays(victim):
    """The system's out-of-memory killer may take the command or its guard: the call ends, nothing stays."""
    seen: list[int] = []

    def kill(processes: Sequence[int]) -> None:
        if len(processes) < 2 or seen:
            return
        seen.extend(processes)
        parents = {pid: psutil.Process(pid).ppid() for pid in processes}
        command = next(pid for pid in processes if parents[pid] not in processes)
        os.kill(command if victim == "command" else parents[command], signal.SIGKILL)

    command = [sys.executable, "-c", WITH_GRANDCHILD.replace("sys.stdin.read()", "")]
    result = run_child(command, limits=ROOMY, on_sample=kill)
    assert len(seen) == 2
    assert result.returncode == (137 if victim == "command" else -9)
    # What lost its guard is nobody's child any more, so it is looked for by its id.
    deadline = time.monotonic() + 20
    while (left := [pid for pid in seen if is_alive(pid)]) and time.monotonic() < deadline:
        os.sched_yield()
    assert left == []


def test_run_child__sampled__hears_of_the_whole_tree():
    """Whoever counts a device's memory by process hears of every process of the command."""
    heard: set[int] = set()

    def hear(processes: Sequence[int]) -> None:
        heard.update(processes)
        if len(heard) > 1:
            psutil.Process(max(heard)).kill()

    command = [sys.executable, "-c", WITH_GRANDCHILD]
    result = run_child(command, limits=ROOMY, on_sample=hear)
    assert result.returncode == 0
    assert len(heard) == 2
