"""The command line that the documents and the help name is the one that there is."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import click
import pytest

from tallystick.cli import COMMANDS, main
from tests.docs.blocks import DOCUMENTS, ROOT, SHELLS, blocks_of, name_of, prose_of

INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
CALL = re.compile(r"\btallystick((?: +[^\s|;&<>`]+)*)")
ENDS = {"|", "||", "&&", "&", ";"}


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
    shells = [block.text.replace("\\\n", " ") for block in blocks_of(document) if block.tag in (*SHELLS, "text")]
    lines = [line.partition("  #")[0] for text in shells for line in text.splitlines()]
    for line in [*lines, *INLINE.findall(prose_of(document).replace("\n", " "))]:
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
    shown = {tuple(common_first(words)[:count]) for page in DOCUMENTS for words in calls_in(page) for count in (1, 2)}
    assert set(ALL) - shown == set()


def test_every_option_is_shown_or_named_somewhere() -> None:
    """Those of one command; `--json` and the common ones are explained once for all."""
    text = "\n".join(page.read_text() for page in DOCUMENTS)
    for name, command in ALL.items():
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert any(option in text for option in parameter.opts), f"{' '.join(name)} {parameter.opts}"


def examples() -> Iterator[tuple[str, list[str]]]:
    """Each example of a command's help, as the words of each `tallystick` in it."""
    for name, command in [((), main), *ALL.items()]:
        for line in (command.epilog or "").splitlines():
            example = re.split(r" {2,}", line.strip())[0]
            if "tallystick" in example:
                yield f"{' '.join(name)}: {example}", shlex.split(example)


@pytest.mark.parametrize("words", [pytest.param(words, id=text) for text, words in examples()])
def test_an_example_of_the_help_is_understood(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mandate.json").touch()
    while "tallystick" in words:
        words = words[words.index("tallystick") + 1 :]
        end = next((place for place, word in enumerate(words) if word in ENDS or word.startswith("<")), len(words))
        context = main.make_context("tallystick", words[:end])
        while isinstance(context.command, click.Group):
            name, command, rest = context.command.resolve_command(context, [*context.protected_args, *context.args])
            assert name is not None
            assert command is not None
            context = command.make_context(name, rest, parent=context)


def test_every_make_target_in_the_documents_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in DOCUMENTS:
        text = document.read_text()
        named = {words for code in INLINE.findall(text) for words in re.findall(r"^make ([a-z-]+)", code)}
        named |= {
            word for block in blocks_of(document) for word in re.findall(r"^make ([a-z-]+)", block.text, re.MULTILINE)
        }
        assert named <= targets, name_of(document)


def test_the_program_is_the_main_command() -> None:
    """The warm program of the other tests runs `main`; so does the one that is installed."""
    (program,) = entry_points(group="console_scripts", name="tallystick")
    assert program.load() is main
