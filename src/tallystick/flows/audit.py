"""Proves the books: everything is derived again from the chain and compared with what is stored, row by row.

The contract's control totals are the judge of both: they are counted by the contract itself, so that a node which
leaves out events is found as well as a database in which a row was changed.

Not proven, because the chain knows nothing of them: what the merchant declared to be worth what (`pegs`, which the
report names), what the biller tried (`attempts`) and who leads (`leases`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from tallystick.chain.logs import Chunk
from tallystick.chain.rpc import Rpc
from tallystick.chain.totals import Totals, read_counted
from tallystick.core.books import Books
from tallystick.core.events import Recorded, RegisterOpened
from tallystick.core.invoice import Invoice, Kind
from tallystick.core.pegs import peg_history
from tallystick.errors import NodeRefused
from tallystick.flows.compare import (
    Merge,
    Report,
    checked_entries,
    compare_kept,
    compare_maps,
    compare_pending,
    compare_source,
    compare_strays,
    compare_tokens,
    entry_name,
    event_name,
    event_place,
    invoice_name,
    number_of,
    require_source,
)
from tallystick.flows.ingest import Progress, Target, log_reader
from tallystick.flows.recount import claimable_accounts
from tallystick.flows.tally import Tally
from tallystick.storage.claimables import read_claimables
from tallystick.storage.database import reading
from tallystick.storage.events import StoredEvent, read_events
from tallystick.storage.invoices import last_numbers, read_invoices, stray_lines
from tallystick.storage.pegs import read_pegs
from tallystick.storage.sources import Source
from tallystick.storage.subscriptions import read_plans, read_registers, read_subscriptions
from tallystick.storage.tokens import read_tokens


@dataclass
class AuditReport(Report):
    """The report on the books of `Subscriptions`."""

    charges_on_chain: int = 0
    charges_in_ledger: int = 0
    refunds_on_chain: int = 0
    refunds_in_ledger: int = 0


def audit(
    engine: Engine, rpc: Rpc, target: Target, *, on_progress: Callable[[Progress], None] = lambda _: None
) -> AuditReport:
    """Compares chain, journal, invoices and control totals up to the source's final block, and the events behind it
    that are pending. Writes nothing.

    Raises CorruptionError where the database knows nothing of the contract or has a row that cannot be read, NodeError
    for a node that cannot be used.
    """
    with reading(engine) as connection:
        source = require_source(connection, target)
        report = AuditReport(target.chain_id, target.contract, source.final_number, source.final_hash)
        node = log_reader(rpc, target)
        compare_source(report, node, source, target)
        tokens = read_tokens(connection, target.chain_id)
        report.pegs = read_pegs(connection, source.source_id)
        books = Books(peg_history(report.pegs, tokens), keep_all=True)
        auditor = _Auditor(report, connection, source, books)
        for chunk in node.read(source.start_block, source.final_number):
            auditor.compare(chunk)
            on_progress(Progress(chunk.end.number, source.final_number, report.events))
        auditor.finish()
        _compare_counted(report, rpc, source, books, auditor)
        compare_tokens(report, rpc, target.chain_id, tokens, auditor.token_blocks)
        compare_pending(report, node, connection, source)
    return report


class _Auditor:
    """Walks the chain with books of its own beside the stored ones."""

    def __init__(self, report: AuditReport, connection: Connection, source: Source, books: Books) -> None:
        self.report = report
        self.connection = connection
        self.source = source
        self.books = books
        self.tally = Tally()
        self.totals: dict[tuple[str, str], Totals] = {}
        """What is stored adds up to, by payee and token; at the end."""
        self.token_blocks: dict[str, int] = {}
        """The block of the first plan in each token."""
        source_id = source.source_id
        stored_events = read_events(connection, source_id, through=source.final_number)
        self.events = Merge(report, event_name, stored_events)
        self.entries = Merge(report, entry_name, checked_entries(report, connection, source_id, self.tally.add_entry))
        self.series: dict[tuple[Kind, str], Merge] = {}

    def compare(self, chunk: Chunk) -> None:
        """Compares everything that follows from a range of blocks with what is stored."""
        for log in chunk.logs:
            self.report.events += 1
            self.events.expect(StoredEvent(log.origin, log.name, log.topics, log.data), event_place)
            if isinstance(log.event, RegisterOpened):
                self.token_blocks.setdefault(log.event.token, log.origin.block_number)
            change = self.books.apply(Recorded(log.origin, log.event))
            if change.entry is not None:
                self.entries.expect(change.entry, number_of)
            if change.invoice is not None:
                self._series(change.invoice.kind, change.invoice.payee).expect(change.invoice, number_of)

    def _series(self, kind: Kind, payee: str) -> Merge:
        if (kind, payee) not in self.series:
            stored = self._counted(read_invoices(self.connection, self.source.source_id, kind=kind, payee=payee))
            self.series[kind, payee] = Merge(self.report, invoice_name, stored)
        return self.series[kind, payee]

    def _counted(self, stored: Iterable[Invoice]) -> Iterator[Invoice]:
        for invoice in stored:
            self.report.invoices += 1
            self.tally.add_invoice(invoice)
            yield invoice

    def finish(self) -> None:
        """What is left over, and what no event leads to: plans, subscriptions, rows that hang in the air."""
        source_id = self.source.source_id
        for kind, payee in last_numbers(self.connection, source_id):
            self._series(kind, payee)
        for merge in (self.events, self.entries, *self.series.values()):
            merge.finish()
        self.books.act.require_whole()
        registers = read_registers(self.connection, source_id)
        compare_maps(self.report, "register", self.books.registers, registers)
        compare_maps(self.report, "plan", self.books.plans, read_plans(self.connection, source_id))
        subscriptions = read_subscriptions(self.connection, source_id)
        compare_maps(self.report, "subscription", self.books.subscriptions, subscriptions)
        self.totals = self.tally.totals(self.books.registers, self.books.plans, subscriptions)
        compare_kept(self.report, self.books.claimables, read_claimables(self.connection, source_id))
        compare_strays(self.report, self.connection, source_id)
        for document in stray_lines(self.connection, source_id):
            self.report.note(f"lines of {document}", "lines without their document", None)


def _compare_counted(report: AuditReport, rpc: Rpc, source: Source, books: Books, auditor: _Auditor) -> None:
    """What the contract counted and keeps with what is stored."""
    pairs = sorted((register.payee, register.token) for register in books.registers.values())
    try:
        counted = read_counted(rpc, source.contract, pairs, claimable_accounts(books), source.final_number)
    except NodeRefused as error:
        raise NodeRefused(
            f"the control totals of block {source.final_number}, with which the books end, cannot be read: {error}. "
            "Bring the books up to date with `tallystick index --once`, or use a node that keeps old state"
        ) from error
    for name, found, expected in (
        ("plans", len(books.plans), counted.plans),
        ("registers", len(books.registers), counted.registers),
    ):
        if found != expected:
            report.note(f"number of {name}", found, expected)
    for payee, token in sorted(counted.totals.keys() | auditor.totals.keys()):
        on_chain = counted.totals.get((payee, token), Totals())
        in_ledger = auditor.totals.get((payee, token), Totals())
        report.charges_on_chain += on_chain.charge_count
        report.charges_in_ledger += in_ledger.charge_count
        report.refunds_on_chain += on_chain.refund_count
        report.refunds_in_ledger += in_ledger.refund_count
        for label, found, expected in zip(Totals._fields, in_ledger, on_chain, strict=True):
            if found != expected:
                report.note(f"control total of {payee} in {token}, {label.replace('_', ' ')}", found, expected)
    kept_by_journal = auditor.tally.claimables
    for account, token in sorted(counted.claimables.keys() | kept_by_journal.keys()):
        kept = counted.claimables.get((account, token), 0)
        if kept_by_journal.get((account, token), 0) != kept:
            report.note(f"claimable of {account} in {token}, journal", kept_by_journal[account, token], kept)
