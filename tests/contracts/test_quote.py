"""quote: what changePlan will do, in the very second in which it is asked; and both against fractions."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick.core.period import Unit
from tallystick.core.subscription import DeclineReason, Status
from tests.contracts.proration import Cost, cost_of_restart, cost_within
from tests.contracts.stage import DAY, FIRST_DUE, PRICE, SUBSCRIBED, Account, Contract, Stage, reverts, utc

HALF = utc(2027, 2, 14, 12)
MONTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]


def quoted(stage: Stage, subscription_id: int, plan_id: int, seats: int, at: int) -> tuple[int, int, int]:
    """What to pay, the credit left and the next due time, as the contract says it at this time."""
    stage.at(at)
    stage.rpc("evm_mine")
    found = stage.subscriptions.quote(subscription_id, plan_id, seats)
    return found.toPay, found.credit, found.nextDue


def done(stage: Stage, payer: Account, subscription_id: int, plan_id: int, seats: int, at: int) -> tuple[int, int, int]:
    """The same as it happens in the same second: what the payer paid, the credit, the next due time."""
    before = stage.token.balanceOf(payer)
    receipt = stage.change_plan(payer, subscription_id, plan_id, seats=seats, at=at)
    assert stage.now == at
    paid = before - stage.token.balanceOf(payer)
    charged = [values["amount"] for name, values in stage.events(receipt) if name in {"Charged", "Upgraded"}]
    assert sum(charged) == paid
    found = stage.subscriptions.subscription(subscription_id)
    name, changed = stage.events(receipt)[-1]
    assert (0 if name == "Upgraded" else changed["credit"]) == found.credit
    return paid, found.credit, found.nextDue


class Offer(NamedTuple):
    """Terms of a plan, as far as they matter here."""

    price: int
    seat_price: int
    every: int
    unit: Unit


OFFERS = [
    Offer(PRICE, 0, 1, Unit.MONTH),
    Offer(1, 999_983, 1, Unit.MONTH),
    Offer(97, 0, 12, Unit.MONTH),
    Offer(11 * PRICE + 7, 0, 1, Unit.YEAR),
    Offer(3_333_333, 0, 30, Unit.DAY),
    Offer(0, 1_000_003, 30, Unit.DAY),
]


@pytest.fixture
def offered(stage: Stage) -> list[int]:
    """A plan for each offer."""
    return [
        stage.create_plan(price=offer.price, seat_price=offer.seat_price, every=offer.every, unit=offer.unit)
        for offer in OFFERS
    ]


@pytest.mark.parametrize("to_offer", range(len(OFFERS)))
@pytest.mark.parametrize("from_offer", range(len(OFFERS)))
def test_is_what_happens_from_every_plan_to_every_other(
    stage: Stage, payer: Account, offered: list[int], from_offer: int, to_offer: int
) -> None:
    seats = [3 if offer.seat_price else 0 for offer in OFFERS]
    subscription_id = stage.subscribe(payer, offered[from_offer], seats=seats[from_offer], at=SUBSCRIBED)
    change = subscription_id, offered[to_offer], seats[to_offer] * 2, HALF
    if offered[from_offer] == offered[to_offer] and not seats[to_offer]:
        stage.at(HALF)
        with reverts("NothingToChange", subscriptionId=subscription_id):
            stage.subscriptions.quote.transact(*change[:3], sender=stage.anyone)
        return
    expected = quoted(stage, *change)
    assert done(stage, payer, *change) == expected


class Step(NamedTuple):
    """Time passes, then the payer changes to an offer."""

    part: float
    """Of what is left of the period."""
    offer: int
    seats: int
    pause_s: int
    charge_first: bool


STEPS = st.builds(
    Step,
    part=st.floats(0, 1, exclude_max=True),
    offer=st.integers(0, len(OFFERS) - 1),
    seats=st.integers(1, 12),
    pause_s=st.sampled_from([0, 0, 0, 1, 20 * DAY]),
    charge_first=st.booleans(),
)


class Book:
    """What the documentation says of one subscription, followed in fractions: its rate, credit, and period."""

    def __init__(self, offer: Offer, seats: int, start: int):
        self.offer, self.rate, self.credit = offer, offer.price + offer.seat_price * seats, 0
        self.paid = self.rate
        self.shifted = False
        self.anchor_day = day_of(start)
        self.start, self.due = start, later(offer, start, self.anchor_day)

    def charge(self) -> None:
        used = min(self.credit, self.rate)
        self.credit -= used
        self.paid += self.rate - used
        self.shifted = False
        self.start, self.due = self.due, later(self.offer, self.due, self.anchor_day)

    def pause(self, paused_s: int) -> None:
        self.shifted = True
        self.due += paused_s
        self.anchor_day = day_of(self.due)

    def change(self, offer: Offer, seats: int, at: int) -> Cost:
        rate = offer.price + offer.seat_price * seats
        calendar = self.offer.unit in (Unit.MONTH, Unit.YEAR)
        months = {Unit.MONTH: 1, Unit.YEAR: 12}
        same = (offer.unit, offer.every) == (self.offer.unit, self.offer.every) or (
            calendar
            and offer.unit in months
            and offer.every * months[offer.unit] == self.offer.every * months[self.offer.unit]
        )
        whole_s = longest_s(self.offer) if self.shifted else self.due - self.start
        left_s = self.due - at
        if same and not (self.shifted and calendar):
            cost = cost_within(self.rate, rate, self.credit, left_s, whole_s)
        else:
            cost = cost_of_restart(self.rate, rate, self.credit, left_s, whole_s)
            self.shifted = False
            self.anchor_day = day_of(at)
            self.start, self.due = at, later(offer, at, self.anchor_day)
        self.offer, self.rate, self.credit = offer, rate, cost.credit
        self.paid += cost.to_pay
        return cost


def day_of(time: int) -> int:
    """The day of the month, by counting."""
    return date_of(time)[2]


def date_of(time: int) -> tuple[int, int, int]:
    """Year, month from 0, and day, by counting from 2027."""
    days, year, month = (time - utc(2027, 1, 1)) // DAY, 2027, 0
    while days >= days_in(year, month):
        days -= days_in(year, month)
        year, month = (year, month + 1) if month < 11 else (year + 1, 0)
    return year, month, days + 1


def days_in(year: int, month: int) -> int:
    """Of a month from 0."""
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 29 if month == 1 and is_leap else MONTHS[month]


def later(offer: Offer, time: int, anchor_day: int) -> int:
    """One period after a time, month by month."""
    if offer.unit == Unit.DAY:
        return time + offer.every * DAY
    year, month, _ = date_of(time)
    months = offer.every * (12 if offer.unit == Unit.YEAR else 1) + month
    year, month = year + months // 12, months % 12
    return utc(year, month + 1, min(anchor_day, days_in(year, month))) + time % DAY


def longest_s(offer: Offer) -> int:
    """The longest that a period of its kind can be."""
    return offer.every * {Unit.DAY: 1, Unit.MONTH: 31, Unit.YEAR: 366}[offer.unit] * DAY - (
        6 * DAY if (offer.every, offer.unit) == (12, Unit.MONTH) else 0  # twelve months are a year
    )


@pytest.mark.fuzz
@settings(max_examples=settings().max_examples // 10)  # each one is many transactions
@given(first=st.integers(0, len(OFFERS) - 1), seats=st.integers(1, 12), steps=st.lists(STEPS, min_size=1, max_size=5))
def test_E31_any_history_of_changes_costs_what_fractions_say(
    stage: Stage, subscriptions: Contract, payers: list[Account], first: int, seats: int, steps: list[Step]
) -> None:
    payer, snapshot = payers[0], stage.rpc("evm_snapshot")  # each life begins on the same day
    offered = [
        stage.create_plan(price=offer.price, seat_price=offer.seat_price, every=offer.every, unit=offer.unit)
        for offer in OFFERS
    ]
    stage.token.mint(payer, 10**6 * PRICE, sender=payer)
    before = stage.token.balanceOf(payer)
    seats = seats if OFFERS[first].seat_price else 0
    subscription_id = stage.subscribe(payer, offered[first], seats=seats, at=stage.now + 1)
    book = Book(OFFERS[first], seats, stage.now)
    for step in steps:
        if step.charge_first:
            assert stage.charge(subscription_id, at=book.due) == [DeclineReason.NONE]
            book.charge()
        if step.pause_s and book.due - stage.now > 2:
            at = stage.now + 1
            stage.at(at)
            subscriptions.pause(subscription_id, sender=payer)
            stage.at(at + step.pause_s)
            subscriptions.resume(subscription_id, sender=payer)
            book.pause(step.pause_s)
        at = stage.now + int((book.due - stage.now) * step.part)
        at = min(max(at, stage.now), book.due - 1)
        if at < stage.now:
            continue  # nothing is left of the period
        offer = OFFERS[step.offer]
        seats = step.seats if offer.seat_price else 0
        now = subscriptions.subscription(subscription_id)
        if (now.planId, now.seats) == (offered[step.offer], seats):
            continue  # nothing to change
        told = quoted(stage, subscription_id, offered[step.offer], seats, at)
        cost = book.change(offer, seats, at)
        assert told == (cost.to_pay, cost.credit, book.due)
        assert done(stage, payer, subscription_id, offered[step.offer], seats, at) == told
    assert before - stage.token.balanceOf(payer) == book.paid
    assert stage.status(subscription_id) == Status.ACTIVE
    stage.rpc("evm_revert", snapshot)


# --- As it refuses ---


def test_refuses_as_the_change_would(
    stage: Stage, subscriptions: Contract, usdc: Contract, payer: Account, subscribed: int, monthly: int
) -> None:
    archived, fixed = stage.create_plan(), stage.create_plan(max_charges=3)
    with_seats, foreign = stage.create_plan(seat_price=1), stage.create_plan(token=usdc)
    subscriptions.archivePlan(archived, sender=stage.merchant)
    refusals = [
        ((subscribed, 99, 0), "UnknownPlan", {"planId": 99}),
        ((subscribed, 2**32, 0), "UnknownPlan", {"planId": 2**32}),
        ((99, monthly, 0), "UnknownSubscription", {"subscriptionId": 99}),
        ((subscribed, archived, 0), "PlanIsArchived", {"planId": archived}),
        ((subscribed, fixed, 0), "FixedTerm", {"planId": fixed, "charges": 3}),
        ((subscribed, with_seats, 0), "SeatsOutOfRange", {"found": 0, "allowed": 2**24 - 1}),
        ((subscribed, monthly, 1), "SeatsOutOfRange", {"found": 1, "allowed": 0}),
        ((subscribed, foreign, 0), "AnotherRegister", {"found": 1, "expected": 0}),
        ((subscribed, monthly, 0), "NothingToChange", {"subscriptionId": subscribed}),
    ]
    for arguments, error, values in refusals:
        with reverts(error, **values):
            subscriptions.quote.transact(*arguments, sender=stage.anyone)  # Ape decodes errors of transactions alone
    stage.at(FIRST_DUE)
    with reverts("ChargeDue", subscriptionId=subscribed, due=FIRST_DUE):
        subscriptions.quote.transact(subscribed, with_seats, 1, sender=stage.anyone)
    subscriptions.cancel(subscribed, sender=payer)
    with reverts("NotActive", subscriptionId=subscribed, status=Status.CANCELLED):
        subscriptions.quote.transact(subscribed, with_seats, 1, sender=stage.anyone)


def test_refuses_within_the_minimum_term(stage: Stage, subscriptions: Contract, payer: Account, monthly: int) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(min_charges=2))
    with reverts("MinimumTerm", charges=1, agreed=2):
        subscriptions.quote.transact(subscription_id, monthly, 0, sender=stage.anyone)


def test_changes_nothing_and_asks_no_money(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, subscribed: int
) -> None:
    dearer = stage.create_plan(price=3 * PRICE)
    token.approve(subscriptions, 0, sender=payer)
    with stage.nothing_changes():
        subscriptions.quote.transact(subscribed, dearer, 0, sender=stage.anyone)
    assert quoted(stage, subscribed, dearer, 0, HALF) == (PRICE, 0, FIRST_DUE)
    with stage.nothing_changes(), reverts("AllowanceTooLow", found=0, needed=PRICE):
        stage.change_plan(payer, subscribed, dearer, at=HALF)
