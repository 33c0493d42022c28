"""Presents the books of escrow payments as documents."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection

from tallystick.core.invoice import Kind
from tallystick.core.money import Token
from tallystick.core.payment_invoice import PaymentInvoice
from tallystick.core.pegs import PegHistory
from tallystick.flows.pending_payments import read_payments_present
from tallystick.flows.present_once import OncePresenter
from tallystick.render.document import InvoiceDocument, payment_document
from tallystick.storage.payment_invoices import last_payment_numbers, read_payment_invoices

_PAYMENT = re.compile("0x([0-9a-f]{64})")


class PaymentPresenter(OncePresenter[PaymentInvoice]):
    """Makes documents out of the books of escrow payments."""

    series = "payment"

    def read(self, connection: Connection, source_id: int, **wanted: Any) -> Iterator[PaymentInvoice]:
        """Those of payments."""
        return read_payment_invoices(connection, source_id, **wanted)

    def last_numbers(self, connection: Connection) -> dict[tuple[Kind, str], int]:
        """Of payments."""
        return last_payment_numbers(connection, self.source.source_id)

    def pending(self, connection: Connection, pegs: PegHistory) -> list[PaymentInvoice]:
        """By the rules of payments."""
        changes = read_payments_present(connection, self.source, pegs).changes
        return [change.invoice for _, change in changes if change.invoice is not None]

    def subject(self, invoice: PaymentInvoice) -> Hashable:
        """Its payment."""
        return invoice.payment_id

    def of_subject(self, invoice: PaymentInvoice) -> dict[str, Any]:
        """By its id."""
        return {"payment_id": invoice.payment_id}

    def number_text(self, kind: Kind, number: int) -> str:
        """`PAY-000042`."""
        return self.issuer.payment_number_text(kind, number)

    def document(
        self, invoice: PaymentInvoice, token: Token, refunded_units: int, credit_notes: Sequence[PaymentInvoice]
    ) -> InvoiceDocument:
        """Of a payment."""
        return payment_document(
            invoice,
            issuer=self.issuer,
            token=token,
            contract=self.source.contract,
            refunded_units=refunded_units,
            credit_notes=credit_notes,
        )

    def named(self, connection: Connection, reference: str) -> list[PaymentInvoice]:
        """By the payment's id."""
        found = _PAYMENT.fullmatch(reference.lower())
        if found is None:
            return []
        payment_id = bytes.fromhex(found[1])
        return self.invoices_where(connection, lambda one: one.payment_id == payment_id, payment_id=payment_id)
