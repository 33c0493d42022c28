"""What the tables of documents, of subscriptions and of escrow payments, have in common: series of numbers by kind and
payee, and pages in two orders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, func, or_, select

from tallystick.core.invoice import Kind

READ_BATCH = 1_000


def last_numbers(connection: Connection, table: Table, source_id: int) -> dict[tuple[Kind, str], int]:
    """The last number given in each series: by kind and payee."""
    columns = table.c
    rows = connection.execute(
        select(columns.kind, columns.payee, func.max(columns.number))
        .where(columns.source_id == source_id)
        .group_by(columns.kind, columns.payee)
    )
    return {(Kind(kind), payee): number for kind, payee, number in rows}


def selected(
    table: Table, source_id: int, wanted: Mapping[str, object], *, since: int | None, until: int | None
) -> Select[Any]:
    """A source's documents in whose columns stands what is wanted (None: anything), of blocks with a time in
    [since, until)."""
    columns = table.c
    query = select(table).where(columns.source_id == source_id)
    query = query.where(*(columns[name] == value for name, value in wanted.items() if value is not None))
    if since is not None:
        query = query.where(columns.block_time >= since)
    if until is not None:
        query = query.where(columns.block_time < until)
    return query


def pages(
    connection: Connection, table: Table, query: Select[Any], *, newest_first: bool = False, in_series: bool = False
) -> Iterator[Sequence[Any]]:
    """A query's rows, some at a time, ordered by kind, payee and number, or back from the newest on chain.

    `in_series` says that the query is for one kind and payee. The next page is then found by number alone, which the
    primary key does at once; of the condition for several series SQLite walks all that was read before, for each page.
    """
    columns = table.c
    if newest_first:
        query = query.order_by(columns.block_number.desc(), columns.log_index.desc())
    else:
        query = query.order_by(columns.kind, columns.payee, columns.number)
    page = query = query.limit(READ_BATCH)
    while rows := connection.execute(page).all():
        yield rows
        if newest_first:
            page = query.where(_before(table, rows[-1]))
        else:
            page = query.where(columns.number > rows[-1].number if in_series else _after(table, rows[-1]))


def _after(table: Table, last: Any) -> ColumnElement[bool]:
    columns = table.c
    return or_(
        columns.kind > last.kind,
        and_(columns.kind == last.kind, columns.payee > last.payee),
        and_(columns.kind == last.kind, columns.payee == last.payee, columns.number > last.number),
    )


def _before(table: Table, last: Any) -> ColumnElement[bool]:
    block, log = table.c.block_number, table.c.log_index
    return or_(block < last.block_number, and_(block == last.block_number, log < last.log_index))
