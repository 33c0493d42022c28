"""Invoices and credit notes of what is sold once: quotes that were paid, and invoices that were paid at their deposit
address.

A quote is an invoice of its merchant over the whole of it, whoever receives parts. An invoice that is paid by transfers
has one document, in the moment in which it is paid: over what came, which is less than was expected where the merchant
waives the rest. What is given back of either is one credit note of its invoice, which may have been paid in several
ways: a refund names none of them. Customers' credit is no income, and giving it back makes no document.

Numbers are a series of their own for each payee and kind, given at finality as those of subscriptions are.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from tallystick.core.events import Origin
from tallystick.core.invoice import FiatValue, Kind, Line
from tallystick.core.reference import shown_reference


class SaleBy(StrEnum):
    """How a sale was paid, or given back."""

    QUOTE = "quote"
    DEPOSIT = "deposit"
    REFUND = "refund"


class SaleInvoice(NamedTuple):
    """An invoice or a credit note of something that is sold once. `number` is None while its block is not final.

    `reference` is what the merchant calls the invoice on chain, 32 bytes. `quote_id` names the quote that was paid,
    `address` is the deposit address at which it was paid; else they are None. `waived_units` is what was lacking of
    what was expected. `payer` of a deposit is who sent the transfer that paid it, which may be an exchange; of a credit
    note who was given something back.
    """

    kind: Kind
    number: int | None
    payee: str
    payer: str
    token: str
    reference: bytes
    by: SaleBy
    quote_id: bytes | None
    address: str | None
    total_units: int
    waived_units: int
    fiat: FiatValue | None
    origin: Origin

    @property
    def lines(self) -> tuple[Line, ...]:
        """What was sold, and what was waived of it; or what was given back."""
        name = shown_reference(self.reference)
        if self.by is SaleBy.REFUND:
            return (Line(f"Refund of sale {name}", 1, self.total_units, self.total_units),)
        due = self.total_units + self.waived_units
        lines: tuple[Line, ...] = (Line(f"Sale {name}", 1, due, due),)
        if self.waived_units:
            lines += (Line("Difference waived", 1, -self.waived_units, -self.waived_units),)
        return lines
