"""Refunds: the payee gives back all or a part of a charge, from its own balance."""

from __future__ import annotations

from dataclasses import dataclass

from tallystick.chain.subscriptions import Sent
from tallystick.core.change import NO_CHARGE, Segment, paid_in
from tallystick.core.plan import PlanTerms
from tallystick.errors import NotAuthorized, RefundTooHigh, UnknownCharge
from tallystick.flows.connect import Connection
from tallystick.flows.history import read_segments


@dataclass(frozen=True, slots=True)
class Refundable:
    """A charge as far as it can be given back: the terms of the plan under which it was paid, which may be one in
    another token, the units that are left of it, and what was paid for charges that were not the plan's rate (empty
    where all of them were)."""

    terms: PlanTerms
    left_units: int
    history: tuple[Segment, ...]


def refundable(connection: Connection, subscription_id: int, charge_number: int) -> Refundable:
    """What is left of a charge: what the payer paid, the fee included and credit not, less what was given back.

    Where plan or seats were changed, credit was used or usage charged, what was paid is read from the logs. Raises
    UnknownSubscription, UnknownCharge or NodeErrors.
    """
    subscription = connection.contract.subscription(subscription_id)
    if not 1 <= charge_number <= subscription.charges:
        raise UnknownCharge(subscription_id, charge_number, subscription.charges)
    terms = connection.contract.plan(subscription.plan_id).terms
    history = tuple(read_segments(connection, subscription_id))
    cost_units, alternative_id = cost_of(charge_number, history, terms.rate(subscription.seats))
    if alternative_id:
        terms = connection.contract.plan(alternative_id).terms
    left_units = cost_units - connection.contract.refunded(subscription_id, charge_number)
    return Refundable(terms, left_units, history)


def cost_of(charge_number: int, history: tuple[Segment, ...], rate_units: int) -> tuple[int, int]:
    """What was paid for a charge, as the contract counts it, and the plan in another token under which it was; 0 where
    it was not. `rate_units` is the rate after the last segment."""
    for segment in history:
        if charge_number <= segment.last_charge:
            return segment.rate_units, 0
        if charge_number == segment.last_charge + 1 and segment.next_units != NO_CHARGE:
            return paid_in(segment.next_units)
    return rate_units, 0


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
    return connection.contract.refund(subscription_id, charge_number, units, found.history)
