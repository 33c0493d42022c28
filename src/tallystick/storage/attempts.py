"""What the biller tried and did not get."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from tallystick.storage.database import insert_rows
from tallystick.storage.schema import attempts


class Attempt(NamedTuple):
    """One charge that did not happen: the `attempt`-th for a due time, why, and when to try again (None: not again)."""

    subscription_id: int
    due: int
    attempt: int
    time: int
    reason: str
    retry_at: int | None


def add_attempts(connection: Connection, source_id: int, new: Sequence[Attempt]) -> None:
    """Writes attempts."""
    insert_rows(connection, attempts, [(source_id, *attempt) for attempt in new])


def last_attempts(connection: Connection, source_id: int) -> dict[tuple[int, int], Attempt]:
    """The last attempt for each (subscription, due time)."""
    rows = connection.execute(select(attempts).where(attempts.c.source_id == source_id).order_by(attempts.c.attempt))
    return {(row.subscription_id, row.due): Attempt(*row[1:]) for row in rows}


def count_attempts(connection: Connection, source_id: int) -> int:
    """How many charges were tried and declined before they were sent."""
    return connection.execute(select(func.count()).where(attempts.c.source_id == source_id)).scalar_one()
