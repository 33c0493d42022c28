"""Opening a database, bringing its tables up to date, and writing many rows quickly."""

from __future__ import annotations

import functools
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, Table, create_engine, event, inspect, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from tallystick.config import shown_url
from tallystick.errors import CorruptionError, DatabaseError, DatabaseTooNew, DatabaseUnreachable
from tallystick.storage.schema import Units

MIGRATIONS: Final = Path(__file__).parent / "migrations"
VERSIONS: Final = sorted(file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("*.py"))
"""Of the tables, by the names of the migrations. Alembic would say the same, but is imported only where it migrates: it
would be a third of the start of every command."""
LOCKED_S: Final = 10
"""How long a connection to SQLite waits while another writes."""
COPY_FROM: Final = 50
"""From so many rows on, PostgreSQL gets them by COPY."""
_make_postgresql: Any = PGDialect  # SQLAlchemy leaves its constructor untyped
_POSITIONAL: Final = {
    "sqlite": sqlite.dialect(paramstyle="qmark"),
    "postgresql": _make_postgresql(paramstyle="format"),
}
"""The dialects with placeholders for plain tuples."""
_DRIVERS: Final = {"sqlite", "sqlite+pysqlite", "postgresql+psycopg"}
_MIGRATION_LOCK: Final = 0x7A11_0001
"""PostgreSQL's advisory lock of whoever makes the tables; any number of our own."""
_BEGIN: Final = "tallystick_begin"
_migrating: Final = threading.Lock()
"""Alembic works in global variables: one thread at a time."""


def open_database(url: str) -> Engine:
    """An engine on the database at `url`, its tables made or brought up to date.

    Raises DatabaseUnreachable where there is no connection, DatabaseTooNew where a newer Tallystick wrote it,
    DatabaseError for a URL that is none.
    """
    engine = _engine(url)
    with reading(engine) as connection:
        is_current = _is_current(connection)
    if not is_current:
        with _migrating, transaction(engine) as connection:
            _migrate(connection)
    return engine


def open_durable(url: str) -> Engine:
    """Like `open_database`, for what no chain could tell again: a commit is on the disk before it is over, also when
    the power fails. PostgreSQL does so by itself."""
    engine = open_database(url)
    if engine.dialect.name == "sqlite":
        engine.dispose()
        event.listen(engine, "connect", _make_durable)
    return engine


def open_existing(url: str) -> Engine:
    """Like `open_database`, for reading: a SQLite file that is not there is not made. Raises DatabaseError then."""
    engine = _engine(url)
    name = engine.url.database
    if engine.dialect.name == "sqlite" and name and not Path(name).exists():
        raise DatabaseError(
            f"there is no database {name}: make it with `tallystick index --once`, or name another (--db)"
        )
    return open_database(url)


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One transaction: all that is written in it stands, or nothing.

    SQLite has one writer at a time. It is let in at the beginning: who reads first and writes later may find that the
    database has moved on meanwhile, and could not wait any more.
    """
    writer = engine.execution_options(**{_BEGIN: "IMMEDIATE"})
    with mapped_errors(engine), writer.begin() as connection:
        yield connection


def commit_lightly(connection: Connection) -> None:
    """Lets PostgreSQL go on before this transaction is on the disk: for what is read from the chain again when the last
    moment before a power failure is lost. It is lost whole, as on SQLite, which is set up like that."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL synchronous_commit = off"))


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One consistent view of the database, for reading: what is written meanwhile is not seen."""
    options: dict[str, Any] = {}
    if engine.dialect.name == "postgresql":  # by itself it would show each statement the newest rows
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with mapped_errors(engine), engine.connect() as connection:
        yield connection.execution_options(**options)


def insert_rows(connection: Connection, table: Table, rows: Sequence[Sequence[Any]]) -> None:
    """Writes rows given as plain tuples in the order of the table's columns, each of which must be new.

    Amounts are Python integers. Goes past SQLAlchemy's per-row work: this is where the mirror spends its time.
    """
    if connection.dialect.name == "postgresql" and len(rows) >= COPY_FROM:
        columns = ", ".join(table.columns.keys())
        with connection.connection.cursor().copy(f"COPY {table.name} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    elif rows:
        _write(connection, table, rows, _insert_text(table, connection.dialect.name))


def add_missing_rows(connection: Connection, table: Table, rows: Sequence[Sequence[Any]]) -> None:
    """Writes rows as `insert_rows` does; where the primary key is there, that row is left as it is."""
    if rows:
        _write(connection, table, rows, _insert_text(table, connection.dialect.name) + " ON CONFLICT DO NOTHING")


def upsert_rows(connection: Connection, table: Table, rows: Sequence[Sequence[Any]]) -> None:
    """Writes rows as `insert_rows` does; a row whose primary key is there replaces it."""
    if rows:
        _write(connection, table, rows, _upsert_text(table, connection.dialect.name))


def _write(connection: Connection, table: Table, rows: Sequence[Sequence[Any]], statement: str) -> None:
    if connection.dialect.name == "sqlite":  # past SQLAlchemy, which would copy all of them
        amounts = _amount_columns(table)
        cursor: Any = connection.connection.cursor()  # SQLite's takes whatever can be iterated
        cursor.executemany(statement, (_as_text(row, amounts) for row in rows))
    else:
        connection.exec_driver_sql(statement, [tuple(row) for row in rows])


def _as_text(row: Sequence[Any], amounts: Sequence[int]) -> Sequence[Any]:
    if not amounts:
        return row
    values = list(row)
    for index in amounts:
        if values[index] is not None:
            values[index] = str(values[index])
    return values


@functools.cache
def _amount_columns(table: Table) -> list[int]:
    return [index for index, column in enumerate(table.columns) if isinstance(column.type, Units)]


@functools.cache
def _insert_text(table: Table, dialect: str) -> str:
    return str(table.insert().compile(dialect=_POSITIONAL[dialect]))


@functools.cache
def _upsert_text(table: Table, dialect: str) -> str:
    insert = (sqlite.insert if dialect == "sqlite" else postgresql.insert)(table)
    changed = {column.name: insert.excluded[column.name] for column in table.columns if not column.primary_key}
    statement = insert.on_conflict_do_update(index_elements=list(table.primary_key), set_=changed)
    return str(statement.compile(dialect=_POSITIONAL[dialect]))


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.drivername not in _DRIVERS:
            raise ArgumentError(f"no driver for {parsed.drivername}")
        engine = create_engine(parsed, pool_pre_ping=parsed.get_backend_name() == "postgresql")
    except (ArgumentError, NoSuchModuleError, ImportError, ValueError) as error:
        raise DatabaseError(
            f"found the database URL {shown_url(url)!r} ({type(error).__name__}), allowed are sqlite:///FILE and "
            "postgresql+psycopg://... (the latter needs `pip install tallystick[postgres]`)"
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # Python's own handling of transactions would begin one too late for a consistent read.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {LOCKED_S * 1000}")
    # Of a new file: rows of ours are long, and few fit into the pages that SQLite takes by itself.
    cursor.execute("PRAGMA page_size = 8192")
    _use_wal(cursor)
    # A lost last commit is read from the chain again; a half-written one cannot be.
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _make_durable(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _use_wal(cursor: Any) -> None:
    """The file remembers it. Of two that come first at once SQLite refuses one immediately, whatever its timeout."""
    for _ in range(LOCKED_S * 20):
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            time.sleep(0.05)
        else:
            return
    cursor.execute("PRAGMA journal_mode = WAL")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get(_BEGIN, 'DEFERRED')}")


def _is_current(connection: Connection) -> bool:
    """Whether the tables are those of this version. Raises DatabaseTooNew where they are of none that is known."""
    found = None
    if inspect(connection).has_table("alembic_version"):
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    if found is not None and found not in VERSIONS:
        raise DatabaseTooNew(
            f"{connection.engine.url} has tables of version {found}, this Tallystick knows versions up to "
            f"{VERSIONS[-1]}: upgrade Tallystick, or use another database"
        )
    return found == VERSIONS[-1]


def _migrate(connection: Connection) -> None:
    """Of several that come at once one makes the tables; the others wait for it."""
    from alembic import command
    from alembic.config import Config

    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
    if not _is_current(connection):
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def mapped_errors(engine: Engine) -> Iterator[None]:
    """Turns the driver's errors into ours, whether they came through SQLAlchemy or past it."""
    driver: Any = engine.dialect.loaded_dbapi
    try:
        yield
    except (DBAPIError, driver.Error) as error:
        raise _mapped(error.orig if isinstance(error, DBAPIError) else error, engine, driver) from error


def _mapped(error: BaseException | None, engine: Engine, driver: Any) -> CorruptionError | DatabaseError:
    name = f"the database {engine.url.render_as_string()}"
    if isinstance(error, driver.IntegrityError):
        return CorruptionError(
            f"{name} has other rows than the books expect, and nothing was written: {error}. Find them with "
            "`tallystick audit verify`, or build the books anew in another database"
        )
    if isinstance(error, driver.OperationalError | driver.InterfaceError | driver.InternalError):
        return DatabaseUnreachable(
            f"{name} failed: {error}. Check that it is there, may be written and has room; nothing of what was being "
            "written was kept"
        )
    return DatabaseError(
        f"{name} cannot be used: {error}. Check that it is Tallystick's and not damaged; nothing of what was being "
        "written was kept"
    )
