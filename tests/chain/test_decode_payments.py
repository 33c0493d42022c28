"""Logs of escrow payments into events: the shapes are the ABI's, and what the contract cannot have said is refused."""

from __future__ import annotations

from typing import Any

import pytest
from eth_utils.address import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from tallystick.chain.decode_payments import PAYMENTS, SHAPES
from tallystick.chain.decoder import WORD
from tallystick.contracts import load_artefact
from tallystick.core.address import ZERO_ADDRESS
from tallystick.core.money import UINT256_MAX
from tallystick.core.payment import PaymentTerms
from tallystick.core.payment_events import (
    Authorized,
    Captured,
    DisputeOpened,
    EvidenceSubmitted,
    MilestoneReached,
    PaymentCharged,
    PaymentRefunded,
    PaymentRevoked,
    PayoutClaimed,
    PayoutKept,
    Reclaimed,
    Ruled,
    Voided,
)
from tallystick.errors import NodeInvalid
from tests.chain.test_decode import words

PAYER, PAYEE, TOKEN, OTHER = (to_checksum_address("0x" + digit * 40) for digit in "123c")
EVENTS: dict[str, Any] = {item["name"]: item for item in load_artefact("Escrow").abi if item["type"] == "event"}
MOST = 2**96 - 1
ID = b"i" * WORD
TERMS: dict[str, int | str] = {
    "payer": PAYER,
    "payee": PAYEE,
    "token": TOKEN,
    "amount": MOST,
    "operator": OTHER,
    "authorize_before": 2**40 - 1,
    "capture_before": 2**40 - 1,
    "refund_before": 2**40 - 1,
    "dispute_window": 2**32 - 1,
    "arbiter": OTHER,
    "ruling_timeout": 2**32 - 1,
    "default_payee_bps": 2**16 - 1,
    "max_arbiter_fee_bps": 1,
    "min_fee_bps": 2,
    "max_fee_bps": 3,
    "fee_receiver": OTHER,
    "milestones_root": UINT256_MAX,
    "salt": UINT256_MAX,
}
DECODED = PaymentTerms(
    payer=PAYER,
    payee=PAYEE,
    token=TOKEN,
    amount_units=MOST,
    authorize_before=2**40 - 1,
    capture_before=2**40 - 1,
    refund_before=2**40 - 1,
    salt=UINT256_MAX,
    operator=OTHER,
    dispute_window_s=2**32 - 1,
    arbiter=OTHER,
    ruling_timeout_s=2**32 - 1,
    default_payee_bps=2**16 - 1,
    max_arbiter_fee_bps=1,
    min_fee_bps=2,
    max_fee_bps=3,
    fee_receiver=OTHER,
    milestones_root=b"\xff" * WORD,
)


def terms_words(**changes: int | str) -> bytes:
    return words(*(TERMS | changes).values())


def count_words(arguments: list[dict[str, Any]]) -> int:
    return sum(count_words(part["components"]) if part["type"] == "tuple" else 1 for part in arguments)


def test_the_shapes_are_those_of_the_abi() -> None:
    """All events of the contract but the one of EIP-5267, which OpenZeppelin never emits there."""
    known = set(EVENTS) - {"EIP712DomainChanged"}
    assert set(SHAPES) == known == set(PAYMENTS.names().values())
    for name, shape in SHAPES.items():
        indexed = [part for part in EVENTS[name]["inputs"] if part["indexed"]]
        assert (shape.topics, shape.words) == (
            len(indexed),
            count_words([part for part in EVENTS[name]["inputs"] if not part["indexed"]]),
        ), name
    assert PAYMENTS.names()[PAYMENTS.topic_of("Ruled")] == "Ruled"


def test_each_event_with_its_largest_values() -> None:
    decode, parties = PAYMENTS.decode, ID + words(PAYER, PAYEE)
    assert decode("Authorized", parties, terms_words() + words(OTHER)) == Authorized(ID, DECODED, OTHER)
    assert decode("PaymentCharged", parties, terms_words() + words(0, MOST)) == PaymentCharged(ID, DECODED, None, MOST)
    assert decode("Captured", ID, words(MOST, 7)) == Captured(ID, MOST, 7)
    assert decode("MilestoneReached", ID, words(19)) == MilestoneReached(ID, 19)
    assert decode("Voided", ID, words(MOST)) == Voided(ID, MOST)
    assert decode("Reclaimed", ID, words(MOST)) == Reclaimed(ID, MOST)
    assert decode("PaymentRefunded", ID, words(MOST)) == PaymentRefunded(ID, MOST)
    assert decode("PaymentRevoked", ID, b"") == PaymentRevoked(ID)
    assert decode("DisputeOpened", ID + words(PAYER), b"h" * WORD) == DisputeOpened(ID, PAYER, b"h" * WORD)
    assert decode("EvidenceSubmitted", ID + words(PAYER), b"h" * WORD) == EvidenceSubmitted(ID, PAYER, b"h" * WORD)
    assert decode("Ruled", ID, words(1, 2, 3, 4, 1)) == Ruled(ID, 1, 2, 3, 4, True)
    assert decode("PayoutKept", words(PAYER, TOKEN) + ID, words(MOST)) == PayoutKept(PAYER, TOKEN, ID, MOST)
    assert decode("PayoutClaimed", words(PAYER, TOKEN), words(UINT256_MAX)) == PayoutClaimed(PAYER, TOKEN, UINT256_MAX)


def test_terms_without_anything_that_can_be_left_out() -> None:
    bare = dict.fromkeys(list(TERMS)[4:], 0)
    event = PAYMENTS.decode("Authorized", ID + words(PAYER, PAYEE), terms_words(**bare) + words(0))
    assert isinstance(event, Authorized)
    terms = event.terms
    assert terms == PaymentTerms(PAYER, PAYEE, TOKEN, MOST, 0, 0, 0, 0)
    assert (terms.operator, terms.arbiter, terms.fee_receiver) == (ZERO_ADDRESS,) * 3


PARTIES = ID + words(PAYER, PAYEE)
IMPOSSIBLE: dict[str, tuple[str, bytes, bytes]] = {
    "other parties": ("Authorized", ID + words(PAYEE, PAYER), terms_words() + words(0)),
    "an amount": ("Authorized", PARTIES, terms_words(amount=2**96) + words(0)),
    "a time": ("Authorized", PARTIES, terms_words(capture_before=2**40) + words(0)),
    "a span": ("Authorized", PARTIES, terms_words(dispute_window=2**32) + words(0)),
    "basis points": ("Authorized", PARTIES, terms_words(max_fee_bps=2**16) + words(0)),
    "an account": ("Authorized", PARTIES, terms_words(operator=2**160) + words(0)),
    "a collector": ("Authorized", PARTIES, terms_words() + words(2**160)),
    "no payer": ("Authorized", ID + words(0, PAYEE), terms_words(payer=0) + words(2**160)),
    "a milestone": ("MilestoneReached", ID, words(20)),
    "a flag": ("Ruled", ID, words(1, 2, 3, 4, 2)),
    "a share": ("Ruled", ID, words(2**96, 2, 3, 4, 1)),
    "too few words": ("Captured", ID, words(1)),
    "too many words": ("Voided", ID, words(1, 2)),
    "too few topics": ("PayoutKept", words(PAYER, TOKEN), words(1)),
    "another name": ("Charged", ID, words(1)),
}


@pytest.mark.parametrize("impossible", IMPOSSIBLE)
def test_what_the_contract_cannot_have_said_is_refused(impossible: str) -> None:
    with pytest.raises(NodeInvalid):
        PAYMENTS.decode(*IMPOSSIBLE[impossible])


@given(st.sampled_from(sorted(SHAPES)), st.binary(max_size=4 * WORD), st.binary(max_size=21 * WORD))
def test_any_bytes_are_decoded_or_refused(name: str, topics: bytes, data: bytes) -> None:
    try:
        PAYMENTS.decode(name, topics, data)
    except NodeInvalid:
        return
    assert (len(topics), len(data)) == (SHAPES[name].topics * WORD, SHAPES[name].words * WORD)
