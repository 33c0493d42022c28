"""How the mirror keeps the books of conversions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from tallystick.chain.decode_swapper import SWAPPER
from tallystick.chain.decoder import Decoder
from tallystick.chain.logs import LogEntry
from tallystick.chain.rpc import Rpc
from tallystick.core.conversion_books import ConversionBooks
from tallystick.core.events import Origin
from tallystick.core.ledger import Entry
from tallystick.core.pegs import PegHistory
from tallystick.core.swap import Swapped
from tallystick.flows.kind import Stored, WatchesNothing
from tallystick.storage import sources
from tallystick.storage.journal import add_entries, last_entry
from tallystick.storage.sources import Source


@dataclass(frozen=True)
class SwapperBooks(WatchesNothing):
    """A `SourceKind`. An exchange has an entry and nothing else; the contract counts nothing that could be compared."""

    name: str = sources.CONVERSION
    decoder: Decoder[Swapped] = SWAPPER
    opening: tuple[type, ...] = (Swapped,)

    def tokens_of(self, event: Swapped) -> tuple[str, ...]:
        """Both."""
        return event.token_in, event.token_out

    def load(self, connection: Connection, source: Source, pegs: PegHistory) -> ConversionBooks:
        """Where the journal stands."""
        books = ConversionBooks(pegs)
        books.entry_number, books.entry_hash = last_entry(connection, source.source_id)
        return books

    def derive(self, stored: Stored, source: Source, books: ConversionBooks, logs: Sequence[LogEntry]) -> list[Entry]:
        """The entries of final events."""
        del stored, source  # nothing more is needed
        changes = [books.apply(log.origin, log.event) for log in logs]
        return [change.entry for change in changes if change.entry is not None]

    def present(
        self, connection: Connection, source: Source, pending: Sequence[tuple[Origin, Swapped]]
    ) -> tuple[ConversionBooks, list[Entry]]:
        """Pending events make no entries yet; they are checked."""
        books = self.load(connection, source, {})
        for origin, event in pending:
            books.apply(origin, event, final=False)
        return books, []

    def recount(self, rpc: Rpc, source: Source, block: int, books: ConversionBooks, rows: list[Entry]) -> None:
        """Nothing: the contract keeps no count. `audit` says so."""
        del rpc, source, block, books, rows

    def write(self, connection: Connection, source_id: int, rows: list[Entry]) -> None:
        """The entries."""
        add_entries(connection, source_id, rows)

    def trim(self, books: ConversionBooks) -> None:
        """There is nothing to forget."""
        del books


CONVERSIONS = SwapperBooks()
