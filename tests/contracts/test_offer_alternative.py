"""offerAlternative, withdrawAlternative: the payee declares a plan in another token equivalent, or takes it back."""

from __future__ import annotations

from typing import Any

import pytest

from tallystick.core.period import Unit
from tests.contracts.alternative import OTHER_PRICE, offer, withdraw
from tests.contracts.signing import payee_change_data, signed
from tests.contracts.stage import UNLIMITED, Account, Contract, Stage, reverts, utc

ALIGNED = utc(2027, 1, 1)


@pytest.fixture
def other(stage: Stage, usdc: Contract) -> int:
    """The merchant's monthly plan in another token."""
    return stage.create_plan(token=usdc, price=OTHER_PRICE)


def test_the_payee_of_both_offers_and_withdraws(
    stage: Stage, subscriptions: Contract, monthly: int, other: int
) -> None:
    assert not subscriptions.isAlternative(monthly, other)
    plans = {"planId": monthly, "alternativePlanId": other}
    assert stage.events(offer(stage, monthly, other)) == [("AlternativeOffered", plans)]
    assert (subscriptions.isAlternative(monthly, other), subscriptions.isAlternative(other, monthly)) == (True, False)
    assert stage.events(withdraw(stage, monthly, other)) == [("AlternativeWithdrawn", plans)]
    assert not subscriptions.isAlternative(monthly, other)
    offer(stage, monthly, other)
    assert subscriptions.isAlternative(monthly, other)


def test_nobody_but_the_payee_of_both_may(
    stage: Stage, usdc: Contract, payer: Account, monthly: int, other: int
) -> None:
    strangers = stage.create_plan(payee=stage.anyone, token=usdc)
    for sender in (stage.anyone, payer):
        with stage.nothing_changes(), reverts("NotAuthorized", caller=sender):
            offer(stage, monthly, other, sender)
    for sender in (stage.merchant, stage.anyone):
        with stage.nothing_changes(), reverts("NotAuthorized", caller=sender):
            offer(stage, monthly, strangers, sender)
    offer(stage, monthly, other)
    for sender in (stage.anyone, payer):
        with stage.nothing_changes(), reverts("NotAuthorized", caller=sender):
            withdraw(stage, monthly, other, sender)


@pytest.mark.parametrize("plan_id", [0, 3, 2**32, UNLIMITED])
def test_refuses_what_does_not_exist(
    stage: Stage, subscriptions: Contract, monthly: int, other: int, plan_id: int
) -> None:
    assert {monthly, other} == {1, 2}
    for pair in ((plan_id, other), (monthly, plan_id)):
        with stage.nothing_changes(), reverts("UnknownPlan", planId=plan_id):
            offer(stage, *pair)
        with stage.nothing_changes(), reverts("UnknownPlan", planId=plan_id):
            withdraw(stage, *pair, stage.anyone)
        with reverts("UnknownPlan", planId=plan_id):
            subscriptions.isAlternative.transact(*pair, sender=stage.anyone)


def test_refuses_a_plan_in_the_same_token(stage: Stage, token: Contract, monthly: int) -> None:
    for plan_id in (monthly, stage.create_plan(price=1)):
        with stage.nothing_changes(), reverts("SameToken", token=token):
            offer(stage, monthly, plan_id)


@pytest.mark.parametrize(
    "terms",
    [
        {"every": 2},
        {"unit": Unit.YEAR},
        {"unit": Unit.DAY, "every": 30},
        {"align_to": ALIGNED},
        {"align_to": ALIGNED + 1},
    ],
)
def test_refuses_periods_that_are_others(stage: Stage, usdc: Contract, monthly: int, terms: dict[str, Any]) -> None:
    plan_id = stage.create_plan(align_to=ALIGNED) if terms.get("align_to") == ALIGNED + 1 else monthly
    other = stage.create_plan(token=usdc, **terms)
    with stage.nothing_changes(), reverts("AnotherGrid", planId=plan_id, alternativePlanId=other):
        offer(stage, plan_id, other)


def test_takes_periods_that_are_as_long_in_other_units(stage: Stage, usdc: Contract) -> None:
    weekly = stage.create_plan(unit=Unit.WEEK, align_to=ALIGNED)
    other = stage.create_plan(token=usdc, unit=Unit.DAY, every=7, align_to=ALIGNED)
    offer(stage, weekly, other)
    assert stage.subscriptions.isAlternative(weekly, other)


def test_both_sell_seats_or_neither(stage: Stage, usdc: Contract, monthly: int, other: int) -> None:
    seats, other_seats = stage.create_plan(seat_price=1), stage.create_plan(token=usdc, seat_price=2)
    for pair in ((monthly, other_seats), (seats, other)):
        with stage.nothing_changes(), reverts("SeatsOfOneOnly", planId=pair[0], alternativePlanId=pair[1]):
            offer(stage, *pair)
    offer(stage, seats, other_seats)


def test_refuses_quoted_prices_and_promised_refunds(
    stage: Stage, project: Any, usdc: Contract, monthly: int, other: int
) -> None:
    quoter = project.MockQuoter.deploy(sender=stage.anyone)
    for terms, error in (({"quoter": quoter}, "PlanIsQuoted"), ({"refunds_unused": True}, "PlanRefundsUnused")):
        plan_id, alternative_id = stage.create_plan(**terms), stage.create_plan(token=usdc, **terms)
        with stage.nothing_changes(), reverts(error, planId=plan_id):
            offer(stage, plan_id, other)
        with stage.nothing_changes(), reverts(error, planId=alternative_id):
            offer(stage, monthly, alternative_id)


def test_is_offered_once_and_withdrawn_once(stage: Stage, monthly: int, other: int) -> None:
    plans = {"planId": monthly, "alternativePlanId": other}
    with stage.nothing_changes(), reverts("NotAnAlternative", **plans):
        withdraw(stage, monthly, other)
    offer(stage, monthly, other)
    with stage.nothing_changes(), reverts("AlternativeIsOffered", **plans):
        offer(stage, monthly, other)
    withdraw(stage, monthly, other)
    with stage.nothing_changes(), reverts("NotAnAlternative", **plans):
        withdraw(stage, monthly, other)


def test_registers_handed_over_apart_have_no_alternative_and_either_payee_ends_it(
    stage: Stage, subscriptions: Contract, usdc: Contract, payers: list[Account], monthly: int, other: int
) -> None:
    offer(stage, monthly, other)
    new = payers[3]
    data = payee_change_data(stage, stage.merchant.address, new.address, token=usdc.address)
    signatures = (signed(stage.merchant, data), signed(new, data))
    subscriptions.changePayee(stage.merchant, usdc, new, 0, UNLIMITED, *signatures, sender=stage.anyone)
    assert not subscriptions.isAlternative(monthly, other)
    for sender in (stage.merchant, new):
        with stage.nothing_changes(), reverts("NotAuthorized", caller=sender):
            offer(stage, monthly, other, sender)
    withdraw(stage, monthly, other, new)
    with stage.nothing_changes(), reverts("NotAnAlternative", planId=monthly, alternativePlanId=other):
        withdraw(stage, monthly, other)
