"""Trials: the first period begins, and is charged, when the trial ends; once for each payer and family (E27)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tallystick.core.subscription import DeclineReason, Status
from tests.contracts.signing import Mandate, signed_mandate
from tests.contracts.stage import DAY, FUNDS, PRICE, SUBSCRIBED, Account, Contract, Stage, reverts, utc

TRIAL = 14 * DAY
ENDS = SUBSCRIBED + TRIAL
"""14 February, noon."""
PAID, NOT_DUE = DeclineReason.NONE, DeclineReason.NOT_DUE


@pytest.fixture
def trial_plan(stage: Stage) -> int:
    """A monthly plan with a trial, of family 0."""
    return stage.create_plan(trial=TRIAL)


@pytest.fixture
def in_trial(stage: Stage, payer: Account, trial_plan: int) -> int:
    """The first payer's subscription, its trial begun at SUBSCRIBED."""
    return stage.subscribe(payer, trial_plan, at=SUBSCRIBED)


def test_charges_nothing_now(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, trial_plan: int
) -> None:
    token.approve(subscriptions, 0, sender=payer)  # nothing is moved
    stage.at(SUBSCRIBED)
    receipt = subscriptions.subscribe(trial_plan, subscriptions.termsHash(trial_plan), 0, sender=payer)
    subscribed = {"subscriptionId": 1, "payer": payer, "planId": trial_plan, "firstDue": ENDS}
    assert stage.events(receipt) == [("Subscribed", subscribed)]
    found = subscriptions.subscription(1)
    assert (found.nextDue, found.charges, found.status, found.anchorDay) == (ENDS, 0, Status.ACTIVE, 14)
    assert (token.balanceOf(payer), stage.opened(), stage.totals()) == (FUNDS, 1, (0, 0, 0, 0))
    assert subscriptions.isTrialUsed(trial_plan, payer)


@pytest.mark.parametrize(("offset_s", "outcome"), [(-1, NOT_DUE), (0, PAID), (1, PAID)])
def test_E20_is_charged_from_the_second_in_which_it_ends(
    stage: Stage, token: Contract, in_trial: int, offset_s: int, outcome: DeclineReason
) -> None:
    assert stage.charge(in_trial, at=ENDS + offset_s) == [outcome]
    assert token.balanceOf(stage.merchant) == (PRICE if outcome == PAID else 0)


def test_the_first_charge_pays_for_the_first_period(
    stage: Stage, subscriptions: Contract, anyone: Account, in_trial: int
) -> None:
    stage.at(ENDS + DAY)
    receipt = subscriptions.charge([in_trial, in_trial], sender=anyone)
    charged = {
        "subscriptionId": in_trial,
        "chargeNumber": 1,
        "periodStart": ENDS,
        "periodEnd": utc(2027, 3, 14, 12),
        "amount": PRICE,
    }
    assert stage.events(receipt)[0] == ("Charged", charged)
    assert stage.outcomes(receipt) == [PAID, NOT_DUE]
    assert stage.totals() == (1, PRICE, 0, 0)


def test_E24_the_anchor_is_the_day_on_which_it_ends(stage: Stage, payer: Account) -> None:
    plan_id = stage.create_plan(trial=59 * DAY)
    subscription_id = stage.subscribe(payer, plan_id, at=SUBSCRIBED)
    assert stage.next_due(subscription_id) == utc(2027, 3, 31, 12)
    for due in (utc(2027, 3, 31, 12), utc(2027, 4, 30, 12), utc(2027, 5, 31, 12)):
        assert stage.next_due(subscription_id) == due
        assert stage.charge(subscription_id, at=due) == [PAID]


def test_E22_a_late_first_charge_follows_the_plan(stage: Stage, payers: list[Account]) -> None:
    skips, collects = (stage.create_plan(trial=TRIAL, catch_up=catch_up, family=catch_up) for catch_up in (0, 1))
    rows = [stage.subscribe(payers[0], plan_id, at=SUBSCRIBED + at) for at, plan_id in enumerate((skips, collects))]
    assert stage.charge(*rows * 2, at=utc(2027, 3, 20)) == [PAID, PAID, NOT_DUE, PAID]
    assert [stage.charges(row) for row in rows] == [1, 2]


def test_E28_the_longest_trial_before_the_longest_period(stage: Stage, payer: Account) -> None:
    plan_id = stage.create_plan(trial=2**32 - 1, every=1_180)
    subscription_id = stage.subscribe(payer, plan_id, at=SUBSCRIBED)
    ends = SUBSCRIBED + 2**32 - 1
    assert stage.next_due(subscription_id) == ends
    assert stage.charge(subscription_id, at=ends - 1) == [NOT_DUE]
    assert stage.charge(subscription_id, at=ends) == [PAID]
    assert stage.next_due(subscription_id) > ends + 98 * 365 * DAY


def test_seats_are_agreed_at_once_and_paid_when_it_ends(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account
) -> None:
    plan_id = stage.create_plan(trial=TRIAL, seat_price=5)
    stage.at(SUBSCRIBED)
    receipt = subscriptions.subscribe(plan_id, subscriptions.termsHash(plan_id), 3, sender=payer)
    assert [name for name, _ in stage.events(receipt)] == ["Subscribed", "SeatsSet"]
    assert stage.charge(1, at=ENDS) == [PAID]
    assert token.balanceOf(stage.merchant) == PRICE + 15


def test_a_mandate_begins_one_too(
    stage: Stage, subscriptions: Contract, token: Contract, anyone: Account, payer: Account, trial_plan: int
) -> None:
    mandate = Mandate(payer.address, trial_plan)
    stage.at(SUBSCRIBED)
    receipt = subscriptions.submitMandate(mandate, signed_mandate(stage, payer, mandate), sender=anyone)
    assert [name for name, _ in stage.events(receipt)] == ["Subscribed", "MandateAccepted"]
    assert (stage.next_due(1), token.balanceOf(payer)) == (ENDS, FUNDS)


def test_an_unpaid_first_charge_declines_like_any_other(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, in_trial: int
) -> None:
    token.approve(subscriptions, PRICE - 1, sender=payer)
    with stage.nothing_changes():
        assert stage.charge(in_trial, at=ENDS) == [DeclineReason.ALLOWANCE]
    assert stage.charges(in_trial) == 0


# --- Once ---


def pays_at_once(stage: Stage, payer: Account, plan_id: int) -> bool:
    """Subscribes; whether the first period was charged now."""
    return stage.charges(stage.subscribe(payer, plan_id)) == 1


@pytest.mark.usefixtures("in_trial")
def test_E27_once_for_each_payer_and_family(
    stage: Stage, subscriptions: Contract, payers: list[Account], trial_plan: int
) -> None:
    sister = stage.create_plan(trial=3 * TRIAL, every=2)
    assert pays_at_once(stage, payers[0], trial_plan)
    assert subscriptions.isTrialUsed(sister, payers[0])
    assert pays_at_once(stage, payers[0], sister)
    assert not pays_at_once(stage, payers[1], sister)
    assert pays_at_once(stage, payers[1], trial_plan)
    for family in (1, 65_535):
        other_family = stage.create_plan(trial=TRIAL, family=family)
        assert not subscriptions.isTrialUsed(other_family, payers[0])
        assert not pays_at_once(stage, payers[0], other_family)
        assert pays_at_once(stage, payers[0], other_family)


@pytest.mark.usefixtures("in_trial")
def test_E27_families_are_the_payees_own_in_each_token(stage: Stage, usdc: Contract, payer: Account) -> None:
    assert not pays_at_once(stage, payer, stage.create_plan(trial=TRIAL, payee=stage.anyone))
    assert not pays_at_once(stage, payer, stage.create_plan(trial=TRIAL, token=usdc))


def test_E27_a_mandate_brings_no_second_one(
    stage: Stage, subscriptions: Contract, anyone: Account, payer: Account, in_trial: int, trial_plan: int
) -> None:
    mandate = Mandate(payer.address, trial_plan)
    subscriptions.submitMandate(mandate, signed_mandate(stage, payer, mandate), sender=anyone)
    assert stage.charges(in_trial + 1) == 1


@pytest.mark.parametrize("verb", ["cancel", "cancelAtPeriodEnd"])
def test_E27_cancelling_brings_no_second_one(
    stage: Stage, subscriptions: Contract, payer: Account, in_trial: int, trial_plan: int, verb: str
) -> None:
    getattr(subscriptions, verb)(in_trial, sender=payer)
    assert pays_at_once(stage, payer, trial_plan)


def test_E27_a_plan_without_one_uses_none_up(stage: Stage, payer: Account, monthly: int, trial_plan: int) -> None:
    assert pays_at_once(stage, payer, monthly)
    assert not pays_at_once(stage, payer, trial_plan)


def test_E27_what_was_refused_uses_none_up(stage: Stage, subscriptions: Contract, payer: Account) -> None:
    plan_id = stage.create_plan(trial=TRIAL, seat_price=1)
    with stage.nothing_changes(), reverts("SeatsOutOfRange", found=0, allowed=2**24 - 1):
        stage.subscribe(payer, plan_id, seats=0)
    assert not subscriptions.isTrialUsed(plan_id, payer)


# --- While it lasts ---


@pytest.mark.parametrize("verb", ["cancel", "cancelAtPeriodEnd"])
@pytest.mark.parametrize("role", ["payer", "payee"])
def test_what_is_cancelled_before_its_end_costs_nothing(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, in_trial: int, verb: str, role: str
) -> None:
    stage.at(ENDS - 1)
    getattr(subscriptions, verb)(in_trial, sender=payer if role == "payer" else stage.merchant)
    outcome = DeclineReason.CANCELLED if verb == "cancel" else DeclineReason.ENDED
    assert stage.charge(in_trial, at=ENDS) == [outcome]
    assert (token.balanceOf(payer), stage.totals()) == (FUNDS, (0, 0, 0, 0))


def test_E25_a_pause_keeps_what_is_left_of_it(
    stage: Stage, subscriptions: Contract, payer: Account, in_trial: int
) -> None:
    stage.at(ENDS - 5 * DAY)
    subscriptions.pause(in_trial, sender=payer)
    assert stage.charge(in_trial, at=ENDS) == [DeclineReason.PAUSED]
    stage.at(ENDS + 30 * DAY)
    subscriptions.resume(in_trial, sender=payer)
    due = ENDS + 35 * DAY
    assert stage.charge(in_trial, at=due - 1) == [NOT_DUE]
    assert stage.charge(in_trial, at=due) == [PAID]
    assert stage.next_due(in_trial) == utc(2027, 4, 21, 12)


@pytest.mark.parametrize("refund", ["refund", "refundChanged"])
def test_E36_there_is_nothing_to_refund(
    stage: Stage, subscriptions: Contract, merchant: Account, in_trial: int, refund: str
) -> None:
    calls: dict[str, Callable[[], object]] = {
        "refund": lambda: subscriptions.refund(in_trial, 1, 1, sender=merchant),
        "refundChanged": lambda: subscriptions.refundChanged(in_trial, 1, 1, [], sender=merchant),
    }
    with stage.nothing_changes(), reverts("UnknownCharge", subscriptionId=in_trial, chargeNumber=1, charges=0):
        calls[refund]()
