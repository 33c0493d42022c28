"""Quotes: their ids and what is signed for them, by code that shares nothing with the package; parts that add up."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account.messages import encode_typed_data
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from tallystick.core import quote as quotes
from tallystick.core.deposit import deposit_address
from tallystick.core.permit import TokenDomain
from tallystick.core.quote import MOST_PAYOUT_UNITS, Payout, Quote, shared
from tallystick.errors import AmountInvalid

CHAIN = 8_453
CONTRACT = "0x4444444444444444444444444444444444444444"
ADDRESSES = st.binary(min_size=20, max_size=20).map(to_checksum_address)
PAYOUTS = st.builds(Payout, ADDRESSES, st.integers(1, MOST_PAYOUT_UNITS))
QUOTES = st.builds(
    Quote,
    merchant=ADDRESSES,
    number=st.integers(0, 2**256 - 1),
    invoice=st.binary(min_size=32, max_size=32),
    token=ADDRESSES,
    valid_before=st.integers(1, 2**40 - 1),
    payouts=st.lists(PAYOUTS, min_size=1, max_size=16).map(tuple),
)


def digest(message: dict[str, Any]) -> bytes:
    """By eth-account."""
    signable = encode_typed_data(full_message=message)
    return keccak(b"\x19\x01" + signable.header + signable.body)


@given(QUOTES)
def test_a_quote_is_named_by_the_digest_of_what_the_merchant_signs(quote: Quote) -> None:
    message = quotes.typed_data(quote, chain_id=CHAIN, contract=CONTRACT)
    assert quote.quote_id(chain_id=CHAIN, contract=CONTRACT) == digest(message)
    assert message["message"]["amount"] == sum(units for _, units in quote.payouts)


@given(QUOTES, QUOTES)
def test_two_quotes_have_two_names(one: Quote, other: Quote) -> None:
    ids = {quote.quote_id(chain_id=CHAIN, contract=CONTRACT) for quote in (one, other)}
    assert len(ids) == (1 if one == other else 2)
    assert one.quote_id(chain_id=1, contract=CONTRACT) not in ids


@given(QUOTES, ADDRESSES)
def test_an_acceptance_holds_the_quote_and_its_payer(quote: Quote, payer: str) -> None:
    message = quotes.acceptance_typed_data(quote, payer, chain_id=CHAIN, contract=CONTRACT)
    kind = keccak(
        text="Acceptance(address payer,Quote quote)Payout(address payee,uint256 amount)"
        "Quote(address merchant,uint256 number,bytes32 invoice,address token,uint256 amount,uint256 validBefore,"
        "Payout[] payouts)"
    )
    inner = keccak(encode(["bytes32", "address", "bytes32"], [kind, payer, quote.struct_hash()]))
    separator = TokenDomain("Tallystick Checkout", "1", CHAIN, CONTRACT).separator()
    assert digest(message) == keccak(b"\x19\x01" + separator + inner)


@given(QUOTES, st.integers(0, 2**256 - 1))
def test_permit2_names_the_quote_as_its_witness(quote: Quote, nonce: int) -> None:
    message = quotes.permit2_typed_data(quote, nonce=nonce, chain_id=CHAIN, contract=CONTRACT)
    assert message["message"] == {
        "permitted": {"token": quote.token, "amount": quote.amount_units},
        "spender": CONTRACT,
        "nonce": nonce,
        "deadline": quote.valid_before - 1,
        "witness": quote.message,
    }
    digest(message)  # it can be signed


@given(QUOTES, ADDRESSES)
def test_an_authorization_has_the_quote_as_its_nonce(quote: Quote, payer: str) -> None:
    token = TokenDomain("USD Coin", "2", CHAIN, quote.token)
    message = quotes.authorization_typed_data(quote, payer, token, contract=CONTRACT)["message"]
    assert message["nonce"] == quote.quote_id(chain_id=CHAIN, contract=CONTRACT)
    assert (message["from"], message["to"], message["value"]) == (payer, CONTRACT, quote.amount_units)
    assert (message["validAfter"], message["validBefore"]) == (0, quote.valid_before)


@given(st.integers(1, 2**96), st.lists(st.tuples(ADDRESSES, st.integers(0, 10**6)), min_size=1, max_size=16))
def test_E38_parts_by_shares_are_the_whole_to_the_unit(units: int, shares: list[tuple[str, int]]) -> None:
    total = sum(share for _, share in shares)
    if not total:
        with pytest.raises(AmountInvalid, match="positive sum"):
            shared(units, shares)
        return
    parts = shared(units, shares)
    assert sum(part.units for part in parts) == units
    assert all(part.units > 0 for part in parts)
    assert len(parts) <= len(shares)


@given(ADDRESSES, st.binary(min_size=32, max_size=32), ADDRESSES, st.binary(min_size=32, max_size=32))
def test_a_deposit_address_is_made_of_contract_receiver_invoice_and_code(
    receiver: str, invoice: bytes, contract: str, code_hash: bytes
) -> None:
    salt = keccak(encode(["address", "bytes32"], [receiver, invoice]))
    expected = keccak(b"\xff" + bytes.fromhex(contract[2:]) + salt + code_hash)[12:]
    assert deposit_address(receiver, invoice, contract=contract, code_hash=code_hash) == to_checksum_address(expected)
