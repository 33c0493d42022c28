"""What a subscription's logs say of its past: what was paid for charges that were not the plan's rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tallystick.core.change import NO_CHARGE, Segment, commitment
from tallystick.core.events import (
    Charged,
    PlanChanged,
    Quoted,
    Recorded,
    Resumed,
    SeatsSet,
    Subscribed,
    Upgraded,
    UsageCharged,
)
from tallystick.core.plan import Plan
from tallystick.errors import NodeInvalid
from tallystick.flows.connect import Connection


def read_segments(connection: Connection, subscription_id: int) -> list[Segment]:
    """The segments of a subscription that did not only pay its plan's rate, as `refundChanged` takes them; none for
    others.

    They are compared with what the contract remembers of them. Raises UnknownSubscription, NodeErrors, and NodeInvalid
    where the node left out events.
    """
    expected = connection.contract.commitment(subscription_id)
    if expected == 0:
        return []
    recorded = connection.history().of_subscription(subscription_id)
    plan_ids = {
        entry.event.plan_id for entry in recorded if isinstance(entry.event, Subscribed | PlanChanged | Upgraded)
    }
    plans = {plan.plan_id: plan for plan in connection.contract.plans(sorted(plan_ids))}
    segments = segments_of(recorded, plans)
    if commitment(segments) != expected:
        raise NodeInvalid(
            f"the node's events of subscription {subscription_id} give another history than the contract remembers: "
            "it left some out, or a change was just made. Try again, or ask another node"
        )
    return segments


def segments_of(recorded: Sequence[Recorded], plans: Mapping[int, Plan]) -> list[Segment]:
    """A subscription's segments, from all of its events in their order: one for each change after the first charge, and
    one for each other charge that was not the plan's rate (a part of a period, a discount, credit), had its price
    quoted, or was for usage.

    A charge before its time is one that a change made, unless it is for usage: `charge` makes none then, and a change
    none later. A change that was scheduled comes before the charge with which it begins.
    """
    segments: list[Segment] = []
    plan_id, seats, charges, due = 0, 0, 0, 0
    changing = special = used = False
    for origin, event in recorded:
        match event:
            case Subscribed():
                plan_id, due = event.plan_id, event.first_due
            case SeatsSet():
                seats = event.seats
            case Resumed():
                due = event.next_due
            case Quoted():
                special = True
            case UsageCharged():
                special = used = True
            case Charged():
                changing = origin.block_time < due and not used
                rate_units = plans[plan_id].terms.rate(seats)
                if changing or special or event.amount_units != rate_units:
                    segments.append(Segment(event.charge_number - 1, rate_units, event.amount_units))
                charges, due = event.charge_number, event.period_end
                special = used = False
            case PlanChanged():
                if charges and not changing:
                    segments.append(Segment(charges, plans[plan_id].terms.rate(seats), NO_CHARGE))
                plan_id, seats, changing = event.plan_id, event.seats, False
            case Upgraded():
                rate_units = plans[plan_id].terms.rate(seats)
                segments.append(Segment(event.charge_number - 1, rate_units, event.amount_units))
                plan_id, charges = event.plan_id, event.charge_number
    return segments
