"""Events as they were read: where they stand on chain, and the bytes of the log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, select

from tallystick.core.events import Origin
from tallystick.storage.database import insert_rows
from tallystick.storage.schema import events


class StoredEvent(NamedTuple):
    """One event: its origin, its name, and the bytes of its indexed topics and of its data."""

    origin: Origin
    name: str
    topics: bytes
    data: bytes


def add_events(connection: Connection, source_id: int, rows: Sequence[StoredEvent]) -> None:
    """Writes events that are not there yet."""
    insert_rows(
        connection,
        events,
        [
            (
                source_id,
                origin.block_number,
                origin.log_index,
                origin.block_hash,
                origin.block_time,
                origin.transaction_hash,
                name,
                topics,
                data,
            )
            for origin, name, topics, data in rows
        ],
    )


def drop_events(connection: Connection, source_id: int, first: int, last: int) -> None:
    """Removes the events of the blocks from `first` to `last`, both included."""
    connection.execute(
        delete(events).where(events.c.source_id == source_id, events.c.block_number.between(first, last))
    )


def read_events(
    connection: Connection,
    source_id: int,
    *,
    after: int = -1,
    through: int | None = None,
    names: Sequence[str] = (),
) -> Iterator[StoredEvent]:
    """Events of the blocks after `after`, up to and including `through`, in their order on chain; of some `names`, or
    of all."""
    columns = events.c
    query = (
        select(
            columns.block_number,
            columns.block_hash,
            columns.block_time,
            columns.transaction_hash,
            columns.log_index,
            columns.name,
            columns.topics,
            columns.data,
        )
        .where(columns.source_id == source_id, columns.block_number > after)
        .order_by(columns.block_number, columns.log_index)
    )
    if through is not None:
        query = query.where(columns.block_number <= through)
    if names:
        query = query.where(columns.name.in_(names))
    for batch in connection.execute(query.execution_options(yield_per=5_000)).partitions():
        for *origin, name, topics, data in batch:
            yield StoredEvent(Origin(*origin), name, topics, data)


def read_events_about(
    connection: Connection, source_id: int, account: str, invoice: bytes, address: str | None
) -> Iterator[StoredEvent]:
    """What happened to a deposit address, in the order of the chain: transfers to the `address`, and events of a
    receiver and an invoice, whose first two topics these are."""
    topics = events.c.topics
    about = func.substr(topics, 1, 64) == _word(account) + invoice
    if address is not None:
        about |= (events.c.name == "Transfer") & (func.substr(topics, 33, 32) == _word(address))
    query = select(events).where(events.c.source_id == source_id, about)
    for row in connection.execute(query.order_by(events.c.block_number, events.c.log_index)):
        origin = Origin(row.block_number, row.block_hash, row.block_time, row.transaction_hash, row.log_index)
        yield StoredEvent(origin, row.name, row.topics, row.data)


def transactions_with_events(connection: Connection, source_id: int, through: int) -> Iterator[tuple[int, bytes, int]]:
    """Block, hash, and how many events it has of a source, of each transaction up to and including block `through`."""
    columns = events.c
    query = (
        select(columns.block_number, columns.transaction_hash, func.count())
        .where(columns.source_id == source_id, columns.block_number <= through)
        .group_by(columns.block_number, columns.transaction_hash)
    )
    for number, transaction, count in connection.execute(query):
        yield number, bytes(transaction), count


def _word(address: str) -> bytes:
    return bytes.fromhex(address[2:]).rjust(32, b"\0")


def count_events(connection: Connection, source_id: int) -> dict[str, int]:
    """How many events there are of each name, pending ones included."""
    rows = connection.execute(
        select(events.c.name, func.count()).where(events.c.source_id == source_id).group_by(events.c.name)
    )
    return {row[0]: row[1] for row in rows}


def known_blocks(connection: Connection, source_id: int, through: int) -> list[tuple[int, bytes]]:
    """Number and hash of each block with events, up to and including `through`, in their order."""
    columns = events.c
    query = (
        select(columns.block_number, columns.block_hash)
        .distinct()
        .where(columns.source_id == source_id, columns.block_number <= through)
        .order_by(columns.block_number)
    )
    return [(number, bytes(block_hash)) for number, block_hash in connection.execute(query)]


def count_known_events(connection: Connection, source_id: int, after: int, through: int) -> int:
    """How many events there are of the blocks after `after`, up to and including `through`."""
    number = events.c.block_number
    query = select(func.count()).where(events.c.source_id == source_id, number > after, number <= through)
    return connection.execute(query).scalar_one()
