"""The journal: what is filed is on disk, once; a broken database is one clear error."""

import signal
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from prover_simulator import SimulatedChain, SimulatedMarket

from prover_nodes.journal import CaseState, Purpose, Stage, open_journal
from prover_nodes.status import read_all_statuses
from zkml.adapters.database.engine import open_engine
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
    engine = open_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        found = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")
        ]
    engine.dispose()
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
        connection.execute("UPDATE journal_version SET version = 2")
    connection.close()
    with pytest.raises(StorageError, match="version 2"):
        open_journal(path, "scope")


def test_database__directory_where_the_file_should_be__is_one_clear_error(path):
    """A path that cannot be a file is refused."""
    path.mkdir(parents=True)
    with pytest.raises(StorageError):
        open_journal(path, "scope")


@pytest.mark.parametrize("url", ["no url", "unknown://somewhere"])
def test_database__bad_url__is_a_configuration_error(url):
    """A URL that names no database is refused before anything is opened."""
    with pytest.raises(ConfigError):
        open_engine(url)


def test_database__driver_not_installed__says_so():
    """PostgreSQL without its driver is a missing tool, not a crash."""
    with pytest.raises(ToolchainError, match="not installed"):
        open_engine("postgresql+pg8000://somebody:secret@localhost/journal")


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
