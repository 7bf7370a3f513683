"""One nonce is never taken twice by threads or processes of this machine that use one key."""

import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from zkml.adapters.account_locks import AccountLocks, machine_locks
from zkml.adapters.evm.thread_locks import ThreadLocks
from zkml.errors import HomeLockedError, StorageError

ACCOUNT, OTHER = "0x" + "Ab" * 20, "0x" + "cd" * 20


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "locks"


@pytest.mark.parametrize("kind", ["files", "threads"])
def test_hold__eight_threads__one_at_a_time(folder, kind):
    """Between the reading of a nonce and its use nobody else reads it."""
    locks = AccountLocks(folder) if kind == "files" else ThreadLocks()
    taken, nonce = [], [0]

    def send(_):
        with locks.hold(1, ACCOUNT):
            found = nonce[0]
            threading.Event().wait(0.001)
            taken.append(found)
            nonce[0] = found + 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, range(24)))
    assert taken == list(range(24))


def test_hold__whoever_holds_it__may_hold_it_again_and_others_wait_until_the_end(folder):
    """A step within a step needs no second lock; the first `with` lets go."""
    locks = AccountLocks(folder)
    impatient = AccountLocks(folder, timeout_seconds=0.05)

    def try_it():
        with impatient.hold(1, ACCOUNT.lower()):
            return True

    with ThreadPoolExecutor(1) as pool:
        with locks.hold(1, ACCOUNT):
            with locks.hold(1, ACCOUNT):
                pass
            with pytest.raises(HomeLockedError, match="somebody else sending"):
                pool.submit(try_it).result()
        assert pool.submit(try_it).result()


def test_hold__another_account_or_chain__does_not_wait(folder):
    """Keys have nonces of their own."""
    locks, others = AccountLocks(folder), AccountLocks(folder, timeout_seconds=0.05)
    with locks.hold(1, ACCOUNT), others.hold(1, OTHER), others.hold(2, ACCOUNT):
        pass


HOLD = """
import sys
from pathlib import Path
from zkml.adapters.account_locks import AccountLocks
with AccountLocks(Path(sys.argv[1])).hold(1, sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_hold__another_process_has_it__waits_and_gets_it_when_that_is_killed(folder):
    """A CLI beside a running node waits; a node that was killed locks nobody out."""
    command = [sys.executable, "-c", HOLD, str(folder), ACCOUNT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        impatient, patient = AccountLocks(folder, timeout_seconds=0.05), AccountLocks(folder)
        with pytest.raises(HomeLockedError) as caught, impatient.hold(1, ACCOUNT):
            pass
        assert caught.value.retryable
        holder.send_signal(signal.SIGKILL)
        with patient.hold(1, ACCOUNT):
            pass


@pytest.mark.parametrize("kind", ["link", "file"])
def test_hold__folder_is_something_else__is_refused(folder, tmp_path, kind):
    """Nobody can make this user write, or wait, elsewhere by laying something in the folder's place."""
    if kind == "link":
        (tmp_path / "elsewhere").mkdir()
        folder.symlink_to(tmp_path / "elsewhere")
    else:
        folder.write_text("")
    with pytest.raises(StorageError), AccountLocks(folder).hold(1, ACCOUNT):
        pass


def test_machine_locks__asked_for_twice__are_the_same():
    """All chains of a process share one set."""
    assert machine_locks() is machine_locks()
