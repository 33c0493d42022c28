"""Proves the books: everything is derived again from the chain and compared with what is stored, row by row.

The contract's control totals are the judge of both: they are counted by the contract itself, so that a node which
leaves out events is found as well as a database in which a row was changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from eth_utils.abi import function_signature_to_4byte_selector
from sqlalchemy import Connection, Engine

from tallystick.chain.logs import Chunk, LogReader
from tallystick.chain.metadata import read_token
from tallystick.chain.rpc import Rpc
from tallystick.core.books import Books
from tallystick.core.events import Recorded
from tallystick.core.invoice import Invoice, Kind
from tallystick.core.ledger import GENESIS_HASH, Entry, entry_hash, imbalance
from tallystick.errors import CorruptionError
from tallystick.flows.ingest import Progress, Target, pegs_by_token
from tallystick.storage.database import reading
from tallystick.storage.events import StoredEvent, read_events
from tallystick.storage.invoices import last_numbers, read_invoices, stray_lines
from tallystick.storage.journal import read_entries, stray_postings
from tallystick.storage.sources import Source, find_source
from tallystick.storage.subscriptions import read_plans, read_subscriptions
from tallystick.storage.tokens import read_tokens

CONTROL_TOTALS = function_signature_to_4byte_selector("controlTotals(address,address)")
MOST_DIFFERENCES = 1_000
"""More are counted, not listed."""


class Difference(NamedTuple):
    """One place where the halves do not match: which row, what is stored, and what the chain says."""

    row: str
    found: str
    expected: str


class Totals(NamedTuple):
    """Count and sum, in base units, of the charges and refunds of a payee in a token."""

    charge_count: int = 0
    charge_sum: int = 0
    refund_count: int = 0
    refund_sum: int = 0


@dataclass
class AuditReport:
    """What was compared, up to which block, and every difference."""

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
    """Compares chain, journal, invoices and control totals up to the source's final block. Writes nothing.

    Raises CorruptionError where the database knows nothing of the contract, NodeError for a node that cannot be used.
    """
    with reading(engine) as connection:
        source = find_source(connection, target.chain_id, target.contract)
        if source is None or not source.final_hash:
            raise CorruptionError(
                f"the database has no final block of {target.contract} on chain {target.chain_id} yet: run "
                "`tallystick index --once` first"
            )
        report = AuditReport(target.chain_id, target.contract, source.final_number, source.final_hash)
        node = LogReader(rpc, target.contract, target_logs=target.events_per_request)
        _compare_head(report, node, source)
        _compare_tokens(report, rpc, connection, target)
        pegs = pegs_by_token(read_tokens(connection, target.chain_id), target.pegs)
        auditor = _Auditor(report, connection, source, Books(pegs, keep_all=True))
        for chunk in node.read(source.start_block, source.final_number):
            auditor.compare(chunk)
            on_progress(Progress(chunk.end.number, source.final_number, report.events))
        auditor.finish()
        _compare_totals(report, rpc, source, auditor.totals, auditor.pairs)
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
        self.totals: defaultdict[tuple[str, str], Totals] = defaultdict(Totals)
        self.last_hash = GENESIS_HASH
        source_id = source.source_id
        stored_events = read_events(connection, source_id, through=source.final_number)
        self.events = _Merge(report, _event_name, stored_events)
        self.entries = _Merge(report, _entry_name, self._checked(read_entries(connection, source_id)))
        self.series: dict[tuple[Kind, str], _Merge] = {}

    @property
    def pairs(self) -> set[tuple[str, str]]:
        """Every payee and token for which the contract may have a control total."""
        return {(terms.payee, terms.token) for terms in self.books.plans.values()} | self.totals.keys()

    def compare(self, chunk: Chunk) -> None:
        """Compares everything that follows from a range of blocks with what is stored."""
        for log in chunk.logs:
            self.report.events += 1
            self.events.expect(StoredEvent(log.origin, log.name, log.topics, log.data), _event_place)
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
            self._count(entry)
            yield entry

    def _count(self, entry: Entry) -> None:
        for account, side, token, units in entry.postings:
            if account.startswith("Assets:Wallet:"):
                key = (account.removeprefix("Assets:Wallet:"), token)
                found = self.totals[key]
                if side == "D":
                    found = found._replace(charge_count=found.charge_count + 1, charge_sum=found.charge_sum + units)
                else:
                    found = found._replace(refund_count=found.refund_count + 1, refund_sum=found.refund_sum + units)
                self.totals[key] = found

    def finish(self) -> None:
        """What is left over, and what no event leads to: plans, subscriptions, rows that hang in the air."""
        source_id = self.source.source_id
        for kind, payee in last_numbers(self.connection, source_id):
            self._series(kind, payee)
        for merge in (self.events, self.entries, *self.series.values()):
            merge.finish()
        _compare_maps(self.report, "plan", self.books.plans, read_plans(self.connection, source_id))
        stored = read_subscriptions(self.connection, source_id)
        _compare_maps(self.report, "subscription", self.books.subscriptions, stored)
        for number in stray_postings(self.connection, source_id):
            self.report.note(f"postings of journal entry {number}", "postings without their entry", None)
        for document in stray_lines(self.connection, source_id):
            self.report.note(f"lines of {document}", "lines without their document", None)


# --- comparisons ----------------------------------------------------------------------------------------------------


def _compare_maps(report: AuditReport, kind: str, expected: Mapping[int, Any], stored: Mapping[int, Any]) -> None:
    for number in sorted(expected.keys() | stored.keys()):
        if expected.get(number) != stored.get(number):
            report.note(f"{kind} {number}", stored.get(number), expected.get(number))


def _compare_head(report: AuditReport, node: LogReader, source: Source) -> None:
    header = node.header(source.final_number)
    if header is None or header.hash != source.final_hash:
        report.note(f"block {source.final_number}, hash", source.final_hash, header and header.hash)


def _compare_tokens(report: AuditReport, rpc: Rpc, connection: Connection, target: Target) -> None:
    for address, token in read_tokens(connection, target.chain_id).items():
        now = read_token(rpc, target.chain_id, address)
        if now != token:
            report.note(f"token {address}", (token.symbol, token.decimals), (now.symbol, now.decimals))


def _compare_totals(
    report: AuditReport,
    rpc: Rpc,
    source: Source,
    ledger: Mapping[tuple[str, str], Totals],
    pairs: Iterable[tuple[str, str]],
) -> None:
    for payee, token in sorted(pairs):
        on_chain = _control_totals(rpc, source, payee, token)
        in_ledger = ledger.get((payee, token), Totals())
        report.charges_on_chain += on_chain.charge_count
        report.charges_in_ledger += in_ledger.charge_count
        report.refunds_on_chain += on_chain.refund_count
        report.refunds_in_ledger += in_ledger.refund_count
        for label, found, expected in zip(Totals._fields, in_ledger, on_chain, strict=True):
            if found != expected:
                report.note(f"control total of {payee} in {token}, {label.replace('_', ' ')}", found, expected)


def _control_totals(rpc: Rpc, source: Source, payee: str, token: str) -> Totals:
    data = CONTROL_TOTALS + bytes.fromhex(payee[2:].rjust(64, "0") + token[2:].rjust(64, "0"))
    call = {"to": source.contract, "data": "0x" + data.hex()}
    answer = bytes.fromhex(rpc.call(str, "eth_call", call, hex(source.final_number))[2:])
    return Totals(*(int.from_bytes(answer[at : at + 32], "big") for at in range(0, 128, 32)))


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
