"""Proves the books of conversions, as `flows.audit` those of subscriptions: events, entries and tokens are derived
again from the chain and compared with what is stored, row by row; and the evidence of each recorded rate is looked at.

Not proven: that a node told of every exchange. The contract counts nothing, so that there is no total to compare with;
a node that leaves one out from the books and from the audit alike is found by auditing with another node.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine

from tallystick.chain.node import Node
from tallystick.chain.rpc import Caller
from tallystick.core.conversion_books import ConversionBooks
from tallystick.core.pegs import peg_history
from tallystick.core.rate import Rate
from tallystick.errors import NodeRefused
from tallystick.flows.compare import (
    Report,
    Walk,
    chain_logs,
    compare_pending,
    compare_source,
    compare_strays,
    compare_tokens,
    extent,
    require_source,
)
from tallystick.flows.ingest import Progress, Target
from tallystick.flows.rates import RateSources, check_evidence
from tallystick.storage.database import reading
from tallystick.storage.pegs import read_pegs
from tallystick.storage.rates import RecordedRate, read_rates
from tallystick.storage.tokens import read_tokens


@dataclass
class ConversionsReport(Report):
    """The report on the books of `UniswapSwapper`: how many exchanges there are, how many rates were recorded, and of
    how many nobody could tell because the node does not keep the state of their blocks."""

    conversions: int = 0
    rates: int = 0
    rates_unchecked: int = 0

    @property
    def figures(self) -> dict[str, int]:
        """Those of conversions, which have no invoices."""
        return {
            "events": self.events,
            "conversions": self.conversions,
            "rates": self.rates,
            "rates_unchecked": self.rates_unchecked,
        }


def audit_conversions(
    engine: Engine,
    rpc: Caller,
    target: Target,
    node: Node | None,
    rates: RateSources,
    *,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> ConversionsReport:
    """Compares chain and journal up to the source's final block, the events behind it that are pending, and recorded
    rates with their evidence, unless there is no `node` to ask. Writes nothing.

    Raises CorruptionError where the database knows nothing of the contract or has a row that cannot be read, NodeError
    for a node that cannot be used.
    """
    with reading(engine) as connection:
        source = require_source(connection, target)
        report = ConversionsReport(*extent(source))
        reader = chain_logs(rpc, target)
        compare_source(report, reader, source, target)
        tokens = read_tokens(connection, target.chain_id)
        report.pegs = read_pegs(connection, source.source_id)
        books = ConversionBooks(peg_history(report.pegs, tokens))
        walk = Walk(
            *(report, connection, source, target),
            apply=lambda log: books.apply(log.origin, log.event),
            read_documents=lambda *_, **__: iter(()),
            last_numbers=lambda *_: (),
            count_entry=lambda _: None,
        )
        for chunk in reader.read(source.start_block, source.final_number):
            walk.compare(chunk)
            on_progress(Progress(chunk.end.number, source.final_number, report.events))
        walk.finish()
        report.conversions = books.entry_number
        compare_strays(report, connection, source.source_id)
        compare_tokens(report, rpc, target.chain_id, tokens, walk.token_blocks)
        compare_pending(report, reader, connection, source)
        for recorded in read_rates(connection, target.chain_id):
            _check_rate(report, node, rates, recorded)
    return report


def _check_rate(report: ConversionsReport, node: Node | None, sources: RateSources, recorded: RecordedRate) -> None:
    rate: Rate = recorded.rate
    report.rates += 1
    if node is None:
        report.rates_unchecked += 1
        return
    try:
        wrong = check_evidence(node, sources, rate, recorded.block_number)
    except NodeRefused:
        report.rates_unchecked += 1
        return
    if wrong is not None:
        name = f"rate of {rate.token} in {rate.currency} in block {recorded.block_number}"
        report.note(name, rate.evidence, wrong)
