"""Quotes as they travel: what the merchant signed, to whoever pays; what a payer signed, to whoever sends it."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from tallystick.core.address import parse_address
from tallystick.core.funding import Funding, parse_funding
from tallystick.core.quote import MOST_PAYOUT_UNITS, MOST_PAYOUTS, Payout, Quote
from tallystick.core.reference import parse_reference, shown_reference
from tallystick.core.signed import parse_bytes, parse_uint256, parse_word, reading_signed, rendered, shown_bytes
from tallystick.errors import InputError

MOST_TIME = 2**40 - 1


@dataclass(frozen=True, slots=True)
class SignedQuote:
    """A quote, where it is good, and its merchant's signature."""

    chain_id: int
    contract: str
    quote: Quote
    signature: bytes

    @property
    def quote_id(self) -> bytes:
        """What names the quote everywhere."""
        return self.quote.quote_id(chain_id=self.chain_id, contract=self.contract)

    def render(self) -> str:
        """The text for the way to whoever pays: JSON."""
        return rendered(_quote_text(self))


@dataclass(frozen=True, slots=True)
class SignedCheckout:
    """What a payer signed for a quote: how the money comes, and the data with which it does."""

    signed_quote: SignedQuote
    payer: str
    funding: Funding
    data: bytes

    def render(self) -> str:
        """The text for the way to whoever sends it: JSON."""
        funding = self.funding.name.lower()
        return rendered(_CheckoutText(_quote_text(self.signed_quote), self.payer, funding, shown_bytes(self.data)))


class _PayoutText(msgspec.Struct, forbid_unknown_fields=True):
    payee: str
    amount: str


class _QuoteText(msgspec.Struct, forbid_unknown_fields=True):
    chain_id: int
    contract: str
    quote_id: str
    merchant: str
    number: str
    invoice: str
    token: str
    valid_before: int
    payouts: list[_PayoutText]
    signature: str


class _CheckoutText(msgspec.Struct, forbid_unknown_fields=True):
    quote: _QuoteText
    payer: str
    funding: str
    data: str


def _quote_text(signed: SignedQuote) -> _QuoteText:
    quote = signed.quote
    return _QuoteText(
        signed.chain_id,
        signed.contract,
        shown_bytes(signed.quote_id),
        quote.merchant,
        str(quote.number),
        shown_reference(quote.invoice),
        quote.token,
        quote.valid_before,
        [_PayoutText(payee, str(units)) for payee, units in quote.payouts],
        shown_bytes(signed.signature),
    )


def parse_quote(text: bytes | str) -> SignedQuote:
    """The quote that `SignedQuote.render` wrote, or that of `SignedCheckout.render`. Raises InputError where it is
    neither, or a value is impossible."""
    with reading_signed("a quote", "have the merchant write it anew with `tallystick checkout quote`"):
        try:
            found = msgspec.json.decode(text, type=_QuoteText)
        except msgspec.ValidationError:
            found = msgspec.json.decode(text, type=_CheckoutText).quote
        return _quote(found)


def parse_checkout(text: bytes | str) -> SignedCheckout:
    """What `SignedCheckout.render` wrote. Raises InputError where it is not that, or a value is impossible."""
    with reading_signed("a signed payment of a quote", "have the payer write it anew with `tallystick checkout sign`"):
        found = msgspec.json.decode(text, type=_CheckoutText)
        funding, data = parse_funding(found.funding), parse_bytes(found.data)
        return SignedCheckout(_quote(found.quote), parse_address(found.payer), funding, data)


def _quote(found: _QuoteText) -> SignedQuote:
    if not 0 < len(found.payouts) <= MOST_PAYOUTS:
        raise ValueError(f"{len(found.payouts)} payouts are not between 1 and {MOST_PAYOUTS}")
    if not 0 < found.valid_before <= MOST_TIME:
        raise ValueError(f"{found.valid_before} is no time")
    try:
        invoice = parse_reference(found.invoice)
    except InputError as error:
        raise ValueError(str(error)) from error
    quote = Quote(
        parse_address(found.merchant),
        parse_uint256(found.number),
        invoice,
        parse_address(found.token),
        found.valid_before,
        tuple(Payout(parse_address(part.payee), _units(part.amount)) for part in found.payouts),
    )
    signed = SignedQuote(found.chain_id, parse_address(found.contract), quote, parse_bytes(found.signature))
    if parse_word(found.quote_id) != signed.quote_id:
        raise ValueError("its words are not those of its quote_id")
    return signed


def _units(text: str) -> int:
    value = parse_uint256(text)
    if not 0 < value <= MOST_PAYOUT_UNITS:
        raise ValueError(f"{value} units are not between 1 and 2^96 - 1")
    return value
