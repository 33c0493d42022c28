"""Final invoices and credit notes with their lines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Select, and_, select

from tallystick.core.events import Origin
from tallystick.core.invoice import FiatValue, Invoice, Kind, Line, QuotedPrice, Usage
from tallystick.storage.database import insert_rows
from tallystick.storage.documents import last_numbers, pages, selected
from tallystick.storage.schema import invoice_lines, invoices


def add_invoices(connection: Connection, source_id: int, new: Sequence[Invoice]) -> None:
    """Writes numbered invoices and credit notes."""
    rows = []
    line_rows: list[tuple[Any, ...]] = []
    for invoice in new:
        key = (source_id, invoice.kind.value, invoice.payee, invoice.number)
        fiat = invoice.fiat or (None, None, None)
        origin = invoice.origin
        rows.append(
            (
                *key,
                invoice.payer,
                invoice.token,
                invoice.subscription_id,
                invoice.plan_id,
                invoice.charge_number,
                invoice.period_start,
                invoice.period_end,
                invoice.total_units,
                *fiat,
                invoice.corrects,
                origin.block_number,
                origin.block_hash,
                origin.block_time,
                origin.transaction_hash,
                origin.log_index,
                *(invoice.usage or (None, None)),
                *(invoice.quoted or (None, None, None)),
                invoice.paid_by,
                invoice.beneficiary,
                invoice.payment_id,
            )
        )
        for position, line in enumerate(invoice.lines, start=1):
            line_rows.append((*key, position, *line))
    insert_rows(connection, invoices, rows)
    insert_rows(connection, invoice_lines, line_rows)


def last_invoice_numbers(connection: Connection, source_id: int) -> dict[tuple[Kind, str], int]:
    """The last number given in each series: by kind and payee."""
    return last_numbers(connection, invoices, source_id)


def read_invoices(
    connection: Connection,
    source_id: int,
    *,
    kind: Kind | None = None,
    payee: str | None = None,
    payer: str | None = None,
    number: int | None = None,
    subscription_id: int | None = None,
    since: int | None = None,
    until: int | None = None,
    newest_first: bool = False,
) -> Iterator[Invoice]:
    """Invoices and credit notes ordered by kind, payee and number, or back from the newest on chain; of blocks with a
    time in [since, until)."""
    wanted = {
        "kind": None if kind is None else kind.value,
        "payee": payee,
        "payer": payer,
        "number": number,
        "subscription_id": subscription_id,
    }
    query = selected(invoices, source_id, wanted, since=since, until=until)
    in_series = kind is not None and payee is not None
    yield from _read(connection, source_id, query, newest_first=newest_first, in_series=in_series)


def read_charge_invoices(
    connection: Connection, source_id: int, charges: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], Invoice]:
    """The invoices of charges given by (subscription, charge number)."""
    found = {}
    for subscription_id, charge_number in charges:
        query = select(invoices).where(
            invoices.c.source_id == source_id,
            invoices.c.kind == Kind.INVOICE.value,
            invoices.c.subscription_id == subscription_id,
            invoices.c.charge_number == charge_number,
        )
        for invoice in _read(connection, source_id, query):
            found[subscription_id, charge_number] = invoice
    return found


def read_refunded_units(
    connection: Connection, source_id: int, charges: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], int]:
    """What the credit notes of charges, given by (subscription, charge number), add up to, in base units."""
    found: defaultdict[tuple[int, int], int] = defaultdict(int)
    for subscription_id, charge_number in charges:
        query = select(invoices.c.total_units).where(
            invoices.c.source_id == source_id,
            invoices.c.kind == Kind.CREDIT_NOTE.value,
            invoices.c.subscription_id == subscription_id,
            invoices.c.charge_number == charge_number,
        )
        found[subscription_id, charge_number] = sum(connection.execute(query).scalars())
    return dict(found)


def stray_lines(connection: Connection, source_id: int) -> list[str]:
    """Documents that have lines and are not there themselves."""
    key = ("source_id", "kind", "payee", "number")
    same = and_(*(invoices.c[name] == invoice_lines.c[name] for name in key))
    query = (
        select(invoice_lines.c.kind, invoice_lines.c.number, invoice_lines.c.payee)
        .distinct()
        .outerjoin(invoices, same)
        .where(invoice_lines.c.source_id == source_id, invoices.c.number.is_(None))
    )
    return [f"{kind} {number} of {payee}" for kind, number, payee in connection.execute(query)]


def _read(
    connection: Connection,
    source_id: int,
    query: Select[Any],
    *,
    newest_first: bool = False,
    in_series: bool = False,
) -> Iterator[Invoice]:
    for rows in pages(connection, invoices, query, newest_first=newest_first, in_series=in_series):
        lines = _lines(connection, source_id, rows)
        for row in rows:
            yield _invoice(row, tuple(lines[row.kind, row.payee, row.number]))


def _lines(connection: Connection, source_id: int, rows: Sequence[Any]) -> dict[tuple[str, str, int], list[Line]]:
    found: defaultdict[tuple[str, str, int], list[Line]] = defaultdict(list)
    series: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for row in rows:
        series[row.kind, row.payee].append(row.number)
    columns = invoice_lines.c
    for (kind, payee), numbers in series.items():
        query = (
            select(columns.number, columns.description, columns.quantity, columns.price_units, columns.amount_units)
            .where(
                columns.source_id == source_id,
                columns.kind == kind,
                columns.payee == payee,
                columns.number.between(min(numbers), max(numbers)),
            )
            .order_by(columns.number, columns.position)
        )
        for number, *line in connection.execute(query).all():
            found[kind, payee, number].append(Line(*line))
    return found


def _invoice(row: Any, lines: tuple[Line, ...]) -> Invoice:
    _, kind, payee, number, payer, token, subscription_id, plan_id, charge_number, *rest = row  # as in `add_invoices`
    period_start, period_end, total_units, currency, fiat_units, evidence, corrects, *rest = rest
    block_number, block_hash, block_time, transaction_hash, log_index, *rest = rest
    usage_quantity, usage_hash, price_units, amount_units, quoter, paid_by, beneficiary, payment_id = rest
    fiat = (currency, fiat_units, evidence)
    usage = (usage_quantity, usage_hash)
    quoted = (price_units, amount_units, quoter)
    return Invoice(
        Kind(kind),
        number,
        payee,
        payer,
        token,
        subscription_id,
        plan_id,
        charge_number,
        period_start,
        period_end,
        total_units,
        lines,
        None if fiat == (None, None, None) else FiatValue(*fiat),
        corrects,
        Origin(block_number, block_hash, block_time, transaction_hash, log_index),
        None if usage == (None, None) else Usage(*usage),
        None if quoted == (None, None, None) else QuotedPrice(*quoted),
        paid_by,
        beneficiary,
        payment_id,
    )
