"""What came to deposit addresses, as of the newest mirrored block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sqlalchemy import Connection

from tallystick.chain.decode_checkout import CHECKOUT
from tallystick.core.address import ZERO_ADDRESS
from tallystick.core.checkout_events import InvoiceRefunded, RecordedCheckout, Swept, TokenReceived
from tallystick.core.events import Origin
from tallystick.core.expected import Deposit, DepositStatus, Expected, Taken, status_of
from tallystick.core.money import Token
from tallystick.core.reference import parse_reference, shown_reference
from tallystick.errors import InputError
from tallystick.flows.checkout_books import read_checkout_present
from tallystick.flows.mirror import StoredBooks
from tallystick.storage.checkout import load_checkout_books, read_deposits
from tallystick.storage.database import reading
from tallystick.storage.events import StoredEvent, read_events_about
from tallystick.storage.expected import read_expected
from tallystick.storage.pending import newest_time
from tallystick.storage.sources import Source
from tallystick.storage.tokens import read_tokens


class FoundDeposit(NamedTuple):
    """What is expected for an invoice (None: nothing was), how that stands, and what came in each token. `tokens` are
    those with a name, by address."""

    chain_id: int
    receiver: str
    invoice: str
    expected: Expected | None
    status: DepositStatus | None
    deposits: tuple[Deposit, ...]
    tokens: dict[str, Token]

    def in_token(self, address: str) -> Deposit:
        """What came in a token."""
        found = [deposit for deposit in self.deposits if deposit.token == address]
        return found[0] if found else Deposit(self.receiver, parse_reference(self.invoice), address)


class Movement(NamedTuple):
    """Something that happened to an invoice's deposit address. `taken` is what became of money that came in; None where
    none did, or the books do not know its token. `account` is who sent it, or who got it."""

    origin: Origin
    what: str
    token: str
    units: int
    account: str | None
    taken: Taken | None


def token_named(found: FoundDeposit, address: str) -> Token:
    """A token as the mirror knows it, or the merchant saw it; one that came in pending blocks alone has no name yet."""
    return found.tokens.get(address) or Token(found.chain_id, address, f"units of {address}", 0)


def owed_units(found: FoundDeposit, token: str) -> int:
    """What is owed back in a token: the customer's credit, and the advance on what was not paid in time."""
    deposit = found.in_token(token)
    return deposit.credit_units + (deposit.advance_units if found.status is DepositStatus.EXPIRED else 0)


def find_deposits(
    books: StoredBooks, *, receiver: str | None = None, status: DepositStatus | None = None
) -> list[FoundDeposit]:
    """Everything that is expected, or came without being expected, by receiver and invoice: of a receiver and with a
    status, where these are given. Raises DatabaseError."""
    with reading(books.engine) as connection:
        source = books.sales
        found = all_deposits(connection, source)
    return [one for one in found if receiver in {None, one.receiver} and (status is None or one.status is status)]


def find_deposit(
    books: StoredBooks, invoice: str, *, receiver: str | None = None
) -> tuple[FoundDeposit, list[Movement]]:
    """One invoice, with everything that happened at its deposit address, the oldest first.

    Raises InputError where the books know nothing of it, or several receivers have one of that name and none is given.
    """
    reference = parse_reference(invoice)
    with reading(books.engine) as connection:
        source = books.sales
        found = [
            one
            for one in all_deposits(connection, source)
            if parse_reference(one.invoice) == reference and receiver in {None, one.receiver}
        ]
        if not found:
            raise InputError(
                f"the books know of no deposit for {invoice!r}: expect one with `tallystick checkout expect`, and "
                "bring them up to date with `tallystick index --once`"
            )
        if len(found) > 1:
            receivers = ", ".join(one.receiver for one in found)
            raise InputError(f"{invoice!r} is an invoice of several receivers, {receivers}: say whose with --receiver")
        return found[0], _movements(connection, source, found[0])


def all_deposits(connection: Connection, source: Source) -> list[FoundDeposit]:
    """Those of a source."""
    tokens, time = read_tokens(connection, source.chain_id), newest_time(connection, source)
    everything = read_expected(connection, source.source_id, unseen=True)
    for one in everything:
        tokens.setdefault(one.token, Token(source.chain_id, one.token, one.symbol, one.decimals))
    expected = {(one.receiver, one.invoice): one for one in everything}
    deposits = read_deposits(connection, source.source_id)
    deposits |= read_checkout_present(connection, source, {}).books.deposits
    came: dict[tuple[str, bytes], list[Deposit]] = {key: [] for key in expected}
    for deposit in deposits.values():
        came.setdefault((deposit.receiver, deposit.invoice), []).append(deposit)
    found = []
    for key in sorted(came):
        wanted, rows = expected.get(key), sorted(came[key], key=lambda row: row.token)
        main = next((row for row in rows if wanted and row.token == wanted.token), None)
        status = status_of(wanted, main, time) if wanted else None
        name = shown_reference(key[1])
        found.append(FoundDeposit(source.chain_id, key[0], name, wanted, status, tuple(rows), tokens))
    return found


def _movements(connection: Connection, source: Source, found: FoundDeposit) -> list[Movement]:
    """Derived again from the events of this one invoice."""
    address = found.expected.address if found.expected else None
    events = read_events_about(connection, source.source_id, found.receiver, parse_reference(found.invoice), address)
    return [movement for _, movement in derive_movements(connection, source, events)]


def derive_movements(
    connection: Connection, source: Source, events: Iterable[StoredEvent]
) -> Iterator[tuple[tuple[str, bytes], Movement]]:
    """What events say of deposit addresses, by receiver and invoice, in their order. They are all those of each invoice
    that is among them."""
    books = load_checkout_books(connection, source, {})
    for row in events:
        event = CHECKOUT.decode(row.name, row.topics, row.data)
        change = books.apply(RecordedCheckout(row.origin, event), final=False)
        match event:
            case TokenReceived():
                expected = books.expectation(event.address)
                assert expected is not None, "or the books had refused it"
                place = expected.receiver, expected.invoice
                what, token, account = "received", event.token, event.sender
            case Swept():
                place = event.receiver, event.invoice
                what, token, account = "swept", event.token or ZERO_ADDRESS, event.receiver
            case InvoiceRefunded():
                place = event.by, event.invoice
                what, token, account = "refunded", event.token, event.to
            case _:
                continue
        if event.amount_units:
            yield place, Movement(row.origin, what, token, event.amount_units, account, change.taken)
