"""The command line itself: quick, helpful, one place for errors."""

from __future__ import annotations

import importlib.metadata
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tallystick import cli
from tallystick.cli import COMMANDS, configured, main
from tallystick.config import Config
from tallystick.errors import UnknownPlan
from tests.cli.conftest import Run


@pytest.fixture
def probe() -> Iterator[list[Config]]:
    """A command that is registered by one line, as any other; gives the configurations that it was called with."""
    seen: list[Config] = []

    @click.command()
    @click.option("--fail", is_flag=True)
    @configured
    def command(config: Config, fail: bool) -> None:
        seen.append(config)
        if fail:
            raise UnknownPlan(7)

    vars(cli)["probe_command"] = command
    COMMANDS["probe"] = ("tallystick.cli:probe_command", "Nothing.")
    yield seen
    del COMMANDS["probe"], vars(cli)["probe_command"]


def test_help_and_version_are_quick_and_import_no_chain() -> None:
    code = (
        "import sys; from tallystick.cli import main; main(['--help'], standalone_mode=False);"
        "heavy = {'web3', 'pydantic', 'sqlalchemy', 'eth_account', 'rich'} & set(sys.modules); assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in COMMANDS:
        assert f"\n  {name}" in done.stdout


def test_version(run: Run) -> None:
    assert run("--version").stdout == f"tallystick {importlib.metadata.version('tallystick')}\n"


def test_help_takes_less_than_half_a_second() -> None:
    def seconds() -> float:
        start = time.perf_counter()
        subprocess.run(["tallystick", "--help"], capture_output=True, check=True)
        return time.perf_counter() - start

    assert min(seconds() for _ in range(3)) < 0.5


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_is_there_and_teaches_by_an_example(run: Run, name: str) -> None:
    command = main.get_command(click.Context(main), name)
    below = list(command.commands) if isinstance(command, click.Group) else []
    assert run(name, "--help").stdout.startswith(f"Usage: tallystick {name}")
    for words in [[name, word] for word in below] or [[name]]:
        text = run(*words, "--help").stdout
        assert "\n  Example" in text
        assert f" tallystick {' '.join(words)}" in text.partition("\n  Example")[2]


def test_a_failure_is_one_line_on_standard_error_and_exit_code_one(run: Run, probe: list[Config]) -> None:
    done = run("probe", "--fail", exit_code=1)
    assert done.stdout == ""
    assert done.stderr == "error: there is no plan 7 on this chain: `tallystick plans list` shows those there are\n"
    assert len(probe) == 1


def test_common_options_are_taken_before_and_after_the_command(run: Run, probe: list[Config]) -> None:
    run("--rpc", "http://before:1", "--db", "sqlite:///x.db", "probe", "--rpc", "http://after:2")
    assert (probe[0].rpc_url, probe[0].database) == ("http://after:2", "sqlite:///x.db")
    Path("my.toml").write_text("[gas]\nbumps = 9")
    run("probe", "--config", "my.toml", "--deployment", "d.json")
    assert (probe[1].gas.bumps, probe[1].deployment) == (9, Path("d.json"))


def test_a_wrong_configuration_is_an_error_and_a_wrong_option_a_usage_error(run: Run, probe: list[Config]) -> None:
    Path("tallystick.toml").write_text("rpcurl = 1")
    done = run("probe", exit_code=1)
    assert done.stderr == "error: tallystick.toml has an unknown key `rpcurl`: the nearest one is `rpc_url`\n"
    run("probe", "--no-such-option", exit_code=2)
    assert "No such command 'prob'. Did you mean 'probe'?" in run("prob", exit_code=2).stderr
    assert probe == []


def test_ctrl_c_is_a_plain_word_and_exit_code_130() -> None:
    code = (
        "import click, time; from tallystick import cli\n"
        "@click.command()\n"
        "def wait():\n"
        "    click.echo('waiting'); time.sleep(60)\n"
        "cli.wait = wait; cli.COMMANDS['wait'] = ('tallystick.cli:wait', ''); cli.main(['wait'])"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert process.stderr.read() == "interrupted\n"
