"""The facade in the hands of Anvil's accounts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from eth_account import Account

from tallystick import Config, Tallystick
from tallystick.flows.deploy import write_manifest
from tests.business import Business

MERCHANT, PAYER, BILLER = 1, 2, 3
Connect = Callable[[int], Tallystick]


@pytest.fixture
def manifest(business: Business, tmp_path: Path) -> Path:
    path = tmp_path / "31337.json"
    write_manifest(path, business.manifest)
    return path


@pytest.fixture
def as_account(business: Business, manifest: Path) -> Connect:
    """Tallystick as one of Anvil's accounts uses it."""
    return lambda index: Tallystick.connect(
        Config(), rpc_url=business.anvil.url, deployment=manifest, signer=Account.from_key(business.anvil.key(index))
    )


@pytest.fixture
def merchant(as_account: Connect) -> Tallystick:
    return as_account(MERCHANT)


@pytest.fixture
def payer(as_account: Connect, business: Business) -> Tallystick:
    """With money."""
    found = as_account(PAYER)
    business.mint(found.address, 10**12)
    return found
