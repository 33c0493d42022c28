"""`tallystick ledger` as of a block and as of a time, over books of three months."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tallystick.config import load_config
from tallystick.core.events import Origin
from tallystick.flows.mirror import open_books
from tallystick.storage.database import reading
from tallystick.storage.journal import read_entries
from tallystick.testing import start_anvil
from tests.cli.conftest import Run
from tests.docs.beginnings import FIRST_DAY, sold

Read = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="module")
def merchant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration over the books that docs/ledger.md shows: three charges of 9.99 on 31 January, three on
    28 February and one on 31 March, with a refund of 5.00."""
    folder = tmp_path_factory.mktemp("merchant")
    with start_anvil("--timestamp", str(FIRST_DAY)) as anvil:
        sold(anvil, folder)
    config = folder / "tallystick.toml"
    config.write_text(f'database = "sqlite:///{folder}/tallystick.db"\n' + config.read_text())
    return config


@pytest.fixture
def read(run: Run, merchant: Path) -> Read:
    """The rows that a command of `tallystick ledger` shows."""

    def command(*arguments: object) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(run("--config", merchant, "ledger", *arguments, "--json").stdout)
        return found

    return command


@pytest.fixture(scope="module")
def february(merchant: Path) -> Origin:
    """Where the last charge of 28 February is on chain, some seconds after 8:01."""
    books = open_books(load_config(merchant, environment={}))
    with reading(books.engine) as connection:
        return next(read_entries(connection, books.source.source_id, first=6)).origin


def totals(rows: list[dict[str, Any]]) -> list[str]:
    assert all(row["debit"] == row["credit"] for row in rows if row["account"] == "Total")
    return [row["debit"]["amount"] for row in rows if row["account"] == "Total"]


def moment(second: int, zone: dt.timezone = dt.UTC) -> str:
    return dt.datetime.fromtimestamp(second, zone).isoformat()


@pytest.mark.parametrize(
    ("date", "total"),
    [
        ("2026-01-31", "29.970000"),
        ("2026-02-27", "29.970000"),
        ("2026-02-28", "59.940000"),
        ("2026-03-31", "74.930000"),
    ],
)
def test_a_date_is_the_end_of_that_day(read: Read, date: str, total: str) -> None:
    assert totals(read("trial-balance", "--at", date)) == [total]


@pytest.mark.parametrize("zone", [dt.UTC, dt.timezone(dt.timedelta(hours=9))])
def test_a_time_is_that_second_E20(read: Read, february: Origin, zone: dt.timezone) -> None:
    before, then = (moment(february.block_time + seconds, zone) for seconds in (-1, 0))
    assert totals(read("trial-balance", "--at", before)) == ["29.970000"]
    assert totals(read("trial-balance", "--at", then)) == ["59.940000"]
    assert totals(read("trial-balance", "--at", moment(february.block_time).removesuffix("+00:00"))) == ["59.940000"]


def test_a_block_is_up_to_and_including_it_E20(read: Read, february: Origin) -> None:
    assert totals(read("trial-balance", "--block", february.block_number - 1)) == ["29.970000"]
    assert totals(read("trial-balance", "--block", february.block_number)) == ["59.940000"]


def test_each_line_says_as_of_which_final_block_it_is(read: Read, february: Origin, merchant: Path) -> None:
    final = open_books(load_config(merchant, environment={})).source.final_number
    for arguments, block in (
        (("--at", "2026-03-30"), february.block_number),
        (("--at", "2099-12-31"), final),
        (("--block", february.block_number + 1), february.block_number + 1),
        (("--block", final + 1_000), final),
    ):
        assert {row["block"] for row in read("trial-balance", *arguments)} == {block}, arguments
    assert all("block" not in row for row in read("trial-balance"))


def test_the_last_final_block_is_as_they_stand(read: Read) -> None:
    now = read("trial-balance")
    assert [{**row, "block": None} for row in read("trial-balance", "--at", "2099-12-31")] == [
        {**row, "block": None} for row in now
    ]


def test_before_the_first_entry_there_is_none(run: Run, read: Read, merchant: Path) -> None:
    for command in ("trial-balance", "journal"):
        for arguments in (("--at", "2020-01-01"), ("--block", 0)):
            assert read(command, *arguments) == []
            said = run("--config", merchant, "ledger", command, *arguments).stdout
            assert said.startswith("no entries as of block ")


def test_the_journal_shows_the_newest_entries_as_of_then(read: Read, february: Origin) -> None:
    for arguments in (("--at", "2026-03-30"), ("--block", february.block_number)):
        assert [row["entry"] for row in read("journal", *arguments)] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]
        assert [row["entry"] for row in read("journal", *arguments, "--limit", 2)] == [5, 5, 6, 6]
    assert [row["entry"] for row in read("journal", "--limit", 1)] == [8, 8]


def test_a_block_and_a_time_are_too_much(run: Run, merchant: Path) -> None:
    for command in ("trial-balance", "journal"):
        done = run("--config", merchant, "ledger", command, "--block", 7, "--at", "2026-01-31", exit_code=2)
        assert "name a block with --block or a time with --at, not both" in done.stderr


def test_what_is_no_date_is_said(run: Run, merchant: Path) -> None:
    done = run("--config", merchant, "ledger", "trial-balance", "--at", "31.1.2026", exit_code=2)
    assert "found '31.1.2026', allowed is a date such as 2027-01-01 or 2027-01-01T12:00 (UTC)" in done.stderr
