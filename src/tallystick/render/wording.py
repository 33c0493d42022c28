"""How amounts, times and names are written in a document. English; times are UTC and say so."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from tallystick.core.money import Amount, decimal_text
from tallystick.core.period import DAY_S

DECIMALS_AT_LEAST = 2
"""A price of nine dollars is written 9.00, however many digits its token has."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_REPLACEMENT = "\N{WHITE SQUARE}"
_BIDI_CONTROLS = frozenset(map(chr, (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))))
_BLANKS = frozenset("\t\n\v\f\r\x85\u2028\u2029")
_MEANINGLESS = frozenset({"Cc", "Cs", "Co"})  # control characters, lone surrogates, private use
# Not strftime's: those follow the locale of the machine.
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def decimals_needed(unit_counts: Iterable[int], exponent: int) -> int:
    """The fewest digits behind the point that write these amounts exactly; at least two where the asset has them."""
    at_least = min(DECIMALS_AT_LEAST, exponent)
    return max((len(_fraction(units, exponent)) for units in unit_counts), default=at_least)


def amount_text(units: int, exponent: int, decimals: int | None = None) -> str:
    """Base units as a number with grouped thousands: `1,234.50`. Exact: no digit other than trailing zeros is left out.

    `decimals` asks for more digits than are needed, so that the amounts of a column stand below one another.
    """
    fraction = _fraction(units, exponent)
    if decimals is not None:
        fraction = fraction.ljust(min(decimals, exponent), "0")
    whole = abs(units) // 10**exponent
    sign = "-" if units < 0 else ""
    return f"{sign}{whole:,}.{fraction}" if fraction else f"{sign}{whole:,}"


def money_text(amount: Amount, decimals: int | None = None) -> str:
    """An amount with its asset: `9.99 USDC`."""
    return f"{amount_text(amount.units, amount.asset.exponent, decimals)} {printable(amount.asset.symbol)}"


def time_text(timestamp: int) -> str:
    """`21 November 2026, 20:22:05 UTC`."""
    return f"{date_text(timestamp)}, {utc(timestamp):%H:%M:%S} UTC"


def date_text(timestamp: int) -> str:
    """`21 November 2026`, in UTC."""
    at = utc(timestamp)
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}"


def period_text(start: int, end: int) -> str:
    """The period [start, end): `21 Nov 2026, 20:22 – 21 Dec 2026, 20:22 UTC`, with seconds where it is shorter than a
    day, and the day only once where it does not change."""
    clock = "%H:%M" if end - start >= DAY_S else "%H:%M:%S"
    first, last = utc(start), utc(end)
    to = f"{last:{clock}}" if first.date() == last.date() else f"{_short_date(last)}, {last:{clock}}"
    return f"{_short_date(first)}, {first:{clock}} – {to} UTC"


def iso_text(timestamp: int) -> str:
    """`2026-11-21T20:22:05Z` (RFC 3339)."""
    return f"{utc(timestamp):%Y-%m-%dT%H:%M:%SZ}"


def utc(timestamp: int) -> datetime:
    """Unix seconds as a time in UTC."""
    return _EPOCH + timedelta(seconds=timestamp)


def printable(text: str) -> str:
    """Text of others made harmless to look at: one line, without characters that have no shape or turn the direction of
    what stands beside them (so that nobody's name can reverse an amount). What means nothing becomes a square."""
    return "".join(_printable_character(character) for character in text)


def _printable_character(character: str) -> str:
    if character in _BLANKS:
        return " "
    if character in _BIDI_CONTROLS:
        return ""
    code = ord(character)
    is_noncharacter = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    return _REPLACEMENT if is_noncharacter or unicodedata.category(character) in _MEANINGLESS else character


def _short_date(at: datetime) -> str:
    return f"{at.day} {_MONTHS[at.month - 1][:3]} {at.year}"


def _fraction(units: int, exponent: int) -> str:
    """The digits behind the point without trailing zeros, but at least two where the asset has them."""
    _, _, digits = decimal_text(units, exponent).partition(".")
    return digits.rstrip("0").ljust(min(DECIMALS_AT_LEAST, exponent), "0")
