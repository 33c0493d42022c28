"""charge: what is due is charged once, for the right period, and whatever keeps it from being paid has a name."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tallystick.core.period import Unit
from tallystick.core.subscription import DeclineReason, Status
from tests.contracts.hostile import DENIALS, REFUSALS, UNMOVED, play
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
from tests.tricks import Trick

PAID = DeclineReason.NONE
NOT_DUE = DeclineReason.NOT_DUE


def test_anyone_charges_and_the_payee_is_paid(
    stage: Stage, subscriptions: Contract, token: Contract, anyone: Account, payer: Account, subscribed: int
) -> None:
    stage.at(FIRST_DUE)
    receipt = subscriptions.charge([subscribed], sender=anyone)
    assert stage.events(receipt) == [
        (
            "Charged",
            {
                "subscriptionId": subscribed,
                "chargeNumber": 2,
                "periodStart": FIRST_DUE,
                "periodEnd": utc(2027, 3, 31, 12),
                "amount": PRICE,
            },
        )
    ]
    assert (token.balanceOf(payer), token.balanceOf(stage.merchant)) == (FUNDS - 2 * PRICE, 2 * PRICE)
    assert stage.totals() == (2, 2 * PRICE, 0, 0)


def test_an_empty_batch_does_nothing(stage: Stage, subscriptions: Contract, anyone: Account) -> None:
    with stage.nothing_changes():
        assert stage.outcomes(subscriptions.charge([], sender=anyone)) == []


def test_the_answer_to_a_dry_run_is_what_happens(
    stage: Stage, subscriptions: Contract, token: Contract, payers: list[Account], anyone: Account, monthly: int
) -> None:
    for payer in payers:
        stage.subscribe(payer, monthly, at=stage.now + 1)
    token.approve(subscriptions, 0, sender=payers[1])
    subscriptions.cancel(3, sender=payers[2])
    stage.at(FIRST_DUE + DAY)
    stage.rpc("evm_mine")
    batch = [1, 2, 3, 9, 4, 4]
    answer = [DeclineReason(reason) for reason in bytes(subscriptions.charge.call(batch))]
    assert answer == [
        PAID,
        DeclineReason.ALLOWANCE,
        DeclineReason.CANCELLED,
        DeclineReason.UNKNOWN,
        PAID,
        NOT_DUE,
    ]
    assert stage.outcomes(subscriptions.charge(batch, sender=anyone)) == answer


# --- When ---


@pytest.mark.parametrize(("offset_s", "outcome"), [(-1, NOT_DUE), (0, PAID), (1, PAID)])
def test_E20_is_due_from_the_first_second_of_the_period(
    stage: Stage, subscribed: int, offset_s: int, outcome: DeclineReason
) -> None:
    assert stage.charge(subscribed, at=FIRST_DUE + offset_s) == [outcome]


@pytest.mark.parametrize(
    ("offset_s", "period_start"),
    [(-1, FIRST_DUE), (0, utc(2027, 3, 31, 12)), (1, utc(2027, 3, 31, 12))],
)
def test_E20_a_period_ends_where_the_next_one_begins(
    stage: Stage, subscriptions: Contract, anyone: Account, subscribed: int, offset_s: int, period_start: int
) -> None:
    stage.at(utc(2027, 3, 31, 12) + offset_s)
    ((_, charged),) = stage.events(subscriptions.charge([subscribed], sender=anyone))
    assert charged["periodStart"] == period_start


@pytest.mark.parametrize(("unit", "length_s"), [(Unit.SECOND, 1), (Unit.DAY, DAY), (Unit.WEEK, 7 * DAY)])
def test_E21_a_late_charge_leaves_the_grid_where_it_was(
    stage: Stage, payer: Account, unit: Unit, length_s: int
) -> None:
    plan_id = stage.create_plan(every=90, unit=unit)
    subscription_id = stage.subscribe(payer, plan_id, at=SUBSCRIBED)
    due = SUBSCRIBED + 90 * length_s
    for late_s in (0, 1, 89 * length_s, 90 * length_s - 1):
        assert stage.next_due(subscription_id) == due
        assert stage.charge(subscription_id, at=due + late_s) == [PAID]
        due += 90 * length_s


def test_E21_a_late_charge_leaves_the_calendar_where_it_was(stage: Stage, subscribed: int) -> None:
    assert stage.charge(subscribed, at=FIRST_DUE + 20 * DAY) == [PAID]
    assert stage.next_due(subscribed) == utc(2027, 3, 31, 12)


def test_E22_missed_periods_are_not_collected_by_default(
    stage: Stage, subscriptions: Contract, anyone: Account, subscribed: int
) -> None:
    stage.at(utc(2027, 5, 1))
    ((_, charged),) = stage.events(subscriptions.charge([subscribed], sender=anyone))
    assert (charged["periodStart"], charged["periodEnd"]) == (utc(2027, 4, 30, 12), utc(2027, 5, 31, 12))
    assert charged["chargeNumber"] == 2
    assert stage.charge(subscribed) == [NOT_DUE]


@pytest.mark.parametrize(("catch_up", "collected"), [(1, 2), (2, 3), (255, 3)])
def test_E22_a_plan_collects_as_many_missed_periods_as_it_says_one_per_charge(
    stage: Stage, subscriptions: Contract, anyone: Account, payer: Account, catch_up: int, collected: int
) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(catch_up=catch_up), at=SUBSCRIBED)
    stage.at(utc(2027, 5, 1))
    receipt = subscriptions.charge([subscription_id] * (collected + 1), sender=anyone)
    assert stage.outcomes(receipt) == [PAID] * collected + [NOT_DUE]
    charged = [values for name, values in stage.events(receipt) if name == "Charged"]
    grid = [utc(2027, 2, 28, 12), utc(2027, 3, 31, 12), utc(2027, 4, 30, 12), utc(2027, 5, 31, 12)]
    periods = list(pairwise(grid))[-collected:]
    assert [(values["periodStart"], values["periodEnd"]) for values in charged] == periods
    assert [values["chargeNumber"] for values in charged] == list(range(2, collected + 2))


def test_E23_twice_in_a_batch_is_charged_once(stage: Stage, token: Contract, subscribed: int) -> None:
    assert stage.charge(subscribed, subscribed, subscribed, at=FIRST_DUE) == [PAID, NOT_DUE, NOT_DUE]
    assert token.balanceOf(stage.merchant) == 2 * PRICE
    assert stage.totals() == (2, 2 * PRICE, 0, 0)


def test_E23_twice_in_a_block_is_charged_once(
    stage: Stage, subscriptions: Contract, token: Contract, subscribed: int
) -> None:
    call = {
        "from": stage.anyone.address,
        "to": subscriptions.address,
        "data": "0x" + subscriptions.charge.encode_input([subscribed]).hex(),
        "gas": hex(1_000_000),
    }
    stage.rpc("evm_setAutomine", False)
    try:
        hashes = [stage.rpc("eth_sendTransaction", call) for _ in range(2)]
        stage.at(FIRST_DUE)
        stage.rpc("evm_mine")
    finally:
        stage.rpc("evm_setAutomine", True)
    receipts = [stage.chain.provider.get_receipt(sent) for sent in hashes]
    assert receipts[0].block_number == receipts[1].block_number
    assert [stage.outcomes(receipt) for receipt in receipts] == [[PAID], [NOT_DUE]]
    assert token.balanceOf(stage.merchant) == 2 * PRICE


def test_E23_a_retry_is_charged_once(stage: Stage, subscribed: int) -> None:
    assert stage.charge(subscribed, at=FIRST_DUE) == [PAID]
    with stage.nothing_changes():
        assert stage.charge(subscribed) == [NOT_DUE]


@pytest.mark.parametrize(
    ("start", "every", "unit", "dues"),
    [
        (
            utc(2027, 1, 31, 23, 59, 59),
            1,
            Unit.MONTH,
            [(2027, 2, 28), (2027, 3, 31), (2027, 4, 30), (2027, 5, 31), (2027, 6, 30), (2027, 7, 31), (2027, 8, 31)],
        ),
        (utc(2028, 1, 30), 1, Unit.MONTH, [(2028, 2, 29), (2028, 3, 30), (2028, 4, 30)]),
        (utc(2027, 11, 29), 3, Unit.MONTH, [(2028, 2, 29), (2028, 5, 29)]),
        (utc(2028, 2, 29), 1, Unit.YEAR, [(2029, 2, 28), (2030, 2, 28), (2031, 2, 28), (2032, 2, 29)]),
        (utc(2096, 2, 29), 4, Unit.YEAR, [(2100, 2, 28), (2104, 2, 29)]),
        (utc(2027, 12, 31), 1, Unit.MONTH, [(2028, 1, 31), (2028, 2, 29)]),
    ],
)
def test_E24_a_short_month_clamps_and_the_anchor_day_returns(
    stage: Stage, payer: Account, start: int, every: int, unit: Unit, dues: list[tuple[int, int, int]]
) -> None:
    plan_id = stage.create_plan(every=every, unit=unit)
    subscription_id = stage.subscribe(payer, plan_id, at=start)
    for due in dues:
        assert stage.next_due(subscription_id) == utc(*due) + start % DAY
        assert stage.charge(subscription_id, at=stage.next_due(subscription_id)) == [PAID]


# --- Why not ---


def decline(stage: Stage, subscription_id: int, *tokens: Contract, at: int = FIRST_DUE) -> DeclineReason:
    """The reason of a charge that must not change anything."""
    with stage.nothing_changes(*tokens):
        stage.at(at)
        receipt = stage.subscriptions.charge([subscription_id], sender=stage.anyone)
    ((name, values),) = stage.events(receipt)
    assert (name, values["subscriptionId"]) == ("Declined", subscription_id)
    reason = DeclineReason(values["reason"])
    assert values["due"] == (0 if reason == DeclineReason.UNKNOWN else stage.next_due(subscription_id))
    return reason


@pytest.mark.parametrize("subscription_id", [0, 2, 3, 2**32, 2**63 - 1])
def test_declines_what_does_not_exist(stage: Stage, subscribed: int, subscription_id: int) -> None:
    assert subscribed == 1
    assert decline(stage, subscription_id) == DeclineReason.UNKNOWN


def test_declines_before_it_is_due(stage: Stage, subscribed: int) -> None:
    assert decline(stage, subscribed, at=FIRST_DUE - 1) == NOT_DUE


@pytest.mark.parametrize("found", [0, PRICE - 1])
def test_declines_too_low_an_allowance_until_it_suffices(
    stage: Stage, token: Contract, payer: Account, subscribed: int, found: int
) -> None:
    token.approve(stage.subscriptions, found, sender=payer)
    assert decline(stage, subscribed) == DeclineReason.ALLOWANCE
    token.approve(stage.subscriptions, PRICE, sender=payer)
    assert stage.charge(subscribed) == [PAID]


def test_declines_too_low_a_balance_until_it_suffices(
    stage: Stage, token: Contract, payer: Account, subscribed: int
) -> None:
    token.transfer(stage.anyone, FUNDS - 2 * PRICE + 1, sender=payer)
    assert decline(stage, subscribed) == DeclineReason.BALANCE
    token.mint(payer, 1, sender=payer)
    assert stage.charge(subscribed) == [PAID]


def test_names_the_allowance_where_both_are_missing(
    stage: Stage, token: Contract, payer: Account, subscribed: int
) -> None:
    token.transfer(stage.anyone, token.balanceOf(payer), sender=payer)
    token.approve(stage.subscriptions, 0, sender=payer)
    assert decline(stage, subscribed) == DeclineReason.ALLOWANCE


def test_declines_what_was_cancelled(stage: Stage, subscriptions: Contract, payer: Account, subscribed: int) -> None:
    subscriptions.cancel(subscribed, sender=payer)
    assert decline(stage, subscribed) == DeclineReason.CANCELLED


@pytest.mark.parametrize("at", [FIRST_DUE - 1, FIRST_DUE, FIRST_DUE + 400 * DAY])
def test_declines_what_ends_with_its_period(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int, at: int
) -> None:
    subscriptions.cancelAtPeriodEnd(subscribed, sender=payer)
    assert decline(stage, subscribed, at=at) == DeclineReason.ENDED


def test_E05_declines_while_the_token_is_paused(stage: Stage, usdc: Contract, payer: Account) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(token=usdc), at=SUBSCRIBED)
    usdc.pause(sender=stage.anyone)
    assert decline(stage, subscription_id, usdc) == DeclineReason.TOKEN_REFUSED
    usdc.unpause(sender=stage.anyone)
    assert stage.charge(subscription_id) == [PAID]


def test_E07_declines_while_the_payer_is_blocked(stage: Stage, usdc: Contract, payer: Account) -> None:
    """What becomes of a blocked payee's money: see test_claim.py."""
    subscription_id = stage.subscribe(payer, stage.create_plan(token=usdc), at=SUBSCRIBED)
    usdc.blacklist(payer, sender=stage.anyone)
    assert decline(stage, subscription_id, usdc) == DeclineReason.BLOCKED
    usdc.unBlacklist(payer, sender=stage.anyone)
    assert stage.charge(subscription_id) == [PAID]


def test_having_just_enough_is_no_lack(stage: Stage, usdc: Contract, payer: Account) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(token=usdc), at=SUBSCRIBED)
    usdc.approve(stage.subscriptions, PRICE, sender=payer)
    usdc.transfer(stage.anyone, FUNDS - 2 * PRICE, sender=payer)
    usdc.blacklist(payer, sender=stage.anyone)
    assert decline(stage, subscription_id, usdc) == DeclineReason.BLOCKED


@pytest.mark.parametrize("trick", [trick for trick in REFUSALS if trick not in DENIALS])
def test_E01_declines_when_the_token_reverts(stage: Stage, hostile: Contract, payer: Account, trick: Trick) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(token=hostile), at=SUBSCRIBED)
    play(hostile, "transferFrom", trick)
    assert decline(stage, subscription_id, hostile) == DeclineReason.TOKEN_REFUSED


@pytest.mark.parametrize("trick", DENIALS + UNMOVED)
def test_E01_E02_reverts_when_the_token_denies_or_says_true_and_moves_nothing(
    stage: Stage, subscriptions: Contract, hostile: Contract, payer: Account, trick: Trick
) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(token=hostile), at=SUBSCRIBED)
    play(hostile, "transferFrom", trick)
    stage.at(FIRST_DUE)
    with stage.nothing_changes(hostile), reverts("AmountMismatch", received=0, expected=PRICE):
        subscriptions.charge([subscription_id], sender=stage.anyone)


def test_one_consent_carries_65535_charges(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, subscribed: int
) -> None:
    ((key, word),) = stage.words_read(subscriptions.subscription, subscribed).items()
    stage.overwrite(subscriptions, key, word + (65_533 << 232))
    assert stage.charges(subscribed) == 65_534
    assert stage.charge(subscribed, at=FIRST_DUE) == [PAID]
    assert stage.charges(subscribed) == 65_535
    assert decline(stage, subscribed, at=stage.next_due(subscribed)) == DeclineReason.ENDED
    found = subscriptions.subscription(subscribed)
    assert (found.payer, found.status, found.anchorDay) == (payer, Status.ACTIVE, 31)
    token.approve(subscriptions, UNLIMITED, sender=stage.merchant)
    subscriptions.refund(subscribed, 65_535, PRICE, sender=stage.merchant)
