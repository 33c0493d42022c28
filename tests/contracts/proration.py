"""What a change of plan costs, computed from its documentation in fractions: nothing is shared with the contract, nor
with the package's own model."""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import NamedTuple


class Cost(NamedTuple):
    """What a change does: the gross amount charged, the part that credit pays, and the credit after it."""

    charged: int
    credit_used: int
    credit: int

    @property
    def to_pay(self) -> int:
        """What the payer pays."""
        return self.charged - self.credit_used


def worth(rate: int, left_s: int, whole_s: int) -> int:
    """What is left of a paid period, rounded down."""
    assert 0 < left_s <= whole_s
    return floor(Fraction(rate) * Fraction(left_s, whole_s))


def cost_within(old_rate: int, new_rate: int, credit: int, left_s: int, whole_s: int) -> Cost:
    """The period goes on: the difference of the rest is charged or credited."""
    difference = worth(new_rate, left_s, whole_s) - worth(old_rate, left_s, whole_s)
    if difference <= 0:
        return Cost(0, 0, credit - difference)
    used = min(credit, difference)
    return Cost(difference, used, credit - used)


def cost_of_restart(old_rate: int, new_rate: int, credit: int, left_s: int, whole_s: int) -> Cost:
    """A new period begins: it is charged whole, and the rest of the old one credited first."""
    credit += worth(old_rate, left_s, whole_s)
    used = min(credit, new_rate)
    return Cost(new_rate, used, credit - used)
