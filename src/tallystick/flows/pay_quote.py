"""Paying a quote: by the payer's own transaction, or by what the payer signed and anybody sends."""

from __future__ import annotations

from tallystick.chain.contract import Sent
from tallystick.chain.permit2 import Permit2Contract
from tallystick.core import quote as quotes
from tallystick.core.funding import Funding, permit2_data
from tallystick.core.quote_texts import SignedCheckout, SignedQuote
from tallystick.errors import BalanceTooLow, PermitUnsupported
from tallystick.flows.connect import Connection
from tallystick.flows.make_quote import require_checkout
from tallystick.flows.sign_payment import PaymentFunding, choose_funding, permit_for


def sign_checkout(
    connection: Connection, signed: SignedQuote, funding: PaymentFunding = PaymentFunding.AUTO
) -> SignedCheckout:
    """The signer agrees to pay the quote; anyone may send it then. Nothing is sent, and no gas is needed.

    Raises PermitUnsupported or InputError where the money cannot come in the way asked for, AllowanceTooLow where it
    can in none, KeyMissing, or InputError for a quote for elsewhere.
    """
    require_checkout(connection, signed)
    quote, signer = signed.quote, connection.sender.signer
    chain_id, contract, payer = signed.chain_id, signed.contract, signer.address
    token = connection.token(quote.token)
    chosen = choose_funding(token, payer, contract, quote.amount_units) if funding is PaymentFunding.AUTO else funding
    accepted = quotes.acceptance_typed_data(quote, payer, chain_id=chain_id, contract=contract)
    match chosen:
        case PaymentFunding.AUTHORIZATION:
            if not token.has_authorizations():
                raise PermitUnsupported(f"the token {quote.token} takes no ERC-3009 authorizations: choose another way")
            message = quotes.authorization_typed_data(quote, payer, token.domain(), contract=contract)
            return SignedCheckout(signed, payer, Funding.AUTHORIZATION, signer.sign_typed_data(message))
        case PaymentFunding.PERMIT2:
            nonce = Permit2Contract(connection.node).free_nonce(payer)
            message = quotes.permit2_typed_data(quote, nonce=nonce, chain_id=chain_id, contract=contract)
            data = permit2_data(nonce, signer.sign_typed_data(message))
            return SignedCheckout(signed, payer, Funding.PERMIT2, data)
        case PaymentFunding.PERMIT:
            permit = permit_for(connection, quote.token, contract, quote.amount_units, quote.valid_before)
            return SignedCheckout(signed, payer, Funding.PERMIT, permit + signer.sign_typed_data(accepted))
    return SignedCheckout(signed, payer, Funding.ALLOWANCE, signer.sign_typed_data(accepted))


def pay_quote(connection: Connection, payment: SignedQuote | SignedCheckout) -> Sent:
    """Pays a quote: by what the payer signed, which anyone may send, or, where the quote alone is given, with the
    signer's money, whose allowance is raised where it is too low: by a permit where the token takes one, else by an
    approval.

    Raises BalanceTooLow, QuoteExpired, NumberUsed and what else `CheckoutContract.pay` raises, before anything is sent.
    """
    signed = payment.signed_quote if isinstance(payment, SignedCheckout) else payment
    require_checkout(connection, signed)
    if isinstance(payment, SignedCheckout):
        return connection.checkout.pay(signed, payment.payer, payment.funding, payment.data)
    quote, sender = signed.quote, connection.sender
    payer, contract, token = sender.address, signed.contract, connection.token(quote.token)
    balance = token.balance(payer)
    if balance < quote.amount_units:
        raise BalanceTooLow(balance, quote.amount_units)
    allowance = token.allowance(payer, contract)
    if allowance >= quote.amount_units:
        return connection.checkout.pay(signed, payer, Funding.ALLOWANCE)
    try:
        permit = permit_for(connection, quote.token, contract, quote.amount_units, quote.valid_before)
    except PermitUnsupported:
        token.approve(sender, contract, allowance + quote.amount_units)
        return connection.checkout.pay(signed, payer, Funding.ALLOWANCE)
    return connection.checkout.pay(signed, payer, Funding.PERMIT, permit)
