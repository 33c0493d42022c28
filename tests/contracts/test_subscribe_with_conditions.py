"""subscribeWithConditions: as subscribe, within what the payer adds to the plan's terms."""

from __future__ import annotations

from typing import Any

import pytest
from eth_utils.crypto import keccak

from tests.contracts.hostile import DENIALS, REFUSALS, UNMOVED, play
from tests.contracts.signing import (
    NO_COUPON,
    Conditions,
    Coupon,
    MandateWithConditions,
    signed_coupon,
)
from tests.contracts.special import PAID, charge, charge_as_foreseen, conditions_of, open_with, opened, reason
from tests.contracts.stage import (
    DAY,
    FIRST_DUE,
    FUNDS,
    PRICE,
    SUBSCRIBED,
    UNLIMITED,
    Account,
    Contract,
    Stage,
    reverts,
    utc,
)
from tests.tricks import UNREADABLE, Trick

CAP = 5_000_000
TRIAL = 14 * DAY
LATEST = SUBSCRIBED + 100 * 366 * DAY
"""The latest start of a first period, for one that is subscribed to at SUBSCRIBED."""
MOST = 2**96 - 1


def test_charges_the_first_period_and_tells_the_conditions(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, payers: list[Account], monthly: int
) -> None:
    ends = SUBSCRIBED + 365 * DAY
    conditions = Conditions(PRICE, 12 * PRICE, 0, ends, payers[1].address, False)
    receipt = open_with(stage, payer, monthly, conditions, at=SUBSCRIBED)
    charged = {
        "subscriptionId": 1,
        "chargeNumber": 1,
        "periodStart": SUBSCRIBED,
        "periodEnd": FIRST_DUE,
        "amount": PRICE,
    }
    told = {
        "subscriptionId": 1,
        "maxPerPeriod": PRICE,
        "maxTotal": 12 * PRICE,
        "endsAt": ends,
        "beneficiary": payers[1],
        "byPermit2": False,
    }
    assert stage.events(receipt) == [
        ("Subscribed", {"subscriptionId": 1, "payer": payer, "planId": monthly, "firstDue": SUBSCRIBED}),
        ("ConditionsSet", told),
        ("Charged", charged),
    ]
    found = subscriptions.subscription(1)
    assert (found.payer, found.planId, found.nextDue, found.charges) == (payer, monthly, FIRST_DUE, 1)
    assert (found.status, found.anchorDay, found.seats, found.credit, found.history) == (0, 31, 0, 0, 0)
    assert conditions_of(stage, 1) == (PRICE, 11 * PRICE, 0, ends, payers[1], False)
    assert (token.balanceOf(payer), token.balanceOf(stage.merchant)) == (FUNDS - PRICE, PRICE)
    assert (stage.totals(), stage.opened()) == ((1, PRICE, 0, 0), 1)


def test_conditions_that_add_nothing_change_nothing(
    stage: Stage, subscriptions: Contract, payer: Account, monthly: int
) -> None:
    open_with(stage, payer, monthly, at=SUBSCRIBED)
    assert conditions_of(stage, 1) == (0, 0, 0, 0, "0x" + "0" * 40, False)
    assert subscriptions.beneficiary(1) == payer
    for due in (FIRST_DUE, utc(2027, 3, 31, 12), utc(2027, 4, 30, 12)):
        assert charge_as_foreseen(stage, 1, at=due).amount == PRICE


def test_seats_are_told_before_the_conditions(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account
) -> None:
    plan_id = stage.create_plan(seat_price=5)
    receipt = open_with(stage, payer, plan_id, seats=3, at=SUBSCRIBED)
    assert [name for name, _ in stage.events(receipt)] == ["Subscribed", "SeatsSet", "ConditionsSet", "Charged"]
    assert token.balanceOf(stage.merchant) == PRICE + 15
    assert subscriptions.subscription(1).seats == 3
    assert charge_as_foreseen(stage, 1, at=FIRST_DUE).amount == PRICE + 15


def test_E33_a_fee_is_parted_as_ever(stage: Stage, accounts: Any, token: Contract, payers: list[Account]) -> None:
    for price, fee, payer in ((PRICE, 249_750, payers[0]), (39, 0, payers[1])):
        plan_id = stage.create_plan(price=price, fee_bps=250, fee_receiver=accounts[8])
        before = token.balanceOf(stage.merchant), token.balanceOf(accounts[8])
        open_with(stage, payer, plan_id, Conditions(max_per_period=price))
        after = token.balanceOf(stage.merchant), token.balanceOf(accounts[8])
        assert (after[0] - before[0], after[1] - before[1]) == (price - fee, fee)
    assert stage.totals() == (2, PRICE + 39, 0, 0)


def test_the_stub_of_an_aligned_plan_comes_first(stage: Stage, payer: Account) -> None:
    plan_id = stage.create_plan(align_to=utc(2026, 1, 1))
    began = utc(2027, 2, 15)
    receipt = open_with(stage, payer, plan_id, Conditions(max_per_period=PRICE), at=began)
    charged = stage.charged_of(receipt)
    half = PRICE // 2  # 14 of 28 days
    assert (charged["periodStart"], charged["periodEnd"], charged["amount"]) == (began, utc(2027, 3, 1), half)
    assert charge_as_foreseen(stage, 1, at=utc(2027, 3, 1)).amount == PRICE
    assert stage.next_due(1) == utc(2027, 4, 1)


def test_what_the_plan_asks_for_at_the_least_holds(stage: Stage, subscriptions: Contract, payer: Account) -> None:
    open_with(stage, payer, stage.create_plan(min_charges=2), at=SUBSCRIBED)
    with stage.nothing_changes(), reverts("MinimumTerm", charges=1, agreed=2):
        subscriptions.cancel(1, sender=payer)


# --- What it refuses ---


def test_refuses_a_plan_that_there_is_not(subscriptions: Contract, payer: Account) -> None:
    for unknown in (0, 1, 2**32, 2**32 + 1, UNLIMITED):
        with reverts("UnknownPlan", planId=unknown):
            subscriptions.subscribeWithConditions(unknown, bytes(32), 0, Conditions(), NO_COUPON, b"", sender=payer)


def test_refuses_terms_that_the_payer_did_not_see(
    stage: Stage, subscriptions: Contract, payer: Account, monthly: int
) -> None:
    seen, found = bytes(31) + b"\x01", subscriptions.termsHash(monthly)
    with stage.nothing_changes(), reverts("TermsChanged", found=found, expected=seen):
        subscriptions.subscribeWithConditions(monthly, seen, 0, Conditions(), NO_COUPON, b"", sender=payer)


def test_refuses_an_archived_plan(stage: Stage, subscriptions: Contract, payer: Account, monthly: int) -> None:
    subscriptions.archivePlan(monthly, sender=stage.merchant)
    with stage.nothing_changes(), reverts("PlanIsArchived", planId=monthly):
        open_with(stage, payer, monthly)


def test_refuses_a_payer_who_would_pay_themselves(stage: Stage, accounts: Any, monthly: int) -> None:
    with stage.nothing_changes(), reverts("PayerIsPayee", account=stage.merchant):
        open_with(stage, stage.merchant, monthly)
    plan_id = stage.create_plan(fee_bps=1, fee_receiver=accounts[8])
    with stage.nothing_changes(), reverts("PayerIsPayee", account=accounts[8]):
        open_with(stage, accounts[8], plan_id)


def test_refuses_seats_that_are_not_sold(stage: Stage, payer: Account, monthly: int) -> None:
    with stage.nothing_changes(), reverts("SeatsOutOfRange", found=1, allowed=0):
        open_with(stage, payer, monthly, seats=1)
    plan_id = stage.create_plan(seat_price=1)
    for seats in (0, 2**24):
        with stage.nothing_changes(), reverts("SeatsOutOfRange", found=seats, allowed=2**24 - 1):
            open_with(stage, payer, plan_id, seats=seats)


# --- When it begins ---


def test_a_trial_comes_first_and_is_used_up(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account
) -> None:
    plan_id = stage.create_plan(trial=TRIAL)
    receipt = open_with(stage, payer, plan_id, Conditions(max_total=PRICE), at=SUBSCRIBED)
    assert [name for name, _ in stage.events(receipt)] == ["Subscribed", "ConditionsSet"]
    assert stage.events(receipt)[0][1]["firstDue"] == SUBSCRIBED + TRIAL
    assert subscriptions.isTrialUsed(plan_id, payer)
    assert (token.balanceOf(stage.merchant), stage.totals(), stage.opened()) == (0, (0, 0, 0, 0), 1)
    assert stage.charges(opened(stage, open_with(stage, payer, plan_id))) == 1
    assert charge_as_foreseen(stage, 1, at=SUBSCRIBED + TRIAL).amount == PRICE
    assert charge_as_foreseen(stage, 1, at=stage.next_due(1)).reason == "OverMandate"


@pytest.mark.parametrize("trial_s", [0, TRIAL])
@pytest.mark.parametrize("offset_s", [-1, 0, 1])
def test_E20_it_begins_when_the_payer_asks_but_not_before_the_plan_would_have_it(
    stage: Stage, payer: Account, trial_s: int, offset_s: int
) -> None:
    plan_id = stage.create_plan(trial=trial_s)
    starts_at = SUBSCRIBED + trial_s + offset_s
    receipt = open_with(stage, payer, plan_id, Conditions(starts_at=starts_at), at=SUBSCRIBED)
    first = SUBSCRIBED + trial_s + max(offset_s, 0)
    assert stage.events(receipt)[0][1]["firstDue"] == first
    charged_now = first == SUBSCRIBED
    assert stage.charges(1) == int(charged_now)
    assert stage.next_due(1) == (FIRST_DUE if charged_now else first)


@pytest.mark.parametrize(("offset_s", "found"), [(-1, "NotDue"), (0, PAID), (1, PAID)])
def test_E20_E24_nothing_is_charged_before_it_begins_and_that_day_is_the_anchor(
    stage: Stage, payer: Account, monthly: int, offset_s: int, found: str
) -> None:
    starts = utc(2027, 3, 31, 12)
    open_with(stage, payer, monthly, Conditions(max_total=MOST, starts_at=starts), at=SUBSCRIBED)
    row = charge_as_foreseen(stage, 1, at=starts + offset_s)
    assert row.reason == found
    if found == PAID:
        assert row.value("Charged", "periodStart") == starts
        assert stage.next_due(1) == utc(2027, 4, 30, 12)
        charge_as_foreseen(stage, 1, at=utc(2027, 4, 30, 12))
        assert stage.next_due(1) == utc(2027, 5, 31, 12)


def test_before_it_begins_there_is_nothing_to_change(stage: Stage, payer: Account, monthly: int) -> None:
    open_with(stage, payer, monthly, Conditions(starts_at=FIRST_DUE), at=SUBSCRIBED)
    other = stage.create_plan(price=1)
    with stage.nothing_changes(), reverts("TrialRunning", subscriptionId=1):
        stage.change_plan(payer, 1, other)


@pytest.mark.parametrize("offset_s", [0, 1])
def test_E28_it_begins_within_100_years(stage: Stage, payer: Account, monthly: int, offset_s: int) -> None:
    conditions = Conditions(starts_at=LATEST + offset_s)
    if offset_s:
        with stage.nothing_changes(), reverts("StartOutOfRange", found=LATEST + 1, allowed=LATEST):
            open_with(stage, payer, monthly, conditions, at=SUBSCRIBED)
    else:
        open_with(stage, payer, monthly, conditions, at=SUBSCRIBED)
        assert stage.next_due(1) == LATEST
        assert charge_as_foreseen(stage, 1, at=LATEST).amount == PRICE


@pytest.mark.parametrize("starts", [SUBSCRIBED, SUBSCRIBED + DAY, SUBSCRIBED + TRIAL])
@pytest.mark.parametrize("offset_s", [-1, 0, 1])
def test_E20_it_begins_before_it_ends(stage: Stage, payer: Account, starts: int, offset_s: int) -> None:
    plan_id = stage.create_plan(trial=TRIAL if starts == SUBSCRIBED + TRIAL else 0)
    conditions = Conditions(starts_at=SUBSCRIBED + DAY if starts == SUBSCRIBED + DAY else 0, ends_at=starts + offset_s)
    if offset_s == 1:
        open_with(stage, payer, plan_id, conditions, at=SUBSCRIBED)
        assert stage.charges(1) == int(starts == SUBSCRIBED)
        if starts != SUBSCRIBED:
            assert charge_as_foreseen(stage, 1, at=starts).amount == PRICE
    else:
        with stage.nothing_changes(), reverts("StartOutOfRange", found=starts, allowed=starts + offset_s - 1):
            open_with(stage, payer, plan_id, conditions, at=SUBSCRIBED)


def test_E28_an_end_beyond_all_starts_bounds_none(stage: Stage, payer: Account, monthly: int) -> None:
    conditions = Conditions(starts_at=LATEST + 1, ends_at=2**40 - 1)
    with stage.nothing_changes(), reverts("StartOutOfRange", found=LATEST + 1, allowed=LATEST):
        open_with(stage, payer, monthly, conditions, at=SUBSCRIBED)
    open_with(stage, payer, monthly, conditions._replace(starts_at=LATEST), at=SUBSCRIBED)
    assert stage.next_due(1) == LATEST


# --- What the first charge may cost ---


@pytest.mark.parametrize("missing", [0, 1])
@pytest.mark.parametrize("usage_cap", [0, CAP])
def test_the_first_period_costs_no_more_than_a_period_may(
    stage: Stage, payer: Account, usage_cap: int, missing: int
) -> None:
    plan_id = stage.create_plan(usage_cap=usage_cap, usage_price=usage_cap)
    cost = PRICE + usage_cap
    conditions = Conditions(max_per_period=cost - missing)
    if not missing:
        assert stage.charged_of(open_with(stage, payer, plan_id, conditions))["amount"] == PRICE
        return
    values = {"reason": reason("OverMandate"), "found": cost, "allowed": cost - 1}
    with stage.nothing_changes(), reverts("FirstChargeDeclined", **values):
        open_with(stage, payer, plan_id, conditions)


@pytest.mark.parametrize("missing", [0, 1])
def test_the_first_period_costs_no_more_than_all_may(stage: Stage, payer: Account, monthly: int, missing: int) -> None:
    conditions = Conditions(max_total=PRICE - missing)
    if not missing:
        open_with(stage, payer, monthly, conditions)
        assert conditions_of(stage, 1).max_total == 0
        return
    values = {"reason": reason("OverMandate"), "found": PRICE, "allowed": PRICE - 1}
    with stage.nothing_changes(), reverts("FirstChargeDeclined", **values):
        open_with(stage, payer, monthly, conditions)


@pytest.mark.parametrize(
    ("allowance", "balance", "found"),
    [(PRICE - 1, PRICE - 2, "Allowance"), (UNLIMITED, PRICE - 1, "Balance"), (0, 0, "Allowance")],
)
def test_says_what_the_payer_lacks(
    stage: Stage, token: Contract, payer: Account, monthly: int, allowance: int, balance: int, found: str
) -> None:
    token.approve(stage.subscriptions, allowance, sender=payer)
    token.transfer(stage.anyone, token.balanceOf(payer) - balance, sender=payer)
    values = {"reason": reason(found), "found": allowance if found == "Allowance" else balance, "allowed": PRICE}
    with stage.nothing_changes(), reverts("FirstChargeDeclined", **values):
        open_with(stage, payer, monthly)


def test_what_the_payer_has_to_the_last_unit_suffices(
    stage: Stage, token: Contract, payer: Account, monthly: int
) -> None:
    token.approve(stage.subscriptions, PRICE, sender=payer)
    token.transfer(stage.anyone, token.balanceOf(payer) - PRICE, sender=payer)
    open_with(stage, payer, monthly)
    assert (token.balanceOf(payer), token.balanceOf(stage.merchant)) == (0, PRICE)


# --- Tokens ---


@pytest.mark.parametrize("trick", [trick for trick in REFUSALS if trick not in DENIALS])
def test_E01_a_token_that_refuses_is_a_typed_failure(
    stage: Stage, hostile: Contract, payer: Account, trick: Trick
) -> None:
    plan_id = stage.create_plan(token=hostile)
    play(hostile, "transferFrom", trick)
    with stage.nothing_changes(hostile), reverts("TokenRefused", token=hostile):
        open_with(stage, payer, plan_id)


@pytest.mark.parametrize("trick", DENIALS + UNMOVED + [Trick.MOVE_AND_DENY])
def test_E01_E02_a_token_that_moves_nothing_is_a_typed_failure(
    stage: Stage, hostile: Contract, payer: Account, trick: Trick
) -> None:
    plan_id = stage.create_plan(token=hostile)
    play(hostile, "transferFrom", trick)
    with stage.nothing_changes(hostile), reverts("AmountMismatch", received=0, expected=PRICE):
        open_with(stage, payer, plan_id)


@pytest.mark.parametrize("trick", UNREADABLE)
def test_E01_a_balance_that_cannot_be_read_is_a_typed_failure(
    stage: Stage, hostile: Contract, payer: Account, trick: Trick
) -> None:
    plan_id = stage.create_plan(token=hostile)
    play(hostile, "balanceOf", trick)
    with stage.nothing_changes(hostile), reverts("AmountMismatch", received=0, expected=PRICE):
        open_with(stage, payer, plan_id)


def test_E02_a_fee_on_transfer_is_refused(stage: Stage, usdt: Contract, payer: Account) -> None:
    plan_id = stage.create_plan(token=usdt)
    usdt.setParams(10, 50, sender=stage.anyone)
    with stage.nothing_changes(usdt), reverts("AmountMismatch", received=PRICE - 50, expected=PRICE):
        open_with(stage, payer, plan_id)


def test_E05_a_paused_token_is_a_typed_failure(stage: Stage, usdc: Contract, payer: Account) -> None:
    plan_id = stage.create_plan(token=usdc)
    usdc.pause(sender=stage.anyone)
    with stage.nothing_changes(usdc), reverts("TokenRefused", token=usdc):
        open_with(stage, payer, plan_id)


def test_E07_a_blocked_payer_is_named_and_for_a_blocked_payee_nothing_begins(
    stage: Stage, usdc: Contract, payer: Account
) -> None:
    plan_id = stage.create_plan(token=usdc)
    usdc.blacklist(payer, sender=stage.anyone)
    with stage.nothing_changes(usdc), reverts("AccountBlocked", account=payer):
        open_with(stage, payer, plan_id)
    usdc.unBlacklist(payer, sender=stage.anyone)
    usdc.blacklist(stage.merchant, sender=stage.anyone)
    with stage.nothing_changes(usdc), reverts("TokenRefused", token=usdc):
        open_with(stage, payer, plan_id)


# --- E03: nothing calls back ---


@pytest.mark.parametrize(
    "verb",
    [
        "subscribe",
        "charge",
        "subscribeWithConditions",
        "submitMandateWithConditions",
        "setConditions",
        "redeemCoupon",
        "chargeSpecialRow",
    ],
)
def test_E03_a_payee_who_is_called_cannot_call_back(
    stage: Stage,
    project: Any,
    subscriptions: Contract,
    hooked: Contract,
    payers: list[Account],
    verb: str,
) -> None:
    payee = project.MockWallet.deploy(sender=stage.anyone)
    payee.setSigner(stage.merchant, sender=stage.anyone)
    plan_id = stage.create_plan(token=hooked, payee=payee)
    terms, conditions = subscriptions.termsHash(plan_id), Conditions(max_total=9 * PRICE)
    coupon = Coupon(amount_off=1)
    signature = signed_coupon(stage, coupon, payee=payee.address, token=hooked.address)
    mandate = MandateWithConditions(payers[1].address, [bytes(terms)])
    calls = {
        "subscribe": subscriptions.subscribe.encode_input(plan_id, terms, 0),
        "charge": subscriptions.charge.encode_input([1]),
        "subscribeWithConditions": subscriptions.subscribeWithConditions.encode_input(
            plan_id, terms, 0, conditions, NO_COUPON, b""
        ),
        "submitMandateWithConditions": subscriptions.submitMandateWithConditions.encode_input(
            mandate, plan_id, b"", NO_COUPON, b""
        ),
        "setConditions": subscriptions.setConditions.encode_input(1, conditions),
        "redeemCoupon": subscriptions.redeemCoupon.encode_input(1, coupon, signature),
        "chargeSpecialRow": project.SubscriptionsCharges.at(subscriptions.address).chargeSpecialRow.encode_input(1),
    }
    payee.setHook(subscriptions, calls[verb], sender=stage.anyone)
    stage.at(SUBSCRIBED)
    subscriptions.subscribeWithConditions(plan_id, terms, 0, conditions, coupon, signature, sender=payers[0])
    error = "NotAuthorized(address)" if verb == "chargeSpecialRow" else "ReentrancyGuardReentrantCall()"
    assert bytes(payee.hookAnswer())[:4] == keccak(text=error)[:4]
    assert charge(stage, 1, at=FIRST_DUE) == [PAID]
    assert (payee.hooks(), payee.hookSucceeded()) == (2, False)
    assert bytes(payee.hookAnswer())[:4] == keccak(text=error)[:4]
    assert hooked.balanceOf(payee) == 2 * PRICE - 1


def test_a_special_row_is_charged_by_the_contract_itself_alone(
    stage: Stage, project: Any, subscriptions: Contract, payer: Account, monthly: int
) -> None:
    open_with(stage, payer, monthly, Conditions(max_total=9 * PRICE), at=SUBSCRIBED)
    frames = project.SubscriptionsCharges.at(subscriptions.address)
    stage.at(FIRST_DUE)
    for caller in (payer, stage.merchant, stage.anyone):
        with stage.nothing_changes(), reverts("NotAuthorized", caller=caller):
            frames.chargeSpecialRow(1, sender=caller)
