"""An exchange on a test chain, Uniswap v3 as its authors compiled it, and Chainlink's feeds beside it, played by mocks
with their interface; through JSON-RPC, as `tests.business` works."""

from __future__ import annotations

from typing import Any

from eth_abi.abi import decode, encode
from eth_utils.abi import function_signature_to_4byte_selector
from eth_utils.address import to_checksum_address

from tallystick.contracts import load_artefact
from tallystick.core.deployment import DeployedContract
from tests.business import UNLIMITED, Business, calldata
from tests.uniswap import HIGHEST_TICK, LOW, PAR, TICK_SPACING, artefact, path_of

HEARTBEAT = 86_400
EUR_USD, USDC_USD = 108_345_000, 99_987_654
"""With the 8 decimals of Chainlink's currencies."""
MILLION = 10**12
"""Of a token with 6 decimals."""


class Exchange:
    """A router, and whoever provides liquidity: the business's operator."""

    def __init__(self, business: Business) -> None:
        self.business, self.provider = business, business.operator
        weth = business.token  # nobody swaps ether here
        self.factory = self._deploy("UniswapV3Factory", "")
        self.router = self._deploy("SwapRouter", "address,address", self.factory, weth)
        self.positions = self._deploy(
            "NonfungiblePositionManager", "address,address,address", self.factory, weth, self.factory
        )
        self.lens = self._deploy("QuoterV2", "address,address", self.factory, weth)

    def pool(self, one: str, other: str, *, units: int = MILLION, square_root: int = PAR, fee: int = LOW) -> None:
        """A pool with at most so many units of either token, at a price given by its square root times 2^96."""
        pair = sorted((one, other), key=str.lower)
        for token in pair:
            self.business.mint(self.provider, units, token=token)
            self.business.token_call(self.provider, "approve", self.positions, UNLIMITED, token=token)
        start = "createAndInitializePoolIfNecessary(address,address,uint24,uint160)"
        self._send(self.positions, start, *pair, fee, square_root)
        edge = HIGHEST_TICK // TICK_SPACING[fee] * TICK_SPACING[fee]
        position = (*pair, fee, -edge, edge, units, units, 0, 0, self.provider, UNLIMITED)
        kinds = "(address,address,uint24,int24,int24,uint256,uint256,uint256,uint256,address,uint256)"
        self._send(self.positions, f"mint({kinds})", position)

    def worth(self, amount_in: int, path: bytes) -> int:
        """What there is now for an exact input, by the exchange's own lens."""
        signature = "quoteExactInput(bytes,uint256)"
        data = function_signature_to_4byte_selector(signature) + encode(["bytes", "uint256"], [path, amount_in])
        answer = self.business.anvil.rpc("eth_call", {"to": self.lens, "data": "0x" + data.hex()}, "latest")
        return int(decode(["uint256"], bytes.fromhex(answer[2:]))[0])

    def trade(self, amount_in: int, path: bytes) -> None:
        """Somebody swaps at the router itself, without any bound, and moves the price."""
        token = to_checksum_address(path[:20])
        self.business.mint(self.provider, amount_in, token=token)
        self.business.token_call(self.provider, "approve", self.router, UNLIMITED, token=token)
        order = (path, self.provider, UNLIMITED, amount_in, 0)
        self._send(self.router, "exactInput((bytes,address,uint256,uint256,uint256))", order)

    def swapper(self) -> DeployedContract:
        """The swapper over the router, as a manifest names it."""
        business, shipped = self.business, load_artefact("UniswapSwapper")
        made = business.send(
            self.provider, None, "0x" + (shipped.creation_code + encode(["address"], [self.router])).hex()
        )
        address = str(to_checksum_address(made["contractAddress"]))
        return DeployedContract(address, shipped.code_hash, int(made["blockNumber"], 16), made["transactionHash"])

    def swap(self, swapper: str, caller: str, token_in: str, token_out: str, units: int, *, least: int = 1) -> Any:
        """The receipt of an exchange by the swapper; the caller's tokens are made for it."""
        self.business.mint(caller, units, token=token_in)
        self.business.token_call(caller, "approve", swapper, units, token=token_in)
        route = path_of(token_in, LOW, token_out)
        order = (token_in, token_out, units, least, caller, 2**40, route)
        return self.business.send(caller, swapper, calldata("UniswapSwapper", "swapExactInput", order))

    def feed(self, description: str, answer: int, *, decimals: int = 8) -> str:
        """A feed with one round, as of now."""
        code = load_artefact("MockFeed").creation_code + encode(["string", "uint8"], [description, decimals])
        feed = self.business._create(code)
        self.says(feed, answer)
        return feed

    def says(self, feed: str, answer: int, *, at: int | None = None) -> None:
        """The feed's next round, complete; as of now unless another time is given."""
        name, times = ("answer", ()) if at is None else ("answerAt", (at, at))
        self.business.send(self.provider, feed, calldata("MockFeed", name, answer, *times))

    def round_words(self, feed: str, words: tuple[int, ...]) -> None:
        """Any words at all for a feed's round."""
        self.business.send(self.provider, feed, calldata("MockFeed", "setRound", list(words)))

    def _deploy(self, name: str, kinds: str, *arguments: object) -> str:
        code = bytes.fromhex(artefact(name)["bytecode"][2:])
        return self.business._create(code + encode(kinds.split(",") if kinds else [], arguments))

    def _send(self, to: str, signature: str, *arguments: Any) -> None:
        kinds = _kinds(signature.partition("(")[2].removesuffix(")"))
        data = function_signature_to_4byte_selector(signature) + encode(kinds, arguments)
        self.business.send(self.provider, to, "0x" + data.hex())


def _kinds(text: str) -> list[str]:
    """The types of arguments; a struct is one of them."""
    return [text] if text.startswith("(") else text.split(",")
