"""Deposits, sales and quotes as of the final block, and the books of a checkout ready for the next event."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Table, and_, or_, select

from tallystick.core.checkout_books import CheckoutBooks, QuoteTotal, Sale, UsedNumbers
from tallystick.core.expected import Deposit
from tallystick.core.pegs import PegHistory
from tallystick.storage.claimables import read_claimables
from tallystick.storage.database import upsert_rows
from tallystick.storage.expected import read_expected
from tallystick.storage.journal import last_entry
from tallystick.storage.pegs import read_pegs
from tallystick.storage.sale_invoices import last_sale_numbers
from tallystick.storage.schema import deposits, quote_totals, sales, used_numbers
from tallystick.storage.sources import Source

KEY_BATCH = 200
_Row = Deposit | Sale | QuoteTotal | UsedNumbers
_TABLES: dict[type[_Row], Table] = {
    Deposit: deposits,
    Sale: sales,
    QuoteTotal: quote_totals,
    UsedNumbers: used_numbers,
}


def save_checkout(connection: Connection, source_id: int, changed: Iterable[_Row]) -> None:
    """Writes rows as they now are, new ones and known ones."""
    for kind, table in _TABLES.items():
        upsert_rows(connection, table, [(source_id, *row) for row in changed if type(row) is kind])


def read_deposits(
    connection: Connection, source_id: int, invoices: Sequence[tuple[str, bytes]] | None = None
) -> dict[tuple[str, bytes, str], Deposit]:
    """What came, by receiver, invoice and token: all, or what came for the invoices asked for."""
    rows = _read(connection, source_id, deposits, ("receiver", "invoice"), invoices)
    return {(row[0], row[1], row[2]): Deposit(*row) for row in rows}


def read_sales(
    connection: Connection, source_id: int, invoices: Sequence[tuple[str, bytes]] | None = None
) -> dict[tuple[str, bytes, str], Sale]:
    """What was sold, by merchant, invoice and token: all, or for the invoices asked for."""
    rows = _read(connection, source_id, sales, ("merchant", "invoice"), invoices)
    return {(row[0], row[1], row[2]): Sale(*row) for row in rows}


def read_quote_totals(connection: Connection, source_id: int) -> dict[tuple[str, str], QuoteTotal]:
    """All totals by merchant and token."""
    rows = _read(connection, source_id, quote_totals, (), None)
    return {(row[0], row[1]): QuoteTotal(*row) for row in rows}


def read_used(
    connection: Connection, source_id: int, words: Sequence[tuple[str, int]] | None = None
) -> dict[tuple[str, int], UsedNumbers]:
    """Numbers that were paid or withdrawn, by merchant and word: all, or the words asked for."""
    rows = _read(connection, source_id, used_numbers, ("merchant", "word"), words)
    return {(row[0], row[1]): UsedNumbers(*row) for row in rows}


def _read(
    connection: Connection,
    source_id: int,
    table: Table,
    columns: tuple[str, ...],
    keys: Sequence[tuple[object, ...]] | None,
) -> list[tuple[Any, ...]]:
    """A source's rows without its number: all, or those with these values in those columns."""
    query = select(table).where(table.c.source_id == source_id).order_by(*table.primary_key.columns)
    if keys is None:
        return [tuple(row)[1:] for row in connection.execute(query)]
    rows: list[tuple[Any, ...]] = []
    for start in range(0, len(keys), KEY_BATCH):
        wanted = [
            and_(*(table.c[name] == value for name, value in zip(columns, key, strict=True)))
            for key in keys[start : start + KEY_BATCH]
        ]
        rows += [tuple(row)[1:] for row in connection.execute(query.where(or_(*wanted)))]
    return rows


def load_checkout_books(connection: Connection, source: Source, pegs: PegHistory) -> CheckoutBooks:
    """The books without deposits, sales and numbers; `fill_checkout_books` brings in those that are needed."""
    source_id = source.source_id
    books = CheckoutBooks(
        source.chain_id,
        source.contract,
        pegs,
        expected=read_expected(connection, source_id),
        declared=read_pegs(connection, source_id),
    )
    books.totals = read_quote_totals(connection, source_id)
    books.claimables = read_claimables(connection, source_id)
    books.entry_number, books.entry_hash = last_entry(connection, source_id)
    books.invoice_numbers = last_sale_numbers(connection, source_id)
    return books


def fill_checkout_books(
    connection: Connection,
    source: Source,
    books: CheckoutBooks,
    invoices: Collection[tuple[str, bytes]],
    words: Collection[tuple[str, int]],
) -> None:
    """Brings in what was received and sold for invoices, and the numbers of words, where it is not in the books yet."""
    known = {key[:2] for key in (*books.deposits, *books.sales)}
    missing = sorted(set(invoices) - known)
    source_id = source.source_id
    for key, deposit in read_deposits(connection, source_id, missing).items():
        books.deposits.setdefault(key, deposit)
    for key, sale in read_sales(connection, source_id, missing).items():
        books.sales.setdefault(key, sale)
    books.used.update(read_used(connection, source_id, sorted(set(words) - books.used.keys())))
