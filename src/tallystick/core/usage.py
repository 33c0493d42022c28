"""Charges of usage, each checked against how its subscription stood: the mirror image of `chargeUsage`."""

from __future__ import annotations

from tallystick.core.act import refuse
from tallystick.core.events import Charged, Recorded, UsageCharged
from tallystick.core.life import require_status
from tallystick.core.plan import PlanTerms
from tallystick.core.subscription import MAX_USAGE_CHARGES, Status, Subscription


def used(
    recorded: Recorded, event: Charged, told: UsageCharged, subscription: Subscription, terms: PlanTerms
) -> Subscription:
    """The subscription after a charge of usage, whose number was found to be the next. `told` is the event before it,
    `terms` are those of the subscription's plan.

    The charge is for the period being served and moves no due time. Raises EventsInconsistent where it cannot follow.
    """
    if told.charge_number != event.charge_number:
        refuse(recorded, f"it is charge {event.charge_number}, usage was told of charge {told.charge_number}")
    require_status(recorded, subscription, Status.ACTIVE, Status.ENDING)
    if not subscription.charges:
        refuse(recorded, "it is for usage within the trial")
    if subscription.has_ended(terms, recorded.origin.block_time):
        refuse(recorded, f"subscription {subscription.subscription_id} has ended")
    if subscription.charges >= MAX_USAGE_CHARGES:
        refuse(
            recorded, f"it is for usage after {subscription.charges} charges, allowed is less than {MAX_USAGE_CHARGES}"
        )
    due = subscription.next_due
    start = terms.period.later(due, -1, subscription.anchor_day)
    if event[2:4] != (start, due):
        refuse(recorded, f"it is for [{event.period_start}, {event.period_end}), served is [{start}, {due})")
    left, dearest, units = subscription.usage_left(terms), terms.usage_limit(told.quantity), event.amount_units
    if not 0 < units <= min(left, dearest):
        refuse(
            recorded,
            f"{units} units for {told.quantity} of usage, which cost at most {dearest}; {left} are left of the period",
        )
    in_all = subscription.limits.left_units
    if in_all is not None and units > in_all:
        refuse(recorded, f"{units} units for usage, {in_all} are left of what the payer agreed to in all")
    if (most := subscription.limits.max_per_period_units) and not terms.quoter:
        cost = subscription.paid_rate(terms) + terms.usage_cap_units - left + units
        if cost > most:
            refuse(recorded, f"{cost} units for a period, its usage included, of at most {most}")
    counted = subscription.usage_units if subscription.usage_charge == subscription.charges else 0
    return subscription._replace(
        charges=event.charge_number,
        usage_units=counted + units,
        usage_charge=event.charge_number,
        limits=subscription.limits.spent(units),
    )
