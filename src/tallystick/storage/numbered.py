"""Documents with a number, of whatever kind of books."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from tallystick.storage.schema import invoices, payment_invoices, sale_invoices


def count_documents_after(connection: Connection, source_id: int, block: int) -> int:
    """How many invoices and credit notes a source has from the blocks after `block`."""
    return sum(
        connection.execute(
            select(func.count()).where(table.c.source_id == source_id, table.c.block_number > block)
        ).scalar_one()
        for table in (invoices, payment_invoices, sale_invoices)
    )
