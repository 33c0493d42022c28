"""The schedule's libraries against the Python model and against a calendar that is walked month by month (E24).

Thousands of plans and dates, many to a call (`ScheduleHarness`).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.core.period import Period, Unit, anchor_day_of
from tests.contracts.stage import DAY, Contract, Stage, utc

MONTHS = {Unit.MONTH: 1, Unit.YEAR: 12}
SECONDS = {Unit.SECOND: 1, Unit.DAY: DAY, Unit.WEEK: 7 * DAY}
ERA_S = 146_097 * DAY
"""400 years, after which the Gregorian calendar repeats itself."""


class Question(NamedTuple):
    """A subscription at `start`, `charged` periods later, asked for the point `periods` after that, and for how many
    periods have passed `elapsed_s` after that."""

    start: int
    every: int
    unit: Unit
    charged: int
    periods: int
    elapsed_s: int

    @property
    def anchor_day(self) -> int:
        return anchor_day_of(self.start)

    @property
    def due(self) -> int:
        return walk(self, self.charged)


def walk(question: Question, periods: int) -> int:
    """The grid point so many periods after the start, found by going from month to month."""
    if question.unit in SECONDS:
        return question.start + periods * question.every * SECONDS[question.unit]
    month = datetime.fromtimestamp(question.start, UTC).date().replace(day=1)
    for _ in range(periods * question.every * MONTHS[question.unit]):
        month = next_month(month)
    last_day = (next_month(month) - timedelta(days=1)).day
    day = month.replace(day=min(question.anchor_day, last_day))
    return (day - date(1970, 1, 1)).days * DAY + question.start % DAY


def next_month(first: date) -> date:
    """The first day of the month after."""
    return (first + timedelta(days=31)).replace(day=1)


def answers(harness: Contract, questions: list[Question]) -> list[tuple[int, int]]:
    """What the contract's libraries say: the later grid point, and the whole periods until the time asked about."""
    rows = [
        (
            question.every * SECONDS.get(question.unit, 0),
            question.every * MONTHS.get(question.unit, 0),
            question.due,
            question.periods,
            question.anchor_day,
            question.due + question.elapsed_s,
        )
        for question in questions
    ]
    found = harness.answer(rows)
    return list(zip(found.later, found.wholePeriods, strict=True))


@pytest.fixture(scope="session")
def harness(stage: Stage, project: Any) -> Contract:
    """The libraries, by the array."""
    return project.ScheduleHarness.deploy(sender=stage.anyone)


EVERY = {Unit.SECOND: 10**9, Unit.DAY: 1_000, Unit.WEEK: 500, Unit.MONTH: 36, Unit.YEAR: 8}
QUESTIONS = st.sampled_from(Unit).flatmap(
    lambda unit: st.builds(
        Question,
        start=st.integers(utc(1970, 1, 1), utc(2400, 1, 1)) | st.integers(20, 500).map(lambda day: utc(2027, 1, day)),
        every=st.integers(1, EVERY[unit]),
        unit=st.just(unit),
        charged=st.integers(0, 12),
        periods=st.integers(0, 12),
        elapsed_s=st.integers(0, 20 * 366 * DAY),
    )
)


@pytest.mark.fuzz
@given(questions=st.lists(QUESTIONS, min_size=10, max_size=25))
def test_E24_contract_model_and_calendar_agree(harness: Contract, questions: list[Question]) -> None:
    for question, (later, whole) in zip(questions, answers(harness, questions), strict=True):
        period, due, anchor = Period(question.every, question.unit), question.due, question.anchor_day
        assert (
            later == period.later(due, question.periods, anchor) == walk(question, question.charged + question.periods)
        )
        assert whole == period.whole_periods(due, due + question.elapsed_s, anchor), question


def test_E24_every_day_of_a_leap_cycle_by_months_and_years(harness: Contract) -> None:
    days = range(utc(2027, 1, 1, 23, 59, 59), utc(2031, 3, 5), DAY)
    questions = [
        Question(start, every, unit, 0, periods, 0)
        for start in days
        for every, unit, periods in [(1, Unit.MONTH, 1), (1, Unit.MONTH, 13), (1, Unit.YEAR, 1)]
    ]
    found = [later for later, _ in answers(harness, questions)]
    assert found == [walk(question, question.periods) for question in questions]


def test_E20_E21_whole_periods_change_at_the_very_second(harness: Contract) -> None:
    starts = [utc(2027, 1, 31, 12), utc(2028, 2, 29), utc(2027, 12, 30, 23, 59, 59), utc(2096, 2, 29)]
    grids = [
        Question(start, every, unit, 0, periods, 0)
        for start in starts
        for every, unit in [(1, Unit.MONTH), (3, Unit.MONTH), (1, Unit.YEAR), (30, Unit.DAY), (7, Unit.SECOND)]
        for periods in range(1, 15)
    ]
    questions = [
        grid._replace(elapsed_s=walk(grid, grid.periods) - grid.start + offset_s)
        for grid in grids
        for offset_s in (-1, 0, 1)
    ]
    found = [whole for _, whole in answers(harness, questions)]
    assert found == [grid.periods - 1 + passed for grid in grids for passed in (0, 1, 1)]


@pytest.mark.fuzz
@given(
    start=st.integers(utc(2000, 1, 1), utc(2000, 1, 1) + ERA_S), months=st.integers(1, 1_180), eras=st.integers(1, 80)
)
def test_E28_the_calendar_repeats_itself_up_to_the_end_of_its_range(
    harness: Contract, start: int, months: int, eras: int
) -> None:
    anchor_day = anchor_day_of(start)
    far = start + eras * ERA_S
    assert far < 2**40
    rows = [(0, months, due, 1, anchor_day, due + 3 * ERA_S) for due in (start, far)]
    (near_later, far_later), (near_whole, far_whole) = harness.answer(rows)
    assert (far_later - near_later, far_whole) == (eras * ERA_S, near_whole)


def test_E24_the_anchor_day_is_the_day_of_the_month(harness: Contract) -> None:
    days = list(range(utc(1999, 12, 31), utc(2009, 1, 1), DAY // 2)) + list(range(0, ERA_S * 12, 97 * DAY + 1))
    near = [day for day in days if day < utc(9999, 1, 1)]
    assert harness.daysOfMonth(near) == [anchor_day_of(day) for day in near]
    assert harness.daysOfMonth([day + ERA_S for day in near]) == [anchor_day_of(day) for day in near]
