"""Grace: a period can be charged in [due, due + grace), or the subscription has ended."""

from __future__ import annotations

import pytest

from tallystick.core.period import Unit
from tallystick.core.subscription import DeclineReason, Status
from tests.contracts.stage import DAY, FIRST_DUE, PRICE, SUBSCRIBED, Account, Contract, Stage, reverts, utc

GRACE = 5 * DAY
PAID, ENDED, NOT_DUE = DeclineReason.NONE, DeclineReason.ENDED, DeclineReason.NOT_DUE


@pytest.fixture
def graced(stage: Stage, payer: Account) -> int:
    """The first payer's subscription to a monthly plan with grace, opened at SUBSCRIBED."""
    return stage.subscribe(payer, stage.create_plan(grace=GRACE), at=SUBSCRIBED)


@pytest.mark.parametrize(
    ("offset_s", "outcome"),
    [(-GRACE - 1, NOT_DUE), (-GRACE, PAID), (-GRACE + 1, PAID), (-1, PAID), (0, ENDED), (1, ENDED), (DAY, ENDED)],
)
def test_E20_can_be_charged_until_it_has_passed(
    stage: Stage, graced: int, offset_s: int, outcome: DeclineReason
) -> None:
    assert stage.charge(graced, at=FIRST_DUE + GRACE + offset_s) == [outcome]


@pytest.mark.parametrize("grace", [1, 2**32 - 1])
def test_E20_E28_the_shortest_and_the_longest(stage: Stage, payer: Account, grace: int) -> None:
    plan_id = stage.create_plan(grace=grace)
    late, in_time = (stage.subscribe(payer, plan_id, at=SUBSCRIBED + at) for at in (0, 1))
    assert stage.charge(late, in_time, at=FIRST_DUE + grace) == [ENDED, PAID]


def test_what_has_ended_stays_so_and_changes_nothing(
    stage: Stage, subscriptions: Contract, payer: Account, graced: int
) -> None:
    for at in (FIRST_DUE + GRACE, utc(2027, 3, 31, 12), utc(2027, 4, 2), utc(2035, 1, 1)):
        with stage.nothing_changes():
            stage.at(at)
            receipt = subscriptions.charge([graced], sender=stage.anyone)
        declined = {"subscriptionId": graced, "due": FIRST_DUE, "reason": ENDED}
        assert stage.events(receipt) == [("Declined", declined)]
    with stage.nothing_changes(), reverts("ChargeDue", subscriptionId=graced, due=FIRST_DUE):
        subscriptions.pause(graced, sender=payer)
    subscriptions.cancel(graced, sender=payer)
    assert stage.charge(graced) == [DeclineReason.CANCELLED]


def test_begins_anew_with_each_period(stage: Stage, graced: int) -> None:
    assert stage.charge(graced, at=FIRST_DUE + GRACE - 1) == [PAID]
    due = utc(2027, 3, 31, 12)
    assert stage.next_due(graced) == due
    assert stage.charge(graced, at=due + GRACE - 1) == [PAID]
    assert stage.charge(graced, at=stage.next_due(graced) + GRACE) == [ENDED]


def test_begins_with_the_end_of_the_trial(stage: Stage, payers: list[Account]) -> None:
    plan_id = stage.create_plan(grace=GRACE, trial=10 * DAY)
    first, second = (stage.subscribe(payer, plan_id, at=SUBSCRIBED + at) for at, payer in enumerate(payers[:2]))
    assert stage.charge(first, second, at=SUBSCRIBED + 10 * DAY + GRACE) == [ENDED, PAID]


def test_E22_begins_with_the_oldest_period_that_can_be_collected(stage: Stage, payer: Account) -> None:
    plan_id = stage.create_plan(grace=GRACE, every=2, unit=Unit.DAY, catch_up=2)
    subscription_id = stage.subscribe(payer, plan_id, at=SUBSCRIBED)
    due = SUBSCRIBED + 2 * DAY
    assert stage.charge(subscription_id, at=due + GRACE - 1) == [PAID]
    assert stage.charge(subscription_id, at=due + 2 * DAY + GRACE) == [ENDED]


def test_E25_a_pause_does_not_use_it_up(stage: Stage, subscriptions: Contract, payer: Account, graced: int) -> None:
    stage.at(FIRST_DUE - 1)
    subscriptions.pause(graced, sender=payer)
    assert stage.charge(graced, at=FIRST_DUE + 400 * DAY) == [DeclineReason.PAUSED]
    stage.at(FIRST_DUE + 401 * DAY)
    subscriptions.resume(graced, sender=payer)
    due = FIRST_DUE + 401 * DAY + 1
    assert stage.next_due(graced) == due
    assert stage.charge(graced, at=due + GRACE - 1) == [PAID]


def test_ends_no_other_row(stage: Stage, token: Contract, payers: list[Account], graced: int, monthly: int) -> None:
    plan_id = int(stage.subscriptions.subscription(graced).planId)
    later = stage.subscribe(payers[1], plan_id, at=SUBSCRIBED + DAY)
    plain = stage.subscribe(payers[2], monthly, at=SUBSCRIBED + 2 * DAY)
    assert stage.next_due(later) == utc(2027, 3, 1, 12)
    assert stage.charge(graced, later, graced, plain, at=FIRST_DUE + GRACE) == [ENDED, PAID, ENDED, PAID]
    assert token.balanceOf(stage.merchant) == 5 * PRICE


def test_without_one_a_subscription_never_ends(stage: Stage, subscribed: int) -> None:
    assert stage.charge(subscribed, at=utc(2099, 1, 1)) == [PAID]
    assert stage.status(subscribed) == Status.ACTIVE
