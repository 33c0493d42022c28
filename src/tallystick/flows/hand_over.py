"""Handing a subscription over to another wallet: both wallets sign, anyone submits."""

from __future__ import annotations

import secrets
from dataclasses import replace

from tallystick.chain.subscriptions import Sent
from tallystick.core.payer_change import PayerChange, SignedPayerChange, typed_data
from tallystick.errors import InputError, NotAuthorized
from tallystick.flows.connect import Connection
from tallystick.flows.submit import require_here

PAYER_CHANGE_VALID_S = 7 * 86_400


def sign_payer_change(
    connection: Connection,
    subscription_id: int,
    new_payer: str,
    *,
    valid_s: int = PAYER_CHANGE_VALID_S,
    salt: int | None = None,
) -> SignedPayerChange:
    """The signer, who is the payer or `new_payer`, agrees that `new_payer` pays from now on, on the plan, for the
    seats and under the conditions that the subscription has; for the other wallet to sign as well (`countersign`).
    Nothing is sent.

    Raises UnknownSubscription, NotAuthorized or KeyMissing.
    """
    found = connection.contract.subscription(subscription_id)
    conditions = connection.contract.conditions(subscription_id)
    change = PayerChange(
        subscription_id=subscription_id,
        payer=found.payer,
        new_payer=new_payer,
        terms=connection.contract.plan(found.plan_id).terms_hash(),
        seats=found.seats,
        max_per_period_units=conditions.max_per_period_units,
        ends_at=conditions.ends_at,
        salt=secrets.randbits(256) if salt is None else salt,
        valid_before=connection.node.timestamp() + valid_s,
    )
    return _signed(connection, SignedPayerChange(connection.node.chain_id, connection.contract.address, change))


def countersign_payer_change(connection: Connection, signed: SignedPayerChange) -> SignedPayerChange:
    """The signer, who is the other wallet of the change, agrees as well.

    Raises InputError for one for elsewhere, or which the subscription no longer fits, NotAuthorized or KeyMissing.
    """
    _require_current(connection, signed)
    return _signed(connection, signed)


def change_payer(connection: Connection, signed: SignedPayerChange) -> Sent:
    """Submits a change that both wallets agreed to; the signer here pays the gas, and needs no signature of their own
    where they are one of the two.

    Raises InputError for one for elsewhere, which the subscription no longer fits, or without a signature, and what
    `Subscriptions.change_payer` raises.
    """
    _require_current(connection, signed)
    sender, change = connection.sender.address, signed.change
    for account, signature in (
        (change.payer, signed.payer_signature),
        (change.new_payer, signed.new_payer_signature),
    ):
        if not signature and account != sender:
            raise InputError(
                f"found no signature of {account}, both wallets must sign: have it sign the same change with "
                "`tallystick subscriptions sign-payer-change --signed FILE`"
            )
    return connection.contract.change_payer(signed)


def _signed(connection: Connection, signed: SignedPayerChange) -> SignedPayerChange:
    signer, change = connection.sender.signer, signed.change
    if signer.address not in {change.payer, change.new_payer}:
        raise NotAuthorized(signer.address)
    message = typed_data(change, chain_id=signed.chain_id, contract=signed.contract)
    signature = signer.sign_typed_data(message)
    if signer.address == change.payer:
        return replace(signed, payer_signature=signature)
    return replace(signed, new_payer_signature=signature)


def _require_current(connection: Connection, signed: SignedPayerChange) -> None:
    """The contract would find a wrong signature, and not say why."""
    require_here(connection, "change of payer", signed.chain_id, signed.contract)
    change = signed.change
    found = connection.contract.subscription(change.subscription_id)
    terms = connection.contract.plan(found.plan_id).terms_hash()
    limits = connection.contract.conditions(change.subscription_id)
    present = (found.payer, terms, found.seats, limits.max_per_period_units, limits.ends_at)
    if present != (change.payer, change.terms, change.seats, change.max_per_period_units, change.ends_at):
        raise InputError(
            f"subscription {change.subscription_id} has the payer {found.payer}, plan {found.plan_id}, {found.seats} "
            f"seats, a maximum of {limits.max_per_period_units} units per period and the end {limits.ends_at} now, and "
            "something of that was changed since the change of payer was signed: have it signed anew"
        )
