"""Signing a payment: consent, and the right to the money, without sending anything."""

from __future__ import annotations

from enum import Enum

from tallystick.chain.permit2 import Permit2Contract
from tallystick.chain.token import TokenContract
from tallystick.core import payment as payments
from tallystick.core.funding import Funding, permit2_data, permit_data
from tallystick.core.money import UINT256_MAX
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
    chain_id, contract, token = offer.chain_id, offer.contract, connection.token(terms.token)
    is_open = funding is PaymentFunding.AUTO
    chosen = choose_funding(token, terms.payer, contract, terms.amount_units) if is_open else funding
    consent = payments.typed_data(terms, chain_id=chain_id, contract=contract)
    match chosen:
        case PaymentFunding.AUTHORIZATION:
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
            permit = permit_for(connection, terms.token, contract, terms.amount_units, terms.authorize_before)
            return SignedPayment(offer, Funding.PERMIT, permit + signer.sign_typed_data(consent))
    return SignedPayment(offer, Funding.ALLOWANCE, signer.sign_typed_data(consent))


def permit_for(connection: Connection, token: str, spender: str, amount_units: int, deadline: int) -> bytes:
    """The signer's permit for what is missing of an amount, as the contracts take it before a signature of the words.

    Raises PermitUnsupported.
    """
    contract, signer = connection.token(token), connection.sender.signer
    wanted = min(contract.allowance(signer.address, spender) + amount_units, UINT256_MAX)
    signed = contract.sign_permit(signer, spender, wanted, deadline)
    return permit_data(signed.value_units, signed.deadline, signed.v, signed.r, signed.s)


def choose_funding(token: TokenContract, payer: str, spender: str, amount_units: int) -> PaymentFunding:
    """The allowance where it is enough, else what the token takes. Raises AllowanceTooLow where nothing does."""
    allowance = token.allowance(payer, spender)
    if allowance >= amount_units:
        return PaymentFunding.ALLOWANCE
    if token.has_authorizations():
        return PaymentFunding.AUTHORIZATION
    try:
        token.domain()
    except PermitUnsupported:
        pass
    else:
        return PaymentFunding.PERMIT
    if token.allowance(payer, PERMIT2) >= amount_units:
        return PaymentFunding.PERMIT2
    raise AllowanceTooLow(allowance, amount_units)
