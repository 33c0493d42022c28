"""Finding a channel that this database has, and seeing what the chain says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from sqlalchemy import Connection as Database
from sqlalchemy import Engine

from tallystick.core.channel import Channel, ChannelState
from tallystick.core.money import Amount, Token
from tallystick.errors import UnknownChannel
from tallystick.flows.connect import Connection
from tallystick.storage.channels import (
    TillChannel,
    WalletChannel,
    lock_wallet_channel,
    read_till,
    read_wallet,
    write_wallet_channel,
)
from tallystick.storage.database import reading, transaction

FEWEST_DIGITS = 6
"""Of a channel's id that are enough where no other begins with them."""

N = TypeVar("N")


@dataclass(frozen=True, slots=True)
class ChannelReport:
    """A channel as it stands at `time`, the head's, in Unix seconds, with what this database has of it."""

    channel: Channel
    token: Token
    state: ChannelState
    time: int
    wallet: WalletChannel | None
    till: TillChannel | None

    def amount(self, units: int) -> Amount:
        """Units of its token."""
        return Amount(units, self.token)


def wallet_channels(connection: Connection, engine: Engine) -> list[WalletChannel]:
    """All that the wallet spends from here."""
    with reading(engine) as database:
        return read_wallet(database, connection.node.chain_id, connection.channels.address)


def till_channels(connection: Connection, engine: Engine) -> list[TillChannel]:
    """All that the till took a voucher of here."""
    with reading(engine) as database:
        found = read_till(database, connection.node.chain_id, connection.channels.address)
    return [each for each in found if each.voucher.signature]


def find_wallet_channel(connection: Connection, engine: Engine, name: str | bytes) -> WalletChannel:
    """By its id, or the first digits of it. Raises UnknownChannel where the wallet has none or several such."""
    found = wallet_channels(connection, engine)
    return _named("the wallet", [(each.channel.channel_id, each) for each in found], name)


def find_channel(connection: Connection, engine: Engine, name: str | bytes) -> Channel:
    """In the wallet or in the till. Raises UnknownChannel."""
    mine = [(each.channel.channel_id, each.channel) for each in wallet_channels(connection, engine)]
    taken = [(each.voucher.channel.channel_id, each.voucher.channel) for each in till_channels(connection, engine)]
    return _named("neither wallet nor till", list(dict([*mine, *taken]).items()), name)


def _named(where: str, known: Sequence[tuple[bytes, N]], name: str | bytes) -> N:
    digits = (name.hex() if isinstance(name, bytes) else name.lower().removeprefix("0x")) or " "
    found = [each for channel_id, each in known if channel_id.hex().startswith(digits)]
    if len(digits) < FEWEST_DIGITS or len(found) != 1:
        raise UnknownChannel(
            f"found {len(found)} channels that begin with 0x{digits.strip()} in {where} of this database: name one by "
            f"at least {FEWEST_DIGITS} digits (`tallystick channels list`), or another database with --db"
        )
    return found[0]


def refresh(connection: Connection, engine: Engine, channel_id: bytes) -> WalletChannel:
    """What the wallet knows of a channel after a look at the chain. Raises UnknownChannel."""
    state = connection.channels.state(channel_id)
    with transaction(engine) as database:
        found = locked(database, connection, channel_id)
        spending = found.spending.seen(state)
        if spending.signed_sum != found.spending.signed_sum:  # our highest voucher is not the highest any more
            found = replace(found, signature=None, request=None)
        found = replace(found, spending=spending)
        write_wallet_channel(database, found)
    return found


def locked(database: Database, connection: Connection, channel_id: bytes) -> WalletChannel:
    """One of the wallet's, for the transaction that `database` is in. Raises UnknownChannel."""
    found = lock_wallet_channel(database, connection.node.chain_id, connection.channels.address, channel_id)
    if found is None:
        raise UnknownChannel(
            f"the wallet of this database has no channel 0x{channel_id.hex()}: open it, or adopt it by its key"
        )
    return found


def describe_channel(connection: Connection, engine: Engine, channel: Channel) -> ChannelReport:
    """Raises a NodeError."""
    seen = connection.channels.states([channel.channel_id])
    mine = [each for each in wallet_channels(connection, engine) if each.channel == channel]
    taken = [each for each in till_channels(connection, engine) if each.voucher.channel == channel]
    token = connection.token(channel.terms.token).describe()
    state, time = seen.states[0], seen.time
    return ChannelReport(channel, token, state, time, mine[0] if mine else None, taken[0] if taken else None)
