"""The reader of the documents notices what is wrong in them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tallystick.errors import ConfigError
from tests.docs.blocks import ROOT, Block, blocks_of, commands_unrun
from tests.docs.reader import NODE, Reader
from tests.docs.warm import ADDRESS, WarmProgram


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path, os.environ, {})


def block(tag: str, text: str) -> Block:
    return Block(ROOT / "README.md", 7, tag, text)


def test_blocks_are_found_with_their_places(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n```bash\nls\n```\n  ````text\n  ```\n  ````\n")
    assert [(found.line, found.tag, found.text) for found in blocks_of(page)] == [
        (3, "bash", "ls\n"),
        (6, "text", "```\n"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        *(
            "tallystick status",
            "$ make demo",
            "  ape run deploy",
            "toolchain/run forge test",
            "make",
            "# pip install .",
        ),
        *(".venv/bin/tallystick status", "NAME=1 OTHER='2' anvil --silent", "sudo apt-get install x", "python -m x"),
    ],
)
def test_a_command_that_nothing_runs_is_noticed(line: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"a\n```text\ncli\n{line}\n```\nb\n")
    assert list(commands_unrun(page)) == [line.strip()]
    page.write_text(f"a\n\n    {line}\n\nb\n")
    assert list(commands_unrun(page)) == [line.strip()]
    page.write_text(f"{line}\n```bash\n{line}\n```\n```text\nto {line}\nmaker, tallystick.db | NAME=1\n\n```\n")
    assert list(commands_unrun(page)) == []


def test_what_the_documents_have_elsewhere_is_here(tmp_path: Path) -> None:
    reader = Reader(tmp_path, os.environ, {NODE: "http://127.0.0.1:1"})
    for tag, text in (("bash", f"echo {NODE}\n"), ("python", f"print('{NODE}')\n")):
        reader.do(block(tag, text))
        reader.do(block("output", "http://127.0.0.1:1\n"))


def test_a_command_that_fails_is_noticed(reader: Reader) -> None:
    reader.do(block("bash", "true\n"))
    with pytest.raises(AssertionError, match=r"README.md, line 7 ended with 1"):
        reader.do(block("bash", "false\ntrue\n"))
    with pytest.raises(AssertionError, match="ended with 1"):
        reader.do(block("sh", "false | cat\n"))


def test_an_output_that_is_another_is_noticed(reader: Reader) -> None:
    with pytest.raises(AssertionError, match="no block before it"):
        reader.do(block("output", "anything\n"))
    reader.do(block("bash", "printf 'one  two\\nthree\\nfour five six\\nseven\\n'\n"))
    for shown in ("one two\nthree\n", "one two\n...\nseven\n", "four ... six\n", "three\n...\nfour...\n"):
        reader.do(block("output", shown))
    for shown in ("one two\nseven\n", "three\none two\n", "four six\n", "tw\n", "three\nfour five\n"):
        with pytest.raises(AssertionError, match="what was printed is"):
            reader.do(block("output", shown))


def test_what_is_exported_and_assigned_lasts(reader: Reader) -> None:
    reader.do(block("bash", "export NAME='a\nb'\n"))
    reader.do(block("python", "import os\nvalue = os.environ['NAME']\n"))
    reader.do(block("python", "print(value)\n"))
    reader.do(block("output", "a\nb\n"))
    assert "NAME" not in os.environ
    with pytest.raises(ZeroDivisionError):
        reader.do(block("python", "1 / 0\n"))


def test_a_configuration_and_json_are_checked(reader: Reader) -> None:
    reader.do(block("toml", "[gas]\nbumps = 1\n"))
    with pytest.raises(ConfigError, match="unknown key"):
        reader.do(block("toml", "[gas]\nbump = 1\n"))
    with pytest.raises(json.JSONDecodeError):
        reader.do(block("json", "{1}"))


def test_the_warm_program_answers_as_the_installed_one(warm: WarmProgram, tmp_path: Path) -> None:
    (tmp_path / "tallystick.toml").write_text("rpcurl = 1")
    for arguments in (["--version"], ["plans", "--help"], ["status"], ["plans", "nonsense"], ["status", "--rpc"]):
        answers = []
        for path in ("", f"{warm.folder}:"):
            environment = os.environ | {"PATH": path + os.environ["PATH"], ADDRESS: str(warm.socket)}
            done = subprocess.run(
                ["tallystick", *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True
            )
            answers.append((done.returncode, done.stdout, done.stderr))
        assert answers[0] == answers[1]
