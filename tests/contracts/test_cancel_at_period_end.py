"""cancelAtPeriodEnd: what is paid is used up, nothing more is charged."""

from __future__ import annotations

import pytest

from tallystick.core.subscription import DeclineReason, Status
from tests.contracts.stage import DAY, FIRST_DUE, Account, Contract, Stage, reverts


@pytest.mark.parametrize("role", ["payer", "payee"])
def test_ends_with_the_paid_period(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int, role: str
) -> None:
    sender = payer if role == "payer" else stage.merchant
    receipt = subscriptions.cancelAtPeriodEnd(subscribed, sender=sender)
    scheduled = {"subscriptionId": subscribed, "endsAt": FIRST_DUE}
    assert stage.events(receipt) == [("CancellationScheduled", scheduled)]
    assert stage.status(subscribed) == Status.ENDING
    assert stage.next_due(subscribed) == FIRST_DUE
    assert stage.charge(subscribed, at=FIRST_DUE) == [DeclineReason.ENDED]


def test_of_an_overdue_subscription_gives_up_what_is_due(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int
) -> None:
    stage.at(FIRST_DUE + 50 * DAY)
    receipt = subscriptions.cancelAtPeriodEnd(subscribed, sender=payer)
    assert stage.events(receipt)[0][1]["endsAt"] == FIRST_DUE
    assert stage.charge(subscribed) == [DeclineReason.ENDED]


def test_nobody_else_may(stage: Stage, subscriptions: Contract, payers: list[Account], subscribed: int) -> None:
    for sender in (stage.anyone, payers[1]):
        with stage.nothing_changes(), reverts("NotAuthorized", caller=sender):
            subscriptions.cancelAtPeriodEnd(subscribed, sender=sender)


def test_refuses_what_does_not_exist(subscriptions: Contract, payer: Account, subscribed: int) -> None:
    with reverts("UnknownSubscription", subscriptionId=subscribed + 1):
        subscriptions.cancelAtPeriodEnd(subscribed + 1, sender=payer)


@pytest.mark.parametrize(("verb", "status"), [("cancel", Status.CANCELLED), ("cancelAtPeriodEnd", Status.ENDING)])
def test_refuses_what_ends_already(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int, verb: str, status: Status
) -> None:
    getattr(subscriptions, verb)(subscribed, sender=payer)
    with stage.nothing_changes(), reverts("NotActive", subscriptionId=subscribed, status=status):
        subscriptions.cancelAtPeriodEnd(subscribed, sender=payer)
