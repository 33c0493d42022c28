"""Quotes of changes: no unit is made or lost, none is gained by back and forth, and none by waiting or pausing."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from tallystick.core.change import NO_CHARGE, Segment, changed, commitment, objection, quote
from tallystick.core.period import Period, Unit, anchor_day_of
from tallystick.core.plan import MOST_UNITS, Plan, PlanTerms
from tallystick.core.subscription import MAX_CHARGES, Status, Subscription

PAYEE, TOKEN, PAYER = ("0x" + digit * 40 for digit in "123")
DAY = 86_400

periods = st.one_of(
    st.builds(Period, st.integers(1, 10**7), st.just(Unit.SECOND)),
    st.builds(Period, st.integers(1, 400), st.just(Unit.DAY)),
    st.builds(Period, st.integers(1, 60), st.just(Unit.WEEK)),
    st.builds(Period, st.integers(1, 40), st.just(Unit.MONTH)),
    st.builds(Period, st.integers(1, 5), st.just(Unit.YEAR)),
)
rates = st.integers(1, 2**40) | st.integers(1, MOST_UNITS)


def terms_of(rate: int, period: Period) -> PlanTerms:
    return PlanTerms(PAYEE, rate, TOKEN, period.every, period.unit)


class Case(NamedTuple):
    """A subscription within a paid period, its terms and others, and a moment of that period."""

    subscription: Subscription
    terms: PlanTerms
    new_terms: PlanTerms
    time: int

    @property
    def left(self) -> int:
        return self.subscription.next_due - self.time


@st.composite
def cases(draw: st.DrawFn, *, same_step: bool | None = None) -> Case:
    period = draw(periods)
    other = period if same_step or (same_step is None and draw(st.booleans())) else draw(periods)
    opened = draw(st.integers(1_600_000_000, 1_900_000_000))
    anchor_day = anchor_day_of(opened)
    start = period.later(opened, draw(st.integers(0, 5)), anchor_day)
    due = period.later(start, 1, anchor_day)
    time = draw(st.integers(start, due - 1))
    credit = draw(st.just(0) | st.integers(0, 2**80))
    subscription = Subscription(1, PAYER, 1, due, 3, Status.ACTIVE, anchor_day, credit_units=credit)
    return Case(subscription, terms_of(draw(rates), period), terms_of(draw(rates), other), time)


def worth(subscription: Subscription, terms: PlanTerms, time: int) -> int:
    """What is left of the paid period, as a change to periods of another length credits it."""
    length = Period(7, Unit.SECOND) if terms.period != Period(7, Unit.SECOND) else Period(8, Unit.SECOND)
    done = quote(subscription, terms, terms_of(1, length), 0, time)
    return done.credit_units + done.credit_used_units - subscription.credit_units


@given(cases())
def test_E31_no_unit_is_made_or_lost(case: Case) -> None:
    """What was left is credited, what is new is charged, and credit pays first."""
    subscription, terms, new_terms, time = case
    done = quote(subscription, terms, new_terms, 0, time)
    assert 0 <= done.credit_used_units <= done.charged_units
    assert done.credit_used_units == done.charged_units or done.credit_units == 0
    old_value = worth(subscription, terms, time)
    new_value = new_terms.price_units if done.restarts else worth(subscription, new_terms, time)
    moved = done.charged_units - (done.credit_units + done.credit_used_units - subscription.credit_units)
    assert moved == new_value - old_value
    assert done.to_pay_units - (done.credit_units - subscription.credit_units) == moved


@given(cases(same_step=True))
def test_a_value_is_the_rate_s_part_rounded_down(case: Case) -> None:
    subscription, terms, _, time = case
    start = terms.period.later(subscription.next_due, -1, subscription.anchor_day)
    whole = subscription.next_due - start
    assert start <= time < start + whole
    value = worth(subscription, terms, time)
    assert value * whole <= terms.price_units * case.left < (value + 1) * whole
    if time == start:
        assert value == terms.price_units


@given(cases(same_step=True))
def test_E31_there_and_back_within_a_second_is_nothing(case: Case) -> None:
    subscription, terms, new_terms, time = case
    there = quote(subscription, terms, new_terms, 0, time)
    after = changed(subscription, 2, 0, there)
    back = quote(after, new_terms, terms, 0, time)
    again = changed(after, 1, 0, back)
    paid = there.to_pay_units + back.to_pay_units
    assert paid == again.credit_units - subscription.credit_units
    assert again.next_due == subscription.next_due
    assert {there.charged_units, back.charged_units} >= {0}


@given(cases(same_step=False))
def test_E31_there_and_back_over_another_period_pays_a_new_one_less_what_was_left(case: Case) -> None:
    subscription, terms, new_terms, time = case
    there = quote(subscription, terms, new_terms, 0, time)
    after = changed(subscription, 2, 0, there)
    back = quote(after, new_terms, terms, 0, time)
    paid = there.to_pay_units + back.to_pay_units
    if not there.restarts:
        return
    assert back.restarts
    assert paid - (back.credit_units - subscription.credit_units) == terms.price_units - worth(
        subscription, terms, time
    )
    assert back.next_due == terms.period.later(time, 1, anchor_day_of(time))


@given(cases(), st.data())
def test_waiting_makes_nothing_worth_more(case: Case, data: st.DataObject) -> None:
    subscription, terms, new_terms, time = case
    later = data.draw(st.integers(time, subscription.next_due - 1))
    assert worth(subscription, terms, later) <= worth(subscription, terms, time)
    first, second = (quote(subscription, terms, new_terms, 0, moment) for moment in (time, later))
    if first.restarts:
        assert second.credit_units <= first.credit_units
        assert second.to_pay_units >= first.to_pay_units
    elif new_terms.price_units >= terms.price_units:  # of two parts rounded down the difference wavers by one
        assert second.charged_units <= first.charged_units + 1
        assert first.charged_units <= new_terms.price_units - terms.price_units + 1


@given(cases(same_step=True), st.data())
def test_E25_a_pause_makes_nothing_worth_more(case: Case, data: st.DataObject) -> None:
    subscription, terms, new_terms, time = case
    resumed_at = data.draw(st.integers(time, time + 400 * DAY))
    due = resumed_at + case.left
    resumed = subscription._replace(next_due=due, anchor_day=anchor_day_of(due), shifted=True)
    assert worth(resumed, terms, resumed_at) <= worth(subscription, terms, time) <= terms.price_units
    done = quote(resumed, terms, new_terms, 0, resumed_at)
    is_calendar = terms.period.unit in {Unit.MONTH, Unit.YEAR}
    assert done.restarts == is_calendar
    assert changed(resumed, 2, 0, done).shifted == (not is_calendar)


@given(cases())
def test_what_stays_and_what_begins_anew(case: Case) -> None:
    subscription, terms, new_terms, time = case
    done = quote(subscription, terms, new_terms, 0, time)
    after = changed(subscription, 2, 0, done)
    assert done.restarts == (terms.period.step != new_terms.period.step)
    if done.restarts:
        assert done.charged_units == new_terms.price_units
        assert (after.next_due, after.anchor_day) == (
            new_terms.period.later(time, 1, anchor_day_of(time)),
            anchor_day_of(time),
        )
    else:
        assert (after.next_due, after.anchor_day) == (subscription.next_due, subscription.anchor_day)
    assert after.charges == subscription.charges + (done.charged_units > 0)
    assert (after.plan_id, after.payer, after.status) == (2, PAYER, Status.ACTIVE)


@given(cases())
def test_in_a_trial_nothing_moves(case: Case) -> None:
    subscription = case.subscription._replace(charges=0)
    done = quote(subscription, case.terms, case.new_terms, 0, case.time)
    assert done[:5] == (0, 0, subscription.credit_units, subscription.next_due, subscription.anchor_day)


def test_seven_days_are_a_week_and_twelve_months_a_year() -> None:
    assert Period(7, Unit.DAY).step == Period(1, Unit.WEEK).step == Period(7 * DAY, Unit.SECOND).step
    assert Period(12, Unit.MONTH).step == Period(1, Unit.YEAR).step
    assert Period(30, Unit.DAY).step != Period(1, Unit.MONTH).step
    assert (Period(25, Unit.MONTH).longest, Period(2, Unit.WEEK).longest) == (2 * 366 * DAY + 31 * DAY, 14 * DAY)


@given(
    st.lists(st.builds(Segment, st.integers(0, MAX_CHARGES), rates, st.integers(0, MOST_UNITS) | st.just(NO_CHARGE)))
)
def test_the_commitment_is_as_the_contract_encodes_it(history: list[Segment]) -> None:
    expected = 0
    for segment in history:
        words = encode(["uint256"] * 4, [expected, *segment])
        expected = int.from_bytes(keccak(words), "big") % 2**128 | 1
    assert commitment(history) == expected


MONTHLY = PlanTerms(PAYEE, 10, TOKEN, 1, Unit.MONTH)
SEATED = replace(MONTHLY, seat_price_units=5)
ACTIVE = Subscription(1, PAYER, 1, 100 * DAY, 3, Status.ACTIVE, 11)
REFUSED: list[tuple[Subscription, Plan, Plan, int, str]] = [
    (ACTIVE._replace(status=Status.PAUSED), Plan(1, 0, MONTHLY), Plan(2, 0, MONTHLY), 0, "is paused"),
    (ACTIVE._replace(next_due=80 * DAY), Plan(1, 0, MONTHLY), Plan(2, 0, MONTHLY), 0, "a charge is due"),
    (ACTIVE, Plan(1, 0, MONTHLY), Plan(1, 0, MONTHLY), 0, "nothing changes"),
    (ACTIVE._replace(seats=2), Plan(1, 0, SEATED), Plan(1, 0, SEATED), 2, "nothing changes"),
    (ACTIVE, Plan(1, 0, MONTHLY), Plan(2, 1, MONTHLY), 0, "is of register 1"),
    (ACTIVE, Plan(1, 0, replace(MONTHLY, max_charges=9)), Plan(2, 0, MONTHLY), 0, "after a number of charges"),
    (ACTIVE, Plan(1, 0, MONTHLY), Plan(2, 0, replace(MONTHLY, max_charges=9)), 0, "after a number of charges"),
    (ACTIVE._replace(charges=MAX_CHARGES), Plan(1, 0, MONTHLY), Plan(2, 0, MONTHLY), 0, "after a number of charges"),
    (ACTIVE, Plan(1, 0, replace(MONTHLY, min_charges=4)), Plan(2, 0, MONTHLY), 0, "4 were agreed to"),
    (ACTIVE, Plan(1, 0, MONTHLY), Plan(2, 0, replace(MONTHLY, min_charges=1)), 0, "has a minimum of charges"),
    (ACTIVE, Plan(1, 0, MONTHLY), Plan(2, 0, MONTHLY, archived=True), 0, "is archived"),
    (ACTIVE, Plan(1, 0, MONTHLY), Plan(2, 0, replace(MONTHLY, fee_receiver=PAYER)), 0, "receives the fee"),
    (ACTIVE._replace(charges=0), Plan(1, 0, MONTHLY), Plan(2, 0, MONTHLY), 0, "the trial goes on"),
    (ACTIVE._replace(charges=0), Plan(1, 0, MONTHLY), Plan(2, 0, replace(MONTHLY, trial=9, family=1)), 0, "the trial"),
    (ACTIVE, Plan(1, 0, MONTHLY), Plan(2, 0, MONTHLY), 1, "has 0 to 0 seats, not 1"),
    (ACTIVE, Plan(1, 0, MONTHLY), Plan(2, 0, SEATED), 0, "seats, not 0"),
    (ACTIVE, Plan(1, 0, MONTHLY), Plan(2, 0, SEATED), 2**24, "has 1 to 16777215 seats"),
    (ACTIVE, Plan(1, 0, MONTHLY), Plan(2, 0, replace(SEATED, seat_price_units=2**95)), 2, "has 1 to 1 seats"),
    (
        ACTIVE._replace(credit_units=MOST_UNITS),
        Plan(1, 0, replace(MONTHLY, price_units=90)),
        Plan(2, 0, MONTHLY),
        0,
        "units of credit are left",
    ),
]
ALLOWED: list[tuple[Subscription, Plan, Plan, int]] = [
    (ACTIVE, Plan(1, 0, MONTHLY), Plan(2, 0, MONTHLY), 0),
    (ACTIVE._replace(seats=2), Plan(1, 0, SEATED), Plan(1, 0, SEATED), 3),
    (ACTIVE._replace(seats=2), Plan(1, 0, SEATED, archived=True), Plan(1, 0, SEATED, archived=True), 3),
    (
        ACTIVE._replace(seats=2),
        Plan(1, 0, replace(SEATED, min_charges=3)),
        Plan(1, 0, replace(SEATED, min_charges=3)),
        3,
    ),
    (ACTIVE._replace(charges=0), Plan(1, 0, MONTHLY), Plan(2, 0, replace(MONTHLY, trial=9)), 0),
]


@pytest.mark.parametrize(("subscription", "plan", "new_plan", "seats", "message"), REFUSED)
def test_what_the_contract_refuses(
    subscription: Subscription, plan: Plan, new_plan: Plan, seats: int, message: str
) -> None:
    assert message in (objection(subscription, plan, new_plan, seats, 90 * DAY) or "")


@pytest.mark.parametrize(("subscription", "plan", "new_plan", "seats"), ALLOWED)
def test_what_the_contract_allows(subscription: Subscription, plan: Plan, new_plan: Plan, seats: int) -> None:
    assert objection(subscription, plan, new_plan, seats, 90 * DAY) is None
