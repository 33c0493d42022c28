"""Authorizing a payment: the escrow holds the money; and charging one, which pays the payee at once."""

from __future__ import annotations

from tallystick.chain.contract import Sent
from tallystick.core.funding import Funding
from tallystick.core.payment import agreement
from tallystick.core.payment_texts import PaymentOffer, SignedPayment
from tallystick.errors import NotAuthorized
from tallystick.flows.bring import own_money
from tallystick.flows.connect import Connection
from tallystick.flows.payment_terms import require_escrow


def authorize(connection: Connection, payment: PaymentOffer | SignedPayment) -> Sent:
    """The escrow takes the payer's money and holds it: by what the payer signed, which anyone may send, or, where the
    terms alone are given, by the payer, who is the signer.

    The payer's allowance is raised where it is too low: by a permit where the token takes one, else by an approval.
    Raises NotAuthorized, BalanceTooLow, and what `EscrowContract.authorize` raises, before anything is sent.
    """
    offer, funding, data = _funded(connection, payment)
    return connection.escrow.authorize(offer.terms, funding, data)


def charge_payment(connection: Connection, payment: PaymentOffer | SignedPayment, fee_bps: int | None = None) -> Sent:
    """The payee receives the money at once, less the fee; the signer is payee, operator or payer. `fee_bps`: the least
    that the terms allow unless given. As `authorize` otherwise."""
    offer, funding, data = _funded(connection, payment)
    fee = offer.terms.min_fee_bps if fee_bps is None else fee_bps
    return connection.escrow.charge(offer.terms, fee, funding, data)


def _funded(connection: Connection, payment: PaymentOffer | SignedPayment) -> tuple[PaymentOffer, Funding, bytes]:
    offer = payment.offer if isinstance(payment, SignedPayment) else payment
    require_escrow(connection, offer)
    if isinstance(payment, SignedPayment):
        return offer, payment.funding, payment.data
    sender = connection.sender.address
    if sender != offer.terms.payer:
        raise NotAuthorized(sender)
    agreed = agreement(offer.terms, chain_id=offer.chain_id, contract=offer.contract)
    return offer, *own_money(connection, agreed)
