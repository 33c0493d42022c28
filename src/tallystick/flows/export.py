"""Writes the journal into a file for other programs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine

from tallystick.errors import InputError
from tallystick.render.journal import FORMATS
from tallystick.storage.database import reading
from tallystick.storage.journal import read_entries
from tallystick.storage.sources import Source
from tallystick.storage.tokens import read_tokens


def export_journal(engine: Engine, source: Source, form: str, write: Callable[[str], object]) -> None:
    """Writes the whole journal of a source, piece by piece, with `write`. Raises InputError for a format that there is
    none."""
    if form not in FORMATS:
        raise InputError(f"found the format {form!r}, allowed are {', '.join(FORMATS)}")
    with reading(engine) as connection:
        tokens = read_tokens(connection, source.chain_id)
        for part in FORMATS[form](read_entries(connection, source.source_id), tokens):
            write(part)


def export_journal_file(engine: Engine, source: Source, form: str, path: Path) -> None:
    """The same into a file, whole or not at all."""
    try:
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, prefix=f".{path.name}.", encoding="utf-8", newline="", delete=False
        ) as draft:
            try:
                export_journal(engine, source, form, draft.write)
            except BaseException:
                Path(draft.name).unlink()
                raise
        Path(draft.name).chmod(0o644)
        Path(draft.name).replace(path)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}): name a file in a folder that can be") from error
