"""Audits in plain words: what their sentences say, the JSON, and the PDF read back with pypdf."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from pypdf import PdfReader

from tallystick.flows.audit_all import Audits
from tallystick.flows.compare import MOST_DIFFERENCES
from tallystick.flows.state_audit import state_audit, state_pack
from tallystick.render.audit_meanings import MEANINGS, meaning_of
from tallystick.render.audit_page import VALUE_FITS, audit_page
from tallystick.render.pdf import StatementRenderer, statement_renderer
from tallystick.render.statement import AuditStatement, Point, statement_json_text
from tests.render.audits import (
    CONTRACTS,
    FIRST,
    HASH,
    HOSTILE,
    LAST,
    MANY,
    PAYEE,
    SAMPLES,
    THREE,
    USDC,
    audits,
    differing,
    pack_report,
)

ROOT = Path(__file__).parents[2]
A4_POINTS = (595, 842)


def reader(statement: AuditStatement) -> PdfReader:
    return PdfReader(io.BytesIO(statement_renderer().render(statement).content))


def letters(text: str) -> str:
    """The text without spaces, because where lines break is not what is tested."""
    return re.sub(r"\s", "", text)


def shown(statement: AuditStatement) -> str:
    return letters("".join(page.extract_text() for page in reader(statement).pages))


def said(points: tuple[Point, ...], title: str) -> str:
    """The sentences of the one point with this title."""
    (found,) = (point.text for point in points if point.title == title)
    return found


# --- The sentences --------------------------------------------------------------------------------------------------


def test_the_verdict_says_in_a_sentence_whether_the_books_match() -> None:
    assert SAMPLES["match"].verdict.startswith("The books match the chain: everything that was compared")
    assert SAMPLES["three"].verdict == "The books do not match the chain: 3 differences were found."
    assert differing(THREE[:1]).verdict == "The books do not match the chain: 1 difference was found."
    proven = "1,666 events were proven to be in its blocks, and journal, documents and counts follow from them"
    assert SAMPLES["pack"].verdict == f"The books match what the pack proves of the chain: {proven}."
    assert SAMPLES["pack_unanchored"].verdict == (
        f"The books match the blocks that the pack has: {proven}; whether these blocks are those of the chain was not "
        "compared with anything."
    )


def test_what_was_checked_says_how_much_of_it() -> None:
    checked = SAMPLES["match"].checked
    assert said(checked, "Subscriptions: events").startswith(
        f"1,616 events were read from the node again, from block {FIRST}"
    )
    assert "The journal has 808 entries." in said(checked, "Subscriptions: journal")
    assert "810 invoices and 2 credit notes" in said(checked, "Subscriptions: documents")
    counts = "810 charges on chain and 810 in the books, 2 refunds on chain and 2 in the books"
    assert counts in said(checked, "Subscriptions: the contract's own counts")
    assert said(checked, "Younger blocks").endswith("as far as the node has the same ones: 64 of Subscriptions.")
    tokens = "2 of Subscriptions, 2 of Escrow, 1 of Checkout, 1 of Channels, 1 of UniswapSwapper."
    assert said(checked, "Tokens").endswith(tokens)
    assert "9 payments on chain and 9 in the books" in said(checked, "Escrow: the contract's own counts")
    assert "4 invoices and 1 credit note." in said(checked, "Checkout: documents")
    assert "3 quotes on chain and 3 in the books" in said(checked, "Checkout: the contract's own counts")
    assert "for 4 pairs of an address and a token" in said(checked, "Checkout: deposit addresses")
    channels = said(checked, "Channels: the contract's own counts")
    assert channels.startswith("2 channels were compared")
    assert "4 claims and 1 settlement" in channels
    assert "The events make 1 conversion." in said(checked, "UniswapSwapper: rates")
    assert "The evidence of 8 of 13 recorded rates was looked up again." in said(checked, "UniswapSwapper: rates")
    assert "0 events, 0 journal entries and 0 documents" in said(checked, "x402's channels: nothing happened")


def test_books_with_a_difference_are_never_said_to_have_nothing_in_them() -> None:
    found = audits()
    assert found.x402 is not None
    found.x402.note("channel 0x1", "a row too many", None)
    assert not any("nothing happened" in point.title for point in state_audit(found).checked)


def test_what_rests_on_somebody_s_word_is_said_apart() -> None:
    unchecked = SAMPLES["match"].unchecked
    assert "Values of documents were derived with 2 declarations" in said(unchecked, "Worth of tokens")
    assert "What was to come to 4 deposit addresses is the merchant's word." in said(unchecked, "What was expected")
    assert said(unchecked, "Rates") == (
        "5 recorded rates were not looked up again, because the node does not keep the state of their blocks."
    )
    assert "compare the hash of the last block with another source" in said(unchecked, "The node")
    assert "Younger blocks" not in {point.title for point in unchecked}
    nothing = {point.title for point in SAMPLES["nothing_happened"].unchecked}
    assert nothing == {"The node", "Younger blocks", "Conversions", "What no program says"}


def test_of_a_pack_is_said_what_it_does_not_prove() -> None:
    titles = [point.title for point in SAMPLES["pack"].unchecked]
    assert titles[:5] == [
        "Hashes of the blocks",
        "What may be missing",
        "Numbers of logs",
        "Answers of tokens",
        "Transactions without a signature",
    ]
    assert "The hashes of 120 blocks" in said(SAMPLES["pack"].checked, "Hashes of the blocks")
    assert "6 answers of tokens" in said(SAMPLES["pack"].unchecked, "Answers of tokens")
    assert "20 transactions of 410" in said(SAMPLES["pack"].unchecked, "Transactions without a signature")
    unanchored = SAMPLES["pack_unanchored"]
    assert "Hashes of the blocks" not in {point.title for point in unanchored.checked}
    assert "120 blocks, which were not compared with anything" in said(unanchored.unchecked, "Hashes of the blocks")
    clean = {point.title for point in state_pack(pack_report(audits(), 120, told=0, unsigned=0)).unchecked}
    assert not clean & {"Answers of tokens", "Transactions without a signature"}


def test_no_node_is_spoken_of_where_none_was_asked() -> None:
    for name in ("pack", "pack_unanchored"):
        texts = [*(point.text for point in SAMPLES[name].checked), *(point.text for point in SAMPLES[name].unchecked)]
        assert [text for text in texts if "read from the node" in text or "node that was asked" in text] == []


# --- Differences ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "meaning"),
    [
        ("journal entry 4", "An entry was taken out, added or changed."),
        ("journal entry 4, postings", "An entry was taken out, added or changed."),
        ("journal entry 4, previous hash", "The entry does not follow the one before it: an entry between them was"),
        ("postings of journal entry 4", "Postings whose entry is missing."),
        ("pending block 4", "The books have another header for a block that is not final yet."),
        ("block 4, hash", "The books end with another block than your node has"),
        (
            "payment 0x12",
            "An escrow payment is missing, was added or changed; “on chain”: the contract has it otherwise.",
        ),
        ("payment 0x12, invoice of the protected charge", "The escrow held a charge that has no invoice."),
        ("charge 1/2, payment 0x12", "The escrow did not hold this protected charge"),
        (f"payments of {PAYEE} in {USDC.address}", "How many there are, and of what amount"),
        (f"deposit of {PAYEE}, INV,1\n2, {USDC.address}", "What came for the invoice, or was sold"),
        (f"deposit address {PAYEE} of INV-1 in {USDC.address}, on chain", "What stands there is not what came"),
        (f"journal of channels, Income:Channels:{PAYEE} in {USDC.address}", "The journal does not say of the account"),
        (f"claimable of {PAYEE} in {USDC.address}, journal", "What the contract keeps for the account"),
        (f"rate of {USDC.address} in EUR in block 7", "The evidence of a recorded rate does not lead to it"),
        (f"control total of {PAYEE} in {USDC.address}, charge sum", "Journal and contract counted differently"),
    ],
)
def test_a_difference_is_explained(row: str, meaning: str) -> None:
    assert (meaning_of(row) or "").startswith(meaning)


def test_every_kind_of_row_has_its_own_meaning_and_another_none() -> None:
    for names, meaning in MEANINGS.items():
        for name in names:
            words = re.sub(r"<\w+>", "7", name)
            plain = meaning.replace("`", "")
            assert re.sub("[“”]", "", meaning_of(words) or "") == f"{plain[0].upper()}{plain[1:]}.", name
    assert meaning_of("something new") is None


# --- JSON -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["three", "pack"])
def test_the_json_has_every_number_of_the_audit(name: str) -> None:
    statement = SAMPLES[name]
    found = json.loads(statement_json_text(statement))
    expected = audits()
    assert (found["format"], found["ok"], found["chain_id"]) == ("tallystick/audit/1", statement.ok, 8453)
    assert [books["figures"] for books in found["books"]] == [report.figures for report in expected.reports.values()]
    first, escrow = found["books"][:2]
    assert (first["entries"], first["credit_notes"], first["pending_blocks"]) == (808, 2, 64 if name == "three" else 0)
    assert first["last_block"] == {"number": LAST, "hash": f"0x{HASH.hex()}", "time": "2026-11-21T20:22:05Z"}
    assert first["pegs"][0] == {"token": USDC.address, "from_block": FIRST, "currency": "USD"}
    assert escrow["holdings"][0] == {
        "token": USDC.address,
        "owed_units": "125500000",
        "balance_units": "125500000",
        "is_declared": True,
    }
    if name == "three":
        assert found["difference_count"] == first["difference_count"] == 3
        assert [row["row"] for row in first["differences"]] == [row for row, _, _ in THREE]
        assert found["pack"] is None
    else:
        pack = {key: found["pack"][key] for key in ("pack", "size", "blocks", "blocks_compared", "transactions")}
        assert pack == {
            "pack": "c4" * 32,
            "size": 1_234_567,
            "blocks": 120,
            "blocks_compared": 120,
            "transactions": 410,
        }
        answers = ("unsigned_transactions", "proven_answers", "unproven_answers")
        assert [found["pack"][key] for key in answers] == [20, 33, 6]
        assert found["pack"]["members"][0] == {"name": "blocks", "size": 10_072, "sha256": "1" * 64}


# --- PDF ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["match", "three", "nothing_happened", "pack", "hostile"])
def test_the_pdf_says_what_the_statement_says(name: str) -> None:
    statement, text = SAMPLES[name], shown(SAMPLES[name])
    assert letters(statement.verdict) in text
    for point in (*statement.checked, *statement.unchecked):
        assert letters(f"{point.title}.{point.text}") in text.replace(letters(footer(statement)), ""), point.title
    for books in statement.books:
        assert letters(f"{books.name} {books.contract} {books.first_block} {books.last_block.number}") in text
        assert books.last_block.hash in text
        for difference in books.differences:
            assert letters(difference.row.replace("\u202e", "")) in text
            if difference.meaning is not None:
                assert letters(difference.meaning) in text


def footer(statement: AuditStatement) -> str:
    return f"Audit of books, chain {statement.chain_id}, block {LAST}, made with {statement.software}"


def test_the_pdf_has_what_is_found_and_expected() -> None:
    text = shown(SAMPLES["three"])
    for difference in SAMPLES["three"].books[0].differences:
        assert letters(difference.found + difference.expected) in text or (
            letters(difference.found) in text and letters(difference.expected) in text
        )
    assert "Nonewasfound." not in text
    assert "Nonewasfound." in shown(SAMPLES["match"])


def test_a_pack_s_name_size_and_members_stand_in_the_pdf() -> None:
    text = shown(SAMPLES["pack"])
    for expected in ("c4" * 32, "1,234,567bytes", "120of120comparedwithtrustedones", "tables/rates", "1" * 64):
        assert expected in text


@pytest.mark.parametrize("name", SAMPLES)
def test_every_report_is_archivable_accessible_a4_and_carries_its_json(name: str) -> None:
    pdf = statement_renderer().render(SAMPLES[name])
    assert pdf.note is None
    read = PdfReader(io.BytesIO(pdf.content))
    assert {(round(page.mediabox.width), round(page.mediabox.height)) for page in read.pages} == {A4_POINTS}
    assert read.xmp_metadata is not None
    described = read.xmp_metadata.rdf_root.toxml()
    assert re.search(r"pdfaid:part\W+3\b", described)
    assert re.search(r"pdfuaid:part\W+1\b", described)
    assert read.attachments == {"audit.json": [statement_json_text(SAMPLES[name]).encode()]}
    assert read.metadata is not None
    assert read.metadata.creation_date is not None
    assert read.metadata.creation_date.isoformat() == "2026-11-21T20:22:05+00:00", "a clock was read"


def test_a_long_table_has_its_head_on_each_page_and_every_row_once() -> None:
    pages = [" ".join(page.extract_text().split()) for page in reader(SAMPLES["several_hundred"]).pages]
    rows = [[int(number) for number in re.findall(r"journal entry (\d+), hash", page)] for page in pages]
    assert [number for page in rows for number in page] == list(range(1, 301))
    with_rows = [page for page, found in zip(pages, rows, strict=True) if found]
    assert len(with_rows) > 10
    assert all("No. Found Expected" in page for page in with_rows)
    ends = [page.count("it was changed after it was written.") for page in pages]
    assert ends == [len(page) for page in rows], "a row whose meaning stands on another page"


def test_more_differences_than_an_audit_lists_are_counted() -> None:
    statement = SAMPLES["many"]
    assert statement.difference_count == len(MANY) > MOST_DIFFERENCES == len(statement.books[0].differences)
    assert audit_page(statement)["differences_note"].endswith("1,000 are listed, 299 more were counted.")
    assert len(audit_page(statement)["differences"]) == MOST_DIFFERENCES
    assert "are listed" not in audit_page(SAMPLES["several_hundred"])["differences_note"]


def test_text_of_others_is_shown_and_never_run_and_what_is_endless_is_cut_short() -> None:
    text = shown(SAMPLES["hostile"])
    assert letters(HOSTILE.replace("\u202e", "")) in text
    assert "ab" * (VALUE_FITS // 2) in text
    assert "ab" * (VALUE_FITS // 2 + 1) not in text
    assert "(80,000characters;wholeintheattachedJSON)" in text


def test_the_same_audit_gives_the_same_bytes_here_and_elsewhere(tmp_path: Path) -> None:
    here = statement_renderer().render(SAMPLES["three"]).content
    assert StatementRenderer().render(differing(THREE)).content == here
    script = (
        "import hashlib; from tallystick.render.pdf import StatementRenderer; from tests.render.audits import SAMPLES;"
        "print(hashlib.sha256(StatementRenderer().render(SAMPLES['three']).content).hexdigest())"
    )
    elsewhere = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TZ": "Asia/Tokyo", "SOURCE_DATE_EPOCH": "1", "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert elsewhere.stdout.strip() == hashlib.sha256(here).hexdigest()


def test_a_report_is_as_of_the_last_of_all_blocks() -> None:
    found = audits()
    later = replace(found.escrow, block_number=LAST + 5, block_time=found.escrow.block_time + 60)
    statement = state_audit(Audits(found.subscriptions, later, found.checkout, found.channels))
    assert (statement.as_of.number, statement.as_of.time) == (LAST + 5, "2026-11-21T20:23:05Z")
    assert [books.contract for books in statement.books] == list(CONTRACTS.values())[:4]
