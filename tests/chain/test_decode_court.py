"""Logs of an arbiter with a court into events: the shapes are the ABI's, and what it cannot have said is refused."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from tallystick.chain.decode_court import COURT, SHAPES, TEXTS
from tallystick.contracts import load_artefact
from tallystick.core.court import Appealed, EvidenceShown, Judged, MetaEvidence
from tallystick.core.money import UINT256_MAX
from tallystick.errors import NodeInvalid

WORD = 32
ID = bytes(range(32))
PARTY = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
EVENTS: dict[str, Any] = {
    entry["name"]: entry for entry in load_artefact("CourtArbiter").abi if entry["type"] == "event"
}


def words(*values: int | str) -> bytes:
    return b"".join(encode(["address" if isinstance(value, str) else "uint256"], [value]) for value in values)


def test_the_shapes_are_those_of_the_abi() -> None:
    """Of the events that are read; `Ruling` and `Dispute` are for courts, and say nothing that is not known here."""
    assert set(SHAPES | TEXTS) == set(EVENTS) - {"Ruling", "Dispute"} == set(COURT.names().values())
    for name, shape in SHAPES.items():
        indexed = [part for part in EVENTS[name]["inputs"] if part["indexed"]]
        assert (shape.topics, shape.words) == (len(indexed), len(EVENTS[name]["inputs"]) - len(indexed)), name
    for name, shape in TEXTS.items():
        kinds = [(part["type"], part["indexed"]) for part in EVENTS[name]["inputs"]]
        assert kinds[-1] == ("string", False)
        assert [indexed for _, indexed in kinds[:-1]] == [True] * shape.topics, name


def test_each_event_with_its_largest_values() -> None:
    decode = COURT.decode
    assert decode("Judged", ID, words(10_000, 10_000)) == Judged(ID, 10_000, 10_000)
    assert decode("Appealed", ID + words(PARTY, UINT256_MAX), b"") == Appealed(ID, PARTY, UINT256_MAX)
    assert decode("MetaEvidence", words(0), encode(["string"], ["/ipfs/Q"])) == MetaEvidence(0, "/ipfs/Q")
    topics = words(PARTY) + ID + words(PARTY)
    assert decode("Evidence", topics, encode(["string"], ["ä"])) == EvidenceShown(ID, PARTY, "ä")
    assert decode("Evidence", topics, encode(["string"], [""])) == EvidenceShown(ID, PARTY, "")


def test_a_party_who_writes_no_text_hides_nobody_else_s() -> None:
    topics, data = words(PARTY) + ID + words(PARTY), encode(["bytes"], [b"\xff\xfe/ipfs"])
    found = COURT.decode("Evidence", topics, data)
    assert isinstance(found, EvidenceShown)
    assert found.uri.endswith("/ipfs")


IMPOSSIBLE = {
    "a part": ("Judged", ID, words(10_001, 0)),
    "a party": ("Appealed", ID + words(2**160, 1), b""),
    "too few topics": ("Evidence", ID, encode(["string"], ["x"])),
    "no text": ("MetaEvidence", words(0), words(32, 5)),
    "nothing": ("MetaEvidence", words(0), b""),
    "another name": ("Dispute", ID, b""),
}


@pytest.mark.parametrize("impossible", IMPOSSIBLE)
def test_what_the_contract_cannot_have_said_is_refused(impossible: str) -> None:
    with pytest.raises(NodeInvalid):
        COURT.decode(*IMPOSSIBLE[impossible])


@given(st.sampled_from(sorted(SHAPES | TEXTS)), st.binary(max_size=4 * WORD), st.binary(max_size=9 * WORD))
def test_any_bytes_are_decoded_or_refused(name: str, topics: bytes, data: bytes) -> None:
    try:
        COURT.decode(name, topics, data)
    except NodeInvalid:
        return
