"""The rows that books consist of, out of one database and into another: what an audit pack has of them.

Not among them: what is pending, what the biller tried, who leads, documents of disputes, and what wallet and till keep.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

from sqlalchemy import Connection, LargeBinary, Table, select

from tallystick.errors import PackInvalid
from tallystick.storage import schema
from tallystick.storage.database import insert_rows
from tallystick.storage.schema import Units, metadata
from tallystick.storage.sources import Source

BATCH: Final = 5_000
LEFT_OUT: Final = {"headers", "attempts", "waits", "leases", "evidence", "wallet_channels", "till_channels"}
_OF_A_CHAIN: Final = {"tokens", "rates"}


def packed_tables() -> list[Table]:
    """Those that are in a pack, each after those that it refers to."""
    return [table for table in metadata.sorted_tables if table.name not in LEFT_OUT]


def dump_rows(connection: Connection, table: Table, sources: Sequence[Source]) -> Iterator[list[Any]]:
    """The rows of a table that belong to these sources, of one chain, ordered by the primary key, as JSON takes them:
    bytes in hex, amounts as digits."""
    query = select(table).order_by(*table.primary_key)
    if table.name in _OF_A_CHAIN:
        query = query.where(table.c.chain_id == sources[0].chain_id)
    else:
        query = query.where(table.c.source_id.in_([source.source_id for source in sources]))
    final = {source.source_id: source.final_number for source in sources}
    hexed = [at for at, column in enumerate(table.columns) if isinstance(column.type, LargeBinary)]
    digits = [at for at, column in enumerate(table.columns) if isinstance(column.type, Units)]
    for row in connection.execute(query.execution_options(yield_per=BATCH)):
        if table is schema.events and row.block_number > final[row.source_id]:
            continue
        values = list(row)
        for at in hexed:
            values[at] = None if values[at] is None else bytes(values[at]).hex()
        for at in digits:
            values[at] = None if values[at] is None else str(values[at])
        yield values


def load_rows(connection: Connection, table: Table, documents: Iterator[Any]) -> None:
    """Writes what `dump_rows` gave. Raises PackInvalid for what is no row of the table."""
    columns = list(table.columns)
    while batch := list(islice(documents, BATCH)):
        try:
            rows = [[_value(column, value) for column, value in zip(columns, row, strict=True)] for row in batch]
        except (TypeError, ValueError) as error:
            raise PackInvalid(f"the pack has a row of `{table.name}` that is none ({error})") from error
        insert_rows(connection, table, rows)


def _value(column: Any, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(column.type, LargeBinary):
        return bytes.fromhex(value)
    return int(value) if isinstance(column.type, Units) else value
