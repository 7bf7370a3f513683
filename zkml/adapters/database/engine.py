"""Open a database, and turn what it raises into our errors. The one place that knows database URLs.

SQLite runs in WAL mode and flushes each commit to disk: what was committed survives a kill and a power cut.
Any number of threads may use one `Database`; writes take turns, in this process and over processes.
"""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from sqlalchemy import (
    URL,
    CompoundSelect,
    Connection,
    Engine,
    RowMapping,
    Select,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from zkml.errors import ConfigError, StorageError, ToolchainError

BUSY_TIMEOUT_SECONDS = 10.0
"""How long a write waits for another process to finish its own."""
LOST_JOURNAL_HINT = (
    "restore a copy, or move the file away and start the node anew: it finds its claims and settlements on "
    "chain, and proves again what it had not settled"
)

_BUSY_PAUSE_SECONDS = 0.02
_WRITES = "zkml_writes"
_IDLE_CONNECTIONS = 8

_SQLITE_SETTINGS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
)
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class Database:
    """An open database.

    Attributes:
        path: the SQLite file; None in memory, or on a server.
        turnstile: a row that each write locks first, where the database lets several write at once.
    """

    def __init__(self, url: str) -> None:
        """Open it by URL, without asking it anything yet.

        Args:
            url: e.g. `sqlite:////path/to/file` or `postgresql+psycopg://user@host/name`.

        Raises:
            ConfigError: no database URL.
            ToolchainError: the URL's driver is not installed.
        """
        self._engine = _open_engine(url)
        self.is_sqlite = self._engine.dialect.name == "sqlite"
        name = self._engine.url.database
        in_file = self.is_sqlite and name and name != ":memory:"
        self.path = Path(name) if in_file and name else None
        self.turnstile: Select[Any] | None = None
        self._writing = threading.RLock()
        # In memory there is one connection for everybody, so reads take turns, too.
        self._in_memory = self.is_sqlite and self.path is None

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction that writes, and commit it: on disk, whole, when the block ends.

        The lock is taken at the start, so that what the block reads stays true until it writes.

        Raises:
            StorageError: see `errors`; nothing of the block is kept.
        """
        with self._writing, self.errors(), self._engine.connect() as connection:
            connection.execution_options(**{_WRITES: True})
            with connection.begin():
                if self.turnstile is not None and not self.is_sqlite:
                    connection.execute(self.turnstile)
                yield connection

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that reads: all it sees is of one moment.

        Raises:
            StorageError: see `errors`.
        """
        turn = self._writing if self._in_memory else contextlib.nullcontext()
        with turn, self.errors(), self._engine.connect() as connection:
            yield connection

    def rows(self, query: Select[Any] | CompoundSelect[Any]) -> list[RowMapping]:
        """Return what a query finds; raises as `read` does."""
        with self.read() as connection:
            return list(connection.execute(query).mappings())

    def check_whole(self) -> None:
        """Look through a SQLite file for damage.

        Raises:
            StorageError: it is damaged, or no database.
        """
        if self.path is None:
            return
        with self.errors(), self._engine.connect() as connection:
            found = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar())
        if found != "ok":
            raise StorageError(
                f"expected a whole database in {self.path}, found damage: {found.splitlines()[0]:.120}",
                hint=LOST_JOURNAL_HINT,
            )

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Raise what the database refuses as our errors; the URL is shown without its password.

        Raises:
            StorageError: locked, full, damaged, unreachable or of another form.
        """
        try:
            yield
        except SQLAlchemyError as error:
            cause = getattr(error, "orig", None)
            reason = str(cause or error).splitlines()[0]
            url = self._engine.url.render_as_string(hide_password=True)
            raise StorageError(
                f"expected the database {url} to answer, found {reason}", hint=_hint_for(cause)
            ) from error


def sqlite_url(path: Path) -> str:
    """Return the URL of a SQLite file."""
    return URL.create("sqlite", database=str(path)).render_as_string(hide_password=False)


def _open_engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _sqlite_engine(parsed)
        return create_engine(parsed, pool_pre_ping=True, pool_size=_IDLE_CONNECTIONS, max_overflow=-1)
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


def _sqlite_engine(url: URL) -> Engine:
    options: dict[str, Any] = {"pool_size": _IDLE_CONNECTIONS, "max_overflow": -1}
    if not url.database or url.database == ":memory:":
        options = {"poolclass": StaticPool}
    engine = create_engine(
        url, connect_args={"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False}, **options
    )
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _hint_for(cause: Any) -> str:
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    if code in _DAMAGE:
        return LOST_JOURNAL_HINT
    if code == sqlite3.SQLITE_FULL:
        return "make room on the disk and start again: nothing was sent that is not in the journal"
    if code == sqlite3.SQLITE_BUSY:
        return "another process has been writing for too long: is a second node on this journal?"
    return "is the disk full, the file damaged, or the server down?"


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
