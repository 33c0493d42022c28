"""lowerPrice: the payee moves subscriptions to a plan that differs by lower prices alone, from the next charge on."""

from __future__ import annotations

from typing import Any

import pytest

from tallystick.core.period import Unit
from tallystick.core.subscription import DeclineReason, Status
from tests.contracts.signing import Conditions, Coupon, signed_coupon
from tests.contracts.special import open_with, opened
from tests.contracts.stage import (
    DAY,
    FIRST_DUE,
    FUNDS,
    NO_CHARGE,
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
from tests.contracts.test_refund_changed import bounds_are
from tests.contracts.test_schedule_change import changed, charged, scheduled
from tests.contracts.test_set_fallback import set_fallback

LOWER = PRICE - 1_000_000
LOWEST = LOWER - 1
SECOND_DUE = utc(2027, 3, 31, 12)
GRID = utc(2026, 1, 1)
RICH: dict[str, Any] = {"seat_price": 100, "grace": 30 * DAY, "family": 3, "usage_cap": 1_000, "usage_price": 50}
TERM: dict[str, Any] = {"min_charges": 2, "max_charges": 12, "seat_price": 100}


@pytest.fixture
def lower(stage: Stage) -> int:
    """The merchant's monthly plan at a lower price."""
    return stage.create_plan(price=LOWER)


def lower_price(stage: Stage, plan_id: int, *subscription_ids: int, sender: Account | None = None) -> Receipt:
    """The merchant lowers."""
    return stage.subscriptions.lowerPrice(list(subscription_ids), plan_id, sender=sender or stage.merchant)


def lowered(subscription_id: int, plan_id: int, seats: int = 0) -> tuple[str, dict[str, Any]]:
    """What is told of it."""
    return ("PriceLowered", {"subscriptionId": subscription_id, "planId": plan_id, "seats": seats})


def is_worse(stage: Stage, plan_id: int, *subscription_ids: int) -> None:
    """It is refused for all of them."""
    with stage.nothing_changes(), reverts("TermsWorse", planId=plan_id):
        lower_price(stage, plan_id, *subscription_ids)


# --- What it does ---


def test_E30_a_decrease_needs_nobodys_consent_and_counts_from_the_next_charge(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, subscribed: int, lower: int
) -> None:
    before = subscriptions.subscription(subscribed)
    assert stage.events(lower_price(stage, lower, subscribed)) == [lowered(subscribed, lower)]
    assert scheduled(stage, subscribed) == (lower, 0)
    assert (subscriptions.subscription(subscribed), token.balanceOf(payer)) == (before, FUNDS - PRICE)
    assert stage.charge_as_previewed(subscribed, at=FIRST_DUE) == [
        changed(subscribed, lower),
        charged(subscribed, 2, FIRST_DUE, SECOND_DUE, LOWER),
    ]
    assert scheduled(stage, subscribed) == (0, 0)
    bounds_are(stage, subscribed, [(1, PRICE, NO_CHARGE)], [PRICE, LOWER])


def test_several_at_once(stage: Stage, payers: list[Account], monthly: int, lower: int) -> None:
    rows = [stage.subscribe(payer, monthly, at=SUBSCRIBED + i) for i, payer in enumerate(payers)]
    assert stage.events(lower_price(stage, lower, *rows)) == [lowered(row, lower) for row in rows]
    assert stage.charge(*rows, at=FIRST_DUE + 10) == [DeclineReason.NONE] * 4
    assert stage.totals() == (8, 4 * PRICE + 4 * LOWER, 0, 0)


def test_one_named_twice_is_lowered_once(stage: Stage, subscribed: int, lower: int) -> None:
    assert stage.events(lower_price(stage, lower, subscribed, subscribed)) == [lowered(subscribed, lower)]


@pytest.mark.parametrize("due", [0, 1, 40 * DAY])
def test_what_is_due_costs_less_too(stage: Stage, subscribed: int, lower: int, due: int) -> None:
    stage.at(FIRST_DUE + due)
    lower_price(stage, lower, subscribed)
    _, event = stage.charge_as_previewed(subscribed, at=FIRST_DUE + due + 5)
    assert event[1]["amount"] == LOWER


def test_E25_what_is_paused_costs_less_once_resumed(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int, lower: int
) -> None:
    stage.at(FIRST_DUE - 5 * DAY)
    subscriptions.pause(subscribed, sender=payer)
    lower_price(stage, lower, subscribed)
    assert (subscriptions.preview(subscribed).amount, stage.status(subscribed)) == (LOWER, Status.PAUSED)
    stage.at(FIRST_DUE)
    subscriptions.resume(subscribed, sender=payer)
    _, event = stage.charge_as_previewed(subscribed, at=FIRST_DUE + 5 * DAY)
    assert event[1]["amount"] == LOWER


def test_in_the_trial_it_is_the_first_charge(stage: Stage, payer: Account) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(trial=DAY), at=SUBSCRIBED)
    plan_id = stage.create_plan(trial=DAY, price=LOWER)
    lower_price(stage, plan_id, subscription_id)
    _, event = stage.charge_as_previewed(subscription_id, at=SUBSCRIBED + DAY)
    assert (event[1]["chargeNumber"], event[1]["amount"]) == (1, LOWER)


@pytest.mark.parametrize(
    ("base", "cheaper"),
    [
        (RICH, {"price": PRICE - 1}),
        (RICH, {"seat_price": 99}),
        (RICH, {"usage_cap": 999}),
        (RICH, {"usage_price": 49}),
        (RICH, {"usage_cap": 0, "usage_price": 0}),
        (RICH, {"price": 0}),
        (RICH, {"price": PRICE - 1, "seat_price": 1, "usage_cap": 1, "usage_price": 1}),
        (TERM, {"price": PRICE - 1, "min_charges": 1}),
        (TERM, {"price": PRICE - 1, "min_charges": 0}),
    ],
)
def test_no_price_is_higher_and_one_is_lower(
    stage: Stage, payer: Account, base: dict[str, Any], cheaper: dict[str, Any]
) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(**base), seats=2, at=SUBSCRIBED)
    plan_id = stage.create_plan(**base | cheaper)
    assert stage.events(lower_price(stage, plan_id, subscription_id)) == [lowered(subscription_id, plan_id, 2)]
    terms = stage.subscriptions.plan(plan_id)
    _, event = stage.charge_as_previewed(subscription_id, at=FIRST_DUE)
    assert event[1]["amount"] == terms.price + 2 * terms.seatPrice


@pytest.mark.parametrize(("fee_bps", "receiver"), [(0, None), (100, 8), (200, 8), (100, 9)])
def test_E33_the_fee_is_the_payees_to_give(
    stage: Stage, accounts: Any, token: Contract, payer: Account, fee_bps: int, receiver: int | None
) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(fee_bps=100, fee_receiver=accounts[8]), at=SUBSCRIBED)
    fee_receiver = None if receiver is None else accounts[receiver]
    plan_id = stage.create_plan(price=LOWER, fee_bps=fee_bps, fee_receiver=fee_receiver)
    lower_price(stage, plan_id, subscription_id)
    paid = token.balanceOf(stage.merchant)
    stage.charge_as_previewed(subscription_id, at=FIRST_DUE)
    assert token.balanceOf(stage.merchant) == paid + LOWER - LOWER * fee_bps // 10_000
    assert token.balanceOf(payer) == FUNDS - PRICE - LOWER


# --- What it refuses ---


def test_nobody_but_the_payee_of_the_plan_may(
    stage: Stage, payer: Account, subscribed: int, lower: int, monthly: int
) -> None:
    for sender in (payer, stage.anyone):
        with stage.nothing_changes(), reverts("NotAuthorized", caller=sender):
            lower_price(stage, lower, subscribed, sender=sender)
    others = stage.create_plan(payee=stage.anyone, price=LOWER)
    with stage.nothing_changes(), reverts("NotAuthorized", caller=stage.merchant):
        lower_price(stage, others, subscribed)
    with stage.nothing_changes(), reverts("TermsWorse", planId=others):
        lower_price(stage, others, subscribed, sender=stage.anyone)
    assert stage.subscriptions.subscription(subscribed).planId == monthly


@pytest.mark.parametrize("offset", [1, 2**32])
def test_refuses_what_does_not_exist(stage: Stage, subscribed: int, lower: int, offset: int) -> None:
    with stage.nothing_changes(), reverts("UnknownPlan", planId=lower + offset):
        lower_price(stage, lower + offset, subscribed)


@pytest.mark.parametrize(
    ("base", "other"),
    [
        (RICH, {"price": PRICE}),
        (RICH, {"price": PRICE + 1, "seat_price": 1}),
        (RICH, {"seat_price": 101}),
        (RICH, {"seat_price": 0}),
        (RICH, {"usage_cap": 1_001}),
        (RICH, {"usage_price": 51}),
        (RICH, {"every": 2}),
        (RICH, {"every": 12, "unit": Unit.MONTH}),
        (RICH, {"unit": Unit.YEAR}),
        (RICH, {"catch_up": 1}),
        (RICH, {"trial": DAY}),
        (RICH, {"grace": 29 * DAY}),
        (RICH, {"grace": 0}),
        (RICH, {"family": 4}),
        (RICH, {"align_to": GRID}),
        (RICH, {"refunds_unused": True}),
        (RICH | {"refunds_unused": True}, {"refunds_unused": False}),
        (TERM, {"min_charges": 3}),
        (TERM, {"max_charges": 11}),
        (TERM, {"max_charges": 0}),
        ({}, {"price": PRICE - 1, "seat_price": 1}),
        ({"price": PRICE, "align_to": GRID}, {"align_to": GRID + 1}),
    ],
)
def test_E30_each_term_that_may_not_differ(
    stage: Stage, payer: Account, base: dict[str, Any], other: dict[str, Any]
) -> None:
    seats = 2 if "seat_price" in base else 0
    subscription_id = stage.subscribe(payer, stage.create_plan(**base), seats=seats, at=SUBSCRIBED)
    is_worse(stage, stage.create_plan(**{"price": LOWER} | base | other), subscription_id)
    if "price" not in other:
        is_worse(stage, stage.create_plan(**base | other | {"price": LOWER}), subscription_id)


def test_E30_another_biller_or_quoter_needs_consent(
    stage: Stage, project: Any, accounts: Any, payer: Account, subscribed: int
) -> None:
    usage: dict[str, Any] = {"usage_cap": 10, "usage_price": 10}
    subscription_id = stage.subscribe(payer, stage.create_plan(**usage, biller=accounts[8]), at=SUBSCRIBED + DAY)
    for biller in (None, accounts[9]):
        is_worse(stage, stage.create_plan(price=LOWER, **usage, biller=biller), subscription_id)
    first, second = (project.MockQuoter.deploy(sender=stage.anyone) for _ in range(2))
    is_worse(stage, stage.create_plan(price=1, quoter=first), subscribed)
    quoted = stage.create_plan(price=100, quoter=first)
    subscription_id = opened(stage, open_with(stage, payer, quoted, Conditions(max_per_period=PRICE)))
    is_worse(stage, stage.create_plan(price=99, quoter=second), subscription_id)
    is_worse(stage, stage.create_plan(price=99), subscription_id)
    cheaper = stage.create_plan(price=99, quoter=first)
    lower_price(stage, cheaper, subscription_id)
    _, quote, event = stage.charge_as_previewed(subscription_id, at=stage.next_due(subscription_id))
    assert (quote[1]["price"], event[1]["amount"]) == (99, 99)


def test_rows_for_which_it_is_not_cheaper_are_passed_over(
    stage: Stage, accounts: Any, subscriptions: Contract, payers: list[Account], subscribed: int, monthly: int
) -> None:
    assert subscribed == 1
    plan_id = stage.create_plan(price=LOWER, fee_bps=1, fee_receiver=payers[3])
    gone = stage.subscribe(payers[1], monthly)
    subscriptions.cancel(gone, sender=payers[1])
    ending = stage.subscribe(payers[1], monthly)
    subscriptions.cancelAtPeriodEnd(ending, sender=payers[1])
    yearly = stage.subscribe(payers[1], stage.create_plan(every=12))
    cheap = stage.subscribe(payers[1], stage.create_plan(price=1))
    receiver = stage.subscribe(payers[3], monthly)
    others = stage.subscribe(payers[1], stage.create_plan(payee=accounts[9]))
    missing = [0, 999, 2**63, UNLIMITED]
    is_worse(stage, plan_id)
    is_worse(stage, plan_id, gone, yearly, cheap, receiver, others, *missing)
    receipt = lower_price(stage, plan_id, gone, yearly, cheap, ending, receiver, *missing, others, subscribed)
    assert stage.events(receipt) == [lowered(ending, plan_id), lowered(subscribed, plan_id)]
    assert stage.status(ending) == Status.ENDING
    assert [scheduled(stage, row) for row in (gone, yearly, cheap, receiver, others)] == [(0, 0)] * 5


# --- After what was scheduled before ---


def test_a_second_one_must_be_lower_still(
    stage: Stage, payer: Account, subscribed: int, monthly: int, lower: int
) -> None:
    lower_price(stage, lower, subscribed)
    is_worse(stage, lower, subscribed)
    is_worse(stage, stage.create_plan(price=LOWER + 1), subscribed)
    is_worse(stage, monthly, subscribed)
    lowest = stage.create_plan(price=LOWEST)
    lower_price(stage, lowest, subscribed)
    assert scheduled(stage, subscribed) == (lowest, 0)
    assert stage.charge_as_previewed(subscribed, at=FIRST_DUE) == [
        changed(subscribed, lowest),
        charged(subscribed, 2, FIRST_DUE, SECOND_DUE, LOWEST),
    ]
    stage.schedule_change(payer, subscribed, lower)  # only the payer goes back up
    assert scheduled(stage, subscribed) == (lower, 0)


def test_what_the_payer_scheduled_is_what_must_be_dearer(stage: Stage, payer: Account) -> None:
    plans = {price: stage.create_plan(price=price, seat_price=10) for price in (PRICE, 3 * PRICE, 2 * PRICE, LOWER)}
    subscription_id = stage.subscribe(payer, plans[PRICE], seats=1, at=SUBSCRIBED)
    stage.schedule_change(payer, subscription_id, plans[3 * PRICE], seats=5)
    lower_price(stage, plans[2 * PRICE], subscription_id)
    assert scheduled(stage, subscription_id) == (plans[2 * PRICE], 5)
    stage.schedule_change(payer, subscription_id, plans[LOWER], seats=7)
    is_worse(stage, plans[PRICE], subscription_id)
    is_worse(stage, plans[2 * PRICE], subscription_id)
    is_worse(stage, plans[LOWER], subscription_id)
    assert scheduled(stage, subscription_id) == (plans[LOWER], 7)
    lowest = stage.create_plan(price=LOWEST, seat_price=10)
    assert stage.events(lower_price(stage, lowest, subscription_id)) == [lowered(subscription_id, lowest, 7)]
    _, event = stage.charge_as_previewed(subscription_id, at=FIRST_DUE)
    assert event[1]["amount"] == LOWEST + 70


def test_what_the_payer_scheduled_with_other_periods_stays(
    stage: Stage, payer: Account, subscribed: int, lower: int
) -> None:
    yearly = stage.create_plan(price=9 * PRICE, every=12)
    stage.schedule_change(payer, subscribed, yearly)
    is_worse(stage, lower, subscribed)
    assert scheduled(stage, subscribed) == (yearly, 0)


def test_the_payer_takes_it_back(stage: Stage, payer: Account, subscribed: int, monthly: int, lower: int) -> None:
    lower_price(stage, lower, subscribed)
    stage.schedule_change(payer, subscribed, monthly)
    assert scheduled(stage, subscribed) == (0, 0)
    (event,) = stage.charge_as_previewed(subscribed, at=FIRST_DUE)
    assert event[1]["amount"] == PRICE


# --- What goes along ---


@pytest.mark.parametrize("for_all", [True, False])
def test_a_coupon_goes_along(stage: Stage, payer: Account, monthly: int, lower: int, for_all: bool) -> None:
    coupon = Coupon(plan_id=0 if for_all else monthly, basis_points_off=2_500, periods=4)
    subscription_id = opened(stage, open_with(stage, payer, monthly, coupon=coupon, at=SUBSCRIBED))
    lower_price(stage, lower, subscription_id)
    lowest = stage.create_plan(price=LOWEST)
    lower_price(stage, lowest, subscription_id)
    off = LOWEST * 2_500 // 10_000
    for number, due in ((2, FIRST_DUE), (3, SECOND_DUE)):
        events = stage.charge_as_previewed(subscription_id, at=due)
        told = {"subscriptionId": subscription_id, "chargeNumber": number, "amount": off}
        assert events[-2] == ("Discounted", told)
        assert events[-1][1]["amount"] == LOWEST - off


def test_a_coupon_of_another_plan_does_not_begin_to_count(
    stage: Stage, payer: Account, monthly: int, lower: int
) -> None:
    """The payer has scheduled the plan that is lowered; the coupon is the present one's."""
    coupon = Coupon(plan_id=monthly, basis_points_off=2_500, periods=4)
    subscription_id = opened(stage, open_with(stage, payer, monthly, coupon=coupon, at=SUBSCRIBED))
    dearer = stage.create_plan(price=2 * PRICE)
    stage.schedule_change(payer, subscription_id, dearer)
    lower_price(stage, lower, subscription_id)
    names = [name for name, _ in stage.charge_as_previewed(subscription_id, at=FIRST_DUE)]
    assert names == ["PlanChanged", "Charged"]
    assert stage.subscriptions.discount(subscription_id) == (0, 0, 0)


def test_a_coupon_redeemed_after_it_is_the_present_plans(
    stage: Stage, payer: Account, subscribed: int, monthly: int, lower: int
) -> None:
    lower_price(stage, lower, subscribed)
    coupon = Coupon(plan_id=lower, basis_points_off=1, periods=1)
    with stage.nothing_changes(), reverts("CouponNotFor", planId=monthly, payer=payer):
        stage.subscriptions.redeemCoupon(subscribed, coupon, signed_coupon(stage, coupon), sender=payer)


def test_a_fallback_wallet_goes_along(
    stage: Stage, subscriptions: Contract, token: Contract, payers: list[Account], subscribed: int, lower: int
) -> None:
    payer, wallet = payers[:2]
    set_fallback(stage, payer, wallet, subscribed)
    lower_price(stage, lower, subscribed)
    lowest = stage.create_plan(price=LOWEST)
    lower_price(stage, lowest, subscribed)
    assert tuple(subscriptions.fallbackWallet(subscribed)) == (wallet, lowest, 0)
    token.approve(subscriptions, 0, sender=payer)
    names = [name for name, _ in stage.charge_as_previewed(subscribed, at=FIRST_DUE)]
    assert names == ["PlanChanged", "PaidByFallback", "Charged"]
    assert token.balanceOf(wallet) == FUNDS - LOWEST
    names = [name for name, _ in stage.charge_as_previewed(subscribed, at=SECOND_DUE)]
    assert names == ["PaidByFallback", "Charged"]


def test_E30_a_fallback_wallet_does_not_follow_the_payer_elsewhere(
    stage: Stage, subscriptions: Contract, token: Contract, payers: list[Account], subscribed: int
) -> None:
    """The payer schedules a dear plan, the payee lowers that one: the wallet agreed to neither."""
    payer, wallet = payers[:2]
    set_fallback(stage, payer, wallet, subscribed)
    dear, less = stage.create_plan(price=5 * PRICE), stage.create_plan(price=4 * PRICE)
    stage.schedule_change(payer, subscribed, dear)
    lower_price(stage, less, subscribed)
    token.approve(subscriptions, 0, sender=payer)
    (event,) = stage.charge_as_previewed(subscribed, at=FIRST_DUE)
    assert event[1]["reason"] == DeclineReason.ALLOWANCE
    assert token.balanceOf(wallet) == FUNDS


def test_a_fallback_wallet_that_would_receive_the_fee_stays_behind(
    stage: Stage, subscriptions: Contract, token: Contract, payers: list[Account], subscribed: int
) -> None:
    payer, wallet = payers[:2]
    set_fallback(stage, payer, wallet, subscribed)
    lower_price(stage, stage.create_plan(price=LOWER, fee_bps=1, fee_receiver=wallet), subscribed)
    token.approve(subscriptions, 0, sender=payer)
    (event,) = stage.charge_as_previewed(subscribed, at=FIRST_DUE)
    assert event[1]["reason"] == DeclineReason.ALLOWANCE


def test_the_payers_conditions_stay(stage: Stage, payer: Account, monthly: int, lower: int) -> None:
    conditions = Conditions(max_per_period=PRICE, max_total=PRICE + LOWER)
    subscription_id = opened(stage, open_with(stage, payer, monthly, conditions, at=SUBSCRIBED))
    lower_price(stage, lower, subscription_id)
    assert stage.charge_as_previewed(subscription_id, at=FIRST_DUE)[-1][1]["amount"] == LOWER
    told = stage.subscriptions.conditions(subscription_id)
    assert (Conditions(*told.found), told.isSpent) == (Conditions(max_per_period=PRICE), True)
