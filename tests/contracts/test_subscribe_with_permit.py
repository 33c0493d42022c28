"""subscribeWithPermit: from no allowance to a paid subscription at once. A permit is tried; the allowance decides."""

from __future__ import annotations

import pytest

from tests.contracts.hostile import play
from tests.contracts.signing import NO_PERMIT, Permit, signed_permit
from tests.contracts.stage import PRICE, UNLIMITED, Account, Contract, Stage, reverts
from tests.tricks import Trick


@pytest.fixture
def poor(token: Contract, payer: Account, stage: Stage) -> Account:
    """The payer, with funds and without any allowance."""
    token.approve(stage.subscriptions, 0, sender=payer)
    return payer


def subscribe(stage: Stage, payer: Account, plan_id: int, permit: Permit) -> None:
    stage.subscriptions.subscribeWithPermit(plan_id, stage.subscriptions.termsHash(plan_id), 0, permit, sender=payer)


def test_the_permit_pays(stage: Stage, token: Contract, poor: Account, monthly: int) -> None:
    subscribe(stage, poor, monthly, signed_permit(stage, token, poor, value=3 * PRICE))
    assert token.balanceOf(stage.merchant) == PRICE
    assert token.allowance(poor, stage.subscriptions) == 2 * PRICE


def test_the_permit_of_usdc_pays(stage: Stage, usdc: Contract, payer: Account) -> None:
    usdc.approve(stage.subscriptions, 0, sender=payer)
    plan_id = stage.create_plan(token=usdc)
    subscribe(stage, payer, plan_id, signed_permit(stage, usdc, payer, version="2"))
    assert usdc.balanceOf(stage.merchant) == PRICE


def test_too_small_a_permit_is_too_low_an_allowance(stage: Stage, token: Contract, poor: Account, monthly: int) -> None:
    permit = signed_permit(stage, token, poor, value=PRICE - 1)
    with stage.nothing_changes(), reverts("AllowanceTooLow", found=PRICE - 1, needed=PRICE):
        subscribe(stage, poor, monthly, permit)


def test_E10_a_permit_that_somebody_used_before_is_no_obstacle(
    stage: Stage, token: Contract, poor: Account, monthly: int
) -> None:
    permit = signed_permit(stage, token, poor)
    token.permit(poor, stage.subscriptions, *permit, sender=stage.anyone)
    subscribe(stage, poor, monthly, permit)
    assert token.balanceOf(stage.merchant) == PRICE


def test_E10_a_permit_that_fails_leaves_the_allowance_to_decide(
    stage: Stage, token: Contract, payer: Account, monthly: int
) -> None:
    subscribe(stage, payer, monthly, NO_PERMIT)
    assert token.balanceOf(stage.merchant) == PRICE
    token.approve(stage.subscriptions, 0, sender=payer)
    with stage.nothing_changes(), reverts("AllowanceTooLow", found=0, needed=PRICE):
        subscribe(stage, payer, monthly, NO_PERMIT)


@pytest.mark.parametrize(("wait_s", "works"), [(0, True), (1, False)])
def test_E20_a_permit_is_good_until_its_deadline(
    stage: Stage, token: Contract, poor: Account, monthly: int, wait_s: int, works: bool
) -> None:
    deadline = stage.now + 100
    permit = signed_permit(stage, token, poor, deadline=deadline)
    stage.at(deadline + wait_s)
    if works:
        subscribe(stage, poor, monthly, permit)
    else:
        with reverts("AllowanceTooLow", found=0, needed=PRICE):
            subscribe(stage, poor, monthly, permit)


def test_the_permit_of_another_payer_is_not_taken(
    stage: Stage, token: Contract, poor: Account, payers: list[Account], monthly: int
) -> None:
    permit = signed_permit(stage, token, payers[1])
    with reverts("AllowanceTooLow", found=0, needed=PRICE):
        subscribe(stage, poor, monthly, permit)


def test_E11_a_token_that_swallows_the_permit_leaves_the_allowance_to_decide(
    stage: Stage, weth: Contract, payer: Account
) -> None:
    plan_id = stage.create_plan(token=weth)
    weth.deposit(value=3 * PRICE, sender=payer)
    with stage.nothing_changes(weth), reverts("AllowanceTooLow", found=0, needed=PRICE):
        subscribe(stage, payer, plan_id, NO_PERMIT)
    weth.approve(stage.subscriptions, UNLIMITED, sender=payer)
    subscribe(stage, payer, plan_id, NO_PERMIT)
    assert weth.balanceOf(stage.merchant) == PRICE


@pytest.mark.parametrize("trick", [Trick.REVERT_BOMB, Trick.RETURN_BOMB, Trick.RETURN_FALSE, Trick.BURN_GAS])
def test_E06_a_hostile_permit_leaves_the_allowance_to_decide(
    stage: Stage, hostile: Contract, payer: Account, trick: Trick
) -> None:
    plan_id = stage.create_plan(token=hostile)
    play(hostile, "permit", trick)
    subscribe(stage, payer, plan_id, NO_PERMIT)
    assert hostile.balanceOf(stage.merchant) == PRICE


def test_refuses_other_terms_before_it_tries_the_permit(
    stage: Stage, token: Contract, poor: Account, monthly: int
) -> None:
    found, expected = stage.subscriptions.termsHash(monthly), b"\x01" * 32
    permit = signed_permit(stage, token, poor)
    with stage.nothing_changes(), reverts("TermsChanged", found=found, expected=expected):
        stage.subscriptions.subscribeWithPermit(monthly, expected, 0, permit, sender=poor)
