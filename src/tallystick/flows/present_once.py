"""Presents books of what is no subscription as documents, as `flows.present` those of subscriptions: each refund is a
credit note of what was paid (an escrow payment, a sale), which may have several invoices."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import chain
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection

from tallystick.core.checkout_invoice import SaleInvoice
from tallystick.core.invoice import Kind
from tallystick.core.money import Token
from tallystick.core.payment_invoice import PaymentInvoice, refunded_parts
from tallystick.core.pegs import PegHistory, peg_history
from tallystick.flows.selection import NUMBERED, Selection
from tallystick.render.document import InvoiceDocument, Issuer, Status
from tallystick.storage.pegs import read_pegs
from tallystick.storage.sources import Source
from tallystick.storage.tokens import read_tokens

D = TypeVar("D", PaymentInvoice, SaleInvoice)


class OncePresenter(ABC, Generic[D]):
    """Makes documents out of the books of one source."""

    series: str
    """What tells its series of numbers from those of others."""

    def __init__(self, source: Source, issuer: Issuer) -> None:
        self.source = source
        self.issuer = issuer

    # --- what the books are of ---

    @abstractmethod
    def read(self, connection: Connection, source_id: int, **wanted: Any) -> Iterator[D]:
        """The numbered invoices and credit notes, as `storage.documents` finds them."""

    @abstractmethod
    def last_numbers(self, connection: Connection) -> dict[tuple[Kind, str], int]:
        """The last number of each series, by kind and payee."""

    @abstractmethod
    def pending(self, connection: Connection, pegs: PegHistory) -> list[D]:
        """What the pending events would become, in their order on chain."""

    @abstractmethod
    def subject(self, invoice: D) -> Hashable:
        """What a refund is of."""

    @abstractmethod
    def of_subject(self, invoice: D) -> dict[str, Any]:
        """What `read` is to be asked for that."""

    @abstractmethod
    def number_text(self, kind: Kind, number: int) -> str:
        """How documents are numbered."""

    @abstractmethod
    def document(self, invoice: D, token: Token, refunded_units: int, credit_notes: Sequence[D]) -> InvoiceDocument:
        """The document of an invoice."""

    @abstractmethod
    def named(self, connection: Connection, reference: str) -> list[D]:
        """The invoices that go by a name other than their number; the pending ones where none is numbered."""

    # --- documents ---

    def selected(
        self, connection: Connection, selection: Selection, *, newest_first: bool = False
    ) -> Iterator[InvoiceDocument]:
        """The documents of a selection, by kind, payee and number, or back from the newest on chain."""
        numbered: Iterator[D] = iter(())
        if selection.statuses & NUMBERED:
            numbered = self.read(
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
        documents = _Documents(connection, self)
        for invoice in chain(reversed(pending), numbered) if newest_first else chain(numbered, pending):
            document = documents.of(invoice)
            if selection.takes(document):
                yield document

    def find(self, connection: Connection, reference: str) -> list[InvoiceDocument]:
        """The documents with a number, or the invoices that go by another name."""
        documents = _Documents(connection, self)
        found = [documents.of(invoice) for invoice in self.named(connection, reference)]
        digits = re.search(r"\d{1,18}$", reference)
        if found or digits is None:
            return found
        number = int(digits[0])
        return [
            documents.of(invoice)
            for invoice in self.read(connection, self.source.source_id, number=number)
            if self.number_text(invoice.kind, number) == reference
        ]

    def invoices_where(self, connection: Connection, is_wanted: Callable[[D], bool], **wanted: Any) -> list[D]:
        """Invoices as `read` finds them; the pending ones where none is numbered."""
        found = [one for one in self.read(connection, self.source.source_id, **wanted) if is_wanted(one)]
        found = found or [one for one in self._pending(connection) if is_wanted(one)]
        return [invoice for invoice in found if invoice.kind is Kind.INVOICE]

    def _pending(self, connection: Connection) -> list[D]:
        declared = read_pegs(connection, self.source.source_id)
        return self.pending(connection, peg_history(declared, read_tokens(connection, self.source.chain_id)))


class _Documents(Generic[D]):
    """Documents of invoices, with what of them was given back. A refund counts for the oldest invoice first."""

    def __init__(self, connection: Connection, presenter: OncePresenter[D]) -> None:
        self._connection = connection
        self._presenter: OncePresenter[D] = presenter
        self._source_id, self._chain_id = presenter.source.source_id, presenter.source.chain_id
        self._tokens = read_tokens(connection, self._chain_id)
        self._notes: defaultdict[Hashable, list[D]] = defaultdict(list)
        for note in presenter.read(connection, self._source_id, kind=Kind.CREDIT_NOTE):
            self._notes[presenter.subject(note)].append(note)
        self._refunded: dict[Hashable, dict[int | None, int]] = {}

    def of(self, invoice: D) -> InvoiceDocument:
        """One document."""
        subject = self._presenter.subject(invoice)
        unnamed = Token(self._chain_id, invoice.token, f"units of {invoice.token}", 0)
        is_paid = invoice.kind is Kind.INVOICE and invoice.number is not None and subject in self._notes
        return self._presenter.document(
            invoice,
            self._tokens.get(invoice.token) or unnamed,
            self._refunds(invoice)[invoice.number] if is_paid else 0,
            self._notes[subject] if is_paid else (),
        )

    def _refunds(self, invoice: D) -> dict[int | None, int]:
        """What was given back of each invoice of its subject, by their numbers, which follow the chain."""
        subject = self._presenter.subject(invoice)
        if subject not in self._refunded:
            found = self._presenter.read(
                self._connection, self._source_id, kind=Kind.INVOICE, **self._presenter.of_subject(invoice)
            )
            totals = {one.number: one.total_units for one in found if self._presenter.subject(one) == subject}
            parts = refunded_parts(list(totals.values()), sum(note.total_units for note in self._notes[subject]))
            self._refunded[subject] = dict(zip(totals, parts, strict=True))
        return self._refunded[subject]
