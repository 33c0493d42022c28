"""Logs of `Channels` into events, as `chain.decode` does for `Subscriptions`: lengths, padding, ranges are checked."""

from __future__ import annotations

from typing import Final

from tallystick.chain.decoder import WORD, Decoder, Shape, address_at, optional_address_at, uint_at
from tallystick.core.channel import ChannelTerms
from tallystick.core.channel_events import (
    ChannelClosed,
    ChannelCreated,
    ChannelEvent,
    ChannelOpened,
    ChannelRefunded,
    Claimed,
    ClaimSkipped,
    Deposited,
    Refusal,
    Settled,
    WithdrawalAnnounced,
    Withdrawn,
)

MOST_SUM: Final = 2**128 - 1
MOST_TIME: Final = 2**40 - 1
TERMS_WORDS: Final = 7


def _terms(data: bytes) -> ChannelTerms:
    return ChannelTerms(
        payer=address_at(data, 0),
        payer_authorizer=optional_address_at(data, 1),
        receiver=address_at(data, 2),
        receiver_authorizer=address_at(data, 3),
        token=address_at(data, 4),
        withdraw_delay_s=uint_at(data, 5, MOST_TIME),
        salt=_word(data, 6),
    )


def _created(topics: bytes, data: bytes) -> ChannelEvent:
    return ChannelCreated(_word(topics, 0), _terms(data))


def _opened(topics: bytes, data: bytes) -> ChannelEvent:
    return ChannelOpened(_word(topics, 0), address_at(topics, 1), _terms(data), _units(data, TERMS_WORDS))


def _closed(topics: bytes, data: bytes) -> ChannelEvent:
    return ChannelClosed(_word(topics, 0), _terms(data))


def _deposited(topics: bytes, data: bytes) -> ChannelEvent:
    return Deposited(_word(topics, 0), address_at(topics, 1), _units(data, 0), _units(data, 1))


def _claimed(topics: bytes, data: bytes) -> ChannelEvent:
    return Claimed(_word(topics, 0), address_at(topics, 1), _units(data, 0), _units(data, 1))


def _skipped(topics: bytes, data: bytes) -> ChannelEvent:
    return ClaimSkipped(_word(topics, 0), Refusal(uint_at(data, 0, len(Refusal) - 1)))


def _settled(topics: bytes, data: bytes) -> ChannelEvent:
    return Settled(address_at(topics, 0), address_at(topics, 1), address_at(topics, 2), _units(data, 0))


def _refunded(topics: bytes, data: bytes) -> ChannelEvent:
    return ChannelRefunded(_word(topics, 0), address_at(topics, 1), _units(data, 0))


def _announced(topics: bytes, data: bytes) -> ChannelEvent:
    return WithdrawalAnnounced(_word(topics, 0), _units(data, 0), uint_at(data, 1, MOST_TIME))


def _withdrawn(topics: bytes, data: bytes) -> ChannelEvent:
    return Withdrawn(_word(topics, 0), address_at(topics, 1), _units(data, 0))


def _units(data: bytes, word: int) -> int:
    return uint_at(data, word, MOST_SUM)


def _word(data: bytes, word: int) -> bytes:
    return data[word * WORD : word * WORD + WORD]


SHAPES: Final[dict[str, Shape[ChannelEvent]]] = {
    "ChannelCreated": Shape(1, TERMS_WORDS, _created),
    "ChannelOpened": Shape(2, TERMS_WORDS + 1, _opened),
    "ChannelClosed": Shape(1, TERMS_WORDS, _closed),
    "Deposited": Shape(2, 2, _deposited),
    "Claimed": Shape(2, 2, _claimed),
    "ClaimSkipped": Shape(1, 1, _skipped),
    "Settled": Shape(3, 1, _settled),
    "Refunded": Shape(2, 1, _refunded),
    "WithdrawInitiated": Shape(1, 2, _announced),
    "WithdrawFinalized": Shape(2, 1, _withdrawn),
}
"""As `chain.decode_payments.SHAPES`."""

CHANNELS: Final = Decoder("Channels", SHAPES)

OURS_ALONE: Final = {"ChannelOpened", "ClaimSkipped"}
"""Events of our `fill` and `claimRows`, which x402's own contract does not have."""
X402: Final = Decoder("Channels", {name: shape for name, shape in SHAPES.items() if name not in OURS_ALONE})
"""Of x402's own contract: the others have the same shapes there."""
