"""setConditions: the payer's own limits, and how charges of every kind keep within them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contracts.hostile import REFUSALS, UNMOVED, play_to
from tests.contracts.proration import worth
from tests.contracts.signing import Conditions
from tests.contracts.special import PAID, charge, charge_as_foreseen, conditions_of, open_with, reasons
from tests.contracts.stage import (
    DAY,
    FIRST_DUE,
    FUNDS,
    NOBODY,
    PRICE,
    SUBSCRIBED,
    UNLIMITED,
    Account,
    Contract,
    Stage,
    reverts,
    utc,
)
from tests.tricks import Trick

CAP = 5_000_000
HASH = b"\x17" * 32
SECOND_DUE = utc(2027, 3, 31, 12)
HALF = utc(2027, 2, 14, 12)
MOST = 2**96 - 1


@pytest.fixture
def metered(stage: Stage) -> int:
    """A monthly plan with usage, at most a unit of the token for a unit of usage."""
    return stage.create_plan(usage_cap=CAP, usage_price=10**6)


def use(stage: Stage, subscription_id: int, amount: int) -> Any:
    """The merchant charges usage."""
    number = stage.charges(subscription_id) + 1
    return stage.subscriptions.chargeUsage(subscription_id, number, amount, amount, HASH, sender=stage.merchant)


def left(stage: Stage, subscription_id: int) -> int:
    """What all charges together may still cost."""
    return int(conditions_of(stage, subscription_id).max_total)


# --- Who, and what it does ---


def test_the_payer_states_them_anew(
    stage: Stage, subscriptions: Contract, payer: Account, payers: list[Account], subscribed: int
) -> None:
    for conditions in (
        Conditions(PRICE, 12 * PRICE, 0, SUBSCRIBED + 400 * DAY, payers[1].address, False),
        Conditions(MOST, MOST, 0, 2**40 - 1, payers[2].address, True),
        Conditions(max_total=1),
        Conditions(),
    ):
        before = subscriptions.subscription(subscribed)
        receipt = subscriptions.setConditions(subscribed, conditions, sender=payer)
        told = {
            "subscriptionId": subscribed,
            "maxPerPeriod": conditions.max_per_period,
            "maxTotal": conditions.max_total,
            "endsAt": conditions.ends_at,
            "beneficiary": conditions.beneficiary,
            "byPermit2": conditions.by_permit2,
        }
        assert stage.events(receipt) == [("ConditionsSet", told)]
        found = subscriptions.conditions(subscribed)
        assert (tuple(found.found), found.isSpent) == (conditions, False)
        assert subscriptions.beneficiary(subscribed) == (
            payer if conditions.beneficiary == NOBODY else conditions.beneficiary
        )
        assert tuple(subscriptions.subscription(subscribed)) == tuple(before)
    assert stage.totals() == (1, PRICE, 0, 0)


def test_nobody_else_does(
    stage: Stage, subscriptions: Contract, payer: Account, payers: list[Account], subscribed: int
) -> None:
    subscriptions.setConditions(subscribed, Conditions(beneficiary=payers[1].address), sender=payer)
    for other in (stage.merchant, stage.anyone, payers[1]):
        with stage.nothing_changes(), reverts("NotAuthorized", caller=other):
            subscriptions.setConditions(subscribed, Conditions(), sender=other)


def test_refuses_what_there_is_not(subscriptions: Contract, payer: Account) -> None:
    for unknown in (0, 1, 2**63, UNLIMITED):
        with reverts("UnknownSubscription", subscriptionId=unknown):
            subscriptions.setConditions(unknown, Conditions(), sender=payer)
        for view in (subscriptions.conditions, subscriptions.beneficiary):
            with reverts("UnknownSubscription", subscriptionId=unknown):
                view.transact(unknown, sender=payer)


def test_refuses_one_that_has_ended_and_takes_one_that_will_or_stands_still(
    stage: Stage, subscriptions: Contract, payer: Account, monthly: int
) -> None:
    ending, paused, cancelled = (stage.subscribe(payer, monthly) for _ in range(3))
    subscriptions.cancelAtPeriodEnd(ending, sender=payer)
    subscriptions.pause(paused, sender=payer)
    subscriptions.cancel(cancelled, sender=payer)
    for subscription_id in (ending, paused):
        subscriptions.setConditions(subscription_id, Conditions(max_total=5), sender=payer)
        assert left(stage, subscription_id) == 5
    assert [stage.status(number) for number in (ending, paused)] == [1, 3]
    with stage.nothing_changes(), reverts("NotActive", subscriptionId=cancelled, status=2):
        subscriptions.setConditions(cancelled, Conditions(max_total=5), sender=payer)


def test_seats_and_credit_stay(stage: Stage, subscriptions: Contract, payer: Account) -> None:
    plan_id = stage.create_plan(seat_price=PRICE)
    stage.subscribe(payer, plan_id, seats=3, at=SUBSCRIBED)
    stage.change_plan(payer, 1, plan_id, seats=2, at=HALF)
    before = subscriptions.subscription(1)
    assert (before.seats, before.credit) == (2, PRICE // 2)
    subscriptions.setConditions(1, Conditions(max_per_period=3 * PRICE, max_total=3 * PRICE), sender=payer)
    assert tuple(subscriptions.subscription(1)) == tuple(before)
    row = charge_as_foreseen(stage, 1, at=FIRST_DUE)
    assert (row.amount, row.value("CreditUsed", "amount")) == (3 * PRICE - PRICE // 2, PRICE // 2)
    assert left(stage, 1) == PRICE // 2


def test_a_start_is_not_asked(stage: Stage, subscriptions: Contract, payer: Account, subscribed: int) -> None:
    subscriptions.setConditions(subscribed, Conditions(max_total=PRICE, starts_at=2**40 - 1), sender=payer)
    assert conditions_of(stage, subscribed).starts_at == 0
    assert charge_as_foreseen(stage, subscribed, at=FIRST_DUE).reason == PAID


def test_a_beneficiary_has_no_say_and_pays_nothing(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, payers: list[Account], monthly: int
) -> None:
    served = payers[1]
    open_with(stage, payer, monthly, Conditions(beneficiary=served.address), at=SUBSCRIBED)
    assert charge_as_foreseen(stage, 1, at=FIRST_DUE).amount == PRICE
    assert token.balanceOf(served) == FUNDS
    for verb in (subscriptions.cancel, subscriptions.cancelAtPeriodEnd, subscriptions.pause):
        with stage.nothing_changes(), reverts("NotAuthorized", caller=served):
            verb(1, sender=served)


# --- The most that a period may cost ---


@pytest.mark.parametrize("missing", [0, 1])
@pytest.mark.parametrize("cap", [0, CAP])
def test_a_period_costs_no_more_than_it_may_its_usage_included(
    stage: Stage, subscriptions: Contract, payer: Account, cap: int, missing: int
) -> None:
    plan_id = stage.create_plan(seat_price=7, usage_cap=cap, usage_price=cap)
    stage.subscribe(payer, plan_id, seats=2, at=SUBSCRIBED)
    subscriptions.setConditions(1, Conditions(max_per_period=PRICE + 14 + cap - missing), sender=payer)
    row = charge_as_foreseen(stage, 1, at=FIRST_DUE)
    assert (row.reason, row.amount) == (("OverMandate", 0) if missing else (PAID, PRICE + 14))


@pytest.mark.parametrize("missing", [0, 1])
def test_credit_makes_a_period_cost_no_less(
    stage: Stage, subscriptions: Contract, payer: Account, missing: int
) -> None:
    dear, cheap = stage.create_plan(price=2 * PRICE), stage.create_plan(price=PRICE)
    stage.subscribe(payer, dear, at=SUBSCRIBED)
    stage.change_plan(payer, 1, cheap, at=HALF)
    subscriptions.setConditions(1, Conditions(max_per_period=PRICE - missing), sender=payer)
    row = charge_as_foreseen(stage, 1, at=FIRST_DUE)
    assert (row.reason, row.amount) == (("OverMandate", 0) if missing else (PAID, PRICE - PRICE // 2))


def test_usage_keeps_within_what_is_stated_after_the_period_was_paid(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, metered: int
) -> None:
    stage.subscribe(payer, metered, at=SUBSCRIBED)
    use(stage, 1, 300)
    subscriptions.setConditions(1, Conditions(max_per_period=PRICE + 1_000), sender=payer)
    use(stage, 1, 700)
    with stage.nothing_changes(), reverts("OverMandate", found=PRICE + 1_001, allowed=PRICE + 1_000):
        use(stage, 1, 1)
    subscriptions.setConditions(1, Conditions(max_per_period=1), sender=payer)
    with stage.nothing_changes(), reverts("OverMandate", found=PRICE + 1_001, allowed=1):
        use(stage, 1, 1)
    assert token.balanceOf(stage.merchant) == PRICE + 1_000


def test_what_declined_is_charged_when_more_is_allowed(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int
) -> None:
    subscriptions.setConditions(subscribed, Conditions(max_per_period=PRICE - 1), sender=payer)
    assert charge_as_foreseen(stage, subscribed, at=FIRST_DUE).reason == "OverMandate"
    subscriptions.setConditions(subscribed, Conditions(), sender=payer)
    assert charge_as_foreseen(stage, subscribed, at=FIRST_DUE + 60).amount == PRICE


@pytest.mark.parametrize("missing", [0, 1])
def test_a_change_at_once_keeps_within_it(
    stage: Stage, subscriptions: Contract, payer: Account, monthly: int, missing: int
) -> None:
    dearer = stage.create_plan(price=2 * PRICE, usage_cap=CAP, usage_price=CAP)
    cost = 2 * PRICE + CAP
    open_with(stage, payer, monthly, Conditions(max_per_period=cost - missing), at=SUBSCRIBED)
    if missing:
        with stage.nothing_changes(), reverts("OverMandate", found=cost, allowed=cost - 1):
            stage.change_plan(payer, 1, dearer, at=HALF)
        with reverts("OverMandate", found=cost, allowed=cost - 1):
            subscriptions.quote.transact(1, dearer, 0, sender=payer)
    else:
        assert stage.charged_of(stage.change_plan(payer, 1, dearer, at=HALF))["amount"] == PRICE // 2
        assert charge_as_foreseen(stage, 1, at=FIRST_DUE).amount == 2 * PRICE


@pytest.mark.parametrize("missing", [0, 1])
def test_a_scheduled_change_that_costs_more_declines(stage: Stage, payer: Account, monthly: int, missing: int) -> None:
    dearer = stage.create_plan(price=2 * PRICE)
    open_with(stage, payer, monthly, Conditions(max_per_period=2 * PRICE - missing), at=SUBSCRIBED)
    stage.schedule_change(payer, 1, dearer)
    row = charge_as_foreseen(stage, 1, at=FIRST_DUE)
    assert (row.reason, row.names) == (("OverMandate", []) if missing else (PAID, ["PlanChanged", "Charged"]))


# --- The most that all charges may cost ---


def test_all_is_used_up_to_the_last_unit_by_charges_of_every_kind(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, metered: int
) -> None:
    dearer = stage.create_plan(price=2 * PRICE, usage_cap=CAP, usage_price=10**6)
    moved = worth(2 * PRICE, FIRST_DUE - HALF, FIRST_DUE - SUBSCRIBED) - worth(
        PRICE, FIRST_DUE - HALF, FIRST_DUE - SUBSCRIBED
    )
    agreed = PRICE + 1_000 + moved + 2 * PRICE + 2_000
    open_with(stage, payer, metered, Conditions(max_total=agreed), at=SUBSCRIBED)
    assert left(stage, 1) == agreed - PRICE
    use(stage, 1, 1_000)
    assert left(stage, 1) == agreed - PRICE - 1_000
    stage.change_plan(payer, 1, dearer, at=HALF)
    assert left(stage, 1) == 2 * PRICE + 2_000
    assert charge_as_foreseen(stage, 1, at=FIRST_DUE).amount == 2 * PRICE
    assert (left(stage, 1), subscriptions.conditions(1).isSpent) == (2_000, False)
    with stage.nothing_changes(), reverts("OverMandate", found=2_001, allowed=2_000):
        use(stage, 1, 2_001)
    use(stage, 1, 2_000)
    with stage.nothing_changes(), reverts("OverMandate", found=1, allowed=0):
        use(stage, 1, 1)
    assert (left(stage, 1), token.balanceOf(stage.merchant)) == (0, agreed)
    assert subscriptions.conditions(1).isSpent
    assert charge_as_foreseen(stage, 1, at=stage.next_due(1)).reason == "OverMandate"
    assert stage.totals() == (5, agreed, 0, 0)
    subscriptions.setConditions(1, Conditions(max_total=2 * PRICE), sender=payer)  # counts from now
    assert charge_as_foreseen(stage, 1, at=stage.next_due(1) + 1).amount == 2 * PRICE
    assert left(stage, 1) == 0


@pytest.mark.parametrize("missing", [0, 1])
def test_a_change_at_once_costs_no_more_than_is_left(stage: Stage, payer: Account, monthly: int, missing: int) -> None:
    dearer = stage.create_plan(price=2 * PRICE)
    cost = PRICE // 2
    open_with(stage, payer, monthly, Conditions(max_total=PRICE + cost - missing), at=SUBSCRIBED)
    if missing:
        with stage.nothing_changes(), reverts("OverMandate", found=cost, allowed=cost - 1):
            stage.change_plan(payer, 1, dearer, at=HALF)
    else:
        stage.change_plan(payer, 1, dearer, at=HALF)
        assert left(stage, 1) == 0


def test_a_new_period_at_once_counts_what_is_paid_beside_the_credit(stage: Stage, payer: Account, monthly: int) -> None:
    yearly = stage.create_plan(price=10 * PRICE, every=12)
    paid = 10 * PRICE - PRICE // 2
    open_with(stage, payer, monthly, Conditions(max_total=PRICE + paid), at=SUBSCRIBED)
    stage.change_plan(payer, 1, yearly, at=HALF)
    assert left(stage, 1) == 0
    assert charge_as_foreseen(stage, 1, at=stage.next_due(1)).reason == "OverMandate"


@pytest.mark.parametrize("missing", [0, 1])
def test_credit_is_not_counted(stage: Stage, subscriptions: Contract, payer: Account, missing: int) -> None:
    dear, cheap = stage.create_plan(price=2 * PRICE), stage.create_plan(price=PRICE)
    stage.subscribe(payer, dear, at=SUBSCRIBED)
    stage.change_plan(payer, 1, cheap, at=HALF)
    subscriptions.setConditions(1, Conditions(max_total=PRICE // 2 - missing), sender=payer)
    row = charge_as_foreseen(stage, 1, at=FIRST_DUE)
    assert row.reason == ("OverMandate" if missing else PAID)
    assert left(stage, 1) == (PRICE // 2 - 1 if missing else 0)


def test_what_credit_pays_whole_is_charged_when_nothing_is_left(
    stage: Stage, subscriptions: Contract, payer: Account
) -> None:
    dear, cheap = stage.create_plan(price=4 * PRICE), stage.create_plan(price=PRICE)
    stage.subscribe(payer, dear, at=SUBSCRIBED)
    stage.change_plan(payer, 1, cheap, at=HALF)
    subscriptions.setConditions(1, Conditions(max_total=1), sender=payer)
    row = charge_as_foreseen(stage, 1, at=FIRST_DUE)
    assert (row.reason, row.amount, left(stage, 1)) == (PAID, 0, 1)


def test_a_decline_and_a_refund_use_up_nothing_and_give_back_nothing(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, monthly: int
) -> None:
    open_with(stage, payer, monthly, Conditions(max_total=2 * PRICE), at=SUBSCRIBED)
    token.approve(subscriptions, 0, sender=payer)
    assert charge_as_foreseen(stage, 1, at=FIRST_DUE).reason == "Allowance"
    assert left(stage, 1) == PRICE
    subscriptions.refund(1, 1, PRICE, sender=stage.merchant)
    assert left(stage, 1) == PRICE
    token.approve(subscriptions, UNLIMITED, sender=payer)
    assert charge_as_foreseen(stage, 1, at=FIRST_DUE + 9).reason == PAID
    assert charge_as_foreseen(stage, 1, at=SECOND_DUE).reason == "OverMandate"


# --- The payer's own end ---


@pytest.mark.parametrize(("offset_s", "found"), [(-1, PAID), (0, "Ended"), (1, "Ended")])
def test_E20_nothing_is_charged_from_its_end_on(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int, offset_s: int, found: str
) -> None:
    ends = FIRST_DUE + 60
    subscriptions.setConditions(subscribed, Conditions(ends_at=ends), sender=payer)
    assert charge_as_foreseen(stage, subscribed, at=ends + offset_s).reason == found


@pytest.mark.parametrize("offset_s", [-1, 0, 1])
def test_E20_nor_usage_nor_a_change_that_costs(stage: Stage, payer: Account, metered: int, offset_s: int) -> None:
    dearer = stage.create_plan(price=2 * PRICE)
    for _ in range(2):
        open_with(stage, payer, metered, Conditions(ends_at=HALF), at=None)
    stage.at(HALF + offset_s)
    if offset_s < 0:
        use(stage, 1, 1)
        assert stage.charges(1) == 2
        stage.change_plan(payer, 2, dearer, at=HALF - 1)
        assert stage.charges(2) == 2
        return
    with stage.nothing_changes(), reverts("ConditionsEnded", subscriptionId=1, endsAt=HALF):
        use(stage, 1, 1)
    with stage.nothing_changes(), reverts("ConditionsEnded", subscriptionId=2, endsAt=HALF):
        stage.change_plan(payer, 2, dearer)


def test_the_end_comes_before_other_reasons_but_after_those_of_the_plan(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, subscribed: int
) -> None:
    conditions = Conditions(max_per_period=1, max_total=1, ends_at=FIRST_DUE)
    subscriptions.setConditions(subscribed, conditions, sender=payer)
    token.approve(subscriptions, 0, sender=payer)
    for at, found in ((FIRST_DUE - 1, "NotDue"), (FIRST_DUE, "Ended")):
        assert charge_as_foreseen(stage, subscribed, at=at).reason == found
    subscriptions.setConditions(subscribed, Conditions(max_per_period=1), sender=payer)
    assert charge_as_foreseen(stage, subscribed, at=FIRST_DUE + 5).reason == "OverMandate"
    subscriptions.setConditions(subscribed, Conditions(max_per_period=PRICE), sender=payer)
    assert charge_as_foreseen(stage, subscribed, at=FIRST_DUE + 9).reason == "Allowance"
    subscriptions.cancelAtPeriodEnd(subscribed, sender=payer)
    assert charge_as_foreseen(stage, subscribed, at=FIRST_DUE + 15).reason == "Ended"
    subscriptions.cancel(subscribed, sender=payer)
    assert charge_as_foreseen(stage, subscribed, at=FIRST_DUE + 20).reason == "Cancelled"


def test_a_pause_goes_on_with_the_same_limits(
    stage: Stage, subscriptions: Contract, payer: Account, monthly: int
) -> None:
    open_with(stage, payer, monthly, Conditions(max_total=2 * PRICE), at=SUBSCRIBED)
    subscriptions.pause(1, sender=payer)
    assert charge_as_foreseen(stage, 1, at=FIRST_DUE).reason == "Paused"
    told = subscriptions.preview(1)
    assert (told.periodStart, told.periodEnd, told.amount) == (0, 0, PRICE)
    subscriptions.resume(1, sender=payer)
    assert charge_as_foreseen(stage, 1, at=stage.next_due(1)).amount == PRICE
    assert charge_as_foreseen(stage, 1, at=stage.next_due(1)).reason == "OverMandate"


# --- Among other rows ---


def limited_rows(stage: Stage, payers: list[Account], token: Contract, fee_receiver: Account | None) -> list[int]:
    """Subscriptions to one plan: plain, limited, plain, limited."""
    plan_id = stage.create_plan(token=token, fee_bps=100 if fee_receiver else 0, fee_receiver=fee_receiver)
    rows = []
    for number, payer in enumerate(payers):
        rows.append(stage.subscribe(payer, plan_id, at=SUBSCRIBED + 10 * number))
        if number % 2:
            stage.subscriptions.setConditions(rows[-1], Conditions(max_total=PRICE), sender=payer)
    return rows


@pytest.mark.parametrize("has_fee", [False, True])
def test_rows_of_both_kinds_are_charged_together(
    stage: Stage, subscriptions: Contract, accounts: Any, token: Contract, payers: list[Account], has_fee: bool
) -> None:
    rows = limited_rows(stage, payers, token, accounts[8] if has_fee else None)
    before = token.balanceOf(stage.merchant)
    assert charge(stage, *rows, rows[1], at=FIRST_DUE + 60) == [PAID] * 4 + ["NotDue"]
    fee = PRICE // 100 if has_fee else 0
    assert token.balanceOf(stage.merchant) - before == 4 * (PRICE - fee)
    assert stage.totals() == (8, 8 * PRICE, 0, 0)
    assert charge(stage, *rows, at=SECOND_DUE + 60) == [PAID, "OverMandate", PAID, "OverMandate"]
    receipt = subscriptions.charge([*rows], sender=stage.anyone)
    assert reasons(stage, receipt) == ["NotDue", "OverMandate", "NotDue", "OverMandate"]
    assert stage.totals() == (10, 10 * PRICE, 0, 0)


@pytest.mark.parametrize("trick", REFUSALS + UNMOVED)
def test_E06_a_token_that_refuses_one_limited_row_does_not_keep_the_others_from_paying(
    stage: Stage, hostile: Contract, accounts: Any, payers: list[Account], trick: Trick
) -> None:
    receiver = accounts[8]
    plain = stage.create_plan(token=hostile)
    spoiled = stage.create_plan(token=hostile, fee_bps=100, fee_receiver=receiver)
    rows = [
        stage.subscribe(payer, plan_id, at=SUBSCRIBED + 10 * number)
        for number, (payer, plan_id) in enumerate(zip(payers, [spoiled, plain, spoiled, plain], strict=True))
    ]
    for row, payer in zip(rows, payers, strict=True):
        stage.subscriptions.setConditions(row, Conditions(max_total=9 * PRICE), sender=payer)
    before = [hostile.balanceOf(account) for account in (*payers, stage.merchant, receiver, stage.subscriptions)]
    play_to(hostile, receiver, trick)
    play_to(hostile, stage.subscriptions, trick)
    assert charge(stage, *rows, at=FIRST_DUE + 60) == ["TokenRefused", PAID, "TokenRefused", PAID]
    after = [hostile.balanceOf(account) for account in (*payers, stage.merchant, receiver, stage.subscriptions)]
    assert [new - old for new, old in zip(after, before, strict=True)] == [0, -PRICE, 0, -PRICE, 2 * PRICE, 0, 0]
    assert [left(stage, row) for row in rows] == [9 * PRICE, 8 * PRICE, 9 * PRICE, 8 * PRICE]
    assert stage.totals(token=hostile) == (6, 6 * PRICE, 0, 0)


def test_E07_a_blocked_payees_money_is_kept_for_it(
    stage: Stage, subscriptions: Contract, usdc: Contract, accounts: Any, payers: list[Account]
) -> None:
    rows = limited_rows(stage, payers, usdc, accounts[8])
    usdc.blacklist(stage.merchant, sender=stage.anyone)
    fee, had = PRICE // 100, usdc.balanceOf(stage.merchant)
    stage.at(FIRST_DUE + 60)
    receipt = subscriptions.charge(rows, sender=stage.anyone)
    assert reasons(stage, receipt) == [PAID] * 4
    assert [name for name, _ in stage.events(receipt)] == ["Claimable", "Charged"] * 4
    assert subscriptions.claimable(stage.merchant, usdc) == usdc.balanceOf(subscriptions) == 4 * (PRICE - fee)
    assert (usdc.balanceOf(stage.merchant), usdc.balanceOf(accounts[8])) == (had, 8 * fee)
    assert stage.totals(token=usdc) == (8, 8 * PRICE, 0, 0)
    usdc.unBlacklist(stage.merchant, sender=stage.anyone)
    subscriptions.claim(stage.merchant, usdc, sender=stage.anyone)
    assert usdc.balanceOf(stage.merchant) == 8 * (PRICE - fee)


def test_E07_a_blocked_fee_receivers_part_is_kept_for_it(
    stage: Stage, subscriptions: Contract, usdc: Contract, accounts: Any, payers: list[Account]
) -> None:
    rows = limited_rows(stage, payers, usdc, accounts[8])
    usdc.blacklist(accounts[8], sender=stage.anyone)
    assert charge(stage, *rows, at=FIRST_DUE + 60) == [PAID] * 4
    fee = PRICE // 100
    assert subscriptions.claimable(accounts[8], usdc) == usdc.balanceOf(subscriptions) == 4 * fee
    assert usdc.balanceOf(stage.merchant) == 8 * (PRICE - fee)


@pytest.mark.parametrize("payee_too", [False, True])
def test_E07_a_blocked_payer_declines_and_the_others_pay(
    stage: Stage, usdc: Contract, payers: list[Account], payee_too: bool
) -> None:
    rows = limited_rows(stage, payers, usdc, None)
    usdc.blacklist(payers[1], sender=stage.anyone)
    if payee_too:
        usdc.blacklist(stage.merchant, sender=stage.anyone)
    assert charge(stage, *rows, at=FIRST_DUE + 60) == [PAID, "Blocked", PAID, PAID]
    assert stage.totals(token=usdc) == (7, 7 * PRICE, 0, 0)
    with stage.nothing_changes(usdc):
        assert charge(stage, rows[1]) == ["Blocked"]


def test_E05_a_paused_token_declines_and_is_charged_later(stage: Stage, usdc: Contract, payers: list[Account]) -> None:
    rows = limited_rows(stage, payers, usdc, None)
    usdc.pause(sender=stage.anyone)
    with stage.nothing_changes(usdc):
        assert charge(stage, *rows, at=FIRST_DUE + 60) == ["TokenRefused"] * 4
    usdc.unpause(sender=stage.anyone)
    assert charge(stage, *rows) == [PAID] * 4


def test_E02_a_fee_on_transfer_is_refused(stage: Stage, usdt: Contract, payers: list[Account]) -> None:
    rows = limited_rows(stage, payers, usdt, None)
    usdt.setParams(10, 50, sender=stage.anyone)
    with stage.nothing_changes(usdt):
        assert charge(stage, *rows, at=FIRST_DUE + 60) == ["TokenRefused"] * 4


def test_E20_E22_late_charges_follow_the_plan(stage: Stage, payer: Account) -> None:
    for number, catch_up in enumerate((0, 1, 5), 1):
        plan_id = stage.create_plan(catch_up=catch_up)
        stage.subscribe(payer, plan_id, at=SUBSCRIBED + 3 * number)
        stage.subscriptions.setConditions(number, Conditions(max_per_period=PRICE), sender=payer)
    late = utc(2027, 6, 30, 13)
    for number, first in ((1, (6, 30)), (2, (5, 31)), (3, (2, 28))):
        row = charge_as_foreseen(stage, number, at=late + number)
        assert row.value("Charged", "periodStart") == utc(2027, *first, 12, 0, 3 * number)
