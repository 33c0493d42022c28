"""The term of a plan: how many charges the payer agrees to, and after how many it ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tallystick.core.period import Unit
from tallystick.core.subscription import DeclineReason, Status
from tests.contracts.signing import cancellation_data, signed
from tests.contracts.stage import DAY, SUBSCRIBED, UNLIMITED, Account, Contract, Stage, reverts

PAID, ENDED = DeclineReason.NONE, DeclineReason.ENDED
PAYERS_WAYS_OUT = ["cancel", "cancelAtPeriodEnd", "cancelBySignature", "changePlan"]


def ways_out(stage: Stage, payer: Account, subscription_id: int, to_plan: int) -> dict[str, Callable[[], object]]:
    """Everything by which a payer leaves a plan."""
    contract = stage.subscriptions
    signature = signed(payer, cancellation_data(stage, payer.address, subscription_id))
    terms = contract.termsHash(to_plan)
    return {
        "cancel": lambda: contract.cancel(subscription_id, sender=payer),
        "cancelAtPeriodEnd": lambda: contract.cancelAtPeriodEnd(subscription_id, sender=payer),
        "cancelBySignature": lambda: contract.cancelBySignature(
            subscription_id, UNLIMITED, signature, sender=stage.anyone
        ),
        "changePlan": lambda: contract.changePlan(subscription_id, to_plan, terms, 0, UNLIMITED, sender=payer),
    }


def charge_until(stage: Stage, subscription_id: int, charges: int) -> None:
    """Charges one period after the other."""
    while stage.charges(subscription_id) < charges:
        assert stage.charge(subscription_id, at=stage.next_due(subscription_id)) == [PAID]


@pytest.mark.parametrize("way", PAYERS_WAYS_OUT)
@pytest.mark.parametrize("agreed", [2, 3])
def test_the_payer_leaves_when_the_agreed_charges_were_made(
    stage: Stage, payer: Account, monthly: int, agreed: int, way: str
) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(min_charges=agreed), at=SUBSCRIBED)
    leave = ways_out(stage, payer, subscription_id, monthly)[way]
    for charges in range(1, agreed):
        charge_until(stage, subscription_id, charges)
        with stage.nothing_changes(), reverts("MinimumTerm", charges=charges, agreed=agreed):
            leave()
    charge_until(stage, subscription_id, agreed)
    leave()


@pytest.mark.parametrize("way", PAYERS_WAYS_OUT)
def test_a_minimum_of_one_was_made_at_once(stage: Stage, payer: Account, monthly: int, way: str) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(min_charges=1), at=SUBSCRIBED)
    ways_out(stage, payer, subscription_id, monthly)[way]()


@pytest.mark.parametrize("way", PAYERS_WAYS_OUT)
def test_E27_the_payer_leaves_during_the_trial_but_does_not_change(stage: Stage, payer: Account, way: str) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(min_charges=2, trial=DAY), at=SUBSCRIBED)
    leave = ways_out(stage, payer, subscription_id, stage.create_plan(trial=DAY))[way]
    if way != "changePlan":
        leave()
        return
    with stage.nothing_changes(), reverts("MinimumTerm", charges=0, agreed=2):
        leave()


@pytest.mark.parametrize("way", PAYERS_WAYS_OUT)
def test_the_minimum_begins_with_the_first_charge_after_the_trial(
    stage: Stage, payer: Account, monthly: int, way: str
) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(min_charges=2, trial=DAY), at=SUBSCRIBED)
    leave = ways_out(stage, payer, subscription_id, monthly)[way]
    charge_until(stage, subscription_id, 1)
    with stage.nothing_changes(), reverts("MinimumTerm", charges=1, agreed=2):
        leave()
    charge_until(stage, subscription_id, 2)
    leave()


@pytest.mark.parametrize(("verb", "status"), [("cancel", Status.CANCELLED), ("cancelAtPeriodEnd", Status.ENDING)])
def test_the_payee_may_end_it_before(
    stage: Stage, subscriptions: Contract, payer: Account, verb: str, status: Status
) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(min_charges=12))
    getattr(subscriptions, verb)(subscription_id, sender=stage.merchant)
    assert stage.status(subscription_id) == status


def test_the_payers_emergency_stop_ends_it_before(stage: Stage, subscriptions: Contract, payer: Account) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(min_charges=12))
    subscriptions.stop([subscription_id], [], sender=payer)
    assert stage.status(subscription_id) == Status.CANCELLED


def test_the_minimum_holds_for_a_paused_subscription(stage: Stage, subscriptions: Contract, payer: Account) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(min_charges=2))
    subscriptions.pause(subscription_id, sender=payer)
    with stage.nothing_changes(), reverts("MinimumTerm", charges=1, agreed=2):
        subscriptions.cancel(subscription_id, sender=payer)


def test_a_plan_with_a_minimum_is_not_changed_to_but_its_seats_are(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int
) -> None:
    bound = stage.create_plan(min_charges=2, seat_price=5)
    with stage.nothing_changes(), reverts("FixedTerm", planId=bound, charges=2):
        stage.change_plan(payer, subscribed, bound, seats=1)
    on_bound = stage.subscribe(payer, bound, seats=1, at=SUBSCRIBED + 99)
    with stage.nothing_changes(), reverts("MinimumTerm", charges=1, agreed=2):
        stage.change_plan(payer, on_bound, bound, seats=2)
    charge_until(stage, on_bound, 2)
    stage.change_plan(payer, on_bound, bound, seats=2)
    assert subscriptions.subscription(on_bound).seats == 2


@pytest.mark.parametrize("most", [1, 2, 3])
@pytest.mark.parametrize("trial", [0, 5])
def test_ends_when_all_charges_were_made(stage: Stage, payer: Account, most: int, trial: int) -> None:
    plan_id = stage.create_plan(every=1, unit=Unit.DAY, max_charges=most, trial=trial)
    subscription_id = stage.subscribe(payer, plan_id, at=SUBSCRIBED)
    charge_until(stage, subscription_id, most)
    due = stage.next_due(subscription_id)
    assert due == SUBSCRIBED + trial + most * DAY
    assert stage.charge(subscription_id, at=due - 1) == [DeclineReason.NOT_DUE]
    for at in (due, due + 1, due + 400 * DAY):
        with stage.nothing_changes():
            assert stage.charge(subscription_id, at=at) == [ENDED]
    assert stage.totals()[0] == stage.charges(subscription_id) == most


def test_E22_missed_periods_count_as_charges_where_they_are_collected(stage: Stage, payer: Account) -> None:
    plan_id = stage.create_plan(every=1, unit=Unit.DAY, max_charges=3, catch_up=255)
    subscription_id = stage.subscribe(payer, plan_id, at=SUBSCRIBED)
    assert stage.charge(*[subscription_id] * 4, at=SUBSCRIBED + 9 * DAY) == [PAID, PAID, ENDED, ENDED]


def test_minimum_and_maximum_may_be_one(stage: Stage, subscriptions: Contract, payer: Account) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(min_charges=2, max_charges=2), at=SUBSCRIBED)
    with stage.nothing_changes(), reverts("MinimumTerm", charges=1, agreed=2):
        subscriptions.cancel(subscription_id, sender=payer)
    charge_until(stage, subscription_id, 2)
    assert stage.charge(subscription_id, at=stage.next_due(subscription_id)) == [ENDED]
    subscriptions.cancel(subscription_id, sender=payer)


@pytest.mark.parametrize("trial", [0, DAY])
def test_a_plan_that_ends_is_changed_neither_from_nor_to(
    stage: Stage, payer: Account, monthly: int, trial: int
) -> None:
    fixed = stage.create_plan(max_charges=9, trial=trial)
    on_fixed, on_monthly = stage.subscribe(payer, fixed), stage.subscribe(payer, monthly)
    for subscription_id, to_plan in [(on_fixed, monthly), (on_monthly, fixed)]:
        with stage.nothing_changes(), reverts("FixedTerm", planId=fixed, charges=9):
            stage.change_plan(payer, subscription_id, to_plan)
