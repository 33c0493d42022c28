"""The second currency of the year: a euro token, what a euro is worth in dollars, and an exchange between the two.

The feed is a mock with the interface of Chainlink's. The exchange is Uniswap v3 itself, as its authors compiled it,
from its npm packages: where they are not installed there is none, and nothing is converted.
"""

from __future__ import annotations

import json
from math import isqrt
from pathlib import Path
from typing import Any

from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector
from eth_utils.address import to_checksum_address

from tallystick.contracts import load_artefact
from tallystick.core.money import parse_units
from tallystick.testing import Anvil

FIRST_RATE, MONTHLY = 108_000_000, 250_000
"""Dollars for a euro in the first month, with Chainlink's eight decimals, and what comes to it with each."""
FEE = 500
"""Of the pool, in millionths."""
HIGHEST_TICK = 887_270
LIQUIDITY = "1000000"
FAR = 2**40
GAS = 10_000_000
"""More than anything here takes. What a pool takes depends on the second: in another one than its last it writes down
what was, so that an estimate made within the same may be too little."""
UNISWAP = "node_modules/@uniswap"
SOURCES = {
    "UniswapV3Factory": "v3-core",
    "SwapRouter": "v3-periphery",
    "NonfungiblePositionManager": "v3-periphery",
}
_POSITION = "(address,address,uint24,int24,int24,uint256,uint256,uint256,uint256,address,uint256)"


class Market:
    """On a chain, made by one of Anvil's own accounts. `router` is None where there is no Uniswap."""

    def __init__(self, anvil: Anvil, dollar: str) -> None:
        self._anvil, self._dollar = anvil, dollar
        self.euro = self._create(_shipped("MockToken"), "string,string,uint8", "Euro Coin", "EURC", 6)
        self.feed = self._create(_shipped("MockFeed"), "string,uint8", "EUR / USD", 8)
        self.rate = FIRST_RATE
        self.say()
        folder = _uniswap()
        self.router = None if folder is None else self._exchange(folder)

    def month(self, number: int) -> None:
        """What a euro is worth changes with the months."""
        self.rate = FIRST_RATE + number * MONTHLY

    def say(self) -> None:
        """The feed says the rate anew: answers get old."""
        self._send(self.feed, "answer(int256)", "int256", self.rate)

    def give(self, account: str, amount: str) -> None:
        """Hands out euros."""
        self._send(self.euro, "mint(address,uint256)", "address,uint256", account, parse_units(amount, 6))

    def _exchange(self, folder: Path) -> str:
        """The router; one pool, at the last month's rate."""
        factory = self._create(_compiled(folder, "UniswapV3Factory"))
        weth = self._dollar  # nobody swaps ether here
        router = self._create(_compiled(folder, "SwapRouter"), "address,address", factory, weth)
        positions = self._create(
            _compiled(folder, "NonfungiblePositionManager"), "address,address,address", factory, weth, factory
        )
        pair = sorted((self.euro, self._dollar), key=str.lower)
        last = FIRST_RATE + 12 * MONTHLY
        up, down = (last, 10**8) if pair[0] == self.euro else (10**8, last)
        start = "createAndInitializePoolIfNecessary(address,address,uint24,uint160)"
        self._send(positions, start, "address,address,uint24,uint160", *pair, FEE, isqrt((up << 192) // down))
        units = parse_units(LIQUIDITY, 6)
        for token in pair:
            self._send(token, "mint(address,uint256)", "address,uint256", self._provider, units)
            self._send(token, "approve(address,uint256)", "address,uint256", positions, units)
        position = (*pair, FEE, -HIGHEST_TICK, HIGHEST_TICK, units, units, 0, 0, self._provider, FAR)
        self._send(positions, f"mint({_POSITION})", _POSITION, position)
        return router

    @property
    def _provider(self) -> str:
        return self._anvil.address(0)

    def _create(self, code: bytes, kinds: str = "", *arguments: object) -> str:
        data = code + encode(kinds.split(",") if kinds else [], arguments)
        return str(to_checksum_address(self._transact(None, data)["contractAddress"]))

    def _send(self, to: str, signature: str, kinds: str, *arguments: object) -> None:
        types = [kinds] if kinds.startswith("(") else kinds.split(",")
        self._transact(to, function_signature_to_4byte_selector(signature) + encode(types, arguments))

    def _transact(self, to: str | None, data: bytes) -> Any:
        request = {"from": self._provider, "gas": hex(GAS), "data": "0x" + data.hex(), **({"to": to} if to else {})}
        receipt = self._anvil.receipt(self._anvil.rpc("eth_sendTransaction", request))
        assert receipt["status"] == "0x1", receipt["transactionHash"]
        return receipt


def _shipped(name: str) -> bytes:
    return load_artefact(name).creation_code


def _uniswap() -> Path | None:
    """Where its npm packages are: in this folder or above it, or above this package's source."""
    for above in (Path.cwd(), *Path.cwd().parents, *Path(__file__).resolve().parents):
        if all((above / UNISWAP / package).is_dir() for package in SOURCES.values()):
            return above / UNISWAP
    return None


def _compiled(folder: Path, name: str) -> bytes:
    found = folder / SOURCES[name] / "artifacts" / "contracts" / f"{name}.sol" / f"{name}.json"
    return bytes.fromhex(json.loads(found.read_text(encoding="utf-8"))["bytecode"][2:])
