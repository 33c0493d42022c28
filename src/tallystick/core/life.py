"""What becomes of a subscription without a charge: paused, resumed, cancelled; each checked against how it stood."""

from __future__ import annotations

from tallystick.core.act import refuse
from tallystick.core.events import CancellationScheduled, Cancelled, Paused, Recorded, Resumed
from tallystick.core.period import anchor_day_of
from tallystick.core.subscription import Status, Subscription

LifeEvent = Cancelled | CancellationScheduled | Paused | Resumed


def lived(recorded: Recorded, event: LifeEvent, subscription: Subscription) -> Subscription:
    """The subscription after an event of its life. Raises EventsInconsistent where the event cannot follow."""
    time, due = recorded.origin.block_time, subscription.next_due
    match event:
        case CancellationScheduled():
            require_status(recorded, subscription, Status.ACTIVE)
            if event.ends_at != due:
                refuse(recorded, f"it ends at {event.ends_at}, the paid period at {due}")
            return subscription._replace(status=Status.ENDING)
        case Cancelled():
            require_status(recorded, subscription, Status.ACTIVE, Status.ENDING, Status.PAUSED)
            if subscription.status == Status.PAUSED:  # what was left of the paid period is left from now
                due += time
            return subscription._replace(status=Status.CANCELLED, next_due=due)
        case Paused():
            require_status(recorded, subscription, Status.ACTIVE)
            if event.left != due - time or event.left <= 0:
                refuse(recorded, f"{event.left} seconds left of a period that ends at {due}")
            return subscription._replace(status=Status.PAUSED, next_due=event.left, shifted=False)
        case Resumed():
            require_status(recorded, subscription, Status.PAUSED)
            if event.next_due != time + due:
                refuse(recorded, f"it is due at {event.next_due}, after {due} seconds left")
            anchor_day = anchor_day_of(event.next_due)
            return subscription._replace(
                status=Status.ACTIVE, next_due=event.next_due, anchor_day=anchor_day, shifted=True
            )


def require_status(recorded: Recorded, subscription: Subscription, *allowed: Status) -> None:
    """Raises EventsInconsistent where a subscription stands elsewhere."""
    if subscription.status not in allowed:
        refuse(recorded, f"subscription {subscription.subscription_id} is {subscription.status.name.lower()}")
