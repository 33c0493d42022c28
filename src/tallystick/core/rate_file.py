"""Rates from a file: one line for each asset, currency and day, as a bank or an accountant gives them.

CSV with the columns `date,asset,currency,rate`, in any order, or JSON: a list of objects with these keys. The file is
read whole or not at all. A rate is of a day (UTC) and holds until the next one of the same pair, but not for ever:
banks have no rates for weekends and holidays, and a file that ended long ago says nothing of today.
"""

from __future__ import annotations

import bisect
import csv
import datetime as dt
import io
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple

from tallystick.core.rate import FileEvidence, parse_rate
from tallystick.errors import InputError

COLUMNS = ("date", "asset", "currency", "rate")
HOLDS_DAYS = 5
"""How long a rate holds where no newer one follows: over Easter no central bank says one for four days."""
CODE_LETTERS = 3


class _Row(NamedTuple):
    date: dt.date
    line: int
    rate: str


@dataclass(frozen=True, slots=True)
class RateFile:
    """A file that was read. `sha256` is of its bytes, as hex."""

    name: str
    sha256: str
    rows: Mapping[tuple[str, str], tuple[_Row, ...]]

    def at(self, asset: str, currency: str, time: int) -> FileEvidence:
        """What it says of an asset in a currency on the day of a time in Unix seconds. Raises InputError where it says
        nothing of that day or the few before it."""
        rows = self.rows.get((asset, currency), ())
        day = dt.datetime.fromtimestamp(time, dt.UTC).date()
        place = bisect.bisect_right([row.date for row in rows], day)
        found = rows[place - 1] if place else None
        if found is None or (day - found.date).days >= HOLDS_DAYS:
            newest = f", the newest before it is of {found.date}" if found else ""
            raise InputError(
                f"{self.name} has no rate of {asset} in {currency} for {day}{newest}: a rate holds for {HOLDS_DAYS} "
                "days at most, add the missing line"
            )
        return FileEvidence(self.name, self.sha256, found.line, asset, found.date.isoformat(), found.rate)


def parse_rates(content: bytes, name: str) -> RateFile:
    """The rates of a file; `name` is for errors and evidence. Raises InputError, with the line, for what is no rate, a
    pair that has two for one day, or a file without any."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not text in UTF-8 ({error}): export it again") from error
    found: defaultdict[tuple[str, str], dict[dt.date, _Row]] = defaultdict(dict)
    for line, record in _json_records(text, name) if text.lstrip().startswith("[") else _csv_records(text, name):
        key, row = _row(record, line, name)
        before = found[key].setdefault(row.date, row)
        if before is not row:
            raise InputError(
                f"{name}, line {line}: {key[0]} in {key[1]} has a rate for {row.date} in line {before.line} already: "
                "leave one of them"
            )
    if not found:
        raise InputError(f"{name} has no rates: it is CSV with the columns {','.join(COLUMNS)}, or a JSON list of them")
    rows = {key: tuple(sorted(by_date.values())) for key, by_date in found.items()}
    return RateFile(name, sha256(content).hexdigest(), rows)


def _row(record: Mapping[str, Any], line: int, name: str) -> tuple[tuple[str, str], _Row]:
    values = {key: str(value).strip() for key, value in record.items() if value is not None}
    if set(values) != set(COLUMNS):
        raise InputError(f"{name}, line {line}: found {', '.join(map(str, record))}, allowed are {', '.join(COLUMNS)}")
    code = values["currency"]
    if not (len(code) == CODE_LETTERS and code.isascii() and code.isupper() and code.isalpha()) or not values["asset"]:
        raise InputError(
            f"{name}, line {line}: found {values['asset']!r} in {code!r}, allowed are an asset and three capital "
            "letters of ISO 4217, such as USDC in EUR"
        )
    try:
        date = dt.date.fromisoformat(values["date"])
    except ValueError as error:
        raise InputError(
            f"{name}, line {line}: found {values['date']!r} for a day, allowed is one such as 2027-01-31"
        ) from error
    try:
        parse_rate(values["rate"])
    except InputError as error:
        raise InputError(f"{name}, line {line}: {error}") from error
    return (values["asset"], code), _Row(date, line, values["rate"])


def _csv_records(text: str, name: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text), restkey="more", strict=True)
    try:
        for record in reader:
            yield reader.line_num, record
    except csv.Error as error:
        raise InputError(f"{name}, line {reader.line_num}: this is no CSV ({error})") from error


def _json_records(text: str, name: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """One by one, so that each has its line. Numbers stay as they are written."""
    decoder = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)

    def line_of(place: int) -> int:
        return text.count("\n", 0, place) + 1

    def skip(place: int) -> int:
        while place < len(text) and text[place].isspace():
            place += 1
        return place

    place = skip(skip(0) + 1)
    while text[place : place + 1] != "]":
        start = place
        try:
            record, place = decoder.raw_decode(text, place)
        except json.JSONDecodeError as error:
            raise InputError(f"{name}, line {error.lineno}: this is no JSON ({error.msg})") from error
        if not isinstance(record, dict):
            raise InputError(f"{name}, line {line_of(start)}: found {record!r}, allowed are objects")
        yield line_of(start), record
        place = skip(place)
        if text[place : place + 1] == ",":
            place = skip(place + 1)
        elif text[place : place + 1] != "]":
            raise InputError(f"{name}, line {line_of(place)}: this is no JSON (a list's end or a comma is missing)")
    if text[place + 1 :].strip():
        raise InputError(f"{name}, line {line_of(place)}: there is more behind the list's end")
