"""The solc launcher, as py-solc-x, Ape and Forge call it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import solcx
import solcx.install

ROOT = Path(__file__).parents[2]
LAUNCHER = ROOT / "toolchain" / "solc-v0.8.37"


def run(*arguments: str, stdin: str = "", cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(LAUNCHER), *arguments], input=stdin, cwd=cwd, capture_output=True, text=True)


def compile_from(folder: Path, *arguments: str, remappings: list[str] | None = None) -> Any:
    """Compiles Main.sol of the folder, which is read through the import callback as its imports are."""
    request = {
        "language": "Solidity",
        "sources": {"Main.sol": {"urls": ["Main.sol"]}},
        "settings": {"remappings": remappings or [], "outputSelection": {"*": {"*": ["evm.bytecode.object"]}}},
    }
    done = run("--standard-json", *arguments, stdin=json.dumps(request), cwd=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def messages(output: Any) -> str:
    return "\n".join(error["message"] for error in output.get("errors", []) if error["severity"] == "error")


def write(path: Path, body: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"// SPDX-License-Identifier: MIT\npragma solidity 0.8.37;\n{body}\n")


def test_py_solc_x_finds_it_and_its_version() -> None:
    binary = solcx.install.get_executable("0.8.37")
    assert str(solcx.wrapper.get_solc_version(binary)) == "0.8.37"
    assert run("--version").stdout.startswith(
        "solc, the solidity compiler commandline interface\nVersion: 0.8.37+commit."
    )


def test_base_path_include_path_and_remappings_are_honoured(tmp_path: Path) -> None:
    write(tmp_path / "base" / "Main.sol", 'import "lib/A.sol"; import "@far/B.sol"; contract Main is A, B {}')
    write(tmp_path / "include" / "lib" / "A.sol", "contract A {}")
    write(tmp_path / "base" / "vendored" / "B.sol", "contract B {}")
    output = compile_from(tmp_path, "--base-path", "base", "--include-path", "include", remappings=["@far/=vendored/"])
    assert messages(output) == ""
    assert output["contracts"]["Main.sol"]["Main"]["evm"]["bytecode"]["object"]


def test_files_outside_the_allowed_folders_stay_unread(tmp_path: Path) -> None:
    secret = tmp_path / "elsewhere" / "Secret.sol"
    write(secret, "contract Secret {}")
    write(tmp_path / "base" / "Main.sol", f'import "{secret}"; contract Main {{}}')
    assert "File outside of allowed directories" in messages(compile_from(tmp_path, "--base-path", "base"))
    allowed = compile_from(tmp_path, "--base-path", "base", "--allow-paths", str(secret.parent))
    assert messages(allowed) == ""
    (tmp_path / "base" / "Link.sol").symlink_to(secret)
    write(tmp_path / "base" / "Main.sol", 'import "Link.sol"; contract Main {}')
    assert "File outside of allowed directories" in messages(compile_from(tmp_path, "--base-path", "base"))


def test_missing_and_ambiguous_imports_are_said(tmp_path: Path) -> None:
    write(tmp_path / "base" / "Main.sol", 'import "A.sol"; contract Main {}')
    assert "File not found. Searched the following locations" in messages(compile_from(tmp_path, "--base-path", "base"))
    write(tmp_path / "base" / "A.sol", "contract A {}")
    write(tmp_path / "include" / "A.sol", "contract A {}")
    twice = compile_from(tmp_path, "--base-path", "base", "--include-path", "include")
    assert "Ambiguous import" in messages(twice)


def test_wrong_use_is_an_error_in_the_form_that_py_solc_x_reads() -> None:
    assert run("--no-such-flag").stderr == "unrecognised option '--no-such-flag'\n"
    assert run("--standard-json", "a=b").returncode == 1
    assert run("--standard-json", "--include-path", "x").stderr.startswith("--include-path option requires")
    assert "only --version and --standard-json" in run("A.sol").stderr
    assert json.loads(run("--standard-json", stdin="{").stdout)["errors"][0]["type"] == "JSONError"
