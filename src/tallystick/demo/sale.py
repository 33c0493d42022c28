"""What is sold once in the year: an invoice that somebody pays from an exchange, too little at first and then too much,
and a quote of which a partner receives a share."""

from __future__ import annotations

from dataclasses import dataclass

from tallystick.core.money import Amount
from tallystick.core.quote_texts import parse_checkout, parse_quote
from tallystick.core.reference import shown_reference
from tallystick.core.refund_address import parse_refund_address
from tallystick.demo.stage import Stage

INVOICE, DUE, FIRST, REST, TOO_MUCH = "ORDER-1007", "120.00", "100.00", "25.00", "5.00"
QUOTE, PRICE, MERCHANTS_SHARE, PARTNERS_SHARE = 1_008, "80.00", 9, 1


@dataclass(frozen=True, slots=True)
class SoldOnce:
    """The invoice: what was due, what came first, what was given back. And the quote, with the partner's part."""

    invoice: str
    due: Amount
    first: Amount
    first_status: str
    given_back: Amount
    quoted: Amount
    partners: Amount


def sell_once(stage: Stage) -> SoldOnce:
    """The customer sends from an exchange, which cannot receive for them: they prove another account of theirs."""
    merchant, exchange, customer = stage.merchant, stage.funded("exchange"), stage.funded("customer", ether=False)
    stage.give(exchange, "1000")
    expected = merchant.expect_deposit(INVOICE, DUE, token=stage.token)
    stage.transfer(exchange, expected.address, FIRST)
    stage.index()
    first_status = merchant.deposit(INVOICE).status
    stage.transfer(exchange, expected.address, REST)
    stage.as_(stage.keeper_account).sweep([INVOICE], token=stage.token, receiver=merchant.address)
    proof = stage.as_(customer).sign_refund_address(INVOICE, receiver=merchant.address).render()
    merchant.refund_invoice(INVOICE, TOO_MUCH, token=stage.token, to=parse_refund_address(proof))

    buyer, partner = stage.funded("second buyer", ether=False), stage.funded("partner").address
    stage.give(buyer, PRICE)
    shares = [(merchant.address, MERCHANTS_SHARE), (partner, PARTNERS_SHARE)]
    quote = merchant.checkout_quote(number=QUOTE, amount=PRICE, token=stage.token, shares=shares)
    signed = stage.as_(buyer).sign_checkout(parse_quote(quote.render()))
    merchant.pay_quote(parse_checkout(signed.render()))
    assert first_status is not None

    def amount(text: str) -> Amount:
        return Amount(merchant.units(text, stage.token), merchant.token(stage.token))

    return SoldOnce(
        shown_reference(expected.invoice),
        amount(DUE),
        amount(FIRST),
        first_status.value,
        amount(TOO_MUCH),
        amount(PRICE),
        Amount(quote.quote.payouts[1].units, merchant.token(stage.token)),
    )
