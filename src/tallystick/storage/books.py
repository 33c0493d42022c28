"""The books as they stand at a source's final block, ready for the next event."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from tallystick.core.books import Books
from tallystick.core.pegs import PegHistory
from tallystick.storage.claimables import read_claimables
from tallystick.storage.invoices import last_invoice_numbers, read_charge_invoices, read_refunded_units
from tallystick.storage.journal import last_entry
from tallystick.storage.subscriptions import read_plans, read_registers, read_subscriptions


def load_books(connection: Connection, source_id: int, pegs: PegHistory) -> Books:
    """The books without any subscriptions and invoices; `fill_books` brings in those that are needed."""
    books = Books(pegs)
    books.plans = read_plans(connection, source_id)
    books.registers = read_registers(connection, source_id)
    books.claimables = read_claimables(connection, source_id)
    books.entry_number, books.entry_hash = last_entry(connection, source_id)
    books.invoice_numbers = last_invoice_numbers(connection, source_id)
    return books


def fill_books(
    connection: Connection,
    source_id: int,
    books: Books,
    subscription_ids: Sequence[int],
    refunded_charges: Sequence[tuple[int, int]],
) -> None:
    """Brings in the subscriptions, and the invoices of charges given by (subscription, charge number), that are not in
    the books yet."""
    missing = [number for number in subscription_ids if number not in books.subscriptions]
    books.subscriptions.update(read_subscriptions(connection, source_id, missing))
    books.refunded_charges.update(refunded_charges)
    charges = [charge for charge in refunded_charges if charge not in books.charge_invoices]
    books.charge_invoices.update(read_charge_invoices(connection, source_id, charges))
    books.refunded_units.update(read_refunded_units(connection, source_id, charges))
