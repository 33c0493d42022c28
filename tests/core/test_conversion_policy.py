"""When what is converted: rules, thresholds, schedules; and the least that must come in."""

from __future__ import annotations

import datetime as dt
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.core.conversion_policy import (
    WHOLE_BPS,
    Every,
    Holding,
    Rule,
    Verdict,
    decide,
    judge,
    least_out_up,
    period_start,
    slippage_bps_up,
)
from tallystick.core.money import Amount, Token
from tallystick.core.swap import route_of
from tallystick.errors import AmountInvalid

ONE, TWO, INTO = (Token(1, f"0x{number:040d}", f"T{number}", 6) for number in (11, 12, 13))
DAY = 86_400
TIMES = st.integers(0, 2**33)
UNITS = st.integers(0, 2**96)


def rule(asset: Token = ONE, **more: object) -> Rule:
    return Rule(asset, INTO.address, route_of(asset.address, INTO.address, [500]), 50, **more)  # type: ignore[arg-type]


RULES = st.builds(
    lambda asset, above, keep, most, every: rule(
        asset, above_units=above, keep_units=keep, at_most_units=most, every=every
    ),
    st.sampled_from([ONE, TWO]),
    UNITS,
    UNITS,
    st.none() | st.integers(1, 2**96),
    st.none() | st.sampled_from(Every),
)
HOLDINGS = st.builds(Holding, UNITS, st.none() | TIMES)


@given(st.lists(RULES, max_size=6), st.dictionaries(st.sampled_from([ONE.address, TWO.address]), HOLDINGS), TIMES)
def test_never_more_than_is_free_nor_less_often_than_the_rules_say(
    rules: list[Rule], holdings: dict[str, Holding], now: int
) -> None:
    decisions = decide(rules, holdings, now)
    assert [found.rule.asset for found in decisions] == list(dict.fromkeys(found.asset for found in rules))
    for found in decisions:
        asset = found.rule.asset.address
        holding = holdings.get(asset, Holding(0))
        says = [judge(one, holding, now) for one in rules if one.asset.address == asset]
        assert found == next((one for one in says if one.verdict is Verdict.CONVERT), says[0])
        assert 0 <= found.units <= max(0, holding.units - found.rule.keep_units)
        assert (found.units > 0) == (found.verdict is Verdict.CONVERT)
        if found.verdict is Verdict.CONVERT:
            assert holding.units - found.rule.keep_units > found.rule.above_units
            assert found.rule.at_most_units is None or found.units <= found.rule.at_most_units
            last, every = holding.converted_at, found.rule.every
            assert every is None or last is None or last < period_start(every, now)


@given(st.sampled_from(Every), TIMES)
def test_a_period_of_the_calendar_holds_the_time_that_it_is_of(every: Every, now: int) -> None:
    start = period_start(every, now)
    began = dt.datetime.fromtimestamp(start, dt.UTC)
    assert start <= now
    assert (began.hour, began.minute, began.second) == (0, 0, 0)
    assert period_start(every, start) == start
    assert now - start < {Every.DAY: 1, Every.WEEK: 7, Every.MONTH: 31}[every] * DAY
    if every is Every.WEEK and start >= 0:
        assert began.weekday() == 0
    if every is Every.MONTH:
        assert (began.day, began.month) == (1, dt.datetime.fromtimestamp(now, dt.UTC).month)


def test_by_threshold_by_schedule_by_asset() -> None:
    friday = 1_801_180_800  # 2027-01-29 00:00:00 UTC
    weekly = rule(every=Every.WEEK, keep_units=10)
    full = rule(above_units=1_000)
    for holding, verdict, units in (
        (Holding(500), Verdict.CONVERT, 490),
        (Holding(500, friday - 4 * DAY), Verdict.DONE_THIS_PERIOD, 0),
        (Holding(500, friday - 4 * DAY - 1), Verdict.CONVERT, 490),
        (Holding(10), Verdict.NOTHING_THERE, 0),
        (Holding(1_001, friday), Verdict.CONVERT, 1_001),
        (Holding(1_000, friday), Verdict.DONE_THIS_PERIOD, 0),
    ):
        (found,) = decide([weekly, full], {ONE.address: holding}, friday + 60)
        assert (found.verdict, found.units) == (verdict, units), holding
    assert [found.rule.asset for found in decide([rule(TWO), weekly, rule(TWO)], {}, friday)] == [TWO, ONE]
    (found,) = decide([full], {ONE.address: Holding(1_000)}, friday)
    assert found.verdict is Verdict.BELOW_THRESHOLD


@given(st.integers(0, 2**100), st.integers(0, WHOLE_BPS - 1))
def test_E35_the_least_is_never_below_the_limit_on_slippage(quoted: int, bps: int) -> None:
    least = least_out_up(quoted, bps)
    exact = Fraction(quoted * (WHOLE_BPS - bps), WHOLE_BPS)
    assert least == max(1, -(-exact.numerator // exact.denominator))
    assert 1 <= least <= max(quoted, 1), "an exchange without a bound is anybody's"


@pytest.mark.parametrize("bps", [-1, WHOLE_BPS])
def test_a_limit_that_is_none_is_refused(bps: int) -> None:
    with pytest.raises(AmountInvalid):
        least_out_up(100, bps)


@given(st.integers(1, 2**90), st.integers(0, 2**90))
def test_slippage_is_told_against_the_quoter_and_never_too_small(quoted: int, brought: int) -> None:
    bps = slippage_bps_up(Amount(quoted, INTO), Amount(brought, INTO))
    exact = Fraction((quoted - brought) * WHOLE_BPS, quoted)
    assert exact <= bps < exact + 1
