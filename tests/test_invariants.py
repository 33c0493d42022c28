"""docs/invariants.md names tests that exist, and every edge case that a contract test proves."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "invariants.md"
DEFINITION = re.compile(r"^\s*(?:async )?(?:def|function) (\w+)", re.MULTILINE)


def proofs() -> list[tuple[str, str]]:
    """File and name, or pattern, of every test that the document's tables name."""
    found = []
    for line in DOCUMENT.read_text().splitlines():
        if not line.startswith("|"):
            continue
        file = ""
        for quoted in re.findall(r"`([^`]+)`", line):
            if quoted.startswith("tests/"):
                file = quoted
            elif file:
                found.append((file, quoted))
    return found


def definitions(file: str) -> list[str]:
    return DEFINITION.findall((ROOT / file).read_text())


def test_every_proof_exists() -> None:
    named = proofs()
    assert len(named) > 80
    missing = [(file, name) for file, name in named if not fnmatch.filter(definitions(file), name)]
    assert not missing


def test_every_case_that_the_contract_tests_prove_is_named() -> None:
    files = [path.relative_to(ROOT).as_posix() for path in (ROOT / "tests" / "contracts").glob("test_*.py")]
    cases = [(file, name) for file in files for name in definitions(file) if name.startswith("test_E")]
    assert len(cases) > 50
    unnamed = {
        (file, name)
        for file, name in cases
        if not any(file == found and fnmatch.fnmatch(name, pattern) for found, pattern in proofs())
    }
    assert not unnamed
