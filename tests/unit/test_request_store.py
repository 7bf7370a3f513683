"""Requests on tabs in the database: no tab's money is promised twice, by any number of threads or processes."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from prover_nodes.journal import open_journal
from zkml.adapters.database.request_store import Acceptance, SignedRequestRow
from zkml.errors import StorageError

SCOPE, TAB = "31337:genesis:manager", "0x" + "ab" * 32
COUNTED = ("waiting", "proved")


def row(number, *, nonce=None, price=10, tab=TAB, scope=SCOPE):
    return SignedRequestRow(
        id=f"0x{number:064x}",
        scope=scope,
        tab_id=tab,
        nonce=number if nonce is None else nonce,
        price=price,
        expiry=1_900_000_000,
        body=b"{}",
        state="waiting",
        reason="",
        failures=0,
        accepted_at=number,
        updated_at=number,
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.sqlite"


@pytest.fixture
def journal(path):
    with open_journal(path, SCOPE) as opened:
        yield opened


@pytest.fixture
def store(journal):
    return journal.request_store(COUNTED)


def test_accept__exposure_within_the_balance__then_one_more_is_overdrawn(store):
    """A tab of 25 carries two requests at 10 beside each other, and a third only once one is settled."""
    assert [store.accept_if(row(number), balance=25) for number in (1, 2, 3)] == [
        Acceptance.ACCEPTED,
        Acceptance.ACCEPTED,
        Acceptance.OVERDRAWN,
    ]
    store.update(row(1).id, now=5, state="settled")
    assert store.exposure(SCOPE, TAB) == 10
    assert store.accept_if(row(3), balance=25) is Acceptance.ACCEPTED
    assert [found.id for found in store.rows(SCOPE, ("waiting",))] == [row(2).id, row(3).id]


def test_accept__same_request_again__stays_as_it_is(store):
    """A repeated request is neither counted nor started again."""
    store.accept_if(row(1), balance=10)
    store.update(row(1).id, now=7, state="proved", reason="why", failures=2)
    assert store.accept_if(row(1), balance=0) is Acceptance.KNOWN
    found = store.row(row(1).id)
    assert (found.state, found.reason, found.failures, found.updated_at) == ("proved", "why", 2, 7)


def test_accept__nonce_used_on_the_tab__is_refused_even_when_settled(store):
    """A nonce is used once on a tab, and may be used on another one."""
    store.accept_if(row(1, nonce=2**256 - 1), balance=100)
    store.update(row(1).id, now=1, state="settled")
    assert store.accept_if(row(2, nonce=2**256 - 1), balance=100) is Acceptance.NONCE_TAKEN
    elsewhere = row(3, nonce=2**256 - 1, tab="0x" + "cd" * 32)
    assert store.accept_if(elsewhere, balance=100) is Acceptance.ACCEPTED
    assert store.row(elsewhere.id).nonce == 2**256 - 1


def test_accept__price_beyond_what_databases_count__is_counted_exactly(store):
    """Prices of 256 bits neither overflow nor are rounded."""
    store.accept_if(row(1, price=2**255), balance=2**255 + 1)
    assert store.accept_if(row(2, price=2), balance=2**255 + 1) is Acceptance.OVERDRAWN
    assert store.accept_if(row(2, price=1), balance=2**255 + 1) is Acceptance.ACCEPTED
    assert store.exposure(SCOPE, TAB) == 2**255 + 1


def test_accept__twenty_threads__promise_no_more_than_the_balance(store):
    """What is checked stays true until it is written."""
    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(lambda number: store.accept_if(row(number), balance=70), range(20)))
    assert found.count(Acceptance.ACCEPTED) == 7
    assert store.exposure(SCOPE, TAB) == 70


ACCEPT_MANY = """
import sys
from zkml.adapters.database.journal_store import JournalStore
from zkml.adapters.database.request_store import SignedRequestRow
url, first, scope, tab = sys.argv[1:]
journal = JournalStore(url)
store = journal.request_store(("waiting",))
print("ready", flush=True)
sys.stdin.readline()
for nonce in range(int(first), int(first) + 40):
    row = SignedRequestRow(f"0x{nonce:064x}", scope, tab, nonce, 10, 0, b"", "waiting", "", 0, 0, 0)
    store.accept_if(row, balance=70)
"""


def test_accept__two_processes__promise_no_more_than_the_balance(path, store):
    """Nodes that share a journal agree on what a tab owes."""
    command = [sys.executable, "-c", ACCEPT_MANY, f"sqlite:///{path}"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with (
        subprocess.Popen([*command, "100", SCOPE, TAB], **pipes) as one,
        subprocess.Popen([*command, "200", SCOPE, TAB], **pipes) as two,
    ):
        assert [process.stdout.readline() for process in (one, two)] == ["ready\n", "ready\n"]
        for process in (one, two):
            process.stdin.write("\n")
            process.stdin.flush()
        assert [process.wait(timeout=60) for process in (one, two)] == [0, 0]
    assert store.exposure(SCOPE, TAB) == 70


def test_update__state_is_not_the_expected_one__changes_nothing(store):
    """Of two that take a request up, one gets it."""
    store.accept_if(row(1), balance=10)
    assert store.update(row(1).id, now=2, state="proved", expected=("waiting",))
    assert not store.update(row(1).id, now=3, state="proved", expected=("waiting",))
    assert not store.update("0xnone", now=3, state="proved")
    assert store.row(row(1).id).updated_at == 2


def test_stages__filed_once__survive_a_restart(path, store):
    """A stage's output is never overwritten, and is there for the next process."""
    store.accept_if(row(1), balance=10)
    store.add_stages(row(1).id, {"witness": b"one"})
    with pytest.raises(StorageError, match="filed already"):
        store.add_stages(row(1).id, {"proof": b"two", "witness": b"other"})
    with open_journal(path, SCOPE) as again:
        other = again.request_store(COUNTED)
        assert other.stages(row(1).id) == {"witness"}
        assert other.stage(row(1).id, "witness") == b"one"
        assert other.stage(row(1).id, "proof") is None
        other.remove_stage(row(1).id, "witness")
    assert store.stages(row(1).id) == set()


def test_key__kept_twice__gives_the_first(store):
    """An idempotency key stands for the first request that came with it."""
    assert store.key(SCOPE, "k") is None
    assert store.keep_key(SCOPE, "k", fingerprint="f1", request="0x1", now=1) is None
    assert store.keep_key(SCOPE, "k", fingerprint="f2", request="0x2", now=2) == ("f1", "0x1")
    assert store.key(SCOPE, "k") == ("f1", "0x1")
    assert store.key("other", "k") is None


def test_forget__old_and_settled__loses_outputs_and_keys_but_no_nonce(store):
    """Old answers go; that a nonce was used stays known for ever."""
    for number, state in ((1, "settled"), (2, "waiting"), (3, "settled")):
        store.accept_if(row(number), balance=100)
        store.update(row(number).id, now=10 * number, state=state)
        store.add_stages(row(number).id, {"proof": b"p"})
        store.keep_key(SCOPE, f"key {number}", fingerprint="f", request=row(number).id, now=10 * number)
    assert store.forget_stages(SCOPE, states=("settled",), updated_before=25) == 1
    assert [store.stages(row(number).id) for number in (1, 2, 3)] == [set(), {"proof"}, {"proof"}]
    assert [store.key(SCOPE, f"key {number}") is None for number in (1, 2, 3)] == [True, False, False]
    assert store.accept_if(row(9, nonce=1), balance=100) is Acceptance.NONCE_TAKEN


def test_forget__unpaid_and_expired__gone_altogether_and_paid_or_live_ones_stay(store):
    """Refused requests grow the journal only until they expire; what was paid, or may be, is never lost."""
    for number, state in ((1, "refused"), (2, "settled"), (3, "waiting")):
        store.accept_if(row(number), balance=100)
        store.update(row(number).id, now=5, state=state)
        store.add_stages(row(number).id, {"witness": b"w"})
    expiry = row(1).expiry
    assert store.forget_expired(SCOPE, states=("refused", "failed"), expired_before=expiry) == 0
    assert store.forget_expired(SCOPE, states=("refused", "failed"), expired_before=expiry + 1) == 1
    assert store.row(row(1).id) is None
    assert [store.stages(row(number).id) for number in (1, 2, 3)] == [set(), {"witness"}, {"witness"}]
    assert store.accept_if(row(9, nonce=1), balance=100) is Acceptance.ACCEPTED
    assert store.accept_if(row(8, nonce=2), balance=100) is Acceptance.NONCE_TAKEN
