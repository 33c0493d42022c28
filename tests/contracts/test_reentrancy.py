"""E03: a token that calls back, in every entry point that moves money, against every entry point there is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from tallystick.core.subscription import DeclineReason
from tests.contracts.signing import NO_PERMIT, Mandate, signed_mandate
from tests.contracts.stage import FIRST_DUE, PRICE, SUBSCRIBED, UNLIMITED, Account, Contract, Stage

LOCKED = keccak(text="ReentrancyGuardReentrantCall()")[:4]
ENTRY_POINTS = [
    "createPlan",
    "subscribe",
    "subscribeWithPermit",
    "submitMandate",
    "submitMandateWithPermit",
    "revokeMandate",
    "charge",
    "chargeRun",
    "cancel",
    "cancelAtPeriodEnd",
    "pause",
    "resume",
    "refund",
]


@pytest.fixture
def hooked_plan(stage: Stage, project: Any, hooked: Contract) -> tuple[int, Contract]:
    """A plan whose payee is a contract that is called whenever it is paid; plan and payee."""
    payee = project.MockWallet.deploy(sender=stage.anyone)
    approval = hooked.approve.encode_input(stage.subscriptions, UNLIMITED)
    payee.execute(hooked, approval, sender=stage.anyone)
    return stage.create_plan(token=hooked, payee=payee), payee


@pytest.fixture
def hooked_payer(stage: Stage, project: Any, hooked: Contract, payers: list[Account]) -> Contract:
    """A contract that pays, is called whenever it does, and signs with the first payer's key."""
    wallet = project.MockWallet.deploy(sender=stage.anyone)
    wallet.setSigner(payers[0], sender=stage.anyone)
    hooked.mint(wallet, 100 * PRICE, sender=stage.anyone)
    wallet.execute(hooked, hooked.approve.encode_input(stage.subscriptions, UNLIMITED), sender=stage.anyone)
    return wallet


def calls_back(stage: Stage, plan_id: int, mandate: Mandate, signature: bytes) -> dict[str, bytes]:
    """A call of each entry point that would succeed, or nearly, if it were not made from within another."""
    contract = stage.subscriptions
    terms = contract.plan(plan_id)
    terms_hash = contract.termsHash(plan_id)
    return {
        "createPlan": contract.createPlan.encode_input(terms),
        "subscribe": contract.subscribe.encode_input(plan_id, terms_hash, 0),
        "subscribeWithPermit": contract.subscribeWithPermit.encode_input(plan_id, terms_hash, NO_PERMIT),
        "submitMandate": contract.submitMandate.encode_input(mandate, signature),
        "submitMandateWithPermit": contract.submitMandateWithPermit.encode_input(mandate, signature, NO_PERMIT),
        "revokeMandate": contract.revokeMandate.encode_input(99),
        "charge": contract.charge.encode_input([1]),
        "chargeRun": contract.chargeRun.encode_input([1]),
        "cancel": contract.cancel.encode_input(1),
        "cancelAtPeriodEnd": contract.cancelAtPeriodEnd.encode_input(1),
        "pause": contract.pause.encode_input(1),
        "resume": contract.resume.encode_input(1),
        "refund": contract.refund.encode_input(1, 1, 1),
    }


def test_every_entry_point_is_tried(subscriptions: Contract) -> None:
    methods = [abi for abi in subscriptions.contract_type.abi if abi.type == "function"]
    assert sorted(abi.name for abi in methods if abi.stateMutability != "view") == sorted(ENTRY_POINTS)


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
@pytest.mark.parametrize("caller", ["payer", "payee"])
def test_E03_nobody_comes_in_again(
    stage: Stage,
    subscriptions: Contract,
    hooked: Contract,
    payers: list[Account],
    hooked_plan: tuple[int, Contract],
    hooked_payer: Contract,
    caller: str,
    entry_point: str,
) -> None:
    plan_id, payee = hooked_plan
    first, second, third = (Mandate(hooked_payer.address, plan_id, salt) for salt in (1, 2, 3))
    stage.at(SUBSCRIBED)
    subscriptions.submitMandate(first, signed_mandate(stage, payers[0], first), sender=stage.anyone)
    wallet = hooked_payer if caller == "payer" else payee
    call_back = calls_back(stage, plan_id, third, signed_mandate(stage, payers[0], third))[entry_point]
    wallet.setHook(subscriptions, call_back, sender=stage.anyone)
    barred = encode(["address"], [wallet.address])
    locked = keccak(text="NotAuthorized(address)")[:4] + barred if entry_point == "chargeRun" else LOCKED

    def pays(action: Callable[[], object], hooks: int) -> None:
        action()
        assert (wallet.hooks(), wallet.hookSucceeded(), bytes(wallet.hookAnswer())) == (hooks, False, locked)

    def charge() -> None:
        assert stage.charge(1, 1) == [DeclineReason.NONE, DeclineReason.NOT_DUE]

    def subscribe() -> None:
        subscriptions.submitMandate(second, signed_mandate(stage, payers[0], second), sender=stage.anyone)

    def refund() -> None:
        payee.execute(subscriptions, subscriptions.refund.encode_input(1, 1, PRICE), sender=stage.anyone)

    pays(subscribe, 1)
    stage.at(FIRST_DUE)
    pays(charge, 2)
    pays(refund, 3)
    assert (subscriptions.planCount(), subscriptions.subscriptionCount()) == (1, 2)
    assert [stage.charges(row) for row in (1, 2)] == [2, 1]
    assert stage.totals(payee, hooked) == (3, 3 * PRICE, 1, PRICE)
    assert hooked.balanceOf(payee) == 2 * PRICE


def test_E03_a_hook_sees_the_schedule_moved_already(
    stage: Stage,
    subscriptions: Contract,
    payers: list[Account],
    hooked_plan: tuple[int, Contract],
    hooked_payer: Contract,
) -> None:
    plan_id, _ = hooked_plan
    mandate = Mandate(hooked_payer.address, plan_id)
    stage.at(SUBSCRIBED)
    subscriptions.submitMandate(mandate, signed_mandate(stage, payers[0], mandate), sender=stage.anyone)
    hooked_payer.setHook(subscriptions, subscriptions.subscription.encode_input(1), sender=stage.anyone)
    assert stage.charge(1, at=FIRST_DUE) == [DeclineReason.NONE]
    seen = bytes(hooked_payer.hookAnswer())
    next_due, charges = (int.from_bytes(seen[at : at + 32], "big") for at in (64, 96))
    assert (next_due, charges) == (stage.next_due(1), 2)
