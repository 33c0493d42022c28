"""What every test of a command may ask for."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tallystick.cli import main
from tallystick.flows.deploy import write_manifest
from tests.business import Business

MERCHANT, PAYER, BILLER, OTHER = 1, 2, 3, 4
"""Of Anvil's accounts."""
Run = Callable[..., Result]
"""Runs `tallystick` with these arguments, in this process and in an empty folder; what no command foresaw is raised."""
Say = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    before = Path.cwd()
    os.chdir(tmp_path)

    def invoke(*arguments: object, exit_code: int = 0, env: dict[str, str] | None = None, text: str = "") -> Result:
        runner = CliRunner(mix_stderr=False, env=env)
        done = runner.invoke(main, [str(argument) for argument in arguments], prog_name="tallystick", input=text)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == exit_code, (done.exit_code, done.stdout, done.stderr)
        return done

    yield invoke
    os.chdir(before)


@pytest.fixture
def say(run: Run, business: Business) -> Say:
    """Runs a command with --json as one of Anvil's accounts, in a folder that has the manifest; its answer."""
    write_manifest(Path("deployments/31337.json"), business.manifest)
    Path("tallystick.toml").write_text(f'rpc_url = "{business.anvil.url}"\n')
    for index in (PAYER, OTHER):
        business.mint(business.anvil.address(index), 10**10)

    def command(index: int | None, *arguments: object, **options: Any) -> Any:
        key = {} if index is None else {"TALLYSTICK_KEY": business.anvil.key(index)}
        return json.loads(run(*arguments, "--json", env=key, **options).stdout)

    return command


@pytest.fixture
def write(run: Run, business: Business, say: Say) -> Callable[..., str]:
    """Runs a command that signs as one of Anvil's accounts; what it says on standard error. It writes a file."""
    del say

    def command(index: int, *arguments: object, exit_code: int = 0) -> str:
        return run(*arguments, env={"TALLYSTICK_KEY": business.anvil.key(index)}, exit_code=exit_code).stderr

    return command


@pytest.fixture
def sell(say: Say, business: Business) -> Callable[..., dict[str, Any]]:
    """The merchant creates a plan of 30 days with these options."""

    def create(*options: object) -> dict[str, Any]:
        period = ("--every", 30, "--unit", "day", "--token", business.token)
        made: dict[str, Any] = say(MERCHANT, "plans", "create", *period, *options)
        return made

    return create
