"""Payment channels as a payer's wallet and a merchant's till keep them. The chain does not know of vouchers until they
are claimed: what stands here cannot be built anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Table, select, update

from tallystick.core.channel import Channel, ChannelTerms
from tallystick.core.spending import Limits, Spending
from tallystick.core.voucher import SpendingKey, Voucher
from tallystick.storage.database import add_missing_rows, upsert_rows
from tallystick.storage.schema import till_channels, wallet_channels


@dataclass(frozen=True, slots=True)
class WalletChannel:
    """A channel from which this wallet spends, as the payer, its key, or one that it let spend. `signature` is that of
    the highest voucher, None before the first; `request` is what that was asked for with, and for how many units."""

    channel: Channel
    spending_key: SpendingKey | None
    spending: Spending
    signature: bytes | None
    limits: Limits
    request: tuple[str, int] | None = None

    @property
    def last_voucher(self) -> Voucher | None:
        """The highest voucher that was signed here."""
        if self.signature is None:
            return None
        return Voucher(self.channel, self.spending.signed_sum, self.signature, self.spending_key)


@dataclass(frozen=True, slots=True)
class TillChannel:
    """A channel's highest voucher, when it was taken (the chain's time, in Unix seconds), and how far the channel was
    claimed when we last looked. `refusal`: why a claim of this voucher pays nothing whenever it is made; None: it was
    not refused so."""

    voucher: Voucher
    claimed_sum: int
    taken_at: int
    refusal: str | None = None


def read_wallet(connection: Connection, chain_id: int, contract: str) -> list[WalletChannel]:
    """All of a contract."""
    table = wallet_channels
    query = select(table).where(table.c.chain_id == chain_id, table.c.contract == contract)
    return [_wallet_channel(row) for row in connection.execute(query.order_by(table.c.channel_id))]


def lock_wallet_channel(
    connection: Connection, chain_id: int, contract: str, channel_id: bytes
) -> WalletChannel | None:
    """One, which no other process changes before the transaction ends; None where the wallet does not have it."""
    found = _locked(connection, wallet_channels, chain_id, contract, [channel_id])
    return _wallet_channel(found[0]) if found else None


def write_wallet_channel(connection: Connection, found: WalletChannel) -> None:
    """In place of what stands there. Whoever calls has locked it, or makes it anew."""
    spending, limits = found.spending, found.limits
    row = (
        *_terms_row(found.channel, found.spending_key),
        *(spending.signed_sum, found.signature, spending.usable_sum, spending.day, spending.day_units),
        *(found.request or (None, None)),
        *(limits.per_voucher, limits.per_channel, limits.per_day),
    )
    upsert_rows(connection, wallet_channels, [row])


def read_till(connection: Connection, chain_id: int, contract: str) -> list[TillChannel]:
    """All of a contract."""
    table = till_channels
    query = select(table).where(table.c.chain_id == chain_id, table.c.contract == contract)
    return [_till_channel(row) for row in connection.execute(query.order_by(table.c.channel_id))]


def lock_taken(connection: Connection, vouchers: Sequence[Voucher]) -> dict[bytes, TillChannel]:
    """The highest voucher of each of these vouchers' channels, by channel; no other process changes them before the
    transaction ends. Of a channel that is new here it is one for nothing.

    Rows are made and locked in the order of their ids, so that two processes wait for each other and not in a circle.
    """
    channels = {voucher.channel.channel_id: voucher.channel for voucher in vouchers}
    ordered = sorted(channels)
    blank = [_till_row(TillChannel(Voucher(channels[each], 0, b""), 0, 0)) for each in ordered]
    add_missing_rows(connection, till_channels, blank)
    first = next(iter(channels.values()))
    rows = _locked(connection, till_channels, first.chain_id, first.contract, ordered)
    return {row.channel_id: _till_channel(row) for row in rows}


def write_taken(connection: Connection, taken: Sequence[TillChannel]) -> None:
    """In place of what stands there. Whoever calls has locked them."""
    upsert_rows(connection, till_channels, [_till_row(each) for each in taken])


def write_claimed(connection: Connection, channel: Channel, claimed_sum: int) -> None:
    """How far a channel is claimed, whatever voucher came meanwhile."""
    table = till_channels
    statement = update(table).where(*_is(table, channel.chain_id, channel.contract))
    connection.execute(statement.where(table.c.channel_id == channel.channel_id).values(claimed_sum=claimed_sum))


def _is(table: Table, chain_id: int, contract: str) -> tuple[Any, Any]:
    return table.c.chain_id == chain_id, table.c.contract == contract


def write_refusal(connection: Connection, voucher: Voucher, reason: str) -> None:
    """That a claim of this very voucher pays nothing; a newer one that came meanwhile is not touched."""
    table, channel = till_channels, voucher.channel
    statement = update(table).where(*_is(table, channel.chain_id, channel.contract))
    is_this = table.c.channel_id == channel.channel_id, table.c.taken_sum == voucher.sum_units
    connection.execute(statement.where(*is_this).values(refusal=reason))


_AT_ONCE = 500
"""Ids in one statement; SQLite takes 32,766 values."""


def _locked(
    connection: Connection, table: Table, chain_id: int, contract: str, channel_ids: Sequence[bytes]
) -> list[Row[Any]]:
    """In SQLite the transaction itself keeps others out."""
    rows: list[Row[Any]] = []
    query = select(table).where(*_is(table, chain_id, contract)).order_by(table.c.channel_id).with_for_update()
    for start in range(0, len(channel_ids), _AT_ONCE):
        part = channel_ids[start : start + _AT_ONCE]
        rows += connection.execute(query.where(table.c.channel_id.in_(part)))
    return rows


def _terms_row(channel: Channel, key: SpendingKey | None) -> tuple[Any, ...]:
    terms = channel.terms
    of_key = (None,) * 4 if key is None else (key.key, key.limit_sum, key.valid_before, key.signature)
    return (
        *(channel.chain_id, channel.contract, channel.channel_id, terms.payer, terms.payer_authorizer),
        *(terms.receiver, terms.receiver_authorizer, terms.token, terms.withdraw_delay_s, terms.salt),
        *of_key,
    )


def _till_row(found: TillChannel) -> tuple[Any, ...]:
    voucher = found.voucher
    terms = _terms_row(voucher.channel, voucher.spending_key)
    return *terms, voucher.sum_units, voucher.signature, found.claimed_sum, found.taken_at, found.refusal


def _channel(row: Row[Any]) -> Channel:
    terms = ChannelTerms(
        *(row.payer, row.payer_authorizer, row.receiver, row.receiver_authorizer, row.token),
        *(row.withdraw_delay_s, bytes(row.salt)),
    )
    return Channel(row.chain_id, row.contract, terms)


def _key(row: Row[Any]) -> SpendingKey | None:
    if row.key is None:
        return None
    return SpendingKey(row.key, row.key_limit_sum, row.key_valid_before, bytes(row.key_signature))


def _wallet_channel(row: Row[Any]) -> WalletChannel:
    key = _key(row)
    spending = Spending(row.signed_sum, row.usable_sum, row.day, row.day_units, None if key is None else key.limit_sum)
    signature = None if row.signature is None else bytes(row.signature)
    limits = Limits(row.per_voucher, row.per_channel, row.per_day)
    request = None if row.request is None else (row.request, row.request_units)
    return WalletChannel(_channel(row), key, spending, signature, limits, request)


def _till_channel(row: Row[Any]) -> TillChannel:
    voucher = Voucher(_channel(row), row.taken_sum, bytes(row.signature), _key(row))
    return TillChannel(voucher, row.claimed_sum, row.taken_at, row.refusal)
