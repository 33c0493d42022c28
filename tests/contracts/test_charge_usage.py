"""chargeUsage: the payee or the plan's biller charges what was used, within the period's cap and the price."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from tallystick.core.plan import PlanTerms
from tests.contracts.stage import (
    DAY,
    FIRST_DUE,
    FUNDS,
    NOBODY,
    PRICE,
    SUBSCRIBED,
    UNLIMITED,
    Account,
    Contract,
    Stage,
    reverts,
)

CAP = 5_000_000
PER_MILLION = 2_000_000
"""Two base units each: 2 of a token with 6 decimals for a million."""
HASH = b"\x17" * 32


@pytest.fixture
def metered(stage: Stage, accounts: list[Account]) -> int:
    """A plan with usage, charged by its payee or by a biller."""
    return stage.create_plan(usage_cap=CAP, usage_price=PER_MILLION, biller=accounts[8])


@pytest.fixture
def biller(accounts: list[Account]) -> Account:
    """The account that the plan names."""
    return accounts[8]


@pytest.fixture
def used(stage: Stage, payer: Account, metered: int) -> int:
    """A subscription to it."""
    return stage.subscribe(payer, metered, at=SUBSCRIBED)


def test_says_what_was_used_and_charges_it_for_the_period_being_served(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, biller: Account, used: int
) -> None:
    stage.at(SUBSCRIBED + DAY)
    receipt = subscriptions.chargeUsage(used, 1_999_999, 1_000_000, HASH, sender=biller)
    told = {"subscriptionId": used, "chargeNumber": 2, "quantity": 1_000_000, "usageHash": HASH}
    charged = {
        "subscriptionId": used,
        "chargeNumber": 2,
        "periodStart": SUBSCRIBED,
        "periodEnd": FIRST_DUE,
        "amount": 1_999_999,
    }
    assert stage.events(receipt) == [("UsageCharged", told), ("Charged", charged)]
    assert (token.balanceOf(payer), token.balanceOf(stage.merchant)) == (FUNDS - PRICE - 1_999_999, PRICE + 1_999_999)
    assert stage.totals() == (2, PRICE + 1_999_999, 0, 0)
    assert (stage.next_due(used), stage.charges(used)) == (FIRST_DUE, 2)
    assert subscriptions.usageLeft(used) == CAP - 1_999_999


def test_the_payee_may_and_nobody_else_but_the_biller(
    stage: Stage, subscriptions: Contract, merchant: Account, payer: Account, used: int
) -> None:
    subscriptions.chargeUsage(used, 1, 1, HASH, sender=merchant)
    for other in (payer, stage.anyone):
        with stage.nothing_changes(), reverts("NotAuthorized", caller=other):
            subscriptions.chargeUsage(used, 1, 1, HASH, sender=other)


def test_the_cap_is_that_of_a_period_and_reached_to_the_unit(
    stage: Stage, subscriptions: Contract, biller: Account, used: int
) -> None:
    subscriptions.chargeUsage(used, CAP - 1, CAP, HASH, sender=biller)
    with stage.nothing_changes(), reverts("UsageAboveCap", found=2, allowed=1):
        subscriptions.chargeUsage(used, 2, CAP, HASH, sender=biller)
    subscriptions.chargeUsage(used, 1, CAP, HASH, sender=biller)
    with stage.nothing_changes(), reverts("UsageAboveCap", found=1, allowed=0):
        subscriptions.chargeUsage(used, 1, CAP, HASH, sender=biller)
    assert subscriptions.usageLeft(used) == 0
    stage.charge(used, at=FIRST_DUE)
    assert subscriptions.usageLeft(used) == CAP
    subscriptions.chargeUsage(used, CAP, CAP, HASH, sender=biller)


def test_a_pause_gives_no_second_cap(
    stage: Stage, subscriptions: Contract, payer: Account, biller: Account, used: int
) -> None:
    subscriptions.chargeUsage(used, CAP, CAP, HASH, sender=biller)
    subscriptions.pause(used, sender=payer)
    with stage.nothing_changes(), reverts("NotActive", subscriptionId=used, status=3):
        subscriptions.chargeUsage(used, 1, 1, HASH, sender=biller)
    subscriptions.resume(used, sender=payer)
    with stage.nothing_changes(), reverts("UsageAboveCap", found=1, allowed=0):
        subscriptions.chargeUsage(used, 1, 1, HASH, sender=biller)


@pytest.mark.parametrize(
    ("quantity", "dearest"), [(0, 0), (1, 2), (499_999, 999_998), (2**128 - 1, None), (2**128, 0), (UNLIMITED, 0)]
)
def test_no_unit_costs_more_than_its_price_rounded_down(
    stage: Stage, subscriptions: Contract, biller: Account, used: int, quantity: int, dearest: int | None
) -> None:
    if dearest is None:
        subscriptions.chargeUsage(used, CAP, quantity, HASH, sender=biller)
        return
    with stage.nothing_changes(), reverts("UsageTooDear", found=dearest + 1, allowed=dearest):
        subscriptions.chargeUsage(used, dearest + 1, quantity, HASH, sender=biller)
    if dearest:
        subscriptions.chargeUsage(used, dearest, quantity, HASH, sender=biller)


def test_a_price_below_a_base_unit_is_for_many_units(stage: Stage, subscriptions: Contract, payer: Account) -> None:
    plan_id = stage.create_plan(usage_cap=CAP, usage_price=1)
    used = stage.subscribe(payer, plan_id, at=SUBSCRIBED)
    with reverts("UsageTooDear", found=1, allowed=0):
        subscriptions.chargeUsage(used, 1, 999_999, HASH, sender=stage.merchant)
    subscriptions.chargeUsage(used, 1, 1_000_000, HASH, sender=stage.merchant)


def test_E32_nothing_is_no_charge(stage: Stage, subscriptions: Contract, biller: Account, used: int) -> None:
    with stage.nothing_changes(), reverts("ZeroAmount"):
        subscriptions.chargeUsage(used, 0, 1, HASH, sender=biller)


def test_a_plan_without_usage_charges_none(
    stage: Stage, subscriptions: Contract, merchant: Account, subscribed: int
) -> None:
    with stage.nothing_changes(), reverts("UsageTooDear", found=1, allowed=0):
        subscriptions.chargeUsage(subscribed, 1, 10**12, HASH, sender=merchant)
    assert subscriptions.usageLeft(subscribed) == 0


def test_what_the_payer_lacks_is_said(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, biller: Account, used: int
) -> None:
    token.approve(subscriptions, 4, sender=payer)
    with stage.nothing_changes(), reverts("AllowanceTooLow", found=4, needed=5):
        subscriptions.chargeUsage(used, 5, 5, HASH, sender=biller)


def test_nothing_is_charged_in_the_trial(stage: Stage, subscriptions: Contract, payer: Account) -> None:
    plan_id = stage.create_plan(usage_cap=CAP, usage_price=PER_MILLION, trial=30 * DAY)
    used = stage.subscribe(payer, plan_id, at=SUBSCRIBED)
    with stage.nothing_changes(), reverts("TrialRunning", subscriptionId=used):
        subscriptions.chargeUsage(used, 1, 1, HASH, sender=stage.merchant)
    stage.charge(used, at=SUBSCRIBED + 30 * DAY)
    subscriptions.chargeUsage(used, 1, 1, HASH, sender=stage.merchant)


def test_what_ends_can_still_be_settled_and_what_was_cancelled_cannot(
    stage: Stage, subscriptions: Contract, payer: Account, biller: Account, used: int
) -> None:
    subscriptions.cancelAtPeriodEnd(used, sender=payer)
    stage.at(FIRST_DUE + 1)
    subscriptions.chargeUsage(used, CAP, CAP, HASH, sender=biller)
    with stage.nothing_changes(), reverts("UsageAboveCap", found=1, allowed=0):
        subscriptions.chargeUsage(used, 1, 1, HASH, sender=biller)
    subscriptions.cancel(used, sender=payer)
    with stage.nothing_changes(), reverts("NotActive", subscriptionId=used, status=2):
        subscriptions.chargeUsage(used, 1, 1, HASH, sender=biller)


@pytest.mark.parametrize("offset", [-1, 0])
def test_E20_within_the_grace_and_not_at_its_end(
    stage: Stage, subscriptions: Contract, payer: Account, offset: int
) -> None:
    plan_id = stage.create_plan(usage_cap=CAP, usage_price=PER_MILLION, grace=DAY)
    used = stage.subscribe(payer, plan_id, at=SUBSCRIBED)
    stage.at(FIRST_DUE + DAY + offset)
    if offset < 0:
        subscriptions.chargeUsage(used, 1, 1, HASH, sender=stage.merchant)
        return
    with reverts("UsageEnded", subscriptionId=used):
        subscriptions.chargeUsage(used, 1, 1, HASH, sender=stage.merchant)


def test_E36_a_refund_is_bounded_by_what_usage_cost(
    stage: Stage, subscriptions: Contract, token: Contract, merchant: Account, biller: Account, used: int
) -> None:
    subscriptions.chargeUsage(used, 1_000, 1_000, HASH, sender=biller)
    stage.charge(used, at=FIRST_DUE)
    subscriptions.chargeUsage(used, 7, 1_000, HASH, sender=biller)
    history = [(1, PRICE, 1_000), (3, PRICE, 7)]
    paid = [PRICE, 1_000, PRICE, 7]
    with reverts("HistoryMismatch", subscriptionId=used):
        subscriptions.refund(used, 2, 1_000, sender=merchant)
    for number, amount in enumerate(paid, start=1):
        with reverts("RefundTooHigh", requested=amount + 1, refundable=amount):
            subscriptions.refundChanged(used, number, amount + 1, history, sender=merchant)
        subscriptions.refundChanged(used, number, amount, history, sender=merchant)
    assert stage.totals() == (4, sum(paid), 4, sum(paid))
    assert token.balanceOf(merchant) == 0


def test_the_fee_is_taken_of_usage_as_well(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, accounts: list[Account]
) -> None:
    receiver = accounts[7]
    plan_id = stage.create_plan(usage_cap=CAP, usage_price=PER_MILLION, fee_bps=250, fee_receiver=receiver)
    used = stage.subscribe(payer, plan_id, at=SUBSCRIBED)
    before = token.balanceOf(receiver)
    subscriptions.chargeUsage(used, 1_039, 1_000, HASH, sender=stage.merchant)
    assert token.balanceOf(receiver) - before == 25


@pytest.mark.parametrize(
    "terms",
    [
        {"usage_cap": CAP},
        {"usage_price": PER_MILLION},
        {"usage_cap": CAP, "usage_price": 1, "min_charges": 2},
        {"usage_cap": CAP, "usage_price": 1, "max_charges": 2},
    ],
    ids=["no price", "no cap", "a minimum", "a maximum"],
)
def test_terms_of_usage_that_contradict_are_refused(stage: Stage, terms: dict[str, Any]) -> None:
    with stage.nothing_changes(), reverts("TermsContradict"):
        stage.create_plan(**terms)


def test_a_biller_without_usage_is_refused(stage: Stage) -> None:
    with stage.nothing_changes(), reverts("TermsContradict"):
        stage.create_plan(biller=stage.anyone)


def test_the_plan_is_stored_and_hashed_with_its_usage(subscriptions: Contract, biller: Account, metered: int) -> None:
    found = subscriptions.plan(metered)
    assert (found.usageCap, found.usagePrice, found.biller) == (CAP, PER_MILLION, biller)
    terms = PlanTerms(
        found.payee,
        found.price,
        found.token,
        found.every,
        found.unit,
        usage_cap_units=CAP,
        usage_price_units=PER_MILLION,
        biller=biller.address,
    )
    assert bytes(subscriptions.termsHash(metered)) == terms.hash(0)
    assert found.feeReceiver == NOBODY


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_tried_a_period_costs_no_more_than_its_cap(
    stage: Stage, subscriptions: Contract, biller: Account, used: int, seed: int
) -> None:
    random = Random(seed)
    left = CAP
    for _ in range(12):
        if random.random() < 0.2:
            stage.charge(used, at=stage.next_due(used) + random.randrange(90 * DAY))
            left = CAP
        amount = random.choice([1, random.randint(1, CAP), max(left, 1), left + 1])
        if amount <= left:
            subscriptions.chargeUsage(used, amount, CAP, HASH, sender=biller)
            left -= amount
        else:
            with reverts("UsageAboveCap", found=amount, allowed=left):
                subscriptions.chargeUsage(used, amount, CAP, HASH, sender=biller)
        assert subscriptions.usageLeft(used) == left
