"""Deposit addresses: one for each receiver and invoice, known before anything is on chain."""

from __future__ import annotations

from eth_utils.crypto import keccak

from tallystick.core.deployment import create2_address


def deposit_address(receiver: str, invoice: bytes, *, contract: str, code_hash: bytes) -> str:
    """The checksummed address whose tokens the checkout `contract` moves to the receiver, and nobody moves elsewhere.

    `invoice` is 32 bytes, `code_hash` keccak-256 of the creation code that the contract has for it. The same on every
    chain where the contract has the same address, so that what is sent on the wrong one is not lost.
    """
    salt = keccak(bytes.fromhex(receiver.removeprefix("0x")).rjust(32, b"\0") + invoice)
    return create2_address(contract, salt, code_hash)
