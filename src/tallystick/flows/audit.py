"""Proves the books: everything is derived again from the chain and compared with what is stored, row by row.

The contract's control totals are the judge of both: they are counted by the contract itself, so that a node which
leaves out events is found as well as a database in which a row was changed.

Not proven, because the chain knows nothing of them: what the merchant declared to be worth what (`pegs`, which the
report names), what the biller tried (`attempts`) and who leads (`leases`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from tallystick.chain.rpc import Caller
from tallystick.chain.totals import Totals, read_counted
from tallystick.core.books import Books
from tallystick.core.events import Recorded
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
from tallystick.flows.recount import claimable_accounts
from tallystick.flows.tally import Tally
from tallystick.storage.claimables import read_claimables
from tallystick.storage.database import reading
from tallystick.storage.invoices import last_invoice_numbers, read_invoices, stray_lines
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

    @property
    def figures(self) -> dict[str, int]:
        """With those of charges and refunds."""
        return {
            **super().figures,
            "charges_on_chain": self.charges_on_chain,
            "charges_in_ledger": self.charges_in_ledger,
            "refunds_on_chain": self.refunds_on_chain,
            "refunds_in_ledger": self.refunds_in_ledger,
        }


def audit(
    engine: Engine, rpc: Caller, target: Target, *, on_progress: Callable[[Progress], None] = lambda _: None
) -> AuditReport:
    """Compares chain, journal, invoices and control totals up to the source's final block, and the events behind it
    that are pending. Writes nothing.

    Raises CorruptionError where the database knows nothing of the contract or has a row that cannot be read, NodeError
    for a node that cannot be used.
    """
    with reading(engine) as connection:
        source = require_source(connection, target)
        report = AuditReport(*extent(source))
        node = chain_logs(rpc, target)
        compare_source(report, node, source, target)
        tokens = read_tokens(connection, target.chain_id)
        report.pegs = read_pegs(connection, source.source_id)
        books = Books(peg_history(report.pegs, tokens), keep_all=True)
        tally = Tally()
        walk = Walk(
            *(report, connection, source, target),
            apply=lambda log: books.apply(Recorded(log.origin, log.event)),
            read_documents=read_invoices,
            last_numbers=last_invoice_numbers,
            count_entry=tally.add_entry,
            count_document=tally.add_invoice,
        )
        with collector_at_rest():
            for chunk in node.read(source.start_block, source.final_number):
                walk.compare(chunk)
                on_progress(Progress(chunk.end.number, source.final_number, report.events))
        walk.finish()
        totals = _compare_derived(report, connection, source.source_id, books, tally)
        _compare_counted(report, rpc, source, books, totals, tally.claimables)
        compare_tokens(report, rpc, target.chain_id, tokens, walk.token_blocks)
        compare_pending(report, node, connection, source)
    return report


def _compare_derived(
    report: AuditReport, connection: Connection, source_id: int, books: Books, tally: Tally
) -> dict[tuple[str, str], Totals]:
    """What no event leads to: plans, subscriptions, rows that hang in the air. Gives what the stored rows add up to, by
    payee and token."""
    books.act.require_whole()
    compare_maps(report, "register", books.registers, read_registers(connection, source_id))
    compare_maps(report, "plan", books.plans, read_plans(connection, source_id))
    subscriptions = read_subscriptions(connection, source_id)
    compare_maps(report, "subscription", books.subscriptions, subscriptions)
    compare_kept(report, books.claimables, read_claimables(connection, source_id))
    compare_strays(report, connection, source_id)
    for document in stray_lines(connection, source_id):
        report.note(f"lines of {document}", "lines without their document", None)
    return tally.totals(books.registers, books.plans, subscriptions)


def _compare_counted(
    report: AuditReport,
    rpc: Caller,
    source: Source,
    books: Books,
    totals: Mapping[tuple[str, str], Totals],
    kept_by_journal: Mapping[tuple[str, str], int],
) -> None:
    """What the contract counted and keeps with what is stored, by payee or account and token."""
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
    for payee, token in sorted(counted.totals.keys() | totals.keys()):
        on_chain = counted.totals.get((payee, token), Totals())
        in_ledger = totals.get((payee, token), Totals())
        report.charges_on_chain += on_chain.charge_count
        report.charges_in_ledger += in_ledger.charge_count
        report.refunds_on_chain += on_chain.refund_count
        report.refunds_in_ledger += in_ledger.refund_count
        for label, found, expected in zip(Totals._fields, in_ledger, on_chain, strict=True):
            if found != expected:
                report.note(f"control total of {payee} in {token}, {label.replace('_', ' ')}", found, expected)
    for account, token in sorted(counted.claimables.keys() | kept_by_journal.keys()):
        kept = counted.claimables.get((account, token), 0)
        if kept_by_journal.get((account, token), 0) != kept:
            report.note(f"claimable of {account} in {token}, journal", kept_by_journal[account, token], kept)
