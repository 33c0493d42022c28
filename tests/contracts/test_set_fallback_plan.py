"""setFallbackPlan: the payer names a plan in another token that the payee offers; charges are made under it where the
payer lacks the first token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tallystick.core.subscription import DeclineReason, Status
from tests.contracts.alternative import OTHER_PRICE, offer, offered, set_fallback_plan, withdraw
from tests.contracts.hostile import REFUSALS, UNMOVED, play
from tests.contracts.permit2 import FOREVER, UNLIMITED_160
from tests.contracts.signing import Conditions, Coupon, payee_change_data, payer_change_data, signed, signed_coupon
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
    Segment,
    Stage,
    reverts,
    utc,
)
from tests.contracts.test_lower_price import lower_price
from tests.contracts.test_set_fallback import set_fallback
from tests.tricks import Trick

SECOND_DUE, THIRD_DUE = utc(2027, 3, 31, 12), utc(2027, 4, 30, 12)
GRID = utc(2027, 1, 1)
ALLOWANCE, BALANCE, PAID = DeclineReason.ALLOWANCE, DeclineReason.BALANCE, DeclineReason.NONE


@pytest.fixture
def other(stage: Stage, usdc: Contract, monthly: int) -> int:
    """The merchant's plan in USDC, offered as an alternative to the monthly one."""
    usdc.approve(stage.subscriptions, UNLIMITED, sender=stage.merchant)
    return offered(stage, monthly, usdc)


@pytest.fixture
def backed(stage: Stage, payer: Account, subscribed: int, other: int) -> int:
    """The first payer's subscription to the monthly plan, with the other one as its fallback plan."""
    set_fallback_plan(stage, payer, subscribed, other)
    return subscribed


@pytest.fixture
def broke(stage: Stage, token: Contract, payer: Account, backed: int) -> int:
    """The same, of a payer who has taken back what the contract could move of the first token."""
    token.approve(stage.subscriptions, 0, sender=payer)
    return backed


def paid_in(subscription_id: int, number: int, alternative_id: int) -> tuple[str, dict[str, Any]]:
    """What is told before the charge."""
    told = {"subscriptionId": subscription_id, "chargeNumber": number, "alternativePlanId": alternative_id}
    return ("PaidInAlternative", told)


def charged(subscription_id: int, number: int, start: int, end: int, amount: int) -> tuple[str, dict[str, Any]]:
    """The charge itself."""
    period = {"periodStart": start, "periodEnd": end}
    return ("Charged", {"subscriptionId": subscription_id, "chargeNumber": number, **period, "amount": amount})


def elsewhere(amount: int, alternative_id: int) -> int:
    """A segment's `next`, of a charge that was paid in another token."""
    return amount | alternative_id << 96


def declines(stage: Stage, subscription_id: int, *, at: int, reason: DeclineReason = ALLOWANCE) -> None:
    """As if there were no fallback plan."""
    with stage.nothing_changes():
        ((name, values),) = stage.charge_as_previewed(subscription_id, at=at)
    assert (name, values["reason"]) == ("Declined", reason)


# --- setFallbackPlan ---


def test_the_payer_names_a_plan_that_the_payee_offers(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int, monthly: int, other: int
) -> None:
    assert tuple(subscriptions.fallbackPlan(subscribed)) == (0, 0, 0)
    receipt = set_fallback_plan(stage, payer, subscribed, other)
    named = {"subscriptionId": subscribed, "alternativePlanId": other}
    assert stage.events(receipt) == [("FallbackPlanSet", named)]
    assert tuple(subscriptions.fallbackPlan(subscribed)) == (other, monthly, 0)
    assert tuple(subscriptions.fallbackWallet(subscribed)) == (NOBODY, 0, 0)
    found = subscriptions.subscription(subscribed)
    assert (found.payer, found.planId, found.charges, found.credit, found.history) == (payer, monthly, 1, 0, 0)


def test_nobody_but_the_payer_may(stage: Stage, payers: list[Account], subscribed: int, other: int) -> None:
    for sender in (stage.merchant, stage.anyone, payers[1]):
        with stage.nothing_changes(), reverts("NotAuthorized", caller=sender):
            set_fallback_plan(stage, sender, subscribed, other)


@pytest.mark.parametrize("number", [0, 99, 2**63, UNLIMITED])
def test_refuses_what_does_not_exist(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int, other: int, number: int
) -> None:
    terms = subscriptions.termsHash(other)
    with stage.nothing_changes(), reverts("UnknownSubscription", subscriptionId=number):
        subscriptions.setFallbackPlan(number, other, terms, sender=payer)
    with stage.nothing_changes(), reverts("UnknownPlan", planId=number):
        subscriptions.setFallbackPlan(subscribed, number, terms, sender=payer)
    with reverts("UnknownSubscription", subscriptionId=number):
        subscriptions.fallbackPlan.transact(number, sender=payer)


def test_E30_refuses_other_terms_than_the_payer_saw(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int, monthly: int, other: int
) -> None:
    seen, found = subscriptions.termsHash(monthly), subscriptions.termsHash(other)
    with stage.nothing_changes(), reverts("TermsChanged", found=found, expected=seen):
        subscriptions.setFallbackPlan(subscribed, other, seen, sender=payer)


def test_refuses_what_has_been_cancelled(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int, other: int
) -> None:
    subscriptions.cancel(subscribed, sender=payer)
    with stage.nothing_changes(), reverts("NotActive", subscriptionId=subscribed, status=Status.CANCELLED):
        set_fallback_plan(stage, payer, subscribed, other)


def test_E30_refuses_what_the_payee_does_not_offer(
    stage: Stage, usdc: Contract, payer: Account, subscribed: int, monthly: int, other: int
) -> None:
    cheap = stage.create_plan(token=usdc, price=1)
    withdraw(stage, monthly, other)
    for plan_id in (cheap, other, monthly):
        with stage.nothing_changes(), reverts("NotAnAlternative", planId=monthly, alternativePlanId=plan_id):
            set_fallback_plan(stage, payer, subscribed, plan_id)


def test_refuses_an_archived_plan(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int, other: int
) -> None:
    subscriptions.archivePlan(other, sender=stage.merchant)
    with stage.nothing_changes(), reverts("PlanIsArchived", planId=other):
        set_fallback_plan(stage, payer, subscribed, other)


def test_refuses_the_receiver_of_its_fee_as_payer(
    stage: Stage, usdc: Contract, payer: Account, subscribed: int, monthly: int
) -> None:
    plan_id = offered(stage, monthly, usdc, fee_bps=1, fee_receiver=payer)
    with stage.nothing_changes(), reverts("PayerIsPayee", account=payer):
        set_fallback_plan(stage, payer, subscribed, plan_id)


def test_refuses_a_payer_who_became_the_payee_of_both(
    stage: Stage, subscriptions: Contract, token: Contract, usdc: Contract, payer: Account, subscribed: int, other: int
) -> None:
    for salt, moved in enumerate((token, usdc)):
        data = payee_change_data(stage, stage.merchant.address, payer.address, token=moved.address, salt=salt)
        signature = signed(stage.merchant, data)
        subscriptions.changePayee(stage.merchant, moved, payer, salt, UNLIMITED, signature, b"", sender=payer)
    with stage.nothing_changes(), reverts("PayerIsPayee", account=payer):
        set_fallback_plan(stage, payer, subscribed, other)


def test_refuses_more_seats_than_it_can_sell(stage: Stage, usdc: Contract, payer: Account) -> None:
    plan_id = stage.create_plan(seat_price=1)
    subscription_id = stage.subscribe(payer, plan_id, seats=5)
    dear = offered(stage, plan_id, usdc, price=0, seat_price=2**94)
    with stage.nothing_changes(), reverts("SeatsOutOfRange", found=5, allowed=3):
        set_fallback_plan(stage, payer, subscription_id, dear)


@pytest.mark.parametrize("limit", [Conditions(max_per_period=PRICE), Conditions(max_total=9 * PRICE)])
def test_refuses_where_amounts_are_limited(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int, other: int, limit: Conditions
) -> None:
    """A maximum is in units of the first token: it cannot bind what is paid in the second."""
    subscriptions.setConditions(subscribed, limit, sender=payer)
    with stage.nothing_changes(), reverts("AmountsLimited", subscriptionId=subscribed):
        set_fallback_plan(stage, payer, subscribed, other)
    subscriptions.setConditions(subscribed, Conditions(ends_at=THIRD_DUE), sender=payer)
    set_fallback_plan(stage, payer, subscribed, other)


def test_a_wallet_and_a_plan_take_each_others_place(
    stage: Stage, subscriptions: Contract, token: Contract, payers: list[Account], backed: int, monthly: int, other: int
) -> None:
    set_fallback(stage, payers[0], payers[1], backed)
    assert tuple(subscriptions.fallbackPlan(backed)) == (0, 0, 0)
    assert tuple(subscriptions.fallbackWallet(backed)) == (payers[1], monthly, 0)
    set_fallback_plan(stage, payers[0], backed, other)
    assert tuple(subscriptions.fallbackWallet(backed)) == (NOBODY, 0, 0)
    token.approve(subscriptions, 0, sender=payers[0])
    names = [name for name, _ in stage.charge_as_previewed(backed, at=FIRST_DUE)]
    assert (names, token.balanceOf(payers[1])) == (["PaidInAlternative", "Charged"], FUNDS)


def test_the_payer_drops_it(stage: Stage, subscriptions: Contract, payers: list[Account], broke: int) -> None:
    for sender in (stage.merchant, payers[1]):
        with stage.nothing_changes(), reverts("NotAuthorized", caller=sender):
            subscriptions.dropFallback(broke, sender=sender)
    receipt = subscriptions.dropFallback(broke, sender=payers[0])
    assert stage.events(receipt) == [("FallbackSet", {"subscriptionId": broke, "wallet": NOBODY})]
    assert tuple(subscriptions.fallbackPlan(broke)) == (0, 0, 0)
    declines(stage, broke, at=FIRST_DUE)


def test_a_new_payer_has_none(
    stage: Stage, subscriptions: Contract, token: Contract, payers: list[Account], backed: int, monthly: int
) -> None:
    old, new = payers[:2]
    data = payer_change_data(stage, backed, old.address, new.address, plan_id=monthly)
    subscriptions.changePayer(backed, new, 0, UNLIMITED, signed(old, data), signed(new, data), sender=stage.anyone)
    assert tuple(subscriptions.fallbackPlan(backed)) == (0, 0, 0)
    token.approve(subscriptions, 0, sender=new)
    declines(stage, backed, at=FIRST_DUE)


# --- Charged under it ---


def test_is_charged_where_the_payer_lacks_allowance(
    stage: Stage, token: Contract, usdc: Contract, payer: Account, broke: int, other: int
) -> None:
    assert stage.charge_as_previewed(broke, at=FIRST_DUE) == [
        paid_in(broke, 2, other),
        charged(broke, 2, FIRST_DUE, SECOND_DUE, OTHER_PRICE),
    ]
    assert (token.balanceOf(payer), token.balanceOf(stage.merchant)) == (FUNDS - PRICE, PRICE)
    assert (usdc.balanceOf(payer), usdc.balanceOf(stage.merchant)) == (FUNDS - OTHER_PRICE, OTHER_PRICE)
    assert stage.totals() == (1, PRICE, 0, 0)
    assert stage.totals(token=usdc) == (1, OTHER_PRICE, 0, 0)
    assert (stage.opened(), stage.opened(token=usdc)) == (1, 0)
    assert (stage.next_due(broke), stage.charges(broke)) == (SECOND_DUE, 2)


def test_is_charged_where_the_payer_lacks_balance(
    stage: Stage, token: Contract, usdc: Contract, payer: Account, backed: int
) -> None:
    token.transfer(stage.anyone, FUNDS - 2 * PRICE + 1, sender=payer)
    names = [name for name, _ in stage.charge_as_previewed(backed, at=FIRST_DUE)]
    assert names == ["PaidInAlternative", "Charged"]
    assert (token.balanceOf(payer), usdc.balanceOf(payer)) == (PRICE - 1, FUNDS - OTHER_PRICE)


def test_the_first_token_is_paid_where_the_payer_has_it(
    stage: Stage, subscriptions: Contract, token: Contract, usdc: Contract, payer: Account, backed: int
) -> None:
    token.approve(subscriptions, PRICE, sender=payer)
    assert [name for name, _ in stage.charge_as_previewed(backed, at=FIRST_DUE)] == ["Charged"]
    assert usdc.balanceOf(payer) == FUNDS


def test_back_in_the_first_token_the_next_charge_is_as_before(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, broke: int
) -> None:
    stage.charge(broke, at=FIRST_DUE)
    token.approve(subscriptions, UNLIMITED, sender=payer)
    assert stage.charge_as_previewed(broke, at=SECOND_DUE) == [charged(broke, 3, SECOND_DUE, THIRD_DUE, PRICE)]
    assert stage.totals() == (2, 2 * PRICE, 0, 0)


def test_E07_lacking_both_the_reason_is_that_of_the_first(
    stage: Stage, subscriptions: Contract, token: Contract, usdc: Contract, payer: Account, backed: int
) -> None:
    token.transfer(stage.anyone, FUNDS - 2 * PRICE + 1, sender=payer)
    usdc.approve(subscriptions, OTHER_PRICE - 1, sender=payer)
    declines(stage, backed, at=FIRST_DUE, reason=BALANCE)
    usdc.approve(subscriptions, UNLIMITED, sender=payer)
    usdc.transfer(stage.anyone, FUNDS - OTHER_PRICE + 1, sender=payer)
    declines(stage, backed, at=FIRST_DUE + 10, reason=BALANCE)
    usdc.transfer(payer, 1, sender=stage.anyone)
    assert stage.charge(backed) == [PAID]


def test_E07_a_payer_whom_the_first_token_blocks_lacks_nothing(
    stage: Stage, token: Contract, usdc: Contract, payer: Account
) -> None:
    plan_id = stage.create_plan(token=usdc)
    subscription_id = stage.subscribe(payer, plan_id, at=SUBSCRIBED)
    set_fallback_plan(stage, payer, subscription_id, offered(stage, plan_id, token))
    usdc.blacklist(payer, sender=stage.anyone)
    with stage.nothing_changes(token, usdc):
        assert stage.charge(subscription_id, at=FIRST_DUE) == [DeclineReason.BLOCKED]


def test_E07_what_the_payee_cannot_receive_is_kept_for_them(
    stage: Stage, subscriptions: Contract, usdc: Contract, broke: int
) -> None:
    usdc.blacklist(stage.merchant, sender=stage.anyone)
    names = [name for name, _ in stage.charge_as_previewed(broke, at=FIRST_DUE)]
    assert names == ["PaidInAlternative", "Claimable", "Charged"]
    assert subscriptions.claimable(stage.merchant, usdc) == OTHER_PRICE == usdc.balanceOf(subscriptions)
    assert stage.totals(token=usdc) == (1, OTHER_PRICE, 0, 0)


def test_E07_a_payer_whom_the_second_token_blocks_declines(
    stage: Stage, usdc: Contract, payer: Account, broke: int
) -> None:
    usdc.blacklist(payer, sender=stage.anyone)
    with stage.nothing_changes(stage.token, usdc):
        assert stage.charge(broke, at=FIRST_DUE) == [DeclineReason.BLOCKED]
    assert stage.totals(token=usdc) == (0, 0, 0, 0)


@pytest.mark.parametrize("trick", [*REFUSALS, *UNMOVED, Trick.MOVE_AND_DENY])
def test_E01_E02_a_second_token_that_refuses_or_lies_is_undone(
    stage: Stage, subscriptions: Contract, token: Contract, hostile: Contract, payers: list[Account], trick: Trick
) -> None:
    plan_id = stage.create_plan()
    plain = stage.subscribe(payers[1], plan_id, at=SUBSCRIBED)
    subscription_id = stage.subscribe(payers[0], plan_id, at=SUBSCRIBED + 1)
    set_fallback_plan(stage, payers[0], subscription_id, offered(stage, plan_id, hostile))
    token.approve(subscriptions, 0, sender=payers[0])
    play(hostile, "transferFrom", trick)
    before = subscriptions.subscription(subscription_id)
    assert stage.charge(subscription_id, plain, at=FIRST_DUE + 1) == [DeclineReason.TOKEN_REFUSED, PAID]
    assert subscriptions.subscription(subscription_id) == before
    assert (stage.totals(), stage.totals(token=hostile)) == ((3, 3 * PRICE, 0, 0), (0, 0, 0, 0))
    assert hostile.balanceOf(payers[0]) == FUNDS


@pytest.mark.parametrize("function", ["allowance", "balanceOf"])
@pytest.mark.parametrize("trick", [Trick.REFUSE, Trick.BURN_GAS, Trick.RETURN_BOMB])
def test_E06_a_second_token_that_does_not_answer_spoils_no_other_row(
    stage: Stage,
    subscriptions: Contract,
    token: Contract,
    hostile: Contract,
    payers: list[Account],
    function: str,
    trick: Trick,
) -> None:
    plan_id = stage.create_plan()
    plain = stage.subscribe(payers[1], plan_id, at=SUBSCRIBED)
    subscription_id = stage.subscribe(payers[0], plan_id, at=SUBSCRIBED + 1)
    set_fallback_plan(stage, payers[0], subscription_id, offered(stage, plan_id, hostile))
    token.approve(subscriptions, 0, sender=payers[0])
    play(hostile, function, trick)
    (outcome, other) = stage.charge(subscription_id, plain, at=FIRST_DUE + 1)
    assert other == PAID
    assert outcome == PAID or stage.totals(token=hostile) == (0, 0, 0, 0)


def test_E33_the_fee_is_by_the_terms_of_the_alternative(
    stage: Stage, accounts: list[Account], subscriptions: Contract, token: Contract, usdc: Contract, payer: Account
) -> None:
    first, second = accounts[8], accounts[9]
    plan_id = stage.create_plan(fee_bps=333, fee_receiver=first)
    subscription_id = stage.subscribe(payer, plan_id, at=SUBSCRIBED)
    set_fallback_plan(stage, payer, subscription_id, offered(stage, plan_id, usdc, fee_bps=1_001, fee_receiver=second))
    token.approve(subscriptions, 0, sender=payer)
    stage.charge_as_previewed(subscription_id, at=FIRST_DUE)
    fee = OTHER_PRICE * 1_001 // 10_000
    assert (usdc.balanceOf(first), usdc.balanceOf(second), usdc.balanceOf(stage.merchant)) == (
        0,
        fee,
        OTHER_PRICE - fee,
    )
    assert (usdc.balanceOf(payer), stage.totals(token=usdc)) == (FUNDS - OTHER_PRICE, (1, OTHER_PRICE, 0, 0))


def test_costs_the_rate_of_the_seats(
    stage: Stage, subscriptions: Contract, token: Contract, usdc: Contract, payer: Account
) -> None:
    plan_id = stage.create_plan(seat_price=7)
    subscription_id = stage.subscribe(payer, plan_id, seats=3, at=SUBSCRIBED)
    set_fallback_plan(stage, payer, subscription_id, offered(stage, plan_id, usdc, seat_price=11))
    token.approve(subscriptions, 0, sender=payer)
    _, event = stage.charge_as_previewed(subscription_id, at=FIRST_DUE)
    assert event[1]["amount"] == OTHER_PRICE + 33


@pytest.mark.parametrize("price", [1, OTHER_PRICE])
def test_E38_of_a_fixed_grid_a_part_costs_its_part_rounded_up(
    stage: Stage, subscriptions: Contract, token: Contract, usdc: Contract, payer: Account, price: int
) -> None:
    plan_id = stage.create_plan(trial=DAY, align_to=GRID)
    subscription_id = stage.subscribe(payer, plan_id, at=utc(2027, 2, 10))
    other = offered(stage, plan_id, usdc, price=price, align_to=GRID)
    set_fallback_plan(stage, payer, subscription_id, other)
    token.approve(subscriptions, 0, sender=payer)
    start, end = utc(2027, 2, 11), utc(2027, 3, 1)
    part = -(-price * 18 // 28)
    assert stage.charge_as_previewed(subscription_id, at=start) == [
        paid_in(subscription_id, 1, other),
        charged(subscription_id, 1, start, end, part),
    ]
    _, event = stage.charge_as_previewed(subscription_id, at=end)
    assert event == charged(subscription_id, 2, end, utc(2027, 4, 1), price)
    assert stage.totals(token=usdc) == (2, part + price, 0, 0)


def test_E22_a_missed_period_costs_as_much(
    stage: Stage, subscriptions: Contract, token: Contract, usdc: Contract, payer: Account
) -> None:
    plan_id = stage.create_plan(catch_up=1)
    subscription_id = stage.subscribe(payer, plan_id, at=SUBSCRIBED)
    set_fallback_plan(stage, payer, subscription_id, offered(stage, plan_id, usdc))
    token.approve(subscriptions, 0, sender=payer)
    assert stage.charge(subscription_id, at=SECOND_DUE) == [PAID]
    assert stage.charge(subscription_id, at=SECOND_DUE + 5) == [PAID]
    assert stage.totals(token=usdc) == (2, 2 * OTHER_PRICE, 0, 0)


def test_uses_no_credit(stage: Stage, subscriptions: Contract, token: Contract, usdc: Contract, payer: Account) -> None:
    dear = stage.create_plan(price=3 * PRICE)
    plan_id = stage.create_plan()
    subscription_id = stage.subscribe(payer, dear, at=SUBSCRIBED)
    stage.change_plan(payer, subscription_id, plan_id, at=FIRST_DUE - 7 * DAY)
    credit = subscriptions.subscription(subscription_id).credit
    assert 0 < credit < PRICE
    set_fallback_plan(stage, payer, subscription_id, offered(stage, plan_id, usdc))
    token.approve(subscriptions, 0, sender=payer)
    names = [name for name, _ in stage.charge_as_previewed(subscription_id, at=FIRST_DUE)]
    assert names == ["PaidInAlternative", "Charged"]
    assert subscriptions.subscription(subscription_id).credit == credit
    token.approve(subscriptions, UNLIMITED, sender=payer)
    used, last = stage.charge_as_previewed(subscription_id, at=SECOND_DUE)
    assert (used[0], last[1]["amount"]) == ("CreditUsed", PRICE - credit)


def test_credit_that_pays_all_leaves_nothing_to_pay_elsewhere(
    stage: Stage, subscriptions: Contract, token: Contract, usdc: Contract, payer: Account
) -> None:
    dear = stage.create_plan(price=9 * PRICE)
    plan_id = stage.create_plan()
    subscription_id = stage.subscribe(payer, dear, at=SUBSCRIBED)
    stage.change_plan(payer, subscription_id, plan_id, at=FIRST_DUE - 7 * DAY)
    set_fallback_plan(stage, payer, subscription_id, offered(stage, plan_id, usdc))
    token.approve(subscriptions, 0, sender=payer)
    names = [name for name, _ in stage.charge_as_previewed(subscription_id, at=FIRST_DUE)]
    assert (names, usdc.balanceOf(payer)) == (["CreditUsed", "Charged"], FUNDS)


def test_a_coupon_takes_nothing_off_and_is_not_used_up(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, broke: int
) -> None:
    coupon = Coupon(amount_off=5, periods=2)
    subscriptions.redeemCoupon(broke, coupon, signed_coupon(stage, coupon), sender=payer)
    _, event = stage.charge_as_previewed(broke, at=FIRST_DUE)
    assert event[1]["amount"] == OTHER_PRICE
    assert tuple(subscriptions.discount(broke)) == (0, 5, 2)
    token.approve(subscriptions, UNLIMITED, sender=payer)
    _, event = stage.charge_as_previewed(broke, at=SECOND_DUE)
    assert event[1]["amount"] == PRICE - 5


def test_through_permit2_the_second_token_moves_so_too(
    stage: Stage,
    subscriptions: Contract,
    permit2: Contract,
    usdc: Contract,
    payer: Account,
    broke: int,
) -> None:
    subscriptions.setConditions(broke, Conditions(by_permit2=True), sender=payer)
    declines(stage, broke, at=FIRST_DUE)
    usdc.approve(permit2, UNLIMITED, sender=payer)
    usdc.approve(subscriptions, 0, sender=payer)
    permit2.approve(usdc, subscriptions, UNLIMITED_160, FOREVER, sender=payer)
    names = [name for name, _ in stage.charge_as_previewed(broke, at=FIRST_DUE + 10)]
    assert (names, usdc.balanceOf(payer)) == (["PaidInAlternative", "Charged"], FUNDS - OTHER_PRICE)


def test_is_charged_beside_others_in_a_batch(
    stage: Stage, usdc: Contract, payers: list[Account], broke: int, monthly: int, other: int
) -> None:
    """Of both registers: each counts its own, and what another run has counted in it stays."""
    plain = [stage.subscribe(payer, monthly) for payer in payers[1:]]
    direct = stage.subscribe(payers[1], other)
    rows = [direct, plain[0], broke, plain[1], direct, broke]
    outcomes = stage.charge(*rows, at=FIRST_DUE + 100)
    assert outcomes == [PAID, PAID, PAID, PAID, DeclineReason.NOT_DUE, DeclineReason.NOT_DUE]
    assert stage.totals() == (6, 6 * PRICE, 0, 0)
    assert stage.totals(token=usdc) == (3, 3 * OTHER_PRICE, 0, 0)
    assert stage.charge(broke, at=SECOND_DUE) == [PAID]
    assert stage.totals(token=usdc) == (4, 4 * OTHER_PRICE, 0, 0)


# --- What was not agreed to ---


def test_E30_is_not_charged_once_the_offer_is_withdrawn(stage: Stage, broke: int, monthly: int, other: int) -> None:
    withdraw(stage, monthly, other)
    declines(stage, broke, at=FIRST_DUE)
    offer(stage, monthly, other)
    assert stage.charge(broke) == [PAID]


def test_an_archived_plan_goes_on(stage: Stage, subscriptions: Contract, broke: int, other: int) -> None:
    subscriptions.archivePlan(other, sender=stage.merchant)
    assert stage.charge(broke, at=FIRST_DUE) == [PAID]


def test_E30_is_not_charged_while_amounts_are_limited(
    stage: Stage, subscriptions: Contract, payer: Account, broke: int
) -> None:
    for at, limit in enumerate((Conditions(max_per_period=2 * PRICE), Conditions(max_total=2 * PRICE))):
        subscriptions.setConditions(broke, limit, sender=payer)
        declines(stage, broke, at=FIRST_DUE + 100 * at)
    subscriptions.setConditions(broke, Conditions(ends_at=SECOND_DUE), sender=payer)
    assert stage.charge(broke) == [PAID]
    assert stage.charge(broke, at=SECOND_DUE) == [DeclineReason.ENDED]


@pytest.mark.parametrize("moved", ["token", "usdc"])
def test_E30_is_not_charged_once_one_register_has_another_payee(
    stage: Stage, request: Any, subscriptions: Contract, payers: list[Account], broke: int, moved: str
) -> None:
    contract, new = request.getfixturevalue(moved), payers[3]
    data = payee_change_data(stage, stage.merchant.address, new.address, token=contract.address)
    signatures = (signed(stage.merchant, data), signed(new, data))
    subscriptions.changePayee(stage.merchant, contract, new, 0, UNLIMITED, *signatures, sender=stage.anyone)
    declines(stage, broke, at=FIRST_DUE)


@pytest.mark.parametrize("at_once", [True, False])
def test_E30_holds_for_the_plan_and_the_seats_it_was_named_for(
    stage: Stage, subscriptions: Contract, token: Contract, usdc: Contract, payer: Account, at_once: bool
) -> None:
    plan_id, another = stage.create_plan(seat_price=7), stage.create_plan(seat_price=8)
    other = offered(stage, plan_id, usdc, seat_price=11)
    offer(stage, another, other)
    move = stage.change_plan if at_once else stage.schedule_change
    for to, seats in ((plan_id, 4), (another, 3)):
        subscription_id = stage.subscribe(payer, plan_id, seats=3)
        set_fallback_plan(stage, payer, subscription_id, other)
        move(payer, subscription_id, to, seats=seats)
        token.approve(subscriptions, 0, sender=payer)
        declines(stage, subscription_id, at=stage.next_due(subscription_id))
        token.approve(subscriptions, UNLIMITED, sender=payer)


def test_a_lower_price_takes_it_along_where_it_is_offered_for_the_new_plan_too(
    stage: Stage, subscriptions: Contract, usdc: Contract, broke: int, other: int
) -> None:
    lower = stage.create_plan(price=PRICE - 1)
    lower_price(stage, lower, broke)
    assert tuple(subscriptions.fallbackPlan(broke)) == (other, lower, 0)
    declines(stage, broke, at=FIRST_DUE)
    offer(stage, lower, other)
    names = [name for name, _ in stage.charge_as_previewed(broke, at=FIRST_DUE + 10)]
    assert names == ["PlanChanged", "PaidInAlternative", "Charged"]
    assert stage.totals(token=usdc) == (1, OTHER_PRICE, 0, 0)


def test_does_not_pay_for_usage(
    stage: Stage, subscriptions: Contract, token: Contract, usdc: Contract, payer: Account
) -> None:
    plan_id = stage.create_plan(usage_cap=PRICE, usage_price=10**6)
    subscription_id = stage.subscribe(payer, plan_id, at=SUBSCRIBED)
    set_fallback_plan(stage, payer, subscription_id, offered(stage, plan_id, usdc))
    token.approve(subscriptions, 0, sender=payer)
    stage.charge(subscription_id, at=FIRST_DUE)
    with stage.nothing_changes(), reverts("AllowanceTooLow", found=0, needed=5):
        subscriptions.chargeUsage(subscription_id, 3, 5, 5, bytes(32), sender=stage.merchant)
    token.approve(subscriptions, UNLIMITED, sender=payer)
    subscriptions.chargeUsage(subscription_id, 3, 5, 5, bytes(32), sender=stage.merchant)
    assert (stage.totals(), stage.totals(token=usdc)) == ((2, PRICE + 5, 0, 0), (1, OTHER_PRICE, 0, 0))
    usdc.approve(subscriptions, UNLIMITED, sender=stage.merchant)
    history = [(1, PRICE, elsewhere(OTHER_PRICE, subscriptions.planCount())), (2, PRICE, 5)]
    for number, amount, moved in ((2, OTHER_PRICE, usdc), (3, 5, token), (1, PRICE, token)):
        with stage.nothing_changes(), reverts("RefundTooHigh", requested=amount + 1, refundable=amount):
            subscriptions.refundChanged(subscription_id, number, amount + 1, history, sender=stage.merchant)
        before = moved.balanceOf(payer)
        subscriptions.refundChanged(subscription_id, number, amount, history, sender=stage.merchant)
        assert moved.balanceOf(payer) == before + amount


# --- Afterwards ---


@pytest.fixture
def paid(stage: Stage, broke: int) -> int:
    """Charged under its fallback plan, once."""
    stage.charge(broke, at=FIRST_DUE)
    return broke


def test_E31_what_is_left_of_it_is_not_changed_at_once(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, paid: int
) -> None:
    dearer = stage.create_plan(price=3 * PRICE)
    token.approve(subscriptions, UNLIMITED, sender=payer)
    with stage.nothing_changes(), reverts("PaidInAnotherToken", subscriptionId=paid):
        stage.change_plan(payer, paid, dearer)
    with reverts("PaidInAnotherToken", subscriptionId=paid):
        subscriptions.quote.transact(paid, dearer, 0, sender=payer)
    stage.schedule_change(payer, paid, dearer)
    names = [name for name, _ in stage.charge_as_previewed(paid, at=SECOND_DUE)]
    assert names == ["PlanChanged", "Charged"]
    stage.change_plan(payer, paid, stage.create_plan(price=4 * PRICE))


def test_E36_the_payee_ends_it_without_a_refund_of_what_is_left(
    stage: Stage, subscriptions: Contract, paid: int, other: int
) -> None:
    history = [(1, PRICE, elsewhere(OTHER_PRICE, other))]
    with stage.nothing_changes(), reverts("PaidInAnotherToken", subscriptionId=paid):
        subscriptions.cancelWithRefund(paid, [2], history, sender=stage.merchant)
    subscriptions.cancel(paid, sender=stage.merchant)
    subscriptions.refundChanged(paid, 2, OTHER_PRICE, history, sender=stage.merchant)


def test_E36_an_earlier_one_is_no_charge_to_refund_what_is_left_from(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, paid: int, other: int
) -> None:
    token.approve(subscriptions, UNLIMITED, sender=payer)
    stage.charge(paid, at=SECOND_DUE)
    history = [(1, PRICE, elsewhere(OTHER_PRICE, other))]
    with stage.nothing_changes(), reverts("PaidInAnotherToken", subscriptionId=paid):
        subscriptions.cancelWithRefund(paid, [2], history, sender=stage.merchant)
    subscriptions.cancelWithRefund(paid, [3], history, sender=stage.merchant)


def test_E36_is_refunded_in_the_token_in_which_it_was_paid(
    stage: Stage, subscriptions: Contract, token: Contract, usdc: Contract, payer: Account, paid: int, other: int
) -> None:
    history: list[Segment] = [(1, PRICE, elsewhere(OTHER_PRICE, other))]
    assert subscriptions.subscription(paid).history != 0
    with stage.nothing_changes(), reverts("HistoryMismatch", subscriptionId=paid):
        subscriptions.refund(paid, 2, 1, sender=stage.merchant)
    wrong = [(1, PRICE, OTHER_PRICE)], [(1, PRICE, elsewhere(OTHER_PRICE, 1))], [(1, PRICE, NO_CHARGE)]
    for segments in wrong:
        with stage.nothing_changes(), reverts("HistoryMismatch", subscriptionId=paid):
            subscriptions.refundChanged(paid, 2, 1, segments, sender=stage.merchant)
    for number, cost, moved in ((1, PRICE, token), (2, OTHER_PRICE, usdc)):
        with stage.nothing_changes(token, usdc), reverts("RefundTooHigh", requested=cost + 1, refundable=cost):
            subscriptions.refundChanged(paid, number, cost + 1, history, sender=stage.merchant)
        before = moved.balanceOf(payer)
        subscriptions.refundChanged(paid, number, cost - 1, history, sender=stage.merchant)
        subscriptions.refundChanged(paid, number, 1, history, sender=stage.merchant)
        assert moved.balanceOf(payer) == before + cost
        assert stage.totals(token=moved)[2:] == (2, cost)
    with stage.nothing_changes(), reverts("NotAuthorized", caller=stage.anyone):
        subscriptions.refundChanged(paid, 2, 1, history, sender=stage.anyone)


def test_E36_its_refund_is_of_the_payee_of_its_register(
    stage: Stage, subscriptions: Contract, usdc: Contract, payers: list[Account], paid: int, other: int
) -> None:
    payer, new = payers[0], payers[3]
    data = payee_change_data(stage, stage.merchant.address, new.address, token=usdc.address)
    signatures = (signed(stage.merchant, data), signed(new, data))
    subscriptions.changePayee(stage.merchant, usdc, new, 0, UNLIMITED, *signatures, sender=stage.anyone)
    history = [(1, PRICE, elsewhere(OTHER_PRICE, other))]
    with stage.nothing_changes(), reverts("NotAuthorized", caller=stage.merchant):
        subscriptions.refundChanged(paid, 2, 1, history, sender=stage.merchant)
    with stage.nothing_changes(), reverts("NotAuthorized", caller=new):
        subscriptions.refundChanged(paid, 1, 1, history, sender=new)
    subscriptions.refundChanged(paid, 2, OTHER_PRICE, history, sender=new)
    assert (usdc.balanceOf(payer), usdc.balanceOf(new)) == (FUNDS, FUNDS - OTHER_PRICE)
    assert stage.totals(new, usdc) == (1, OTHER_PRICE, 1, OTHER_PRICE)


@pytest.mark.parametrize("by", ["pause", "changePayer"])
def test_the_period_stays_one_that_was_paid_in_another_token(
    stage: Stage, subscriptions: Contract, payers: list[Account], paid: int, monthly: int, by: str
) -> None:
    payer = payers[0]
    if by == "pause":
        subscriptions.pause(paid, sender=payer)
        subscriptions.resume(paid, sender=payer)
    else:
        data = payer_change_data(stage, paid, payer.address, payers[1].address, plan_id=monthly)
        payer = payers[1]
        subscriptions.changePayer(paid, payer, 0, UNLIMITED, signed(payers[0], data), b"", sender=payer)
    dearer = stage.create_plan(price=3 * PRICE)
    with stage.nothing_changes(), reverts("PaidInAnotherToken", subscriptionId=paid):
        stage.change_plan(payer, paid, dearer)


def test_E36_a_scheduled_change_and_a_charge_elsewhere_are_two_segments(
    stage: Stage,
    subscriptions: Contract,
    token: Contract,
    payer: Account,
    broke: int,
    monthly: int,
    other: int,
) -> None:
    dearer = stage.create_plan(price=3 * PRICE)
    token.approve(subscriptions, UNLIMITED, sender=payer)
    stage.change_plan(payer, broke, dearer, at=SUBSCRIBED + 14 * DAY)
    stage.schedule_change(payer, broke, monthly)
    token.approve(subscriptions, 0, sender=payer)
    names = [name for name, _ in stage.charge_as_previewed(broke, at=FIRST_DUE)]
    assert names == ["PlanChanged", "PaidInAlternative", "Charged"]
    history = [(1, PRICE, PRICE), (2, 3 * PRICE, NO_CHARGE), (2, PRICE, elsewhere(OTHER_PRICE, other))]
    for number, cost in ((1, PRICE), (2, PRICE), (3, OTHER_PRICE)):
        with stage.nothing_changes(), reverts("RefundTooHigh", requested=cost + 1, refundable=cost):
            subscriptions.refundChanged(broke, number, cost + 1, history, sender=stage.merchant)
        subscriptions.refundChanged(broke, number, cost, history, sender=stage.merchant)


@pytest.mark.parametrize("refuse", [lambda c, s: c.archivePlan(1, sender=s.merchant), None])
def test_preview_names_the_plan_under_which_it_would_be_charged(
    stage: Stage,
    subscriptions: Contract,
    token: Contract,
    payer: Account,
    broke: int,
    monthly: int,
    other: int,
    refuse: Callable[[Contract, Stage], object] | None,
) -> None:
    if refuse:
        refuse(subscriptions, stage)
    stage.at(FIRST_DUE - 10)
    stage.rpc("evm_mine")
    told = subscriptions.preview(broke)
    assert (told.reason, told.planId, told.amount) == (DeclineReason.NOT_DUE, monthly, PRICE)
    stage.at(FIRST_DUE)
    stage.rpc("evm_mine")
    told = subscriptions.preview(broke)
    assert (told.reason, told.planId, told.amount) == (PAID, other, OTHER_PRICE)
    scheduled = stage.create_plan(price=5)
    token.approve(subscriptions, UNLIMITED, sender=payer)
    stage.charge(broke)
    stage.schedule_change(payer, broke, scheduled)
    assert subscriptions.preview(broke).planId == scheduled
