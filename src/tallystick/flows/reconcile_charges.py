"""Holds what fell due against what was invoiced: by payer, plan and month, with the reason of each difference."""

from __future__ import annotations

from collections import Counter, defaultdict

from sqlalchemy import Connection

from tallystick.chain.decode import SUBSCRIPTIONS
from tallystick.core.due_period import Decline, DuePeriod, DuePeriods
from tallystick.core.events import Recorded
from tallystick.core.invoice import Invoice, Kind
from tallystick.core.reconciliation import ChargeRow, RowKey, month_of
from tallystick.core.subscription import DeclineReason, Status
from tallystick.errors import CorruptionError
from tallystick.flows.recognise import ANY_PLAN, OwnPlans
from tallystick.storage.attempts import last_attempts
from tallystick.storage.events import read_events
from tallystick.storage.invoices import read_invoices
from tallystick.storage.sources import Source

LEFT_OUT = {"Refunded", "Claimed"}
"""Of them nothing falls due: refunds are read from their credit notes."""


def reconcile_charges(connection: Connection, source: Source, own: OwnPlans = ANY_PLAN) -> dict[RowKey, ChargeRow]:
    """Of the merchant's `own` plans, as of the last final block; by month, plan, payer and token. Derived from all
    events again, each time.

    Raises CorruptionError where what was invoiced is not what the events make.
    """
    due, charged = DuePeriods(), Counter[RowKey]()
    names = tuple(name for name in SUBSCRIPTIONS.shapes if name not in LEFT_OUT)
    for row in read_events(connection, source.source_id, through=source.final_number, names=names):
        recorded = Recorded(row.origin, SUBSCRIPTIONS.decode(row.name, row.topics, row.data))
        if invoice := due.apply(recorded):
            charged[_key(invoice)] += invoice.total_units
    due.finish(source.final_time + 1)

    rows: defaultdict[RowKey, ChargeRow] = defaultdict(ChargeRow)
    _add_invoices(connection, source, rows)
    for key in charged.keys() | rows.keys():
        if charged[key] != rows[key].charged_units:
            raise CorruptionError(
                f"of {key.payer}, plan {key.plan_id}, {key.month}, invoices of {rows[key].charged_units} units are "
                f"stored, the events make {charged[key]}: somebody changed the database. `tallystick audit verify` "
                "names each difference"
            )
    _add_uncharged(connection, source, due, rows)
    plans = due.books.plans
    return {
        key: row for key, row in sorted(rows.items()) if own.objection(key.plan_id, plans[key.plan_id].terms) is None
    }


def _key(invoice: Invoice) -> RowKey:
    """Of the month in which it was due: usage, and a change at once, is due when it is charged."""
    moment = invoice.origin.block_time if invoice.usage else invoice.period_start
    return RowKey(month_of(moment), invoice.plan_id, invoice.payer, invoice.token)


def _add_invoices(connection: Connection, source: Source, rows: defaultdict[RowKey, ChargeRow]) -> None:
    """What was charged, and given back of it since."""
    refunded: Counter[tuple[int, int]] = Counter()
    for note in read_invoices(connection, source.source_id, kind=Kind.CREDIT_NOTE):
        refunded[note.subscription_id, note.charge_number] += note.total_units
    for invoice in read_invoices(connection, source.source_id, kind=Kind.INVOICE):
        key, back = _key(invoice), refunded[invoice.subscription_id, invoice.charge_number]
        rows[key].charge(invoice.total_units, back, late=month_of(invoice.origin.block_time) != key.month)


def _add_uncharged(
    connection: Connection, source: Source, due: DuePeriods, rows: defaultdict[RowKey, ChargeRow]
) -> None:
    """What fell due and was not charged, with the last decline: on chain, or of the biller before it sent anything."""
    declines = dict(due.declines)
    numbers = sorted({number for number, _ in due.uncharged})
    for place, attempt in last_attempts(connection, source.source_id, numbers).items():
        before = declines.get(place)
        if attempt.time <= source.final_time and (before is None or before.time <= attempt.time):
            declines[place] = Decline(attempt.time, DeclineReason[attempt.reason.upper()])
    for place, period in due.uncharged.items():
        key = RowKey(month_of(period.start), period.plan_id, period.payer, period.token)
        still_open = due.is_open(period, source.final_time)
        decline = declines.get(place)
        if decline:
            reason = f"declined: {decline.reason.word}"
        else:
            reason = _why_uncharged(due, period, source.final_time, still_open=still_open)
        rows[key].miss(period.units, reason, declined=decline is not None, still_open=still_open)


def _why_uncharged(due: DuePeriods, period: DuePeriod, time: int, *, still_open: bool) -> str:
    """Of a period that was never declined."""
    if still_open:
        return "not charged yet"
    subscription = due.books.subscriptions[period.subscription_id]
    terms = due.books.plans[subscription.plan_id].terms
    # While it is paused `next_due` is no time; nothing was due when it was paused, so that what was missed is past.
    if subscription.status == Status.PAUSED or subscription.next_due > period.start:
        return "not charged in time"
    if subscription.status != Status.ACTIVE:
        return "not charged before it was cancelled"
    return "not charged before it ended" if subscription.has_ended(terms, time) else "not charged in time"
