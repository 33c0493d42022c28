"""Subscribing: the signer consents directly, with conditions and a coupon where they are given."""

from __future__ import annotations

from tallystick.chain.subscriptions import Sent
from tallystick.core.conditions import NO_CONDITIONS, Conditions
from tallystick.core.coupon import SignedCoupon
from tallystick.core.plan import Plan
from tallystick.core.subscription import DeclineReason
from tallystick.errors import BalanceTooLow, FirstChargeDeclined, InputError
from tallystick.flows.connect import Connection
from tallystick.flows.fund import (
    PERIODS,
    Funding,
    approve_needed,
    needed_units,
    rate_of,
    sign_permit,
    wanted_allowance,
)
from tallystick.flows.redeem import require_coupon

__all__ = ["PERIODS", "Funding", "agreed", "has_trial", "subscribe"]

PERMIT_VALID_S = 3_600
"""How long a permit that goes out at once may take to be mined."""


def agreed(connection: Connection, plan: int | Plan) -> Plan:
    """A plan that is to be agreed to: as it was seen, where the plan itself is given; else as it stands now.

    Raises UnknownPlan.
    """
    return plan if isinstance(plan, Plan) else connection.contract.plan(plan)


def has_trial(connection: Connection, plan: Plan, payer: str) -> bool:
    """Whether a subscription of this payer would begin with the plan's trial."""
    return plan.terms.trial > 0 and not connection.contract.is_trial_used(plan.plan_id, payer)


def subscribe(
    connection: Connection,
    plan: int | Plan,
    *,
    seats: int = 0,
    funding: Funding = Funding.AUTO,
    periods: int = PERIODS,
    conditions: Conditions = NO_CONDITIONS,
    coupon: SignedCoupon | None = None,
) -> Sent:
    """The signer subscribes to a plan, on the terms that it has now or as it was seen, and pays the first period where
    no trial and no later start comes first.

    `periods`: for how many periods, usage up to its cap included, the allowance is raised by a permit or an approval;
    with conditions or a coupon by an approval alone. Raises SeatsOutOfRange and BalanceTooLow before anything is sent,
    PermitUnsupported where `funding` asks for a permit that the token does not take, InputError where it asks for one
    with conditions, what `Subscriptions.subscribe` or `subscribe_with_conditions` raises, and SignerErrors.
    """
    plan = agreed(connection, plan)
    if conditions != NO_CONDITIONS or coupon is not None or plan.terms.protection:
        return _with_conditions(connection, plan, seats, funding, periods, conditions, coupon)
    payer, terms = connection.sender.address, plan.terms
    needed = needed_units(terms, seats, periods, plan_id=plan.plan_id)
    if not has_trial(connection, plan, payer):
        _require_balance(connection, plan, _first_price(connection, plan, seats))
    wanted = wanted_allowance(connection, terms.token, needed, funding)
    permit = None
    if wanted is not None:
        contract, deadline = connection.contract.address, connection.node.timestamp() + PERMIT_VALID_S
        permit = sign_permit(connection, terms.token, contract, funding, wanted, deadline)
        if permit is None:
            connection.token(terms.token).approve(connection.sender, contract, wanted)
    return connection.contract.subscribe(plan, seats, permit)


def _first_price(connection: Connection, plan: Plan, seats: int) -> int:
    """What a first period that begins now costs: on a fixed grid, what is left of one."""
    rate_units = rate_of(plan.terms, seats)
    return plan.terms.stub(connection.node.timestamp(), rate_units)[1] if plan.terms.align_to else rate_units


def _require_balance(connection: Connection, plan: Plan, units: int) -> None:
    found = connection.token(plan.terms.token).balance(connection.sender.address)
    if found < units:
        raise BalanceTooLow(found, units)


def _with_conditions(
    connection: Connection,
    plan: Plan,
    seats: int,
    funding: Funding,
    periods: int,
    conditions: Conditions,
    coupon: SignedCoupon | None,
) -> Sent:
    """Tried before anything is approved: what the contract would refuse anyway costs nothing."""
    if funding is Funding.PERMIT:
        raise InputError(
            "found a permit as funding, and with conditions or a coupon, or where the plan protects charges, the "
            "contract takes none: let it be an approval, or sign a mandate, which carries one"
        )
    token, payer, contract = plan.terms.token, connection.sender.address, connection.contract
    needed = needed_units(plan.terms, seats, periods, conditions, plan_id=plan.plan_id)
    if coupon is not None:
        require_coupon(connection, coupon, plan)
    try:
        contract.try_subscribe(plan, seats, conditions, coupon, payer)
    except FirstChargeDeclined as error:
        if error.reason != DeclineReason.ALLOWANCE or funding is Funding.ALLOWANCE:
            raise
        _require_balance(connection, plan, error.allowed)
    approve_needed(connection, token, needed, funding, by_permit2=conditions.by_permit2)
    return contract.subscribe_with_conditions(plan, seats, conditions, coupon)
