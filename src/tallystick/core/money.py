"""Amounts of money: whole base units of a named asset, never a float.

What is divided is divided by largest remainder (Hamilton's method), so that the parts always add up to the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from tallystick.errors import AmountInvalid, AssetMismatch

UINT256_MAX = 2**256 - 1
LONGEST_SHOWN = 100
"""Characters of an amount that a message repeats."""


@dataclass(frozen=True, slots=True)
class Token:
    """An ERC-20 token: what an amount on chain is counted in. `address` is checksummed (EIP-55)."""

    chain_id: int
    address: str
    symbol: str
    decimals: int

    @property
    def exponent(self) -> int:
        """Digits behind the point."""
        return self.decimals


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency of ISO 4217 with the digits of its minor unit: 2 for USD, 0 for JPY, 3 for KWD."""

    code: str
    exponent: int

    @property
    def symbol(self) -> str:
        """The three letters."""
        return self.code


Asset = Token | Currency

_DIGITS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}


def currency(code: str) -> Currency:
    """The currency with this code; two digits but for the exceptions that ISO 4217 (table A.1) lists."""
    return Currency(code, next((digits for digits, codes in _DIGITS.items() if code in codes.split()), 2))


@dataclass(frozen=True, slots=True)
class Amount:
    """Base units of one asset. May be negative, as a difference of two amounts is."""

    units: int
    asset: Asset

    def __add__(self, other: Self) -> Amount:
        return Amount(self.units + self._units_of(other), self.asset)

    def __sub__(self, other: Self) -> Amount:
        return Amount(self.units - self._units_of(other), self.asset)

    def __neg__(self) -> Amount:
        return Amount(-self.units, self.asset)

    def __lt__(self, other: Self) -> bool:
        return self.units < self._units_of(other)

    def __le__(self, other: Self) -> bool:
        return self.units <= self._units_of(other)

    def __str__(self) -> str:
        return f"{self.decimal_text} {self.asset.symbol}"

    @property
    def decimal_text(self) -> str:
        """All digits of the asset, exact: `9.990000` for 9990000 units of a token with 6 decimals."""
        return decimal_text(self.units, self.asset.exponent)

    def split(self, weights: Sequence[int]) -> list[Amount]:
        """Parts in proportion to `weights` that add up to this amount exactly; see `split_units`."""
        return [Amount(part, self.asset) for part in split_units(self.units, weights)]

    def _units_of(self, other: Amount) -> int:
        if other.asset != self.asset:
            raise AssetMismatch(
                f"an amount in {other.asset.symbol} met one in {self.asset.symbol}: convert one of them first"
            )
        return other.units


def decimal_text(units: int, exponent: int) -> str:
    """Base units as a decimal number with exactly `exponent` digits behind the point."""
    sign = "-" if units < 0 else ""
    digits = str(abs(units)).rjust(exponent + 1, "0")
    return f"{sign}{digits}" if exponent == 0 else f"{sign}{digits[:-exponent]}.{digits[-exponent:]}"


def parse_units(text: str, exponent: int) -> int:
    """The base units of a decimal number as a person types it: `9.99` with 6 decimals is 9990000.

    Raises AmountInvalid for anything but digits with at most one point, for more digits behind the point than the
    asset has, because nothing is rounded, and from 2^256 units on.
    """
    shown = repr(text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}...")
    whole, point, fraction = text.strip().partition(".")
    fits = (whole + fraction).isascii() and (whole + fraction).isdigit() and (not point or fraction)
    if not fits:
        raise AmountInvalid(f"found {shown} for an amount, allowed is a decimal number such as 9.99")
    if len(fraction.rstrip("0")) > exponent:
        raise AmountInvalid(
            f"found {len(fraction)} digits behind the point in {shown}, the asset has {exponent}: "
            "write an amount that it can hold"
        )
    digits = (whole + fraction[:exponent].ljust(exponent, "0")).lstrip("0") or "0"
    if len(digits) > len(str(UINT256_MAX)) or (units := int(digits)) > UINT256_MAX:
        raise AmountInvalid(
            f"found {shown} for an amount, no token holds more than 2^256 - 1 units: write a smaller one"
        )
    return units


def split_units(units: int, weights: Sequence[int]) -> list[int]:
    """Divides `units` in proportion to non-negative `weights`, each part rounded by largest remainder.

    Every part is within one unit of its exact share and the parts add up to `units`. Of equal remainders the earlier
    part gets the unit. Negative units are split as their positive counterpart. Raises AmountInvalid where no weight is
    positive or one is negative. Source: A. Hamilton's method of apportionment (1792).
    """
    total = sum(weights)
    if total <= 0 or min(weights) < 0:
        raise AmountInvalid(f"found the weights {list(weights)}: allowed are non-negative ones with a positive sum")
    if units < 0:
        return [-part for part in split_units(-units, weights)]
    shares = [divmod(units * weight, total) for weight in weights]
    parts = [share for share, _ in shares]
    missing = units - sum(parts)
    by_remainder = sorted(range(len(weights)), key=lambda index: -shares[index][1])
    for index in by_remainder[:missing]:
        parts[index] += 1
    return parts
