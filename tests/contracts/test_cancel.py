"""cancel: payer or payee end a subscription now, for good."""

from __future__ import annotations

import pytest

from tallystick.core.subscription import DeclineReason, Status
from tests.contracts.stage import DAY, FIRST_DUE, PRICE, Account, Contract, Stage, reverts, utc

SECOND_DUE = utc(2027, 3, 31, 12)


@pytest.mark.parametrize("role", ["payer", "payee"])
def test_ends_it_now(stage: Stage, subscriptions: Contract, payer: Account, subscribed: int, role: str) -> None:
    sender = payer if role == "payer" else stage.merchant
    receipt = subscriptions.cancel(subscribed, sender=sender)
    assert stage.events(receipt) == [("Cancelled", {"subscriptionId": subscribed})]
    assert stage.status(subscribed) == Status.CANCELLED
    assert stage.charge(subscribed, at=FIRST_DUE + 400 * DAY) == [DeclineReason.CANCELLED]


def test_leaves_everything_else_as_it_is(
    stage: Stage, subscriptions: Contract, payers: list[Account], subscribed: int, monthly: int
) -> None:
    other = stage.subscribe(payers[1], monthly)
    subscriptions.cancel(subscribed, sender=payers[0])
    found = subscriptions.subscription(subscribed)
    assert (found.payer, found.planId, found.nextDue) == (payers[0], monthly, FIRST_DUE)
    assert (found.charges, found.anchorDay) == (1, 31)
    assert stage.status(other) == Status.ACTIVE
    assert stage.totals() == (2, 2 * PRICE, 0, 0)


def test_nobody_else_may(stage: Stage, subscriptions: Contract, payers: list[Account], subscribed: int) -> None:
    for sender in (stage.anyone, payers[1]):
        with stage.nothing_changes(), reverts("NotAuthorized", caller=sender):
            subscriptions.cancel(subscribed, sender=sender)


@pytest.mark.parametrize("subscription_id", [0, 2, 2**63, 2**256 - 1])
def test_refuses_what_does_not_exist(
    subscriptions: Contract, payer: Account, subscribed: int, subscription_id: int
) -> None:
    assert subscribed == 1
    with reverts("UnknownSubscription", subscriptionId=subscription_id):
        subscriptions.cancel(subscription_id, sender=payer)


def test_cannot_be_done_twice(stage: Stage, subscriptions: Contract, payer: Account, subscribed: int) -> None:
    subscriptions.cancel(subscribed, sender=payer)
    with stage.nothing_changes(), reverts("NotActive", subscriptionId=subscribed, status=Status.CANCELLED):
        subscriptions.cancel(subscribed, sender=stage.merchant)


def test_also_ends_what_would_end_with_its_period(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int
) -> None:
    subscriptions.cancelAtPeriodEnd(subscribed, sender=stage.merchant)
    subscriptions.cancel(subscribed, sender=payer)
    assert stage.status(subscribed) == Status.CANCELLED


def test_works_while_the_token_does_not(stage: Stage, subscriptions: Contract, usdc: Contract, payer: Account) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(token=usdc))
    usdc.pause(sender=stage.anyone)
    usdc.blacklist(payer, sender=stage.anyone)
    subscriptions.cancel(subscription_id, sender=payer)
    assert stage.status(subscription_id) == Status.CANCELLED


@pytest.mark.parametrize("first", ["cancel", "charge"])
@pytest.mark.parametrize(
    ("verb", "status", "reason"),
    [
        ("cancel", Status.CANCELLED, DeclineReason.CANCELLED),
        ("cancelAtPeriodEnd", Status.ENDING, DeclineReason.ENDED),
    ],
)
def test_E26_cancel_and_charge_in_one_block_the_first_wins(
    stage: Stage,
    subscriptions: Contract,
    token: Contract,
    payer: Account,
    subscribed: int,
    verb: str,
    status: Status,
    reason: DeclineReason,
    first: str,
) -> None:
    calls = {
        "cancel": (payer, getattr(subscriptions, verb).encode_input(subscribed)),
        "charge": (stage.anyone, subscriptions.charge.encode_input([subscribed])),
    }
    order = sorted(calls, key=lambda name: name != first)
    stage.rpc("evm_setAutomine", False)
    try:
        sent = {}
        for fee, name in zip((20 * 10**9, 10 * 10**9), order, strict=True):
            sender, data = calls[name]
            call = {"from": sender.address, "to": subscriptions.address, "data": "0x" + data.hex(), "gas": hex(10**6)}
            fees = {"maxFeePerGas": hex(fee), "maxPriorityFeePerGas": hex(fee)}
            sent[name] = stage.rpc("eth_sendTransaction", call | fees)
        stage.at(FIRST_DUE)
        stage.rpc("evm_mine")
    finally:
        stage.rpc("evm_setAutomine", True)
    receipts = {name: stage.chain.provider.get_receipt(sent[name]) for name in order}
    assert receipts["cancel"].block_number == receipts["charge"].block_number
    paid = first == "charge"
    assert stage.outcomes(receipts["charge"]) == [DeclineReason.NONE if paid else reason]
    assert token.balanceOf(stage.merchant) == (2 if paid else 1) * PRICE
    assert (stage.status(subscribed), stage.charges(subscribed)) == (status, 2 if paid else 1)
    if verb == "cancelAtPeriodEnd":
        ends_at = stage.next_due(subscribed)
        assert stage.events(receipts["cancel"])[0][1] == {"subscriptionId": subscribed, "endsAt": ends_at}
        assert ends_at == (SECOND_DUE if paid else FIRST_DUE)
