"""proposePlan: the payee tells payers which plan it asks them to change to; nothing changes before they do."""

from __future__ import annotations

import pytest

from tests.contracts.stage import FIRST_DUE, PRICE, UNLIMITED, Account, Contract, Receipt, Stage, reverts

DEARER = 2 * PRICE


@pytest.fixture
def dearer(stage: Stage) -> int:
    """The merchant's monthly plan at a higher price."""
    return stage.create_plan(price=DEARER)


def propose(stage: Stage, plan_id: int, *subscription_ids: int, sender: Account | None = None) -> Receipt:
    """The merchant proposes."""
    return stage.subscriptions.proposePlan(list(subscription_ids), plan_id, sender=sender or stage.merchant)


def test_E30_is_a_notice_and_nothing_else(
    stage: Stage, subscriptions: Contract, payers: list[Account], monthly: int, dearer: int
) -> None:
    rows = [stage.subscribe(payer, monthly) for payer in payers[:2]]
    before = [subscriptions.subscription(row) for row in rows]
    with stage.nothing_changes():
        events = stage.events(propose(stage, dearer, *rows))
    assert events == [("PlanProposed", {"subscriptionId": row, "planId": dearer}) for row in rows]
    assert [subscriptions.subscription(row) for row in rows] == before
    assert [tuple(subscriptions.scheduledChange(row)) for row in rows] == [(0, 0), (0, 0)]
    stage.charge(*rows, at=FIRST_DUE + 100)
    assert stage.totals()[:2] == (4, 4 * PRICE)


def test_the_payer_answers_by_changing(stage: Stage, payer: Account, subscribed: int, dearer: int) -> None:
    propose(stage, dearer, subscribed)
    stage.schedule_change(payer, subscribed, dearer)
    _, event = stage.charge_as_previewed(subscribed, at=FIRST_DUE)
    assert event[1]["amount"] == DEARER


def test_nobody_but_the_payee_may(stage: Stage, payer: Account, subscribed: int, dearer: int) -> None:
    for sender in (payer, stage.anyone):
        with stage.nothing_changes(), reverts("NotAuthorized", caller=sender):
            propose(stage, dearer, subscribed, sender=sender)


@pytest.mark.parametrize("number", [0, 99, 2**63, UNLIMITED])
def test_refuses_what_does_not_exist(stage: Stage, subscribed: int, dearer: int, number: int) -> None:
    with stage.nothing_changes(), reverts("UnknownPlan", planId=number):
        propose(stage, number, subscribed)
    with stage.nothing_changes(), reverts("UnknownSubscription", subscriptionId=number):
        propose(stage, dearer, subscribed, number)


def test_refuses_an_archived_plan(stage: Stage, subscriptions: Contract, subscribed: int, dearer: int) -> None:
    subscriptions.archivePlan(dearer, sender=stage.merchant)
    with stage.nothing_changes(), reverts("PlanIsArchived", planId=dearer):
        propose(stage, dearer, subscribed)


def test_refuses_subscriptions_of_another_token(stage: Stage, usdc: Contract, subscribed: int) -> None:
    other = stage.create_plan(token=usdc)
    with stage.nothing_changes(), reverts("AnotherRegister", found=1, expected=0):
        propose(stage, other, subscribed)


def test_passes_over_what_was_cancelled(
    stage: Stage, subscriptions: Contract, payers: list[Account], monthly: int, dearer: int
) -> None:
    rows = [stage.subscribe(payer, monthly) for payer in payers[:2]]
    subscriptions.cancel(rows[0], sender=payers[0])
    assert stage.events(propose(stage, dearer, *rows)) == [
        ("PlanProposed", {"subscriptionId": rows[1], "planId": dearer})
    ]
