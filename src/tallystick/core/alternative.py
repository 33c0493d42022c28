"""Plans in another token: which the payee offers as an alternative, which a payer names as the fallback plan, and what
a charge is that was made under it; each checked against how plans and subscription stood."""

from __future__ import annotations

from dataclasses import replace

from tallystick.core.act import refuse
from tallystick.core.events import (
    AlternativeOffered,
    AlternativeWithdrawn,
    FallbackPlanSet,
    PaidInAlternative,
    PlanProposed,
    Recorded,
)
from tallystick.core.plan import Plan, PlanTerms
from tallystick.core.subscription import PER_REGISTER, Fallback, NextCharge, Status, Subscription


def offer_objection(plan: Plan, alternative: Plan) -> str | None:
    """Why the payee cannot offer a plan as an alternative to another, as the contract judges; None where they can."""
    terms, other, names = plan.terms, alternative.terms, f"plan {alternative.plan_id} and plan {plan.plan_id}"
    if terms.payee != other.payee:
        return f"{names} have two payees, {other.payee} and {terms.payee}"
    if plan.register_id == alternative.register_id:
        return f"{names} are in the same token, {terms.token}"
    if (terms.period.step, terms.align_to) != (other.period.step, other.align_to):
        return f"the periods of {names} differ"
    if (terms.seat_price_units == 0) != (other.seat_price_units == 0):
        return f"one of {names} sells seats, the other does not"
    for one in (plan, alternative):
        if one.terms.quoter or one.terms.refunds_unused or one.terms.protection:
            return f"plan {one.plan_id} has a quoted price or a protection, or promises refunds of what is unused"
    return None


def offered(recorded: Recorded, event: AlternativeOffered, plan: Plan, alternative: Plan) -> Plan:
    """The plan after its payee offered an alternative. Raises EventsInconsistent where they could not."""
    if refused := offer_objection(plan, alternative):
        refuse(recorded, refused)
    if event.alternative_plan_id in plan.alternatives:
        refuse(recorded, f"plan {alternative.plan_id} is an alternative to plan {plan.plan_id} already")
    return replace(plan, alternatives=tuple(sorted((*plan.alternatives, event.alternative_plan_id))))


def withdrawn(recorded: Recorded, event: AlternativeWithdrawn, plan: Plan) -> Plan:
    """The plan after an alternative was withdrawn. Raises EventsInconsistent where there was none."""
    if event.alternative_plan_id not in plan.alternatives:
        refuse(recorded, f"plan {event.alternative_plan_id} is no alternative to plan {plan.plan_id}")
    return replace(plan, alternatives=tuple(one for one in plan.alternatives if one != event.alternative_plan_id))


def is_alternative(plan: Plan, alternative: Plan) -> bool:
    """Whether one payee is paid under both and offers the second in the place of the first."""
    return alternative.plan_id in plan.alternatives and plan.terms.payee == alternative.terms.payee


def named(
    recorded: Recorded, event: FallbackPlanSet, subscription: Subscription, plan: Plan, alternative: Plan
) -> Subscription:
    """The subscription after its payer named a fallback plan, for its present plan and seats; `plan` is its own. Raises
    EventsInconsistent where they could not."""
    terms, name = alternative.terms, f"plan {event.alternative_plan_id}"
    fewest, most = terms.seats_allowed()
    if subscription.status == Status.CANCELLED:
        refuse(recorded, f"subscription {subscription.subscription_id} is cancelled")
    if not is_alternative(plan, alternative):
        refuse(recorded, f"{name} is no alternative to plan {plan.plan_id}")
    if alternative.archived:
        refuse(recorded, f"{name} is archived")
    if subscription.payer in {terms.payee, terms.fee_receiver}:
        refuse(recorded, f"{subscription.payer} is paid under {name}")
    if not fewest <= subscription.seats <= most:
        refuse(recorded, f"{name} has {fewest} to {most} seats, not {subscription.seats}")
    if subscription.limits.are_amounts:
        refuse(recorded, "the payer's limits are amounts of the first token")
    fallback = Fallback(None, subscription.plan_id, subscription.seats, event.alternative_plan_id)
    return subscription._replace(fallback=fallback)


def in_alternative(
    recorded: Recorded,
    told: PaidInAlternative,
    charge_number: int,
    subscription: Subscription,
    due: NextCharge,
    plan: Plan,
    alternative: Plan,
) -> NextCharge:
    """What is due as it is paid under the subscription's fallback plan; `plan` is the one that holds. Raises
    EventsInconsistent where payer and payee did not agree to it."""
    agreed = Fallback(None, due.plan_id, due.seats, told.alternative_plan_id)
    if told.charge_number != charge_number:
        refuse(recorded, f"it is told of charge {told.charge_number}")
    if subscription.fallback != agreed:
        refuse(recorded, f"the payer did not agree to pay for plan {due.plan_id} under {told.alternative_plan_id}")
    if not is_alternative(plan, alternative):
        refuse(recorded, f"plan {told.alternative_plan_id} is no alternative to plan {due.plan_id}")
    if subscription.limits.are_amounts:
        refuse(recorded, "the payer's limits are amounts of the first token")
    if not due.amount_units:
        refuse(recorded, "the payer had to pay nothing")
    return under(due, alternative.terms)


def under(due: NextCharge, terms: PlanTerms) -> NextCharge:
    """What is due, as it is paid under an alternative with these terms: at its rate for just this period, without
    discount and credit, which are amounts of the first token."""
    rate = units = terms.rate(due.seats)
    if terms.is_stub(due.period_start, due.period_end):
        _, units = terms.stub(due.period_start, rate)
    return due._replace(
        amount_units=units, credit_units=0, discount_units=0, price_units=units, asked_units=units, rate_units=rate
    )


def require_proposable(recorded: Recorded, event: PlanProposed, subscription: Subscription, plan: Plan) -> None:
    """Raises EventsInconsistent where the payee of the plan could not have proposed it."""
    if plan.archived:
        refuse(recorded, f"plan {plan.plan_id} is archived")
    if event.subscription_id // PER_REGISTER != plan.register_id:
        refuse(recorded, f"plan {plan.plan_id} is of register {plan.register_id}")
    if subscription.status == Status.CANCELLED:
        refuse(recorded, f"subscription {subscription.subscription_id} is cancelled")
