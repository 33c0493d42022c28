"""Hostile and peculiar tokens on a test chain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address

from tests.business import Business

BUILD = Path(__file__).parents[2] / ".build" / "__local__.json"


def created(business: Business, name: str, types: list[str] | None = None, *values: object) -> str:
    """The address of a new mock contract, from what Ape compiled."""
    contracts: dict[str, Any] = json.loads(BUILD.read_text())["contractTypes"]
    code = contracts[name]["deploymentBytecode"]["bytecode"] + encode(types or [], values).hex()
    return str(to_checksum_address(business.send(business.operator, None, code)["contractAddress"]))
