"""Gas does not rise by accident: Anvil, keys and salts are the same in each run, and so is the gas."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from benchmarks.gas import RESULTS, SNAPSHOT, measure
from benchmarks.gas_page import fresh
from benchmarks.scene import start
from benchmarks.standards import (
    BOUNDS,
    EXPLAINED,
    PAGE,
    TOLERANCE,
    Measurement,
    excesses,
    explained_rises,
    rises,
)


@pytest.fixture(scope="module")
def measurements() -> Sequence[Measurement]:
    """Everything, measured once."""
    with start() as anvil:
        return measure(anvil)


def test_gas_is_that_of_the_snapshot(measurements: Sequence[Measurement]) -> None:
    snapshot = json.loads(SNAPSHOT.read_text())
    assert [line.key for line in measurements] == list(snapshot)
    assert rises(measurements, snapshot, explained_rises(PAGE.read_text())) == []


def test_a_rise_is_seen_and_explained_for_as_much_as_it_says() -> None:
    line = Measurement("charge", "OZ infinite", 1, 10_000, None, None, None)
    row = "| charge, OZ infinite, 1 | 10,300 | Because. |"
    page = f"{EXPLAINED}\n|---|---|---|\n{row}\n\nText.\n\n| another | table | here |\n"
    explained = explained_rises(page)
    assert explained == {line.key: 10_300}
    snapshot = {line.key: 10_000}
    for gas, before, after in [(10_100, 0, 0), (10_101, 1, 0), (10_403, 1, 0), (10_404, 1, 1)]:
        found = [replace(line, gas_per_row=gas)]
        assert (len(rises(found, snapshot, {})), len(rises(found, snapshot, explained))) == (before, after)
    assert rises([line], {}, {}) == []


def test_nothing_costs_more_than_it_should(measurements: Sequence[Measurement]) -> None:
    assert excesses(measurements) == {}
    bounded = {line.key: (line, bound) for line in measurements if (bound := BOUNDS.get((line.op, line.token, line.n)))}
    assert len(bounded) == len(BOUNDS)
    for key, (line, bound) in bounded.items():
        assert excesses([replace(line, gas_per_row=bound)]) == {}
        assert excesses([replace(line, gas_per_row=bound + 1)]).keys() == {key}


def test_the_page_shows_the_results_of_the_last_run(measurements: Sequence[Measurement]) -> None:
    assert fresh(PAGE.read_text()) == PAGE.read_text()
    shown = {line.key: line.gas_per_row for line in (Measurement(**row) for row in json.loads(RESULTS.read_text()))}
    assert shown.keys() == {line.key for line in measurements}
    for line in measurements:
        assert abs(shown[line.key] - line.gas_per_row) <= line.gas_per_row * TOLERANCE, "run: make bench"
