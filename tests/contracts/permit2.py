"""Permit2 itself on a chain of tests, at the address that it has everywhere.

Its creation code is sent to the factory that created it on every other chain, with the same salt. So the constructor
runs where it should (its domain separator is of this chain and address, which code taken from another chain's account
would not have), and the address proves the code: CREATE2 makes it out of the code's hash.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from eth_utils.crypto import keccak

from tallystick.core.deployment import FACTORY, create2_address

PERMIT2 = "0x000000000022D473030F116dDEE9F6B43aC78BA3"
SALT = bytes.fromhex("d3af2663da51c10215000000").rjust(32, b"\0")
GAS = 3_000_000
CODE = Path(__file__).with_name("permit2.hex")

ABI: list[dict[str, Any]] = [
    {
        "type": "function",
        "name": name,
        "stateMutability": "view" if outputs else "nonpayable",
        "inputs": [{"name": name, "type": kind} for kind, name in (field.split() for field in inputs)],
        "outputs": [{"name": name, "type": kind} for kind, name in (field.split() for field in outputs)],
    }
    for name, inputs, outputs in (
        ("approve", ["address token", "address spender", "uint160 amount", "uint48 expiration"], []),
        (
            "allowance",
            ["address owner", "address token", "address spender"],
            ["uint160 amount", "uint48 expiration", "uint48 nonce"],
        ),
        ("DOMAIN_SEPARATOR", [], ["bytes32 separator"]),
    )
]
"""What a payer calls, and what tells how it stands."""
TYPES = {
    "EIP712Domain": ["string name", "uint256 chainId", "address verifyingContract"],
    "PermitSingle": ["PermitDetails details", "address spender", "uint256 sigDeadline"],
    "PermitDetails": ["address token", "uint160 amount", "uint48 expiration", "uint48 nonce"],
}
UNLIMITED_160 = 2**160 - 1
"""An allowance of this is not used up."""
FOREVER = 2**48 - 1
"""The last second that an allowance can name."""


class Permit(NamedTuple):
    """Lets a spender move an amount until and with a second; `nonce` is the next of owner, token and spender."""

    token: str
    spender: str
    amount: int = UNLIMITED_160
    expiration: int = FOREVER
    nonce: int = 0
    deadline: int = 2**256 - 1

    @property
    def words(self) -> tuple[tuple[str, int, int, int], str, int]:
        """As Permit2's PermitSingle has them."""
        return ((self.token, self.amount, self.expiration, self.nonce), self.spender, self.deadline)


def permit_data(permit: Permit, chain_id: int = 31_337) -> dict[str, Any]:
    """The EIP-712 message of a permit."""
    details = {"token": permit.token, "amount": permit.amount, "expiration": permit.expiration, "nonce": permit.nonce}
    return {
        "types": {
            name: [{"type": kind, "name": field} for kind, field in (line.split() for line in lines)]
            for name, lines in TYPES.items()
        },
        "primaryType": "PermitSingle",
        "domain": {"name": "Permit2", "chainId": chain_id, "verifyingContract": PERMIT2},
        "message": {"details": details, "spender": permit.spender, "sigDeadline": permit.deadline},
    }


def creation_code() -> bytes:
    """Permit2's, 9,345 bytes. Raises ValueError where the file is not what Permit2's address was made of."""
    lines = CODE.read_text().splitlines()
    code = bytes.fromhex("".join(line for line in lines if not line.startswith("#")))
    if (found := create2_address(FACTORY, SALT, keccak(code))) != PERMIT2:
        raise ValueError(f"{CODE.name} makes a contract at {found}, not at {PERMIT2}: restore the file")
    return code


def place_permit2(rpc: Callable[..., Any]) -> None:
    """Deploys Permit2 on an Anvil, in one transaction of its first account, unless it is there.

    `rpc` makes one JSON-RPC call: `rpc(method, *parameters)`.
    """
    if rpc("eth_getCode", PERMIT2, "latest") != "0x":
        return
    data = "0x" + (SALT + creation_code()).hex()
    sender = rpc("eth_accounts")[0]
    receipt = rpc("eth_sendTransactionSync", {"from": sender, "to": FACTORY, "data": data, "gas": hex(GAS)})
    assert receipt["status"] == "0x1"
    assert rpc("eth_getCode", PERMIT2, "latest") != "0x"
