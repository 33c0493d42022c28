"""Presents the books of what is sold once as documents."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection

from tallystick.core.checkout_invoice import SaleInvoice
from tallystick.core.invoice import Kind
from tallystick.core.money import Token
from tallystick.core.pegs import PegHistory
from tallystick.core.reference import parse_reference
from tallystick.errors import InputError
from tallystick.flows.checkout_books import read_checkout_present
from tallystick.flows.present_once import OncePresenter
from tallystick.render.document import InvoiceDocument, sale_document
from tallystick.storage.sale_invoices import last_sale_numbers, read_sale_invoices


class SalePresenter(OncePresenter[SaleInvoice]):
    """Makes documents out of the books of quotes and deposit addresses."""

    series = "sale"

    def read(self, connection: Connection, source_id: int, **wanted: Any) -> Iterator[SaleInvoice]:
        """Those of sales."""
        return read_sale_invoices(connection, source_id, **wanted)

    def last_numbers(self, connection: Connection) -> dict[tuple[Kind, str], int]:
        """Of sales."""
        return last_sale_numbers(connection, self.source.source_id)

    def pending(self, connection: Connection, pegs: PegHistory) -> list[SaleInvoice]:
        """By the rules of sales."""
        changes = read_checkout_present(connection, self.source, pegs).changes
        return [change.invoice for _, change in changes if change.invoice is not None]

    def subject(self, invoice: SaleInvoice) -> Hashable:
        """What the merchant calls it, and its token."""
        return invoice.payee, invoice.reference, invoice.token

    def of_subject(self, invoice: SaleInvoice) -> dict[str, Any]:
        """By its name."""
        return {"payee": invoice.payee, "reference": invoice.reference}

    def number_text(self, kind: Kind, number: int) -> str:
        """`SALE-000042`."""
        return self.issuer.sale_number_text(kind, number)

    def document(
        self, invoice: SaleInvoice, token: Token, refunded_units: int, credit_notes: Sequence[SaleInvoice]
    ) -> InvoiceDocument:
        """Of a sale."""
        return sale_document(
            invoice,
            issuer=self.issuer,
            token=token,
            contract=self.source.contract,
            refunded_units=refunded_units,
            credit_notes=credit_notes,
        )

    def named(self, connection: Connection, reference: str) -> list[SaleInvoice]:
        """By what the merchant calls it on chain."""
        try:
            wanted = parse_reference(reference)
        except InputError:
            return []
        return self.invoices_where(connection, lambda one: one.reference == wanted, reference=wanted)
