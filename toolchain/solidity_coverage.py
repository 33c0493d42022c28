"""Which lines and branches of the contracts the Forge tests in `tests/coverage` run; fails under 98 %.

    toolchain/run python toolchain/solidity_coverage.py        (`make coverage`)

Counted is what Forge can see. It compiles through the intermediate representation, because without it the compiler runs
out of stack, and that leaves no trace of single lines of assembly: they are left out and their number is said.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / ".cache" / "coverage" / "lcov.info"
NOT_COUNTED = ("contracts/mocks/", "contracts/interfaces/")
NEEDED = 98
_ASSEMBLY = re.compile(r"\bassembly\b.*\{")


@dataclass
class File:
    """Of one source: how often each line ran, and each branch of a line."""

    name: str
    lines: dict[int, int] = field(default_factory=dict)
    branches: dict[tuple[int, str], int] = field(default_factory=dict)

    @property
    def missed(self) -> list[str]:
        """Lines that never ran, and with a question mark those where a branch was never taken."""
        lines = {str(line) for line, hits in self.lines.items() if not hits}
        return sorted(lines | {f"{line}?" for (line, _), hits in self.branches.items() if not hits}, key=_place)


def _place(line: str) -> tuple[int, str]:
    return int(line.rstrip("?")), line


def read(report: Iterable[str]) -> list[File]:
    """The contracts in a report of the LCOV format."""
    files: list[File] = []
    for line in report:
        kind, _, values = line.strip().partition(":")
        if kind == "SF":
            files.append(File(values))
        elif kind == "DA":
            number, hits = values.split(",")[:2]
            files[-1].lines[int(number)] = int(hits)
        elif kind == "BRDA":
            number, block, path, hits = values.split(",")
            files[-1].branches[int(number), f"{block}.{path}"] = 0 if hits == "-" else int(hits)
    return [file for file in files if file.name.startswith("contracts/") and not file.name.startswith(NOT_COUNTED)]


def assembly_lines(source: str) -> set[int]:
    """The lines of the assembly in a source, from brace to brace."""
    found, depth = set(), 0
    for number, line in enumerate(source.splitlines(), start=1):
        code = line.partition("//")[0]
        if depth or _ASSEMBLY.search(code):
            found.add(number)
            depth += code.count("{") - code.count("}")
    return found


def without_assembly(file: File, source: str) -> tuple[File, int]:
    """What can be counted of a file, and how many lines cannot."""
    hidden = assembly_lines(source)
    lines = {line: hits for line, hits in file.lines.items() if line not in hidden}
    branches = {key: hits for key, hits in file.branches.items() if key[0] not in hidden}
    return File(file.name, lines, branches), len(file.lines) - len(lines)


def share(hits: Iterable[int]) -> tuple[int, int]:
    """How many of them are not zero, and how many there are."""
    every = list(hits)
    return sum(1 for one in every if one), len(every)


def table(files: Sequence[File]) -> tuple[str, bool]:
    """The table, and whether lines and branches as a whole reach what is needed."""
    text = [f"{'':44}{'lines':>16}{'branches':>16}  not run (?: a branch of it)"]
    for file in files:
        lines, branches = share(file.lines.values()), share(file.branches.values())
        text.append(f"{file.name:44}{_cell(lines):>16}{_cell(branches):>16}  {' '.join(file.missed)}".rstrip())
    all_lines = share(hits for file in files for hits in file.lines.values())
    all_branches = share(hits for file in files for hits in file.branches.values())
    text.append(f"{'all':44}{_cell(all_lines):>16}{_cell(all_branches):>16}")
    return "\n".join(text), all(run * 100 > NEEDED * count for run, count in (all_lines, all_branches))


def _cell(part: Sequence[int]) -> str:
    run, count = part
    return f"{run}/{count} {run * 1000 // count / 10:.1f} %" if count else "-"


def run_forge() -> None:
    """Writes the report. Exits where a test fails."""
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    command = ["forge", "coverage", "--ir-minimum", "--report", "lcov", "--report-file", str(REPORT)]
    command += ["--match-path", "tests/coverage/*"]
    environment = os.environ | {"FOUNDRY_PROFILE": "coverage"}
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode:
        sys.exit(f"{ran.stdout[-4000:]}{ran.stderr[-4000:]}")


def main() -> None:
    run_forge()
    counted = [without_assembly(file, (ROOT / file.name).read_text()) for file in read(REPORT.read_text().splitlines())]
    text, enough = table([file for file, _ in counted])
    print(text)
    print(f"{sum(hidden for _, hidden in counted)} lines of assembly left out: Forge cannot see them.")
    if not enough:
        sys.exit(f"More than {NEEDED} % of lines and of branches are needed.")


if __name__ == "__main__":
    main()
