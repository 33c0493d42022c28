"""Vouchers and spending keys as they travel, as JSON: from wallet to till, and from a payer to who spends for it.

Sums are text, because JSON numbers lose digits beyond 2^53; times are Unix seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from tallystick.core.address import parse_address
from tallystick.core.channel import Channel, ChannelTerms
from tallystick.core.signed import parse_bytes, parse_word, reading_signed, rendered, shown_bytes
from tallystick.core.voucher import SpendingKey, Voucher

MOST_SUM = 2**128 - 1
MOST_TIME = 2**40 - 1


@dataclass(frozen=True, slots=True)
class Grant:
    """A channel, and a key that a payer lets spend from it. `signed_sum` is what the payer's vouchers came to before:
    the key's go on from there."""

    channel: Channel
    key: SpendingKey
    signed_sum: int

    def render(self) -> str:
        """The text for the way to whoever has the key: JSON."""
        return rendered(_GrantText(_channel_text(self.channel), _key_text(self.key), str(self.signed_sum)))


class _ChannelText(msgspec.Struct, forbid_unknown_fields=True):
    chain_id: int
    contract: str
    channel_id: str
    payer: str
    payer_authorizer: str | None
    receiver: str
    receiver_authorizer: str
    token: str
    withdraw_delay_s: int
    salt: str


class _KeyText(msgspec.Struct, forbid_unknown_fields=True):
    key: str
    limit_sum: str
    valid_before: int
    signature: str


class _VoucherText(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    channel: _ChannelText
    sum: str
    signature: str
    spending_key: _KeyText | None = None


class _GrantText(msgspec.Struct, forbid_unknown_fields=True):
    channel: _ChannelText
    spending_key: _KeyText
    signed_sum: str


def render_voucher(voucher: Voucher) -> str:
    """The text for the way to the till: JSON."""
    key = None if voucher.spending_key is None else _key_text(voucher.spending_key)
    return rendered(
        _VoucherText(_channel_text(voucher.channel), str(voucher.sum_units), shown_bytes(voucher.signature), key)
    )


def parse_voucher(text: bytes | str) -> Voucher:
    """What `render_voucher` wrote. Raises InputError where it is not that, or a value is impossible."""
    with reading_signed("a voucher", "have the payer write it anew with `tallystick channels voucher`"):
        found = msgspec.json.decode(text, type=_VoucherText)
        key = None if found.spending_key is None else _key(found.spending_key)
        return Voucher(_channel(found.channel), _sum(found.sum), parse_bytes(found.signature), key)


def parse_grant(text: bytes | str) -> Grant:
    """What `Grant.render` wrote. Raises InputError where it is not that, or a value is impossible."""
    with reading_signed("a spending key", "have the payer write it anew with `tallystick channels key`"):
        found = msgspec.json.decode(text, type=_GrantText)
        return Grant(_channel(found.channel), _key(found.spending_key), _sum(found.signed_sum))


def _channel_text(channel: Channel) -> _ChannelText:
    terms = channel.terms
    return _ChannelText(
        channel.chain_id,
        channel.contract,
        shown_bytes(channel.channel_id),
        *(terms.payer, terms.payer_authorizer, terms.receiver, terms.receiver_authorizer, terms.token),
        terms.withdraw_delay_s,
        shown_bytes(terms.salt),
    )


def _channel(found: _ChannelText) -> Channel:
    terms = ChannelTerms(
        payer=parse_address(found.payer),
        payer_authorizer=parse_address(found.payer_authorizer) if found.payer_authorizer else None,
        receiver=parse_address(found.receiver),
        receiver_authorizer=parse_address(found.receiver_authorizer),
        token=parse_address(found.token),
        withdraw_delay_s=_time(found.withdraw_delay_s),
        salt=parse_word(found.salt),
    )
    channel = Channel(found.chain_id, parse_address(found.contract), terms)
    if found.chain_id < 0 or parse_word(found.channel_id) != channel.channel_id:
        raise ValueError("its terms are not those of its channel_id")
    return channel


def _key_text(key: SpendingKey) -> _KeyText:
    return _KeyText(key.key, str(key.limit_sum), key.valid_before, shown_bytes(key.signature))


def _key(found: _KeyText) -> SpendingKey:
    return SpendingKey(
        parse_address(found.key), _sum(found.limit_sum), _time(found.valid_before), parse_bytes(found.signature)
    )


def _sum(text: str) -> int:
    value = int(text)
    if not 0 <= value <= MOST_SUM:
        raise ValueError(f"{text} is no sum of a channel")
    return value


def _time(value: int) -> int:
    if not 0 <= value <= MOST_TIME:
        raise ValueError(f"{value} is no time")
    return value
