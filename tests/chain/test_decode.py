"""Logs into events: the shapes are the ABI's, and what the contract cannot have said is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from tallystick.chain.decode import _SHAPES, LAST_TIME, decode_event, event_names
from tallystick.chain.decoder import WORD
from tallystick.contracts import load_artefact
from tallystick.core.events import (
    ChangeScheduled,
    Charged,
    Claimable,
    ConditionsSet,
    CouponRedeemed,
    Declined,
    Discounted,
    FallbackSet,
    MandateAccepted,
    PaidByFallback,
    PayeeChanged,
    PayerChanged,
    PlanChanged,
    PlanCreated,
    PriceLowered,
    Protected,
    Quoted,
    RegisterOpened,
    SeatsSet,
    Subscribed,
    Upgraded,
    UsageCharged,
)
from tallystick.core.money import UINT256_MAX
from tallystick.core.period import Unit
from tallystick.core.plan import PlanTerms
from tallystick.core.subscription import PER_REGISTER, DeclineReason
from tallystick.errors import NodeInvalid

PAYER, TOKEN = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"
LAST = 2**32 * PER_REGISTER - 1
EVENTS: dict[str, Any] = {item["name"]: item for item in load_artefact("Subscriptions").abi if item["type"] == "event"}


def words(*values: int | str) -> bytes:
    return b"".join((int(value, 16) if isinstance(value, str) else value).to_bytes(WORD, "big") for value in values)


def plan_words(**changes: int | str) -> bytes:
    """The data of a PlanCreated log, with these terms changed."""
    return words(*(PLAN | changes).values())


PLAN: dict[str, int | str] = {
    "payee": PAYER,
    "price": 2**96 - 1,
    "token": TOKEN,
    "every": 100,
    "unit": 4,
    "catch_up": 255,
    "seat_price": 2**96 - 1,
    "trial": 2**32 - 1,
    "grace": 2**32 - 1,
    "min_charges": 65_535,
    "max_charges": 65_535,
    "fee_bps": 9_999,
    "family": 65_535,
    "fee_receiver": TOKEN,
    "usage_cap": 0,
    "usage_price": 0,
    "biller": 0,
    "align_to": 0,
    "quoter": 0,
    "refunds_unused": 0,
    "protection": 0,
    "arbiter": 0,
    "ruling_timeout": 0,
    "default_payee_bps": 0,
    "max_arbiter_fee_bps": 0,
}
PROTECTED: dict[str, Any] = {
    "protection": 2**32 - 1,
    "arbiter": TOKEN,
    "ruling_timeout": 2**32 - 1,
    "default_payee_bps": 10_000,
    "max_arbiter_fee_bps": 10_000,
}
METERED: dict[str, int | str] = {
    "min_charges": 0,
    "max_charges": 0,
    "usage_cap": 2**96 - 1,
    "usage_price": 2**96 - 1,
    "biller": PAYER,
}


def word_count(argument: Any) -> int:
    """How many words of a log's data an argument takes."""
    return sum(map(word_count, argument["components"])) if argument["type"] == "tuple" else 1


def test_the_shapes_are_those_of_the_abi() -> None:
    known = {name for name in EVENTS if name != "EIP712DomainChanged"}  # OpenZeppelin's, which is never emitted
    assert set(_SHAPES) == known == set(event_names().values())
    for name, shape in _SHAPES.items():
        arguments = EVENTS[name]["inputs"]
        topics = sum(argument["indexed"] for argument in arguments)
        data = sum(word_count(argument) for argument in arguments if not argument["indexed"])
        assert (shape.topics, shape.words) == (topics, data), name


def test_events_as_the_contract_gives_them() -> None:
    opened = decode_event("RegisterOpened", words(2**32 - 1, PAYER, TOKEN), b"")
    assert opened == RegisterOpened(2**32 - 1, PAYER, TOKEN)
    most = (2**96 - 1, 2**32 - 1, 2**32 - 1, 65_535, 65_535, 9_999, 65_535)
    terms = PlanTerms(PAYER, 2**96 - 1, TOKEN, 100, Unit.YEAR, 255, *most, TOKEN)
    assert decode_event("PlanCreated", words(1, 2), plan_words()) == PlanCreated(1, 2, terms)
    plain = decode_event("PlanCreated", words(1, 2), plan_words(fee_bps=0, fee_receiver=0))
    assert plain == PlanCreated(1, 2, replace(terms, fee_bps=0, fee_receiver=None))
    metered = decode_event("PlanCreated", words(1, 2), plan_words(**METERED))
    usage: dict[str, Any] = {"usage_cap_units": 2**96 - 1, "usage_price_units": 2**96 - 1, "biller": PAYER}
    assert metered == PlanCreated(1, 2, replace(terms, min_charges=0, max_charges=0, **usage))
    by_payee = decode_event("PlanCreated", words(1, 2), plan_words(**METERED | {"biller": 0}))
    assert by_payee == PlanCreated(1, 2, replace(terms, min_charges=0, max_charges=0, **usage | {"biller": None}))
    aligned = decode_event("PlanCreated", words(1, 2), plan_words(align_to=2**32 - 1, refunds_unused=1))
    assert aligned == PlanCreated(1, 2, replace(terms, align_to=2**32 - 1, refunds_unused=True))
    assert decode_event("PlanCreated", words(1, 2), plan_words(quoter=PAYER)) == PlanCreated(
        1, 2, replace(terms, quoter=PAYER)
    )
    protected = decode_event("PlanCreated", words(1, 2), plan_words(**PROTECTED))
    assert protected == PlanCreated(1, 2, replace(terms, **PROTECTED))
    held = decode_event("Protected", words(LAST) + b"p" * WORD, words(65_535))
    assert held == Protected(LAST, 65_535, b"p" * WORD)
    used = decode_event("UsageCharged", words(7), words(65_535, 2**128 - 1) + b"h" * WORD)
    assert used == UsageCharged(7, 65_535, 2**128 - 1, b"h" * WORD)
    assert decode_event("Subscribed", words(LAST, PAYER, 1), words(5)) == Subscribed(LAST, PAYER, 1, 5)
    assert decode_event("SeatsSet", words(7), words(2**24 - 1)) == SeatsSet(7, 2**24 - 1)
    changed = decode_event("PlanChanged", words(7, 3), words(2, 2**96 - 1))
    assert changed == PlanChanged(7, 3, 2, 2**96 - 1)
    assert decode_event("Upgraded", words(7, 3), words(65_535, 2**96 - 1)) == Upgraded(7, 3, 65_535, 2**96 - 1)
    assert decode_event("Claimable", words(PAYER, TOKEN, 7), words(9)) == Claimable(PAYER, TOKEN, 7, 9)
    charged = decode_event("Charged", words(7), words(65_535, 10, LAST_TIME, 3))
    assert charged == Charged(7, 65_535, 10, LAST_TIME, 3)
    declined = decode_event("Declined", words(UINT256_MAX), words(0, 1))  # anyone may ask to charge any number
    assert declined == Declined(UINT256_MAX, 0, DeclineReason.UNKNOWN)
    accepted = decode_event("MandateAccepted", words(1, PAYER), words(UINT256_MAX) + b"h" * WORD)
    assert accepted == MandateAccepted(1, PAYER, UINT256_MAX, b"h" * WORD)


def test_what_the_payer_adds_and_what_a_charge_is_made_of() -> None:
    scheduled = decode_event("ChangeScheduled", words(7, 2**32 - 1), words(2**24 - 1))
    assert scheduled == ChangeScheduled(7, 2**32 - 1, 2**24 - 1)
    most = 2**96 - 1
    limited = decode_event("ConditionsSet", words(7), words(most, most, 2**40 - 1, PAYER, 1))
    assert limited == ConditionsSet(7, most, most, 2**40 - 1, PAYER, True)
    assert decode_event("ConditionsSet", words(7), words(*[0] * 5)) == ConditionsSet(7, 0, 0, 0, None, False)
    redeemed = decode_event("CouponRedeemed", words(7) + b"h" * WORD, words(2**32 - 1, 10_000, most, 65_535))
    assert redeemed == CouponRedeemed(7, b"h" * WORD, 2**32 - 1, 10_000, most, 65_535)
    assert decode_event("Discounted", words(7), words(65_535, most)) == Discounted(7, 65_535, most)
    assert decode_event("Quoted", words(7), words(65_535, most, most - 1)) == Quoted(7, 65_535, most, most - 1)
    assert decode_event("FallbackSet", words(7, PAYER), b"") == FallbackSet(7, PAYER)
    assert decode_event("FallbackSet", words(7, 0), b"") == FallbackSet(7, None)
    assert decode_event("PaidByFallback", words(7), words(65_535, PAYER)) == PaidByFallback(7, 65_535, PAYER)
    assert decode_event("PayerChanged", words(7, PAYER, TOKEN), b"") == PayerChanged(7, PAYER, TOKEN)
    lowered = decode_event("PriceLowered", words(7, 2**32 - 1), words(2**24 - 1))
    assert lowered == PriceLowered(7, 2**32 - 1, 2**24 - 1)
    moved = decode_event("PayeeChanged", words(2**32 - 1, PAYER, TOKEN), b"")
    assert moved == PayeeChanged(2**32 - 1, PAYER, TOKEN)
    declined = decode_event("Declined", words(7), words(0, 13))
    assert declined == Declined(7, 0, DeclineReason.SLIPPAGE)


IMPOSSIBLE = {
    "a plan beyond 32 bits": ("PlanCreated", words(2**32, 0), plan_words()),
    "a register beyond 32 bits": ("PlanCreated", words(1, 2**32), plan_words()),
    "a price beyond 96 bits": ("PlanCreated", words(1, 0), plan_words(price=2**96)),
    "a unit that there is none": ("PlanCreated", words(1, 0), plan_words(unit=5)),
    "a part above all of it": ("PlanCreated", words(1, 0), plan_words(**PROTECTED | {"default_payee_bps": 10_001})),
    "a fee above all of it": ("PlanCreated", words(1, 0), plan_words(**PROTECTED | {"max_arbiter_fee_bps": 10_001})),
    "an arbiter of nothing": ("PlanCreated", words(1, 0), plan_words(arbiter=TOKEN)),
    "a payment beyond 16 bits": ("Protected", words(LAST) + b"p" * WORD, words(65_536)),
    "catching up on more than 255": ("PlanCreated", words(1, 0), plan_words(catch_up=256)),
    "a payee with 21 bytes": ("PlanCreated", words(1, 0), plan_words(payee=2**160)),
    "a fee of everything": ("PlanCreated", words(1, 0), plan_words(fee_bps=10_000)),
    "a fee for nobody": ("PlanCreated", words(1, 0), plan_words(fee_receiver=0)),
    "a receiver of no fee": ("PlanCreated", words(1, 0), plan_words(fee_bps=0)),
    "usage without a price": ("PlanCreated", words(1, 0), plan_words(**METERED | {"usage_price": 0})),
    "usage without a cap": ("PlanCreated", words(1, 0), plan_words(**METERED | {"usage_cap": 0})),
    "a biller of nothing": ("PlanCreated", words(1, 0), plan_words(biller=PAYER)),
    "usage and a least number of charges": ("PlanCreated", words(1, 0), plan_words(**METERED | {"min_charges": 1})),
    "usage and a most number of charges": ("PlanCreated", words(1, 0), plan_words(**METERED | {"max_charges": 1})),
    "a usage price beyond 96 bits": ("PlanCreated", words(1, 0), plan_words(**METERED | {"usage_price": 2**96})),
    "a biller with 21 bytes": ("PlanCreated", words(1, 0), plan_words(**METERED | {"biller": 2**160})),
    "a grid beyond 32 bits": ("PlanCreated", words(1, 0), plan_words(align_to=2**32)),
    "a quoter with 21 bytes": ("PlanCreated", words(1, 0), plan_words(quoter=2**160)),
    "neither yes nor no": ("PlanCreated", words(1, 0), plan_words(refunds_unused=2)),
    "a refund of what is quoted": ("PlanCreated", words(1, 0), plan_words(quoter=PAYER, refunds_unused=1)),
    "a price of nothing": ("PlanCreated", words(1, 0), plan_words(price=0, seat_price=0)),
    "a period of nothing": ("PlanCreated", words(1, 0), plan_words(every=0)),
    "a period beyond 100 years": ("PlanCreated", words(1, 0), plan_words(every=101)),
    "a period of too many months": ("PlanCreated", words(1, 0), plan_words(every=1_181, unit=3)),
    "more charges at least than at most": ("PlanCreated", words(1, 0), plan_words(max_charges=65_534)),
    "an end beyond 40 bits": ("ConditionsSet", words(1), words(0, 0, 2**40, 0, 0)),
    "a maximum beyond 96 bits": ("ConditionsSet", words(1), words(2**96, 0, 0, 0, 0)),
    "a coupon for more than all": ("CouponRedeemed", words(1, 1), words(0, 10_001, 0, 1)),
    "a discount beyond 96 bits": ("Discounted", words(1), words(1, 2**96)),
    "a quote beyond 96 bits": ("Quoted", words(1), words(1, 1, 2**96)),
    "nobody who pays": ("PaidByFallback", words(1), words(1, 2**160)),
    "usage beyond 128 bits": ("UsageCharged", words(1), words(1, 2**128, 0)),
    "a trial beyond 32 bits": ("PlanCreated", words(1, 0), plan_words(trial=2**32)),
    "seats beyond 24 bits": ("SeatsSet", words(1), words(2**24)),
    "credit beyond 96 bits": ("PlanChanged", words(1, 1), words(0, 2**96)),
    "an upgrade for nothing": ("Upgraded", words(1, 1), words(2, 0)),
    "an upgrade beyond 96 bits": ("Upgraded", words(1, 1), words(2, 2**96)),
    "a subscription beyond the last register": ("Subscribed", words(LAST + 1, PAYER, 1), words(5)),
    "a time beyond the calendar": ("Subscribed", words(1, PAYER, 1), words(LAST_TIME + 1)),
    "a charge beyond 16 bits": ("Charged", words(1), words(65_536, 1, 2, 3)),
    "a period without length": ("Charged", words(1), words(1, 2, 2, 3)),
    "a period beyond the calendar": ("Charged", words(1), words(1, 2, LAST_TIME + 1, 3)),
    "an amount beyond 96 bits": ("Charged", words(1), words(1, 1, 2, 2**96)),
    "a reason that there is none": ("Declined", words(1), words(1, 99)),
    "a refund beyond 96 bits": ("Refunded", words(1), words(1, UINT256_MAX)),
    "an event that there is none": ("Minted", words(1), words(1)),
}


@pytest.mark.parametrize("impossible", IMPOSSIBLE)
def test_what_the_contract_cannot_have_said_is_refused_E28(impossible: str) -> None:
    with pytest.raises(NodeInvalid):
        decode_event(*IMPOSSIBLE[impossible])


@given(st.sampled_from(sorted(_SHAPES)), st.binary(max_size=5 * WORD), st.binary(max_size=21 * WORD))
def test_any_bytes_are_an_event_or_refused_E62(name: str, topics: bytes, data: bytes) -> None:
    try:
        decode_event(name, topics, data)
    except NodeInvalid:
        return
    shape = _SHAPES[name]
    assert (len(topics), len(data)) == (shape.topics * WORD, shape.words * WORD)


@given(
    st.integers(0, LAST),
    st.integers(0, 65_535),
    st.integers(0, LAST_TIME - 1),
    st.integers(1, 10**9),
    st.integers(0, 2**96 - 1),
)
def test_a_charge_is_what_a_general_encoder_wrote(
    number: int, charge: int, start: int, length: int, units: int
) -> None:
    end = min(LAST_TIME, start + length)
    data = encode(["uint256"] * 4, [charge, start, end, units])
    assert decode_event("Charged", words(number), data) == Charged(number, charge, start, end, units)
