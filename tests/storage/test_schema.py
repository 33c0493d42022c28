"""The tables as migrations make them are those that the code knows; other versions are refused. What the views say is
shown by `test_views`, and that they are those documented by `tests.docs.test_tables`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, text

from tallystick.errors import DatabaseTooNew, DatabaseUnreachable
from tallystick.storage.database import MIGRATIONS, VERSIONS, open_database, open_existing, reading, transaction
from tallystick.storage.schema import metadata
from tests.databases import NewDatabase

COLUMNS = """
    SELECT table_name, column_name, ordinal_position, data_type, numeric_precision, numeric_scale, is_nullable,
           column_default
    FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
    WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY table_name, ordinal_position
"""
CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname, contype::text, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2
"""
INDEXES = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2"
VIEWS = "SELECT viewname, definition FROM pg_views WHERE schemaname = 'public' ORDER BY 1"


def described(engine: Engine) -> list[tuple[object, ...]]:
    """Everything that the database says of its tables, but for Alembic's own."""
    with reading(engine) as connection:
        if engine.dialect.name == "sqlite":
            query = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE type <> 'view' ORDER BY type, name"
            rows = connection.execute(text(query))
            found = [(*row[:3], re.sub(r"\s+", " ", row[3] or "").strip()) for row in rows]
        else:
            found = [tuple(row) for query in (COLUMNS, CONSTRAINTS, INDEXES) for row in connection.execute(text(query))]
    return [row for row in found if "alembic_version" not in " ".join(map(str, row))]


def views(engine: Engine) -> list[tuple[object, ...]]:
    sqlite = "SELECT name, sql FROM sqlite_schema WHERE type = 'view' ORDER BY name"
    with reading(engine) as connection:
        query = text(sqlite if engine.dialect.name == "sqlite" else VIEWS)
        return [tuple(row) for row in connection.execute(query)]


def test_migrated_tables_are_those_of_the_metadata(new_database: NewDatabase) -> None:
    migrated = open_database(new_database())
    made = create_engine(new_database())
    metadata.create_all(made)
    assert described(migrated) == described(made)
    assert described(migrated)


def test_opening_again_changes_nothing(new_database: NewDatabase) -> None:
    url = new_database()
    before = described(open_database(url)), views(open_database(url))
    for opening in (open_database, open_existing):
        assert (described(opening(url)), views(opening(url))) == before


def test_both_databases_have_the_same_views(new_database: NewDatabase) -> None:
    assert [name for name, _ in views(open_database(new_database()))] == [
        *("documents", "event_log", "journal", "trial_balance")
    ]


def test_a_database_of_a_newer_version_is_refused_and_left_alone(new_database: NewDatabase) -> None:
    url = new_database()
    engine = open_database(url)
    with transaction(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    before = described(engine)
    for opening in (open_database, open_existing):
        with pytest.raises(
            DatabaseTooNew, match="tables of version 9999, this Tallystick knows versions up to"
        ) as caught:
            opening(url)
        assert not caught.value.retryable
    assert described(engine) == before


def test_tables_without_their_version_are_not_made_twice(new_database: NewDatabase) -> None:
    url = new_database()
    engine = open_database(url)
    with transaction(engine) as connection:
        connection.execute(text("DELETE FROM alembic_version"))
    before = described(engine)
    with pytest.raises(Exception, match="already exists") as caught:
        open_database(url)
    assert type(caught.value).__module__ == DatabaseUnreachable.__module__
    assert described(engine) == before


def test_the_versions_are_those_of_the_migrations() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    revisions = list(ScriptDirectory.from_config(config).walk_revisions())
    assert [revision.revision for revision in reversed(revisions)] == VERSIONS


def test_books_that_are_there_are_opened_without_alembic(tmp_path: Path) -> None:
    """Its import would be a third of the start of every command."""
    url = f"sqlite:///{tmp_path}/books.db"
    open_database(url)
    script = "import sys; from tallystick.flows.mirror import open_existing; open_existing(sys.argv[1])"
    subprocess.run([sys.executable, "-c", f"{script}; assert 'alembic' not in sys.modules", url], check=True)
