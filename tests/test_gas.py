"""Gas does not rise by accident: Anvil, keys and salts are the same in each run, and so is the gas."""

from __future__ import annotations

import json

from benchmarks.gas import SNAPSHOT, excesses, measure, start

TOLERANCE = 0.01


def test_gas_is_that_of_the_snapshot() -> None:
    expected = json.loads(SNAPSHOT.read_text())
    with start() as anvil:
        measurements = measure(anvil)
    assert excesses(measurements) == []
    found = {line.key: line.gas_per_row for line in measurements}
    assert found.keys() == expected.keys()
    risen = {key: (expected[key], gas) for key, gas in found.items() if gas > expected[key] * (1 + TOLERANCE)}
    assert not risen, "where that is meant: toolchain/run python -m benchmarks.gas --snapshot, and say why"
