"""How the mirror keeps the books of payment channels: of `Channels`, and of x402's own contract."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection

from tallystick.chain.channel_totals import CountedChannels, read_counted_channels, read_counted_x402
from tallystick.chain.decode_channels import CHANNELS as DECODER
from tallystick.chain.decode_channels import X402 as X402_DECODER
from tallystick.chain.decoder import Decoder
from tallystick.chain.logs import LogEntry
from tallystick.chain.rpc import Rpc
from tallystick.core.channel_books import (
    BookedChannel,
    ChannelBooks,
    ChannelChange,
    ReceiverSums,
    touched_channels,
)
from tallystick.core.channel_events import ChannelCreated, ChannelEvent, ChannelOpened, RecordedChannel
from tallystick.core.events import Origin
from tallystick.core.ledger import Entry
from tallystick.core.pegs import PegHistory
from tallystick.core.x402_books import X402Books
from tallystick.errors import EventsInconsistent, NodeRefused
from tallystick.flows.kind import Stored, WatchesNothing
from tallystick.storage import sources
from tallystick.storage.journal import add_entries
from tallystick.storage.mirrored_channels import fill_channel_books, load_channel_books, save_channels, save_sums
from tallystick.storage.sources import Source

KEEP_CHANNELS = 100_000
"""How many channels stay in memory between ranges."""
MOST_PAIRS = 50
"""Receivers and their tokens up to which all are compared each time."""


class ChannelRows(NamedTuple):
    """What follows from a range of blocks: what is new, and what stands differently after them."""

    channels: dict[bytes, BookedChannel]
    sums: dict[tuple[str, str], ReceiverSums]
    entries: list[Entry]


@dataclass(frozen=True)
class ChannelsBooks(WatchesNothing):
    """A `SourceKind`. `books` is the rules, `read_counted` who counts."""

    name: str = sources.CHANNELS
    decoder: Decoder[ChannelEvent] = DECODER
    opening: tuple[type, ...] = (ChannelCreated, ChannelOpened)
    books: type[ChannelBooks] = ChannelBooks
    read_counted: Callable[..., CountedChannels] = read_counted_channels

    def tokens_of(self, event: ChannelCreated | ChannelOpened) -> tuple[str, ...]:
        """That of a channel which begins."""
        return (event.terms.token,)

    def load(self, connection: Connection, source: Source, pegs: PegHistory) -> ChannelBooks:
        """Without channels. Nothing in these books has a worth in a currency."""
        del pegs
        return load_channel_books(connection, source, self.books)

    def derive(self, stored: Stored, source: Source, books: ChannelBooks, logs: Sequence[LogEntry]) -> ChannelRows:
        """What final events make."""
        fill_channel_books(stored(), source, books, touched_channels(log.event for log in logs))
        rows = _rows(books.apply(RecordedChannel(log.origin, log.event)) for log in logs)
        books.require_whole()
        return rows

    def present(
        self, connection: Connection, source: Source, pending: Sequence[tuple[Origin, ChannelEvent]]
    ) -> tuple[ChannelBooks, ChannelRows]:
        """What pending events make."""
        books = load_channel_books(connection, source, self.books)
        fill_channel_books(connection, source, books, touched_channels(event for _, event in pending))
        rows = _rows([books.apply(RecordedChannel(*found), final=False) for found in pending])
        books.require_whole()
        return books, rows

    def recount(self, rpc: Rpc, source: Source, block: int, books: ChannelBooks, rows: ChannelRows) -> None:
        """By the contract's totals of receivers, and the state of each channel that changed."""
        pairs = sorted(books.sums if len(books.sums) <= MOST_PAIRS else rows.sums)
        try:
            counted = self.read_counted(rpc, source.contract, pairs, sorted(rows.channels), block)
        except NodeRefused:
            return
        for (receiver, token), total in counted.totals.items():
            _require(
                rpc, block, f"claimed for and paid to {receiver} in {token}", total, books.sums[receiver, token][2:]
            )
        for channel_id, state in counted.states.items():
            found = books.channels[channel_id].state
            _require(rpc, block, f"as the state of channel 0x{channel_id.hex()}", state, found)

    def write(self, connection: Connection, source_id: int, rows: ChannelRows) -> None:
        """Each kind of row."""
        save_channels(connection, source_id, rows.channels.values())
        save_sums(connection, source_id, rows.sums.values())
        add_entries(connection, source_id, rows.entries)

    def trim(self, books: ChannelBooks) -> None:
        """Channels, all at once."""
        if len(books.channels) > KEEP_CHANNELS:
            books.channels.clear()


CHANNELS = ChannelsBooks()
X402 = ChannelsBooks(
    *(sources.X402, X402_DECODER, (ChannelCreated,)),
    books=X402Books,
    read_counted=read_counted_x402,
)


def _require(rpc: Rpc, block: int, what: str, counted: object, found: object) -> None:
    if counted != found:
        raise EventsInconsistent(
            f"by block {block} the contract has {counted} {what}, the events that {rpc.name} gave make {found}: it "
            "left some out, or changed its branch. Ask another node; if all say so, build the books anew in a new "
            "database"
        )


def _rows(changes: Iterable[ChannelChange]) -> ChannelRows:
    rows = ChannelRows({}, {}, [])
    for channel, entry, sums, _ in changes:
        if channel is not None:
            rows.channels[channel.channel_id] = channel
        if sums is not None:
            rows.sums[sums.receiver, sums.token] = sums
        if entry is not None:
            rows.entries.append(entry)
    return rows
