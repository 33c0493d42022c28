"""Revenue over time: the parts of a charge are the charge, however it is cut."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tallystick.core.deferral import Deferral, GivenBack, month_starts

START, MOST = 1_769_846_400, 400 * 86_400
TIMES = st.integers(START - MOST, START + 2 * MOST)


@st.composite
def deferrals(draw: st.DrawFn, *, refunded: bool = True) -> Deferral:
    """A charge before, at or after the beginning of its period, of which no more is given back than it was."""
    units = draw(st.integers(0, 10**30))
    time, length = draw(TIMES), draw(st.integers(1, MOST))
    refunds, left = [], units
    for after in sorted(draw(st.lists(st.integers(0, MOST), max_size=4))) if refunded else ():
        part = draw(st.integers(0, left))
        refunds.append(GivenBack(time + after, part))
        left -= part
    return Deferral(time, START, START + length, units, refunds)


@given(deferrals(), st.lists(TIMES, max_size=20))
def test_what_is_earned_between_any_moments_adds_up_to_the_charge_less_its_refunds(
    charge: Deferral, cuts: list[int]
) -> None:
    moments = [charge.time - 1, *sorted(cuts), max(charge.end, charge.time + MOST, *cuts, charge.time) + 2]
    parts = [charge.earned_units(later) - charge.earned_units(earlier) for earlier, later in pairwise(sorted(moments))]
    assert sum(parts) == charge.units - sum(refund.units for refund in charge.refunds)


@given(deferrals(), TIMES)
def test_nothing_is_deferred_but_what_was_charged_and_is_neither_earned_nor_given_back(
    charge: Deferral, at: int
) -> None:
    deferred = charge.deferred_units(at)
    assert 0 <= deferred <= charge.charged_units(at)
    if at >= charge.end:
        assert deferred == 0
    if charge.time < at <= charge.start and not charge.refunds:
        assert deferred == charge.units


@given(deferrals(refunded=False), TIMES, TIMES)
def test_revenue_only_grows_where_nothing_is_given_back(charge: Deferral, one: int, other: int) -> None:
    earlier, later = sorted((one, other))
    assert charge.earned_units(earlier) <= charge.earned_units(later)


@given(deferrals(), TIMES)
def test_a_refund_of_what_is_deferred_makes_no_revenue_less(charge: Deferral, at: int) -> None:
    """And one of more makes it less by what it is more."""
    moment = max(at, charge.time + 1, *(refund.time + 1 for refund in charge.refunds))
    rest = charge.deferred_units(moment)
    left = charge.units - charge.refunded_units(moment)
    for units in {rest, left}:
        after = Deferral(
            *(charge.time, charge.start, charge.end, charge.units), [*charge.refunds, GivenBack(moment, units)]
        )
        assert charge.earned_units(moment) - after.earned_units(moment + 1) == units - rest


def test_a_year_of_365_euros_is_one_a_day() -> None:
    year = 365 * 86_400
    charge = Deferral(START, START, START + year, 365_000_000)
    assert [charge.earned_units(START + day * 86_400) for day in (0, 1, 31, 365, 400)] == [
        *(0, 1_000_000, 31_000_000, 365_000_000, 365_000_000)
    ]
    half = Deferral(START, START, START + year, 365_000_000, [GivenBack(START + 100 * 86_400, 165_000_000)])
    assert half.earned_units(START + 100 * 86_400 + 1) == 100_000_000 + 100_000_000 // (265 * 86_400)
    assert half.deferred_units(START + 100 * 86_400 + 1) == 100_000_000 - 100_000_000 // (265 * 86_400)
    late = Deferral(START + 10 * 86_400, START, START + year, 365_000_000)
    assert (late.earned_units(START + 10 * 86_400), late.earned_units(START + 10 * 86_400 + 1)) == (0, 10_000_011)


def test_months_begin_at_midnight_utc() -> None:
    first = int(datetime(2025, 11, 30, 23, tzinfo=UTC).timestamp())
    last = int(datetime(2026, 2, 1, tzinfo=UTC).timestamp())
    shown = [datetime.fromtimestamp(start, UTC).strftime("%Y-%m-%d %H") for start in month_starts(first, last)]
    assert shown == ["2025-11-01 00", "2025-12-01 00", "2026-01-01 00", "2026-02-01 00", "2026-03-01 00"]
