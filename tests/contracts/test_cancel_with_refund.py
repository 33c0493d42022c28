"""cancelWithRefund: the payee ends a subscription now and gives back what is left of the paid period, credit included.

And `cancel` by the payee of a plan that promises such refunds."""

from __future__ import annotations

from typing import Any

import pytest

from tallystick.core.period import Unit
from tallystick.core.subscription import Status
from tests.contracts.proration import worth
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
    Segment,
    Stage,
    reverts,
    utc,
)
from tests.contracts.test_change_payer import change_payer

DEARER = 3 * PRICE
HALF = utc(2027, 2, 14, 12)
SECOND_DUE = utc(2027, 3, 31, 12)
PERIOD_S = 28 * DAY
LONGEST_S = 31 * DAY


def cancel(
    stage: Stage,
    subscription_id: int,
    *charge_numbers: int,
    history: list[Segment] | None = None,
    at: int | None = None,
    sender: Account | None = None,
) -> Receipt:
    """The merchant ends it and refunds out of these charges."""
    if at is not None:
        stage.at(at)
    return stage.subscriptions.cancelWithRefund(
        subscription_id, list(charge_numbers), history or [], sender=sender or stage.merchant
    )


def refunds(subscription_id: int, *parts: tuple[int, int]) -> list[tuple[str, dict[str, Any]]]:
    """What is told: that it ended, and each charge with what was given back of it."""
    return [
        ("Cancelled", {"subscriptionId": subscription_id}),
        *(
            ("Refunded", {"subscriptionId": subscription_id, "chargeNumber": number, "amount": amount})
            for number, amount in parts
        ),
    ]


# --- What is given back ---


@pytest.mark.parametrize("at", [SUBSCRIBED + 1, SUBSCRIBED + 777_777, HALF, FIRST_DUE - 2, FIRST_DUE - 1])
def test_gives_back_what_is_left_rounded_down(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, subscribed: int, at: int
) -> None:
    amount = worth(PRICE, FIRST_DUE - at, PERIOD_S)
    assert stage.events(cancel(stage, subscribed, 1, at=at)) == refunds(subscribed, (1, amount))
    assert stage.status(subscribed) == Status.CANCELLED
    assert (token.balanceOf(payer), token.balanceOf(stage.merchant)) == (FUNDS - PRICE + amount, PRICE - amount)
    assert stage.totals() == (1, PRICE, 1, amount)
    assert subscriptions.refunded(subscribed, 1) == amount


def test_within_the_second_it_is_all(stage: Stage, token: Contract, payer: Account, subscribed: int) -> None:
    stage.charge(subscribed, at=FIRST_DUE)
    cancel(stage, subscribed, 2, at=FIRST_DUE)
    assert token.balanceOf(payer) == FUNDS - PRICE


@pytest.mark.parametrize("at", [FIRST_DUE, FIRST_DUE + 1, FIRST_DUE + 99 * DAY])
def test_E32_where_nothing_is_left_nothing_is_given_back(stage: Stage, subscribed: int, at: int) -> None:
    assert stage.events(cancel(stage, subscribed, 1, at=at)) == refunds(subscribed)
    assert stage.totals() == (1, PRICE, 0, 0)


def test_E32_a_trial_was_not_paid_for(stage: Stage, payer: Account) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(trial=DAY, refunds_unused=True))
    assert stage.events(cancel(stage, subscription_id)) == refunds(subscription_id)


def test_out_of_the_named_charges_as_much_as_each_allows(
    stage: Stage, token: Contract, payer: Account, subscribed: int
) -> None:
    dearer = stage.create_plan(price=DEARER)
    stage.change_plan(payer, subscribed, dearer, at=HALF)
    difference = DEARER // 2 - PRICE // 2
    history = [(1, PRICE, difference)]
    stage.subscriptions.refundChanged(subscribed, 1, 1_000, history, sender=stage.merchant)
    unused = worth(DEARER, FIRST_DUE - HALF - DAY, PERIOD_S)
    assert difference < unused < difference + PRICE - 1_000
    receipt = cancel(stage, subscribed, 2, 2, 1, 0, 99, history=history, at=HALF + DAY)  # no more than it takes
    assert stage.events(receipt) == refunds(subscribed, (2, difference), (1, unused - difference))
    assert token.balanceOf(payer) == FUNDS - PRICE - difference + 1_000 + unused
    assert stage.totals() == (2, PRICE + difference, 3, 1_000 + unused)


def test_credit_is_given_back_too(stage: Stage, token: Contract, payer: Account) -> None:
    dear, cheap = stage.create_plan(price=DEARER), stage.create_plan(price=1_000_000)
    subscription_id = stage.subscribe(payer, dear, at=SUBSCRIBED)
    stage.change_plan(payer, subscription_id, cheap, at=HALF)
    credit = worth(DEARER, 14 * DAY, PERIOD_S) - worth(1_000_000, 14 * DAY, PERIOD_S)
    unused = credit + worth(1_000_000, 7 * DAY, PERIOD_S)
    receipt = cancel(stage, subscription_id, 1, history=[(1, DEARER, NO_CHARGE)], at=HALF + 7 * DAY)
    assert stage.events(receipt) == refunds(subscription_id, (1, unused))
    assert stage.subscriptions.subscription(subscription_id).credit == 0
    assert token.balanceOf(payer) == FUNDS - DEARER + unused


def test_when_the_period_is_over_credit_is_left(stage: Stage, payer: Account) -> None:
    dear, cheap = stage.create_plan(price=DEARER), stage.create_plan(price=1_000_000)
    subscription_id = stage.subscribe(payer, dear, at=SUBSCRIBED)
    stage.change_plan(payer, subscription_id, cheap, at=HALF)
    credit = worth(DEARER, 14 * DAY, PERIOD_S) - worth(1_000_000, 14 * DAY, PERIOD_S)
    receipt = cancel(stage, subscription_id, 1, history=[(1, DEARER, NO_CHARGE)], at=FIRST_DUE + DAY)
    assert stage.events(receipt) == refunds(subscription_id, (1, credit))


@pytest.mark.parametrize("refunded", [1, 1_000_000, PRICE // 2 - 1, PRICE // 2, PRICE // 2 + 1, PRICE])
def test_E36_what_was_given_back_of_the_last_charge_counts(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, subscribed: int, refunded: int
) -> None:
    subscriptions.refund(subscribed, 1, refunded, sender=stage.merchant)
    rest = max(0, PRICE // 2 - refunded)
    receipt = cancel(stage, subscribed, 1, at=HALF)
    assert stage.events(receipt) == refunds(subscribed, *([(1, rest)] if rest else []))
    assert token.balanceOf(payer) == FUNDS - PRICE + refunded + rest


def test_E36_what_was_given_back_of_an_earlier_charge_does_not(
    stage: Stage, subscriptions: Contract, subscribed: int
) -> None:
    stage.charge(subscribed, at=FIRST_DUE)
    subscriptions.refund(subscribed, 1, PRICE, sender=stage.merchant)
    receipt = cancel(stage, subscribed, 1, 2, at=FIRST_DUE + DAY)
    assert stage.events(receipt) == refunds(subscribed, (2, worth(PRICE, 30 * DAY, 31 * DAY)))


def test_usage_was_served(stage: Stage, subscriptions: Contract, payer: Account) -> None:
    plan_id = stage.create_plan(usage_cap=PRICE, usage_price=10**6)
    subscription_id = stage.subscribe(payer, plan_id, at=SUBSCRIBED)
    subscriptions.chargeUsage(subscription_id, 2, 700, 700, bytes(32), sender=stage.merchant)
    receipt = cancel(stage, subscription_id, 2, 1, history=[(1, PRICE, 700)], at=HALF)
    assert stage.events(receipt) == refunds(subscription_id, (2, 700), (1, PRICE // 2 - 700))


@pytest.mark.parametrize("resumed", [False, True])
def test_E25_what_was_paused_counts_as_the_longest_of_its_kind(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int, resumed: bool
) -> None:
    """28 days were paid for; 14 are left, of 31 as it were."""
    stage.at(HALF)
    subscriptions.pause(subscribed, sender=payer)
    if resumed:
        stage.at(HALF + 40 * DAY)
        subscriptions.resume(subscribed, sender=payer)
    at = HALF + 40 * DAY + (DAY if resumed else 0)
    left_s = 13 * DAY if resumed else 14 * DAY
    receipt = cancel(stage, subscribed, 1, at=at)
    assert stage.events(receipt) == refunds(subscribed, (1, worth(PRICE, left_s, LONGEST_S)))
    found = subscriptions.subscription(subscribed)
    assert (found.status, found.nextDue) == (Status.CANCELLED, at + left_s)


def test_what_ends_with_its_period_can_end_now(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int
) -> None:
    subscriptions.cancelAtPeriodEnd(subscribed, sender=payer)
    assert stage.events(cancel(stage, subscribed, 1, at=HALF)) == refunds(subscribed, (1, PRICE // 2))


def test_the_fee_is_the_payees_to_give_back(stage: Stage, accounts: Any, token: Contract, payer: Account) -> None:
    platform = accounts[8]
    subscription_id = stage.subscribe(payer, stage.create_plan(fee_bps=1_000, fee_receiver=platform), at=SUBSCRIBED)
    cancel(stage, subscription_id, 1, at=HALF)
    assert token.balanceOf(payer) == FUNDS - PRICE + PRICE // 2
    assert token.balanceOf(platform) == PRICE // 10


def test_goes_to_who_pays_now(stage: Stage, token: Contract, payers: list[Account], subscribed: int) -> None:
    change_payer(stage, payers[0], payers[1], subscribed)
    cancel(stage, subscribed, 1, at=HALF)
    assert (token.balanceOf(payers[0]), token.balanceOf(payers[1])) == (FUNDS - PRICE, FUNDS + PRICE // 2)


# --- What a coupon took off ---


@pytest.mark.parametrize(("basis_points", "amount"), [(2_500, 0), (3_333, 7), (10_000, 0), (0, PRICE)])
def test_a_discount_was_not_paid(stage: Stage, payer: Account, monthly: int, basis_points: int, amount: int) -> None:
    coupon = Coupon(basis_points_off=basis_points, amount_off=amount, periods=3)
    subscription_id = opened(stage, open_with(stage, payer, monthly, coupon=coupon, at=SUBSCRIBED))
    paid = PRICE - min(PRICE, PRICE * basis_points // 10_000 + amount)
    left = worth(paid, FIRST_DUE - HALF, PERIOD_S) if paid else 0
    receipt = cancel(stage, subscription_id, 1, history=[(0, PRICE, paid)], at=HALF)
    assert stage.events(receipt) == refunds(subscription_id, *([(1, left)] if left else []))


def test_a_coupon_that_was_not_used_yet_takes_nothing_off(stage: Stage, payer: Account, subscribed: int) -> None:
    coupon = Coupon(basis_points_off=10_000, periods=3)
    from_now = open_with(stage, payer, stage.create_plan(price=PRICE), coupon=coupon, at=SUBSCRIBED + DAY)
    assert stage.token.balanceOf(payer) == FUNDS - PRICE
    assert stage.events(cancel(stage, subscribed, 1, at=HALF)) == refunds(subscribed, (1, PRICE // 2))
    assert stage.events(cancel(stage, opened(stage, from_now), history=[(0, PRICE, 0)]))


@pytest.mark.parametrize("basis_points", [1, 2_500, 3_333, 5_000, 9_999, 10_000])
@pytest.mark.parametrize(("price", "served_s"), [(100, 0), (100, 1), (999_983, 0), (999_983, 499)])
def test_a_discounted_stub_gives_back_no_more_than_it_cost(
    stage: Stage, payer: Account, basis_points: int, price: int, served_s: int
) -> None:
    """Half a period of 1,000 seconds, of which a coupon took off a part."""
    plan_id = stage.create_plan(
        price=price, unit=Unit.SECOND, every=1_000, align_to=SUBSCRIBED - 500_500, refunds_unused=True
    )
    coupon = Coupon(basis_points_off=basis_points, periods=2)
    subscription_id = opened(stage, open_with(stage, payer, plan_id, coupon=coupon, at=SUBSCRIBED))
    stub = -(-price // 2)
    discount = stub * basis_points // 10_000
    paid = stub - discount
    of_whole = -(-discount * price // stub)
    left = (price - of_whole) * (500 - served_s) // 1_000
    assert stage.token.balanceOf(payer) == FUNDS - paid
    assert left <= paid
    receipt = cancel(stage, subscription_id, 1, history=[(0, price, paid)], at=SUBSCRIBED + served_s)
    assert stage.events(receipt) == refunds(subscription_id, *([(1, left)] if left else []))


def test_a_stub_that_cost_nothing_gives_nothing_back_of_other_charges(stage: Stage, payer: Account) -> None:
    """Paused within February, resumed with a coupon for all of the stub that follows."""
    price = 31_000_000
    plan_id = stage.create_plan(price=price, align_to=utc(2027, 1, 1))
    subscription_id = stage.subscribe(payer, plan_id, at=utc(2027, 2, 1))
    stage.at(utc(2027, 2, 14))
    stage.subscriptions.pause(subscription_id, sender=payer)
    stage.at(utc(2027, 2, 28))
    stage.subscriptions.resume(subscription_id, sender=payer)
    coupon = Coupon(basis_points_off=10_000)
    signature = signed_coupon(stage, coupon)
    stage.subscriptions.redeemCoupon(subscription_id, coupon, signature, sender=payer)
    due = utc(2027, 3, 15)
    assert stage.charge_as_previewed(subscription_id, at=due)[-1][1]["amount"] == 0
    receipt = cancel(stage, subscription_id, 1, history=[(1, price, 0)], at=due + DAY)
    assert stage.events(receipt) == refunds(subscription_id)


# --- What it refuses ---


def test_nobody_but_the_payee_may(stage: Stage, payers: list[Account], subscribed: int) -> None:
    for sender in (payers[0], stage.anyone):
        with stage.nothing_changes(), reverts("NotAuthorized", caller=sender):
            cancel(stage, subscribed, 1, sender=sender)


@pytest.mark.parametrize("subscription_id", [0, 2, 2**63, UNLIMITED])
def test_refuses_what_does_not_exist(stage: Stage, subscribed: int, subscription_id: int) -> None:
    assert subscribed == 1
    with stage.nothing_changes(), reverts("UnknownSubscription", subscriptionId=subscription_id):
        cancel(stage, subscription_id, 1)


def test_refuses_what_has_ended(stage: Stage, subscribed: int) -> None:
    cancel(stage, subscribed, 1, at=HALF)
    with stage.nothing_changes(), reverts("NotActive", subscriptionId=subscribed, status=Status.CANCELLED):
        cancel(stage, subscribed, 1)


def test_refuses_a_quoted_price(stage: Stage, project: Any, payer: Account) -> None:
    plan_id = stage.create_plan(quoter=project.MockQuoter.deploy(sender=stage.anyone))
    subscription_id = opened(stage, open_with(stage, payer, plan_id, Conditions(max_per_period=PRICE)))
    with stage.nothing_changes(), reverts("PlanIsQuoted", planId=plan_id):
        cancel(stage, subscription_id, 1, history=[(0, PRICE, PRICE)])


def test_E36_refuses_another_history(stage: Stage, payer: Account, subscribed: int) -> None:
    with stage.nothing_changes(), reverts("HistoryMismatch", subscriptionId=subscribed):
        cancel(stage, subscribed, 1, history=[(1, PRICE, NO_CHARGE)])
    stage.change_plan(payer, subscribed, stage.create_plan(price=DEARER), at=HALF)
    difference = DEARER // 2 - PRICE // 2
    for history in ([], [(1, PRICE, difference + 1)], [(1, PRICE, difference)] * 2):
        with stage.nothing_changes(), reverts("HistoryMismatch", subscriptionId=subscribed):
            cancel(stage, subscribed, 1, 2, history=history)


def test_refuses_less_than_what_is_left(stage: Stage, subscriptions: Contract, subscribed: int) -> None:
    stage.charge(subscribed, at=FIRST_DUE)
    subscriptions.refund(subscribed, 1, PRICE - 7, sender=stage.merchant)
    at = FIRST_DUE + DAY
    needed = worth(PRICE, 30 * DAY, 31 * DAY)
    for numbers, found in (((), 0), ((1,), 7), ((1, 1), 7)):
        stage.at(at)
        with stage.nothing_changes(), reverts("UnusedNotRefunded", found=found, needed=needed):
            cancel(stage, subscribed, *numbers)
    receipt = cancel(stage, subscribed, 1, 2, at=at)
    assert stage.events(receipt) == refunds(subscribed, (1, 7), (2, needed - 7))


@pytest.mark.parametrize("number", [0, 2, 2**16, UNLIMITED])
def test_refuses_charges_that_were_not_made(stage: Stage, subscribed: int, number: int) -> None:
    with stage.nothing_changes(), reverts("UnknownCharge", subscriptionId=subscribed, chargeNumber=number, charges=1):
        cancel(stage, subscribed, number, 1)


def test_E37_a_payee_without_funds_or_allowance(
    stage: Stage, subscriptions: Contract, token: Contract, subscribed: int
) -> None:
    token.transfer(stage.anyone, PRICE - 1_000, sender=stage.merchant)
    stage.at(HALF)
    with stage.nothing_changes(), reverts("BalanceTooLow", found=1_000, needed=PRICE // 2):
        cancel(stage, subscribed, 1)
    token.approve(subscriptions, 999, sender=stage.merchant)
    stage.at(HALF + DAY)
    with stage.nothing_changes(), reverts("AllowanceTooLow", found=999, needed=worth(PRICE, 13 * DAY, PERIOD_S)):
        cancel(stage, subscribed, 1)
    assert stage.status(subscribed) == Status.ACTIVE


def test_E07_a_payer_who_is_blocked(stage: Stage, subscriptions: Contract, usdc: Contract, payer: Account) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(token=usdc), at=SUBSCRIBED)
    usdc.approve(subscriptions, UNLIMITED, sender=stage.merchant)
    usdc.blacklist(payer, sender=stage.anyone)
    with stage.nothing_changes(usdc), reverts("TokenRefused", token=usdc):
        cancel(stage, subscription_id, 1)
    subscriptions.cancel(subscription_id, sender=stage.merchant)


# --- cancel, of a plan that promises it ---


@pytest.fixture
def promised(stage: Stage, payer: Account) -> int:
    """A subscription to a monthly plan whose payee gives back what is unused."""
    return stage.subscribe(payer, stage.create_plan(refunds_unused=True), at=SUBSCRIBED)


def test_the_payee_does_not_end_what_is_paid_for_without_a_refund(
    stage: Stage, subscriptions: Contract, promised: int
) -> None:
    for at in (HALF, FIRST_DUE - 1):
        stage.at(at)
        needed = worth(PRICE, FIRST_DUE - at, PERIOD_S)
        with stage.nothing_changes(), reverts("UnusedNotRefunded", found=0, needed=needed):
            subscriptions.cancel(promised, sender=stage.merchant)
    stage.at(FIRST_DUE)
    subscriptions.cancel(promised, sender=stage.merchant)
    assert (stage.status(promised), stage.totals()) == (Status.CANCELLED, (1, PRICE, 0, 0))


def test_it_may_end_with_the_period_or_with_a_refund(stage: Stage, subscriptions: Contract, promised: int) -> None:
    subscriptions.cancelAtPeriodEnd(promised, sender=stage.merchant)
    stage.at(HALF)
    with stage.nothing_changes(), reverts("UnusedNotRefunded", found=0, needed=PRICE // 2):
        subscriptions.cancel(promised, sender=stage.merchant)
    assert stage.events(cancel(stage, promised, 1, at=HALF)) == refunds(promised, (1, PRICE // 2))


def test_the_payer_ends_it_without(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, promised: int
) -> None:
    stage.at(HALF)
    subscriptions.cancel(promised, sender=payer)
    assert (token.balanceOf(payer), stage.totals()) == (FUNDS - PRICE, (1, PRICE, 0, 0))


def test_E25_what_is_paused_is_paid_for(stage: Stage, subscriptions: Contract, payer: Account, promised: int) -> None:
    stage.at(HALF)
    subscriptions.pause(promised, sender=payer)
    stage.at(HALF + 400 * DAY)
    needed = worth(PRICE, 14 * DAY, LONGEST_S)
    with stage.nothing_changes(), reverts("UnusedNotRefunded", found=0, needed=needed):
        subscriptions.cancel(promised, sender=stage.merchant)
    cancel(stage, promised, 1)
    assert stage.totals() == (1, PRICE, 1, needed)


def test_credit_is_paid_for_even_when_the_period_is_over(stage: Stage, subscriptions: Contract, payer: Account) -> None:
    dear, cheap = (stage.create_plan(price=price, refunds_unused=True) for price in (DEARER, 1))
    subscription_id = stage.subscribe(payer, dear, at=SUBSCRIBED)
    stage.change_plan(payer, subscription_id, cheap, at=HALF)
    credit = worth(DEARER, 14 * DAY, PERIOD_S)
    stage.at(FIRST_DUE + DAY)
    with stage.nothing_changes(), reverts("UnusedNotRefunded", found=0, needed=credit):
        subscriptions.cancel(subscription_id, sender=stage.merchant)


def test_a_trial_and_what_a_coupon_paid_end_without(stage: Stage, subscriptions: Contract, payer: Account) -> None:
    trial = stage.subscribe(payer, stage.create_plan(trial=DAY, refunds_unused=True))
    plan_id = stage.create_plan(price=31_000_000, align_to=utc(2027, 1, 1), refunds_unused=True)
    coupon = Coupon(basis_points_off=10_000)
    free = opened(stage, open_with(stage, payer, plan_id, coupon=coupon, at=utc(2027, 2, 15)))
    for row in (trial, free):
        subscriptions.cancel(row, sender=stage.merchant)
        assert stage.status(row) == Status.CANCELLED
    assert stage.totals() == (1, 0, 0, 0)


def test_a_plan_that_does_not_promise_it_ends_without(stage: Stage, subscriptions: Contract, subscribed: int) -> None:
    stage.at(HALF)
    subscriptions.cancel(subscribed, sender=stage.merchant)
    assert stage.totals() == (1, PRICE, 0, 0)
