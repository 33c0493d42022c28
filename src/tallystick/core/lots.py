"""What a holding cost, and what is gained or lost when some of it goes: lots in the order in which they came in (FIFO).

Everything is a whole number of base units. A part of a lot costs what all that was ever taken of the lot cost up to
now, rounded down, less what was counted before: so the parts of a lot add up to its cost, and none is a unit off. What
a disposal brings is divided among its parts by largest remainder.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tallystick.core.money import Amount, Asset, split_units
from tallystick.errors import AmountInvalid, AssetMismatch, LedgerError


@dataclass(frozen=True, slots=True)
class Lot:
    """What came in at once: by which journal entry, how many base units, what they cost in all in base units of the
    currency, and how many of them went out again."""

    entry: int
    units: int
    cost_units: int
    used_units: int = 0

    @property
    def left_units(self) -> int:
        """What did not go out yet."""
        return self.units - self.used_units

    @property
    def left_cost_units(self) -> int:
        """What that cost."""
        return self.cost_units - self._cost_of(self.used_units)

    def take(self, units: int) -> tuple[int, Lot]:
        """What this many of the units that are left cost, and the lot without them."""
        used = self.used_units + units
        return self._cost_of(used) - self._cost_of(self.used_units), replace(self, used_units=used)

    def _cost_of(self, units: int) -> int:
        return self.cost_units * units // self.units


@dataclass(frozen=True, slots=True)
class Part:
    """Of one lot, what went out with a disposal: base units, what they cost and what they brought."""

    entry: int
    units: int
    cost_units: int
    proceeds_units: int

    @property
    def gain_units(self) -> int:
        """What they brought above their cost; negative is a loss."""
        return self.proceeds_units - self.cost_units


class Lots:
    """The lots of one asset that are not used up, the oldest first, with costs in one currency."""

    def __init__(self, asset: Asset, currency: Asset) -> None:
        self.asset, self.currency = asset, currency
        self._open: deque[Lot] = deque()
        self._units = 0

    def __iter__(self) -> Iterator[Lot]:
        return iter(self._open)

    @property
    def amount(self) -> Amount:
        """What is held."""
        return Amount(self._units, self.asset)

    @property
    def cost(self) -> Amount:
        """What that cost."""
        return Amount(sum(lot.left_cost_units for lot in self._open), self.currency)

    def receive(self, entry: int, amount: Amount, cost: Amount) -> Lot:
        """A new lot, by the number of the journal entry that brought it. Raises AmountInvalid unless the amount is
        above zero and the cost not below, and AssetMismatch for other assets than these."""
        self._require(amount, cost)
        lot = Lot(entry, amount.units, cost.units)
        self._open.append(lot)
        self._units += lot.units
        return lot

    def give(self, amount: Amount, proceeds: Amount) -> tuple[Part, ...]:
        """Takes an amount out of the oldest lots for what it brings in all; its parts, whose units and proceeds add up
        to both. Raises as `receive` does, and LedgerError for more than is held; then nothing is taken."""
        self._require(amount, proceeds)
        if amount.units > self._units:
            raise LedgerError(
                f"found {self.amount} in the lots, {amount} are to go out: mirror what came in before, and give again"
            )
        taken = list(self._taken(amount.units))
        brought = split_units(proceeds.units, [units for _, units, _ in taken])
        return tuple(
            Part(entry, units, cost, proceeds_units)
            for (entry, units, cost), proceeds_units in zip(taken, brought, strict=True)
        )

    def _taken(self, units: int) -> Iterator[tuple[int, int, int]]:
        """Entry, units and cost of each part; the lots are without them afterwards."""
        self._units -= units
        while units:
            lot = self._open.popleft()
            part = min(units, lot.left_units)
            cost, rest = lot.take(part)
            if rest.left_units:
                self._open.appendleft(rest)
            units -= part
            yield lot.entry, part, cost

    def _require(self, amount: Amount, value: Amount) -> None:
        if amount.asset != self.asset or value.asset != self.currency:
            raise AssetMismatch(
                f"found {amount} for {value}, these are lots of {self.asset.symbol} in {self.currency.symbol}: "
                "use those of that asset, or convert the value first"
            )
        if amount.units <= 0 or value.units < 0:
            raise AmountInvalid(f"found {amount} for {value}, allowed is an amount above zero for nothing or more")
