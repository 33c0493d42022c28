"""Times and parts as people type them: lengths `14d`, `12h`, `90s`; dates `2027-01-01`; percentages `12.5`."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal, InvalidOperation

import click

WHOLE_BPS = 10_000
"""Hundredths of a percent of a whole."""
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


class SpanType(click.ParamType):
    """A number with its unit; seconds without one."""

    name = "span"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """In seconds."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d+)([smhdw]?)", str(value))
        if not found:
            self.fail(f"found {value!r}, allowed is a number of s, m, h, d or w, such as 14d", param, ctx)
        return int(found[1]) * _SECONDS[found[2] or "s"]


SPAN = SpanType()


class DateType(click.ParamType):
    """A date, or a date and a time of day, in UTC."""

    name = "date"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """In Unix seconds."""
        if isinstance(value, int):
            return value
        try:
            found = dt.datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"found {value!r}, allowed is a date such as 2027-01-01 or 2027-01-01T12:00 (UTC)", param, ctx)
        return int((found if found.tzinfo else found.replace(tzinfo=dt.UTC)).timestamp())


DATE = DateType()


class EndType(DateType):
    """As DATE, of a date alone its end."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The last second that belongs to it, in Unix seconds."""
        start_s = super().convert(value, param, ctx)
        try:
            dt.date.fromisoformat(str(value))
        except ValueError:
            return start_s
        return start_s + _SECONDS["d"] - 1


END = EndType()


class PercentType(click.ParamType):
    """A number of percent."""

    name = "percent"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """In hundredths of a percent."""
        if isinstance(value, int):
            return value
        try:
            points = Decimal(str(value)) * 100
        except InvalidOperation:
            points = Decimal(-1)
        if not points.is_finite() or points != int(points) or not 0 <= points <= WHOLE_BPS:
            self.fail(f"found {value!r}, allowed is 0 to 100 with at most two decimals, such as 12.5", param, ctx)
        return int(points)


PERCENT = PercentType()
