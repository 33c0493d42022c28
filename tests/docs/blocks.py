"""The documents, and the fenced blocks in them.

bash, sh, python   are run, in their order, by `Reader`
output             is what the block before it printed; `...` stands for anything
toml               is a configuration, json is JSON
text               is for people only: no command may stand there, because it would not be run
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md")))
SHELLS = ("bash", "sh")
TAGS = (*SHELLS, "python", "output", "toml", "json", "text")
PROGRAMS = {
    *("tallystick", "make", "toolchain/run", "ape", "anvil", "cast", "forge", "solc", "bean-check", "hledger"),
    *("pytest", "ruff"),
    *("python", "python3", "pip", "pip3", "uv", "node", "npm", "npx", "git", "docker", "curl", "apt-get", "sudo"),
    *("sqlite3", "psql", "createdb", "bash", "sh", "cd", "source", "export", "unset"),
}
"""What a line of text that is a command begins with."""
_FENCE = re.compile(r"^( *)(`{3,})(.*)$")


@dataclass(frozen=True)
class Block:
    """A fenced block: its tag, its text, and the line of the document on which the text begins."""

    document: Path
    line: int
    tag: str
    text: str

    def __str__(self) -> str:
        return f"{name_of(self.document)}, line {self.line}"


def name_of(document: Path) -> str:
    """A document as people name it: README.md, docs/selling.md."""
    return str(document.relative_to(ROOT))


def blocks_of(document: Path) -> Iterator[Block]:
    """Its fenced blocks in their order. Raises ValueError for a fence that is never closed."""
    opened: re.Match[str] | None = None
    start = 0
    lines: list[str] = []
    for number, line in enumerate(document.read_text().splitlines(), start=1):
        fence = _FENCE.match(line)
        if opened is None:
            if fence is not None:
                opened, start, lines = fence, number + 1, []
        elif fence is not None and fence[2] == opened[2] and not fence[3].strip():
            yield Block(document, start, opened[3].strip(), "".join(f"{text}\n" for text in lines))
            opened = None
        else:
            lines.append(line.removeprefix(opened[1]))
    if opened is not None:
        raise ValueError(f"{name_of(document)}: the block that begins at line {start} never ends")


def run_lines() -> list[str]:
    """The lines of all shell blocks of all documents, without their comments."""
    shells = [block for document in DOCUMENTS for block in blocks_of(document) if block.tag in SHELLS]
    return [line.partition("  #")[0].strip() for block in shells for line in block.text.splitlines()]


def commands_unrun(document: Path) -> Iterator[str]:
    """Lines outside of blocks that are run which look like commands: in `text`, or set off by four blanks or more."""
    text = [line for block in blocks_of(document) if block.tag == "text" for line in block.text.splitlines()]
    indented = [line for line in prose_of(document).splitlines() if line.startswith((" " * 4, "\t"))]
    for line in [*text, *indented]:
        if program_of(line) is not None:
            yield line.strip()


def program_of(line: str) -> str | None:
    """The program that a line would run as a command, behind a prompt, variables set for it and a folder; or None."""
    words = line.split()
    while words and (words[0] in {"$", ">", "#", "%", "sudo", "env"} or re.match(r"\w+=", words[0])):
        del words[0]
    if not words:
        return None
    name = words[0] if words[0] in PROGRAMS else words[0].rpartition("/")[2]
    return name if name in PROGRAMS else None


def prose_of(document: Path) -> str:
    """The document without its blocks, the lines at their places."""
    lines = document.read_text().splitlines()
    for block in blocks_of(document):
        end = block.line + block.text.count("\n")
        lines[block.line - 2 : end] = [""] * (end - block.line + 2)
    return "\n".join(lines)


def table_of(document: Path, heading: str) -> list[list[str]]:
    """The cells of the table with this heading line, a single code's marks taken off. Raises ValueError for none."""
    lines = prose_of(document).splitlines()
    start = lines.index(heading) + 2
    end = next(place for place in range(start, len(lines)) if not lines[place].startswith("|"))
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines[start:end]]
