"""Signing a payment: consent, and the right to the money, without sending anything."""

from __future__ import annotations

from enum import Enum

from tallystick.chain.permit2 import Permit2Contract
from tallystick.core import payment as payments
from tallystick.core.funding import Funding, permit2_data, permit_data
from tallystick.core.payment_texts import PaymentOffer, SignedPayment
from tallystick.core.permit2 import PERMIT2
from tallystick.errors import AllowanceTooLow, NotAuthorized, PermitUnsupported
from tallystick.flows.connect import Connection
from tallystick.flows.payment_terms import require_escrow


class PaymentFunding(Enum):
    """How a payer's money comes to an escrow payment."""

    AUTO = "auto"
    """From the allowance where it is enough, else by what the token takes: ERC-3009, a permit, Permit2."""
    ALLOWANCE = "allowance"
    """From an allowance to the escrow."""
    PERMIT = "permit"
    """By an EIP-2612 permit."""
    PERMIT2 = "permit2"
    """By Permit2, which the payer has allowed to move the token."""
    AUTHORIZATION = "authorization"
    """By an ERC-3009 authorization, as USDC takes it: one signature."""


def sign_payment(
    connection: Connection, offer: PaymentOffer, funding: PaymentFunding = PaymentFunding.AUTO
) -> SignedPayment:
    """The signer, who is the payer, agrees to the terms; anyone may authorize it then, and the payee charge it.

    Raises NotAuthorized where the signer is not the payer, PermitUnsupported or InputError where the money cannot come
    in the way asked for, AllowanceTooLow where it can in none, or KeyMissing.
    """
    require_escrow(connection, offer)
    terms, signer = offer.terms, connection.sender.signer
    if signer.address != terms.payer:
        raise NotAuthorized(signer.address)
    chosen = _chosen(connection, offer) if funding is PaymentFunding.AUTO else funding
    chain_id, contract = offer.chain_id, offer.contract
    consent = payments.typed_data(terms, chain_id=chain_id, contract=contract)
    match chosen:
        case PaymentFunding.AUTHORIZATION:
            token = connection.token(terms.token)
            if not token.has_authorizations():
                raise PermitUnsupported(f"the token {terms.token} takes no ERC-3009 authorizations: choose another way")
            message = payments.authorization_typed_data(terms, token.domain(), contract=offer.contract)
            return SignedPayment(offer, Funding.AUTHORIZATION, signer.sign_typed_data(message))
        case PaymentFunding.PERMIT2:
            nonce = Permit2Contract(connection.node).free_nonce(terms.payer)
            message = payments.permit2_typed_data(terms, nonce=nonce, chain_id=chain_id, contract=contract)
            data = permit2_data(nonce, signer.sign_typed_data(message))
            return SignedPayment(offer, Funding.PERMIT2, data)
        case PaymentFunding.PERMIT:
            permit = permit_of(connection, offer)
            return SignedPayment(offer, Funding.PERMIT, permit + signer.sign_typed_data(consent))
    return SignedPayment(offer, Funding.ALLOWANCE, signer.sign_typed_data(consent))


def permit_of(connection: Connection, offer: PaymentOffer) -> bytes:
    """A permit for what is missing of the payment's amount, as the contract takes it before a signature of the terms.

    Raises PermitUnsupported.
    """
    terms, token = offer.terms, connection.token(offer.terms.token)
    found = token.allowance(terms.payer, offer.contract)
    wanted = min(found + terms.amount_units, 2**256 - 1)
    signed = token.sign_permit(connection.sender.signer, offer.contract, wanted, terms.authorize_before)
    return permit_data(signed.value_units, signed.deadline, signed.v, signed.r, signed.s)


def _chosen(connection: Connection, offer: PaymentOffer) -> PaymentFunding:
    terms, token = offer.terms, connection.token(offer.terms.token)
    allowance = token.allowance(terms.payer, offer.contract)
    if allowance >= terms.amount_units:
        return PaymentFunding.ALLOWANCE
    if token.has_authorizations():
        return PaymentFunding.AUTHORIZATION
    try:
        token.domain()
    except PermitUnsupported:
        pass
    else:
        return PaymentFunding.PERMIT
    if token.allowance(terms.payer, PERMIT2) >= terms.amount_units:
        return PaymentFunding.PERMIT2
    raise AllowanceTooLow(allowance, terms.amount_units)
