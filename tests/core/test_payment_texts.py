"""Payments as they travel, and what may be done with them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from eth_utils.address import to_checksum_address
from hypothesis import given

from tallystick.core.funding import Funding
from tallystick.core.payment import Milestone, PaymentStatus, PaymentTerms, milestones_root
from tallystick.core.payment_options import Option, options
from tallystick.core.payment_texts import (
    PaymentOffer,
    SignedPayment,
    parse_payment,
    parse_signed_payment,
)
from tallystick.errors import InputError
from tests.core.payments import (
    CHAIN_ID,
    CONTRACT,
    DEADLINE,
    FULL,
    LAST,
    START,
    TERMS,
    TIMEOUT,
    WINDOW,
    terms_of_payments,
)

MILESTONES = (Milestone(0, 400, 1_100), Milestone(7, 600, 1_200))


def offer_of(terms: PaymentTerms, milestones: tuple[Milestone, ...] = ()) -> PaymentOffer:
    return PaymentOffer(CHAIN_ID, to_checksum_address(CONTRACT), terms, milestones)


@given(terms_of_payments())
def test_what_is_written_is_read(terms: PaymentTerms) -> None:
    offer = offer_of(terms)
    assert parse_payment(offer.render()) == offer
    signed = SignedPayment(offer, Funding.PERMIT2, b"\1\2")
    assert parse_signed_payment(signed.render()) == signed
    assert parse_payment(signed.render()) == offer


def test_milestones_travel_with_the_terms_that_name_their_root() -> None:
    offer = offer_of(replace(FULL, milestones_root=milestones_root(list(MILESTONES))), MILESTONES)
    assert parse_payment(offer.render()) == offer
    with pytest.raises(InputError, match="not those whose root its terms name"):
        parse_payment(replace(offer, milestones=MILESTONES[:1]).render())


CHANGES: dict[str, dict[str, Any]] = {
    "not those of its payment_id": {"salt": "8"},
    "is not between 0 and": {"max_fee_bps": 10_001},
    "is not between 0 and 1099511627775": {"refund_before": 2**40},
    "is not between 0 and 2": {"salt": str(2**256)},
    "invalid literal": {"amount": "many"},
    "unknown field": {"colour": "red"},
    "for an address": {"payer": "0x1"},
    "are 1 bytes": {"milestones_root": "0x00"},
}


@pytest.mark.parametrize("reason", CHANGES)
def test_what_was_changed_on_its_way_is_refused(reason: str) -> None:
    document = json.loads(offer_of(FULL).render())
    document["terms"] |= CHANGES[reason]
    with pytest.raises(InputError, match=reason):
        parse_payment(json.dumps(document))


def test_what_is_no_payment_at_all_is_refused() -> None:
    signed = json.loads(SignedPayment(offer_of(FULL), Funding.ALLOWANCE, b"").render())
    for text in ("", "{}", "[]", json.dumps(signed | {"funding": "collector"}), json.dumps(signed | {"data": "12"})):
        with pytest.raises(InputError, match="this is not a signed escrow payment"):
            parse_signed_payment(text)
    with pytest.raises(InputError, match="this is not an escrow payment"):
        parse_payment("{}")


def said(found: tuple[Option, ...], time: int) -> list[str]:
    """Verbs with who and, where it is not now, when."""
    return [f"{one.verb} by {one.by}" + ("" if one.is_open(time) else f" from {one.since}") for one in found]


def test_what_may_be_done_and_by_whom() -> None:
    plain, none, opened = replace(FULL, milestones_root=bytes(32)), PaymentStatus.NONE, PaymentStatus.OPEN
    held = options(plain, opened, since=START, refundable_units=0, time=START)
    assert said(held, START) == [
        "capture by payer",
        "void by payee",
        f"capture by payee from {START + WINDOW}",
        "dispute by payer or payee",
        f"reclaim by anyone from {DEADLINE}",
    ]
    assert said(options(TERMS, none, since=0, refundable_units=0, time=START), START) == [
        "authorize by payer, or anyone with the payer's signature",
        "charge by payee, or payer",
        "revoke by payer",
    ]
    late = options(plain, none, since=0, refundable_units=0, time=START + 1)
    assert said(late, START + 1) == ["revoke by payer"]
    disputed = options(plain, PaymentStatus.DISPUTED, since=START, refundable_units=5, time=START)
    assert said(disputed, START) == [
        "capture by payer",
        "void by payee",
        "evidence by payer, payee or arbiter",
        "rule by arbiter",
        f"rule --default by anyone from {START + TIMEOUT}",
        "refund by payee",
    ]
    silent = options(plain, PaymentStatus.DISPUTED, since=START, refundable_units=0, time=START + TIMEOUT)
    assert said(silent, START + TIMEOUT)[-1] == "rule --default by anyone"
    assert "rule by arbiter" not in said(silent, START + TIMEOUT)
    closed = PaymentStatus.CLOSED
    assert said(options(plain, closed, since=START, refundable_units=1, time=LAST - 1), LAST - 1) == ["refund by payee"]
    assert options(plain, closed, since=START, refundable_units=1, time=LAST) == ()
    by_parts = options(replace(FULL, operator=CONTRACT), opened, since=START, refundable_units=0, time=START)
    assert [one.by for one in by_parts if one.verb == "milestone"] == ["payee or operator"]
