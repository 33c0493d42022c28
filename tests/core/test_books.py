"""The books refuse events that cannot follow what came before: a node left something out, or is on another branch."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tallystick.core.books import Books
from tallystick.core.events import (
    CancellationScheduled,
    Cancelled,
    Charged,
    Claimed,
    Event,
    Origin,
    Paused,
    PlanArchived,
    PlanCreated,
    Recorded,
    Refunded,
    RegisterOpened,
    Resumed,
    SeatsSet,
    Subscribed,
)
from tallystick.core.period import Unit
from tallystick.core.plan import PlanTerms
from tallystick.core.subscription import Status, Subscription
from tallystick.errors import EventsInconsistent

DAY = 86_400
PAYEE, TOKEN, PAYER = "0xPayee", "0xToken", "0xPayer"
PERIOD_S = 30 * DAY
PRICE_UNITS = 9_990_000
TERMS = PlanTerms(PAYEE, PRICE_UNITS, TOKEN, 30, Unit.DAY)


class Story:
    """A subscription to a plan of 30 days, opened and paid on day 0; then each event at its day."""

    def __init__(self) -> None:
        self.books = Books({}, keep_all=True)
        self.blocks = 0
        self.at(0, RegisterOpened(0, PAYEE, TOKEN))
        self.at(0, PlanCreated(1, 0, TERMS))
        self.at(0, Subscribed(1, PAYER, 1, 0))
        self.at(0, charged(1, 0))

    def at(self, day: int, event: Event) -> Subscription:
        """The subscription after the event."""
        self.blocks += 1
        self.books.apply(Recorded(Origin(self.blocks, b"block", day * DAY, b"transaction", 0), event))
        return self.subscription

    @property
    def subscription(self) -> Subscription:
        return self.books.subscriptions.get(1, Subscription(1, PAYER, 1, 0, 0, Status.ACTIVE, 1))


def charged(number: int, start_day: int) -> Charged:
    return Charged(1, number, start_day * DAY, start_day * DAY + PERIOD_S, PRICE_UNITS)


def test_E25_a_pause_keeps_what_is_left_and_resuming_goes_on_from_there() -> None:
    story = Story()
    paused = story.at(10, Paused(1, 20 * DAY))
    assert (paused.status, paused.next_due, paused.anchor_day) == (Status.PAUSED, 20 * DAY, 1)
    assert not paused.is_due(TERMS, 100 * DAY)
    resumed = story.at(103, Resumed(1, 123 * DAY))
    assert (resumed.status, resumed.next_due, resumed.anchor_day) == (Status.ACTIVE, 123 * DAY, 4)  # 4 May 1970
    assert [resumed.is_due(TERMS, 123 * DAY + offset_s) for offset_s in (-1, 0)] == [False, True]
    assert story.at(123, charged(2, 123)).next_due == 153 * DAY


def test_E25_cancelled_while_paused_what_was_left_is_left_from_then() -> None:
    story = Story()
    story.at(10, Paused(1, 20 * DAY))
    cancelled = story.at(100, Cancelled(1))
    assert (cancelled.status, cancelled.next_due) == (Status.CANCELLED, 120 * DAY)


PAUSED: list[tuple[int, Event]] = [(10, Paused(1, 20 * DAY))]
IMPOSSIBLE: list[tuple[list[tuple[int, Event]], tuple[int, Event], str]] = [
    ([], (10, Resumed(1, 30 * DAY)), "subscription 1 is active"),
    ([], (10, Paused(1, 21 * DAY)), "1814400 seconds left of a period that ends at 2592000"),
    ([], (10, Paused(1, 19 * DAY)), "1641600 seconds left of a period that ends at 2592000"),
    ([], (30, Paused(1, 0)), "0 seconds left of a period that ends at 2592000"),
    ([], (10, Paused(2, 20 * DAY)), "subscription 2 is unknown"),
    ([], (10, Resumed(2, 20 * DAY)), "subscription 2 is unknown"),
    (PAUSED, (11, Paused(1, 19 * DAY)), "subscription 1 is paused"),
    (PAUSED, (40, charged(2, 30)), "subscription 1 is paused"),
    (PAUSED, (11, CancellationScheduled(1, 31 * DAY)), "subscription 1 is paused"),
    (PAUSED, (11, Resumed(1, 30 * DAY)), "it is due at 2592000, after 1728000 seconds left"),
    ([*PAUSED, (11, Resumed(1, 31 * DAY))], (12, Resumed(1, 32 * DAY)), "subscription 1 is active"),
    ([*PAUSED, (11, Resumed(1, 31 * DAY))], (31, charged(2, 30)), "expected 9990000 units for [2678400, 5270400)"),
    ([*PAUSED, (11, Cancelled(1))], (12, Resumed(1, 32 * DAY)), "subscription 1 is cancelled"),
    ([*PAUSED, (11, Cancelled(1))], (12, Paused(1, 19 * DAY)), "subscription 1 is cancelled"),
    ([(5, Cancelled(1))], (6, Cancelled(1)), "subscription 1 is cancelled"),
    ([(5, Cancelled(1))], (30, charged(2, 30)), "subscription 1 is cancelled"),
    ([(5, CancellationScheduled(1, 30 * DAY))], (10, Paused(1, 20 * DAY)), "subscription 1 is ending"),
    ([(5, CancellationScheduled(1, 30 * DAY))], (30, charged(2, 30)), "subscription 1 is ending"),
    ([(5, CancellationScheduled(1, 30 * DAY))], (6, CancellationScheduled(1, 30 * DAY)), "subscription 1 is ending"),
    ([], (6, CancellationScheduled(1, 31 * DAY)), "it ends at 2678400, the paid period at 2592000"),
    ([], (0, charged(1, 0)), "charge 1 follows charge 1"),
    ([], (60, charged(3, 60)), "charge 3 follows charge 1"),
    ([], (31, charged(2, 29)), "expected 9990000 units for [2592000, 5184000)"),
    (
        [],
        (30, charged(2, 30)._replace(amount_units=PRICE_UNITS - 1)),
        "it is 9989999 units for [2592000, 5184000), expected 9990000 units",
    ),
    ([], (60, charged(2, 30)), "expected 9990000 units for [5184000, 7776000)"),
    ([], (30, charged(2, 30)._replace(period_end=61 * DAY)), "expected 9990000 units for [2592000, 5184000)"),
    ([], (60, charged(2, 60)._replace(subscription_id=2)), "subscription 2 is unknown"),
    ([], (1, Refunded(1, 1, PRICE_UNITS + 1)), "9990001 units refunded of a charge of 9990000"),
    ([(1, Refunded(1, 1, PRICE_UNITS))], (2, Refunded(1, 1, 1)), "9990001 units refunded of a charge of 9990000"),
    ([], (1, Refunded(1, 2, 1)), "it refunds charge 2, which is unknown"),
    ([], (1, Refunded(2, 1, 1)), "subscription 2 is unknown"),
    ([], (1, Subscribed(1, PAYER, 1, DAY)), "subscription 1 is opened where 2 is the next"),
    ([], (1, Subscribed(3, PAYER, 1, DAY)), "subscription 3 is opened where 2 is the next"),
    ([], (1, Subscribed(2, PAYER, 2, DAY)), "plan 2 is unknown"),
    ([], (1, Subscribed(2, PAYER, 1, DAY - 1)), "it begins after -1 seconds, allowed are 0 to 3162240000"),
    ([], (1, Subscribed(2, PAYER, 1, 36_602 * DAY)), "it begins after 3162326400 seconds"),
    ([], (1, Subscribed(2, PAYEE, 1, DAY)), "0xPayee is paid by plan 1"),
    ([], (1, SeatsSet(1, 1)), "subscription 1 was not opened just before"),
    ([], (1, PlanCreated(1, 0, TERMS)), "plan 1 follows plan 1"),
    ([], (1, PlanCreated(3, 0, TERMS)), "plan 3 follows plan 1"),
    ([], (1, PlanCreated(2, 1, TERMS)), "it is of register 1, which is not of 0xPayee and 0xToken"),
    ([], (1, PlanCreated(2, 0, replace(TERMS, token=PAYEE))), "it is of register 0, which is not of 0xPayee and"),
    ([], (1, RegisterOpened(0, PAYEE, TOKEN)), "register 0 is opened where 1 is the next"),
    ([], (1, RegisterOpened(2, PAYEE, PAYEE)), "register 2 is opened where 1 is the next"),
    ([], (1, PlanArchived(2)), "plan 2 is unknown"),
    ([(1, PlanArchived(1))], (2, PlanArchived(1)), "plan 1 is archived already"),
    ([(1, PlanArchived(1))], (2, Subscribed(2, PAYER, 1, 2 * DAY)), "plan 1 is archived"),
    ([], (1, Claimed(PAYEE, TOKEN, 1)), "1 units are claimed, 0 are kept for 0xPayee"),
]


@pytest.mark.parametrize(("before", "impossible", "message"), IMPOSSIBLE)
def test_E62_what_cannot_follow_is_refused_and_changes_nothing(
    before: list[tuple[int, Event]], impossible: tuple[int, Event], message: str
) -> None:
    story = Story()
    for day, event in before:
        story.at(day, event)
    kept, entries = story.subscription, story.books.entry_number
    with pytest.raises(EventsInconsistent, match=re.escape(message)):
        story.at(*impossible)
    assert (story.subscription, story.books.entry_number) == (kept, entries)


def test_an_ending_one_is_cancelled() -> None:
    story = Story()
    assert story.at(5, CancellationScheduled(1, 30 * DAY)).status == Status.ENDING
    assert story.at(6, Cancelled(1))[3:6] == (30 * DAY, 1, Status.CANCELLED)
