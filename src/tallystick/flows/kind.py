"""What the mirror must know of a contract of ours to mirror it: its events, its books, and who counts them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection

from tallystick.chain.decoder import Decoder
from tallystick.chain.logs import LogEntry
from tallystick.chain.rpc import Rpc
from tallystick.core.events import Origin
from tallystick.core.pegs import PegHistory
from tallystick.storage.sources import Source

Books = TypeVar("Books")
Rows = TypeVar("Rows")
"""What follows from a range of blocks: what is new, and what stands differently after them."""


Stored = Callable[[], Connection]
"""Gives a view of what is stored, as it is when all that came before is written. That may have to be waited for, so it
is asked for by those alone who lack something."""


class SourceKind(Protocol[Books, Rows]):
    """One kind of source. `name` is the contract's, in manifests and in the database."""

    @property
    def name(self) -> str: ...

    @property
    def decoder(self) -> Decoder[Any]:
        """Knows its events."""
        ...

    @property
    def opening(self) -> tuple[type, ...]:
        """The types of the events that may bring in a token, of which the books then show amounts."""
        ...

    def tokens_of(self, event: Any) -> tuple[str, ...]:
        """The tokens of such an event."""
        ...

    def see(self, connection: Connection, source: Source) -> bool:
        """Takes notice, before anything is read, of what was declared since the last time: whether there was anything,
        so that pending blocks are to be read again. Whoever calls holds the source."""
        ...

    def watched(self, connection: Connection, source: Source) -> Mapping[str, int]:
        """Addresses, in lower case, the transfers to which are read beside the contract's logs, each from a block
        on."""
        ...

    def load(self, connection: Connection, source: Source, pegs: PegHistory) -> Books:
        """The books as they stand at the source's final block; what single events need is brought in by `derive`."""
        ...

    def derive(self, stored: Stored, source: Source, books: Books, logs: Sequence[LogEntry]) -> Rows:
        """What final events make; the books then stand after them. Raises EventsInconsistent."""
        ...

    def present(
        self, connection: Connection, source: Source, pending: Sequence[tuple[Origin, Any]]
    ) -> tuple[Books, Rows]:
        """What pending events make of the final books. Raises EventsInconsistent."""
        ...

    def recount(self, rpc: Rpc, source: Source, block: int, books: Books, rows: Rows) -> None:
        """Raises EventsInconsistent unless the contract counted by that block what the books say. A node that does not
        keep the block's state cannot say; then nothing is compared."""
        ...

    def write(self, connection: Connection, source_id: int, rows: Rows) -> None:
        """Everything that follows from a range of final blocks."""
        ...

    def trim(self, books: Books) -> None:
        """Forgets what is not needed in memory any more, where it is much."""
        ...


class WatchesNothing:
    """For a kind that reads its contract's logs alone."""

    def see(self, connection: Connection, source: Source) -> bool:  # noqa: ARG002 (others need them)
        """Nothing is declared."""
        return False

    def watched(self, connection: Connection, source: Source) -> Mapping[str, int]:  # noqa: ARG002 (others need them)
        """None."""
        return {}
