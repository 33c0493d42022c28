"""Writes the tables of docs/gas.md from the results of `benchmarks.gas` and `benchmarks.charge_parts`.

toolchain/run python -m benchmarks.gas_page
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from benchmarks import charge_parts
from benchmarks.gas import RESULTS
from benchmarks.standards import PAGE, Measurement, cells

GAS = "| operation | token | rows | gas | at most | limit | x limit | best peer | x peer | peer |"
PARTS = "| part | alone | of a hundred |"


def rows_of_gas() -> list[str]:
    """A row for each measurement in the results."""
    return [_row(cells(Measurement(**line))) for line in json.loads(RESULTS.read_text())]


def rows_of_parts() -> list[str]:
    """A row for each part of a charge, and their sum."""
    alone, batched = json.loads(charge_parts.RESULTS.read_text()).values()
    return [_row([part, f"{alone[part]:,}", f"{batched[part]:,}"]) for part in alone]


def with_table(page: str, heading: str, rows: Sequence[str]) -> str:
    """The page with other rows below a heading. Raises ValueError for a heading that it does not have."""
    lines = page.splitlines()
    start = lines.index(heading) + 2
    end = next(place for place in range(start, len(lines)) if not lines[place].startswith("|"))
    return "\n".join([*lines[:start], *rows, *lines[end:]]) + "\n"


def _row(parts: Iterable[str]) -> str:
    return f"| {' | '.join(parts)} |"


def fresh(page: str) -> str:
    """The page as the results want it."""
    return with_table(with_table(page, GAS, rows_of_gas()), PARTS, rows_of_parts())


if __name__ == "__main__":
    PAGE.write_text(fresh(PAGE.read_text()))
