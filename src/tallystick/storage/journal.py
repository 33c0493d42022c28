"""The journal's entries and postings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Column, Connection, func, select

from tallystick.core.events import Origin
from tallystick.core.ledger import GENESIS_HASH, Balance, Entry, Posting
from tallystick.storage.balances import balances_after, balances_now, move_balances
from tallystick.storage.database import insert_rows
from tallystick.storage.schema import entries, postings
from tallystick.storage.sources import Source

READ_BATCH = 2_000


def add_entries(connection: Connection, source_id: int, new: Sequence[Entry]) -> None:
    """Appends entries with their postings, and moves the balances of their accounts."""
    entry_rows = []
    posting_rows: list[tuple[Any, ...]] = []
    for number, kind, origin, lines, previous_hash, entry_hash in new:
        entry_rows.append(
            (
                source_id,
                number,
                kind,
                origin.block_number,
                origin.block_hash,
                origin.block_time,
                origin.transaction_hash,
                origin.log_index,
                previous_hash,
                entry_hash,
            )
        )
        for position, line in enumerate(lines, start=1):
            posting_rows.append((source_id, number, position, *line))
    insert_rows(connection, entries, entry_rows)
    insert_rows(connection, postings, posting_rows)
    move_balances(connection, source_id, new)


def last_entry(connection: Connection, source_id: int) -> tuple[int, bytes]:
    """Number and hash of the last entry; 0 and the genesis hash of an empty journal."""
    row = connection.execute(
        select(entries.c.entry_number, entries.c.hash)
        .where(entries.c.source_id == source_id)
        .order_by(entries.c.entry_number.desc())
        .limit(1)
    ).one_or_none()
    return (0, GENESIS_HASH) if row is None else (row.entry_number, row.hash)


def count_entries(connection: Connection, source_id: int, kind: str) -> int:
    """How many entries of a kind the journal has."""
    query = select(func.count()).where(entries.c.source_id == source_id, entries.c.kind == kind)
    return connection.execute(query).scalar_one()


def read_entries(
    connection: Connection, source_id: int, *, first: int | None = None, through: int | None = None
) -> Iterator[Entry]:
    """Entries as stored from number `first` on, in their order, of the blocks up to and including `through`."""
    query = select(entries).where(entries.c.source_id == source_id).order_by(entries.c.entry_number).limit(READ_BATCH)
    if through is not None:
        query = query.where(entries.c.block_number <= through)
    page = query if first is None else query.where(entries.c.entry_number >= first)
    while True:
        batch = connection.execute(page).all()
        if not batch:
            return
        lines = _postings(connection, source_id, batch[0].entry_number, batch[-1].entry_number)
        for _, number, kind, *origin, previous_hash, entry_hash in batch:  # by place: by name takes longer
            yield Entry(number, kind, Origin(*origin), tuple(lines[number]), previous_hash, entry_hash)
        page = query.where(entries.c.entry_number > batch[-1].entry_number)


def stray_postings(connection: Connection, source_id: int) -> list[int]:
    """Numbers of entries that have postings and are not there themselves."""
    query = (
        select(postings.c.entry_number)
        .distinct()
        .outerjoin(
            entries,
            (entries.c.source_id == postings.c.source_id) & (entries.c.entry_number == postings.c.entry_number),
        )
        .where(postings.c.source_id == source_id, entries.c.entry_number.is_(None))
        .order_by(postings.c.entry_number)
    )
    return list(connection.execute(query).scalars())


def last_number(connection: Connection, source_id: int, *, through: int) -> int:
    """Number of the last entry of the blocks up to and including `through`; 0 where there is none."""
    return _last_until(connection, source_id, entries.c.block_number, through)[0]


def as_of(connection: Connection, source: Source, *, block: int | None = None, time: int | None = None) -> int | None:
    """The final block that a report is as of, which was asked for by a block or by a time; None where by neither.

    Of a time it is the newest block that the books know by then: the source's last final one, or else the last with an
    entry, because others are not kept once they are final. There is no other entry between it and the time. Where there
    is none at all it is the block before the source's first.
    """
    if time is not None:
        if source.final_time <= time:
            return source.final_number
        found = _last_until(connection, source.source_id, entries.c.block_time, time)
        return found[1] if found[0] else source.start_block - 1
    return None if block is None else min(block, source.final_number)


def read_balances(connection: Connection, source_id: int, *, through: int | None = None) -> list[Balance]:
    """What was debited and credited per account and token, ordered by both, from blocks up to and including `through`.

    However long the journal is, no more than a stretch of its postings is read.
    """
    if through is not None:
        number = last_number(connection, source_id, through=through)
        if number < last_entry(connection, source_id)[0]:
            return balances_after(connection, source_id, number)
    return balances_now(connection, source_id)


def _last_until(connection: Connection, source_id: int, column: Column[Any], most: int) -> tuple[int, int]:
    """Number and block of the last entry with at most so much in a column that never falls from entry to entry; zeros
    where there is none. Found by halving, because an index would cost each entry that is written."""
    found = (0, 0)
    low, high = 1, last_entry(connection, source_id)[0]
    query = select(entries.c.entry_number, entries.c.block_number, column).order_by(entries.c.entry_number).limit(1)
    while low <= high:
        middle = (low + high) // 2
        within = entries.c.entry_number.between(middle, high)
        row = connection.execute(query.where(entries.c.source_id == source_id, within)).one_or_none()
        if row is not None and row[2] <= most:
            found, low = (row[0], row[1]), row[0] + 1
        else:
            high = middle - 1
    return found


def _postings(connection: Connection, source_id: int, first: int, last: int) -> dict[int, list[Posting]]:
    found: defaultdict[int, list[Posting]] = defaultdict(list)
    rows = connection.execute(
        select(postings.c.entry_number, postings.c.account, postings.c.side, postings.c.token, postings.c.units)
        .where(postings.c.source_id == source_id, postings.c.entry_number.between(first, last))
        .order_by(postings.c.entry_number, postings.c.position)
    )
    for number, account, side, token, units in rows.all():
        found[number].append(Posting(account, side, token, units))
    return found
