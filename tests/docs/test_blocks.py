"""Every block of every document does what it says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tallystick.testing import start_anvil
from tests.databases import PostgresServer
from tests.docs.beginnings import BEGINNINGS, FIRST_DAY, nothing, read_before, sold
from tests.docs.blocks import DOCUMENTS, ROOT, SHELLS, TAGS, blocks_of, commands_unrun, name_of, program_of, run_lines
from tests.docs.reader import BOOKS, NODE, PSQL, SUBSTITUTES, Reader
from tests.docs.warm import ADDRESS, WarmProgram


def needs_postgres(document: Path) -> bool:
    return BOOKS in document.read_text()


def needs_hledger(document: Path) -> bool:
    blocks = (block for block in blocks_of(document) if block.tag in SHELLS)
    return any(program_of(line) == "hledger" for block in blocks for line in block.text.splitlines())


def marks_of(document: Path) -> list[pytest.MarkDecorator]:
    """What its blocks need that is not on every machine."""
    needed = (pytest.mark.postgres, needs_postgres(document)), (pytest.mark.hledger, needs_hledger(document))
    return [mark for mark, is_needed in needed if is_needed]


@pytest.mark.parametrize(
    "document", [pytest.param(document, marks=marks_of(document)) for document in DOCUMENTS], ids=name_of
)
def test_a_reader_can_do_what_it_says(
    document: Path, tmp_path: Path, warm: WarmProgram, request: pytest.FixtureRequest
) -> None:
    begin = BEGINNINGS.get(name_of(document), nothing)
    timestamp = ["--timestamp", str(FIRST_DAY)] if begin is sold else []
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TALLYSTICK_")}
    environment |= {"PATH": f"{warm.folder}:{environment['PATH']}", ADDRESS: str(warm.socket)}
    with start_anvil(*timestamp) as anvil:
        begin(anvil, tmp_path)
        environment |= {"TALLYSTICK_RPC_URL": anvil.url, "ETH_RPC_URL": anvil.url}
        addresses = {NODE: anvil.url}
        if needs_postgres(document):
            server: PostgresServer = request.getfixturevalue("postgres")
            addresses[BOOKS] = server.create()
            addresses[PSQL] = addresses[BOOKS].replace("+psycopg", "")
        reader = Reader(tmp_path, environment, addresses)
        for page in (*read_before(document), document):
            for block in blocks_of(page):
                reader.do(block)


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_block_says_what_it_is(document: Path) -> None:
    for block in blocks_of(document):
        assert block.tag in TAGS, f"{block} is tagged {block.tag!r}, allowed are {', '.join(TAGS)}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_command_stands_where_it_is_run(document: Path) -> None:
    assert list(commands_unrun(document)) == [], "make it a `bash` block, comments behind two blanks and #"


def test_every_substitute_is_for_a_line_that_is_there() -> None:
    assert set(SUBSTITUTES) <= set(run_lines())


def test_what_runs_for_ever_has_a_substitute() -> None:
    assert [
        line for line in run_lines() if (line.endswith("&") or " --follow" in line) and line not in SUBSTITUTES
    ] == []


def test_make_demo_is_the_demo_after_the_set_up() -> None:
    recipe = (ROOT / "Makefile").read_text().partition("\ndemo: setup ")[2].splitlines()[1:3]
    assert recipe == [f"\t@$(RUN) {SUBSTITUTES['make demo'].line}", ""]
