"""changePlan: what becomes of periods, of other lengths, in the trial, paused, changed back and forth."""

from __future__ import annotations

import pytest

from tallystick.core.period import Unit
from tallystick.core.subscription import DeclineReason
from tests.contracts.proration import cost_of_restart, cost_within
from tests.contracts.stage import (
    DAY,
    FIRST_DUE,
    FUNDS,
    PRICE,
    SUBSCRIBED,
    Account,
    Contract,
    Stage,
    reverts,
    utc,
)

HALF = utc(2027, 2, 14, 12)
"""Half of the first month, of 28 days, is left."""
DEARER = 19_990_000
PAID = DeclineReason.NONE


@pytest.fixture
def dearer(stage: Stage, monthly: int) -> int:
    """Another monthly plan of the merchant."""
    assert monthly == 1
    return stage.create_plan(price=DEARER)


@pytest.fixture
def yearly(stage: Stage) -> int:
    """Ten months' price for a year."""
    return stage.create_plan(price=10 * PRICE, unit=Unit.YEAR)


# --- Periods ---


def test_another_period_begins_now_and_the_rest_of_the_old_one_is_credited(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, subscribed: int, yearly: int
) -> None:
    receipt = stage.change_plan(payer, subscribed, yearly, at=HALF)
    credit, amount = PRICE // 2, 10 * PRICE - PRICE // 2
    next_due = utc(2028, 2, 14, 12)
    assert stage.events(receipt) == [
        ("CreditUsed", {"subscriptionId": subscribed, "chargeNumber": 2, "amount": credit}),
        (
            "Charged",
            {
                "subscriptionId": subscribed,
                "chargeNumber": 2,
                "periodStart": HALF,
                "periodEnd": next_due,
                "amount": amount,
            },
        ),
        ("PlanChanged", {"subscriptionId": subscribed, "planId": yearly, "seats": 0, "credit": 0}),
    ]
    found = subscriptions.subscription(subscribed)
    assert (found.nextDue, found.anchorDay, found.charges) == (next_due, 14, 2)
    assert token.balanceOf(stage.merchant) == PRICE + amount
    assert stage.charge(subscribed, at=next_due) == [PAID]
    assert stage.next_due(subscribed) == utc(2029, 2, 14, 12)


def test_from_a_year_to_months_the_credit_pays_for_many(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, yearly: int, monthly: int
) -> None:
    subscription_id = stage.subscribe(payer, yearly, at=SUBSCRIBED)
    at = SUBSCRIBED + 65 * DAY
    cost = cost_of_restart(10 * PRICE, PRICE, 0, 300 * DAY, 365 * DAY)
    receipt = stage.change_plan(payer, subscription_id, monthly, max_to_pay=0, at=at)
    assert (stage.charged_of(receipt)["amount"], cost.to_pay) == (0, 0)
    found = subscriptions.subscription(subscription_id)
    assert (found.credit, found.nextDue, found.anchorDay) == (cost.credit, utc(2027, 5, 6, 12), 6)
    assert stage.totals() == (2, 10 * PRICE, 0, 0)
    charges = 0
    while subscriptions.subscription(subscription_id).credit:
        assert stage.charge(subscription_id, at=stage.next_due(subscription_id)) == [PAID]
        charges += 1
    assert charges == 8  # 300 days of 10 prices in 365 days: 8.2 prices, of which the change took one
    assert token.balanceOf(stage.merchant) == 10 * PRICE + (charges * PRICE - cost.credit)


@pytest.mark.parametrize(
    ("old", "new"),
    [((12, Unit.MONTH), (1, Unit.YEAR)), ((7, Unit.DAY), (1, Unit.WEEK)), ((86_400, Unit.SECOND), (1, Unit.DAY))],
)
def test_a_period_of_the_same_length_by_another_name_goes_on(
    stage: Stage, payer: Account, old: tuple[int, Unit], new: tuple[int, Unit]
) -> None:
    plans = [stage.create_plan(every=every, unit=unit) for every, unit in (old, new)]
    subscription_id = stage.subscribe(payer, plans[0], at=SUBSCRIBED)
    due = stage.next_due(subscription_id)
    receipt = stage.change_plan(payer, subscription_id, plans[1], max_to_pay=0)
    assert [name for name, _ in stage.events(receipt)] == ["PlanChanged"]
    assert stage.next_due(subscription_id) == due


@pytest.mark.parametrize(("every", "unit"), [(2, Unit.MONTH), (28, Unit.DAY), (4, Unit.WEEK), (1, Unit.SECOND)])
def test_a_period_that_happens_to_be_as_long_is_another_one(
    stage: Stage, payer: Account, subscribed: int, every: int, unit: Unit
) -> None:
    plan_id = stage.create_plan(every=every, unit=unit)
    receipt = stage.change_plan(payer, subscribed, plan_id, at=HALF)
    assert stage.charged_of(receipt)["periodStart"] == HALF
    assert stage.charged_of(receipt)["amount"] == PRICE - PRICE // 2


@pytest.mark.parametrize("left_s", [-1, 5 * DAY + 7, 1])  # -1: all but a second
@pytest.mark.parametrize(
    ("start", "unit", "every", "charges", "whole_days"),
    [
        (utc(2027, 1, 31, 12), Unit.MONTH, 1, 0, 28),
        (utc(2028, 1, 31, 12), Unit.MONTH, 1, 0, 29),
        (utc(2027, 1, 31, 12), Unit.MONTH, 1, 1, 31),  # 28 February to 31 March
        (utc(2028, 1, 31, 12), Unit.MONTH, 1, 1, 31),
        (utc(2027, 1, 31, 12), Unit.MONTH, 1, 2, 30),
        (utc(2028, 1, 30), Unit.MONTH, 1, 1, 30),  # 29 February to 30 March
        (utc(2027, 12, 31), Unit.MONTH, 2, 0, 60),  # to 29 February
        (utc(2027, 12, 31), Unit.MONTH, 1, 0, 31),
        (utc(2028, 2, 29), Unit.YEAR, 1, 0, 365),  # to 28 February
        (utc(2028, 2, 28), Unit.YEAR, 1, 0, 366),
        (utc(2028, 2, 29), Unit.YEAR, 1, 3, 366),  # 28 February 2031 to 29 February 2032
        (utc(2027, 6, 1), Unit.WEEK, 3, 1, 21),
    ],
)
def test_E24_a_period_is_as_long_as_the_calendar_has_it(
    stage: Stage,
    subscriptions: Contract,
    token: Contract,
    payer: Account,
    start: int,
    unit: Unit,
    every: int,
    charges: int,
    whole_days: int,
    left_s: int,
) -> None:
    token.mint(payer, 10**6 * FUNDS, sender=payer)
    rates = [10**6 * PRICE, 10**6 * DEARER]
    cheap, dear = (stage.create_plan(price=price, unit=unit, every=every) for price in rates)
    subscription_id = stage.subscribe(payer, cheap, at=start)
    for _ in range(charges):
        assert stage.charge(subscription_id, at=stage.next_due(subscription_id)) == [PAID]
    due = stage.next_due(subscription_id)
    left_s = left_s if left_s > 0 else whole_days * DAY + left_s
    up = cost_within(rates[0], rates[1], 0, left_s, whole_days * DAY)
    receipt = stage.change_plan(payer, subscription_id, dear, at=due - left_s)
    assert stage.charged_of(receipt)["amount"] == up.to_pay > 0
    assert stage.next_due(subscription_id) == due
    stage.change_plan(payer, subscription_id, cheap, at=due - left_s)
    assert subscriptions.subscription(subscription_id).credit == up.to_pay


# --- In the trial ---


@pytest.mark.parametrize(("every", "unit"), [(1, Unit.MONTH), (1, Unit.YEAR), (1, Unit.DAY)])
def test_in_the_trial_nothing_moves_and_it_ends_as_it_would_have(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, every: int, unit: Unit
) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(trial=14 * DAY), at=SUBSCRIBED)
    other = stage.create_plan(price=DEARER, every=every, unit=unit, seat_price=5, trial=DAY)
    receipt = stage.change_plan(payer, subscription_id, other, seats=2, max_to_pay=0, at=SUBSCRIBED + DAY)
    changed = {"subscriptionId": subscription_id, "planId": other, "seats": 2, "credit": 0}
    assert stage.events(receipt) == [("PlanChanged", changed)]
    assert token.balanceOf(payer) == FUNDS
    found = subscriptions.subscription(subscription_id)
    assert (found.nextDue, found.charges, found.anchorDay, found.history) == (HALF, 0, 14, 0)
    stage.at(HALF)
    charged = stage.charged_of(subscriptions.charge([subscription_id], sender=stage.anyone))
    assert (charged["chargeNumber"], charged["periodStart"], charged["amount"]) == (1, HALF, DEARER + 10)


@pytest.mark.parametrize(("trial", "family"), [(0, 0), (0, 1), (14 * DAY, 1)])
def test_E27_a_trial_stays_within_its_family(stage: Stage, payer: Account, trial: int, family: int) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(trial=14 * DAY), at=SUBSCRIBED)
    other = stage.create_plan(trial=trial, family=family)
    with stage.nothing_changes(), reverts("TrialRunning", subscriptionId=subscription_id):
        stage.change_plan(payer, subscription_id, other)
    assert stage.charge(subscription_id, at=HALF) == [PAID]
    stage.change_plan(payer, subscription_id, other)


def test_E27_a_change_brings_no_second_trial(stage: Stage, payer: Account, subscribed: int) -> None:
    plan_id = stage.create_plan(trial=14 * DAY, price=DEARER)
    receipt = stage.change_plan(payer, subscribed, plan_id, at=HALF)
    assert stage.charged_of(receipt)["amount"] == (DEARER - PRICE) // 2
    assert stage.next_due(subscribed) == FIRST_DUE


# --- Paused and resumed ---


def test_E25_a_calendar_period_that_was_paused_ends_and_counts_as_the_longest_of_its_kind(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int, dearer: int
) -> None:
    stage.at(HALF)
    subscriptions.pause(subscribed, sender=payer)
    stage.at(HALF + 60 * DAY)
    subscriptions.resume(subscribed, sender=payer)
    at = HALF + 61 * DAY
    assert stage.next_due(subscribed) == at + 13 * DAY
    cost = cost_of_restart(PRICE, DEARER, 0, 13 * DAY, 31 * DAY)
    charged = stage.charged_of(stage.change_plan(payer, subscribed, dearer, at=at))
    assert (charged["periodStart"], charged["periodEnd"], charged["amount"]) == (at, utc(2027, 5, 16, 12), cost.to_pay)
    # The new period lies on the calendar again.
    up = cost_within(DEARER, 2 * DEARER, 0, 29 * DAY, 30 * DAY)
    charged = stage.charged_of(stage.change_plan(payer, subscribed, stage.create_plan(price=2 * DEARER), at=at + DAY))
    assert (stage.next_due(subscribed), charged["amount"]) == (utc(2027, 5, 16, 12), up.to_pay)


@pytest.mark.parametrize(("unit", "whole_days"), [(Unit.MONTH, 31), (Unit.YEAR, 366)])
def test_E25_E31_a_pause_makes_nothing_worth_more_than_was_paid_for_it(
    stage: Stage, subscriptions: Contract, payer: Account, unit: Unit, whole_days: int
) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(unit=unit, price=DEARER), at=SUBSCRIBED)
    cheap = stage.create_plan(unit=unit, price=1)
    stage.at(SUBSCRIBED + 1)
    subscriptions.pause(subscription_id, sender=payer)
    stage.at(SUBSCRIBED + 2)
    subscriptions.resume(subscription_id, sender=payer)
    left_s = stage.next_due(subscription_id) - SUBSCRIBED - 3
    cost = cost_of_restart(DEARER, 1, 0, left_s, whole_days * DAY)
    stage.change_plan(payer, subscription_id, cheap, at=SUBSCRIBED + 3)
    assert subscriptions.subscription(subscription_id).credit == cost.credit < DEARER - 1


def test_E25_a_period_of_days_that_was_paused_is_as_long_as_it_was(
    stage: Stage, subscriptions: Contract, payer: Account
) -> None:
    cheap, dear = (stage.create_plan(price=price, every=30, unit=Unit.DAY) for price in (PRICE, DEARER))
    subscription_id = stage.subscribe(payer, cheap, at=SUBSCRIBED)
    stage.at(SUBSCRIBED + 10 * DAY)
    subscriptions.pause(subscription_id, sender=payer)
    stage.at(SUBSCRIBED + 50 * DAY)
    subscriptions.resume(subscription_id, sender=payer)
    cost = cost_within(PRICE, DEARER, 0, 15 * DAY, 30 * DAY)
    charged = stage.charged_of(stage.change_plan(payer, subscription_id, dear, at=SUBSCRIBED + 55 * DAY))
    assert (stage.next_due(subscription_id), charged["amount"]) == (SUBSCRIBED + 70 * DAY, cost.to_pay)


def test_E25_the_next_period_after_a_pause_lies_on_the_calendar(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int, dearer: int
) -> None:
    stage.at(HALF)
    subscriptions.pause(subscribed, sender=payer)
    stage.at(HALF + DAY)
    subscriptions.resume(subscribed, sender=payer)
    due = stage.next_due(subscribed)
    assert due == utc(2027, 3, 1, 12)
    assert stage.charge(subscribed, at=due) == [PAID]
    cost = cost_within(PRICE, DEARER, 0, 20 * DAY, 31 * DAY)
    charged = stage.charged_of(stage.change_plan(payer, subscribed, dearer, at=due + 11 * DAY))
    assert (stage.next_due(subscribed), charged["amount"]) == (utc(2027, 4, 1, 12), cost.to_pay)


# --- Back and forth ---


@pytest.mark.parametrize("at", [SUBSCRIBED, SUBSCRIBED + 1, HALF + 12_345, FIRST_DUE - 1])
def test_E31_up_and_down_in_one_second_gains_nobody_a_unit(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, monthly: int, at: int
) -> None:
    plans = [stage.create_plan(price=price) for price in (1, 7_777_777, DEARER, 99_999_999)]
    subscribed = stage.subscribe(payer, monthly, at=SUBSCRIBED)
    for up_first in (True, False):
        for plan_id in plans if up_first else reversed(plans):
            stage.change_plan(payer, subscribed, plan_id, at=at)
            stage.change_plan(payer, subscribed, monthly, at=at)
    assert stage.now == at
    found = subscriptions.subscription(subscribed)
    paid = FUNDS - token.balanceOf(payer)
    assert paid - found.credit == PRICE  # what was paid beyond the first period stands to the payer's credit
    assert (found.planId, found.nextDue) == (monthly, FIRST_DUE)
    assert stage.totals()[1] == paid == token.balanceOf(stage.merchant)


def test_E31_to_another_period_and_back_in_one_second_costs_just_the_new_period(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, subscribed: int, monthly: int, yearly: int
) -> None:
    at = HALF + 4_321
    rest = cost_of_restart(PRICE, 10 * PRICE, 0, 14 * DAY - 4_321, 28 * DAY).credit_used
    for _ in range(5):
        stage.change_plan(payer, subscribed, yearly, at=at)
        stage.change_plan(payer, subscribed, monthly, at=at)
        found = subscriptions.subscription(subscribed)
        paid = FUNDS - token.balanceOf(payer)
        assert paid - found.credit == 2 * PRICE - rest
        assert (found.nextDue, found.anchorDay) == (utc(2027, 3, 14, 12) + 4_321, 14)


def test_E31_a_change_for_every_day_never_comes_out_below_what_the_days_cost(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, subscribed: int, monthly: int, dearer: int
) -> None:
    """Half of the days on each plan: the payer pays half of each price, within a unit for each rounding."""
    for day in range(1, 28):
        stage.change_plan(payer, subscribed, dearer if day % 2 else monthly, at=SUBSCRIBED + day * DAY)
    paid = FUNDS - token.balanceOf(payer) - subscriptions.subscription(subscribed).credit
    assert abs(paid - (PRICE + DEARER) // 2) <= 27
