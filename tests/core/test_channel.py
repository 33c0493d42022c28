"""Channels and vouchers: their digests by code that shares nothing with the package, sums, rows as the contract reads
them."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st
from x402.mechanisms.evm.batch_settlement import constants

from tallystick.core import channel as channels
from tallystick.core.channel import (
    CONFIG_TYPE,
    DOMAIN_NAME,
    DOMAIN_VERSION,
    MOST_UNITS,
    Channel,
    ChannelState,
    ChannelTerms,
    amount_of,
    opening_of,
    sum_of,
)
from tallystick.core.permit import TokenDomain
from tallystick.core.signed import DOMAIN_FIELDS, domain, types_of
from tallystick.core.voucher import (
    VOUCHER_TYPE,
    SpendingKey,
    Voucher,
    spending_key_digest,
    spending_key_typed_data,
    voucher_digest,
    voucher_typed_data,
)
from tests.core.test_quote import ADDRESSES, digest

CHAIN, CONTRACT = 8_453, "0x4444444444444444444444444444444444444444"
SUMS = st.integers(0, 2**128 - 1)
TIMES = st.integers(0, 2**40 - 1)
TERMS = st.builds(
    ChannelTerms,
    payer=ADDRESSES,
    payer_authorizer=st.none() | ADDRESSES.filter(lambda address: int(address, 16) != 0),
    receiver=ADDRESSES,
    receiver_authorizer=ADDRESSES,
    token=ADDRESSES,
    withdraw_delay_s=st.integers(900, 30 * 86_400),
    salt=st.binary(min_size=32, max_size=32),
)
CHANNELS = st.builds(Channel, chain_id=st.just(CHAIN), contract=st.just(CONTRACT), terms=TERMS)


def config_data(channel: Channel) -> dict[str, Any]:
    """The terms as x402 has them signed."""
    return {
        "types": {"EIP712Domain": DOMAIN_FIELDS} | types_of(CONFIG_TYPE),
        "primaryType": "ChannelConfig",
        "domain": domain(CHAIN, CONTRACT, name=DOMAIN_NAME, version=DOMAIN_VERSION),
        "message": channel.terms.message,
    }


def test_the_types_are_those_of_x402() -> None:
    assert CONFIG_TYPE == constants.CHANNEL_CONFIG_TYPE_STRING
    assert types_of(CONFIG_TYPE) == constants.CHANNEL_CONFIG_TYPES
    assert types_of(VOUCHER_TYPE) == constants.VOUCHER_TYPES
    assert (DOMAIN_NAME, DOMAIN_VERSION) == (
        constants.BATCH_SETTLEMENT_DOMAIN_NAME,
        constants.BATCH_SETTLEMENT_DOMAIN_VERSION,
    )
    assert (channels.MIN_WITHDRAW_DELAY_S, channels.MAX_WITHDRAW_DELAY_S) == (
        constants.MIN_WITHDRAW_DELAY,
        constants.MAX_WITHDRAW_DELAY,
    )


@given(CHANNELS, CHANNELS)
def test_a_channel_is_named_by_the_digest_of_its_terms(one: Channel, other: Channel) -> None:
    assert one.channel_id == digest(config_data(one))
    assert (one.channel_id == other.channel_id) == (one == other)
    elsewhere = Channel(1, CONTRACT, one.terms), Channel(CHAIN, "0x" + "5" * 40, one.terms)
    assert len({one.channel_id, *(each.channel_id for each in elsewhere)}) == 3  # E12


@given(CHANNELS, SUMS, ADDRESSES, TIMES)
def test_digests_are_those_of_the_typed_data(channel: Channel, units: int, key: str, end: int) -> None:
    assert voucher_digest(channel, units) == digest(voucher_typed_data(channel, units))
    assert spending_key_digest(channel, key, units, end) == digest(spending_key_typed_data(channel, key, units, end))
    assert SpendingKey(key, units, end, b"").digest(channel) == spending_key_digest(channel, key, units, end)
    assert Voucher(channel, units, b"").digest == voucher_digest(channel, units)


@given(st.integers(0, 2**32 - 1), st.integers(0, MOST_UNITS))
def test_a_sum_is_an_amount_of_an_opening(opening: int, units: int) -> None:
    found = sum_of(opening, units)
    assert (opening_of(found), amount_of(found)) == (opening, units)
    assert 0 <= found < 2**128


@given(st.integers(0, 2**32 - 1), st.integers(0, MOST_UNITS), st.data())
def test_what_is_available_lies_between_the_two_sums(opening: int, deposited: int, data: st.DataObject) -> None:
    state = ChannelState(opening, deposited, data.draw(st.integers(0, deposited)))
    assert state.balance_sum - state.claimed_sum == state.available >= 0
    assert opening_of(state.balance_sum) == opening_of(state.claimed_sum) == opening


def read_row(row: bytes) -> dict[str, Any]:
    """A row by the layout in `IChannels`."""
    size = int.from_bytes(row[88:90], "big")
    part = bool(size & 1 << 14)
    rest = row[90 + 16 * part :]
    assert len(rest) == size & 0x3FFF
    return {
        "payer": row[:20],
        "key": row[20:40],
        "salt": row[40:72],
        "most": int.from_bytes(row[72:88], "big"),
        "part": int.from_bytes(row[90:106], "big") if part else None,
        "by_key": bool(size >> 15),
        "signature": rest,
    }


@given(CHANNELS, SUMS, st.binary(max_size=200), st.none() | SUMS)
def test_a_row_is_read_as_it_was_packed(channel: Channel, units: int, signature: bytes, part: int | None) -> None:
    found = read_row(Voucher(channel, units, signature).row(part))
    terms = channel.terms
    assert found == {
        "payer": bytes.fromhex(terms.payer[2:]),
        "key": bytes.fromhex((terms.payer_authorizer or "0x" + "0" * 40)[2:]),
        "salt": terms.salt,
        "most": units,
        "part": part,
        "by_key": False,
        "signature": signature,
    }


@given(CHANNELS, SUMS, ADDRESSES, TIMES, st.binary(min_size=65, max_size=65), st.binary(max_size=200))
def test_a_row_of_a_spending_key_holds_both_signatures(
    channel: Channel, limit: int, key: str, end: int, mine: bytes, payers: bytes
) -> None:
    voucher = Voucher(channel, 7, mine, SpendingKey(key, limit, end, payers))
    found = read_row(voucher.row())
    head = bytes.fromhex(key[2:]) + limit.to_bytes(16, "big") + end.to_bytes(5, "big")
    assert (found["by_key"], found["signature"]) == (True, head + mine + payers)
    assert voucher.is_sound


def test_a_signature_that_no_row_holds_is_not_sound() -> None:
    terms = ChannelTerms(*("0x" + "1" * 40,) * 5, 900, bytes(32))
    channel = Channel(CHAIN, CONTRACT, terms)
    assert Voucher(channel, 1, bytes(2**14 - 1)).is_sound
    assert not Voucher(channel, 1, bytes(2**14)).is_sound
    assert not Voucher(channel, 1, bytes(64), SpendingKey(CONTRACT, 1, 1, bytes(65))).is_sound
    assert not Voucher(channel, 1, bytes(65), SpendingKey(CONTRACT, 1, 1, bytes(2**14 - 106))).is_sound


@given(CHANNELS, st.integers(1, MOST_UNITS), st.integers(0, 2**256 - 1), st.integers(1, 2**40 - 1))
def test_what_is_signed_for_a_deposit_names_the_channel(channel: Channel, units: int, number: int, end: int) -> None:
    by_permit2 = channels.permit2_typed_data(channel, units, nonce=number, valid_before=end)
    digest(by_permit2)
    assert by_permit2["types"]["DepositWitness"] == constants.BATCH_PERMIT2_WITNESS_TYPES["DepositWitness"]
    order = constants.BATCH_PERMIT2_WITNESS_TYPES["PermitWitnessTransferFrom"]
    assert by_permit2["types"]["PermitWitnessTransferFrom"] == order
    assert by_permit2["message"]["witness"] == {"channelId": channel.channel_id}
    token = TokenDomain("USD Coin", "2", CHAIN, channel.terms.token)
    by_token = channels.authorization_typed_data(channel, units, token, salt=number, valid_before=end)
    digest(by_token)
    assert by_token["message"]["nonce"] == keccak(encode(["bytes32", "uint256"], [channel.channel_id, number]))
    assert (by_token["message"]["to"], by_token["message"]["value"]) == (CONTRACT, units)


@given(st.integers(0, 2**256 - 1), st.integers(1, 2**40 - 1), st.binary(max_size=200))
def test_data_of_deposits_is_laid_out_as_the_contract_reads_it(number: int, end: int, signature: bytes) -> None:
    data = channels.permit2_deposit(number, end, signature)
    assert decode(["uint256", "uint256", "bytes", "bytes"], data) == (number, end - 1, signature, b"")
    packed = channels.authorization_deposit(number, end, signature)
    assert packed == end.to_bytes(5, "big") + number.to_bytes(32, "big") + signature


@pytest.mark.parametrize(("since", "expected"), [(0, None), (5, 905)])
def test_when_a_withdrawal_can_be_paid_out(since: int, expected: int | None) -> None:
    terms = ChannelTerms(*("0x" + "1" * 40,) * 5, 900, bytes(32))
    assert ChannelState(0, 5, 0, 5, since).withdrawable_at(terms) == expected
