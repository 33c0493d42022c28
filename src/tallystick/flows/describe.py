"""Describes a subscription as people ask about it: where it stands, what is charged next, and what happened."""

from __future__ import annotations

from dataclasses import dataclass

from tallystick.core.events import Recorded
from tallystick.core.plan import Plan
from tallystick.core.subscription import DeclineReason, Status, Subscription
from tallystick.flows.connect import Connection


@dataclass(frozen=True, slots=True)
class NextCharge:
    """What the payer pays next, as things stand: `amount_units` for the period [period_start, period_end), after credit
    of `credit_units` was used. `decline` is why it would decline now, NOT_DUE before its time, NONE where it would pay.

    `missing` is why it would decline when it is due, as far as allowance and balance tell today; NONE where they
    suffice.
    """

    period_start: int
    period_end: int
    amount_units: int
    credit_units: int
    decline: DeclineReason
    missing: DeclineReason


@dataclass(frozen=True, slots=True)
class SubscriptionState:
    """A subscription with its plan. `next_charge` is None where nothing will be charged: it has ended or is ending, had
    all of its charges, or is paused. `usage_left_units` is what usage may still cost in the period being served, None
    where the plan charges none. `history` is everything that happened, oldest first, where it was asked for."""

    subscription: Subscription
    plan: Plan
    next_charge: NextCharge | None
    usage_left_units: int | None = None
    history: tuple[Recorded, ...] | None = None

    @property
    def subscription_id(self) -> int:
        """Its number."""
        return self.subscription.subscription_id

    @property
    def payer(self) -> str:
        """Who pays."""
        return self.subscription.payer

    @property
    def plan_id(self) -> int:
        """The plan's number."""
        return self.subscription.plan_id

    @property
    def status(self) -> Status:
        """Where it stands. One whose plan's grace or charges ran out stays ACTIVE, and `next_charge` is None."""
        return self.subscription.status

    @property
    def next_due(self) -> int:
        """The start of the next period to be charged; while paused the seconds that were left to it."""
        return self.subscription.next_due

    @property
    def charges(self) -> int:
        """How many charges were made."""
        return self.subscription.charges

    @property
    def seats(self) -> int:
        """How many seats are paid for."""
        return self.subscription.seats

    @property
    def credit_units(self) -> int:
        """Units of the token that the next charges take less."""
        return self.subscription.credit_units

    @property
    def rate_units(self) -> int:
        """What a whole period costs now."""
        return self.plan.terms.rate(self.subscription.seats)


ENDED = {DeclineReason.ENDED, DeclineReason.CANCELLED, DeclineReason.PAUSED}
"""Reasons for which nothing will be charged any more, or not before the payer resumes."""


def describe(connection: Connection, subscription: Subscription, *, history: bool = False) -> SubscriptionState:
    """The state of a subscription that was just read; `history` costs a walk through the contract's logs.

    Raises NodeErrors.
    """
    contract = connection.contract
    plan = contract.plan(subscription.plan_id)
    preview = contract.preview(subscription.subscription_id)
    next_charge = None
    if preview.reason not in ENDED:
        token = connection.token(plan.terms.token)
        missing = DeclineReason.NONE
        if token.allowance(subscription.payer, contract.address) < preview.amount_units:
            missing = DeclineReason.ALLOWANCE
        elif token.balance(subscription.payer) < preview.amount_units:
            missing = DeclineReason.BALANCE
        next_charge = NextCharge(
            *(preview.period_start, preview.period_end, preview.amount_units, preview.credit_used_units),
            *(preview.reason, missing),
        )
    usage_left_units = contract.usage_left(subscription.subscription_id) if plan.terms.usage_cap_units else None
    past = tuple(connection.history().of_subscription(subscription.subscription_id)) if history else None
    return SubscriptionState(subscription, plan, next_charge, usage_left_units, past)
