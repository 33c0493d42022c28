"""`tallystick audit pack`, `blocks` and `check-pack`, typed as people type them."""

from __future__ import annotations

import json
from pathlib import Path

from sqlalchemy import text

from tallystick.storage.database import open_database, transaction
from tests.business import Business
from tests.cli.conftest import Run, Say


def sold(business: Business, run: Run) -> None:
    subscription = business.subscribe(business.payer("ada"), business.create_plan())
    business.anvil.advance(32 * 86_400)
    business.charge(subscription)
    business.anvil.finalize()
    run("index", "--once")


def test_books_are_packed_and_proven_elsewhere(say: Say, run: Run, business: Business) -> None:
    sold(business, run)
    packed = say(None, "audit", "pack", "books.pack")
    assert packed["events"] == 5
    assert packed["bytes"] == Path("books.pack").stat().st_size
    Path("trusted.txt").write_text(run("audit", "blocks", "books.pack").stdout)
    assert run("audit", "blocks", "books.pack", "--claimed").stdout == Path("trusted.txt").read_text()
    nowhere = {"TALLYSTICK_RPC_URL": "http://127.0.0.1:1", "TALLYSTICK_DATABASE": "sqlite:///none.db"}
    shown = run("audit", "check-pack", "books.pack", "--trusted", "trusted.txt", env=nowhere).stdout
    assert "The halves match: 5 events are proven" in shown
    assert "transactions have no signature: the chain is a test chain" in shown
    assert "answers of tokens (symbol, decimals, balances) are the word of the node" in shown
    assert "were not compared" not in shown
    report = json.loads(run("audit", "check-pack", "books.pack", "--unanchored", "--json", env=nowhere).stdout)
    assert (report["ok"], report["pack"], report["blocks_compared"]) == (True, packed["pack"], 0)
    assert report["subscriptions"]["charges_on_chain"] == report["subscriptions"]["charges_in_ledger"] == 2
    assert set(report) >= {"escrow", "checkout", "channels"}
    shown = run("audit", "check-pack", "books.pack", "--unanchored").stdout
    assert "which were not compared with anything: `tallystick audit blocks` lists them" in shown


def test_what_is_wrong_is_said(say: Say, run: Run, business: Business) -> None:
    sold(business, run)
    say(None, "audit", "pack", "books.pack")
    said = run("audit", "check-pack", "books.pack", exit_code=2).stderr
    assert "name the hashes that you trust with --trusted FILE, or say --unanchored" in said
    Path("trusted.txt").write_text("1 0x" + "00" * 32 + "\n")
    said = run("audit", "check-pack", "books.pack", "--trusted", "trusted.txt", exit_code=1).stderr
    assert "by the trusted hashes it is not among them: the pack is of another chain" in said
    assert "is there already" in run("audit", "pack", "books.pack", exit_code=1).stderr
    assert "cannot be read" in run("audit", "check-pack", "none.pack", "--unanchored", exit_code=1).stderr
    engine = open_database("sqlite:///tallystick.db")
    with transaction(engine) as connection:
        connection.execute(text("UPDATE invoices SET total_units = '1' WHERE number = 2"))
    engine.dispose()
    said = run("audit", "pack", "wrong.pack", exit_code=1).stderr
    assert "the audit found 1 differences between books and chain" in said
    assert not Path("wrong.pack").exists()
