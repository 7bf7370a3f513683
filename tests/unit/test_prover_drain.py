"""`zkml prover drain` and the signals of a node: asked once, waited for, never interrupted by mistake."""

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from prover_nodes.process_file import ProcessFile, ProcessNote
from zkml.adapters.home_directory import is_locked, lock_home
from zkml.cli import prover_run
from zkml.cli.main import run
from zkml.config.home import Home

# Holds the node's lock, counts signals, and ends when it may: a node without a chain.
NODE = """
import json, os, signal, sys, time
from pathlib import Path
from zkml.adapters.home_directory import lock_home
from zkml.config.home import Home
home, told, asked = Home(Path(sys.argv[1])), sys.argv[2] == "daemon", []
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
with lock_home(home, "prover"):
    folder = home.root / "prover"
    folder.mkdir(exist_ok=True)
    draining = (folder / "draining").exists()
    if told:
        note = {"pid": os.getpid(), "admin": "", "api": "", "draining": draining}
        (folder / "process.json").write_text(json.dumps(note))
    print("ready", flush=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not ((asked or draining or not told) and (folder / "finish").exists()):
        time.sleep(0.02)
print(len(asked), flush=True)
"""


@pytest.fixture
def home(tmp_path):
    """An empty home."""
    found = Home(tmp_path / "home")
    (found.root / "prover").mkdir(parents=True)
    return found


@contextmanager
def node(home, kind="daemon"):
    """Run a stand-in for a node; it ends once it was asked and may finish."""
    child = subprocess.Popen(
        [sys.executable, "-c", NODE, str(home.root), kind], stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout.readline() == "ready\n"
        yield child
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def drain(home, capsys, *argv, code=0):
    """Run the command; return its one object."""
    assert run(["prover", "drain", "--json", "-q", "--home", str(home.root), *argv]) == code
    return json.loads(capsys.readouterr().out)


def test_drain__no_node__has_nothing_to_do(home, capsys):
    """Without a node the home is drained already, also where one was killed and left its note."""
    ProcessFile(home.root / "prover").write(ProcessNote(os.getpid(), "", "", draining=False))
    assert drain(home, capsys) == {"running": False, "drained": True}


def test_drain__a_node_at_work__is_asked_once_and_waited_for(home, capsys):
    """The node gets one SIGTERM; the command ends when the node has, and not before."""
    with node(home) as child:
        late = drain(home, capsys, "--timeout", "0.5", code=1)
        assert late["error"]["type"] == "ServiceBusyError"
        assert child.poll() is None
        (home.root / "prover" / "finish").touch()
        assert child.wait(20) == 0
        assert child.stdout.readline() == "1\n"
    assert not is_locked(home, "prover")


@pytest.mark.parametrize(("kind", "is_draining"), [("daemon", True), ("once", False)])
def test_drain__a_node_that_drains_or_runs_one_round__is_not_interrupted(home, capsys, kind, is_draining):
    """A second signal would interrupt a draining node, and any would a single round: both are waited for."""
    if is_draining:
        (home.root / "prover" / "draining").touch()
    (home.root / "prover" / "finish").touch()
    with node(home, kind) as child:
        assert drain(home, capsys)["drained"] is True
        assert child.wait(20) == 0
        assert child.stdout.readline() == "0\n"


def test_drain__the_note_of_a_node_that_was_killed__is_nobodys(home, capsys):
    """The process that a stale note names is not signalled: its number may be another's by now."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        ProcessFile(home.root / "prover").write(ProcessNote(stranger.pid, "", "", draining=False))
        with lock_home(home, "prover"):
            drain(home, capsys, "--timeout", "0.3", code=1)
        assert stranger.poll() is None
        stranger.communicate(b"\n")


def test_signals__the_first_drains_and_the_second_ends_it():
    """One SIGTERM or Ctrl-C asks to finish, another to end at once, and then the old handlers are back."""
    before = signal.getsignal(signal.SIGTERM)
    with prover_run._signals() as (stop, now):
        assert threading.current_thread() is threading.main_thread()
        signal.raise_signal(signal.SIGTERM)
        assert (stop.is_set(), now.is_set()) == (True, False)
        signal.raise_signal(signal.SIGINT)
        assert now.is_set()
        assert signal.getsignal(signal.SIGTERM) == before
    assert signal.getsignal(signal.SIGTERM) == before
