"""`--report` of `tallystick audit verify` and `check-pack`, typed as people type it."""

from __future__ import annotations

import datetime as dt
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader
from sqlalchemy import text

from tallystick.render.pdf import statement_renderer
from tallystick.storage.database import open_database, transaction
from tests.business import UNLIMITED, Business
from tests.cli.conftest import Run, Say
from tests.cli.test_audit_pack import sold

NOWHERE = {"TALLYSTICK_RPC_URL": "http://127.0.0.1:1", "TALLYSTICK_DATABASE": "sqlite:///none.db"}
"""Neither a node nor books: whatever is told with these is told before an audit begins."""


def words(path: Path) -> str:
    """The letters of all pages."""
    return re.sub(r"\s", "", "".join(page.extract_text() for page in PdfReader(path).pages))


def tamper() -> None:
    """Books of which somebody changed an invoice and an entry."""
    engine = open_database("sqlite:///tallystick.db")
    with transaction(engine) as connection:
        connection.execute(text("UPDATE invoices SET total_units = '1' WHERE number = 2"))
        connection.execute(text("UPDATE postings SET units = '1' WHERE entry_number = 1 AND side = 'D'"))
    engine.dispose()


def numbers(found: dict[str, Any]) -> dict[str, int]:
    """What `--json` counts of one contract."""
    beside = {"block", "difference_count", "chain_id"}
    return {key: value for key, value in found.items() if type(value) is int and key not in beside}


def test_verify_leaves_a_report_with_every_number_that_it_says(say: Say, run: Run, business: Business) -> None:
    sold(business, run)
    found = say(None, "audit", "verify", "--report", "audit.json")
    report = json.loads(Path("audit.json").read_text())
    assert report["ok"] is found["ok"] is True
    assert report["chain_id"] == found["chain_id"]
    parts = [found, found["escrow"], found["checkout"], found["channels"]]
    for books, part in zip(report["books"], parts, strict=True):
        assert numbers(part) == books["figures"]
        assert (books["contract"], books["difference_count"]) == (part["contract"], part["difference_count"])
        assert (books["last_block"]["number"], books["last_block"]["hash"]) == (part["block"], part["block_hash"])
    assert report["books"][0]["first_block"] == business.contract.start_block
    assert (report["books"][0]["entries"], report["books"][0]["credit_notes"]) == (2, 0)
    header = business.anvil.rpc("eth_getBlockByNumber", hex(found["block"]), False)
    assert dt.datetime.fromisoformat(report["as_of"]["time"]).timestamp() == int(header["timestamp"], 16)


def test_the_report_counts_credit_notes_and_pending_blocks_apart(say: Say, run: Run, business: Business) -> None:
    sold(business, run)
    business.approve(business.payee, UNLIMITED)
    business.call(business.payee, "refund", 1, 1, 5)
    business.anvil.finalize()
    run("index", "--once")
    say(None, "audit", "verify", "--report", "audit.json")
    books = json.loads(Path("audit.json").read_text())["books"][0]
    assert (books["figures"]["invoices"], books["credit_notes"], books["entries"]) == (3, 1, 3)
    head = int(business.anvil.rpc("eth_blockNumber"), 16)
    assert books["pending_blocks"] == head - books["last_block"]["number"] > 0


def test_the_report_is_written_beside_what_is_said_and_is_the_same_again(
    say: Say, run: Run, business: Business
) -> None:
    sold(business, run)
    plain = run("audit", "verify").stdout
    assert run("audit", "verify", "--report", "audit.pdf").stdout == plain
    run("audit", "verify", "--report", "again.PDF")
    assert Path("again.PDF").read_bytes() == Path("audit.pdf").read_bytes()
    block_hash = say(None, "audit", "verify")["block_hash"]
    shown = words(Path("audit.pdf"))
    assert "Thebooksmatchthechain:everythingthatwascompared" in shown
    assert block_hash in shown
    assert list(Path().glob(".*audit*")) == [], "a draft was left behind"


def test_a_report_on_books_that_differ_names_each_difference(say: Say, run: Run, business: Business) -> None:
    sold(business, run)
    tamper()
    found = say(None, "audit", "verify", "--report", "audit.pdf", exit_code=1)
    shown = words(Path("audit.pdf"))
    assert f"Thebooksdonotmatchthechain:{found['difference_count']}differenceswerefound." in shown
    assert len(found["differences"]) == found["difference_count"] >= 4
    for difference in found["differences"]:
        assert re.sub(r"\s", "", difference["row"]) in shown
    run("audit", "verify", "--report", "audit.json", exit_code=1)
    (first, *_) = json.loads(Path("audit.json").read_text())["books"]
    listed = [{key: row[key] for key in ("row", "found", "expected")} for row in first["differences"]]
    assert listed == found["differences"]
    assert all(row["meaning"] for row in first["differences"])


def test_check_pack_leaves_a_report_too(say: Say, run: Run, business: Business) -> None:
    sold(business, run)
    say(None, "audit", "pack", "books.pack")
    Path("trusted.txt").write_text(run("audit", "blocks", "books.pack").stdout)
    trusted = ("audit", "check-pack", "books.pack", "--trusted", "trusted.txt")
    found = json.loads(run(*trusted, "--json", "--report", "audit.json", env=NOWHERE).stdout)
    report = json.loads(Path("audit.json").read_text())
    assert report["pack"]["size"] == Path("books.pack").stat().st_size
    for key in ("pack", "made_by", "blocks", "blocks_compared", "transactions", "unsigned_transactions"):
        assert report["pack"][key] == found[key]
    for key in ("proven_answers", "unproven_answers"):
        assert report["pack"][key] == found[key] > 0
    for books, name in zip(report["books"], ("subscriptions", "escrow", "checkout", "channels"), strict=True):
        assert books["figures"] == numbers(found[name])
    run(*trusted, "--report", "audit.pdf", env=NOWHERE)
    shown = words(Path("audit.pdf"))
    assert found["pack"] in shown
    assert "Thebooksmatchwhatthepackprovesofthechain:5eventswereproven" in shown
    assert "aretheword" in shown
    run("audit", "check-pack", "books.pack", "--unanchored", "--report", "audit.pdf", env=NOWHERE)
    assert "werenotcomparedwithanything" in words(Path("audit.pdf"))
    manifest = json.loads(Path("books.pack").read_bytes().splitlines()[2])
    assert report["pack"]["members"] == manifest["members"]


@pytest.mark.parametrize("command", [("verify",), ("check-pack", "none.pack", "--unanchored")])
def test_what_would_keep_a_report_from_being_written_is_told_before_the_audit(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    def refused(report: str) -> str:
        return run("audit", *command, "--report", report, env=NOWHERE, exit_code=1).stderr

    assert "found the report 'audit.html', allowed are names that end in .pdf or .json" in refused("audit.html")
    assert "found the report 'audit'" in refused("audit")
    assert "nowhere is no folder" in refused("nowhere/audit.pdf")
    statement_renderer.cache_clear()  # another test's has found its typst
    monkeypatch.setitem(sys.modules, "typst", None)
    assert "run `pip install 'tallystick[pdf]'`" in refused("audit.pdf")
    assert "pip install" not in refused("audit.json"), "JSON needs no typst"
    assert list(Path().iterdir()) == []
