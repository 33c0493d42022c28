"""Lengths of time as people type them: `14d`, `12h`, `90s`."""

from __future__ import annotations

import re

import click

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
