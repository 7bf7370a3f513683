"""A child process ends with its parent, within its limits, and says what it used."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from zkml.adapters.process import guard
from zkml.adapters.process.child import ChildResult, Limits, run_child
from zkml.errors import ProverLimitError, ToolchainError

MEBIBYTE = 1 << 20
ROOMY = Limits(memory_bytes=512 * MEBIBYTE, wall_seconds=60)
FOREVER = "import sys, threading; print('up', flush=True); threading.Event().wait()"

WITH_GRANDCHILD = f"""
import os, subprocess, sys
grandchild = subprocess.Popen([sys.executable, "-c", {FOREVER!r}])
print(os.getpid(), grandchild.pid, flush=True)
grandchild.wait()
"""


def run_python(code: str, *, limits: Limits = ROOMY, **options: object) -> ChildResult:
    return run_child([sys.executable, "-c", code], limits=limits, **options)


def children() -> set[int]:
    """Return the ids of all descendants: other tests of this process may keep some for longer."""
    return {child.pid for child in psutil.Process().children(recursive=True)}


def started_since(before: set[int]) -> set[int]:
    return children() - before


def is_dead(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until_dead(*pids: int) -> list[int]:
    """Poll until all are dead; return who is left after the deadline."""
    deadline = time.monotonic() + 20
    while (left := [pid for pid in pids if not is_dead(pid)]) and time.monotonic() < deadline:
        os.sched_yield()
    return left


def start_parent(tmp_path: Path, limits: str) -> tuple[subprocess.Popen[bytes], list[int]]:
    """Start a parent that runs a child with a grandchild; return it and the ids of the two."""
    pids = tmp_path / "pids"
    code = f"""
import sys
from zkml.adapters.process.child import Limits, run_child
code = "import os, subprocess, sys\\n" \\
    "g = subprocess.Popen([sys.executable, '-c', 'import threading; threading.Event().wait()'])\\n" \\
    "open({str(pids)!r} + '.part', 'w').write(f'{{os.getpid()}} {{g.pid}}')\\n" \\
    "os.rename({str(pids)!r} + '.part', {str(pids)!r})\\n" \\
    "g.wait()"
run_child([sys.executable, "-c", code], limits=Limits({limits}))
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 30
    while not pids.exists() and time.monotonic() < deadline and parent.poll() is None:
        os.sched_yield()
    return parent, [int(pid) for pid in pids.read_text().split()]


def test_run_child__echo__returns_output_and_code():
    """Standard input goes in; both outputs, the exit code, time and peak memory come back."""
    code = "import sys; print(sys.stdin.read()[::-1]); sys.stderr.write('note'); sys.exit(7)"
    result = run_python(code, stdin=b"abc")
    assert (result.stdout, result.stderr, result.returncode) == (b"cba\n", b"note", 7)
    assert 0 < result.wall_seconds < ROOMY.wall_seconds
    assert MEBIBYTE < result.peak_rss_bytes < ROOMY.memory_bytes


def test_run_child__input_larger_than_a_pipe__arrives_whole():
    """A megabyte of input and of output passes, though a pipe holds 64 kB."""
    data = bytes(range(256)) * 4096
    result = run_python("import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())", stdin=data)
    assert result.stdout == data


def test_run_child__child_ignores_its_input__still_returns():
    """A child that never reads its input does not block or break its parent."""
    assert run_python("pass", stdin=b"x" * MEBIBYTE).returncode == 0


def test_run_child__peak_memory__is_the_kernels_figure():
    """A short burst of memory between two polls is in the reported peak."""
    result = run_python("x = bytearray(200 * 1024 * 1024)")
    assert result.peak_rss_bytes > 200 * MEBIBYTE


def test_run_child__command_that_ends_at_once__still_has_its_peak():
    """The peak is known even of a command that is over before anybody looks."""
    assert all(run_child(["true"], limits=ROOMY).peak_rss_bytes > 0 for _ in range(20))


def test_run_child__killed_by_signal__code_is_128_plus_signal():
    """A crash is told apart from an exit code by the shell's convention."""
    result = run_python("import os, signal; os.kill(os.getpid(), signal.SIGABRT)")
    assert result.returncode == 128 + signal.SIGABRT


def test_run_child__past_memory__names_limit_and_kills_tree():
    """A grandchild that outgrows the memory limit ends the tree, with both figures in the error."""
    before = children()
    hog = "x = bytearray(300 * 1024 * 1024)\nimport threading\nthreading.Event().wait()"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hog!r}])"
    with pytest.raises(ProverLimitError, match="of memory") as raised:
        run_python(code, limits=Limits(memory_bytes=150 * MEBIBYTE, wall_seconds=60))
    assert raised.value.context["limit"] == "memory"
    assert raised.value.context["found"] > raised.value.context["expected"] == 150 * MEBIBYTE
    assert not started_since(before)


def test_run_child__past_time__names_limit_and_kills_tree():
    """A child that waits for ever ends at the time limit."""
    before = children()
    with pytest.raises(ProverLimitError, match="of time") as raised:
        run_python(FOREVER, limits=Limits(memory_bytes=512 * MEBIBYTE, wall_seconds=0.3))
    assert raised.value.context["expected"] == 0.3
    assert not started_since(before)


def test_run_child__endless_output__is_stopped_at_the_limit():
    """A child that writes without end fills no memory: it is ended at the output limit."""
    limits = Limits(memory_bytes=512 * MEBIBYTE, wall_seconds=60, stdout_bytes=100_000)
    with pytest.raises(ProverLimitError, match="of output"):
        run_python("while True: print('x' * 1000)", limits=limits)


def test_run_child__endless_error_output__keeps_the_end():
    """Only the end of standard error is kept, where the cause of a failure stands."""
    limits = Limits(memory_bytes=512 * MEBIBYTE, wall_seconds=60, stderr_bytes=10)
    result = run_python("import sys; sys.stderr.write('x' * 100000 + 'the cause')", limits=limits)
    assert result.stderr == b"xthe cause"


def test_run_child__tick_raises__tree_is_dead_and_error_passes():
    """Whatever a progress callback raises leaves no process behind, Ctrl-C included."""
    before = children()

    def interrupt(elapsed: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_python(WITH_GRANDCHILD, on_tick=interrupt)
    assert not started_since(before)


def test_run_child__ticks__report_growing_time():
    """The progress callback hears elapsed seconds that only grow."""
    ticks: list[float] = []
    run_python("import threading; threading.Event().wait(0.5)", on_tick=ticks.append)
    assert len(ticks) >= 2
    assert ticks == sorted(ticks)


def test_run_child__no_such_program__is_a_toolchain_error():
    """A missing program is named, with a hint, before anything starts."""
    with pytest.raises(ToolchainError, match="/no/such/program") as raised:
        run_child(["/no/such/program"], limits=ROOMY)
    assert raised.value.hint


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_run_child__parent_is_killed__child_and_grandchild_die(tmp_path: Path, how: signal.Signals):
    """A parent killed in any way, SIGKILL included, takes its whole tree along."""
    parent, pids = start_parent(tmp_path, "memory_bytes=1 << 30, wall_seconds=60")
    assert len(pids) == 2
    assert not any(is_dead(pid) for pid in pids)
    parent.send_signal(how)
    parent.communicate()
    assert wait_until_dead(*pids) == []


def test_run_child__guard_is_killed__child_dies(tmp_path: Path):
    """Killing the guard itself does not set the command free."""
    if sys.platform != "linux":
        pytest.skip("the kernel's death signal is Linux's")
    parent, pids = start_parent(tmp_path, "memory_bytes=1 << 30, wall_seconds=60")
    psutil.Process(pids[0]).parent().kill()
    parent.communicate()
    assert wait_until_dead(*pids) == []


def test_guard__standard_input_ends__command_dies():
    """Run by hand, the guard takes its standard input for the lifeline."""
    process = subprocess.Popen(
        [sys.executable, "-m", guard.__name__, "--", sys.executable, "-c", FOREVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    pids = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
    assert len(pids) == 1
    process.communicate()
    assert process.returncode == 128 + signal.SIGKILL
    assert wait_until_dead(*pids) == []


def test_guard__exit_code__is_passed_on():
    """The guard ends with its command's exit code, and 127 when there is no such command."""
    command = [sys.executable, "-m", guard.__name__, "--"]
    with subprocess.Popen([*command, "sh", "-c", "exit 5"], stdin=subprocess.PIPE) as process:
        assert process.wait() == 5
    with subprocess.Popen([*command, "/no/such"], stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.wait() == 127
