"""Payments as they travel: the terms that a merchant offers, and what a payer signed for them, as JSON.

Amounts, and the salt, are text, because JSON numbers lose digits beyond 2^53; times are Unix seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from tallystick.core.address import ZERO_ADDRESS, parse_address
from tallystick.core.funding import Funding, parse_funding
from tallystick.core.payment import (
    MOST_MILESTONES,
    MOST_UNITS,
    Milestone,
    PaymentTerms,
    milestones_root,
)
from tallystick.core.signed import parse_bytes, parse_uint256, parse_word, reading_signed, rendered, shown_bytes

MOST_TIME = 2**40 - 1
MOST_SPAN = 2**32 - 1
MOST_BPS = 10_000


@dataclass(frozen=True, slots=True)
class PaymentOffer:
    """Terms, where they are good, and the milestones whose root they name (empty: there are none)."""

    chain_id: int
    contract: str
    terms: PaymentTerms
    milestones: tuple[Milestone, ...] = ()

    @property
    def payment_id(self) -> bytes:
        """What names the payment everywhere."""
        return self.terms.payment_id(chain_id=self.chain_id, contract=self.contract)

    def render(self) -> str:
        """The text for the way: JSON."""
        return rendered(_offer_text(self))


@dataclass(frozen=True, slots=True)
class SignedPayment:
    """What a payer signed for the terms of an offer: how the money comes, and the data with which it does, as the
    contract takes it (`IFunding.Funding`)."""

    offer: PaymentOffer
    funding: Funding
    data: bytes

    def render(self) -> str:
        """The text for the way to whoever sends it: JSON."""
        return rendered(_SignedText(_offer_text(self.offer), self.funding.name.lower(), shown_bytes(self.data)))


# --- The text form ----------------------------------------------------------------------------------------------------


class _MilestoneText(msgspec.Struct, forbid_unknown_fields=True):
    index: int
    amount: str
    releasable_at: int


class _TermsText(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    payer: str
    payee: str
    token: str
    amount: str
    authorize_before: int
    capture_before: int
    refund_before: int
    salt: str
    operator: str = ZERO_ADDRESS
    dispute_window_s: int = 0
    arbiter: str = ZERO_ADDRESS
    ruling_timeout_s: int = 0
    default_payee_bps: int = 0
    max_arbiter_fee_bps: int = 0
    min_fee_bps: int = 0
    max_fee_bps: int = 0
    fee_receiver: str = ZERO_ADDRESS
    milestones_root: str = "0x" + "0" * 64


class _OfferText(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    chain_id: int
    contract: str
    payment_id: str
    terms: _TermsText
    milestones: list[_MilestoneText] = []


class _SignedText(msgspec.Struct, forbid_unknown_fields=True):
    offer: _OfferText
    funding: str
    data: str


def _offer_text(offer: PaymentOffer) -> _OfferText:
    terms = offer.terms
    return _OfferText(
        offer.chain_id,
        offer.contract,
        shown_bytes(offer.payment_id),
        _TermsText(
            payer=terms.payer,
            payee=terms.payee,
            token=terms.token,
            amount=str(terms.amount_units),
            authorize_before=terms.authorize_before,
            capture_before=terms.capture_before,
            refund_before=terms.refund_before,
            salt=str(terms.salt),
            operator=terms.operator,
            dispute_window_s=terms.dispute_window_s,
            arbiter=terms.arbiter,
            ruling_timeout_s=terms.ruling_timeout_s,
            default_payee_bps=terms.default_payee_bps,
            max_arbiter_fee_bps=terms.max_arbiter_fee_bps,
            min_fee_bps=terms.min_fee_bps,
            max_fee_bps=terms.max_fee_bps,
            fee_receiver=terms.fee_receiver,
            milestones_root=shown_bytes(terms.milestones_root),
        ),
        [_MilestoneText(one.index, str(one.amount_units), one.releasable_at) for one in offer.milestones],
    )


def parse_payment(text: bytes | str) -> PaymentOffer:
    """The offer that `PaymentOffer.render` wrote, or that of a signed payment. Raises InputError where it is neither,
    or a value is impossible."""
    with reading_signed("an escrow payment", "have it written anew with `tallystick escrow terms`"):
        try:
            found = msgspec.json.decode(text, type=_OfferText)
        except msgspec.ValidationError:
            found = msgspec.json.decode(text, type=_SignedText).offer
        return _offer(found)


def parse_signed_payment(text: bytes | str) -> SignedPayment:
    """What `SignedPayment.render` wrote. Raises InputError where it is not that, or a value is impossible."""
    with reading_signed("a signed escrow payment", "have the payer write it anew with `tallystick escrow sign`"):
        found = msgspec.json.decode(text, type=_SignedText)
        return SignedPayment(_offer(found.offer), parse_funding(found.funding), parse_bytes(found.data))


def _offer(found: _OfferText) -> PaymentOffer:
    terms, spans = found.terms, MOST_SPAN
    offer = PaymentOffer(
        found.chain_id,
        parse_address(found.contract),
        PaymentTerms(
            payer=parse_address(terms.payer),
            payee=parse_address(terms.payee),
            token=parse_address(terms.token),
            amount_units=_within(parse_uint256(terms.amount), MOST_UNITS),
            authorize_before=_within(terms.authorize_before, MOST_TIME),
            capture_before=_within(terms.capture_before, MOST_TIME),
            refund_before=_within(terms.refund_before, MOST_TIME),
            salt=parse_uint256(terms.salt),
            operator=parse_address(terms.operator),
            dispute_window_s=_within(terms.dispute_window_s, spans),
            arbiter=parse_address(terms.arbiter),
            ruling_timeout_s=_within(terms.ruling_timeout_s, spans),
            default_payee_bps=_within(terms.default_payee_bps, MOST_BPS),
            max_arbiter_fee_bps=_within(terms.max_arbiter_fee_bps, MOST_BPS),
            min_fee_bps=_within(terms.min_fee_bps, MOST_BPS),
            max_fee_bps=_within(terms.max_fee_bps, MOST_BPS),
            fee_receiver=parse_address(terms.fee_receiver),
            milestones_root=parse_word(terms.milestones_root),
        ),
        tuple(
            Milestone(
                _within(one.index, MOST_MILESTONES - 1),
                _within(parse_uint256(one.amount), MOST_UNITS),
                _within(one.releasable_at, MOST_TIME),
            )
            for one in found.milestones
        ),
    )
    if offer.milestones and milestones_root(list(offer.milestones)) != offer.terms.milestones_root:
        raise ValueError("its milestones are not those whose root its terms name")
    if parse_word(found.payment_id) != offer.payment_id:
        raise ValueError("its terms are not those of its payment_id")
    return offer


def _within(value: int, most: int) -> int:
    if not 0 <= value <= most:
        raise ValueError(f"{value} is not between 0 and {most}")
    return value
