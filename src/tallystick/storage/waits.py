"""What waits to become final, because too few nodes give the same of it: told to whoever asks no node."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select

from tallystick.storage.schema import sources, waits


class Wait(NamedTuple):
    """Nothing of a contract becomes final from block `since_block` on: `agreeing` nodes of `needed` give the same."""

    contract: str
    since_block: int
    agreeing: int
    needed: int
    why: str


def keep_wait(connection: Connection, source_id: int, wait: Wait) -> None:
    """Says that a source waits, in place of what was said before."""
    drop_wait(connection, source_id)
    values = {"since_block": wait.since_block, "agreeing": wait.agreeing, "needed": wait.needed, "why": wait.why}
    connection.execute(insert(waits).values(source_id=source_id, **values))


def drop_wait(connection: Connection, source_id: int) -> None:
    """A source does not wait any more."""
    connection.execute(delete(waits).where(waits.c.source_id == source_id))


def read_waits(connection: Connection, chain_id: int) -> list[Wait]:
    """What waits on a chain."""
    query = (
        select(sources.c.contract, waits.c.since_block, waits.c.agreeing, waits.c.needed, waits.c.why)
        .join_from(waits, sources, waits.c.source_id == sources.c.source_id)
        .where(sources.c.chain_id == chain_id)
        .order_by(waits.c.source_id)
    )
    return [Wait(*row) for row in connection.execute(query)]
