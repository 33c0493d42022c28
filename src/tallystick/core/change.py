"""Changes of plan or seats: what they cost at once, what they credit, and what refunds need to know of them.

The mirror image of the contract's `changePlan`, to the unit. Where the new plan's periods have the same length and
grid, the difference of what is left of the period moves: each rate's part is rounded down, and the payer pays, or is
credited, one less the other. Otherwise, or where a calendar period was paused, a new period begins now and is charged
in full, or on a plan's fixed grid in part, and what is left of the old one is credited first. Whoever was not charged
yet, in a trial, changes for nothing.

A change that is scheduled moves nothing before the paid period ends: `next_charge` has it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from eth_utils.crypto import keccak

from tallystick.core.period import anchor_day_of
from tallystick.core.plan import MOST_UNITS, Plan, PlanTerms
from tallystick.core.subscription import MAX_CHARGES, Status, Subscription


class Quote(NamedTuple):
    """What a change does. `charged_units` is its price, of which credit pays `credit_used_units` and the payer the rest
    at once; `credit_units` is what is left of the credit. `restarts`: a new period begins now."""

    charged_units: int
    credit_used_units: int
    credit_units: int
    next_due: int
    anchor_day: int
    restarts: bool

    @property
    def to_pay_units(self) -> int:
        """What the payer pays at once."""
        return self.charged_units - self.credit_used_units


NO_CHARGE = 2**256 - 1
"""In place of what the next charge paid, where a change charged nothing."""
AMOUNT_BITS = 96
"""Of a segment's `next_units`; the plan in another token, under which it was paid, stands above them."""


class Segment(NamedTuple):
    """What the payer paid for charges, written down where one is not the plan's rate: before a change or a charge of
    usage, and where credit pays a part. `rate_units` for each up to number `last_charge`, `next_units` for the one
    after it, or NO_CHARGE; where that was paid in another token, the plan under which it was stands above 96 bits."""

    last_charge: int
    rate_units: int
    next_units: int


def in_another_token(alternative_id: int, units: int) -> int:
    """A segment's `next_units`, of a charge that was paid under a plan in another token."""
    return alternative_id << AMOUNT_BITS | units


def paid_in(next_units: int) -> tuple[int, int]:
    """The amount in a segment's `next_units`, and the plan in another token under which it was paid; 0 where it was
    not."""
    return next_units & ((1 << AMOUNT_BITS) - 1), next_units >> AMOUNT_BITS


def quote(subscription: Subscription, terms: PlanTerms, new_terms: PlanTerms, seats: int, time: int) -> Quote:
    """What a change at `time` to a plan with `new_terms` and so many seats would do, as the contract's `quote`.

    `terms` are those of the subscription's plan. Whether it may be made at all, `objection` says.
    """
    due, credit = subscription.next_due, subscription.credit_units
    if not subscription.charges:
        return Quote(0, 0, credit, due, subscription.anchor_day, restarts=False)
    left, whole = _left(subscription, terms, time)
    old_value = terms.rate(subscription.seats) * left // whole
    new_rate, anchor_day = new_terms.rate(seats), subscription.anchor_day
    unmeasured = subscription.shifted and terms.period.is_calendar
    restarts = (terms.period.step, terms.align_to) != (new_terms.period.step, new_terms.align_to) or unmeasured
    if restarts:
        charged = new_rate
        credit += old_value
        anchor_day = anchor_day_of(new_terms.align_to or time)
        if new_terms.align_to:
            due, charged = new_terms.stub(time, new_rate)
        else:
            due = new_terms.period.later(time, 1, anchor_day)
    else:
        difference = new_rate * left // whole - old_value
        charged = max(difference, 0)
        credit += max(-difference, 0)
    used = min(credit, charged)
    return Quote(charged, used, credit - used, due, anchor_day, restarts)


def _left(subscription: Subscription, terms: PlanTerms, time: int) -> tuple[int, int]:
    """The seconds left of the paid period, and those of a whole one. One that was paused has lost its place on the grid
    and counts as the longest of its kind, so that a pause makes nothing worth more than was paid for it. A calendar
    one ends with a change, or an upgrade would be measured by another length than the downgrade before it."""
    due = subscription.next_due
    if subscription.shifted:
        return due - time, terms.period.longest
    return due - time, due - terms.period.later(due, -1, subscription.anchor_day)


def changed(subscription: Subscription, plan_id: int, seats: int, done: Quote) -> Subscription:
    """The subscription after a change, which takes the place of one that was scheduled."""
    return subscription._replace(
        plan_id=plan_id,
        next_due=done.next_due,
        charges=subscription.charges + (done.charged_units != 0),
        anchor_day=done.anchor_day,
        seats=seats,
        credit_units=done.credit_units,
        shifted=subscription.shifted and not done.restarts,
        scheduled=None,
        limits=subscription.limits.spent(done.to_pay_units),
    )


def commitment(history: Iterable[Segment]) -> int:
    """What the contract keeps of a subscription's segments, oldest first: its `history` on chain; 0 for none."""
    found = 0
    for segment in history:
        words = b"".join(value.to_bytes(32, "big") for value in (found, *segment))
        found = int.from_bytes(keccak(words)[16:], "big") | 1
    return found


def objection(subscription: Subscription, plan: Plan, new_plan: Plan, seats: int, time: int) -> str | None:
    """Why a change at `time` is not allowed, as the contract judges; None where it is. `plan` is the subscription's."""
    if refused := _unchangeable(subscription, plan, new_plan, seats, time):
        return refused
    if new_plan.terms.protection:
        return "a plan whose charges are protected is changed at the end of its period"
    if plan.terms.quoter or new_plan.terms.quoter:
        return "a plan with a quoted price is changed at the end of its period"
    if subscription.discount:
        return "a subscription with a discount is changed at the end of its period"
    if subscription.in_alternative:
        return "a period that was paid in another token is changed at its end"
    limits, done = subscription.limits, quote(subscription, plan.terms, new_plan.terms, seats, time)
    cost = new_plan.terms.rate(seats) + new_plan.terms.usage_cap_units
    if 0 < limits.max_per_period_units < cost:
        return f"{cost} units for a period, its usage included, of at most {limits.max_per_period_units}"
    if done.to_pay_units and 0 < limits.ends_at <= time:
        return f"the payer's end has come at {limits.ends_at}"
    if limits.left_units is not None and done.to_pay_units > limits.left_units:
        return f"{done.to_pay_units} units, {limits.left_units} are left of what the payer agreed to in all"
    if done.credit_units > MOST_UNITS:
        return f"{done.credit_units} units of credit are left, at most {MOST_UNITS} can be"
    return None


def schedule_objection(subscription: Subscription, plan: Plan, new_plan: Plan, seats: int, time: int) -> str | None:
    """Why the payer cannot schedule a change at `time`, as the contract judges; None where they can. `plan` is the
    subscription's. A change to what it is takes one back, which another payer does at any time."""
    if (new_plan.plan_id, seats) == (subscription.plan_id, subscription.seats):
        return None if subscription.scheduled else "nothing changes"
    if refused := _unchangeable(subscription, plan, new_plan, seats, time):
        return refused
    if new_plan.terms.quoter and not subscription.limits.max_per_period_units:
        return f"plan {new_plan.plan_id} has a quoted price, and the payer has no maximum"
    return None


def lowering_objection(subscription: Subscription, plan: Plan, new_plan: Plan) -> str | None:
    """Why the payee cannot lower the price to that of `new_plan`, as the contract judges; None where they can. `plan`
    is the one that would be charged next."""
    name = f"plan {new_plan.plan_id}"
    if subscription.status == Status.CANCELLED:
        return f"subscription {subscription.subscription_id} is cancelled"
    if new_plan.terms.fee_receiver == subscription.payer:
        return f"{subscription.payer} receives the fee of {name}"
    if new_plan.register_id != plan.register_id or not new_plan.terms.is_cheaper_than(plan.terms):
        return f"{name} is not plan {plan.plan_id} at lower prices"
    return None


def _unchangeable(subscription: Subscription, plan: Plan, new_plan: Plan, seats: int, time: int) -> str | None:
    """Why the payer cannot change to a plan and so many seats, now or at the end of the period."""
    fewest, most = new_plan.terms.seats_allowed()
    if subscription.status != Status.ACTIVE:
        return f"subscription {subscription.subscription_id} is {subscription.status.name.lower()}"
    if subscription.next_due <= time:
        return f"a charge is due since {subscription.next_due}"
    if refused := _refused(subscription, plan, new_plan, seats):
        return refused
    if not fewest <= seats <= most:
        return f"plan {new_plan.plan_id} has {fewest} to {most} seats, not {seats}"
    return None


def _refused(subscription: Subscription, plan: Plan, new_plan: Plan, seats: int) -> str | None:
    """Why the two plans do not allow the change."""
    old, new, name = plan.terms, new_plan.terms, f"plan {new_plan.plan_id}"
    is_another = new_plan.plan_id != plan.plan_id
    if not is_another and seats == subscription.seats:
        return "nothing changes"
    if new_plan.register_id != plan.register_id:
        return f"{name} is of register {new_plan.register_id}, plan {plan.plan_id} of {plan.register_id}"
    if (old.protection == 0) != (new.protection == 0):
        return f"of {name} and plan {plan.plan_id} one protects charges and the other does not"
    if old.max_charges or new.max_charges or subscription.charges == MAX_CHARGES:
        return "plans that end after a number of charges are not changed"
    if subscription.charges < old.min_charges:
        return f"{subscription.charges} charges were made, {old.min_charges} were agreed to"
    if is_another and (new.min_charges or new_plan.archived):
        return f"{name} {'is archived' if new_plan.archived else 'has a minimum of charges'}"
    if new.fee_receiver == subscription.payer:
        return f"{subscription.payer} receives the fee of {name}"
    if not subscription.charges and (not new.trial or new.family != old.family):
        return f"the trial goes on, and {name} has none, or that of another family"
    return None
