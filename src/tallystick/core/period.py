"""Billing periods on a grid of due times, the mirror image of the contracts' `Schedule` and `Calendar`.

Times are Unix seconds, UTC. A period is [start, end). Grid points are computed from one another with the anchor day, so
that a short month never moves the grid: 31 January, 28 February, 31 March.
"""

from __future__ import annotations

import functools
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum

DAY_S = 86_400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Unit(IntEnum):
    """What a period is counted in; the numbers are the contract's."""

    SECOND = 0
    DAY = 1
    WEEK = 2
    MONTH = 3
    YEAR = 4

    @property
    def word(self) -> str:
        """The unit as mandates and invoices name it: `month`."""
        return self.name.lower()


_SECONDS = {Unit.SECOND: 1, Unit.DAY: DAY_S, Unit.WEEK: 7 * DAY_S}
_MONTHS = {Unit.MONTH: 1, Unit.YEAR: 12}


@dataclass(frozen=True, slots=True)
class Period:
    """`every` units: the length of a plan's period."""

    every: int
    unit: Unit

    @property
    def step(self) -> tuple[int, int]:
        """Its seconds and calendar months, one of them 0. Periods of one step are the same: 7 days and a week."""
        return self.every * _SECONDS.get(self.unit, 0), self.every * _MONTHS.get(self.unit, 0)

    @property
    def is_calendar(self) -> bool:
        """Whether it is counted in calendar months, so that not every one is as long as the next."""
        return self.unit in _MONTHS

    @property
    def longest(self) -> int:
        """The most seconds that it can last: years of 366 days, and 31 days for each month beyond them."""
        seconds, months = self.step
        return seconds + (months // 12 * 366 + months % 12 * 31) * DAY_S

    def later(self, due: int, periods: int, anchor_day: int) -> int:
        """The grid point `periods` after the grid point `due`; before it where `periods` is negative."""
        if self.unit in _SECONDS:
            return due + periods * self.every * _SECONDS[self.unit]
        return _add_months(due, periods * self.every * _MONTHS[self.unit], anchor_day)

    def whole_periods(self, due: int, time: int, anchor_day: int) -> int:
        """How many whole periods lie in [due, time): the largest n with `later(due, n) <= time`; `time` is not before
        `due`."""
        if self.unit in _SECONDS:
            return (time - due) // (self.every * _SECONDS[self.unit])
        periods = _months_apart(due, time) // (self.every * _MONTHS[self.unit])
        return periods - 1 if self.later(due, periods, anchor_day) > time else periods

    def __str__(self) -> str:
        return self.unit.word if self.every == 1 else f"{self.every} {self.unit.word}s"


def anchor_day_of(timestamp: int) -> int:
    """The day of the month, 1 to 31."""
    return _date(timestamp).day


def _add_months(timestamp: int, months: int, anchor_day: int) -> int:
    return _moved_day(timestamp // DAY_S, months, anchor_day) * DAY_S + timestamp % DAY_S


@functools.lru_cache(maxsize=65_536)
def _moved_day(day: int, months: int, anchor_day: int) -> int:
    """Days since 1970. Remembered, because the charges of a day are many."""
    start = _date(day * DAY_S)
    year, month_index = divmod(start.year * 12 + start.month - 1 + months, 12)
    moved = min(anchor_day, monthrange(year, month_index + 1)[1])
    return (datetime(year, month_index + 1, moved, tzinfo=UTC) - _EPOCH) // timedelta(days=1)


def _months_apart(earlier: int, later: int) -> int:
    first, last = _date(earlier), _date(later)
    return (last.year - first.year) * 12 + last.month - first.month


def _date(timestamp: int) -> datetime:
    return _EPOCH + timedelta(days=timestamp // DAY_S)
