"""changePlan: the payer changes plan or seats within a paid period, and pays or is credited just the difference."""

from __future__ import annotations

import pytest

from tallystick.core.period import Unit
from tallystick.core.subscription import DeclineReason, Status
from tests.contracts.proration import cost_within
from tests.contracts.stage import (
    DAY,
    FIRST_DUE,
    FUNDS,
    PRICE,
    SUBSCRIBED,
    UNLIMITED,
    Account,
    Contract,
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


# --- Up, down ---


def test_up_pays_the_difference_for_the_rest_of_the_period(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, subscribed: int, dearer: int
) -> None:
    receipt = stage.change_plan(payer, subscribed, dearer, at=HALF)
    upgraded = {"subscriptionId": subscribed, "planId": dearer, "chargeNumber": 2, "amount": DIFFERENCE}
    assert stage.events(receipt) == [("Upgraded", upgraded)]
    assert (token.balanceOf(payer), token.balanceOf(stage.merchant)) == (
        FUNDS - PRICE - DIFFERENCE,
        PRICE + DIFFERENCE,
    )
    found = subscriptions.subscription(subscribed)
    assert (found.payer, found.planId, found.status) == (payer, dearer, Status.ACTIVE)
    assert (found.nextDue, found.charges, found.anchorDay, found.seats, found.credit) == (FIRST_DUE, 2, 31, 0, 0)
    assert stage.totals() == (2, PRICE + DIFFERENCE, 0, 0)
    stage.at(FIRST_DUE)
    charged = stage.charged_of(subscriptions.charge([subscribed], sender=stage.anyone))
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
    assert stage.charged_of(subscriptions.charge([on_dearer], sender=stage.anyone))["amount"] == PRICE


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
        charged = stage.charged_of(receipt)
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
    key = {"subscriptionId": on_dearer, "chargeNumber": 2}
    changed = {"subscriptionId": on_dearer, "planId": dearest}
    charged = {**key, "periodStart": at, "periodEnd": FIRST_DUE, "amount": cost.to_pay}
    assert stage.events(receipt) == [
        ("CreditUsed", {**key, "amount": cost.credit_used}),
        *(
            [("Upgraded", {**key, "planId": dearest, "amount": cost.to_pay})]
            if cost.to_pay
            else [("Charged", charged), ("PlanChanged", {**changed, "seats": 0, "credit": cost.credit})]
        ),
    ]
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
    assert [name for name, _ in stage.events(receipt)] == ["Charged", "PlanChanged"]
    assert stage.charged_of(receipt)["amount"] == up.to_pay > 0
    assert stage.events(receipt)[-1][1]["seats"] == subscriptions.subscription(subscription_id).seats == 9
    down = cost_within(rates[9], rates[2], 0, 7 * DAY, 28 * DAY)
    stage.change_plan(payer, subscription_id, plan_id, seats=2, at=HALF + 7 * DAY)
    found = subscriptions.subscription(subscription_id)
    assert (found.seats, found.credit, found.charges) == (2, down.credit, 2)
    stage.at(FIRST_DUE)
    receipt = subscriptions.charge([subscription_id], sender=stage.anyone)
    assert stage.charged_of(receipt)["amount"] == rates[2] - down.credit


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


# --- When not ---


def test_E20_up_to_the_last_second_of_the_period(stage: Stage, payer: Account, subscribed: int, dearer: int) -> None:
    receipt = stage.change_plan(payer, subscribed, dearer, at=FIRST_DUE - 1)
    cost = cost_within(PRICE, DEARER, 0, 1, 28 * DAY)
    assert stage.charged_of(receipt)["amount"] == cost.to_pay


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
    stage: Stage, accounts: list[Account], token: Contract, payer: Account, on_dearer: int, monthly: int
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
