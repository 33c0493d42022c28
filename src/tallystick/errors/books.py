"""The database, the ledger and its documents."""

from __future__ import annotations

from tallystick.errors.base import TallystickError


class DatabaseError(TallystickError):
    """The database cannot be used."""


class DatabaseUnreachable(DatabaseError):
    """No connection, or no room."""

    retryable = True


class DatabaseTooNew(DatabaseError):
    """The database was written by a newer Tallystick."""


class AnotherLeads(DatabaseError):
    """Another process does the same work on the same database."""

    retryable = True


class LedgerError(TallystickError):
    """The books refuse what was asked of them."""


class CorruptionError(LedgerError):
    """Stored rows contradict each other or the chain."""


class PackError(LedgerError):
    """An audit pack cannot be written, or does not prove what it says."""


class PackInvalid(PackError):
    """The file is no pack, or not as it was written."""


class ProofInvalid(PackError):
    """A proof in it does not lead from a block's hash to what it should prove."""


class Unprovable(PackError):
    """The node does not give what a proof is made of."""


class ParquetUnavailable(LedgerError):
    """pyarrow is not installed."""


class ReorganizationTooDeep(TallystickError):
    """Blocks that were final were replaced; nothing is written until the operator has decided."""


class DocumentError(TallystickError):
    """An invoice or a credit note cannot be shown."""


class UnknownDocument(DocumentError):
    """No invoice or credit note has this number."""


class DocumentInvalid(DocumentError):
    """The document contradicts itself, and is not shown."""


class PdfUnavailable(DocumentError):
    """typst is not installed."""


class PdfFailed(DocumentError):
    """typst cannot typeset the document."""


class PdfNotWritten(DocumentError):
    """The PDF's file cannot be written."""
