"""Signing mandates: a payer consents without sending anything."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from tallystick.chain.signer import typed_data_digest
from tallystick.core import conditions as with_conditions
from tallystick.core.conditions import (
    NO_CONDITIONS,
    NO_COUPON_HASH,
    Conditions,
    MandateWithConditions,
    SignedMandateWithConditions,
    require_alike,
)
from tallystick.core.coupon import SignedCoupon
from tallystick.core.mandate import Mandate, SignedMandate, typed_data
from tallystick.core.plan import Plan
from tallystick.errors import InputError, PlanIsProtected
from tallystick.flows.connect import Connection
from tallystick.flows.fund import PERIODS, Funding, needed_units, sign_permit, sign_permits2, wanted_allowance
from tallystick.flows.redeem import require_coupon
from tallystick.flows.subscribe import agreed, has_trial

MANDATE_VALID_S = 7 * 86_400


def sign_mandate(
    connection: Connection,
    plan: int | Plan,
    *,
    seats: int = 0,
    funding: Funding = Funding.AUTO,
    periods: int = PERIODS,
    valid_s: int = MANDATE_VALID_S,
    salt: int | None = None,
) -> SignedMandate:
    """The signer consents to a plan, for anyone to submit within `valid_s` seconds from now. Nothing is sent.

    With a permit for `periods` periods where the token takes one; where it does not, the payer needs an allowance
    before the mandate is submitted. `salt` is drawn at random unless given. Raises PermitUnsupported where `funding`
    asks for a permit, UnknownPlan, SeatsOutOfRange, MaximumMissing for a plan with a quoted price, PlanIsProtected for
    one that takes mandates with conditions alone, KeyMissing, or InputError for an approval, which would be a
    transaction.
    """
    _require_unsent(funding)
    signer = connection.sender.signer
    plan = agreed(connection, plan)
    if plan.terms.protection:
        raise PlanIsProtected(plan.plan_id)
    needed = needed_units(plan.terms, seats, periods, plan_id=plan.plan_id)
    valid_before = connection.node.timestamp() + valid_s
    mandate = Mandate(signer.address, plan.plan_id, _salt(salt), valid_before, seats)
    contract, chain_id = connection.contract.address, connection.node.chain_id
    wanted = wanted_allowance(connection, plan.terms.token, needed, funding)
    permit = None
    if wanted is not None:
        permit = sign_permit(connection, plan.terms.token, contract, funding, wanted, valid_before)
    used = not has_trial(connection, plan, signer.address)
    message = typed_data(mandate, plan, chain_id=chain_id, contract=contract, trial_used=used)
    return SignedMandate(chain_id, contract, mandate, signer.sign_typed_data(message), permit)


def sign_mandate_with_conditions(
    connection: Connection,
    plans: Sequence[int | Plan],
    *,
    seats: int = 0,
    conditions: Conditions = NO_CONDITIONS,
    min_period_s: int = 0,
    coupon: SignedCoupon | None = None,
    funding: Funding = Funding.AUTO,
    periods: int = PERIODS,
    valid_s: int = MANDATE_VALID_S,
    salt: int | None = None,
) -> SignedMandateWithConditions:
    """The signer consents to any one of these plans, which pay the same payee in the same token and begin with the same
    trial, under these conditions, with this coupon. As `sign_mandate`, the permit included: for the dearest of the
    plans, and by Permit2 where the conditions say so.

    `min_period_s`: the shortest that a period of the chosen plan may be. Raises what `sign_mandate` does, and
    InputError for plans that one signature cannot name, or a coupon that is not for them.
    """
    _require_unsent(funding)
    signer = connection.sender.signer
    found = [agreed(connection, plan) for plan in plans]
    trials = [plan.terms.trial if has_trial(connection, plan, signer.address) else 0 for plan in found]
    require_alike(found, trials)
    needed = max(needed_units(plan.terms, seats, periods, conditions, plan_id=plan.plan_id) for plan in found)
    coupon_hash = NO_COUPON_HASH
    if coupon is not None:
        require_coupon(connection, coupon, found[0])
        coupon_hash = typed_data_digest(coupon.typed_data())
    valid_before = connection.node.timestamp() + valid_s
    mandate = MandateWithConditions(
        payer=signer.address,
        plans=tuple(plan.terms_hash() for plan in found),
        salt=_salt(salt),
        valid_before=valid_before,
        seats=seats,
        min_seconds_per_period=min_period_s,
        conditions=conditions,
        coupon=coupon_hash,
    )
    contract, chain_id, token = connection.contract.address, connection.node.chain_id, found[0].terms.token
    permit, permit2 = None, None
    if conditions.by_permit2:
        permit, permit2 = sign_permits2(connection, token, needed, funding, valid_before)
    elif (wanted := wanted_allowance(connection, token, needed, funding)) is not None:
        permit = sign_permit(connection, token, contract, funding, wanted, valid_before)
    message = with_conditions.typed_data(
        mandate, found[0], chain_id=chain_id, contract=contract, trial_used=trials[0] == 0
    )
    signature = signer.sign_typed_data(message)
    numbers = tuple(plan.plan_id for plan in found)
    return SignedMandateWithConditions(chain_id, contract, mandate, numbers, signature, permit, permit2)


def _require_unsent(funding: Funding) -> None:
    if funding is Funding.APPROVE:
        raise InputError("a mandate sends nothing, so it cannot approve: choose a permit, or approve first")


def _salt(given: int | None) -> int:
    return secrets.randbits(256) if given is None else given
