"""Changes at the period's end, lower prices, plans on a grid or with a quoted price, and ends with a refund."""

from __future__ import annotations

import calendar
import dataclasses

import pytest

from tallystick import DeclineReason, Status, Tallystick, When, parse_plan_change
from tallystick.core.change import commitment
from tallystick.core.conditions import Conditions
from tallystick.core.events import Charged, PlanChanged, Quoted, Refunded
from tallystick.core.period import Unit
from tallystick.core.plan import Plan
from tallystick.errors import (
    AlignedToFuture,
    BalanceTooLow,
    InputError,
    InvalidSignature,
    MaximumMissing,
    NotAContract,
    NotActive,
    NotAuthorized,
    NothingToChange,
    PlanIsQuoted,
    SaltUsed,
    SignatureExpired,
    TermsContradict,
    TermsWorse,
    UnusedNotRefunded,
)
from tallystick.flows.history import read_segments
from tests.business import Business
from tests.chain.mocks import created
from tests.client.conftest import BILLER, Connect

DAY_S = 86_400


@pytest.fixture
def small(merchant: Tallystick, business: Business) -> Plan:
    return merchant.create_plan(price="10", token=business.token, every=30, unit="day")


@pytest.fixture
def large(merchant: Tallystick, business: Business) -> Plan:
    return merchant.create_plan(price="30", token=business.token, every=30, unit="day")


def at(business: Business, timestamp: int) -> None:
    business.anvil.rpc("evm_setNextBlockTimestamp", hex(timestamp))


# --- At the period's end ----------------------------------------------------------------------------------------------


def test_a_downgrade_waits_for_the_period_s_end_and_an_upgrade_does_not(
    business: Business, payer: Tallystick, merchant: Tallystick, small: Plan, large: Plan
) -> None:
    due = payer.subscribe(large).next_due
    offer = payer.quote(1, small)
    assert (offer.when, offer.to_pay_units, offer.max_to_pay_units, offer.next_due) == (When.PERIOD_END, 0, 0, due)
    kept = payer.change_plan(1, small)
    assert (kept.plan_id, kept.charges) == (large.plan_id, 1)
    state = merchant.subscription(1)
    assert state.scheduled == (small.plan_id, 0)
    assert state.next_charge is not None
    assert (state.next_charge.plan_id, state.next_charge.amount_units) == (small.plan_id, 10_000_000)
    at(business, due)
    sent = merchant.charge([1])
    assert [type(event) for event in sent.events] == [PlanChanged, Charged]
    assert sent.one(Charged).amount_units == 10_000_000
    state = merchant.subscription(1)
    assert (state.plan_id, state.scheduled) == (small.plan_id, None)
    assert payer.quote(1, large).when is When.NOW
    assert payer.change_plan(1, large).plan_id == large.plan_id
    refunded = [merchant.refund(1, number).one(Refunded).amount_units for number in (1, 2)]
    assert refunded == [30_000_000, 10_000_000]


def test_what_is_scheduled_is_taken_back_and_an_upgrade_can_wait(
    payer: Tallystick, merchant: Tallystick, small: Plan, large: Plan
) -> None:
    payer.subscribe(small)
    payer.schedule_change(1, large)
    assert merchant.subscription(1).scheduled == (large.plan_id, 0)
    payer.change_plan(1, small)
    assert merchant.subscription(1).scheduled is None
    with pytest.raises(NothingToChange):
        payer.change_plan(1, small)
    payer.change_plan(1, large, when="period-end")
    assert payer.change_plan(1, large, when="now").plan_id == large.plan_id
    assert merchant.subscription(1).scheduled is None
    with pytest.raises(InputError, match="found 'soon' for when to change, allowed are now, period-end"):
        payer.change_plan(1, small, when="soon")
    with pytest.raises(NotAuthorized):
        merchant.schedule_change(1, small)


def test_a_payee_lowers_prices_and_nothing_else(
    business: Business, payer: Tallystick, merchant: Tallystick, as_account: Connect, small: Plan, large: Plan
) -> None:
    opened = [payer.subscribe(large) for _ in range(2)]
    yearly = merchant.create_plan(price="1", token=business.token, unit=Unit.YEAR)
    before = business.anvil.block_number
    for error, sender, numbers, plan in (
        (TermsWorse, merchant, [1, 2], yearly),
        (TermsWorse, merchant, [1], large),
        (NotAuthorized, as_account(BILLER), [1], small),
        (InputError, merchant, [], small),
    ):
        with pytest.raises(error):
            sender.lower_price(numbers, plan)
    assert business.anvil.block_number == before
    merchant.lower_price([1, 2], small)
    assert merchant.subscription(2).scheduled == (small.plan_id, 0)
    with pytest.raises(TermsWorse):
        merchant.lower_price([1], small.plan_id)
    at(business, opened[1].next_due)
    assert [event.amount_units for event in merchant.charge([1, 2]).events if isinstance(event, Charged)] == [
        *(10_000_000, 10_000_000)
    ]


# --- On a grid, and quoted --------------------------------------------------------------------------------------------


def test_a_plan_on_a_grid_begins_with_what_is_left_of_a_period(
    business: Business, payer: Tallystick, merchant: Tallystick
) -> None:
    start = calendar.timegm((2027, 3, 21, 0, 0, 0))
    plan = merchant.create_plan(price="31", token=business.token, align_to=calendar.timegm((2026, 1, 1, 0, 0, 0)))
    assert payer.plan(plan.plan_id) == plan
    business.anvil.set_time(start)
    business.token_call(payer.address, "transfer", business.operator, 10**12 - 11_000_000)
    at(business, start + DAY_S)
    opened = payer.subscribe(plan)  # though a whole period could not be paid
    assert opened.next_due == calendar.timegm((2027, 4, 1, 0, 0, 0))
    business.mint(payer.address, 10**9)
    at(business, opened.next_due)
    merchant.charge([1])
    assert merchant.subscription(1).next_due == calendar.timegm((2027, 5, 1, 0, 0, 0))
    assert commitment(read_segments(merchant._connection, 1)) == merchant.contract.commitment(1)
    refunded = [merchant.refund(1, number).one(Refunded).amount_units for number in (1, 2)]
    assert refunded == [10_000_000, 31_000_000]
    with pytest.raises(AlignedToFuture):
        merchant.create_plan(price="1", token=business.token, align_to=opened.next_due + 400 * DAY_S)


def test_a_quoted_price_is_what_the_quoter_says_at_each_charge(
    business: Business, payer: Tallystick, merchant: Tallystick, small: Plan
) -> None:
    quoter = created(business, "MockQuoter")
    quoted = merchant.create_plan(price=1_000, token=business.token, every=30, unit="day", quoter=quoter)
    with pytest.raises(InputError, match=r"found the price '9\.99' for a plan with a quoter"):
        merchant.create_plan(price="9.99", token=business.token, quoter=quoter)
    with pytest.raises(NotAContract):
        merchant.create_plan(price=1, token=business.token, quoter=payer.address)
    with pytest.raises(TermsContradict):
        merchant.create_plan(price=1, token=business.token, quoter=quoter, refunds_unused=True)
    with pytest.raises(MaximumMissing):
        payer.subscribe(quoted)
    with pytest.raises(MaximumMissing):
        payer.approve(quoted.plan_id)
    opened = payer.subscribe(quoted, conditions=payer.conditions(business.token, max_per_period="0.0015"))
    state = merchant.subscription(1)
    assert state.next_charge is not None
    assert (state.next_charge.amount_units, state.rate_units) == (1_000, 1_000)
    assert payer.quote(1, small).when is When.PERIOD_END
    with pytest.raises(PlanIsQuoted):
        payer.change_plan(1, small, when="now")
    business.send(business.operator, quoter, _set_rate(1_400_000))
    at(business, opened.next_due)
    sent = merchant.charge([1])
    assert (sent.one(Quoted).price_units, sent.one(Charged).amount_units) == (1_000, 1_400)
    business.send(business.operator, quoter, _set_rate(1_600_000))
    at(business, merchant.subscription(1).next_due)
    assert merchant.charge([1]).reasons == [DeclineReason.SLIPPAGE]
    payer.set_conditions(1, Conditions(max_per_period_units=1_600))
    assert merchant.charge([1]).one(Charged).amount_units == 1_600
    assert [merchant.refund(1, number).one(Refunded).amount_units for number in (1, 2, 3)] == [1_000, 1_400, 1_600]
    with pytest.raises(PlanIsQuoted):
        merchant.cancel_with_refund(1)


def _set_rate(rate: int) -> str:
    from eth_utils.abi import function_signature_to_4byte_selector

    return "0x" + function_signature_to_4byte_selector("setRate(uint256)").hex() + rate.to_bytes(32, "big").hex()


# --- Ended with a refund ----------------------------------------------------------------------------------------------


def test_a_payee_ends_with_a_refund_of_what_is_unused(
    business: Business, payer: Tallystick, merchant: Tallystick, small: Plan, large: Plan
) -> None:
    due = payer.subscribe(large).next_due
    business.anvil.set_time(due - 15 * DAY_S - 1)
    at(business, due - 15 * DAY_S)
    payer.change_plan(1, small, when="now")  # 5.00 are left of the small one, 10.00 are credit
    with pytest.raises(NotAuthorized):
        payer.cancel_with_refund(1)
    business.token_call(merchant.address, "transfer", business.operator, 30_000_000)
    before = business.anvil.block_number
    with pytest.raises(BalanceTooLow):
        merchant.cancel_with_refund(1)
    assert business.anvil.block_number == before
    business.mint(merchant.address, 10**9)
    had = business.read("controlTotals", merchant.address, business.token)
    sent = merchant.cancel_with_refund(1)
    refunds = [event for event in sent.events if isinstance(event, Refunded)]
    assert [event.charge_number for event in refunds] == [1]
    assert 14_990_000 < refunds[0].amount_units <= 15_000_000
    assert had != business.read("controlTotals", merchant.address, business.token)
    assert merchant.contract.subscription(1).status is Status.CANCELLED
    with pytest.raises(NotActive):
        merchant.cancel_with_refund(1)


def test_the_newest_charges_give_back_first(
    business: Business, payer: Tallystick, merchant: Tallystick, small: Plan, large: Plan
) -> None:
    due = payer.subscribe(small).next_due
    at(business, due - 15 * DAY_S)
    payer.change_plan(1, large)  # 10.00 for the rest, charge 2: unused are 15.00
    sent = merchant.cancel_with_refund(1)
    refunds = [(event.charge_number, event.amount_units) for event in sent.events if isinstance(event, Refunded)]
    assert refunds[0] == (2, 10_000_000)
    assert refunds[1][0] == 1
    assert 4_990_000 < refunds[1][1] <= 5_000_000


def test_a_promise_to_refund_binds_the_payee(business: Business, payer: Tallystick, merchant: Tallystick) -> None:
    plan = merchant.create_plan(price="10", token=business.token, every=30, unit="day", refunds_unused=True)
    for _ in range(2):
        payer.subscribe(plan)
    with pytest.raises(UnusedNotRefunded, match="cancel with `tallystick subscriptions cancel --refund`"):
        merchant.cancel(1)
    merchant.cancel_with_refund(1)
    payer.cancel(2)  # the payer may as ever


def test_a_change_is_signed_by_the_payer_and_sent_by_anyone(
    business: Business, payer: Tallystick, merchant: Tallystick, as_account: Connect, small: Plan, large: Plan
) -> None:
    payer.subscribe(small)
    signed = parse_plan_change(payer.sign_plan_change(1, large, salt=3).render())
    late = payer.sign_plan_change(1, large, valid_s=0)
    before = business.anvil.block_number
    for error, wrong in (
        (InputError, dataclasses.replace(signed, chain_id=1)),
        (InvalidSignature, dataclasses.replace(signed, change=dataclasses.replace(signed.change, plan_id=1))),
        (SignatureExpired, late),
    ):
        with pytest.raises(error):
            merchant.submit_plan_change(wrong)
    with pytest.raises(NotAuthorized):
        merchant.sign_plan_change(1, large)
    with pytest.raises(NothingToChange):
        payer.sign_plan_change(1, small)
    assert business.anvil.block_number == before
    as_account(BILLER).submit_plan_change(signed)
    assert merchant.subscription(1).scheduled == (large.plan_id, 0)
    with pytest.raises(SaltUsed):
        merchant.submit_plan_change(signed)
