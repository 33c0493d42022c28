"""chargeUsage: the payee or the plan's biller charges what was used, within the period's cap and the price."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from tallystick.core.plan import PlanTerms
from tallystick.core.subscription import DeclineReason
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


def use(subscriptions: Contract, subscription_id: int, amount: int, quantity: int, sender: Account) -> Any:
    """Charges that, under the number that is next."""
    number = subscriptions.subscription(subscription_id).charges + 1
    return subscriptions.chargeUsage(subscription_id, number, amount, quantity, HASH, sender=sender)


def test_says_what_was_used_and_charges_it_for_the_period_being_served(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, biller: Account, used: int
) -> None:
    stage.at(SUBSCRIBED + DAY)
    receipt = use(subscriptions, used, 1_999_999, 1_000_000, biller)
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
    use(subscriptions, used, 1, 1, merchant)
    for other in (payer, stage.anyone):
        with stage.nothing_changes(), reverts("NotAuthorized", caller=other):
            use(subscriptions, used, 1, 1, other)


def test_a_bill_that_is_sent_twice_charges_once(
    stage: Stage, subscriptions: Contract, biller: Account, used: int
) -> None:
    bill = (used, 2, 7, 7, HASH)
    subscriptions.chargeUsage(*bill, sender=biller)
    with stage.nothing_changes(), reverts("AnotherChargeIsNext", found=2, expected=3):
        subscriptions.chargeUsage(*bill, sender=biller)


def test_a_bill_of_the_period_before_charges_nothing_once_the_next_is_charged(
    stage: Stage, subscriptions: Contract, biller: Account, used: int
) -> None:
    stage.charge(used, at=FIRST_DUE)
    with stage.nothing_changes(), reverts("AnotherChargeIsNext", found=2, expected=3):
        subscriptions.chargeUsage(used, 2, CAP, CAP, HASH, sender=biller)
    subscriptions.chargeUsage(used, 3, CAP, CAP, HASH, sender=biller)


@pytest.mark.parametrize("number", [0, 1, 3, 65_536 + 2, UNLIMITED])
def test_no_number_is_passed_over(
    stage: Stage, subscriptions: Contract, biller: Account, used: int, number: int
) -> None:
    with stage.nothing_changes(), reverts("AnotherChargeIsNext", found=number, expected=2):
        subscriptions.chargeUsage(used, number, 1, 1, HASH, sender=biller)


def test_usage_leaves_half_of_the_numbers_to_periods(
    stage: Stage, subscriptions: Contract, biller: Account, used: int
) -> None:
    ((key, word),) = stage.words_read(subscriptions.subscription, used).items()
    stage.overwrite(subscriptions, key, word + (32_765 << 232))
    subscriptions.chargeUsage(used, 32_767, 1, 1, HASH, sender=biller)
    with stage.nothing_changes(), reverts("UsageEnded", subscriptionId=used):
        subscriptions.chargeUsage(used, 32_768, 1, 1, HASH, sender=biller)
    assert stage.charge(used, at=FIRST_DUE) == [DeclineReason.NONE]
    assert stage.charges(used) == 32_768
    with stage.nothing_changes(), reverts("UsageEnded", subscriptionId=used):
        subscriptions.chargeUsage(used, 32_769, 1, 1, HASH, sender=biller)


def test_the_cap_is_that_of_a_period_and_reached_to_the_unit(
    stage: Stage, subscriptions: Contract, biller: Account, used: int
) -> None:
    use(subscriptions, used, CAP - 1, CAP, biller)
    with stage.nothing_changes(), reverts("UsageAboveCap", found=2, allowed=1):
        use(subscriptions, used, 2, CAP, biller)
    use(subscriptions, used, 1, CAP, biller)
    with stage.nothing_changes(), reverts("UsageAboveCap", found=1, allowed=0):
        use(subscriptions, used, 1, CAP, biller)
    assert subscriptions.usageLeft(used) == 0
    stage.charge(used, at=FIRST_DUE)
    assert subscriptions.usageLeft(used) == CAP
    use(subscriptions, used, CAP, CAP, biller)


def test_a_pause_gives_no_second_cap(
    stage: Stage, subscriptions: Contract, payer: Account, biller: Account, used: int
) -> None:
    use(subscriptions, used, CAP, CAP, biller)
    subscriptions.pause(used, sender=payer)
    with stage.nothing_changes(), reverts("NotActive", subscriptionId=used, status=3):
        use(subscriptions, used, 1, 1, biller)
    subscriptions.resume(used, sender=payer)
    with stage.nothing_changes(), reverts("UsageAboveCap", found=1, allowed=0):
        use(subscriptions, used, 1, 1, biller)


@pytest.mark.parametrize(
    ("quantity", "dearest"), [(0, 0), (1, 2), (499_999, 999_998), (2**128 - 1, None), (2**128, 0), (UNLIMITED, 0)]
)
def test_no_unit_costs_more_than_its_price_rounded_down(
    stage: Stage, subscriptions: Contract, biller: Account, used: int, quantity: int, dearest: int | None
) -> None:
    if dearest is None:
        use(subscriptions, used, CAP, quantity, biller)
        return
    with stage.nothing_changes(), reverts("UsageTooDear", found=dearest + 1, allowed=dearest):
        use(subscriptions, used, dearest + 1, quantity, biller)
    if dearest:
        use(subscriptions, used, dearest, quantity, biller)


def test_a_price_below_a_base_unit_is_for_many_units(stage: Stage, subscriptions: Contract, payer: Account) -> None:
    plan_id = stage.create_plan(usage_cap=CAP, usage_price=1)
    used = stage.subscribe(payer, plan_id, at=SUBSCRIBED)
    with reverts("UsageTooDear", found=1, allowed=0):
        use(subscriptions, used, 1, 999_999, stage.merchant)
    use(subscriptions, used, 1, 1_000_000, stage.merchant)


def test_E32_nothing_is_no_charge(stage: Stage, subscriptions: Contract, biller: Account, used: int) -> None:
    with stage.nothing_changes(), reverts("ZeroAmount"):
        use(subscriptions, used, 0, 1, biller)


def test_a_plan_without_usage_charges_none(
    stage: Stage, subscriptions: Contract, merchant: Account, subscribed: int
) -> None:
    with stage.nothing_changes(), reverts("UsageTooDear", found=1, allowed=0):
        use(subscriptions, subscribed, 1, 10**12, merchant)
    assert subscriptions.usageLeft(subscribed) == 0


def test_what_the_payer_lacks_is_said(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, biller: Account, used: int
) -> None:
    token.approve(subscriptions, 4, sender=payer)
    with stage.nothing_changes(), reverts("AllowanceTooLow", found=4, needed=5):
        use(subscriptions, used, 5, 5, biller)


def test_nothing_is_charged_in_the_trial(stage: Stage, subscriptions: Contract, payer: Account) -> None:
    plan_id = stage.create_plan(usage_cap=CAP, usage_price=PER_MILLION, trial=30 * DAY)
    used = stage.subscribe(payer, plan_id, at=SUBSCRIBED)
    with stage.nothing_changes(), reverts("TrialRunning", subscriptionId=used):
        use(subscriptions, used, 1, 1, stage.merchant)
    stage.charge(used, at=SUBSCRIBED + 30 * DAY)
    use(subscriptions, used, 1, 1, stage.merchant)


def test_what_ends_can_still_be_settled_and_what_was_cancelled_cannot(
    stage: Stage, subscriptions: Contract, payer: Account, biller: Account, used: int
) -> None:
    subscriptions.cancelAtPeriodEnd(used, sender=payer)
    stage.at(FIRST_DUE + 1)
    use(subscriptions, used, CAP, CAP, biller)
    with stage.nothing_changes(), reverts("UsageAboveCap", found=1, allowed=0):
        use(subscriptions, used, 1, 1, biller)
    subscriptions.cancel(used, sender=payer)
    with stage.nothing_changes(), reverts("NotActive", subscriptionId=used, status=2):
        use(subscriptions, used, 1, 1, biller)


@pytest.mark.parametrize("offset", [-1, 0])
def test_E20_within_the_grace_and_not_at_its_end(
    stage: Stage, subscriptions: Contract, payer: Account, offset: int
) -> None:
    plan_id = stage.create_plan(usage_cap=CAP, usage_price=PER_MILLION, grace=DAY)
    used = stage.subscribe(payer, plan_id, at=SUBSCRIBED)
    stage.at(FIRST_DUE + DAY + offset)
    if offset < 0:
        use(subscriptions, used, 1, 1, stage.merchant)
        return
    with reverts("UsageEnded", subscriptionId=used):
        use(subscriptions, used, 1, 1, stage.merchant)


def test_E36_a_refund_is_bounded_by_what_usage_cost(
    stage: Stage, subscriptions: Contract, token: Contract, merchant: Account, biller: Account, used: int
) -> None:
    use(subscriptions, used, 1_000, 1_000, biller)
    stage.charge(used, at=FIRST_DUE)
    use(subscriptions, used, 7, 1_000, biller)
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
    use(subscriptions, used, 1_039, 1_000, stage.merchant)
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
            use(subscriptions, used, amount, CAP, biller)
            left -= amount
        else:
            with reverts("UsageAboveCap", found=amount, allowed=left):
                use(subscriptions, used, amount, CAP, biller)
        assert subscriptions.usageLeft(used) == left
