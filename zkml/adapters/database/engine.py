"""Open a database, and turn what it raises into our errors. The one place that knows database URLs.

SQLite runs in WAL mode and flushes each commit to disk: what was committed survives a kill and a power cut.
"""

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from zkml.errors import ConfigError, StorageError, ToolchainError

BUSY_TIMEOUT_SECONDS = 10.0
"""How long a write waits for another process to finish its own."""

_BUSY_PAUSE_SECONDS = 0.02
_WRITES = "zkml_writes"

_SQLITE_SETTINGS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
)


def open_engine(url: str) -> Engine:
    """Open a database by URL, without asking it anything yet.

    Args:
        url: e.g. `sqlite:////path/to/file` or `postgresql+psycopg://user@host/name`.

    Raises:
        ConfigError: no database URL.
        ToolchainError: the URL's driver is not installed.
        StorageError: the directory of the SQLite file cannot be made.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _open_sqlite(parsed)
        return create_engine(parsed, pool_pre_ping=True)
    except (ArgumentError, NoSuchModuleError) as error:
        raise ConfigError(
            "expected a database URL, found one that cannot be read",
            hint="for example sqlite:////path/to/journal.sqlite",
        ) from error
    except ImportError as error:
        raise ToolchainError(
            f"expected the driver of {parsed.drivername}, found {error.name or 'it'} not installed",
            hint="install the driver, for example psycopg, or use SQLite",
        ) from error


def sqlite_url(path: Path) -> str:
    """Return the URL of a SQLite file."""
    return URL.create("sqlite", database=str(path)).render_as_string(hide_password=False)


@contextlib.contextmanager
def write(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that writes, and commit it: on disk, whole, when the block ends.

    SQLite takes its lock at the start, so that what the block reads stays true until it writes.

    Raises:
        StorageError: see `database_errors`; nothing of the block is kept.
    """
    with database_errors(engine), engine.connect() as connection:
        connection.execution_options(**{_WRITES: True})
        with connection.begin():
            yield connection


@contextlib.contextmanager
def database_errors(engine: Engine) -> Iterator[None]:
    """Raise what the database refuses as our errors; the URL is shown without its password.

    Raises:
        StorageError: locked, full, corrupt, unreachable or of another form.
    """
    try:
        yield
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        url = engine.url.render_as_string(hide_password=True)
        raise StorageError(
            f"expected the database {url} to answer, found {reason}",
            hint="is the disk full, the file corrupt, or the server down?",
        ) from error


def _open_sqlite(url: URL) -> Engine:
    if url.database and url.database != ":memory:":
        path = Path(url.database)
        try:
            # The journal holds proofs that are not public yet: nobody else on this machine may read them.
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
        except OSError as error:
            raise StorageError(f"expected a writable {path}, found {error.strerror}") from error
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_SECONDS})
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: Any, _record: Any) -> None:
    # Python's driver would begin transactions late, and not at all before it makes a table.
    connection.isolation_level = None
    cursor = connection.cursor()
    try:
        for statement in _SQLITE_SETTINGS:
            _execute_patiently(cursor, statement)
    finally:
        cursor.close()


def _execute_patiently(cursor: Any, statement: str) -> None:
    """Execute, and wait for other processes: SQLite itself does not when it enters WAL mode."""
    deadline = time.monotonic() + BUSY_TIMEOUT_SECONDS
    while True:
        try:
            cursor.execute(statement)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
            time.sleep(_BUSY_PAUSE_SECONDS)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN DEFERRED")
