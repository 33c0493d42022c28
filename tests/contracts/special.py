"""Subscriptions with conditions, coupons or quoted prices: opened, and charged as `preview` told."""

from __future__ import annotations

import contextlib
from typing import Any, NamedTuple

from tests.contracts.signing import NO_COUPON, Conditions, Coupon, signed_coupon
from tests.contracts.stage import Account, Contract, Receipt, Stage

REASONS = (
    "None",
    "Unknown",
    "NotDue",
    "Cancelled",
    "Ended",
    "Allowance",
    "Balance",
    "TokenRefused",
    "Paused",
    "Blocked",
    "OverMandate",
    "QuoteUnavailable",
    "QuoteStale",
    "Slippage",
)
"""Why a charge declines, by the contract's numbers."""
PAID = "None"
NO_CONDITIONS = Conditions()


def reason(name: str) -> int:
    """The number of a reason."""
    return REASONS.index(name)


class Row(NamedTuple):
    """What became of one row: its reason, what was paid, and the events that came with it, the charge itself last."""

    reason: str
    amount: int = 0
    events: tuple[tuple[str, dict[str, Any]], ...] = ()

    @property
    def names(self) -> list[str]:
        """The events, by their names."""
        return [name for name, _ in self.events]

    def value(self, event: str, name: str) -> Any:
        """A value of the one event of that name."""
        ((_, values),) = [found for found in self.events if found[0] == event]
        return values[name]


def open_with(
    stage: Stage,
    payer: Account,
    plan_id: int,
    conditions: Conditions = NO_CONDITIONS,
    *,
    seats: int = 0,
    coupon: Coupon = NO_COUPON,
    at: int | None = None,
) -> Receipt:
    """Subscribes a payer with conditions, and with a coupon that the merchant signed."""
    signature = b"" if coupon is NO_COUPON else signed_coupon(stage, coupon)
    if at is not None:
        stage.at(at)
    terms = stage.subscriptions.termsHash(plan_id)
    return stage.subscriptions.subscribeWithConditions(
        plan_id, terms, seats, conditions, coupon, signature, sender=payer
    )


def opened(stage: Stage, receipt: Receipt) -> int:
    """The number of the subscription that a transaction opened."""
    ((_, values),) = [event for event in stage.events(receipt) if event[0] == "Subscribed"]
    return int(values["subscriptionId"])


def conditions_of(stage: Stage, subscription_id: int) -> Conditions:
    """What the payer added; `max_total` is what is left of it."""
    return Conditions(*stage.subscriptions.conditions(subscription_id).found)


def charge(stage: Stage, *subscription_ids: int, at: int | None = None) -> list[str]:
    """Anyone charges; what became of each row, in order: `PAID`, or why not."""
    if at is not None:
        stage.at(at)
    receipt = stage.subscriptions.charge(list(subscription_ids), sender=stage.anyone)
    return reasons(stage, receipt)


def reasons(stage: Stage, receipt: Receipt) -> list[str]:
    """What became of each row of a batch, as the events tell it."""
    ends = [event for event in stage.events(receipt) if event[0] in ("Charged", "Declined")]
    return [PAID if name == "Charged" else REASONS[values["reason"]] for name, values in ends]


def charge_as_foreseen(stage: Stage, subscription_id: int, *, at: int, token: Contract | None = None) -> Row:
    """Charges one row of the merchant's alone: `preview` tells what it does in the same second, the money moves and is
    counted, and a decline changes nothing."""
    token, contract = token or stage.token, stage.subscriptions
    stage.at(at)
    stage.rpc("evm_mine")
    told, before = contract.preview(subscription_id), contract.subscription(subscription_id)
    payer = before.payer
    balances = token.balanceOf(payer), token.balanceOf(stage.merchant)
    count, total, *refunds = stage.totals(token=token)
    stage.at(at)
    with stage.nothing_changes(token) if told.reason else contextlib.nullcontext():
        receipt = contract.charge([subscription_id], sender=stage.anyone)
    assert stage.now == at
    events = stage.events(receipt)
    if told.reason:
        declined = {"subscriptionId": subscription_id, "due": before.nextDue, "reason": told.reason}
        assert events == [("Declined", declined)]
        return Row(REASONS[told.reason])
    assert events[-1] == (
        "Charged",
        {
            "subscriptionId": subscription_id,
            "chargeNumber": before.charges + 1,
            "periodStart": told.periodStart,
            "periodEnd": told.periodEnd,
            "amount": told.amount,
        },
    )
    assert sum(values["amount"] for name, values in events if name == "CreditUsed") == told.creditUsed
    assert (token.balanceOf(payer), token.balanceOf(stage.merchant)) == (
        balances[0] - told.amount,
        balances[1] + told.amount,
    )
    assert stage.totals(token=token) == (count + 1, total + told.amount, *refunds)
    after = contract.subscription(subscription_id)
    assert (after.charges, after.nextDue) == (before.charges + 1, told.periodEnd)
    return Row(PAID, told.amount, tuple(events))
