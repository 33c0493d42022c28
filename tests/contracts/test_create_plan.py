"""createPlan: anyone states immutable terms."""

from __future__ import annotations

from typing import Any

import pytest

from tallystick.core.period import Unit
from tallystick.core.plan import PlanTerms
from tests.contracts.stage import PRICE, Account, Contract, Stage, reverts, reverts_bare

ZERO = "0x" + "00" * 20
MAX_PERIOD_S = 100 * 366 * 86_400


def terms_of(stage: Stage, **changes: Any) -> tuple[Any, ...]:
    """Valid terms, some of them changed."""
    terms = {"payee": stage.merchant, "price": PRICE, "token": stage.token, "every": 1, "unit": 3, "catch_up": 0}
    return tuple((terms | changes).values())


def test_states_its_terms_and_numbers_plans_from_1(
    stage: Stage, subscriptions: Contract, merchant: Account, token: Contract
) -> None:
    receipt = subscriptions.createPlan(terms_of(stage, every=2, unit=Unit.WEEK, catch_up=3), sender=merchant)
    assert stage.events(receipt) == [
        (
            "PlanCreated",
            {
                "planId": 1,
                "payee": merchant.address,
                "token": token.address,
                "price": PRICE,
                "every": 2,
                "unit": Unit.WEEK,
                "catchUp": 3,
            },
        )
    ]
    assert stage.create_plan() == 2
    found = subscriptions.plan(1)
    assert (found.payee, found.price, found.token) == (merchant, PRICE, token)
    assert (found.every, found.unit, found.catchUp) == (2, Unit.WEEK, 3)


def test_terms_hash_is_that_of_the_abi_encoded_terms(stage: Stage, subscriptions: Contract) -> None:
    plan_id = stage.create_plan(every=14, unit=Unit.DAY, catch_up=255, price=2**96 - 1)
    terms = PlanTerms(stage.merchant.address, 2**96 - 1, stage.token.address, 14, Unit.DAY, 255)
    assert bytes(subscriptions.termsHash(plan_id)) == terms.hash()


def test_anyone_may_create_a_plan_for_any_payee(stage: Stage, subscriptions: Contract, anyone: Account) -> None:
    subscriptions.createPlan(terms_of(stage), sender=anyone)
    assert subscriptions.plan(1).payee == stage.merchant


def test_refuses_no_payee(stage: Stage, subscriptions: Contract, merchant: Account) -> None:
    with reverts("ZeroAddress"):
        subscriptions.createPlan(terms_of(stage, payee=ZERO), sender=merchant)


def test_refuses_itself_as_payee_because_no_money_could_leave_it(
    stage: Stage, subscriptions: Contract, merchant: Account
) -> None:
    with stage.nothing_changes(), reverts("PayeeRefused", payee=subscriptions):
        subscriptions.createPlan(terms_of(stage, payee=subscriptions), sender=merchant)


def test_E32_refuses_a_price_of_nothing(stage: Stage, subscriptions: Contract, merchant: Account) -> None:
    with reverts("ZeroAmount"):
        subscriptions.createPlan(terms_of(stage, price=0), sender=merchant)


def test_E01_refuses_a_token_without_code(stage: Stage, subscriptions: Contract, merchant: Account) -> None:
    with reverts("NotAContract", account=stage.anyone):
        subscriptions.createPlan(terms_of(stage, token=stage.anyone), sender=merchant)


@pytest.mark.parametrize(
    ("every", "unit"),
    [
        (1, Unit.SECOND),
        (MAX_PERIOD_S, Unit.SECOND),
        (36_600, Unit.DAY),
        (5_228, Unit.WEEK),
        (1_180, Unit.MONTH),
        (100, Unit.YEAR),
    ],
)
def test_E28_accepts_periods_up_to_100_years(stage: Stage, subscriptions: Contract, every: int, unit: Unit) -> None:
    assert subscriptions.plan(stage.create_plan(every=every, unit=unit)).every == every


@pytest.mark.parametrize(
    ("every", "unit", "found_s"),
    [
        (0, Unit.SECOND, 0),
        (0, Unit.MONTH, 0),
        (MAX_PERIOD_S + 1, Unit.SECOND, MAX_PERIOD_S + 1),
        (36_601, Unit.DAY, 36_601 * 86_400),
        (5_229, Unit.WEEK, 5_229 * 7 * 86_400),
        (1_181, Unit.MONTH, 1_181 * 31 * 86_400),
        (101, Unit.YEAR, 101 * 366 * 86_400),
        (2**32 - 1, Unit.YEAR, (2**32 - 1) * 366 * 86_400),
    ],
)
def test_E28_refuses_no_period_and_more_than_100_years(
    stage: Stage, subscriptions: Contract, merchant: Account, every: int, unit: Unit, found_s: int
) -> None:
    with reverts("PeriodOutOfRange", foundSeconds=found_s, allowedSeconds=MAX_PERIOD_S):
        subscriptions.createPlan(terms_of(stage, every=every, unit=unit), sender=merchant)


def test_refuses_a_unit_that_does_not_exist(stage: Stage, subscriptions: Contract, merchant: Account) -> None:
    with reverts_bare():
        subscriptions.createPlan(terms_of(stage, unit=5), sender=merchant)


@pytest.mark.parametrize("decimals", [0, 2, 6, 18, 24])
def test_E04_prices_are_base_units_whatever_the_decimals(
    stage: Stage, project: Any, payer: Account, decimals: int
) -> None:
    token = project.MockToken.deploy("Mock", "MOCK", decimals, sender=stage.anyone)
    price = 7 * 10**decimals
    token.mint(payer, price, sender=payer)
    token.approve(stage.subscriptions, price, sender=payer)
    stage.subscribe(payer, stage.create_plan(token=token, price=price))
    assert token.balanceOf(stage.merchant) == price
