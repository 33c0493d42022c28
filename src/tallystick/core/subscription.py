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


MAX_CHARGES = 65_535
"""How many charges one consent can carry; the contract counts them in 16 bits."""


class Subscription(NamedTuple):
    """One subscription. `next_due` is the start of the next period to be charged, or while it is paused the seconds
    that were left to it; `charges` is how many were made. `credit_units` is what later charges take less. `shifted`: the
    period being served was paused, so that it does not lie on the grid as it was paid for."""

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

    def is_due(self, time: int) -> bool:
        """Whether a charge at `time` would be tried: [next_due, ...) of an active subscription."""
        return self.status == Status.ACTIVE and self.next_due <= time and self.charges < MAX_CHARGES


def next_charge(subscription: Subscription, terms: PlanTerms, time: int) -> tuple[int, int]:
    """The period [start, end) that a charge at `time` would pay; `time` is not before the subscription's next due time.

    As the contract's: a charge that is late by more periods than the plan's `catch_up` forgives those beyond.
    """
    period, anchor_day = terms.period, subscription.anchor_day
    start = subscription.next_due
    missed = period.whole_periods(start, time, anchor_day)
    if missed > terms.catch_up:
        start = period.later(start, missed - terms.catch_up, anchor_day)
    return start, period.later(start, 1, anchor_day)
