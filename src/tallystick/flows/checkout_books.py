"""How the mirror keeps the books of `Checkout`: of quotes, and of what comes to deposit addresses that are expected to
receive something."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection

from tallystick.chain.decode_checkout import CHECKOUT as EVENTS
from tallystick.chain.decoder import Decoder
from tallystick.chain.logs import LogEntry
from tallystick.chain.rpc import Rpc
from tallystick.core.address import ZERO_ADDRESS
from tallystick.core.books import ClaimableBalance
from tallystick.core.checkout_books import (
    NUMBERS_IN_A_WORD,
    CheckoutBooks,
    CheckoutChange,
    QuoteTotal,
    Sale,
    UsedNumbers,
)
from tallystick.core.checkout_events import (
    CheckoutEvent,
    InvoiceRefunded,
    QuotePaid,
    QuoteWithdrawn,
    RecordedCheckout,
    Swept,
    TokenReceived,
)
from tallystick.core.checkout_invoice import SaleInvoice
from tallystick.core.events import Origin
from tallystick.core.expected import Deposit
from tallystick.core.ledger import Entry
from tallystick.core.pegs import PegHistory
from tallystick.flows.kind import Stored
from tallystick.flows.pending import stored_pending
from tallystick.flows.recount_checkout import recount_checkout
from tallystick.storage import sources
from tallystick.storage.checkout import fill_checkout_books, load_checkout_books, save_checkout
from tallystick.storage.claimables import save_claimables
from tallystick.storage.expected import read_expected, see_expected
from tallystick.storage.journal import add_entries
from tallystick.storage.sale_invoices import add_sale_invoices
from tallystick.storage.sources import Source

KEEP_INVOICES = 100_000
"""How many deposits and sales stay in memory between ranges."""


class CheckoutRows(NamedTuple):
    """What follows from a range of blocks: what is new, and what stands differently after them."""

    deposits: dict[tuple[str, bytes, str], Deposit]
    sales: dict[tuple[str, bytes, str], Sale]
    totals: dict[tuple[str, str], QuoteTotal]
    used: dict[tuple[str, int], UsedNumbers]
    claimables: dict[tuple[str, str], ClaimableBalance]
    entries: list[Entry]
    invoices: list[SaleInvoice]
    paid: set[tuple[str, str]]
    """Accounts that quotes paid, and in which token: something may be kept for them."""


@dataclass(frozen=True)
class CheckoutKind:
    """A `SourceKind`."""

    name: str = sources.CHECKOUT
    decoder: Decoder[CheckoutEvent] = EVENTS
    opening: tuple[type, ...] = (QuotePaid, TokenReceived, Swept, InvoiceRefunded)

    def tokens_of(self, event: QuotePaid | TokenReceived | Swept | InvoiceRefunded) -> tuple[str, ...]:
        """That in which something moved."""
        token = event.quote.token if isinstance(event, QuotePaid) else event.token
        return (token or ZERO_ADDRESS,)

    def see(self, connection: Connection, source: Source) -> bool:
        """What merchants expect since."""
        return see_expected(connection, source) > 0

    def watched(self, connection: Connection, source: Source) -> Mapping[str, int]:
        """The deposit addresses at which something is expected."""
        return {one.address.lower(): one.from_block for one in read_expected(connection, source.source_id)}

    def load(self, connection: Connection, source: Source, pegs: PegHistory) -> CheckoutBooks:
        """Without deposits, sales and numbers."""
        return load_checkout_books(connection, source, pegs)

    def derive(self, stored: Stored, source: Source, books: CheckoutBooks, logs: Sequence[LogEntry]) -> CheckoutRows:
        """What final events make."""
        recorded = [RecordedCheckout(log.origin, log.event) for log in logs]
        fill(stored(), source, books, recorded)
        return _rows(recorded, (books.apply(one) for one in recorded))

    def present(
        self, connection: Connection, source: Source, pending: Sequence[tuple[Origin, CheckoutEvent]]
    ) -> tuple[CheckoutBooks, CheckoutRows]:
        """What pending events make."""
        recorded = [RecordedCheckout(*found) for found in pending]
        books, changes = derive_checkout_present(connection, source, {}, recorded)
        return books, _rows(recorded, (change for _, change in changes))

    def recount(self, rpc: Rpc, source: Source, block: int, books: CheckoutBooks, rows: CheckoutRows) -> None:
        """By the contract's totals, and the numbers that were used."""
        recount_checkout(rpc, source.contract, block, books, rows.totals, rows.used, rows.paid)

    def write(self, connection: Connection, source_id: int, rows: CheckoutRows) -> None:
        """Each kind of row."""
        changed = (rows.deposits, rows.sales, rows.totals, rows.used)
        save_checkout(connection, source_id, [row for found in changed for row in found.values()])
        save_claimables(connection, source_id, rows.claimables.values())
        add_entries(connection, source_id, rows.entries)
        add_sale_invoices(connection, source_id, rows.invoices)

    def trim(self, books: CheckoutBooks) -> None:
        """Deposits, sales and numbers, all at once."""
        if len(books.deposits) + len(books.sales) + len(books.used) > KEEP_INVOICES:
            books.deposits.clear()
            books.sales.clear()
            books.used.clear()


CHECKOUT = CheckoutKind()


class CheckoutPresent(NamedTuple):
    """The books as of the newest mirrored block, and the changes of the pending events among them."""

    books: CheckoutBooks
    changes: list[tuple[RecordedCheckout, CheckoutChange]]


def read_checkout_present(
    connection: Connection, source: Source, pegs: PegHistory, invoices: Iterable[tuple[str, bytes]] = ()
) -> CheckoutPresent:
    """The present, with what came for the invoices asked for (receiver, invoice) and for those that pending events
    touch."""
    pending = [RecordedCheckout(*found) for found in stored_pending(connection, source, EVENTS)]
    return derive_checkout_present(connection, source, pegs, pending, invoices)


def derive_checkout_present(
    connection: Connection,
    source: Source,
    pegs: PegHistory,
    pending: Sequence[RecordedCheckout],
    invoices: Iterable[tuple[str, bytes]] = (),
) -> CheckoutPresent:
    """What these pending events make of the final books. Raises EventsInconsistent where they cannot follow them."""
    books = load_checkout_books(connection, source, pegs)
    fill(connection, source, books, pending, invoices)
    return CheckoutPresent(books, [(recorded, books.apply(recorded, final=False)) for recorded in pending])


def fill(
    connection: Connection,
    source: Source,
    books: CheckoutBooks,
    recorded: Sequence[RecordedCheckout],
    invoices: Iterable[tuple[str, bytes]] = (),
) -> None:
    """Brings in what these events touch."""
    touched, words = set(invoices), set()
    for _, event in recorded:
        match event:
            case QuotePaid():
                touched.add((event.quote.merchant, event.quote.invoice))
                words.add((event.quote.merchant, event.quote.number // NUMBERS_IN_A_WORD))
            case QuoteWithdrawn():
                words.add((event.merchant, event.number // NUMBERS_IN_A_WORD))
            case Swept():
                touched.add((event.receiver, event.invoice))
            case InvoiceRefunded():
                touched.add((event.by, event.invoice))
            case TokenReceived():
                if expected := books.expectation(event.address):
                    touched.add((expected.receiver, expected.invoice))
    fill_checkout_books(connection, source, books, touched, words)


def paid_accounts(event: CheckoutEvent) -> set[tuple[str, str]]:
    """Whom a quote that was paid paid, and in which token."""
    return {(part.payee, event.quote.token) for part in event.quote.payouts} if isinstance(event, QuotePaid) else set()


def _rows(recorded: Iterable[RecordedCheckout], changes: Iterable[CheckoutChange]) -> CheckoutRows:
    paid = set().union(*(paid_accounts(event) for _, event in recorded))
    rows = CheckoutRows({}, {}, {}, {}, {}, [], [], paid)
    for entry, invoice, deposit, sale, total, used, claimable, _ in changes:
        if entry is not None:
            rows.entries.append(entry)
        if invoice is not None:
            rows.invoices.append(invoice)
        if deposit is not None:
            rows.deposits[deposit[:3]] = deposit
        if sale is not None:
            rows.sales[sale[:3]] = sale
        if total is not None:
            rows.totals[total[:2]] = total
        if used is not None:
            rows.used[used[:2]] = used
        if claimable is not None:
            rows.claimables[claimable[:2]] = claimable
    return rows
