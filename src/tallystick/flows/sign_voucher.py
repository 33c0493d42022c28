"""The payer's wallet signs: vouchers within its own limits, and keys that may spend for it.

A voucher is written down before it leaves: after a crash at any instruction the wallet knows the highest sum that it
may have signed for, and never signs for less. What it signed and perhaps did not hand out it gives again
(`last_voucher`).
"""

from __future__ import annotations

import time as clock
from dataclasses import replace

from sqlalchemy import Engine

from tallystick.chain.voucher_signature import VoucherJudge
from tallystick.core.channel import Channel
from tallystick.core.spending import Limits, Spending
from tallystick.core.voucher import (
    SpendingKey,
    Voucher,
    spending_key_typed_data,
    voucher_typed_data,
)
from tallystick.core.voucher_texts import MOST_SUM, Grant
from tallystick.errors import ChannelExhausted, InputError, InvalidSignature, NotAuthorized
from tallystick.flows.connect import Connection
from tallystick.flows.look_up_channel import locked, refresh
from tallystick.storage.channels import WalletChannel, lock_wallet_channel, write_wallet_channel
from tallystick.storage.database import transaction

KEY_VALID_S = 30 * 86_400
"""How long a spending key is good where nothing else is said."""


def sign_voucher(
    connection: Connection,
    engine: Engine,
    channel_id: bytes,
    units: int,
    *,
    request: str | None = None,
    time: int | None = None,
) -> Voucher:
    """A voucher for `units` more than the one before, signed by the signer, who is the channel's key or a spending key.

    `request` names what is paid for: where the last voucher was for it, that one is given again, and nothing is signed.
    `time` in Unix seconds is now, unless given. The chain is looked at only where the channel seems to have too little.
    Raises SpendingLimit, ChannelExhausted, UnknownChannel, NotAuthorized, InputError for no units or for a request that
    was for others, or KeyMissing; then nothing was signed.
    """
    if units <= 0:
        raise InputError(f"found {units} units to sign a voucher for: name an amount above zero")
    now = int(clock.time()) if time is None else time
    try:
        return _sign(connection, engine, channel_id, units, request, now)
    except ChannelExhausted:
        refresh(connection, engine, channel_id)
        return _sign(connection, engine, channel_id, units, request, now)


def _sign(
    connection: Connection, engine: Engine, channel_id: bytes, units: int, request: str | None, now: int
) -> Voucher:
    signer = connection.sender.signer
    with transaction(engine) as database:
        found = locked(database, connection, channel_id)
        _require_spender(found, signer.address)
        if (given := _given_for(found, units, request)) is not None:
            return given
        spending = found.spending.after(units, found.limits, now)
        signature = signer.sign_typed_data(voucher_typed_data(found.channel, spending.signed_sum))
        asked = None if request is None else (request, units)
        changed = replace(found, spending=spending, signature=signature, request=asked)
        write_wallet_channel(database, changed)
    return Voucher(found.channel, spending.signed_sum, signature, found.spending_key)


def _given_for(found: WalletChannel, units: int, request: str | None) -> Voucher | None:
    """The last voucher, where it was for this request."""
    if request is None or found.request is None or found.request[0] != request:
        return None
    if found.request[1] != units:
        raise InputError(
            f"found {units} units for the request {request!r}, which was signed for with {found.request[1]}: name "
            "another request, or the same amount"
        )
    return found.last_voucher


def _require_spender(found: WalletChannel, account: str) -> None:
    """Whether a spending key's time is over the till tells: it is the chain's, which is not asked for each voucher."""
    key, terms = found.spending_key, found.channel.terms
    expected = key.key if key is not None else terms.payer_authorizer or terms.payer
    if account != expected:
        raise NotAuthorized(account)


def set_limits(connection: Connection, engine: Engine, channel_id: bytes, limits: Limits) -> WalletChannel:
    """The wallet's own limits for a channel, from now on. Raises UnknownChannel."""
    with transaction(engine) as database:
        found = replace(locked(database, connection, channel_id), limits=limits)
        write_wallet_channel(database, found)
    return found


def grant_key(
    connection: Connection, engine: Engine, channel_id: bytes, key: str, units: int, *, valid_s: int = KEY_VALID_S
) -> Grant:
    """The signer, who is the payer, lets a key sign for `units` more, claimed within `valid_s` seconds from the head's
    time; nothing is sent. The payer's own wallet does not sign for the channel meanwhile: of two who do, the merchant
    takes the higher sum alone. Raises UnknownChannel, NotAuthorized or InputError."""
    if units <= 0 or valid_s <= 0:
        raise InputError(f"found {units} units within {valid_s} seconds: name an amount and a time above zero")
    found = refresh(connection, engine, channel_id)
    signer, channel = connection.sender.signer, found.channel
    if signer.address != channel.terms.payer:
        raise NotAuthorized(signer.address)
    limit, end = found.spending.signed_sum + units, connection.node.timestamp() + valid_s
    if limit > MOST_SUM:
        raise InputError(f"found {units} units for a key, which is more than a channel holds: name a smaller limit")
    signature = signer.sign_typed_data(spending_key_typed_data(channel, key, limit, end))
    return Grant(channel, SpendingKey(key, limit, end, signature), found.spending.signed_sum)


def adopt_channel(
    connection: Connection, engine: Engine, grant: Grant, *, limits: Limits | None = None
) -> WalletChannel:
    """The signer's key, for which a payer signed, spends from the payer's channel by this wallet from now on.

    Raises NotAuthorized where the key is another, InvalidSignature where the payer did not sign, InputError for a
    channel elsewhere.
    """
    require_here(connection, grant.channel)
    channel, key = grant.channel, grant.key
    if connection.sender.address != key.key:
        raise NotAuthorized(connection.sender.address)
    if not VoucherJudge(connection.node).is_granted(channel, key):
        raise InvalidSignature(channel.terms.payer)
    with transaction(engine) as database:
        known = lock_wallet_channel(database, channel.chain_id, channel.contract, channel.channel_id)
        found = _adopted(grant, known)
        write_wallet_channel(database, found if limits is None else replace(found, limits=limits))
    return refresh(connection, engine, channel.channel_id)


def _adopted(grant: Grant, known: WalletChannel | None) -> WalletChannel:
    """A key that this wallet knows goes on from where it was."""
    key = grant.key
    if known is None:
        spending = Spending(grant.signed_sum, grant.signed_sum, key_limit_sum=key.limit_sum)
        return WalletChannel(grant.channel, key, spending, None, Limits())
    same = known.spending_key is not None and known.spending_key.key == key.key
    ahead = grant.signed_sum > known.spending.signed_sum
    signed = max(grant.signed_sum, known.spending.signed_sum)
    spending = replace(known.spending, signed_sum=signed, key_limit_sum=key.limit_sum)
    signature = known.signature if same and not ahead else None
    request = None if signature is None else known.request
    return replace(known, spending_key=key, spending=spending, signature=signature, request=request)


def require_here(connection: Connection, channel: Channel) -> None:
    """Raises InputError for a channel of another chain or contract."""
    here = connection.node.chain_id, connection.channels.address
    if (channel.chain_id, channel.contract) != here:
        raise InputError(
            f"the channel is of {channel.contract} on chain {channel.chain_id}, this is {here[1]} on chain {here[0]}: "
            "use it there"
        )
