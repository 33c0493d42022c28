"""How a subscription is opened: at once, after a trial, with seats, with conditions; each event checked against the
plan and the ones before it."""

from __future__ import annotations

from tallystick.core.act import Act, refuse
from tallystick.core.events import ConditionsSet, Recorded, SeatsSet, Subscribed
from tallystick.core.period import DAY_S, anchor_day_of
from tallystick.core.plan import Plan, PlanTerms
from tallystick.core.subscription import Status, Subscription

LATEST_START_S = 100 * 366 * DAY_S
"""So long after it was opened a subscription can begin."""


def opened(recorded: Recorded, event: Subscribed, plan: Plan) -> Subscription:
    """The subscription that an event opens. Raises EventsInconsistent where the plan does not allow it."""
    trial = event.first_due - recorded.origin.block_time
    if trial != plan.terms.trial and not 0 <= trial <= LATEST_START_S:
        refuse(recorded, f"it begins after {trial} seconds, allowed are 0 to {LATEST_START_S}")
    if plan.archived:
        refuse(recorded, f"plan {plan.plan_id} is archived")
    if event.payer in {plan.terms.payee, plan.terms.fee_receiver, plan.terms.arbiter}:
        refuse(recorded, f"{event.payer} is paid by plan {plan.plan_id}")
    return Subscription(
        event.subscription_id,
        event.payer,
        event.plan_id,
        event.first_due,
        0,
        Status.ACTIVE,
        anchor_day_of(event.first_due),
    )


def needs_conditions(recorded: Recorded, event: Subscribed, terms: PlanTerms) -> bool:
    """Whether a subscription cannot have been opened so without the payer's conditions: its price is quoted, its
    charges are protected, or it begins when neither the plan's trial ends nor now."""
    trial = event.first_due - recorded.origin.block_time
    return terms.quoter is not None or terms.protection != 0 or trial not in (0, terms.trial)


def seated(recorded: Recorded, event: SeatsSet, subscription: Subscription, terms: PlanTerms, act: Act) -> Subscription:
    """The subscription with the seats that it is opened with. Raises EventsInconsistent."""
    if act.kinds() != [Subscribed]:
        refuse(recorded, f"subscription {event.subscription_id} was not opened just before")
    fewest, most = terms.seats_allowed()
    if not max(fewest, 1) <= event.seats <= most:
        refuse(recorded, f"{event.seats} seats of a plan that has {fewest} to {most}")
    return subscription._replace(seats=event.seats)


def require_opening(recorded: Recorded, act: Act, terms: PlanTerms) -> None:
    """Raises EventsInconsistent where an event goes on with the opening of a subscription, and seats or conditions that
    it must have were not told before."""
    opening = next(act.all(Subscribed), None)
    if opening is None:
        return
    kinds = act.kinds()
    if terms.seat_price_units and SeatsSet not in kinds:
        refuse(recorded, "how many seats it is for was not told")
    if isinstance(recorded.event, ConditionsSet):
        ends_at, first_due = recorded.event.ends_at, opening[1].first_due
        if 0 < ends_at <= first_due:
            refuse(recorded, f"it ends at {ends_at}, before it begins at {first_due}")
    elif needs_conditions(*opening, terms) and ConditionsSet not in kinds:
        refuse(recorded, "the conditions with which it was opened were not told")
