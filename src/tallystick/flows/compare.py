"""What audits have in common: a report with its differences, and how stored rows are compared with expected ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import Connection

from tallystick.chain.logs import ChainLogs, Chunk, LogEntry
from tallystick.chain.metadata import read_token
from tallystick.chain.pack_chain import PackChain
from tallystick.chain.rpc import Caller, Rpc
from tallystick.core.balances import Standing, Standings, moves_of
from tallystick.core.books import Change
from tallystick.core.channel_books import ChannelChange
from tallystick.core.checkout_books import CheckoutChange
from tallystick.core.checkout_invoice import SaleInvoice
from tallystick.core.conversion_books import ConversionChange
from tallystick.core.invoice import Invoice, Kind
from tallystick.core.ledger import GENESIS_HASH, Entry, entry_hash, imbalance
from tallystick.core.money import Token
from tallystick.core.payment_books import PaymentChange
from tallystick.core.payment_invoice import PaymentInvoice
from tallystick.core.pegs import DeclaredPeg
from tallystick.errors import CorruptionError
from tallystick.flows.ingest import Target, log_reader, still_there
from tallystick.storage.balances import read_past_standings, read_standings
from tallystick.storage.events import StoredEvent, read_events
from tallystick.storage.journal import read_entries, stray_postings
from tallystick.storage.pending import PendingHeader, pending_headers
from tallystick.storage.sources import Source, find_source

MOST_DIFFERENCES = 1_000
"""More are counted, not listed."""


class Difference(NamedTuple):
    """One place where the halves do not match: which row, what is stored, and what the chain says."""

    row: str
    found: str
    expected: str


@dataclass
class Report:
    """What was compared, from which block to which, and every difference.

    `entries` and `invoices` (with `credit_notes` among them) are how many the books have, `tokens` what each token says
    of itself, `pending_blocks` how many behind the last final one were compared. `pegs` are declarations of the
    merchant, ordered by token and block: values of invoices were derived with them as they are recorded in the books,
    because the chain knows nothing of them.
    """

    chain_id: int
    contract: str
    start_block: int
    block_number: int
    block_hash: bytes
    block_time: int
    events: int = 0
    entries: int = 0
    invoices: int = 0
    credit_notes: int = 0
    pending_blocks: int = 0
    tokens: list[Token] = field(default_factory=list)
    pegs: list[DeclaredPeg] = field(default_factory=list)
    difference_count: int = 0
    differences: list[Difference] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether everything agrees."""
        return self.difference_count == 0

    @property
    def figures(self) -> dict[str, int]:
        """What was counted, by the names under which it is shown."""
        return {"events": self.events, "invoices": self.invoices}

    def note(self, row: str, found: object, expected: object) -> None:
        """Adds a difference."""
        self.difference_count += 1
        if len(self.differences) < MOST_DIFFERENCES:
            self.differences.append(Difference(row, _shown(found), _shown(expected)))


class Merge:
    """Walks stored rows beside expected ones, both in the same order, and notes what only one side has."""

    def __init__(self, report: Report, name: Callable[[Any], str], stored: Iterable[Any]) -> None:
        self._report = report
        self._name = name
        self._stored = iter(stored)
        self._next = next(self._stored, None)

    def expect(self, row: Any, place: Callable[[Any], Any]) -> None:
        """The next expected row; `place` is what both sides are ordered by."""
        if self._next == row:  # nearly always, and at once: only what differs is looked at more closely
            self._next = next(self._stored, None)
            return
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


class Walk:
    """Walks the chain with books of its own beside the stored ones: events, entries with the balances of accounts, and
    documents, each as it follows from what the chain says.

    `apply` gives what an event makes of those books; `read_documents` the stored documents of a kind and payee, and
    `last_numbers` which series there are. `count_entry` and `count_document` see every stored one.
    """

    def __init__(
        self,
        report: Report,
        connection: Connection,
        source: Source,
        target: Target,
        *,
        apply: Callable[[LogEntry], Change | PaymentChange | CheckoutChange | ChannelChange | ConversionChange],
        read_documents: Callable[..., Iterable[Any]],
        last_numbers: Callable[[Connection, int], Iterable[tuple[Kind, str]]],
        count_entry: Callable[[Entry], None],
        count_document: Callable[[Any], None] = lambda _: None,
    ) -> None:
        self._report, self._connection, self._source, self._kind = report, connection, source, target.kind
        self._apply, self._read, self._last_numbers = apply, read_documents, last_numbers
        self._count_document = count_document
        source_id = source.source_id
        self._events = Merge(report, event_name, read_events(connection, source_id, through=source.final_number))
        self._entries = Merge(report, entry_name, checked_entries(report, connection, source_id, count_entry))
        self._series: dict[tuple[Kind, str], Merge] = {}
        self._standings = Standings()
        self.token_blocks: dict[str, int] = {}
        """The block in which each token came in."""

    def compare(self, chunk: Chunk) -> None:
        """Compares everything that follows from a range of blocks with what is stored."""
        entries: list[Entry] = []
        for log in chunk.logs:
            self._report.events += 1
            self._events.expect(StoredEvent(log.origin, log.name, log.topics, log.data), event_place)
            for token in self._kind.tokens_of(log.event) if isinstance(log.event, self._kind.opening) else ():
                self.token_blocks.setdefault(token, log.origin.block_number)
            change = self._apply(log)
            if change.entry is not None:
                self._entries.expect(change.entry, number_of)
                entries.append(change.entry)
            if change.invoice is not None:
                self._series_of(change.invoice.kind, change.invoice.payee).expect(change.invoice, number_of)
        self._standings.add(moves_of(entries))

    def finish(self) -> None:
        """What is left over, and what no event leads to."""
        for kind, payee in self._last_numbers(self._connection, self._source.source_id):
            self._series_of(kind, payee)
        for merge in (self._events, self._entries, *self._series.values()):
            merge.finish()
        compare_balances(self._report, self._connection, self._source.source_id, self._standings)

    def _series_of(self, kind: Kind, payee: str) -> Merge:
        if (kind, payee) not in self._series:
            stored = self._read(self._connection, self._source.source_id, kind=kind, payee=payee)
            self._series[kind, payee] = Merge(self._report, invoice_name, self._counted(stored))
        return self._series[kind, payee]

    def _counted(self, stored: Iterable[Any]) -> Iterator[Any]:
        for document in stored:
            self._report.invoices += 1
            self._report.credit_notes += document.kind is Kind.CREDIT_NOTE
            self._count_document(document)
            yield document


def chain_logs(chain: Caller, target: Target, watched: Mapping[str, int] = MappingProxyType({})) -> ChainLogs:
    """The target's logs, and transfers to the addresses that are watched: as a node tells them, or a pack proves."""
    if isinstance(chain, Rpc):
        return log_reader(chain, target, watched)
    assert isinstance(chain, PackChain)
    return chain.logs(target.contract, target.kind.decoder, watched)


def require_source(connection: Connection, target: Target) -> Source:
    """The source to audit. Raises CorruptionError where there is none, or nothing of it is final."""
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
    return source


def extent(source: Source) -> tuple[int, str, int, int, bytes, int]:
    """Which contract's books a report is on, and which blocks they have: what it begins with."""
    last_block = source.final_number, source.final_hash, source.final_time
    return source.chain_id, source.contract, source.start_block, *last_block


def checked_entries(
    report: Report, connection: Connection, source_id: int, add: Callable[[Entry], None]
) -> Iterator[Entry]:
    """Stored entries, each checked by itself: hash, chain, balance. `add` counts what they say."""
    last_hash = GENESIS_HASH
    for entry in read_entries(connection, source_id):
        name = entry_name(entry)
        again = entry_hash(entry.number, entry.kind, entry.origin, entry.postings, entry.previous_hash)
        if entry.hash != again:
            report.note(f"{name}, hash", entry.hash, again)
        if entry.previous_hash != last_hash:
            report.note(f"{name}, previous hash", entry.previous_hash, last_hash)
        if wrong := imbalance(entry.postings):
            report.note(f"{name}, debits less credits", wrong, {})
        last_hash = entry.hash
        report.entries += 1
        add(entry)
        yield entry


def compare_balances(report: Report, connection: Connection, source_id: int, expected: Standings) -> None:
    """How accounts stand, and what is kept of how they stood."""
    stored = read_standings(connection, source_id), read_past_standings(connection, source_id)
    compare_maps(report, "balance", _named(expected.now.values(), expected.kept), _named(*stored))


def _named(now: Iterable[Standing], kept: Iterable[Standing]) -> dict[str, Standing]:
    """`of Assets:Wallet:0x7099... in 0xA0b8...`, and with the entry after which it was so."""
    rows = {f"of {standing.account} in {standing.token}": standing for standing in now}
    return rows | {f"of {past.account} in {past.token}, entry {past.entry_number}": past for past in kept}


def compare_strays(report: Report, connection: Connection, source_id: int) -> None:
    """Postings that hang in the air."""
    for number in stray_postings(connection, source_id):
        report.note(f"postings of journal entry {number}", "postings without their entry", None)


def compare_tokens(
    report: Report, rpc: Caller, chain_id: int, stored: Mapping[str, Token], blocks: Mapping[str, int]
) -> None:
    """Symbol and decimals, as each token states them in the block in which it came into the books."""
    for address, block in blocks.items():
        expected = read_token(rpc, chain_id, address, block=block)
        report.tokens.append(expected)
        if stored.get(address) != expected:
            report.note(f"token {address}", stored.get(address), expected)


def compare_maps(report: Report, kind: str, expected: Mapping[Any, Any], stored: Mapping[Any, Any]) -> None:
    """Rows of a kind that have a number."""
    for number in sorted(expected.keys() | stored.keys()):
        if expected.get(number) != stored.get(number):
            report.note(f"{kind} {number}", stored.get(number), expected.get(number))


def compare_source(report: Report, node: ChainLogs, source: Source, target: Target) -> None:
    """Where the books begin and end."""
    if source.start_block != target.start_block:
        report.note("the source's first block", source.start_block, target.start_block)
    header = node.header(source.final_number)
    if header is None or header.hash != source.final_hash:
        report.note(f"block {source.final_number}, hash", source.final_hash, header and header.hash)
    elif header.time != source.final_time:
        report.note(f"block {source.final_number}, time", source.final_time, header.time)


def compare_kept(
    report: Report, expected: Mapping[tuple[str, str], int], stored: Mapping[tuple[str, str], int]
) -> None:
    """What the contract keeps, by account and token."""
    for account, token in sorted(expected.keys() | stored.keys()):
        if stored.get((account, token)) != expected.get((account, token)):
            row = f"claimable of {account} in {token}"
            report.note(row, stored.get((account, token)), expected.get((account, token)))


def compare_pending(report: Report, node: ChainLogs, connection: Connection, source: Source) -> None:
    """Pending blocks and their events, as far as the node has the same blocks; others may just be reorganised."""
    tail = pending_headers(connection, source.source_id)
    end = tail[-1].number if tail else source.final_number
    for stray in read_events(connection, source.source_id, after=end):
        report.note(event_name(stray), stray, None)
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
    report.pending_blocks = len(fresh)
    compare_maps(report, "pending block", {header.number: PendingHeader(*header) for header in fresh}, stored_headers)
    merge = Merge(report, event_name, stored)
    for chunk in chunks:
        for log in chunk.logs:
            merge.expect(StoredEvent(log.origin, log.name, log.topics, log.data), event_place)
    merge.finish()


def event_place(event: StoredEvent) -> tuple[int, int]:
    """What events are ordered by."""
    return event.origin.block_number, event.origin.log_index


def number_of(row: Any) -> Any:
    """What entries and documents are ordered by."""
    return row.number


def event_name(event: StoredEvent) -> str:
    """How a report calls an event."""
    return f"event in block {event.origin.block_number}, log {event.origin.log_index}"


def entry_name(entry: Entry) -> str:
    """How a report calls an entry."""
    return f"journal entry {entry.number}"


def invoice_name(invoice: Invoice | PaymentInvoice | SaleInvoice) -> str:
    """How a report calls a document."""
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
