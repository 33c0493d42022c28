"""Which periods fell due while their subscription was active, and which of them were not charged.

A period is expected from the moment it is due, with what a charge in that moment would have taken if all before it had
been charged when they were due: by the plan's terms, seats, discount and credit as they stood. One that is charged is
expected with what it was charged: the contract takes neither more nor less than what is due then, and what is due may
have changed (a coupon, a lower price, a fallback plan in another token).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tallystick.core.books import Books
from tallystick.core.dunning import Remedy, advice
from tallystick.core.events import Charged, Declined, Recorded
from tallystick.core.invoice import Invoice, Kind
from tallystick.core.plan import Plan, PlanTerms
from tallystick.core.subscription import DeclineReason, Status, Subscription, next_charge


class DuePeriod(NamedTuple):
    """A period of a subscription that fell due at its `start`, in Unix seconds. `units` are base units of the plan's
    token; None where a quoter says them at the charge alone."""

    subscription_id: int
    start: int
    payer: str
    plan_id: int
    token: str
    units: int | None


class Decline(NamedTuple):
    """When a charge did not happen, in Unix seconds, and why."""

    time: int
    reason: DeclineReason


def due_periods(subscription: Subscription, plans: Mapping[int, Plan], since: int, until: int) -> Iterator[DuePeriod]:
    """The periods that fall due in [since, until), where the subscription stands so all the time; each as if those
    before it had been charged when they were due."""
    terms = plans[subscription.plan_id].terms
    ahead, start = subscription, subscription.next_due
    while ahead.status == Status.ACTIVE and start < until:
        # As it stands it may end before, because nothing is charged; and as if all was charged, by its last charge.
        if subscription.has_ended(terms, start) or ahead.has_ended(plans[ahead.plan_id].terms, start):
            return
        coming = plans[ahead.scheduled.plan_id if ahead.scheduled else ahead.plan_id]
        due = next_charge(ahead, plans[ahead.plan_id].terms, start, coming.terms)
        if start >= since:
            units = None if coming.terms.quoter else due.amount_units
            yield DuePeriod(
                subscription.subscription_id, start, subscription.payer, due.plan_id, coming.terms.token, units
            )
        ahead = ahead.after(due, coming.terms)
        start = ahead.next_due


class DuePeriods:
    """Finds what fell due, out of all events in their order; refunds and claims change nothing of it and may be left
    out.

    `uncharged` are the periods that were not charged, by subscription and start, and `declines` the last decline on
    chain of each, where there was one.
    """

    def __init__(self) -> None:
        self.books = Books({})
        self.uncharged: dict[tuple[int, int], DuePeriod] = {}
        self.declines: dict[tuple[int, int], Decline] = {}
        self._looked: dict[int, int] = {}

    def apply(self, recorded: Recorded) -> Invoice | None:
        """One event; the invoice, where it is a charge. Raises EventsInconsistent."""
        event, time = recorded.event, recorded.origin.block_time
        number: int | None = getattr(event, "subscription_id", None)
        subscription = None if number is None else self.books.subscriptions.get(number)
        if subscription is not None:
            self._look(subscription, time)
            if isinstance(event, Declined):
                self._decline(subscription, event, time)
        invoice = self.books.apply(recorded, final=False).invoice
        if invoice is None or invoice.kind is not Kind.INVOICE:
            return None
        if isinstance(event, Charged) and invoice.usage is None:
            self.uncharged.pop((invoice.subscription_id, invoice.period_start), None)
        return invoice

    def finish(self, until: int) -> None:
        """What fell due since the last event of each subscription, before `until`."""
        for subscription in self.books.subscriptions.values():
            self._look(subscription, until)

    def is_open(self, period: DuePeriod, time: int) -> bool:
        """Whether a charge at `time` may still be for this period, or for it after those before it."""
        subscription = self.books.subscriptions[period.subscription_id]
        return subscription.is_due(self._terms(subscription), time) and period.start >= self._first(subscription, time)

    def _look(self, subscription: Subscription, until: int) -> None:
        number = subscription.subscription_id
        since = self._looked.get(number, 0)
        if subscription.next_due < until:
            for period in due_periods(subscription, self.books.plans, since, until):
                self.uncharged[number, period.start] = period
        self._looked[number] = until

    def _decline(self, subscription: Subscription, event: Declined, time: int) -> None:
        found = advice(event.reason)
        if found and found.remedy is not Remedy.NEVER and subscription.is_due(self._terms(subscription), time):
            place = subscription.subscription_id, self._first(subscription, time)
            self.declines[place] = Decline(time, event.reason)

    def _first(self, subscription: Subscription, time: int) -> int:
        """The start of the period that a charge would be for."""
        plans = self.books.plans
        scheduled = plans[subscription.scheduled.plan_id].terms if subscription.scheduled else None
        return next_charge(subscription, self._terms(subscription), time, scheduled).period_start

    def _terms(self, subscription: Subscription) -> PlanTerms:
        return self.books.plans[subscription.plan_id].terms
