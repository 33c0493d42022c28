"""Contracts of ours that anybody creates with arguments of one's own: quoter, swapper, a plan that fills channels. They
are known by their code."""

from __future__ import annotations

from dataclasses import dataclass

from eth_utils.crypto import keccak

from tallystick.chain.node import Node
from tallystick.chain.sender import Call
from tallystick.contracts import load_artefact
from tallystick.core.deployment import FACTORY, SALT, create2_address
from tallystick.errors import InputError, TallystickError
from tallystick.flows.connect import Connection


@dataclass(frozen=True, slots=True)
class Created:
    """Where a contract is that anybody can create; `transaction` is None where it was there before."""

    address: str
    transaction: str | None


def created(connection: Connection, artefact: str, arguments: bytes) -> Created:
    """A contract of ours without owner that is created with arguments, by the factory that all chains share."""
    code = load_artefact(artefact).creation_code + arguments
    address = create2_address(FACTORY, SALT, keccak(code))
    if connection.node.code(address):
        return Created(address, None)
    sender = connection.sender
    # The factory passes no reason on: what the constructor refuses is asked for by itself.
    sender.node.request("eth_call", [{"from": sender.address, "data": "0x" + code.hex()}, "latest"])
    try:
        return Created(address, sender.send(Call(FACTORY, SALT + code)).transaction)
    except TallystickError:
        if connection.node.code(address):  # somebody else was quicker
            return Created(address, None)
        raise


def require_code(node: Node, address: str, artefact: str) -> None:
    """Raises InputError unless the code at an address is that of the artefact."""
    code = node.code(address)
    if not code:
        raise InputError(f"{address} has no code on chain {node.chain_id}: check the address and the chain")
    if not load_artefact(artefact).is_code(code):
        raise InputError(
            f"the code at {address} ({len(code)} bytes) is not that of {artefact} as this Tallystick ships it: use it "
            "for nothing unless you know what it is"
        )
