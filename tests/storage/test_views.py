"""The views for auditors say exactly what the tables hold, in numbers and dates that people read, on both databases."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, text

from tallystick.core.checkout_invoice import SaleBy, SaleInvoice
from tallystick.core.events import Origin
from tallystick.core.invoice import FiatValue, Invoice, Kind
from tallystick.core.ledger import GENESIS_HASH, Posting, new_entry
from tallystick.core.money import UINT256_MAX, Token, decimal_text
from tallystick.core.payment_invoice import Occasion, PaymentInvoice
from tallystick.errors import DatabaseError
from tallystick.storage.database import open_database, reading, transaction
from tallystick.storage.events import StoredEvent, add_events
from tallystick.storage.invoices import add_invoices
from tallystick.storage.journal import add_entries
from tallystick.storage.payment_invoices import add_payment_invoices
from tallystick.storage.sale_invoices import add_sale_invoices
from tallystick.storage.sources import CHECKOUT, ESCROW, SUBSCRIPTIONS, Source, add_source, advance_source
from tallystick.storage.tokens import add_tokens
from tests.databases import NewDatabase

UTC = "%Y-%m-%d %H:%M:%S"
ORIGIN = Origin(7, bytes(range(32)), 1_772_265_661, bytes(range(32, 64)), 3)
DECIMALS = (0, 1, 6, 18, 24, 255)
AMOUNTS = (1, 9, 10, 999_999, 1_000_000, 10**18 + 1, UINT256_MAX)
UNKNOWN = "0xUnknown"


class Books:
    """A database with three sources of one chain, and one of another in which nothing is."""

    def __init__(self, url: str) -> None:
        self.engine: Engine = open_database(url)
        with transaction(self.engine) as connection:
            self.subscriptions, self.escrow, self.checkout = (
                self._source(connection, kind) for kind in (SUBSCRIPTIONS, ESCROW, CHECKOUT)
            )
            add_source(connection, 2, "0xSubscriptions", 1)
            add_tokens(connection, [Token(1, f"0x{decimals}", f"T{decimals}", decimals) for decimals in DECIMALS])

    def _source(self, connection: Any, kind: str) -> Source:
        source = add_source(connection, 1, f"0x{kind}", 1, kind)
        return advance_source(connection, source, 9, b"", ORIGIN.block_time + 24)

    def select(self, query: str) -> list[dict[str, Any]]:
        """Rows by column, numbers of any kind as digits."""
        with reading(self.engine) as connection:
            rows = connection.execute(text(query)).mappings()
            return [
                {key: f"{value:f}" if isinstance(value, Decimal) else value for key, value in row.items()}
                for row in rows
            ]


@pytest.fixture
def books(new_database: NewDatabase) -> Books:
    return Books(new_database())


def shown(time: int) -> str:
    return dt.datetime.fromtimestamp(time, dt.UTC).strftime(UTC)


def test_a_line_of_the_journal(books: Books) -> None:
    lines = (Posting("Assets:A", "D", "0x6", 9_990_000), Posting("Income:B", "C", "0x6", 9_990_000))
    with transaction(books.engine) as connection:
        add_entries(connection, books.escrow.source_id, [new_entry(1, "capture", ORIGIN, lines, GENESIS_HASH)])
    common = {
        "chain_id": 1,
        "contract": "Escrow",
        "contract_address": "0xEscrow",
        "entry": 1,
        "time": "2026-02-28 08:01:01",
        "kind": "capture",
        "symbol": "T6",
        "decimals": 6,
        "token": "0x6",
        "block": 7,
        "transaction_hash": "0x" + bytes(range(32, 64)).hex(),
        "log_index": 3,
    }
    debit = {"line": 1, "account": "Assets:A", "debit": "9.990000", "debit_units": "9990000"}
    credit = {"line": 2, "account": "Income:B", "credit": "9.990000", "credit_units": "9990000"}
    nothing = dict.fromkeys(("debit", "debit_units", "credit", "credit_units"))
    assert books.select("SELECT * FROM journal ORDER BY line") == [
        common | nothing | debit,
        common | nothing | credit,
    ]


@pytest.mark.parametrize("decimals", DECIMALS)
def test_amounts_are_exact_whatever_their_token_s_decimals_E04(books: Books, decimals: int) -> None:
    token = f"0x{decimals}"
    lines = tuple(Posting(f"Assets:{units}", "D", token, units) for units in AMOUNTS)
    with transaction(books.engine) as connection:
        add_entries(connection, books.checkout.source_id, [new_entry(1, "quote", ORIGIN, lines, GENESIS_HASH)])
    expected = [decimal_text(units, decimals) for units in AMOUNTS]
    for view in ("journal", "trial_balance"):
        rows = {row["account"]: row for row in books.select(f"SELECT * FROM {view}")}
        assert [rows[f"Assets:{units}"]["debit"] for units in AMOUNTS] == expected
        assert [rows[f"Assets:{units}"]["debit_units"] for units in AMOUNTS] == [str(units) for units in AMOUNTS]


def test_a_token_that_the_books_do_not_know_has_units_alone(books: Books) -> None:
    lines = (Posting("Assets:A", "D", UNKNOWN, 5),)
    with transaction(books.engine) as connection:
        add_entries(connection, books.checkout.source_id, [new_entry(1, "quote", ORIGIN, lines, GENESIS_HASH)])
    for view in ("journal", "trial_balance"):
        (row,) = books.select(f"SELECT * FROM {view}")
        assert (row["debit"], row["debit_units"], row["symbol"], row["decimals"]) == (None, "5", None, None)


def test_the_trial_balance_says_how_accounts_stand_and_as_of_which_block(books: Books) -> None:
    lines = (Posting("Assets:A", "D", "0x6", UINT256_MAX), Posting("Income:B", "C", "0x6", UINT256_MAX))
    with transaction(books.engine) as connection:
        entries = [new_entry(number, "charge", ORIGIN, lines, GENESIS_HASH) for number in range(1, 11)]
        add_entries(connection, books.subscriptions.source_id, entries)
    wallet, income = books.select("SELECT * FROM trial_balance ORDER BY account")
    assert wallet == {
        "chain_id": 1,
        "contract": "Subscriptions",
        "contract_address": "0xSubscriptions",
        "account": "Assets:A",
        "debit": decimal_text(10 * UINT256_MAX, 6),
        "credit": "0.000000",
        "symbol": "T6",
        "decimals": 6,
        "token": "0x6",
        "debit_units": str(10 * UINT256_MAX),
        "credit_units": "0",
        "last_entry": 10,
        "block": 9,
        "time": shown(ORIGIN.block_time + 24),
    }
    assert (income["account"], income["debit"], income["credit"]) == ("Income:B", "0.000000", wallet["debit"])


def test_documents_are_those_of_all_contracts(books: Books) -> None:
    fiat = FiatValue("USD", 999, "par")
    charge = Invoice(Kind.INVOICE, 1, "0xM", "0xP", "0x6", 12, 1, 3, 0, 1, 9_990_000, (), fiat, None, ORIGIN)
    kept = PaymentInvoice(
        *(Kind.INVOICE, 1, "0xM", "0xP", "0x18", b"\xab" * 32, 0, Occasion.CAPTURE, None, 10**18 + 1, None, ORIGIN)
    )
    sale = SaleInvoice(
        *(Kind.CREDIT_NOTE, 4, "0xM", "0xP", "0x0", b"\xcd" * 32, SaleBy.REFUND, None, None, 7, 0, None, ORIGIN)
    )
    with transaction(books.engine) as connection:
        add_invoices(connection, books.subscriptions.source_id, [charge])
        add_payment_invoices(connection, books.escrow.source_id, [kept])
        add_sale_invoices(connection, books.checkout.source_id, [sale])
    rows = books.select("SELECT * FROM documents ORDER BY contract DESC")
    assert rows[0] == {
        "chain_id": 1,
        "contract": "Subscriptions",
        "contract_address": "0xSubscriptions",
        "kind": "invoice",
        "payee": "0xM",
        "number": 1,
        "time": shown(ORIGIN.block_time),
        "payer": "0xP",
        "total": "9.990000",
        "symbol": "T6",
        "decimals": 6,
        "token": "0x6",
        "total_units": "9990000",
        "fiat_currency": "USD",
        "fiat_units": "999",
        "fiat_evidence": "par",
        "subject": "charge 12/3",
        "block": 7,
        "transaction_hash": "0x" + ORIGIN.transaction_hash.hex(),
        "log_index": 3,
    }
    assert [(row["contract"], row["kind"], row["number"], row["total"], row["subject"]) for row in rows[1:]] == [
        ("Escrow", "invoice", 1, "1.000000000000000001", "payment 0x" + "ab" * 32),
        ("Checkout", "credit_note", 4, "7", "invoice 0x" + "cd" * 32),
    ]


def test_events_are_final_up_to_the_source_s_final_block(books: Books) -> None:
    with transaction(books.engine) as connection:
        add_events(
            connection,
            books.subscriptions.source_id,
            [StoredEvent(ORIGIN._replace(block_number=block), "Charged", b"\x01\xff", b"\x02") for block in (9, 10)],
        )
    final, pending = books.select("SELECT * FROM event_log ORDER BY block")
    assert final == {
        "chain_id": 1,
        "contract": "Subscriptions",
        "contract_address": "0xSubscriptions",
        "block": 9,
        "log_index": 3,
        "time": shown(ORIGIN.block_time),
        "name": "Charged",
        "status": "final",
        "block_hash": "0x" + ORIGIN.block_hash.hex(),
        "transaction_hash": "0x" + ORIGIN.transaction_hash.hex(),
        "topics": "0x01ff",
        "data": "0x02",
    }
    assert (pending["block"], pending["status"]) == (10, "pending")


@pytest.mark.parametrize("view", ["journal", "trial_balance", "documents", "event_log"])
def test_a_view_is_for_reading_alone(books: Books, view: str) -> None:
    refused = pytest.raises(DatabaseError, match=f'cannot (modify|delete from view) "?{view}')
    with refused, transaction(books.engine) as connection:
        connection.execute(text(f"DELETE FROM {view}"))


def test_a_part_of_the_journal_is_found_without_reading_all_of_it(tmp_path: Any) -> None:
    """SQLite by itself looks for all entries of the range again with each entry of it."""
    books = Books(f"sqlite:///{tmp_path}/books.db")
    for where in ("entry = 5", "entry < 1000", "entry BETWEEN 5 AND 9", "entry > 7 AND account = 'x'"):
        plan = [row["detail"] for row in books.select(f"EXPLAIN QUERY PLAN SELECT * FROM journal WHERE {where}")]
        assert any(step.startswith("SEARCH entries USING PRIMARY KEY (source_id=? AND entry_number") for step in plan)
        assert "SEARCH postings USING PRIMARY KEY (source_id=? AND entry_number=?)" in plan
