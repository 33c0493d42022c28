"""What a subscription's logs say of its past: what was paid for charges that were not the plan's rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tallystick.core.change import NO_CHARGE, Segment, commitment
from tallystick.core.events import Charged, CreditUsed, PlanChanged, Recorded, Resumed, SeatsSet, Subscribed
from tallystick.core.plan import Plan
from tallystick.errors import NodeInvalid
from tallystick.flows.connect import Connection


def read_segments(connection: Connection, subscription_id: int) -> list[Segment]:
    """The segments of a subscription that was changed or used credit, as `refundChanged` takes them; none for others.

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
            f"the node's events of subscription {subscription_id} give another history than the contract remembers: "
            "it left some out, or a change was just made. Try again, or ask another node"
        )
    return segments


def segments_of(recorded: Sequence[Recorded], plans: Mapping[int, Plan]) -> list[Segment]:
    """A subscription's segments, from all of its events in their order: one for each change after the first charge, and
    one for each other charge that used credit."""
    return _Walk(recorded, plans).segments


class _Walk:
    """Goes through a subscription's events once. `held` is the segment of a charge that used credit, until the next
    event tells whether a change made that charge; `shifted` and `was_shifted` are after and before the last charge."""

    def __init__(self, recorded: Sequence[Recorded], plans: Mapping[int, Plan]) -> None:
        self.segments: list[Segment] = []
        self._plans = plans
        self._plan_id = self._seats = self._charges = 0
        self._held: Segment | None = None
        self._shifted = self._was_shifted = False
        for place, (_, event) in enumerate(recorded):
            if isinstance(event, PlanChanged):
                self._change(event, _charge_before(recorded, place), _credit_before(recorded, place - 1))
                continue
            self._release()
            match event:
                case Subscribed():
                    self._plan_id = event.plan_id
                case SeatsSet():
                    self._seats = event.seats
                case Resumed():
                    self._shifted = True
                case Charged():
                    self._charge(event, _credit_before(recorded, place))
        self._release()

    def _rate(self, plan_id: int, seats: int) -> int:
        return self._plans[plan_id].terms.rate(seats)

    def _release(self) -> None:
        if self._held is not None:
            self.segments.append(self._held)
            self._held = None

    def _charge(self, event: Charged, credit_units: int) -> None:
        self._charges = event.charge_number
        self._was_shifted, self._shifted = self._shifted, False
        if credit_units:
            rate_units = self._rate(self._plan_id, self._seats)
            self._held = Segment(event.charge_number - 1, rate_units, event.amount_units)

    def _change(self, event: PlanChanged, before: Charged | None, credit_units: int) -> None:
        """`before` is a charge right before it, which the change made itself or not; it used `credit_units`."""
        old_rate, new_rate = self._rate(self._plan_id, self._seats), self._rate(event.plan_id, event.seats)
        old, new = (self._plans[plan_id].terms.period for plan_id in (self._plan_id, event.plan_id))
        restarts, own = old.step != new.step, False
        if before is not None:
            # Of a period that was paused, the change begins a new one and charges it whole; `charge` took the old rate.
            measured = not (self._was_shifted and old.is_calendar)
            restarts = restarts or (not measured and before.amount_units + credit_units == new_rate)
            own = restarts or new_rate > old_rate
        if own and before is not None:
            self._held = None
            self.segments.append(Segment(before.charge_number - 1, old_rate, before.amount_units))
            self._shifted = self._was_shifted and not restarts
        else:
            self._release()
            if self._charges:
                self.segments.append(Segment(self._charges, old_rate, NO_CHARGE))
        self._plan_id, self._seats = event.plan_id, event.seats


def _charge_before(recorded: Sequence[Recorded], place: int) -> Charged | None:
    """The charge right before the change at `place`, where the change may have made it: in its transaction, of a period
    that begins then.

    A `charge` in the same transaction can be of such a period, too. Then the whole of it is left, and a change for more
    charges on its own behind it.
    """
    if place == 0:
        return None
    (origin, event), change = recorded[place - 1], recorded[place].origin
    if not isinstance(event, Charged) or origin.transaction_hash != change.transaction_hash:
        return None
    return event if event.period_start == origin.block_time else None


def _credit_before(recorded: Sequence[Recorded], place: int) -> int:
    """What credit paid of the charge at `place`."""
    event = recorded[place - 1].event if place > 0 else None
    return event.amount_units if isinstance(event, CreditUsed) else 0
