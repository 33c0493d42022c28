"""What a token says of itself. A token may say anything: what is no plain short text is not believed."""

from __future__ import annotations

from typing import Final

from tallystick.chain.rpc import Caller
from tallystick.core.address import ZERO_ADDRESS
from tallystick.core.money import Token
from tallystick.errors import NodeInvalid, NodeRefused

SYMBOL: Final = "0x95d89b41"
DECIMALS: Final = "0x313ce567"
LONGEST_SYMBOL: Final = 24
MOST_DECIMALS: Final = 77
"""10^77 is the largest power of ten that a token's 256 bits can count."""
COIN: Final = "COIN"
COIN_DECIMALS: Final = 18
GAS: Final = 5_000_000
"""For one answer: a token may burn what it is given, and the node's time with it."""
ATTEMPTS: Final = 3
_FORMULA: Final = tuple("=+-@")
"""What a spreadsheet takes for the beginning of a formula."""
_REVERTED: Final = 3
_IDENTITY: Final = "0x0000000000000000000000000000000000000004"
"""The precompiled contract that answers what it is asked, on every chain."""


def read_token(rpc: Caller, chain_id: int, address: str, *, block: int | None = None) -> Token:
    """A token's symbol and decimals, as of `block` where the node still has that block's state, else as of now; of the
    zero address, by which books call the chain's own currency, `COIN` with 18 decimals: no chain says its name.

    A symbol that is missing, or is not 1 to 24 printable ASCII characters without blanks and no formula, becomes the
    start of the address; decimals that are missing or absurd become 0, so that amounts show their base units. Raises
    NodeError where it is the node that cannot answer: nobody may be told that USDC has no decimals.
    """
    if address == ZERO_ADDRESS:
        return Token(chain_id, address, COIN, COIN_DECIMALS)
    at = "latest" if block is None or not _answers(rpc, hex(block)) else hex(block)
    symbol = _text(_call(rpc, address, SYMBOL, at))
    answer = _call(rpc, address, DECIMALS, at)
    number = int.from_bytes(answer[:32], "big") if len(answer) >= 32 else 0
    plain = 0 < len(symbol) <= LONGEST_SYMBOL and symbol.isascii() and symbol.isprintable() and " " not in symbol
    if not plain or symbol.startswith(_FORMULA):
        symbol = address[:8]
    return Token(chain_id, address, symbol, number if number <= MOST_DECIMALS else 0)


def _call(rpc: Caller, address: str, data: str, at: str) -> bytes:
    """What the token answers; nothing where it has no such function, or fails."""
    for _ in range(ATTEMPTS):
        try:
            answer: str = rpc.call(str, "eth_call", {"to": address, "data": data, "gas": hex(GAS)}, at)
            return bytes.fromhex(answer.removeprefix("0x"))
        except NodeRefused as error:
            if error.code == _REVERTED or "execution reverted" in str(error):
                break
            # Nodes have many words for code that fails, and for failing themselves: then everything fails.
            if not _answers(rpc, at):
                raise NodeInvalid(
                    f"{rpc.name} cannot read the state of block {at} ({error}): ask another node"
                ) from error
        except ValueError as error:
            raise NodeInvalid(f"{rpc.name} answered a call of {address} with no hex: ask another node") from error
    return b""


def _answers(rpc: Caller, at: str) -> bool:
    """Whether the node can make calls on the state of a block."""
    try:
        rpc.call(str, "eth_call", {"to": _IDENTITY, "data": "0x"}, at)
    except NodeRefused:
        return False
    return True


def _text(answer: bytes) -> str:
    """A string as ABI-encoded, or the 32 bytes that some old tokens answer (MKR)."""
    if len(answer) == 32:
        return answer.rstrip(b"\0").decode(errors="replace")
    length = int.from_bytes(answer[32:64], "big")
    return answer[64 : 64 + length].decode(errors="replace") if len(answer) >= 64 + length else ""
