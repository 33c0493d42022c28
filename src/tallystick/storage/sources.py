"""Sources: the contracts that are mirrored, each with the block up to which everything is final and in the journal."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, func, select, update

from tallystick.errors import AnotherLeads, CorruptionError
from tallystick.storage.database import add_missing_rows
from tallystick.storage.schema import sources

SUBSCRIPTIONS, ESCROW, CHECKOUT, CHANNELS = "Subscriptions", "Escrow", "Checkout", "Channels"
CONVERSION = "Conversion"
X402 = "x402"
"""The kinds of sources: the names of the contracts, what a swapper does, and x402's own contract of channels."""


class Source(NamedTuple):
    """One contract on one chain; `kind` is its name. Final is everything up to and including block `final_number`;
    before the first block was read that is the one before `start_block`, with an empty hash."""

    source_id: int
    chain_id: int
    contract: str
    kind: str
    start_block: int
    final_number: int
    final_hash: bytes
    final_time: int


def find_source(connection: Connection, chain_id: int, contract: str) -> Source | None:
    """The source of a contract, or None where it was never mirrored."""
    row = connection.execute(
        select(sources).where(sources.c.chain_id == chain_id, sources.c.contract == contract)
    ).one_or_none()
    return None if row is None else Source(*row)


def find_sources(connection: Connection, kind: str) -> list[Source]:
    """All sources of a kind, in the order in which they were first mirrored."""
    query = select(sources).where(sources.c.kind == kind).order_by(sources.c.source_id)
    return [Source(*row) for row in connection.execute(query)]


def add_source(
    connection: Connection, chain_id: int, contract: str, start_block: int, kind: str = SUBSCRIPTIONS
) -> Source:
    """The source of a contract, made where it is new. Raises CorruptionError where it is known with another start."""
    found = find_source(connection, chain_id, contract)
    while found is None:  # again where another process took the number for another contract
        last = connection.execute(select(func.max(sources.c.source_id))).scalar() or 0
        new = Source(last + 1, chain_id, contract, kind, start_block, start_block - 1, b"", 0)
        add_missing_rows(connection, sources, [new])
        found = find_source(connection, chain_id, contract)
    if found.start_block != start_block:
        raise CorruptionError(
            f"the database mirrors {contract} on chain {chain_id} from block {found.start_block}, the deployment "
            f"manifest says {start_block}: use the manifest it was mirrored with, or a new database"
        )
    return found


def hold_source(connection: Connection, source: Source) -> None:
    """As `check_source`, and keeps everybody else from writing to the source until the transaction ends."""
    query = select(sources).where(sources.c.source_id == source.source_id).with_for_update()
    _require_unchanged(source, connection.execute(query).one_or_none())


def check_source(connection: Connection, source: Source) -> None:
    """Raises AnotherLeads where a source does not stand as `source` says any more: then another process has written,
    and what follows from `source` is out of date."""
    query = select(sources).where(sources.c.source_id == source.source_id)
    _require_unchanged(source, connection.execute(query).one_or_none())


def _require_unchanged(source: Source, now: Row[Any] | None) -> None:
    if now is None or Source._make(now) != source:
        raise AnotherLeads(
            f"another process mirrors {source.contract} into the same database, and is at block "
            f"{now.final_number if now else 'none'} where this one was at {source.final_number}: let it, or stop it"
        )


def advance_source(connection: Connection, source: Source, number: int, block_hash: bytes, time: int) -> Source:
    """Moves the final block of a source forward."""
    connection.execute(
        update(sources)
        .where(sources.c.source_id == source.source_id)
        .values(final_number=number, final_hash=block_hash, final_time=time)
    )
    return source._replace(final_number=number, final_hash=block_hash, final_time=time)
