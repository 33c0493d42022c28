"""A subscription as the mirror knows it: the contract's slot, rebuilt from events."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Status(IntEnum):
    """Where a subscription stands; the numbers are the contract's. ENDING: cancelled at the end of the paid period."""

    ACTIVE = 0
    ENDING = 1
    CANCELLED = 2


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


MAX_CHARGES = 65_535
"""How many charges one consent can carry; the contract counts them in 16 bits."""


class Subscription(NamedTuple):
    """One subscription. `next_due` is the start of the next period to be charged, `charges` how many were made."""

    subscription_id: int
    payer: str
    plan_id: int
    next_due: int
    charges: int
    status: Status
    anchor_day: int

    def is_due(self, time: int) -> bool:
        """Whether a charge at `time` would be tried: [next_due, ...) of an active subscription."""
        return self.status == Status.ACTIVE and self.next_due <= time and self.charges < MAX_CHARGES
