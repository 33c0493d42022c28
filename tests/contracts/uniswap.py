"""Uniswap v3 as it is: factory, pools, router, positions, and the lens that quotes swaps."""

from __future__ import annotations

from typing import Any

from ape.contracts import ContractContainer
from ethpm_types import Bytecode, ContractType

from tests.contracts.stage import NOBODY, UNLIMITED, Account, Contract
from tests.uniswap import HIGHEST_TICK, LOW, PAR, TICK_SPACING, artefact, path_of


def container(name: str) -> ContractContainer:
    """A contract as its authors compiled it."""
    found = artefact(name)
    code = Bytecode(bytecode=found["bytecode"])
    return ContractContainer(ContractType(contractName=name, abi=found["abi"], deploymentBytecode=code))


def path(*parts: Contract | int) -> bytes:
    """Tokens with the fee of the pool between two of them."""
    return path_of(*(part if isinstance(part, int) else part.address for part in parts))


def reversed_path(*parts: Contract | int) -> bytes:
    """The same way from its end, as for an exact output."""
    return path(*reversed(parts))


class Uniswap:
    """An exchange with a provider who has put liquidity at par into its pools."""

    def __init__(self, weth: Contract, provider: Account) -> None:
        self.provider = provider
        self.factory = provider.deploy(container("UniswapV3Factory"))
        self.router = provider.deploy(container("SwapRouter"), self.factory, weth)
        self.positions = provider.deploy(container("NonfungiblePositionManager"), self.factory, weth, NOBODY)
        self.lens = provider.deploy(container("QuoterV2"), self.factory, weth)

    def pool(
        self, one: Contract, other: Contract, *, units: int, fee: int = LOW, width: int = HIGHEST_TICK
    ) -> Contract:
        """A pool at par, with as much of either token between minus and plus `width` ticks."""
        first, second = sorted((one, other), key=lambda token: int(token.address, 16))
        for token in (first, second):
            token.approve(self.positions, UNLIMITED, sender=self.provider)
        self.positions.createAndInitializePoolIfNecessary(first, second, fee, PAR, sender=self.provider)
        edge = width // TICK_SPACING[fee] * TICK_SPACING[fee]
        amounts = (units, units, 0, 0)
        self.positions.mint((first, second, fee, -edge, edge, *amounts, self.provider, UNLIMITED), sender=self.provider)
        return ContractContainer(container("UniswapV3Pool").contract_type).at(
            self.factory.getPool(first, second, fee), fetch_from_explorer=False
        )

    def cost(self, amount_out: int, *parts: Contract | int) -> int:
        """What an exact output costs now, by the exchange's own lens."""
        return int(self._lens("quoteExactOutput", reversed_path(*parts), amount_out)[0])

    def worth(self, amount_in: int, *parts: Contract | int) -> int:
        """What there is now for an exact input."""
        return int(self._lens("quoteExactInput", path(*parts), amount_in)[0])

    def trade(self, trader: Account, amount_in: int, *parts: Contract | int) -> int:
        """Somebody swaps at the router itself, without any bound; what they got."""
        token_in, token_out = parts[0], parts[-1]
        assert not isinstance(token_in, int)
        assert not isinstance(token_out, int)
        before = token_out.balanceOf(trader)
        token_in.approve(self.router, UNLIMITED, sender=trader)
        self.router.exactInput((path(*parts), trader, UNLIMITED, amount_in, 0), sender=trader)
        return int(token_out.balanceOf(trader) - before)

    def _lens(self, function: str, *arguments: Any) -> Any:
        return getattr(self.lens, function).call(*arguments)
