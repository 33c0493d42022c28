"""Invoices and credit notes of escrow payments.

A charge is an invoice, and so is each capture and the payee's part of a ruling: over the whole of it, the platform's
fee included, which is the payee's expense. What is only held is nobody's income yet and has none. A refund is one
credit note for its payment, whichever capture it is given back of: a payment may have many captures, and a refund names
none of them.

Numbers are a series of their own for each payee and kind, given at finality as those of subscriptions are. Payments
that a collector brought have no invoices here: what they are for was invoiced where they come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from tallystick.core.events import Origin
from tallystick.core.invoice import FiatValue, Kind, Line, Peg
from tallystick.core.payment_state import Payment


class Occasion(StrEnum):
    """What a document is for."""

    CHARGE = "charge"
    CAPTURE = "capture"
    MILESTONE = "milestone"
    RULING = "ruling"
    REFUND = "refund"


class PaymentInvoice(NamedTuple):
    """An invoice or a credit note of a payment. `number` is None while its block is not final.

    `salt` is the terms' own: the merchant's reference. `milestone` is the index of the milestone where it is for one.
    """

    kind: Kind
    number: int | None
    payee: str
    payer: str
    token: str
    payment_id: bytes
    salt: int
    occasion: Occasion
    milestone: int | None
    total_units: int
    fiat: FiatValue | None
    origin: Origin

    @property
    def lines(self) -> tuple[Line, ...]:
        """One: what was paid."""
        return (Line(self._description(), 1, self.total_units, self.total_units),)

    def _description(self) -> str:
        match self.occasion:
            case Occasion.CHARGE:
                return "Payment"
            case Occasion.CAPTURE:
                return "Payment, captured"
            case Occasion.MILESTONE:
                return f"Payment, milestone {self.milestone}"
            case Occasion.RULING:
                return "Payment, by ruling"
            case _:
                return "Refund of the payment"


def payment_invoice(
    payment: Payment,
    occasion: Occasion,
    units: int,
    origin: Origin,
    *,
    number: int | None,
    peg: Peg | None,
    milestone: int | None = None,
) -> PaymentInvoice:
    """The document of what was paid, or given back where the occasion is a refund."""
    terms = payment.terms
    return PaymentInvoice(
        Kind.CREDIT_NOTE if occasion is Occasion.REFUND else Kind.INVOICE,
        number,
        terms.payee,
        terms.payer,
        terms.token,
        payment.payment_id,
        terms.salt,
        occasion,
        milestone,
        units,
        peg.value(units) if peg else None,
        origin,
    )


def refunded_parts(totals: Sequence[int], refunded_units: int) -> list[int]:
    """How much of each invoice of a payment counts as given back, where so much was refunded of all of them: the oldest
    first."""
    parts = []
    for units in totals:
        part = min(units, refunded_units)
        parts.append(part)
        refunded_units -= part
    return parts
