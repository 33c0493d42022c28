"""The journal's entries and postings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from tallystick.core.events import Origin
from tallystick.core.ledger import GENESIS_HASH, Balance, Entry, Posting
from tallystick.storage.database import insert_rows
from tallystick.storage.schema import entries, postings

READ_BATCH = 2_000


def add_entries(connection: Connection, source_id: int, new: Sequence[Entry]) -> None:
    """Appends entries with their postings."""
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
        for row in batch:
            origin = Origin(row.block_number, row.block_hash, row.block_time, row.transaction_hash, row.log_index)
            yield Entry(row.entry_number, row.kind, origin, tuple(lines[row.entry_number]), row.previous_hash, row.hash)
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


def read_balances(connection: Connection, source_id: int, *, through: int | None = None) -> list[Balance]:
    """What was debited and credited per account and token, ordered by both, from blocks up to and including `through`.

    Added up here and not in SQL: SQLite has no integers above 64 bits.
    """
    sums: dict[str, defaultdict[tuple[str, str], int]] = {"D": defaultdict(int), "C": defaultdict(int)}
    query = select(postings.c.account, postings.c.token, postings.c.side, postings.c.units).where(
        postings.c.source_id == source_id
    )
    if through is not None:
        query = query.join(
            entries,
            (entries.c.source_id == postings.c.source_id) & (entries.c.entry_number == postings.c.entry_number),
        ).where(entries.c.block_number <= through)
    for account, token, side, units in connection.execute(query.execution_options(yield_per=10_000)):
        sums[side][account, token] += units
    return [Balance(*key, sums["D"][key], sums["C"][key]) for key in sorted(sums["D"].keys() | sums["C"].keys())]


def _postings(connection: Connection, source_id: int, first: int, last: int) -> dict[int, list[Posting]]:
    found: defaultdict[int, list[Posting]] = defaultdict(list)
    rows = connection.execute(
        select(postings.c.entry_number, postings.c.account, postings.c.side, postings.c.token, postings.c.units)
        .where(postings.c.source_id == source_id, postings.c.entry_number.between(first, last))
        .order_by(postings.c.entry_number, postings.c.position)
    )
    for number, account, side, token, units in rows:
        found[number].append(Posting(account, side, token, units))
    return found
