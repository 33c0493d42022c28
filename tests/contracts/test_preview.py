"""preview: what charge would do now, and why not."""

from __future__ import annotations

from typing import Any

import pytest

from tallystick.core.subscription import DeclineReason
from tests.contracts.hostile import play
from tests.contracts.stage import (
    DAY,
    FIRST_DUE,
    PRICE,
    SUBSCRIBED,
    UNLIMITED,
    Account,
    Contract,
    Stage,
    utc,
)
from tests.tricks import UNREADABLE, Trick

PAID = DeclineReason.NONE
SECOND_DUE = utc(2027, 3, 31, 12)


def previewed(stage: Stage, subscription_id: int, at: int) -> tuple[DeclineReason, int, int, int, int]:
    """Reason, period, amount and credit used, at this time."""
    stage.at(at)
    stage.rpc("evm_mine")
    found = stage.subscriptions.preview(subscription_id)
    return DeclineReason(found.reason), found.periodStart, found.periodEnd, found.amount, found.creditUsed


def happens(stage: Stage, subscription_id: int, at: int) -> tuple[DeclineReason, dict[str, Any] | None]:
    """What charge does in the same second."""
    stage.at(at)
    receipt = stage.subscriptions.charge([subscription_id], sender=stage.anyone)
    assert stage.now == at
    charged = [values for name, values in stage.events(receipt) if name == "Charged"]
    return stage.outcomes(receipt)[0], charged[0] if charged else None


@pytest.mark.parametrize("catch_up", [0, 1, 5])
@pytest.mark.parametrize(
    "at", [FIRST_DUE, FIRST_DUE + 1, SECOND_DUE - 1, SECOND_DUE, utc(2027, 6, 30, 12) - 1, utc(2027, 6, 30, 12)]
)
def test_E20_E22_names_the_period_and_the_amount_that_are_charged(
    stage: Stage, payer: Account, catch_up: int, at: int
) -> None:
    plan_id = stage.create_plan(catch_up=catch_up, seat_price=5)
    subscription_id = stage.subscribe(payer, plan_id, seats=2, at=SUBSCRIBED)
    told = previewed(stage, subscription_id, at)
    outcome, charged = happens(stage, subscription_id, at)
    assert charged is not None
    assert told == (outcome, charged["periodStart"], charged["periodEnd"], PRICE + 10, 0)
    assert charged["amount"] == PRICE + 10


@pytest.mark.parametrize("offset_s", [-1, 0, 1])
def test_E20_before_it_is_due_it_names_the_period_to_come(stage: Stage, subscribed: int, offset_s: int) -> None:
    told = previewed(stage, subscribed, FIRST_DUE + offset_s)
    reason = DeclineReason.NOT_DUE if offset_s < 0 else PAID
    assert told == (reason, FIRST_DUE, SECOND_DUE, PRICE, 0)


def test_in_the_trial_it_names_the_first_period(stage: Stage, payer: Account) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(trial=14 * DAY), at=SUBSCRIBED)
    ends = SUBSCRIBED + 14 * DAY
    told = previewed(stage, subscription_id, SUBSCRIBED + 1)
    assert told == (DeclineReason.NOT_DUE, ends, utc(2027, 3, 14, 12), PRICE, 0)
    assert previewed(stage, subscription_id, ends)[0] == PAID


@pytest.mark.parametrize("price", [PRICE // 3, PRICE, 3 * PRICE])
def test_says_what_credit_pays(stage: Stage, subscriptions: Contract, payer: Account, price: int) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(price=2 * PRICE), at=SUBSCRIBED)
    cheap, restart = stage.create_plan(price=1), stage.create_plan(price=price, every=30)
    stage.change_plan(payer, subscription_id, cheap, at=SUBSCRIBED + 14 * DAY)
    credit = PRICE  # half of the period, and half of a unit rounds to nothing
    assert subscriptions.subscription(subscription_id).credit == credit
    stage.change_plan(payer, subscription_id, restart, at=SUBSCRIBED + 14 * DAY)
    credit = max(credit - price, 0)
    due = stage.next_due(subscription_id)
    told = previewed(stage, subscription_id, due)
    assert told[3:] == (price - min(credit, price), min(credit, price))
    outcome, charged = happens(stage, subscription_id, due)
    assert charged is not None
    assert (outcome, charged["amount"]) == (told[0], told[3])


@pytest.mark.parametrize(
    ("verb", "reason"), [("cancel", DeclineReason.CANCELLED), ("cancelAtPeriodEnd", DeclineReason.ENDED)]
)
@pytest.mark.parametrize("at", [FIRST_DUE - 1, FIRST_DUE])
def test_says_that_it_has_ended(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int, verb: str, reason: DeclineReason, at: int
) -> None:
    getattr(subscriptions, verb)(subscribed, sender=payer)
    assert previewed(stage, subscribed, at)[0] == happens(stage, subscribed, at)[0] == reason


def test_says_that_it_is_paused(stage: Stage, subscriptions: Contract, payer: Account, subscribed: int) -> None:
    subscriptions.pause(subscribed, sender=payer)
    assert previewed(stage, subscribed, FIRST_DUE) == (DeclineReason.PAUSED, 0, 0, PRICE, 0)


@pytest.mark.parametrize(("offset_s", "reason"), [(-1, PAID), (0, DeclineReason.ENDED), (1, DeclineReason.ENDED)])
def test_E20_says_that_the_grace_has_passed(stage: Stage, payer: Account, offset_s: int, reason: DeclineReason) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(grace=9), at=SUBSCRIBED)
    at = FIRST_DUE + 9 + offset_s
    assert previewed(stage, subscription_id, at)[0] == happens(stage, subscription_id, at)[0] == reason


def test_says_that_all_charges_were_made(stage: Stage, payer: Account) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(max_charges=1), at=SUBSCRIBED)
    assert previewed(stage, subscription_id, FIRST_DUE)[0] == DeclineReason.ENDED


@pytest.mark.parametrize(
    ("allowance", "balance", "reason"),
    [
        (UNLIMITED, PRICE, PAID),
        (PRICE, PRICE, PAID),
        (PRICE - 1, PRICE, DeclineReason.ALLOWANCE),
        (PRICE - 1, PRICE - 1, DeclineReason.ALLOWANCE),
        (PRICE, PRICE - 1, DeclineReason.BALANCE),
        (0, 0, DeclineReason.ALLOWANCE),
    ],
)
@pytest.mark.parametrize("fee_bps", [0, 100])
def test_says_what_the_payer_lacks(
    stage: Stage,
    accounts: Any,
    token: Contract,
    payer: Account,
    allowance: int,
    balance: int,
    reason: DeclineReason,
    fee_bps: int,
) -> None:
    plan_id = stage.create_plan(fee_bps=fee_bps, fee_receiver=accounts[8] if fee_bps else None)
    subscription_id = stage.subscribe(payer, plan_id, at=SUBSCRIBED)
    token.approve(stage.subscriptions, allowance, sender=payer)
    token.transfer(stage.anyone, token.balanceOf(payer) - balance, sender=payer)
    told = previewed(stage, subscription_id, FIRST_DUE)
    assert told == (reason, FIRST_DUE, SECOND_DUE, PRICE, 0)
    assert happens(stage, subscription_id, FIRST_DUE)[0] == reason


def test_money_is_not_asked_for_before_it_is_due(
    stage: Stage, token: Contract, payer: Account, subscribed: int
) -> None:
    token.approve(stage.subscriptions, 0, sender=payer)
    assert previewed(stage, subscribed, FIRST_DUE - 1)[0] == DeclineReason.NOT_DUE
    assert previewed(stage, subscribed, FIRST_DUE)[0] == DeclineReason.ALLOWANCE


@pytest.mark.parametrize("function", ["allowance", "balanceOf"])
@pytest.mark.parametrize("trick", UNREADABLE)
def test_E01_a_token_that_does_not_say_is_given_the_benefit_of_the_doubt(
    stage: Stage, hostile: Contract, payer: Account, function: str, trick: Trick
) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(token=hostile), at=SUBSCRIBED)
    play(hostile, function, trick)
    assert previewed(stage, subscription_id, FIRST_DUE)[0] == PAID


def test_what_only_the_token_knows_is_not_foreseen(stage: Stage, usdc: Contract, payer: Account) -> None:
    """As its documentation says: as far as allowance and balance tell."""
    subscription_id = stage.subscribe(payer, stage.create_plan(token=usdc), at=SUBSCRIBED)
    usdc.blacklist(payer, sender=stage.anyone)
    assert previewed(stage, subscription_id, FIRST_DUE)[0] == PAID
    assert happens(stage, subscription_id, FIRST_DUE)[0] == DeclineReason.BLOCKED
