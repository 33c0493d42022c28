"""Changes of plan and seats, refunds of what they charged, and every way to end, through the facade."""

from __future__ import annotations

import random

import pytest

from tallystick import DeclineReason, Funding, Status, Tallystick, Unit, When, parse_end
from tallystick.chain.token import TokenContract
from tallystick.core.change import commitment
from tallystick.core.events import (
    Cancelled,
    Charged,
    Claimed,
    MandateRevoked,
    Refunded,
    Subscribed,
    Upgraded,
    UsageCharged,
)
from tallystick.core.plan import Plan
from tallystick.errors import (
    AllowanceTooLow,
    AnotherRegister,
    BalanceTooLow,
    ChargeDue,
    FixedTerm,
    InputError,
    InvalidSignature,
    MinimumTerm,
    NotActive,
    NotAuthorized,
    NothingToChange,
    NothingToClaim,
    RefundTooHigh,
    SaltUsed,
    SignatureExpired,
    TallystickError,
    TokenRefused,
    ToPayTooHigh,
    TrialRunning,
)
from tallystick.flows.change import MINED_WITHIN_S
from tallystick.flows.history import read_segments
from tests.business import Business
from tests.client.conftest import BILLER, Connect

DAY_S = 86_400
MONTH_S = 32 * DAY_S


@pytest.fixture
def small(merchant: Tallystick, business: Business) -> Plan:
    return merchant.create_plan(price="10", token=business.token, every=30, unit="day")


@pytest.fixture
def large(merchant: Tallystick, business: Business) -> Plan:
    return merchant.create_plan(price="30", token=business.token, every=30, unit="day")


def at(business: Business, timestamp: int) -> None:
    business.anvil.rpc("evm_setNextBlockTimestamp", hex(timestamp))


# --- Changes ----------------------------------------------------------------------------------------------------------


def test_an_upgrade_is_quoted_and_costs_the_quote(
    business: Business, payer: Tallystick, small: Plan, large: Plan
) -> None:
    opened = payer.subscribe(small)
    business.anvil.set_time(opened.next_due - 15 * DAY_S)
    offer = payer.quote(1, large)
    assert (offer.to_pay_units, offer.credit_units, offer.next_due) == (10_000_000, 0, opened.next_due)
    assert (offer.seats, offer.plan) == (0, large)
    assert offer.to_pay_units < offer.max_to_pay_units < offer.to_pay_units + 10_000
    changed = payer.change_plan(1, large.plan_id)
    assert (changed.plan_id, changed.charges, changed.next_due) == (large.plan_id, 2, opened.next_due)
    history = payer.subscription(1, history=True).history
    assert history is not None
    assert [type(entry.event) for entry in history] == [Subscribed, Charged, Upgraded]
    charge = history[2].event
    assert isinstance(charge, Upgraded)
    assert offer.to_pay_units - 100 < charge.amount_units <= offer.to_pay_units


def test_a_downgrade_is_credited_and_the_next_charges_take_less(
    business: Business, payer: Tallystick, merchant: Tallystick, small: Plan, large: Plan
) -> None:
    due = payer.subscribe(large).next_due
    at(business, due - 15 * DAY_S)
    changed = payer.change_plan(1, small, when="now")
    assert (changed.credit_units, changed.charges) == (10_000_000, 1)
    state = payer.subscription(1)
    assert state.next_charge is not None
    assert (state.next_charge.amount_units, state.next_charge.credit_units) == (0, 10_000_000)
    at(business, due)
    assert merchant.charge([1]).one(Charged).amount_units == 0
    assert payer.subscription(1).credit_units == 0


def test_seats_change_alone_and_stay_where_the_new_plan_sells_them(
    business: Business, merchant: Tallystick, payer: Tallystick
) -> None:
    team, team_plus, solo = (
        merchant.create_plan(price=price, seat_price=seat, token=business.token, every=30, unit="day")
        for price, seat in (("10", "5"), ("20", "8"), ("3", 0))
    )
    payer.subscribe(team, seats=2)
    assert payer.change_plan(1, team, seats=4).seats == 4
    assert payer.change_plan(1, team_plus).seats == 4
    back = payer.change_plan(1, solo, when=When.NOW)
    assert (back.seats, back.credit_units > 0) == (0, True)


def test_another_period_begins_now(business: Business, merchant: Tallystick, payer: Tallystick, small: Plan) -> None:
    yearly = merchant.create_plan(price="100", token=business.token, unit=Unit.YEAR)
    due = payer.subscribe(small).next_due
    business.anvil.set_time(due - 15 * DAY_S)
    offer = payer.quote(1, yearly)
    assert offer.to_pay_units == 95_000_000
    business.anvil.advance(MINED_WITHIN_S - 60)  # the old plan's rest loses worth meanwhile, as far as was agreed
    payer.change_plan(1, yearly, max_to_pay=offer.max_to_pay_units)
    business.anvil.advance(60)
    assert payer.subscription(1).next_due > due + 300 * DAY_S


def test_a_change_costs_no_more_than_was_agreed(
    business: Business, payer: Tallystick, small: Plan, large: Plan
) -> None:
    payer.subscribe(small)
    before = business.anvil.block_number
    with pytest.raises(ToPayTooHigh) as caught:
        payer.change_plan(1, large, max_to_pay="1")
    assert caught.value.allowed == 1_000_000
    assert business.anvil.block_number == before
    payer.change_plan(1, large, max_to_pay="20")


def test_a_change_raises_an_allowance_that_is_too_low(
    business: Business, payer: Tallystick, small: Plan, large: Plan
) -> None:
    payer.subscribe(small, periods=1)
    with pytest.raises(AllowanceTooLow):
        payer.change_plan(1, large, funding=Funding.ALLOWANCE)
    business.token_call(payer.address, "transfer", business.operator, 10**12 - 10_000_000)
    before = business.anvil.block_number
    with pytest.raises(BalanceTooLow):
        payer.change_plan(1, large)
    assert business.anvil.block_number == before
    business.mint(payer.address, 10**9)
    assert payer.change_plan(1, large).plan_id == large.plan_id
    assert TokenContract(payer.contract.node, business.token).allowance(payer.address, business.subscriptions) < 100_000


def test_changes_that_are_not_allowed_are_refused_by_name(
    business: Business, merchant: Tallystick, as_account: Connect, payer: Tallystick, small: Plan, large: Plan
) -> None:
    other = as_account(BILLER).create_plan(price="10", token=business.token)
    fixed = merchant.create_plan(price="10", token=business.token, max_charges=3)
    bound = merchant.create_plan(price="10", token=business.token, min_charges=3)
    trial = merchant.create_plan(price="10", token=business.token, trial_s=DAY_S)
    due = payer.subscribe(small).next_due
    payer.subscribe(bound)
    payer.subscribe(trial)
    before = business.anvil.block_number
    for error, number, plan in (
        (AnotherRegister, 1, other),
        (FixedTerm, 1, fixed),
        (FixedTerm, 1, bound),
        (MinimumTerm, 2, small),
        (NothingToChange, 1, small),
        (TrialRunning, 3, small),
    ):
        for attempt in (payer.quote, payer.change_plan):
            with pytest.raises(error):
                attempt(number, plan)
    with pytest.raises(NotAuthorized):
        as_account(BILLER).change_plan(1, large, funding=Funding.ALLOWANCE, max_to_pay=0)
    assert business.anvil.block_number == before
    business.anvil.set_time(due)
    with pytest.raises(ChargeDue, match="paused or changed within a paid period"):
        payer.change_plan(1, large)
    payer.cancel(1)
    with pytest.raises(NotActive):
        payer.quote(1, large)


# --- Refunds of what was changed --------------------------------------------------------------------------------------


def test_each_charge_is_refunded_by_what_it_cost(
    business: Business, merchant: Tallystick, payer: Tallystick, small: Plan, large: Plan
) -> None:
    due = payer.subscribe(small).next_due
    at(business, due - 15 * DAY_S)
    payer.change_plan(1, large)  # charge 2: 10.00
    at(business, due)
    merchant.charge([1])  # charge 3: 30.00
    at(business, due + 15 * DAY_S)
    payer.change_plan(1, small, when="now")  # credit 10.00
    at(business, due + 30 * DAY_S)
    merchant.charge([1])  # charge 4: 0 of 10.00 by credit
    refunded = [merchant.refund(1, number).one(Refunded).amount_units for number in (1, 2, 3)]
    assert refunded == [10_000_000, 10_000_000, 30_000_000]
    with pytest.raises(RefundTooHigh):  # credit paid it
        merchant.refund(1, 4)
    with pytest.raises(RefundTooHigh, match="0 are left of this charge"):
        merchant.refund(1, 2)
    with pytest.raises(RefundTooHigh):
        merchant.refund(1, 3, "30.01")


def test_any_history_is_read_from_the_logs_as_the_contract_remembers_it(
    business: Business, merchant: Tallystick, payer: Tallystick
) -> None:
    """Random changes among plans of equal and other periods, with pauses, charges and usage between them."""
    chance = random.Random(20261121)
    plans = [
        merchant.create_plan(
            price=price, seat_price=seat, token=business.token, every=every, unit=unit, usage_cap=cap, usage_price=cap
        )
        for price, seat, every, unit, cap in (
            ("10", 0, 30, "day", 0),
            ("30", "1", 30, "day", "5"),
            ("10.000001", 0, 30, "day", "1"),
            ("7", 0, 1, "month", "20"),
            ("70", "3", 1, "year", 0),
        )
    ]
    payer.subscribe(plans[0])
    business.approve(payer.address, 10**15)
    for _ in range(60):
        state = payer.subscription(1)
        if state.status is Status.PAUSED:
            payer.resume(1)
            continue
        match chance.randrange(5):
            case 0:
                business.anvil.set_time(max(state.next_due, business.anvil.timestamp + 1))
                merchant.charge([1])
            case 1 if business.anvil.timestamp + 2 < state.next_due:
                payer.pause(1)
                business.anvil.advance(chance.randrange(1, 40 * DAY_S))
            case 2 if state.usage_left_units:
                units = chance.randrange(1, state.usage_left_units + 1)
                merchant.charge_usage(1, units, 10**9, document=b"")
            case _ if business.anvil.timestamp + 2 < state.next_due:
                plan = chance.choice(plans)
                seats = chance.randrange(1, 5) if plan.terms.seat_price_units else 0
                if (plan.plan_id, seats) != (state.plan_id, state.seats):
                    payer.change_plan(1, plan, seats=seats, funding=Funding.ALLOWANCE, when="now")
                business.anvil.advance(chance.randrange(1, 10 * DAY_S))
            case _:
                merchant.charge([1])
    segments = read_segments(merchant._connection, 1)
    assert len(segments) > 10
    assert commitment(segments) == merchant.contract.commitment(1)
    history = payer.subscription(1, history=True).history or ()
    paid = {
        entry.event.charge_number: entry.event.amount_units
        for entry in history
        if isinstance(entry.event, Charged | Upgraded)
    }
    assert 0 in paid.values()
    assert sum(isinstance(entry.event, UsageCharged) for entry in history) > 3
    for number, units in paid.items():
        if units:
            assert merchant.refund(1, number).one(Refunded).amount_units == units
        with pytest.raises(RefundTooHigh, match="0 are left of this charge"):
            merchant.refund(1, number)
    totals = merchant.totals(merchant.address, business.token)
    assert totals.refunded_units == totals.charged_units


# --- Ends -------------------------------------------------------------------------------------------------------------


def test_a_cancellation_is_signed_by_the_payer_and_sent_by_anyone(
    business: Business, payer: Tallystick, merchant: Tallystick, as_account: Connect, small: Plan
) -> None:
    for _ in range(2):
        payer.subscribe(small)
    business.anvil.rpc("anvil_setBalance", payer.address, "0x0")
    text = payer.sign_cancellation(1).render()
    assert as_account(BILLER).submit_cancellation(parse_end(text)).one(Cancelled).subscription_id == 1
    with pytest.raises(NotActive):
        merchant.submit_cancellation(parse_end(text))
    with pytest.raises(NotAuthorized):
        merchant.sign_cancellation(2)
    signed = payer.sign_cancellation(2, valid_s=60)
    moved = type(signed)(1, signed.contract, signed.end, signed.signature)
    with pytest.raises(InputError, match=f"the signature is for {signed.contract} on chain 1, this is"):
        merchant.submit_cancellation(moved)
    forged = type(signed)(signed.chain_id, signed.contract, signed.end, signed.signature[:-1] + b"\x1d")
    with pytest.raises(InvalidSignature):
        merchant.submit_cancellation(forged)
    business.anvil.advance(60)
    with pytest.raises(SignatureExpired, match="could be submitted before"):
        merchant.submit_cancellation(signed)


def test_a_mandate_is_revoked_by_a_signature(payer: Tallystick, merchant: Tallystick, small: Plan) -> None:
    mandate = payer.sign_mandate(small)
    text = payer.sign_revocation(mandate.mandate.salt).render()
    sent = merchant.submit_revocation(parse_end(text))
    assert sent.one(MandateRevoked) == MandateRevoked(payer.address, mandate.mandate.salt)
    with pytest.raises(SaltUsed):
        merchant.submit_mandate(mandate)
    with pytest.raises(SaltUsed):
        merchant.submit_revocation(parse_end(text))


def test_stop_ends_everything_that_is_left(
    business: Business, payer: Tallystick, merchant: Tallystick, as_account: Connect, small: Plan
) -> None:
    bound = merchant.create_plan(price="10", token=business.token, min_charges=12)
    elsewhere = as_account(BILLER).create_plan(price="10", token=business.token)
    for plan in (small, small, bound, elsewhere):
        payer.subscribe(plan)
    stranger = as_account(BILLER)
    business.mint(stranger.address, 10**9)
    stranger.subscribe(small)
    payer.cancel(1)
    payer.pause(2)
    sent = payer.stop(salts=[5])
    assert sent is not None
    assert sent.events == (Cancelled(2), Cancelled(3), Cancelled(1_000_000_001), MandateRevoked(payer.address, 5))
    assert stranger.subscription(4).status is Status.ACTIVE
    assert payer.stop() is None
    assert payer.stop([]) is None
    again = payer.stop([1, 2, 4, 99])  # ended, another's, none
    assert again is not None
    assert again.events == ()


# --- Claims -----------------------------------------------------------------------------------------------------------


def test_E07_a_blocked_payee_claims_later(
    business: Business, payer: Tallystick, merchant: Tallystick, as_account: Connect, small: Plan
) -> None:
    due = payer.subscribe(small).next_due
    assert (merchant.claims(), str(merchant.claimable(business.token))) == ([], "0.000000 USDC")
    with pytest.raises(NothingToClaim):
        merchant.claim(business.token)
    business.block(merchant.address)
    business.anvil.set_time(due)
    assert as_account(BILLER).charge([1]).reasons == [DeclineReason.NONE]
    assert str(merchant.claimable(business.token)) == "10.000000 USDC"
    assert payer.claims(merchant.address.lower()) == [(merchant.address, business.token, 10_000_000)]
    assert payer.claims(payer.address) == []
    with pytest.raises(TokenRefused):
        merchant.claim(business.token)
    business.unblock(merchant.address)
    sent = as_account(BILLER).claim(business.token, merchant.address)
    assert sent.one(Claimed) == Claimed(merchant.address, business.token, 10_000_000)
    assert merchant.claims() == []


# --- What a subscription says of itself -------------------------------------------------------------------------------


def test_its_next_charge_and_history(business: Business, payer: Tallystick, merchant: Tallystick, small: Plan) -> None:
    due = payer.subscribe(small, periods=2).next_due
    state = payer.subscription(1)
    assert (state.history, state.plan, state.plan_id, state.payer) == (None, small, 1, payer.address)
    assert state.next_charge is not None
    assert (state.next_charge.period_start, state.next_charge.period_end) == (due, due + 30 * DAY_S)
    assert (state.next_charge.decline, state.next_charge.missing) == (DeclineReason.NOT_DUE, DeclineReason.NONE)
    business.anvil.set_time(due)
    ready = payer.subscription(1).next_charge
    assert ready is not None
    assert ready.decline is DeclineReason.NONE
    merchant.charge([1])
    short = payer.subscription(1).next_charge
    assert short is not None
    assert short.missing is DeclineReason.ALLOWANCE
    payer.pause(1)
    assert payer.subscription(1).next_charge is None
    assert payer.preview(1).reason is DeclineReason.PAUSED
    payer.resume(1)
    payer.cancel_at_period_end(1)
    ending = payer.subscription(1, history=True)
    assert ending.next_charge is None
    assert [type(entry.event).__name__ for entry in ending.history or ()] == [
        *("Subscribed", "Charged", "Charged", "Paused", "Resumed", "CancellationScheduled")
    ]
    assert (ending.history or ())[1].origin.block_time == due - 30 * DAY_S


def test_every_error_is_one_of_ours(payer: Tallystick) -> None:
    for attempt in (payer.preview, payer.pause, payer.resume, payer.cancel, payer.sign_cancellation):
        for number in (7, 2**70, 2**300, -1):
            with pytest.raises(TallystickError):
                attempt(number)
