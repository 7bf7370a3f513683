"""A program beside this one: its lines, its gentle stop, and its end with its parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from zkml.adapters.process.daemon import GuardedProcess, ProcessIdentity, start_detached, stop_detached
from zkml.errors import ToolchainError

STATEFUL = """
import pathlib, signal, sys, threading
over = threading.Event()
signal.signal(signal.SIGINT, lambda *_: over.set())
print("ready", flush=True)
while not over.wait(0.05): pass
pathlib.Path(sys.argv[1]).write_text("saved")
"""
STUBBORN = """
import signal, threading
signal.signal(signal.SIGINT, signal.SIG_IGN)
print("ready", flush=True)
threading.Event().wait()
"""


def python(code: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", code, *map(str, arguments)]


def wait_for(condition) -> bool:
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        os.sched_yield()
    return condition()


def test_stop__program_that_saves_its_state__saves_it(tmp_path: Path):
    """A stop lets the program write its state before it ends."""
    state = tmp_path / "state"
    with GuardedProcess.start(python(STATEFUL, state)) as program:
        assert program.read_line(20) == "ready"
    assert state.read_text() == "saved"
    assert program.returncode == 0
    assert not program.identity.is_running()


def test_stop__program_that_ignores_sigint__is_killed():
    """A program that does not obey is dead after its grace."""
    program = GuardedProcess.start(python(STUBBORN), grace_seconds=0.2)
    assert program.read_line(20) == "ready"
    assert program.stop() == 128 + signal.SIGKILL
    assert program.stop() == 128 + signal.SIGKILL
    assert not program.identity.is_running()


def test_read_line__program_ends__returns_the_rest_then_none():
    """All lines, standard error's too, are read before the end is told."""
    code = "import sys; print('one'); sys.stdout.flush(); sys.stderr.write('two'); sys.exit(3)"
    with GuardedProcess.start(python(code)) as program:
        assert [program.read_line(20) for _ in range(3)] == ["one", "two", None]
        assert program.recent_output == "one\ntwo"
    assert program.returncode == 3


def test_read_line__silence__returns_none_while_running():
    """Waiting for a line ends in time, and the program still runs."""
    with GuardedProcess.start(python("import threading; threading.Event().wait()")) as program:
        assert program.read_line(0.05) is None
        assert program.returncode is None
        assert program.identity.is_running()


def test_read_line__nobody_reads__output_is_bounded():
    """A talkative program neither blocks nor fills memory when nobody reads."""
    code = "for i in range(20000): print(i)\nprint('x' * 100000)"
    with GuardedProcess.start(python(code)) as program:
        assert wait_for(lambda: program.returncode is not None)
        lines = []
        while (line := program.read_line(20)) is not None:
            lines.append(line)
    assert len(lines) <= 1000
    assert max(map(len, lines)) <= 8192


def test_start__no_such_program__is_a_toolchain_error():
    """A missing program is named."""
    with pytest.raises(ToolchainError, match="no-such-anvil"):
        GuardedProcess.start(["no-such-anvil"])


def test_guarded__parent_is_killed__state_is_saved_and_program_is_gone(tmp_path: Path):
    """When the parent dies by SIGKILL, the guard still lets the program save its state."""
    state = tmp_path / "state"
    code = (
        "import sys\n"
        "from zkml.adapters.process.daemon import GuardedProcess\n"
        "program = GuardedProcess.start([sys.executable, '-c', sys.argv[1], sys.argv[2]])\n"
        "print(program.read_line(20), program.identity.pid, flush=True)\n"
        "program.read_line(60)"
    )
    with subprocess.Popen(python(code, STATEFUL, state), stdout=subprocess.PIPE, text=True) as parent:
        word, pid = parent.stdout.readline().split()
        assert word == "ready"
        parent.kill()
    assert wait_for(lambda: not psutil.pid_exists(int(pid)))
    assert state.read_text() == "saved"


def test_guarded__sibling_forked_from_the_parent_lives_on__program_is_gone():
    """A forked sibling that holds the lifeline open does not keep the dead parent's program alive."""
    code = (
        "import os, sys, threading\n"
        "from zkml.adapters.process.daemon import GuardedProcess\n"
        "program = GuardedProcess.start([sys.executable, '-c', sys.argv[1]], grace_seconds=0)\n"
        "program.read_line(20)\n"
        "sibling = os.fork()\n"
        "if sibling: print(program.identity.pid, sibling, flush=True)\n"
        "threading.Event().wait(60)"
    )
    with subprocess.Popen(python(code, STUBBORN), stdout=subprocess.PIPE, text=True) as parent:
        pid, sibling = map(int, parent.stdout.readline().split())
        parent.kill()
        parent.wait()
        try:
            assert psutil.pid_exists(sibling)
            assert wait_for(lambda: not psutil.pid_exists(pid))
        finally:
            os.kill(sibling, signal.SIGKILL)


def test_detached__parent_ends__program_lives_until_stopped(tmp_path: Path):
    """A detached program survives its parent, and its identity is enough to stop it gently."""
    state, log = tmp_path / "state", tmp_path / "log"
    code = (
        "import pathlib, sys\n"
        "from zkml.adapters.process.daemon import start_detached\n"
        "command = [sys.executable, '-c', sys.argv[1], sys.argv[2]]\n"
        "identity = start_detached(command, log_path=pathlib.Path(sys.argv[3]))\n"
        "print(identity.pid, identity.started_at)"
    )
    found = subprocess.run(python(code, STATEFUL, state, log), capture_output=True, text=True, check=True)
    pid, started_at = found.stdout.split()
    identity = ProcessIdentity(int(pid), float(started_at))
    assert wait_for(lambda: log.read_text() == "ready\n")
    assert identity.is_running()
    stop_detached(identity)
    assert not identity.is_running()
    assert state.read_text() == "saved"


def test_stop_detached__reused_process_id__touches_nobody():
    """An identity whose process id now belongs to another process stops nothing."""
    with GuardedProcess.start(python(STUBBORN), grace_seconds=0) as program:
        stranger = ProcessIdentity(program.identity.pid, program.identity.started_at - 100)
        assert not stranger.is_running()
        stop_detached(stranger)
        assert program.identity.is_running()


@pytest.mark.parametrize("moved", [-2.0, 1.0, 20.0])
def test_is_running__the_clock_was_set_right__is_the_same_process(moved):
    """Start times move with the machine's clock: by whole seconds, also when it was wrong by much less."""
    with GuardedProcess.start(python(STUBBORN), grace_seconds=0) as program:
        identity = ProcessIdentity(program.identity.pid, program.identity.started_at + moved)
        assert identity.is_running()


def test_stop_detached__stubborn_program__is_killed(tmp_path: Path):
    """A detached program that ignores SIGINT is killed after its grace."""
    log = tmp_path / "log"
    identity = start_detached(python(STUBBORN), log_path=log)
    assert wait_for(lambda: log.read_text() == "ready\n")
    stop_detached(identity, grace_seconds=0.2)
    assert not identity.is_running()
