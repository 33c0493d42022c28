"""Documents of disputes, found by their keccak-256; whether they have it is the reader's to check."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, select

from tallystick.storage.database import add_missing_rows
from tallystick.storage.schema import evidence


class Document(NamedTuple):
    """A document, kept under its hash. `name` is that of the file that it came from."""

    hash: bytes
    name: str
    media_type: str
    content: bytes


def add_document(connection: Connection, document: Document) -> None:
    """Keeps a document; one that is there stays as it is."""
    add_missing_rows(connection, evidence, [document])


def find_document(connection: Connection, document_hash: bytes) -> Document | None:
    """The document kept under a hash."""
    row = connection.execute(select(evidence).where(evidence.c.hash == document_hash)).one_or_none()
    return None if row is None else Document(*row)
