"""Finds escrow payments in the mirror, as of the newest mirrored block."""

from __future__ import annotations

from typing import NamedTuple

from tallystick.core.money import Token
from tallystick.core.payment import PaymentStatus
from tallystick.core.payment_state import Payment
from tallystick.core.payment_texts import PaymentOffer
from tallystick.errors import InputError
from tallystick.flows.mirror import StoredBooks
from tallystick.flows.pending_payments import all_payments
from tallystick.storage.database import reading
from tallystick.storage.tokens import read_tokens


class FoundPayment(NamedTuple):
    """A payment, and its token where the mirror knows it (a pending one's it may not)."""

    payment: Payment
    token: Token


def find_payments(
    books: StoredBooks, *, payer: str | None = None, payee: str | None = None, status: PaymentStatus | None = None
) -> list[FoundPayment]:
    """Those of a payer, a payee and a status where these are given, the newest first. Raises DatabaseError."""
    source = books.payments
    with reading(books.engine) as connection:
        found = all_payments(connection, source).values()
        tokens = read_tokens(connection, source.chain_id)
    wanted = [
        payment
        for payment in found
        if payer in {None, payment.terms.payer}
        and payee in {None, payment.terms.payee}
        and status in {None, payment.status}
    ]
    wanted.sort(key=lambda payment: (-payment.since, payment.payment_id))
    return [FoundPayment(payment, _token(tokens, source.chain_id, payment.terms.token)) for payment in wanted]


def find_payment(books: StoredBooks, payment_id: bytes) -> PaymentOffer:
    """The terms of a payment by its id. Raises InputError where the mirror does not know it."""
    source = books.payments
    with reading(books.engine) as connection:
        found = all_payments(connection, source).get(payment_id)
    if found is None:
        raise InputError(
            f"the books know no payment 0x{payment_id.hex()}: bring them up to date with `tallystick index --once`, or "
            "give the file with its terms"
        )
    return PaymentOffer(source.chain_id, source.contract, found.terms)


def _token(tokens: dict[str, Token], chain_id: int, address: str) -> Token:
    return tokens.get(address) or Token(chain_id, address, f"units of {address}", 0)
