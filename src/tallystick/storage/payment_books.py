"""The books of escrow payments as they stand at a source's final block, ready for the next event."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from tallystick.core.payment_books import PaymentBooks
from tallystick.core.pegs import PegHistory
from tallystick.storage.claimables import read_claimables
from tallystick.storage.journal import last_entry
from tallystick.storage.payment_invoices import last_payment_numbers
from tallystick.storage.payments import read_payment_totals, read_payments, read_revoked
from tallystick.storage.sources import Source


def load_payment_books(connection: Connection, source: Source, pegs: PegHistory) -> PaymentBooks:
    """The books without any payments; `fill_payment_books` brings in those that are needed."""
    books = PaymentBooks(source.chain_id, source.contract, pegs)
    books.totals = read_payment_totals(connection, source.source_id)
    books.claimables = read_claimables(connection, source.source_id)
    books.entry_number, books.entry_hash = last_entry(connection, source.source_id)
    books.invoice_numbers = last_payment_numbers(connection, source.source_id)
    return books


def fill_payment_books(connection: Connection, source: Source, books: PaymentBooks, ids: Sequence[bytes]) -> None:
    """Brings in the payments, and those that were revoked, that are not in the books yet."""
    missing = [payment_id for payment_id in ids if payment_id not in books.payments]
    books.payments.update(read_payments(connection, source.source_id, missing))
    books.revoked |= read_revoked(connection, source.source_id, missing)
