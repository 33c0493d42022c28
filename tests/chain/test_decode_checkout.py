"""Logs of `Checkout`: decoded as they were encoded, and refused where the contract cannot have made them."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from tallystick.chain.decode_checkout import CHECKOUT, SHAPES
from tallystick.chain.transfers import TRANSFER
from tallystick.contracts import load_artefact
from tallystick.core.checkout_events import (
    CheckoutEvent,
    InvoiceRefunded,
    NotSwept,
    QuotePaid,
    QuoteWithdrawn,
    ReceivedOtherwise,
    Swept,
    TokenReceived,
    Unswept,
)
from tallystick.core.payment_events import PayoutClaimed, PayoutKept
from tallystick.errors import NodeInvalid
from tests.chain.test_decode import words
from tests.core.test_quote import ADDRESSES, QUOTES

ID, INVOICE = bytes(range(32)), b"INV-1".ljust(32, b"\0")
ONE, TWO, TOKEN = (f"0x{number:040d}" for number in (11, 12, 13))
MOST = 2**256 - 1
QUOTE = "(address,uint256,bytes32,address,uint256,uint256,(address,uint256)[])"


def test_every_event_of_the_abi_is_known_with_its_shape() -> None:
    events = {entry["name"]: entry["inputs"] for entry in load_artefact("Checkout").abi if entry["type"] == "event"}
    known = {name for name in events if name != "EIP712DomainChanged"}
    assert set(SHAPES) - {TRANSFER} == known == set(CHECKOUT.names().values())
    for name in known - {"QuotePaid"}:
        indexed = [part["indexed"] for part in events[name]]
        assert (SHAPES[name].topics, SHAPES[name].words) == (sum(indexed), len(indexed) - sum(indexed)), name


@pytest.mark.parametrize(
    ("name", "topics", "data", "event"),
    [
        ("QuoteWithdrawn", words(ONE), words(MOST), QuoteWithdrawn(ONE, MOST)),
        ("Swept", words(ONE) + INVOICE + words(TOKEN), words(MOST), Swept(ONE, INVOICE, TOKEN, MOST)),
        ("Swept", words(ONE) + INVOICE + words(0), words(7), Swept(ONE, INVOICE, None, 7)),
        ("NotSwept", words(ONE) + INVOICE + words(TOKEN), words(1), NotSwept(ONE, INVOICE, TOKEN, Unswept.REFUSED)),
        ("ReceivedOtherwise", words(ONE, TOKEN), words(5, 7), ReceivedOtherwise(ONE, TOKEN, 5, 7)),
        (
            *("InvoiceRefunded", words(ONE) + INVOICE + words(TWO), words(TOKEN, 9)),
            InvoiceRefunded(ONE, INVOICE, TWO, TOKEN, 9),
        ),
        ("PayoutKept", words(ONE, TOKEN) + ID, words(3), PayoutKept(ONE, TOKEN, ID, 3)),
        ("PayoutClaimed", words(ONE, TOKEN), words(3), PayoutClaimed(ONE, TOKEN, 3)),
        (TRANSFER, words(ONE, TWO), words(TOKEN, MOST), TokenReceived(TOKEN, ONE, TWO, MOST)),
        (TRANSFER, words(0, TWO), words(TOKEN, 3), TokenReceived(TOKEN, None, TWO, 3)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_events_of_fixed_length(name: str, topics: bytes, data: bytes, event: CheckoutEvent) -> None:
    assert CHECKOUT.decode(name, topics, data) == event
    for wrong in (data + bytes(32), data[:-1], b""):
        with pytest.raises(NodeInvalid, match="ask another node"):
            CHECKOUT.decode(name, topics, wrong)


def paid(quote: Any, collector: str, **changes: Any) -> bytes:
    """Data of `QuotePaid`, by a general encoder; `changes` are of single words."""
    data = bytearray(encode([QUOTE, "address"], [quote.words, collector]))
    for word, value in changes.items():
        place = int(word.removeprefix("word")) * 32
        data[place : place + 32] = value.to_bytes(32, "big")
    return bytes(data)


@given(QUOTES, ADDRESSES, ADDRESSES)
def test_a_paid_quote_is_read_as_it_was_told(quote: Any, payer: str, collector: str) -> None:
    topics = ID + words(quote.merchant, payer)
    zero = "0x" + "0" * 40
    expected = QuotePaid(ID, payer, quote, None if collector == zero else collector)
    assert CHECKOUT.decode("QuotePaid", topics, paid(quote, collector)) == expected
    assert CHECKOUT.decode("QuotePaid", topics, paid(quote, zero)) == expected._replace(collector=None)


@given(QUOTES, st.sampled_from(["word0", "word2", "word6", "word7", "word8", "word9", "word10", "word11"]))
def test_a_paid_quote_that_cannot_be_is_refused(quote: Any, word: str) -> None:
    topics = ID + words(quote.merchant, ONE)
    data = paid(quote, TWO, **{word: MOST})
    for wrong in (data, paid(quote, TWO)[:-32], paid(quote, TWO) + bytes(64), paid(quote, TWO)[: 10 * 32]):
        with pytest.raises(NodeInvalid, match="ask another node"):
            CHECKOUT.decode("QuotePaid", topics, wrong)
    with pytest.raises(NodeInvalid, match="merchant"):
        CHECKOUT.decode("QuotePaid", ID + words(TOKEN, ONE), paid(quote, TWO))
