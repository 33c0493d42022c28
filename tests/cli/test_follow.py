"""`--follow`: ends when it is told to, and leaves the work to the next at once."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tallystick.flows.deploy import write_manifest
from tests.business import Business


@pytest.mark.parametrize(("told", "code"), [(signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGINT, 130)])
def test_it_ends_cleanly_and_gives_its_lease_back(
    business: Business, tmp_path: Path, told: signal.Signals, code: int
) -> None:
    manifest = tmp_path / "31337.json"
    write_manifest(manifest, business.manifest)
    options = ["--rpc", business.anvil.url, "--deployment", str(manifest), "--db", f"sqlite:///{tmp_path}/books.db"]
    command = ["tallystick", "index", *options]
    following = subprocess.Popen([*command, "--follow"], stderr=subprocess.PIPE, text=True)
    assert following.stderr is not None
    assert "block" in following.stderr.readline()
    os.kill(following.pid, told)
    following.stderr.read()
    assert following.wait(timeout=10) == code
    subprocess.run(command, check=True, capture_output=True)  # it would be refused while the lease is somebody's
