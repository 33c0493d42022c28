"""Proves the books: everything is derived again from the chain and compared with what is stored, row by row.

The contract's control totals are the judge of both: they are counted by the contract itself, so that a node which
leaves out events is found as well as a database in which a row was changed.

Not proven, because the chain knows nothing of them: what the merchant declared to be worth what (`pegs`, which the
report names), what the biller tried (`attempts`) and who leads (`leases`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine

from tallystick.chain.logs import Chunk, LogReader
from tallystick.chain.metadata import read_token
from tallystick.chain.rpc import Rpc
from tallystick.chain.totals import Totals, read_counted
from tallystick.core.books import Books
from tallystick.core.events import Recorded, RegisterOpened
from tallystick.core.invoice import Invoice, Kind
from tallystick.core.ledger import GENESIS_HASH, Entry, entry_hash, imbalance
from tallystick.core.pegs import DeclaredPeg, peg_history
from tallystick.errors import CorruptionError, NodeRefused
from tallystick.flows.ingest import Progress, Target, still_there
from tallystick.flows.recount import claimable_accounts
from tallystick.flows.tally import Tally
from tallystick.storage.claimables import read_claimables
from tallystick.storage.database import reading
from tallystick.storage.events import StoredEvent, read_events
from tallystick.storage.invoices import last_numbers, read_invoices, stray_lines
from tallystick.storage.journal import read_entries, stray_postings
from tallystick.storage.pegs import read_pegs
from tallystick.storage.pending import PendingHeader, pending_headers
from tallystick.storage.sources import Source, find_source
from tallystick.storage.subscriptions import read_plans, read_registers, read_subscriptions
from tallystick.storage.tokens import read_tokens

MOST_DIFFERENCES = 1_000
"""More are counted, not listed."""


class Difference(NamedTuple):
    """One place where the halves do not match: which row, what is stored, and what the chain says."""

    row: str
    found: str
    expected: str


@dataclass
class AuditReport:
    """What was compared, up to which block, and every difference.

    `pegs` are declarations of the merchant, ordered by token and block: values of invoices were derived with them as
    they are recorded in the books, because the chain knows nothing of them.
    """

    chain_id: int
    contract: str
    block_number: int
    block_hash: bytes
    charges_on_chain: int = 0
    charges_in_ledger: int = 0
    refunds_on_chain: int = 0
    refunds_in_ledger: int = 0
    events: int = 0
    invoices: int = 0
    pegs: list[DeclaredPeg] = field(default_factory=list)
    difference_count: int = 0
    differences: list[Difference] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether everything agrees."""
        return self.difference_count == 0

    def note(self, row: str, found: object, expected: object) -> None:
        """Adds a difference."""
        self.difference_count += 1
        if len(self.differences) < MOST_DIFFERENCES:
            self.differences.append(Difference(row, _shown(found), _shown(expected)))


def audit(
    engine: Engine, rpc: Rpc, target: Target, *, on_progress: Callable[[Progress], None] = lambda _: None
) -> AuditReport:
    """Compares chain, journal, invoices and control totals up to the source's final block, and the events behind it
    that are pending. Writes nothing.

    Raises CorruptionError where the database knows nothing of the contract or has a row that cannot be read, NodeError
    for a node that cannot be used.
    """
    with reading(engine) as connection:
        source = find_source(connection, target.chain_id, target.contract)
        if source is None:
            raise CorruptionError(
                f"the database mirrors nothing of {target.contract} on chain {target.chain_id} yet: run "
                "`tallystick index --once` first"
            )
        if not source.final_hash:
            raise CorruptionError(
                f"no block since {target.contract} was deployed (block {source.start_block}) is final in the books: "
                "wait until the chain has finalized it, then run `tallystick index --once`"
            )
        report = AuditReport(target.chain_id, target.contract, source.final_number, source.final_hash)
        node = LogReader(rpc, target.contract, target_logs=target.events_per_request)
        _compare_source(report, node, source, target)
        tokens = read_tokens(connection, target.chain_id)
        report.pegs = read_pegs(connection, source.source_id)
        books = Books(peg_history(report.pegs, tokens), keep_all=True)
        auditor = _Auditor(report, connection, source, books)
        for chunk in node.read(source.start_block, source.final_number):
            auditor.compare(chunk)
            on_progress(Progress(chunk.end.number, source.final_number, report.events))
        auditor.finish()
        _compare_counted(report, rpc, source, books, auditor)
        for address, block in auditor.token_blocks.items():
            expected = read_token(rpc, target.chain_id, address, block=block)
            if tokens.get(address) != expected:
                report.note(f"token {address}", tokens.get(address), expected)
        _compare_pending(report, node, connection, source)
    return report


class _Merge:
    """Walks stored rows beside expected ones, both in the same order, and notes what only one side has."""

    def __init__(self, report: AuditReport, name: Callable[[Any], str], stored: Iterable[Any]) -> None:
        self._report = report
        self._name = name
        self._stored = iter(stored)
        self._next = next(self._stored, None)

    def expect(self, row: Any, place: Callable[[Any], Any]) -> None:
        """The next expected row; `place` is what both sides are ordered by."""
        while self._next is not None and place(self._next) < place(row):
            self._skip()
        if self._next is None or place(self._next) > place(row):
            self._report.note(self._name(row), None, row)
            return
        for label, found, expected in zip(row._fields, self._next, row, strict=True):
            if found != expected:
                self._report.note(f"{self._name(row)}, {label.replace('_', ' ')}", found, expected)
        self._next = next(self._stored, None)

    def finish(self) -> None:
        """Everything that is left was not expected."""
        while self._next is not None:
            self._skip()

    def _skip(self) -> None:
        self._report.note(self._name(self._next), self._next, None)
        self._next = next(self._stored, None)


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
        self.last_hash = GENESIS_HASH
        self.token_blocks: dict[str, int] = {}
        """The block of the first plan in each token."""
        source_id = source.source_id
        stored_events = read_events(connection, source_id, through=source.final_number)
        self.events = _Merge(report, _event_name, stored_events)
        self.entries = _Merge(report, _entry_name, self._checked(read_entries(connection, source_id)))
        self.series: dict[tuple[Kind, str], _Merge] = {}

    def compare(self, chunk: Chunk) -> None:
        """Compares everything that follows from a range of blocks with what is stored."""
        for log in chunk.logs:
            self.report.events += 1
            self.events.expect(StoredEvent(log.origin, log.name, log.topics, log.data), _event_place)
            if isinstance(log.event, RegisterOpened):
                self.token_blocks.setdefault(log.event.token, log.origin.block_number)
            change = self.books.apply(Recorded(log.origin, log.event))
            if change.entry is not None:
                self.entries.expect(change.entry, _number)
            if change.invoice is not None:
                self._series(change.invoice.kind, change.invoice.payee).expect(change.invoice, _number)

    def _series(self, kind: Kind, payee: str) -> _Merge:
        if (kind, payee) not in self.series:
            stored = self._counted(read_invoices(self.connection, self.source.source_id, kind=kind, payee=payee))
            self.series[kind, payee] = _Merge(self.report, _invoice_name, stored)
        return self.series[kind, payee]

    def _counted(self, stored: Iterable[Invoice]) -> Iterator[Invoice]:
        for invoice in stored:
            self.report.invoices += 1
            self.tally.add_invoice(invoice)
            yield invoice

    def _checked(self, stored: Iterable[Entry]) -> Iterator[Entry]:
        """Stored entries, each checked by itself: hash, chain, balance. Counts what they say was charged."""
        for entry in stored:
            name = _entry_name(entry)
            again = entry_hash(entry.number, entry.kind, entry.origin, entry.postings, entry.previous_hash)
            if entry.hash != again:
                self.report.note(f"{name}, hash", entry.hash, again)
            if entry.previous_hash != self.last_hash:
                self.report.note(f"{name}, previous hash", entry.previous_hash, self.last_hash)
            if wrong := imbalance(entry.postings):
                self.report.note(f"{name}, debits less credits", wrong, {})
            self.last_hash = entry.hash
            self.tally.add_entry(entry)
            yield entry

    def finish(self) -> None:
        """What is left over, and what no event leads to: plans, subscriptions, rows that hang in the air."""
        source_id = self.source.source_id
        for kind, payee in last_numbers(self.connection, source_id):
            self._series(kind, payee)
        for merge in (self.events, self.entries, *self.series.values()):
            merge.finish()
        self.books.act.require_whole()
        registers = read_registers(self.connection, source_id)
        _compare_maps(self.report, "register", self.books.registers, registers)
        _compare_maps(self.report, "plan", self.books.plans, read_plans(self.connection, source_id))
        subscriptions = read_subscriptions(self.connection, source_id)
        _compare_maps(self.report, "subscription", self.books.subscriptions, subscriptions)
        self.totals = self.tally.totals(self.books.registers, self.books.plans, subscriptions)
        _compare_kept(self.report, self.books.claimables, read_claimables(self.connection, source_id))
        for number in stray_postings(self.connection, source_id):
            self.report.note(f"postings of journal entry {number}", "postings without their entry", None)
        for document in stray_lines(self.connection, source_id):
            self.report.note(f"lines of {document}", "lines without their document", None)


# --- comparisons ----------------------------------------------------------------------------------------------------


def _compare_maps(report: AuditReport, kind: str, expected: Mapping[int, Any], stored: Mapping[int, Any]) -> None:
    for number in sorted(expected.keys() | stored.keys()):
        if expected.get(number) != stored.get(number):
            report.note(f"{kind} {number}", stored.get(number), expected.get(number))


def _compare_source(report: AuditReport, node: LogReader, source: Source, target: Target) -> None:
    if source.start_block != target.start_block:
        report.note("the source's first block", source.start_block, target.start_block)
    header = node.header(source.final_number)
    if header is None or header.hash != source.final_hash:
        report.note(f"block {source.final_number}, hash", source.final_hash, header and header.hash)
    elif header.time != source.final_time:
        report.note(f"block {source.final_number}, time", source.final_time, header.time)


def _compare_kept(
    report: AuditReport, expected: Mapping[tuple[str, str], int], stored: Mapping[tuple[str, str], int]
) -> None:
    for account, token in sorted(expected.keys() | stored.keys()):
        if stored.get((account, token)) != expected.get((account, token)):
            row = f"claimable of {account} in {token}"
            report.note(row, stored.get((account, token)), expected.get((account, token)))


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


def _compare_pending(report: AuditReport, node: LogReader, connection: Connection, source: Source) -> None:
    """Pending blocks and their events, as far as the node has the same blocks; others may just be reorganised."""
    tail = pending_headers(connection, source.source_id)
    end = tail[-1].number if tail else source.final_number
    for stray in read_events(connection, source.source_id, after=end):
        report.note(_event_name(stray), stray, None)
    kept = still_there(node, tail)
    if not kept:
        return
    last, start = kept[-1], source.final_number + 1
    stored_headers = {header.number: header for header in tail if header.number <= last.number}
    fresh = node.headers(range(start, last.number + 1))
    stored = read_events(connection, source.source_id, after=source.final_number, through=last.number)
    chunks = list(node.read(start, last.number))
    if fresh[-1].hash != last.hash or chunks[-1].end.hash != last.hash:
        return  # reorganised while we looked
    _compare_maps(report, "pending block", {header.number: PendingHeader(*header) for header in fresh}, stored_headers)
    merge = _Merge(report, _event_name, stored)
    for chunk in chunks:
        for log in chunk.logs:
            merge.expect(StoredEvent(log.origin, log.name, log.topics, log.data), _event_place)
    merge.finish()


def _event_place(event: StoredEvent) -> tuple[int, int]:
    return event.origin.block_number, event.origin.log_index


def _number(row: Any) -> Any:
    return row.number


def _event_name(event: StoredEvent) -> str:
    return f"event in block {event.origin.block_number}, log {event.origin.log_index}"


def _entry_name(entry: Entry) -> str:
    return f"journal entry {entry.number}"


def _invoice_name(invoice: Invoice) -> str:
    return f"{invoice.kind.value.replace('_', ' ')} {invoice.number} of {invoice.payee}"


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        parts = (f"{name}={_shown(part)}" for name, part in zip(value._fields, value, strict=True))
        return f"{type(value).__name__}({', '.join(parts)})"
    if isinstance(value, tuple):
        return f"({', '.join(_shown(part) for part in value)})"
    return str(value)
