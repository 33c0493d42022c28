"""Proves the books of every contract that is mirrored, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

from sqlalchemy import Engine

from tallystick.chain.node import Node
from tallystick.chain.rpc import Caller
from tallystick.flows.audit import AuditReport, audit
from tallystick.flows.audit_channels import ChannelsReport, audit_channels
from tallystick.flows.audit_checkout import CheckoutReport, audit_checkout
from tallystick.flows.audit_conversions import ConversionsReport, audit_conversions
from tallystick.flows.audit_payments import PaymentsReport, audit_payments
from tallystick.flows.channel_books import X402
from tallystick.flows.compare import Report
from tallystick.flows.ingest import Progress
from tallystick.flows.mirror import Targets
from tallystick.flows.rates import RateSources


@dataclass(frozen=True, slots=True)
class Audits:
    """A report on the books of each contract; None where it is not mirrored."""

    subscriptions: AuditReport
    escrow: PaymentsReport
    checkout: CheckoutReport
    channels: ChannelsReport
    conversion: ConversionsReport | None = None
    x402: ChannelsReport | None = None

    @property
    def reports(self) -> dict[str, Report]:
        """Those that there are, by their names."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: report for name, report in found.items() if report is not None}

    @property
    def ok(self) -> bool:
        """Whether everything agrees."""
        return all(report.ok for report in self.reports.values())

    @property
    def difference_count(self) -> int:
        """How many differences there are in all."""
        return sum(report.difference_count for report in self.reports.values())


def audit_all(
    engine: Engine,
    chain: Caller,
    targets: Targets,
    *,
    node: Node | None = None,
    rates: RateSources | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Audits:
    """Compares all books with the chain, of which a node tells or a pack proves; recorded rates by `node` and what
    `rates` the merchant names, where there are both. Raises what the single audits raise."""
    conversion = x402 = None
    subscriptions = audit(engine, chain, targets.target, on_progress=on_progress)
    escrow = audit_payments(engine, chain, targets.escrow, on_progress=on_progress)
    checkout = audit_checkout(engine, chain, targets.checkout, on_progress=on_progress)
    channels = audit_channels(engine, chain, targets.channels, on_progress=on_progress)
    if targets.conversion is not None:
        sources = rates or RateSources(())
        conversion = audit_conversions(engine, chain, targets.conversion, node, sources, on_progress=on_progress)
    if targets.x402 is not None:
        x402 = audit_channels(engine, chain, targets.x402, X402, on_progress=on_progress)
    return Audits(subscriptions, escrow, checkout, channels, conversion, x402)
