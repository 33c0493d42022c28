"""Logs of `Channels`: decoded as they were encoded, and refused where the contract cannot have made them."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode
from hypothesis import given

from tallystick.chain.decode_channels import CHANNELS, SHAPES
from tallystick.contracts import load_artefact
from tallystick.core.channel import ChannelTerms
from tallystick.core.channel_events import (
    ChannelClosed,
    ChannelCreated,
    ChannelEvent,
    ChannelOpened,
    ChannelRefunded,
    Claimed,
    ClaimSkipped,
    Deposited,
    Refusal,
    Settled,
    WithdrawalAnnounced,
    Withdrawn,
)
from tallystick.errors import NodeInvalid
from tests.chain.test_decode import words
from tests.core.test_channel import TERMS

ID = bytes(range(32))
ONE, TWO, TOKEN = (f"0x{number:040d}" for number in (11, 12, 13))
MOST = 2**128 - 1
CONFIG = "(address,address,address,address,address,uint40,bytes32)"


def test_every_event_of_the_abi_is_known_with_its_shape() -> None:
    events = {entry["name"]: entry["inputs"] for entry in load_artefact("Channels").abi if entry["type"] == "event"}
    known = {name for name in events if name != "EIP712DomainChanged"}
    assert set(SHAPES) == known == set(CHANNELS.names().values())
    for name in known:
        indexed = [part["indexed"] for part in events[name]]
        data = sum(7 if part["type"] == "tuple" else 1 for part in events[name] if not part["indexed"])
        assert (SHAPES[name].topics, SHAPES[name].words) == (sum(indexed), data), name


@pytest.mark.parametrize(
    ("name", "topics", "data", "event"),
    [
        ("Deposited", ID + words(ONE), words(5, MOST), Deposited(ID, ONE, 5, MOST)),
        ("Claimed", ID + words(ONE), words(5, MOST), Claimed(ID, ONE, 5, MOST)),
        ("ClaimSkipped", ID, words(7), ClaimSkipped(ID, Refusal.KEY_EXPIRED)),
        ("Settled", words(ONE, TOKEN, TWO), words(MOST), Settled(ONE, TOKEN, TWO, MOST)),
        ("Refunded", ID + words(TWO), words(9), ChannelRefunded(ID, TWO, 9)),
        ("WithdrawInitiated", ID, words(9, 2**40 - 1), WithdrawalAnnounced(ID, 9, 2**40 - 1)),
        ("WithdrawFinalized", ID + words(TWO), words(9), Withdrawn(ID, TWO, 9)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_events_without_terms(name: str, topics: bytes, data: bytes, event: ChannelEvent) -> None:
    assert CHANNELS.decode(name, topics, data) == event
    too_large = data[:-32] + words(2**128)
    for wrong in (data + bytes(32), data[:-1], b"", too_large):
        with pytest.raises(NodeInvalid, match="ask another node"):
            CHANNELS.decode(name, topics, wrong)


@given(TERMS)
def test_terms_are_read_as_they_were_told(terms: ChannelTerms) -> None:
    data = encode([CONFIG], [terms.words])
    assert CHANNELS.decode("ChannelCreated", ID, data) == ChannelCreated(ID, terms)
    assert CHANNELS.decode("ChannelClosed", ID, data) == ChannelClosed(ID, terms)
    opened = CHANNELS.decode("ChannelOpened", ID + words(ONE), data + words(7))
    assert opened == ChannelOpened(ID, ONE, terms, 7)
    for word in range(6):  # the salt alone may be anything
        wrong = data[: word * 32] + words(2**256 - 1) + data[(word + 1) * 32 :]
        with pytest.raises(NodeInvalid, match="ask another node"):
            CHANNELS.decode("ChannelCreated", ID, wrong)
