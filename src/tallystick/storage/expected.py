"""What merchants expect at deposit addresses: declared, and seen from a block on."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select, update

from tallystick.core.expected import Expected
from tallystick.errors import InputError
from tallystick.storage.database import add_missing_rows
from tallystick.storage.schema import expected_payments
from tallystick.storage.sources import Source

UNSEEN = -1
"""In place of the block from which on transfers are seen, where the mirror has not taken notice yet."""


def add_expected(connection: Connection, source_id: int, new: Expected) -> Expected:
    """Declares what is expected for an invoice, or gives what was declared before. `from_block` of `new` does not
    count.

    Raises InputError where another amount, token or tolerance is expected for the invoice, or another kind of time:
    what was shown to a payer holds.
    """
    add_missing_rows(connection, expected_payments, [(source_id, *new[:-1], None)])
    found = _row(connection, source_id, new.receiver, new.invoice)
    before = _expected(found)
    is_timed = before.valid_before is not None
    same = before._replace(valid_before=new.valid_before, from_block=new.from_block) == new
    if not same or is_timed != (new.valid_before is not None):
        raise InputError(
            f"found {new.amount_units} units of {new.token} to expect at {new.address}, {found.amount_units} units of "
            f"{found.token} are already expected there, in other terms: give the invoice another name"
        )
    return before


def _row(connection: Connection, source_id: int, receiver: str, invoice: bytes) -> Row[Any]:
    columns = expected_payments.c
    query = select(expected_payments).where(
        columns.source_id == source_id, columns.receiver == receiver, columns.invoice == invoice
    )
    return connection.execute(query).one()


def see_expected(connection: Connection, source: Source) -> int:
    """Takes notice of what was declared since: transfers are seen from the first block on that is not final yet.
    Whoever calls holds the source. Gives how many there were."""
    columns = expected_payments.c
    seen = connection.execute(
        update(expected_payments)
        .where(columns.source_id == source.source_id, columns.from_block.is_(None))
        .values(from_block=source.final_number + 1)
    )
    return seen.rowcount


def read_expected(connection: Connection, source_id: int, *, unseen: bool = False) -> list[Expected]:
    """What is expected, by receiver and invoice: what the mirror has taken notice of, or all (`unseen`)."""
    columns = expected_payments.c
    query = select(expected_payments).where(columns.source_id == source_id).order_by(columns.receiver, columns.invoice)
    if not unseen:
        query = query.where(columns.from_block.is_not(None))
    return [_expected(row) for row in connection.execute(query)]


def _expected(row: Row[Any]) -> Expected:
    terms = tuple(row)[1:-1]
    return Expected._make((*terms, UNSEEN if row.from_block is None else row.from_block))
