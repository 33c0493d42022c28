"""Billing of more than a plan and seats: changes at the period's end, limits, quoted prices, blocked payers."""

from __future__ import annotations

import pytest

from tallystick.core.period import Unit
from tallystick.core.subscription import DeclineReason
from tests.business import Business
from tests.chain.mocks import created
from tests.databases import NewDatabase
from tests.flows.test_bill import DAY, Desk

MONTH = 30
NO_COUPON = ((0, 0, 0, 0, "0x" + "00" * 20, 0, 0), b"")
NOBODY = "0x" + "00" * 20


@pytest.fixture
def desk(business: Business, new_database: NewDatabase) -> Desk:
    return Desk(business, new_database())


def plan_of(business: Business, price: int, quoter: str | None = None) -> int:
    return business.create_plan(price, MONTH, Unit.DAY, quoter=quoter)


def subscribe_within(business: Business, payer: str, plan_id: int, most: int, total: int = 0) -> None:
    conditions = (most, total, 0, 0, NOBODY, False)
    terms = business.terms_hash(plan_id)
    business.call(payer, "subscribeWithConditions", plan_id, terms, 0, conditions, *NO_COUPON)


def test_a_change_that_is_scheduled_is_billed_for_the_new_plan(desk: Desk) -> None:
    business = desk.business
    payer = business.payer("ada")
    old, new = plan_of(business, 30), plan_of(business, 10)
    number = business.subscribe(payer, old)
    business.call(payer, "scheduleChange", number, new, business.terms_hash(new), 0)
    business.anvil.advance(MONTH * DAY)
    desk.index()
    report = desk.bill()
    assert (report.charged, report.declined) == (1, [])
    assert desk.contract.subscription(number).plan_id == new
    desk.index()
    assert desk.bill().due == 0


def test_who_lacks_the_first_token_is_billed_in_the_second_and_declines_when_it_is_withdrawn(desk: Desk) -> None:
    business = desk.business
    second = business.create_token()
    payer = business.payer("ada")
    business.mint(payer, 100, token=second)
    business.approve(payer, 100, token=second)
    plan = plan_of(business, 30)
    other = business.create_plan(40, MONTH, Unit.DAY, token=second)
    number = business.subscribe(payer, plan)
    business.call(business.payee, "offerAlternative", plan, other)
    business.call(payer, "setFallbackPlan", number, other, business.terms_hash(other))
    business.approve(payer, 0)
    business.anvil.advance(MONTH * DAY)
    desk.index()
    assert desk.bill().charged == 1
    desk.index()
    assert (desk.bill().due, desk.charges(number)) == (0, 2)
    business.call(business.payee, "withdrawAlternative", plan, other)
    business.anvil.advance(MONTH * DAY)
    desk.index()
    (declined,) = desk.bill().declined
    assert declined.reason is DeclineReason.ALLOWANCE


def test_a_protected_charge_is_billed_into_escrow(desk: Desk) -> None:
    business = desk.business
    plan = business.create_plan(
        *(30, MONTH, Unit.DAY),
        protection=14 * DAY,
        arbiter=business.account("arbiter"),
        ruling_timeout=7 * DAY,
        default_payee_bps=5_000,
        max_arbiter_fee_bps=500,
    )
    subscribe_within(business, business.payer("ada"), plan, 0)
    business.anvil.advance(MONTH * DAY)
    desk.index()
    assert desk.bill().charged == 1
    desk.index()
    assert (desk.bill().due, desk.charges(1)) == (0, 2)


def test_each_new_reason_is_recorded_and_tried_again_until_it_is_gone(desk: Desk) -> None:
    business = desk.business
    quoter = created(business, "MockQuoter")
    quoted = plan_of(business, 1_000, quoter=quoter)
    plain = plan_of(business, 10)
    payers = [business.payer(name) for name in ("stale", "limited", "blocked")]
    subscribe_within(business, payers[0], quoted, 1_200)
    subscribe_within(business, payers[1], plain, 10, total=15)
    business.subscribe(payers[2], plain)
    business.anvil.advance(MONTH * DAY)
    desk.index()
    business.block(payers[2])
    business.send(business.operator, quoter, _call("play(uint8)", 1))
    report = desk.bill()
    reasons = {declined.subscription_id: declined.reason for declined in report.declined}
    assert reasons == {
        1: DeclineReason.QUOTE_STALE,
        2: DeclineReason.OVER_MANDATE,
        3: DeclineReason.BLOCKED,
    }
    assert all(declined.retry_at for declined in report.declined)
    assert report.transactions == []
    business.send(business.operator, quoter, _call("play(uint8)", 0))
    business.send(business.operator, quoter, _call("setRate(uint256)", 2_000_000))
    business.unblock(payers[2])
    business.call(payers[1], "setConditions", 2, (0, 0, 0, 0, NOBODY, False))
    business.anvil.advance(DAY)
    desk.index()
    again = desk.bill()
    assert [(declined.subscription_id, declined.reason) for declined in again.declined] == [(1, DeclineReason.SLIPPAGE)]
    assert again.charged == 2


def _call(signature: str, value: int) -> str:
    from eth_utils.abi import function_signature_to_4byte_selector

    return "0x" + function_signature_to_4byte_selector(signature).hex() + value.to_bytes(32, "big").hex()
