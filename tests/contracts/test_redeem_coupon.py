"""redeemCoupon: a payee's signed promise, once for each payer, of periods that cost less; nothing else changes."""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import Any

import pytest

from tests.contracts.proration import worth
from tests.contracts.signing import Conditions, Coupon, coupon_data, digest, signed_coupon
from tests.contracts.special import PAID, charge, charge_as_foreseen, conditions_of, open_with, reason
from tests.contracts.stage import (
    DAY,
    FIRST_DUE,
    FUNDS,
    NO_CHARGE,
    NOBODY,
    PRICE,
    SUBSCRIBED,
    UNLIMITED,
    Account,
    Contract,
    Receipt,
    Stage,
    deploy,
    reverts,
    utc,
)
from tests.contracts.test_refund_changed import bounds_are
from tests.contracts.test_submit_mandate_with_conditions import CURVE_ORDER

SECOND_DUE = utc(2027, 3, 31, 12)
THIRD_DUE = utc(2027, 4, 30, 12)
HALF = utc(2027, 2, 14, 12)
DISCOUNTS = [
    (2_500, 0),
    (0, 1_000_000),
    (3_333, 7),
    (1, 0),
    (9_999, 998),
    (9_999, 999),
    (9_999, 1_000),
    (10_000, 0),
    (10_000, 2**96 - 1),
    (0, PRICE - 1),
    (0, PRICE),
    (0, PRICE + 1),
]
QUARTER = Coupon(basis_points_off=2_500, periods=2)


def taken_off(price: int, coupon: Coupon) -> int:
    """The part rounded down, then the amount, at most all of it."""
    return min(price, floor(Fraction(price * coupon.basis_points_off, 10_000)) + coupon.amount_off)


def redeem(
    stage: Stage, payer: Account, subscription_id: int, coupon: Coupon, signature: bytes | None = None
) -> Receipt:
    """The payer redeems it, by default as the merchant signed it."""
    signature = signed_coupon(stage, coupon) if signature is None else signature
    return stage.subscriptions.redeemCoupon(subscription_id, coupon, signature, sender=payer)


def discount(stage: Stage, subscription_id: int) -> tuple[int, int, int]:
    """Basis points and units off, and for how many charges more."""
    found = stage.subscriptions.discount(subscription_id)
    return (found.basisPointsOff, found.amountOff, found.periods)


# --- What it takes off ---


@pytest.mark.parametrize(("basis_points_off", "amount_off"), DISCOUNTS)
def test_each_period_costs_so_much_less_then_the_price_again(
    stage: Stage, payer: Account, subscribed: int, basis_points_off: int, amount_off: int
) -> None:
    coupon = Coupon(basis_points_off=basis_points_off, amount_off=amount_off, periods=2)
    redeem(stage, payer, subscribed, coupon)
    off = taken_off(PRICE, coupon)
    for number, due in ((2, FIRST_DUE), (3, SECOND_DUE)):
        assert discount(stage, subscribed) == (basis_points_off, amount_off, 4 - number)
        row = charge_as_foreseen(stage, subscribed, at=due)
        assert (row.amount, row.names) == (PRICE - off, ["Discounted", "Charged"])
        told = {"subscriptionId": subscribed, "chargeNumber": number, "amount": off}
        assert row.events[0] == ("Discounted", told)
    assert discount(stage, subscribed) == (basis_points_off, amount_off, 0)
    row = charge_as_foreseen(stage, subscribed, at=THIRD_DUE)
    assert (row.amount, row.names) == (PRICE, ["Charged"])
    assert discount(stage, subscribed) == (0, 0, 0)
    history = [(1, PRICE, PRICE - off), (2, PRICE, PRICE - off)]
    bounds_are(stage, subscribed, history, [PRICE, PRICE - off, PRICE - off, PRICE])


def test_E32_what_rounds_to_nothing_is_not_told(stage: Stage, payer: Account) -> None:
    plan_id = stage.create_plan(price=9_999)
    coupon = Coupon(basis_points_off=1, periods=1)
    names = [name for name, _ in stage.events(open_with(stage, payer, plan_id, coupon=coupon, at=SUBSCRIBED))]
    assert names == ["Subscribed", "ConditionsSet", "CouponRedeemed", "Charged"]
    assert discount(stage, 1) == (1, 0, 0)
    assert stage.subscriptions.subscription(1).history == 0
    assert charge_as_foreseen(stage, 1, at=FIRST_DUE).amount == 9_999


def test_the_dearest_plan_is_worked_out_exactly(stage: Stage, token: Contract, payer: Account) -> None:
    most = 2**96 - 1
    plan_id = stage.create_plan(price=most)
    token.mint(payer, 2 * most, sender=stage.anyone)
    coupon = Coupon(basis_points_off=9_999, amount_off=12_345)
    receipt = open_with(stage, payer, plan_id, coupon=coupon)
    assert stage.charged_of(receipt)["amount"] == most - taken_off(most, coupon)


@pytest.mark.parametrize("with_trial", [False, True])
def test_it_comes_with_the_first_charge(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, with_trial: bool
) -> None:
    plan_id = stage.create_plan(trial=14 * DAY if with_trial else 0)
    off = PRICE // 4
    receipt = open_with(stage, payer, plan_id, coupon=QUARTER, at=SUBSCRIBED)
    redeemed = {
        "subscriptionId": 1,
        "couponHash": digest(coupon_data(stage, QUARTER)),
        "planId": 0,
        "basisPointsOff": 2_500,
        "amountOff": 0,
        "periods": 2,
    }
    events = stage.events(receipt)
    assert events[2] == ("CouponRedeemed", redeemed)
    charged = [] if with_trial else ["Discounted", "Charged"]
    assert [name for name, _ in events] == ["Subscribed", "ConditionsSet", "CouponRedeemed", *charged]
    assert token.balanceOf(payer) == FUNDS - (0 if with_trial else PRICE - off)
    dues = [stage.next_due(1)] if not with_trial else [SUBSCRIBED + 14 * DAY, utc(2027, 3, 14, 12)]
    for due in dues:
        assert charge_as_foreseen(stage, 1, at=due).amount == PRICE - off
    assert charge_as_foreseen(stage, 1, at=stage.next_due(1)).amount == PRICE
    numbers = range(1, 3)
    assert subscriptions.isCouponUsed(redeemed["couponHash"], payer)
    bounds_are(stage, 1, [(n - 1, PRICE, PRICE - off) for n in numbers], [PRICE - off] * 2 + [PRICE])


def test_redeeming_moves_nothing_and_says_what_it_does(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, subscribed: int
) -> None:
    coupon = Coupon(subscribed, 1_000, 5, 65_535, payer.address, UNLIMITED, UNLIMITED)
    before, hash_ = subscriptions.subscription(subscribed), digest(coupon_data(stage, coupon))
    assert bytes(subscriptions.couponHash(subscribed, coupon)) == hash_
    assert not subscriptions.isCouponUsed(hash_, payer)
    told = {
        "subscriptionId": subscribed,
        "couponHash": hash_,
        "planId": 1,
        "basisPointsOff": 1_000,
        "amountOff": 5,
        "periods": 65_535,
    }
    assert stage.events(redeem(stage, payer, subscribed, coupon)) == [("CouponRedeemed", told)]
    assert subscriptions.isCouponUsed(hash_, payer)
    assert not subscriptions.isCouponUsed(hash_, stage.anyone)
    assert tuple(subscriptions.subscription(subscribed)) == tuple(before)
    assert (token.balanceOf(payer), stage.totals()) == (FUNDS - PRICE, (1, PRICE, 0, 0))


def test_all_off_needs_no_money_and_gives_none_back(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, monthly: int
) -> None:
    token.approve(subscriptions, 0, sender=payer)
    open_with(stage, payer, monthly, coupon=Coupon(basis_points_off=10_000), at=SUBSCRIBED)
    assert (token.balanceOf(payer), stage.totals(), stage.charges(1)) == (FUNDS, (1, 0, 0, 0), 1)
    assert charge_as_foreseen(stage, 1, at=FIRST_DUE).reason == "Allowance"
    bounds_are(stage, 1, [(0, PRICE, 0)], [0])


def test_seats_cost_less_too(stage: Stage, payer: Account) -> None:
    plan_id, coupon = stage.create_plan(seat_price=7), Coupon(basis_points_off=3_333, amount_off=1)
    rate = PRICE + 21
    receipt = open_with(stage, payer, plan_id, seats=3, coupon=coupon, at=SUBSCRIBED)
    assert stage.charged_of(receipt)["amount"] == rate - taken_off(rate, coupon)
    bounds_are(stage, 1, [(0, rate, rate - taken_off(rate, coupon))], [rate - taken_off(rate, coupon)])


@pytest.mark.parametrize("basis_points_off", [2_500, 5_000, 7_500])
def test_credit_pays_what_the_coupon_leaves(
    stage: Stage, subscriptions: Contract, payer: Account, basis_points_off: int
) -> None:
    dear, cheap = stage.create_plan(price=2 * PRICE), stage.create_plan(price=PRICE)
    stage.subscribe(payer, dear, at=SUBSCRIBED)
    stage.change_plan(payer, 1, cheap, at=HALF)
    credit = PRICE // 2
    coupon = Coupon(basis_points_off=basis_points_off, periods=9)
    redeem(stage, payer, 1, coupon)
    price = PRICE - taken_off(PRICE, coupon)
    used = min(credit, price)
    row = charge_as_foreseen(stage, 1, at=FIRST_DUE)
    assert (row.amount, row.names) == (price - used, ["Discounted", "CreditUsed", "Charged"])
    assert row.value("CreditUsed", "amount") == used
    assert subscriptions.subscription(1).credit == credit - used
    bounds_are(stage, 1, [(1, 2 * PRICE, NO_CHARGE), (1, PRICE, price - used)], [2 * PRICE, price - used])


def test_of_the_stub_of_an_aligned_plan_it_takes_its_part(stage: Stage, payer: Account) -> None:
    plan_id = stage.create_plan(align_to=utc(2026, 1, 1))
    stub = PRICE // 2  # 14 of 28 days
    coupon = Coupon(basis_points_off=3_333, amount_off=5, periods=2)
    receipt = open_with(stage, payer, plan_id, coupon=coupon, at=utc(2027, 2, 15))
    charged = stage.charged_of(receipt)
    assert (charged["amount"], charged["periodEnd"]) == (stub - taken_off(stub, coupon), utc(2027, 3, 1))
    whole = PRICE - taken_off(PRICE, coupon)
    assert charge_as_foreseen(stage, 1, at=utc(2027, 3, 1)).amount == whole
    paid = [stub - taken_off(stub, coupon), whole]
    bounds_are(stage, 1, [(0, PRICE, paid[0]), (1, PRICE, paid[1])], paid)


def test_E33_the_fee_is_a_part_of_what_is_paid(stage: Stage, accounts: Any, token: Contract, payer: Account) -> None:
    plan_id = stage.create_plan(fee_bps=250, fee_receiver=accounts[8])
    open_with(stage, payer, plan_id, coupon=QUARTER)
    paid = PRICE - PRICE // 4
    fee = paid * 250 // 10_000
    assert (token.balanceOf(stage.merchant), token.balanceOf(accounts[8])) == (paid - fee, fee)
    assert stage.totals() == (1, paid, 0, 0)


def test_usage_costs_what_it_costs_and_uses_up_no_period(stage: Stage, subscriptions: Contract, payer: Account) -> None:
    plan_id = stage.create_plan(usage_cap=PRICE, usage_price=10**6)
    open_with(stage, payer, plan_id, coupon=QUARTER, at=SUBSCRIBED)
    subscriptions.chargeUsage(1, 2, 1_000, 1_000, bytes(32), sender=stage.merchant)
    assert discount(stage, 1) == (2_500, 0, 1)
    less = PRICE - PRICE // 4
    assert charge_as_foreseen(stage, 1, at=FIRST_DUE).amount == less
    bounds_are(stage, 1, [(0, PRICE, less), (1, PRICE, 1_000), (2, PRICE, less)], [less, 1_000, less])


@pytest.mark.parametrize("missing", [0, 1])
def test_limits_are_for_what_it_leaves(stage: Stage, payer: Account, monthly: int, missing: int) -> None:
    less = PRICE - PRICE // 4
    conditions = Conditions(max_per_period=less - missing, max_total=less)
    if missing:
        values = {"reason": reason("OverMandate"), "found": less, "allowed": less - 1}
        with stage.nothing_changes(), reverts("FirstChargeDeclined", **values):
            open_with(stage, payer, monthly, conditions, coupon=QUARTER)
    else:
        open_with(stage, payer, monthly, conditions, coupon=QUARTER)
        assert conditions_of(stage, 1).max_total == 0


def test_a_coupon_with_what_reverts_is_not_used_up(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, monthly: int
) -> None:
    token.approve(subscriptions, 0, sender=payer)
    lack = {"reason": reason("Allowance"), "found": 0, "allowed": PRICE - PRICE // 4}
    with stage.nothing_changes(), reverts("FirstChargeDeclined", **lack):
        open_with(stage, payer, monthly, coupon=QUARTER)
    assert not subscriptions.isCouponUsed(subscriptions.couponHash(monthly, QUARTER), payer)


def test_a_decline_uses_up_no_period(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, subscribed: int
) -> None:
    redeem(stage, payer, subscribed, QUARTER)
    token.approve(subscriptions, 0, sender=payer)
    for offset_s in (0, 60):
        assert charge_as_foreseen(stage, subscribed, at=FIRST_DUE + offset_s).reason == "Allowance"
    assert discount(stage, subscribed) == (2_500, 0, 2)


def test_rows_with_and_without_one_are_charged_together(
    stage: Stage, token: Contract, payers: list[Account], monthly: int
) -> None:
    rows = [stage.subscribe(payer, monthly, at=SUBSCRIBED + number) for number, payer in enumerate(payers)]
    redeem(stage, payers[1], rows[1], QUARTER)
    redeem(stage, payers[3], rows[3], Coupon(basis_points_off=10_000))
    assert charge(stage, *rows, at=FIRST_DUE + 60) == [PAID] * 4
    paid = 4 * PRICE + PRICE + (PRICE - PRICE // 4) + PRICE
    assert token.balanceOf(stage.merchant) == paid
    assert stage.totals() == (8, paid, 0, 0)


@pytest.mark.parametrize("left_s", [28 * DAY - 1, 14 * DAY + 1, 14 * DAY, 1])
def test_E36_what_is_left_of_a_period_is_worth_what_was_paid_for_it(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, monthly: int, left_s: int
) -> None:
    coupon = Coupon(basis_points_off=3_333, periods=1)
    open_with(stage, payer, monthly, coupon=coupon, at=SUBSCRIBED)
    paid = PRICE - taken_off(PRICE, coupon)
    stage.at(FIRST_DUE - left_s)
    subscriptions.cancelWithRefund(1, [1], [(0, PRICE, paid)], sender=stage.merchant)
    given_back = worth(paid, left_s, 28 * DAY)
    assert token.balanceOf(payer) == FUNDS - paid + given_back
    assert stage.totals() == (1, paid, 1, given_back)


# --- While it runs ---


def test_one_at_a_time_until_the_price_is_paid_again(stage: Stage, payer: Account, subscribed: int) -> None:
    again = Coupon(amount_off=1, code=2)
    redeem(stage, payer, subscribed, Coupon(basis_points_off=2_500))
    for due in (FIRST_DUE, SECOND_DUE):
        with stage.nothing_changes(), reverts("DiscountRunning", subscriptionId=subscribed):
            redeem(stage, payer, subscribed, again)
        charge_as_foreseen(stage, subscribed, at=due)
    redeem(stage, payer, subscribed, again)
    assert charge_as_foreseen(stage, subscribed, at=THIRD_DUE).amount == PRICE - 1


def test_it_is_changed_at_its_end_not_at_once(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int
) -> None:
    dearer = stage.create_plan(price=2 * PRICE, seat_price=2)
    redeem(stage, payer, subscribed, QUARTER)
    with stage.nothing_changes(), reverts("DiscountRunning", subscriptionId=subscribed):
        stage.change_plan(payer, subscribed, dearer, seats=1, at=HALF)
    with reverts("DiscountRunning", subscriptionId=subscribed):
        subscriptions.quote.transact(subscribed, dearer, 1, sender=payer)
    stage.schedule_change(payer, subscribed, dearer, seats=1)
    rate = 2 * PRICE + 2
    paid = rate - taken_off(rate, QUARTER)
    row = charge_as_foreseen(stage, subscribed, at=FIRST_DUE)
    assert (row.amount, row.names) == (paid, ["PlanChanged", "Discounted", "Charged"])
    bounds_are(stage, subscribed, [(1, PRICE, NO_CHARGE), (1, rate, paid)], [PRICE, paid])


def test_one_for_a_plan_ends_with_it(stage: Stage, payer: Account, monthly: int, subscribed: int) -> None:
    dearer = stage.create_plan(price=100 * PRICE)
    redeem(stage, payer, subscribed, Coupon(monthly, 10_000, periods=9))
    stage.schedule_change(payer, subscribed, dearer)
    stage.schedule_change(payer, subscribed, monthly)  # thought better of it
    assert charge_as_foreseen(stage, subscribed, at=FIRST_DUE).amount == 0
    stage.schedule_change(payer, subscribed, dearer)
    row = charge_as_foreseen(stage, subscribed, at=SECOND_DUE)
    assert (row.amount, row.names) == (100 * PRICE, ["PlanChanged", "Charged"])
    assert discount(stage, subscribed) == (0, 0, 0)
    stage.schedule_change(payer, subscribed, monthly)
    assert charge_as_foreseen(stage, subscribed, at=THIRD_DUE).amount == PRICE
    history = [(1, PRICE, 0), (2, PRICE, NO_CHARGE), (3, 100 * PRICE, NO_CHARGE)]
    bounds_are(stage, subscribed, history, [PRICE, 0, 100 * PRICE, PRICE])


def test_after_it_a_change_at_once_is_as_ever(stage: Stage, payer: Account, monthly: int) -> None:
    open_with(stage, payer, monthly, coupon=Coupon(amount_off=1), at=SUBSCRIBED)
    charge_as_foreseen(stage, 1, at=FIRST_DUE)
    dearer = stage.create_plan(price=2 * PRICE)
    receipt = stage.change_plan(payer, 1, dearer, at=FIRST_DUE + 31 * DAY // 2)
    assert stage.charged_of(receipt)["amount"] == PRICE // 2


# --- Who may redeem which ---


def test_nobody_else_redeems_it(stage: Stage, subscriptions: Contract, payers: list[Account], subscribed: int) -> None:
    for other in (stage.merchant, stage.anyone, payers[1]):
        with stage.nothing_changes(), reverts("NotAuthorized", caller=other):
            redeem(stage, other, subscribed, QUARTER)
    for unknown in (0, 99, 2**63):
        with reverts("UnknownSubscription", subscriptionId=unknown):
            redeem(stage, payers[0], unknown, QUARTER)
        with reverts("UnknownSubscription", subscriptionId=unknown):
            subscriptions.discount.transact(unknown, sender=stage.anyone)
    with reverts("UnknownPlan", planId=99):
        subscriptions.couponHash.transact(99, QUARTER, sender=stage.anyone)


def test_refuses_a_subscription_that_has_ended(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int
) -> None:
    subscriptions.cancel(subscribed, sender=payer)
    with stage.nothing_changes(), reverts("NotActive", subscriptionId=subscribed, status=2):
        redeem(stage, payer, subscribed, QUARTER)


def test_once_for_each_payer(stage: Stage, subscriptions: Contract, payers: list[Account], monthly: int) -> None:
    one, other, third = (stage.subscribe(payer, monthly) for payer in (payers[0], payers[0], payers[1]))
    coupon = Coupon(basis_points_off=2_500)
    hash_ = subscriptions.couponHash(monthly, coupon)
    redeem(stage, payers[0], one, coupon)
    with stage.nothing_changes(), reverts("CouponUsed", couponHash=hash_, payer=payers[0]):
        redeem(stage, payers[0], other, coupon)
    with stage.nothing_changes(), reverts("CouponUsed", couponHash=hash_, payer=payers[0]):
        open_with(stage, payers[0], monthly, coupon=coupon)
    redeem(stage, payers[1], third, coupon)
    subscriptions.cancel(one, sender=payers[0])
    with stage.nothing_changes(), reverts("CouponUsed", couponHash=hash_, payer=payers[0]):
        redeem(stage, payers[0], other, coupon)
    redeem(stage, payers[0], other, coupon._replace(code=1))


def test_the_payee_revokes_those_of_a_code_and_what_was_redeemed_stands(
    stage: Stage, subscriptions: Contract, payers: list[Account], monthly: int
) -> None:
    rows = [stage.subscribe(payer, monthly, at=SUBSCRIBED + 9 * n) for n, payer in enumerate(payers[:2])]
    coupon = QUARTER._replace(code=77)
    redeem(stage, payers[0], rows[0], coupon)
    subscriptions.revokeMandate(78, sender=stage.merchant)
    subscriptions.revokeMandate(77, sender=stage.anyone)
    subscriptions.revokeMandate(77, sender=payers[1])
    redeem(stage, payers[1], rows[1], coupon._replace(amount_off=1))
    subscriptions.cancel(rows[1], sender=payers[1])
    subscriptions.revokeMandate(77, sender=stage.merchant)
    with stage.nothing_changes(), reverts("SaltUsed", payer=stage.merchant, salt=77):
        open_with(stage, payers[1], monthly, coupon=coupon)
    assert charge_as_foreseen(stage, rows[0], at=FIRST_DUE).amount == PRICE - PRICE // 4


def test_refuses_one_that_is_not_for_the_plan_or_the_payer(
    stage: Stage, payers: list[Account], monthly: int, subscribed: int
) -> None:
    other = stage.create_plan()
    for coupon in (QUARTER._replace(plan_id=other), QUARTER._replace(payer=payers[1].address)):
        refused = reverts("CouponNotFor", planId=monthly, payer=payers[0])
        with stage.nothing_changes(), refused:
            redeem(stage, payers[0], subscribed, coupon)
    redeem(stage, payers[0], subscribed, QUARTER._replace(plan_id=monthly, payer=payers[0].address))


@pytest.mark.parametrize(
    "coupon",
    [
        Coupon(),
        Coupon(basis_points_off=1, amount_off=1, periods=0),
        Coupon(basis_points_off=10_001),
        Coupon(basis_points_off=65_535, amount_off=1),
    ],
)
def test_refuses_one_that_takes_off_nothing_or_more_than_all(
    stage: Stage, payer: Account, subscribed: int, coupon: Coupon
) -> None:
    with stage.nothing_changes(), reverts("CouponNotFor", planId=1, payer=payer):
        redeem(stage, payer, subscribed, coupon)


def test_a_coupon_without_periods_is_none_when_subscribing(stage: Stage, payer: Account, monthly: int) -> None:
    receipt = open_with(stage, payer, monthly, coupon=Coupon(basis_points_off=10_000, periods=0))
    assert stage.charged_of(receipt)["amount"] == PRICE
    assert discount(stage, 1) == (0, 0, 0)


@pytest.mark.parametrize(("offset_s", "works"), [(-1, True), (0, False), (1, False)])
def test_E20_it_is_good_before_validBefore(
    stage: Stage, payer: Account, subscribed: int, offset_s: int, works: bool
) -> None:
    coupon = QUARTER._replace(valid_before=HALF)
    signature = signed_coupon(stage, coupon)
    stage.at(HALF + offset_s)
    if works:
        redeem(stage, payer, subscribed, coupon, signature)
        assert charge_as_foreseen(stage, subscribed, at=FIRST_DUE).amount == PRICE - PRICE // 4  # it goes on
    else:
        with stage.nothing_changes(), reverts("SignatureExpired", validBefore=HALF, time=HALF + offset_s):
            redeem(stage, payer, subscribed, coupon, signature)


# --- Whose signature ---

WHOLE = Coupon(1, 1_000, 5, 3, NOBODY, 77, UNLIMITED)


@pytest.mark.parametrize(
    "change",
    [
        {"plan_id": 0},
        {"basis_points_off": 1_001},
        {"amount_off": 6},
        {"periods": 4},
        {"payer": "the payer"},
        {"code": 78},
        {"valid_before": UNLIMITED - 1},
    ],
)
def test_refuses_what_was_not_signed_as_it_is_redeemed(
    stage: Stage, payer: Account, subscribed: int, change: dict[str, Any]
) -> None:
    signature = signed_coupon(stage, WHOLE)
    tampered = WHOLE._replace(**{name: payer.address if name == "payer" else value for name, value in change.items()})
    with stage.nothing_changes(), reverts("InvalidSignature", signer=stage.merchant):
        redeem(stage, payer, subscribed, tampered, signature)
    redeem(stage, payer, subscribed, WHOLE, signature)


def test_refuses_what_another_signed_or_the_payee_for_another_plan(
    stage: Stage, usdc: Contract, payer: Account, subscribed: int
) -> None:
    for signature in (
        signed_coupon(stage, QUARTER, stage.anyone),
        signed_coupon(stage, QUARTER, payer),
        signed_coupon(stage, QUARTER, token=usdc.address),
        signed_coupon(stage, QUARTER, payee=stage.anyone.address),
    ):
        with stage.nothing_changes(), reverts("InvalidSignature", signer=stage.merchant):
            redeem(stage, payer, subscribed, QUARTER, signature)
    in_usdc = stage.subscribe(payer, stage.create_plan(token=usdc))
    with stage.nothing_changes(usdc), reverts("InvalidSignature", signer=stage.merchant):
        redeem(stage, payer, in_usdc, QUARTER)
    of_another = stage.subscribe(payer, stage.create_plan(payee=stage.anyone))
    with stage.nothing_changes(), reverts("InvalidSignature", signer=stage.anyone):
        redeem(stage, payer, of_another, QUARTER)


def test_E12_one_for_another_contract_or_chain_is_refused(
    stage: Stage, project: Any, subscriptions: Contract, payer: Account, subscribed: int
) -> None:
    for domain in ({"contract": deploy(project, stage.anyone).address}, {"chain_id": 1}):
        with stage.nothing_changes(), reverts("InvalidSignature", signer=stage.merchant):
            redeem(stage, payer, subscribed, QUARTER, signed_coupon(stage, QUARTER, **domain))
    after = digest(coupon_data(stage, QUARTER, chain_id=31_338))
    data = "0x" + subscriptions.couponHash.encode_input(1, QUARTER).hex()
    stage.rpc("anvil_setChainId", 31_338)
    try:
        assert stage.rpc("eth_call", {"to": subscriptions.address, "data": data}, "latest") == "0x" + after.hex()
    finally:
        stage.rpc("anvil_setChainId", 31_337)


def test_E13_a_second_form_of_a_signature_is_refused(stage: Stage, payer: Account, subscribed: int) -> None:
    signature = signed_coupon(stage, QUARTER)
    r, s, v = signature[:32], int.from_bytes(signature[32:64], "big"), signature[64]
    high_s = r + (CURVE_ORDER - s).to_bytes(32, "big") + bytes([55 - v])
    compact = r + (s | (v - 27) << 255).to_bytes(32, "big")
    for malleable in (high_s, compact, signature[:64] + bytes([v - 27]), signature + b"\x00", b"", b"\x00" * 65):
        with stage.nothing_changes(), reverts("InvalidSignature", signer=stage.merchant):
            redeem(stage, payer, subscribed, QUARTER, malleable)


def test_a_payee_that_is_a_contract_signs_as_it_does(
    stage: Stage, project: Any, token: Contract, payers: list[Account]
) -> None:
    payee = project.MockWallet.deploy(sender=stage.anyone)
    payee.setSigner(stage.merchant, sender=stage.anyone)
    subscription_id = stage.subscribe(payers[0], stage.create_plan(payee=payee), at=SUBSCRIBED)
    another = signed_coupon(stage, QUARTER, payers[1], payee=payee.address)
    with stage.nothing_changes(), reverts("InvalidSignature", signer=payee):
        redeem(stage, payers[0], subscription_id, QUARTER, another)
    signature = signed_coupon(stage, QUARTER, payee=payee.address)
    redeem(stage, payers[0], subscription_id, QUARTER, signature)
    payee.setSigner(payers[3], sender=stage.anyone)  # E14: what was redeemed stands
    assert charge(stage, subscription_id, at=FIRST_DUE) == [PAID]
    assert token.balanceOf(payee) == 2 * PRICE - PRICE // 4
