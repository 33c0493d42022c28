"""What a subscription's logs say of its past: what charges cost before each change of plan or seats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tallystick.core.change import Segment, commitment
from tallystick.core.events import Charged, CreditUsed, PlanChanged, Recorded, SeatsSet, Subscribed
from tallystick.core.plan import Plan
from tallystick.errors import NodeInvalid
from tallystick.flows.connect import Connection


def read_segments(connection: Connection, subscription_id: int) -> list[Segment]:
    """The segments of a subscription that was changed, as `refundChanged` takes them; none where it never was.

    They are compared with what the contract remembers of them. Raises UnknownSubscription, NodeErrors, and NodeInvalid
    where the node left out events.
    """
    expected = connection.contract.commitment(subscription_id)
    if expected == 0:
        return []
    recorded = connection.history().of_subscription(subscription_id)
    plan_ids = {entry.event.plan_id for entry in recorded if isinstance(entry.event, Subscribed | PlanChanged)}
    plans = {plan.plan_id: plan for plan in connection.contract.plans(sorted(plan_ids))}
    segments = segments_of(recorded, plans)
    if commitment(segments) != expected:
        raise NodeInvalid(
            f"the node's events of subscription {subscription_id} give other changes than the contract remembers: it "
            "left some out, or a change was just made. Try again, or ask another node"
        )
    return segments


def segments_of(recorded: Sequence[Recorded], plans: Mapping[int, Plan]) -> list[Segment]:
    """A subscription's segments, from all of its events in their order."""
    segments: list[Segment] = []
    plan_id, seats, charges = 0, 0, 0
    for place, (_, event) in enumerate(recorded):
        match event:
            case Subscribed():
                plan_id = event.plan_id
            case SeatsSet():
                seats = event.seats
            case Charged():
                charges = event.charge_number
            case PlanChanged():
                old, new = plans[plan_id].terms, plans[event.plan_id].terms
                restarts = old.period.step != new.period.step
                dearer = new.rate(event.seats) > old.rate(seats)
                charged = _charged_by(recorded, place) if restarts or dearer else 0
                before = charges - (charged > 0)
                if before:
                    segments.append(Segment(before, old.rate(seats), 0 if restarts else charged))
                plan_id, seats = event.plan_id, event.seats
    return segments


def _charged_by(recorded: Sequence[Recorded], place: int) -> int:
    """What the change at `place` charged, credit included; 0 where it charged nothing.

    Its charge stands right before it, and begins at the moment of the change. So does that of a `charge` in the same
    block only where the whole period is left, and there a change for more charges on its own, too.
    """
    if place == 0:
        return 0
    (origin, event), change = recorded[place - 1], recorded[place].origin
    if not isinstance(event, Charged) or origin.transaction_hash != change.transaction_hash:
        return 0
    if event.period_start != origin.block_time:
        return 0
    used = recorded[place - 2].event if place > 1 else None
    credit_units = 0
    if isinstance(used, CreditUsed) and used.charge_number == event.charge_number:
        credit_units = used.amount_units
    return event.amount_units + credit_units
