"""No row, token or payer can take others down with it."""

from __future__ import annotations

from typing import Any

import pytest

from tallystick.core.subscription import DeclineReason
from tests.contracts.hostile import play
from tests.contracts.stage import FIRST_DUE, PRICE, SUBSCRIBED, UNLIMITED, Account, Contract, Stage, reverts
from tests.tricks import UNREADABLE, Trick

PAID = DeclineReason.NONE


@pytest.mark.parametrize("unknown", [2**63, 2**64, 2**256 - 1])
def test_a_number_that_no_subscription_can_have_declines_like_any_other_unknown_one(
    stage: Stage, subscribed: int, unknown: int
) -> None:
    assert stage.charge(unknown, subscribed, at=FIRST_DUE) == [DeclineReason.UNKNOWN, PAID]


@pytest.mark.parametrize("trick", UNREADABLE)
def test_E01_a_balance_that_cannot_be_read_is_a_typed_failure(
    stage: Stage, subscriptions: Contract, hostile: Contract, payer: Account, trick: Trick
) -> None:
    plan_id = stage.create_plan(token=hostile)
    play(hostile, "balanceOf", trick)
    with stage.nothing_changes(hostile), reverts("TokenRefused", token=hostile):
        subscriptions.subscribe(plan_id, subscriptions.termsHash(plan_id), 0, sender=payer)


def test_E01_a_token_that_lost_its_code_is_a_typed_failure(
    stage: Stage, subscriptions: Contract, hostile: Contract, payer: Account
) -> None:
    plan_id = stage.create_plan(token=hostile)
    stage.rpc("anvil_setCode", hostile.address, "0x")
    with reverts("TokenRefused", token=hostile):
        subscriptions.subscribe(plan_id, subscriptions.termsHash(plan_id), 0, sender=payer)


def test_E03_a_payer_cannot_spoil_the_charges_of_the_others(
    stage: Stage, project: Any, hooked: Contract, payers: list[Account]
) -> None:
    """With a hooked token and a payee from which anyone may release money (a payment splitter), one payer's hook makes
    the whole run fall short."""
    payee = project.MockWallet.deploy(sender=stage.anyone)  # `execute` is open to all, like a splitter's `release`
    villain = project.MockWallet.deploy(sender=stage.anyone)
    plan_id = stage.create_plan(token=hooked, payee=payee)
    terms = stage.subscriptions.termsHash(plan_id)
    hooked.mint(villain, 10 * PRICE, sender=stage.anyone)
    villain.execute(hooked, hooked.approve.encode_input(stage.subscriptions, UNLIMITED), sender=stage.anyone)
    stage.subscribe(payers[0], plan_id, at=SUBSCRIBED)
    subscribe = stage.subscriptions.subscribe.encode_input(plan_id, terms, 0)
    villain.execute(stage.subscriptions, subscribe, sender=stage.anyone)
    stage.subscribe(payers[1], plan_id)
    release = payee.execute.encode_input(hooked, hooked.transfer.encode_input(stage.anyone, PRICE))
    villain.setHook(payee, release, sender=stage.anyone)
    outcomes = stage.charge(1, 2, 3, at=FIRST_DUE + 60)
    assert (outcomes[0], outcomes[2]) == (PAID, PAID)
