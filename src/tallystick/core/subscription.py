"""A subscription as the mirror knows it: the contract's slot, rebuilt from events."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from tallystick.core.plan import PlanTerms


class Status(IntEnum):
    """Where a subscription stands; the numbers are the contract's. ENDING: cancelled at the end of the paid period."""

    ACTIVE = 0
    ENDING = 1
    CANCELLED = 2
    PAUSED = 3


class DeclineReason(IntEnum):
    """Why a charge did not happen; the numbers are the contract's. NONE: it did."""

    NONE = 0
    UNKNOWN = 1
    NOT_DUE = 2
    CANCELLED = 3
    ENDED = 4
    ALLOWANCE = 5
    BALANCE = 6
    TOKEN_REFUSED = 7
    PAUSED = 8
    BLOCKED = 9
    OVER_MANDATE = 10
    QUOTE_UNAVAILABLE = 11
    QUOTE_STALE = 12
    SLIPPAGE = 13


MAX_CHARGES = 65_535
"""How many charges one consent can carry; the contract counts them in 16 bits."""

MAX_USAGE_CHARGES = MAX_CHARGES // 2
"""Usage is charged up to this number: the other half stays for periods, so that nobody who charges usage can end a
subscription by it."""

PER_REGISTER = 1_000_000_000
"""Subscription numbers are the register's number, then nine digits: 3000000017 is number 17 in register 3."""


class Register(NamedTuple):
    """A payee's subscriptions in one token, which are numbered without gaps: `subscriptions` is how many there are."""

    register_id: int
    payee: str
    token: str
    subscriptions: int = 0

    @property
    def next_id(self) -> int:
        """The number of its next subscription."""
        return self.register_id * PER_REGISTER + self.subscriptions + 1


class Subscription(NamedTuple):
    """One subscription. `next_due` is the start of the next period to be charged, or while it is paused the seconds
    that were left to it; `charges` is how many were made. `credit_units` is what later charges take less. `shifted`:
    the period being served was paused, so that it does not lie on the grid as it was paid for. `usage_units` is what
    usage cost up to its last charge, number `usage_charge` (0: there was none); any other charge ends the count."""

    subscription_id: int
    payer: str
    plan_id: int
    next_due: int
    charges: int
    status: Status
    anchor_day: int
    seats: int = 0
    credit_units: int = 0
    shifted: bool = False
    usage_units: int = 0
    usage_charge: int = 0

    def is_due(self, terms: PlanTerms, time: int) -> bool:
        """Whether a charge at `time` would be tried: [next_due, next_due + grace) of an active subscription that has
        charges left. `terms` are its plan's."""
        return self.status == Status.ACTIVE and self.next_due <= time and not self.has_ended(terms, time)

    def has_ended(self, terms: PlanTerms, time: int) -> bool:
        """Whether an active subscription can never be charged again: it had all its charges, or one was not made within
        the plan's grace."""
        if self.charges >= (terms.max_charges or MAX_CHARGES):
            return True
        return terms.grace != 0 and time >= self.next_due + terms.grace

    def usage_left(self, terms: PlanTerms) -> int:
        """What may still be charged for usage until the next other charge, as the contract's `usageLeft`. `terms` are
        its plan's, which after a change may allow less than was charged already."""
        spent = self.usage_units if self.usage_charge == self.charges else 0
        return max(terms.usage_cap_units - spent, 0)


class NextCharge(NamedTuple):
    """What a charge is for and how much it takes: `amount_units` from the payer, `credit_units` from the credit."""

    period_start: int
    period_end: int
    amount_units: int
    credit_units: int


def next_charge(subscription: Subscription, terms: PlanTerms, time: int) -> NextCharge:
    """What a charge at `time` would be; `time` is not before the subscription's next due time.

    As the contract's: a charge that is late by more periods than the plan's `catch_up` forgives those beyond, and
    credit is used before the payer pays.
    """
    period, anchor_day = terms.period, subscription.anchor_day
    start = subscription.next_due
    end = period.later(start, 1, anchor_day)
    if end <= time:
        missed = period.whole_periods(start, time, anchor_day)
        if missed > terms.catch_up:
            start = period.later(start, missed - terms.catch_up, anchor_day)
            end = period.later(start, 1, anchor_day)
    rate = terms.rate(subscription.seats)
    used = min(subscription.credit_units, rate)
    return NextCharge(start, end, rate - used, used)
