"""What was expected of payers, month by month, against what came.

expected = received + missing
missing  = refunded + declined + not charged
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple


class RowKey(NamedTuple):
    """A calendar month (UTC) such as `2027-01`, in which something fell due; of which plan, payer and token."""

    month: str
    plan_id: int
    payer: str
    token: str


@dataclass
class ChargeRow:
    """What fell due in a month, in base units of its token.

    `charged_units` were charged, whenever that was; `refunded_units` of it were given back, and `late_units` of what
    was kept came in another month. What was not charged is `declined_units` where a charge was declined, else
    `uncharged_units`; `open_units` of the two can still be charged. `unknown` periods more were not charged, whose
    amount nobody knows before a charge. `reasons` are of what is missing.
    """

    charged_units: int = 0
    refunded_units: int = 0
    late_units: int = 0
    declined_units: int = 0
    uncharged_units: int = 0
    open_units: int = 0
    unknown: int = 0
    reasons: set[str] = field(default_factory=set)

    @property
    def expected_units(self) -> int:
        """What would have come if everything had been paid and kept."""
        return self.charged_units + self.declined_units + self.uncharged_units

    @property
    def received_units(self) -> int:
        """What came and was kept."""
        return self.charged_units - self.refunded_units

    @property
    def missing_units(self) -> int:
        """What did not come, or was given back."""
        return self.refunded_units + self.declined_units + self.uncharged_units

    def charge(self, units: int, refunded_units: int, *, late: bool) -> None:
        """A charge, and what was given back of it."""
        self.charged_units += units
        self.refunded_units += refunded_units
        if late:
            self.late_units += units - refunded_units
            self.reasons.add("paid late")
        if refunded_units:
            self.reasons.add("refunded")

    def miss(self, units: int | None, reason: str, *, declined: bool, still_open: bool) -> None:
        """A period that was not charged, and why; `units` is None where nobody knows how much it is."""
        self.reasons.add(reason)
        if units is None:
            self.unknown += 1
            return
        if declined:
            self.declined_units += units
        else:
            self.uncharged_units += units
        if still_open:
            self.open_units += units


def month_of(timestamp: int) -> str:
    """The calendar month of a moment, UTC."""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m")
