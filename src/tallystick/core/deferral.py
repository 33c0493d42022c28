"""Revenue by when it is earned: what was charged for a period is earned second by second over it.

What is not earned yet is deferred, a liability to the customer. Source: IFRS 15, paragraphs 35(a), 39 to 41 (progress
over time) and 106 (contract liabilities); ASC 606-10-25-27(a) the same. What is earned by a moment is the part of the
period that has passed, of the whole charge, rounded down to a base unit; each month's part is a difference of two such
sums, so that the parts of a charge add up to it however it is cut.

A refund takes from what is deferred first, because that was not delivered; only what it takes beyond makes revenue
less. What is left is earned over the rest of the period.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple


class GivenBack(NamedTuple):
    """A refund of a charge: when, in Unix seconds, and how many base units."""

    time: int
    units: int


@dataclass(frozen=True, slots=True)
class Deferral:
    """A charge made at `time` for the period [`start`, `end`), all in Unix seconds, of `units`, and its `refunds` in
    the order of their times. Where the period is empty it is earned at once. Each method counts what happened before
    `at`."""

    time: int
    start: int
    end: int
    units: int
    refunds: Sequence[GivenBack] = ()

    def deferred_units(self, at: int) -> int:
        """What is not earned."""
        if at <= self.time:
            return 0
        left, since = self.units, self.start
        for refund in self.refunds:
            if refund.time >= at:
                break
            rest = _rest(left, since, self.end, refund.time)
            left, since = max(0, rest - refund.units), max(since, refund.time)
        return _rest(left, since, self.end, at)

    def charged_units(self, at: int) -> int:
        """What was charged."""
        return self.units if self.time < at else 0

    def refunded_units(self, at: int) -> int:
        """What was given back."""
        return sum(refund.units for refund in self.refunds if refund.time < at)

    def earned_units(self, at: int) -> int:
        """Revenue: what was charged, less what was given back, less what is deferred."""
        return self.charged_units(at) - self.refunded_units(at) - self.deferred_units(at)


def _rest(units: int, start: int, end: int, at: int) -> int:
    """What of `units`, earned from `start` to `end`, is not earned by `at`: rounded up, because what is earned is
    rounded down."""
    if at <= start:
        return units
    if at >= end:
        return 0
    return units - units * (at - start) // (end - start)


def month_starts(first: int, last: int) -> Iterator[int]:
    """The beginnings of months (UTC), in Unix seconds, from that of the month of `first` to the first after `last`."""
    moment = datetime.fromtimestamp(first, UTC)
    year, month = moment.year, moment.month
    while True:
        start = int(datetime(year, month, 1, tzinfo=UTC).timestamp())
        yield start
        if start > last:
            return
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
