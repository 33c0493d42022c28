"""Opening, reading and writing: several at once, wrong addresses, databases full, damaged, gone or contradicted."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, func, select, text

from tallystick.errors import CorruptionError, DatabaseError, DatabaseUnreachable
from tallystick.storage.database import insert_rows, open_database, open_existing, reading, transaction
from tallystick.storage.leases import take_lease
from tallystick.storage.schema import leases, tokens
from tests.databases import NewDatabase, PostgresServer

AT_ONCE = 6


def token_rows(first: int, count: int) -> list[tuple[object, ...]]:
    return [(1, f"0x{number:040x}", f"T{number}", 6) for number in range(first, first + count)]


def count_tokens(engine: Engine) -> int:
    with reading(engine) as connection:
        return connection.execute(select(func.count()).select_from(tokens)).scalar_one()


# --- several at once ------------------------------------------------------------------------------------------------


def test_several_that_open_a_new_database_at_once_all_get_it_E65(new_database: NewDatabase) -> None:
    for _ in range(3):
        url = new_database()
        start = threading.Barrier(AT_ONCE)

        def opened(_: int, url: str = url, start: threading.Barrier = start) -> int:
            start.wait()
            return count_tokens(open_database(url))

        with ThreadPoolExecutor(AT_ONCE) as pool:
            assert list(pool.map(opened, range(AT_ONCE))) == [0] * AT_ONCE


def test_a_writer_that_reads_first_is_not_overtaken(new_database: NewDatabase) -> None:
    """Else its view of the database would be old when it comes to write, and SQLite would refuse it at once."""
    engine = open_database(new_database())

    def write_other() -> None:
        with transaction(engine) as connection:
            insert_rows(connection, tokens, token_rows(100, 1))

    with ThreadPoolExecutor(1) as pool:
        with transaction(engine) as connection:
            assert connection.execute(select(func.count()).select_from(tokens)).scalar_one() == 0
            other = pool.submit(write_other)
            threading.Event().wait(0.1)
            insert_rows(connection, tokens, token_rows(0, 1))
        other.result(timeout=20)
    assert count_tokens(engine) == 2


def test_a_reader_sees_one_state_whatever_is_written_meanwhile(new_database: NewDatabase) -> None:
    engine = open_database(new_database())
    count = select(func.count()).select_from(tokens)
    with reading(engine) as connection:
        assert connection.execute(count).scalar_one() == 0
        with transaction(engine) as other:
            insert_rows(other, tokens, token_rows(0, 3))
        assert connection.execute(count).scalar_one() == 0
    assert count_tokens(engine) == 3


def test_of_many_that_ask_for_a_lease_one_gets_it_E65(new_database: NewDatabase) -> None:
    engine = open_database(new_database())
    start = threading.Barrier(AT_ONCE)

    def ask(holder: int) -> str | None:
        start.wait()
        with transaction(engine) as connection:
            return take_lease(connection, "index", str(holder), 1_000, 60)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(ask, range(AT_ONCE)))
    with reading(engine) as connection:
        (holder,) = connection.execute(select(leases.c.holder)).scalars()
    assert answers == [None if str(number) == holder else holder for number in range(AT_ONCE)]


# --- wrong addresses ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "mysql://keeper:secret@host/books",
        "postgresql://keeper:secret@host/books",
        "postgresql+psycopg://keeper:secret@host:port/books",
        "postgresql+nothing://keeper:secret@host/books",
    ],
)
def test_an_address_that_is_none_is_told_without_its_password(url: str) -> None:
    with pytest.raises(DatabaseError, match="allowed are sqlite:///FILE") as caught:
        open_database(url)
    assert "secret" not in str(caught.value)
    assert not caught.value.retryable


def test_a_database_that_cannot_be_reached_is_told_without_its_password(tmp_path: Path) -> None:
    for url in (
        f"postgresql+psycopg://keeper:secret@/books?host={tmp_path}",
        f"sqlite:///{tmp_path}/no/such/folder/books.db",
    ):
        with pytest.raises(DatabaseUnreachable, match="Check that it is there") as caught:
            open_database(url)
        assert "secret" not in str(caught.value)


def test_what_is_only_read_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="tallystick index --once"):
        open_existing(f"sqlite:///{tmp_path}/books.db")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "books.db"
    file.write_bytes(b"Dear diary, today I learned about files. " * 100)
    before = file.read_bytes()
    with pytest.raises(DatabaseError, match="not damaged") as caught:
        open_database(f"sqlite:///{file}")
    assert not caught.value.retryable
    assert file.read_bytes() == before


# --- full, gone, contradicted -----------------------------------------------------------------------------------------


def limit_pages(engine: Engine, more: int) -> Callable[[], None]:
    """A SQLite database that may grow by so many pages; called, the answer lifts the limit."""
    with reading(engine) as connection:
        pages = int(connection.execute(text("PRAGMA page_count")).scalar_one())

    def limit(connection: object, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages + more}")  # type: ignore[attr-defined]  # sqlite3's

    event.listen(engine, "connect", limit)
    engine.dispose()

    def lift() -> None:
        event.remove(engine, "connect", limit)
        engine.dispose()

    return lift


def test_a_full_database_keeps_nothing_of_what_did_not_fit_E74(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/books.db")
    lift = limit_pages(engine, 4)
    with pytest.raises(DatabaseUnreachable, match="full"), transaction(engine) as connection:
        insert_rows(connection, tokens, token_rows(0, 10_000))
    assert count_tokens(engine) == 0
    lift()
    with transaction(engine) as connection:
        insert_rows(connection, tokens, token_rows(0, 10_000))
    assert count_tokens(engine) == 10_000


@pytest.mark.postgres
@pytest.mark.parametrize("rows", [1, 1_000], ids=["INSERT", "COPY"])
def test_a_server_that_goes_away_mid_write_keeps_nothing_E74(postgres: PostgresServer, rows: int) -> None:
    engine = open_database(postgres.create())

    def write_around_a_restart() -> None:
        with transaction(engine) as connection:
            insert_rows(connection, tokens, token_rows(0, rows))
            postgres.restart()
            insert_rows(connection, tokens, token_rows(rows, rows))

    with pytest.raises(DatabaseUnreachable, match="nothing of what was being written"):
        write_around_a_restart()
    assert count_tokens(engine) == 0  # by a new connection, at once
    with transaction(engine) as connection:
        insert_rows(connection, tokens, token_rows(0, rows))
    postgres.restart()
    assert count_tokens(engine) == rows


@pytest.mark.parametrize("count", [1, 1_000])
def test_a_row_that_is_there_with_other_content_is_corruption_E66(new_database: NewDatabase, count: int) -> None:
    engine = open_database(new_database())
    with transaction(engine) as connection:
        insert_rows(connection, tokens, token_rows(0, 2))
    with pytest.raises(CorruptionError, match="tallystick audit verify"), transaction(engine) as connection:
        insert_rows(connection, tokens, token_rows(1, count))
    assert count_tokens(engine) == 2


def test_a_value_that_does_not_fit_is_refused_whole(new_database: NewDatabase) -> None:
    engine = open_database(new_database())
    with pytest.raises((DatabaseError, CorruptionError)), transaction(engine) as connection:
        insert_rows(connection, tokens, [*token_rows(0, 60), (1, "0x1", "T", "six")])
    assert count_tokens(engine) == 0
