"""The command line that the documents and the help name is the one that there is."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import click
import pytest

from tallystick.cli import COMMANDS, main
from tests.docs.blocks import DOCUMENTS, ROOT, SHELLS, blocks_of, name_of, program_of, prose_of, run_lines

INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
CALL = re.compile(r"\btallystick((?: +[^\s|;&<>`]+)*)")
SOURCES = [file for file in sorted((ROOT / "src").rglob("*.py")) if "`tallystick " in file.read_text()]
ENDS = {">", "|", "||", "&&", "&", ";"}


def commands(group: click.Group = main, *above: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with its words: (`plans`, `create`)."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, *above, name)
        else:
            yield (*above, name), command


ALL = dict(commands())


def calls_in(document: Path) -> Iterator[list[str]]:
    """The words behind each `tallystick` of its blocks and its inline code."""
    shells = [block.text.replace("\\\n", " ") for block in blocks_of(document) if block.tag in SHELLS]
    lines = [line.partition("  #")[0] for text in shells for line in text.splitlines()]
    for line in [*lines, *inline_in(document)]:
        for words in CALL.findall(line.replace('"$(', " ").replace("$(", " ")):
            yield words.replace(")", " ").split()


def common_first(words: list[str]) -> list[str]:
    """Without the common options before the command, and their values."""
    while words and words[0] in {"--config", "--rpc", "--db", "--deployment"}:
        words = words[2:]
    return words


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_commands_and_options_in_it_exist(document: Path) -> None:
    for given in calls_in(document):
        words = common_first(given)
        if not words or words[0].startswith("-"):
            continue
        assert words[0] in COMMANDS, f"tallystick {' '.join(given)}"
        if len(words) == 1:
            continue
        known = [name for name in ALL if list(name) == words[: len(name)]]
        assert known or words[1:] == [], f"tallystick {' '.join(given)}"
        options = {text for parameter in ALL[known[0]].params for text in (*parameter.opts, *parameter.secondary_opts)}
        for word in words[len(known[0]) :]:
            if word.startswith("--"):
                assert word.partition("=")[0] in options, f"{word} in tallystick {' '.join(given)}"


def test_every_command_is_shown_somewhere() -> None:
    shown = {
        tuple(common_first(words)[:count]) for page in DOCUMENTS for words in calls_in(page) for count in (1, 2, 3)
    }
    assert set(ALL) - shown == set()


def test_every_option_is_shown_or_named_somewhere() -> None:
    """Those of one command; `--json` and the common ones are explained once for all."""
    text = "\n".join(page.read_text() for page in DOCUMENTS)
    for name, command in ALL.items():
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert any(option in text for option in parameter.opts), f"{' '.join(name)} {parameter.opts}"


def said_in(source: Path) -> Iterator[list[str]]:
    """The words behind each `tallystick` in backticks in the texts of a module, whatever is filled in."""
    for node in ast.walk(ast.parse(source.read_text())):
        parts = node.values if isinstance(node, ast.JoinedStr) else [node]
        text = "".join(str(part.value) if isinstance(part, ast.Constant) else "1" for part in parts)
        for code in INLINE.findall(text.replace("\n", " ")):
            if program_of(code) == "tallystick":
                yield common_first(code.split()[1:])


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: str(source.relative_to(ROOT)))
def test_a_command_that_a_message_names_is_one_that_there_is(source: Path) -> None:
    for words in said_in(source):
        group = len(words) == 1 and words[0] in COMMANDS
        assert group or any(list(name) == words[: len(name)] for name in ALL), f"tallystick {' '.join(words)}"


def examples() -> Iterator[tuple[str, list[str]]]:
    """Each example of a command's help, as the words of each `tallystick` in it."""
    for name, command in [((), main), *ALL.items()]:
        for line in re.sub(r"\\\n\s*", "", command.epilog or "").splitlines():
            example = re.split(r" {2,}", line.strip())[0]
            if "tallystick" in example:
                yield f"{' '.join(name)}: {example}", shlex.split(example)


@pytest.mark.parametrize("words", [pytest.param(words, id=text) for text, words in examples()])
def test_an_example_of_the_help_is_understood(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for file in re.findall(r"\S+\.(?:json|csv)", " ".join(words)):
        Path(file).touch()
    while "tallystick" in words:
        words = words[words.index("tallystick") + 1 :]
        end = next((place for place, word in enumerate(words) if word in ENDS or word.startswith("<")), len(words))
        context = main.make_context("tallystick", words[:end])
        while isinstance(context.command, click.Group):
            name, command, rest = context.command.resolve_command(context, [*context.protected_args, *context.args])
            assert name is not None
            assert command is not None
            context = command.make_context(name, rest, parent=context)


def inline_in(document: Path) -> list[str]:
    """The inline code of its text, each in one line."""
    return INLINE.findall(prose_of(document).replace("\n", " "))


def programs_in(document: Path) -> Iterator[tuple[str, list[str]]]:
    """The commands in its inline code: the program, and the words behind it. A program alone is but its name."""
    for code in inline_in(document):
        program = program_of(code)
        if program is not None and len(words := shlex.split(code)) > 1:
            yield program, words[1:]


def test_every_make_target_in_the_documents_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in DOCUMENTS:
        lines = [line for block in blocks_of(document) if block.tag in SHELLS for line in block.text.splitlines()]
        calls = [words for program, words in programs_in(document) if program == "make"]
        calls += [shlex.split(line, comments=True)[1:] for line in lines if program_of(line) == "make"]
        assert {word for words in calls for word in words if "=" not in word} <= targets, name_of(document)


def options_of_anvil() -> set[str]:
    shown = subprocess.run(["anvil", "--help"], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"--[a-z-]+", shown))


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_a_command_in_the_text_is_one_that_there_is(document: Path) -> None:
    """`tallystick` and `make` have tests of their own; of the others it stands in a block too, or is checked here."""
    run = {" ".join(line.partition("  #")[0].split()) for line in run_lines()}
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for program, words in programs_in(document):
        if program in {"tallystick", "make"} or " ".join([program, *words]) in run:
            continue
        options = {word for word in words if word.startswith("-")}
        if program == "pip":
            command, package = words
            named = set(package.removeprefix(".").strip("[]").split(",")) - {""}
            assert (command, package[0], named <= set(extras)) == ("install", ".", True), words
        elif program == "anvil":
            assert options <= options_of_anvil(), words
        elif program == "cast" and len(words) == 1:
            subprocess.run(["cast", words[0], "--help"], stdout=subprocess.DEVNULL, check=True)
        else:
            raise AssertionError(
                f"{program} {' '.join(words)} in {name_of(document)}: make it a block, so that it is run"
            )


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_an_option_in_the_text_is_one_that_there_is(document: Path) -> None:
    parameters = [parameter for command in (main, *ALL.values()) for parameter in command.params]
    known = {text for parameter in parameters for text in (*parameter.opts, *parameter.secondary_opts)}
    for code in inline_in(document):
        if code.startswith("--"):
            assert code.split()[0].partition("=")[0] in known, code


def test_the_program_is_the_main_command() -> None:
    """The warm program of the other tests runs `main`; so does the one that is installed."""
    (program,) = entry_points(group="console_scripts", name="tallystick")
    assert program.load() is main
