"""The platform's fee: a part of each charge, rounded down; both parts move, or none (E33)."""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick.core.period import Unit
from tallystick.core.subscription import DeclineReason
from tests.contracts.hostile import UNMOVED, play_to
from tests.contracts.stage import FIRST_DUE, FUNDS, PRICE, SUBSCRIBED, UNLIMITED, Account, Contract, Stage, reverts
from tests.tricks import Trick

BPS = 250
FEE = 249_750
"""2.5 % of PRICE."""
PAID, REFUSED = DeclineReason.NONE, DeclineReason.TOKEN_REFUSED


@pytest.fixture
def platform(accounts: Any) -> Account:
    """Who receives the fee."""
    return accounts[8]


@pytest.fixture
def fee_plan(stage: Stage, platform: Account) -> int:
    """A monthly plan of which the platform has its part."""
    return stage.create_plan(fee_bps=BPS, fee_receiver=platform)


@pytest.fixture
def in_usdc(stage: Stage, usdc: Contract, payer: Account, platform: Account) -> int:
    """The first payer's subscription to such a plan in USDC."""
    plan_id = stage.create_plan(fee_bps=BPS, fee_receiver=platform, token=usdc)
    return stage.subscribe(payer, plan_id, at=SUBSCRIBED)


def parts(token: Contract, *accounts: Account) -> tuple[int, ...]:
    """What each of them has."""
    return tuple(token.balanceOf(account) for account in accounts)


def test_subscribe_pays_both_and_tells_the_whole(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, platform: Account, fee_plan: int
) -> None:
    receipt = subscriptions.subscribe(fee_plan, subscriptions.termsHash(fee_plan), 0, sender=payer)
    assert [name for name, _ in stage.events(receipt)] == ["Subscribed", "Charged"]
    assert stage.events(receipt)[1][1]["amount"] == PRICE
    assert parts(token, payer, stage.merchant, platform) == (FUNDS - PRICE, PRICE - FEE, FEE)
    assert stage.totals() == (1, PRICE, 0, 0)


def test_charge_pays_both_and_tells_the_whole(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, platform: Account, fee_plan: int
) -> None:
    subscription_id = stage.subscribe(payer, fee_plan, at=SUBSCRIBED)
    stage.at(FIRST_DUE)
    ((name, charged),) = stage.events(subscriptions.charge([subscription_id], sender=stage.anyone))
    assert (name, charged["amount"]) == ("Charged", PRICE)
    assert parts(token, payer, stage.merchant, platform) == (FUNDS - 2 * PRICE, 2 * (PRICE - FEE), 2 * FEE)
    assert stage.totals() == (2, 2 * PRICE, 0, 0)


def test_rows_of_a_batch_each_pay_both(
    stage: Stage, token: Contract, payers: list[Account], platform: Account, fee_plan: int, monthly: int
) -> None:
    rows = [stage.subscribe(payer, fee_plan, at=SUBSCRIBED + at) for at, payer in enumerate(payers)]
    plain = stage.subscribe(payers[0], monthly)
    token.approve(stage.subscriptions, PRICE - 1, sender=payers[1])
    outcomes = stage.charge(*rows, plain, at=FIRST_DUE + 9)
    assert outcomes == [PAID, DeclineReason.ALLOWANCE, PAID, PAID, PAID]
    assert parts(token, stage.merchant, platform) == (7 * (PRICE - FEE) + 2 * PRICE, 7 * FEE)
    assert stage.totals() == (9, 9 * PRICE, 0, 0)


# --- How it rounds ---


@pytest.mark.parametrize(
    ("price", "bps", "fee"),
    [(1, 9_999, 0), (1, 1, 0), (9_999, 1, 0), (10_000, 1, 1), (19_999, 1, 1), (2, 5_000, 1), (3, 5_000, 1)],
)
def test_E33_is_rounded_down_and_the_parts_are_the_whole(
    stage: Stage, token: Contract, payer: Account, platform: Account, price: int, bps: int, fee: int
) -> None:
    plan_id = stage.create_plan(price=price, fee_bps=bps, fee_receiver=platform)
    subscription_id = stage.subscribe(payer, plan_id, at=SUBSCRIBED)
    assert parts(token, payer, stage.merchant, platform) == (FUNDS - price, price - fee, fee)
    assert stage.charge(subscription_id, at=FIRST_DUE) == [PAID]
    assert parts(token, payer, stage.merchant, platform) == (FUNDS - 2 * price, 2 * (price - fee), 2 * fee)


def test_E32_E33_a_fee_of_nothing_is_not_moved(
    stage: Stage, token: Contract, payer: Account, platform: Account
) -> None:
    plan_id = stage.create_plan(price=9_999, fee_bps=1, fee_receiver=platform)
    subscription_id = stage.subscribe(payer, plan_id, at=SUBSCRIBED)
    stage.at(FIRST_DUE)
    stage.subscriptions.charge([subscription_id], sender=stage.anyone)
    assert [(log["from"], log.to, log.value) for log in token.Transfer if log["from"] == payer] == [
        (payer, stage.merchant, 9_999)
    ] * 2


def test_E28_E33_the_largest_amount_has_a_fee(stage: Stage, token: Contract, payer: Account, platform: Account) -> None:
    price = 2**96 - 1
    token.mint(payer, price, sender=payer)
    stage.subscribe(payer, stage.create_plan(price=price, fee_bps=9_999, fee_receiver=platform))
    fee = price * 9_999 // 10_000
    assert parts(token, stage.merchant, platform) == (price - fee, fee)


@pytest.mark.fuzz
@settings(max_examples=settings().max_examples // 5)  # each one is several transactions
@given(price=st.integers(1, 10**6) | st.integers(1, 2**94), bps=st.integers(1, 9_999))
def test_E33_E38_the_parts_are_the_whole_whatever_it_is(
    stage: Stage, token: Contract, accounts: Any, payer: Account, price: int, bps: int
) -> None:
    platform = accounts[8]
    token.mint(payer, 2 * price, sender=payer)
    plan_id = stage.create_plan(price=price, every=1, unit=Unit.SECOND, fee_bps=bps, fee_receiver=platform)
    before = parts(token, payer, stage.merchant, platform)
    assert stage.charge(stage.subscribe(payer, plan_id)) == [PAID]
    moved = [now - then for now, then in zip(parts(token, payer, stage.merchant, platform), before, strict=True)]
    fee = floor(Fraction(price) * Fraction(bps, 10_000))
    assert moved == [-2 * price, 2 * (price - fee), 2 * fee]


# --- Both or none ---


@pytest.mark.parametrize("found", [0, PRICE - FEE - 1, PRICE - FEE, PRICE - 1])
def test_E33_subscribe_moves_both_or_none(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, fee_plan: int, found: int
) -> None:
    token.approve(subscriptions, found, sender=payer)
    payees_part = PRICE - FEE
    missing = (found, payees_part) if found < payees_part else (found - payees_part, FEE)
    with stage.nothing_changes(), reverts("AllowanceTooLow", found=missing[0], needed=missing[1]):
        stage.subscribe(payer, fee_plan)


@pytest.mark.parametrize("found", [0, PRICE - FEE, PRICE - 1])
@pytest.mark.parametrize("lack", [DeclineReason.ALLOWANCE, DeclineReason.BALANCE])
def test_E33_charge_moves_both_or_none(
    stage: Stage, token: Contract, payer: Account, fee_plan: int, found: int, lack: DeclineReason
) -> None:
    subscription_id = stage.subscribe(payer, fee_plan, at=SUBSCRIBED)
    if lack == DeclineReason.ALLOWANCE:
        token.approve(stage.subscriptions, found, sender=payer)
    else:
        token.transfer(stage.anyone, token.balanceOf(payer) - found, sender=payer)
    with stage.nothing_changes():
        assert stage.charge(subscription_id, at=FIRST_DUE) == [lack]


@pytest.mark.parametrize("blocked", ["payee", "platform", "both"])
def test_E07_E33_what_one_cannot_receive_is_kept_for_it_and_the_other_is_paid(
    stage: Stage,
    subscriptions: Contract,
    usdc: Contract,
    payer: Account,
    platform: Account,
    in_usdc: int,
    blocked: str,
) -> None:
    both = {"payee": (stage.merchant, PRICE - FEE), "platform": (platform, FEE)}
    before = parts(usdc, payer, stage.merchant, platform)
    for name, (account, _) in both.items():
        if blocked in (name, "both"):
            usdc.blacklist(account, sender=stage.anyone)
    stage.at(FIRST_DUE)
    receipt = subscriptions.charge([in_usdc], sender=stage.anyone)
    kept = {name: part for name, part in both.items() if blocked in (name, "both")}
    *told, (last, charged) = stage.events(receipt)
    assert told == [
        ("Claimable", {"account": account, "token": usdc, "subscriptionId": in_usdc, "amount": amount})
        for account, amount in kept.values()
    ]
    assert (last, charged["amount"]) == ("Charged", PRICE)
    for account, amount in both.values():
        is_kept = any(account == other for other, _ in kept.values())
        assert subscriptions.claimable(account, usdc) == (amount if is_kept else 0)
    moved = [now - then for now, then in zip(parts(usdc, payer, stage.merchant, platform), before, strict=True)]
    assert moved == [
        -PRICE,
        0 if "payee" in kept else PRICE - FEE,
        0 if "platform" in kept else FEE,
    ]
    assert usdc.balanceOf(subscriptions) == sum(amount for _, amount in kept.values())
    assert stage.totals(token=usdc) == (2, 2 * PRICE, 0, 0)


@pytest.mark.parametrize("blocked", ["payee", "platform"])
def test_E07_subscribe_refuses_while_one_of_them_is_blocked(
    stage: Stage, usdc: Contract, payers: list[Account], platform: Account, in_usdc: int, blocked: str
) -> None:
    plan_id = int(stage.subscriptions.subscription(in_usdc).planId)
    usdc.blacklist(stage.merchant if blocked == "payee" else platform, sender=stage.anyone)
    with stage.nothing_changes(usdc), reverts("TokenRefused", token=usdc):
        stage.subscribe(payers[1], plan_id)


def test_E33_where_the_fee_can_go_nowhere_the_payees_part_does_not_move_either(
    stage: Stage, subscriptions: Contract, hostile: Contract, payers: list[Account], platform: Account, monthly: int
) -> None:
    plan_id = stage.create_plan(fee_bps=BPS, fee_receiver=platform, token=hostile)
    first, second = (stage.subscribe(payer, plan_id, at=SUBSCRIBED + at) for at, payer in enumerate(payers[:2]))
    plain = stage.subscribe(payers[2], monthly, at=SUBSCRIBED + 2)
    play_to(hostile, platform, Trick.REFUSE)
    play_to(hostile, subscriptions, Trick.REFUSE)
    with stage.nothing_changes(hostile), reverts("AmountMismatch", received=0, expected=FEE):
        stage.charge(first, at=FIRST_DUE + 9)
    before = parts(hostile, stage.merchant, payers[0], payers[1])
    assert stage.charge(first, plain, second, second) == [REFUSED, PAID, REFUSED, REFUSED]
    assert stage.charge(first, second) == [REFUSED, REFUSED]
    assert parts(hostile, stage.merchant, payers[0], payers[1]) == before
    assert stage.totals(token=hostile) == (2, 2 * PRICE, 0, 0)


def test_E02_a_fee_on_the_transfer_is_seen_beside_the_platforms(
    stage: Stage, usdt: Contract, payer: Account, platform: Account
) -> None:
    plan_id = stage.create_plan(fee_bps=BPS, fee_receiver=platform, token=usdt)
    subscription_id = stage.subscribe(payer, plan_id, at=SUBSCRIBED)
    usdt.setParams(1, 1, sender=stage.anyone)
    with stage.nothing_changes(usdt), reverts("AmountMismatch", received=FEE - 1, expected=FEE):
        stage.charge(subscription_id, at=FIRST_DUE)


@pytest.mark.parametrize("trick", UNMOVED)
def test_E01_E33_a_fee_that_is_said_to_have_moved_is_looked_for(
    stage: Stage, hostile: Contract, payers: list[Account], platform: Account, monthly: int, trick: Trick
) -> None:
    plan_id = stage.create_plan(fee_bps=BPS, fee_receiver=platform, token=hostile)
    subscription_id = stage.subscribe(payers[0], plan_id, at=SUBSCRIBED)
    plain = stage.subscribe(payers[1], monthly, at=SUBSCRIBED + 1)
    play_to(hostile, platform, trick)
    with stage.nothing_changes(hostile), reverts("AmountMismatch", received=0, expected=FEE):
        stage.charge(subscription_id, at=FIRST_DUE + 1)
    before = parts(hostile, payers[0], stage.merchant)
    assert stage.charge(subscription_id, plain) == [REFUSED, PAID]
    assert parts(hostile, payers[0], stage.merchant) == before
    with stage.nothing_changes(hostile), reverts("AmountMismatch", received=0, expected=FEE):
        stage.subscribe(payers[2], plan_id)


@pytest.mark.parametrize("trial", [0, 7])
def test_the_receiver_is_no_payer(stage: Stage, payers: list[Account], monthly: int, trial: int) -> None:
    plan_id = stage.create_plan(fee_bps=BPS, fee_receiver=payers[0], trial=trial)
    with stage.nothing_changes(), reverts("PayerIsPayee", account=payers[0]):
        stage.subscribe(payers[0], plan_id)
    on_monthly = stage.subscribe(payers[0], monthly)
    with stage.nothing_changes(), reverts("PayerIsPayee", account=payers[0]):
        stage.change_plan(payers[0], on_monthly, plan_id)
    stage.subscribe(payers[1], plan_id)


def test_E36_the_payee_gives_back_the_whole_and_the_fee_stays(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, platform: Account, fee_plan: int
) -> None:
    subscription_id = stage.subscribe(payer, fee_plan)
    token.mint(stage.merchant, FEE, sender=payer)
    token.approve(subscriptions, UNLIMITED, sender=stage.merchant)
    with stage.nothing_changes(), reverts("RefundTooHigh", requested=PRICE + 1, refundable=PRICE):
        subscriptions.refund(subscription_id, 1, PRICE + 1, sender=stage.merchant)
    subscriptions.refund(subscription_id, 1, PRICE, sender=stage.merchant)
    assert parts(token, payer, stage.merchant, platform) == (FUNDS, 0, FEE)
    assert stage.totals() == (1, PRICE, 1, PRICE)
