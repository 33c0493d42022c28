"""Sources: the contracts that are mirrored, each with the block up to which everything is final and in the journal."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, func, select, update

from tallystick.errors import CorruptionError
from tallystick.storage.database import insert_rows
from tallystick.storage.schema import sources


class Source(NamedTuple):
    """One contract on one chain. Final is everything up to and including block `final_number`; before the first block
    was read that is the one before `start_block`, with an empty hash."""

    source_id: int
    chain_id: int
    contract: str
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


def add_source(connection: Connection, chain_id: int, contract: str, start_block: int) -> Source:
    """The source of a contract, made where it is new. Raises CorruptionError where it is known with another start."""
    found = find_source(connection, chain_id, contract)
    if found is None:
        last = connection.execute(select(func.max(sources.c.source_id))).scalar() or 0
        found = Source(last + 1, chain_id, contract, start_block, start_block - 1, b"", 0)
        insert_rows(connection, sources, [found])
    if found.start_block != start_block:
        raise CorruptionError(
            f"the database mirrors {contract} on chain {chain_id} from block {found.start_block}, the deployment "
            f"manifest says {start_block}: use the manifest it was mirrored with, or a new database"
        )
    return found


def advance_source(connection: Connection, source: Source, number: int, block_hash: bytes, time: int) -> Source:
    """Moves the final block of a source forward."""
    connection.execute(
        update(sources)
        .where(sources.c.source_id == source.source_id)
        .values(final_number=number, final_hash=block_hash, final_time=time)
    )
    return source._replace(final_number=number, final_hash=block_hash, final_time=time)
