"""Documents of disputes: their hash goes on chain, they into the database, and whoever looks compares (E45)."""

from __future__ import annotations

import mimetypes
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from eth_utils.crypto import keccak
from sqlalchemy import Engine

from tallystick.chain.contract import Sent
from tallystick.chain.decode_payments import PAYMENTS
from tallystick.core.payment_events import DisputeOpened, EvidenceSubmitted
from tallystick.core.payment_texts import PaymentOffer
from tallystick.errors import InputError
from tallystick.flows.connect import Connection
from tallystick.flows.payment_terms import require_escrow
from tallystick.storage.database import reading, transaction
from tallystick.storage.events import read_events
from tallystick.storage.evidence import Document, add_document, find_document
from tallystick.storage.sources import Source

MOST_BYTES = 10 * 2**20
"""The largest document that the database keeps."""
NO_EVIDENCE = bytes(32)


def read_document(path: Path) -> Document:
    """A file as a document. Raises InputError where it cannot be read, is empty or too large."""
    try:
        size = path.stat().st_size
        if not 0 < size <= MOST_BYTES:
            raise InputError(f"{path} has {size} bytes, allowed are 1 to {MOST_BYTES}: give a smaller document")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"the document {path} cannot be read ({error.strerror}): check its path") from error
    kind, _ = mimetypes.guess_type(path.name)
    return Document(keccak(content), path.name, kind or "application/octet-stream", content)


def evidence_hash(document: bytes | Path | str | None = None) -> bytes:
    """Keccak-256 of a document, given as bytes or as the path of a file; zeros where there is none. Raises
    InputError."""
    if document is None:
        return NO_EVIDENCE
    return keccak(document) if isinstance(document, bytes) else read_document(Path(document)).hash


def keep_document(engine: Engine, document: Document) -> None:
    """Writes a document into the database; before its hash goes on chain, so that it is there when somebody asks."""
    with transaction(engine) as connection:
        add_document(connection, document)


def dispute(connection: Connection, offer: PaymentOffer, document: bytes | Path | str | None = None) -> Sent:
    """The signer, who is payer or payee, calls the arbiter, with the hash of a document where one is given.

    Raises what `EscrowContract.dispute` raises, or InputError for a document that cannot be read.
    """
    require_escrow(connection, offer)
    return connection.escrow.dispute(offer.terms, evidence_hash(document))


def submit_evidence(connection: Connection, offer: PaymentOffer, document: bytes | Path | str) -> Sent:
    """The signer, who is payer, payee or arbiter, names a document in a dispute. Raises as `dispute`."""
    require_escrow(connection, offer)
    return connection.escrow.submit_evidence(offer.terms, evidence_hash(document))


class Found(StrEnum):
    """What the database has of a document whose hash is on chain."""

    WHOLE = "whole"
    MISSING = "missing"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A document that somebody named on chain at `time` (Unix seconds), and what the database has of it."""

    hash: bytes
    by: str
    time: int
    block: int
    found: Found
    document: Document | None


def list_evidence(engine: Engine, source: Source, payment_id: bytes) -> list[Evidence]:
    """Every document that was named for a payment, as far as the mirror has read, oldest first; each compared with its
    hash. Raises DatabaseError."""
    found = []
    with reading(engine) as connection:
        for row in read_events(connection, source.source_id, names=("DisputeOpened", "EvidenceSubmitted")):
            event = PAYMENTS.decode(row.name, row.topics, row.data)
            if not isinstance(event, DisputeOpened | EvidenceSubmitted) or event.payment_id != payment_id:
                continue
            if event.evidence_hash == NO_EVIDENCE:
                continue
            document = find_document(connection, event.evidence_hash)
            state = _compared(document, event.evidence_hash)
            origin = row.origin
            found.append(
                Evidence(event.evidence_hash, event.by, origin.block_time, origin.block_number, state, document)
            )
    return found


def _compared(document: Document | None, expected: bytes) -> Found:
    if document is None:
        return Found.MISSING
    return Found.WHOLE if keccak(document.content) == expected else Found.CHANGED
