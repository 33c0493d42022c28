"""The JSON of a document: every digit of it, and every field of it described."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.core.money import UINT256_MAX, Amount, Token
from tallystick.render.document import InvoiceDocument, Usage
from tallystick.render.invoice_json import invoice_json, invoice_json_text
from tests.render.samples import PAYMENT, SAMPLES, USDC, credit_note, invoice, line

DOCS = Path(__file__).parents[2] / "docs" / "invoices.md"


@pytest.mark.parametrize("document", SAMPLES.values(), ids=SAMPLES.keys())
def test_it_is_ascii_json_and_always_the_same(document: InvoiceDocument) -> None:
    text = invoice_json_text(document)
    assert text.isascii()
    assert json.loads(text) == invoice_json(document)
    assert text == invoice_json_text(document)


@given(st.integers(0, UINT256_MAX), st.integers(0, 24))
def test_E68_amounts_keep_every_digit(units: int, decimals: int) -> None:
    token = Token(1, USDC.address, "ANY", decimals)
    total = json.loads(invoice_json_text(invoice(lines=(line(units, token=token),), fiat=None)))["total"]
    assert int(total["units"]) == units
    whole, _, fraction = total["decimal"].partition(".")
    assert len(fraction) == decimals
    assert int(whole + fraction) == units
    assert total["asset"] == {"symbol": "ANY", "decimals": decimals, "chain_id": 1, "address": USDC.address}


def test_the_values_of_an_invoice() -> None:
    shown = invoice_json(invoice(refunded=Amount(12_500_000, USDC), credit_notes=("CN-000003",)))
    assert shown["format"] == "tallystick/invoice/1"
    assert (shown["kind"], shown["number"], shown["status"]) == ("invoice", "INV-000042", "paid")
    assert shown["issued_at"] == "2026-11-21T20:22:05Z"
    assert shown["total"]["decimal"] == "49.000000"
    assert shown["fiat_value"] is not None
    assert shown["fiat_value"]["amount"] == {
        "units": "4900",
        "decimal": "49.00",
        "asset": {"symbol": "USD", "decimals": 2},
    }
    assert shown["payment"]["transaction_hash"] == PAYMENT.transaction_hash
    assert shown["refunded"] is not None
    assert shown["refunded"]["units"] == "12500000"
    assert shown["credit_notes"] == ["CN-000003"]


def test_usage_keeps_every_digit() -> None:
    used = Usage(2**128 - 1, "0x" + "5e" * 32)
    assert invoice_json(invoice(usage=used))["usage"] == {"quantity": str(2**128 - 1), "hash": used.usage_hash}
    assert invoice_json(invoice())["usage"] is None


def test_a_quoted_price_has_its_evidence() -> None:
    shown = invoice_json(SAMPLES["quoted"])
    assert shown["quoted"] is not None
    assert shown["quoted"]["price_units"] == "4900"
    assert shown["quoted"]["amount"]["decimal"] == "53.021374"
    assert (shown["quoted"]["quoter"], shown["beneficiary"]) == ("0x" + "9A" * 20, "0x" + "7B" * 20)
    assert (invoice_json(invoice())["quoted"], invoice_json(invoice())["beneficiary"]) == (None, None)


def test_every_field_is_described_in_the_docs() -> None:
    described = DOCS.read_text()
    documents = (
        invoice(refunded=Amount(1, USDC), credit_notes=("CN-000003",)),
        credit_note(),
        SAMPLES["usage"],
        SAMPLES["quoted"],
        SAMPLES["escrow"],
        SAMPLES["sale"],
    )
    for document in documents:
        for key in _keys(invoice_json(document)):
            assert f"`{key}`" in described, f"docs/invoices.md does not describe `{key}`"


def _keys(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _keys(inner)
