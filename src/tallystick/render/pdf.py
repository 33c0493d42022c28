"""Documents as PDF, typeset by typst.

One compiler serves the whole process: it keeps the fonts and the parsed template, so that a page takes milliseconds.
The fonts are those of this package and nobody else's: every machine renders the same bytes. The result is PDF/A-3a and
PDF/UA-1 (archivable and accessible) and carries the document's JSON as an attachment.
"""

from __future__ import annotations

import functools
import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tallystick.errors import PdfFailed, PdfUnavailable
from tallystick.render.document import InvoiceDocument
from tallystick.render.invoice_json import invoice_json_text
from tallystick.render.page import page

if TYPE_CHECKING:
    from typst import PDFStandard

TEMPLATE = Path(__file__).with_name("invoice.typ")
FONTS = Path(__file__).with_name("fonts")
STANDARDS: list[PDFStandard] = ["a-3a", "ua-1"]


@dataclass(frozen=True, slots=True)
class Pdf:
    """The bytes of a PDF. `note` says why it is not PDF/A, in the rare case that it is not: a text has characters that
    none of the fonts can show."""

    content: bytes
    note: str | None = None


class PdfRenderer:
    """Renders documents. Safe for several threads, one after the other.

    `more_fonts` is a folder with fonts for scripts that the package's own fonts lack. Raises PdfUnavailable where typst
    is not installed.
    """

    def __init__(self, more_fonts: Path | None = None) -> None:
        try:
            import typst
        except ImportError as error:
            raise PdfUnavailable(
                "PDFs need typst, which is not installed: run `pip install 'tallystick[pdf]'`"
            ) from error
        folders = [FONTS] if more_fonts is None else [FONTS, more_fonts]
        if more_fonts is not None and not more_fonts.is_dir():
            raise PdfFailed(f"{more_fonts} is no folder: name one with font files (.ttf, .otf, .ttc)")
        fonts = typst.Fonts(
            include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(folder) for folder in folders]
        )
        self._refusal = typst.TypstError
        self._compiler = typst.Compiler(
            str(TEMPLATE), root=str(TEMPLATE.parent), font_paths=fonts, ignore_system_fonts=True
        )
        self._lock = threading.Lock()

    def render(self, document: InvoiceDocument) -> Pdf:
        """The document as PDF, the same bytes for the same document. Raises PdfFailed where typst refuses it."""
        inputs = {"page": json.dumps(page(document)), "invoice": invoice_json_text(document)}
        try:
            return Pdf(self._compile(inputs, document.issued_at, STANDARDS))
        except self._refusal as error:
            _, _, refusal = str(error).rpartition("error: ")
        try:  # A missing character must not keep an invoice back: it is shown as an empty box, in an ordinary PDF.
            content = self._compile(inputs, document.issued_at, [])
        except self._refusal as error:
            name = document.number or document.payment.transaction_hash
            raise PdfFailed(f"typst cannot typeset document {name}: {error}. Please report this") from error
        return Pdf(content, f"not PDF/A: {refusal}; give a folder with a font that has it")

    def _compile(self, inputs: dict[str, str], timestamp: int, standards: list[PDFStandard]) -> bytes:
        with self._lock:
            content = self._compiler.compile(
                format="pdf", sys_inputs=inputs, pdf_standards=standards, timestamp=timestamp
            )
        assert isinstance(content, bytes), "a PDF is one file"
        return content


@functools.cache
def pdf_renderer(more_fonts: Path | None = None) -> PdfRenderer:
    """The process's one renderer (for this folder of fonts)."""
    return PdfRenderer(more_fonts)
