"""Changing plan or seats: at once, quoted first and bound by the quote, or when the paid period ends.

Unless told otherwise a downgrade waits for the period's end, so that what was paid is used, and an upgrade is made now.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from enum import Enum

from tallystick.chain.subscriptions import Sent
from tallystick.core.period import DAY_S, Period
from tallystick.core.plan import Plan, PlanTerms
from tallystick.core.plan_change import PlanChange, SignedPlanChange, typed_data
from tallystick.core.subscription import Subscription
from tallystick.errors import BalanceTooLow, NotAuthorized
from tallystick.flows.connect import Connection
from tallystick.flows.fund import Funding, approve_needed, rate_of
from tallystick.flows.submit import require_here
from tallystick.flows.subscribe import agreed

PLAN_CHANGE_VALID_S = 7 * DAY_S
MINED_WITHIN_S = 600
"""How long a change may take to be mined without costing more than was agreed to."""
_SHORTEST_MONTH_S = 28 * DAY_S


class When(Enum):
    """When a change of plan or seats is made."""

    NOW = "now"
    PERIOD_END = "period-end"


@dataclass(frozen=True, slots=True)
class Offer:
    """A change as it would be: what the payer pays at once, the credit that is left for later charges, and when the
    next one is due, which at the period's end is the first for the new plan and seats. `max_to_pay_units` is what to
    agree to: `to_pay_units`, and what a delay of `MINED_WITHIN_S` may add to it."""

    plan: Plan
    seats: int
    to_pay_units: int
    credit_units: int
    next_due: int
    max_to_pay_units: int
    when: When = When.NOW


def quote(
    connection: Connection, subscription_id: int, plan: int | Plan, seats: int | None = None, when: When | None = None
) -> Offer:
    """What a change would do in the newest block; sends nothing.

    `seats`: those that the subscription has, where the plan sells any, unless given. `when`: see `usual_when`. Raises
    UnknownSubscription, UnknownPlan, SeatsOutOfRange, and what `Subscriptions.change_plan` or `schedule_change` raises
    for a change that is not allowed.
    """
    return _offer(connection, connection.contract.subscription(subscription_id), agreed(connection, plan), seats, when)


def change_plan(
    connection: Connection,
    subscription_id: int,
    plan: int | Plan,
    *,
    seats: int | None = None,
    when: When | None = None,
    max_to_pay_units: int | None = None,
    funding: Funding = Funding.AUTO,
) -> Sent:
    """The signer, who is the payer, changes to a plan of the same payee and token, to other seats, or to both.

    At the period's end (`when`; see `usual_when`) nothing is paid before; the present plan and seats take back what was
    scheduled. At once, where `max_to_pay_units` is not given, the change is quoted first and costs no more than the
    offer says; an allowance that is too low for what is paid now is raised by an approval, unless `funding` is
    ALLOWANCE. Raises BalanceTooLow and what `quote` does before anything is sent, and what `Subscriptions.change_plan`
    or `schedule_change` raises.
    """
    subscription = connection.contract.subscription(subscription_id)
    offer = _offer(connection, subscription, agreed(connection, plan), seats, when)
    if offer.when is When.PERIOD_END:
        return connection.contract.schedule_change(subscription_id, offer.plan, offer.seats)
    bound_units = offer.max_to_pay_units if max_to_pay_units is None else max_to_pay_units
    if 0 < offer.to_pay_units <= bound_units:
        _fund(connection, subscription_id, offer, min(bound_units, offer.max_to_pay_units), funding)
    return connection.contract.change_plan(subscription_id, offer.plan, offer.seats, bound_units)


def sign_plan_change(
    connection: Connection,
    subscription_id: int,
    plan: int | Plan,
    *,
    seats: int | None = None,
    valid_s: int = PLAN_CHANGE_VALID_S,
    salt: int | None = None,
) -> SignedPlanChange:
    """The signer, who is the payer, changes plan, seats or both when the paid period ends, without sending anything;
    anyone may submit it within `valid_s` seconds, in the period that is paid now or a later one.

    Raises NotAuthorized, and what `quote` does for a change that is not allowed.
    """
    signer = connection.sender.signer
    subscription = connection.contract.subscription(subscription_id)
    if subscription.payer != signer.address:
        raise NotAuthorized(signer.address)
    offer = _offer(connection, subscription, agreed(connection, plan), seats, When.PERIOD_END)
    change = PlanChange(
        subscription_id=subscription_id,
        payer=signer.address,
        plan_id=offer.plan.plan_id,
        seats=offer.seats,
        salt=secrets.randbits(256) if salt is None else salt,
        valid_before=connection.node.timestamp() + valid_s,
    )
    chain_id, contract = connection.node.chain_id, connection.contract.address
    message = typed_data(change, offer.plan, chain_id=chain_id, contract=contract)
    return SignedPlanChange(chain_id, contract, change, signer.sign_typed_data(message))


def submit_plan_change(connection: Connection, signed: SignedPlanChange) -> Sent:
    """Submits a payer's change of plan; the signer here pays the gas.

    Raises InputError for one for another chain or contract, and what `Subscriptions.schedule_change_by_signature`
    raises.
    """
    require_here(connection, "change of plan", signed.chain_id, signed.contract)
    return connection.contract.schedule_change_by_signature(signed)


def usual_when(subscription: Subscription, old: PlanTerms, plan: Plan, seats: int) -> When:
    """When a change is made unless the payer says: when the paid period ends where the rate is lower, where a price is
    quoted or charges are protected, of which what is left has no exact value, and where it takes back what was
    scheduled. Anything else now, and so is everything in a trial of unprotected plans, where nothing was paid."""
    new = plan.terms
    if (plan.plan_id, seats) == (subscription.plan_id, subscription.seats):
        return When.PERIOD_END
    if not subscription.charges and not new.protection:
        return When.NOW
    if old.quoter or new.quoter or new.protection:
        return When.PERIOD_END
    return When.PERIOD_END if new.rate(seats) < old.rate(subscription.seats) else When.NOW


def _fund(connection: Connection, subscription_id: int, offer: Offer, needed_units: int, funding: Funding) -> None:
    """Balance and allowance for what is paid now. Raises BalanceTooLow."""
    token, payer = offer.plan.terms.token, connection.sender.address
    balance_units = connection.token(token).balance(payer)
    if balance_units < offer.to_pay_units:
        raise BalanceTooLow(balance_units, offer.to_pay_units)
    by_permit2 = connection.contract.conditions(subscription_id).by_permit2
    if funding is not Funding.ALLOWANCE:
        approve_needed(connection, token, needed_units, Funding.AUTO, by_permit2=by_permit2)


def _offer(
    connection: Connection, subscription: Subscription, plan: Plan, seats: int | None, when: When | None
) -> Offer:
    number = subscription.subscription_id
    if seats is None:
        seats = subscription.seats if plan.terms.seat_price_units else 0
    rate_of(plan.terms, seats)
    old = connection.contract.plan(subscription.plan_id).terms
    when = usual_when(subscription, old, plan, seats) if when is None else when
    if when is When.PERIOD_END:
        connection.contract.try_schedule(number, plan, seats, subscription.payer)
        return Offer(plan, seats, 0, subscription.credit_units, subscription.next_due, 0, when)
    found = connection.contract.quote(number, plan.plan_id, seats)
    added_units = _drift(old, old.rate(subscription.seats)) if found.to_pay_units else 0
    return Offer(plan, seats, *found, max_to_pay_units=found.to_pay_units + added_units, when=when)


def _drift(terms: PlanTerms, rate_units: int) -> int:
    """What a delay may add to a quote: the old plan's price for that time, whose rest is worth less then, and one unit
    that rounding may add."""
    return min(rate_units, rate_units * MINED_WITHIN_S // _shortest(terms.period)) + 1


def _shortest(period: Period) -> int:
    seconds, months = period.step
    return seconds + months * _SHORTEST_MONTH_S
