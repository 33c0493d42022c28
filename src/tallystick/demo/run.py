"""Runs the demo and writes what it leaves behind."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

from tallystick.core.money import Amount
from tallystick.demo.stage import MERCHANT, Stage
from tallystick.demo.story import Counts, Tell, Year
from tallystick.errors import InputError
from tallystick.flows.audit import AuditReport, audit
from tallystick.flows.audit_channels import ChannelsReport, audit_channels
from tallystick.flows.audit_payments import PaymentsReport, audit_payments
from tallystick.flows.export import export_journal_file
from tallystick.flows.mirror import StoredBooks, open_books
from tallystick.flows.present import Presenter
from tallystick.flows.typeset import typeset_all
from tallystick.render.pdf import PdfRenderer
from tallystick.storage.database import reading
from tallystick.storage.journal import read_balances
from tallystick.storage.sources import Source
from tallystick.storage.tokens import read_tokens
from tallystick.testing import start_anvil

MARK = ".tallystick-demo"
"""A folder with this file is ours to write anew."""
FIRST_DAY = 1_738_310_400  # 2025-01-31 08:00 UTC: the last of a month, so that each month tells the anchor rule
CONFIG = """\
# The books of the demo. Its chain is gone, so what reads the books works, and what asks the chain does not.
database = "sqlite:///tallystick.db"

[merchant]
name = {name}
address = {address}
tax_id = {tax_id}
email = {email}

[[peg]]
token = {token}
currency = "USD"
"""


def run_demo(folder: Path, tell: Tell) -> dict[str, Any]:
    """Plays the year, writes books, invoices, exports and `summary.json` into `folder`, and gives the summary.

    What an earlier demo left there is replaced; a folder with anything else in it is refused by InputError. Raises
    AnvilError where there is no Anvil. Leaves no process behind, whatever happens.
    """
    started = time.monotonic()
    prepare_folder(folder)
    with start_anvil("--timestamp", str(FIRST_DAY)) as anvil:
        tell(f"a chain of its own: Anvil on {anvil.url}, the clock at 2025-01-31")
        stage = Stage(anvil, folder)
        tell(f"the contracts, deployed: Subscriptions at {stage.contract_address}")
        counts = Year(stage, tell).play()
        books = open_books(stage.config)
        pdfs = typeset_all(Presenter(books, stage.config).documents(), folder / "invoices", PdfRenderer())
        tell(f"{pdfs} invoices and credit notes as PDF")
        for form in ("beancount", "csv", "jsonl"):
            export_journal_file(books.engine, books.source, form, folder / f"ledger.{form}")
            export_journal_file(books.engine, books.payments, form, folder / f"escrow.{form}")
            export_journal_file(books.engine, books.claims, form, folder / f"channels.{form}")
        report, payments, claims = _audit(stage)
        found = sum(each.difference_count for each in (report, payments, claims))
        tell("the audit " + (f"finds {found} differences" if found else "passes"))
        stage.mirror.engine.dispose()
    write_config(folder, stage)
    summary = summarize(counts, report, books, pdfs) | {"escrow": summarize_escrow(counts, payments, books)}
    summary |= {"channels": summarize_channels(counts, claims, books)}
    summary |= {"seconds": round(time.monotonic() - started, 1)}
    books.engine.dispose()
    (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return summary


def _audit(stage: Stage) -> tuple[AuditReport, PaymentsReport, ChannelsReport]:
    mirror = stage.mirror
    report = audit(mirror.engine, mirror.rpc, mirror.target)
    payments = audit_payments(mirror.engine, mirror.rpc, mirror.escrow)
    return report, payments, audit_channels(mirror.engine, mirror.rpc, mirror.channels)


def prepare_folder(folder: Path) -> None:
    """An empty folder with the demo's mark in it."""
    if folder.is_dir() and any(folder.iterdir()):
        if not (folder / MARK).exists():
            raise InputError(f"{folder} has files of somebody else's in it: name a new or empty folder with --out")
        shutil.rmtree(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MARK).touch()
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error.strerror}): name another folder with --out") from error


def write_config(folder: Path, stage: Stage) -> None:
    """A configuration with which the commands read the demo's books."""
    values = {
        "name": MERCHANT.name,
        "address": list(MERCHANT.address),
        "tax_id": MERCHANT.tax_id,
        "email": MERCHANT.email,
        "token": stage.token,
    }
    text = CONFIG.format(**{key: json.dumps(value) for key, value in values.items()})
    (folder / "tallystick.toml").write_text(text, encoding="utf-8")


def summarize(counts: Counts, report: AuditReport, books: StoredBooks, pdfs: int) -> dict[str, Any]:
    """The numbers of the year."""
    return {
        "subscriptions": sum(counts.ways.values()),
        "ways": counts.ways,
        "charges": counts.charges,
        "declines": counts.declines,
        "recovered": counts.recovered,
        "trials": counts.trials,
        "changes": counts.changes,
        "claims": counts.claims,
        "cancellations": counts.cancellations,
        "refunds": counts.refunds,
        "reorgs": counts.reorgs,
        "rolled_back_events": counts.rolled_back_events,
        "invoices": report.invoices - report.refunds_in_ledger,
        "credit_notes": report.refunds_in_ledger,
        "pdfs": pdfs,
        "trial_balance": _trial_balance(books, books.source),
        "audit": {
            "ok": report.ok,
            "block": report.block_number,
            "charges_on_chain": report.charges_on_chain,
            "charges_in_ledger": report.charges_in_ledger,
            "refunds_on_chain": report.refunds_on_chain,
            "refunds_in_ledger": report.refunds_in_ledger,
            "differences": [difference._asdict() for difference in report.differences],
        },
    }


def summarize_escrow(counts: Counts, report: PaymentsReport, books: StoredBooks) -> dict[str, Any]:
    """The order that was paid into escrow, and its books."""
    order = counts.order
    assert order is not None
    return {
        "payment": f"0x{order.payment_id.hex()}",
        "captured": str(order.captured),
        "ruling": {
            "payee": str(order.to_payee),
            "payer": str(order.to_payer),
            "arbiter": str(order.arbiter_fee),
        },
        "invoices": report.invoices,
        "trial_balance": _trial_balance(books, books.payments),
        "audit": {
            "ok": report.ok,
            "block": report.block_number,
            "payments_on_chain": report.payments_on_chain,
            "payments_in_ledger": report.payments_in_ledger,
            "differences": [difference._asdict() for difference in report.differences],
        },
    }


def summarize_channels(counts: Counts, report: ChannelsReport, books: StoredBooks) -> dict[str, Any]:
    """The channel over which a program paid by the request, and its books."""
    metering = counts.metering
    assert metering is not None
    return {
        "channel": f"0x{metering.channel_id.hex()}",
        "vouchers": metering.vouchers,
        "claims": metering.claims,
        "claimed": str(metering.claimed),
        "refunded": str(metering.refunded),
        "trial_balance": _trial_balance(books, books.claims),
        "audit": {
            "ok": report.ok,
            "block": report.block_number,
            "channels": report.channels,
            "claims_in_ledger": report.claims,
            "differences": [difference._asdict() for difference in report.differences],
        },
    }


def _trial_balance(books: StoredBooks, source: Source) -> list[dict[str, str]]:
    with reading(books.engine) as connection:
        tokens = read_tokens(connection, source.chain_id)
        balances = read_balances(connection, source.source_id)
    return [
        {
            "account": balance.account,
            "debit": str(Amount(balance.debit_units, tokens[balance.token])),
            "credit": str(Amount(balance.credit_units, tokens[balance.token])),
        }
        for balance in balances
    ]
