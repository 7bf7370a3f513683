"""The journal: what is filed is on disk, once; a broken database is one clear error."""

import contextlib
import signal
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from prover_simulator import SimulatedChain, SimulatedMarket
from sqlalchemy import event

from prover_nodes.journal import CaseState, Purpose, Stage, open_journal
from prover_nodes.status import read_all_statuses
from zkml.adapters.database.engine import Database
from zkml.adapters.evm.transactions import SignedTransaction
from zkml.core.records import ClaimRecord, ProofRecord, WitnessRecord
from zkml.core.tensors import pack
from zkml.errors import ConfigError, StorageError, ToolchainError

SIGNED = SignedTransaction("0x" + "ab" * 32, b"\x02raw", "0x" + "22" * 20, 7, "JobManager.claim")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "prover" / "journal.sqlite"


@pytest.fixture
def journal(path):
    with open_journal(path, SimulatedMarket.scope) as opened:
        yield opened


@pytest.fixture
def request_():
    chain = SimulatedChain()
    chain.open(pack([1, 2, 3, 4], 1))
    return chain.state.requests[0]


@pytest.fixture
def case(journal, request_):
    journal.add(request_)
    return journal.case(request_.own_digest)


def witness_of(case, seconds=0.5):
    return WitnessRecord(request=case.digest, input="0x01", output="0x02", wall_seconds=seconds)


def claim_of(case):
    return ClaimRecord(
        request=case.digest,
        witness=witness_of(case).own_digest,
        prover="0x" + "22" * 20,
        claim_number=case.claim_number,
        transaction="0x" + "cd" * 32,
        block=9,
    )


def test_file__then_read_in_another_connection__is_the_same_record(path, journal, case):
    """What `file` returned from is there for whoever opens the journal next."""
    journal.file(case, Stage.WITNESS, witness_of(case))
    with open_journal(path, SimulatedMarket.scope) as other:
        assert other.read(case, Stage.WITNESS, WitnessRecord) == witness_of(case)
        assert other.read(case, Stage.CLAIM, ClaimRecord) is None


def test_file__twice__is_refused_and_keeps_the_first(journal, case):
    """Two nodes on one journal cannot overwrite each other's work silently."""
    journal.file(case, Stage.WITNESS, witness_of(case))
    with pytest.raises(StorageError, match="filed already"):
        journal.file(case, Stage.WITNESS, witness_of(case, seconds=9.0))
    assert journal.read(case, Stage.WITNESS, WitnessRecord) == witness_of(case)


def test_add__same_request_again__keeps_its_state(journal, case):
    """Reading a block twice forgets nothing."""
    journal.mark(case, CaseState.WORKING, "why")
    assert not journal.add(case.request)
    assert journal.case(case.digest).state is CaseState.WORKING


def test_scope__another_market__sees_nothing(path, journal, case):
    """A restarted local chain, with another genesis, does not see the old one's jobs."""
    with open_journal(path, "31337:other") as other:
        assert other.cases() == []
        assert other.cursor is None


def test_transaction__kept__comes_back_byte_for_byte_until_abandoned(journal, case):
    """The same raw bytes are there to be sent again; an abandoned transaction is not."""
    journal.keep_transaction(case, Purpose.CLAIM, SIGNED)
    assert journal.last_transaction(case, Purpose.CLAIM) == SIGNED
    assert journal.last_transaction(case, Purpose.SETTLE) is None
    journal.abandon_transaction(SIGNED, "its nonce went elsewhere")
    assert journal.last_transaction(case, Purpose.CLAIM) is None


def test_begin_claim__after_a_reorg__carries_witness_and_proof_over(journal, case):
    """The proof is not made again; it names the new claim as its parent."""
    claim = claim_of(case)
    journal.file(case, Stage.WITNESS, witness_of(case))
    journal.file(case, Stage.CLAIM, claim)
    journal.file(case, Stage.PROVE, ProofRecord(claim=claim.own_digest, proof="0xaa", wall_seconds=1.0))
    again = journal.begin_claim(case, claim.model_copy(update={"block": 12}))
    assert again.claim_number == 2
    fresh = journal.read(again, Stage.CLAIM, ClaimRecord)
    assert (fresh.claim_number, fresh.block) == (2, 12)
    assert journal.read(again, Stage.PROVE, ProofRecord).claim == fresh.own_digest
    assert journal.read(case, Stage.PROVE, ProofRecord).claim == claim.own_digest


def test_journal_file__is_for_its_owner_alone(path, journal):
    """Proofs that are not public yet can be read by nobody else on the machine."""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


FILE_AND_DIE = """
import os, signal, sys
from pathlib import Path
from prover_nodes.journal import Stage, open_journal
from zkml.core.records import WitnessRecord
journal = open_journal(Path(sys.argv[1]), sys.argv[2])
[case] = journal.cases()
record = WitnessRecord(request=case.digest, input="0x01", output="0x02", wall_seconds=0.5)
journal.file(case, Stage.WITNESS, record)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_file__process_killed_right_after__is_not_lost(path, journal, case):
    """A commit survives SIGKILL without any orderly close."""
    command = [sys.executable, "-c", FILE_AND_DIE, str(path), SimulatedMarket.scope]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert journal.read(case, Stage.WITNESS, WitnessRecord) == witness_of(case)


def test_database__durable_settings__are_on(path, journal):
    """WAL, and a flush to disk at each commit."""
    with Database(f"sqlite:///{path}") as database, database.write() as connection:
        found = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")
        ]
    assert found == ["wal", 2]


def test_database__opened_by_many_at_once__is_made_once(path):
    """A status that is asked for while the node starts does not trip it."""
    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(lambda _: open_journal(path, "scope"), range(24)))
    for journal in opened:
        assert journal.cases() == []
        journal.close()


def test_database__corrupt_file__is_one_clear_error(path):
    """Garbage in the journal's place is named, without a traceback of the database's."""
    path.parent.mkdir()
    path.write_bytes(b"not a database, but longer than a header would be" * 100)
    with pytest.raises(StorageError, match="not a database") as caught:
        open_journal(path, "scope")
    assert caught.value.hint


def test_database__version_of_the_future__is_refused(path):
    """A journal that a newer node wrote is not guessed at."""
    open_journal(path, "scope").close()
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE journal_version SET version = 3")
    connection.close()
    with pytest.raises(StorageError, match="version 3"):
        open_journal(path, "scope")


VERSION_1 = """
CREATE TABLE journal_version (version INTEGER NOT NULL PRIMARY KEY);
CREATE TABLE cursors (scope VARCHAR(200) NOT NULL PRIMARY KEY, block BIGINT NOT NULL);
CREATE TABLE requests (digest VARCHAR(71) NOT NULL PRIMARY KEY, scope VARCHAR(200) NOT NULL,
  job_id VARCHAR(66) NOT NULL, opened_block BIGINT NOT NULL, body BLOB NOT NULL,
  claim_number INTEGER NOT NULL, state VARCHAR(16) NOT NULL, reason TEXT NOT NULL, failures INTEGER NOT NULL);
CREATE INDEX requests_by_state ON requests (scope, state);
CREATE TABLE stages (request VARCHAR(71) NOT NULL, claim_number INTEGER NOT NULL, stage VARCHAR(16) NOT NULL,
  body BLOB NOT NULL, PRIMARY KEY (request, claim_number, stage),
  FOREIGN KEY(request) REFERENCES requests (digest));
CREATE TABLE transactions (request VARCHAR(71) NOT NULL, purpose VARCHAR(16) NOT NULL,
  attempt INTEGER NOT NULL, hash VARCHAR(66) NOT NULL, raw BLOB NOT NULL, sender VARCHAR(42) NOT NULL,
  nonce BIGINT NOT NULL, what VARCHAR(100) NOT NULL, abandoned TEXT NOT NULL,
  PRIMARY KEY (request, purpose, attempt), FOREIGN KEY(request) REFERENCES requests (digest));
INSERT INTO journal_version VALUES (1);
"""


def test_database__version_1__is_brought_up_to_date_with_all_it_has(path, request_):
    """A node that is updated in the middle of a job knows its job, its stages and what it signed."""
    path.parent.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(VERSION_1)
        digest, scope = request_.own_digest, SimulatedMarket.scope
        connection.execute("INSERT INTO cursors VALUES (?, 77)", (scope,))
        values = (digest, scope, request_.job_id, 1, request_.to_bytes(), 1, "working", "", 0)
        connection.execute("INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        kept = (digest, "claim", 1, SIGNED.transaction, SIGNED.raw, SIGNED.sender, 7, SIGNED.what, "")
        connection.execute("INSERT INTO transactions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", kept)
    for _ in range(2):
        with open_journal(path, SimulatedMarket.scope) as journal:
            [case] = journal.cases()
            assert (case.state, journal.cursor, journal.blocks()) == (CaseState.WORKING, 77, {})
            assert journal.last_transaction(case, Purpose.CLAIM) == SIGNED


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\x00" + bytes(84)], ids=["empty", "header"])
def test_database__file_that_lost_its_content__is_never_taken_for_a_new_journal(path, content):
    """A truncated journal is an error that says what to do, not a node that has forgotten its claims."""
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(StorageError) as caught:
        open_journal(path, "scope")
    assert "finds its claims" in caught.value.hint
    assert path.read_bytes()[:100] == content


def test_database__damaged_in_the_middle__is_one_clear_error(path, journal, request_):
    """Damage is found when the node starts, before it acts on what is left."""
    journal.add(request_)
    journal.close()
    damaged = bytearray(path.read_bytes())
    damaged[4096:] = b"\xa5" * (len(damaged) - 4096)
    path.write_bytes(damaged)
    with pytest.raises(StorageError) as caught:
        open_journal(path, SimulatedMarket.scope)
    assert "finds its claims" in caught.value.hint


def test_database__disk_full__is_one_clear_error_and_keeps_what_was_written(path, journal, request_):
    """A write that does not fit is refused whole; what was filed before is still there."""
    journal.add(request_)
    case = journal.case(request_.own_digest)
    full = "PRAGMA max_page_count=1"
    event.listen(journal._store._database._engine, "begin", lambda found: found.exec_driver_sql(full))
    with pytest.raises(StorageError, match="full") as caught:
        journal.file(
            case, Stage.PROVE, ProofRecord(claim=case.digest, proof="0x" + "aa" * 65536, wall_seconds=1)
        )
    assert "room" in caught.value.hint
    assert journal.case(case.digest) == case
    assert not journal.has(case, Stage.PROVE)


def test_journal__many_threads__lose_nothing(journal):
    """Lanes and API may read and write at once; in memory, too."""

    def work(number):
        for step in range(5):
            journal.keep_transaction(f"subject {number}", "claim", replace(SIGNED, nonce=step))
            journal.move_cursor(number)
        return len(journal.in_flight(SIGNED.sender, 0))

    with ThreadPoolExecutor(8) as pool, open_journal("sqlite://", "scope") as memory:
        assert max(pool.map(work, range(16))) == 16 * 5
        list(pool.map(lambda number: memory.keep_transaction("one", "claim", SIGNED), range(16)))
        assert len(memory.attempts("one", "claim")) == 16


def test_attempts__of_one_nonce__are_those_that_replace_each_other(journal):
    """An abandoned one, or one of an earlier nonce, is none of them."""
    first, second = replace(SIGNED, nonce=1), replace(SIGNED, transaction="0x" + "01" * 32, nonce=2)
    third = replace(second, transaction="0x" + "02" * 32)
    for signed in (first, second, third):
        journal.keep_transaction("one", "claim", signed)
    assert journal.attempts("one", "claim") == [second, third]
    assert [kept.signed for kept in journal.in_flight(SIGNED.sender, 2)] == [second, third]
    journal.abandon_transaction(second, "refused")
    assert journal.attempts("one", "claim") == [third]
    journal.abandon_transaction(third, "refused")
    assert journal.attempts("one", "claim") == []
    assert journal.abandoned_nonces("one", "claim", SIGNED.sender) == {2}


def test_database__directory_where_the_file_should_be__is_one_clear_error(path):
    """A path that cannot be a file is refused."""
    path.mkdir(parents=True)
    with pytest.raises(StorageError):
        open_journal(path, "scope")


@pytest.mark.parametrize("url", ["no url", "unknown://somewhere"])
def test_database__bad_url__is_a_configuration_error(url):
    """A URL that names no database is refused before anything is opened."""
    with pytest.raises(ConfigError):
        Database(url)


def test_database__driver_not_installed__says_so():
    """PostgreSQL without its driver is a missing tool, not a crash."""
    with pytest.raises(ToolchainError, match="not installed"):
        Database("postgresql+pg8000://somebody:secret@localhost/journal")


def test_read_all_statuses__no_journal__makes_none(path):
    """Asking for the status changes nothing on disk."""
    assert read_all_statuses(path) == []
    assert not path.exists()


def test_read_all_statuses__two_markets__are_kept_apart(path, journal, case):
    """Each market has its own counts."""
    with open_journal(path, "other") as other:
        other.move_cursor(5)
    found = dict(read_all_statuses(path))
    assert found[SimulatedMarket.scope].counts["waiting"] == 1
    assert (found["other"].counts["waiting"], found["other"].block) == (0, 5)
