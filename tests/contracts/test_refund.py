"""refund: the payee gives back at most what one charge took, from its own balance."""

from __future__ import annotations

import pytest

from tests.contracts.stage import FIRST_DUE, FUNDS, PRICE, SUBSCRIBED, UNLIMITED, Account, Contract, Stage, reverts


def test_gives_back_a_charge(
    stage: Stage, subscriptions: Contract, token: Contract, merchant: Account, payer: Account, subscribed: int
) -> None:
    receipt = subscriptions.refund(subscribed, 1, PRICE, sender=merchant)
    refunded = {"subscriptionId": subscribed, "chargeNumber": 1, "amount": PRICE}
    assert stage.events(receipt) == [("Refunded", refunded)]
    assert (token.balanceOf(payer), token.balanceOf(merchant)) == (FUNDS, 0)
    assert subscriptions.refunded(subscribed, 1) == PRICE
    assert stage.totals() == (1, PRICE, 1, PRICE)


def test_E36_gives_back_parts_up_to_the_charge_and_no_more(
    stage: Stage, subscriptions: Contract, merchant: Account, subscribed: int
) -> None:
    for part in (1, 4_000_000):
        subscriptions.refund(subscribed, 1, part, sender=merchant)
    left = PRICE - 4_000_001
    with stage.nothing_changes(), reverts("RefundTooHigh", requested=left + 1, refundable=left):
        subscriptions.refund(subscribed, 1, left + 1, sender=merchant)
    subscriptions.refund(subscribed, 1, left, sender=merchant)
    with stage.nothing_changes(), reverts("RefundTooHigh", requested=1, refundable=0):
        subscriptions.refund(subscribed, 1, 1, sender=merchant)
    assert stage.totals() == (1, PRICE, 3, PRICE)


@pytest.mark.parametrize("requested", [PRICE + 1, UNLIMITED])
def test_E36_refuses_more_than_was_charged(
    stage: Stage, subscriptions: Contract, merchant: Account, subscribed: int, requested: int
) -> None:
    with stage.nothing_changes(), reverts("RefundTooHigh", requested=requested, refundable=PRICE):
        subscriptions.refund(subscribed, 1, requested, sender=merchant)


def test_each_charge_has_a_bound_of_its_own(
    stage: Stage, subscriptions: Contract, merchant: Account, subscribed: int
) -> None:
    stage.charge(subscribed, at=FIRST_DUE)
    subscriptions.refund(subscribed, 2, PRICE, sender=merchant)
    assert [subscriptions.refunded(subscribed, number) for number in (1, 2)] == [0, PRICE]
    subscriptions.refund(subscribed, 1, PRICE, sender=merchant)
    assert stage.totals() == (2, 2 * PRICE, 2, 2 * PRICE)


@pytest.mark.parametrize("charge_number", [0, 2, 65_536, UNLIMITED])
def test_refuses_a_charge_that_was_not_made(
    stage: Stage, subscriptions: Contract, merchant: Account, subscribed: int, charge_number: int
) -> None:
    with (
        stage.nothing_changes(),
        reverts("UnknownCharge", subscriptionId=subscribed, chargeNumber=charge_number, charges=1),
    ):
        subscriptions.refund(subscribed, charge_number, 1, sender=merchant)


def test_refuses_a_subscription_that_does_not_exist(
    stage: Stage, subscriptions: Contract, merchant: Account, subscribed: int
) -> None:
    for unknown in (0, subscribed + 1, 2**63):
        with stage.nothing_changes(), reverts("UnknownSubscription", subscriptionId=unknown):
            subscriptions.refund(unknown, 1, 1, sender=merchant)


def test_E32_refuses_to_give_back_nothing(
    stage: Stage, subscriptions: Contract, merchant: Account, subscribed: int
) -> None:
    with stage.nothing_changes(), reverts("ZeroAmount"):
        subscriptions.refund(subscribed, 1, 0, sender=merchant)


def test_only_the_payee_may(stage: Stage, subscriptions: Contract, payer: Account, subscribed: int) -> None:
    for sender in (payer, stage.anyone):
        with stage.nothing_changes(), reverts("NotAuthorized", caller=sender):
            subscriptions.refund(subscribed, 1, 1, sender=sender)


def test_a_cancelled_subscription_can_still_be_refunded(
    subscriptions: Contract, token: Contract, merchant: Account, payer: Account, subscribed: int
) -> None:
    subscriptions.cancel(subscribed, sender=merchant)
    subscriptions.refund(subscribed, 1, PRICE, sender=merchant)
    assert token.balanceOf(payer) == FUNDS


def test_comes_from_the_payees_allowance(
    stage: Stage, subscriptions: Contract, token: Contract, merchant: Account, subscribed: int
) -> None:
    token.approve(subscriptions, 99, sender=merchant)
    with stage.nothing_changes(), reverts("AllowanceTooLow", found=99, needed=100):
        subscriptions.refund(subscribed, 1, 100, sender=merchant)


def test_E37_comes_from_the_payees_balance(
    stage: Stage, subscriptions: Contract, token: Contract, merchant: Account, subscribed: int
) -> None:
    token.transfer(stage.anyone, PRICE - 99, sender=merchant)
    with stage.nothing_changes(), reverts("BalanceTooLow", found=99, needed=100):
        subscriptions.refund(subscribed, 1, 100, sender=merchant)


def test_E02_refuses_when_the_payer_would_receive_less(
    stage: Stage, subscriptions: Contract, usdt: Contract, merchant: Account, payer: Account
) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(token=usdt), at=SUBSCRIBED)
    usdt.approve(subscriptions, UNLIMITED, sender=merchant)
    usdt.setParams(20, UNLIMITED, sender=stage.anyone)
    with stage.nothing_changes(usdt), reverts("AmountMismatch", received=998, expected=1_000):
        subscriptions.refund(subscription_id, 1, 1_000, sender=merchant)


def test_E05_E07_refuses_while_the_token_does(
    stage: Stage, subscriptions: Contract, usdc: Contract, merchant: Account, payer: Account
) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(token=usdc))
    usdc.approve(subscriptions, UNLIMITED, sender=merchant)
    usdc.blacklist(payer, sender=stage.anyone)
    with stage.nothing_changes(usdc), reverts("TokenRefused", token=usdc):
        subscriptions.refund(subscription_id, 1, PRICE, sender=merchant)
    usdc.unBlacklist(payer, sender=stage.anyone)
    usdc.pause(sender=stage.anyone)
    with stage.nothing_changes(usdc), reverts("TokenRefused", token=usdc):
        subscriptions.refund(subscription_id, 1, PRICE, sender=merchant)


def test_E01_works_with_a_token_that_returns_nothing(
    stage: Stage, subscriptions: Contract, usdt: Contract, merchant: Account, payer: Account
) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(token=usdt))
    usdt.approve(subscriptions, UNLIMITED, sender=merchant)
    subscriptions.refund(subscription_id, 1, PRICE, sender=merchant)
    assert usdt.balanceOf(payer) == FUNDS
