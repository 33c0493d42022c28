"""The checks of `make check` that the project wrote itself: each finds what it is for."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from toolchain.check_core import impurities
from toolchain.lock import MARK, REQUIREMENTS, mark_for, project_requirements

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("x = 0.5", "the float 0.5"),
        ("x = float(y)", "float"),
        ("def f(x: float) -> int: ...", "float"),
        ("x = a / b", "a division that gives a float"),
        ("x /= b", "a division that gives a float"),
        ("x = datetime.now(UTC)", "the clock (`now()`)"),
        ("x = date.today()", "the clock (`today()`)"),
        ("print(x)", "input or output (`print()`)"),
    ],
)
def test_core_check_finds_what_is_not_pure_or_exact(line: str, what: str) -> None:
    ((number, found),) = impurities(ast.parse(f"import datetime\n{line}\n"))
    assert number == 2
    assert found.startswith(what)


def test_core_check_leaves_integers_alone() -> None:
    assert list(impurities(ast.parse("x = a // b % 10**18\ny = max(x, 3) * -1\n"))) == []


def test_locks_carry_versions_and_hashes_and_no_addresses() -> None:
    for path in (REQUIREMENTS, ROOT / "toolchain" / "bootstrap.lock"):
        text = path.read_text()
        assert "://" not in text
        packages = [line for line in text.splitlines() if line and line[0] not in "# "]
        assert packages
        assert all("==" in line and line.endswith("\\") for line in packages)
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert all("resolved" not in package for package in packages.values())
    assert all("integrity" in package for name, package in packages.items() if name)


def test_lock_check_sees_a_changed_requirement() -> None:
    requirements = project_requirements()
    assert mark_for(requirements) in REQUIREMENTS.read_text().splitlines()
    assert mark_for([*requirements, "leftpad"]) != mark_for(requirements)
    assert mark_for([]).startswith(MARK)


def test_openzeppelin_is_remapped_to_the_version_that_npm_installs() -> None:
    version = json.loads((ROOT / "package.json").read_text())["dependencies"]["@openzeppelin/contracts"]
    assert f'"@openzeppelin/contracts=openzeppelin/{version}"' in (ROOT / "ape-config.yaml").read_text()


def test_artefact_check_passes_for_what_is_committed() -> None:
    done = subprocess.run(
        [sys.executable, "toolchain/artefact.py", "--check"], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr


def test_the_wheel_ships_every_file_of_the_package(tmp_path: Path) -> None:
    subprocess.run(
        ["hatchling", "build", "-t", "wheel", "-d", str(tmp_path)], cwd=ROOT, check=True, capture_output=True
    )
    (wheel,) = tmp_path.glob("*.whl")
    shipped = set(zipfile.ZipFile(wheel).namelist())
    source = ROOT / "src"
    present = {str(path.relative_to(source)) for path in source.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert present <= shipped
    assert {"tallystick/contracts/Subscriptions.json", "tallystick/py.typed"} <= shipped
