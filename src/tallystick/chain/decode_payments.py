"""Logs of `Escrow` into events, as `chain.decode` does for `Subscriptions`: lengths, padding and ranges are checked."""

from __future__ import annotations

from typing import Final

from tallystick.chain.decoder import (
    WORD,
    Decoder,
    Shape,
    address_at,
    flag_at,
    optional_address_at,
    uint_at,
)
from tallystick.core.address import ZERO_ADDRESS
from tallystick.core.money import UINT256_MAX
from tallystick.core.payment import MOST_MILESTONES, MOST_UNITS, PaymentTerms
from tallystick.core.payment_events import (
    Authorized,
    Captured,
    DisputeOpened,
    EvidenceSubmitted,
    MilestoneReached,
    PaymentCharged,
    PaymentEvent,
    PaymentRefunded,
    PaymentRevoked,
    PayoutClaimed,
    PayoutKept,
    Reclaimed,
    Ruled,
    Voided,
)

TERMS_WORDS: Final = 18
MOST_TIME: Final = 2**40 - 1
MOST_SPAN: Final = 2**32 - 1
MOST_BPS: Final = 2**16 - 1


def _terms(topics: bytes, data: bytes) -> PaymentTerms:
    """Of an event whose second and third topic are payer and payee again."""
    terms = PaymentTerms(
        payer=address_at(data, 0),
        payee=address_at(data, 1),
        token=address_at(data, 2),
        amount_units=uint_at(data, 3, MOST_UNITS),
        operator=optional_address_at(data, 4) or ZERO_ADDRESS,
        authorize_before=uint_at(data, 5, MOST_TIME),
        capture_before=uint_at(data, 6, MOST_TIME),
        refund_before=uint_at(data, 7, MOST_TIME),
        dispute_window_s=uint_at(data, 8, MOST_SPAN),
        arbiter=optional_address_at(data, 9) or ZERO_ADDRESS,
        ruling_timeout_s=uint_at(data, 10, MOST_SPAN),
        default_payee_bps=uint_at(data, 11, MOST_BPS),
        max_arbiter_fee_bps=uint_at(data, 12, MOST_BPS),
        min_fee_bps=uint_at(data, 13, MOST_BPS),
        max_fee_bps=uint_at(data, 14, MOST_BPS),
        fee_receiver=optional_address_at(data, 15) or ZERO_ADDRESS,
        milestones_root=_word(data, 16),
        salt=uint_at(data, 17, UINT256_MAX),
    )
    if (address_at(topics, 1), address_at(topics, 2)) != (terms.payer, terms.payee):
        raise ValueError("its topics name other parties than its terms")
    return terms


def _word(data: bytes, word: int) -> bytes:
    return data[word * WORD : word * WORD + WORD]


def _authorized(topics: bytes, data: bytes) -> PaymentEvent:
    return Authorized(_word(topics, 0), _terms(topics, data), optional_address_at(data, TERMS_WORDS))


def _charged(topics: bytes, data: bytes) -> PaymentEvent:
    collector, fee = optional_address_at(data, TERMS_WORDS), uint_at(data, TERMS_WORDS + 1, MOST_UNITS)
    return PaymentCharged(_word(topics, 0), _terms(topics, data), collector, fee)


def _captured(topics: bytes, data: bytes) -> PaymentEvent:
    return Captured(topics, uint_at(data, 0, MOST_UNITS), uint_at(data, 1, MOST_UNITS))


def _milestone_reached(topics: bytes, data: bytes) -> PaymentEvent:
    return MilestoneReached(topics, uint_at(data, 0, MOST_MILESTONES - 1))


def _voided(topics: bytes, data: bytes) -> PaymentEvent:
    return Voided(topics, uint_at(data, 0, MOST_UNITS))


def _reclaimed(topics: bytes, data: bytes) -> PaymentEvent:
    return Reclaimed(topics, uint_at(data, 0, MOST_UNITS))


def _refunded(topics: bytes, data: bytes) -> PaymentEvent:
    return PaymentRefunded(topics, uint_at(data, 0, MOST_UNITS))


def _revoked(topics: bytes, _data: bytes) -> PaymentEvent:
    return PaymentRevoked(topics)


def _dispute_opened(topics: bytes, data: bytes) -> PaymentEvent:
    return DisputeOpened(_word(topics, 0), address_at(topics, 1), data)


def _evidence_submitted(topics: bytes, data: bytes) -> PaymentEvent:
    return EvidenceSubmitted(_word(topics, 0), address_at(topics, 1), data)


def _ruled(topics: bytes, data: bytes) -> PaymentEvent:
    to_payee, to_payer, arbiter_fee, fee = (uint_at(data, word, MOST_UNITS) for word in range(4))
    return Ruled(topics, to_payee, to_payer, arbiter_fee, fee, flag_at(data, 4))


def payout_kept(topics: bytes, data: bytes) -> PayoutKept:
    """Of any contract that keeps what an account cannot receive."""
    return PayoutKept(address_at(topics, 0), address_at(topics, 1), _word(topics, 2), uint_at(data, 0, MOST_UNITS))


def payout_claimed(topics: bytes, data: bytes) -> PayoutClaimed:
    """As `payout_kept`."""
    return PayoutClaimed(address_at(topics, 0), address_at(topics, 1), uint_at(data, 0, UINT256_MAX))


SHAPES: Final[dict[str, Shape[PaymentEvent]]] = {
    "Authorized": Shape(3, TERMS_WORDS + 1, _authorized),
    "PaymentCharged": Shape(3, TERMS_WORDS + 2, _charged),
    "Captured": Shape(1, 2, _captured),
    "MilestoneReached": Shape(1, 1, _milestone_reached),
    "Voided": Shape(1, 1, _voided),
    "Reclaimed": Shape(1, 1, _reclaimed),
    "PaymentRefunded": Shape(1, 1, _refunded),
    "PaymentRevoked": Shape(1, 0, _revoked),
    "DisputeOpened": Shape(2, 1, _dispute_opened),
    "EvidenceSubmitted": Shape(2, 1, _evidence_submitted),
    "Ruled": Shape(1, 5, _ruled),
    "PayoutKept": Shape(3, 1, payout_kept),
    "PayoutClaimed": Shape(2, 1, payout_claimed),
}
"""How many indexed topics and data words each event has, a struct's words one by one; a test compares this with the
ABI."""

PAYMENTS: Final = Decoder("Escrow", SHAPES)
