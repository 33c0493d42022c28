"""Payment channels as of the final block, and the receivers' totals: what follows from the chain, beside what wallet
and till keep (`storage.channels`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from tallystick.core.channel import ChannelState, ChannelTerms
from tallystick.core.channel_books import BookedChannel, ChannelBooks, ReceiverSums
from tallystick.storage.database import upsert_rows
from tallystick.storage.journal import last_entry
from tallystick.storage.schema import mirrored_channels, receiver_totals
from tallystick.storage.sources import Source

ID_BATCH = 500


def save_channels(connection: Connection, source_id: int, changed: Iterable[BookedChannel]) -> None:
    """Writes channels as they now are, new ones and known ones."""
    upsert_rows(connection, mirrored_channels, [(source_id, *_row(channel)) for channel in changed])


def _row(channel: BookedChannel) -> tuple[Any, ...]:
    terms, state = channel.terms, channel.state
    return (
        *(channel.channel_id, terms.payer, terms.payer_authorizer, terms.receiver, terms.receiver_authorizer),
        *(terms.token, terms.withdraw_delay_s, terms.salt, state.opening, state.deposited, state.claimed),
        *(state.withdrawing, state.withdrawal_since, int(state.closing)),
    )


def read_channels(
    connection: Connection, source_id: int, ids: Sequence[bytes] | None = None
) -> dict[bytes, BookedChannel]:
    """Channels by their ids: all, or those asked for that exist."""
    table = mirrored_channels
    query = select(table).where(table.c.source_id == source_id).order_by(table.c.channel_id)
    rows: list[Row[Any]] = []
    if ids is None:
        rows += connection.execute(query)
    else:
        for start in range(0, len(ids), ID_BATCH):
            rows += connection.execute(query.where(table.c.channel_id.in_(ids[start : start + ID_BATCH])))
    return {bytes(row.channel_id): _channel(row) for row in rows}


def _channel(row: Row[Any]) -> BookedChannel:
    terms = ChannelTerms(
        *(row.payer, row.payer_authorizer, row.receiver, row.receiver_authorizer, row.token),
        *(row.withdraw_delay_s, bytes(row.salt)),
    )
    state = ChannelState(
        *(row.opening, row.deposited_units, row.claimed_units),
        *(row.withdrawing_units, row.withdrawal_since, bool(row.closing)),
    )
    return BookedChannel(bytes(row.channel_id), terms, state)


def save_sums(connection: Connection, source_id: int, changed: Iterable[ReceiverSums]) -> None:
    """Writes totals as they now are, new ones and known ones."""
    upsert_rows(connection, receiver_totals, [(source_id, *sums) for sums in changed])


def read_sums(connection: Connection, source_id: int) -> dict[tuple[str, str], ReceiverSums]:
    """All totals by receiver and token."""
    rows = connection.execute(select(receiver_totals).where(receiver_totals.c.source_id == source_id))
    return {(row.receiver, row.token): ReceiverSums(*row[1:]) for row in rows}


def load_channel_books(
    connection: Connection, source: Source, rules: type[ChannelBooks] = ChannelBooks
) -> ChannelBooks:
    """The books at the source's final block without any channels; `fill_channel_books` brings in those that are
    needed."""
    books = rules(source.chain_id, source.contract)
    books.sums = read_sums(connection, source.source_id)
    books.entry_number, books.entry_hash = last_entry(connection, source.source_id)
    return books


def fill_channel_books(connection: Connection, source: Source, books: ChannelBooks, ids: Sequence[bytes]) -> None:
    """Brings in the channels that are not in the books yet."""
    missing = [channel_id for channel_id in ids if channel_id not in books.channels]
    books.channels.update(read_channels(connection, source.source_id, missing))
