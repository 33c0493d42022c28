"""Writes the journal into a file for other programs."""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sqlalchemy import Connection, Engine

from tallystick.core.ledger import Entry
from tallystick.errors import InputError
from tallystick.render.journal import TEXT_FORMATS
from tallystick.render.parquet import write_parquet
from tallystick.storage.database import reading
from tallystick.storage.journal import read_entries
from tallystick.storage.sources import Source
from tallystick.storage.tokens import read_tokens

PARQUET = "parquet"
FORMATS = (*TEXT_FORMATS, PARQUET)


def export_journal(engine: Engine, sources: Sequence[Source], form: str, file: IO[bytes]) -> None:
    """Writes the whole journal of a source, or those of several sources of one chain as one, piece by piece.

    Raises InputError for a format that there is none, ParquetUnavailable for Parquet without pyarrow, CorruptionError
    for books that somebody changed.
    """
    if form not in FORMATS:
        raise InputError(f"found the format {form!r}, allowed are {', '.join(FORMATS)}")
    with reading(engine) as connection:
        tokens = read_tokens(connection, sources[0].chain_id)
        entries = _in_order(connection, sources)
        if form == PARQUET:
            write_parquet(entries, tokens, _about(sources), file)
        else:
            file.writelines(part.encode() for part in TEXT_FORMATS[form](entries, tokens))


def export_journal_file(engine: Engine, sources: Sequence[Source], form: str, path: Path) -> None:
    """The same into a file, whole or not at all."""
    with whole_file(path) as file:
        export_journal(engine, sources, form, file)


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that is at `path` when it is whole, and not before. Raises InputError where it cannot be written."""
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as draft:
            try:
                yield draft.file
                draft.flush()  # here and not when it is closed, so that where it fails nothing is left behind
            except BaseException:
                Path(draft.name).unlink()
                raise
        Path(draft.name).chmod(0o644)
        Path(draft.name).replace(path)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}): name a file in a folder that can be") from error


def journal_name(source: Source) -> str:
    """What the journal of a source is called: `subscriptions`, `escrow`, ..."""
    return source.kind.lower()


def _in_order(connection: Connection, sources: Sequence[Source]) -> Iterator[tuple[str, Entry]]:
    """The entries of each journal in their order, and of several journals in the order of their events on the chain."""
    journals = [_named(journal_name(source), read_entries(connection, source.source_id)) for source in sources]
    return heapq.merge(*journals, key=lambda named: (named[1].origin.block_number, named[1].origin.log_index))


def _named(name: str, entries: Iterator[Entry]) -> Iterator[tuple[str, Entry]]:
    return ((name, entry) for entry in entries)


def _about(sources: Sequence[Source]) -> dict[str, str]:
    """Which books they are: the chain, and the contract of each journal."""
    contracts = {f"tallystick.contract.{journal_name(source)}": source.contract for source in sources}
    return {"tallystick.chain_id": str(sources[0].chain_id)} | contracts
