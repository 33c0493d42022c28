"""Pegs as they were declared, each with the block from which on it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, delete, select

from tallystick.core.pegs import DeclaredPeg, in_order, redeclared
from tallystick.errors import AnotherLeads
from tallystick.storage.database import insert_rows
from tallystick.storage.schema import pegs
from tallystick.storage.sources import Source


def read_pegs(connection: Connection, source_id: int) -> list[DeclaredPeg]:
    """All declarations, ordered by token and block."""
    columns = pegs.c.token, pegs.c.from_block, pegs.c.currency
    rows = connection.execute(select(*columns).where(pegs.c.source_id == source_id))
    return in_order(DeclaredPeg(*row) for row in rows)


def declare_pegs(connection: Connection, source: Source, wanted: Mapping[str, str]) -> list[DeclaredPeg]:
    """Records that from the first block on that is not final yet just the currencies of `wanted` hold, by token
    address, and gives all declarations. Whoever calls holds the source.

    A declaration that no final block has used yet is replaced, so that doing it again changes nothing.
    """
    first = source.final_number + 1
    found = read_pegs(connection, source.source_id)
    declared = redeclared(found, wanted, first)
    if declared != found:
        connection.execute(delete(pegs).where(pegs.c.source_id == source.source_id, pegs.c.from_block >= first))
        insert_rows(connection, pegs, [(source.source_id, *peg) for peg in declared if peg.from_block >= first])
    return declared


def check_pegs(connection: Connection, source: Source, declared: Sequence[DeclaredPeg]) -> None:
    """Raises AnotherLeads where other pegs are declared by now: then another process mirrors with other ones."""
    if read_pegs(connection, source.source_id) != declared:
        raise AnotherLeads(
            f"another process mirrors {source.contract} into the same database, and declared other pegs than this one: "
            "let it, or stop it"
        )
