"""What an invoice is called on chain: text where it can be read back, 32 bytes in any case."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.core.reference import parse_reference, shown_reference
from tallystick.errors import InputError


@given(st.binary(min_size=32, max_size=32))
def test_any_reference_is_shown_so_that_it_is_read_back(reference: bytes) -> None:
    if reference == bytes(32):
        assert shown_reference(reference) == "0x" + "0" * 64
    assert parse_reference(shown_reference(reference)) == reference


@given(st.text(min_size=1, max_size=32).filter(lambda text: "\0" not in text and len(text.encode()) <= 32))
def test_text_is_kept(text: str) -> None:
    reference = parse_reference(text)
    assert len(reference) == 32
    assert reference.rstrip(b"\0").decode() == text
    if text.isprintable():
        assert shown_reference(reference) == text


@pytest.mark.parametrize("text", ["", "x" * 33, "é" * 17, "a\0b", "0x" + "g" * 64])
def test_what_cannot_be_one(text: str) -> None:
    with pytest.raises(InputError, match="allowed are"):
        parse_reference(text)
