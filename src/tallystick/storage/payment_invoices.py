"""Final invoices and credit notes of escrow payments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection

from tallystick.core.events import Origin
from tallystick.core.invoice import FiatValue, Kind
from tallystick.core.payment_invoice import Occasion, PaymentInvoice
from tallystick.errors import CorruptionError
from tallystick.storage.database import insert_rows
from tallystick.storage.documents import last_numbers, pages, selected
from tallystick.storage.schema import payment_invoices


def add_payment_invoices(connection: Connection, source_id: int, new: Sequence[PaymentInvoice]) -> None:
    """Writes numbered invoices and credit notes."""
    rows = [
        (
            source_id,
            invoice.kind.value,
            invoice.payee,
            invoice.number,
            invoice.payer,
            invoice.token,
            invoice.payment_id,
            invoice.salt,
            invoice.occasion.value,
            invoice.milestone,
            invoice.total_units,
            *(invoice.fiat or (None, None, None)),
            *invoice.origin[:4],
            invoice.origin.log_index,
        )
        for invoice in new
    ]
    insert_rows(connection, payment_invoices, rows)


def last_payment_numbers(connection: Connection, source_id: int) -> dict[tuple[Kind, str], int]:
    """The last number given in each series: by kind and payee."""
    return last_numbers(connection, payment_invoices, source_id)


def read_payment_invoices(
    connection: Connection,
    source_id: int,
    *,
    kind: Kind | None = None,
    payee: str | None = None,
    payer: str | None = None,
    number: int | None = None,
    payment_id: bytes | None = None,
    since: int | None = None,
    until: int | None = None,
    newest_first: bool = False,
) -> Iterator[PaymentInvoice]:
    """Invoices and credit notes ordered by kind, payee and number, or back from the newest on chain; of blocks with a
    time in [since, until)."""
    wanted = {
        "kind": None if kind is None else kind.value,
        "payee": payee,
        "payer": payer,
        "number": number,
        "payment_id": payment_id,
    }
    query = selected(payment_invoices, source_id, wanted, since=since, until=until)
    in_series = kind is not None and payee is not None
    for rows in pages(connection, payment_invoices, query, newest_first=newest_first, in_series=in_series):
        yield from map(_invoice, rows)


def _invoice(row: Any) -> PaymentInvoice:
    fiat = (row.fiat_currency, row.fiat_units, row.fiat_evidence)
    if row.occasion not in set(Occasion):
        raise CorruptionError(
            f"{row.kind} {row.number} of {row.payee} is for a {row.occasion!r} in the database, allowed are "
            f"{', '.join(Occasion)}: somebody changed it, build the books anew"
        )
    return PaymentInvoice(
        Kind(row.kind),
        row.number,
        row.payee,
        row.payer,
        row.token,
        row.payment_id,
        row.salt,
        Occasion(row.occasion),
        row.milestone,
        row.total_units,
        None if fiat == (None, None, None) else FiatValue(*fiat),
        Origin(row.block_number, row.block_hash, row.block_time, row.transaction_hash, row.log_index),
    )
