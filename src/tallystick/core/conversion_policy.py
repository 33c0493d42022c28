"""When a merchant's receipts are converted, how much of them, and what they must bring at least.

Rules are of one asset each; an asset may have several, and is converted when one of them says so. Within a rule
everything has to hold: there is more than a threshold beyond what is kept, and, with a schedule, nothing of the asset
was converted in this day, week or month yet. Periods are of the calendar in UTC, weeks begin on Monday (ISO 8601).

Nothing here knows the time or the chain: who asks brings both. Amounts are base units.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from tallystick.core.money import Amount, Token
from tallystick.core.swap import Route
from tallystick.errors import AmountInvalid

WHOLE_BPS = 10_000
"""Hundredths of a percent of a whole."""


class Every(Enum):
    """A schedule: at most once in each."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Verdict(Enum):
    """What a rule says of an asset now."""

    CONVERT = "convert"
    NOTHING_THERE = "nothing there"
    BELOW_THRESHOLD = "below the threshold"
    DONE_THIS_PERIOD = "done this period"
    NO_RATE = "no rate"
    """A rule would convert, and the quoter has no price that could be trusted."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Of one asset: by which quoter it is bounded and which way it goes; and when. `keep_units` stay, what is beyond
    them must be more than `above_units`, and at most `at_most_units` of it go at once."""

    asset: Token
    quoter: str
    route: Route
    max_slippage_bps: int
    above_units: int = 0
    keep_units: int = 0
    at_most_units: int | None = None
    every: Every | None = None


class Holding(NamedTuple):
    """What there is of an asset, and when some of it was last converted (Unix seconds; None: never)."""

    units: int
    converted_at: int | None = None


class Decision(NamedTuple):
    """What a rule makes of a holding: how much is converted, nothing unless the verdict is CONVERT."""

    rule: Rule
    verdict: Verdict
    units: int


def decide(rules: Sequence[Rule], holdings: Mapping[str, Holding], now: int) -> list[Decision]:
    """One decision for each asset that has rules, in the order of its first one: that of the first rule which converts,
    else of its first rule. `holdings` are by the asset's address; `now` is in Unix seconds."""
    by_asset: dict[str, Decision] = {}
    for rule in rules:
        address = rule.asset.address
        decision = judge(rule, holdings.get(address, Holding(0)), now)
        before = by_asset.get(address)
        if before is None or (before.verdict is not Verdict.CONVERT and decision.verdict is Verdict.CONVERT):
            by_asset[address] = decision
    return list(by_asset.values())


def judge(rule: Rule, holding: Holding, now: int) -> Decision:
    """What one rule says."""
    free = max(0, holding.units - rule.keep_units)
    if not free:
        return Decision(rule, Verdict.NOTHING_THERE, 0)
    if free <= rule.above_units:
        return Decision(rule, Verdict.BELOW_THRESHOLD, 0)
    if rule.every and holding.converted_at is not None and holding.converted_at >= period_start(rule.every, now):
        return Decision(rule, Verdict.DONE_THIS_PERIOD, 0)
    units = free if rule.at_most_units is None else min(free, rule.at_most_units)
    return Decision(rule, Verdict.CONVERT, units)


def period_start(every: Every, now: int) -> int:
    """The first second (UTC) of the day, the week from Monday on, or the month in which a time lies."""
    today = dt.datetime.fromtimestamp(now, dt.UTC).replace(hour=0, minute=0, second=0)
    if every is Every.WEEK:
        today -= dt.timedelta(days=today.weekday())
    elif every is Every.MONTH:
        today = today.replace(day=1)
    return int(today.timestamp())


def least_out_up(quoted_units: int, max_slippage_bps: int) -> int:
    """The least that an exchange must bring: what the quoter says less the slippage, rounded up, and one at least."""
    _require_slippage(quoted_units, max_slippage_bps)
    return max(1, -(-quoted_units * (WHOLE_BPS - max_slippage_bps) // WHOLE_BPS))


def most_in_down(quoted_units: int, max_slippage_bps: int) -> int:
    """The most that an exchange may use: what it should cost and the slippage on top, rounded down."""
    _require_slippage(quoted_units, max_slippage_bps)
    return quoted_units * (WHOLE_BPS + max_slippage_bps) // WHOLE_BPS


def _require_slippage(quoted_units: int, max_slippage_bps: int) -> None:
    if not 0 <= max_slippage_bps < WHOLE_BPS or quoted_units < 0:
        raise AmountInvalid(
            f"found a slippage of {max_slippage_bps} hundredths of a percent of {quoted_units} units, allowed are 0 to "
            f"{WHOLE_BPS - 1}"
        )


def slippage_bps_up(quoted: Amount, brought: Amount) -> int:
    """How far an exchange is below the quoter's rate, in hundredths of a percent, rounded up; negative is above."""
    return -((brought - quoted).units * WHOLE_BPS // quoted.units) if quoted.units else 0
