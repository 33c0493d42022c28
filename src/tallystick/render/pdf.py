"""Documents as PDF, typeset by typst.

One compiler serves the whole process for each template: it keeps the fonts and the parsed template, so that a page
takes milliseconds. The fonts are those of this package and nobody else's: every machine renders the same bytes. The
result is PDF/A-3a and PDF/UA-1 (archivable and accessible) and carries the document's JSON as an attachment.
"""

from __future__ import annotations

import functools
import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tallystick.errors import PdfFailed, PdfUnavailable
from tallystick.render.audit_page import audit_page
from tallystick.render.document import InvoiceDocument
from tallystick.render.invoice_json import invoice_json_text
from tallystick.render.page import page
from tallystick.render.statement import AuditStatement, statement_json_text

if TYPE_CHECKING:
    from typst import PDFStandard

INVOICE, AUDIT = "invoice", "audit"
"""The templates: files that end in `.typ`, beside this one. Each takes `page`, and the document's JSON to attach."""
FONTS = Path(__file__).with_name("fonts")
STANDARDS: list[PDFStandard] = ["a-3a", "ua-1"]


@dataclass(frozen=True, slots=True)
class Pdf:
    """The bytes of a PDF. `note` says why it is not PDF/A, in the rare case that it is not: a text has characters that
    none of the fonts can show."""

    content: bytes
    note: str | None = None


class Typesetter:
    """Typesets what a template shows. Safe for several threads, one after the other.

    `more_fonts` is a folder with fonts for scripts that the package's own fonts lack. Raises PdfUnavailable where typst
    is not installed.
    """

    def __init__(self, template: str, more_fonts: Path | None = None) -> None:
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
        file = Path(__file__).with_name(f"{template}.typ")
        self._compiler = typst.Compiler(str(file), root=str(file.parent), font_paths=fonts, ignore_system_fonts=True)
        self._lock = threading.Lock()

    def typeset(self, name: str, inputs: dict[str, str], timestamp: int) -> Pdf:
        """The same bytes for the same inputs. Raises PdfFailed, with the document's name, where typst refuses them."""
        try:
            return Pdf(self._compile(inputs, timestamp, STANDARDS))
        except self._refusal as error:
            _, _, refusal = str(error).rpartition("error: ")
        try:  # A missing character must not keep a document back: it is shown as an empty box, in an ordinary PDF.
            content = self._compile(inputs, timestamp, [])
        except self._refusal as error:
            raise PdfFailed(f"typst cannot typeset {name}: {error}. Please report this") from error
        return Pdf(content, f"not PDF/A: {refusal}; give a folder with a font that has it")

    def _compile(self, inputs: dict[str, str], timestamp: int, standards: list[PDFStandard]) -> bytes:
        with self._lock:
            content = self._compiler.compile(
                format="pdf", sys_inputs=inputs, pdf_standards=standards, timestamp=timestamp
            )
        assert isinstance(content, bytes), "a PDF is one file"
        return content


class PdfRenderer:
    """Renders invoices and credit notes. Raises what `Typesetter` raises."""

    def __init__(self, more_fonts: Path | None = None) -> None:
        self._typesetter = Typesetter(INVOICE, more_fonts)

    def render(self, document: InvoiceDocument) -> Pdf:
        """The document as PDF, the same bytes for the same document. Raises PdfFailed where typst refuses it."""
        inputs = {"page": json.dumps(page(document)), "invoice": invoice_json_text(document)}
        name = f"document {document.number or document.payment.transaction_hash}"
        return self._typesetter.typeset(name, inputs, document.issued_at)


class StatementRenderer:
    """Renders audits. Raises what `Typesetter` raises."""

    def __init__(self) -> None:
        self._typesetter = Typesetter(AUDIT)

    def render(self, statement: AuditStatement) -> Pdf:
        """The statement as PDF, the same bytes for the same statement. Raises PdfFailed where typst refuses it."""
        inputs = {"page": json.dumps(audit_page(statement)), "audit": statement_json_text(statement)}
        return self._typesetter.typeset("the report", inputs, statement.as_of.timestamp)


@functools.cache
def pdf_renderer(more_fonts: Path | None = None) -> PdfRenderer:
    """The process's one renderer (for this folder of fonts)."""
    return PdfRenderer(more_fonts)


@functools.cache
def statement_renderer() -> StatementRenderer:
    """The process's one renderer of audits."""
    return StatementRenderer()
