"""Revenue of subscriptions by month, and what is deferred: derived from final invoices each time that it is read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from sqlalchemy import Connection

from tallystick.core.deferral import Deferral, GivenBack, month_starts
from tallystick.core.invoice import Kind
from tallystick.core.ledger import Balance, Posting, balances_of
from tallystick.storage.invoices import read_invoices
from tallystick.storage.sources import Source


class PlanKey(NamedTuple):
    """Whose revenue it is, of which plan, in which token."""

    payee: str
    plan_id: int
    token: str


class Revenue(NamedTuple):
    """What happened in a time, in base units: charged, given back, earned of it; and what was deferred at its end.
    Deferred at the beginning, and charged, is earned, given back of it, or deferred at the end."""

    charged_units: int = 0
    refunded_units: int = 0
    earned_units: int = 0
    deferred_units: int = 0

    def plus(self, other: Revenue) -> Revenue:
        """Both, side by side."""
        return Revenue(*(one + another for one, another in zip(self, other, strict=True)))


@dataclass(frozen=True, slots=True)
class MonthlyRevenue:
    """By the beginning of each month (UTC, Unix seconds) and plan; the last month ends before `until`."""

    until: int
    months: dict[int, dict[PlanKey, Revenue]] = field(default_factory=dict)


def read_deferrals(connection: Connection, source: Source) -> Iterator[tuple[PlanKey, Deferral]]:
    """Every charge with its refunds, of a source of subscriptions."""
    refunds: defaultdict[tuple[int, int], list[GivenBack]] = defaultdict(list)
    for note in read_invoices(connection, source.source_id, kind=Kind.CREDIT_NOTE):
        given = GivenBack(note.origin.block_time, note.total_units)
        refunds[note.subscription_id, note.charge_number].append(given)
    for invoice in read_invoices(connection, source.source_id, kind=Kind.INVOICE):
        place = invoice.subscription_id, invoice.charge_number
        time = invoice.origin.block_time
        period = (time, time) if invoice.usage else (invoice.period_start, invoice.period_end)  # usage was delivered
        back = sorted(refunds.get(place, ()))
        charge = Deferral(time, *period, invoice.total_units, back)
        yield PlanKey(invoice.payee, invoice.plan_id, invoice.token), charge


def revenue_until(connection: Connection, source: Source, at: int) -> dict[PlanKey, Revenue]:
    """All that happened before `at` (Unix seconds), by plan."""
    found: defaultdict[PlanKey, Revenue] = defaultdict(Revenue)
    for key, charge in read_deferrals(connection, source):
        if charge.time < at:
            found[key] = found[key].plus(_until(charge, at))
    return dict(sorted(found.items()))


def revenue_by_month(connection: Connection, source: Source, since: int, until: int) -> MonthlyRevenue:
    """Month by month, from the month of `since` to that of `until`, both included (Unix seconds)."""
    starts = list(month_starts(since, until))
    months: dict[int, defaultdict[PlanKey, Revenue]] = {start: defaultdict(Revenue) for start in starts[:-1]}
    for key, charge in read_deferrals(connection, source):
        last = max([charge.end, charge.time, *(refund.time for refund in charge.refunds)])
        before = _until(charge, starts[0])
        for start, end in pairwise(starts):
            if end <= charge.time:
                continue
            if start > last:
                break
            now = _until(charge, end)
            part = Revenue(*(later - earlier for later, earlier in zip(now, before, strict=True)))
            months[start][key] = months[start][key].plus(part._replace(deferred_units=now.deferred_units))
            before = now
    return MonthlyRevenue(starts[-1], {start: dict(sorted(found.items())) for start, found in months.items()})


def deferral_postings(found: dict[PlanKey, Revenue]) -> list[Posting]:
    """What makes of a journal's income by payments its income by what was earned: balanced, stored nowhere."""
    postings = []
    for (payee, plan_id, token), revenue in found.items():
        if revenue.deferred_units:
            plan = f"{payee}:Plan-{plan_id}"
            postings.append(Posting(f"Income:Subscriptions:{plan}", "D", token, revenue.deferred_units))
            postings.append(Posting(f"Liabilities:Deferred:{plan}", "C", token, revenue.deferred_units))
    return postings


def by_accrual(connection: Connection, source: Source, paid: Sequence[Balance], at: int) -> list[Balance]:
    """The balances of a journal of subscriptions as they are with income by when it is earned, at the end of the second
    `at` (Unix seconds), as of which `paid` are those by payments. Ordered by account and token."""
    deferred = balances_of(deferral_postings(revenue_until(connection, source, at + 1)))
    sums: dict[tuple[str, str], Balance] = {(balance.account, balance.token): balance for balance in paid}
    for more in deferred:
        before = sums.get((more.account, more.token)) or Balance(more.account, more.token, 0, 0)
        sums[more.account, more.token] = Balance(
            *(more.account, more.token),
            before.debit_units + more.debit_units,
            before.credit_units + more.credit_units,
        )
    return [sums[place] for place in sorted(sums)]


def _until(charge: Deferral, at: int) -> Revenue:
    parts = charge.charged_units(at), charge.refunded_units(at), charge.earned_units(at)
    return Revenue(*parts, charge.deferred_units(at))
