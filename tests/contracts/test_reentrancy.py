"""E03: a token that calls back, in every entry point that moves money, against every entry point there is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from tallystick.core.subscription import DeclineReason
from tests.contracts.signing import (
    NO_COUPON,
    NO_PERMIT,
    Conditions,
    Coupon,
    Mandate,
    MandateWithConditions,
    signed_mandate,
    signed_mandate_with_conditions,
)
from tests.contracts.stage import FIRST_DUE, PRICE, SUBSCRIBED, UNLIMITED, Account, Contract, Stage

LOCKED = keccak(text="ReentrancyGuardReentrantCall()")[:4]
USED = 1_000
NO_USAGE = bytes(32)
"""In place of the hash of a document."""
ENTRY_POINTS = [
    "createPlan",
    "archivePlan",
    "lowerPrice",
    "proposePlan",
    "offerAlternative",
    "withdrawAlternative",
    "changePayee",
    "subscribe",
    "subscribeWithPermit",
    "submitMandate",
    "submitMandateWithPermit",
    "subscribeWithConditions",
    "submitMandateWithConditions",
    "revokeMandate",
    "revokeMandateBySignature",
    "charge",
    "chargeRun",
    "chargeSpecialRow",
    "chargeFirst",
    "collect",
    "changePlan",
    "scheduleChange",
    "scheduleChangeBySignature",
    "changePayer",
    "setConditions",
    "redeemCoupon",
    "setFallback",
    "setFallbackPlan",
    "dropFallback",
    "cancel",
    "cancelAtPeriodEnd",
    "cancelBySignature",
    "stop",
    "pause",
    "resume",
    "chargeUsage",
    "refund",
    "refundChanged",
    "cancelWithRefund",
    "claim",
]
FRAMES = {
    "chargeRun": "chargeRun(uint256[])",
    "chargeSpecialRow": "chargeSpecialRow(uint256)",
    "chargeFirst": "chargeFirst(uint256)",
    "collect": "collect(bytes32,address,address,uint256)",
}
"""What the contract calls of itself, and the escrow of it: not of its interface, and open to nobody else."""


@pytest.fixture
def hooked_plan(stage: Stage, project: Any, hooked: Contract) -> tuple[int, Contract]:
    """A plan whose payee is a contract that is called whenever it is paid; plan and payee."""
    payee = project.MockWallet.deploy(sender=stage.anyone)
    approval = hooked.approve.encode_input(stage.subscriptions, UNLIMITED)
    payee.execute(hooked, approval, sender=stage.anyone)
    return stage.create_plan(token=hooked, payee=payee, usage_cap=PRICE, usage_price=10**6), payee


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
    terms = tuple(contract.plan(plan_id))
    terms_hash = contract.termsHash(plan_id)
    return {
        "createPlan": contract.createPlan.encode_input(terms),
        "archivePlan": contract.archivePlan.encode_input(plan_id),
        "lowerPrice": contract.lowerPrice.encode_input([1], plan_id),
        "proposePlan": contract.proposePlan.encode_input([1], plan_id),
        "offerAlternative": contract.offerAlternative.encode_input(plan_id, plan_id),
        "withdrawAlternative": contract.withdrawAlternative.encode_input(plan_id, plan_id),
        "changePayee": contract.changePayee.encode_input(
            terms[0], terms[2], stage.anyone, 99, UNLIMITED, signature, signature
        ),
        "subscribe": contract.subscribe.encode_input(plan_id, terms_hash, 0),
        "subscribeWithPermit": contract.subscribeWithPermit.encode_input(plan_id, terms_hash, 0, NO_PERMIT),
        "submitMandate": contract.submitMandate.encode_input(mandate, signature),
        "submitMandateWithPermit": contract.submitMandateWithPermit.encode_input(mandate, signature, NO_PERMIT),
        "subscribeWithConditions": contract.subscribeWithConditions.encode_input(
            plan_id, terms_hash, 0, Conditions(), NO_COUPON, b""
        ),
        "submitMandateWithConditions": contract.submitMandateWithConditions.encode_input(
            MandateWithConditions(mandate.payer, [terms_hash]), plan_id, signature, NO_COUPON, b""
        ),
        "revokeMandate": contract.revokeMandate.encode_input(99),
        "revokeMandateBySignature": contract.revokeMandateBySignature.encode_input(mandate.payer, 99, signature),
        "charge": contract.charge.encode_input([1]),
        "chargeRun": keccak(text=FRAMES["chargeRun"])[:4] + encode(["uint256[]"], [[1]]),
        "chargeSpecialRow": keccak(text=FRAMES["chargeSpecialRow"])[:4] + encode(["uint256"], [1]),
        "chargeFirst": keccak(text=FRAMES["chargeFirst"])[:4] + encode(["uint256"], [1]),
        "collect": keccak(text=FRAMES["collect"])[:4]
        + encode(
            ["bytes32", "address", "address", "uint256"], [bytes(32), stage.token.address, stage.merchant.address, 1]
        ),
        "changePlan": contract.changePlan.encode_input(1, plan_id, terms_hash, 1, UNLIMITED),
        "scheduleChange": contract.scheduleChange.encode_input(1, plan_id, terms_hash, 1),
        "scheduleChangeBySignature": contract.scheduleChangeBySignature.encode_input(
            1, plan_id, 1, 99, UNLIMITED, signature
        ),
        "changePayer": contract.changePayer.encode_input(1, stage.anyone, 99, UNLIMITED, signature, signature),
        "setConditions": contract.setConditions.encode_input(1, Conditions(max_total=1)),
        "redeemCoupon": contract.redeemCoupon.encode_input(1, Coupon(amount_off=1), signature),
        "setFallback": contract.setFallback.encode_input(1, stage.anyone, 99, UNLIMITED, signature),
        "setFallbackPlan": contract.setFallbackPlan.encode_input(1, plan_id, terms_hash),
        "dropFallback": contract.dropFallback.encode_input(1),
        "cancel": contract.cancel.encode_input(1),
        "cancelAtPeriodEnd": contract.cancelAtPeriodEnd.encode_input(1),
        "cancelBySignature": contract.cancelBySignature.encode_input(1, UNLIMITED, signature),
        "stop": contract.stop.encode_input([1], [99]),
        "pause": contract.pause.encode_input(1),
        "resume": contract.resume.encode_input(1),
        "chargeUsage": contract.chargeUsage.encode_input(1, 2, 1, 1, NO_USAGE),
        "refund": contract.refund.encode_input(1, 1, 1),
        "refundChanged": contract.refundChanged.encode_input(1, 1, 1, []),
        "cancelWithRefund": contract.cancelWithRefund.encode_input(1, [1], []),
        "claim": contract.claim.encode_input(terms[0], terms[2]),
    }


def locked_out(entry_point: str, caller: Contract) -> bytes:
    """What an entry point answers to somebody who calls it from within another."""
    if entry_point in FRAMES:
        return keccak(text="NotAuthorized(address)")[:4] + encode(["address"], [caller.address])
    return LOCKED


def test_every_entry_point_is_tried(project: Any) -> None:
    parts = ("ISubscriptions", "ISubscriptionsFrames", "Subscriptions", "SubscriptionsPayee", "SubscriptionsPayer")
    methods = {
        abi.name
        for part in (*parts, "SubscriptionsCharges", "SubscriptionsConsent", "SubscriptionsViews")
        for abi in getattr(project, part).contract_type.abi
        if abi.type == "function" and abi.stateMutability not in ("view", "pure")
    }
    assert methods == set(ENTRY_POINTS)


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
    dearer = stage.create_plan(token=hooked, payee=payee, price=3 * PRICE, usage_cap=PRICE, usage_price=10**6)
    first, second, third = (Mandate(hooked_payer.address, plan_id, salt=salt) for salt in (1, 2, 3))
    stage.at(SUBSCRIBED)
    subscriptions.submitMandate(first, signed_mandate(stage, payers[0], first), sender=stage.anyone)
    wallet = hooked_payer if caller == "payer" else payee
    call_back = calls_back(stage, plan_id, third, signed_mandate(stage, payers[0], third))[entry_point]
    wallet.setHook(subscriptions, call_back, sender=stage.anyone)
    locked = locked_out(entry_point, wallet)

    def pays(action: Callable[[], object], hooks: int) -> None:
        action()
        assert (wallet.hooks(), wallet.hookSucceeded(), bytes(wallet.hookAnswer())) == (hooks, False, locked)

    def charge() -> None:
        assert stage.charge(1, 1) == [DeclineReason.NONE, DeclineReason.NOT_DUE]

    def subscribe() -> None:
        subscriptions.submitMandate(second, signed_mandate(stage, payers[0], second), sender=stage.anyone)

    def refund() -> None:
        payee.execute(subscriptions, subscriptions.refund.encode_input(1, 1, PRICE), sender=stage.anyone)

    def change_plan() -> None:
        data = subscriptions.changePlan.encode_input(1, dearer, subscriptions.termsHash(dearer), 0, UNLIMITED)
        hooked_payer.execute(subscriptions, data, sender=stage.anyone)

    def charge_usage() -> None:
        data = subscriptions.chargeUsage.encode_input(1, 4, USED, USED, NO_USAGE)
        payee.execute(subscriptions, data, sender=stage.anyone)

    def refund_changed() -> None:
        history = [(2, PRICE, prorated), (3, 3 * PRICE, USED)]
        data = subscriptions.refundChanged.encode_input(1, 2, PRICE, history)
        payee.execute(subscriptions, data, sender=stage.anyone)

    pays(subscribe, 1)
    stage.at(FIRST_DUE)
    pays(charge, 2)
    pays(refund, 3)
    pays(change_plan, 4)
    prorated = subscriptions.Upgraded[-1].amount
    pays(charge_usage, 5)
    pays(refund_changed, 6)
    assert (subscriptions.planCount(), stage.opened(payee, hooked)) == (2, 2)
    assert [stage.charges(row) for row in (1, 2)] == [4, 1]
    assert stage.totals(payee, hooked) == (5, 3 * PRICE + prorated + USED, 2, 2 * PRICE)
    assert hooked.balanceOf(payee) == PRICE + prorated + USED
    assert hooked.balanceOf(subscriptions) == 0


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
@pytest.mark.parametrize("caller", ["payer", "payee"])
def test_E03_nobody_comes_in_again_where_there_are_conditions(
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
    terms, conditions = subscriptions.termsHash(plan_id), Conditions(max_per_period=2 * PRICE, max_total=9 * PRICE)
    mandate = MandateWithConditions(hooked_payer.address, [bytes(terms)], conditions=conditions, salt=1)
    signature = signed_mandate_with_conditions(stage, payers[0], mandate, plan_id)
    plain = Mandate(hooked_payer.address, plan_id, salt=2)
    wallet = hooked_payer if caller == "payer" else payee
    call_back = calls_back(stage, plan_id, plain, signed_mandate(stage, payers[0], plain))[entry_point]
    wallet.setHook(subscriptions, call_back, sender=stage.anyone)
    locked = locked_out(entry_point, wallet)

    def submit() -> None:
        subscriptions.submitMandateWithConditions(mandate, plan_id, signature, NO_COUPON, b"", sender=stage.anyone)

    def charge() -> None:
        assert stage.charge(1, 1, at=FIRST_DUE) == [DeclineReason.NONE, DeclineReason.NOT_DUE]

    def cancel_with_refund() -> None:
        data = subscriptions.cancelWithRefund.encode_input(1, [2], [])
        stage.at(FIRST_DUE)  # all of the period is left
        payee.execute(subscriptions, data, sender=stage.anyone)

    def subscribe() -> None:
        arguments = (plan_id, terms, 0, conditions, NO_COUPON, b"")
        data = subscriptions.subscribeWithConditions.encode_input(*arguments)
        hooked_payer.execute(subscriptions, data, sender=stage.anyone)

    stage.at(SUBSCRIBED)
    for hooks, action in enumerate((submit, charge, cancel_with_refund, subscribe), 1):
        action()
        assert (wallet.hooks(), wallet.hookSucceeded(), bytes(wallet.hookAnswer())) == (hooks, False, locked)
    assert (subscriptions.planCount(), stage.opened(payee, hooked)) == (1, 2)
    assert [stage.charges(row) for row in (1, 2)] == [2, 1]
    assert stage.totals(payee, hooked) == (3, 3 * PRICE, 1, PRICE)
    assert (hooked.balanceOf(payee), hooked.balanceOf(subscriptions)) == (2 * PRICE, 0)


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_E03_E07_nobody_comes_in_again_while_a_claim_is_paid(
    stage: Stage,
    subscriptions: Contract,
    hooked: Contract,
    payers: list[Account],
    hooked_plan: tuple[int, Contract],
    entry_point: str,
) -> None:
    plan_id, payee = hooked_plan
    mandate = Mandate(payers[1].address, plan_id, salt=1)
    subscription_id = stage.subscribe(payers[0], plan_id, at=SUBSCRIBED)
    hooked.spare(subscriptions, sender=stage.anyone)
    payee.setBurnsGas(True, sender=stage.anyone)
    assert stage.charge(subscription_id, at=FIRST_DUE) == [DeclineReason.NONE]
    assert subscriptions.claimable(payee, hooked) == hooked.balanceOf(subscriptions) == PRICE
    payee.setBurnsGas(False, sender=stage.anyone)
    call_back = calls_back(stage, plan_id, mandate, signed_mandate(stage, payers[1], mandate))[entry_point]
    payee.setHook(subscriptions, call_back, sender=stage.anyone)
    subscriptions.claim(payee, hooked, sender=stage.anyone)
    locked = locked_out(entry_point, payee)
    assert (payee.hooks(), payee.hookSucceeded(), bytes(payee.hookAnswer())) == (1, False, locked)
    assert (hooked.balanceOf(payee), hooked.balanceOf(subscriptions)) == (2 * PRICE, 0)
    assert subscriptions.claimable(payee, hooked) == 0


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
