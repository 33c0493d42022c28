"""Brings the mirror up to the chain: events, journal, invoices and cursor, one transaction for each range of blocks.

Final blocks are read once and everything that follows from them is written with them. The blocks behind are the pending
tail: only their headers and events are kept, in one piece by parent hashes, and what follows from them is derived when
it is read. So a reorganisation is nothing but the removal of the tail's end.

Where several nodes must agree on what becomes final (`flows.quorum`), what they do not agree on stays in the tail.

Before anything is written it is derived, and compared with what the contract counted and, where blocks were pending
before, with what was read of them then. What is written is written only on top of the state it was derived from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Engine

from tallystick.chain.logs import TARGET_LOGS, ChainLogs, Chunk, Header, LogEntry, LogReader
from tallystick.chain.metadata import read_token
from tallystick.chain.proven_logs import ProvenLogReader
from tallystick.chain.rpc import Rpc
from tallystick.core.money import Token
from tallystick.core.pegs import peg_history
from tallystick.errors import AnotherLeads, EventsInconsistent, NodeInvalid, ReorganizationTooDeep
from tallystick.flows.garbage import collector_at_rest
from tallystick.flows.kind import SourceKind
from tallystick.flows.pending import stored_pending
from tallystick.flows.quorum import ALONE, Disagreement, Jury, Quorum
from tallystick.flows.scribe import Range, Scribe
from tallystick.flows.subscription_books import SUBSCRIPTIONS
from tallystick.storage.database import reading, transaction
from tallystick.storage.events import StoredEvent, add_events, read_events
from tallystick.storage.pegs import declare_pegs
from tallystick.storage.pending import (
    PendingHeader,
    add_headers,
    drop_pending_after,
    pending_header,
    pending_headers,
)
from tallystick.storage.sources import Source, add_source, check_source, hold_source
from tallystick.storage.tokens import read_tokens
from tallystick.storage.waits import Wait, keep_wait

MOST_PENDING = 100_000
"""How long the tail may become while finality waits: in blocks of two seconds, more than two days."""


@dataclass(frozen=True, slots=True)
class Target:
    """What to mirror: a contract on a chain, from a block on. `finality` is the node's word or a number of blocks
    behind the head, `events_per_request` how large an answer should be, `kind` which of our contracts it is. `proven`:
    logs are proven by the receipts of their blocks, none of which can then be left out.

    `pegs` gives currencies by token address: what the merchant declares now. The mirror records it for the blocks that
    are not final yet; whoever reads the books goes by what is recorded.
    """

    chain_id: int
    contract: str
    start_block: int
    finality: str | int = "finalized"
    pegs: dict[str, str] = field(default_factory=dict)
    events_per_request: int = TARGET_LOGS
    kind: SourceKind[Any, Any] = SUBSCRIPTIONS
    proven: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an ingestion is: blocks through `block` of `last_block` are done, with so many events so far."""

    block: int
    last_block: int
    events: int


@dataclass(frozen=True, slots=True)
class Ingested:
    """What an ingestion did: final and head block after it, new final events, pending blocks now, and the pending
    events that a reorganisation removed (None where there was none); what waits to become final because too few nodes
    agree, and which nodes disagreed, whether it made anything wait or not."""

    final_block: int
    head_block: int
    final_events: int
    pending_blocks: int
    rolled_back_events: int | None
    waits: tuple[Wait, ...] = ()
    disagreements: tuple[Disagreement, ...] = ()

    def beside(self, other: Ingested) -> Ingested:
        """Both ingestions, of two contracts, as one: as far as both are."""
        removed = [done.rolled_back_events for done in (self, other) if done.rolled_back_events is not None]
        return Ingested(
            min(self.final_block, other.final_block),
            min(self.head_block, other.head_block),
            self.final_events + other.final_events,
            max(self.pending_blocks, other.pending_blocks),
            sum(removed) if removed else None,
            self.waits + other.waits,
            self.disagreements + other.disagreements,
        )


def ingest(
    engine: Engine,
    rpc: Rpc,
    target: Target,
    *,
    quorum: Quorum = ALONE,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Ingested:
    """Reads everything new and returns when the mirror stands where the node stood at the start of the call.

    May be stopped at any point and called again. Raises ReorganizationTooDeep where blocks that were final are others
    now, NodeError for a node that cannot be used or cannot be right. Where too few of a quorum's nodes agree, what they
    do not agree on stays pending, and that is no error.
    """
    with transaction(engine) as connection:
        source = add_source(connection, target.chain_id, target.contract, target.start_block, target.kind.name)
        tokens = read_tokens(connection, target.chain_id)
        hold_source(connection, source)
        if target.kind.see(connection, source):
            drop_pending_after(connection, source.source_id, source.final_number)
        watched = target.kind.watched(connection, source)
    node = log_reader(rpc, target, watched)
    jury = Jury(quorum, rpc, target.contract, target.finality, lambda other: log_reader(other, target, watched))
    head, final = _heads(node, target.finality)
    _require_our_branch(node, source)
    last = jury.common_final(source.final_number, final.number)
    chunks = node.read(source.final_number + 1, last, parent=source.final_hash)
    source, count = _ingest_final(engine, rpc, chunks, jury, source, last, tokens, target, on_progress)
    newest = head.number
    if jury.wait is not None:
        newest = min(newest, source.final_number + MOST_PENDING)
        with transaction(engine) as connection:
            hold_source(connection, source)
            keep_wait(connection, source.source_id, jury.wait)
    pending, rolled_back = _ingest_pending(engine, rpc, node, target.kind, source, newest)
    said = () if jury.wait is None else (jury.wait,)
    return Ingested(source.final_number, head.number, count, pending, rolled_back, said, tuple(jury.disagreements))


def log_reader(rpc: Rpc, target: Target, watched: Mapping[str, int] = MappingProxyType({})) -> ChainLogs:
    """What reads the target's logs, and transfers to the addresses that are watched."""
    decoder, target_logs = target.kind.decoder, target.events_per_request
    reader = ProvenLogReader if target.proven else LogReader
    return reader(rpc, target.contract, decoder=decoder, target_logs=target_logs, watched=watched)


def _heads(node: ChainLogs, finality: str | int) -> tuple[Header, Header]:
    head = node.header("latest")
    if head is None:
        raise NodeInvalid("the node has no latest block: wait until it has synced, or use another")
    wanted = finality if isinstance(finality, str) else max(0, head.number - finality)
    final = node.header(wanted)
    if final is None:
        raise NodeInvalid(
            f"the node has no {wanted} block: wait until it has one, or set index.finality to a number of confirmations"
        )
    return head, final


def _require_our_branch(node: ChainLogs, source: Source) -> None:
    if not source.final_hash:
        return
    now = node.header(source.final_number)
    if now is None:
        raise NodeInvalid(
            f"the node does not have block {source.final_number}, which is final in the books: it lags behind, wait"
        )
    if now.hash != source.final_hash:
        if node.header(source.final_number) != now:
            raise NodeInvalid(f"the node has two blocks {source.final_number}: it changes its branch, use another node")
        raise ReorganizationTooDeep(
            f"block {source.final_number} was final with hash 0x{source.final_hash.hex()}, the node now has "
            f"0x{now.hash.hex()}: nothing was changed. Compare with another node; `tallystick audit fork` shows what "
            "of the books is above the fork. If the chain itself went back, build the books anew in a new database"
        )


# --- final blocks ---------------------------------------------------------------------------------------------------


def _ingest_final(
    engine: Engine,
    rpc: Rpc,
    chunks: Iterable[Chunk],
    jury: Jury,
    source: Source,
    last: int,
    tokens: dict[str, Token],
    target: Target,
    on_progress: Callable[[Progress], None],
) -> tuple[Source, int]:
    kind = target.kind
    with transaction(engine) as connection:
        hold_source(connection, source)
        pegs = declare_pegs(connection, source, target.pegs)
        books = kind.load(connection, source, peg_history(pegs, tokens))
    count = 0
    with Scribe(engine, kind) as scribe, collector_at_rest():
        for chunk in chunks:
            is_agreed = jury.ask(chunk)  # the other nodes read it meanwhile
            new_tokens = _new_tokens(rpc, target.chain_id, tokens, kind, chunk.logs)
            tokens.update(new_tokens)
            books.pegs = peg_history(pegs, tokens)
            _require_same_events(engine, rpc, source, chunk, scribe)
            with scribe.look_up(source) as stored:
                rows = kind.derive(stored, source, books, chunk.logs)
            kind.recount(rpc, source, chunk.end.number, books, rows)
            if not is_agreed():
                break
            events, brought = _stored(chunk.logs), tuple(new_tokens.values())
            source = scribe.write(Range(source, chunk.start, chunk.end, events, rows, brought, pegs))
            count += len(chunk.logs)
            kind.trim(books)
            on_progress(Progress(chunk.end.number, last, count))
    return source, count


def _new_tokens(
    rpc: Rpc, chain_id: int, known: dict[str, Token], kind: SourceKind[Any, Any], logs: Sequence[LogEntry]
) -> dict[str, Token]:
    """The tokens that events bring in, as they describe themselves in the block of the first such event."""
    found: dict[str, Token] = {}
    for log in logs:
        for token in kind.tokens_of(log.event) if isinstance(log.event, kind.opening) else ():
            if token not in known and token not in found:
                found[token] = read_token(rpc, chain_id, token, block=log.origin.block_number)
    return found


def _require_same_events(engine: Engine, rpc: Rpc, source: Source, chunk: Chunk, scribe: Scribe) -> None:
    """Blocks that are final now and were pending before must have the events that they had then.

    The pending blocks hang together, so that with the last one of them all are the same. Where their events are not,
    one of the two answers was wrong: the pending ones are forgotten, and the next attempt reads both again.
    """
    with reading(engine) as connection:
        last = pending_header(connection, source.source_id, chunk.end.number)
        if last is None or last.hash != chunk.end.hash:
            return
        before = list(read_events(connection, source.source_id, after=chunk.start - 1, through=chunk.end.number))
    if before != _stored(chunk.logs):
        scribe.drain()
        _forget_pending(engine, source)
        raise NodeInvalid(
            f"{rpc.name} gave {len(chunk.logs)} events of blocks {chunk.start} to {chunk.end.number}, and others "
            f"({len(before)}) when they were pending: both are read again; if this comes back, use another node"
        )


def _stored(logs: Sequence[LogEntry]) -> list[StoredEvent]:
    return [StoredEvent(log.origin, log.name, log.topics, log.data) for log in logs]


# --- pending blocks -------------------------------------------------------------------------------------------------


def _ingest_pending(
    engine: Engine, rpc: Rpc, node: ChainLogs, kind: SourceKind[Any, Any], source: Source, head: int
) -> tuple[int, int | None]:
    """Continues the pending tail up to `head`; how many blocks it has, and how many events were rolled back."""
    with reading(engine) as connection:
        known = pending_headers(connection, source.source_id)
    kept = still_there(node, known)
    stands_on = kept[-1] if kept else PendingHeader(source.final_number, source.final_hash, b"", source.final_time)
    if kept == known and head <= stands_on.number:
        return len(kept), None
    fresh = node.headers(range(stands_on.number + 1, head + 1))
    _require_chained(stands_on, fresh)
    hashes = {header.number: header.hash for header in fresh}
    chunks = node.read(stands_on.number + 1, head, parent=stands_on.hash)
    logs = [log for chunk in chunks for log in chunk.logs]
    if any(hashes[log.origin.block_number] != log.origin.block_hash for log in logs):
        raise NodeInvalid("the node changed its branch while its latest blocks were read: read again")
    _require_present(engine, rpc, kind, source, known, stands_on.number, logs, head)
    with transaction(engine) as connection:
        hold_source(connection, source)
        _require_unchanged(connection, source, known)
        gone = drop_pending_after(connection, source.source_id, stands_on.number) if kept != known else None
        add_headers(connection, source.source_id, [PendingHeader(*header) for header in fresh])
        add_events(connection, source.source_id, _stored(logs))
    return len(kept) + len(fresh), gone


def _require_present(
    engine: Engine,
    rpc: Rpc,
    kind: SourceKind[Any, Any],
    source: Source,
    known: Sequence[PendingHeader],
    kept: int,
    logs: Sequence[LogEntry],
    head: int,
) -> None:
    """The pending events that are kept, up to block `kept`, and the new ones follow from the books and are complete.

    Where they are not, some that was read before may be wrong: the next attempt reads all of it again.
    """
    try:
        with reading(engine) as connection:
            check_source(connection, source)
            _require_unchanged(connection, source, known)
            pending = stored_pending(connection, source, kind.decoder, through=kept)
            pending += [(log.origin, log.event) for log in logs]
            books, rows = kind.present(connection, source, pending)
        kind.recount(rpc, source, head, books, rows)
    except EventsInconsistent:
        _forget_pending(engine, source)
        raise


def _require_unchanged(connection: Connection, source: Source, known: Sequence[PendingHeader]) -> None:
    if pending_headers(connection, source.source_id) != known:
        raise AnotherLeads(f"another process mirrors {source.contract} into the same database: let it, or stop it")


def _forget_pending(engine: Engine, source: Source) -> None:
    with transaction(engine) as connection:
        hold_source(connection, source)
        drop_pending_after(connection, source.source_id, source.final_number)


def still_there(node: ChainLogs, known: Sequence[PendingHeader]) -> list[PendingHeader]:
    """The pending blocks that the node still has on its branch.

    A node whose head is lower than ours has only not seen them yet: that is no evidence against them.
    """
    replaced = False
    for index in range(len(known) - 1, -1, -1):
        now = node.header(known[index].number)
        if now is not None and now.hash == known[index].hash:
            return list(known[: index + 1]) if replaced else list(known)
        replaced = replaced or now is not None
    return [] if replaced else list(known)


def _require_chained(stands_on: PendingHeader, fresh: Sequence[Header]) -> None:
    parent = stands_on.hash
    for header in fresh:
        if parent and header.parent_hash != parent:
            raise NodeInvalid(
                f"block {header.number} does not follow the block before it: the node changed its branch while it was "
                "read, read again"
            )
        parent = header.hash
