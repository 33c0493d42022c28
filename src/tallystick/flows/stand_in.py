"""A wallet stands in for a payer: it signs, and the payer names it as the fallback wallet."""

from __future__ import annotations

import secrets

from tallystick.chain.subscriptions import Sent
from tallystick.core.fallback import Fallback, SignedFallback, typed_data
from tallystick.errors import InputError
from tallystick.flows.connect import Connection
from tallystick.flows.submit import require_here

FALLBACK_VALID_S = 7 * 86_400


def sign_fallback(
    connection: Connection, subscription_id: int, *, valid_s: int = FALLBACK_VALID_S, salt: int | None = None
) -> SignedFallback:
    """The signer, a wallet, agrees to pay for periods of a subscription where its payer cannot, on the plan and for the
    seats that it has now. Nothing is sent; the payer does that (`set_fallback`). Raises UnknownSubscription or
    KeyMissing."""
    signer = connection.sender.signer
    found = connection.contract.subscription(subscription_id)
    consent = Fallback(
        subscription_id=subscription_id,
        payer=found.payer,
        wallet=signer.address,
        terms=connection.contract.plan(found.plan_id).terms_hash(),
        seats=found.seats,
        salt=secrets.randbits(256) if salt is None else salt,
        valid_before=connection.node.timestamp() + valid_s,
    )
    chain_id, contract = connection.node.chain_id, connection.contract.address
    message = typed_data(consent, chain_id=chain_id, contract=contract)
    return SignedFallback(chain_id, contract, consent, signer.sign_typed_data(message))


def set_fallback(connection: Connection, signed: SignedFallback) -> Sent:
    """The signer, who is the payer, names the wallet that signed as the fallback wallet.

    Raises InputError for a consent for elsewhere, or which the subscription no longer fits, and what
    `Subscriptions.set_fallback` raises.
    """
    require_here(connection, "consent", signed.chain_id, signed.contract)
    consent = signed.consent
    found = connection.contract.subscription(consent.subscription_id)
    terms = connection.contract.plan(found.plan_id).terms_hash()
    if (found.payer, terms, found.seats) != (consent.payer, consent.terms, consent.seats):
        raise InputError(
            f"subscription {consent.subscription_id} has the payer {found.payer}, plan {found.plan_id} and "
            f"{found.seats} seats now, and something of that was changed since the wallet signed: have it sign anew"
        )
    return connection.contract.set_fallback(signed)
