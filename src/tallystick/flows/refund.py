"""Refunds: the payee gives back all or a part of a charge, from its own balance."""

from __future__ import annotations

from dataclasses import dataclass

from tallystick.chain.subscriptions import Sent
from tallystick.core.plan import PlanTerms
from tallystick.errors import NotAuthorized, RefundTooHigh, UnknownCharge
from tallystick.flows.connect import Connection


@dataclass(frozen=True, slots=True)
class Refundable:
    """A charge as far as it can be given back: the plan's terms, and the units that are left of it."""

    terms: PlanTerms
    left_units: int


def refundable(connection: Connection, subscription_id: int, charge_number: int) -> Refundable:
    """What is left of a charge. Raises UnknownSubscription or UnknownCharge."""
    subscription = connection.contract.subscription(subscription_id)
    if not 1 <= charge_number <= subscription.charges:
        raise UnknownCharge(subscription_id, charge_number, subscription.charges)
    terms = connection.contract.plan(subscription.plan_id).terms
    return Refundable(terms, terms.price_units - connection.contract.refunded(subscription_id, charge_number))


def refund(connection: Connection, subscription_id: int, charge_number: int, amount_units: int | None = None) -> Sent:
    """Gives back `amount_units`, or all that is left of the charge; the signer must be the plan's payee.

    An allowance that is too low is raised by an approval first. Raises RefundTooHigh, NotAuthorized, and what
    `Subscriptions.refund` raises, before anything is sent.
    """
    found = refundable(connection, subscription_id, charge_number)
    units = found.left_units if amount_units is None else amount_units
    if units > found.left_units or found.left_units == 0:
        raise RefundTooHigh(units, found.left_units)
    sender = connection.sender
    if sender.address != found.terms.payee:
        raise NotAuthorized(sender.address)
    token = connection.token(found.terms.token)
    if token.allowance(sender.address, connection.contract.address) < units:
        token.approve(sender, connection.contract.address, units)
    return connection.contract.refund(subscription_id, charge_number, units)
