"""Writes the tables of docs/gas.md from the results of `benchmarks.gas`, `charge_parts` and `deposit_parts`.

toolchain/run python -m benchmarks.gas_page
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks import charge_parts, deposit_parts
from benchmarks.gas import RESULTS
from benchmarks.standards import PAGE, Measurement, cells

GAS = "| operation | token | rows | gas | at most | limit | x limit | best peer | x peer | peer |"
PARTS = "| part | alone | of a hundred |"
DEPOSIT_PARTS = "| part | alone | of twenty |"


def rows_of_gas() -> list[str]:
    """A row for each measurement in the results."""
    return [_row(cells(Measurement(**line))) for line in json.loads(RESULTS.read_text())]


def rows_of_parts(results: Path) -> list[str]:
    """A row for each part of a charge or sweep, and their sum."""
    alone, batched = json.loads(results.read_text()).values()
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
    page = with_table(page, GAS, rows_of_gas())
    page = with_table(page, PARTS, rows_of_parts(charge_parts.RESULTS))
    return with_table(page, DEPOSIT_PARTS, rows_of_parts(deposit_parts.RESULTS))


if __name__ == "__main__":
    PAGE.write_text(fresh(PAGE.read_text()))
