"""The set-up: does nothing twice, takes up again what was interrupted, says what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolchain import setup
from toolchain.setup import STATE, SYSTEM, Journal, SetupError, Step, run_track, set_up_system, tracks

ROOT = Path(__file__).parents[2]


@pytest.fixture
def lock_file(tmp_path: Path) -> Iterator[int]:
    with (tmp_path / "lock").open("w") as file:
        yield file.fileno()


class Work:
    """A chain of two steps whose doings are counted; `fails` makes the second one fail."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.done: list[str] = []
        self.fails: BaseException | None = None

    def track(self, first: str = "a", second: str = "b") -> tuple[Step, ...]:
        return (
            Step("first", "first", (first,), self.folder / "lock", self.run_first, self.folder),
            Step("second", "second", (second,), self.folder / "lock", self.run_second, self.folder),
        )

    def run_first(self, _: Journal) -> None:
        self.done.append("first")

    def run_second(self, _: Journal) -> None:
        self.done.append("second")
        if self.fails:
            raise self.fails


def test_a_second_set_up_does_nothing() -> None:
    before = {path: path.stat().st_mtime_ns for path in STATE.glob("*.stamp")}
    assert before, "the set-up that made this environment has left its stamps"
    assert all(step.is_done for track in tracks() for step in track), "run `make setup` after a change of its inputs"
    python = str(Path(sys.executable).resolve())  # the one that .venv was made with
    done = subprocess.run([python, "toolchain/setup.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[setup] up to date\n", "")
    assert {path: path.stat().st_mtime_ns for path in STATE.glob("*.stamp")} == before


def test_steps_run_once_and_again_when_their_inputs_change(tmp_path: Path, lock_file: int) -> None:
    work = Work(tmp_path)
    run_track(work.track(), lock_file)
    run_track(work.track(), lock_file)
    assert work.done == ["first", "second"]
    run_track(work.track(second="other"), lock_file)
    assert work.done == ["first", "second", "second"]
    run_track(work.track(first="other", second="other"), lock_file)  # what stands on a new first step is made anew
    assert work.done == ["first", "second", "second", "first", "second"]


@pytest.mark.parametrize("error", [SetupError("no"), KeyboardInterrupt()])
def test_an_interrupted_step_is_taken_up_again(tmp_path: Path, lock_file: int, error: BaseException) -> None:
    work = Work(tmp_path)
    work.fails = error
    with pytest.raises(type(error)):
        run_track(work.track(), lock_file)
    work.fails = None
    run_track(work.track(), lock_file)
    assert work.done == ["first", "second", "second"]


def test_a_step_whose_product_was_deleted_runs_again(tmp_path: Path, lock_file: int) -> None:
    work = Work(tmp_path)
    product = tmp_path / "product"
    step = Step("only", "only", (), product, work.run_first, tmp_path)
    product.touch()
    run_track((step,), lock_file)
    product.unlink()
    run_track((step,), lock_file)
    assert work.done == ["first", "first"]


def test_a_failing_command_shows_the_end_of_its_output(tmp_path: Path, lock_file: int) -> None:
    script = "import sys; print(*range(100), sep='\\n', flush=True); print('the cause', file=sys.stderr); sys.exit(3)"
    step = Step("loud", "loud", (), tmp_path, lambda journal: journal.call(sys.executable, "-c", script), tmp_path)
    with pytest.raises(SetupError, match=r"failed \(3\):\n(.*\n)*.*the cause\n.*full log: .*loud\.log") as caught:
        run_track((step,), lock_file)
    assert len(str(caught.value).splitlines()) < 40
    assert not step.is_done


@pytest.mark.parametrize(
    ("tools", "message"),
    [
        ({}, "make not found on PATH"),
        ({"make": None}, "node not found on PATH, Node 20+ with npm needed"),
        ({"make": None, "npm": None, "node": "#!/bin/sh\necho v18.19.0\n"}, "Node v18.19.0 found, 20 or later needed"),
    ],
)
def test_a_missing_or_old_tool_is_named(tmp_path: Path, tools: dict[str, str | None], message: str) -> None:
    for name, script in tools.items():
        tool = tmp_path / name
        if script is None:
            tool.symlink_to(shutil.which(name) or "")
        else:
            tool.write_text(script)
            tool.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "toolchain/setup.py"],
        cwd=ROOT,
        env=os.environ | {"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stdout == ""


def test_each_system_package_is_installed_where_it_is_missing(
    tmp_path: Path, lock_file: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [step.title for _, step in SYSTEM] == ["PostgreSQL", "hledger"]
    work = Work(tmp_path)
    first, second = work.track()
    monkeypatch.setattr(setup, "SYSTEM", ((lambda: tmp_path, first), (lambda: None, second)))
    set_up_system(lock_file)
    set_up_system(lock_file)  # somebody has removed it since
    assert work.done == ["second", "second"]


def test_a_system_package_that_cannot_be_installed_is_said_and_in_ci_an_error(
    tmp_path: Path, lock_file: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    work = Work(tmp_path)
    work.fails = SetupError("tests need it: install it")
    first, second = work.track()
    monkeypatch.setattr(setup, "SYSTEM", ((lambda: None, second), (lambda: None, first)))
    monkeypatch.setenv("CI", "false")
    set_up_system(lock_file)
    assert work.done == ["second", "first"]  # the others are not left out for it
    assert "[setup] skipped second: tests need it: install it\n" in capsys.readouterr().out
    monkeypatch.setenv("CI", "true")
    with pytest.raises(SetupError, match="tests need it"):
        set_up_system(lock_file)
