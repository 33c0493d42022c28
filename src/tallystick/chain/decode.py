"""Logs of `Subscriptions` into events, and back from what the database keeps of them.

A log is kept as its name, the indexed topics and the data as bytes; decoding slices 32-byte words by hand, which is
twenty times quicker than a general ABI decoder and checks the same: lengths, padding, ranges. The ranges are those that
the contract keeps to, so that whatever is decoded fits the database and the calendar.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Final, NamedTuple

from eth_utils.abi import event_abi_to_log_topic
from eth_utils.address import to_checksum_address

from tallystick.contracts import load_artefact
from tallystick.core.events import (
    CancellationScheduled,
    Cancelled,
    ChangeScheduled,
    Charged,
    Claimable,
    Claimed,
    ConditionsSet,
    CouponRedeemed,
    CreditUsed,
    Declined,
    Discounted,
    Event,
    FallbackSet,
    MandateAccepted,
    MandateRevoked,
    PaidByFallback,
    Paused,
    PayeeChanged,
    PayerChanged,
    PlanArchived,
    PlanChanged,
    PlanCreated,
    PriceLowered,
    Quoted,
    Refunded,
    RegisterOpened,
    Resumed,
    SeatsSet,
    Subscribed,
    Upgraded,
    UsageCharged,
)
from tallystick.core.money import UINT256_MAX
from tallystick.core.period import Unit
from tallystick.core.plan import MOST_SEATS, MOST_UNITS, PlanTerms
from tallystick.core.subscription import MAX_CHARGES, PER_REGISTER, DeclineReason
from tallystick.errors import NodeInvalid

WORD: Final = 32

# What the contract counts in: plans, registers and the terms' times in 32 bits, charges in 16, prices in 96.
MOST_PLANS: Final = 2**32 - 1
MOST_REGISTERS: Final = 2**32 - 1
MOST_SUBSCRIPTIONS: Final = 2**32 * PER_REGISTER - 1
MOST_PERIODS: Final = 2**32 - 1
MOST_SECONDS: Final = 2**32 - 1
MOST_CATCH_UP: Final = 2**8 - 1
MOST_FAMILIES: Final = 2**16 - 1
MOST_FEE_BPS: Final = 9_999
MOST_DISCOUNT_BPS: Final = 10_000
MOST_QUANTITY: Final = 2**128 - 1
MOST_END: Final = 2**40 - 1
"""The payer's own end of a subscription, of which no calendar is asked."""
LAST_TIME: Final = 253_402_300_799
"""31 December 9999, 23:59:59 UTC: where calendars end."""


class _Shape(NamedTuple):
    topics: int
    words: int
    build: Callable[[bytes, bytes], Event]


def _uint(data: bytes, word: int, most: int) -> int:
    number = int.from_bytes(data[word * WORD : word * WORD + WORD], "big")
    if number > most:
        raise ValueError(f"word {word} is {number}, the contract has at most {most}")
    return number


@functools.lru_cache(maxsize=65_536)
def _checksummed(raw: bytes) -> str:
    return to_checksum_address(raw)


def _address(data: bytes, word: int) -> str:
    start = word * WORD
    if any(data[start : start + 12]):
        raise ValueError(f"word {word} is no address: {data[start : start + WORD].hex()}")
    return _checksummed(data[start + 12 : start + WORD])


def _optional_address(data: bytes, word: int) -> str | None:
    """None for the zero address."""
    return _address(data, word) if any(data[word * WORD : word * WORD + WORD]) else None


def _flag(data: bytes, word: int) -> bool:
    return bool(_uint(data, word, 1))


def _register_opened(topics: bytes, _data: bytes) -> Event:
    return RegisterOpened(_uint(topics, 0, MOST_REGISTERS), _address(topics, 1), _address(topics, 2))


def _payee_changed(topics: bytes, _data: bytes) -> Event:
    return PayeeChanged(_uint(topics, 0, MOST_REGISTERS), _address(topics, 1), _address(topics, 2))


def _plan_created(topics: bytes, data: bytes) -> Event:
    terms = PlanTerms(
        payee=_address(data, 0),
        price_units=_uint(data, 1, MOST_UNITS),
        token=_address(data, 2),
        every=_uint(data, 3, MOST_PERIODS),
        unit=Unit(_uint(data, 4, max(Unit))),
        catch_up=_uint(data, 5, MOST_CATCH_UP),
        seat_price_units=_uint(data, 6, MOST_UNITS),
        trial=_uint(data, 7, MOST_SECONDS),
        grace=_uint(data, 8, MOST_SECONDS),
        min_charges=_uint(data, 9, MAX_CHARGES),
        max_charges=_uint(data, 10, MAX_CHARGES),
        fee_bps=_uint(data, 11, MOST_FEE_BPS),
        family=_uint(data, 12, MOST_FAMILIES),
        fee_receiver=_optional_address(data, 13),
        usage_cap_units=_uint(data, 14, MOST_UNITS),
        usage_price_units=_uint(data, 15, MOST_UNITS),
        biller=_optional_address(data, 16),
        align_to=_uint(data, 17, MOST_SECONDS),
        quoter=_optional_address(data, 18),
        refunds_unused=_flag(data, 19),
    )
    if objection := terms.objection():
        raise ValueError(f"the contract makes no plan with {objection}")
    return PlanCreated(_uint(topics, 0, MOST_PLANS), _uint(topics, 1, MOST_REGISTERS), terms)


def _plan_archived(topics: bytes, _data: bytes) -> Event:
    return PlanArchived(_uint(topics, 0, MOST_PLANS))


def _subscribed(topics: bytes, data: bytes) -> Event:
    return Subscribed(
        _uint(topics, 0, MOST_SUBSCRIPTIONS),
        _address(topics, 1),
        _uint(topics, 2, MOST_PLANS),
        _uint(data, 0, LAST_TIME),
    )


def _seats_set(topics: bytes, data: bytes) -> Event:
    return SeatsSet(_uint(topics, 0, MOST_SUBSCRIPTIONS), _uint(data, 0, MOST_SEATS))


def _mandate_accepted(topics: bytes, data: bytes) -> Event:
    return MandateAccepted(
        _uint(topics, 0, MOST_SUBSCRIPTIONS), _address(topics, 1), _uint(data, 0, UINT256_MAX), data[WORD:]
    )


def _mandate_revoked(topics: bytes, data: bytes) -> Event:
    return MandateRevoked(_address(topics, 0), _uint(data, 0, UINT256_MAX))


def _charged(topics: bytes, data: bytes) -> Event:
    event = Charged(
        int.from_bytes(topics, "big"),
        int.from_bytes(data[0:32], "big"),
        int.from_bytes(data[32:64], "big"),
        int.from_bytes(data[64:96], "big"),
        int.from_bytes(data[96:128], "big"),
    )
    subscription_id, charge_number, period_start, period_end, amount_units = event
    if (
        subscription_id > MOST_SUBSCRIPTIONS
        or charge_number > MAX_CHARGES
        or not period_start < period_end <= LAST_TIME
        or amount_units > MOST_UNITS
    ):
        raise ValueError(f"the contract makes no such charge: {event}")
    return event


def _usage_charged(topics: bytes, data: bytes) -> Event:
    return UsageCharged(
        _uint(topics, 0, MOST_SUBSCRIPTIONS),
        _uint(data, 0, MAX_CHARGES),
        _uint(data, 1, MOST_QUANTITY),
        data[2 * WORD :],
    )


def _credit_used(topics: bytes, data: bytes) -> Event:
    return CreditUsed(_uint(topics, 0, MOST_SUBSCRIPTIONS), _uint(data, 0, MAX_CHARGES), _uint(data, 1, MOST_UNITS))


def _claimable(topics: bytes, data: bytes) -> Event:
    return Claimable(
        _address(topics, 0), _address(topics, 1), _uint(topics, 2, MOST_SUBSCRIPTIONS), _uint(data, 0, MOST_UNITS)
    )


def _claimed(topics: bytes, data: bytes) -> Event:
    return Claimed(_address(topics, 0), _address(topics, 1), _uint(data, 0, UINT256_MAX))


def _plan_changed(topics: bytes, data: bytes) -> Event:
    return PlanChanged(
        _uint(topics, 0, MOST_SUBSCRIPTIONS),
        _uint(topics, 1, MOST_PLANS),
        _uint(data, 0, MOST_SEATS),
        _uint(data, 1, MOST_UNITS),
    )


def _upgraded(topics: bytes, data: bytes) -> Event:
    amount_units = _uint(data, 1, MOST_UNITS)
    if not amount_units:
        raise ValueError("an upgrade costs something")
    return Upgraded(
        _uint(topics, 0, MOST_SUBSCRIPTIONS), _uint(topics, 1, MOST_PLANS), _uint(data, 0, MAX_CHARGES), amount_units
    )


def _change_scheduled(topics: bytes, data: bytes) -> Event:
    return ChangeScheduled(
        _uint(topics, 0, MOST_SUBSCRIPTIONS), _uint(topics, 1, MOST_PLANS), _uint(data, 0, MOST_SEATS)
    )


def _price_lowered(topics: bytes, data: bytes) -> Event:
    return PriceLowered(_uint(topics, 0, MOST_SUBSCRIPTIONS), _uint(topics, 1, MOST_PLANS), _uint(data, 0, MOST_SEATS))


def _conditions_set(topics: bytes, data: bytes) -> Event:
    return ConditionsSet(
        _uint(topics, 0, MOST_SUBSCRIPTIONS),
        _uint(data, 0, MOST_UNITS),
        _uint(data, 1, MOST_UNITS),
        _uint(data, 2, MOST_END),
        _optional_address(data, 3),
        _flag(data, 4),
    )


def _coupon_redeemed(topics: bytes, data: bytes) -> Event:
    return CouponRedeemed(
        _uint(topics, 0, MOST_SUBSCRIPTIONS),
        topics[WORD:],
        _uint(data, 0, MOST_PLANS),
        _uint(data, 1, MOST_DISCOUNT_BPS),
        _uint(data, 2, MOST_UNITS),
        _uint(data, 3, MAX_CHARGES),
    )


def _discounted(topics: bytes, data: bytes) -> Event:
    return Discounted(_uint(topics, 0, MOST_SUBSCRIPTIONS), _uint(data, 0, MAX_CHARGES), _uint(data, 1, MOST_UNITS))


def _quoted(topics: bytes, data: bytes) -> Event:
    return Quoted(
        _uint(topics, 0, MOST_SUBSCRIPTIONS),
        _uint(data, 0, MAX_CHARGES),
        _uint(data, 1, MOST_UNITS),
        _uint(data, 2, MOST_UNITS),
    )


def _fallback_set(topics: bytes, _data: bytes) -> Event:
    return FallbackSet(_uint(topics, 0, MOST_SUBSCRIPTIONS), _optional_address(topics, 1))


def _paid_by_fallback(topics: bytes, data: bytes) -> Event:
    return PaidByFallback(_uint(topics, 0, MOST_SUBSCRIPTIONS), _uint(data, 0, MAX_CHARGES), _address(data, 1))


def _payer_changed(topics: bytes, _data: bytes) -> Event:
    return PayerChanged(_uint(topics, 0, MOST_SUBSCRIPTIONS), _address(topics, 1), _address(topics, 2))


def _declined(topics: bytes, data: bytes) -> Event:
    return Declined(
        _uint(topics, 0, UINT256_MAX),  # whatever number somebody asked to be charged
        _uint(data, 0, LAST_TIME),
        DeclineReason(_uint(data, 1, max(DeclineReason))),
    )


def _cancelled(topics: bytes, _data: bytes) -> Event:
    return Cancelled(_uint(topics, 0, MOST_SUBSCRIPTIONS))


def _cancellation_scheduled(topics: bytes, data: bytes) -> Event:
    return CancellationScheduled(_uint(topics, 0, MOST_SUBSCRIPTIONS), _uint(data, 0, LAST_TIME))


def _paused(topics: bytes, data: bytes) -> Event:
    return Paused(_uint(topics, 0, MOST_SUBSCRIPTIONS), _uint(data, 0, LAST_TIME))


def _resumed(topics: bytes, data: bytes) -> Event:
    return Resumed(_uint(topics, 0, MOST_SUBSCRIPTIONS), _uint(data, 0, LAST_TIME))


def _refunded(topics: bytes, data: bytes) -> Event:
    return Refunded(_uint(topics, 0, MOST_SUBSCRIPTIONS), _uint(data, 0, MAX_CHARGES), _uint(data, 1, MOST_UNITS))


_SHAPES: Final[dict[str, _Shape]] = {
    "RegisterOpened": _Shape(3, 0, _register_opened),
    "PayeeChanged": _Shape(3, 0, _payee_changed),
    "PlanCreated": _Shape(2, 20, _plan_created),
    "PlanArchived": _Shape(1, 0, _plan_archived),
    "Subscribed": _Shape(3, 1, _subscribed),
    "SeatsSet": _Shape(1, 1, _seats_set),
    "MandateAccepted": _Shape(2, 2, _mandate_accepted),
    "MandateRevoked": _Shape(1, 1, _mandate_revoked),
    "Charged": _Shape(1, 4, _charged),
    "UsageCharged": _Shape(1, 3, _usage_charged),
    "CreditUsed": _Shape(1, 2, _credit_used),
    "Claimable": _Shape(3, 1, _claimable),
    "Claimed": _Shape(2, 1, _claimed),
    "PlanChanged": _Shape(2, 2, _plan_changed),
    "Upgraded": _Shape(2, 2, _upgraded),
    "ChangeScheduled": _Shape(2, 1, _change_scheduled),
    "PriceLowered": _Shape(2, 1, _price_lowered),
    "ConditionsSet": _Shape(1, 5, _conditions_set),
    "CouponRedeemed": _Shape(2, 4, _coupon_redeemed),
    "Discounted": _Shape(1, 2, _discounted),
    "Quoted": _Shape(1, 3, _quoted),
    "FallbackSet": _Shape(2, 0, _fallback_set),
    "PaidByFallback": _Shape(1, 2, _paid_by_fallback),
    "PayerChanged": _Shape(3, 0, _payer_changed),
    "Declined": _Shape(1, 2, _declined),
    "Cancelled": _Shape(1, 0, _cancelled),
    "CancellationScheduled": _Shape(1, 1, _cancellation_scheduled),
    "Paused": _Shape(1, 1, _paused),
    "Resumed": _Shape(1, 1, _resumed),
    "Refunded": _Shape(1, 2, _refunded),
}
"""How many indexed topics and data words each event has, a struct's words one by one; a test compares this with the
ABI."""


@functools.cache
def event_names() -> dict[str, str]:
    """The first topic of a log (0x and lower-case hex) to the name of its event, from the ABI."""
    abi = load_artefact("Subscriptions").abi
    return {
        "0x" + event_abi_to_log_topic(item).hex(): item["name"]  # type: ignore[arg-type]  # the ABI is plain JSON
        for item in abi
        if item["type"] == "event" and item["name"] in _SHAPES
    }


def topic_of(name: str) -> str:
    """The first topic of the logs of an event."""
    return next(topic for topic, known in event_names().items() if known == name)


def decode_event(name: str, topics: bytes, data: bytes) -> Event:
    """The event of a log: `topics` are its indexed values, `data` the others, each 32 bytes.

    Raises NodeInvalid where they do not have the shape that the ABI gives the event, or values that the contract cannot
    have.
    """
    shape = _SHAPES.get(name)
    if shape is None:
        raise NodeInvalid(f"there is no event {name!r}: allowed are {', '.join(_SHAPES)}")
    if len(topics) != shape.topics * WORD or len(data) != shape.words * WORD:
        raise NodeInvalid(
            f"a {name} log has {len(topics)} bytes of topics and {len(data)} of data, the ABI says "
            f"{shape.topics * WORD} and {shape.words * WORD}: ask another node"
        )
    try:
        return shape.build(topics, data)
    except ValueError as error:
        raise NodeInvalid(f"a {name} log cannot be read ({error}): ask another node") from error
