"""Changing plan or seats: quoted first, bound by the quote, and funded where the allowance is too low."""

from __future__ import annotations

from dataclasses import dataclass

from tallystick.chain.subscriptions import Sent
from tallystick.core.period import DAY_S, Period
from tallystick.core.plan import Plan, PlanTerms
from tallystick.core.subscription import Subscription
from tallystick.errors import BalanceTooLow
from tallystick.flows.connect import Connection
from tallystick.flows.subscribe import Funding, agreed, rate_of

MINED_WITHIN_S = 600
"""How long a change may take to be mined without costing more than was agreed to."""
_SHORTEST_MONTH_S = 28 * DAY_S


@dataclass(frozen=True, slots=True)
class Offer:
    """A change as it would be now: what the payer pays at once, the credit that is left for later charges, and when the
    next one is due. `max_to_pay_units` is what to agree to: `to_pay_units`, and what a delay of `MINED_WITHIN_S` may
    add to it."""

    plan: Plan
    seats: int
    to_pay_units: int
    credit_units: int
    next_due: int
    max_to_pay_units: int


def quote(connection: Connection, subscription_id: int, plan: int | Plan, seats: int | None = None) -> Offer:
    """What a change would do in the newest block; sends nothing.

    `seats`: those that the subscription has, where the plan sells any, unless given. Raises UnknownSubscription,
    UnknownPlan, SeatsOutOfRange, and what `Subscriptions.change_plan` raises for a change that is not allowed now.
    """
    return _offer(connection, connection.contract.subscription(subscription_id), agreed(connection, plan), seats)


def change_plan(
    connection: Connection,
    subscription_id: int,
    plan: int | Plan,
    *,
    seats: int | None = None,
    max_to_pay_units: int | None = None,
    funding: Funding = Funding.AUTO,
) -> Sent:
    """The signer, who is the payer, changes to a plan of the same payee and token, to other seats, or to both.

    Where `max_to_pay_units` is not given the change is quoted first, and costs no more than the offer says. An
    allowance that is too low for what is paid now is raised by an approval, unless `funding` is ALLOWANCE. Raises
    BalanceTooLow and what `quote` does before anything is sent, and what `Subscriptions.change_plan` raises.
    """
    offer = _offer(connection, connection.contract.subscription(subscription_id), agreed(connection, plan), seats)
    bound_units = offer.max_to_pay_units if max_to_pay_units is None else max_to_pay_units
    token, payer = connection.token(offer.plan.terms.token), connection.sender.address
    to_pay_units = offer.to_pay_units
    if to_pay_units <= bound_units and to_pay_units:
        balance_units = token.balance(payer)
        if balance_units < to_pay_units:
            raise BalanceTooLow(balance_units, to_pay_units)
        contract = connection.contract.address
        needed_units = min(bound_units, offer.max_to_pay_units)
        found_units = token.allowance(payer, contract)
        if funding is not Funding.ALLOWANCE and found_units < needed_units:
            token.approve(connection.sender, contract, found_units + needed_units)
    return connection.contract.change_plan(subscription_id, offer.plan, offer.seats, bound_units)


def _offer(connection: Connection, subscription: Subscription, plan: Plan, seats: int | None) -> Offer:
    if seats is None:
        seats = subscription.seats if plan.terms.seat_price_units else 0
    rate_of(plan.terms, seats)
    found = connection.contract.quote(subscription.subscription_id, plan.plan_id, seats)
    old = connection.contract.plan(subscription.plan_id).terms
    added_units = _drift(old, old.rate(subscription.seats)) if found.to_pay_units else 0
    return Offer(plan, seats, *found, max_to_pay_units=found.to_pay_units + added_units)


def _drift(terms: PlanTerms, rate_units: int) -> int:
    """What a delay may add to a quote: the old plan's price for that time, whose rest is worth less then, and one unit
    that rounding may add."""
    return min(rate_units, rate_units * MINED_WITHIN_S // _shortest(terms.period)) + 1


def _shortest(period: Period) -> int:
    seconds, months = period.step
    return seconds + months * _SHORTEST_MONTH_S
