"""Which periods are expected, and which of them are missing, of lives that are told event by event."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tallystick.core.due_period import DuePeriods, due_periods
from tallystick.core.events import (
    Cancelled,
    Charged,
    CouponRedeemed,
    Declined,
    Event,
    Origin,
    Paused,
    PlanCreated,
    Recorded,
    RegisterOpened,
    Resumed,
    Subscribed,
)
from tallystick.core.period import Unit
from tallystick.core.plan import Plan, PlanTerms
from tallystick.core.reconciliation import ChargeRow, month_of
from tallystick.core.subscription import DeclineReason, Discount, Status, Subscription

DAY = 86_400
PAYEE, TOKEN, PAYER, QUOTER = ("0x" + digit * 40 for digit in "1236")
SMALL = PlanTerms(PAYEE, 3_000, TOKEN, 30, Unit.DAY)
NUMBER = 1


class Story:
    """A subscription to a plan of 30 days, first due on day 30; each act in a block of its own."""

    def __init__(self, terms: PlanTerms = SMALL) -> None:
        self.due = DuePeriods()
        self.block = 0
        self.tell(0, RegisterOpened(0, PAYEE, TOKEN), PlanCreated(1, 0, replace(terms, trial=30 * DAY)))
        self.tell(0, Subscribed(NUMBER, PAYER, 1, 30 * DAY))

    def tell(self, day: int, *act: Event) -> None:
        self.block += 1
        for index, event in enumerate(act):
            origin = Origin(self.block, bytes(32), day * DAY, self.block.to_bytes(32, "big"), index)
            self.due.apply(Recorded(origin, event))

    def charge(self, day: int, number: int, start: int, units: int = 3_000) -> None:
        self.tell(day, Charged(NUMBER, number, start * DAY, (start + 30) * DAY, units))

    def uncharged(self, day: int) -> dict[int, int | None]:
        """What is missing by the end of a day, by the day on which it was due."""
        self.due.finish(day * DAY + 1)
        return {period.start // DAY: period.units for period in self.due.uncharged.values()}


def test_a_period_is_expected_from_its_due_time_on_and_missing_until_it_is_charged() -> None:
    assert Story().uncharged(29) == {}
    assert Story().uncharged(30) == {30: 3_000}
    story = Story()
    story.charge(31, 1, 30)
    assert story.uncharged(59) == {}
    assert story.uncharged(90) == {60: 3_000, 90: 3_000}


def test_a_period_that_is_forgiven_stays_missing() -> None:
    """The plan collects no period that was missed: the charge of day 65 is for the second one."""
    story = Story()
    story.charge(65, 1, 60)
    assert story.uncharged(70) == {30: 3_000}
    assert not story.due.is_open(story.due.uncharged[NUMBER, 30 * DAY], 70 * DAY)


def test_what_can_be_caught_up_is_open() -> None:
    story = Story(replace(SMALL, catch_up=1))
    assert story.uncharged(95) == {30: 3_000, 60: 3_000, 90: 3_000}
    open_days = [
        start // DAY for (_, start), found in story.due.uncharged.items() if story.due.is_open(found, 95 * DAY)
    ]
    assert open_days == [60, 90]


def test_nothing_is_expected_while_it_is_paused_or_after_it_was_cancelled() -> None:
    story = Story()
    story.charge(30, 1, 30)
    story.tell(40, Paused(NUMBER, 20 * DAY))
    story.tell(140, Resumed(NUMBER, 160 * DAY))
    assert story.uncharged(159) == {}
    story.tell(165, Cancelled(NUMBER))
    assert story.uncharged(365) == {160: 3_000}, "it was due before it was cancelled"


def test_a_subscription_that_ended_for_want_of_a_charge_is_expected_to_pay_no_more() -> None:
    story = Story(replace(SMALL, grace=10 * DAY))
    assert story.uncharged(365) == {30: 3_000}


def test_a_coupon_counts_from_when_it_was_redeemed_and_for_as_many_periods_as_it_is() -> None:
    story = Story()
    story.tell(31, CouponRedeemed(NUMBER, bytes(32), 0, 1_000, 500, 1))
    assert story.uncharged(90) == {30: 3_000, 60: 3_000, 90: 3_000}, "as if the first had been charged when it was due"
    other = Story()
    other.tell(29, CouponRedeemed(NUMBER, bytes(32), 0, 1_000, 500, 2))
    assert other.uncharged(90) == {30: 2_200, 60: 2_200, 90: 3_000}


def test_of_a_quoted_price_nobody_knows_the_amount_before() -> None:
    plans = {1: Plan(1, 0, replace(SMALL, quoter=QUOTER))}
    subscription = Subscription(NUMBER, PAYER, 1, 30 * DAY, 0, Status.ACTIVE, 31)
    assert [period.units for period in due_periods(subscription, plans, 0, 61 * DAY)] == [None, None]


def test_a_decline_is_of_the_period_that_was_tried() -> None:
    story = Story()
    story.tell(20, Declined(NUMBER, 30 * DAY, DeclineReason.NOT_DUE))
    story.tell(31, Declined(NUMBER, 30 * DAY, DeclineReason.ALLOWANCE))
    story.tell(33, Declined(NUMBER, 30 * DAY, DeclineReason.BALANCE))
    story.tell(65, Declined(NUMBER, 30 * DAY, DeclineReason.BLOCKED))
    reasons = {start // DAY: found.reason for (_, start), found in story.due.declines.items()}
    assert reasons == {30: DeclineReason.BALANCE, 60: DeclineReason.BLOCKED}


units = st.sampled_from(list(Unit))
discounts = st.tuples(st.integers(0, 10_000), st.integers(0, 4_000), st.integers(1, 4))
statuses = st.sampled_from([Status.ACTIVE, Status.ACTIVE, Status.CANCELLED])
lives = st.tuples(
    st.integers(0, 400 * DAY),
    st.integers(0, 5),
    statuses,
    st.integers(1, 31),
    st.integers(0, 9_000),
    st.none() | discounts,
).map(
    lambda found: Subscription(NUMBER, PAYER, 1, *found[:4])._replace(
        credit_units=found[4], discount=found[5] and Discount(*found[5])
    )
)
terms = st.builds(
    PlanTerms,
    st.just(PAYEE),
    st.integers(1, 5_000),
    st.just(TOKEN),
    st.integers(1, 40),
    st.sampled_from([Unit.DAY, Unit.WEEK, Unit.MONTH]),
    grace=st.sampled_from([0, 10 * DAY]),
    max_charges=st.sampled_from([0, 6]),
)


@given(lives, terms, st.lists(st.integers(0, 900 * DAY), min_size=3, max_size=3))
def test_looked_at_in_parts_or_at_once_the_same_falls_due(
    subscription: Subscription, plan: PlanTerms, times: list[int]
) -> None:
    plans, (first, middle, last) = {1: Plan(1, 0, plan)}, sorted(times)
    parts = [*due_periods(subscription, plans, first, middle), *due_periods(subscription, plans, middle, last)]
    found = list(due_periods(subscription, plans, first, last))
    assert found == parts
    assert all(first <= period.start < last for period in found)
    assert [period.start for period in found] == sorted({period.start for period in found})
    assert all(period.units is not None and 0 <= period.units <= plan.price_units for period in found)


charges = st.tuples(st.integers(0, 10**30), st.integers(0, 10**30), st.booleans()).map(
    lambda found: (max(found[:2]), min(found[:2]), found[2])
)
misses = st.tuples(st.none() | st.integers(0, 10**30), st.booleans(), st.booleans())


@given(st.lists(charges), st.lists(misses))
def test_expected_is_received_and_missing(
    paid: list[tuple[int, int, bool]], missed: list[tuple[int | None, bool, bool]]
) -> None:
    row = ChargeRow()
    for units_, refunded, late in paid:
        row.charge(units_, refunded, late=late)
    for amount, declined, still_open in missed:
        row.miss(amount, "why", declined=declined, still_open=still_open)
    assert row.expected_units == row.received_units + row.missing_units
    assert row.missing_units == row.refunded_units + row.declined_units + row.uncharged_units
    assert row.received_units == sum(units_ - refunded for units_, refunded, _ in paid)
    assert row.unknown == sum(amount is None for amount, _, _ in missed)
    assert 0 <= row.late_units <= row.received_units
    assert row.open_units <= row.declined_units + row.uncharged_units


def test_months_are_those_of_utc() -> None:
    assert (month_of(1_772_323_199), month_of(1_772_323_200)) == ("2026-02", "2026-03")
