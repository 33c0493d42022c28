"""Charges of periods, each checked against how its subscription stood and what was told before it: the change that was
scheduled, the quoted price, the discount, the credit, the wallet that paid, and what the contract keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tallystick.core.act import Act, refuse
from tallystick.core.alternative import in_alternative
from tallystick.core.events import (
    Charged,
    Claimable,
    CreditUsed,
    Discounted,
    Event,
    PaidByFallback,
    PaidInAlternative,
    PlanChanged,
    Protected,
    Quoted,
    Recorded,
)
from tallystick.core.ledger import Kept
from tallystick.core.opening import require_opening
from tallystick.core.plan import Plan, PlanTerms
from tallystick.core.subscription import NextCharge, Subscription, next_charge, over_limit


class PeriodCharge(NamedTuple):
    """A charge of a period: what it was, the plan under which it was made, which may be one in another token, the
    subscription after it, who paid in the payer's place, if somebody did, and the payment in which the escrow holds it,
    if it does."""

    due: NextCharge
    plan: Plan
    subscription: Subscription
    paid_by: str | None
    payment_id: bytes | None


def charged(
    recorded: Recorded, event: Charged, subscription: Subscription, plans: Mapping[int, Plan], act: Act
) -> PeriodCharge:
    """The charge of the period that is due, whose number was found to be the next; `act` is what was told before it.

    Raises EventsInconsistent where it cannot follow.
    """
    time = recorded.origin.block_time
    plan = plans[subscription.plan_id]
    if subscription.has_ended(plan.terms, time):
        refuse(recorded, f"subscription {subscription.subscription_id} has ended")
    coming = plans[subscription.scheduled.plan_id] if subscription.scheduled else plan
    quoted = next(act.all(Quoted), None)
    due = next_charge(subscription, plan.terms, time, coming.terms, quoted[1].amount_units if quoted else None)
    paid_under = coming
    elsewhere = next(act.all(PaidInAlternative), None)
    if elsewhere:
        at, told = elsewhere
        paid_under = plans.get(told.alternative_plan_id) or refuse(at, "the plan is unknown")
        due = in_alternative(at, told, event.charge_number, subscription, due, coming, paid_under)
    if event[2:] != due[:3]:
        refuse(recorded, f"it is {said(*event[2:])}, expected {said(*due[:3])}")
    paid_by = None
    has_terms = coming.terms.quoter or coming.terms.protection
    if act or subscription.scheduled or has_terms or due.discount_units or due.credit_units:
        paid_by = _require_parts(recorded, event, subscription, coming.terms, due, act)
    if not elsewhere and (refused := over_limit(subscription, coming.terms, due)):
        refuse(recorded, refused)
    after = subscription.after(due, coming.terms)
    if elsewhere:  # a discount is of the plan's own token
        after = after._replace(discount=subscription.discount, in_alternative=True)
    payment_id = next((told.payment_id for _, told in act.all(Protected)), None)
    return PeriodCharge(due, paid_under, after, paid_by, payment_id)


def _require_parts(
    recorded: Recorded, event: Charged, subscription: Subscription, terms: PlanTerms, due: NextCharge, act: Act
) -> str | None:
    """Raises EventsInconsistent unless everything of which a charge is made was told before it, and nothing else; who
    paid in the payer's place."""
    require_opening(recorded, act, terms)
    number = event.charge_number
    scheduled = subscription.scheduled
    _require_part(
        recorded,
        act,
        PlanChanged,
        (scheduled.plan_id, scheduled.seats, subscription.credit_units) if scheduled else None,
    )
    _require_part(recorded, act, Quoted, (number, due.asked_units, due.price_units) if terms.quoter else None)
    _require_part(recorded, act, Discounted, (number, due.discount_units) if due.discount_units else None)
    require_credit(recorded, act, number, due.credit_units)
    held = [payment.charge_number for _, payment in act.all(Protected)]
    if held != ([number] if terms.protection and due.amount_units else []):
        refuse(
            recorded, f"a charge under a protection of {terms.protection} seconds has {len(held)} payments in escrow"
        )
    told = [paid for _, paid in act.all(PaidByFallback)]
    if not told:
        return None
    fallback = subscription.fallback
    if fallback is None or fallback.wallet is None or fallback[1:3] != (due.plan_id, due.seats):
        refuse(recorded, f"{told[0].wallet} did not agree to pay for plan {due.plan_id} with {due.seats} seats")
    _require_part(recorded, act, PaidByFallback, (number, fallback.wallet))
    if not due.amount_units or fallback.wallet == subscription.payer:
        refuse(recorded, f"{told[0].wallet} paid in the place of {subscription.payer}, who had to pay nothing")
    return told[0].wallet


def _require_part(recorded: Recorded, act: Act, kind: type[Event], expected: tuple[object, ...] | None) -> None:
    told = [tuple(part)[1:] for _, part in act.all(kind)]
    if told != ([] if expected is None else [expected]):
        refuse(recorded, f"expected is {kind.__name__} of {expected or 'nothing'}, told were {told or 'none'}")


def require_credit(recorded: Recorded, act: Act, charge_number: int, units: int) -> None:
    """Raises EventsInconsistent unless the credit that a charge was told to use is what it must use."""
    told = [used[1:] for _, used in act.all(CreditUsed)]
    if told != ([(charge_number, units)] if units else []):
        refuse(recorded, f"it uses {units} units of credit, told were {told or 'none'}")


def kept_parts(recorded: Recorded, event: Charged, terms: PlanTerms, act: Act) -> tuple[Kept, list[Claimable]]:
    """What the contract keeps of a charge, out of the events before it. Raises EventsInconsistent for what is no part
    of it."""
    fee = terms.fee(event.amount_units)
    payee_part = (terms.payee, event.amount_units - fee)
    parts = [payee_part, (terms.fee_receiver, fee)] if fee else [payee_part]
    found: list[int] = []
    claimables = []
    for _, claimable in act.all(Claimable):
        account, token, _, units = claimable
        at = next((at for at, part in enumerate(parts) if part == (account, units) and at not in found), None)
        if at is None or token != terms.token or not units:
            refuse(recorded, f"{units} units of {token} are kept for {account}, which are no part of it")
        found.append(at)
        claimables.append(claimable)
    return Kept(0 in found, 1 in found), claimables


def said(start: int, end: int, units: int) -> str:
    """A charge in the message of a refusal."""
    return f"{units} units for [{start}, {end})"
