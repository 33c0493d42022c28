"""docs/threats.md names functions and tests that there are, in every row."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator

from tests.docs.blocks import ROOT

PAGE = ROOT / "docs" / "threats.md"
DEFINITION = re.compile(r"^\s*(?:async )?(?:def|function) (\w+)|^\s*(fallback)\(", re.MULTILINE)


def rows() -> Iterator[dict[str, str]]:
    """Every row of every table: its cells by the names of their columns."""
    names: list[str] = []
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            names = []
        elif not names:
            names = cells
        elif not line.startswith("|---"):
            yield dict(zip(names, cells, strict=True))


def places(cell: str) -> list[tuple[str, str]]:
    """The files that a cell names, each with the functions in it, or patterns of their names."""
    found, file = [], ""
    for quoted in re.findall(r"`([^`]+)`", cell):
        if "/" in quoted:
            file = quoted
        else:
            found.append((file, quoted))
    return found


def definitions(file: str) -> list[str]:
    return [name or other for name, other in DEFINITION.findall((ROOT / file).read_text())]


def test_every_place_exists() -> None:
    named = [place for row in rows() for column in ("enforced in", "shown by") for place in places(row.get(column, ""))]
    assert len(named) > 80
    assert [(file, name) for file, name in named if not fnmatch.filter(definitions(file), name)] == []


def test_every_row_says_what_shows_it_and_a_test_does() -> None:
    for row in rows():
        for column in ("enforced in", "shown by"):
            if column in row and row[column] != "-":
                assert places(row[column]), row
        for file, name in places(row["shown by"]):
            assert file.startswith("tests/"), row
            assert name.startswith(("test_", "testFuzz_", "invariant_")), row
