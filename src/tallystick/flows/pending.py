"""What pending events change on top of the final books: what is read of the present is read through this."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from sqlalchemy import Connection

from tallystick.chain.decode import SUBSCRIPTIONS
from tallystick.chain.decoder import Decoder
from tallystick.core.books import Books, Change, touched
from tallystick.core.events import Origin, Recorded
from tallystick.core.pegs import PegHistory
from tallystick.errors import CorruptionError, NodeInvalid
from tallystick.storage.books import fill_books, load_books
from tallystick.storage.events import read_events
from tallystick.storage.sources import Source

E = TypeVar("E")


class Present(NamedTuple):
    """The books as of the newest mirrored block, and the changes of the pending events among them."""

    books: Books
    changes: list[tuple[Recorded, Change]]


def read_present(
    connection: Connection, source: Source, pegs: PegHistory, subscription_ids: Sequence[int] = ()
) -> Present:
    """The present, with the subscriptions asked for and those that pending events touch."""
    return derive_present(connection, source, pegs, pending_events(connection, source), subscription_ids)


def pending_events(connection: Connection, source: Source) -> list[Recorded]:
    """The stored events of `Subscriptions` behind the final block. Raises CorruptionError."""
    return [Recorded(*found) for found in stored_pending(connection, source, SUBSCRIPTIONS)]


def stored_pending(
    connection: Connection, source: Source, decoder: Decoder[E], *, through: int | None = None
) -> list[tuple[Origin, E]]:
    """The stored events behind the final block, up to and including block `through`. Raises CorruptionError."""
    stored = read_events(connection, source.source_id, after=source.final_number, through=through)
    try:
        return [(row.origin, decoder.decode(row.name, row.topics, row.data)) for row in stored]
    except NodeInvalid as error:
        raise CorruptionError(
            f"a pending event in the database cannot be read ({error}): somebody changed it. Delete the pending rows "
            "of the tables headers and events, or build the books anew"
        ) from error


def derive_present(
    connection: Connection,
    source: Source,
    pegs: PegHistory,
    pending: Sequence[Recorded],
    subscription_ids: Sequence[int] = (),
) -> Present:
    """What these pending events make of the final books. Raises EventsInconsistent where they cannot follow them."""
    books = load_books(connection, source.source_id, pegs)
    ids, charges = touched(recorded.event for recorded in pending)
    fill_books(connection, source.source_id, books, sorted({*ids, *subscription_ids}), charges)
    changes = [(recorded, books.apply(recorded, final=False)) for recorded in pending]
    books.act.require_whole()
    return Present(books, changes)
