"""Uniswap v3's contracts, from its npm packages, as their authors compiled them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PACKAGES = Path(__file__).parents[1] / "node_modules" / "@uniswap"
CORE, PERIPHERY = "v3-core/artifacts/contracts", "v3-periphery/artifacts/contracts"
SOURCES = {
    "UniswapV3Factory": CORE,
    "UniswapV3Pool": CORE,
    "SwapRouter": PERIPHERY,
    "NonfungiblePositionManager": PERIPHERY,
    "QuoterV2": f"{PERIPHERY}/lens",
}
LOW, MEDIUM = 500, 3_000
"""Fees of pools, in millionths."""
TICK_SPACING = {LOW: 10, MEDIUM: 60}
HIGHEST_TICK = 887_272
PAR = 2**96
"""The square root of the price of one unit for one."""


def artefact(name: str) -> dict[str, Any]:
    """ABI and bytecode of a contract."""
    found: dict[str, Any] = json.loads((PACKAGES / SOURCES[name] / f"{name}.sol" / f"{name}.json").read_text())
    return found


def path_of(*parts: str | int) -> bytes:
    """Addresses of tokens with the fee of the pool between two of them: the way of a swap."""
    return b"".join(part.to_bytes(3, "big") if isinstance(part, int) else bytes.fromhex(part[2:]) for part in parts)
