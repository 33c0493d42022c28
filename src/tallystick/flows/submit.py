"""Submitting what a payer signed: the signer here pays the gas, the payer the first period."""

from __future__ import annotations

import contextlib

from tallystick.chain.permit2 import Permit2Contract
from tallystick.chain.subscriptions import Sent
from tallystick.core.conditions import SignedMandateWithConditions
from tallystick.core.coupon import SignedCoupon
from tallystick.core.mandate import SignedMandate
from tallystick.core.permit2 import PERMIT2
from tallystick.core.subscription import DeclineReason
from tallystick.errors import FirstChargeDeclined, InputError, RevertError
from tallystick.flows.connect import Connection


def require_here(connection: Connection, what: str, chain_id: int, contract: str) -> None:
    """Raises InputError for a signature (`what` it is) that is good on another chain or for another contract."""
    here = (connection.node.chain_id, connection.contract.address)
    if (chain_id, contract) != here:
        raise InputError(
            f"the {what} is for {contract} on chain {chain_id}, this is {here[1]} on chain {here[0]}: "
            "submit it there, or have one signed for here"
        )


def submit_mandate(connection: Connection, signed: SignedMandate) -> Sent:
    """Submits a payer's mandate.

    Raises InputError for a mandate for another chain or contract, and what `Subscriptions.submit_mandate` raises.
    """
    require_here(connection, "mandate", signed.chain_id, signed.contract)
    return connection.contract.submit_mandate(signed.mandate, signed.signature, signed.permit)


def chosen_plan(signed: SignedMandateWithConditions, plan_id: int | None) -> int:
    """The plan to submit it for: the only one, unless one is named. Raises InputError where it names several, or not
    this one."""
    names = ", ".join(map(str, signed.plan_ids))
    if plan_id is None and len(signed.plan_ids) == 1:
        return signed.plan_ids[0]
    if plan_id is None or plan_id not in signed.plan_ids:
        found = "no choice" if plan_id is None else f"plan {plan_id}"
        raise InputError(f"found {found}, the mandate is for one of the plans {names}: choose one of them")
    return plan_id


def submit_mandate_with_conditions(
    connection: Connection,
    signed: SignedMandateWithConditions,
    *,
    plan_id: int | None = None,
    coupon: SignedCoupon | None = None,
) -> Sent:
    """Submits a payer's mandate for the plan `plan_id` of it, with the coupon that it names.

    It is tried first; permits that came with it are sent before it where the payer's allowance is lower than what they
    give. Raises InputError for one for another chain or contract, or where the plan is not one of it, and what
    `Subscriptions.submit_mandate_with_conditions` raises.
    """
    require_here(connection, "mandate", signed.chain_id, signed.contract)
    if coupon is not None:
        require_here(connection, "coupon", coupon.chain_id, coupon.contract)
    chosen = chosen_plan(signed, plan_id)
    try:
        connection.contract.try_submit(signed, chosen, coupon, connection.sender.address)
    except FirstChargeDeclined as error:
        if error.reason != DeclineReason.ALLOWANCE or (signed.permit is None and signed.permit2 is None):
            raise
    _use_permits(connection, signed, connection.contract.plan(chosen).terms.token)
    return connection.contract.submit_mandate_with_conditions(signed, chosen, coupon)


def _use_permits(connection: Connection, signed: SignedMandateWithConditions, token: str) -> None:
    """Sends the permits that are needed. One that fails was used by somebody else, or is worthless: then the allowance
    decides, as the contract finds it."""
    payer, sender, contract = signed.mandate.payer, connection.sender, connection.contract.address
    if signed.permit is not None:
        spender = PERMIT2 if signed.mandate.conditions.by_permit2 else contract
        if connection.token(token).allowance(payer, spender) < signed.permit.value_units:
            with contextlib.suppress(RevertError):
                connection.token(token).permit(sender, payer, spender, signed.permit)
    if signed.permit2 is not None:
        permit2 = Permit2Contract(connection.node)
        if permit2.allowance(payer, token, contract).units < signed.permit2.permit.amount_units:
            with contextlib.suppress(RevertError):
                permit2.permit(sender, payer, signed.permit2)
