"""Proves the books of payment channels, as `flows.audit_payments` those of escrow payments: everything is derived again
from the chain and compared with what is stored, row by row.

The judge of both is the contract: what every channel has, what was ever claimed for each receiver and paid to it, and
that it has at least as much of each token as all of that together. What wallets and tills keep is not proven: the chain
knows nothing of vouchers that are not claimed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine

from tallystick.chain.channel_totals import CountedChannels
from tallystick.chain.payment_totals import read_holding
from tallystick.chain.rpc import Caller
from tallystick.core.channel_books import CLAIM, SETTLEMENT, ChannelBooks
from tallystick.core.channel_events import RecordedChannel
from tallystick.core.ledger import Entry
from tallystick.errors import NodeRefused
from tallystick.flows.audit_payments import CALLS, Holding
from tallystick.flows.channel_books import CHANNELS, ChannelsBooks
from tallystick.flows.compare import (
    Report,
    Walk,
    chain_logs,
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
from tallystick.storage.database import reading
from tallystick.storage.mirrored_channels import read_channels, read_sums
from tallystick.storage.sources import Source
from tallystick.storage.tokens import read_tokens


@dataclass
class ChannelsReport(Report):
    """The report on the books of payment channels.

    `claims` and `settlements` are how many are in the journal. `holdings` are of each token in which there were
    channels: what is in them, and what was claimed and not paid out. Anybody may open channels in tokens that lie.
    """

    channels: int = 0
    claims: int = 0
    settlements: int = 0
    holdings: list[Holding] = field(default_factory=list)

    @property
    def figures(self) -> dict[str, int]:
        """Those of channels, which have no invoices."""
        return {
            "events": self.events,
            "channels": self.channels,
            "claims": self.claims,
            "settlements": self.settlements,
        }


def audit_channels(
    engine: Engine,
    rpc: Caller,
    target: Target,
    kind: ChannelsBooks = CHANNELS,
    *,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> ChannelsReport:
    """Compares chain, journal and the contract's own counts up to the source's final block, and the events behind it
    that are pending. Writes nothing. `kind` is that of the target.

    Raises CorruptionError where the database knows nothing of the contract or has a row that cannot be read, NodeError
    for a node that cannot be used.
    """
    with reading(engine) as connection:
        source = require_source(connection, target)
        report = ChannelsReport(*extent(source))
        node = chain_logs(rpc, target)
        compare_source(report, node, source, target)
        tokens = read_tokens(connection, target.chain_id)
        books = kind.books(target.chain_id, target.contract)
        journal: defaultdict[tuple[str, str], int] = defaultdict(int)
        walk = Walk(
            *(report, connection, source, target),
            apply=lambda log: books.apply(RecordedChannel(log.origin, log.event)),
            read_documents=lambda *_, **__: (),
            last_numbers=lambda *_: (),
            count_entry=lambda entry: _count(report, journal, entry),
        )
        with collector_at_rest():
            for chunk in node.read(source.start_block, source.final_number):
                walk.compare(chunk)
                on_progress(Progress(chunk.end.number, source.final_number, report.events))
        walk.finish()
        _compare_derived(report, connection, source.source_id, books)
        _compare_counted(report, books, journal, _read_counted(rpc, source, books, kind))
        _compare_holdings(report, rpc, source, books)
        compare_tokens(report, rpc, target.chain_id, tokens, walk.token_blocks)
        compare_pending(report, node, connection, source)
    return report


def _count(report: ChannelsReport, journal: defaultdict[tuple[str, str], int], entry: Entry) -> None:
    """What the stored journal adds up to, by account and token."""
    report.claims += entry.kind == CLAIM
    report.settlements += entry.kind == SETTLEMENT
    for account, side, token, units in entry.postings:
        journal[account, token] += units if side == "D" else -units


def _compare_derived(report: ChannelsReport, connection: Connection, source_id: int, books: ChannelBooks) -> None:
    """What no event leads to."""
    books.require_whole()
    report.channels = len(books.channels)
    stored = read_channels(connection, source_id)
    for channel_id in sorted(books.channels.keys() | stored.keys()):
        found, expected = stored.get(channel_id), books.channels.get(channel_id)
        if found != expected:
            report.note(f"channel 0x{channel_id.hex()}", found, expected)
    expected_sums = {f"of {receiver} in {token}": sums for (receiver, token), sums in books.sums.items()}
    stored_sums = read_sums(connection, source_id).items()
    compare_maps(
        report, "claims", expected_sums, {f"of {receiver} in {token}": sums for (receiver, token), sums in stored_sums}
    )
    compare_strays(report, connection, source_id)


def _read_counted(rpc: Caller, source: Source, books: ChannelBooks, kind: ChannelsBooks) -> CountedChannels:
    ids, pairs = sorted(books.channels), sorted(books.sums)
    try:
        counted = kind.read_counted(rpc, source.contract, pairs, ids[:CALLS], source.final_number)
        for start in range(CALLS, len(ids), CALLS):
            part = ids[start : start + CALLS]
            counted.states.update(kind.read_counted(rpc, source.contract, (), part, source.final_number).states)
    except NodeRefused as error:
        raise NodeRefused(
            f"the totals of block {source.final_number}, with which the books end, cannot be read: {error}. Bring the "
            "books up to date with `tallystick index --once`, or use a node that keeps old state"
        ) from error
    return counted


def _compare_counted(
    report: ChannelsReport, books: ChannelBooks, journal: dict[tuple[str, str], int], counted: CountedChannels
) -> None:
    """What the contract counted, with the books and with what the journal adds up to."""
    for channel_id, state in counted.states.items():
        here = books.channels[channel_id].state
        if state != here:
            report.note(f"channel 0x{channel_id.hex()}, on chain", here, state)
    wanted: dict[tuple[str, str], int] = {}
    for (receiver, token), (claimed, settled) in counted.totals.items():
        wanted[f"Income:Channels:{receiver}", token] = -claimed
        wanted[f"Assets:Channels:{receiver}", token] = claimed - settled
        wanted[f"Assets:Wallet:{receiver}", token] = settled
    for account, token in sorted(wanted.keys() | journal.keys()):
        found, expected = journal.get((account, token), 0), wanted.get((account, token), 0)
        if found != expected:
            report.note(f"journal of channels, {account} in {token}", found, expected)


def _compare_holdings(report: ChannelsReport, rpc: Caller, source: Source, books: ChannelBooks) -> None:
    owed: defaultdict[str, int] = defaultdict(int)
    for channel in books.channels.values():
        owed[channel.terms.token] += channel.state.available
    for (_, token), sums in books.sums.items():
        owed[token] += sums.claimed_units - sums.settled_units
    for token, units in sorted(owed.items()):
        balance = read_holding(rpc, source.contract, token, source.final_number)
        report.holdings.append(Holding(token, units, balance))
