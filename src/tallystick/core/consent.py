"""What becomes of a subscription by what its payer agrees to, when it is opened or later: conditions, coupons, another
wallet that pays, a change that is scheduled; each checked against how it stood."""

from __future__ import annotations

from tallystick.core.act import refuse
from tallystick.core.change import lowering_objection, schedule_objection
from tallystick.core.events import (
    ChangeScheduled,
    ConditionsSet,
    CouponRedeemed,
    FallbackSet,
    PayerChanged,
    PriceLowered,
    Recorded,
)
from tallystick.core.life import require_status
from tallystick.core.plan import Plan, PlanTerms
from tallystick.core.subscription import Discount, Fallback, Limits, Scheduled, Status, Subscription

ConsentEvent = ConditionsSet | CouponRedeemed | FallbackSet | PayerChanged

_LIVING = (Status.ACTIVE, Status.ENDING, Status.PAUSED)


def consented(recorded: Recorded, event: ConsentEvent, subscription: Subscription, terms: PlanTerms) -> Subscription:
    """The subscription after an event of its payer's consent; `terms` are those of its plan.

    Raises EventsInconsistent where the event cannot follow.
    """
    if not (isinstance(event, FallbackSet) and event.wallet is None):
        require_status(recorded, subscription, *_LIVING)
    match event:
        case ConditionsSet():
            if terms.quoter and not event.max_per_period_units:
                refuse(recorded, f"it has no maximum, which plan {subscription.plan_id} with its quoted price needs")
            limits = Limits(event.max_per_period_units, event.max_total_units or None, event.ends_at)
            return subscription._replace(limits=limits, beneficiary=event.beneficiary, by_permit2=event.by_permit2)
        case CouponRedeemed():
            if subscription.discount:
                refuse(recorded, "another coupon is running")
            if event.plan_id not in (0, subscription.plan_id):
                refuse(recorded, f"it is for plan {event.plan_id}, the subscription is of {subscription.plan_id}")
            off = Discount(event.basis_points_off, event.amount_off_units, event.periods, event.plan_id)
            if not event.periods or not (event.basis_points_off or event.amount_off_units):
                refuse(recorded, "it takes nothing off")
            return subscription._replace(discount=off)
        case FallbackSet():
            return subscription._replace(fallback=_fallback(recorded, event, subscription, terms))
        case PayerChanged():
            return _with_payer(recorded, event, subscription, terms)


def _fallback(recorded: Recorded, event: FallbackSet, subscription: Subscription, terms: PlanTerms) -> Fallback | None:
    """For the present plan and seats, to which it agreed."""
    if event.wallet is None:
        if subscription.fallback is None:
            refuse(recorded, "there is no fallback that could be dropped")
        return None
    if event.wallet in {terms.payee, terms.fee_receiver}:
        refuse(recorded, f"{event.wallet} receives the charges, or their fee")
    if terms.quoter:
        refuse(recorded, f"the price of plan {subscription.plan_id} is quoted, for which no other wallet pays")
    return Fallback(event.wallet, subscription.plan_id, subscription.seats)


def _with_payer(recorded: Recorded, event: PayerChanged, subscription: Subscription, terms: PlanTerms) -> Subscription:
    """What the old payer had scheduled, and the wallet that stood in for it, were dropped before."""
    if event.payer != subscription.payer:
        refuse(recorded, f"{event.payer} paid until then, by the books {subscription.payer}")
    if event.new_payer in {subscription.payer, terms.payee, terms.fee_receiver}:
        refuse(recorded, f"{event.new_payer} pays already, or is paid")
    if subscription.status == Status.ACTIVE and subscription.next_due <= recorded.origin.block_time:
        refuse(recorded, f"a charge is due since {subscription.next_due}")
    if subscription.scheduled or subscription.fallback:
        refuse(recorded, "the old payer's scheduled change or fallback was not dropped before")
    return subscription._replace(payer=event.new_payer, by_permit2=False)


def scheduled(
    recorded: Recorded, event: ChangeScheduled, subscription: Subscription, plan: Plan, new_plan: Plan
) -> Subscription:
    """The subscription after a change was scheduled or taken back; `plan` is the subscription's.

    Raises EventsInconsistent where its payer could not have done that.
    """
    require_status(recorded, subscription, *_LIVING)
    if refused := schedule_objection(subscription, plan, new_plan, event.seats, recorded.origin.block_time):
        refuse(recorded, refused)
    coming = Scheduled(event.plan_id, event.seats)
    is_present = coming == (subscription.plan_id, subscription.seats)
    return subscription._replace(scheduled=None if is_present else coming)


def lowered(
    recorded: Recorded, event: PriceLowered, subscription: Subscription, plan: Plan, new_plan: Plan
) -> Subscription:
    """The subscription after its payee scheduled lower prices; `plan` is the one that would be charged next.

    Raises EventsInconsistent where the payee could not have done that.
    """
    if refused := lowering_objection(subscription, plan, new_plan):
        refuse(recorded, refused)
    seats = subscription.scheduled.seats if subscription.scheduled else subscription.seats
    if event.seats != seats:
        refuse(recorded, f"it is for {event.seats} seats, {seats} would be charged next")
    discount, fallback = subscription.discount, subscription.fallback
    if discount and discount.plan_id == plan.plan_id:
        discount = discount._replace(plan_id=event.plan_id)
    if fallback and fallback.plan_id == plan.plan_id:
        receives = fallback.wallet is not None and fallback.wallet == new_plan.terms.fee_receiver
        fallback = fallback if receives else fallback._replace(plan_id=event.plan_id)
    return subscription._replace(scheduled=Scheduled(event.plan_id, seats), discount=discount, fallback=fallback)
