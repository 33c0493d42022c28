"""The pending tail: blocks behind the final one, whose events may still be reorganised away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, select

from tallystick.storage.database import insert_rows
from tallystick.storage.schema import events, headers
from tallystick.storage.sources import Source


class PendingHeader(NamedTuple):
    """A pending block. `time` is in Unix seconds."""

    number: int
    hash: bytes
    parent_hash: bytes
    time: int


def pending_headers(connection: Connection, source_id: int) -> list[PendingHeader]:
    """The pending blocks, oldest first."""
    rows = connection.execute(
        select(headers.c.number, headers.c.hash, headers.c.parent_hash, headers.c.time)
        .where(headers.c.source_id == source_id)
        .order_by(headers.c.number)
    )
    return [PendingHeader(*row) for row in rows]


def pending_header(connection: Connection, source_id: int, number: int) -> PendingHeader | None:
    """One pending block by its number."""
    row = connection.execute(
        select(headers.c.number, headers.c.hash, headers.c.parent_hash, headers.c.time).where(
            headers.c.source_id == source_id, headers.c.number == number
        )
    ).one_or_none()
    return None if row is None else PendingHeader(*row)


def newest_time(connection: Connection, source: Source) -> int:
    """The time of the newest block that is mirrored."""
    newest = connection.execute(select(func.max(headers.c.time)).where(headers.c.source_id == source.source_id))
    return newest.scalar() or source.final_time


def add_headers(connection: Connection, source_id: int, rows: Sequence[PendingHeader]) -> None:
    """Appends pending blocks."""
    insert_rows(connection, headers, [(source_id, *row) for row in rows])


def drop_headers_through(connection: Connection, source_id: int, number: int) -> None:
    """Forgets pending blocks that became final."""
    connection.execute(delete(headers).where(headers.c.source_id == source_id, headers.c.number <= number))


def drop_pending_after(connection: Connection, source_id: int, number: int) -> int:
    """Rolls back every pending block after `number` with its events; how many events went."""
    connection.execute(delete(headers).where(headers.c.source_id == source_id, headers.c.number > number))
    gone = connection.execute(delete(events).where(events.c.source_id == source_id, events.c.block_number > number))
    return gone.rowcount
