"""Somebody who reads a document from top to bottom and does what it says."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tallystick.config import load_config
from tests.docs.blocks import ROOT, SHELLS, Block

TIMEOUT_S = 120
NODE = "http://127.0.0.1:8545"
"""Where the documents' chain is; a test's is elsewhere, on a port that was free."""
BOOKS = "postgresql+psycopg://tally@books.internal/tallystick"
"""Where the documents' PostgreSQL is; a test's listens on a socket of its own."""
PSQL = BOOKS.replace("+psycopg", "")
"""The same as psql names it."""


class Substitute(NamedTuple):
    """What is run in place of a line, and why that line itself is not."""

    line: str
    why: str


def _ape(options: str, environment: str = "") -> str:
    """Ape looks for its scripts in the project's folder, and a test must not leave a manifest there."""
    return f'folder=$PWD; (cd "{ROOT}" && {environment} ape run deploy {options} --out "$folder/deployments")'


SUBSTITUTES: Mapping[str, Substitute] = {
    "make demo": Substitute(
        "tallystick demo --out demo-out",
        "it first sets up the environment, in which the test runs already; a test compares the recipe",
    ),
    "toolchain/run bash": Substitute(
        "toolchain/run true",
        "the reader goes on inside of that shell; the test is in its environment already",
    ),
    "anvil --silent &": Substitute(
        "cast chain-id",
        "it would listen on a port that may be taken, and outlive the block; the test has started one",
    ),
    f"APE_FOUNDRY_HOST={NODE} ape run deploy --network ethereum:local:foundry": Substitute(
        _ape("--network ethereum:local:foundry", f"APE_FOUNDRY_HOST={NODE}"),
        "the reader's folder is not the project's, see `_ape`",
    ),
    "ape run deploy --network ethereum:local:foundry": Substitute(
        _ape("--network ethereum:local:foundry"), "the reader's folder is not the project's, see `_ape`"
    ),
    "ape run deploy --network base:mainnet:node --account ALIAS": Substitute(
        "cast rpc anvil_setChainId 8453 > /dev/null; "
        + _ape(f"--network base:mainnet:{NODE} --account ALIAS", 'APE_DATA_FOLDER="$folder/.ape"')
        + "; cast rpc anvil_setChainId 31337 > /dev/null",
        "a public chain costs money: the test's answers as Base, and has the contracts already, so that the account is "
        "found but pays nothing",
    ),
    "tallystick index --follow &": Substitute("tallystick index --once", "it would outlive the block"),
    f"tallystick index --follow --db {BOOKS} &": Substitute(
        f"tallystick index --once --db {BOOKS}", "it would outlive the block"
    ),
    "tallystick bill --follow &": Substitute("tallystick bill --once", "it would outlive the block"),
}


class Reader:
    """Does blocks in a folder: shell commands each in a new shell that knows what the ones before exported, Python in
    one session. `environment` is what the shell begins with, `addresses` where the test has started what the documents
    have elsewhere: NODE, BOOKS."""

    def __init__(self, folder: Path, environment: Mapping[str, str], addresses: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = dict(environment)
        self.addresses = addresses
        self.printed: str | None = None
        self._session: dict[str, Any] = {"__name__": "__main__"}

    def do(self, block: Block) -> None:
        """Runs or checks one block. Raises AssertionError where it does not do what it says."""
        if block.tag in SHELLS:
            self.printed = self._shell(block)
        elif block.tag == "python":
            self.printed = self._python(block)
        elif block.tag == "output":
            self._compare(block)
        elif block.tag == "json":
            json.loads(block.text)
        elif block.tag == "toml":
            file = self.folder / ".block.toml"
            file.write_text(block.text)
            tomllib.loads(block.text)
            load_config(file, environment={})

    def _shell(self, block: Block) -> str:
        script, after = self.folder / ".block.sh", self.folder / ".block.environment"
        lines = [_substituted(line) for line in block.text.splitlines()]
        text = self._here("\n".join(lines))
        script.write_text(f"set -euo pipefail\n{text}\nenv -0 > '{after}'\n")
        done = subprocess.run(
            ["bash", str(script)],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_S,
        )
        assert done.returncode == 0, f"{block} ended with {done.returncode}:\n{text}\n{done.stdout}"
        pairs = (pair.partition("=") for pair in after.read_text().split("\0") if pair)
        self.environment = {name: value for name, _, value in pairs}
        return done.stdout

    def _python(self, block: Block) -> str:
        """Run in this process, because the imports take longer than everything else."""
        source = "\n" * (block.line - 1) + self._here(block.text)
        code = compile(source, str(block.document), "exec")
        with contextlib.redirect_stdout(io.StringIO()) as printed, self._as_here():
            exec(code, self._session)
        return printed.getvalue()

    def _here(self, text: str) -> str:
        """With the addresses of what the test has started."""
        for address, here in self.addresses.items():
            text = text.replace(address, here)
        return text

    @contextlib.contextmanager
    def _as_here(self) -> Iterator[None]:
        folder, environment = Path.cwd(), dict(os.environ)
        os.chdir(self.folder)
        os.environ.clear()
        os.environ.update(self.environment)
        try:
            yield
        finally:
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(environment)

    def _compare(self, block: Block) -> None:
        assert self.printed is not None, f"{block} shows the output of no block before it"
        here = self.printed.replace(f"{self.folder}/", "")  # the substitute for Ape must name the folder in full
        found = "".join(f"{_one_blank(line)}\n" for line in here.splitlines())
        assert re.search(_pattern(block.text), found), f"{block} shows\n{block.text}\nand what was printed is\n{found}"


def _substituted(line: str) -> str:
    command = line.partition("  #")[0].strip()
    return SUBSTITUTES[command].line if command in SUBSTITUTES else line


def _pattern(shown: str) -> re.Pattern[str]:
    """What an `output` block allows: its lines one after the other, with any blanks between the words, and `...` for
    anything in a line or, alone, for any lines."""
    parts = []
    for line in shown.splitlines():
        if line.strip() == "...":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*".join(re.escape(part) for part in _one_blank(line).split("...")) + r"\n")
    return re.compile("^" + "".join(parts), re.MULTILINE)


def _one_blank(line: str) -> str:
    return re.sub(" +", " ", line.rstrip())
