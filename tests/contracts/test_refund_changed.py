"""refundChanged: after changes, and where credit paid, a refund is bounded by what was paid for that charge (E36)."""

from __future__ import annotations

from itertools import pairwise, permutations

import pytest

from tallystick.core.subscription import DeclineReason
from tests.contracts.stage import (
    DAY,
    FIRST_DUE,
    PRICE,
    SUBSCRIBED,
    UNLIMITED,
    Account,
    Contract,
    Stage,
    reverts,
    utc,
)

DEARER = 19_990_000
HALF = utc(2027, 2, 14, 12)
DIFFERENCE = 5_000_000
NO_CHARGE = UNLIMITED
Segment = tuple[int, int, int]


def bounds_are(stage: Stage, subscription_id: int, history: list[Segment], paid: list[int]) -> None:
    """Each charge can be given back up to what was paid for it, and not a unit more."""
    contract, merchant = stage.subscriptions, stage.merchant
    assert stage.charges(subscription_id) == len(paid)
    assert stage.totals()[:2] == (len(paid), sum(paid))
    for number, amount in enumerate(paid, 1):
        with stage.nothing_changes(), reverts("RefundTooHigh", requested=amount + 1, refundable=amount):
            contract.refundChanged(subscription_id, number, amount + 1, history, sender=merchant)
        if amount:
            contract.refundChanged(subscription_id, number, amount, history, sender=merchant)
        with stage.nothing_changes(), reverts("RefundTooHigh", requested=1, refundable=0):
            contract.refundChanged(subscription_id, number, 1, history, sender=merchant)
    assert stage.totals() == (len(paid), sum(paid), sum(1 for amount in paid if amount), sum(paid))
    assert stage.token.balanceOf(merchant) == 0


@pytest.fixture
def plans(stage: Stage, monthly: int) -> list[int]:
    """Three monthly plans and a yearly one: PRICE, DEARER, a cheap one, ten prices a year."""
    return [
        monthly,
        stage.create_plan(price=DEARER),
        stage.create_plan(price=1_000_000),
        stage.create_plan(price=10 * PRICE, every=12),
    ]


@pytest.fixture
def changed(stage: Stage, payer: Account, plans: list[int]) -> tuple[int, list[Segment]]:
    """Charged twice, changed upwards, charged again, and upwards once more; the subscription and its history."""
    subscription_id = stage.subscribe(payer, plans[2], at=SUBSCRIBED)
    stage.charge(subscription_id, at=FIRST_DUE)
    second_due = utc(2027, 3, 31, 12)
    stage.change_plan(payer, subscription_id, plans[0], at=second_due - 31 * DAY // 2)
    stage.charge(subscription_id, at=second_due)
    stage.change_plan(payer, subscription_id, plans[1], at=second_due + 15 * DAY)
    history = [(2, 1_000_000, (PRICE - 1_000_000) // 2), (4, PRICE, DIFFERENCE)]
    return subscription_id, history


def test_E36_after_an_upgrade(stage: Stage, payer: Account, subscribed: int, plans: list[int]) -> None:
    stage.change_plan(payer, subscribed, plans[1], at=HALF)
    stage.charge(subscribed, at=FIRST_DUE)
    bounds_are(stage, subscribed, [(1, PRICE, DIFFERENCE)], [PRICE, DIFFERENCE, DEARER])


def test_E36_after_a_downgrade_the_charge_that_credit_paid_in_part(
    stage: Stage, payer: Account, plans: list[int]
) -> None:
    subscription_id = stage.subscribe(payer, plans[1], at=SUBSCRIBED)
    stage.change_plan(payer, subscription_id, plans[0], at=HALF)
    stage.charge(subscription_id, at=FIRST_DUE)
    stage.charge(subscription_id, at=utc(2027, 3, 31, 12))
    history = [(1, DEARER, NO_CHARGE), (1, PRICE, PRICE - DIFFERENCE)]
    bounds_are(stage, subscription_id, history, [DEARER, PRICE - DIFFERENCE, PRICE])


def test_E36_what_credit_paid_whole_gives_back_nothing(stage: Stage, payer: Account, plans: list[int]) -> None:
    subscription_id = stage.subscribe(payer, plans[1], at=SUBSCRIBED)
    stage.change_plan(payer, subscription_id, plans[2], at=HALF)
    stage.charge(subscription_id, at=FIRST_DUE)
    history = [(1, DEARER, NO_CHARGE), (1, 1_000_000, 0)]
    bounds_are(stage, subscription_id, history, [DEARER, 0])


def test_E36_after_several(stage: Stage, changed: tuple[int, list[Segment]]) -> None:
    subscription_id, history = changed
    paid = [1_000_000, 1_000_000, (PRICE - 1_000_000) // 2, PRICE, DIFFERENCE]
    bounds_are(stage, subscription_id, history, paid)


def test_E36_after_two_within_one_period(stage: Stage, payer: Account, plans: list[int]) -> None:
    subscription_id = stage.subscribe(payer, plans[0], at=SUBSCRIBED)
    stage.change_plan(payer, subscription_id, plans[1], at=HALF)
    stage.change_plan(payer, subscription_id, plans[2], at=HALF + 7 * DAY)
    stage.change_plan(payer, subscription_id, plans[0], at=HALF + 7 * DAY)
    credit = (DEARER - 1_000_000) // 4 - (PRICE - 1_000_000) // 4
    assert abs(stage.subscriptions.subscription(subscription_id).credit - credit) <= 1
    credit = stage.subscriptions.subscription(subscription_id).credit
    stage.charge(subscription_id, at=FIRST_DUE)
    history = [
        (1, PRICE, DIFFERENCE),
        (2, DEARER, NO_CHARGE),
        (2, 1_000_000, 0),  # upwards again, paid by credit
        (3, PRICE, PRICE - credit),
    ]
    bounds_are(stage, subscription_id, history, [PRICE, DIFFERENCE, 0, PRICE - credit])


def test_E36_after_a_new_period(stage: Stage, payer: Account, subscribed: int, plans: list[int]) -> None:
    stage.change_plan(payer, subscribed, plans[3], at=HALF)
    paid_for_year = 10 * PRICE - PRICE // 2
    bounds_are(stage, subscribed, [(1, PRICE, paid_for_year)], [PRICE, paid_for_year])


def test_E36_a_change_in_the_trial_is_no_history(stage: Stage, subscriptions: Contract, payer: Account) -> None:
    plans = [stage.create_plan(price=price, trial=DAY) for price in (PRICE, DEARER)]
    subscription_id = stage.subscribe(payer, plans[0], at=SUBSCRIBED)
    stage.change_plan(payer, subscription_id, plans[1])
    assert stage.charge(subscription_id, at=SUBSCRIBED + DAY) == [DeclineReason.NONE]
    assert subscriptions.subscription(subscription_id).history == 0
    with stage.nothing_changes(), reverts("RefundTooHigh", requested=DEARER + 1, refundable=DEARER):
        subscriptions.refund(subscription_id, 1, DEARER + 1, sender=stage.merchant)
    subscriptions.refund(subscription_id, 1, DEARER, sender=stage.merchant)


def test_E36_parts_given_back_before_a_change_count(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int, plans: list[int]
) -> None:
    subscriptions.refund(subscribed, 1, PRICE - 3, sender=stage.merchant)
    stage.change_plan(payer, subscribed, plans[1], at=HALF)
    history = [(1, PRICE, DIFFERENCE)]
    with stage.nothing_changes(), reverts("RefundTooHigh", requested=4, refundable=3):
        subscriptions.refundChanged(subscribed, 1, 4, history, sender=stage.merchant)
    subscriptions.refundChanged(subscribed, 1, 3, history, sender=stage.merchant)


# --- Another history ---


def test_refuses_a_history_that_is_not_the_subscriptions(
    stage: Stage, subscriptions: Contract, changed: tuple[int, list[Segment]]
) -> None:
    subscription_id, history = changed
    wrong = [list(order) for order in permutations(history) if list(order) != history]
    wrong += [history[:number] for number in range(len(history))] + [history[1:], [*history, history[-1]]]
    for at, segment in enumerate(history):
        for part in range(3):
            for by in (-1, 1):
                last, rate, following = (value + (by if place == part else 0) for place, value in enumerate(segment))
                wrong.append([*history[:at], (last, rate, following), *history[at + 1 :]])
    wrong += [[*history, (5, DEARER, NO_CHARGE)], [(0, 0, 0), *history]]
    for other_history in wrong:
        with stage.nothing_changes(), reverts("HistoryMismatch", subscriptionId=subscription_id):
            subscriptions.refundChanged(subscription_id, 1, 1, other_history, sender=stage.merchant)
    subscriptions.refundChanged(subscription_id, 1, 1, history, sender=stage.merchant)


def test_without_its_history_a_changed_subscription_is_not_refunded(
    stage: Stage, subscriptions: Contract, changed: tuple[int, list[Segment]]
) -> None:
    with stage.nothing_changes(), reverts("HistoryMismatch", subscriptionId=changed[0]):
        subscriptions.refund(changed[0], 1, 1, sender=stage.merchant)


def test_what_never_changed_has_no_history(stage: Stage, subscriptions: Contract, subscribed: int) -> None:
    with stage.nothing_changes(), reverts("HistoryMismatch", subscriptionId=subscribed):
        subscriptions.refundChanged(subscribed, 1, 1, [(1, 10 * PRICE, NO_CHARGE)], sender=stage.merchant)
    with stage.nothing_changes(), reverts("RefundTooHigh", requested=PRICE + 1, refundable=PRICE):
        subscriptions.refundChanged(subscribed, 1, PRICE + 1, [], sender=stage.merchant)
    subscriptions.refundChanged(subscribed, 1, PRICE, [], sender=stage.merchant)


def test_each_history_leads_to_another_commitment(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int, plans: list[int]
) -> None:
    seen = [0]
    for plan_id in (plans[1], plans[0], plans[1], plans[2]):
        stage.change_plan(payer, subscribed, plan_id, at=HALF)
        seen.append(subscriptions.subscription(subscribed).history)
    assert len(set(seen)) == len(seen)
    assert all(before != after for before, after in pairwise(seen))


# --- As refund ---


def test_only_the_payee_may(
    stage: Stage, subscriptions: Contract, payer: Account, changed: tuple[int, list[Segment]]
) -> None:
    for sender in (payer, stage.anyone):
        with stage.nothing_changes(), reverts("NotAuthorized", caller=sender):
            subscriptions.refundChanged(changed[0], 1, 1, changed[1], sender=sender)


@pytest.mark.parametrize("charge_number", [0, 6, 65_536, UNLIMITED])
def test_refuses_a_charge_that_was_not_made(
    stage: Stage, subscriptions: Contract, changed: tuple[int, list[Segment]], charge_number: int
) -> None:
    with (
        stage.nothing_changes(),
        reverts("UnknownCharge", subscriptionId=changed[0], chargeNumber=charge_number, charges=5),
    ):
        subscriptions.refundChanged(changed[0], charge_number, 1, changed[1], sender=stage.merchant)


def test_E32_refuses_nothing_and_the_unknown(
    stage: Stage, subscriptions: Contract, changed: tuple[int, list[Segment]]
) -> None:
    with stage.nothing_changes(), reverts("ZeroAmount"):
        subscriptions.refundChanged(changed[0], 1, 0, changed[1], sender=stage.merchant)
    with stage.nothing_changes(), reverts("UnknownSubscription", subscriptionId=99):
        subscriptions.refundChanged(99, 1, 1, changed[1], sender=stage.merchant)
