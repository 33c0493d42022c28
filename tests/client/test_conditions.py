"""Consent with conditions, coupons and Permit2 through the facade, and everything that is refused before it is sent."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from tallystick import (
    Conditions,
    DeclineReason,
    Funding,
    SignedCoupon,
    SignedMandateWithConditions,
    Tallystick,
    parse_any_mandate,
    parse_coupon,
)
from tallystick.chain.permit2 import Permit2Contract
from tallystick.chain.token import TokenContract
from tallystick.core.events import Charged, ConditionsSet, Discounted, MandateAccepted
from tallystick.core.permit2 import PERMIT2
from tallystick.core.plan import Plan
from tallystick.errors import (
    AnotherCoupon,
    BalanceTooLow,
    ConditionsEnded,
    CouponNotFor,
    CouponUsed,
    DiscountRunning,
    FirstChargeDeclined,
    ForeignPlan,
    InputError,
    InvalidSignature,
    MandateExpired,
    MaximumMissing,
    NotAuthorized,
    OverMandate,
    PeriodTooShort,
    PlanNotAgreed,
    SaltUsed,
    SignatureExpired,
    StartOutOfRange,
)
from tests.business import Business
from tests.chain.mocks import created
from tests.client.conftest import BILLER, Connect
from tests.contracts.permit2 import place_permit2

DAY_S = 86_400


@pytest.fixture
def plan(merchant: Tallystick, business: Business) -> Plan:
    return merchant.create_plan(price="10", token=business.token, every=30, unit="day")


@pytest.fixture
def dear(merchant: Tallystick, business: Business) -> Plan:
    return merchant.create_plan(price="30", token=business.token, every=30, unit="day")


def at(business: Business, timestamp: int) -> None:
    business.anvil.rpc("evm_setNextBlockTimestamp", hex(timestamp))


# --- Conditions -------------------------------------------------------------------------------------------------------


def test_a_subscription_with_conditions_shows_them_and_keeps_to_them(
    business: Business, payer: Tallystick, merchant: Tallystick, as_account: Connect, plan: Plan
) -> None:
    end = business.anvil.timestamp + 300 * DAY_S
    friend = as_account(BILLER).address
    wanted = payer.conditions(
        business.token, max_per_period="12", max_total="25", ends_at=end, beneficiary=friend.lower()
    )
    assert wanted == Conditions(12_000_000, 25_000_000, 0, end, friend)
    opened = payer.subscribe(plan, conditions=wanted)
    assert opened.charges == 1
    state = merchant.subscription(opened.subscription_id)
    assert state.conditions == dataclasses.replace(wanted, max_total_units=15_000_000)
    assert (state.beneficiary, state.discount, state.scheduled, state.fallback_wallet) == (friend, None, None, None)
    at(business, opened.next_due)
    merchant.charge([1])
    at(business, merchant.subscription(1).next_due)
    assert merchant.charge([1]).reasons == [DeclineReason.OVER_MANDATE]  # 5 of 25 are left
    assert merchant.preview(1).reason is DeclineReason.OVER_MANDATE
    payer.set_conditions(1, payer.conditions(business.token, max_per_period="9.99"))
    assert merchant.subscription(1).conditions == Conditions(9_990_000)
    assert merchant.subscription(1).beneficiary == payer.address
    assert merchant.charge([1]).reasons == [DeclineReason.OVER_MANDATE]
    payer.set_conditions(1, Conditions(ends_at=business.anvil.timestamp))
    assert merchant.charge([1]).reasons == [DeclineReason.ENDED]
    assert merchant.subscription(1).next_charge is None
    payer.set_conditions(1, Conditions())
    assert merchant.charge([1]).reasons == [DeclineReason.NONE]
    with pytest.raises(NotAuthorized):
        merchant.set_conditions(1, Conditions())


def test_a_later_start_charges_nothing_before(
    business: Business, payer: Tallystick, merchant: Tallystick, plan: Plan
) -> None:
    start = business.anvil.timestamp + 10 * DAY_S
    opened = payer.subscribe(plan, conditions=Conditions(starts_at=start))
    assert (opened.charges, opened.next_due) == (0, start)
    at(business, start)
    assert merchant.charge([1]).one(Charged).period_start == start


def test_conditions_that_the_plan_does_not_fit_cost_nothing(
    business: Business, payer: Tallystick, plan: Plan, merchant: Tallystick
) -> None:
    now = business.anvil.timestamp
    quoted = merchant.create_plan(
        price=10, token=business.token, quoter=created(business, "MockQuoter"), every=30, unit="day"
    )
    before = business.anvil.block_number
    for error, chosen, conditions in (
        (FirstChargeDeclined, plan, Conditions(max_per_period_units=9_999_999)),
        (FirstChargeDeclined, plan, Conditions(max_total_units=9_999_999)),
        (StartOutOfRange, plan, Conditions(starts_at=now + 200 * 366 * DAY_S)),
        (StartOutOfRange, plan, Conditions(ends_at=now)),
        (MaximumMissing, quoted, Conditions(ends_at=2**40 - 1)),
        (MaximumMissing, quoted, Conditions()),
        (InputError, plan, Conditions(max_total_units=2**96)),
    ):
        with pytest.raises(error):
            payer.subscribe(chosen, conditions=conditions)
    with pytest.raises(InputError, match="found a permit as funding"):
        payer.subscribe(plan, conditions=Conditions(ends_at=2**39), funding=Funding.PERMIT)
    with pytest.raises(FirstChargeDeclined, match=r"would decline \(allowance\): the contract may move 0 units"):
        payer.subscribe(plan, conditions=Conditions(ends_at=2**39), funding=Funding.ALLOWANCE)
    with pytest.raises(FirstChargeDeclined, match="it costs 10000000 units of the token, usage up to its cap included"):
        payer.subscribe(plan, conditions=Conditions(max_per_period_units=1))
    business.token_call(payer.address, "transfer", business.operator, 10**12 - 1)
    sent = business.anvil.block_number
    with pytest.raises(BalanceTooLow):  # found before an approval is sent
        payer.subscribe(plan, conditions=Conditions(ends_at=2**39))
    assert business.anvil.block_number == sent == before + 1


def test_a_change_and_usage_stay_within_the_conditions(
    business: Business, payer: Tallystick, merchant: Tallystick, dear: Plan
) -> None:
    metered = merchant.create_plan(
        price="10", token=business.token, every=30, unit="day", usage_cap="5", usage_price="1"
    )
    payer.subscribe(metered, conditions=payer.conditions(business.token, max_per_period="15", max_total="14"))
    with pytest.raises(OverMandate) as dearer:
        payer.quote(1, dear)
    assert (dearer.value.found, dearer.value.allowed) == (30_000_000, 15_000_000)
    with pytest.raises(OverMandate):
        merchant.charge_usage(1, "4.5", 10**7, document=b"")
    merchant.charge_usage(1, "4", 10**7, document=b"")
    assert merchant.contract.is_spent(1)
    at(business, business.anvil.timestamp + 60)
    payer.set_conditions(1, Conditions(ends_at=business.anvil.timestamp + 90))
    business.anvil.advance(120)
    with pytest.raises(ConditionsEnded):
        merchant.charge_usage(1, "1", 10**7, document=b"")


# --- Mandates ---------------------------------------------------------------------------------------------------------


def test_a_mandate_for_one_of_several_plans_is_submitted_with_its_permit(
    business: Business, payer: Tallystick, merchant: Tallystick, plan: Plan, dear: Plan
) -> None:
    business.anvil.rpc("anvil_setBalance", payer.address, "0x0")
    signed = payer.sign_mandate_with_conditions(
        [plan, dear.plan_id],
        conditions=payer.conditions(business.token, max_per_period="30"),
        min_period_s=28 * DAY_S,
        periods=2,
    )
    assert signed.permit is not None
    assert signed.permit.value_units == 60_000_000
    found = parse_any_mandate(signed.render())
    assert isinstance(found, SignedMandateWithConditions)
    assert found == signed
    before = business.anvil.block_number
    with pytest.raises(InputError, match="found no choice, the mandate is for one of the plans 1, 2"):
        merchant.submit_mandate(found)
    with pytest.raises(InputError, match="found plan 3, the mandate is for one of the plans 1, 2"):
        merchant.submit_mandate(found, plan_id=3)
    with pytest.raises(ForeignPlan):
        merchant.submit_mandate(found, plan_id=2, plans=[1])
    elsewhere = dataclasses.replace(found, chain_id=1)
    with pytest.raises(InputError, match="on chain 1, this is"):
        merchant.submit_mandate(elsewhere, plan_id=2)
    forged = dataclasses.replace(found, mandate=dataclasses.replace(found.mandate, seats=1))
    with pytest.raises(InvalidSignature):
        merchant.submit_mandate(forged, plan_id=2)
    renumbered = dataclasses.replace(found, plan_ids=(2, 3))
    merchant.create_plan(price="1", token=business.token)
    with pytest.raises(PlanNotAgreed):
        merchant.submit_mandate(renumbered, plan_id=3)
    assert business.anvil.block_number == before + 1  # the plan
    opened = merchant.submit_mandate(found, plan_id=2)
    assert (opened.payer, opened.plan_id, opened.charges) == (payer.address, 2, 1)
    with pytest.raises(SaltUsed):
        merchant.submit_mandate(found, plan_id=1)
    assert merchant.contract.conditions(1).max_per_period_units == 30_000_000


def test_mandates_that_do_not_fit_are_refused_before_they_are_sent(
    business: Business, payer: Tallystick, merchant: Tallystick, as_account: Connect, plan: Plan
) -> None:
    other = as_account(BILLER).create_plan(price="10", token=business.token)
    weekly = merchant.create_plan(price="10", token=business.token, unit="week")
    quoted = merchant.create_plan(price=10, token=business.token, quoter=created(business, "MockQuoter"))
    with pytest.raises(InputError, match="plans of one mandate have the same"):
        payer.sign_mandate_with_conditions([plan, other])
    with pytest.raises(InputError, match="found no plan to agree to"):
        payer.sign_mandate_with_conditions([])
    with pytest.raises(MaximumMissing):
        payer.sign_mandate_with_conditions([quoted])
    with pytest.raises(InputError, match="cannot approve"):
        payer.sign_mandate_with_conditions([plan], funding=Funding.APPROVE)
    short = payer.sign_mandate_with_conditions([weekly], min_period_s=28 * DAY_S)
    late = payer.sign_mandate_with_conditions([plan], valid_s=60)
    poor = payer.sign_mandate_with_conditions([plan], funding=Funding.ALLOWANCE)
    before = business.anvil.block_number
    with pytest.raises(PeriodTooShort):
        merchant.submit_mandate(short)
    with pytest.raises(FirstChargeDeclined):
        merchant.submit_mandate(poor)
    plain = payer.sign_mandate(plan)
    with pytest.raises(InputError, match="the mandate is for plan 1 and has no coupon"):
        merchant.submit_mandate(plain, plan_id=2)
    assert business.anvil.block_number == before
    business.anvil.advance(60)
    with pytest.raises(MandateExpired):
        merchant.submit_mandate(late)


# --- Coupons ----------------------------------------------------------------------------------------------------------


def test_a_coupon_goes_from_payee_to_payer_and_lowers_the_charges_that_it_says(
    business: Business, payer: Tallystick, merchant: Tallystick, plan: Plan, dear: Plan
) -> None:
    signed = merchant.sign_coupon(
        plan, basis_points_off=2_500, amount_off="0.50", periods=2, code=7, valid_s=400 * DAY_S
    )
    coupon = parse_coupon(signed.render())
    assert coupon == signed
    opened = payer.subscribe(plan, coupon=coupon)
    state = merchant.subscription(1)
    assert state.discount is not None
    assert (state.discount.basis_points_off, state.discount.amount_off_units, state.discount.periods) == (
        *(2_500, 500_000),
        1,
    )
    assert state.next_charge is not None
    assert state.next_charge.amount_units == 7_000_000
    with pytest.raises(DiscountRunning):
        payer.change_plan(1, dear)
    with pytest.raises(DiscountRunning):
        payer.redeem_coupon(1, merchant.sign_coupon(plan, basis_points_off=1))
    at(business, opened.next_due)
    sent = merchant.charge([1])
    assert (sent.one(Discounted).amount_units, sent.one(Charged).amount_units) == (3_000_000, 7_000_000)
    at(business, merchant.subscription(1).next_due)
    assert merchant.charge([1]).one(Charged).amount_units == 10_000_000
    assert merchant.subscription(1).discount is None
    assert merchant.refund(1, 2).events  # 7.00 was paid, by the history
    with pytest.raises(CouponUsed):
        payer.redeem_coupon(1, coupon)
    anywhere = merchant.sign_coupon(token=business.token, amount_off="1", payer=payer.address)
    payer.redeem_coupon(1, anywhere)
    assert payer.preview(1).amount_units == 9_000_000


def test_coupons_that_are_not_for_it_are_refused(
    business: Business, payer: Tallystick, merchant: Tallystick, as_account: Connect, plan: Plan, dear: Plan
) -> None:
    stranger = as_account(BILLER)
    payer.subscribe(plan)
    of_other_plan = merchant.sign_coupon(dear, basis_points_off=100)
    for_another = merchant.sign_coupon(plan, basis_points_off=100, payer=stranger.address)
    late = merchant.sign_coupon(plan, basis_points_off=100, valid_s=0)
    good = merchant.sign_coupon(plan, basis_points_off=100, code=99)
    forged = dataclasses.replace(good, coupon=dataclasses.replace(good.coupon, basis_points_off=9_999))
    foreign = stranger.sign_coupon(token=business.token, basis_points_off=100)
    before = business.anvil.block_number
    cases: list[tuple[type[Exception], SignedCoupon]] = [
        (CouponNotFor, of_other_plan),
        (CouponNotFor, for_another),
        (SignatureExpired, late),
        (InvalidSignature, forged),
        (InputError, foreign),
        (InputError, dataclasses.replace(good, chain_id=1)),
    ]
    for error, coupon in cases:
        with pytest.raises(error):
            payer.redeem_coupon(1, coupon)
        with pytest.raises(error):
            payer.subscribe(plan, coupon=coupon)
    wrongs: list[dict[str, Any]] = [
        {"basis_points_off": 10_001},
        {"basis_points_off": 0},
        {"amount_off": -1},
        {"basis_points_off": 1, "periods": 0},
    ]
    for wrong in wrongs:
        with pytest.raises(InputError):
            merchant.sign_coupon(plan, **wrong)
    with pytest.raises(InputError, match="both or neither of plan and token"):
        merchant.sign_coupon(basis_points_off=1)
    with pytest.raises(NotAuthorized):
        stranger.sign_coupon(plan, basis_points_off=1)
    with pytest.raises(NotAuthorized):
        stranger.redeem_coupon(1, good)
    assert business.anvil.block_number == before
    merchant.revoke_mandate(99)
    with pytest.raises(SaltUsed):
        payer.redeem_coupon(1, good)


def test_a_mandate_names_its_coupon(payer: Tallystick, merchant: Tallystick, plan: Plan) -> None:
    coupon = merchant.sign_coupon(plan, basis_points_off=5_000)
    signed = payer.sign_mandate_with_conditions([plan], coupon=coupon)
    with pytest.raises(AnotherCoupon):
        merchant.submit_mandate(signed)
    with pytest.raises(AnotherCoupon):
        merchant.submit_mandate(signed, coupon=merchant.sign_coupon(plan, basis_points_off=5_000))
    opened = merchant.submit_mandate(signed, coupon=coupon)
    assert opened.charges == 1
    assert merchant.contract.is_coupon_used(merchant.contract.coupon_hash(1, coupon.coupon), payer.address)
    history = merchant.subscription(1, history=True).history or ()
    kinds = {type(entry.event) for entry in history}
    assert {ConditionsSet, Discounted, MandateAccepted} <= kinds


# --- Permit2 ----------------------------------------------------------------------------------------------------------


def allowances(business: Business, payer: Tallystick, token: str) -> tuple[int, int, int]:
    contract = TokenContract(payer.contract.node, token)
    below = Permit2Contract(payer.contract.node).allowance(payer.address, token, business.subscriptions)
    own = contract.allowance(payer.address, business.subscriptions)
    return contract.allowance(payer.address, PERMIT2), below.units, own


def test_E08_permit2_is_approved_in_both_places_also_where_the_token_wants_zero_first(
    business: Business, payer: Tallystick, merchant: Tallystick
) -> None:
    place_permit2(business.anvil.rpc)
    token = created(business, "MockUSDT")
    business.send(business.operator, token, calldata_of_mint(payer.address, 10**12))
    plan = merchant.create_plan(price="10", token=token, every=30, unit="day")
    through = Conditions(by_permit2=True)
    payer.approve(plan.plan_id, periods=1, conditions=through)
    assert allowances(business, payer, token) == (10_000_000, 10_000_000, 0)
    payer.approve(plan.plan_id, periods=1, conditions=through)  # USDT takes a change from zero alone
    assert allowances(business, payer, token) == (20_000_000, 20_000_000, 0)
    opened = payer.subscribe(plan, conditions=through, funding=Funding.ALLOWANCE)
    assert allowances(business, payer, token) == (10_000_000, 10_000_000, 0)
    state = merchant.subscription(1)
    assert state.next_charge is not None
    assert state.next_charge.missing is DeclineReason.NONE
    at(business, opened.next_due)
    assert merchant.charge([1]).reasons == [DeclineReason.NONE]
    after = merchant.subscription(1).next_charge
    assert after is not None
    assert after.missing is DeclineReason.ALLOWANCE
    at(business, merchant.subscription(1).next_due)
    assert merchant.charge([1]).reasons == [DeclineReason.ALLOWANCE]


def calldata_of_mint(to: str, units: int) -> str:
    from eth_abi.abi import encode
    from eth_utils.abi import function_signature_to_4byte_selector

    return (
        "0x"
        + (
            function_signature_to_4byte_selector("mint(address,uint256)") + encode(["address", "uint256"], [to, units])
        ).hex()
    )


def test_permit2_without_gas_by_two_permits_in_a_mandate(
    business: Business, payer: Tallystick, merchant: Tallystick, plan: Plan
) -> None:
    place_permit2(business.anvil.rpc)
    business.anvil.rpc("anvil_setBalance", payer.address, "0x0")
    signed = payer.sign_mandate_with_conditions([plan], conditions=Conditions(by_permit2=True), periods=3)
    assert signed.permit is not None
    assert signed.permit2 is not None
    found = parse_any_mandate(signed.render())
    assert found == signed
    opened = merchant.submit_mandate(found)
    assert opened.charges == 1
    assert allowances(business, payer, business.token) == (20_000_000, 20_000_000, 0)


def test_subscribing_through_permit2_funds_it(business: Business, payer: Tallystick, plan: Plan) -> None:
    place_permit2(business.anvil.rpc)
    payer.subscribe(plan, conditions=Conditions(by_permit2=True), periods=2)
    assert allowances(business, payer, business.token) == (10_000_000, 10_000_000, 0)
    dear = payer.contract.conditions(1)
    assert dear.by_permit2


def test_a_chain_without_permit2_says_so(business: Business, payer: Tallystick, plan: Plan) -> None:
    before = business.anvil.block_number
    for attempt in (
        lambda: payer.approve(plan.plan_id, conditions=Conditions(by_permit2=True)),
        lambda: payer.sign_mandate_with_conditions([plan], conditions=Conditions(by_permit2=True)),
        lambda: payer.subscribe(plan, conditions=Conditions(by_permit2=True)),
    ):
        with pytest.raises(InputError, match="there is no Permit2 at 0x000000000022D473030F116dDEE9F6B43aC78BA3"):
            attempt()
    assert business.anvil.block_number == before
