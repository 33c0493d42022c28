"""Typesets documents into PDF files."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tallystick.errors import PdfNotWritten
from tallystick.render.document import InvoiceDocument
from tallystick.render.pdf import Pdf, PdfRenderer


@dataclass(frozen=True, slots=True)
class Typeset:
    """A PDF that was written, and what is to be said about it."""

    path: Path
    note: str | None


def typeset(document: InvoiceDocument, path: Path, renderer: PdfRenderer) -> Typeset:
    """Writes one PDF, whole or not at all; what was there is replaced. Raises PdfNotWritten."""
    pdf = renderer.render(document)
    return _written(pdf, path)


def typeset_all(
    documents: Iterable[InvoiceDocument],
    folder: Path,
    renderer: PdfRenderer,
    *,
    by_payee: bool = False,
    on_written: Callable[[Typeset], None] = lambda _: None,
) -> int:
    """Writes the PDFs of documents into a folder, `by_payee` into a folder in it for each payee (each has its own
    numbers); how many. May be interrupted and called again: each file is whole, and the same document gives the same
    bytes. `documents` is read as it is written. Raises PdfNotWritten.
    """
    count = 0
    for document in documents:
        place = folder / file_name(str(document.merchant.account)) if by_payee else folder
        on_written(typeset(document, place / f"{document_name(document)}.pdf", renderer))
        count += 1
    return count


def document_name(document: InvoiceDocument) -> str:
    """The file name without its ending: the number, or for a pending document where its event stands on chain."""
    payment = document.payment
    return file_name(document.number or f"pending-{payment.transaction_hash[:18]}-{payment.log_index}")


def file_name(text: str) -> str:
    """The text as the name of one file on any system."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", text).lstrip(".") or "_"


def _written(pdf: Pdf, path: Path) -> Typeset:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(pdf.content)
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise PdfNotWritten(
            f"{path} cannot be written ({error.strerror}): name another place with --out; what was written before "
            "is whole"
        ) from error
    return Typeset(path, pdf.note)
