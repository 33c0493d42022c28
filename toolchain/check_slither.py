"""Fails on what Slither finds in the contracts and docs/slither.md does not explain.

    toolchain/run python toolchain/check_slither.py        (`make slither`)

Judged is what has a high or medium impact. Slither lives in an environment of its own, `.cache/slither`, pinned and
hashed in `toolchain/slither.lock`: what it needs is not what the project needs.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import venv
from collections import Counter
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".cache" / "slither"
PYTHON = ENVIRONMENT / "bin" / "python"
LOCK = ROOT / "toolchain" / "slither.lock"
UV = ROOT / ".cache" / "bootstrap" / "bin" / "uv"
COMPILER = ROOT / "toolchain" / "solc-v0.8.37"
PAGE = ROOT / "docs" / "slither.md"
HEADING = "| detector | place | why it is right |"
JUDGED = {"High", "Medium"}


class Finding(NamedTuple):
    """A detector's name, and the place without its line."""

    detector: str
    place: str


def prepare() -> None:
    """The environment, anew where the lock has changed."""
    wanted, stamp = hashlib.sha256(LOCK.read_bytes()).hexdigest(), ENVIRONMENT / "lock.sha256"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    venv.create(ENVIRONMENT, with_pip=not UV.exists())
    if UV.exists():
        command = [str(UV), "pip", "sync", "--quiet", "--python", str(PYTHON), "--require-hashes", str(LOCK)]
    else:
        command = [str(PYTHON), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(LOCK)]
    subprocess.run(command, check=True)
    stamp.write_text(wanted)


def explained(text: str) -> list[Finding]:
    """The rows of the page's table."""
    _, _, table = text.partition(HEADING)
    rows = takewhile(lambda line: line.startswith("|"), table.strip().splitlines()[1:])
    cells = [[cell.strip().strip("`") for cell in row.strip("|").split("|")] for row in rows]
    return [Finding(detector, place) for detector, place, *_ in cells]


def found() -> list[tuple[Finding, str]]:
    """What Slither finds of high or medium impact, and how it says it."""
    command = [str(PYTHON), str(ROOT / "toolchain" / "slither_findings.py"), str(COMPILER)]
    answer = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    rows = json.loads(answer.stdout)
    if not rows:
        sys.exit("Slither found nothing at all, not even of low impact: it did not read the contracts.")
    return [(Finding(row["detector"], row["place"]), row["text"]) for row in rows if row["impact"] in JUDGED]


def complaints(findings: list[tuple[Finding, str]], explanations: list[Finding]) -> list[str]:
    """What is found and not explained, and what is explained and not found any more."""
    known, seen = Counter(explanations), Counter(finding for finding, _ in findings)
    new = {finding: text for finding, text in findings if seen[finding] > known[finding]}
    said = [f"not explained: {finding.detector} | {finding.place}\n{text}" for finding, text in new.items()]
    gone = known - seen
    return said + [f"explained, but not found any more: {one.detector} | {one.place}" for one in gone]


def main() -> None:
    prepare()
    findings = found()
    wrong = complaints(findings, explained(PAGE.read_text()))
    if wrong:
        sys.exit("\n".join([*wrong, f"Mend the contract, or explain it in {PAGE.relative_to(ROOT)}."]))
    print(f"Slither: {len(findings)} findings of high or medium impact, each explained in {PAGE.relative_to(ROOT)}.")


if __name__ == "__main__":
    main()
