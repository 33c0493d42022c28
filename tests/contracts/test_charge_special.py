"""charge, of rows in a frame of their own (Permit2, coupons, fallbacks, schedules) and of payers who are blocked."""

from __future__ import annotations

from enum import IntEnum
from itertools import permutations
from typing import Any

import pytest
from eth_utils.crypto import keccak

from tallystick.core.subscription import DeclineReason
from tests.contracts.hostile import REFUSALS, UNMOVED, play
from tests.contracts.permit2 import FOREVER, UNLIMITED_160
from tests.contracts.signing import NO_COUPON, Conditions, Coupon, signed_coupon
from tests.contracts.special import open_with, opened
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
)
from tests.contracts.test_charge_batch import dry_run
from tests.contracts.test_set_fallback import set_fallback
from tests.tricks import Trick

PAID, REFUSED, BLOCKED = DeclineReason.NONE, DeclineReason.TOKEN_REFUSED, DeclineReason.BLOCKED
ALLOWANCE = DeclineReason.ALLOWANCE
KINDS = ["coupon", "permit2", "schedule", "fallback"]
ASKED = ["isBlacklisted", "isBlackListed", "isFrozen"]
"""Whom a token blocks, in the words of USDC, USDT and PYUSD."""


class Answer(IntEnum):
    """What `BlockingToken` says, by the names its contract gives them."""

    NONE = 0
    YES = 1
    NO = 2
    TWO = 3
    HALF = 4
    BURN_GAS = 5
    RETURN_BOMB = 6
    REVERT_BOMB = 7


@pytest.fixture
def blocking(stage: Stage, project: Any, payers: list[Account]) -> Contract:
    """A token that blocks, and answers as it is told."""
    token = project.BlockingToken.deploy(sender=stage.anyone)
    for payer in payers:
        stage.fund(payer, token)
    return token


def allow(stage: Stage, permit2: Contract, payer: Account, token: Contract, *, until: int = FOREVER) -> None:
    """The payer lets the contract move the token through Permit2, and not otherwise."""
    token.approve(permit2, UNLIMITED, sender=payer)
    token.approve(stage.subscriptions, 0, sender=payer)
    permit2.approve(token, stage.subscriptions, UNLIMITED_160, until, sender=payer)


def special(stage: Stage, permit2: Contract, payers: list[Account], kind: str, token: Contract) -> int:
    """The first payer's subscription to a monthly plan in the token, of one kind, opened at SUBSCRIBED."""
    payer, plan_id = payers[0], stage.create_plan(token=token)
    if kind == "permit2":
        allow(stage, permit2, payer, token)
        return opened(stage, open_with(stage, payer, plan_id, Conditions(by_permit2=True), at=SUBSCRIBED))
    subscription_id = stage.subscribe(payer, plan_id, at=SUBSCRIBED)
    if kind == "coupon":
        coupon = Coupon(amount_off=5, periods=9)
        signature = signed_coupon(stage, coupon, token=token.address)
        stage.subscriptions.redeemCoupon(subscription_id, coupon, signature, sender=payer)
    elif kind == "schedule":
        stage.schedule_change(payer, subscription_id, stage.create_plan(token=token, price=PRICE - 5))
    else:
        set_fallback(stage, payer, payers[1], subscription_id)
        token.approve(stage.subscriptions, 0, sender=payer)
    return subscription_id


# --- Hostile tokens ---


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("trick", [*REFUSALS, *UNMOVED, Trick.MOVE_AND_DENY])
def test_E01_E06_a_hostile_token_fails_its_own_row_alone(
    stage: Stage,
    permit2: Contract,
    token: Contract,
    hostile: Contract,
    payers: list[Account],
    monthly: int,
    kind: str,
    trick: Trick,
) -> None:
    good = [stage.subscribe(payer, monthly, at=SUBSCRIBED - 9 + i) for i, payer in enumerate(payers[2:])]
    bad = special(stage, permit2, payers, kind, hostile)
    before = stage.subscriptions.subscription(bad), stage.totals(token=hostile), hostile.balanceOf(stage.merchant)
    play(hostile, "transferFrom", trick)
    assert stage.charge(good[0], bad, good[1], at=FIRST_DUE) == [PAID, REFUSED, PAID]
    play(hostile, "transferFrom", Trick.NONE)
    found = stage.subscriptions.subscription(bad), stage.totals(token=hostile), hostile.balanceOf(stage.merchant)
    assert found == before
    assert token.balanceOf(stage.merchant) == 4 * PRICE
    assert stage.charge(bad) == [PAID]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_E06_a_payer_behind_permit2_that_burns_gas_fails_its_own_row_alone(
    stage: Stage, project: Any, permit2: Contract, hooked: Contract, payers: list[Account], order: tuple[int, ...]
) -> None:
    hooked.spare(stage.subscriptions, sender=stage.anyone)
    plan_id = stage.create_plan(token=hooked)
    wallet = project.MockWallet.deploy(sender=stage.anyone)
    hooked.mint(wallet, FUNDS, sender=stage.anyone)
    for contract, data in (
        (hooked, hooked.approve.encode_input(permit2, UNLIMITED)),
        (permit2, permit2.approve.encode_input(hooked, stage.subscriptions, UNLIMITED_160, FOREVER)),
    ):
        wallet.execute(contract, data, sender=stage.anyone)
    terms = stage.subscriptions.termsHash(plan_id)
    rows = [stage.subscribe(payers[0], plan_id, at=SUBSCRIBED)]
    conditions = Conditions(by_permit2=True)
    data = stage.subscriptions.subscribeWithConditions.encode_input(plan_id, terms, 0, conditions, NO_COUPON, b"")
    wallet.execute(stage.subscriptions, data, sender=stage.anyone)
    burner = rows[0] + 1
    rows = [rows[0], burner, stage.subscribe(payers[1], plan_id)]
    wallet.setBurnsGas(True, sender=stage.anyone)
    batch = [rows[place] for place in order]
    stage.at(FIRST_DUE + 60)
    receipt = stage.subscriptions.charge(batch, sender=stage.anyone, gas=3_000_000)
    assert stage.outcomes(receipt) == [REFUSED if row == burner else PAID for row in batch]


def test_E06_too_little_gas_reverts_the_whole_call_and_never_fakes_a_decline(
    stage: Stage, permit2: Contract, hostile: Contract, payers: list[Account], monthly: int
) -> None:
    good = stage.subscribe(payers[2], monthly, at=SUBSCRIBED - 9)
    bad = special(stage, permit2, payers, "permit2", hostile)
    stage.at(FIRST_DUE)
    stage.rpc("evm_mine")
    data = "0x" + stage.subscriptions.charge.encode_input([bad, good]).hex()
    for trick, expected in ((Trick.NONE, PAID), (Trick.BURN_GAS, REFUSED)):
        play(hostile, "transferFrom", trick)
        answers = [dry_run(stage, data, gas) for gas in range(30_000, 1_500_000, 9_973)]
        assert set(answers) == {None, bytes([expected, PAID])}
        assert answers.index(bytes([expected, PAID])) == answers.count(None)


# --- Permit2's own end ---


@pytest.mark.parametrize(("offset_s", "outcome"), [(-1, PAID), (0, PAID), (1, ALLOWANCE)])
def test_E20_an_allowance_that_has_expired_is_none(
    stage: Stage, permit2: Contract, payer: Account, monthly: int, offset_s: int, outcome: DeclineReason
) -> None:
    allow(stage, permit2, payer, stage.token, until=FIRST_DUE + 5)
    subscription_id = opened(stage, open_with(stage, payer, monthly, Conditions(by_permit2=True), at=SUBSCRIBED))
    event = stage.charge_as_previewed(subscription_id, at=FIRST_DUE + 5 + offset_s)[-1]
    assert event[1].get("reason", PAID) == outcome


def test_where_it_has_expired_the_fallback_wallet_pays(
    stage: Stage, permit2: Contract, token: Contract, payers: list[Account], monthly: int
) -> None:
    allow(stage, permit2, payers[0], token, until=FIRST_DUE - 1)
    subscription_id = opened(stage, open_with(stage, payers[0], monthly, Conditions(by_permit2=True), at=SUBSCRIBED))
    set_fallback(stage, payers[0], payers[1], subscription_id)
    names = [name for name, _ in stage.charge_as_previewed(subscription_id, at=FIRST_DUE)]
    assert names == ["PaidByFallback", "Charged"]
    assert (token.balanceOf(payers[0]), token.balanceOf(payers[1])) == (FUNDS - PRICE, FUNDS - PRICE)


# --- Payers who are blocked ---


@pytest.mark.parametrize("kind", ["plain", "fee", *KINDS])
@pytest.mark.parametrize("function", ASKED)
def test_E07_says_that_the_payer_is_blocked_in_each_tokens_words(
    stage: Stage,
    accounts: Any,
    permit2: Contract,
    blocking: Contract,
    payers: list[Account],
    function: str,
    kind: str,
) -> None:
    if kind in ("plain", "fee"):
        fee: dict[str, Any] = {"fee_bps": 100, "fee_receiver": accounts[8]} if kind == "fee" else {}
        subscription_id = stage.subscribe(payers[0], stage.create_plan(token=blocking, **fee), at=SUBSCRIBED)
    else:
        subscription_id = special(stage, permit2, payers, kind, blocking)
    who = payers[1] if kind == "fallback" else payers[0]
    blocking.blockAccount(who, sender=stage.anyone)
    with stage.nothing_changes(blocking):
        assert stage.charge(subscription_id, at=FIRST_DUE) == [REFUSED]  # it does not say so
    blocking.play(keccak(text=f"{function}(address)")[:4], Answer.YES, sender=stage.anyone)
    with stage.nothing_changes(blocking):
        assert stage.charge(subscription_id) == [BLOCKED]
        assert stage.charge(subscription_id, subscription_id) == [BLOCKED, BLOCKED]


@pytest.mark.parametrize("kind", ["plain", *KINDS])
@pytest.mark.parametrize("answer", [Answer.NO, Answer.TWO, Answer.HALF, Answer.BURN_GAS, *list(Answer)[6:]])
def test_E06_whatever_it_answers_its_own_row_alone_fails(
    stage: Stage,
    permit2: Contract,
    blocking: Contract,
    payers: list[Account],
    monthly: int,
    kind: str,
    answer: Answer,
) -> None:
    """Each of three questions may burn its bound, and no more is read than a word."""
    good = [stage.subscribe(payer, monthly, at=SUBSCRIBED - 9 + i) for i, payer in enumerate(payers[2:])]
    if kind == "plain":
        bad = stage.subscribe(payers[0], stage.create_plan(token=blocking), at=SUBSCRIBED)
    else:
        bad = special(stage, permit2, payers, kind, blocking)
    blocking.blockAccount(payers[1] if kind == "fallback" else payers[0], sender=stage.anyone)
    for function in ASKED:
        blocking.play(keccak(text=f"{function}(address)")[:4], answer, sender=stage.anyone)
    stage.at(FIRST_DUE + DAY)
    receipt = stage.subscriptions.charge([good[0], bad, good[1]], sender=stage.anyone)
    expected = BLOCKED if answer == Answer.RETURN_BOMB else REFUSED  # its first word is yes
    assert stage.outcomes(receipt) == [PAID, expected, PAID]
    assert receipt.gas_used < len(ASKED) * 250_000 + 500_000
