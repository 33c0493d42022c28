"""Balances as of any block and any time are what the postings until then add up to, on both databases."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from tallystick.core import balances
from tallystick.core.balances import Standing
from tallystick.core.events import Origin
from tallystick.core.ledger import GENESIS_HASH, Balance, Entry, Posting, balances_of, new_entry
from tallystick.core.money import UINT256_MAX
from tallystick.storage.balances import read_past_standings, read_standings
from tallystick.storage.database import insert_rows, open_database, reading, transaction
from tallystick.storage.journal import add_entries, as_of, read_balances
from tallystick.storage.schema import balances as balances_table
from tallystick.storage.schema import past_balances, postings
from tallystick.storage.sources import Source, add_source, advance_source
from tests.databases import NewDatabase
from tests.journals import START_BLOCK, journals, pieces, time_of

MANY_EXAMPLES_ONE_DATABASE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
"""Each example writes into a source of its own."""
STRETCHES = st.integers(1, 8)


class Books:
    """A database with as many journals as were written."""

    def __init__(self, url: str) -> None:
        self.engine = open_database(url)
        self._sources = count(1)

    def write(self, parts: Iterable[list[Entry]]) -> Source:
        """Writes a journal in these parts; the blocks up to two behind its last are final."""
        with transaction(self.engine) as connection:
            source = add_source(connection, 1, f"0x{next(self._sources)}", START_BLOCK)
        last = START_BLOCK
        for part in parts:
            with transaction(self.engine) as connection:
                add_entries(connection, source.source_id, part)
            last = part[-1].origin.block_number if part else last
        with transaction(self.engine) as connection:
            return advance_source(connection, source, last + 2, b"", time_of(last + 2))

    def balances(self, source: Source, through: int | None = None) -> list[Balance]:
        with reading(self.engine) as connection:
            return read_balances(connection, source.source_id, through=through)

    def standings(self, source: Source) -> tuple[list[Standing], list[Standing]]:
        with reading(self.engine) as connection:
            now = read_standings(connection, source.source_id)
            return sorted(now), sorted(read_past_standings(connection, source.source_id))


@pytest.fixture
def books(new_database: NewDatabase) -> Books:
    return Books(new_database())


def moving(number: int, units: int = 1, times: int = 1) -> Entry:
    """An entry in the block of its number that moves an amount, or does so several times."""
    lines = (Posting("Assets:A", "D", "0xT", units), Posting("Income:B", "C", "0xT", units)) * times
    return new_entry(number, "charge", Origin(number, b"h", time_of(number), b"t", 0), lines, GENESIS_HASH)


def added_up(journal: Iterable[Entry]) -> list[Balance]:
    return balances_of(posting for entry in journal for posting in entry.postings)


@MANY_EXAMPLES_ONE_DATABASE
@given(st.data(), journals(), STRETCHES)
def test_balances_as_of_any_block_are_the_sums_of_the_postings_through_it(
    books: Books, data: st.DataObject, journal: list[Entry], stretch: int
) -> None:
    with patch.object(balances, "STRETCH", stretch):
        source = books.write(data.draw(pieces(journal)))
        assert books.balances(source) == added_up(journal)
        for block in data.draw(st.lists(st.integers(-1, source.final_number + 1), min_size=1, max_size=5)):
            until = [entry for entry in journal if entry.origin.block_number <= block]
            assert books.balances(source, block) == added_up(until)


@MANY_EXAMPLES_ONE_DATABASE
@given(st.data(), journals())
def test_as_of_a_time_is_as_of_a_block_by_which_all_entries_until_then_were_made(
    books: Books, data: st.DataObject, journal: list[Entry]
) -> None:
    source = books.write([journal])
    times = data.draw(st.lists(st.integers(0, source.final_time + 3), max_size=5))
    for time in (*times, source.final_time - 1, source.final_time):
        with reading(books.engine) as connection:
            block = as_of(connection, source, time=time)
        assert block is not None
        assert [entry for entry in journal if entry.origin.block_number <= block] == [
            entry for entry in journal if entry.origin.block_time <= time
        ]
        assert block <= source.final_number
        assert block == source.final_number or time < source.final_time


@MANY_EXAMPLES_ONE_DATABASE
@given(st.data(), journals(), STRETCHES)
def test_the_pieces_in_which_a_journal_is_written_make_no_difference_E64(
    books: Books, data: st.DataObject, journal: list[Entry], stretch: int
) -> None:
    with patch.object(balances, "STRETCH", stretch):
        piecewise, at_once = books.write(data.draw(pieces(journal))), books.write([journal])
    assert books.standings(piecewise) == books.standings(at_once)


def test_sums_of_the_largest_amounts_are_kept_exactly_E68(books: Books) -> None:
    """78 digits hold one such amount, and not nine of them."""
    journal = [moving(number, UINT256_MAX, 500) for number in (1, 2, 3)]
    with patch.object(balances, "STRETCH", 1):
        source = books.write([journal[:2], journal[2:]])
    assert [row.debit_units for row in books.balances(source)] == [1_500 * UINT256_MAX, 0]
    assert [row.credit_units for row in books.balances(source, through=2)] == [0, 1_000 * UINT256_MAX]
    _, kept = books.standings(source)
    assert [row.debit_units for row in kept] == [500 * UINT256_MAX, 1_000 * UINT256_MAX, 0, 0]


def test_the_largest_sum_that_there_can_be_has_room(books: Books) -> None:
    """As many postings of 2^256 - 1 as numbers of entries and positions can tell apart."""
    largest = (2**63 - 1) * (2**31 - 1) * UINT256_MAX
    row = Standing("Assets:A", "0xT", 2**63 - 1, largest, largest)
    source = books.write([])
    with transaction(books.engine) as connection:
        for table in (balances_table, past_balances):
            insert_rows(connection, table, [(source.source_id, *row)])
    assert books.standings(source) == ([row], [row])


@pytest.mark.parametrize("block", [34, 30, 7])
def test_no_postings_are_read_but_those_of_the_stretch_in_which_a_block_lies(books: Books, block: int) -> None:
    """So the length of the journal does not matter: here all others are taken away."""
    journal = [moving(number) for number in range(1, 51)]
    with patch.object(balances, "STRETCH", 10):
        source = books.write([journal])
        start = (block - 1) // 10 * 10
        with transaction(books.engine) as connection:
            connection.execute(delete(postings).where(~postings.c.entry_number.between(start + 1, start + 10)))
        assert books.balances(source, block) == added_up(journal[:block])
        with transaction(books.engine) as connection:
            connection.execute(delete(postings))
        assert books.balances(source) == added_up(journal)
