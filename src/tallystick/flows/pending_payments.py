"""What pending events of escrow payments change on top of the final books, as `flows.pending` for subscriptions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from tallystick.chain.decode_payments import PAYMENTS
from tallystick.core.payment_books import PaymentBooks, PaymentChange, touched_payments
from tallystick.core.payment_events import RecordedPayment
from tallystick.core.payment_state import Payment
from tallystick.core.pegs import PegHistory
from tallystick.flows.pending import stored_pending
from tallystick.storage.payment_books import fill_payment_books, load_payment_books
from tallystick.storage.payments import read_payments
from tallystick.storage.sources import Source


class PaymentsPresent(NamedTuple):
    """The books as of the newest mirrored block, and the changes of the pending events among them."""

    books: PaymentBooks
    changes: list[tuple[RecordedPayment, PaymentChange]]


def read_payments_present(
    connection: Connection, source: Source, pegs: PegHistory, ids: Sequence[bytes] = ()
) -> PaymentsPresent:
    """The present, with the payments asked for and those that pending events touch."""
    pending = [RecordedPayment(*found) for found in stored_pending(connection, source, PAYMENTS)]
    return derive_payments_present(connection, source, pegs, pending, ids)


def all_payments(connection: Connection, source: Source) -> dict[bytes, Payment]:
    """All payments as of the newest mirrored block, by their ids."""
    books = read_payments_present(connection, source, {}).books
    return read_payments(connection, source.source_id) | books.payments


def derive_payments_present(
    connection: Connection,
    source: Source,
    pegs: PegHistory,
    pending: Sequence[RecordedPayment],
    ids: Sequence[bytes] = (),
) -> PaymentsPresent:
    """What these pending events make of the final books. Raises EventsInconsistent where they cannot follow them."""
    books = load_payment_books(connection, source, pegs)
    touched = touched_payments(recorded.event for recorded in pending)
    fill_payment_books(connection, source, books, sorted({*touched, *ids}))
    changes = [(recorded, books.apply(recorded, final=False)) for recorded in pending]
    books.require_whole()
    return PaymentsPresent(books, changes)
