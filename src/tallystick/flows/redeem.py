"""Coupons: a payee signs one, a payer redeems it."""

from __future__ import annotations

import secrets

from tallystick.chain.subscriptions import Sent
from tallystick.core.coupon import BASIS, Coupon, SignedCoupon, typed_data
from tallystick.core.plan import Plan
from tallystick.errors import InputError, NotAuthorized
from tallystick.flows.connect import Connection
from tallystick.flows.submit import require_here

COUPON_VALID_S = 30 * 86_400
_CODE_BITS = 64


def sign_coupon(
    connection: Connection,
    plan: Plan | None,
    token: str,
    *,
    basis_points_off: int = 0,
    amount_off_units: int = 0,
    periods: int = 1,
    payer: str | None = None,
    code: int | None = None,
    valid_s: int = COUPON_VALID_S,
) -> SignedCoupon:
    """The signer, who is the payee, promises a discount on a plan, or on all of theirs in a token. Nothing is sent.

    `code` is drawn at random unless given. Raises NotAuthorized for another's plan, InputError for what takes nothing
    off, or KeyMissing.
    """
    signer = connection.sender.signer
    if plan is not None and plan.terms.payee != signer.address:
        raise NotAuthorized(signer.address)
    if not 0 <= basis_points_off <= BASIS or amount_off_units < 0 or not (basis_points_off or amount_off_units):
        raise InputError(
            f"found {basis_points_off} basis points and {amount_off_units} units of the token off, allowed are up to "
            f"{BASIS} (100 %), an amount, or both: name what the coupon takes off"
        )
    if periods < 1:
        raise InputError(f"found {periods} periods for a coupon, at least 1 is needed: name how many charges it lowers")
    coupon = Coupon(
        plan_id=0 if plan is None else plan.plan_id,
        basis_points_off=basis_points_off,
        amount_off_units=amount_off_units,
        periods=periods,
        code=secrets.randbits(_CODE_BITS) if code is None else code,
        valid_before=connection.node.timestamp() + valid_s,
        payer=payer,
    )
    chain_id, contract = connection.node.chain_id, connection.contract.address
    message = typed_data(coupon, payee=signer.address, token=token, chain_id=chain_id, contract=contract)
    return SignedCoupon(chain_id, contract, signer.address, token, coupon, signer.sign_typed_data(message))


def redeem_coupon(connection: Connection, subscription_id: int, coupon: SignedCoupon) -> Sent:
    """The signer, who is the payer, redeems a coupon for a subscription: its next charges of periods cost less.

    Raises InputError for one for another chain, contract, payee or token, UnknownSubscription, and what
    `Subscriptions.redeem_coupon` raises.
    """
    found = connection.contract.subscription(subscription_id)
    require_coupon(connection, coupon, connection.contract.plan(found.plan_id))
    return connection.contract.redeem_coupon(subscription_id, coupon)


def require_coupon(connection: Connection, coupon: SignedCoupon, plan: Plan) -> None:
    """Raises InputError for a coupon that is for another chain or contract, or of another payee or token than the
    plan's: the contract would find a wrong signature, and not say why."""
    require_here(connection, "coupon", coupon.chain_id, coupon.contract)
    if (coupon.payee, coupon.token) != (plan.terms.payee, plan.terms.token):
        raise InputError(
            f"the coupon is for plans of {coupon.payee} in {coupon.token}, plan {plan.plan_id} is one of "
            f"{plan.terms.payee} in {plan.terms.token}: ask its payee for a coupon"
        )
