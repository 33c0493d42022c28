"""Plans with a protection: what their terms allow, and what their charges are in the books."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from tallystick.core.books import Books, Change
from tallystick.core.events import (
    ChangeScheduled,
    Charged,
    ConditionsSet,
    CouponRedeemed,
    Discounted,
    Event,
    Origin,
    PlanCreated,
    Protected,
    Recorded,
    RegisterOpened,
    Subscribed,
)
from tallystick.core.ledger import Posting
from tallystick.core.period import Unit
from tallystick.core.plan import PlanTerms
from tallystick.core.subscription import Subscription
from tallystick.errors import EventsInconsistent

DAY = 86_400
PAYEE, TOKEN, PAYER, PLATFORM, ARBITER = "0xPayee", "0xToken", "0xPayer", "0xPlatform", "0xArbiter"
PLAIN = PlanTerms(PAYEE, 3_000, TOKEN, 30, Unit.DAY)
PROTECTED = replace(
    PLAIN,
    protection=14 * DAY,
    arbiter=ARBITER,
    ruling_timeout=7 * DAY,
    default_payee_bps=5_000,
    max_arbiter_fee_bps=500,
    fee_bps=1_000,
    fee_receiver=PLATFORM,
)
DEAR = replace(PROTECTED, price_units=9_000)
PAYMENT_ID = b"p" * 32
NO_CONDITIONS = ConditionsSet(1, 0, 0, 0, None, by_permit2=False)


class Story:
    """Plan 1 is protected, plan 2 is not, plan 3 is protected and dearer; subscription 1 is to the first, paid on day
    0. Each act in a block."""

    def __init__(self, *opening: Event) -> None:
        self.books = Books({}, keep_all=True)
        self.blocks = 0
        self.at(0, RegisterOpened(0, PAYEE, TOKEN), PlanCreated(1, 0, PROTECTED))
        self.at(0, PlanCreated(2, 0, PLAIN))
        self.at(0, PlanCreated(3, 0, DEAR))
        held = (Protected(1, 1, PAYMENT_ID), charged(1, 0))
        self.opened = self.at(0, *(opening or (Subscribed(1, PAYER, 1, 0), NO_CONDITIONS, *held)))

    def at(self, day: int, *act: Event) -> Change:
        """What the last event of a transaction does."""
        self.blocks += 1
        change = Change()
        for log, event in enumerate(act):
            origin = Origin(self.blocks, b"block", day * DAY, b"%d" % self.blocks, log)
            change = self.books.apply(Recorded(origin, event))
        self.books.act.require_whole()
        return change

    @property
    def subscription(self) -> Subscription:
        return self.books.subscriptions[1]


def charged(number: int, start: int, units: int = 3_000) -> Charged:
    return Charged(1, number, start * DAY, (start + 30) * DAY, units)


def test_what_is_charged_is_income_that_the_escrow_holds() -> None:
    opened = Story().opened
    assert opened.entry is not None
    assert opened.entry.postings == (
        Posting(f"Assets:Protected:{PAYEE}", "D", TOKEN, 3_000),
        Posting(f"Income:Subscriptions:{PAYEE}:Plan-1", "C", TOKEN, 3_000),
    )
    assert opened.invoice is not None
    assert (opened.invoice.payment_id, opened.invoice.total_units) == (PAYMENT_ID, 3_000)


def test_a_charge_that_a_coupon_pays_alone_has_no_payment() -> None:
    story = Story()
    story.at(1, CouponRedeemed(1, b"c" * 32, 0, 10_000, 0, 1))
    change = story.at(30, Discounted(1, 2, 3_000), charged(2, 30, 0))
    assert change.entry is None
    assert change.invoice is not None
    assert change.invoice.payment_id is None


def test_it_changes_at_the_period_s_end_among_protected_plans() -> None:
    story = Story()
    story.at(1, ChangeScheduled(1, 3, 0))
    assert story.subscription.scheduled == (3, 0)
    with pytest.raises(EventsInconsistent, match="of plan 2 and plan 1 one protects charges and the other does not"):
        story.at(2, ChangeScheduled(1, 2, 0))


HELD = Protected(1, 2, PAYMENT_ID)
IMPOSSIBLE: list[tuple[tuple[Event, ...], str]] = [
    ((charged(2, 30),), "a charge under a protection of 1209600 seconds has 0 payments in escrow"),
    ((Protected(1, 1, PAYMENT_ID), charged(2, 30)), "a charge under a protection of 1209600 seconds has 1 payments"),
    ((HELD, HELD, charged(2, 30)), "it stands where what belongs to Protected is missing"),
    ((HELD,), "what belongs to it is missing"),
    ((HELD, Protected(2, 2, PAYMENT_ID)), "it stands where what belongs to Protected is missing"),
]


@pytest.mark.parametrize(("act", "message"), IMPOSSIBLE)
def test_E62_a_charge_without_its_payment_is_refused(act: tuple[Event, ...], message: str) -> None:
    with pytest.raises(EventsInconsistent, match=re.escape(message)):
        Story().at(30, *act)


@pytest.mark.parametrize(
    ("opening", "message"),
    [
        ((Subscribed(1, PAYER, 1, 0), Protected(1, 1, PAYMENT_ID), charged(1, 0)), "it stands where what belongs to"),
        ((Subscribed(1, PAYER, 1, 0), charged(1, 0)), "the conditions with which it was opened were not told"),
        ((Subscribed(1, ARBITER, 1, 0),), "0xArbiter is paid by plan 1"),
        (
            (Subscribed(1, PAYER, 2, 0), NO_CONDITIONS, Protected(1, 1, PAYMENT_ID), charged(1, 0)),
            "a charge under a protection of 0 seconds has 1 payments in escrow",
        ),
    ],
)
def test_E62_an_opening_that_cannot_have_been_is_refused(opening: tuple[Event, ...], message: str) -> None:
    with pytest.raises(EventsInconsistent, match=re.escape(message)):
        Story(*opening)


@pytest.mark.parametrize(
    "change",
    [
        {"protection": 0},
        {"arbiter": None},
        {"arbiter": PAYEE},
        {"ruling_timeout": 0},
        {"default_payee_bps": 10_001},
        {"max_arbiter_fee_bps": 10_001},
        {"refunds_unused": True},
        {"usage_cap_units": 1, "usage_price_units": 1},
    ],
)
def test_half_a_protection_is_none(change: dict[str, Any]) -> None:
    assert PROTECTED.objection() is None
    assert replace(PROTECTED, **change).objection() is not None


def test_E30_a_lower_price_keeps_the_protection() -> None:
    assert replace(PROTECTED, price_units=2_999).is_cheaper_than(PROTECTED)
    for change in ({"protection": 15 * DAY}, {"arbiter": PLATFORM}, {"default_payee_bps": 4_999}):
        changes: dict[str, Any] = change
        assert not replace(PROTECTED, price_units=2_999, **changes).is_cheaper_than(PROTECTED)
