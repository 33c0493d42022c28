"""How the mirror keeps the books of `Escrow`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection

from tallystick.chain.decode_payments import PAYMENTS
from tallystick.chain.decoder import Decoder
from tallystick.chain.logs import LogEntry
from tallystick.chain.rpc import Rpc
from tallystick.core.books import ClaimableBalance
from tallystick.core.events import Origin
from tallystick.core.ledger import Entry
from tallystick.core.payment_books import PaymentBooks, PaymentChange, PaymentTotal, touched_payments
from tallystick.core.payment_events import Authorized, PaymentCharged, PaymentEvent, RecordedPayment
from tallystick.core.payment_invoice import PaymentInvoice
from tallystick.core.payment_state import Payment
from tallystick.core.pegs import PegHistory
from tallystick.flows.kind import Stored, WatchesNothing
from tallystick.flows.pending_payments import derive_payments_present
from tallystick.flows.recount_payments import recount_payments
from tallystick.storage import sources
from tallystick.storage.claimables import save_claimables
from tallystick.storage.journal import add_entries
from tallystick.storage.payment_books import fill_payment_books, load_payment_books
from tallystick.storage.payment_invoices import add_payment_invoices
from tallystick.storage.payments import add_revoked, save_payment_totals, save_payments
from tallystick.storage.sources import Source

KEEP_PAYMENTS = 100_000
"""How many payments stay in memory between ranges."""


class PaymentRows(NamedTuple):
    """What follows from a range of blocks: what is new, and what stands differently after them."""

    payments: dict[bytes, Payment]
    totals: list[PaymentTotal]
    claimables: list[ClaimableBalance]
    revoked: list[bytes]
    entries: list[Entry]
    invoices: list[PaymentInvoice]


@dataclass(frozen=True)
class EscrowBooks(WatchesNothing):
    """A `SourceKind`."""

    name: str = sources.ESCROW
    decoder: Decoder[PaymentEvent] = PAYMENTS
    opening: tuple[type, ...] = (Authorized, PaymentCharged)

    def tokens_of(self, event: Authorized | PaymentCharged) -> tuple[str, ...]:
        """That of a payment which begins."""
        return (event.terms.token,)

    def load(self, connection: Connection, source: Source, pegs: PegHistory) -> PaymentBooks:
        """Without payments."""
        return load_payment_books(connection, source, pegs)

    def derive(self, stored: Stored, source: Source, books: PaymentBooks, logs: Sequence[LogEntry]) -> PaymentRows:
        """What final events make."""
        fill_payment_books(stored(), source, books, touched_payments(log.event for log in logs))
        rows = _rows(books.apply(RecordedPayment(log.origin, log.event)) for log in logs)
        books.require_whole()
        return rows

    def present(
        self, connection: Connection, source: Source, pending: Sequence[tuple[Origin, PaymentEvent]]
    ) -> tuple[PaymentBooks, PaymentRows]:
        """What pending events make."""
        recorded = [RecordedPayment(*found) for found in pending]
        books, changes = derive_payments_present(connection, source, {}, recorded)
        return books, _rows(change for _, change in changes)

    def recount(self, rpc: Rpc, source: Source, block: int, books: PaymentBooks, rows: PaymentRows) -> None:
        """By the contract's totals, and the state of each payment that changed."""
        recount_payments(rpc, source.contract, block, books, rows.payments.keys(), rows.revoked)

    def write(self, connection: Connection, source_id: int, rows: PaymentRows) -> None:
        """Each kind of row."""
        save_payments(connection, source_id, rows.payments.values())
        save_payment_totals(connection, source_id, rows.totals)
        save_claimables(connection, source_id, rows.claimables)
        add_revoked(connection, source_id, rows.revoked)
        add_entries(connection, source_id, rows.entries)
        add_payment_invoices(connection, source_id, rows.invoices)

    def trim(self, books: PaymentBooks) -> None:
        """Payments, all at once."""
        if len(books.payments) + len(books.revoked) > KEEP_PAYMENTS:
            books.payments.clear()
            books.revoked.clear()


ESCROW = EscrowBooks()


def _rows(changes: Iterable[PaymentChange]) -> PaymentRows:
    payments: dict[bytes, Payment] = {}
    totals: dict[tuple[str, str], PaymentTotal] = {}
    claimables: dict[tuple[str, str], ClaimableBalance] = {}
    revoked: list[bytes] = []
    entries: list[Entry] = []
    invoices: list[PaymentInvoice] = []
    for payment, entry, invoice, total, claimable, never in changes:
        if payment is not None:
            payments[payment.payment_id] = payment
        if entry is not None:
            entries.append(entry)
        if invoice is not None:
            invoices.append(invoice)
        if total is not None:
            totals[total.payee, total.token] = total
        if claimable is not None:
            claimables[claimable.account, claimable.token] = claimable
        if never is not None:
            revoked.append(never)
    return PaymentRows(payments, list(totals.values()), list(claimables.values()), revoked, entries, invoices)
