"""Plans whose price is in another unit: asked of their quoter at each charge, and never above the payer's maximum."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import pytest

from tests.contracts.signing import (
    NO_COUPON,
    Conditions,
    Coupon,
    Mandate,
    MandateWithConditions,
    signed_mandate,
    signed_mandate_with_conditions,
)
from tests.contracts.special import PAID, charge, charge_as_foreseen, conditions_of, open_with, reason
from tests.contracts.stage import (
    DAY,
    FIRST_DUE,
    FUNDS,
    NO_CHARGE,
    PRICE,
    SUBSCRIBED,
    Account,
    Contract,
    Stage,
    reverts,
    utc,
)
from tests.contracts.test_charge_batch import dry_run
from tests.contracts.test_refund_changed import bounds_are

CENTS = 999
"""The price, in the quoter's units."""
RATE = 10_007_300_000
"""Units of the token for a million of the quoter's: 10,007.3 for one."""
COST = 9_997_292
"""CENTS at RATE, rounded down."""
SECOND_DUE = utc(2027, 3, 31, 12)
HALF = utc(2027, 2, 14, 12)
MOST = 2**96 - 1
ROOM = Conditions(max_per_period=100 * PRICE)


class Trick(IntEnum):
    """How the quoter misbehaves, by the numbers of its contract."""

    NONE = 0
    STALE = 1
    REFUSE = 2
    ANSWER_NOTHING = 3
    ANSWER_SHORT = 4
    ANSWER_ZERO = 5
    ANSWER_TOO_MUCH = 6
    BURN_GAS = 7
    RETURN_BOMB = 8
    REVERT_BOMB = 9
    STALE_BOMB = 10


TRICKS = [
    (trick, "QuoteStale" if trick in (Trick.STALE, Trick.STALE_BOMB) else "QuoteUnavailable")
    for trick in Trick
    if trick not in (Trick.NONE, Trick.RETURN_BOMB)
]
"""What each comes to. A bomb that returns a price is an answer, of which no more than a word is copied."""


def cost_of(price: int, rate: int = RATE) -> int:
    """What the quoter makes of a price."""
    return price * rate // 1_000_000


@pytest.fixture
def quoter(stage: Stage, project: Any) -> Contract:
    """An honest one at RATE, until told otherwise."""
    quoter = project.MockQuoter.deploy(sender=stage.anyone)
    quoter.setRate(RATE, sender=stage.anyone)
    return quoter


@pytest.fixture
def quoted_plan(stage: Stage, quoter: Contract) -> int:
    """A monthly plan at CENTS."""
    return stage.create_plan(price=CENTS, quoter=quoter)


@pytest.fixture
def quoted(stage: Stage, payer: Account, quoted_plan: int) -> int:
    """The payer's subscription to it, opened at SUBSCRIBED."""
    open_with(stage, payer, quoted_plan, ROOM, at=SUBSCRIBED)
    return 1


# --- What is charged ---


def test_the_first_charge_is_quoted(stage: Stage, token: Contract, payer: Account, quoted_plan: int) -> None:
    assert cost_of(CENTS) == COST
    events = stage.events(open_with(stage, payer, quoted_plan, ROOM, at=SUBSCRIBED))
    assert [name for name, _ in events] == ["Subscribed", "ConditionsSet", "Quoted", "Charged"]
    assert events[2][1] == {"subscriptionId": 1, "chargeNumber": 1, "price": CENTS, "amount": COST}
    assert events[3][1] == {
        "subscriptionId": 1,
        "chargeNumber": 1,
        "periodStart": SUBSCRIBED,
        "periodEnd": FIRST_DUE,
        "amount": COST,
    }
    assert (token.balanceOf(payer), token.balanceOf(stage.merchant)) == (FUNDS - COST, COST)
    assert stage.totals() == (1, COST, 0, 0)
    bounds_are(stage, 1, [(0, CENTS, COST)], [COST])


def test_E36_each_charge_costs_what_the_quoter_says_then_and_gives_back_no_more(
    stage: Stage, quoter: Contract, quoted: int
) -> None:
    paid = [COST]
    for late_s, rate in enumerate((1_001, 2 * RATE, RATE, 10**6)):  # the last makes the price's number the amount's
        quoter.setRate(rate, sender=stage.anyone)
        row = charge_as_foreseen(stage, quoted, at=stage.next_due(quoted) + 60 * late_s)
        if rate == 1_001:
            assert row.reason == "QuoteUnavailable"  # rounded down to nothing
            continue
        paid.append(cost_of(CENTS, rate))
        assert (row.amount, row.names) == (paid[-1], ["Quoted", "Charged"])
        told = {"subscriptionId": quoted, "chargeNumber": len(paid), "price": CENTS, "amount": paid[-1]}
        assert row.events[0][1] == told
    assert paid == [COST, 2 * COST + 1, COST, CENTS]
    bounds_are(stage, quoted, [(number, CENTS, amount) for number, amount in enumerate(paid)], paid)


def test_seats_are_priced_in_its_units(stage: Stage, quoter: Contract, payer: Account) -> None:
    plan_id = stage.create_plan(price=0, seat_price=CENTS, quoter=quoter)
    receipt = open_with(stage, payer, plan_id, ROOM, seats=3, at=SUBSCRIBED)
    assert stage.charged_of(receipt)["amount"] == cost_of(3 * CENTS)
    assert charge_as_foreseen(stage, 1, at=FIRST_DUE).value("Quoted", "price") == 3 * CENTS


def test_the_stub_of_an_aligned_plan_is_quoted_by_its_part_of_the_price(
    stage: Stage, quoter: Contract, payer: Account
) -> None:
    plan_id = stage.create_plan(price=CENTS, quoter=quoter, align_to=utc(2026, 1, 1))
    receipt = open_with(stage, payer, plan_id, ROOM, at=utc(2027, 2, 15))
    half = (CENTS + 1) // 2  # 14 of 28 days, rounded up
    assert stage.charged_of(receipt)["amount"] == cost_of(half)
    row = charge_as_foreseen(stage, 1, at=utc(2027, 3, 1))
    assert (row.value("Quoted", "price"), row.amount) == (CENTS, COST)
    bounds_are(stage, 1, [(0, CENTS, cost_of(half)), (1, CENTS, COST)], [cost_of(half), COST])


def test_a_coupon_takes_off_of_what_was_quoted(stage: Stage, payer: Account, quoted_plan: int) -> None:
    coupon = Coupon(basis_points_off=3_333, amount_off=1_000, periods=2)
    less = COST - COST * 3_333 // 10_000 - 1_000
    conditions = Conditions(max_per_period=less)  # the maximum is for what is left
    events = stage.events(open_with(stage, payer, quoted_plan, conditions, coupon=coupon, at=SUBSCRIBED))
    assert [name for name, _ in events][3:] == ["Quoted", "Discounted", "Charged"]
    row = charge_as_foreseen(stage, 1, at=FIRST_DUE)
    assert (row.amount, row.value("Quoted", "amount"), row.value("Discounted", "amount")) == (less, COST, COST - less)
    assert charge_as_foreseen(stage, 1, at=SECOND_DUE).reason == "Slippage"
    bounds_are(stage, 1, [(0, CENTS, less), (1, CENTS, less)], [less, less])


def test_usage_is_in_units_of_the_token(
    stage: Stage, subscriptions: Contract, quoter: Contract, payer: Account
) -> None:
    plan_id = stage.create_plan(price=CENTS, quoter=quoter, usage_cap=5_000, usage_price=10**6)
    open_with(stage, payer, plan_id, Conditions(max_per_period=COST + 5_000), at=SUBSCRIBED)
    subscriptions.chargeUsage(1, 2, 5_000, 5_000, bytes(32), sender=stage.merchant)
    assert charge_as_foreseen(stage, 1, at=FIRST_DUE).amount == COST
    bounds_are(stage, 1, [(0, CENTS, COST), (1, CENTS, 5_000), (2, CENTS, COST)], [COST, 5_000, COST])


def test_a_fee_is_a_part_of_what_was_quoted(
    stage: Stage, accounts: Any, token: Contract, quoter: Contract, payer: Account
) -> None:
    plan_id = stage.create_plan(price=CENTS, quoter=quoter, fee_bps=250, fee_receiver=accounts[8])
    open_with(stage, payer, plan_id, ROOM)
    fee = COST * 250 // 10_000
    assert (token.balanceOf(stage.merchant), token.balanceOf(accounts[8])) == (COST - fee, fee)
    assert stage.totals() == (1, COST, 0, 0)


# --- The payer's maximum ---


def test_E34_without_a_maximum_there_is_no_consent(
    stage: Stage, subscriptions: Contract, payer: Account, quoted_plan: int
) -> None:
    missing = {"planId": quoted_plan}
    unlimited = Conditions(max_total=MOST, ends_at=2**40 - 1)
    with stage.nothing_changes(), reverts("MaximumMissing", **missing):
        stage.subscribe(payer, quoted_plan)
    with stage.nothing_changes(), reverts("MaximumMissing", **missing):
        open_with(stage, payer, quoted_plan, unlimited)
    plain = Mandate(payer.address, quoted_plan)
    with stage.nothing_changes(), reverts("MaximumMissing", **missing):
        subscriptions.submitMandate(plain, signed_mandate(stage, payer, plain), sender=stage.anyone)
    terms = [bytes(subscriptions.termsHash(quoted_plan))]
    mandate = MandateWithConditions(payer.address, terms, conditions=unlimited)
    signature = signed_mandate_with_conditions(stage, payer, mandate, quoted_plan)
    with stage.nothing_changes(), reverts("MaximumMissing", **missing):
        subscriptions.submitMandateWithConditions(mandate, quoted_plan, signature, NO_COUPON, b"", sender=stage.anyone)
    mandate = mandate._replace(conditions=ROOM)
    signature = signed_mandate_with_conditions(stage, payer, mandate, quoted_plan)
    subscriptions.submitMandateWithConditions(mandate, quoted_plan, signature, NO_COUPON, b"", sender=stage.anyone)
    with stage.nothing_changes(), reverts("MaximumMissing", **missing):
        subscriptions.setConditions(1, unlimited, sender=payer)


@pytest.mark.parametrize("usage_cap", [0, 5_000])
@pytest.mark.parametrize("missing", [0, 1])
def test_E34_a_price_above_the_maximum_is_not_paid(
    stage: Stage, subscriptions: Contract, quoter: Contract, payer: Account, usage_cap: int, missing: int
) -> None:
    plan_id = stage.create_plan(price=CENTS, quoter=quoter, usage_cap=usage_cap, usage_price=usage_cap)
    cost = COST + usage_cap
    conditions = Conditions(max_per_period=cost - missing)
    if missing:
        values = {"reason": reason("Slippage"), "found": cost, "allowed": cost - 1}
        with stage.nothing_changes(), reverts("FirstChargeDeclined", **values):
            open_with(stage, payer, plan_id, conditions)
    open_with(stage, payer, plan_id, Conditions(max_per_period=cost), at=SUBSCRIBED)
    subscriptions.setConditions(1, conditions, sender=payer)
    row = charge_as_foreseen(stage, 1, at=FIRST_DUE)
    assert (row.reason, row.amount) == (("Slippage", 0) if missing else (PAID, COST))
    if missing:
        quoter.setRate(RATE - 1_000_000, sender=stage.anyone)  # cheaper by CENTS
        assert charge_as_foreseen(stage, 1, at=FIRST_DUE + 60).amount == COST - CENTS


def test_E34_the_highest_price_that_can_be_and_one_unit_more(
    stage: Stage, token: Contract, quoter: Contract, payer: Account
) -> None:
    token.mint(payer, 4 * MOST, sender=stage.anyone)
    plan_id = stage.create_plan(price=2**95, quoter=quoter)
    quoter.setRate(2_000_000, sender=stage.anyone)
    values = {"reason": reason("QuoteUnavailable"), "found": 0, "allowed": 0}
    with stage.nothing_changes(), reverts("FirstChargeDeclined", **values):
        open_with(stage, payer, plan_id, Conditions(max_per_period=MOST))
    plan_id = stage.create_plan(price=MOST, quoter=quoter)
    quoter.setRate(1_000_000, sender=stage.anyone)
    open_with(stage, payer, plan_id, Conditions(max_per_period=MOST), at=SUBSCRIBED)
    assert conditions_of(stage, 1).max_per_period == MOST
    assert charge_as_foreseen(stage, 1, at=FIRST_DUE).amount == MOST


def test_all_other_limits_hold_as_well(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, quoted_plan: int
) -> None:
    limits = Conditions(max_per_period=COST, max_total=2 * COST, ends_at=SECOND_DUE + 60)
    open_with(stage, payer, quoted_plan, limits, at=SUBSCRIBED)
    token.approve(subscriptions, 0, sender=payer)
    assert charge_as_foreseen(stage, 1, at=FIRST_DUE).reason == "Allowance"
    token.approve(subscriptions, COST, sender=payer)
    assert charge_as_foreseen(stage, 1, at=FIRST_DUE + 30).reason == PAID
    assert conditions_of(stage, 1).max_total == 0
    assert charge_as_foreseen(stage, 1, at=SECOND_DUE).reason == "OverMandate"
    assert charge_as_foreseen(stage, 1, at=SECOND_DUE + 60).reason == "Ended"


@pytest.mark.parametrize(("lacking", "found"), [("Allowance", COST - 1), ("Balance", COST - 1)])
def test_the_first_charge_says_what_the_payer_lacks(
    stage: Stage, token: Contract, payer: Account, quoted_plan: int, lacking: str, found: int
) -> None:
    if lacking == "Allowance":
        token.approve(stage.subscriptions, found, sender=payer)
    else:
        token.transfer(stage.anyone, token.balanceOf(payer) - found, sender=payer)
    values = {"reason": reason(lacking), "found": found, "allowed": COST}
    with stage.nothing_changes(), reverts("FirstChargeDeclined", **values):
        open_with(stage, payer, quoted_plan, ROOM)


# --- Quoters that do not answer ---


@pytest.mark.parametrize(("trick", "found"), TRICKS)
def test_E34_a_quoter_that_gives_no_price_is_a_typed_decline_and_costs_nothing(
    stage: Stage, quoter: Contract, quoted: int, trick: Trick, found: str
) -> None:
    quoter.play(trick, sender=stage.anyone)
    assert charge_as_foreseen(stage, quoted, at=FIRST_DUE).reason == found
    quoter.play(Trick.NONE, sender=stage.anyone)
    assert charge_as_foreseen(stage, quoted, at=FIRST_DUE + 60).amount == COST


@pytest.mark.parametrize(("trick", "found"), TRICKS)
def test_E34_nothing_begins_without_a_price(
    stage: Stage, quoter: Contract, payer: Account, quoted_plan: int, trick: Trick, found: str
) -> None:
    quoter.play(trick, sender=stage.anyone)
    values = {"reason": reason(found), "found": 0, "allowed": 0}
    with stage.nothing_changes(), reverts("FirstChargeDeclined", **values):
        open_with(stage, payer, quoted_plan, ROOM)


@pytest.mark.parametrize(("trick", "found"), TRICKS)
def test_E06_E34_the_other_rows_of_the_batch_are_charged_all_the_same(
    stage: Stage,
    project: Any,
    token: Contract,
    quoter: Contract,
    payers: list[Account],
    monthly: int,
    quoted_plan: int,
    trick: Trick,
    found: str,
) -> None:
    honest = stage.create_plan(price=7, quoter=project.MockQuoter.deploy(sender=stage.anyone))
    plans = [quoted_plan, monthly, honest, quoted_plan, monthly]
    for number, (payer, plan_id) in enumerate(zip([*payers, payers[0]], plans, strict=True)):
        if plan_id == monthly:
            stage.subscribe(payer, plan_id, at=SUBSCRIBED + 10 * number)
        else:
            open_with(stage, payer, plan_id, ROOM, at=SUBSCRIBED + 10 * number)
    before = token.balanceOf(stage.merchant)
    quoter.play(trick, sender=stage.anyone)
    assert charge(stage, 1, 2, 3, 4, 5, at=FIRST_DUE + 60) == [found, PAID, PAID, found, PAID]
    assert token.balanceOf(stage.merchant) - before == 2 * PRICE + 7
    assert [stage.charges(number) for number in range(1, 6)] == [1, 2, 2, 1, 2]


def test_E06_a_bomb_that_is_an_answer_is_read_by_its_first_word(stage: Stage, quoter: Contract, quoted: int) -> None:
    quoter.play(Trick.RETURN_BOMB, sender=stage.anyone)
    assert charge_as_foreseen(stage, quoted, at=FIRST_DUE).amount == COST


def test_E34_a_quoter_that_lost_its_code_has_no_price(stage: Stage, quoter: Contract, quoted: int) -> None:
    stage.rpc("anvil_setCode", quoter.address, "0x")
    assert charge_as_foreseen(stage, quoted, at=FIRST_DUE).reason == "QuoteUnavailable"


@pytest.mark.parametrize("verb", ["charge", "cancel", "setRate"])
def test_E03_a_quoter_can_only_answer(
    stage: Stage, subscriptions: Contract, quoter: Contract, quoted: int, verb: str
) -> None:
    calls = {
        "charge": (subscriptions, subscriptions.charge.encode_input([quoted])),
        "cancel": (subscriptions, subscriptions.cancel.encode_input(quoted)),
        "setRate": (quoter, quoter.setRate.encode_input(1)),
    }
    quoter.callBack(*calls[verb], sender=stage.anyone)
    assert charge_as_foreseen(stage, quoted, at=FIRST_DUE).amount == COST
    assert (stage.charges(quoted), quoter.rate()) == (2, RATE)


def test_what_is_no_quoter_has_no_price(stage: Stage, token: Contract, payer: Account) -> None:
    for other in (token, stage.subscriptions):
        plan_id = stage.create_plan(price=CENTS, quoter=other)
        values = {"reason": reason("QuoteUnavailable"), "found": 0, "allowed": 0}
        with stage.nothing_changes(), reverts("FirstChargeDeclined", **values):
            open_with(stage, payer, plan_id, ROOM)


@pytest.mark.parametrize("verb", ["cancel", "pause", "setConditions"])
def test_the_payer_leaves_whatever_the_quoter_does(
    stage: Stage, subscriptions: Contract, quoter: Contract, payer: Account, quoted: int, verb: str
) -> None:
    quoter.play(Trick.BURN_GAS, sender=stage.anyone)
    arguments = (quoted, ROOM) if verb == "setConditions" else (quoted,)
    getattr(subscriptions, verb)(*arguments, sender=payer)
    found = {"cancel": "Cancelled", "pause": "Paused", "setConditions": "QuoteUnavailable"}[verb]
    assert charge_as_foreseen(stage, quoted, at=FIRST_DUE).reason == found


def test_the_trial_needs_no_price(stage: Stage, quoter: Contract, payer: Account) -> None:
    plan_id = stage.create_plan(price=CENTS, quoter=quoter, trial=14 * DAY)
    quoter.play(Trick.STALE, sender=stage.anyone)
    open_with(stage, payer, plan_id, ROOM, at=SUBSCRIBED)
    assert charge_as_foreseen(stage, 1, at=SUBSCRIBED + 14 * DAY - 1).reason == "NotDue"
    assert charge_as_foreseen(stage, 1, at=SUBSCRIBED + 14 * DAY).reason == "QuoteStale"
    quoter.play(Trick.NONE, sender=stage.anyone)
    assert charge_as_foreseen(stage, 1, at=SUBSCRIBED + 14 * DAY + 9).amount == COST


# --- Changes ---


def test_it_is_not_changed_at_once(
    stage: Stage, subscriptions: Contract, payer: Account, monthly: int, quoted: int, quoted_plan: int
) -> None:
    stage.subscribe(payer, monthly)
    for subscription_id, plan_id in ((quoted, monthly), (2, quoted_plan)):
        with stage.nothing_changes(), reverts("PlanIsQuoted", planId=plan_id):
            stage.change_plan(payer, subscription_id, plan_id)
        with reverts("PlanIsQuoted", planId=plan_id):
            subscriptions.quote.transact(subscription_id, plan_id, 0, sender=payer)


def test_E36_from_it_to_a_price_in_the_token_and_back(
    stage: Stage, payer: Account, monthly: int, quoted: int, quoted_plan: int
) -> None:
    stage.schedule_change(payer, quoted, monthly)
    row = charge_as_foreseen(stage, quoted, at=FIRST_DUE)
    assert (row.amount, row.names) == (PRICE, ["PlanChanged", "Charged"])
    assert charge_as_foreseen(stage, quoted, at=SECOND_DUE).amount == PRICE
    stage.schedule_change(payer, quoted, quoted_plan)
    row = charge_as_foreseen(stage, quoted, at=stage.next_due(quoted))
    assert (row.amount, row.names) == (COST, ["PlanChanged", "Quoted", "Charged"])
    assert charge_as_foreseen(stage, quoted, at=stage.next_due(quoted)).amount == COST
    history = [
        (0, CENTS, COST),
        (1, CENTS, NO_CHARGE),
        (3, PRICE, NO_CHARGE),
        (3, CENTS, COST),
        (4, CENTS, COST),
    ]
    bounds_are(stage, quoted, history, [COST, PRICE, PRICE, COST, COST])


def test_a_change_to_it_needs_a_maximum_that_stays(
    stage: Stage, subscriptions: Contract, payer: Account, monthly: int, quoted_plan: int
) -> None:
    open_with(stage, payer, monthly, Conditions(max_total=MOST), at=SUBSCRIBED)
    with stage.nothing_changes(), reverts("MaximumMissing", planId=quoted_plan):
        stage.schedule_change(payer, 1, quoted_plan)
    subscriptions.setConditions(1, ROOM, sender=payer)
    stage.schedule_change(payer, 1, quoted_plan)
    subscriptions.setConditions(1, Conditions(), sender=payer)
    assert charge_as_foreseen(stage, 1, at=FIRST_DUE).reason == "Slippage"
    subscriptions.setConditions(1, ROOM, sender=payer)
    assert charge_as_foreseen(stage, 1, at=FIRST_DUE + 60).amount == COST


@pytest.mark.parametrize("price", [PRICE // 4, PRICE])
def test_credit_pays_what_was_quoted(
    stage: Stage, subscriptions: Contract, quoter: Contract, payer: Account, monthly: int, price: int
) -> None:
    quoter.setRate(1_000_000, sender=stage.anyone)
    plan_id, dear = stage.create_plan(price=price, quoter=quoter), stage.create_plan(price=2 * PRICE)
    open_with(stage, payer, dear, ROOM, at=SUBSCRIBED)
    stage.change_plan(payer, 1, monthly, at=HALF)
    credit = PRICE // 2
    stage.schedule_change(payer, 1, plan_id)
    row = charge_as_foreseen(stage, 1, at=FIRST_DUE)
    used = min(credit, price)
    assert (row.amount, row.names) == (price - used, ["PlanChanged", "Quoted", "CreditUsed", "Charged"])
    assert subscriptions.subscription(1).credit == credit - used
    history = [(1, 2 * PRICE, NO_CHARGE), (1, PRICE, NO_CHARGE), (1, price, price - used)]
    bounds_are(stage, 1, history, [2 * PRICE, price - used])


def test_what_is_left_of_it_has_no_exact_value(stage: Stage, subscriptions: Contract, quoted: int) -> None:
    with stage.nothing_changes(), reverts("PlanIsQuoted", planId=1):
        subscriptions.cancelWithRefund(quoted, [1], [(0, CENTS, COST)], sender=stage.merchant)
    subscriptions.cancel(quoted, sender=stage.merchant)


@pytest.mark.parametrize("trick", [Trick.NONE, Trick.BURN_GAS])
def test_E06_too_little_gas_for_the_quoter_reverts_and_never_fakes_a_decline(
    stage: Stage, subscriptions: Contract, quoter: Contract, quoted: int, trick: Trick
) -> None:
    quoter.play(trick, sender=stage.anyone)
    stage.at(FIRST_DUE)
    stage.rpc("evm_mine")
    data = "0x" + subscriptions.charge.encode_input([quoted]).hex()
    honest = bytes([reason(PAID if trick == Trick.NONE else "QuoteUnavailable")])
    answers = {gas: dry_run(stage, data, gas) for gas in range(30_000, 900_000, 9_973)}
    assert set(answers.values()) == {None, honest}
    assert answers[max(answers)] == honest
