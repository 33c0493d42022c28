"""The check around Slither: what is found must be explained, and what is explained must be found."""

from __future__ import annotations

from toolchain.check_slither import HEADING, LOCK, PAGE, Finding, complaints, explained
from toolchain.lock import SLITHER_PACKAGES, mark_for

FOUND = Finding("unused-return", "State._check: (a,None) = f(x)")


def test_the_page_explains_each_finding_with_a_reason() -> None:
    rows = explained(PAGE.read_text())
    assert Finding("uninitialized-state", "SubscriptionsState._archived") in rows
    assert len(rows) == PAGE.read_text().count("\n| `")
    assert len(set(rows)) == len(rows)


def test_what_is_found_and_not_explained_is_said() -> None:
    row = "| `unused-return` | `State._check: (a,None) = f(x)` | Because. |"
    page = f"Before.\n\n{HEADING}\n|---|---|---|\n{row}\n\nAfter."
    assert complaints([(FOUND, "text")], explained(page)) == []
    another = Finding("unused-return", "State._check: g(x)")
    (said,) = complaints([(FOUND, "text"), (another, "ignores return value")], explained(page))
    assert "not explained: unused-return | State._check: g(x)" in said
    assert "ignores return value" in said


def test_one_explanation_is_for_one_finding() -> None:
    (said,) = complaints([(FOUND, "one"), (FOUND, "another")], [FOUND])
    assert said.startswith("not explained")


def test_what_is_explained_and_gone_is_said() -> None:
    assert complaints([], [FOUND]) == [f"explained, but not found any more: {FOUND.detector} | {FOUND.place}"]


def test_the_lock_is_slither_s_own() -> None:
    assert mark_for(list(SLITHER_PACKAGES)) in LOCK.read_text().splitlines()[:3]
    assert "://" not in LOCK.read_text()
