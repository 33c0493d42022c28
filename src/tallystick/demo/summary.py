"""The numbers of the year, as `summary.json` has them: what happened, what the books say, what the audits say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tallystick.core.invoice import Kind
from tallystick.core.ledger import Balance, balances_of
from tallystick.core.money import Amount, Asset
from tallystick.demo.conversion import CURRENCY
from tallystick.demo.story import EURO_CENTS, Counts
from tallystick.flows.audit_all import Audits
from tallystick.flows.audit_channels import ChannelsReport
from tallystick.flows.audit_checkout import CheckoutReport
from tallystick.flows.audit_conversions import ConversionsReport
from tallystick.flows.audit_payments import PaymentsReport
from tallystick.flows.compare import Report
from tallystick.flows.gains import read_gains
from tallystick.flows.mirror import StoredBooks
from tallystick.storage.database import reading
from tallystick.storage.invoices import read_invoices
from tallystick.storage.journal import read_balances
from tallystick.storage.sources import Source
from tallystick.storage.tokens import read_tokens


def summarize(counts: Counts, audits: Audits, books: StoredBooks, pdfs: int) -> dict[str, Any]:
    """Everything; each contract's part under its name."""
    report = audits.subscriptions
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
        "priced_in_euros": _priced_in_euros(counts, books),
        "trial_balance": _trial_balance(books, books.source),
        "audit": _audited(
            report,
            charges_on_chain=report.charges_on_chain,
            charges_in_ledger=report.charges_in_ledger,
            refunds_on_chain=report.refunds_on_chain,
            refunds_in_ledger=report.refunds_in_ledger,
        ),
        "escrow": _escrow(counts, audits.escrow, books),
        "checkout": _checkout(counts, audits.checkout, books),
        "channels": _channel(counts, audits.channels, books),
        "conversion": None if audits.conversion is None else _conversion(counts, audits.conversion, books),
    }


def _priced_in_euros(counts: Counts, books: StoredBooks) -> dict[str, Any]:
    """The plan whose price is in euros: what its first and its last charge were in dollars."""
    with reading(books.engine) as connection:
        tokens = read_tokens(connection, books.source.chain_id)
        charges = [
            Amount(invoice.total_units, tokens[invoice.token])
            for invoice in read_invoices(connection, books.source.source_id, kind=Kind.INVOICE)
            if invoice.subscription_id == counts.in_euros
        ]
    price = f"{EURO_CENTS // 100}.{EURO_CENTS % 100:02d} EUR"
    return {"price": price, "charges": len(charges), "first": str(charges[0]), "last": str(charges[-1])}


def _escrow(counts: Counts, report: PaymentsReport, books: StoredBooks) -> dict[str, Any]:
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
        "audit": _audited(
            report, payments_on_chain=report.payments_on_chain, payments_in_ledger=report.payments_in_ledger
        ),
    }


def _checkout(counts: Counts, report: CheckoutReport, books: StoredBooks) -> dict[str, Any]:
    """The invoice that was paid at its deposit address, the quote, and their books."""
    sold = counts.sold_once
    assert sold is not None
    return {
        "deposit": {
            "invoice": sold.invoice,
            "due": str(sold.due),
            "first": str(sold.first),
            "then": sold.first_status,
            "given_back": str(sold.given_back),
        },
        "quote": {"amount": str(sold.quoted), "partner": str(sold.partners)},
        "invoices": report.invoices,
        "trial_balance": _trial_balance(books, books.sales),
        "audit": _audited(
            report,
            quotes_on_chain=report.quotes_on_chain,
            quotes_in_ledger=report.quotes_in_ledger,
            standing_compared=report.standing,
        ),
    }


def _channel(counts: Counts, report: ChannelsReport, books: StoredBooks) -> dict[str, Any]:
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
        "audit": _audited(report, channels=report.channels, claims_in_ledger=report.claims),
    }


def _conversion(counts: Counts, report: ConversionsReport, books: StoredBooks) -> dict[str, Any]:
    """The exchange, with its gain in the trial balance."""
    done = counts.exchanged
    assert done is not None
    gains = read_gains(books, CURRENCY)
    return {
        "given": str(done.given),
        "received": str(done.received),
        "least": str(done.least),
        "cost": str(done.cost),
        "gain": str(done.gain),
        "trial_balance": _trial_balance(
            books, books.conversions, balances_of(gains.postings_through()), {CURRENCY: gains.currency}
        ),
        "audit": _audited(
            report, conversions=report.conversions, rates=report.rates, rates_unchecked=report.rates_unchecked
        ),
    }


def _audited(report: Report, **counted: int) -> dict[str, Any]:
    differences = [difference._asdict() for difference in report.differences]
    return {"ok": report.ok, "block": report.block_number, **counted, "differences": differences}


def _trial_balance(
    books: StoredBooks, source: Source, more: Sequence[Balance] = (), assets: dict[str, Asset] | None = None
) -> list[dict[str, str]]:
    with reading(books.engine) as connection:
        known: dict[str, Asset] = {**read_tokens(connection, source.chain_id), **(assets or {})}
        balances = [*read_balances(connection, source.source_id), *more]
    return [
        {
            "account": balance.account,
            "debit": str(Amount(balance.debit_units, known[balance.token])),
            "credit": str(Amount(balance.credit_units, known[balance.token])),
        }
        for balance in balances
    ]
