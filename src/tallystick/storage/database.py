"""Opening a database, bringing its tables up to date, and writing many rows quickly."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.exc import DatabaseError as SqlError

from tallystick.errors import DatabaseError, DatabaseTooNew, DatabaseUnreachable
from tallystick.storage.schema import Units

MIGRATIONS: Final = Path(__file__).parent / "migrations"
COPY_FROM: Final = 50
"""From so many rows on, PostgreSQL gets them by COPY."""
_make_postgresql: Any = PGDialect  # SQLAlchemy leaves its constructor untyped
_POSITIONAL: Final = {
    "sqlite": sqlite.dialect(paramstyle="qmark"),
    "postgresql": _make_postgresql(paramstyle="format"),
}
"""The dialects with placeholders for plain tuples."""


def open_database(url: str) -> Engine:
    """An engine on the database at `url`, its tables made or brought up to date.

    Raises DatabaseUnreachable where there is no connection, DatabaseTooNew where a newer Tallystick wrote it,
    DatabaseError for a URL that is none.
    """
    engine = _engine(url)
    with mapped_errors(engine.url), engine.connect() as connection:
        _migrate(engine, connection)
    return engine


def open_existing(url: str) -> Engine:
    """Like `open_database`, for reading: a SQLite file that is not there is not made. Raises DatabaseError then."""
    name = _engine(url).url.database
    if make_url(url).get_backend_name() == "sqlite" and name and not Path(name).exists():
        raise DatabaseError(
            f"there is no database {name}: make it with `tallystick index --once`, or name another (--db)"
        )
    return open_database(url)


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One transaction: all that is written in it stands, or nothing."""
    with mapped_errors(engine.url), engine.begin() as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One consistent view of the database, for reading."""
    with mapped_errors(engine.url), engine.connect() as connection:
        yield connection


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


def upsert_rows(connection: Connection, table: Table, rows: Sequence[Sequence[Any]]) -> None:
    """Writes rows as `insert_rows` does; a row whose primary key is there replaces it."""
    if rows:
        _write(connection, table, rows, _upsert_text(table, connection.dialect.name))


def _write(connection: Connection, table: Table, rows: Sequence[Sequence[Any]], statement: str) -> None:
    amounts = _amount_columns(table)
    if amounts and connection.dialect.name == "sqlite":
        rows = [_as_text(row, amounts) for row in rows]
    connection.exec_driver_sql(statement, [tuple(row) for row in rows])


def _as_text(row: Sequence[Any], amounts: Sequence[int]) -> list[Any]:
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
        engine = create_engine(parsed)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise DatabaseError(
            f"found the database URL {url!r} ({error}), allowed are sqlite:///FILE and postgresql+psycopg://... "
            "(the latter needs `pip install tallystick[postgres]`)"
        ) from error
    if parsed.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # Python's own handling of transactions would begin one too late for a consistent read.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    # A lost last commit is read from the chain again; a half-written one cannot be.
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA busy_timeout = 10000")
    cursor.close()


def _migrate(engine: Engine, connection: Connection) -> None:
    config = AlembicConfig()
    config.set_main_option("script_location", str(MIGRATIONS))
    script = ScriptDirectory.from_config(config)
    found = MigrationContext.configure(connection).get_current_revision()
    head = script.get_current_head()
    if found == head:
        return
    if found is not None and found not in {revision.revision for revision in script.walk_revisions()}:
        raise DatabaseTooNew(
            f"{engine.url} has tables of version {found}, this Tallystick knows versions up to {head}: upgrade "
            "Tallystick, or use another database"
        )
    connection.rollback()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.commit()


@contextmanager
def mapped_errors(url: URL) -> Iterator[None]:
    """Turns the driver's errors into ours."""
    try:
        yield
    except SqlError as error:
        raise DatabaseUnreachable(
            f"the database {url.render_as_string()} failed: {error.orig}. Check that it is there, may be "
            "written and has room; nothing of what was being written was kept"
        ) from error
