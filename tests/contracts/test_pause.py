"""pause: the payer stops the clock within a paid period; what is left of it is kept, and nothing is charged (E25)."""

from __future__ import annotations

import pytest

from tallystick.core.period import Unit
from tallystick.core.subscription import DeclineReason, Status
from tests.contracts.stage import DAY, FIRST_DUE, PRICE, SUBSCRIBED, Account, Contract, Stage, reverts, utc

PAUSED_AT = utc(2027, 2, 10, 12)
LEFT_S = 18 * DAY
"""From there to FIRST_DUE."""
PAID, PAUSED = DeclineReason.NONE, DeclineReason.PAUSED


@pytest.fixture
def paused(stage: Stage, payer: Account, subscribed: int) -> int:
    """The first payer's subscription, paused with LEFT_S of its first month left."""
    stage.at(PAUSED_AT)
    stage.subscriptions.pause(subscribed, sender=payer)
    return subscribed


def test_E25_stops_the_clock_and_keeps_what_is_left(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int, monthly: int
) -> None:
    stage.at(PAUSED_AT)
    receipt = subscriptions.pause(subscribed, sender=payer)
    assert stage.events(receipt) == [("Paused", {"subscriptionId": subscribed, "left": LEFT_S})]
    for at in (PAUSED_AT + 1, FIRST_DUE + 400 * DAY):
        stage.at(at)
        stage.rpc("evm_mine")
        found = subscriptions.subscription(subscribed)
        assert (found.payer, found.planId, found.charges) == (payer, monthly, 1)
        assert (found.status, found.nextDue, found.anchorDay) == (Status.PAUSED, LEFT_S, 31)
    assert stage.totals() == (1, PRICE, 0, 0)


@pytest.mark.parametrize("left_s", [1, 2, 27 * DAY])
def test_E20_E25_is_possible_up_to_the_last_second_of_the_period(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int, left_s: int
) -> None:
    stage.at(FIRST_DUE - left_s)
    subscriptions.pause(subscribed, sender=payer)
    assert (stage.status(subscribed), stage.next_due(subscribed)) == (Status.PAUSED, left_s)


@pytest.mark.parametrize("late_s", [0, 1, 400 * DAY])
def test_E20_E25_is_no_way_around_a_charge_that_is_due(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int, late_s: int
) -> None:
    stage.at(FIRST_DUE + late_s)
    with stage.nothing_changes(), reverts("ChargeDue", subscriptionId=subscribed, due=FIRST_DUE):
        subscriptions.pause(subscribed, sender=payer)
    assert stage.charge(subscribed) == [PAID]
    subscriptions.pause(subscribed, sender=payer)
    assert stage.status(subscribed) == Status.PAUSED


def test_E22_is_no_way_around_missed_periods_that_are_collected(
    stage: Stage, subscriptions: Contract, payer: Account
) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(catch_up=1), at=SUBSCRIBED)
    assert stage.charge(subscription_id, at=utc(2027, 4, 1)) == [PAID]  # February's; March's is due as well
    with reverts("ChargeDue", subscriptionId=subscription_id, due=utc(2027, 3, 31, 12)):
        subscriptions.pause(subscription_id, sender=payer)
    assert stage.charge(subscription_id) == [PAID]
    subscriptions.pause(subscription_id, sender=payer)


def test_E28_keeps_the_longest_period(stage: Stage, subscriptions: Contract, payer: Account) -> None:
    plan_id = stage.create_plan(every=100 * 366 * DAY, unit=Unit.SECOND)
    subscription_id = stage.subscribe(payer, plan_id, at=SUBSCRIBED)
    stage.at(SUBSCRIBED + 1)
    subscriptions.pause(subscription_id, sender=payer)
    assert stage.next_due(subscription_id) == 100 * 366 * DAY - 1
    stage.at(SUBSCRIBED + DAY)
    subscriptions.resume(subscription_id, sender=payer)
    assert stage.next_due(subscription_id) == SUBSCRIBED + DAY + 100 * 366 * DAY - 1


# --- Who, and when not ---


def test_only_the_payer_may(stage: Stage, subscriptions: Contract, payers: list[Account], subscribed: int) -> None:
    for sender in (stage.merchant, stage.anyone, payers[1]):
        with stage.nothing_changes(), reverts("NotAuthorized", caller=sender):
            subscriptions.pause(subscribed, sender=sender)


@pytest.mark.parametrize("subscription_id", [0, 2, 2**63, 2**256 - 1])
def test_refuses_what_does_not_exist(
    subscriptions: Contract, payer: Account, subscribed: int, subscription_id: int
) -> None:
    assert subscribed == 1
    with reverts("UnknownSubscription", subscriptionId=subscription_id):
        subscriptions.pause(subscription_id, sender=payer)


@pytest.mark.parametrize(
    ("verb", "status"),
    [("pause", Status.PAUSED), ("cancel", Status.CANCELLED), ("cancelAtPeriodEnd", Status.ENDING)],
)
def test_refuses_what_is_not_active(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int, verb: str, status: Status
) -> None:
    getattr(subscriptions, verb)(subscribed, sender=payer)
    with stage.nothing_changes(), reverts("NotActive", subscriptionId=subscribed, status=status):
        subscriptions.pause(subscribed, sender=payer)


def test_works_while_the_token_does_not(stage: Stage, subscriptions: Contract, usdc: Contract, payer: Account) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(token=usdc))
    usdc.pause(sender=stage.anyone)
    usdc.blacklist(payer, sender=stage.anyone)
    subscriptions.pause(subscription_id, sender=payer)
    subscriptions.resume(subscription_id, sender=payer)
    assert stage.status(subscription_id) == Status.ACTIVE


@pytest.mark.parametrize("first", ["pause", "charge"])
def test_E26_pause_and_charge_in_one_block_the_charge_counts_in_either_order(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, subscribed: int, first: str
) -> None:
    calls = {
        "pause": (payer, subscriptions.pause.encode_input(subscribed)),
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
    receipts = {name: stage.rpc("eth_getTransactionReceipt", sent[name]) for name in order}
    assert receipts["pause"]["blockNumber"] == receipts["charge"]["blockNumber"]
    charged_first = first == "charge"
    assert receipts["pause"]["status"] == ("0x1" if charged_first else "0x0")  # else ChargeDue
    assert receipts["charge"]["status"] == "0x1"
    assert token.balanceOf(stage.merchant) == 2 * PRICE
    assert (stage.status(subscribed), stage.next_due(subscribed)) == (
        (Status.PAUSED, 31 * DAY) if charged_first else (Status.ACTIVE, utc(2027, 3, 31, 12))
    )


# --- While paused ---


@pytest.mark.parametrize("at", [PAUSED_AT + 1, FIRST_DUE - 1, FIRST_DUE, FIRST_DUE + 1, FIRST_DUE + 400 * DAY])
def test_E25_nothing_is_charged(stage: Stage, paused: int, at: int) -> None:
    with stage.nothing_changes():
        assert stage.charge(paused, paused, at=at) == [PAUSED, PAUSED]


def test_a_paused_row_fails_alone_and_a_dry_run_says_so(
    stage: Stage, subscriptions: Contract, token: Contract, payers: list[Account], paused: int, monthly: int
) -> None:
    others = [stage.subscribe(payer, monthly, at=PAUSED_AT + number) for number, payer in enumerate(payers[1:3], 1)]
    batch = [others[0], paused, others[1], paused]
    stage.at(utc(2027, 3, 11))
    stage.rpc("evm_mine")
    answer = [DeclineReason(reason) for reason in bytes(subscriptions.charge.call(batch))]
    receipt = subscriptions.charge(batch, sender=stage.anyone)
    assert stage.outcomes(receipt) == answer == [PAID, PAUSED, PAID, PAUSED]
    declined = [values for name, values in stage.events(receipt) if name == "Declined"]
    assert declined == [{"subscriptionId": paused, "due": LEFT_S, "reason": PAUSED}] * 2
    assert token.balanceOf(stage.merchant) == 5 * PRICE


def test_a_paused_row_keeps_its_reason_where_the_run_is_undone(
    stage: Stage, subscriptions: Contract, usdt: Contract, payers: list[Account]
) -> None:
    plan_id = stage.create_plan(token=usdt)
    paused, other = (stage.subscribe(payer, plan_id, at=SUBSCRIBED + row) for row, payer in enumerate(payers[:2]))
    subscriptions.pause(paused, sender=payers[0])
    usdt.setParams(10, 10**6, sender=stage.anyone)  # a fee: the payee receives less than is due
    assert stage.charge(other, paused, at=FIRST_DUE + DAY) == [DeclineReason.TOKEN_REFUSED, PAUSED]


@pytest.mark.parametrize("role", ["payer", "payee"])
def test_E25_cancelling_leaves_what_was_left_from_now(
    stage: Stage, subscriptions: Contract, payer: Account, paused: int, role: str
) -> None:
    cancelled_at = FIRST_DUE + 400 * DAY
    stage.at(cancelled_at)
    receipt = subscriptions.cancel(paused, sender=payer if role == "payer" else stage.merchant)
    assert stage.events(receipt) == [("Cancelled", {"subscriptionId": paused})]
    found = subscriptions.subscription(paused)
    assert (found.status, found.nextDue, found.charges) == (Status.CANCELLED, cancelled_at + LEFT_S, 1)
    with stage.nothing_changes(), reverts("NotActive", subscriptionId=paused, status=Status.CANCELLED):
        subscriptions.cancel(paused, sender=payer)
    assert stage.charge(paused, at=cancelled_at + 2 * LEFT_S) == [DeclineReason.CANCELLED]


def test_nobody_else_cancels(stage: Stage, subscriptions: Contract, payers: list[Account], paused: int) -> None:
    for sender in (stage.anyone, payers[1]):
        with stage.nothing_changes(), reverts("NotAuthorized", caller=sender):
            subscriptions.cancel(paused, sender=sender)


@pytest.mark.parametrize("role", ["payer", "payee"])
def test_cancelling_at_the_end_of_a_period_that_stands_is_refused(
    stage: Stage, subscriptions: Contract, payer: Account, paused: int, role: str
) -> None:
    with stage.nothing_changes(), reverts("NotActive", subscriptionId=paused, status=Status.PAUSED):
        subscriptions.cancelAtPeriodEnd(paused, sender=payer if role == "payer" else stage.merchant)


def test_a_charge_is_refunded(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, paused: int
) -> None:
    before = token.balanceOf(payer)
    subscriptions.refund(paused, 1, PRICE, sender=stage.merchant)
    assert token.balanceOf(payer) == before + PRICE
    assert (stage.status(paused), stage.next_due(paused)) == (Status.PAUSED, LEFT_S)
    assert stage.totals() == (1, PRICE, 1, PRICE)
