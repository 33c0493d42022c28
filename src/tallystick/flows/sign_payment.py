"""Signing a payment: consent, and the right to the money, without sending anything."""

from __future__ import annotations

from tallystick.core.payment import agreement
from tallystick.core.payment_texts import PaymentOffer, SignedPayment
from tallystick.errors import NotAuthorized
from tallystick.flows.bring import PaymentFunding, sign_money
from tallystick.flows.connect import Connection
from tallystick.flows.payment_terms import require_escrow


def sign_payment(
    connection: Connection, offer: PaymentOffer, funding: PaymentFunding = PaymentFunding.AUTO
) -> SignedPayment:
    """The signer, who is the payer, agrees to the terms; anyone may authorize it then, and the payee charge it.

    Raises NotAuthorized where the signer is not the payer, and what `sign_money` raises.
    """
    require_escrow(connection, offer)
    signer = connection.sender.address
    if signer != offer.terms.payer:
        raise NotAuthorized(signer)
    agreed = agreement(offer.terms, chain_id=offer.chain_id, contract=offer.contract)
    return SignedPayment(offer, *sign_money(connection, agreed, funding))
