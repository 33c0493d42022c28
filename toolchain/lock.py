"""Writes the Python lock files, or checks that they still fit `pyproject.toml`.

    toolchain/run python toolchain/lock.py              pins anew what no longer fits (`make lock`)
    toolchain/run python toolchain/lock.py --upgrade    takes the newest versions that pyproject.toml allows
    toolchain/run python toolchain/lock.py --check      fails when pyproject.toml asks for other packages

The check needs no network: each lock's head carries the hash of the requirements that it was made for.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = ROOT / ".cache" / "bootstrap" / "bin" / "uv"
REQUIREMENTS = ROOT / "requirements.lock"
BOOTSTRAP = ROOT / "toolchain" / "bootstrap.lock"
BOOTSTRAP_PACKAGES = ("uv==0.13.9", "setuptools==84.2.1")
"""uv installs the locked packages, setuptools builds the one of them that has no wheel."""
SLITHER = ROOT / "toolchain" / "slither.lock"
SLITHER_PACKAGES = ("slither-analyzer==0.11.6",)
"""In an environment of its own, see `check_slither.py`."""
MARK = "# for requirements "


def project_requirements() -> list[str]:
    """What pyproject.toml asks for, extras included, as one sorted list."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    listed = [*project["dependencies"], *(f"{name}: {line}" for name, lines in extras.items() for line in lines)]
    return sorted([*listed, f"python {project['requires-python']}"])


def mark_for(requirements: list[str]) -> str:
    """The line in a lock's head that ties it to its requirements."""
    return MARK + hashlib.sha256(json.dumps(requirements).encode()).hexdigest()


def write_lock(path: Path, source: str, requirements: list[str], *, upgrade: bool) -> None:
    """Resolves for every Python from 3.11 on, on Linux and macOS; pins that still fit are kept unless `upgrade`."""
    flags = "--all-extras --generate-hashes --universal --no-emit-index-url --no-header --quiet --python-version 3.11"
    command = [str(UV), "pip", "compile", source, *flags.split(), "--output-file", str(path)]
    if source == "-":
        command.remove("--all-extras")
    if upgrade:
        command.append("--upgrade")
    subprocess.run(command, cwd=ROOT, check=True, text=True, input="\n".join(requirements) if source == "-" else None)
    head = f"# Made by `make lock`; do not edit.\n{mark_for(requirements)}\n"
    path.write_text(head + path.read_text())


def stale(path: Path, requirements: list[str]) -> bool:
    return mark_for(requirements) not in path.read_text().splitlines()[:3]


def main() -> None:
    parser = argparse.ArgumentParser(description="Writes or checks the Python lock files.")
    parser.add_argument("--check", action="store_true", help="only check that the locks fit pyproject.toml")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions allowed")
    options = parser.parse_args()
    locks = (
        (REQUIREMENTS, "pyproject.toml", project_requirements()),
        (BOOTSTRAP, "-", list(BOOTSTRAP_PACKAGES)),
        (SLITHER, "-", list(SLITHER_PACKAGES)),
    )
    if options.check:
        for path, _, requirements in locks:
            if stale(path, requirements):
                sys.exit(f"{path.relative_to(ROOT)} does not fit what is asked for now: run `make lock` and commit it.")
        return
    for path, source, requirements in locks:
        write_lock(path, source, requirements, upgrade=options.upgrade)


if __name__ == "__main__":
    main()
