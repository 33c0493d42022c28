"""What a token says of itself. A token may say anything: what is no plain short text is not believed."""

from __future__ import annotations

from typing import Final

from tallystick.chain.rpc import Rpc
from tallystick.core.money import Token
from tallystick.errors import NodeInvalid, NodeRefused

SYMBOL: Final = "0x95d89b41"
DECIMALS: Final = "0x313ce567"
LONGEST_SYMBOL: Final = 24
MOST_DECIMALS: Final = 77
"""10^77 is the largest power of ten that a token's 256 bits can count."""


def read_token(rpc: Rpc, chain_id: int, address: str) -> Token:
    """A token's symbol and decimals.

    A symbol that is missing, or is not 1 to 24 printable ASCII characters without blanks, becomes the start of the
    address; decimals that are missing or absurd become 0, so that amounts show their base units.
    """
    symbol = _text(_call(rpc, address, SYMBOL))
    number = int.from_bytes(_call(rpc, address, DECIMALS)[:32], "big")
    plain = 0 < len(symbol) <= LONGEST_SYMBOL and symbol.isascii() and symbol.isprintable() and " " not in symbol
    return Token(chain_id, address, symbol if plain else address[:8], number if number <= MOST_DECIMALS else 0)


def _call(rpc: Rpc, address: str, data: str) -> bytes:
    try:
        answer: str = rpc.call(str, "eth_call", {"to": address, "data": data}, "latest")
        return bytes.fromhex(answer.removeprefix("0x"))
    except NodeRefused:
        return b""  # the token has no such function
    except ValueError as error:
        raise NodeInvalid(f"{rpc.name} answered a call of {address} with no hex: ask another node") from error


def _text(answer: bytes) -> str:
    """A string as ABI-encoded, or the 32 bytes that some old tokens answer (MKR)."""
    if len(answer) == 32:
        return answer.rstrip(b"\0").decode(errors="replace")
    length = int.from_bytes(answer[32:64], "big")
    return answer[64 : 64 + length].decode(errors="replace") if len(answer) >= 64 + length else ""
