"""The books of one contract: what each event does to plans, subscriptions, journal and invoices.

`Books.apply` is the only way from an event to anything that is derived from it. The mirror applies each final event
once and stores the change; readers apply the pending ones on top of what is stored; the audit applies them all again.

Every event is checked against what came before it. Plans, subscriptions and the charges of a subscription are numbered
without gaps by the contract, so that an event which a node left out is noticed at the next one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple, NoReturn

from tallystick.core.events import (
    CancellationScheduled,
    Cancelled,
    Charged,
    Declined,
    Event,
    MandateAccepted,
    MandateRevoked,
    Paused,
    PlanCreated,
    Recorded,
    Refunded,
    Resumed,
    Subscribed,
)
from tallystick.core.invoice import Invoice, Kind, credit_note_for, invoice_for
from tallystick.core.ledger import GENESIS_HASH, Entry, entry_for
from tallystick.core.pegs import PegHistory, peg_at
from tallystick.core.period import anchor_day_of
from tallystick.core.plan import Plan, PlanTerms
from tallystick.core.subscription import Status, Subscription
from tallystick.errors import EventsInconsistent


class Change(NamedTuple):
    """What one event does. What it leaves alone is None."""

    plan: Plan | None = None
    subscription: Subscription | None = None
    entry: Entry | None = None
    invoice: Invoice | None = None


_NOTHING = Change()


class Books:
    """Everything that the next event may need to know.

    Whoever keeps only a part in memory fills in the subscriptions that the coming events touch, and the charges that
    they refund: `refunded_charges` with the invoices of those which are older (`charge_invoices`). With `keep_all` the
    books remember everything themselves.
    """

    def __init__(self, pegs: PegHistory, *, keep_all: bool = False) -> None:
        self.pegs = pegs
        self.keep_all = keep_all
        self.refunded_charges: set[tuple[int, int]] = set()
        self.plans: dict[int, PlanTerms] = {}
        self.subscriptions: dict[int, Subscription] = {}
        self.charge_invoices: dict[tuple[int, int], Invoice] = {}
        self.refunded_units: defaultdict[tuple[int, int], int] = defaultdict(int)
        self.subscription_count = 0
        self.entry_number = 0
        self.entry_hash = GENESIS_HASH
        self.invoice_numbers: dict[tuple[Kind, str], int] = {}

    def apply(self, recorded: Recorded, *, final: bool = True) -> Change:
        """The change that an event makes; the books then stand after it.

        Only a final event is journalled and gets an invoice number. Raises EventsInconsistent for an event that cannot
        follow the ones before it.
        """
        event = recorded.event
        match event:
            case Charged():
                return self._charge(recorded, event, final)
            case Refunded():
                return self._refund(recorded, event, final)
            case Subscribed():
                return self._subscribe(recorded, event)
            case Cancelled():
                return self._cancel(recorded, event)
            case CancellationScheduled():
                return self._schedule_cancellation(recorded, event)
            case Paused():
                return self._pause(recorded, event)
            case Resumed():
                return self._resume(recorded, event)
            case PlanCreated():
                return self._create_plan(recorded, event)
            case Declined() | MandateAccepted() | MandateRevoked():
                return _NOTHING

    def _create_plan(self, recorded: Recorded, event: PlanCreated) -> Change:
        if event.plan_id != len(self.plans) + 1:
            _refuse(recorded, f"plan {event.plan_id} follows plan {len(self.plans)}")
        terms = PlanTerms(event.payee, event.price_units, event.token, event.every, event.unit, event.catch_up)
        self.plans[event.plan_id] = terms
        return Change(plan=Plan(event.plan_id, terms))

    def _subscribe(self, recorded: Recorded, event: Subscribed) -> Change:
        if event.subscription_id != self.subscription_count + 1:
            _refuse(recorded, f"subscription {event.subscription_id} follows {self.subscription_count}")
        if event.plan_id not in self.plans:
            _refuse(recorded, f"subscription {event.subscription_id} is to plan {event.plan_id}, which is unknown")
        self.subscription_count += 1
        return self._keep(
            Subscription(
                event.subscription_id,
                event.payer,
                event.plan_id,
                event.first_due,
                0,
                Status.ACTIVE,
                anchor_day_of(event.first_due),
            )
        )

    def _schedule_cancellation(self, recorded: Recorded, event: CancellationScheduled) -> Change:
        subscription = self._subscription(recorded, event.subscription_id)
        _require_status(recorded, subscription, Status.ACTIVE)
        if event.ends_at != subscription.next_due:
            _refuse(recorded, f"it ends at {event.ends_at}, the paid period at {subscription.next_due}")
        return self._keep(subscription._replace(status=Status.ENDING))

    def _cancel(self, recorded: Recorded, event: Cancelled) -> Change:
        subscription = self._subscription(recorded, event.subscription_id)
        _require_status(recorded, subscription, Status.ACTIVE, Status.ENDING, Status.PAUSED)
        due = subscription.next_due
        if subscription.status == Status.PAUSED:  # what was left of the paid period is left from now
            due += recorded.origin.block_time
        return self._keep(subscription._replace(status=Status.CANCELLED, next_due=due))

    def _pause(self, recorded: Recorded, event: Paused) -> Change:
        subscription = self._subscription(recorded, event.subscription_id)
        _require_status(recorded, subscription, Status.ACTIVE)
        left = subscription.next_due - recorded.origin.block_time
        if event.left != left or left <= 0:
            _refuse(recorded, f"{event.left} seconds left of a period that ends at {subscription.next_due}")
        return self._keep(subscription._replace(status=Status.PAUSED, next_due=left))

    def _resume(self, recorded: Recorded, event: Resumed) -> Change:
        subscription = self._subscription(recorded, event.subscription_id)
        _require_status(recorded, subscription, Status.PAUSED)
        due = recorded.origin.block_time + subscription.next_due
        if event.next_due != due:
            _refuse(recorded, f"it is due at {event.next_due}, after {subscription.next_due} seconds left")
        return self._keep(subscription._replace(status=Status.ACTIVE, next_due=due, anchor_day=anchor_day_of(due)))

    def _charge(self, recorded: Recorded, event: Charged, final: bool) -> Change:
        subscription = self._subscription(recorded, event.subscription_id)
        terms = self.plans[subscription.plan_id]
        if event.charge_number != subscription.charges + 1:
            _refuse(recorded, f"charge {event.charge_number} follows charge {subscription.charges}")
        _require_status(recorded, subscription, Status.ACTIVE)
        if event.period_start < subscription.next_due:
            _refuse(recorded, f"its period starts at {event.period_start}, before {subscription.next_due}")
        if event.amount_units != terms.price_units:
            _refuse(recorded, f"it is {event.amount_units} units, the plan's price is {terms.price_units}")
        change = self._keep(subscription._replace(next_due=event.period_end, charges=event.charge_number))
        invoice = invoice_for(
            event,
            recorded.origin,
            number=self._next_number(Kind.INVOICE, terms.payee) if final else None,
            payer=subscription.payer,
            plan_id=subscription.plan_id,
            terms=terms,
            peg=peg_at(self.pegs, terms.token, recorded.origin.block_number),
        )
        key = (event.subscription_id, event.charge_number)
        if self.keep_all or key in self.refunded_charges:
            self.charge_invoices[key] = invoice
        entry = self._journal(event, recorded, subscription.plan_id) if final else None
        return change._replace(invoice=invoice, entry=entry)

    def _refund(self, recorded: Recorded, event: Refunded, final: bool) -> Change:
        subscription = self._subscription(recorded, event.subscription_id)
        terms = self.plans[subscription.plan_id]
        key = (event.subscription_id, event.charge_number)
        charge = self.charge_invoices.get(key)
        if charge is None:
            _refuse(recorded, f"it refunds charge {event.charge_number}, which is unknown")
        self.refunded_units[key] += event.amount_units
        if self.refunded_units[key] > charge.total_units:
            _refuse(recorded, f"{self.refunded_units[key]} units refunded of a charge of {charge.total_units}")
        credit_note = credit_note_for(
            event,
            recorded.origin,
            charge,
            number=self._next_number(Kind.CREDIT_NOTE, terms.payee) if final else None,
            # Valued as the invoice that it corrects, whatever was declared since.
            peg=peg_at(self.pegs, terms.token, charge.origin.block_number),
        )
        entry = self._journal(event, recorded, subscription.plan_id) if final else None
        return Change(invoice=credit_note, entry=entry)

    def _journal(self, event: Charged | Refunded, recorded: Recorded, plan_id: int) -> Entry:
        self.entry_number += 1
        entry = entry_for(self.entry_number, event, recorded.origin, plan_id, self.plans[plan_id], self.entry_hash)
        self.entry_hash = entry.hash
        return entry

    def _next_number(self, kind: Kind, payee: str) -> int:
        number = self.invoice_numbers.get((kind, payee), 0) + 1
        self.invoice_numbers[kind, payee] = number
        return number

    def _subscription(self, recorded: Recorded, subscription_id: int) -> Subscription:
        found = self.subscriptions.get(subscription_id)
        if found is None:
            _refuse(recorded, f"subscription {subscription_id} is unknown")
        return found

    def _keep(self, subscription: Subscription) -> Change:
        self.subscriptions[subscription.subscription_id] = subscription
        return Change(subscription=subscription)


def _require_status(recorded: Recorded, subscription: Subscription, *allowed: Status) -> None:
    if subscription.status not in allowed:
        _refuse(recorded, f"subscription {subscription.subscription_id} is {subscription.status.name.lower()}")


def touched(events: Iterable[Event]) -> tuple[list[int], list[tuple[int, int]]]:
    """The subscriptions that these events build on, and the charges that they refund: (subscription, charge number).

    A decline builds on nothing: it changes nothing, and may name a number that no subscription can have.
    """
    subscriptions: set[int] = set()
    charges: set[tuple[int, int]] = set()
    for event in events:
        if isinstance(event, Declined | PlanCreated | MandateRevoked):
            continue
        subscriptions.add(event.subscription_id)
        if isinstance(event, Refunded):
            charges.add((event.subscription_id, event.charge_number))
    return sorted(subscriptions), sorted(charges)


def _refuse(recorded: Recorded, found: str) -> NoReturn:
    origin = recorded.origin
    raise EventsInconsistent(
        f"{type(recorded.event).__name__} in block {origin.block_number}, log {origin.log_index}, cannot follow what "
        f"is in the books: {found}. The node left events out, or is on another branch: ask another node"
    )
