"""The differences that docs/audit.md explains are those that an audit names."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tallystick.flows.audit_all import Audits, audit_all
from tallystick.flows.mirror import open_mirror
from tallystick.render.audit_meanings import MEANINGS
from tallystick.testing import start_anvil
from tests.docs.beginnings import FIRST_DAY
from tests.docs.blocks import ROOT, table_of
from tests.whole_books import mirror_everything

TAMPERINGS = (
    "UPDATE sources SET final_hash = zeroblob(32)",
    "UPDATE sources SET final_time = final_time + 1",
    "UPDATE sources SET start_block = 0",
    "UPDATE headers SET time = time + 1 WHERE number IN (SELECT max(number) FROM headers)",
    "UPDATE tokens SET decimals = 18",
    "DELETE FROM events WHERE name = 'Declined'",
    "UPDATE postings SET units = '1' WHERE entry_number = 3 AND side = 'D'",
    "UPDATE entries SET previous_hash = zeroblob(32) WHERE entry_number = 5",
    "DELETE FROM entries WHERE entry_number = 8",
    "UPDATE balances SET debit_units = '1'",
    "UPDATE invoices SET total_units = '1' WHERE kind = 'invoice' AND number = 2",
    "DELETE FROM invoices WHERE kind = 'credit_note'",
    "UPDATE registers SET subscriptions = 9 WHERE register_id = 0",
    "INSERT INTO claimables (source_id, account, token, units) SELECT 1, payee, token, '7' FROM registers",
    "UPDATE plans SET every = 2",
    "UPDATE subscriptions SET charges = 9 WHERE subscription_id = 1",
    "UPDATE payments SET held_units = '1'",
    "DELETE FROM revoked_payments",
    "UPDATE payment_totals SET payments = 9",
    "UPDATE postings SET account = 'Assets:Escrow:x' WHERE account LIKE 'Assets:Escrow:%'",
    "UPDATE deposits SET credit_units = '9'",
    "UPDATE sales SET sold_units = '9'",
    "UPDATE quote_totals SET quotes = 9",
    "UPDATE used_numbers SET bits = '9'",
    "UPDATE expected_payments SET from_block = 1000000",
    "UPDATE mirrored_channels SET deposited_units = '1'",
    "UPDATE receiver_totals SET claimed_units = '1'",
    "UPDATE postings SET account = 'Income:Channels:x' WHERE account LIKE 'Income:Channels:%'",
)
BY_THE_NODE = ["number of plans", "number of registers", "balance of the contract in <token>"]
"""Differences that no change of the database makes: only a node that leaves events out, or money that is gone."""
ELSEWHERE = [
    "charge <id>, payment <id>",
    "payment <id>, invoice of the protected charge",
    "rate of <token> in <currency> in block <number>",
]
"""Differences of what these books do not have: protected charges and recorded rates."""
HEADING = "| row | what it means |"


def rows_of(audits: Audits) -> set[str]:
    """What the audit names."""
    return {difference.row for report in audits.reports.values() for difference in report.differences}


@pytest.fixture
def found(tmp_path: Path) -> Iterator[set[str]]:
    """The rows that audits name after each of the tamperings."""
    rows_found: set[str] = set()
    database, whole = tmp_path / "tallystick.db", tmp_path / "whole.db"
    with start_anvil("--timestamp", str(FIRST_DAY)) as anvil:
        config = mirror_everything(anvil, tmp_path)
        shutil.copy(database, whole)
        for tampering in TAMPERINGS:
            shutil.copy(whole, database)
            connection = sqlite3.connect(database)
            with connection:
                assert connection.execute(tampering).rowcount > 0, tampering
            connection.close()
            mirror = open_mirror(config)
            audits = audit_all(mirror.engine, mirror.rpc, mirror)
            mirror.engine.dispose()
            assert not audits.ok, tampering
            rows_found |= rows_of(audits)
        yield rows_found


def test_each_difference_is_explained_and_each_explanation_has_a_difference(found: set[str]) -> None:
    table = table_of(ROOT / "docs" / "audit.md", HEADING)
    explained = {
        name: re.compile(re.sub(r"<\w+>", r"[^,]+", name) + r"(, [\w ]+)?")
        for row in table
        for name in row[0].split("`, `")
    }
    assert [row for row in sorted(found) if not any(pattern.fullmatch(row) for pattern in explained.values())] == []
    unseen = [name for name, pattern in explained.items() if not any(pattern.fullmatch(row) for row in found)]
    assert sorted(unseen) == sorted(BY_THE_NODE + ELSEWHERE)


def test_a_report_explains_them_in_the_same_words() -> None:
    table = table_of(ROOT / "docs" / "audit.md", HEADING)
    assert {tuple(row.split("`, `")): meaning for row, meaning in table} == MEANINGS
