"""subscribe: the caller agrees to the terms it saw and pays the first period now, or nothing happens."""

from __future__ import annotations

import pytest

from tallystick.core.period import Unit
from tallystick.core.subscription import Status
from tests.contracts.hostile import REFUSALS, UNMOVED, play
from tests.contracts.stage import (
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
from tests.tricks import Trick

UNKNOWN_TERMS = b"\x01" * 32


def test_pays_the_first_period_at_once(
    stage: Stage, subscriptions: Contract, token: Contract, merchant: Account, payer: Account, monthly: int
) -> None:
    stage.at(SUBSCRIBED)
    receipt = subscriptions.subscribe(monthly, subscriptions.termsHash(monthly), 0, sender=payer)
    assert stage.events(receipt) == [
        ("Subscribed", {"subscriptionId": 1, "payer": payer, "planId": monthly, "firstDue": SUBSCRIBED}),
        (
            "Charged",
            {
                "subscriptionId": 1,
                "chargeNumber": 1,
                "periodStart": SUBSCRIBED,
                "periodEnd": FIRST_DUE,
                "amount": PRICE,
            },
        ),
    ]
    assert (token.balanceOf(payer), token.balanceOf(merchant)) == (FUNDS - PRICE, PRICE)
    assert stage.totals() == (1, PRICE, 0, 0)


def test_writes_the_subscription_down(subscriptions: Contract, payer: Account, subscribed: int) -> None:
    found = subscriptions.subscription(subscribed)
    assert (found.payer, found.planId, found.nextDue) == (payer, 1, FIRST_DUE)
    assert (found.charges, found.status, found.anchorDay) == (1, Status.ACTIVE, 31)


@pytest.mark.parametrize(
    ("every", "unit", "next_due"),
    [
        (1, Unit.SECOND, SUBSCRIBED + 1),
        (30, Unit.SECOND, SUBSCRIBED + 30),
        (14, Unit.DAY, utc(2027, 2, 14, 12)),
        (2, Unit.WEEK, utc(2027, 2, 14, 12)),
        (1, Unit.MONTH, utc(2027, 2, 28, 12)),
        (3, Unit.MONTH, utc(2027, 4, 30, 12)),
        (1_180, Unit.MONTH, utc(2125, 5, 31, 12)),
        (1, Unit.YEAR, utc(2028, 1, 31, 12)),
        (100, Unit.YEAR, utc(2127, 1, 31, 12)),
    ],
)
def test_is_due_again_one_period_later(stage: Stage, payer: Account, every: int, unit: Unit, next_due: int) -> None:
    plan_id = stage.create_plan(every=every, unit=unit)
    assert stage.next_due(stage.subscribe(payer, plan_id, at=SUBSCRIBED)) == next_due


def test_each_subscription_stands_for_itself(stage: Stage, payers: list[Account], monthly: int) -> None:
    assert [stage.subscribe(payer, monthly) for payer in (payers[0], payers[1], payers[0])] == [1, 2, 3]
    assert stage.totals() == (3, 3 * PRICE, 0, 0)


@pytest.mark.parametrize("plan_id", [0, 2, 2**32, UNLIMITED])
def test_refuses_an_unknown_plan(
    stage: Stage, subscriptions: Contract, payer: Account, monthly: int, plan_id: int
) -> None:
    assert monthly == 1
    with stage.nothing_changes(), reverts("UnknownPlan", planId=plan_id):
        subscriptions.subscribe(plan_id, UNKNOWN_TERMS, 0, sender=payer)


def test_refuses_other_terms_than_the_payer_saw(
    stage: Stage, subscriptions: Contract, payer: Account, monthly: int
) -> None:
    found = subscriptions.termsHash(monthly)
    with stage.nothing_changes(), reverts("TermsChanged", found=found, expected=UNKNOWN_TERMS):
        subscriptions.subscribe(monthly, UNKNOWN_TERMS, 0, sender=payer)


def test_a_reorganisation_that_renumbers_plans_takes_nobody_in(
    stage: Stage, subscriptions: Contract, payer: Account
) -> None:
    cheap = stage.create_plan(price=PRICE)
    seen = subscriptions.termsHash(cheap)
    stage.rpc("anvil_reorg", 1, [])
    dear = stage.create_plan(price=100 * PRICE)
    assert dear == cheap
    with reverts("TermsChanged", found=subscriptions.termsHash(dear), expected=seen):
        subscriptions.subscribe(cheap, seen, 0, sender=payer)


def test_refuses_a_payer_who_would_pay_themselves(
    stage: Stage, subscriptions: Contract, merchant: Account, monthly: int
) -> None:
    stage.fund(merchant)
    with reverts("PayerIsPayee", account=merchant):
        subscriptions.subscribe(monthly, subscriptions.termsHash(monthly), 0, sender=merchant)


@pytest.mark.parametrize("found", [0, PRICE - 1])
def test_refuses_too_low_an_allowance(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, monthly: int, found: int
) -> None:
    token.approve(subscriptions, found, sender=payer)
    with stage.nothing_changes(), reverts("AllowanceTooLow", found=found, needed=PRICE):
        subscriptions.subscribe(monthly, subscriptions.termsHash(monthly), 0, sender=payer)


def test_an_allowance_of_just_the_price_suffices(stage: Stage, token: Contract, payer: Account, monthly: int) -> None:
    token.approve(stage.subscriptions, PRICE, sender=payer)
    assert stage.subscribe(payer, monthly) == 1


def test_refuses_too_low_a_balance(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, monthly: int
) -> None:
    token.transfer(stage.anyone, FUNDS - PRICE + 1, sender=payer)
    with stage.nothing_changes(), reverts("BalanceTooLow", found=PRICE - 1, needed=PRICE):
        subscriptions.subscribe(monthly, subscriptions.termsHash(monthly), 0, sender=payer)


def test_E01_a_token_that_returns_nothing_works(stage: Stage, usdt: Contract, payer: Account) -> None:
    stage.subscribe(payer, stage.create_plan(token=usdt))
    assert usdt.balanceOf(stage.merchant) == PRICE


@pytest.mark.parametrize("trick", REFUSALS)
def test_E01_E06_refuses_when_the_token_does_not_say_true(
    stage: Stage, subscriptions: Contract, hostile: Contract, payer: Account, trick: Trick
) -> None:
    plan_id = stage.create_plan(token=hostile)
    play(hostile, "transferFrom", trick)
    with stage.nothing_changes(hostile), reverts("TokenRefused", token=hostile):
        subscriptions.subscribe(plan_id, subscriptions.termsHash(plan_id), 0, sender=payer)


@pytest.mark.parametrize("trick", UNMOVED)
def test_E01_E02_refuses_when_the_token_says_true_and_moves_nothing(
    stage: Stage, subscriptions: Contract, hostile: Contract, payer: Account, trick: Trick
) -> None:
    plan_id = stage.create_plan(token=hostile)
    play(hostile, "transferFrom", trick)
    with stage.nothing_changes(hostile), reverts("AmountMismatch", received=0, expected=PRICE):
        subscriptions.subscribe(plan_id, subscriptions.termsHash(plan_id), 0, sender=payer)


@pytest.mark.parametrize(("fee_bps", "maximum_fee", "received"), [(20, UNLIMITED, 9_970_020), (20, 1, PRICE - 1)])
def test_E02_refuses_to_receive_less_than_the_price(
    stage: Stage,
    subscriptions: Contract,
    usdt: Contract,
    payer: Account,
    fee_bps: int,
    maximum_fee: int,
    received: int,
) -> None:
    plan_id = stage.create_plan(token=usdt)
    usdt.setParams(fee_bps, maximum_fee, sender=stage.anyone)
    with stage.nothing_changes(usdt), reverts("AmountMismatch", received=received, expected=PRICE):
        subscriptions.subscribe(plan_id, subscriptions.termsHash(plan_id), 0, sender=payer)


def test_E05_refuses_while_the_token_is_paused(
    stage: Stage, subscriptions: Contract, usdc: Contract, payer: Account
) -> None:
    plan_id = stage.create_plan(token=usdc)
    usdc.pause(sender=stage.anyone)
    with stage.nothing_changes(usdc), reverts("TokenRefused", token=usdc):
        subscriptions.subscribe(plan_id, subscriptions.termsHash(plan_id), 0, sender=payer)


def test_E07_refuses_a_blocked_payer(stage: Stage, subscriptions: Contract, usdc: Contract, payer: Account) -> None:
    plan_id = stage.create_plan(token=usdc)
    usdc.blacklist(payer, sender=stage.anyone)
    with stage.nothing_changes(usdc), reverts("TokenRefused", token=usdc):
        subscriptions.subscribe(plan_id, subscriptions.termsHash(plan_id), 0, sender=payer)
