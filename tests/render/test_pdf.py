"""The PDFs themselves, read back with pypdf."""

from __future__ import annotations

import hashlib
import io
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader
from pypdf.generic import DictionaryObject

from tallystick.errors import PdfFailed, PdfUnavailable
from tallystick.render.document import InvoiceDocument, Party
from tallystick.render.invoice_json import invoice_json_text
from tallystick.render.pdf import FONTS, PdfRenderer, pdf_renderer
from tests.render.samples import HOSTILE, PAYMENT, SAMPLES, credit_note, invoice, line, many_lines

ROOT = Path(__file__).parents[2]
COMPLETE = {name: document for name, document in SAMPLES.items() if name != "unknown_script"}
A4_POINTS = (595, 842)


def reader(document: InvoiceDocument) -> PdfReader:
    return PdfReader(io.BytesIO(pdf_renderer().render(document).content))


def words(document: InvoiceDocument) -> str:
    """The text of all pages with single spaces."""
    return " ".join(" ".join(page.extract_text() for page in reader(document).pages).split())


def letters(text: str) -> str:
    """The text without spaces, because where lines break is not what is tested."""
    return re.sub(r"\s", "", text)


def test_an_invoice_says_who_paid_whom_what_and_where() -> None:
    text = words(invoice())
    for expected in (
        "Northwind Analytics GmbH",
        "Torstraße 140",
        "Tax ID DE 319 572 684",
        "Invoice INV-000042",
        "Paid",
        "Harbour & Finch Ltd",
        "Date of issue 21 November 2026",
        "21 November 2026, 20:22:05 UTC",
        "Plan 3, one month",
        "21 Nov 2026, 20:22 – 21 Dec 2026, 20:22 UTC",
        "Total 49.00 USDC",
        "49.00 USD",
        "par: 1 USDC = 1 USD, declared by the merchant",
        "Paid on chain",
        "on chain 8453",
        PAYMENT.transaction_hash,
        PAYMENT.block_hash,
        PAYMENT.sender,
        PAYMENT.recipient,
        PAYMENT.contract,
        PAYMENT.token,
        str(PAYMENT.block_number),
        "Page 1 of 1",
    ):
        assert expected in text
    assert "PENDING" not in text


def test_a_credit_note_names_the_invoice_that_it_corrects() -> None:
    text = words(credit_note())
    for expected in ("Credit note CN-000003", "Corrects invoice INV-000042", "Total credited 12.50 USDC"):
        assert expected in text
    assert "Refunded on chain" in text
    assert text.index(PAYMENT.recipient) < text.rindex(PAYMENT.sender)


def test_a_pending_invoice_says_so_and_has_no_number() -> None:
    text = words(SAMPLES["pending"])
    assert "PENDING" in text
    assert "This is not an invoice yet." in text
    assert "INV-" not in text


def test_what_was_refunded_stands_on_the_invoice() -> None:
    text = words(SAMPLES["partly_refunded"])
    assert "Partly refunded" in text
    assert "−12.50 USDC" in text
    assert "36.50 USDC" in text


@pytest.mark.parametrize("document", COMPLETE.values(), ids=COMPLETE.keys())
def test_every_document_is_archivable_accessible_a4_and_carries_its_json(document: InvoiceDocument) -> None:
    pdf = pdf_renderer().render(document)
    assert pdf.note is None
    read = PdfReader(io.BytesIO(pdf.content))
    assert {(round(page.mediabox.width), round(page.mediabox.height)) for page in read.pages} == {A4_POINTS}
    packet = read.xmp_metadata
    assert packet is not None
    described = packet.rdf_root.toxml()
    assert re.search(r"pdfaid:part\W+3\b", described)
    assert re.search(r"pdfaid:conformance\W+A\b", described)
    assert re.search(r"pdfuaid:part\W+1\b", described)
    assert read.attachments == {"invoice.json": [invoice_json_text(document).encode()]}


def test_the_metadata() -> None:
    metadata = reader(invoice()).metadata
    assert metadata is not None
    assert metadata.title == "Invoice INV-000042, Northwind Analytics GmbH"
    assert metadata.author == "Northwind Analytics GmbH"
    assert metadata.subject == "Invoice over 49.00 USDC of 21 November 2026"
    assert metadata.creation_date is not None
    assert metadata.creation_date.isoformat() == "2026-11-21T20:22:05+00:00"


def test_sixty_lines_break_into_pages_that_each_have_the_head_of_the_table() -> None:
    pages = [" ".join(page.extract_text().split()) for page in reader(many_lines(60)).pages]
    assert len(pages) == 4
    for number, text in enumerate(pages, start=1):
        assert "Description Quantity Unit price, USDC Amount, USDC" in text
        assert f"Page {number} of 4" in text
        assert "INV-000042" in text
    shown = [int(number) for text in pages for number in re.findall(r"Plan (\d+), one month", text)]
    assert shown == list(range(1, 61))
    assert ["Total" in text for text in pages] == [False, False, False, True]
    assert "Plan 60, one month" in pages[-1], "a total without a line above it"


@pytest.mark.parametrize("count", range(8, 40, 3))
def test_no_page_begins_with_a_total(count: int) -> None:
    last = reader(many_lines(count)).pages[-1].extract_text()
    assert "Total" not in last or f"Plan {count}, one month" in last


def test_user_text_is_shown_and_never_run() -> None:
    text = letters(words(SAMPLES["hostile"]))
    assert letters(HOSTILE) in text
    assert letters('#read("/etc/passwd")') in text
    assert "root:" not in text
    assert "W" * 400 in text
    assert "endless" * 60 in text


def test_an_endless_word_stays_within_its_column() -> None:
    lines = reader(SAMPLES["hostile"]).pages[0].extract_text().splitlines()
    pieces = [piece for text in lines for piece in text.split() if set(piece) <= set("W") or "endless" in piece]
    assert len(pieces) > 16
    assert max(map(len, pieces)) < 60


def test_hashes_and_addresses_are_copied_in_one_piece() -> None:
    copied = reader(invoice()).pages[0].extract_text().split()
    assert {PAYMENT.transaction_hash, PAYMENT.block_hash, PAYMENT.sender, PAYMENT.token} <= set(copied)
    assert "\u200b" not in "".join(copied)


@settings(max_examples=40)
@given(name=st.text(max_size=80), description=st.text(max_size=200), address=st.lists(st.text(max_size=60), max_size=4))
def test_any_text_gives_a_pdf(name: str, description: str, address: list[str]) -> None:
    party = Party(name=name, address=tuple(address), tax_id=name, email=description)
    pdf = pdf_renderer().render(invoice(merchant=party, customer=party, lines=(line(1, description),)))
    assert pdf.content.startswith(b"%PDF")


@settings(max_examples=40)
@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=60))
def test_any_ascii_text_is_shown_as_it_is(description: str) -> None:
    assert letters(description) in letters(words(invoice(lines=(line(1, description),))))


def test_the_scripts_of_the_world_are_shown_with_the_fonts_of_the_package() -> None:
    read = reader(SAMPLES["scripts"])
    text = letters("".join(page.extract_text() for page in read.pages))
    for expected in ("株式会社さくら分析", "北京数据有限公司", "주식회사한빛", "Москва,Київ,Αθήνα,ĐàNẵng"):
        assert expected in text
    used = {name.partition("+")[2] for name in _font_names(read)}
    assert used <= {
        "Inter-Regular", "Inter-SemiBold", "IBMPlexMono-Regular", "NotoSansArabic-Regular", "NotoSansHebrew-Regular",
        "NotoSansThai-Regular", "NotoSansDevanagari-Regular", "NotoEmoji-Regular", "WenQuanYiMicroHei",
    }  # fmt: skip
    assert len(used) >= 8


def test_a_character_that_no_font_has_keeps_no_invoice_back() -> None:
    pdf = pdf_renderer().render(SAMPLES["unknown_script"])
    assert pdf.note is not None
    assert pdf.note.startswith("not PDF/A: the text")
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf.content)).pages)
    assert "INV-000042" in text
    assert PAYMENT.transaction_hash in text


def test_the_same_document_gives_the_same_bytes_here_and_elsewhere(tmp_path: Path) -> None:
    here = {name: pdf_renderer().render(document).content for name, document in SAMPLES.items()}
    again = PdfRenderer()
    for name in reversed(SAMPLES):  # in another order, by another compiler
        assert again.render(SAMPLES[name]).content == here[name]
    script = (
        "import hashlib; from tallystick.render.pdf import PdfRenderer; from tests.render.samples import SAMPLES;"
        "print(hashlib.sha256(PdfRenderer().render(SAMPLES['scripts']).content).hexdigest())"
    )
    elsewhere = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TZ": "Asia/Tokyo", "SOURCE_DATE_EPOCH": "1", "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert elsewhere.stdout.strip() == hashlib.sha256(here["scripts"]).hexdigest()


def test_several_threads_share_a_renderer() -> None:
    renderer = PdfRenderer()
    documents = [invoice(number=f"INV-{number:06d}") for number in range(24)]
    alone = [renderer.render(document).content for document in documents]
    with ThreadPoolExecutor(4) as pool:
        assert [pdf.content for pdf in pool.map(renderer.render, documents)] == alone


def test_the_fonts_are_those_that_were_published() -> None:
    readme = (FONTS / "README.md").read_text()
    listed = dict(re.findall(r"^\| (\S+\.tt[fc]) \|.*`([0-9a-f]{64})` \|$", readme, re.MULTILINE))
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in FONTS.iterdir()
        if path.suffix in {".ttf", ".ttc"}
    }
    assert found == listed


def test_without_typst_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "typst", None)
    with pytest.raises(PdfUnavailable, match=r"pip install 'tallystick\[pdf\]'"):
        PdfRenderer()


def test_a_folder_of_fonts_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PdfFailed, match="is no folder"):
        PdfRenderer(tmp_path / "nowhere")


def _font_names(read: PdfReader) -> set[str]:
    objects = [read.get_object(number) for number in range(1, len(read.xref[0]) + len(read.xref_objStm) + 1)]
    fonts = [one for one in objects if isinstance(one, DictionaryObject) and one.get("/Type") == "/Font"]
    return {str(font["/BaseFont"]).lstrip("/") for font in fonts}
