"""Plans and subscriptions as of the final block."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import TypeVar

from sqlalchemy import Connection, select

from tallystick.core.period import Unit
from tallystick.core.plan import Plan, PlanTerms
from tallystick.core.subscription import Status, Subscription
from tallystick.errors import CorruptionError
from tallystick.storage.database import insert_rows, upsert_rows
from tallystick.storage.schema import plans, subscriptions

ID_BATCH = 500

Name = TypeVar("Name", bound=Enum)


def add_plans(connection: Connection, source_id: int, new: Iterable[Plan]) -> None:
    """Writes new plans."""
    rows = []
    for plan in new:
        terms = plan.terms
        amounts = (terms.price_units, terms.token, terms.every, terms.unit.word, terms.catch_up)
        rows.append((source_id, plan.plan_id, terms.payee, *amounts))
    insert_rows(connection, plans, rows)


def read_plans(connection: Connection, source_id: int) -> dict[int, PlanTerms]:
    """All plans by number."""
    rows = connection.execute(select(plans).where(plans.c.source_id == source_id).order_by(plans.c.plan_id))
    found = {}
    for row in rows:
        unit = _named(Unit, row.unit, f"plan {row.plan_id}")
        found[row.plan_id] = PlanTerms(row.payee, row.price_units, row.token, row.every, unit, row.catch_up)
    return found


def save_subscriptions(connection: Connection, source_id: int, changed: Sequence[Subscription]) -> None:
    """Writes subscriptions as they now are, new ones and known ones."""
    upsert_rows(
        connection,
        subscriptions,
        [
            (
                source_id,
                s.subscription_id,
                s.payer,
                s.plan_id,
                s.next_due,
                s.charges,
                s.status.name.lower(),
                s.anchor_day,
            )
            for s in changed
        ],
    )


def read_subscriptions(
    connection: Connection, source_id: int, ids: Sequence[int] | None = None
) -> dict[int, Subscription]:
    """Subscriptions by number: all, or those asked for that exist."""
    query = select(subscriptions).where(subscriptions.c.source_id == source_id)
    if ids is None:
        rows = list(connection.execute(query.order_by(subscriptions.c.subscription_id)))
    else:
        rows = []
        for start in range(0, len(ids), ID_BATCH):
            batch = ids[start : start + ID_BATCH]
            rows += connection.execute(query.where(subscriptions.c.subscription_id.in_(batch)))
    return {
        row.subscription_id: Subscription(
            row.subscription_id,
            row.payer,
            row.plan_id,
            row.next_due,
            row.charges,
            _named(Status, row.status, f"subscription {row.subscription_id}"),
            row.anchor_day,
        )
        for row in rows
    }


def due_subscription_ids(connection: Connection, source_id: int, time: int) -> list[int]:
    """The numbers of active subscriptions that are due at `time`, as of the final block."""
    query = select(subscriptions.c.subscription_id).where(
        subscriptions.c.source_id == source_id,
        subscriptions.c.status == Status.ACTIVE.name.lower(),
        subscriptions.c.next_due <= time,
    )
    return list(connection.execute(query.order_by(subscriptions.c.subscription_id)).scalars())


def last_subscription_id(connection: Connection, source_id: int) -> int:
    """The number of the newest subscription; 0 where there is none."""
    query = (
        select(subscriptions.c.subscription_id)
        .where(subscriptions.c.source_id == source_id)
        .order_by(subscriptions.c.subscription_id.desc())
        .limit(1)
    )
    return connection.execute(query).scalar() or 0


def _named(kind: type[Name], name: str, row: str) -> Name:
    found = kind.__members__.get(name.upper())
    if found is None:
        raise CorruptionError(
            f"{row} has the {kind.__name__.lower()} {name!r} in the database, allowed are "
            f"{', '.join(member.lower() for member in kind.__members__)}: somebody changed it, build the books anew"
        )
    return found
