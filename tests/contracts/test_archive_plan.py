"""archivePlan: a plan takes no more subscriptions; those that it has go on as they were."""

from __future__ import annotations

import pytest

from tallystick.core.subscription import DeclineReason, Status
from tests.contracts.signing import NO_PERMIT, Mandate, signed_mandate
from tests.contracts.stage import FIRST_DUE, PRICE, UNLIMITED, Account, Contract, Stage, reverts


def test_takes_no_more_subscriptions(
    stage: Stage, subscriptions: Contract, merchant: Account, payer: Account, monthly: int
) -> None:
    assert not subscriptions.isArchived(monthly)
    receipt = subscriptions.archivePlan(monthly, sender=merchant)
    assert stage.events(receipt) == [("PlanArchived", {"planId": monthly})]
    assert subscriptions.isArchived(monthly)
    terms = subscriptions.termsHash(monthly)
    mandate = Mandate(payer.address, monthly)
    signature = signed_mandate(stage, payer, mandate)
    with stage.nothing_changes(), reverts("PlanIsArchived", planId=monthly):
        subscriptions.subscribe(monthly, terms, 0, sender=payer)
    with stage.nothing_changes(), reverts("PlanIsArchived", planId=monthly):
        subscriptions.subscribeWithPermit(monthly, terms, 0, NO_PERMIT, sender=payer)
    with stage.nothing_changes(), reverts("PlanIsArchived", planId=monthly):
        subscriptions.submitMandate(mandate, signature, sender=stage.anyone)
    with stage.nothing_changes(), reverts("PlanIsArchived", planId=monthly):
        subscriptions.submitMandateWithPermit(mandate, signature, NO_PERMIT, sender=stage.anyone)


def test_takes_no_more_trials_either(stage: Stage, subscriptions: Contract, merchant: Account, payer: Account) -> None:
    plan_id = stage.create_plan(trial=7)
    subscriptions.archivePlan(plan_id, sender=merchant)
    with stage.nothing_changes(), reverts("PlanIsArchived", planId=plan_id):
        stage.subscribe(payer, plan_id)
    assert not subscriptions.isTrialUsed(plan_id, payer)


def test_those_that_it_has_go_on(
    stage: Stage, subscriptions: Contract, merchant: Account, payer: Account, subscribed: int, monthly: int
) -> None:
    before = tuple(subscriptions.subscription(subscribed))
    subscriptions.archivePlan(monthly, sender=merchant)
    assert tuple(subscriptions.subscription(subscribed)) == before
    assert stage.charge(subscribed, at=FIRST_DUE) == [DeclineReason.NONE]
    subscriptions.pause(subscribed, sender=payer)
    subscriptions.resume(subscribed, sender=payer)
    subscriptions.refund(subscribed, 2, PRICE, sender=merchant)
    subscriptions.cancel(subscribed, sender=payer)
    assert stage.status(subscribed) == Status.CANCELLED


def test_the_terms_stay_what_they_were(subscriptions: Contract, merchant: Account, monthly: int) -> None:
    before = subscriptions.termsHash(monthly), tuple(subscriptions.plan(monthly))
    subscriptions.archivePlan(monthly, sender=merchant)
    assert (subscriptions.termsHash(monthly), tuple(subscriptions.plan(monthly))) == before


def test_other_plans_stay_open(stage: Stage, subscriptions: Contract, merchant: Account, payer: Account) -> None:
    archived, other = stage.create_plan(), stage.create_plan(price=PRICE + 1)
    foreign = stage.create_plan(payee=stage.anyone)
    subscriptions.archivePlan(archived, sender=merchant)
    for plan_id in (other, foreign, stage.create_plan()):
        assert not subscriptions.isArchived(plan_id)
        stage.subscribe(payer, plan_id)


def test_only_the_payee_may(stage: Stage, subscriptions: Contract, payer: Account, monthly: int) -> None:
    for sender in (payer, stage.anyone):
        with stage.nothing_changes(), reverts("NotAuthorized", caller=sender):
            subscriptions.archivePlan(monthly, sender=sender)


def test_cannot_be_done_twice(stage: Stage, subscriptions: Contract, merchant: Account, monthly: int) -> None:
    subscriptions.archivePlan(monthly, sender=merchant)
    with stage.nothing_changes(), reverts("PlanIsArchived", planId=monthly):
        subscriptions.archivePlan(monthly, sender=merchant)


@pytest.mark.parametrize("plan_id", [0, 2, 2**32, UNLIMITED])
def test_refuses_an_unknown_plan(
    stage: Stage, subscriptions: Contract, merchant: Account, monthly: int, plan_id: int
) -> None:
    assert monthly == 1
    with stage.nothing_changes(), reverts("UnknownPlan", planId=plan_id):
        subscriptions.archivePlan(plan_id, sender=merchant)
    assert not subscriptions.isArchived(plan_id)
