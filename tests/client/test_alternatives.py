"""A second token through the facade: offered, named, paid, refunded; and a plan that the payee proposes."""

from __future__ import annotations

from typing import Any

import pytest

from tallystick import Amount, DeclineReason, Tallystick
from tallystick.core.conditions import Conditions
from tallystick.core.events import Charged, PaidInAlternative, PlanProposed, Refunded
from tallystick.core.plan import Plan
from tallystick.errors import (
    AlternativeIsOffered,
    AmountsLimited,
    AnotherGrid,
    AnotherRegister,
    AssetMismatch,
    InputError,
    NotAnAlternative,
    NotAuthorized,
    NothingToChange,
    PaidInAnotherToken,
    PlanIsQuoted,
    PlanRefundsUnused,
    RefundTooHigh,
    SameToken,
    SeatsOfOneOnly,
)
from tests.business import Business
from tests.chain.mocks import created

DAY_S = 86_400


@pytest.fixture
def second(business: Business, payer: Tallystick) -> str:
    """Another token, of which the payer has some."""
    token = business.create_token()
    business.mint(payer.address, 10**9, token=token)
    return token


@pytest.fixture
def plan(merchant: Tallystick, business: Business) -> Plan:
    return merchant.create_plan(price="10", token=business.token, every=30, unit="day")


@pytest.fixture
def other(merchant: Tallystick, second: str, plan: Plan) -> Plan:
    """The alternative to it."""
    found = merchant.create_plan(
        price="11.50", token=second, every=30, unit="day", fee_bps=1_000, fee_receiver=plan.terms.token
    )
    merchant.offer_alternative(plan, found)
    return found


def test_what_is_lacking_is_paid_in_the_second_token_and_given_back_in_it(
    business: Business, payer: Tallystick, merchant: Tallystick, plan: Plan, other: Plan
) -> None:
    payer.subscribe(plan, periods=1)
    assert payer.subscription(1).fallback_plan_id is None
    assert payer.set_fallback_plan(1, other.plan_id).charges == 1
    state = payer.subscription(1)
    assert (state.fallback_plan_id, state.fallback_wallet) == (other.plan_id, None)
    assert state.next_charge is not None
    assert state.next_charge.missing is DeclineReason.ALLOWANCE
    payer.approve(other.plan_id, periods=2)
    state = payer.subscription(1)
    assert state.next_charge is not None
    assert (state.next_charge.missing, state.next_charge.alternative_id) == (DeclineReason.NONE, None)
    assert (state.next_charge.token, state.next_charge.amount_units) == (business.token, 10_000_000)

    business.anvil.set_time(state.next_due)
    told = payer.preview(1)
    assert (told.reason, told.plan_id, told.amount_units) == (DeclineReason.NONE, other.plan_id, 11_500_000)
    state = payer.subscription(1)
    assert state.next_charge is not None
    assert (state.next_charge.alternative_id, state.next_charge.token) == (other.plan_id, other.terms.token)
    sent = merchant.charge([1])
    assert sent.one(PaidInAlternative).alternative_plan_id == other.plan_id
    assert sent.one(Charged).amount_units == 11_500_000
    assert merchant.totals(merchant.address, other.terms.token).charged_units == 11_500_000
    assert merchant.totals(merchant.address, business.token).charged_units == 10_000_000

    with pytest.raises(PaidInAnotherToken):
        payer.change_plan(1, merchant.create_plan(price="20", token=business.token, every=30, unit="day"), when="now")
    with pytest.raises(PaidInAnotherToken, match="cancel, and refund a charge"):
        merchant.cancel_with_refund(1)
    business.mint(merchant.address, 10**9, token=other.terms.token)
    with pytest.raises(RefundTooHigh):
        merchant.refund(1, 2, "11.500001")
    assert merchant.refund(1, 2, "1.50").one(Refunded).amount_units == 1_500_000
    wrong = Amount(1, merchant.token(business.token))
    with pytest.raises(AssetMismatch):
        merchant.refund(1, 2, wrong)
    assert merchant.refund(1, 2).one(Refunded).amount_units == 10_000_000
    assert merchant.refund(1, 1).one(Refunded).amount_units == 10_000_000
    assert merchant.totals(merchant.address, other.terms.token).refunded_units == 11_500_000

    names = [type(entry.event).__name__ for entry in payer.subscription(1, history=True).history or ()]
    assert [name for name in names if name != "Refunded"] == [
        *("Subscribed", "Charged", "FallbackPlanSet", "PaidInAlternative", "Charged"),
    ]


def test_the_unused_of_a_later_period_is_not_given_back_out_of_a_charge_in_the_other_token(
    business: Business, payer: Tallystick, merchant: Tallystick, plan: Plan, other: Plan
) -> None:
    payer.subscribe(plan, periods=1)
    payer.set_fallback_plan(1, other)
    payer.approve(other.plan_id, periods=1)
    business.anvil.set_time(payer.subscription(1).next_due)
    merchant.charge([1])
    payer.approve(plan.plan_id, periods=3)
    business.anvil.set_time(payer.subscription(1).next_due)
    assert [type(event) for event in merchant.charge([1]).events] == [Charged]
    refunds = [event for event in merchant.cancel_with_refund(1).events if isinstance(event, Refunded)]
    assert [event.charge_number for event in refunds] == [3]


def test_it_ends_by_either_of_the_two(payer: Tallystick, merchant: Tallystick, plan: Plan, other: Plan) -> None:
    payer.subscribe(plan)
    payer.set_fallback_plan(1, other)
    payer.drop_fallback(1)
    assert payer.subscription(1).fallback_plan_id is None
    with pytest.raises(NothingToChange, match="wallet or plan"):
        payer.drop_fallback(1)
    payer.set_fallback_plan(1, other)
    assert merchant.contract.is_alternative(plan.plan_id, other.plan_id)
    merchant.withdraw_alternative(plan, other)
    state = payer.subscription(1)
    assert state.fallback_plan_id == other.plan_id
    with pytest.raises(NotAnAlternative, match="does not offer plan 2 as an alternative to plan 1"):
        payer.set_fallback_plan(1, other)
    with pytest.raises(NotAnAlternative):
        merchant.withdraw_alternative(plan, other)


def test_what_is_no_alternative_is_refused(
    business: Business, payer: Tallystick, merchant: Tallystick, second: str, plan: Plan, other: Plan
) -> None:
    period: dict[str, Any] = {"every": 30, "unit": "day"}
    quoter = created(business, "MockQuoter")
    refused = [
        (AlternativeIsOffered, merchant, plan, other),
        (NotAuthorized, payer, plan, other),
        (SameToken, merchant, plan, merchant.create_plan(price="1", token=business.token, **period)),
        (AnotherGrid, merchant, plan, merchant.create_plan(price="1", token=second)),
        (SeatsOfOneOnly, merchant, plan, merchant.create_plan(seat_price="1", token=second, **period)),
        (PlanIsQuoted, merchant, plan, merchant.create_plan(price=1, token=second, quoter=quoter, **period)),
        (
            PlanRefundsUnused,
            merchant,
            plan,
            merchant.create_plan(price="1", token=second, refunds_unused=True, **period),
        ),
    ]
    for error, signer, one, alternative in refused:
        with pytest.raises(error):
            signer.offer_alternative(one, alternative)
    payer.subscribe(plan, conditions=Conditions(max_per_period_units=10**8))
    with pytest.raises(AmountsLimited, match="take the limits back first"):
        payer.set_fallback_plan(1, other)


def test_a_plan_is_proposed_and_nothing_changes(
    business: Business, payer: Tallystick, merchant: Tallystick, plan: Plan, other: Plan
) -> None:
    payer.subscribe(plan)
    before = payer.subscription(1)
    dearer = merchant.create_plan(price="12", token=business.token, every=30, unit="day")
    assert merchant.propose_plan([1], dearer).one(PlanProposed) == PlanProposed(1, dearer.plan_id)
    assert payer.subscription(1) == before
    assert payer.schedule_change(1, dearer).charges == 1
    with pytest.raises(InputError, match="found no subscription to propose"):
        merchant.propose_plan([], dearer)
    with pytest.raises(NotAuthorized):
        payer.propose_plan([1], dearer.plan_id)
    with pytest.raises(AnotherRegister):
        merchant.propose_plan([1], other)
