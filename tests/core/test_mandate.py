"""Mandates and permits: what is signed is what the contracts expect, whatever the values are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from tallystick.chain.node import connect
from tallystick.chain.signer import KeySigner, typed_data_digest
from tallystick.chain.subscriptions import Subscriptions
from tallystick.core import permit as permits
from tallystick.core.address import parse_address
from tallystick.core.mandate import Mandate, SignedMandate, parse_mandate, typed_data
from tallystick.core.period import Unit
from tallystick.core.permit import Permit, SignedPermit, TokenDomain, signed_permit
from tallystick.errors import AddressInvalid, InputError, TallystickError
from tallystick.testing import start_anvil
from tests.business import Business

UINT256 = st.integers(0, 2**256 - 1)
ADDRESSES = st.binary(min_size=20, max_size=20).map(lambda raw: parse_address("0x" + raw.hex()))
BYTES32 = st.binary(min_size=32, max_size=32)
PRICES = [1, 9_990_000, 2**96 - 1]
SIGNER = KeySigner.from_key("0x" + "11" * 32)


@pytest.fixture(scope="module")
def business() -> Iterator[Business]:
    """A contract with plans of every unit."""
    with start_anvil() as anvil:
        found = Business(anvil)
        for unit in Unit:
            for number, price in enumerate(PRICES, start=1):
                found.create_plan(price, number * 3, unit)
        found.create_plan(0, 1, Unit.MONTH, seat_price_units=7, trial=9, max_charges=12, payee=found.account("other"))
        found.create_plan(5, fee_bps=250, fee_receiver=found.account("platform"), grace=60, family=3)
        yield found


@given(
    plan_id=st.integers(1, len(Unit) * len(PRICES) + 2),
    payer=ADDRESSES,
    salt=UINT256,
    valid_before=UINT256,
    seats=UINT256,
)
def test_E12_the_digest_is_the_contract_s(
    business: Business, plan_id: int, payer: str, salt: int, valid_before: int, seats: int
) -> None:
    contract = Subscriptions(connect(business.anvil.url), business.subscriptions)
    mandate = Mandate(payer, plan_id, salt, valid_before, seats)
    plan = contract.plan(plan_id)
    assert plan.terms_hash() == business.terms_hash(plan_id)
    message = typed_data(mandate, plan, chain_id=31337, contract=business.subscriptions)
    assert typed_data_digest(message) == contract.mandate_hash(mandate)


def test_E12_a_signature_is_good_for_one_chain_one_contract_and_these_terms(business: Business) -> None:
    contract = Subscriptions(connect(business.anvil.url), business.subscriptions)
    mandate = Mandate(SIGNER.address, 1, 2, 3)
    first, second = contract.plan(1), contract.plan(2)
    digests = {
        typed_data_digest(typed_data(mandate, plan, chain_id=chain_id, contract=address))
        for plan in (first, second)
        for chain_id in (31337, 1)
        for address in (business.subscriptions, business.token)
    }
    assert len(digests) == 8


SIGNED_PERMITS = st.builds(SignedPermit, UINT256, UINT256, st.integers(0, 255), BYTES32, BYTES32)
SIGNED_MANDATES = st.builds(
    SignedMandate,
    st.integers(1, 2**53),
    ADDRESSES,
    st.builds(Mandate, ADDRESSES, st.integers(0, 2**32), UINT256, UINT256),
    st.binary(max_size=200),
    st.none() | SIGNED_PERMITS,
)


@given(SIGNED_MANDATES)
def test_a_signed_mandate_survives_its_text(signed: SignedMandate) -> None:
    assert parse_mandate(signed.render()) == signed


@given(st.text() | st.binary())
def test_text_that_is_no_mandate_is_an_error(text: str | bytes) -> None:
    with pytest.raises(InputError, match="not a signed mandate"):
        parse_mandate(text)


def test_a_mandate_with_impossible_values_is_an_error() -> None:
    good = SignedMandate(1, SIGNER.address, Mandate(SIGNER.address, 1, 2, 3), b"\x01").render()
    for found, wrong in (
        ('"salt": "2"', '"salt": "-2"'),
        ('"salt": "2"', f'"salt": "{2**256}"'),
        ('"signature": "0x01"', '"signature": "01"'),
        ('"signature": "0x01"', '"signature": "0xz"'),
        (SIGNER.address, SIGNER.address[:-1]),
        ('"salt"', '"slat"'),
    ):
        assert found in good
        with pytest.raises(InputError, match="have the payer write it anew"):
            parse_mandate(good.replace(found, wrong))


@given(
    permit=st.builds(Permit, st.just(SIGNER.address), ADDRESSES, UINT256, UINT256, UINT256),
    domain=st.builds(TokenDomain, st.text(max_size=40), st.text(max_size=5), st.integers(1, 2**64), ADDRESSES),
)
def test_a_permit_s_domain_hashes_as_EIP_712_says_and_its_signature_is_the_owner_s(
    permit: Permit, domain: TokenDomain
) -> None:
    message = permits.typed_data(permit, domain)
    signature = SIGNER.sign_typed_data(message)
    signed = signed_permit(permit, signature)
    assert (signed.value_units, signed.deadline) == (permit.value_units, permit.deadline)
    assert signed.r + signed.s + bytes([signed.v]) == signature
    assert Account._recover_hash(typed_data_digest(message), signature=signature) == SIGNER.address
    header = typed_data_header(message)
    assert header == domain.separator()


def typed_data_header(message: dict[str, object]) -> bytes:
    from eth_account.messages import encode_typed_data

    return encode_typed_data(full_message=message).header


@pytest.mark.parametrize(
    "text", ["", "0x12", "5FbDB2315678afecb367f032d93F642f64180aa3", "0x" + "g" * 40, "vitalik.eth"]
)
def test_what_is_no_address_is_an_error(text: str) -> None:
    with pytest.raises(AddressInvalid, match="allowed are 0x and 40 hex digits"):
        parse_address(text)


@given(ADDRESSES)
def test_a_mistyped_address_fails_its_checksum_and_one_without_is_taken(address: str) -> None:
    assert parse_address(f" {address} ") == parse_address(address.lower()) == address
    assert parse_address("0x" + address[2:].upper()) == address
    swapped = "0x" + address[2:].swapcase()
    if swapped[2:] not in {swapped[2:].lower(), swapped[2:].upper()}:
        with pytest.raises(TallystickError, match="fails its checksum"):
            parse_address(swapped)
