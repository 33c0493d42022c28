"""Presents the books of escrow payments as documents, as `flows.present` those of subscriptions."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain

from sqlalchemy import Connection

from tallystick.core.invoice import Kind
from tallystick.core.money import Token
from tallystick.core.payment_invoice import PaymentInvoice, refunded_parts
from tallystick.core.pegs import peg_history
from tallystick.flows.pending_payments import read_payments_present
from tallystick.flows.selection import NUMBERED, Selection
from tallystick.render.document import InvoiceDocument, Issuer, Status, payment_document
from tallystick.storage.payment_invoices import read_payment_invoices
from tallystick.storage.pegs import read_pegs
from tallystick.storage.sources import Source
from tallystick.storage.tokens import read_tokens

_PAYMENT = re.compile("0x([0-9a-f]{64})")


class PaymentPresenter:
    """Makes documents out of the books of escrow payments."""

    def __init__(self, source: Source, issuer: Issuer) -> None:
        self.source = source
        self._issuer = issuer

    def selected(
        self, connection: Connection, selection: Selection, *, newest_first: bool = False
    ) -> Iterator[InvoiceDocument]:
        """The documents of a selection, by kind, payee and number, or back from the newest on chain."""
        numbered: Iterator[PaymentInvoice] = iter(())
        if selection.statuses & NUMBERED:
            numbered = read_payment_invoices(
                connection,
                self.source.source_id,
                kind=selection.kind,
                payee=selection.payee,
                payer=selection.payer,
                since=selection.since,
                until=selection.until,
                newest_first=newest_first,
            )
        pending = self._pending(connection) if Status.PENDING in selection.statuses else []
        documents = _Documents(connection, self.source, self._issuer)
        for invoice in chain(reversed(pending), numbered) if newest_first else chain(numbered, pending):
            document = documents.of(invoice)
            if selection.takes(document):
                yield document

    def find(self, connection: Connection, reference: str) -> list[InvoiceDocument]:
        """The documents with a number, or the invoices of a payment by its id; the pending ones where none is
        numbered."""
        documents = _Documents(connection, self.source, self._issuer)
        if named := _PAYMENT.fullmatch(reference.lower()):
            payment_id = bytes.fromhex(named[1])
            found = list(read_payment_invoices(connection, self.source.source_id, payment_id=payment_id))
            found = found or [one for one in self._pending(connection) if one.payment_id == payment_id]
            return [documents.of(invoice) for invoice in found if invoice.kind is Kind.INVOICE]
        digits = re.search(r"\d{1,18}$", reference)
        if digits is None:
            return []
        number = int(digits[0])
        return [
            documents.of(invoice)
            for invoice in read_payment_invoices(connection, self.source.source_id, number=number)
            if self._issuer.payment_number_text(invoice.kind, number) == reference
        ]

    def _pending(self, connection: Connection) -> list[PaymentInvoice]:
        """What the pending events would become, in their order on chain."""
        declared = read_pegs(connection, self.source.source_id)
        pegs = peg_history(declared, read_tokens(connection, self.source.chain_id))
        changes = read_payments_present(connection, self.source, pegs).changes
        return [change.invoice for _, change in changes if change.invoice is not None]


class _Documents:
    """Documents of invoices, with what of them was given back. A refund is of its payment: it counts for the payment's
    oldest invoice first."""

    def __init__(self, connection: Connection, source: Source, issuer: Issuer) -> None:
        self._connection = connection
        self._source = source
        self._issuer = issuer
        self._tokens = read_tokens(connection, source.chain_id)
        self._notes: defaultdict[bytes, list[PaymentInvoice]] = defaultdict(list)
        for note in read_payment_invoices(connection, source.source_id, kind=Kind.CREDIT_NOTE):
            self._notes[note.payment_id].append(note)
        self._refunded: dict[bytes, dict[int | None, int]] = {}

    def of(self, invoice: PaymentInvoice) -> InvoiceDocument:
        """One document."""
        unnamed = Token(self._source.chain_id, invoice.token, f"units of {invoice.token}", 0)
        is_paid = invoice.kind is Kind.INVOICE and invoice.number is not None and invoice.payment_id in self._notes
        return payment_document(
            invoice,
            issuer=self._issuer,
            token=self._tokens.get(invoice.token) or unnamed,
            contract=self._source.contract,
            refunded_units=self._refunds(invoice.payment_id)[invoice.number] if is_paid else 0,
            credit_notes=self._notes[invoice.payment_id] if is_paid else (),
        )

    def _refunds(self, payment_id: bytes) -> dict[int | None, int]:
        """What was given back of each of a payment's invoices, by their numbers, which follow the chain."""
        if payment_id not in self._refunded:
            source_id = self._source.source_id
            found = read_payment_invoices(self._connection, source_id, kind=Kind.INVOICE, payment_id=payment_id)
            totals = {invoice.number: invoice.total_units for invoice in found}
            parts = refunded_parts(list(totals.values()), sum(note.total_units for note in self._notes[payment_id]))
            self._refunded[payment_id] = dict(zip(totals, parts, strict=True))
        return self._refunded[payment_id]
