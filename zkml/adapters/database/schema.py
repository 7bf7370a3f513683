"""Open a journal's database: make its tables, bring older ones up to date, refuse what is damaged.

A SQLite file appears under its name only when its tables are in it. So a file without them is never a new
journal: it is one that lost its content, and the node must not take it for an empty one.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, func, insert, select, text, update

from zkml.adapters.database.engine import LOST_JOURNAL_HINT, Database, sqlite_url
from zkml.adapters.database.journal_tables import JOB_INDEX, METADATA, SCHEMA_VERSION, VERSIONS
from zkml.adapters.database.request_tables import REQUEST_TABLES
from zkml.errors import StorageError

_TURNSTILE: Select[Any] = select(VERSIONS.c.version).with_for_update()
_TABLES = [*(table for table in METADATA.sorted_tables if table not in REQUEST_TABLES), *REQUEST_TABLES]

# In version 1 transactions belonged to jobs alone.
_COPY_FROM_VERSION_1 = """
INSERT INTO sent_transactions (scope, key, purpose, attempt, hash, raw, sender, nonce, what, abandoned)
SELECT requests.scope, request, purpose, attempt, hash, raw, sender, nonce, what, abandoned
FROM transactions JOIN requests ON requests.digest = transactions.request
"""
_DROP_OF_VERSION_1 = "DROP TABLE transactions"


def open_database(url: str) -> Database:
    """Open a journal's database, or make it.

    Raises:
        ConfigError, ToolchainError: see `Database`.
        StorageError: it does not answer, is damaged or empty, or was written by a newer version.
    """
    database = Database(url)
    try:
        if database.path is None:
            _make_tables(database)
        elif not database.path.exists():
            _make_file(database.path)
        else:
            _check_content(database.path)
        database.turnstile = _TURNSTILE
        database.check_whole()
        _bring_up_to_date(database)
    except BaseException:
        database.close()
        raise
    return database


def _check_content(path: Path) -> None:
    """Refuse a file that was emptied, before anybody opens it: that would write to it."""
    if not path.stat().st_size:
        raise _emptied(path)


def _make_file(path: Path) -> None:
    """Make a SQLite file with all tables, and put it into its place unless another process was faster."""
    try:
        # The journal holds proofs that are not public yet: nobody else on this machine may read them.
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
            fresh = Path(folder) / path.name
            fresh.touch(mode=0o600)
            with Database(sqlite_url(fresh)) as database:
                _make_tables(database)
            if not path.exists():
                os.link(fresh, path)
    except FileExistsError:
        if not path.is_file():
            raise StorageError(f"expected a writable folder, found a file at {path.parent}") from None
    except OSError as error:
        raise StorageError(f"expected a writable {path}, found {error.strerror}") from error


def _make_tables(database: Database) -> None:
    with database.write() as connection:
        METADATA.create_all(connection, tables=_TABLES)
        if _version(connection) is None:
            connection.execute(insert(VERSIONS).values(version=SCHEMA_VERSION))


def _bring_up_to_date(database: Database) -> None:
    if _version_of(database) == SCHEMA_VERSION:
        return
    with database.write() as connection:
        # Another process may have been at it meanwhile.
        found = _version(connection)
        if found == SCHEMA_VERSION:
            return
        if found != 1:
            raise StorageError(
                f"expected a journal of version {SCHEMA_VERSION}, found version {found}",
                hint="use the zkml that wrote it, or another journal once its jobs are settled",
            )
        METADATA.create_all(connection, tables=_TABLES)
        JOB_INDEX.create(connection, checkfirst=True)
        for statement in (_COPY_FROM_VERSION_1, _DROP_OF_VERSION_1):
            connection.execute(text(statement))
        connection.execute(update(VERSIONS).values(version=SCHEMA_VERSION))


def _version_of(database: Database) -> int | None:
    with database.read() as connection:
        if not connection.dialect.has_table(connection, VERSIONS.name):
            raise _emptied(database.path)
        return _version(connection)


def _emptied(path: Path | None) -> StorageError:
    return StorageError(f"expected the tables of a journal, found none in {path}", hint=LOST_JOURNAL_HINT)


def _version(connection: Connection) -> int | None:
    found = connection.execute(select(func.max(VERSIONS.c.version))).scalar()
    return None if found is None else int(found)
