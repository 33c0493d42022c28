"""A quote as people want to see it: whether it can be paid, and by when."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from tallystick.core.money import Amount, Token
from tallystick.core.quote_texts import SignedQuote
from tallystick.flows.connect import Connection
from tallystick.flows.make_quote import require_checkout


class QuoteStatus(Enum):
    """Where a quote stands."""

    PAYABLE = "payable"
    EXPIRED = "expired"
    USED = "used"
    """Its number was paid, with this quote or another, or withdrawn."""


@dataclass(frozen=True, slots=True)
class QuoteState:
    """A quote as it stands at `time`, the head's, in Unix seconds."""

    signed: SignedQuote
    token: Token
    status: QuoteStatus
    time: int

    @property
    def amount(self) -> Amount:
        """What it asks for, all payees together."""
        return Amount(self.signed.quote.amount_units, self.token)


def describe_quote(connection: Connection, signed: SignedQuote) -> QuoteState:
    """Raises InputError for a quote for elsewhere, or a NodeError."""
    require_checkout(connection, signed)
    quote, time = signed.quote, connection.node.timestamp()
    status = QuoteStatus.PAYABLE if time < quote.valid_before else QuoteStatus.EXPIRED
    if connection.checkout.is_used(quote.merchant, quote.number):
        status = QuoteStatus.USED
    return QuoteState(signed, connection.token(quote.token).describe(), status, time)
