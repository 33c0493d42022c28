"""Proves the books of escrow payments, as `flows.audit` those of subscriptions: everything is derived again from the
chain and compared with what is stored, row by row.

The judge of both is the contract: how many payments each payee has and of what amount, how each of them stands, what it
keeps for whom, and that it has at least as much of each token as all of that together. The books of subscriptions are
another: each charge that they have as protected is a payment here, and each payment that they brought is such a charge.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Connection, Engine

from tallystick.chain.payment_totals import CountedPayments, CountedTotal, read_counted_payments, read_holding
from tallystick.chain.rpc import Caller
from tallystick.core.invoice import Kind
from tallystick.core.ledger import Entry
from tallystick.core.payment_books import PaymentBooks
from tallystick.core.payment_events import Authorized, PaymentCharged, RecordedPayment
from tallystick.core.payment_ledger import KINDS
from tallystick.core.payment_state import Payment
from tallystick.core.pegs import peg_history
from tallystick.errors import NodeRefused
from tallystick.flows.compare import (
    Report,
    Walk,
    chain_logs,
    compare_kept,
    compare_maps,
    compare_pending,
    compare_source,
    compare_strays,
    compare_tokens,
    extent,
    require_source,
)
from tallystick.flows.garbage import collector_at_rest
from tallystick.flows.ingest import Progress, Target
from tallystick.flows.recount_payments import REVOKED, facts_of, paid_accounts
from tallystick.storage.claimables import read_claimables
from tallystick.storage.database import reading
from tallystick.storage.invoices import read_invoices
from tallystick.storage.payment_invoices import last_payment_numbers, read_payment_invoices
from tallystick.storage.payments import read_payment_totals, read_payments, read_revoked
from tallystick.storage.pegs import read_pegs
from tallystick.storage.sources import SUBSCRIPTIONS, Source, find_sources
from tallystick.storage.tokens import read_tokens

CALLS = 1_000
"""Payments that are asked for at once."""


class Holding(NamedTuple):
    """What the contract owes in a token (held, and kept for accounts), and what it has of it; None: the token does not
    say."""

    token: str
    owed_units: int
    balance_units: int | None

    @property
    def is_covered(self) -> bool:
        """Whether there is enough for everybody."""
        return self.balance_units is not None and self.balance_units >= self.owed_units


@dataclass
class PaymentsReport(Report):
    """The report on the books of `Escrow`.

    `holdings` are of each token in which there were payments. Where the contract has less than it owes, that is a
    difference if the merchant declared the token (`pegs`); anybody may make payments in tokens that lie.
    """

    payments_on_chain: int = 0
    payments_in_ledger: int = 0
    holdings: list[Holding] = field(default_factory=list)

    @property
    def figures(self) -> dict[str, int]:
        """With those of payments."""
        return {
            **super().figures,
            "payments_on_chain": self.payments_on_chain,
            "payments_in_ledger": self.payments_in_ledger,
        }


def audit_payments(
    engine: Engine, rpc: Caller, target: Target, *, on_progress: Callable[[Progress], None] = lambda _: None
) -> PaymentsReport:
    """Compares chain, journal, invoices and the contract's own counts up to the source's final block, and the events
    behind it that are pending. Writes nothing.

    Raises CorruptionError where the database knows nothing of the contract or has a row that cannot be read, NodeError
    for a node that cannot be used.
    """
    with reading(engine) as connection:
        source = require_source(connection, target)
        report = PaymentsReport(*extent(source))
        node = chain_logs(rpc, target)
        compare_source(report, node, source, target)
        tokens = read_tokens(connection, target.chain_id)
        report.pegs = read_pegs(connection, source.source_id)
        books = PaymentBooks(target.chain_id, target.contract, peg_history(report.pegs, tokens))
        tally = _Tally()
        walk = Walk(
            *(report, connection, source, target),
            apply=lambda log: books.apply(RecordedPayment(log.origin, log.event)),
            read_documents=read_payment_invoices,
            last_numbers=last_payment_numbers,
            count_entry=tally.add,
        )
        with collector_at_rest():
            for chunk in node.read(source.start_block, source.final_number):
                walk.compare(chunk)
                on_progress(Progress(chunk.end.number, source.final_number, report.events))
        walk.finish()
        stored = read_payments(connection, source.source_id)
        _compare_derived(report, connection, source.source_id, books, stored)
        _compare_counted(report, books, tally, stored, _read_counted(rpc, source, books))
        _compare_holdings(report, rpc, source, books)
        _compare_protected(report, connection, source, books)
        compare_tokens(report, rpc, target.chain_id, tokens, walk.token_blocks)
        compare_pending(report, node, connection, source)
    return report


class _Tally:
    """What the stored journal adds up to."""

    def __init__(self) -> None:
        self.totals: defaultdict[tuple[str, str], CountedTotal] = defaultdict(CountedTotal)
        self.held: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.claimables: defaultdict[tuple[str, str], int] = defaultdict(int)

    def add(self, entry: Entry) -> None:
        """A payment begins with an authorization or a charge; its amount is what is held, or what the payee is paid for
        (income, or what a collector's books have as such)."""
        for account, side, token, units in entry.postings:
            signed = units if side == "D" else -units
            name, _, rest = account.partition(":")
            name, owner = f"{name}:{rest.partition(':')[0]}", rest.partition(":")[2]
            if name == "Assets:Claimable":
                self.claimables[owner, token] += signed
            elif name == "Assets:Escrow":
                self.held[owner, token] += signed
            begins = (entry.kind == KINDS[Authorized] and name == "Assets:Escrow") or (
                entry.kind == KINDS[PaymentCharged] and name in {"Income:Payments", "Assets:Protected"}
            )
            if begins:
                payments, sum_units = self.totals[owner, token]
                self.totals[owner, token] = CountedTotal(payments + 1, sum_units + units)


# --- comparisons ----------------------------------------------------------------------------------------------------


def _compare_derived(
    report: PaymentsReport, connection: Connection, source_id: int, books: PaymentBooks, stored: dict[bytes, Payment]
) -> None:
    """What no event leads to."""
    books.require_whole()
    _compare_payments(report, books.payments, stored)
    for payment_id in sorted(books.revoked ^ read_revoked(connection, source_id)):
        is_revoked = payment_id in books.revoked
        report.note(f"revoked payment 0x{payment_id.hex()}", *((None, "revoked") if is_revoked else ("revoked", None)))
    totals = read_payment_totals(connection, source_id)
    compare_maps(
        report,
        "payments",
        {f"of {payee} in {token}": total for (payee, token), total in books.totals.items()},
        {f"of {payee} in {token}": total for (payee, token), total in totals.items()},
    )
    compare_kept(report, books.claimables, read_claimables(connection, source_id))
    compare_strays(report, connection, source_id)


def _compare_payments(report: PaymentsReport, expected: dict[bytes, Payment], stored: dict[bytes, Payment]) -> None:
    for payment_id in sorted(expected.keys() | stored.keys()):
        name, here, there = f"payment 0x{payment_id.hex()}", stored.get(payment_id), expected.get(payment_id)
        if here is None or there is None:
            report.note(name, here, there)
            continue
        for label, found, wanted in zip(Payment._fields, here, there, strict=True):
            if found != wanted:
                report.note(f"{name}, {label.replace('_', ' ')}", found, wanted)


def _read_counted(rpc: Caller, source: Source, books: PaymentBooks) -> CountedPayments:
    pairs = sorted(books.totals)
    owed = sorted(paid_accounts(payment.terms for payment in books.payments.values()) | books.claimables.keys())
    ids = sorted(books.payments.keys() | books.revoked)
    try:
        counted = read_counted_payments(rpc, source.contract, pairs, owed, ids[:CALLS], source.final_number)
        for start in range(CALLS, len(ids), CALLS):
            more = read_counted_payments(rpc, source.contract, (), (), ids[start : start + CALLS], source.final_number)
            counted.payments.update(more.payments)
    except NodeRefused as error:
        raise NodeRefused(
            f"the totals of block {source.final_number}, with which the books end, cannot be read: {error}. Bring the "
            "books up to date with `tallystick index --once`, or use a node that keeps old state"
        ) from error
    return counted


def _compare_counted(
    report: PaymentsReport, books: PaymentBooks, tally: _Tally, payments: dict[bytes, Payment], counted: CountedPayments
) -> None:
    """What the contract counted and keeps with what is stored."""
    for payee, token in sorted(counted.totals.keys() | tally.totals.keys()):
        on_chain = counted.totals.get((payee, token), CountedTotal())
        in_ledger = tally.totals.get((payee, token), CountedTotal())
        report.payments_on_chain += on_chain.payments
        report.payments_in_ledger += in_ledger.payments
        for label, found, expected in zip(CountedTotal._fields, in_ledger, on_chain, strict=True):
            if found != expected:
                report.note(f"control total of {payee} in {token}, {label.replace('_', ' ')}", found, expected)
    held: defaultdict[tuple[str, str], int] = defaultdict(int)
    for payment_id, facts in counted.payments.items():
        if payment := books.payments.get(payment_id):
            held[payment.terms.payee, payment.terms.token] += facts.held_units
        stored = payments.get(payment_id)
        here = REVOKED if payment_id in books.revoked else stored and facts_of(stored)
        if here != facts:
            report.note(f"payment 0x{payment_id.hex()}, on chain", here, facts)
    for payee, token in sorted(held.keys() | tally.held.keys()):
        if tally.held[payee, token] != held[payee, token]:
            report.note(f"held for {payee} in {token}, journal", tally.held[payee, token], held[payee, token])
    for account, token in sorted(counted.claimables.keys() | tally.claimables.keys()):
        kept = counted.claimables.get((account, token), 0)
        if tally.claimables[account, token] != kept:
            report.note(f"claimable of {account} in {token}, journal", tally.claimables[account, token], kept)


def _compare_holdings(report: PaymentsReport, rpc: Caller, source: Source, books: PaymentBooks) -> None:
    owed: defaultdict[str, int] = defaultdict(int)
    for payment in books.payments.values():
        owed[payment.terms.token] += payment.held_units
    for (_, token), units in books.claimables.items():
        owed[token] += units
    declared = {peg.token for peg in report.pegs}
    for token, units in sorted(owed.items()):
        holding = Holding(token, units, read_holding(rpc, source.contract, token, source.final_number))
        report.holdings.append(holding)
        if token in declared and not holding.is_covered:
            report.note(f"balance of the contract in {token}", holding.balance_units, f"at least {units}")


def _compare_protected(report: PaymentsReport, connection: Connection, source: Source, books: PaymentBooks) -> None:
    """The invoices of protected charges with the payments in which the escrow held them."""
    for sales in find_sources(connection, SUBSCRIPTIONS):
        if sales.chain_id != source.chain_id:
            continue
        known = set()
        for invoice in read_invoices(connection, sales.source_id, kind=Kind.INVOICE):
            payment_id, through = invoice.payment_id, source.final_number
            if payment_id is None or invoice.origin.block_number > through:
                continue
            known.add(payment_id)
            payment = books.payments.get(payment_id)
            wanted = (sales.contract, invoice.payer, invoice.payee, invoice.token, invoice.total_units)
            terms = payment and payment.terms
            found = terms and payment and (payment.collector, terms.payer, terms.payee, terms.token, terms.amount_units)
            if found != wanted:
                name = f"charge {invoice.subscription_id}/{invoice.charge_number}, payment 0x{payment_id.hex()}"
                report.note(name, wanted, found)
        if sales.final_number < source.final_number:
            continue  # its books may not have all of them yet
        for payment_id, payment in sorted(books.payments.items()):
            if payment.collector == sales.contract and payment_id not in known:
                report.note(f"payment 0x{payment_id.hex()}, invoice of the protected charge", None, payment.terms)
