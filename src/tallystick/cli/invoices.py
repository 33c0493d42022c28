"""`tallystick invoices`: lists, shows and typesets invoices and credit notes."""

from __future__ import annotations

import datetime as dt
import functools
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

from tallystick.cli import configured, examples
from tallystick.cli.output import Record, Table, Time, to_text
from tallystick.config import Config

if TYPE_CHECKING:
    from tallystick.flows.present import Presenter, Selection
    from tallystick.flows.typeset import Typeset
    from tallystick.render.document import InvoiceDocument

P = ParamSpec("P")
R = TypeVar("R")

STATUSES = ["pending", "paid", "partly-refunded", "refunded"]
KINDS = ["invoice", "credit-note"]
SHORT_ID = 10
EMPTY = "no such invoices: mirror the chain with `tallystick index --once`, or ask for others"


class UtcTime(click.ParamType):
    """A day or a time, UTC where it names no zone, as Unix seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """From `2026-11-21` or `2026-11-21T20:22:05Z`."""
        if isinstance(value, int):
            return value
        try:
            at = dt.datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time: write it as 2026-11-21 or 2026-11-21T20:22:05Z.", param, ctx)
        return int((at if at.tzinfo else at.replace(tzinfo=dt.UTC)).timestamp())


def _selecting(function: Callable[P, R]) -> Callable[P, R]:
    """For a command: adds the filters, which it gets as `filters`."""

    @functools.wraps(function)
    def with_filters(*args: P.args, **kwargs: P.kwargs) -> R:
        names = ("status", "kind", "payer", "payee", "since", "until")
        kwargs["filters"] = {name: kwargs.pop(name) for name in names}
        return function(*args, **kwargs)

    for option in (
        click.option("--until", type=UtcTime(), metavar="TIME", help="Paid before this time."),
        click.option("--since", type=UtcTime(), metavar="TIME", help="Paid at this time or later: 2026-11-21."),
        click.option("--payee", metavar="ADDRESS", help="Of this merchant account."),
        click.option("--payer", metavar="ADDRESS", help="Of this payer."),
        click.option("--kind", type=click.Choice(KINDS), help="Only these."),
        click.option("--status", type=click.Choice(STATUSES), multiple=True, help="In this state; may be repeated."),
    ):
        with_filters = option(with_filters)
    return with_filters


_as_json = click.option("--json", "as_json", is_flag=True, help="JSON instead of text; see docs/invoices.md.")
_of_payee = click.option("--payee", metavar="ADDRESS", help="Whose number it is, where there are several payees.")


@click.group()
def invoices() -> None:
    """Invoices and credit notes: as a table, as JSON, as PDF.

    Every charge is an invoice, every refund a credit note; of escrow payments each capture is an invoice, of what is
    sold once each quote and each deposit address that was paid. They get their number when their block is final; until
    then they are pending, and go by SUBSCRIPTION/CHARGE, such as 118/7, by the id of the escrow payment, or by what the
    merchant called them on chain.
    """


@invoices.command(
    "list",
    epilog=examples(
        "tallystick invoices list --status paid --since 2026-01-01 --until 2026-02-01",
        "tallystick invoices list --payer 0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC --json",
    ),
)
@_selecting
@click.option(
    "--limit", type=click.IntRange(1), default=50, show_default=True, metavar="NUMBER", help="At most so many."
)
@_as_json
@configured
def list_invoices(config: Config, filters: dict[str, Any], limit: int, as_json: bool) -> None:
    """The newest invoices and credit notes, oldest of them first."""
    found = _presenter(config).newest(limit, _selection(filters))[::-1]
    if as_json:
        from tallystick.render.invoice_json import invoice_json

        click.echo(json.dumps([invoice_json(document) for document in found], indent=2))
    else:
        click.echo(to_text(Table([_row(document) for document in found], EMPTY), pretty=sys.stdout.isatty()))


@invoices.command(epilog=examples("tallystick invoices show INV-000042", "tallystick invoices show 118/7 --json"))
@click.argument("number")
@_of_payee
@_as_json
@configured
def show(config: Config, number: str, payee: str | None, as_json: bool) -> None:
    """One invoice or credit note, with where its payment stands on chain."""
    document = _presenter(config).find(number, payee=_address(payee))
    if as_json:
        from tallystick.render.invoice_json import invoice_json_text

        click.echo(invoice_json_text(document), nl=False)
    else:
        click.echo(to_text(_record(document)))


@invoices.command(
    epilog=examples(
        "tallystick invoices pdf INV-000042",
        "tallystick invoices pdf INV-000042 --out letters/harbour-finch.pdf",
        "tallystick invoices pdf --all --out invoices/ --since 2026-01-01",
    )
)
@click.argument("number", required=False)
@click.option("--all", "everything", is_flag=True, help="All numbered ones, or those that the filters leave.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="A folder, or a file that ends in .pdf.  [default: here]",
)
@click.option("--fonts", type=click.Path(path_type=Path), metavar="FOLDER", help="More fonts, for rare scripts.")
@_selecting
@configured
def pdf(
    config: Config, number: str | None, everything: bool, out: Path | None, fonts: Path | None, filters: dict[str, Any]
) -> None:
    """Typeset one invoice or credit note, or all of them.

    A file is written whole or not at all, and the same invoice always gives the same bytes: run it again after an
    interruption, or whenever something may have changed.
    """
    from tallystick.render.pdf import pdf_renderer

    if everything == (number is not None):
        raise click.UsageError("Give a NUMBER, or --all.")
    renderer = pdf_renderer(fonts)
    presenter = _presenter(config)
    if everything:
        from tallystick.flows.present import NUMBERED
        from tallystick.flows.typeset import typeset_all

        total = None if any(filters.values()) else presenter.numbered_count()
        documents = presenter.documents(_selection(filters, otherwise=NUMBERED))
        folder = out or Path()
        several = len(presenter.payees()) > 1
        count = typeset_all(_watched(documents, total), folder, renderer, by_payee=several, on_written=_tell)
        click.echo(f"{count} PDFs in {folder.resolve()}")
        return
    if any(value for name, value in filters.items() if name != "payee"):
        raise click.UsageError("Filters go with --all.")
    assert number is not None
    from tallystick.flows.typeset import document_name, typeset

    document = presenter.find(number, payee=_address(filters["payee"]))
    path = out or Path()
    if path.suffix.lower() != ".pdf":
        path /= f"{document_name(document)}.pdf"
    written_file = typeset(document, path, renderer)
    _tell(written_file)
    click.echo(written_file.path)


def _watched(documents: Iterable[InvoiceDocument], total: int | None) -> Iterator[InvoiceDocument]:
    """The documents, with a bar on a terminal and a line now and then elsewhere."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track

        yield from track(documents, "PDFs", total, console=Console(stderr=True), transient=True)
        return
    from tallystick.cli.progress import LINE_EVERY_S, say

    last_line = time.monotonic()
    for position, document in enumerate(documents):
        if time.monotonic() - last_line >= LINE_EVERY_S:
            last_line = time.monotonic()
            say(f"{position:,} PDFs" + (f" of {total:,}" if total else ""))
        yield document


def _tell(written: Typeset) -> None:
    if written.note:
        click.echo(f"{written.path}: {written.note}", err=True)


def _presenter(config: Config) -> Presenter:
    from tallystick.flows.mirror import open_books
    from tallystick.flows.present import Presenter

    return Presenter(open_books(config), config)


def _selection(filters: dict[str, Any], otherwise: frozenset[Any] | None = None) -> Selection:
    """The filters as a selection; without a status those in `otherwise`, or all."""
    from tallystick.core.invoice import Kind
    from tallystick.flows.present import Selection
    from tallystick.render.document import Status

    statuses = frozenset(Status(status.replace("-", "_")) for status in filters["status"])
    return Selection(
        statuses or otherwise or frozenset(Status),
        Kind(filters["kind"].replace("-", "_")) if filters["kind"] else None,
        _address(filters["payer"]),
        _address(filters["payee"]),
        filters["since"],
        filters["until"],
    )


def _address(text: str | None) -> str | None:
    from tallystick.core.address import parse_address

    return None if text is None else parse_address(text)


def _row(document: InvoiceDocument) -> dict[str, object]:
    return {
        "number": document.number,
        "kind": document.kind.value.replace("_", " "),
        "status": document.status.value.replace("_", " "),
        "paid_at": Time(document.payment.block_time),
        "payer": document.customer.account,
        "charge": _charge(document),
        "total": document.total,
        "value": document.fiat and document.fiat.amount,
    }


def _charge(document: InvoiceDocument) -> str:
    """Of an escrow payment the beginning of its id, of a sale what it is called on chain."""
    if document.escrow is not None:
        return document.escrow.payment_id[:SHORT_ID]
    if document.sale is not None:
        return document.sale.reference
    return f"{document.subscription_id}/{document.charge_number}"


def _record(document: InvoiceDocument) -> Record:
    payment, fiat = document.payment, document.fiat
    values: dict[str, object] = _row(document) | {
        "payment": document.escrow and document.escrow.payment_id,
        "reference": document.escrow.reference if document.escrow else document.sale and document.sale.reference,
        "paid_by": document.sale and document.sale.paid_by,
        "quote": document.sale and document.sale.quote_id,
        "evidence": fiat and fiat.evidence,
        "corrects": document.refers_to,
        "refunded": document.refunded,
        "credit_notes": list(document.credit_notes),
        "merchant": document.merchant.name,
        "payee": document.merchant.account,
    }
    for position, line in enumerate(document.lines, start=1):
        values[f"line_{position}"] = f"{line.description}: {line.quantity} x {line.unit_price} = {line.amount}"
        if line.period_start is not None and line.period_end is not None:
            values[f"period_{position}"] = [Time(line.period_start), Time(line.period_end)]
    values |= {
        "chain_id": payment.chain_id,
        "contract": payment.contract,
        "token": payment.token,
        "transaction": payment.transaction_hash,
        "log_index": payment.log_index,
        "block": payment.block_number,
        "block_hash": payment.block_hash,
    }
    kept = {name: value for name, value in values.items() if value not in (None, [])}
    if document.number is None:
        return Record({"number": "pending"} | kept, note="Its block is not final; it gets its number when it is.")
    return Record(kept, note=f"As a PDF: tallystick invoices pdf {document.number}")
