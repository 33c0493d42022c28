"""Logs of `Checkout` into events, as `chain.decode` does for `Subscriptions`: lengths, padding, ranges are checked."""

from __future__ import annotations

from typing import Final

from tallystick.chain.decode_payments import payout_claimed, payout_kept
from tallystick.chain.decoder import WORD, Decoder, Shape, address_at, optional_address_at, uint_at
from tallystick.chain.transfers import TRANSFER
from tallystick.core.checkout_events import (
    CheckoutEvent,
    InvoiceRefunded,
    NotSwept,
    QuotePaid,
    QuoteWithdrawn,
    ReceivedOtherwise,
    Swept,
    TokenReceived,
    Unswept,
)
from tallystick.core.money import UINT256_MAX
from tallystick.core.quote import MOST_PAYOUT_UNITS, MOST_PAYOUTS, Payout, Quote

QUOTE_AT: Final = 2
"""Behind the place of the quote and the collector; then come six words and the place of the payouts, then these."""
PAYOUTS_AT: Final = QUOTE_AT + 7
PAYOUT_WORDS: Final = 2
MOST_TIME: Final = 2**40 - 1


def _quote_paid(topics: bytes, data: bytes) -> CheckoutEvent:
    count = uint_at(data, PAYOUTS_AT, MOST_PAYOUTS)
    places = uint_at(data, 0, UINT256_MAX), uint_at(data, PAYOUTS_AT - 1, UINT256_MAX)
    if places != (QUOTE_AT * WORD, 7 * WORD) or len(data) != (PAYOUTS_AT + 1 + PAYOUT_WORDS * count) * WORD:
        raise ValueError(f"its quote is not laid out as that of {count} payouts")
    payouts = tuple(
        Payout(address_at(data, word), uint_at(data, word + 1, MOST_PAYOUT_UNITS))
        for word in range(PAYOUTS_AT + 1, PAYOUTS_AT + 1 + PAYOUT_WORDS * count, PAYOUT_WORDS)
    )
    quote = Quote(
        merchant=address_at(data, QUOTE_AT),
        number=uint_at(data, QUOTE_AT + 1, UINT256_MAX),
        invoice=_word(data, QUOTE_AT + 2),
        token=address_at(data, QUOTE_AT + 3),
        valid_before=uint_at(data, QUOTE_AT + 5, MOST_TIME),
        payouts=payouts,
    )
    if uint_at(data, QUOTE_AT + 4, UINT256_MAX) != quote.amount_units or address_at(topics, 1) != quote.merchant:
        raise ValueError("its amount or merchant are not those of its quote")
    return QuotePaid(_word(topics, 0), address_at(topics, 2), quote, optional_address_at(data, 1))


def _withdrawn(topics: bytes, data: bytes) -> CheckoutEvent:
    return QuoteWithdrawn(address_at(topics, 0), uint_at(data, 0, UINT256_MAX))


def _swept(topics: bytes, data: bytes) -> CheckoutEvent:
    token = optional_address_at(topics, 2)
    return Swept(address_at(topics, 0), _word(topics, 1), token, uint_at(data, 0, UINT256_MAX))


def _not_swept(topics: bytes, data: bytes) -> CheckoutEvent:
    reason = Unswept(uint_at(data, 0, len(Unswept) - 1))
    return NotSwept(address_at(topics, 0), _word(topics, 1), optional_address_at(topics, 2), reason)


def _received_otherwise(topics: bytes, data: bytes) -> CheckoutEvent:
    received, swept = uint_at(data, 0, UINT256_MAX), uint_at(data, 1, UINT256_MAX)
    return ReceivedOtherwise(address_at(topics, 0), address_at(topics, 1), received, swept)


def _refunded(topics: bytes, data: bytes) -> CheckoutEvent:
    by, to, token = address_at(topics, 0), address_at(topics, 2), address_at(data, 0)
    return InvoiceRefunded(by, _word(topics, 1), to, token, uint_at(data, 1, UINT256_MAX))


def _received(topics: bytes, data: bytes) -> CheckoutEvent:
    """As `chain.transfers` lays it out: sender and address, then token and amount."""
    units = uint_at(data, 1, UINT256_MAX)
    return TokenReceived(address_at(data, 0), optional_address_at(topics, 0), address_at(topics, 1), units)


def _word(data: bytes, word: int) -> bytes:
    return data[word * WORD : word * WORD + WORD]


SHAPES: Final[dict[str, Shape[CheckoutEvent]]] = {
    "QuotePaid": Shape(3, PAYOUTS_AT + 1, _quote_paid, PAYOUT_WORDS),
    "QuoteWithdrawn": Shape(1, 1, _withdrawn),
    "Swept": Shape(3, 1, _swept),
    "NotSwept": Shape(3, 1, _not_swept),
    "ReceivedOtherwise": Shape(2, 2, _received_otherwise),
    "InvoiceRefunded": Shape(3, 2, _refunded),
    "PayoutKept": Shape(3, 1, payout_kept),
    "PayoutClaimed": Shape(2, 1, payout_claimed),
    TRANSFER: Shape(2, 2, _received),
}
"""As `chain.decode_payments.SHAPES`."""

CHECKOUT: Final = Decoder("Checkout", SHAPES)
