"""What the biller tried and did not get."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from tallystick.storage.database import add_missing_rows
from tallystick.storage.schema import attempts
from tallystick.storage.subscriptions import ID_BATCH


class Attempt(NamedTuple):
    """One charge that did not happen: the `attempt`-th for a due time, why, and when to try again (None: not again)."""

    subscription_id: int
    due: int
    attempt: int
    time: int
    reason: str
    retry_at: int | None


def add_attempts(connection: Connection, source_id: int, new: Sequence[Attempt]) -> None:
    """Writes attempts; one that another biller has recorded under the same number stays as it is."""
    add_missing_rows(connection, attempts, [(source_id, *attempt) for attempt in new])


def last_attempts(
    connection: Connection, source_id: int, subscription_ids: Sequence[int]
) -> dict[tuple[int, int], Attempt]:
    """The last attempt for each (subscription, due time) of these subscriptions."""
    found = {}
    query = select(attempts).where(attempts.c.source_id == source_id).order_by(attempts.c.attempt)
    for start in range(0, len(subscription_ids), ID_BATCH):
        batch = subscription_ids[start : start + ID_BATCH]
        for row in connection.execute(query.where(attempts.c.subscription_id.in_(batch))):
            found[row.subscription_id, row.due] = Attempt(*row[1:])
    return found


def count_attempts(connection: Connection, source_id: int) -> int:
    """How many charges were tried and declined before they were sent."""
    return connection.execute(select(func.count()).where(attempts.c.source_id == source_id)).scalar_one()
