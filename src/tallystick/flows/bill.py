"""Charges what is due: found in the mirror, tried without sending, sent in batches, declines recorded and retried.

Nothing that the mirror says can charge twice or too much: the contract knows each subscription's next due time, and of
two billers the slower one gets a row that is not due. What the mirror misses is charged the next time.

Anyone may make a plan in any token, so no row may hold up the others: what fails as a whole is tried again in parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Engine

from tallystick.chain.subscriptions import Subscriptions
from tallystick.core.dunning import Remedy, advice, retry_at
from tallystick.core.subscription import DeclineReason, Subscription, next_charge
from tallystick.errors import (
    CorruptionError,
    ForeignPlan,
    NodeInvalid,
    NodeRefused,
    RevertError,
    TransactionReverted,
)
from tallystick.flows.fill import Filler, PlanFill
from tallystick.flows.ingest import Target
from tallystick.flows.lead import Lease, leading
from tallystick.flows.pending import read_present
from tallystick.flows.recognise import ANY_PLAN, OwnPlans
from tallystick.storage.attempts import Attempt, add_attempts, last_attempts
from tallystick.storage.database import reading, transaction
from tallystick.storage.sources import Source, find_source
from tallystick.storage.subscriptions import due_subscription_ids

MOST_ROWS = 100
"""Rows in one call: more hardly cost less each, and nodes bound the gas of a dry run."""

GONE = {reason for reason in DeclineReason if (found := advice(reason)) and found.remedy is Remedy.NEVER}
"""Reasons which say that the mirror is behind, not that the payer did not pay."""


@dataclass(frozen=True, slots=True)
class Declined:
    """A charge that did not happen, and when it is tried again (None: with the next period)."""

    subscription_id: int
    reason: DeclineReason
    attempt: int
    retry_at: int | None


@dataclass
class BillReport:
    """What one round of billing did. `foreign_due` more were due of plans that are not the merchant's own; `foreign`
    says of each such plan why. `fills` are the own plans whose channels were filled, or could not be."""

    due: int = 0
    foreign_due: int = 0
    foreign: list[ForeignPlan] = field(default_factory=list)
    waiting: int = 0
    charged_ids: list[int] = field(default_factory=list)
    already_done: int = 0
    declined: list[Declined] = field(default_factory=list)
    transactions: list[str] = field(default_factory=list)
    gas_used: int = 0
    fills: list[PlanFill] = field(default_factory=list)

    @property
    def charged(self) -> int:
        """How many subscriptions were charged."""
        return len(self.charged_ids)


@dataclass(frozen=True, slots=True)
class _Due:
    subscription: Subscription
    period_start: int
    attempt: int


def bill_role(target: Target) -> str:
    """The name under which processes agree who charges for a contract."""
    return f"bill {target.chain_id} {target.contract}"


def bill_once(
    engine: Engine,
    target: Target,
    subscriptions: Subscriptions,
    *,
    max_gas: int,
    retry_after_s: Sequence[int],
    own: OwnPlans = ANY_PLAN,
    filler: Filler | None = None,
    lease: Lease | None = None,
) -> BillReport:
    """Charges everything that is due now, once, and returns when the transactions are mined. Then `filler`, where one
    is given, puts what plans that fill channels were charged into the channels.

    Of `own` plans alone: whose plans are charged, and who pays the gas for it, is the caller's to say. Without a
    `lease` it takes the role for this round. Raises AnotherLeads where another process has it, CorruptionError where
    the database mirrors nothing yet, and whatever stops a transaction; what was charged before stays charged.
    """
    if lease is None:
        with leading(engine, bill_role(target), wait=False) as taken:
            return bill_once(
                *(engine, target, subscriptions),
                max_gas=max_gas,
                retry_after_s=retry_after_s,
                own=own,
                filler=filler,
                lease=taken,
            )
    report = BillReport()
    source, due = _find_due(engine, target, subscriptions.node.timestamp(), own, report)
    round_ = _Round(engine, source, subscriptions, report, tuple(retry_after_s), max_gas)
    by_plan = sorted(due, key=lambda row: (row.subscription.plan_id, row.subscription.subscription_id))
    for start in range(0, len(by_plan), MOST_ROWS):
        lease.renew()
        rows = round_.try_rows(by_plan[start : start + MOST_ROWS])
        while rows:
            batch = round_.fitting(rows)
            round_.charge(batch)
            rows = rows[len(batch) :]
            lease.renew()
    if filler is not None:
        charged = report.charged_ids
        report.fills = filler.fill_once(engine, source, own=own, max_gas=max_gas, charged=charged, renew=lease.renew)
    return report


def _find_due(engine: Engine, target: Target, now: int, own: OwnPlans, report: BillReport) -> tuple[Source, list[_Due]]:
    """What is due of own plans and may be tried now; the report counts it, and what is due besides."""
    with reading(engine) as connection:
        source = find_source(connection, target.chain_id, target.contract)
        if source is None:
            raise CorruptionError(
                f"the database mirrors nothing of {target.contract} on chain {target.chain_id} yet: run "
                "`tallystick index --once` first"
            )
        ids = due_subscription_ids(connection, source.source_id, now)
        books = read_present(connection, source, {}, ids).books
        attempts = last_attempts(connection, source.source_id, sorted(books.subscriptions))
    due = []
    foreign: dict[int, ForeignPlan] = {}
    for subscription in books.subscriptions.values():
        terms = books.plans[subscription.plan_id].terms
        if not subscription.is_due(terms, now):
            continue
        if objection := own.objection(subscription.plan_id, terms):
            report.foreign_due += 1
            foreign[subscription.plan_id] = objection
            continue
        report.due += 1
        scheduled = subscription.scheduled and books.plans[subscription.scheduled[0]].terms
        start = next_charge(subscription, terms, now, scheduled).period_start
        last = attempts.get((subscription.subscription_id, start))
        if last is not None and (last.retry_at is None or last.retry_at > now):
            report.waiting += 1
        else:
            due.append(_Due(subscription, start, 1 if last is None else last.attempt + 1))
    report.foreign = [objection for _, objection in sorted(foreign.items())]
    return source, due


class _Round:
    """One round's writing: attempts into the database, charges onto the chain."""

    def __init__(
        self,
        engine: Engine,
        source: Source,
        subscriptions: Subscriptions,
        report: BillReport,
        retry_after_s: Sequence[int],
        max_gas: int,
    ) -> None:
        self.engine = engine
        self.source = source
        self.subscriptions = subscriptions
        self.report = report
        self.retry_after_s = retry_after_s
        self.max_gas = max_gas

    def try_rows(self, rows: Sequence[_Due]) -> list[_Due]:
        """The rows that would pay now; the others are recorded."""
        return self._sort_out(rows, self._dry_run(_ids(rows)))

    def fitting(self, rows: list[_Due]) -> list[_Due]:
        """As many of the rows as the gas of a batch allows, one at least."""
        while len(rows) > 1 and self._gas(rows) > self.max_gas:
            rows = rows[: len(rows) // 2]
        return rows

    def charge(self, rows: Sequence[_Due]) -> None:
        """Sends one batch and records how each row went.

        A token may behave when it is tried and misbehave when it is mined. A batch that reverts is sent again plan by
        plan; the rows of a plan that reverts by itself are declined, and tried again by their schedule.
        """
        try:
            sent = self.subscriptions.charge(_ids(rows))
        except (RevertError, TransactionReverted):
            plans = {row.subscription.plan_id for row in rows}
            if len(plans) == 1:
                self._sort_out(rows, [DeclineReason.TOKEN_REFUSED] * len(rows))
                return
            for plan_id in sorted(plans):
                self.charge([row for row in rows if row.subscription.plan_id == plan_id])
            return
        self.report.transactions.append(sent.receipt.transaction)
        self.report.gas_used += sent.receipt.gas_used
        if len(sent.reasons) != len(rows):
            raise NodeInvalid(
                f"the receipt of {sent.receipt.transaction} has {len(sent.reasons)} events of charges, expected are "
                f"{len(rows)}: the charges stand; ask another node"
            )
        self.report.charged_ids += _ids(self._sort_out(rows, sent.reasons))

    def _dry_run(self, ids: Sequence[int]) -> list[DeclineReason]:
        """Together; in halves where that takes more gas than the node gives. A single row reverts for its token."""
        try:
            return self.subscriptions.charge_dry_run(ids)
        except (RevertError, NodeRefused) as error:
            if len(ids) == 1:
                if isinstance(error, RevertError):
                    return [DeclineReason.TOKEN_REFUSED]
                raise
        half = len(ids) // 2
        return [*self._dry_run(ids[:half]), *self._dry_run(ids[half:])]

    def _gas(self, rows: Sequence[_Due]) -> int:
        """More than is allowed where the rows together take more than the node gives."""
        try:
            return self.subscriptions.charge_gas(_ids(rows))
        except (RevertError, NodeRefused):
            return self.max_gas + 1

    def _sort_out(self, rows: Sequence[_Due], reasons: Sequence[DeclineReason]) -> list[_Due]:
        """The rows that are paid or would be; declines go into the database and the report."""
        paid, attempts = [], []
        now = self.subscriptions.node.timestamp()
        for row, reason in zip(rows, reasons, strict=True):
            if reason == DeclineReason.NONE:
                paid.append(row)
            elif reason in GONE:
                self.report.already_done += 1
            else:
                again = retry_at(row.attempt, now, self.retry_after_s, reason)
                number = row.subscription.subscription_id
                attempts.append(Attempt(number, row.period_start, row.attempt, now, reason.name.lower(), again))
                self.report.declined.append(Declined(number, reason, row.attempt, again))
        if attempts:
            with transaction(self.engine) as connection:
                add_attempts(connection, self.source.source_id, attempts)
        return paid


def _ids(rows: Sequence[_Due]) -> list[int]:
    return [row.subscription.subscription_id for row in rows]
