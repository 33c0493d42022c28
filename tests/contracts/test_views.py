"""What anyone can read: plans, subscriptions, salts, refunds, and the control totals that prove a ledger complete."""

from __future__ import annotations

import pytest

from tests.contracts.stage import FIRST_DUE, PRICE, REGISTER, SUBSCRIBED, UNLIMITED, Account, Contract, Stage, reverts


def test_counts_start_at_nothing(stage: Stage, subscriptions: Contract, payer: Account) -> None:
    assert (subscriptions.planCount(), subscriptions.registerCount()) == (0, 0)
    assert (stage.opened(), stage.totals()) == (0, (0, 0, 0, 0))
    assert subscriptions.refunded(1, 1) == 0
    assert subscriptions.claimable(payer, stage.token) == 0
    assert not subscriptions.isSaltUsed(payer, 0)
    assert not subscriptions.isArchived(1)


@pytest.mark.parametrize("plan_id", [0, 2, 2**32, UNLIMITED])
def test_an_unknown_plan_is_an_error(subscriptions: Contract, anyone: Account, monthly: int, plan_id: int) -> None:
    assert monthly == 1
    for view in (subscriptions.plan, subscriptions.termsHash):
        with reverts("UnknownPlan", planId=plan_id):
            view.transact(plan_id, sender=anyone)  # Ape decodes errors of transactions alone
    with reverts("UnknownPlan", planId=plan_id):
        subscriptions.isTrialUsed.transact(plan_id, anyone, sender=anyone)


@pytest.mark.parametrize("subscription_id", [0, 2, 2**63, UNLIMITED])
def test_an_unknown_subscription_is_an_error(
    subscriptions: Contract, anyone: Account, subscribed: int, subscription_id: int
) -> None:
    assert subscribed == 1
    with reverts("UnknownSubscription", subscriptionId=subscription_id):
        subscriptions.subscription.transact(subscription_id, sender=anyone)
    with reverts("UnknownSubscription", subscriptionId=subscription_id):
        subscriptions.preview.transact(subscription_id, sender=anyone)
    with reverts("UnknownSubscription", subscriptionId=subscription_id):
        subscriptions.quote.transact(subscription_id, 1, 0, sender=anyone)


def test_control_totals_are_kept_for_each_payee_and_token(
    stage: Stage, subscriptions: Contract, usdc: Contract, payers: list[Account]
) -> None:
    other = stage.anyone
    stage.subscribe(payers[0], stage.create_plan(price=5), at=SUBSCRIBED)
    stage.subscribe(payers[1], stage.create_plan(price=7), at=SUBSCRIBED + 1)
    stage.subscribe(payers[2], stage.create_plan(price=11, token=usdc), at=SUBSCRIBED + 2)
    stage.subscribe(payers[3], stage.create_plan(price=13, payee=other), at=SUBSCRIBED + 3)
    stage.charge(1, 2, REGISTER + 1, 2 * REGISTER + 1, at=FIRST_DUE + 3)
    subscriptions.refund(2, 1, 6, sender=stage.merchant)
    assert stage.totals() == (4, 24, 1, 6)
    assert stage.totals(token=usdc) == (2, 22, 0, 0)
    assert stage.totals(other) == (2, 26, 0, 0)
    assert stage.totals(other, usdc) == (0, 0, 0, 0)
    assert [stage.opened(), stage.opened(token=usdc), stage.opened(other), stage.opened(other, usdc)] == [2, 1, 1, 0]


def test_control_totals_are_the_sum_of_the_events(
    stage: Stage, subscriptions: Contract, token: Contract, payers: list[Account], monthly: int
) -> None:
    for payer in payers:
        stage.subscribe(payer, monthly, at=stage.now + 1)
    token.approve(subscriptions, 0, sender=payers[2])
    for at in (FIRST_DUE, FIRST_DUE + 1, FIRST_DUE + 45 * 86_400):
        stage.charge(1, 2, 3, 4, 1, 9, at=at)
    subscriptions.refund(1, 2, PRICE, sender=stage.merchant)
    charged = [log.amount for log in subscriptions.Charged]
    refunded = [log.amount for log in subscriptions.Refunded]
    assert stage.totals() == (len(charged), sum(charged), len(refunded), sum(refunded))
    assert len(charged) == 10
    assert token.balanceOf(stage.merchant) == sum(charged) - sum(refunded)
    assert token.balanceOf(subscriptions) == 0
