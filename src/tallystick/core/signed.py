"""What everything that is signed for a contract has in common: the domain of EIP-712 typed data, and its text form."""

from __future__ import annotations

from typing import Any

from tallystick.core.money import UINT256_MAX

DOMAIN_NAME = "Tallystick Subscriptions"
DOMAIN_VERSION = "1"

DOMAIN_FIELDS = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
]
"""The type `EIP712Domain`."""


def domain(chain_id: int, contract: str, *, name: str = DOMAIN_NAME, version: str = DOMAIN_VERSION) -> dict[str, Any]:
    """For what a contract takes signatures; `Subscriptions` unless another name and version are given."""
    return {"name": name, "version": version, "chainId": chain_id, "verifyingContract": contract}


def parse_uint256(text: str) -> int:
    """A number as it travels, in text because JSON's lose digits beyond 2^53. Raises ValueError."""
    value = int(text)
    if not 0 <= value <= UINT256_MAX:
        raise ValueError(f"{text} is not between 0 and 2^256 - 1")
    return value


def parse_bytes(text: str) -> bytes:
    """Bytes as they travel: 0x and hex digits. Raises ValueError."""
    if not text.startswith("0x"):
        raise ValueError(f"{text!r} does not begin with 0x")
    return bytes.fromhex(text[2:])
