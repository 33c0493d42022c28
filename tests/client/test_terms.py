"""Plans with seats, trials, fees and terms of their own, as the facade sells them."""

from __future__ import annotations

import dataclasses

import pytest

from tallystick import DeclineReason, Funding, Tallystick, parse_mandate
from tallystick.chain.token import TokenContract
from tallystick.core.events import Charged
from tallystick.errors import (
    BalanceTooLow,
    FeeTooHigh,
    InputError,
    InvalidSignature,
    MinimumTerm,
    NotAuthorized,
    PayeeRefused,
    PayerIsPayee,
    PlanIsArchived,
    SeatsOutOfRange,
    TermsChanged,
    TermsContradict,
    ZeroAmount,
)
from tests.business import Business
from tests.client.conftest import BILLER, Connect

DAY_S = 86_400
MONTH_S = 32 * DAY_S


def test_all_terms_come_back_as_they_were_asked_for(business: Business, merchant: Tallystick) -> None:
    receiver = business.account("platform")
    plan = merchant.create_plan(
        price="20",
        seat_price="5.5",
        token=business.token,
        every=2,
        unit="week",
        catch_up=3,
        trial_s=14 * DAY_S,
        grace_s=7 * DAY_S,
        min_charges=2,
        max_charges=24,
        fee_bps=250,
        fee_receiver=receiver.lower(),
        family=9,
    )
    terms = plan.terms
    assert (terms.price_units, terms.seat_price_units, str(terms.period)) == (20_000_000, 5_500_000, "2 weeks")
    assert (terms.trial, terms.grace, terms.catch_up) == (14 * DAY_S, 7 * DAY_S, 3)
    assert (terms.min_charges, terms.max_charges, terms.fee_bps, terms.family) == (2, 24, 250, 9)
    assert (terms.payee, terms.fee_receiver) == (merchant.address, receiver)
    assert merchant.plan(1) == plan
    assert plan.terms_hash() == business.terms_hash(1)


def test_terms_that_contradict_each_other_are_refused(business: Business, merchant: Tallystick) -> None:
    token, before = business.token, business.anvil.block_number
    with pytest.raises(ZeroAmount):
        merchant.create_plan(token=token)
    with pytest.raises(
        FeeTooHigh, match="a fee of 10000 hundredths of a percent was asked for, allowed are at most 9999"
    ):
        merchant.create_plan(token=token, price=1, fee_bps=10_000, fee_receiver=business.payee)
    with pytest.raises(TermsContradict):
        merchant.create_plan(token=token, price=1, fee_bps=1)
    with pytest.raises(TermsContradict):
        merchant.create_plan(token=token, price=1, min_charges=3, max_charges=2)
    with pytest.raises(TermsContradict):
        merchant.create_plan(token=token, price=1, fee_bps=1, fee_receiver=merchant.address)
    with pytest.raises(PayeeRefused):
        merchant.create_plan(token=token, price=1, fee_bps=1, fee_receiver=business.subscriptions)
    with pytest.raises(InputError, match="cannot hold"):
        merchant.create_plan(token=token, price=1, trial_s=2**32)
    assert business.anvil.block_number == before


def test_a_plan_sells_seats(business: Business, merchant: Tallystick, payer: Tallystick) -> None:
    plan = merchant.create_plan(price="20", seat_price="5", token=business.token)
    for seats, allowed in ((0, 2**24 - 1), (2**24, 2**24 - 1)):
        with pytest.raises(SeatsOutOfRange) as caught:
            payer.subscribe(plan, seats=seats)
        assert (caught.value.found, caught.value.allowed) == (seats, allowed)
    opened = payer.subscribe(plan, seats=3, periods=2)
    assert (opened.seats, opened.charges) == (3, 1)
    token = TokenContract(payer.contract.node, business.token)
    assert token.allowance(payer.address, business.subscriptions) == 35_000_000
    payer.approve(1, periods=1, seats=10)
    assert token.allowance(payer.address, business.subscriptions) == 105_000_000
    payer.approve(1, periods=1)  # one seat
    assert token.allowance(payer.address, business.subscriptions) == 130_000_000
    state = payer.subscription(1)
    assert (state.seats, state.rate_units) == (3, 35_000_000)
    assert state.next_charge is not None
    assert (state.next_charge.amount_units, state.next_charge.decline) == (35_000_000, DeclineReason.NOT_DUE)
    without = merchant.create_plan(price="20", token=business.token)
    with pytest.raises(SeatsOutOfRange, match="the plan sells 0, none at all: leave the seats out"):
        payer.subscribe(without, seats=1)


def test_seats_are_a_part_of_the_mandate(business: Business, merchant: Tallystick, payer: Tallystick) -> None:
    plan = merchant.create_plan(seat_price="5", token=business.token)
    signed = payer.sign_mandate(plan, seats=7)
    assert parse_mandate(signed.render()) == signed
    assert merchant.submit_mandate(parse_mandate(signed.render()), plans=[1]).seats == 7
    more = dataclasses.replace(signed.mandate, seats=8, salt=signed.mandate.salt ^ 1)
    with pytest.raises(InvalidSignature):
        merchant.submit_mandate(dataclasses.replace(signed, mandate=more))
    with pytest.raises(SeatsOutOfRange):
        payer.sign_mandate(plan, seats=0)


def test_a_trial_is_had_once_for_each_family(business: Business, merchant: Tallystick, payer: Tallystick) -> None:
    first = merchant.create_plan(price="9.99", token=business.token, trial_s=14 * DAY_S, family=1)
    second = merchant.create_plan(price="19.99", token=business.token, trial_s=30 * DAY_S, family=1)
    trial = payer.subscribe(first)
    now = business.anvil.timestamp
    assert (trial.charges, trial.next_due) == (0, now + 14 * DAY_S)
    assert merchant.totals(merchant.address, business.token)[:3] == (1, 0, 0)
    state = payer.subscription(trial.subscription_id)
    assert state.next_charge is not None
    assert (state.next_charge.period_start, state.next_charge.amount_units) == (now + 14 * DAY_S, 9_990_000)
    signed = payer.sign_mandate(second)  # names no trial, because there is none any more
    assert merchant.submit_mandate(signed).charges == 1
    paid = payer.subscribe(second)
    assert paid.charges == 1
    business.anvil.advance(14 * DAY_S)
    assert merchant.charge([trial.subscription_id]).one(Charged).charge_number == 1


def test_a_trial_begins_without_money_and_allowance(
    business: Business, merchant: Tallystick, as_account: Connect
) -> None:
    plan = merchant.create_plan(price="9.99", token=business.token, trial_s=DAY_S)
    poor = as_account(BILLER)
    trial = poor.subscribe(plan, funding=Funding.ALLOWANCE)
    state = poor.subscription(trial.subscription_id)
    assert state.next_charge is not None
    assert (state.next_charge.decline, state.next_charge.missing) == (DeclineReason.NOT_DUE, DeclineReason.ALLOWANCE)
    poor.approve(1)
    state = poor.subscription(1)
    assert state.next_charge is not None
    assert state.next_charge.missing is DeclineReason.BALANCE
    business.anvil.advance(DAY_S)
    assert merchant.preview(1).reason is DeclineReason.BALANCE
    with pytest.raises(BalanceTooLow):  # the trial is used
        poor.subscribe(plan)


def test_a_fee_is_a_part_of_each_charge(business: Business, merchant: Tallystick, payer: Tallystick) -> None:
    platform = business.account("platform")
    plan = merchant.create_plan(price="9.99", token=business.token, fee_bps=250, fee_receiver=platform)
    payer.subscribe(plan)
    own = merchant.create_plan(price="9.99", token=business.token, fee_bps=250, fee_receiver=payer.address)
    with pytest.raises(PayerIsPayee, match="would receive the plan's charge or its fee"):
        payer.subscribe(own)
    token = TokenContract(payer.contract.node, business.token)
    assert token.balance(platform) == 249_750
    assert token.balance(merchant.address) == 9_740_250
    assert merchant.totals(merchant.address, business.token).charged_units == 9_990_000


def test_a_minimum_binds_the_payer_and_not_the_payee(
    business: Business, merchant: Tallystick, payer: Tallystick
) -> None:
    plan = merchant.create_plan(price="9.99", token=business.token, min_charges=2)
    for _ in range(2):
        payer.subscribe(plan)
    for attempt in (payer.cancel, payer.cancel_at_period_end):
        with pytest.raises(MinimumTerm, match="1 charges were made, and the payer agreed to 2"):
            attempt(1)
    assert merchant.cancel(1).status.name == "CANCELLED"
    business.anvil.advance(MONTH_S)
    merchant.charge([2])
    assert payer.cancel_at_period_end(2).status.name == "ENDING"
    tried = merchant.create_plan(price="9.99", token=business.token, min_charges=2, trial_s=DAY_S)
    assert payer.cancel(payer.subscribe(tried).subscription_id).status.name == "CANCELLED"


def test_what_ends_by_its_terms_has_no_next_charge(business: Business, merchant: Tallystick, payer: Tallystick) -> None:
    once = merchant.create_plan(price="9.99", token=business.token, max_charges=1)
    short = merchant.create_plan(price="9.99", token=business.token, grace_s=DAY_S)
    payer.subscribe(once)
    payer.subscribe(short)
    assert payer.subscription(2).next_charge is not None
    business.anvil.advance(MONTH_S + DAY_S)
    for number in (1, 2):
        assert payer.subscription(number).next_charge is None
        assert payer.preview(number).reason is DeclineReason.ENDED


def test_an_archived_plan_takes_nobody_new(business: Business, merchant: Tallystick, payer: Tallystick) -> None:
    plan = merchant.create_plan(price="9.99", token=business.token)
    payer.subscribe(plan)
    with pytest.raises(NotAuthorized):
        payer.archive_plan(1)
    assert merchant.archive_plan(1).archived
    assert [plan.archived for plan in merchant.plans()] == [True]
    with pytest.raises(PlanIsArchived):
        merchant.archive_plan(1)
    with pytest.raises(PlanIsArchived, match="plan 1 is archived and takes no more subscriptions"):
        payer.subscribe(1)
    business.anvil.advance(MONTH_S)
    assert merchant.charge([1]).reasons == [DeclineReason.NONE]


def test_a_payer_agrees_to_the_plan_that_was_seen(business: Business, merchant: Tallystick, payer: Tallystick) -> None:
    seen = merchant.create_plan(price="9.99", token=business.token)
    other = merchant.create_plan(price="99.99", token=business.token)
    renumbered = dataclasses.replace(seen, plan_id=other.plan_id)
    with pytest.raises(TermsChanged):
        payer.subscribe(renumbered)
    assert payer.subscribe(other).plan_id == other.plan_id
