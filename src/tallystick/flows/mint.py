"""A stablecoin to try things with, on a chain of one's own."""

from __future__ import annotations

from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector

from tallystick.chain.node import Node
from tallystick.chain.sender import Call, Sender
from tallystick.contracts import load_artefact
from tallystick.errors import InputError
from tallystick.flows.deploy import create

OWN_CHAINS = (31337, 1337)
"""Chain ids that test chains have and no public one does."""
MINTED_UNITS = 10**12
"""A million; MockUSDC has 6 decimals."""


def require_own_chain(chain_id: int) -> None:
    """Raises InputError for a chain that others use as well, where a test token would pass for the real one."""
    if chain_id not in OWN_CHAINS:
        raise InputError(
            f"this is chain {chain_id}, a test token is for chains of one's own ({OWN_CHAINS[0]} or {OWN_CHAINS[1]}): "
            "use the stablecoin that this chain has"
        )


def mint_test_token(node: Node, sender: Sender) -> str:
    """Creates MockUSDC where it is not there yet, mints a million of it to the sender, and gives its address.

    Raises InputError where `require_own_chain` does.
    """
    require_own_chain(node.chain_id)
    artefact = load_artefact("MockUSDC")

    def send(to: str, data: bytes, value_wei: int) -> str:
        return sender.send(Call(to, data, value_wei)).transaction

    if not node.code(artefact.address):
        create(node.request, send, artefact)
    mint = function_signature_to_4byte_selector("mint(address,uint256)")
    send(artefact.address, mint + encode(["address", "uint256"], [sender.address, MINTED_UNITS]), 0)
    return artefact.address
