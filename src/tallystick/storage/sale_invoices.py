"""Final invoices and credit notes of what is sold once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection

from tallystick.core.checkout_invoice import SaleBy, SaleInvoice
from tallystick.core.events import Origin
from tallystick.core.invoice import FiatValue, Kind
from tallystick.errors import CorruptionError
from tallystick.storage.database import insert_rows
from tallystick.storage.documents import last_numbers, pages, selected
from tallystick.storage.schema import sale_invoices


def add_sale_invoices(connection: Connection, source_id: int, new: Sequence[SaleInvoice]) -> None:
    """Writes numbered invoices and credit notes."""
    rows = [
        (
            source_id,
            invoice.kind.value,
            invoice.payee,
            invoice.number,
            invoice.payer,
            invoice.token,
            invoice.reference,
            invoice.by.value,
            invoice.quote_id,
            invoice.address,
            invoice.total_units,
            invoice.waived_units,
            *(invoice.fiat or (None, None, None)),
            *invoice.origin,
        )
        for invoice in new
    ]
    insert_rows(connection, sale_invoices, rows)


def last_sale_numbers(connection: Connection, source_id: int) -> dict[tuple[Kind, str], int]:
    """The last number given in each series: by kind and payee."""
    return last_numbers(connection, sale_invoices, source_id)


def read_sale_invoices(
    connection: Connection,
    source_id: int,
    *,
    kind: Kind | None = None,
    payee: str | None = None,
    payer: str | None = None,
    number: int | None = None,
    reference: bytes | None = None,
    since: int | None = None,
    until: int | None = None,
    newest_first: bool = False,
) -> Iterator[SaleInvoice]:
    """Invoices and credit notes ordered by kind, payee and number, or back from the newest on chain; of blocks with a
    time in [since, until)."""
    wanted = {
        "kind": None if kind is None else kind.value,
        "payee": payee,
        "payer": payer,
        "number": number,
        "reference": reference,
    }
    query = selected(sale_invoices, source_id, wanted, since=since, until=until)
    in_series = kind is not None and payee is not None
    for rows in pages(connection, sale_invoices, query, newest_first=newest_first, in_series=in_series):
        yield from map(_invoice, rows)


def _invoice(row: Any) -> SaleInvoice:
    fiat = (row.fiat_currency, row.fiat_units, row.fiat_evidence)
    if row.paid_by not in set(SaleBy):
        raise CorruptionError(
            f"{row.kind} {row.number} of {row.payee} is paid by {row.paid_by!r} in the database, allowed are "
            f"{', '.join(SaleBy)}: somebody changed it, build the books anew"
        )
    return SaleInvoice(
        Kind(row.kind),
        row.number,
        row.payee,
        row.payer,
        row.token,
        row.reference,
        SaleBy(row.paid_by),
        row.quote_id,
        row.address,
        row.total_units,
        row.waived_units,
        None if fiat == (None, None, None) else FiatValue(*fiat),
        Origin(row.block_number, row.block_hash, row.block_time, row.transaction_hash, row.log_index),
    )
