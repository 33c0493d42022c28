"""What commands show: a table on a terminal, plain text when piped, JSON when asked.

A command returns a Table or a Record; `shown` prints it. Values keep their types until here:

    Amount   "9.990000 USDC"             JSON {"units": "9990000", "amount": "9.990000", "asset": "USDC"}
    Time     "2026-01-31 00:00:00 UTC"   JSON "2026-01-31T00:00:00Z"
    Span     "14 days"                   JSON 1209600
    IntEnum  "not due"                   JSON "not_due"
    bytes    "0x..."                     None "-", JSON null
    Below    "see below"                 JSON the words
"""

from __future__ import annotations

import datetime as dt
import functools
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import ParamSpec

import click

from tallystick.core.money import Amount, Token

P = ParamSpec("P")

_AS_JSON = "tallystick.as_json"
JSON_INTEGER_MAX = 2**53 - 1
"""Beyond it many readers of JSON round: such integers are written as text."""


class Time(int):
    """Unix seconds, shown as a date."""


class Span(int):
    """Seconds, shown in the largest unit that they are whole of."""

    @property
    def words(self) -> str:
        """Such as `14 days`."""
        units = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
        length_s, unit = next((length_s, unit) for length_s, unit in units if self % length_s == 0)
        count = self // length_s
        return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


class Below(str):
    """Words too long for a column: text has them in the note, JSON in their place."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Table:
    """Rows with the same keys; `empty` is what is said where there are none."""

    rows: Sequence[Mapping[str, object]]
    empty: str = "none"


@dataclass(frozen=True, slots=True)
class Record:
    """One thing with its values; `note` is for people only: what to do next."""

    values: Mapping[str, object]
    note: str = ""


def shown(function: Callable[P, Table | Record]) -> Callable[P, None]:
    """For a command: adds --json and prints what it returns."""

    @functools.wraps(function)
    def show(*args: P.args, **kwargs: P.kwargs) -> None:
        answer = function(*args, **kwargs)
        as_json = click.get_current_context().meta[_AS_JSON]
        click.echo(to_json(answer) if as_json else to_text(answer, pretty=sys.stdout.isatty()))

    return click.option(
        "--json", is_flag=True, expose_value=False, callback=_remember_json, help="JSON instead of text."
    )(show)


def _remember_json(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    del parameter
    context.meta[_AS_JSON] = value


def to_json(answer: Table | Record) -> str:
    """An array of objects, or one object, indented."""
    content = list(answer.rows) if isinstance(answer, Table) else answer.values
    return json.dumps(_plain(content), indent=2, ensure_ascii=False)


def to_text(answer: Table | Record, *, pretty: bool = False) -> str:
    """Aligned columns, or one line for each value; `pretty` draws tables as terminals can."""
    if isinstance(answer, Record):
        return _record_text(answer)
    if not answer.rows:
        return answer.empty
    header = [key.replace("_", " ") for key in answer.rows[0]]
    cells = [[_text(value) for value in row.values()] for row in answer.rows]
    numeric = [_is_numeric(value) for value in answer.rows[0].values()]
    return _drawn(header, cells, numeric) if pretty else _aligned([header, *cells], numeric)


def _record_text(record: Record) -> str:
    width = max((len(key) for key in record.values), default=0)
    lines = []
    for key, value in record.values.items():
        name = key.replace("_", " ")
        if isinstance(value, list) and value and isinstance(value[0], Mapping):
            lines += [name, *_indented(value)]
        else:
            lines.append(f"{name:<{width}}  {_text(value)}")
    return "\n".join([*lines, *(["", record.note] if record.note else [])])


def _indented(rows: Sequence[Mapping[str, object]]) -> list[str]:
    header = [key.replace("_", " ") for key in rows[0]]
    cells = [[_text(value) for value in row.values()] for row in rows]
    numeric = [_is_numeric(value) for value in rows[0].values()]
    return ["  " + line for line in _aligned([header, *cells], numeric).splitlines()]


def _aligned(rows: Sequence[Sequence[str]], numeric: Sequence[bool]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(numeric))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in rows
    )


def _drawn(header: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool]) -> str:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table as RichTable

    table = RichTable(box=SIMPLE_HEAD)
    for name, right in zip(header, numeric, strict=True):
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console = Console(markup=False, highlight=False)
    with console.capture() as captured:
        console.print(table)
    return captured.get().rstrip("\n")


def _is_numeric(value: object) -> bool:
    return isinstance(value, (int, Amount)) and not isinstance(value, (IntEnum, Time, Span, bool))


def _text(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case IntEnum():
            return value.name.lower().replace("_", " ")
        case Below():
            return "see below"
        case Time():
            return _utc(value, "%Y-%m-%d %H:%M:%S UTC")
        case Span():
            return value.words
        case bytes():
            return "0x" + value.hex()
        case Token():
            return value.symbol
        case Mapping():
            return ", ".join(f"{str(key).replace('_', ' ')} {_text(inner)}" for key, inner in value.items())
        case list() | tuple():
            return ", ".join(_text(inner) for inner in value) or "-"
    return str(value)


def _plain(value: object) -> object:
    match value:
        case None | bool() | str():
            return value
        case IntEnum():
            return value.name.lower()
        case Time():
            return _utc(value, "%Y-%m-%dT%H:%M:%SZ")
        case int():
            return value if abs(value) <= JSON_INTEGER_MAX else str(value)
        case bytes():
            return "0x" + value.hex()
        case Amount():
            return {"units": str(value.units), "amount": value.decimal_text, "asset": value.asset.symbol}
        case Token():
            return {"address": value.address, "symbol": value.symbol, "decimals": value.decimals}
        case Path():
            return str(value)
        case Mapping():
            return {str(key): _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
    raise TypeError(f"no JSON form for {type(value).__name__}")


def _utc(timestamp: int, form: str) -> str:
    """A time; beyond the calendar, where anybody may set an end of theirs, the number of the second."""
    try:
        return dt.datetime.fromtimestamp(timestamp, dt.UTC).strftime(form)
    except (OverflowError, OSError, ValueError):
        return f"second {timestamp}"
