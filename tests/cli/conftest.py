"""What every test of a command may ask for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tallystick.cli import main

Run = Callable[..., Result]
"""Runs `tallystick` with these arguments, in this process and in an empty folder; what no command foresaw is raised."""


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
