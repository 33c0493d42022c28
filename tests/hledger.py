"""What the program hledger says of a journal."""

from __future__ import annotations

import csv
import io
import subprocess
from pathlib import Path


def hledger(path: Path, *arguments: str) -> str:
    """What it prints; without a word of complaint."""
    done = subprocess.run(["hledger", "-f", str(path), *arguments], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def require_accepted(path: Path) -> None:
    """As documented: all accounts and commodities declared, everything balanced; and in order."""
    assert hledger(path, "check", "--strict", "ordereddates") == ""


def rows_of(path: Path, *arguments: str) -> list[dict[str, str]]:
    """A report as rows."""
    return list(csv.DictReader(io.StringIO(hledger(path, *arguments, "-O", "csv"), newline="")))


def balances_of(path: Path, decimals: dict[str, int]) -> dict[tuple[str, str], int]:
    """Its trial balance in base units, by account and commodity, but for those that are nothing."""
    rows = rows_of(path, "balance", "--flat", "--no-total", "--layout=bare")
    return {
        (row["account"], row["commodity"]): signed_units(row["balance"], decimals[row["commodity"]]) for row in rows
    }


def signed_units(text: str, decimals: int) -> int:
    """Base units of an amount, which must have exactly so many digits."""
    assert len(text.partition(".")[2]) == decimals, text
    return int(text.replace(".", ""))
