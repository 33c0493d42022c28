"""changePlan: the payer changes plan or seats within a paid period, and pays or is credited just the difference."""

from __future__ import annotations

from typing import Any

import pytest

from tallystick.core.period import Unit
from tallystick.core.subscription import DeclineReason, Status
from tests.contracts.proration import cost_of_restart, cost_within
from tests.contracts.stage import (
    DAY,
    FIRST_DUE,
    FUNDS,
    PRICE,
    SUBSCRIBED,
    UNLIMITED,
    Account,
    Contract,
    Receipt,
    Stage,
    reverts,
    utc,
)

HALF = utc(2027, 2, 14, 12)
"""Half of the first month, of 28 days, is left."""
DEARER = 19_990_000
DIFFERENCE = 5_000_000
"""Of half a month: half of DEARER minus half of PRICE."""
SECOND_DUE = utc(2027, 3, 31, 12)
PAID = DeclineReason.NONE
MOST = 2**96 - 1


@pytest.fixture
def dearer(stage: Stage, monthly: int) -> int:
    """Another monthly plan of the merchant."""
    assert monthly == 1
    return stage.create_plan(price=DEARER)


@pytest.fixture
def on_dearer(stage: Stage, payer: Account, dearer: int) -> int:
    """The first payer's subscription to it, opened at SUBSCRIBED."""
    return stage.subscribe(payer, dearer, at=SUBSCRIBED)


@pytest.fixture
def yearly(stage: Stage) -> int:
    """Ten months' price for a year."""
    return stage.create_plan(price=10 * PRICE, unit=Unit.YEAR)


def charged_of(stage: Stage, receipt: Receipt) -> dict[str, Any]:
    """The values of the one charge in a transaction."""
    ((_, values),) = [event for event in stage.events(receipt) if event[0] == "Charged"]
    return values


# --- Up, down ---


def test_up_pays_the_difference_for_the_rest_of_the_period(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, subscribed: int, dearer: int
) -> None:
    receipt = stage.change_plan(payer, subscribed, dearer, at=HALF)
    assert stage.events(receipt) == [
        (
            "Charged",
            {
                "subscriptionId": subscribed,
                "chargeNumber": 2,
                "periodStart": HALF,
                "periodEnd": FIRST_DUE,
                "amount": DIFFERENCE,
            },
        ),
        ("PlanChanged", {"subscriptionId": subscribed, "planId": dearer, "seats": 0, "credit": 0}),
    ]
    assert (token.balanceOf(payer), token.balanceOf(stage.merchant)) == (
        FUNDS - PRICE - DIFFERENCE,
        PRICE + DIFFERENCE,
    )
    found = subscriptions.subscription(subscribed)
    assert (found.payer, found.planId, found.status) == (payer, dearer, Status.ACTIVE)
    assert (found.nextDue, found.charges, found.anchorDay, found.seats, found.credit) == (FIRST_DUE, 2, 31, 0, 0)
    assert stage.totals() == (2, PRICE + DIFFERENCE, 0, 0)
    stage.at(FIRST_DUE)
    charged = charged_of(stage, subscriptions.charge([subscribed], sender=stage.anyone))
    assert (charged["chargeNumber"], charged["amount"], charged["periodEnd"]) == (3, DEARER, SECOND_DUE)


def test_down_is_credited_the_difference_and_the_next_charge_takes_less(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, on_dearer: int, monthly: int
) -> None:
    before = token.balanceOf(payer)
    receipt = stage.change_plan(payer, on_dearer, monthly, max_to_pay=0, at=HALF)
    changed = {"subscriptionId": on_dearer, "planId": monthly, "seats": 0, "credit": DIFFERENCE}
    assert stage.events(receipt) == [("PlanChanged", changed)]
    assert (token.balanceOf(payer), stage.totals()) == (before, (1, DEARER, 0, 0))
    found = subscriptions.subscription(on_dearer)
    assert (found.planId, found.nextDue, found.charges, found.credit) == (monthly, FIRST_DUE, 1, DIFFERENCE)
    stage.at(FIRST_DUE)
    receipt = subscriptions.charge([on_dearer], sender=stage.anyone)
    amount = PRICE - DIFFERENCE
    assert stage.events(receipt) == [
        ("CreditUsed", {"subscriptionId": on_dearer, "chargeNumber": 2, "amount": DIFFERENCE}),
        (
            "Charged",
            {
                "subscriptionId": on_dearer,
                "chargeNumber": 2,
                "periodStart": FIRST_DUE,
                "periodEnd": SECOND_DUE,
                "amount": amount,
            },
        ),
    ]
    assert token.balanceOf(payer) == before - amount
    assert stage.totals() == (2, DEARER + amount, 0, 0)
    assert subscriptions.subscription(on_dearer).credit == 0
    stage.at(SECOND_DUE)
    assert charged_of(stage, subscriptions.charge([on_dearer], sender=stage.anyone))["amount"] == PRICE


def test_credit_beyond_a_charge_is_carried_and_an_amount_of_nothing_is_not_moved(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, on_dearer: int
) -> None:
    small = stage.create_plan(price=3_000_000)
    stage.change_plan(payer, on_dearer, small, at=HALF)
    credit = (DEARER - 3_000_000) // 2
    token.approve(subscriptions, 0, sender=payer)  # credit pays
    for number, due in ((2, FIRST_DUE), (3, SECOND_DUE)):
        stage.at(due)
        receipt = subscriptions.charge([on_dearer], sender=stage.anyone)
        assert stage.events(receipt)[0][1]["amount"] == 3_000_000
        charged = charged_of(stage, receipt)
        assert (charged["chargeNumber"], charged["amount"]) == (number, 0)
        credit -= 3_000_000
        assert subscriptions.subscription(on_dearer).credit == credit
    assert 0 < credit < 3_000_000
    assert stage.totals() == (3, DEARER, 0, 0)
    due = stage.next_due(on_dearer)
    with stage.nothing_changes():
        assert stage.charge(on_dearer, at=due) == [DeclineReason.ALLOWANCE]
    assert subscriptions.subscription(on_dearer).credit == credit
    token.approve(subscriptions, 3_000_000 - credit, sender=payer)
    assert stage.charge(on_dearer) == [PAID]
    assert stage.totals() == (4, DEARER + 3_000_000 - credit, 0, 0)


@pytest.mark.parametrize("days_later", [1, 7])
def test_credit_pays_for_the_next_change_first(
    stage: Stage, payer: Account, on_dearer: int, monthly: int, days_later: int
) -> None:
    stage.change_plan(payer, on_dearer, monthly, at=HALF)
    dearest = stage.create_plan(price=10 * DEARER)
    at = FIRST_DUE - days_later * DAY
    cost = cost_within(PRICE, 10 * DEARER, DIFFERENCE, days_later * DAY, 28 * DAY)
    receipt = stage.change_plan(payer, on_dearer, dearest, at=at)
    used, (_, charged), (_, changed) = stage.events(receipt)
    assert used == (
        "CreditUsed",
        {"subscriptionId": on_dearer, "chargeNumber": 2, "amount": cost.credit_used},
    )
    assert (charged["chargeNumber"], charged["amount"]) == (2, cost.to_pay)
    assert changed["credit"] == cost.credit
    assert (cost.to_pay == 0) == (cost.credit_used < DIFFERENCE)  # one case where it suffices would be no test
    assert stage.totals() == (2, DEARER + cost.to_pay, 0, 0)


def test_refuses_what_would_change_nothing(stage: Stage, payer: Account, subscribed: int, monthly: int) -> None:
    with stage.nothing_changes(), reverts("NothingToChange", subscriptionId=subscribed):
        stage.change_plan(payer, subscribed, monthly)
    with_seats = stage.create_plan(seat_price=5)
    on_seats = stage.subscribe(payer, with_seats, seats=3)
    with stage.nothing_changes(), reverts("NothingToChange", subscriptionId=on_seats):
        stage.change_plan(payer, on_seats, with_seats, seats=3)


def test_seats_up_and_down(stage: Stage, subscriptions: Contract, payer: Account) -> None:
    plan_id = stage.create_plan(seat_price=1_000_001)
    subscription_id = stage.subscribe(payer, plan_id, seats=3, at=SUBSCRIBED)
    rates = {seats: PRICE + seats * 1_000_001 for seats in (2, 3, 9)}
    up = cost_within(rates[3], rates[9], 0, 14 * DAY, 28 * DAY)
    receipt = stage.change_plan(payer, subscription_id, plan_id, seats=9, at=HALF)
    assert charged_of(stage, receipt)["amount"] == up.to_pay > 0
    assert stage.events(receipt)[-1][1]["seats"] == subscriptions.subscription(subscription_id).seats == 9
    down = cost_within(rates[9], rates[2], 0, 7 * DAY, 28 * DAY)
    stage.change_plan(payer, subscription_id, plan_id, seats=2, at=HALF + 7 * DAY)
    found = subscriptions.subscription(subscription_id)
    assert (found.seats, found.credit, found.charges) == (2, down.credit, 2)
    stage.at(FIRST_DUE)
    receipt = subscriptions.charge([subscription_id], sender=stage.anyone)
    assert charged_of(stage, receipt)["amount"] == rates[2] - down.credit


def test_from_a_plan_with_seats_to_one_without(
    stage: Stage, subscriptions: Contract, payer: Account, monthly: int
) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(seat_price=5), seats=3, at=SUBSCRIBED)
    with stage.nothing_changes(), reverts("SeatsOutOfRange", found=3, allowed=0):
        stage.change_plan(payer, subscription_id, monthly, seats=3)
    stage.change_plan(payer, subscription_id, monthly)
    assert subscriptions.subscription(subscription_id).seats == 0


@pytest.mark.parametrize("seats", [0, 2**24, UNLIMITED])
def test_refuses_seats_that_the_plan_does_not_sell(stage: Stage, payer: Account, subscribed: int, seats: int) -> None:
    plan_id = stage.create_plan(seat_price=1)
    with stage.nothing_changes(), reverts("SeatsOutOfRange", found=seats, allowed=2**24 - 1):
        stage.change_plan(payer, subscribed, plan_id, seats=seats)


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
    assert (charged_of(stage, receipt)["amount"], cost.to_pay) == (0, 0)
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
    assert charged_of(stage, receipt)["periodStart"] == HALF
    assert charged_of(stage, receipt)["amount"] == PRICE - PRICE // 2


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
    assert charged_of(stage, receipt)["amount"] == up.to_pay > 0
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
    charged = charged_of(stage, subscriptions.charge([subscription_id], sender=stage.anyone))
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
    assert charged_of(stage, receipt)["amount"] == DIFFERENCE
    assert stage.next_due(subscribed) == FIRST_DUE


# --- When not ---


def test_E20_up_to_the_last_second_of_the_period(stage: Stage, payer: Account, subscribed: int, dearer: int) -> None:
    receipt = stage.change_plan(payer, subscribed, dearer, at=FIRST_DUE - 1)
    cost = cost_within(PRICE, DEARER, 0, 1, 28 * DAY)
    assert charged_of(stage, receipt)["amount"] == cost.to_pay


@pytest.mark.parametrize("late_s", [0, 1, 400 * DAY])
def test_E20_E22_is_no_way_around_a_charge_that_is_due(
    stage: Stage, payer: Account, subscribed: int, dearer: int, late_s: int
) -> None:
    with stage.nothing_changes(), reverts("ChargeDue", subscriptionId=subscribed, due=FIRST_DUE):
        stage.change_plan(payer, subscribed, dearer, at=FIRST_DUE + late_s)
    assert stage.charge(subscribed) == [PAID]
    stage.change_plan(payer, subscribed, dearer)


@pytest.mark.parametrize(
    ("verb", "status"),
    [("pause", Status.PAUSED), ("cancel", Status.CANCELLED), ("cancelAtPeriodEnd", Status.ENDING)],
)
def test_refuses_what_is_not_active(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int, dearer: int, verb: str, status: Status
) -> None:
    getattr(subscriptions, verb)(subscribed, sender=payer)
    with stage.nothing_changes(), reverts("NotActive", subscriptionId=subscribed, status=status):
        stage.change_plan(payer, subscribed, dearer)


def test_E30_nobody_but_the_payer_may(stage: Stage, payers: list[Account], subscribed: int, dearer: int) -> None:
    for sender in (stage.merchant, stage.anyone, payers[1]):
        with stage.nothing_changes(), reverts("NotAuthorized", caller=sender):
            stage.change_plan(sender, subscribed, dearer)


@pytest.mark.parametrize("subscription_id", [0, 2, 2**63, 2**256 - 1])
def test_refuses_what_does_not_exist(
    stage: Stage, payer: Account, subscribed: int, dearer: int, subscription_id: int
) -> None:
    assert subscribed == 1
    with stage.nothing_changes(), reverts("UnknownSubscription", subscriptionId=subscription_id):
        stage.change_plan(payer, subscription_id, dearer)


@pytest.mark.parametrize("plan_id", [0, 2, 2**32, UNLIMITED])
def test_refuses_an_unknown_plan(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int, monthly: int, plan_id: int
) -> None:
    terms = subscriptions.termsHash(monthly)
    with stage.nothing_changes(), reverts("UnknownPlan", planId=plan_id):
        subscriptions.changePlan(subscribed, plan_id, terms, 0, UNLIMITED, sender=payer)


def test_E30_refuses_other_terms_than_the_payer_saw(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int, monthly: int, dearer: int
) -> None:
    seen, found = subscriptions.termsHash(monthly), subscriptions.termsHash(dearer)
    with stage.nothing_changes(), reverts("TermsChanged", found=found, expected=seen):
        subscriptions.changePlan(subscribed, dearer, seen, 0, UNLIMITED, sender=payer)


def test_refuses_another_payee_or_token(stage: Stage, usdc: Contract, payer: Account, subscribed: int) -> None:
    others = [stage.create_plan(token=usdc), stage.create_plan(payee=stage.anyone)]
    for register_id, plan_id in enumerate(others, 1):
        with stage.nothing_changes(usdc), reverts("AnotherRegister", found=register_id, expected=0):
            stage.change_plan(payer, subscribed, plan_id)


def test_refuses_an_archived_plan_but_lets_its_own_subscriptions_change_seats(
    stage: Stage, subscriptions: Contract, merchant: Account, payer: Account, subscribed: int
) -> None:
    archived = stage.create_plan(seat_price=5)
    on_archived = stage.subscribe(payer, archived, seats=1)
    subscriptions.archivePlan(archived, sender=merchant)
    with stage.nothing_changes(), reverts("PlanIsArchived", planId=archived):
        stage.change_plan(payer, subscribed, archived, seats=1)
    stage.change_plan(payer, on_archived, archived, seats=9)
    assert subscriptions.subscription(on_archived).seats == 9
    open_plan = stage.create_plan()
    stage.change_plan(payer, on_archived, open_plan)
    with stage.nothing_changes(), reverts("PlanIsArchived", planId=archived):
        stage.change_plan(payer, on_archived, archived, seats=1)


@pytest.mark.parametrize(("max_to_pay", "works"), [(0, False), (DIFFERENCE - 1, False), (DIFFERENCE, True)])
def test_pays_no_more_than_the_payer_said(
    stage: Stage, payer: Account, subscribed: int, dearer: int, max_to_pay: int, works: bool
) -> None:
    if works:
        stage.change_plan(payer, subscribed, dearer, max_to_pay=max_to_pay, at=HALF)
        return
    with stage.nothing_changes(), reverts("ToPayTooHigh", found=DIFFERENCE, allowed=max_to_pay):
        stage.change_plan(payer, subscribed, dearer, max_to_pay=max_to_pay, at=HALF)


def test_refuses_what_cannot_be_paid(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, subscribed: int, dearer: int
) -> None:
    token.approve(subscriptions, DIFFERENCE - 1, sender=payer)
    with stage.nothing_changes(), reverts("AllowanceTooLow", found=DIFFERENCE - 1, needed=DIFFERENCE):
        stage.change_plan(payer, subscribed, dearer, at=HALF)
    token.approve(subscriptions, UNLIMITED, sender=payer)
    needed = cost_within(PRICE, DEARER, 0, 13 * DAY, 28 * DAY).to_pay
    token.transfer(stage.anyone, token.balanceOf(payer) - needed + 1, sender=payer)
    with stage.nothing_changes(), reverts("BalanceTooLow", found=needed - 1, needed=needed):
        stage.change_plan(payer, subscribed, dearer, at=HALF + DAY)


def test_a_fee_is_taken_of_what_is_paid(
    stage: Stage, accounts: Any, token: Contract, payer: Account, on_dearer: int, monthly: int
) -> None:
    platform = accounts[8]
    stage.change_plan(payer, on_dearer, monthly, at=HALF)
    with_fee = stage.create_plan(price=10 * DEARER, fee_bps=333, fee_receiver=platform)
    cost = cost_within(PRICE, 10 * DEARER, DIFFERENCE, 7 * DAY, 28 * DAY)
    before = token.balanceOf(stage.merchant)
    stage.change_plan(payer, on_dearer, with_fee, at=HALF + 7 * DAY)
    fee = cost.to_pay * 333 // 10_000
    assert fee > 0
    assert token.balanceOf(platform) == fee
    assert token.balanceOf(stage.merchant) == before + cost.to_pay - fee
    assert stage.totals() == (2, DEARER + cost.to_pay, 0, 0)


def test_65535_charges_leave_no_room_for_a_change(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int, monthly: int, dearer: int
) -> None:
    ((key, word),) = stage.words_read(subscriptions.subscription, subscribed).items()
    stage.overwrite(subscriptions, key, word + (65_534 << 232))
    with stage.nothing_changes(), reverts("FixedTerm", planId=monthly, charges=65_535):
        stage.change_plan(payer, subscribed, dearer)


def test_E28_credit_beyond_96_bits_is_refused(
    stage: Stage, subscriptions: Contract, payer: Account, on_dearer: int, monthly: int
) -> None:
    """No history leads there, since credit and the rest of the period together are never more than a rate: it is put
    there."""
    stage.change_plan(payer, on_dearer, monthly, at=SUBSCRIBED + DAY)
    words = stage.words_read(subscriptions.subscription, on_dearer)
    (key,) = [key for key, word in words.items() if word % 2**160 != int(payer.address, 16)]
    credit = subscriptions.subscription(on_dearer).credit
    stage.overwrite(subscriptions, key, words[key] + (MOST - credit << 24))
    assert subscriptions.subscription(on_dearer).credit == MOST
    cheap = stage.create_plan(price=1)
    over = cost_within(PRICE, 1, MOST, 14 * DAY, 28 * DAY).credit
    with stage.nothing_changes(), reverts("CreditTooHigh", found=over, allowed=MOST):
        stage.change_plan(payer, on_dearer, cheap, at=HALF)


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
    charged = charged_of(stage, stage.change_plan(payer, subscribed, dearer, at=at))
    assert (charged["periodStart"], charged["periodEnd"], charged["amount"]) == (at, utc(2027, 5, 16, 12), cost.to_pay)
    # The new period lies on the calendar again.
    up = cost_within(DEARER, 2 * DEARER, 0, 29 * DAY, 30 * DAY)
    charged = charged_of(stage, stage.change_plan(payer, subscribed, stage.create_plan(price=2 * DEARER), at=at + DAY))
    assert (charged["periodEnd"], charged["amount"]) == (utc(2027, 5, 16, 12), up.to_pay)


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
    charged = charged_of(stage, stage.change_plan(payer, subscription_id, dear, at=SUBSCRIBED + 55 * DAY))
    assert (charged["periodEnd"], charged["amount"]) == (SUBSCRIBED + 70 * DAY, cost.to_pay)


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
    charged = charged_of(stage, stage.change_plan(payer, subscribed, dearer, at=due + 11 * DAY))
    assert (charged["periodEnd"], charged["amount"]) == (utc(2027, 4, 1, 12), cost.to_pay)


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
