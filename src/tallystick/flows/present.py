"""Presents the books as documents: what is numbered as it stands, what is pending as it would be numbered.

Nothing is written here. Invoices of pending blocks are derived from their events each time they are asked for, so that
a reorganisation cannot leave one behind.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from heapq import merge
from itertools import chain, islice

from sqlalchemy import Connection

from tallystick.config import Config
from tallystick.core.invoice import Invoice, Kind
from tallystick.core.money import Token
from tallystick.core.pegs import peg_history
from tallystick.errors import UnknownDocument
from tallystick.flows.mirror import StoredBooks
from tallystick.flows.pending import read_present
from tallystick.flows.present_payments import PaymentPresenter
from tallystick.flows.present_sales import SalePresenter
from tallystick.flows.selection import ALL, NUMBERED, Selection
from tallystick.render.document import InvoiceDocument, Issuer, Party, Status, invoice_document
from tallystick.storage.database import reading
from tallystick.storage.invoices import last_invoice_numbers, read_invoices
from tallystick.storage.pegs import read_pegs
from tallystick.storage.tokens import read_tokens

__all__ = ["ALL", "NUMBERED", "Presenter", "Selection"]

_CHARGE = re.compile(r"(\d{1,19})/(\d{1,9})")


class Presenter:
    """Makes documents out of the books in a database, of subscriptions, of escrow payments and of what is sold once,
    issued by the configured merchant."""

    def __init__(self, books: StoredBooks, config: Config) -> None:
        merchant = config.merchant
        self.issuer = Issuer(
            Party(merchant.name, merchant.address, merchant.tax_id, merchant.email),
            merchant.invoice_prefix,
            merchant.payment_prefix,
            merchant.sale_prefix,
        )
        self._engine = books.engine
        self._source = books.source
        self._others: list[PaymentPresenter | SalePresenter] = []
        if books.escrow is not None:
            self._others.append(PaymentPresenter(books.escrow, self.issuer))
        if books.checkout is not None:
            self._others.append(SalePresenter(books.checkout, self.issuer))

    def documents(self, selection: Selection = ALL) -> Iterator[InvoiceDocument]:
        """The documents of a selection: credit notes, then invoices, by payee and number; the pending ones last, in
        their order on chain; those of escrow payments and sales after the others. Reads as it goes."""
        with reading(self._engine) as connection:
            yield from self._selected(connection, selection)
            for presenter in self._others:
                yield from presenter.selected(connection, selection)

    def payees(self) -> list[str]:
        """Who has numbered documents; each payee has numbers of its own."""
        with reading(self._engine) as connection:
            return sorted({payee for _, payee in self._series(connection)})

    def numbered_count(self) -> int:
        """How many numbered documents there are."""
        with reading(self._engine) as connection:
            return sum(self._series(connection).values())

    def newest(self, limit: int, selection: Selection = ALL) -> list[InvoiceDocument]:
        """The last `limit` documents of a selection, the newest first. Reads no further than to the last of them."""
        with reading(self._engine) as connection:
            found = self._selected(connection, selection, newest_first=True)
            others = [presenter.selected(connection, selection, newest_first=True) for presenter in self._others]
            found = merge(found, *others, key=_place, reverse=True)
            return list(islice(found, limit))

    def find(self, reference: str, *, payee: str | None = None) -> InvoiceDocument:
        """The document with a number, `INV-000042`, the invoice of a charge, `118/7` (subscription, charge number), the
        one of an escrow payment, by its id, or of a sale, by what the merchant calls it on chain.

        Raises UnknownDocument where there is none, or one of several payees and none is given.
        """
        wanted = reference.strip()
        charge = _CHARGE.fullmatch(wanted)
        with reading(self._engine) as connection:
            if charge:
                found = self._of_charge(connection, int(charge[1]), int(charge[2]))
            else:
                found = self._numbered(connection, wanted, payee)
            for presenter in self._others:
                found += presenter.find(connection, wanted)
        found = [document for document in found if payee in {None, document.merchant.account}]
        if not found:
            raise UnknownDocument(
                f"there is no invoice or credit note {wanted!r}: allowed are a number such as "
                f"{self.issuer.number_text(Kind.INVOICE, 1)} or {self.issuer.number_text(Kind.CREDIT_NOTE, 1)}, or "
                "subscription/charge such as 1/1, the id of an escrow payment, or what a sale is called on chain. "
                "`tallystick invoices list` shows those there are"
            )
        if len(found) > 1:
            payees = ", ".join(str(document.merchant.account) for document in found)
            if wanted.startswith("0x"):
                numbers = ", ".join(document.number or "pending" for document in found)
                raise UnknownDocument(f"payment {wanted} has several documents, {numbers}: name one of them")
            raise UnknownDocument(f"{wanted} is a number of several payees, {payees}: say whose with --payee")
        return found[0]

    def _series(self, connection: Connection) -> dict[tuple[str, str], int]:
        """The last number of each series, by whatever tells series apart and the payee."""
        numbers = last_invoice_numbers(connection, self._source.source_id)
        found: dict[tuple[str, str], int] = {(kind.value, payee): number for (kind, payee), number in numbers.items()}
        for presenter in self._others:
            numbers = presenter.last_numbers(connection)
            found |= {(f"{presenter.series} {kind}", payee): number for (kind, payee), number in numbers.items()}
        return found

    # --- reading ----------------------------------------------------------------------------------------------------

    def _selected(
        self, connection: Connection, selection: Selection, *, newest_first: bool = False
    ) -> Iterator[InvoiceDocument]:
        # A credit note changes the status of its invoice, whenever it was written.
        notes = self._credit_notes(connection, selection.payer, selection.payee)
        numbered: Iterator[Invoice] = iter(())
        if selection.statuses & NUMBERED:
            numbered = read_invoices(
                connection,
                self._source.source_id,
                kind=selection.kind,
                payee=selection.payee,
                payer=selection.payer,
                since=selection.since,
                until=selection.until,
                newest_first=newest_first,
            )
        pending = self._pending(connection) if Status.PENDING in selection.statuses else []
        tokens = read_tokens(connection, self._source.chain_id)
        # Whatever is pending lies behind the final block, and everything numbered before it.
        for invoice in chain(reversed(pending), numbered) if newest_first else chain(numbered, pending):
            document = self._document(invoice, tokens, notes)
            if selection.takes(document):
                yield document

    def _of_charge(self, connection: Connection, subscription_id: int, charge_number: int) -> list[InvoiceDocument]:
        numbered = read_invoices(connection, self._source.source_id, subscription_id=subscription_id)
        found = [invoice for invoice in numbered if invoice.charge_number == charge_number]
        found = found or [
            invoice
            for invoice in self._pending(connection)
            if (invoice.subscription_id, invoice.charge_number) == (subscription_id, charge_number)
        ]
        notes = {(subscription_id, charge_number): [note for note in found if note.kind is Kind.CREDIT_NOTE]}
        tokens = read_tokens(connection, self._source.chain_id)
        return [self._document(invoice, tokens, notes) for invoice in found if invoice.kind is Kind.INVOICE]

    def _numbered(self, connection: Connection, reference: str, payee: str | None) -> list[InvoiceDocument]:
        digits = re.search(r"\d{1,18}$", reference)
        if digits is None:
            return []
        number = int(digits[0][-18:])
        tokens = read_tokens(connection, self._source.chain_id)
        found = []
        for invoice in read_invoices(connection, self._source.source_id, payee=payee, number=number):
            if self.issuer.number_text(invoice.kind, number) == reference:
                notes = self._credit_notes(connection, invoice.payer, invoice.payee)
                found.append(self._document(invoice, tokens, notes))
        return found

    def _credit_notes(
        self, connection: Connection, payer: str | None, payee: str | None
    ) -> dict[tuple[int, int], list[Invoice]]:
        found: defaultdict[tuple[int, int], list[Invoice]] = defaultdict(list)
        notes = read_invoices(connection, self._source.source_id, kind=Kind.CREDIT_NOTE, payer=payer, payee=payee)
        for note in notes:
            found[note.subscription_id, note.charge_number].append(note)
        return found

    def _pending(self, connection: Connection) -> list[Invoice]:
        """What the pending events would become, in their order on chain."""
        declared = read_pegs(connection, self._source.source_id)
        pegs = peg_history(declared, read_tokens(connection, self._source.chain_id))
        changes = read_present(connection, self._source, pegs).changes
        return [change.invoice for _, change in changes if change.invoice is not None]

    def _document(
        self, invoice: Invoice, tokens: dict[str, Token], notes: dict[tuple[int, int], list[Invoice]]
    ) -> InvoiceDocument:
        # A token of a plan that is pending itself has not been asked for its name yet.
        token = tokens.get(invoice.token) or Token(self._source.chain_id, invoice.token, f"units of {invoice.token}", 0)
        is_invoice = invoice.kind is Kind.INVOICE
        key = (invoice.subscription_id, invoice.charge_number)
        return invoice_document(
            invoice,
            issuer=self.issuer,
            token=token,
            contract=self._source.contract,
            credit_notes=notes.get(key, ()) if is_invoice else (),
        )


def _place(document: InvoiceDocument) -> tuple[int, int]:
    return document.payment.block_number, document.payment.log_index
