"""Logs of `UniswapSwapper`: decoded as they were encoded, and refused where the contract cannot have made them."""

from __future__ import annotations

import pytest

from tallystick.chain.decode_swapper import SHAPES, SWAPPER
from tallystick.contracts import load_artefact
from tallystick.core.swap import Swapped
from tallystick.errors import NodeInvalid
from tests.chain.test_decode import words

CALLER, RECEIVER, ONE, TWO = (f"0x{number:040d}" for number in (11, 12, 13, 14))
MOST = 2**256 - 1


def test_the_event_has_the_shape_of_the_abi() -> None:
    (found,) = (entry["inputs"] for entry in load_artefact("UniswapSwapper").abi if entry["type"] == "event")
    indexed = [part["indexed"] for part in found]
    assert (SHAPES["Swapped"].topics, SHAPES["Swapped"].words) == (sum(indexed), len(indexed) - sum(indexed))


def test_it_is_decoded_to_the_last_unit() -> None:
    found = SWAPPER.decode("Swapped", words(CALLER, ONE, TWO), words(RECEIVER, MOST, 1))
    assert found == Swapped(CALLER, ONE, TWO, RECEIVER, MOST, 1)


@pytest.mark.parametrize(
    ("topics", "data"),
    [
        (words(CALLER, ONE, ONE), words(RECEIVER, 1, 1)),
        (words(CALLER, ONE, 2**160), words(RECEIVER, 1, 1)),
        (words(CALLER, ONE), words(RECEIVER, 1, 1)),
        (words(CALLER, ONE, TWO), words(RECEIVER, 1)),
    ],
    ids=["a token for itself", "no address", "a topic too few", "a word too few"],
)
def test_what_cannot_be_is_refused(topics: bytes, data: bytes) -> None:
    with pytest.raises(NodeInvalid):
        SWAPPER.decode("Swapped", topics, data)
