"""Paying a quote: by the payer's own transaction, or by what the payer signed and anybody sends."""

from __future__ import annotations

from tallystick.chain.contract import Sent
from tallystick.core.quote import agreement
from tallystick.core.quote_texts import SignedCheckout, SignedQuote
from tallystick.flows.bring import PaymentFunding, own_money, sign_money
from tallystick.flows.connect import Connection
from tallystick.flows.make_quote import require_checkout


def sign_checkout(
    connection: Connection, signed: SignedQuote, funding: PaymentFunding = PaymentFunding.AUTO
) -> SignedCheckout:
    """The signer agrees to pay the quote; anyone may send it then. Nothing is sent, and no gas is needed.

    Raises InputError for a quote for elsewhere, and what `sign_money` raises.
    """
    require_checkout(connection, signed)
    payer = connection.sender.address
    agreed = agreement(signed.quote, payer, chain_id=signed.chain_id, contract=signed.contract)
    return SignedCheckout(signed, payer, *sign_money(connection, agreed, funding))


def pay_quote(connection: Connection, payment: SignedQuote | SignedCheckout) -> Sent:
    """Pays a quote: by what the payer signed, which anyone may send, or, where the quote alone is given, with the
    signer's money, as `own_money` brings it.

    Raises BalanceTooLow, QuoteExpired, NumberUsed and what else `CheckoutContract.pay` raises, before anything is sent.
    """
    signed = payment.signed_quote if isinstance(payment, SignedCheckout) else payment
    require_checkout(connection, signed)
    if isinstance(payment, SignedCheckout):
        return connection.checkout.pay(signed, payment.payer, payment.funding, payment.data)
    payer = connection.sender.address
    agreed = agreement(signed.quote, payer, chain_id=signed.chain_id, contract=signed.contract)
    return connection.checkout.pay(signed, payer, *own_money(connection, agreed))
