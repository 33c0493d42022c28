"""`ape run deploy`, as a deployer runs it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tallystick.contracts import load_artefact
from tallystick.flows.deploy import DEPLOYED_CONTRACTS
from tallystick.testing import Anvil

ROOT = Path(__file__).parents[2]
ADDRESS = load_artefact("Subscriptions").address
VIEWS = load_artefact("SubscriptionsViews").address


def run_deploy(anvil: Anvil, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["ape", "run", "deploy", "--network", "ethereum:local:foundry", *arguments]
    environment = os.environ | {"APE_FOUNDRY_HOST": anvil.url}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)


def test_deploys_then_finds_and_verifies(anvil: Anvil, tmp_path: Path) -> None:
    first = run_deploy(anvil, "--out", str(tmp_path))
    assert first.returncode == 0, first.stderr
    assert f"Subscriptions {ADDRESS} on chain 31337: deployed (block 7)" in first.stdout
    assert f"SubscriptionsViews {VIEWS} on chain 31337: deployed (block 2)" in first.stdout
    second = run_deploy(anvil, "--out", str(tmp_path))
    assert f"Subscriptions {ADDRESS} on chain 31337: already deployed, verified (block 7)" in second.stdout
    assert json.loads((tmp_path / "31337.json").read_text())["contracts"]["Subscriptions"]["address"] == ADDRESS
    for name in ("Escrow", "Checkout", "Channels", "AuthorizationCollector", "Permit2Collector"):
        assert f"{name} {load_artefact(name).address} on chain 31337: deployed" in first.stdout
    assert anvil.block_number == len(DEPLOYED_CONTRACTS)


def test_an_unknown_account_is_named_before_anything_is_sent(anvil: Anvil, tmp_path: Path) -> None:
    done = run_deploy(anvil, "--account", "nobody", "--out", str(tmp_path))
    assert done.returncode != 0
    assert "no account 'nobody'" in done.stderr
    assert (anvil.block_number, list(tmp_path.iterdir())) == (0, [])
