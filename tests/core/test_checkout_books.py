"""The books of what is sold once, as small journals; and random stories, in which journal and deposits agree."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.core.address import ZERO_ADDRESS
from tallystick.core.checkout_books import CheckoutBooks, CheckoutChange
from tallystick.core.checkout_events import (
    CheckoutEvent,
    InvoiceRefunded,
    NotSwept,
    QuotePaid,
    QuoteWithdrawn,
    ReceivedOtherwise,
    RecordedCheckout,
    Swept,
    TokenReceived,
    Unswept,
)
from tallystick.core.checkout_invoice import SaleBy
from tallystick.core.events import Origin
from tallystick.core.expected import Deposit, Expected
from tallystick.core.invoice import Kind, Peg
from tallystick.core.ledger import GENESIS_HASH, entry_hash, imbalance
from tallystick.core.payment_events import PayoutClaimed, PayoutKept
from tallystick.core.pegs import DeclaredPeg
from tallystick.core.quote import Payout, Quote
from tallystick.errors import EventsInconsistent

CHAIN_ID, CONTRACT = 31_337, "0x" + "5" * 40
MERCHANT, PAYER, PARTNER, TOKEN, PEGGED, SPAM, ADDRESS = ("0x" + digit * 40 for digit in "1234678")
INVOICE, UNNAMED = (name.ljust(32, b"\0") for name in (b"INV-1", b"INV-2"))
DUE, DEADLINE, FIRST_BLOCK = 25, 1_000, 5
EXPECTED = Expected(MERCHANT, INVOICE, ADDRESS, TOKEN, DUE, DEADLINE, 0, "TKN", 2, FIRST_BLOCK)


class Book:
    """Books, to which events happen one a block, from the first in which the deposit address is watched."""

    def __init__(self, *, tolerance: int = 0) -> None:
        declared = [DeclaredPeg(PEGGED, 0, "USD")]
        pegs = {TOKEN: [(0, Peg("TKN", 2, "USD", 2))]}
        expected = EXPECTED._replace(tolerance_units=tolerance)
        self.books = CheckoutBooks(CHAIN_ID, CONTRACT, pegs, expected=[expected], declared=declared)
        self.block, self.time, self.transaction = FIRST_BLOCK, 0, 0
        self.changes: list[CheckoutChange] = []

    def tell(self, *events: CheckoutEvent, final: bool = True) -> list[CheckoutChange]:
        """Events of one transaction."""
        self.block, self.transaction = self.block + 1, self.transaction + 1
        transaction = self.transaction.to_bytes(32, "big")
        changes = []
        for index, event in enumerate(events):
            origin = Origin(self.block, b"b" * 32, self.time, transaction, index)
            changes.append(self.books.apply(RecordedCheckout(origin, event), final=final))
        self.changes += changes
        return changes

    def journal(self) -> list[tuple[str, ...]]:
        """Each entry: its kind, and its lines without the parties."""
        return [
            (entry.kind, *(f"{account.replace(MERCHANT, 'M')} {side} {units}" for account, side, _, units in lines))
            for entry in (change.entry for change in self.changes)
            if entry is not None
            for lines in (entry.postings,)
        ]

    def balances(self) -> dict[tuple[str, str], int]:
        """Debits less credits by account and token."""
        sums: defaultdict[tuple[str, str], int] = defaultdict(int)
        for change in self.changes:
            for account, side, token, units in change.entry.postings if change.entry else ():
                sums[account, token] += units if side == "D" else -units
        return {key: units for key, units in sums.items() if units}


def sent(units: int, token: str = TOKEN) -> TokenReceived:
    return TokenReceived(token, PAYER, ADDRESS, units)


def swept(units: int, token: str | None = TOKEN, invoice: bytes = INVOICE) -> Swept:
    return Swept(MERCHANT, invoice, token, units)


def refunded(units: int, token: str = TOKEN, invoice: bytes = INVOICE) -> InvoiceRefunded:
    return InvoiceRefunded(MERCHANT, invoice, PAYER, token, units)


def paid(number: int = 1, *payouts: tuple[str, int], token: str = TOKEN) -> QuotePaid:
    parts = tuple(Payout(*part) for part in payouts or ((MERCHANT, DUE),))
    quote = Quote(MERCHANT, number, INVOICE, token, 10**6, parts)
    return QuotePaid(quote.quote_id(chain_id=CHAIN_ID, contract=CONTRACT), PAYER, quote, None)


# --- deposits ---------------------------------------------------------------------------------------------------------


def test_a_deposit_is_income_when_it_pays_the_invoice() -> None:
    book = Book()
    book.tell(sent(20))
    (change,) = book.tell(sent(7))
    book.tell(swept(27))
    assert book.journal() == [
        ("deposit", "Assets:Deposits:M D 20", "Liabilities:Advances:M C 20"),
        (
            *("deposit", "Assets:Deposits:M D 7", "Liabilities:Advances:M D 20"),
            *("Income:Sales:M C 25", "Liabilities:Credit:M C 2"),
        ),
        ("sweep", "Assets:Wallet:M D 27", "Assets:Deposits:M C 27"),
    ]
    invoice = change.invoice
    assert invoice is not None
    assert (invoice.kind, invoice.number, invoice.total_units, invoice.by) == (Kind.INVOICE, 1, DUE, SaleBy.DEPOSIT)
    assert (invoice.payer, invoice.fiat and invoice.fiat.units) == (PAYER, DUE)


def test_what_is_waived_is_an_expense_and_stands_on_the_invoice() -> None:
    book = Book(tolerance=3)
    (change,) = book.tell(sent(22))
    assert book.journal() == [("deposit", "Assets:Deposits:M D 22", "Expenses:Waived:M D 3", "Income:Sales:M C 25")]
    assert change.invoice is not None
    assert [line[0::3] for line in change.invoice.lines] == [("Sale INV-1", 25), ("Difference waived", -3)]
    assert change.invoice.total_units == 22


@pytest.mark.parametrize("token", [PEGGED, TOKEN])
def test_what_does_not_count_is_owed_to_the_customer(token: str) -> None:
    book = Book()
    book.time = DEADLINE
    book.tell(sent(9, token))
    assert book.journal() == [("deposit", "Assets:Deposits:M D 9", "Liabilities:Credit:M C 9")]
    assert book.changes[0].invoice is None


def test_money_that_no_transfer_told_of_is_booked_when_it_is_swept() -> None:
    """It came before the merchant expected it, or is the chain's own currency."""
    book = Book()
    (change,) = book.tell(swept(DUE))
    book.tell(swept(8, None))
    book.tell(swept(4, invoice=UNNAMED))
    assert book.journal() == [
        (
            *("sweep", "Assets:Deposits:M D 25", "Income:Sales:M C 25"),
            *("Assets:Wallet:M D 25", "Assets:Deposits:M C 25"),
        ),
        (
            *("sweep", "Assets:Deposits:M D 8", "Liabilities:Credit:M C 8"),
            *("Assets:Wallet:M D 8", "Assets:Deposits:M C 8"),
        ),
        (
            *("sweep", "Assets:Deposits:M D 4", "Liabilities:Credit:M C 4"),
            *("Assets:Wallet:M D 4", "Assets:Deposits:M C 4"),
        ),
    ]
    assert change.invoice is not None
    assert change.invoice.payer == ADDRESS


def test_what_was_told_and_is_not_there_is_lost() -> None:
    book = Book()
    book.tell(sent(DUE))
    book.tell(swept(24))
    assert book.journal()[1] == ("sweep", "Assets:Wallet:M D 24", "Expenses:Lost:M D 1", "Assets:Deposits:M C 25")


def test_a_token_that_nobody_knows_is_in_no_entry() -> None:
    """It may say whatever it likes."""
    book = Book()
    book.tell(sent(2**256 - 1, SPAM), swept(2**256 - 1, SPAM), refunded(2**256 - 1, SPAM))
    book.tell(sent(0))
    assert (book.journal(), book.books.deposits) == ([], {})


def test_a_declared_token_is_known_as_long_as_it_is_declared() -> None:
    pegs = [DeclaredPeg(PEGGED, 3, "USD"), DeclaredPeg(PEGGED, 7, None), DeclaredPeg(PEGGED, 9, "EUR")]
    books = CheckoutBooks(CHAIN_ID, CONTRACT, {}, expected=[EXPECTED], declared=pegs)
    assert [block for block in range(12) if books.is_known(PEGGED, block)] == [3, 4, 5, 6, 9, 10, 11]
    assert [block for block in range(8) if books.is_known(TOKEN, block)] == [5, 6, 7]
    assert books.is_known(ZERO_ADDRESS, 0)


# --- refunds ----------------------------------------------------------------------------------------------------------


def test_a_refund_is_of_credit_first_then_of_what_was_sold() -> None:
    book = Book()
    book.tell(sent(DUE + 4))
    (change,) = book.tell(refunded(10))
    assert book.journal()[1] == (
        *("refund", "Liabilities:Credit:M D 4", "Income:Refunds:M:Sales D 6", "Assets:Wallet:M C 10"),
    )
    note = change.invoice
    assert note is not None
    assert (note.kind, note.number, note.total_units, note.payer) == (Kind.CREDIT_NOTE, 1, 6, PAYER)
    book.tell(refunded(30))
    assert book.journal()[2] == (
        *("refund", "Income:Refunds:M:Sales D 19", "Expenses:Refunds:M D 11", "Assets:Wallet:M C 30"),
    )


def test_an_advance_is_given_back_without_a_document() -> None:
    book = Book()
    book.tell(sent(20))
    (change,) = book.tell(refunded(20))
    assert book.journal()[1] == ("refund", "Liabilities:Advances:M D 20", "Assets:Wallet:M C 20")
    assert change.invoice is None


# --- quotes -----------------------------------------------------------------------------------------------------------


def test_a_quote_is_its_merchants_income_and_the_parts_of_others_are_an_expense() -> None:
    book = Book()
    (change,) = book.tell(paid(1, (MERCHANT, 20), (PARTNER, 5)))
    assert book.journal() == [
        (
            *("quote", "Assets:Wallet:M D 20", "Expenses:Shares:M D 5", "Income:Sales:M C 25"),
            *(f"Assets:Wallet:{PARTNER} D 5", f"Income:Shares:{PARTNER} C 5"),
        )
    ]
    assert change.invoice is not None
    assert (change.invoice.payee, change.invoice.total_units, change.invoice.by) == (MERCHANT, DUE, SaleBy.QUOTE)
    assert change.total == (MERCHANT, TOKEN, 1, DUE)
    assert change.used == (MERCHANT, 0, 1 << 1)


def test_what_a_payee_could_not_receive_is_kept_and_claimed() -> None:
    book = Book()
    event = paid(1, (MERCHANT, 20), (PARTNER, 5))
    book.tell(event, PayoutKept(PARTNER, TOKEN, event.quote_id, 5))
    book.tell(PayoutClaimed(PARTNER, TOKEN, 5))
    assert book.journal()[1:] == [
        ("kept", f"Assets:Claimable:{PARTNER} D 5", f"Assets:Wallet:{PARTNER} C 5"),
        ("claim", f"Assets:Wallet:{PARTNER} D 5", f"Assets:Claimable:{PARTNER} C 5"),
    ]
    assert book.books.claimables == {(PARTNER, TOKEN): 0}


def test_a_pending_event_has_neither_entry_nor_number() -> None:
    book = Book()
    changes = book.tell(paid(), sent(DUE), refunded(1), final=False)
    assert all(change.entry is None for change in changes)
    assert [change.invoice and change.invoice.number for change in changes] == [None, None, None]
    assert all(change.invoice is not None for change in changes)


def test_what_moves_nothing_changes_nothing() -> None:
    book = Book()
    quiet = (NotSwept(MERCHANT, INVOICE, TOKEN, Unswept.EMPTY), ReceivedOtherwise(MERCHANT, TOKEN, 1, 2))
    assert book.tell(*quiet) == [CheckoutChange(), CheckoutChange()]


OTHER_WORDS = paid(2)._replace(quote_id=b"q" * 32)
IMPOSSIBLE: dict[str, list[list[CheckoutEvent]]] = {
    "number 1 of .* was paid or withdrawn before": [[paid(1)], [paid(1, token=PEGGED)]],
    "number 7 of .* was paid or withdrawn before": [[QuoteWithdrawn(MERCHANT, 7)], [QuoteWithdrawn(MERCHANT, 7)]],
    "its words are those of quote": [[OTHER_WORDS]],
    "nothing before it paid": [[paid()], [PayoutKept(MERCHANT, TOKEN, paid().quote_id, DUE)]],
    "nothing before it paid .* 24 units": [[paid(), PayoutKept(MERCHANT, TOKEN, paid().quote_id, 24)]],
    "nothing before it paid .* 25 units": [[paid(), *[PayoutKept(MERCHANT, TOKEN, paid().quote_id, DUE)] * 2]],
    "5 units are claimed, 0 are kept": [[PayoutClaimed(PARTNER, TOKEN, 5)]],
    "0 units are claimed": [[PayoutClaimed(PARTNER, TOKEN, 0)]],
    "nobody watches": [[TokenReceived(TOKEN, PAYER, PAYER, 1)]],
}


@pytest.mark.parametrize("reason", IMPOSSIBLE)
def test_what_cannot_have_happened_is_refused(reason: str) -> None:
    book = Book()
    *before, last = IMPOSSIBLE[reason]
    for events in before:
        book.tell(*events)
    with pytest.raises(EventsInconsistent, match=reason):
        book.tell(*last)


# --- random stories ---------------------------------------------------------------------------------------------------

MOVES = st.one_of(
    st.builds(sent, st.integers(0, 60), st.sampled_from([TOKEN, PEGGED, SPAM])),
    st.builds(
        swept, st.integers(1, 60), st.sampled_from([TOKEN, PEGGED, SPAM, None]), st.sampled_from([INVOICE, UNNAMED])
    ),
    st.builds(
        refunded, st.integers(1, 60), st.sampled_from([TOKEN, PEGGED, SPAM]), st.sampled_from([INVOICE, UNNAMED])
    ),
    st.builds(paid, st.integers(0, 2**256 - 1)),
)


@given(st.lists(st.tuples(MOVES, st.integers(0, 300)), max_size=20), st.integers(0, 24))
def test_the_journal_and_the_deposits_agree(story: list[tuple[Any, int]], tolerance: int) -> None:
    """What stands at addresses, is an advance, is owed and was sold is the same in rows and in accounts; entries
    balance and hang together; documents are numbered without gaps."""
    book, numbers = Book(tolerance=tolerance), set()
    for event, later in story:
        book.time += later
        if isinstance(event, QuotePaid):
            if event.quote.number in numbers:
                continue
            numbers.add(event.quote.number)
        book.tell(event)
    deposits: dict[tuple[str, str], int] = defaultdict(int)
    for row in book.books.deposits.values():
        assert isinstance(row, Deposit)
        deposits[f"Assets:Deposits:{MERCHANT}", row.token] += row.standing_units
        deposits[f"Liabilities:Advances:{MERCHANT}", row.token] -= row.advance_units
        deposits[f"Liabilities:Credit:{MERCHANT}", row.token] -= row.credit_units
    balances = book.balances()
    names = ("Assets:Deposits", "Liabilities:Advances", "Liabilities:Credit")
    assert {key: units for key, units in deposits.items() if units} == {
        key: units for key, units in balances.items() if key[0].startswith(names)
    }
    sold = sum(sale.sold_units for sale in book.books.sales.values())
    waived = sum(row.waived_units or 0 for row in book.books.deposits.values())
    assert -sum(units for (name, _), units in balances.items() if name.startswith("Income:Sales")) == sold + waived
    notes = sum(sale.refunded_units for sale in book.books.sales.values())
    assert sum(units for (name, _), units in balances.items() if name.startswith("Income:Refunds")) == notes
    assert all(sale.refunded_units <= sale.sold_units for sale in book.books.sales.values())
    previous, documents = GENESIS_HASH, defaultdict[Kind, list[int]](list)
    for change in book.changes:
        if change.entry is not None:
            number, kind, origin, postings, before, found = change.entry
            assert (before, found) == (previous, entry_hash(number, kind, origin, postings, before))
            assert not imbalance(postings)
            previous = found
        if change.invoice is not None and change.invoice.number is not None:
            documents[change.invoice.kind].append(change.invoice.number)
            assert sum(line.amount_units for line in change.invoice.lines) == change.invoice.total_units
    assert all(found == list(range(1, len(found) + 1)) for found in documents.values())
