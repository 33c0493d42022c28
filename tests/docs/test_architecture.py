"""docs/architecture.md names what there is."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

from tests.docs.blocks import ROOT, blocks_of

PAGE = ROOT / "docs" / "architecture.md"
PACKAGE = ROOT / "src" / "tallystick"
FILE = re.compile(r"`([\w./]+\.(?:py|sol))`((?:\s+`[\w.]+`(?:,\s+(?=`\w[\w.]*`))?)*)")
PICTURED = re.compile(r"\b((?:chain|core|flows|storage|render|contracts)/\w+\.(?:py|sol))")


def located(name: str) -> Path:
    """A file of the package, or of the project."""
    return PACKAGE / name if (PACKAGE / name).exists() else ROOT / name


def names_in(file: Path) -> set[str]:
    """Functions, classes and their methods (`Books.apply`); of Solidity the functions."""
    text = file.read_text()
    if file.suffix == ".sol":
        return set(re.findall(r"\bfunction (\w+)", text))
    found = set()
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef):
            found.add(node.name)
            found |= {f"{node.name}.{part.name}" for part in node.body if isinstance(part, ast.FunctionDef)}
        elif isinstance(node, ast.FunctionDef):
            found.add(node.name)
    return found


def test_every_file_and_function_in_it_exists() -> None:
    checked = 0
    for file, names in FILE.findall(PAGE.read_text()):
        path = located(file)
        assert path.is_file(), file
        known = names_in(path)
        for name in re.findall(r"`([\w.]+)`", names):
            assert name in known, f"{file} has no {name}"
            checked += 1
    assert checked > 30


def test_every_file_in_the_picture_exists() -> None:
    picture = next(blocks_of(PAGE)).text
    files = PICTURED.findall(picture)
    assert len(files) == 6
    assert [file for file in files if not located(file).is_file()] == []


def test_the_arrows_are_those_that_are_checked() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    (shown,) = [block.text for block in blocks_of(PAGE) if block.text.startswith("cli\n")]
    assert shown.splitlines() == [re.sub(r"[()]", "", layer) for layer in layers]


def test_the_map_has_every_folder_and_no_other() -> None:
    shown = set(re.findall(r"^\| `([\w/]+)/` \|", PAGE.read_text(), re.MULTILINE))
    assert [folder for folder in shown if not (ROOT / folder).is_dir()] == []
    ours = {folder for folder in PACKAGE.iterdir() if folder.is_dir() and folder.name != "__pycache__"}
    assert shown >= {str(folder.relative_to(ROOT)) for folder in ours}
    tracked = {"contracts", "scripts", "tests", "benchmarks", "toolchain", "docs"}
    assert shown >= tracked
