"""What the contract keeps for accounts that could not receive it, as of the final block."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, select

from tallystick.core.books import ClaimableBalance
from tallystick.storage.database import upsert_rows
from tallystick.storage.schema import claimables


def save_claimables(connection: Connection, source_id: int, changed: Iterable[ClaimableBalance]) -> None:
    """Writes balances as they now are, new ones and known ones."""
    upsert_rows(connection, claimables, [(source_id, *balance) for balance in changed])


def read_claimables(connection: Connection, source_id: int) -> dict[tuple[str, str], int]:
    """Base units by account and token; 0 where all of it was claimed."""
    rows = connection.execute(select(claimables).where(claimables.c.source_id == source_id))
    return {(row.account, row.token): row.units for row in rows}
