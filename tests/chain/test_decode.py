"""Logs into events: the shapes are the ABI's, and what the contract cannot have said is refused."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from tallystick.chain.decode import _SHAPES, LAST_TIME, WORD, decode_event, event_names
from tallystick.contracts import load_artefact
from tallystick.core.events import Charged, Declined, MandateAccepted, PlanCreated, Subscribed
from tallystick.core.money import UINT256_MAX
from tallystick.core.period import Unit
from tallystick.core.subscription import DeclineReason
from tallystick.errors import NodeInvalid

PAYER, TOKEN = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"
EVENTS = {item["name"]: item for item in load_artefact("Subscriptions").abi if item["type"] == "event"}


def words(*values: int | str) -> bytes:
    return b"".join((int(value, 16) if isinstance(value, str) else value).to_bytes(WORD, "big") for value in values)


def test_the_shapes_are_those_of_the_abi() -> None:
    known = {name for name in EVENTS if name != "EIP712DomainChanged"}  # OpenZeppelin's, which is never emitted
    assert set(_SHAPES) == known == set(event_names().values())
    for name, shape in _SHAPES.items():
        indexed = [argument["indexed"] for argument in EVENTS[name]["inputs"]]
        assert (shape.topics, shape.words) == (indexed.count(True), indexed.count(False)), name


def test_events_as_the_contract_gives_them() -> None:
    plan = decode_event("PlanCreated", words(1, PAYER, TOKEN), words(2**96 - 1, 2**32 - 1, 4, 255))
    assert plan == PlanCreated(1, PAYER, TOKEN, 2**96 - 1, 2**32 - 1, Unit.YEAR, 255)
    assert decode_event("Subscribed", words(2**63 - 1, PAYER, 1), words(5)) == Subscribed(2**63 - 1, PAYER, 1, 5)
    charged = decode_event("Charged", words(7), words(65_535, 10, LAST_TIME, 3))
    assert charged == Charged(7, 65_535, 10, LAST_TIME, 3)
    declined = decode_event("Declined", words(UINT256_MAX), words(0, 1))  # anyone may ask to charge any number
    assert declined == Declined(UINT256_MAX, 0, DeclineReason.UNKNOWN)
    accepted = decode_event("MandateAccepted", words(1, PAYER), words(UINT256_MAX) + b"h" * WORD)
    assert accepted == MandateAccepted(1, PAYER, UINT256_MAX, b"h" * WORD)


IMPOSSIBLE = {
    "a plan beyond 32 bits": ("PlanCreated", words(2**32, PAYER, TOKEN), words(1, 1, 1, 0)),
    "a price beyond 96 bits": ("PlanCreated", words(1, PAYER, TOKEN), words(2**96, 1, 1, 0)),
    "a unit that there is none": ("PlanCreated", words(1, PAYER, TOKEN), words(1, 1, 5, 0)),
    "catching up on more than 255": ("PlanCreated", words(1, PAYER, TOKEN), words(1, 1, 1, 256)),
    "a payee with 21 bytes": ("PlanCreated", words(1, 2**160, TOKEN), words(1, 1, 1, 0)),
    "a subscription beyond 63 bits": ("Subscribed", words(2**63, PAYER, 1), words(5)),
    "a time beyond the calendar": ("Subscribed", words(1, PAYER, 1), words(LAST_TIME + 1)),
    "a charge beyond 16 bits": ("Charged", words(1), words(65_536, 1, 2, 3)),
    "a period without length": ("Charged", words(1), words(1, 2, 2, 3)),
    "a period beyond the calendar": ("Charged", words(1), words(1, 2, LAST_TIME + 1, 3)),
    "an amount beyond 96 bits": ("Charged", words(1), words(1, 1, 2, 2**96)),
    "a reason that there is none": ("Declined", words(1), words(1, 99)),
    "a refund beyond 96 bits": ("Refunded", words(1), words(1, UINT256_MAX)),
    "an event that there is none": ("Minted", words(1), words(1)),
}


@pytest.mark.parametrize("impossible", IMPOSSIBLE)
def test_what_the_contract_cannot_have_said_is_refused_E28(impossible: str) -> None:
    with pytest.raises(NodeInvalid):
        decode_event(*IMPOSSIBLE[impossible])


@given(st.sampled_from(sorted(_SHAPES)), st.binary(max_size=5 * WORD), st.binary(max_size=5 * WORD))
def test_any_bytes_are_an_event_or_refused_E62(name: str, topics: bytes, data: bytes) -> None:
    try:
        decode_event(name, topics, data)
    except NodeInvalid:
        return
    shape = _SHAPES[name]
    assert (len(topics), len(data)) == (shape.topics * WORD, shape.words * WORD)


@given(
    st.integers(0, 2**63 - 1),
    st.integers(0, 65_535),
    st.integers(0, LAST_TIME - 1),
    st.integers(1, 10**9),
    st.integers(0, 2**96 - 1),
)
def test_a_charge_is_what_a_general_encoder_wrote(
    number: int, charge: int, start: int, length: int, units: int
) -> None:
    end = min(LAST_TIME, start + length)
    data = encode(["uint256"] * 4, [charge, start, end, units])
    assert decode_event("Charged", words(number), data) == Charged(number, charge, start, end, units)
