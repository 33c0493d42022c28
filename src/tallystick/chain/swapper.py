"""Typed calls of `UniswapSwapper`, over the one ABI artefact, as `chain.escrow` for `Escrow`.

Every call raises the contract's own errors (`errors.ContractError`) and NodeErrors; writes also SignerErrors and
TransactionErrors. Amounts are base units, times Unix seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from tallystick.chain.calls import decoded
from tallystick.chain.contract import Contract, Sent
from tallystick.chain.decode_swapper import SWAPPER
from tallystick.chain.decoder import Decoder
from tallystick.chain.logs import LogEntry, LogReader
from tallystick.chain.rpc import Rpc
from tallystick.chain.simulate import approvals, simulated
from tallystick.chain.token import TokenContract
from tallystick.core.address import parse_address
from tallystick.core.swap import Swap

ARTEFACT = "UniswapSwapper"
"""The name of its artefact, and of its entry in manifests."""


class SwapperContract(Contract):
    """The contract at one address on one chain."""

    decoder: ClassVar[Decoder[Any]] = SWAPPER

    def router(self) -> str:
        """Uniswap's router, through which it exchanges."""
        return parse_address(self._read("ROUTER"))

    def swap_exact_input(self, swap: Swap) -> Sent:
        """Exchanges all that is brought, for at least what is asked. Event: Swapped.

        The signer brings the tokens by its allowance to the contract, and gets back what was not used. Raises
        SwapExpired, OutputTooLow, SwapFailed (`Too little received`), AllowanceTooLow, BalanceTooLow, AnotherRoute,
        RouteMalformed, ReceiverRefused, SameToken, ZeroAmount, AmountMismatch, InputMismatch or TokenRefused.
        """
        return self._send("swapExactInput", swap.words)

    def swap_exact_output(self, swap: Swap) -> Sent:
        """Exchanges as little as there must be brought for exactly what is asked. Event: Swapped. Raises as above."""
        return self._send("swapExactOutput", swap.words)

    def try_exact_input(self, swap: Swap, sender: str) -> tuple[int, int]:
        """Units that would be used and received now, as that account's next transaction; sends nothing. The account
        must have given the allowance. Raises as `swap_exact_input`."""
        answer = self.node.call(self.address, self._data("swapExactInput", swap.words), sender=sender, block="pending")
        used, received = decoded("swapExactInput", answer, contract=ARTEFACT)
        return int(used), int(received)

    def simulate_exact_input(self, swap: Swap, sender: str) -> tuple[int, int] | None:
        """As `try_exact_input`, also where the account has not given the allowance yet: then that is made in the same
        simulation (`eth_simulateV1`). None where the node does not know how. Raises as `swap_exact_input`."""
        steps = approvals(TokenContract(self.node, swap.token_in), sender, self.address, swap.amount_in_units)
        if not steps:
            return self.try_exact_input(swap, sender)
        answers = simulated(self.node, sender, [*steps, (self.address, self._data("swapExactInput", swap.words))])
        if answers is None:
            return None
        used, received = decoded("swapExactInput", answers[-1], contract=ARTEFACT)
        return int(used), int(received)

    def swaps_of(self, caller: str, token_in: str, start_block: int) -> Iterator[LogEntry]:
        """Every exchange that an account made of a token, oldest first."""
        topics = [SWAPPER.topic_of("Swapped"), _word(caller), _word(token_in)]
        reader = LogReader(Rpc(self.node.url), self.address, decoder=SWAPPER, topics=topics)
        head = reader.header("latest")
        if head is not None:
            for chunk in reader.read(start_block, head.number):
                yield from chunk.logs


def _word(address: str) -> str:
    return "0x" + address[2:].lower().rjust(64, "0")
